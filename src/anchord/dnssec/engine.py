"""The engine's front: a response goes in, an answer with a verdict comes out.

Each RRset and each denial of the response is judged on its own, by the keys of its own zone; the
whole is as good as its weakest part (RFC 4035 section 3.2.3, RFC 6604 section 3). Insecure is only
what is proven to be so: by the walk down to the zone that holds the name (`trust.find_zone`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from anchord.model import names, rcodes, rdtypes
from anchord.model.chain import Link
from anchord.model.ede import Ede, EdeCode
from anchord.model.names import ROOT, Name
from anchord.model.question import Question
from anchord.model.response import Response, RRset, Unanswered
from anchord.model.verdict import Answer, Checked, Flaw, Status, Verdict, weakest
from anchord.wire.errors import FormError
from anchord.wire.rdata import read_rrsig

from . import claims, times
from .asking import Asking, Work, ZoneTrust, ask, ask_zone
from .classify import Alias, Ending, Story, tell
from .denial import Claim, Denied, collect_evidence
from .limits import Budget
from .proofs import Proof, prove
from .rrsig import Signed, limit_flaw, verify_rrset
from .trust import exemption, insecure_below, unanswered

LONGEST_TTL = 0x7FFFFFFF
"""Seconds: the TTL of an answer that nothing bounds (RFC 2181 section 8)."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an answer, judged. `valid_until` bounds how long the judgement holds."""

    status: Status
    answer: tuple[RRset, ...] = ()
    authority: tuple[RRset, ...] = ()
    flaws: tuple[Flaw, ...] = ()
    chain: tuple[Link, ...] = ()
    valid_until: int = 0xFFFFFFFFFF
    denied: Denied | None = None
    rcode: int | None = None
    """The code that is right where it is not the response's."""


def validate(response: Response, work: Work) -> Asking[Answer]:
    """The answer that a response amounts to: every part of it judged.

    Where an alias leads on and the response does not say where to, or says it without proof, the
    target is asked for by itself.
    """
    question = response.question
    parts: list[Part] = []
    seen: set[Name] = set()
    edes: list[Ede] = []
    aliases = 0
    heard = [response]
    while True:
        story = tell(response, question, seen, work.limits.aliases + 1 - aliases)
        aliases += len(story.aliases)
        if aliases > work.limits.aliases:
            flaw = limit_flaw("too many aliases", response.question.name)
            parts.append(Part(Status.BOGUS, flaws=(flaw,)))
            break
        for alias in story.aliases:
            part = yield from _judge_alias(alias, response, work)
            parts.append(part)
        end = yield from _judge_ending(story, response, work)
        if story.ending in (Ending.DATA, Ending.LOOP):  # nothing signs the code of a response
            end = replace(end, rcode=rcodes.NOERROR)
        if story.ending is Ending.LOOP:
            edes.append(Ede(EdeCode.OTHER, f"aliases loop at {names.to_text(story.name)}"))
        leads_on = end.status.is_failure and story.aliases
        if not leads_on or work.budget.exhausted:
            parts.append(end)
            break
        question = Question(story.name, question.rdtype)
        following = yield from ask(question)
        if isinstance(following, Unanswered):
            if story.ending is Ending.OPEN:
                end = Part(Status.UNOBTAINABLE, flaws=unanswered(following).flaws)
            parts.append(end)
            break
        response = following
        heard.append(response)
    if not weakest(*(part.status for part in parts)).is_failure:
        parts.insert(-1, (yield from _other_denials(heard, parts, work)))
        parts.insert(-1, _unchecked_denials(heard, parts, work))
    return _assemble(heard, parts, edes, work)


# ------------ Data ------------


def _judge_alias(alias: Alias, response: Response, work: Work) -> Asking[Part]:
    """A CNAME by itself; or the DNAME that it follows from (RFC 6672 section 5.3.1)."""
    if alias.dname is None:
        part = yield from _judge_rrset(alias.cname, response, work)
        if alias.contradicts and part.status is Status.BOGUS:
            name, above = alias.cname.name, names.to_text(alias.contradicts.name)
            text = f"the alias of {names.to_text(name)} is not what the DNAME of {above} says"
            flaw = Flaw(EdeCode.DNSSEC_BOGUS, text, name)
            part = replace(part, flaws=(flaw, *part.flaws))
        return part
    part = yield from _judge_rrset(alias.dname, response, work)
    follows = replace(alias.cname, ttl=part.answer[0].ttl, signatures=(), signature_ttl=0)
    return replace(part, answer=(*part.answer, follows))


