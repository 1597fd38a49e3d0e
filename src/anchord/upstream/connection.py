"""One stream to an upstream: queries pipelined, replies in any order (RFC 7766 section 6.2).

Two tasks serve it. The writer sends everything that was asked in one turn of the scheduler in one
piece, which under TLS is one record. The reader matches replies, and wakes when `pool` wants to
look at the connection again. Sharing a connection, and asking again elsewhere, is for `stream`.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import outcome
import trio

from anchord.net.tcp import Channel, in_words
from anchord.wire.framing import Unframer, frame
from anchord.wire.message import HEADER

from .base import Counters, Kind
from .matching import is_error_without_question, repeats_question, with_id
from .pool import RoundTrip, State, Usage


class Fault(NamedTuple):
    """Why there is no reply."""

    kind: Kind
    cause: str
    remedy: str = ""


@dataclass(eq=False, slots=True)
class Waiter:
    """A task that waits for the reply to its query.

    `places` are the tables in which it stands, each with its key there: the queue for a
    connection, or one or two connections. `sends` is how many of those have had the query.
    """

    query: bytes
    question: bytes
    task: trio.lowlevel.Task
    sends: int = 0
    places: list[tuple[dict[Any, Any], Any]] = field(default_factory=list)

    def enter(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        """Puts the waiter into a table, under a key that is free."""
        table[key] = value
        self.places.append((table, key))

    def leave(self) -> None:
        """Takes the waiter out of every table: a later reply finds nobody."""
        for table, key in self.places:
            del table[key]
        self.places.clear()

    def leave_only(self, table: dict[Any, Any]) -> None:
        """Takes the waiter out of this table."""
        for place in self.places:
            if place[0] is table:
                self.places.remove(place)
                del table[place[1]]
                break

    def finish(self, result: bytes | Fault) -> None:
        """Leaves, and wakes the task."""
        self.leave()
        trio.lowlevel.reschedule(self.task, outcome.Value(result))


class Connection:
    """Queries and replies over one channel, which it owns, while `run` runs.

    `on_doubt` is called when the connection has become suspicious; it should retire it.
    """

    def __init__(
        self,
        channel: Channel,
        round_trip: RoundTrip,
        counters: Counters,
        *,
        idle_limit: float,
        on_doubt: "Callable[[Connection], None]",
    ) -> None:
        self.usage = Usage(used_at=trio.current_time())
        self._channel = channel
        self._round_trip = round_trip
        self._counters = counters
        self._idle_limit = idle_limit
        self._on_doubt = on_doubt
        self._waiting: dict[int, tuple[Waiter, float]] = {}
        self._outbox: list[bytes] = []
        self._idle_writer: trio.lowlevel.Task | None = None
        self._alarm = trio.CancelScope()
        self._whole = trio.CancelScope()
        self._is_retired = False
        self._fault = Fault(Kind.CLOSED, "the connection was closed before the reply")

    @property
    def waiters(self) -> list[Waiter]:
        """Who waits for a reply, the first that asked first."""
        return [waiter for waiter, _ in self._waiting.values()]

    @property
    def in_flight(self) -> int:
        """How many wait for a reply."""
        return len(self._waiting)

    @property
    def can_carry_more(self) -> bool:
        """Whether a query may be given to it now."""
        return not self._is_retired and self._judge(trio.current_time())[0] is State.USABLE

    def submit(self, waiter: Waiter) -> None:
        """Takes a query on. It leaves with all others of this turn of the scheduler."""
        now = trio.current_time()
        identifier = secrets.randbits(16)
        while identifier in self._waiting:
            identifier = secrets.randbits(16)
        waiter.sends += 1
        waiter.enter(self._waiting, identifier, (waiter, now))
        self._outbox.append(frame(with_id(waiter.query, identifier)))
        if self._idle_writer is not None:
            trio.lowlevel.reschedule(self._idle_writer)
            self._idle_writer = None
        self.usage.sent(now)
        if self.usage.silent_since == now:
            _, look_again = self._judge(now)
            self._alarm.deadline = min(self._alarm.deadline, look_again)

    def retire(self) -> None:
        """No more queries; the connection ends when nobody waits on it any more."""
        self._is_retired = True
        if not self._waiting:
            self.close()

    def close(self) -> None:
        """Ends the connection, and with it `run`."""
        self._whole.cancel()

    def abandon(self) -> list[Waiter]:
        """Who still waits, taken out of this connection; other places of theirs remain."""
        waiters = self.waiters
        for waiter in waiters:
            waiter.leave_only(self._waiting)
        return waiters

    async def run(self) -> Fault:
        """Serves the connection until it ends; returns why. Who waits then is to be `abandon`ed.

        Raises nothing of its own; when cancelled it closes the channel all the same.
        """
        try:
            with self._whole:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write)
                    await self._read()
                    self._is_retired = True
                    nursery.cancel_scope.cancel()
        finally:
            self._is_retired = True
            self._channel.close()
        return self._fault

    async def _write(self) -> None:
        try:
            while True:
                if not self._outbox:
                    await self._wait_for_work()
                queries = b"".join(self._outbox)
                self._outbox.clear()
                await self._channel.send_all(queries)
        except OSError as error:
            self._is_retired = True  # the reader learns the rest: a reply may have come before
            self._fault = Fault(Kind.CLOSED, f"the connection broke: {in_words(error)}")

    async def _wait_for_work(self) -> None:
        def abort(_raise_cancel: object) -> trio.lowlevel.Abort:
            self._idle_writer = None
            return trio.lowlevel.Abort.SUCCEEDED

        self._idle_writer = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(abort)

    async def _read(self) -> None:
        unframer = Unframer()
        while not (self._is_retired and not self._waiting):
            state, look_again = self._judge(trio.current_time())
            if state is State.DOUBTED and not self._is_retired:
                self._on_doubt(self)
            elif state is State.IDLE:
                return
            with trio.CancelScope(deadline=look_again) as self._alarm:
                if not await self._read_on(unframer):
                    return

    async def _read_on(self, unframer: Unframer) -> bool:
        """Reads until the connection is to be judged (cancelled then), or for good (False)."""
        try:
            while data := await self._channel.receive():
                now = trio.current_time()
                self.usage.heard(now)
                for message in unframer.feed(data):
                    if len(message) < HEADER:
                        self._fault = Fault(Kind.MALFORMED, "what it sends is no DNS")
                        return False
                    self._take(message, now)
                if self._waiting:
                    self._channel.acknowledge()
                elif self._is_retired:
                    return False
        except OSError as error:
            self._fault = Fault(Kind.CLOSED, f"the connection broke: {in_words(error)}")
            return False
        if not unframer.is_empty:
            self._fault = Fault(Kind.CLOSED, "the connection was closed in mid-reply")
        return False

    def _take(self, message: bytes, now: float) -> None:
        """Hands a message to who waits for it, if anybody does."""
        found = self._waiting.get(int.from_bytes(message[:2]))
        if found is None or not (
            repeats_question(message, found[0].question) or is_error_without_question(message)
        ):
            self._counters.mismatches += 1
            return
        waiter, sent_at = found
        self.usage.answered += 1
        self._round_trip.measured(now - sent_at)
        waiter.finish(message)

    def _judge(self, now: float) -> tuple[State, float]:
        return self.usage.judge(
            now,
            in_flight=len(self._waiting),
            patience=self._round_trip.patience,
            idle_limit=self._idle_limit,
        )
