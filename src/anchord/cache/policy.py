"""How long an answer may be kept. Pure: an answer in, seconds out.

The engine has already bounded the TTL of every validated RRset by its RRSIGs (RFC 4035 section
5.3.3); what is decided here holds for the answer as a whole. Failures are kept for a short time,
which grows where they come back (RFC 9520 section 3.2). What may be told when its time is over, for
want of anything better, is decided here, too (RFC 8767).
"""

import math
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from anchord.model import rcodes, rdtypes
from anchord.model.ede import BLOCKING, Ede, EdeCode
from anchord.model.question import ClientFlags, Question
from anchord.model.response import RRset
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

BOGUS_TTL = 15
"""Seconds for which a bogus answer is kept at first: short, so that a mended zone is seen soon, and
long enough to spare upstreams and CPU (RFC 4035 section 4.7)."""

UNOBTAINABLE_TTL = 5
"""Seconds for which it is remembered at first that an answer or its chain could not be had: such
trouble passes, and says nothing about the zone."""

LONGEST_FAILURE_TTL = 60
"""Seconds for which a failure is kept at most, however often it has come back. RFC 9520 section 3.2
allows five minutes; but here every failure is somebody's who waits for the cause to be mended."""

FORGIVEN_AFTER = 300
"""Seconds after which a failure that was not met again has never been: its next time is a first."""

MIN_FAILURE_TTL = 1
"""Seconds for which a failure is kept even where its records have a TTL of 0 (RFC 9520 section
3.2)."""

RENEWED_FROM = 10
"""What is in use is worth asking for anew in the last tenth of its time (as Unbound has it)."""

SHORTEST_RENEWED = 10
"""Seconds that its time must be for that: a tenth of less is no time to ask in, and whoever sets
such TTLs wants to be asked."""

STALE_TTL = 30
"""Seconds that a client may keep what is told although its time is over (RFC 8767 section 4)."""

RECHECK = 30
"""Seconds for which nobody is asked again after an attempt to renew an answer has failed, while the
old one may be told (RFC 8767 section 5)."""

NEVER_STALE = frozenset(
    {
        rdtypes.TLSA,
        rdtypes.SMIMEA,
        rdtypes.OPENPGPKEY,
        rdtypes.SSHFP,
        rdtypes.CAA,
        rdtypes.DS,
        rdtypes.DNSKEY,
    }
)
"""Types that say whom to trust. Whoever can keep the upstreams from us must not be able to make
keys last that their owner has withdrawn."""

_PROOFS = (rdtypes.NSEC, rdtypes.NSEC3)

_OUT_OF_REACH = frozenset({EdeCode.NETWORK_ERROR, EdeCode.DNSSEC_INDETERMINATE})


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
    minimums = soa_minimums(checked.rrset for checked in answer.authority)
    return min([ceiling, *ttls, *minimums])


def backed_off(answer: Answer, lasted: float | None) -> Answer:
    """A failure, to be kept for twice as long as the one before it of the same question.

    `lasted` are the seconds for which that was kept, None where there was none.
    """
    if lasted is None:
        return answer
    longest = UNOBTAINABLE_TTL if is_out_of_reach(answer) else LONGEST_FAILURE_TTL
    return replace(answer, ttl=max(answer.ttl, min(longest, int(2 * lasted))))


def is_out_of_reach(answer: Answer) -> bool:
    """Whether a failure says no more than that nobody could be reached.

    Then it is the network's, which may be back in a moment, and not the name's.
    """
    flaws = answer.verdict.flaws
    codes = {flaw.code for flaw in flaws} | {ede.code for ede in answer.edes}
    return answer.verdict.status is Status.UNOBTAINABLE and codes <= _OUT_OF_REACH


def renewal_due(expires_at: float, lifetime: float) -> float:
    """From when what expires then, after so many seconds, is worth asking for anew if in use."""
    return expires_at - lifetime / RENEWED_FROM if lifetime >= SHORTEST_RENEWED else math.inf


def may_be_stale(question: Question, flags: ClientFlags) -> bool:
    """Whether this client may be told what is over.

    Mail exchangers that are asked for with DO or AD lead to keys (RFC 7672 section 2.2.1): they are
    never stale.
    """
    is_for_dane = question.rdtype == rdtypes.MX and (flags.dnssec_ok or flags.authentic_data)
    return question.rdtype not in NEVER_STALE and not is_for_dane


def gives_way(failure: Answer) -> bool:
    """Whether an answer that is over is better than this failure: nothing was had from anyone.

    Evidence that contradicts is no reason to tell what was true before it; nor is a filter that
    blocks the name by now.
    """
    codes = {ede.code for ede in failure.edes}
    return failure.verdict.status is Status.UNOBTAINABLE and not codes & BLOCKING


def stale(answer: Answer, seconds: int) -> Answer:
    """An answer whose time is over, as it is told: to be kept for so many seconds."""
    is_absent = answer.rcode == rcodes.NXDOMAIN or answer.nxname
    code = EdeCode.STALE_NXDOMAIN_ANSWER if is_absent else EdeCode.STALE_ANSWER
    text = "its time is over, but nobody could be asked anew"
    return replace(
        answer,
        ttl=seconds,
        answer=tuple(_for(checked, seconds) for checked in answer.answer),
        authority=tuple(_for(checked, seconds) for checked in answer.authority),
        edes=(Ede(code, text), *answer.edes),
    )


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


def soa_minimums(rrsets: Iterable[RRset]) -> Iterator[int]:
    """The MINIMUM of each SOA (RFC 2308 section 4); an SOA that cannot be read counts as 0."""
    for rrset in rrsets:
        if rrset.rdtype == rdtypes.SOA:
            for rdata in rrset.rdatas:
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


def _for(checked: Checked, seconds: int) -> Checked:
    return Checked(replace(checked.rrset, ttl=seconds, signature_ttl=seconds), checked.status)
