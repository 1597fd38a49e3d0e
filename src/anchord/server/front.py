"""The memo in front of everything: the exact bytes of a query to the bytes of its reply.

Stubs send the same bytes again and again, and all that decides a reply (flags, EDNS, the letter
case of the name) stands in them; so no rule of DNS is repeated here. The memo lives for one second
of the clock: that keeps TTLs right to the second, and lets the cache behind it see every name
again soon. It takes plain answers only: with a TTL, and with nothing to explain. Failures, stale
answers, and whatever else has an Extended DNS Error are the cache's business.

For datagrams alone: a reply on a stream may be 64 KiB long.
"""

from anchord.model.clock import Clock
from anchord.model.verdict import Answer, Status
from anchord.resolver.reply import extended_errors

from .counters import Counters

MOST_REPLIES = 4096
"""Replies kept. More different queries in one second are no stub's; random names must not fill the
memory. With `LONGEST_QUERY` and the 1,232 octets of a reply that is at most 8 MiB."""

LONGEST_QUERY = 512
"""Octets of a query that is kept: a name, a question, and EDNS with room for padding."""


class Front:
    """Replies to plain queries, for the rest of this second."""

    def __init__(self, clock: Clock, counters: Counters) -> None:
        self._clock = clock
        self._counters = counters
        self._replies: dict[bytes, tuple[bytes, Status]] = {}
        self._second = 0

    def tick(self) -> None:
        """Forgets everything where a new second has begun. To be called before each batch."""
        second = int(self._clock.monotonic())
        if second != self._second:
            self._second = second
            self._replies.clear()

    def answer(self, query: bytes) -> bytes | None:
        """The reply to these bytes, if it is known."""
        known = self._replies.get(query[2:])
        if known is None:
            return None
        reply, status = known
        counters = self._counters
        counters.front_hits += 1
        counters.statuses[status] += 1
        counters.replied(reply[1] & 0xF)
        return query[:2] + reply

    def remember(self, query: bytes, reply: bytes, answer: Answer) -> None:
        """Keeps a reply that was rendered from `answer` just now, if it is plain."""
        self.tick()
        if (
            answer.ttl > 0
            and not extended_errors(answer)
            and not answer.verdict.status.is_failure
            and len(query) <= LONGEST_QUERY
            and len(self._replies) < MOST_REPLIES
        ):
            self._replies[query[2:]] = reply[2:], answer.verdict.status

    def clear(self) -> None:
        """Forgets everything: the cache behind was flushed, or what is believed has changed."""
        self._replies.clear()
