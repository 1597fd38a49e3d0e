"""One zone's denials in their order: spans between names that exist, or between their hashes.

No span of a zone contradicts another: what comes in is newer than what is there, and ends it where
the two cannot both be true. Pure, and without times: `proofs` knows those.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from anchord.dnssec.denial import Nsec3Record, NsecRecord
from anchord.model import names
from anchord.model.names import Name
from anchord.model.response import RRset

Position: TypeAlias = tuple[bytes, ...]
"""Where a name stands: its labels from the right (RFC 4034 section 6.1), or its hash alone."""

END: Position = (b"\xff" * 64,)
"""After every name and every hash: no label is as long."""


class Span(msgspec.Struct):
    """A denial: nothing lies between `begin`, where its owner stands, and `end`.

    The last NSEC3 of a zone reaches around: nothing lies before `low` either.
    """

    rrset: RRset
    begin: Position
    end: Position
    low: Position = ()

    def covers(self, position: Position) -> bool:
        """Whether the span denies what would stand there."""
        return self.begin < position < self.end or position < self.low

    def following(self, zone: Name) -> Name:
        """The name at the end of an NSEC's span: the zone itself after the last one."""
        return zone if self.end is END else names.join(list(reversed(self.end)))


def nsec_span(record: NsecRecord, zone: Name) -> Span:
    """The span of an NSEC; the zone's last one points back to the apex (RFC 4034 4.1.1)."""
    is_last = record.nsec.next_name == zone
    end = END if is_last else names.canonical_key(record.nsec.next_name)
    return Span(record.rrset, names.canonical_key(record.owner), end)


def nsec3_span(record: Nsec3Record) -> Span:
    """The span of an NSEC3, in the order of the hashes (RFC 5155 section 3.1.7)."""
    begin, end = (record.owner_hash,), (record.nsec3.next_hash,)
    if begin < end:
        return Span(record.rrset, begin, end)
    return Span(record.rrset, begin, END, low=end)


class Spans(msgspec.Struct):
    """The spans of a zone, none of which overlaps with another."""

    _begins: list[Position] = msgspec.field(default_factory=list)
    _spans: dict[Position, Span] = msgspec.field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._begins)

    def __iter__(self) -> Iterator[Span]:
        return iter(self._spans.values())

    def at(self, position: Position) -> Span | None:
        """The span that begins there, or that covers what would stand there."""
        index = bisect_right(self._begins, position) - 1  # -1 is the last, which may reach around
        if not self._begins:
            return None
        span = self._spans[self._begins[index]]
        return span if span.begin == position or span.covers(position) else None

    def add(self, span: Span) -> list[Span]:
        """Takes a span in; returns those that it ends."""
        ended = self._contradicted_by(span)
        for other in ended:
            self.remove(other)
        self._begins.insert(bisect_left(self._begins, span.begin), span.begin)
        self._spans[span.begin] = span
        return ended

    def remove(self, span: Span) -> None:
        """Takes a span out again, which is there."""
        del self._begins[bisect_left(self._begins, span.begin)]
        del self._spans[span.begin]

    def _contradicted_by(self, span: Span) -> list[Span]:
        """The spans that begin within the new one, at its beginning too, or that cover that."""
        begins = self._begins
        within = begins[bisect_left(begins, span.begin) : bisect_left(begins, span.end)]
        within += begins[: bisect_left(begins, span.low)]
        found = dict.fromkeys(within)
        over = self.at(span.begin)
        if over is not None:
            found[over.begin] = None
        return [self._spans[begin] for begin in found]
