"""What an answer takes in memory: an estimate that a test holds against the real allocator.

Every object is counted with its header and rounded up to the allocator's unit; an object that
several parts of one answer share is counted once. The links of the chain of trust are shared by
all answers below a zone: they are counted once for the whole cache, by `SharedSizes`. What the
process holds anyway (small numbers, statuses, the name of an upstream) is free.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter
from sys import getsizeof

from anchord.model.chain import Link
from anchord.model.ede import Ede
from anchord.model.question import Question
from anchord.model.response import RRset
from anchord.model.verdict import Answer, Checked, Flaw

UNIT = 16
"""Octets that the allocator deals in (CPython's obmalloc on machines of 64 bits)."""

FRAME = 512
"""Octets of every entry, whatever the answer: the objects that hold its parts, the times, the
question that is its key, and a place in the table. Measured, since tables grow by leaps."""

FACT = 112
"""Octets of a fact of a flaw: a pair, and a number. What a fact is called is in the program."""

_PARTS: dict[type, Callable[[object], tuple[object, ...]]] = {
    kind: attrgetter(*kind.__struct_fields__) for kind in (Checked, Ede, Link, RRset)
} | {Flaw: attrgetter("text", "name")}
_SMALL = range(-5, 257)  # the numbers of which CPython holds one object for the whole process


def size_of(question: Question, answer: Answer) -> int:
    """Octets that a cache entry for the answer takes, without the links of its chain."""
    verdict = answer.verdict
    parts = (answer.answer, answer.authority, answer.edes, verdict.flaws)
    size = FRAME + 8 * len(verdict.chain)
    seen: set[int] = set()
    for part in (question.name, *parts):
        size += _measure(part, seen)
    return size


def octets_of(rrset: RRset) -> int:
    """Octets that an RRset takes, with what it refers to."""
    return _measure(rrset, set())


def _measure(value: object, seen: set[int]) -> int:
    """The object and what it refers to, without what was measured before.

    This runs for every answer that is kept, and hostile ones hold thousands of objects.
    """
    units = 0
    waiting: list[object] = [value]
    while waiting:
        value = waiting.pop()
        kind = type(value)
        if kind is int:
            if value in _SMALL:
                continue
        else:
            if not value or id(value) in seen:
                continue
            seen.add(id(value))
            if isinstance(value, tuple):
                waiting += value
            elif kind in _PARTS:
                waiting += _PARTS[kind](value)
                if isinstance(value, Flaw):
                    units += FACT // UNIT * len(value.facts)
            elif kind is not bytes and kind is not str:
                continue  # a status or a code: one object for the whole process
        units += (getsizeof(value) + UNIT - 1) // UNIT
    return units * UNIT


class SharedSizes:
    """Links that entries share: each counts from the first entry that holds it to the last."""

    def __init__(self) -> None:
        self.total = 0
        self._holders: dict[int, int] = {}

    def add(self, chain: Sequence[Link]) -> None:
        """An entry that holds these links has come. It keeps them alive, so that ids stay apart."""
        for link in chain:
            holders = self._holders.get(id(link), 0)
            self._holders[id(link)] = holders + 1
            if not holders:
                self.total += _measure(link, set())

    def remove(self, chain: Sequence[Link]) -> None:
        """An entry that held these links goes."""
        for link in chain:
            holders = self._holders[id(link)] - 1
            if holders:
                self._holders[id(link)] = holders
            else:
                del self._holders[id(link)]
                self.total -= _measure(link, set())
