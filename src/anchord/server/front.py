"""The memo in front of everything: the exact bytes of a query to the bytes of its reply.

Stubs send the same bytes again and again, and all that decides a reply (flags, EDNS, the letter
case of the name) stands in them; so no rule of DNS is repeated here. The memo lives for one second
of the clock: that keeps TTLs right to the second, and lets the cache behind it see every name
again soon. It takes plain answers only: with a TTL, and with nothing to explain. Failures, stale
answers, and whatever else has an Extended DNS Error are the cache's business.

For datagrams alone: a reply on a stream may be 64 KiB long.
"""

from anchord.model.clock import Clock
from anchord.model.verdict import Answer
from anchord.resolver.reply import extended_errors

from .batch import Ready, ready
from .counters import Counters, kind_of

MOST_REPLIES = 4096
"""Replies kept. More different queries in one second are no stub's; random names must not fill the
memory. With `LONGEST_QUERY` and the 1,232 octets of a reply that is at most 8 MiB."""

LONGEST_QUERY = 512
"""Octets of a query that is kept: a name, a question, and EDNS with room for padding."""


class Front:
    """Replies to plain queries, for the rest of this second.

    `replies` has them by the bytes of the query after its id. It is one and the same dictionary as
    long as the front lives, to be looked into after `tick` and before anything else runs.
    """

    def __init__(self, clock: Clock, counters: Counters) -> None:
        self.replies: dict[bytes, Ready] = {}
        self._clock = clock
        self._counters = counters
        self._second = 0

    def tick(self) -> None:
        """Forgets everything where a new second has begun. To be called before each batch."""
        second = int(self._clock.monotonic())
        if second != self._second:
            self._second = second
            self.replies.clear()

    def answer(self, query: bytes) -> bytes | None:
        """The reply to these bytes, if it is known."""
        known = self.replies.get(query[2:])
        if known is None:
            return None
        self._counters.repeats[known.kind] += 1
        return query[:2] + known.octets

    def remember(self, query: bytes, reply: bytes, answer: Answer) -> None:
        """Keeps a reply that was rendered from `answer` just now, if it is plain."""
        self.tick()
        if (
            answer.ttl > 0
            and not extended_errors(answer)
            and not answer.verdict.status.is_failure
            and len(query) <= LONGEST_QUERY
            and len(self.replies) < MOST_REPLIES
        ):
            kind = kind_of(answer.verdict.status, reply[3] & 0xF)
            self.replies[query[2:]] = ready(reply[2:], kind)

    def clear(self) -> None:
        """Forgets everything: the cache behind was flushed, or what is believed has changed."""
        self.replies.clear()
