"""One connection shared by every query, and replaced without anybody noticing.

This is every transport that has connections: TCP, DoT, DoH and DoQ differ in their carriers.

1. A query goes to the connection that is open, if `pool` finds it usable. Else it queues for the
   one that is being opened: many queries, one handshake.
2. A connection that has answered before and then ends, or falls silent, was stale: what waited on
   it is asked once more over a fresh one, and that is no failure. The silent one is still heard
   out, and the first reply counts.
3. A connection that ends before it has ever answered fails its queries: asking again would not
   help. Unless the server says that it has done nothing with them.
4. A connection whose server takes only so many queries has its successor before it is used up.
"""

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple, Protocol

import trio

from anchord.model.errors import AnchordError
from anchord.net.ended import PeerError
from anchord.net.race import UnreachableError, in_words

from .addresses import Dialer
from .base import Counters, Kind, UpstreamError
from .carrier import Carrier, Fault, ended
from .connection import Connection, Waiter
from .matching import question_of
from .pool import IN_FLIGHT

logger = logging.getLogger(__name__)

CONNECT_LIMIT = 3.0
"""Seconds until a connection must stand, its TLS handshake included: clients wait about five."""

SENDS = 2
"""Connections over which one query is sent: the one that was open, and a fresh one."""


class Client(Protocol):
    """Who opens encrypted connections to one server."""

    @property
    def certificate(self) -> bytes:
        """What the server has proven last, in DER."""

    def forget(self) -> None:
        """Resumes no earlier session."""


class Way(NamedTuple):
    """How a server is reached.

    `open` makes one new connection; it raises OSError or AnchordError. `certificate` is what the
    server has proven last, in DER. `forget` drops what another network must not see: sessions, and
    which address was best.
    """

    open: Callable[[], Awaitable[Carrier]]
    certificate: Callable[[], bytes] = bytes
    forget: Callable[[], None] = lambda: None

    @classmethod
    def to(
        cls, open_carrier: Callable[[], Awaitable[Carrier]], client: Client, dialer: Dialer
    ) -> "Way":
        """The way that goes through a client of TLS or QUIC, and a dialer."""

        def forget() -> None:
            client.forget()
            dialer.forget()

        return cls(open_carrier, lambda: client.certificate, forget)


