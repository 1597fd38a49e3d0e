"""An RRset of a response, judged by the keys of the zone that holds it."""

from msgspec.structs import replace

from anchord.model import names, rdtypes
from anchord.model.ede import EdeCode
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.response import Response, RRset
from anchord.model.verdict import Flaw, Status

from . import claims, times
from .asking import Asking, Work, ZoneTrust, ask_zone
from .holding import (
    MOST_SIGNERS,
    holding_zone,
    possible_zones,
    proof_of,
    signers_of,
    within_anchor,
)
from .parts import Part, with_proof
from .rrsig import Signed, limit_flaw, verify_rrset
from .trust import exemption


def judge_rrset(rrset: RRset, response: Response, work: Work) -> Asking[Part]:
    """An RRset, with the proof that is due where it was expanded from a wildcard."""
    if not work.budget.spend_effort(1 + len(rrset.signatures)):
        flaw = limit_flaw(work.budget.exhausted, rrset.name)
        return Part(Status.BOGUS, (rrset,), flaws=(flaw,))
    if rrset.rdtype == rdtypes.RRSIG:
        return _judge_signatures(rrset)
    checked, trust = yield from _check(rrset, response, work)
    if isinstance(checked, Part):
        return checked
    part = Part(
        Status.SECURE,
        (checked.rrset,),
        chain=trust.chain,
        valid_until=min(trust.valid_until, times.unwrapped(checked.rrsig.expiration, work.now)),
    )
    if checked.wildcard is None:
        return part
    claim = claims.no_closer_match(rrset.name, checked.wildcard, work)
    proof = yield from proof_of(claim, rrset.name, response, trust, work)
    if isinstance(proof, Flaw):
        flaw = proof
        if flaw.code is EdeCode.NSEC_MISSING:
            text = (
                f"{names.to_text(rrset.name)} was answered from a wildcard, "
                "but nothing proves that the name itself does not exist"
            )
            flaw = replace(flaw, text=text)
        return replace(part, status=Status.BOGUS, flaws=(flaw,))
    return with_proof(part, proof)


def _judge_signatures(rrset: RRset) -> Part:
    """RRSIG records that were asked for: nothing signs them (RFC 4035 section 2.2)."""
    text = "RRSIG records are not signed themselves, so that nothing can prove them"
    flaw = Flaw(EdeCode.DNSSEC_INDETERMINATE, text, rrset.name)
    return Part(Status.INDETERMINATE, (rrset,), flaws=(flaw,))


def _check(rrset: RRset, response: Response, work: Work) -> Asking[tuple[Signed | Part, ZoneTrust]]:
    """The RRset by the first signer that proves it; else what is known about it instead.

    A signer is attacker's input: only one that turns out to be a proven zone above the RRset can
    say anything, and the others neither spoil nor settle anything. Where no signer can, the zone
    that holds the name tells whether the RRset had to be signed.
    """
    asked = response.question.rdtype  # an alias instead of a DS set is where that would be
    holder = Question(rrset.name, asked if rrset.rdtype == rdtypes.CNAME else rrset.rdtype).holder
    if exempt := exemption(holder, work.context, work.now):
        return _unproven(rrset, exempt), exempt
    refuted: list[tuple[Flaw, ZoneTrust]] = []
    tried: set[Name] = set()
    barred: ZoneTrust | None = None
    signers = within_anchor(possible_zones(signers_of(rrset), holder), holder, work)
    for signer in signers[:MOST_SIGNERS]:
        trust = yield from ask_zone(signer, work, is_signer=True)
        if trust.bars_the_way:
            barred = trust
        if trust.status is not Status.SECURE or trust.zone not in signers or trust.zone in tried:
            continue
        tried.add(trust.zone)
        checked = yield from verify_rrset(rrset, trust.zone, trust.keys, work)
        if isinstance(checked, Signed):
            return checked, trust
        refuted.append((checked, trust))
        if work.budget.exhausted:
            refuted = refuted[-1:]
            break
    if refuted:
        return _failed(rrset, refuted[0][1], *(flaw for flaw, _ in refuted)), refuted[0][1]
    trust = barred or (yield from holding_zone(holder, response, work))
    if trust.status is Status.SECURE:
        return _failed(rrset, trust, _unsigned(rrset, trust)), trust
    return _unproven(rrset, trust), trust


def _unproven(rrset: RRset, trust: ZoneTrust) -> Part:
    """An RRset whose zone is not secure: it is what its zone is."""
    return Part(
        trust.status,
        (rrset,),
        flaws=trust.flaws,
        chain=trust.chain,
        valid_until=trust.valid_until,
    )


def _failed(rrset: RRset, trust: ZoneTrust, *flaws: Flaw) -> Part:
    length = _ADDRESS_LENGTHS.get(rrset.rdtype, 0)
    if length and any(len(rdata) != length for rdata in rrset.rdatas):
        what = f"{names.to_text(rrset.name)} {rdtypes.to_text(rrset.rdtype)}"
        text = f"{what} holds something that is no address: not {length} octets"
        flaws = (*flaws, Flaw(EdeCode.OTHER, text, rrset.name))
    return Part(Status.BOGUS, (rrset,), flaws=flaws, chain=trust.chain)


_ADDRESS_LENGTHS = {rdtypes.A: 4, rdtypes.AAAA: 16}
"""Octets of the RDATA of addresses (RFC 1035 section 3.4.1, RFC 3596 section 2.2)."""


def _unsigned(rrset: RRset, trust: ZoneTrust) -> Flaw:
    """Why an RRset in a signed zone that no zone has signed is refused."""
    what = f"{names.to_text(rrset.name)} {rdtypes.to_text(rrset.rdtype)}"
    zone = names.to_text(trust.zone)
    if rrset.signatures:
        text = f"{what} is signed, but not by {zone}, which holds it"
        return Flaw(EdeCode.DNSSEC_BOGUS, text, rrset.name)
    text = f"{what} has no RRSIG, though {zone} is signed: signatures were stripped on the way"
    return Flaw(EdeCode.RRSIGS_MISSING, text, rrset.name)