def _judge_ending(story: Story, response: Response, work: Work) -> Asking[Part]:
    match story.ending:
        case Ending.DATA:
            if story.alias:
                return (yield from _judge_alias(story.alias, response, work))
            parts = []
            for rrset in story.data:
                part = yield from _judge_rrset(rrset, response, work)
                parts.append(part)
                if part.status.is_failure:  # so is the whole, whatever else there is
                    break
            return _joined(parts)
        case Ending.TOO_LONG:
            assert story.dname
            part = yield from _judge_rrset(story.dname, response, work)
            return replace(part, rcode=rcodes.YXDOMAIN)
        case Ending.LOOP:
            return Part(Status.SECURE)  # there is nothing more to judge
        case Ending.OPEN if limit := work.budget.exhausted:
            return Part(Status.BOGUS, flaws=(limit_flaw(limit, story.name),))
        case Ending.OPEN:
            return Part(Status.UNOBTAINABLE)  # until it is asked for
        case _:
            is_name_error = story.ending is Ending.NAME_ERROR
            return (yield from _judge_denial(story.name, is_name_error, response, work))


def _joined(parts: list[Part]) -> Part:
    status = weakest(*(part.status for part in parts))
    return Part(
        status,
        tuple(rrset for part in parts for rrset in part.answer),
        tuple(rrset for part in parts for rrset in part.authority),
        tuple(flaw for part in parts if part.status is status for flaw in part.flaws),
        tuple(link for part in parts for link in part.chain),
        min(part.valid_until for part in parts),
    )


def _judge_rrset(rrset: RRset, response: Response, work: Work) -> Asking[Part]:
    """An RRset, with the proof that is due where it was expanded from a wildcard."""
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
    proof = yield from _proof_of(claim, rrset.name, response, trust, work)
    if isinstance(proof, Flaw):
        flaw = proof
        if flaw.code is EdeCode.NSEC_MISSING:
            text = (
                f"{names.to_text(rrset.name)} was answered from a wildcard, "
                "but nothing proves that the name itself does not exist"
            )
            flaw = replace(flaw, text=text)
        return replace(part, status=Status.BOGUS, answer=(rrset,), flaws=(flaw,))
    return _with_proof(part, proof)


def _judge_signatures(rrset: RRset) -> Part:
    """RRSIG records that were asked for: nothing signs them (RFC 4035 section 2.2)."""
    text = "RRSIG records are not signed themselves, so that nothing can prove them"
    flaw = Flaw(EdeCode.DNSSEC_INDETERMINATE, text, rrset.name)
    return Part(Status.INDETERMINATE, (rrset,), flaws=(flaw,))


def _check(rrset: RRset, response: Response, work: Work) -> Asking[tuple[Signed | Part, ZoneTrust]]:
    """The RRset by the first signer that proves it; else what is known about it instead.

    A signer is attacker's input: only one that turns out to be a proven zone above the RRset can
    say anything, and the others spoil nothing. Where no signer can, the zone that holds the name
    tells whether the RRset had to be signed.
    """
    asked = response.question.rdtype  # an alias instead of a DS set is where that would be
    holder = _held_by(rrset.name, asked if rrset.rdtype == rdtypes.CNAME else rrset.rdtype)
    if exempt := exemption(holder, work.context, work.now):
        return _unproven(rrset, exempt), exempt
    refuted: list[tuple[Flaw, ZoneTrust]] = []
    unproven: list[ZoneTrust] = []
    tried: set[Name] = set()
    signers = _within_anchor(_possible_zones(_signers(rrset), holder), holder, work)
    for signer in signers[:MOST_SIGNERS]:
        trust = yield from ask_zone(signer, work, is_signer=True)
        if trust.status is not Status.SECURE:
            unproven.append(trust)
        elif trust.zone in signers and trust.zone not in tried:
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
    if not unproven:
        trust = yield from _holding_zone(holder, response, work)
        if trust.status is Status.SECURE:
            return _failed(rrset, trust, _unsigned(rrset, trust)), trust
        unproven.append(trust)
    trust = min(unproven, key=_insecure_first)
    return _unproven(rrset, trust), trust


def _insecure_first(trust: ZoneTrust) -> tuple[bool, int]:
    """A proof that the name is below an insecure cut settles it; else the worst is told."""
    return trust.status is not Status.INSECURE, -trust.status


def _unproven(rrset: RRset, trust: ZoneTrust) -> Part:
    """An RRset whose zone is not secure: it is what its zone is."""
    return Part(
        trust.status,
        (rrset,),
        flaws=trust.flaws,
        chain=trust.chain,
        valid_until=trust.valid_until,
    )


