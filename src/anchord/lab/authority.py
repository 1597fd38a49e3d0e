"""What the servers of one zone say: the authority's part of RFC 1034 section 4.3.2.

Signatures and denials are always included (RFC 4035 section 3.1, RFC 5155 section 7.2, RFC 6672
section 3); whoever asked without DO loses them later. An alias is answered with itself alone; to
follow it is the asker's business.
"""

from msgspec.structs import replace

from anchord.model import names, rcodes, rdtypes
from anchord.model.names import MAX_NAME, Name
from anchord.model.question import Question
from anchord.model.response import RRset
from anchord.wire.rdata import read_target

from .denial import Compact, Nsec3
from .zones import Reply, Zone


def answer(zone: Zone, question: Question) -> Reply:
    """The answer of the zone's servers to a question at or below its apex, faults included."""
    reply = _truth(zone, question)
    for fault in zone.answer_faults:
        reply = fault(question, reply)
    return reply


def _truth(zone: Zone, question: Question) -> Reply:
    for above in [zone.apex, *names.names_between(zone.apex, question.name)]:
        is_name_itself = above == question.name
        if zone.is_cut(above) and not (is_name_itself and question.rdtype == rdtypes.DS):
            return _referral(zone, above)
        dname = zone.get(above, rdtypes.DNAME)
        if dname is not None and not is_name_itself:
            return _dname(question, dname)
    if question.name in zone.nodes:
        return _at_existing_name(zone, question)
    return _at_missing_name(zone, question)


def _referral(zone: Zone, cut: Name) -> Reply:
    """RFC 4035 section 3.1.4: the DS set, or the proof that there is none."""
    servers = zone.records[cut, rdtypes.NS]
    ds = zone.get(cut, rdtypes.DS)
    proof = [ds] if ds else _no_data_proof(zone, cut)
    return Reply(authority=_once(servers, *proof), referral=cut)


def _dname(question: Question, dname: RRset) -> Reply:
    """RFC 6672 section 3.2: the DNAME and the CNAME that follows from it, unsigned."""
    prefix = question.name[: -len(dname.name)]
    target = prefix + read_target(dname.rdatas[0])
    if len(target) > MAX_NAME:
        return Reply(rcode=rcodes.YXDOMAIN, answer=(dname,))
    cname = RRset(question.name, rdtypes.CNAME, dname.ttl, (target,))
    return Reply(answer=(dname, cname), alias=_alias(question, cname))


def _at_existing_name(zone: Zone, question: Question) -> Reply:
    found = _data(zone, question)
    if found:
        return Reply(answer=found, alias=_alias(question, found[0]))
    return Reply(
        authority=_once(zone.get(zone.apex, rdtypes.SOA), *_no_data_proof(zone, question.name))
    )


def _at_missing_name(zone: Zone, question: Question) -> Reply:
    """A wildcard's answer (RFC 4592), or NXDOMAIN; or the compact denial (RFC 9824)."""
    if isinstance(zone.chain.method, Compact):
        denial = _once(zone.get(zone.apex, rdtypes.SOA), zone.chain.covering(question.name))
        return Reply(rcode=zone.chain.method.rcode, authority=denial)
    encloser = next(name for name in names.ancestors(question.name) if name in zone.nodes)
    wildcard = names.wildcard_of(encloser)
    if wildcard not in zone.nodes:
        proof = _name_error_proof(zone, question.name, wildcard)
        return Reply(
            rcode=rcodes.NXDOMAIN, authority=_once(zone.get(zone.apex, rdtypes.SOA), *proof)
        )
    found = _data(zone, Question(wildcard, question.rdtype))
    if found:
        expanded = tuple(replace(rrset, name=question.name, owner=b"") for rrset in found)
        proof = _closer_proof(zone, question.name, encloser)
        return Reply(answer=expanded, authority=_once(*proof), alias=_alias(question, expanded[0]))
    proof = _wildcard_no_data_proof(zone, question.name, encloser)
    return Reply(authority=_once(zone.get(zone.apex, rdtypes.SOA), *proof))


