"""What was kept over a restart, until it has been proven again or its time is over. Pure.

It is evidence and no more: nothing here reaches a client but through the engine. Times that come in
are the wall clock's, seconds since 1970, and those of a clock that never jumps. A record's age
between two processes can only be told by the wall clock; in this one the other clock goes on from
there, and the older of both ages counts, so that a clock that is set makes nothing younger.
"""

from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from anchord.model.names import Name, is_at_or_below
from anchord.model.question import Question
from anchord.model.response import Response
from anchord.wire.errors import FormError

from . import persist
from .persist import Kind
from .policy import MAX_TTL


class Evidence:
    """The records of a document.

    `signed` are zones that were signed when last seen. It says nothing about truth: it only tells
    which questions are worth asking early.
    """

    def __init__(self, document: persist.Document, now_wall: int, now_monotonic: float) -> None:
        self.signed = tuple(filter(_is_name, document.signed))
        self._records = document.records
        self._wall_at_start = now_wall - now_monotonic
        self._ends_at = now_monotonic + MAX_TTL

    def __len__(self) -> int:
        return len(self._records)

    def find(
        self, kind: Kind, question: Question, now_wall: int, now_monotonic: float
    ) -> Response | None:
        """What an upstream has said to the question, with the TTLs that are left.

        Those of a proof may be 0. A record whose time is over is forgotten.
        """
        if now_monotonic >= self._ends_at:  # nothing is kept for longer: the memory is given back
            self._records = {}
        key = persist.key(kind, question)
        record = self._records.get(key)
        if record is None:
            return None
        heard = persist.unpack(record, question)
        if heard is not None:
            age = now_wall + self._seconds_behind(now_wall, now_monotonic) - heard.at
            if 0 <= age < heard.life:
                return _older(heard.response, age)
        del self._records[key]
        return None

    def forget(self, kind: Kind, question: Question) -> None:
        """Drops a record that was proven, and so is in the cache, or that could not be."""
        self._records.pop(persist.key(kind, question), None)

    def flush(self, name: Name | None = None) -> int:
        """Forgets a name and what is below it, or everything; returns how many records went."""
        before = len(self._records)
        kept = {} if name is None else self._records
        self._records = {k: r for k, r in kept.items() if name and not _is_at_or_below(k, name)}
        return before - len(self._records)

    def records(self, now_wall: int, now_monotonic: float) -> Iterator[tuple[bytes, msgspec.Raw]]:
        """What may still be used, by its key, for the next file.

        Whoever reads that one knows only the wall clock of now: where it was set back, the records
        are dated back.
        """
        behind = self._seconds_behind(now_wall, now_monotonic)
        for key, record in list(self._records.items()):
            if now_wall + behind < persist.lasts_until(record):
                yield key, persist.heard_earlier(record, behind) if behind else record

    def _seconds_behind(self, now_wall: int, now_monotonic: float) -> int:
        """By how much the wall clock was set back since the start."""
        return max(0, int(self._wall_at_start + now_monotonic) - now_wall)


def _is_name(octets: bytes) -> bool:
    try:
        return persist.name_of(bytes(1) + octets + bytes(2)) == octets
    except FormError:
        return False


def _is_at_or_below(key: bytes, name: Name) -> bool:
    """Whether the name in a key is at or below another one; a key without a name goes as well."""
    try:
        return is_at_or_below(persist.name_of(key), name)
    except FormError:
        return True


def _older(response: Response, seconds: int) -> Response:
    return replace(
        response,
        answer=tuple(rrset.older(seconds) for rrset in response.answer),
        authority=tuple(rrset.older(seconds) for rrset in response.authority),
    )
