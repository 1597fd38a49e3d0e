"""How long an answer may be kept. Pure: an answer in, seconds out.

The engine has already bounded the TTL of every validated RRset by its RRSIGs (RFC 4035 section
5.3.3); what is decided here holds for the answer as a whole. Failures are kept for a fixed short
time. Left out: stale answers (RFC 8767), and failures that come back, whose time would grow (RFC
9520 section 3.2).
"""

from collections.abc import Iterable

from msgspec.structs import replace

from anchord.model import rcodes, rdtypes
from anchord.model.verdict import Answer, Checked, Status
from anchord.wire.errors import FormError
from anchord.wire.rdata import read_soa

MAX_TTL = 86_400
"""Seconds for which anything is kept: a day. Longer TTLs exist, but a zone that moves in haste
cannot take them back, and the price is one more query a day (RFC 8767 section 4 allows a week)."""

MAX_UNPROVEN_NEGATIVE_TTL = 10_800
"""Seconds for which a denial without a proof is kept: three hours (RFC 2308 section 5, which
found that a day is a problem). A proven one is bounded by its NSEC or NSEC3 records instead, and
by `MAX_TTL` (RFC 9077 section 3)."""

NEGATIVE_WITHOUT_SOA_TTL = 5
"""Seconds for which a denial that came with neither an SOA nor a proof is kept. RFC 2308 section
5 fears that two caches refresh each other for ever: without an SOA in it, nobody downstream keeps
our reply. Not to keep it at all would send every retry of a client upstream."""

BOGUS_TTL = 60
"""Seconds for which a bogus answer is kept: short, so that a mended zone is seen soon, and long
enough to spare upstreams and CPU (RFC 4035 section 4.7, RFC 9520 section 3.2: at most 300)."""

UNOBTAINABLE_TTL = 5
"""Seconds for which it is remembered that an answer or its chain could not be had: such trouble
passes, and says nothing about the zone (RFC 9520 section 3.2: at least 1)."""

MIN_FAILURE_TTL = 1
"""Seconds for which a failure is kept even where its records have a TTL of 0 (RFC 9520 section
3.2)."""

_PROOFS = (rdtypes.NSEC, rdtypes.NSEC3)


def bounded(answer: Answer) -> Answer:
    """The answer with `ttl` as it may be kept, and no record in it with a longer TTL than fits.

    The records of a positive answer keep TTLs of their own, up to `MAX_TTL`; those of denials and
    failures end with the whole, since clients take the TTL of the SOA for that of the denial.
    """
    ttl = time_to_live(answer)
    limit = ttl if answer.verdict.status.is_failure or is_negative(answer) else MAX_TTL
    return replace(
        answer,
        ttl=ttl,
        answer=_capped(answer.answer, limit),
        authority=_capped(answer.authority, limit),
    )


def time_to_live(answer: Answer) -> int:
    """Seconds for which the answer may be kept; 0: not at all.

    `answer.ttl` is how long the engine's verdict holds: until a signature of the chain expires.
    """
    status = answer.verdict.status
    ttls = [checked.rrset.ttl for checked in (*answer.answer, *answer.authority)]
    if status.is_failure:
        ceiling = BOGUS_TTL if status is Status.BOGUS else UNOBTAINABLE_TTL
        return max(MIN_FAILURE_TTL, min([ceiling, *ttls]))
    ttls.append(answer.ttl)
    if not is_negative(answer):
        return min([MAX_TTL, *ttls])
    if answer.rcode not in (rcodes.NOERROR, rcodes.NXDOMAIN):
        return UNOBTAINABLE_TTL  # an error of a server's own, RFC 2308 section 7.1
    if not _says_how_long(answer.authority):
        ceiling = NEGATIVE_WITHOUT_SOA_TTL
    elif status is Status.SECURE:
        ceiling = MAX_TTL
    else:
        ceiling = MAX_UNPROVEN_NEGATIVE_TTL
    return min([ceiling, *ttls, *_soa_minimums(answer.authority)])


def is_negative(answer: Answer) -> bool:
    """Whether the name, or data of the type at the end of its aliases, is denied (RFC 2308)."""
    types = {checked.rrset.rdtype for checked in answer.answer}
    if answer.rcode == rcodes.YXDOMAIN:  # RFC 6672 section 2.2: the DNAME is the answer
        return rdtypes.DNAME not in types
    if answer.rcode != rcodes.NOERROR:
        return True
    return (
        not types if answer.question.rdtype == rdtypes.ANY else answer.question.rdtype not in types
    )


def _says_how_long(authority: Iterable[Checked]) -> bool:
    """Whether an SOA, or a proven NSEC or NSEC3, tells how long the denial holds."""
    return any(
        checked.rrset.rdtype == rdtypes.SOA
        or (checked.status is Status.SECURE and checked.rrset.rdtype in _PROOFS)
        for checked in authority
    )


def _soa_minimums(authority: Iterable[Checked]) -> Iterable[int]:
    """The MINIMUM of each SOA (RFC 2308 section 4); an SOA that cannot be read counts as 0."""
    for checked in authority:
        if checked.rrset.rdtype == rdtypes.SOA:
            for rdata in checked.rrset.rdatas:
                try:
                    yield read_soa(rdata).minimum
                except FormError:
                    yield 0


def _capped(section: tuple[Checked, ...], limit: int) -> tuple[Checked, ...]:
    if all(checked.rrset.ttl <= limit for checked in section):
        return section
    return tuple(
        checked
        if checked.rrset.ttl <= limit
        else Checked(replace(checked.rrset, ttl=limit), checked.status)
        for checked in section
    )
