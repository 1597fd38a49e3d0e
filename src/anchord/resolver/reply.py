"""What a client gets to see of an Answer, in bytes: the table of statuses and flags.

One Answer serves every client. What it asked for is a rendering, never a part of the verdict:

- secure: AD where the query had DO or AD (RFC 6840 section 5.8);
- insecure, indeterminate: the records, without AD;
- bogus, unobtainable: SERVFAIL and the reasons, no record; with CD the records, the true code
  and the reasons (RFC 4035 section 3.2.2);
- RRSIG, NSEC and NSEC3 records only with DO, or where that type was asked for (RFC 4035 section
  3.2.1); the SOA record of a denial always (RFC 2308 section 3).

RD and CD are echoed, RA is set, AA never. Extended DNS Errors go to whoever speaks EDNS.
"""

from collections.abc import Iterable

from anchord.model import rcodes, rdtypes
from anchord.model.ede import Ede, EdeCode
from anchord.model.question import ClientFlags
from anchord.model.response import RRset
from anchord.model.verdict import Answer, Checked, Flaw, Status
from anchord.wire.message import AD, CD, RD, Query
from anchord.wire.options import LONGEST_TEXT, MOST_EDES
from anchord.wire.reply import write_reply

PROOF_TYPES = frozenset({rdtypes.RRSIG, rdtypes.NSEC, rdtypes.NSEC3})
"""What authenticates and is no data: hidden from clients that do not validate."""


def render(answer: Answer, query: Query, *, limit: int, options: bytes = b"") -> bytes:
    """The reply to `query`, at most `limit` octets; truncated (TC) where it does not fit.

    `options` are EDNS options of the transport, in wire form; used where the client speaks EDNS.
    """
    flags = query.flags
    answers, authorities = shown(answer, query.question.rdtype, flags)
    return write_reply(
        identifier=query.id,
        flags=(RD if flags.recursion_desired else 0)
        | (CD if flags.checking_disabled else 0)
        | (AD if is_authentic(answer, flags, (*answers, *authorities)) else 0),
        rcode=rcode_for(answer, flags),
        question_wire=query.question_wire,
        answer=_rrsets(answers),
        authority=_rrsets(authorities),
        edns=query.edns,
        edes=extended_errors(answer),
        with_signatures=flags.dnssec_ok,
        limit=limit,
        options=options,
    )


def extended_errors(answer: Answer) -> tuple[Ede, ...]:
    """The Extended DNS Errors that explain the answer, the most specific first.

    The verdict's own flaws come before what the resolver and the upstreams have to say; the first
    says what to do as well, where that fits. No error is said twice; the least telling go where
    there are too many.
    """
    flaws = answer.verdict.flaws
    edes = list(dict.fromkeys((*(flaw.ede for flaw in flaws), *answer.edes)))
    while len(edes) > MOST_EDES:
        edes.remove(_least_telling(edes))
    return (_with_remedy(flaws[0]), *edes[1:]) if flaws else tuple(edes)


def _least_telling(edes: list[Ede]) -> Ede:
    """What is no more than bogus, beside the first; else the last, but that it is remembered."""
    general = (ede for ede in reversed(edes[1:]) if ede.code == EdeCode.DNSSEC_BOGUS)
    return next(general, edes[-2] if edes[-1].code == EdeCode.CACHED_ERROR else edes[-1])


def _with_remedy(flaw: Flaw) -> Ede:
    text = f"{flaw.text}; {flaw.remedy}"
    return Ede(flaw.code, text) if flaw.remedy and len(text.encode()) <= LONGEST_TEXT else flaw.ede


def _is_withheld(answer: Answer, flags: ClientFlags) -> bool:
    """Whether the client may see no record: it leaves checking to us, and it failed."""
    return answer.verdict.status.is_failure and not flags.checking_disabled


def rcode_for(answer: Answer, flags: ClientFlags) -> int:
    """The response code that this client gets."""
    if _is_withheld(answer, flags):
        return rcodes.SERVFAIL
    if answer.nxname:  # RFC 9824 section 5.1
        return rcodes.NXDOMAIN if flags.compact_ok else rcodes.NOERROR
    return answer.rcode


def shown(
    answer: Answer, rdtype: int, flags: ClientFlags
) -> tuple[tuple[Checked, ...], tuple[Checked, ...]]:
    """The parts of the answer and authority sections that who asks for this type gets to see."""
    if _is_withheld(answer, flags):
        return (), ()
    if flags.dnssec_ok:
        return answer.answer, answer.authority
    unasked = PROOF_TYPES - {rdtype}
    return _without(unasked, answer.answer), _without(PROOF_TYPES, answer.authority)


def _without(types: frozenset[int], section: tuple[Checked, ...]) -> tuple[Checked, ...]:
    return tuple(checked for checked in section if checked.rrset.rdtype not in types)


def is_authentic(answer: Answer, flags: ClientFlags, shown: Iterable[Checked]) -> bool:
    """AD: asked for, and every RRset that is sent is secure (RFC 4035 section 3.2.3)."""
    return (
        answer.verdict.status is Status.SECURE
        and answer.rcode in (rcodes.NOERROR, rcodes.NXDOMAIN)
        and (flags.dnssec_ok or flags.authentic_data)
        and all(checked.status is Status.SECURE for checked in shown)
    )


def _rrsets(section: Iterable[Checked]) -> list[RRset]:
    return [checked.rrset for checked in section]
