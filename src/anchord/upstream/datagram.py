"""UDP: one query a socket, from a port that nobody can guess, and TCP where UDP does not do.

Only for plaintext upstreams, and only where they are allowed. A forger off the way has to hit the
port and the id (RFC 5452), the spelling of the question (`matching`), and the cookie of servers
that know cookies (`cookies`). Messages that miss do not end the wait, but a flood of them means
that somebody has found the port and is trying, so that the query goes over TCP, where none of that
is needed. So does one whose reply is truncated, or is an error that does not repeat the question.

A reply that is right but for the spelling, or for a cookie that should be in it, is from a forger
who is lucky, or from a server that has changed or never kept the spelling. It is not believed, and
TCP brings the true one. What that shows of the server is learnt: one that does not keep a spelling
over TCP either is sent none any more, and one that takes a query without a cookie, but not with
one, gets no cookies.
"""

import contextlib
import logging
import secrets
import socket
from collections.abc import Iterator
from enum import Enum, auto
from functools import partial
from typing import Any

import msgspec
import trio

from anchord.net.race import UnreachableError
from anchord.net.tcp import RECEIVE, socket_address
from anchord.wire.message import HEADER, is_truncated
from anchord.wire.query import with_cookie

from .addresses import AddressBook
from .base import Counters, Kind, UpstreamError
from .cookies import CLIENT_COOKIE, Cookie, Cookies, Sight
from .matching import (
    is_error_without_question,
    is_format_error,
    question_of,
    repeats_question,
    spells,
    spelt,
    with_id,
    with_question,
)
from .shared import SharedUpstream
from .url import Endpoint

logger = logging.getLogger(__name__)

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

    def __init__(
        self,
        endpoint: Endpoint,
        over_tcp: SharedUpstream,
        book: AddressBook,
        *,
        is_simple: bool = False,
    ) -> None:
        """`is_simple` for servers that are to get plain queries: no spelling, and no cookie."""
        self.counters = Counters()
        self._endpoint = endpoint
        self._over_tcp = over_tcp
        self._book = book
        self._suspect = ""
        self._cookies = Cookies(partial(secrets.token_bytes, CLIENT_COOKIE))
        self._is_simple = is_simple
        self._takes_cookies = self._keeps_spelling = not is_simple

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
            self.counters.replies += 1
            return reply
        unreachable = UnreachableError(self._endpoint.port, failures)
        kind = Kind.REFUSED if unreachable.is_refusal else Kind.NETWORK
        raise UpstreamError(str(self), kind, unreachable.problem)

    def forget_network(self) -> None:
        """As `Upstream`. Who answers there may be somebody else."""
        self._suspect = ""
        self._cookies.forget()
        self._takes_cookies = self._keeps_spelling = not self._is_simple
        self.counters.round_trip.forget()
        self._over_tcp.forget_network()

    async def aclose(self) -> None:
        """As `Upstream`. No query leaves anything behind but over TCP."""
        await self._over_tcp.aclose()

    async def _ask(self, address: str, query: bytes) -> bytes:
        """The reply of one address, or of TCP where that is called for. Raises OSError."""
        question = question_of(query)
        if self._keeps_spelling:
            query = spelt(query, secrets.randbits(8 * len(question)))
        heard = await self._ask_over_udp(address, query)
        if heard is Need.NEW_COOKIE:
            heard = await self._ask_over_udp(address, query)
        if not isinstance(heard, bytes):
            reply = await self._over_tcp.exchange(query)
            self.counters.moved_to_tcp += 1
            self._learn(heard, question_of(query), reply)
            heard = reply
        return with_question(heard, question) if repeats_question(heard, question) else heard

    def _learn(self, need: "Need", question: bytes, over_tcp: bytes) -> None:
        """What a reply over TCP shows, which nobody off the way could have sent."""
        if not repeats_question(over_tcp, question):
            return
        if need is Need.SPELLING and not spells(over_tcp, question):
            logger.info("%s does not keep the spelling of a question", self)
            self._keeps_spelling = False
        elif need is Need.NO_COOKIE and not is_format_error(over_tcp):
            logger.info("%s does not take a query with a cookie", self)
            self._takes_cookies = False

    async def _ask_over_udp(self, address: str, query: bytes) -> "bytes | Need":
        """The reply of one address over UDP, or what is needed to get it. Raises OSError."""
        family, peer = socket_address(address, self._endpoint.port, socket.SOCK_DGRAM)
        identifier = secrets.randbits(16)
        cookie = None
        if self._takes_cookies:
            cookie = self._cookies.of(address, trio.current_time())
        asked = with_id(with_cookie(query, cookie.option) if cookie else query, identifier)
        with _bound_socket(family) as bound:
            bound.connect(peer)  # so that the kernel drops what others send, and tells of refusals
            listener = Listener(bound, peer, identifier, question_of(query), self.counters, cookie)
            sent_at = trio.current_time()
            for sends, pause in enumerate(pauses(self.counters.round_trip.patience)):
                self.counters.retransmissions += bool(sends)
                with contextlib.suppress(BlockingIOError):  # as good as lost
                    bound.send(asked)
                with trio.move_on_after(pause):
                    heard = await listener.reply()
                    if not sends:  # else it is unknown which one was answered
                        self.counters.round_trip.measured(trio.current_time() - sent_at)
                    return heard
                self._suspect = address
        raise UpstreamError(str(self), Kind.TIMEOUT, f"no reply within {LONGEST_WAIT:.0f} seconds")


