"""UDP: one query a socket, from a port that nobody can guess, and TCP where UDP does not do.

Only for plaintext upstreams, and only where they are allowed. A forger off the way has to hit
the port and the id (RFC 5452); messages that miss do not end the wait, but a flood of them means
that somebody has found the port and is trying ids, so that the query goes over TCP. So does one
whose reply is truncated, or is an error that does not repeat the question.
"""

import contextlib
import secrets
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import trio

from anchord.net.race import UnreachableError
from anchord.net.tcp import RECEIVE, socket_address
from anchord.wire.message import HEADER, is_truncated

from .addresses import AddressBook
from .base import Counters, Kind, UpstreamError
from .matching import is_error_without_question, question_of, repeats_question, with_id
from .shared import SharedUpstream
from .url import Endpoint

SENDS = 3
"""Times that a query is sent at most: two losses in a row are rare, three are an outage."""

LONGEST_WAIT = 5.0
"""Seconds after which nobody waits for the reply any more."""

MISMATCH_LIMIT = 4
"""Messages that miss before TCP is used: four guesses at 65,536 ids help a forger little."""

PORT_TRIES = 16
"""Random ports that are tried. One in use is rare, sixteen mean that something is wrong."""

LOWEST_PORT = 1024
"""Ports from here on may be ours (RFC 5452 section 9.2)."""


class DatagramUpstream:
    """An upstream over UDP, with one over TCP to the same server beside it."""

    is_encrypted = False

    def __init__(self, endpoint: Endpoint, over_tcp: SharedUpstream, book: AddressBook) -> None:
        self.counters = Counters()
        self._endpoint = endpoint
        self._over_tcp = over_tcp
        self._book = book
        self._suspect = ""

    def __str__(self) -> str:
        return str(self._endpoint)

    async def exchange(self, query: bytes) -> bytes:
        """As `Upstream`. Addresses that cannot be reached, or were silent last, come last."""
        self.counters.queries += 1
        known = await self._book.addresses_of(self._endpoint)
        addresses = sorted(known, key=self._suspect.__eq__)
        failures = []
        for address in addresses:
            try:
                reply = await self._ask(address, query)
            except OSError as error:
                failures.append((address, error))
                continue
            if reply is None:
                reply = await self._over_tcp.exchange(query)
            self.counters.replies += 1
            return reply
        unreachable = UnreachableError(self._endpoint.port, failures)
        kind = Kind.REFUSED if unreachable.is_refusal else Kind.NETWORK
        raise UpstreamError(str(self), kind, unreachable.problem)

    def forget_network(self) -> None:
        """As `Upstream`."""
        self._suspect = ""
        self.counters.round_trip.forget()
        self._over_tcp.forget_network()

    async def aclose(self) -> None:
        """As `Upstream`. No query leaves anything behind but over TCP."""
        await self._over_tcp.aclose()

    async def _ask(self, address: str, query: bytes) -> bytes | None:
        """The reply of one address, or None where TCP is called for. Raises OSError."""
        family, peer = socket_address(address, self._endpoint.port, socket.SOCK_DGRAM)
        identifier = secrets.randbits(16)
        with _bound_socket(family) as bound:
            bound.connect(peer)  # so that the kernel drops what others send, and tells of refusals
            listener = Listener(bound, peer, identifier, question_of(query), self.counters)
            sent_at = trio.current_time()
            for sends, pause in enumerate(pauses(self.counters.round_trip.patience)):
                self.counters.retransmissions += bool(sends)
                with contextlib.suppress(BlockingIOError):  # as good as lost
                    bound.send(with_id(query, identifier))
                with trio.move_on_after(pause):
                    reply = await listener.reply()
                    if not sends:  # else it is unknown which one was answered
                        self.counters.round_trip.measured(trio.current_time() - sent_at)
                    return reply
                self._suspect = address
        raise UpstreamError(str(self), Kind.TIMEOUT, f"no reply within {LONGEST_WAIT:.0f} seconds")


def pauses(patience: float) -> Iterator[float]:
    """Seconds after each send until the next one, doubling, or until the end of the wait."""
    left = LONGEST_WAIT
    for _ in range(SENDS - 1):
        if patience < left:
            yield patience
            left -= patience
            patience *= 2
    yield left


@dataclass(slots=True)
class Listener:
    """Waits for the reply to one query on a socket of its own.

    The source is looked at although the socket is connected: what came in between its binding
    and its connecting was let through.
    """

    socket: socket.socket
    peer: tuple[Any, ...]
    identifier: int
    question: bytes
    counters: Counters
    misses: int = 0

    async def reply(self) -> bytes | None:
        """The reply, or None where TCP is called for. Raises OSError."""
        while self.misses < MISMATCH_LIMIT:
            await trio.lowlevel.wait_readable(self.socket)
            try:
                message, source = self.socket.recvfrom(RECEIVE)
            except BlockingIOError:
                continue
            if source[:2] == self.peer[:2] and self._has_our_id(message):
                if repeats_question(message, self.question):
                    return None if is_truncated(message) else message
                if is_error_without_question(message):
                    return None
            self.misses += 1
            self.counters.mismatches += 1
        return None

    def _has_our_id(self, message: bytes) -> bool:
        return len(message) >= HEADER and int.from_bytes(message[:2]) == self.identifier


def _bound_socket(family: socket.AddressFamily) -> socket.socket:
    """A UDP socket on a random port. Raises OSError where none is to be had."""
    bound = socket.socket(family, socket.SOCK_DGRAM)
    try:
        bound.setblocking(False)
        for tries in range(PORT_TRIES, 0, -1):
            try:
                bound.bind(("", LOWEST_PORT + secrets.randbelow(65536 - LOWEST_PORT)))
            except OSError:
                if tries == 1:
                    raise
            else:
                break
    except BaseException:
        bound.close()
        raise
    return bound
