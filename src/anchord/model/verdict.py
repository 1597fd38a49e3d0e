"""What the engine says: a status with its reasons, and the answer that may reach a client."""

from enum import IntEnum

import msgspec

from .chain import Link
from .ede import Ede, EdeCode
from .names import Name
from .question import Question
from .response import RRset

FOREVER = 0xFFFFFFFFFF
"""Seconds since 1970 of a time that does not come."""


class Status(IntEnum):
    """How far something is proven (RFC 4033 section 5), the best first.

    `UNOBTAINABLE` is the resolver's own: a chain of trust should be there but could not be
    fetched, so that nothing is known. People and the API see it as `indeterminate`.
    """

    SECURE = 0
    INSECURE = 1
    INDETERMINATE = 2
    UNOBTAINABLE = 3
    BOGUS = 4

    @property
    def word(self) -> str:
        """The word that people and the API see."""
        return "indeterminate" if self is Status.UNOBTAINABLE else self.name.lower()

    @property
    def is_failure(self) -> bool:
        """Whether clients that leave checking to us get SERVFAIL."""
        return self >= Status.UNOBTAINABLE


def weakest(*statuses: Status) -> Status:
    """The status of a whole that consists of these parts."""
    return max(statuses, default=Status.SECURE)


class Flaw(msgspec.Struct, frozen=True, array_like=True):
    """Why something is not secure: a sentence for people, and the facts that it rests on.

    `name` is the zone or owner concerned. `facts` are pairs such as ("key_tag", 20326).
    """

    code: EdeCode
    text: str
    name: Name
    facts: tuple[tuple[str, int | str], ...] = ()

    @property
    def ede(self) -> Ede:
        """What a client is told."""
        return Ede(self.code, self.text)

    @property
    def remedy(self) -> str:
        """Who can do what about it; empty where nothing is to be done."""
        return _REMEDIES.get(self.code, "")


_REMEDIES = {
    EdeCode.SIGNATURE_EXPIRED: "the zone's operator must sign it again",
    EdeCode.SIGNATURE_EXPIRED_BEFORE_VALID: "the zone's operator must sign it again",
    EdeCode.SIGNATURE_NOT_YET_VALID: "check this machine's clock",
    EdeCode.DNSKEY_MISSING: "the zone's operator must bring DS and DNSKEY together",
    EdeCode.NO_ZONE_KEY_BIT_SET: "the zone's operator must publish the key with that flag",
    EdeCode.RRSIGS_MISSING: "another upstream may send them",
    EdeCode.NSEC_MISSING: "another upstream may send the proof",
}


class Verdict(msgspec.Struct, frozen=True):
    """The engine's judgement of one response.

    `flaws` explain a failure, or inform on an insecure answer; the most specific first. `chain`
    holds the links of trust that were used, the topmost first.
    """

    status: Status
    flaws: tuple[Flaw, ...] = ()
    chain: tuple[Link, ...] = ()


class Checked(msgspec.Struct, frozen=True, array_like=True):
    """An RRset with its own status. Its TTL is already bounded by RFC 4035 section 5.3.3."""

    rrset: RRset
    status: Status


class Answer(msgspec.Struct, frozen=True):
    """The only thing that can reach a client: records that have a verdict.

    `ttl` is the number of seconds for which the whole may be kept; `valid_until` is the last
    second since 1970 at which all signatures that the verdict rests on are valid. `edes` are codes
    that are no part of the verdict: an upstream's, or the resolver's own (stale, cached,
    synthesized). `nxname` is set where a compact denial (RFC 9824) proved that the name does not
    exist.
    """

    question: Question
    rcode: int
    answer: tuple[Checked, ...]
    authority: tuple[Checked, ...]
    verdict: Verdict
    ttl: int
    edes: tuple[Ede, ...] = ()
    nxname: bool = False
    upstream: str = ""
    valid_until: int = FOREVER


def without_records(question: Question, rcode: int, status: Status, *edes: Ede) -> Answer:
    """An answer that is a code and its reasons, and nothing to keep."""
    return Answer(
        question=question,
        rcode=rcode,
        answer=(),
        authority=(),
        verdict=Verdict(status),
        ttl=0,
        edes=edes,
    )
