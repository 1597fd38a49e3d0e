"""What servers, or a resolver in between, make of answers: signed data that others touched."""

from collections.abc import Callable

from msgspec.structs import replace

from anchord.lab import authority
from anchord.lab.zones import Reply, Zone, absolute, is_within
from anchord.model import names, rcodes, rdtypes
from anchord.model.ede import Ede
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.response import RRset
from anchord.wire.rdata import read_target

from .registry import before_signing
from .signatures import flip

FORGED_ADDRESS = bytes((192, 0, 2, 66))
"""The address that is in no zone."""

# ------------ Servers that are of little use ------------


@before_signing
def unreachable(zone: Zone) -> None:
    """The servers of the zone do not answer."""
    zone.is_reachable = False


@before_signing
def says(zone: Zone, rcode: str) -> None:
    """The servers of the zone answer everything with this code, and nothing else."""
    code = int(rcode)
    zone.answer_faults.append(lambda _, __: Reply(rcode=code))


@before_signing
def refused(zone: Zone) -> None:
    """The servers of the zone refuse to answer."""
    says(zone, str(rcodes.REFUSED))


@before_signing
def unanswered(zone: Zone, rdtype: str, owner: str = "@") -> None:
    """The question for this type at this name fails; for the DS set of the zone too."""
    name, number = absolute(owner, zone.apex), rdtypes.from_text(rdtype)

    def fail(question: Question, reply: Reply) -> Reply:
        return Reply(rcode=rcodes.SERVFAIL) if question == Question(name, number) else reply

    zone.answer_faults.append(fail)
    zone.ds_faults.append(fail)


@before_signing
def referral(zone: Zone) -> None:
    """The questions for addresses get the parent's referral: NS and DS set, and no answer."""

    def refer(question: Question, reply: Reply) -> Reply:
        if question.rdtype != rdtypes.A:
            return reply
        parent = zone.neighbour(names.parent(zone.apex))
        return replace(authority.answer(parent, question), referral=None)

    zone.answer_faults.append(refer)


@before_signing
def extended_error(zone: Zone, code: str, *text: str) -> None:
    """The servers of the zone add this Extended DNS Error to each answer."""
    ede = Ede(int(code), " ".join(text))
    zone.answer_faults.append(lambda _, reply: replace(reply, edes=(*reply.edes, ede)))


# ------------ Data that nobody signed ------------


@before_signing
def spoofs(zone: Zone, *owners: str) -> None:
    """An unsigned address is the answer to every question for one at these names and below."""

    def spoof(question: Question, reply: Reply) -> Reply:
        if question.rdtype != rdtypes.A or not is_within(question.name, owners, zone.apex):
            return reply
        return Reply(answer=(_forged(question.name),))

    zone.answer_faults.append(spoof)


@before_signing
def rewritten(zone: Zone, target: str) -> None:
    """A filter puts an unsigned alias to this name in the place of every address."""
    alias = absolute(target, zone.apex)

    def rewrite(question: Question, reply: Reply) -> Reply:
        if question.rdtype != rdtypes.A:
            return reply
        cname = RRset(question.name, rdtypes.CNAME, 60, (alias,))
        return Reply(answer=(cname,), alias=alias)

    zone.answer_faults.append(rewrite)


@before_signing
def extras(zone: Zone, owner: str) -> None:
    """Unsigned records that nobody asked for: the NS set, and an address of this name, twice."""
    forgery = _forged(absolute(owner, zone.apex))

    def add(_: Question, reply: Reply) -> Reply:
        servers = replace(zone.records[zone.apex, rdtypes.NS], signatures=(), signature_ttl=0)
        return replace(
            reply,
            answer=(*reply.answer, forgery) if reply.answer else (),
            authority=(*reply.authority, servers, forgery),
        )

    zone.answer_faults.append(add)


def _forged(name: Name) -> RRset:
    return RRset(name, rdtypes.A, 300, (FORGED_ADDRESS,))


# ------------ Answers that are put together in another way ------------


@before_signing
def shouts(zone: Zone) -> None:
    """Owner names are in upper case, those of denials too."""

    def shout(_: Question, reply: Reply) -> Reply:
        answer, authority = (
            tuple(replace(rrset, owner=rrset.spelling.upper()) for rrset in section)
            for section in (reply.answer, reply.authority)
        )
        return replace(reply, answer=answer, authority=authority)

    zone.answer_faults.append(shout)


@before_signing
def repeats(zone: Zone) -> None:
    """Every record of an answer is there twice."""

    def repeat(_: Question, reply: Reply) -> Reply:
        twice = (replace(rrset, rdatas=rrset.rdatas * 2) for rrset in reply.answer)
        return replace(reply, answer=tuple(twice))

    zone.answer_faults.append(repeat)


@before_signing
def no_soa(zone: Zone) -> None:
    """Denials come without the SOA record."""

    def forget(_: Question, reply: Reply) -> Reply:
        kept = tuple(rrset for rrset in reply.authority if rrset.rdtype != rdtypes.SOA)
        return replace(reply, authority=kept)

    zone.answer_faults.append(forget)


@before_signing
def covers_another(zone: Zone, rdtype: str) -> None:
    """The RRSIGs of addresses say that they cover this type."""
    covered = rdtypes.from_text(rdtype).to_bytes(2)

    def change(_: Question, reply: Reply) -> Reply:
        answer = list(reply.answer)
        for rrset in reply.answer:
            if rrset.rdtype == rdtypes.A:
                rdatas = tuple(covered + signature[2:] for signature in rrset.signatures)
                bare = replace(rrset, signatures=(), signature_ttl=0)
                answer[answer.index(rrset)] = bare
                answer.append(RRset(rrset.name, rdtypes.RRSIG, rrset.ttl, rdatas))
        return replace(reply, answer=tuple(answer))

    zone.answer_faults.append(change)


# ------------ DNAME (RFC 6672) ------------


@before_signing
def no_synthesis(zone: Zone) -> None:
    """DNAME records come without the CNAME that follows from them."""
    _on_synthesis(zone, lambda dname, _, reply: replace(reply, answer=(dname,)))


@before_signing
def forged_synthesis(zone: Zone) -> None:
    """The CNAME that comes with a DNAME does not follow from it."""

    def forge(dname: RRset, cname: RRset, reply: Reply) -> Reply:
        forgery = replace(cname, rdatas=(flip(cname.rdatas[0], 1),))
        return replace(reply, answer=(dname, forgery), alias=read_target(forgery.rdatas[0]))

    _on_synthesis(zone, forge)


def _on_synthesis(zone: Zone, change: Callable[[RRset, RRset, Reply], Reply]) -> None:
    def change_if_synthesized(_: Question, reply: Reply) -> Reply:
        if [rrset.rdtype for rrset in reply.answer] != [rdtypes.DNAME, rdtypes.CNAME]:
            return reply
        dname, cname = reply.answer
        return change(dname, cname, reply)

    zone.answer_faults.append(change_if_synthesized)
