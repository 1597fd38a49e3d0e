"""The memo in front of everything: the exact bytes of a query to the bytes of its reply.

Stubs send the same bytes again and again, and all that decides a reply (flags, EDNS, the letter
case of the name) stands in them; so no rule of DNS is repeated here. The memo lives for one second
of the clock: that keeps TTLs right to the second, and lets the cache behind it see every name
again soon. It takes plain answers only: with a TTL, and with nothing to explain. Failures, stale
answers, and whatever else has an Extended DNS Error are the cache's business.

What it knew in an earlier second it may say again if the cache still has the very entry that it
came from: then the reply is the same but for its TTLs (`renewed`).

For datagrams alone: a reply on a stream may be 64 KiB long.
"""

from collections.abc import Callable

import msgspec

from anchord.cache.store import Entry
from anchord.model.clock import Clock
from anchord.model.question import Question
from anchord.model.verdict import Answer
from anchord.resolver.reply import extended_errors
from anchord.wire.aging import older, ttl_offsets

from .batch import Ready, ready
from .counters import Counters, kind_of

MOST_REPLIES = 4096
"""Replies kept. More different queries in one second are no stub's; random names must not fill the
memory. With `LONGEST_QUERY` and the 1,232 octets of a reply that is at most 8 MiB."""

MOST_ORIGINS = 1024
"""Replies of which is kept where they came from, the latest: the names that one machine has in use.
With the limits above that is at most 2 MiB."""

LONGEST_QUERY = 512
"""Octets of a query that is kept: a name, a question, and EDNS with room for padding."""


class Origin(msgspec.Struct, frozen=True):
    """A reply, and where it came from.

    That is the cache entry for `question` that was stored at `stored_at`, at the age of `age`
    seconds. No entry of that question has the same time.
    """

    question: Question
    stored_at: float
    age: int
    reply: bytes
    ttl_offsets: tuple[int, ...]
    kind: int


class Front:
    """Replies to plain queries, for the rest of this second.

    `replies` has them by the bytes of the query after its id. It is one and the same dictionary as
    long as the front lives, to be looked into after `tick` and before anything else runs. `fresh`
    is the cache entry of a question, if that is what answers it now.
    """

    def __init__(
        self, clock: Clock, counters: Counters, fresh: Callable[[Question], Entry | None]
    ) -> None:
        self.replies: dict[bytes, Ready] = {}
        self._origins: dict[bytes, Origin] = {}
        self._fresh = fresh
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

    def renewed(self, query: bytes) -> bytes | None:
        """The reply of an earlier second, with the TTLs of this one, if it still holds."""
        key = query[2:]
        origin = self._origins.get(key)
        if origin is None:
            return None
        entry = self._fresh(origin.question)
        if entry is None or entry.stored_at != origin.stored_at:
            del self._origins[key]
            return None
        seconds = int(self._clock.monotonic() - entry.stored_at) - origin.age
        reply = older(origin.reply, origin.ttl_offsets, seconds)[2:]
        self._keep(key, reply, origin.kind)
        self._counters.repeats[origin.kind] += 1
        return query[:2] + reply

    def remember(
        self, query: bytes, reply: bytes, answer: Answer, entry: Entry | None = None
    ) -> None:
        """Keeps a reply that was rendered from `answer` just now, if it is plain.

        `entry` is the one of the cache that the answer is from, if it is from one.
        """
        self.tick()
        if (
            answer.ttl <= 0
            or extended_errors(answer)
            or answer.verdict.status.is_failure
            or len(query) > LONGEST_QUERY
        ):
            return
        key, kind = query[2:], kind_of(answer.verdict.status, reply[3] & 0xF)
        self._keep(key, reply[2:], kind)
        if entry is not None:
            self._origins[key] = Origin(
                question=answer.question,
                stored_at=entry.stored_at,
                age=entry.ttl - answer.ttl,
                reply=reply,
                ttl_offsets=ttl_offsets(reply),
                kind=kind,
            )
            if len(self._origins) > MOST_ORIGINS:
                del self._origins[next(iter(self._origins))]

    def _keep(self, key: bytes, reply: bytes, kind: int) -> None:
        if len(self.replies) < MOST_REPLIES:
            self.replies[key] = ready(reply, kind)

    def clear(self) -> None:
        """Forgets everything: the cache behind was flushed, or what is believed has changed."""
        self.replies.clear()
        self._origins.clear()
