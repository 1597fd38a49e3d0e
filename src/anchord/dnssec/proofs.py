"""From a claim to a proof: the logic of NSEC and NSEC3 first, then the signatures that it needs.

A claim finds its proof among the records that a response holds; only the RRsets that the proof
rests on are checked. Where one of them is not genuine it is dropped, and the claim is tried on what
is left, so that junk beside good records spoils nothing.
"""

import msgspec

from anchord.model import names, rdtypes
from anchord.model.ede import EdeCode
from anchord.model.names import Name
from anchord.model.response import Response, RRset
from anchord.model.verdict import FOREVER, Flaw
from anchord.wire.errors import FormError
from anchord.wire.rdata import read_nsec, read_nsec3

from . import times
from .asking import Asking, Work, ZoneTrust
from .denial import STEP, Claim, Denial, Denied, Evidence, collect_evidence, denials_in, effort
from .rrsig import Signed, limit_flaw, verify_rrset

CLAIMS = 4
"""Records that a claim is held against at the price of looking at one."""


class Proof(msgspec.Struct, frozen=True):
    """A denial whose records are genuine; their TTLs are bounded by their signatures.

    `valid_until` is when the first of their signatures expires, in seconds since 1970. `flaws`
    inform where the proof is no authentic one.
    """

    denied: Denied
    records: tuple[RRset, ...]
    opt_out: bool = False
    valid_until: int = FOREVER
    flaws: tuple[Flaw, ...] = ()


def prove(
    claim: Claim,
    response: Response,
    trust: ZoneTrust,
    work: Work,
) -> Asking[Proof | Flaw]:
    """The proof that the zone gives for a claim in this response, or why it gives none."""
    denials = denials_in(response)
    if len(denials) > work.limits.evidence_records:
        return limit_flaw("too many NSEC or NSEC3 records", trust.zone)
    if not work.budget.spend_effort(effort(denials)):
        return limit_flaw(work.budget.exhausted, trust.zone)
    evidence = yield from collect_evidence(response.authority, trust.zone)
    checked: dict[int, Signed] = {}
    flaw: Flaw | None = None
    checks = 0
    yield None  # finding a proof may take much hashing
    while work.budget.spend_effort(1 + len(evidence) // CLAIMS) and (denial := claim(evidence)):
        unchecked = [rrset for rrset in denial.records if id(rrset) not in checked]
        if not unchecked:
            return _proof(denial, checked, trust.zone, work.now)
        for rrset in unchecked:
            if checks == work.limits.denial_records:
                return limit_flaw("too many NSEC or NSEC3 records that do not verify", trust.zone)
            checks += 1
            result = yield from verify_rrset(rrset, trust.zone, trust.keys, work)
            if isinstance(result, Flaw):
                if work.budget.exhausted:
                    return result
                flaw = flaw or result
                evidence = evidence.without(rrset)
                break
            checked[id(rrset)] = result
    if work.budget.exhausted:
        return limit_flaw(work.budget.exhausted, response.question.name)
    return flaw or (yield from _why_not(response, evidence, trust, work))


def _proof(denial: Denial, checked: dict[int, Signed], zone: Name, now: int) -> Proof:
    used = [checked[id(rrset)] for rrset in denial.records]
    flaws: tuple[Flaw, ...] = ()
    if denial.denied is Denied.NOTHING:
        text = (
            f"{names.to_text(zone)}: the NSEC3 records have more iterations than are supported, "
            "so that denials are not checked"
        )
        flaws = (Flaw(EdeCode.UNSUPPORTED_NSEC3_ITERATIONS_VALUE, text, zone),)
    return Proof(
        denial.denied,
        tuple(signed.rrset for signed in used),
        denial.opt_out,
        min(times.unwrapped(signed.rrsig.expiration, now) for signed in used),
        flaws,
    )


def _why_not(
    response: Response,
    evidence: Evidence,
    trust: ZoneTrust,
    work: Work,
) -> Asking[Flaw]:
    """Why a claim finds no proof: nothing there, not signed, forged, or of something else."""
    question = response.question
    zone = names.to_text(trust.zone)
    denials = denials_in(response)
    if denials and not any(rrset.signatures for rrset in denials):
        text = f"the NSEC or NSEC3 records for {question} have no RRSIG, though {zone} is signed"
        return Flaw(EdeCode.RRSIGS_MISSING, text, question.name)
    for number, rrset in enumerate(denials):
        if not number % STEP:
            yield None
        if _is_malformed(rrset):
            text = f"the {rdtypes.to_text(rrset.rdtype)} record of {zone} is malformed"
            return Flaw(EdeCode.DNSSEC_BOGUS, text, question.name)
    for rrset in evidence.rrsets[: work.limits.denial_records]:
        result = yield from verify_rrset(rrset, trust.zone, trust.keys, work)
        if isinstance(result, Flaw):
            return result
    if denials:
        text = f"the NSEC or NSEC3 records of {zone} do not prove the answer to {question}"
    else:
        text = f"no NSEC or NSEC3 record proves the answer to {question}, though {zone} is signed"
    return Flaw(EdeCode.NSEC_MISSING, text, question.name)


def _is_malformed(rrset: RRset) -> bool:
    read = read_nsec if rrset.rdtype == rdtypes.NSEC else read_nsec3
    try:
        for rdata in rrset.rdatas:
            read(rdata)
    except FormError:
        return True
    return False
