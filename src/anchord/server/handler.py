"""From a client's bytes to the bytes of its reply, the same for every transport.

A message is received (`receive`): either it is answered on the spot, or it is a question to the
resolver. Where the answer is known (`known`) no task is needed for it; else one waits (`resolve`).
The reply is rendered when it can be sent (`render`): a slow reader holds answers, which the cache
shares, never rendered messages.

This is the per-query border. The resolver raises nothing for what the data or the world do, so an
exception that arrives here is a bug of ours: it is logged once, costs its own client a SERVFAIL,
and nobody else anything.
"""

import logging
from enum import Enum
from typing import Protocol

import msgspec
from msgspec.structs import replace

from anchord.cache.store import Entry
from anchord.model import rcodes
from anchord.model.clock import Clock
from anchord.model.ede import Ede, EdeCode
from anchord.model.question import ClientFlags, Question
from anchord.model.verdict import Answer, Status, without_records
from anchord.resolver.reply import extended_errors, render
from anchord.resolver.resolver import Known
from anchord.resolver.turns import Turns
from anchord.wire.framing import LONGEST_MESSAGE
from anchord.wire.message import CD, RD, Query, Rejection, is_truncated, read_query
from anchord.wire.options import PAYLOAD, SMALLEST_PAYLOAD, Edns, asks_for_keepalive, keepalive
from anchord.wire.reply import write_reply

from .counters import Counters
from .front import Front
from .limits import Limits

logger = logging.getLogger(__name__)


class Transport(Enum):
    """How a message came."""

    UDP = "udp"
    TCP = "tcp"


class Resolver(Protocol):
    """What answers questions."""

    def known(self, question: Question, flags: ClientFlags) -> Known | None:
        """The answer, where it is there already and nobody has to be asked. Never raises."""

    def fresh(self, question: Question) -> Entry | None:
        """The cache entry that `known` would tell now, if it would tell one. Never raises."""

    async def resolve(self, question: Question, flags: ClientFlags) -> Answer:
        """The answer; one with a failing verdict where nothing can be had. Never raises."""


class Pending(msgspec.Struct, frozen=True):
    """A query that waits for its answer, cut down to what its reply needs.

    `limit` is the longest reply that the client takes, in octets; `options` are EDNS options of
    the transport for the reply.
    """

    query: Query
    limit: int
    options: bytes = b""


class Handler:
    """Turns messages into replies, for all listeners.

    `front` is the memo of exact queries in front of it, for datagrams; `clear` it when the cache
    is flushed, or when what is believed changes. `turns` is where the resolver does long work:
    clients can be served in between.
    """

    def __init__(
        self,
        resolver: Resolver,
        clock: Clock,
        counters: Counters,
        limits: Limits | None = None,
        turns: Turns | None = None,
    ) -> None:
        self._resolver = resolver
        self._reported: set[tuple[object, ...]] = set()
        self.counters = counters
        self.limits = limits or Limits()
        self.turns = turns or Turns()
        self.front = Front(clock, counters, self._fresh)

    def use(self, resolver: Resolver) -> None:
        """From now on another resolver answers; what the one before has said is forgotten."""
        self._resolver = resolver
        self.front.clear()

    def receive(self, message: bytes, transport: Transport) -> bytes | Pending | None:
        """A reply to send at once, a query to `resolve`, or None where silence is due."""
        try:
            read = read_query(message)
        except Exception as bug:  # noqa: BLE001 - the per-query border
            self._report(bug)
            read = None
        if read is None:
            self.counters.ignored += 1
            return None
        if isinstance(read, Rejection):
            return self._rejected(read, transport)
        return self._pending(read, transport)

    def known(self, pending: Pending) -> Known | None:
        """The resolver's answer, where it is there already."""
        question, flags = pending.query.question, pending.query.flags
        try:
            return self._resolver.known(question, flags)
        except Exception as bug:  # noqa: BLE001 - the per-query border
            self._report(bug)
            return Known(_buggy(question))

    async def resolve(self, pending: Pending) -> Answer:
        """The resolver's answer; one that says so where the resolver has a bug."""
        question, flags = pending.query.question, pending.query.flags
        try:
            return await self._resolver.resolve(question, flags)
        except Exception as bug:  # noqa: BLE001 - the per-query border
            self._report(bug)
            return _buggy(question)

    def render(self, pending: Pending, answer: Answer) -> bytes:
        """The reply in bytes."""
        try:
            reply = _rendered(pending, answer)
        except Exception as bug:  # noqa: BLE001 - the per-query border
            self._report(bug)
            answer = _buggy(pending.query.question)
            reply = _rendered(pending, answer)
        counters = self.counters
        counters.statuses[answer.verdict.status] += 1
        counters.replied(reply[3] & 0xF)
        counters.truncated += is_truncated(reply)
        for ede in extended_errors(answer):
            counters.explained(ede.code)
        return reply

    def _fresh(self, question: Question) -> Entry | None:
        try:
            return self._resolver.fresh(question)
        except Exception as bug:  # noqa: BLE001 - the per-query border
            self._report(bug)
            return None

    def _rejected(self, rejection: Rejection, transport: Transport) -> bytes:
        self.counters.rejected += 1
        self.counters.replied(rejection.rcode)
        edes = [rejection.ede] if rejection.ede else []
        for ede in edes:
            self.counters.explained(ede.code)
        return write_reply(
            identifier=rejection.id,
            flags=rejection.opcode << 11
            | (RD if rejection.recursion_desired else 0)
            | (CD if rejection.checking_disabled else 0),
            rcode=rejection.rcode,
            question_wire=rejection.question_wire,
            answer=(),
            authority=(),
            edns=rejection.edns,
            edes=edes,
            with_signatures=False,
            limit=_limit(rejection.edns, transport),
        )

    def _pending(self, query: Query, transport: Transport) -> Pending:
        limit = _limit(query.edns, transport)
        if query.edns is None or not query.edns.options:
            return Pending(query, limit)
        options = b""
        if transport is Transport.TCP and asks_for_keepalive(query.edns.options):
            options = keepalive(self.limits.idle)
        # Up to 64 KiB of options have had their say; they are not held while the query waits.
        return Pending(replace(query, edns=replace(query.edns, options=b"")), limit, options)

    def _report(self, bug: Exception) -> None:
        """Counts a bug; logs it with its traceback, once for each place where it strikes."""
        self.counters.bugs += 1
        place = bug.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        identity = (type(bug), place and place.tb_frame.f_code, place and place.tb_lineno)
        if identity not in self._reported:
            self._reported.add(identity)
            logger.error("a bug in anchord, please report it", exc_info=bug)


def _rendered(pending: Pending, answer: Answer) -> bytes:
    return render(answer, pending.query, limit=pending.limit, options=pending.options)


def _limit(edns: Edns | None, transport: Transport) -> int:
    """The longest reply in octets: the client's limit and ours for datagrams (RFC 9715)."""
    if transport is not Transport.UDP:
        return LONGEST_MESSAGE
    return SMALLEST_PAYLOAD if edns is None else min(edns.payload, PAYLOAD)


def _buggy(question: Question) -> Answer:
    """What a client is told where anchord itself failed."""
    reason = Ede(EdeCode.OTHER, "a bug in anchord; its log tells more")
    return without_records(question, rcodes.SERVFAIL, Status.UNOBTAINABLE, reason)
