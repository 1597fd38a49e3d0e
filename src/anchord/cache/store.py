"""The answers that are remembered: bounded in bytes, the least recently used out first.

One entry serves every client, whatever DO, AD, CD or EDNS it asks with: those are renderings. The
store is pure: it takes `now`, seconds of a monotonic clock, and every operation but `flush` costs
the same however many entries there are. It keeps what it is given for the answer's own `ttl`,
which the caller has bounded (RFC 4035 section 5.3.3, `policy`). After that an answer is no longer
found, and kept for a while for whoever asks for what is `past`. Left out: who may be told what is
past, and anything on disk.
"""

from collections import OrderedDict

from msgspec.structs import replace

from anchord.model.names import Name, is_at_or_below
from anchord.model.question import Question
from anchord.model.verdict import Answer, Checked

from .packed import pack, unpack
from .policy import renewal_due
from .sizes import SharedSizes, largest_entry

FRAME = 448
"""Octets of an entry beside its octets and its name: the objects that hold them, the times, the
question that is its key, and a place in the table. Measured, since tables grow by leaps."""


class Entry:
    """An answer and its times, in seconds of the monotonic clock.

    `stored_at` is when it came, `expires_at` when it is no longer fresh, `ttl` the whole seconds
    between them. From `renew_at` on it is worth asking for anew if it is in use: `uses` counts how
    often it was found, which is once a second at the most where the front door's memo stands before
    the cache. `recheck_at` is until when nobody need be asked, since an attempt to renew it has
    failed. `chain` holds the links that its verdict rests on. `is_denial` tells that it is an
    answer without records, of the type or of any.
    """

    __slots__ = (
        "_octets",
        "_question",
        "chain",
        "expires_at",
        "is_denial",
        "recheck_at",
        "renew_at",
        "stored_at",
        "ttl",
        "uses",
    )

    def __init__(self, answer: Answer, now: float) -> None:
        self._question = answer.question
        self._octets = pack(answer)
        self.chain = answer.verdict.chain
        self.is_denial = not answer.answer
        self.ttl = answer.ttl
        self.stored_at = now
        self.expires_at = now + answer.ttl
        self.renew_at = renewal_due(self.expires_at, answer.ttl)
        self.recheck_at = now
        self.uses = 0

    @property
    def answer(self) -> Answer:
        """The answer as it came."""
        return unpack(self._octets, self._question, self.chain)

    @property
    def size(self) -> int:
        """What the entry takes in memory, in octets, without the links of its chain."""
        return FRAME + len(self._octets) + len(self._question.name) + 8 * len(self.chain)

    def aged(self, now: float) -> Answer:
        """The answer with every TTL lower by the whole seconds since it was stored, at least 0."""
        seconds = int(now - self.stored_at)
        return _older(self.answer, seconds) if seconds > 0 else self.answer


class AnswerCache:
    """Answers by question, of at most `capacity` octets in all.

    An answer that is no longer fresh is kept for `kept_past` seconds more. `hits` and `misses`
    count what `get` found, `denial_hits` those hits that were denials, `evictions` what went to
    make room.
    """

    def __init__(self, capacity: int, *, kept_past: float = 0.0) -> None:
        self.capacity = capacity
        self._largest = largest_entry(capacity)
        self._kept_past = kept_past
        self.hits = 0
        self.denial_hits = 0
        self.misses = 0
        self.evictions = 0
        self._entries: OrderedDict[Question, Entry] = OrderedDict()
        self._own_bytes = 0
        self._links = SharedSizes()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def bytes_used(self) -> int:
        """What the entries take in memory, in octets; never more than `capacity`."""
        return self._own_bytes + self._links.total

    def get(self, question: Question, now: float) -> Entry | None:
        """The fresh entry for the question, which is now the most recently used one."""
        entry = self.find(question, now)
        self.misses += entry is None
        return entry

    def find(self, question: Question, now: float) -> Entry | None:
        """The same, for whoever calls `get` where there is none: a miss is not counted yet."""
        entry = self._entries.get(question)
        if entry is None:
            return None
        if now >= entry.expires_at:
            self._drop_if_over(question, entry, now)
            return None
        self._entries.move_to_end(question)
        self.hits += 1
        self.denial_hits += entry.is_denial
        entry.uses += 1
        return entry

    def past(self, question: Question, now: float) -> Entry | None:
        """What is known of the question, be it fresh or not; that is no use of it."""
        entry = self._entries.get(question)
        if entry is None or self._drop_if_over(question, entry, now):
            return None
        return entry

    def put(self, question: Question, answer: Answer, now: float) -> None:
        """Keeps the answer for its `ttl` seconds, in place of what was known.

        An answer with a TTL of 0 is not kept, nor one that is larger, with its chain, than
        `largest_entry`; what was known before it goes all the same.
        """
        self.forget(question)
        if answer.ttl <= 0:
            return
        entry = Entry(answer, now)
        if entry.size + self._links.of(entry.chain) > self._largest:
            return
        self._entries[question] = entry
        self._own_bytes += entry.size
        self._links.add(entry.chain)
        while self.bytes_used > self.capacity:
            self._remove(next(iter(self._entries)))
            self.evictions += 1

    def entries(self) -> list[Entry]:
        """Every entry, the most recently used first; some may be over."""
        return list(reversed(self._entries.values()))

    def flush(self, name: Name | None = None) -> int:
        """Forgets a name and everything below it, or everything; tells how many entries went."""
        gone = [q for q in self._entries if name is None or is_at_or_below(q.name, name)]
        for question in gone:
            self._remove(question)
        return len(gone)

    def forget(self, question: Question) -> None:
        """Forgets one answer, if there is one."""
        if question in self._entries:
            self._remove(question)

    def _drop_if_over(self, question: Question, entry: Entry, now: float) -> bool:
        is_over = now >= entry.expires_at + self._kept_past
        if is_over:
            self._remove(question)
        return is_over

    def _remove(self, question: Question) -> None:
        entry = self._entries.pop(question)
        self._own_bytes -= entry.size
        self._links.remove(entry.chain)


def _older(answer: Answer, seconds: int) -> Answer:
    return replace(
        answer,
        ttl=max(0, answer.ttl - seconds),
        answer=tuple(_older_part(checked, seconds) for checked in answer.answer),
        authority=tuple(_older_part(checked, seconds) for checked in answer.authority),
    )


def _older_part(checked: Checked, seconds: int) -> Checked:
    return Checked(checked.rrset.older(seconds), checked.status)
