"""A denial in a response, judged by the zone that holds the name.

Denials that merely came along are sorted out here, too: they are passed on, and judge nothing.
"""

from msgspec.structs import replace

from anchord.model import names, rcodes, rdtypes
from anchord.model.chain import Link
from anchord.model.names import ROOT, Name
from anchord.model.question import Question
from anchord.model.response import Response, RRset
from anchord.model.verdict import Flaw, Status, weakest

from . import claims
from .asking import Asking, Work, ZoneTrust, ask_zone
from .denial import DENYING, Denied, collect_evidence, effort
from .holding import MOST_SIGNERS, denying_zones, holding_zone, proof_of, signers_of
from .limits import Budget
from .parts import Part, with_proof
from .proofs import Proof, prove
from .rrsig import Signed, is_limit, verify_rrset
from .trust import exemption


def judge_denial(name: Name, is_name_error: bool, response: Response, work: Work) -> Asking[Part]:
    """That a name, or the type at it, does not exist: proven by the zone that would hold it."""
    rdtype = response.question.rdtype
    claim = (claims.name_error if is_name_error else claims.no_data)(name, rdtype, work)
    holder = Question(name, rdtype).holder
    exempt = exemption(holder, work.context, work.now)
    zones = [] if exempt else (yield from denying_zones(response, holder, work))
    flaws: list[Flaw] = []
    tried: set[Name] = set()
    barred: ZoneTrust | None = None
    for signer in zones[:MOST_SIGNERS]:
        trust = yield from ask_zone(signer, work, is_signer=True)
        if trust.bars_the_way:
            barred = trust
        if trust.status is not Status.SECURE or trust.zone in tried:
            continue
        tried.add(trust.zone)
        proof = yield from proof_of(claim, holder, response, trust, work)
        if isinstance(proof, Proof):
            return (yield from _denied(proof, response, trust, work))
        flaws.append(proof)
        if is_limit(proof):
            return Part(Status.BOGUS, flaws=(proof,), chain=trust.chain)
    trust = exempt or barred or (yield from holding_zone(holder, response, work))
    if trust.status is Status.SECURE and trust.zone not in tried:
        proof = yield from prove(claim, response, trust, work)
        if isinstance(proof, Proof):  # the upstream has changed its mind about the chain
            return (yield from _denied(proof, response, trust, work))
        flaws.insert(0, proof)
    if flaws and trust.status is not Status.INSECURE:
        return Part(Status.BOGUS, flaws=tuple(flaws), chain=trust.chain)
    top = trust.zone if trust.status is Status.INSECURE and not exempt else ROOT
    soa = tuple(r for r in response.authority if r.rdtype == rdtypes.SOA)[:1]
    return Part(
        trust.status,
        authority=tuple(
            r
            for r in soa
            if names.is_at_or_below(name, r.name) and names.is_at_or_below(r.name, top)
        ),
        flaws=trust.flaws,
        chain=trust.chain,
        valid_until=trust.valid_until,
    )


def _denied(proof: Proof, response: Response, trust: ZoneTrust, work: Work) -> Asking[Part]:
    """A denial that is proven, with the zone's SOA."""
    part = Part(
        Status.SECURE,
        chain=trust.chain,
        valid_until=trust.valid_until,
        denied=proof.denied,
        rcode=_PROVEN_RCODES.get(proof.denied),
    )
    return (yield from _with_soa(with_proof(part, proof), response, trust, work))


_PROVEN_RCODES = {Denied.DATA: rcodes.NOERROR, Denied.COMPACTLY: rcodes.NOERROR}
"""What was proven decides where it says less than the response did."""


def _with_soa(part: Part, response: Response, trust: ZoneTrust, work: Work) -> Asking[Part]:
    """The zone's SOA, where it came along: it must be as genuine as the proof."""
    for rrset in response.authority:
        if rrset.rdtype == rdtypes.SOA and rrset.name == trust.zone:
            checked = yield from verify_rrset(rrset, trust.zone, trust.keys, work)
            if isinstance(checked, Flaw):
                return replace(part, status=Status.BOGUS, flaws=(checked,))
            return replace(part, authority=(checked.rrset, *part.authority))
    return part


def other_denials(heard: list[Response], parts: list[Part], work: Work) -> Asking[Part]:
    """Genuine denials that came along and prove nothing that was in question.

    They are passed on all the same: a client that validates may prove the answer in another way.
    What is not genuine is left out. The verdict stands: this is on a small budget of its own.
    """
    apart = Work(work.context, Budget(work.limits, payer=work.budget), work.now)
    known = {(r.name, r.rdtype) for part in parts for r in part.authority}
    zones = {link.zone for part in parts for link in part.chain}
    found: list[RRset] = []
    for response in heard:
        others = [
            r for r in response.authority if r.rdtype in DENYING and (r.name, r.rdtype) not in known
        ]
        for other in others[: work.limits.denial_records]:
            for zone in sorted(zones & signers_of(other)):
                if not apart.budget.spend_effort(effort([other])):
                    return Part(Status.SECURE, authority=tuple(found))
                trust = yield from ask_zone(zone, apart)
                evidence = yield from collect_evidence((other,), zone)
                for rrset in evidence.rrsets:
                    checked = yield from verify_rrset(rrset, zone, trust.keys, apart)
                    if isinstance(checked, Signed):
                        found.append(checked.rrset)
    return Part(Status.SECURE, authority=tuple(found))


def unchecked_denials(heard: list[Response], parts: list[Part], work: Work) -> Part:
    """The signed denials of zones that are not secure, as they came.

    They prove nothing here, but may do so to a client that has other trust anchors, or knows
    algorithms that are not supported here. In an answer that is secure there are none.
    """
    status = weakest(*(part.status for part in parts))
    if status is Status.SECURE:
        return Part(status)
    links = {link.zone: link for part in parts for link in part.chain}
    found = {
        (rrset.name, rrset.rdtype): rrset
        for response in heard
        for rrset in response.authority
        if rrset.rdtype in DENYING
        and rrset.signatures
        and not _is_in_secure_zone(rrset.name, links)
    }
    return Part(status, authority=tuple(found.values())[: work.limits.denial_records])


def _is_in_secure_zone(name: Name, links: dict[Name, Link]) -> bool:
    link = next((links[zone] for zone in names.ancestors(name) if zone in links), None)
    return link is not None and link.status is Status.SECURE