# ------------ Data ------------


def _data(zone: Zone, question: Question) -> tuple[RRset, ...]:
    """What stands at the name for that type: the set, a CNAME instead, everything for ANY."""
    name, rdtype = question
    if rdtype == rdtypes.ANY:
        return _everything(zone, name)
    if rdtype == rdtypes.RRSIG:
        signed = [rrset for rrset in _everything(zone, name) if rrset.signatures]
        signatures = tuple(signature for rrset in signed for signature in rrset.signatures)
        return (RRset(name, rdtype, signed[0].ttl, signatures),) if signed else ()
    found = _nsec(zone, name) if rdtype == rdtypes.NSEC else zone.get(name, rdtype)
    found = found or zone.get(name, rdtypes.CNAME)
    return (found,) if found else ()


def _everything(zone: Zone, name: Name) -> tuple[RRset, ...]:
    nsec = _nsec(zone, name)
    sets = tuple(rrset for (owner, _), rrset in zone.records.items() if owner == name)
    return (*sets, nsec) if nsec else sets


def _nsec(zone: Zone, name: Name) -> RRset | None:
    return zone.chain.matching(name) if not isinstance(zone.chain.method, Nsec3) else None


def _alias(question: Question, found: RRset) -> Name | None:
    """Where a CNAME that was not asked for leads."""
    if found.rdtype != rdtypes.CNAME or question.rdtype in {rdtypes.CNAME, rdtypes.ANY}:
        return None
    return read_target(found.rdatas[0]).lower()


def _once(*rrsets: RRset | None) -> tuple[RRset, ...]:
    return tuple(dict.fromkeys(rrset for rrset in rrsets if rrset is not None))


# ------------ Proofs ------------


def _no_data_proof(zone: Zone, name: Name) -> list[RRset | None]:
    """The name exists, not so the type (RFC 4035 section 3.1.3.1, RFC 5155 7.2.3 and 7.2.4)."""
    matching = zone.chain.matching(name)
    if matching is not None:
        return [matching]
    if not isinstance(zone.chain.method, Nsec3):  # an empty non-terminal: the span around it tells
        return [zone.chain.covering(name)]
    encloser = _provable_encloser(zone, name)  # left out by opt-out
    return [zone.chain.matching(encloser), *_closer_proof(zone, name, encloser)]


def _name_error_proof(zone: Zone, name: Name, wildcard: Name) -> list[RRset | None]:
    """Neither the name nor a wildcard exists (RFC 4035 3.1.3.2, RFC 5155 section 7.2.2)."""
    if not isinstance(zone.chain.method, Nsec3):
        return [zone.chain.covering(name), zone.chain.covering(wildcard)]
    encloser = _provable_encloser(zone, name)
    return [
        zone.chain.matching(encloser),
        *_closer_proof(zone, name, encloser),
        zone.chain.covering(names.wildcard_of(encloser)),
    ]


def _wildcard_no_data_proof(zone: Zone, name: Name, encloser: Name) -> list[RRset | None]:
    """The wildcard exists, not so the type (RFC 4035 3.1.3.4, RFC 5155 section 7.2.5)."""
    proof = _closer_proof(zone, name, encloser)
    if isinstance(zone.chain.method, Nsec3):
        proof.append(zone.chain.matching(encloser))
    return [*proof, *_no_data_proof(zone, names.wildcard_of(encloser))]


def _closer_proof(zone: Zone, name: Name, encloser: Name) -> list[RRset | None]:
    """Nothing exists between the closest encloser and the name (RFC 5155 section 7.2.6)."""
    if not isinstance(zone.chain.method, Nsec3):
        return [zone.chain.covering(name)]
    return [zone.chain.covering(names.child_towards(encloser, name))]


def _provable_encloser(zone: Zone, name: Name) -> Name:
    """The closest encloser that has an NSEC3 record; opt-out leaves some without."""
    return next((above for above in names.ancestors(name) if zone.chain.matching(above)), zone.apex)