class SharedUpstream:
    """An upstream behind one connection at a time. Its tasks live in the nursery."""

    def __init__(
        self,
        url: str,
        way: Way,
        nursery: trio.Nursery,
        *,
        is_encrypted: bool,
    ) -> None:
        self.is_encrypted = is_encrypted
        self.counters = Counters()
        self._url = url
        self._way = way
        self._nursery = nursery
        self._queue: dict[Waiter, None] = {}
        self._current: Connection | None = None
        self._is_opening = False
        self._is_closed = False
        self._tasks: set[trio.CancelScope] = set()
        self._closers = trio.lowlevel.ParkingLot()

    def __str__(self) -> str:
        return self._url

    async def exchange(self, query: bytes) -> bytes:
        """As `Upstream`."""
        await trio.lowlevel.checkpoint_if_cancelled()
        in_flight = self._current.in_flight if self._current is not None else 0
        if self._is_closed:
            raise self._error(_CLOSING)
        if len(self._queue) + in_flight >= IN_FLIGHT:
            raise UpstreamError(self._url, Kind.BUSY, f"{IN_FLIGHT} queries wait for it already")
        waiter = Waiter(query, question_of(query), trio.lowlevel.current_task())
        self.counters.queries += 1
        self._assign(waiter)

        def abort(_raise_cancel: object) -> trio.lowlevel.Abort:
            waiter.leave()
            return trio.lowlevel.Abort.SUCCEEDED

        result: bytes | Fault = await trio.lowlevel.wait_task_rescheduled(abort)
        if isinstance(result, Fault):
            raise self._error(result)
        self.counters.replies += 1
        return result

    async def aclose(self) -> None:
        """As `Upstream`."""
        self._is_closed = True
        for scope in self._tasks:
            scope.cancel()
        with trio.CancelScope(shield=True):  # they end in the next turns
            while self._tasks:
                await self._closers.park()

    def forget_network(self) -> None:
        """As `Upstream`. What waits for a reply is asked once more, over a new connection."""
        self._way.forget()
        self.counters.round_trip.forget()
        self.counters.idle.forget()
        if self._current is not None:
            self._part_with(self._current)

    def _error(self, fault: Fault) -> UpstreamError:
        return UpstreamError(self._url, fault.kind, fault.cause, fault.remedy)

    # ------------ Who gets a query ------------

    def _assign(self, waiter: Waiter) -> None:
        """Gives a query to the open connection, or queues it for a new one."""
        if self._current is not None and not self._current.can_carry_more:
            if self._current.is_dismissed:
                self._let_go(self._current)
            else:
                self._part_with(self._current)
        if self._current is None:
            self._queue[waiter] = None
            waiter.places[self] = partial(self._queue.__delitem__, waiter)
        else:
            self._current.submit(waiter)
        if self._current is None or self._current.is_running_out:
            self._open_another()

    def _open_another(self) -> None:
        if not self._is_opening:
            self._is_opening = True
            scope = trio.CancelScope()
            self._tasks.add(scope)
            self._nursery.start_soon(self._serve, scope)

    def _let_go(self, connection: Connection) -> None:
        """No more queries on a connection, which may still answer those that it has."""
        if self._current is connection:
            self._current = None
        connection.retire()

    def _part_with(self, connection: Connection) -> None:
        """No more queries on a connection; what waits on it is asked elsewhere as well."""
        self._let_go(connection)
        if connection.usage.answered:
            for waiter in connection.waiters:
                if waiter.sends < SENDS:
                    self._replay(waiter)

    def _bury(self, connection: Connection, fault: Fault) -> None:
        """Whoever waited on a connection that has ended asks once more, or learns of the fault."""
        if self._current is connection:
            self._current = None
        was_stale = bool(connection.usage.answered)
        for waiter in connection.abandon():
            self._go_on(waiter, fault, asks_again=was_stale or fault.is_unprocessed)

    def _take_back(self, waiter: Waiter, fault: Fault) -> None:
        """A query that a connection goes on without."""
        waiter.sends -= fault.is_unsent
        self._go_on(waiter, fault, asks_again=fault.is_unprocessed or fault.is_unsent)

    def _go_on(self, waiter: Waiter, fault: Fault, *, asks_again: bool) -> None:
        if waiter.places:
            return  # it is being asked elsewhere already
        if asks_again and waiter.sends < SENDS and not self._is_closed:
            self._replay(waiter)
        else:
            waiter.finish(fault)

    def _dissolve_queue(self, fault: Fault) -> None:
        """There will be no new connection: whoever is not heard out elsewhere learns of it."""
        for waiter in list(self._queue):
            waiter.leave_only(self)
            if not waiter.places:
                waiter.finish(fault)

    def _replay(self, waiter: Waiter) -> None:
        self.counters.replays += 1
        self._assign(waiter)

    # ------------ The life of a connection ------------

    async def _serve(self, scope: trio.CancelScope) -> None:
        """Opens a connection, and stays with it until it ends."""
        connection = None
        fault = _CLOSING
        try:
            with scope:
                carrier = await self._connect()
                if isinstance(carrier, Fault):
                    fault = carrier
                else:
                    connection = self._adopt(carrier)
                    fault = await connection.run()
        finally:
            if connection is None:
                self._is_opening = False
                self._dissolve_queue(fault)
            else:
                self._bury(connection, fault)
            self._tasks.remove(scope)
            self._closers.unpark_all()

    async def _connect(self) -> Carrier | Fault:
        try:
            with trio.fail_after(CONNECT_LIMIT):
                return await self._way.open()
        except trio.TooSlowError:
            return Fault(Kind.TIMEOUT, f"no connection within {CONNECT_LIMIT:.0f} seconds")
        except UnreachableError as error:
            kind = Kind.REFUSED if error.is_refusal else Kind.NETWORK
            return Fault(kind, error.problem)
        except UpstreamError as error:
            return Fault(error.kind, error.problem, error.remedy)
        except PeerError as error:
            return ended(error).fault
        except AnchordError as error:
            return Fault(Kind.TLS, error.problem, error.remedy)
        except OSError as error:
            return Fault(Kind.NETWORK, f"the connection broke: {in_words(error)}")

    def _adopt(self, carrier: Carrier) -> Connection:
        """Makes a new connection the open one, and gives it what has queued."""
        self.counters.handshakes += 1
        self._see(self._way.certificate())
        self._is_opening = False
        if self._current is not None:  # it was running out
            self._let_go(self._current)
        self._current = Connection(
            carrier,
            self.counters,
            on_doubt=self._part_with,
            on_return=self._take_back,
        )
        for waiter in list(self._queue):
            waiter.leave_only(self)
            self._current.submit(waiter)
        return self._current

    def _see(self, certificate: bytes) -> None:
        """Notes the certificate; another issuer is told, since somebody may be in between."""
        before = self.counters.certificate
        if certificate == before:
            return
        issuer = self.counters.issuer
        self.counters.certificate = certificate
        if before and self.counters.issuer != issuer:
            logger.warning(
                "%s: its certificate is by %s now; it was by %s",
                self._url,
                self.counters.issuer,
                issuer,
            )


_CLOSING = Fault(Kind.CLOSED, "the upstream is no longer in use")