class Need(Enum):
    """What a query needs that got no reply over UDP. All but the first need TCP."""

    NEW_COOKIE = auto()
    """The server's new cookie, which is there now; then TCP."""
    TCP = auto()
    SPELLING = auto()
    """The reply did not spell the question as it was asked."""
    NO_COOKIE = auto()
    """The server finds fault with the form of a query that has a cookie."""


def pauses(patience: float) -> Iterator[float]:
    """Seconds after each send until the next one, doubling, or until the end of the wait."""
    left = LONGEST_WAIT
    for _ in range(SENDS - 1):
        if patience < left:
            yield patience
            left -= patience
            patience *= 2
    yield left


class Listener(msgspec.Struct):
    """Waits for the reply to one query on a socket of its own.

    The source is looked at although the socket is connected: what came in between its binding
    and its connecting was let through.
    """

    socket: socket.socket
    peer: tuple[Any, ...]
    identifier: int
    question: bytes
    counters: Counters
    cookie: Cookie | None = None
    misses: int = 0

    async def reply(self) -> bytes | Need:
        """The reply, or what is needed to get it. Raises OSError."""
        while self.misses < MISMATCH_LIMIT:
            await trio.lowlevel.wait_readable(self.socket)
            try:
                message, source = self.socket.recvfrom(RECEIVE)
            except BlockingIOError:
                continue
            heard = None
            if source[:2] == self.peer[:2] and self._has_our_id(message):
                heard = self._judged(message)
            if heard is not None:
                return heard
            self.misses += 1
            self.counters.mismatches += 1
        return Need.TCP

    def _judged(self, message: bytes) -> bytes | Need | None:
        """A message with our id: the reply, what is needed to get it, or nothing."""
        if not repeats_question(message, self.question):
            return Need.TCP if is_error_without_question(message) else None
        if not spells(message, self.question):
            self.counters.mismatches += 1
            return Need.SPELLING
        if self.cookie is not None:
            sight = self.cookie.judge(message, trio.current_time())
            if sight is not Sight.GOOD:
                return _NEEDS[sight]
            self.counters.cookies += bool(self.cookie.server)
            if is_format_error(message) and not self.cookie.server:
                return Need.NO_COOKIE
        return Need.TCP if is_truncated(message) else message

    def _has_our_id(self, message: bytes) -> bool:
        return len(message) >= HEADER and int.from_bytes(message[:2]) == self.identifier


_NEEDS = {Sight.FOREIGN: None, Sight.MISSING: Need.TCP, Sight.BAD: Need.NEW_COOKIE}


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