def _holding_zone(name: Name, response: Response, work: Work) -> Asking[ZoneTrust]:
    """The zone that holds a name of which the response has nothing signed.

    A response may bring along the proof itself that an insecure cut lies above the name, by the
    zone that holds the cut; else the walk down to it tells. An opt-out span is no such proof: it is
    there for another reason.
    """
    zones = _within_anchor(_denying_zones(response, name), name, work)
    for signer in zones[:MOST_SIGNERS]:
        evidence = collect_evidence(response.authority, signer, work.limits.evidence_records)
        if len(evidence.rrsets) > work.limits.evidence_records:
            continue
        for cut in names.names_between(signer, name):
            claim = claims.insecure_cut(cut, work)
            if not claim(evidence):
                continue
            trust = yield from ask_zone(names.parent(cut), work, is_signer=True)
            if trust.status is Status.SECURE and trust.zone == signer:
                proof = yield from prove(claim, response, trust, work)
                if isinstance(proof, Proof):
                    return insecure_below(cut, proof, trust)
    return (yield from ask_zone(name, work))


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


def _signers(rrset: RRset) -> set[Name]:
    """The names that the RRSIGs call their zone."""
    found = set()
    for rdata in rrset.signatures:
        try:
            found.add(read_rrsig(rdata).signer)
        except FormError:
            continue
    return found


MOST_SIGNERS = 3
"""Signers of one RRset or denial that are looked into: a zone, its parent at a cut, and a stray.
One that is no zone leads to the zone that holds it, which is tried if it is a signer, too."""


def _possible_zones(signers: Iterable[Name], holder: Name) -> list[Name]:
    """Those that may hold what belongs to `holder`: at or above it, the deepest first."""
    possible = [signer for signer in signers if names.is_at_or_below(holder, signer)]
    return sorted(possible, key=len, reverse=True)


def _within_anchor(zones: list[Name], holder: Name, work: Work) -> list[Name]:
    """Those that are not above the closest trust anchor, which decides (RFC 6840 appendix C).

    What lies above it may be insecure without making insecure what the anchor is there for.
    """
    anchor = work.context.anchors.closest(holder)
    return [zone for zone in zones if anchor and names.is_at_or_below(zone, anchor.zone)]


def _held_by(name: Name, rdtype: int) -> Name:
    """The name whose zone holds the RRset: a DS is the parent's (RFC 4035 section 2.4)."""
    return names.parent(name) if rdtype == rdtypes.DS else name


def _with_proof(part: Part, proof: Proof) -> Part:
    """A secure part that rests on a proof as well: no better than that."""
    is_authentic = not proof.opt_out and proof.denied is not Denied.NOTHING
    return replace(
        part,
        status=Status.SECURE if is_authentic else Status.INSECURE,
        authority=(*part.authority, *proof.records),
        flaws=(*part.flaws, *proof.flaws),
        valid_until=min(part.valid_until, proof.valid_until),
    )


# ------------ Denials ------------


def _judge_denial(name: Name, is_name_error: bool, response: Response, work: Work) -> Asking[Part]:
    """That a name, or the type at it, does not exist: proven by the zone that would hold it."""
    rdtype = response.question.rdtype
    claim = (claims.name_error if is_name_error else claims.no_data)(name, rdtype, work)
    holder = _held_by(name, rdtype)
    exempt = exemption(holder, work.context, work.now)
    zones = [] if exempt else _denying_zones(response, holder)
    flaws: list[Flaw] = []
    tried: set[Name] = set()
    for signer in zones[:MOST_SIGNERS]:
        trust = yield from ask_zone(signer, work, is_signer=True)
        if trust.status is not Status.SECURE or trust.zone in tried:
            continue
        tried.add(trust.zone)
        proof = yield from _proof_of(claim, holder, response, trust, work)
        if isinstance(proof, Proof):
            return (yield from _denied(proof, response, trust, work))
        flaws.append(proof)
        if work.budget.exhausted:
            return Part(Status.BOGUS, flaws=(proof,), chain=trust.chain)
    trust = exempt or (yield from _holding_zone(holder, response, work))
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


