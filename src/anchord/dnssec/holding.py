"""Which zone holds a name, as far as a response can tell: the signers that it names.

A signer is attacker's input. It is used as a hint, and means nothing until the walk has ended at
exactly that zone (`trust.find_zone`).
"""

from collections.abc import Iterable

from anchord.model import names
from anchord.model.ede import EdeCode
from anchord.model.names import Name
from anchord.model.response import Response, RRset
from anchord.model.steps import Steps
from anchord.model.verdict import Flaw, Status
from anchord.wire.errors import FormError
from anchord.wire.rdata import read_signer

from . import claims
from .asking import Asking, Work, ZoneTrust, ask_zone
from .denial import STEP, Claim, Denied, collect_evidence, denials_in, effort
from .proofs import CLAIMS, Proof, prove
from .trust import insecure_below


def holding_zone(name: Name, response: Response, work: Work) -> Asking[ZoneTrust]:
    """The zone that holds a name of which the response has nothing signed.

    A response may bring along the proof itself that an insecure cut lies above the name, by the
    zone that holds the cut; else the walk down to it tells. An opt-out span is no such proof: it is
    there for another reason.
    """
    zones = within_anchor((yield from denying_zones(response, name, work)), name, work)
    denials = denials_in(response)
    if len(denials) > work.limits.evidence_records:
        zones = []
    for signer in zones[:MOST_SIGNERS]:
        if not work.budget.spend_effort(effort(denials)):
            break
        evidence = yield from collect_evidence(response.authority, signer)
        for cut in names.names_between(signer, name):
            claim = claims.insecure_cut(cut, work)
            if not (work.budget.spend_effort(1 + len(evidence) // CLAIMS) and claim(evidence)):
                continue
            trust = yield from ask_zone(names.parent(cut), work, is_signer=True)
            proof = yield from prove(claim, response, trust, work)
            if isinstance(proof, Proof):
                return insecure_below(cut, proof, trust)
    return (yield from ask_zone(name, work))


def proof_of(
    claim: Claim, holder: Name, response: Response, trust: ZoneTrust, work: Work
) -> Asking[Proof | Flaw]:
    """The proof that a zone gives for a claim about a name, or why it gives none.

    That nothing can be said is for the zone to say that holds the name: one above may have too many
    iterations, and secure zones below it.
    """
    proof = yield from prove(claim, response, trust, work)
    if isinstance(proof, Proof) and proof.denied is Denied.NOTHING:
        holding = yield from ask_zone(holder, work)
        if holding.status is Status.SECURE and holding.zone != trust.zone:
            zones = f"{names.to_text(trust.zone)}, but {names.to_text(holding.zone)} holds the name"
            text = f"the NSEC3 records for {response.question} are of {zones}"
            return Flaw(EdeCode.NSEC_MISSING, text, holder)
    return proof


def signers_of(rrset: RRset) -> set[Name]:
    """The names that the RRSIGs call their zone."""
    found = set()
    for rdata in rrset.signatures:
        try:
            found.add(read_signer(rdata))
        except FormError:
            continue
    return found


MOST_SIGNERS = 3
"""Signers of one RRset or denial that are looked into: a zone, its parent at a cut, and a stray.
One that is no zone leads to the zone that holds it, which is tried if it is a signer, too."""


def possible_zones(signers: Iterable[Name], holder: Name) -> list[Name]:
    """Those that may hold what belongs to `holder`: at or above it, the deepest first."""
    possible = [signer for signer in signers if names.is_at_or_below(holder, signer)]
    return sorted(possible, key=len, reverse=True)


def within_anchor(zones: list[Name], holder: Name, work: Work) -> list[Name]:
    """Those that are not above the closest trust anchor, which decides (RFC 6840 appendix C).

    What lies above it may be insecure without making insecure what the anchor is there for.
    """
    anchor = work.context.anchors.closest(holder)
    return [zone for zone in zones if anchor and names.is_at_or_below(zone, anchor.zone)]


def denying_zones(response: Response, holder: Name, work: Work) -> Steps[list[Name]]:
    """The zones that claim to have signed NSEC or NSEC3 records and may hold a name.

    Where there are more records than may be, the first tell whose they are: it is all that counts.
    """
    found: set[Name] = set()
    denials = denials_in(response)
    if len(denials) > work.limits.evidence_records:
        denials = denials[: work.limits.denial_records]
    if not work.budget.spend_effort(effort(denials)):
        return []
    for number, rrset in enumerate(denials, 1):
        found |= signers_of(rrset)
        if not number % STEP:
            yield
    return possible_zones(found, holder)