def _proof_of(
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


def _denied(proof: Proof, response: Response, trust: ZoneTrust, work: Work) -> Asking[Part]:
    """A denial that is proven, with the zone's SOA."""
    part = Part(
        Status.SECURE,
        chain=trust.chain,
        valid_until=trust.valid_until,
        denied=proof.denied,
        rcode=_PROVEN_RCODES.get(proof.denied),
    )
    return (yield from _with_soa(_with_proof(part, proof), response, trust, work))


def _denying_zones(response: Response, holder: Name) -> list[Name]:
    """The zones that claim to have signed NSEC or NSEC3 records and may hold a name."""
    found: set[Name] = set()
    for rrset in response.authority:
        if rrset.rdtype in (rdtypes.NSEC, rdtypes.NSEC3):
            found |= _signers(rrset)
    return _possible_zones(found, holder)


def _with_soa(part: Part, response: Response, trust: ZoneTrust, work: Work) -> Asking[Part]:
    """The zone's SOA, where it came along: it must be as genuine as the proof."""
    for rrset in response.authority:
        if rrset.rdtype == rdtypes.SOA and rrset.name == trust.zone:
            checked = yield from verify_rrset(rrset, trust.zone, trust.keys, work)
            if isinstance(checked, Flaw):
                return replace(part, status=Status.BOGUS, flaws=(checked,))
            return replace(part, authority=(checked.rrset, *part.authority))
    return part


def _other_denials(heard: list[Response], parts: list[Part], work: Work) -> Asking[Part]:
    """Genuine denials that came along and prove nothing that was in question.

    They are passed on all the same: a client that validates may prove the answer in another way.
    What is not genuine is left out. The verdict stands: this is on a small budget of its own.
    """
    apart = Work(work.context, Budget(work.limits, payer=work.budget), work.now)
    known = {(r.name, r.rdtype) for part in parts for r in part.authority}
    proven = {link.zone for part in parts for link in part.chain if link.status is Status.SECURE}
    found: list[RRset] = []
    for response in heard:
        others = [
            r
            for r in response.authority
            if r.rdtype in (rdtypes.NSEC, rdtypes.NSEC3) and (r.name, r.rdtype) not in known
        ]
        for other in others[: work.limits.denial_records]:
            for zone in sorted(proven & _signers(other)):
                trust = yield from ask_zone(zone, apart, is_signer=True)
                for rrset in collect_evidence((other,), zone).rrsets:
                    checked = yield from verify_rrset(rrset, zone, trust.keys, apart)
                    if isinstance(checked, Signed):
                        found.append(checked.rrset)
    return Part(Status.SECURE, authority=tuple(found))


def _unchecked_denials(heard: list[Response], parts: list[Part], work: Work) -> Part:
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
        if rrset.rdtype in (rdtypes.NSEC, rdtypes.NSEC3)
        and rrset.signatures
        and not _is_in_secure_zone(rrset.name, links)
    }
    return Part(status, authority=tuple(found.values())[: work.limits.denial_records])


def _is_in_secure_zone(name: Name, links: dict[Name, Link]) -> bool:
    link = next((links[zone] for zone in names.ancestors(name) if zone in links), None)
    return link is not None and link.status is Status.SECURE


# ------------ The answer ------------


def _assemble(heard: list[Response], parts: list[Part], edes: list[Ede], work: Work) -> Answer:
    """The parts together. A failure keeps the records as they came, for clients that check."""
    first, last = heard[0], heard[-1]
    status = weakest(*(part.status for part in parts))
    flaws = [flaw for part in parts if part.status is status for flaw in part.flaws]
    if status is Status.BOGUS and all(flaw.code is EdeCode.NSEC_MISSING for flaw in flaws):
        text = f"{first.question} was denied without proof: it may be forged"
        flaws.append(Flaw(EdeCode.DNSSEC_BOGUS, text, first.question.name))
    chain = {link.zone: link for part in parts for link in part.chain}
    verdict = Verdict(status, tuple(dict.fromkeys(flaws)), tuple(chain.values()))
    if status.is_failure:
        answer = _as_they_came([r for response in heard for r in response.answer], parts, status)
        authority = _as_they_came(
            [r for r in last.authority if r.rdtype in _DENIALS], parts, status
        )
    else:
        answer = _checked(parts, lambda part: part.answer)
        authority = _checked(parts, lambda part: part.authority)
    valid = min(part.valid_until for part in parts) - work.now
    return Answer(
        question=first.question,
        rcode=last.rcode if parts[-1].rcode is None else parts[-1].rcode,
        answer=answer,
        authority=authority,
        verdict=verdict,
        ttl=max(0, min(valid, LONGEST_TTL)),
        edes=tuple(edes),
        nxname=parts[-1].denied is Denied.COMPACTLY,
        upstream=last.upstream,
    )


_DENIALS = (rdtypes.SOA, rdtypes.NSEC, rdtypes.NSEC3)


def _as_they_came(rrsets: list[RRset], parts: list[Part], status: Status) -> tuple[Checked, ...]:
    judged = {
        (rrset.name, rrset.rdtype): part.status
        for part in parts
        for rrset in (*part.answer, *part.authority)
    }
    return tuple(Checked(r, judged.get((r.name, r.rdtype), status)) for r in rrsets)


def _checked(
    parts: list[Part], section: Callable[[Part], tuple[RRset, ...]]
) -> tuple[Checked, ...]:
    found: dict[tuple[Name, int], Checked] = {}
    for part in parts:
        for rrset in section(part):
            found.setdefault((rrset.name, rrset.rdtype), Checked(rrset, part.status))
    return tuple(found.values())


_PROVEN_RCODES = {Denied.DATA: rcodes.NOERROR, Denied.COMPACTLY: rcodes.NOERROR}
"""What was proven decides where it says less than the response did."""
