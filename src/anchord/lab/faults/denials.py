"""Denials that are missing, wrong, or prove something else."""

import dataclasses
from collections.abc import Callable

from msgspec.structs import replace

from anchord.lab import authority
from anchord.lab.denial import Nsec3
from anchord.lab.sign import signed, signed_chain
from anchord.lab.zones import Reply, Zone, absolute, is_within
from anchord.model import names, rcodes, rdtypes
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.response import RRset
from anchord.wire.name import read_name

from .registry import after_signing, before_signing
from .signatures import flip

DENIALS = frozenset({rdtypes.NSEC, rdtypes.NSEC3})

# ------------ Records that are changed ------------


@before_signing
def nsec3_iterations(zone: Zone, iterations: str) -> None:
    """The zone is denied by NSEC3 with this many additional iterations."""
    zone.denial = Nsec3(iterations=int(iterations))


@after_signing
def nsec3param_salt(zone: Zone, salt: str) -> None:
    """The NSEC3PARAM record has this salt, in hexadecimal, which no NSEC3 record has."""
    octets = bytes.fromhex(salt)
    parameters = zone.records[zone.apex, rdtypes.NSEC3PARAM]
    rdata = parameters.rdatas[0][:4] + bytes((len(octets),)) + octets
    zone.put(replace(parameters, rdatas=(rdata,)))


@after_signing
def altered_owner(zone: Zone) -> None:
    """The owners of NSEC3 records have another hash, which nobody signed."""
    zone.chain.change(lambda denial: replace(denial, name=flip(denial.name, 1)))


@after_signing
def altered_next(zone: Zone) -> None:
    """The next hash in NSEC3 records is another one, which nobody signed."""

    def change(denial: RRset) -> RRset:
        rdata = denial.rdatas[0]
        return replace(denial, rdatas=(flip(rdata, 6 + rdata[4]),))  # after salt and length

    zone.chain.change(change)


# ------------ Records that are changed and signed anew ------------


@after_signing
def empty_window(zone: Zone) -> None:
    """The type bitmaps of denials end in a window of no octets, which is malformed."""
    _sign_anew(zone, lambda rdata: rdata + b"\xff\0")


@after_signing
def next_name(zone: Zone, name: str) -> None:
    """The next name of every NSEC is this one."""
    following = absolute(name, zone.apex)
    _sign_anew(zone, lambda rdata: following + rdata[read_name(rdata, 0, len(rdata))[1] :])


@after_signing
def nsec3_hash_algorithm(zone: Zone, algorithm: str) -> None:
    """NSEC3 records are of this hash algorithm."""
    _sign_anew(zone, lambda rdata: bytes((int(algorithm),)) + rdata[1:])


@after_signing
def nsec3_flags(zone: Zone, flags: str) -> None:
    """NSEC3 records have these flags."""
    _sign_anew(zone, lambda rdata: rdata[:1] + bytes((int(flags),)) + rdata[2:])


@after_signing
def misplaced(zone: Zone, owner: str) -> None:
    """NSEC3 records stand below this name instead of the zone's."""
    above = absolute(owner, zone.apex)

    def move(denial: RRset) -> RRset:
        return replace(denial, name=denial.name[: denial.name[0] + 1] + above)

    zone.chain.change(lambda denial: signed(zone, move(denial)))


def _sign_anew(zone: Zone, change: Callable[[bytes], bytes]) -> None:
    zone.chain.change(
        lambda denial: signed(zone, replace(denial, rdatas=(change(denial.rdatas[0]),)))
    )


# ------------ Records that are left out ------------


@after_signing
def no_denial(zone: Zone) -> None:
    """There are no NSEC or NSEC3 records in any answer."""
    zone.chain.clear()


@before_signing
def without_denial_of(zone: Zone, what: str) -> None:
    """Proofs about missing names lack the record about the `name`, `wildcard` or `encloser`."""

    def leave_out(question: Question, reply: Reply) -> Reply:
        if question.name in zone.nodes:
            return reply
        denial = _denial_of(zone, question.name, what)
        return replace(reply, authority=tuple(r for r in reply.authority if r != denial))

    zone.answer_faults.append(leave_out)


def _denial_of(zone: Zone, name: Name, what: str) -> RRset | None:
    encloser = next(above for above in names.ancestors(name) if above in zone.nodes)
    wildcard = names.wildcard_of(encloser)
    match what:
        case "name":
            is_nsec3 = isinstance(zone.chain.method, Nsec3)
            missing = names.child_towards(encloser, name) if is_nsec3 else name
            return zone.chain.covering(missing)
        case "wildcard":
            return zone.chain.matching(wildcard) or zone.chain.covering(wildcard)
        case "encloser":
            return zone.chain.matching(encloser)
    raise ValueError(f"{what} is neither name, wildcard nor encloser")


@before_signing
def no_wildcard_proof(zone: Zone) -> None:
    """Answers from a wildcard come without the proof that the name itself does not exist."""
    _on_wildcard_answers(zone, lambda _: ())


@before_signing
def bad_wildcard_proof(zone: Zone) -> None:
    """The proof that comes with a wildcard's answer has a signature with a wrong bit."""
    _on_wildcard_answers(zone, lambda proof: tuple(map(_badly_signed, proof)))


def _on_wildcard_answers(
    zone: Zone, change: Callable[[tuple[RRset, ...]], tuple[RRset, ...]]
) -> None:
    def change_proof(_: Question, reply: Reply) -> Reply:
        return replace(reply, authority=change(reply.authority)) if reply.answer else reply

    zone.answer_faults.append(change_proof)


def _badly_signed(rrset: RRset) -> RRset:
    return replace(rrset, signatures=tuple(flip(made, -1) for made in rrset.signatures))


# ------------ Genuine records that prove something else ------------


@before_signing
def denies_name(zone: Zone, *owners: str) -> None:
    """These names and all below are said not to exist, with every denial that is near them."""
    _deny(zone, rcodes.NXDOMAIN, owners)


@before_signing
def denies_type(zone: Zone, *owners: str) -> None:
    """These names and all below are said to lack any type, with every denial that is near them."""
    _deny(zone, rcodes.NOERROR, owners)


def _deny(zone: Zone, rcode: int, owners: tuple[str, ...]) -> None:
    def deny(question: Question, reply: Reply) -> Reply:
        if not is_within(question.name, owners, zone.apex):
            return reply
        soa = zone.records[zone.apex, rdtypes.SOA]
        return Reply(rcode=rcode, authority=(soa, *_near(zone, question.name)))

    zone.answer_faults.append(deny)


def _near(zone: Zone, name: Name) -> list[RRset]:
    """The denials of a name, of those above it, and of their wildcards; those before them too."""
    chain = zone.chain
    found: dict[RRset | None, None] = {}
    for above in [zone.apex, *names.names_between(zone.apex, name)][::-1]:
        wildcard = names.wildcard_of(above)
        for denial in chain.matching(above), chain.covering(above), chain.covering(wildcard):
            found[denial] = None
    return [denial for denial in found if denial]


@before_signing
def from_wildcard(zone: Zone, *owners: str) -> None:
    """These names and all below are answered from the wildcard above, though they are closer."""

    def expand(question: Question, reply: Reply) -> Reply:
        if not is_within(question.name, owners, zone.apex):
            return reply
        above = (names.wildcard_of(name) for name in names.ancestors(question.name))
        wildcard = next(name for name in above if name in zone.nodes)
        rrset = zone.records[wildcard, question.rdtype]
        return Reply(
            answer=(replace(rrset, name=question.name),),
            authority=tuple(_near(zone, question.name)),
        )

    zone.answer_faults.append(expand)


@before_signing
def expanded_denial(zone: Zone) -> None:
    """A type at a wildcard is denied by the wildcard's NSEC under the name that was asked."""

    def deny(question: Question, reply: Reply) -> Reply:
        encloser = next(name for name in names.ancestors(question.name) if name in zone.nodes)
        denial = zone.chain.matching(names.wildcard_of(encloser))
        if question.name in zone.nodes or denial is None or reply.answer:
            return reply
        soa = zone.records[zone.apex, rdtypes.SOA]
        return Reply(authority=(soa, replace(denial, name=question.name)))

    zone.answer_faults.append(deny)


@before_signing
def denials_of(zone: Zone, apex: str) -> None:
    """Denials are those of this zone, all of them."""

    def exchange(_: Question, reply: Reply) -> Reply:
        if not any(rrset.rdtype in DENIALS for rrset in reply.authority):
            return reply
        kept = [rrset for rrset in reply.authority if rrset.rdtype not in DENIALS]
        others = zone.neighbour(absolute(apex, zone.apex)).chain
        return replace(reply, authority=(*kept, *others.rrsets()))

    zone.answer_faults.append(exchange)


# ------------ Two chains of records ------------


@after_signing
def denies_anew(zone: Zone, *owners: str) -> None:
    """At these names and below, denials are by NSEC3, as after the zone has been signed anew."""
    anew = _signed_otherwise(zone, Nsec3())

    def deny(question: Question, reply: Reply) -> Reply:
        is_anew = is_within(question.name, owners, zone.apex)
        return authority.answer(anew, question) if is_anew else reply

    zone.answer_faults.append(deny)


@after_signing
def mixed_salts(zone: Zone, salt: str) -> None:
    """The closest encloser is proven under the zone's salt, the rest under this one."""
    other = _signed_otherwise(zone, Nsec3(salt=bytes.fromhex(salt)))

    def mix(question: Question, reply: Reply) -> Reply:
        if question.name in zone.nodes:
            return reply
        encloser = _denial_of(zone, question.name, "encloser")
        dropped = _denial_of(other, question.name, "encloser")
        under_other = authority.answer(other, question).authority
        kept = [rrset for rrset in reply.authority if rrset.rdtype != rdtypes.NSEC3]
        mixed = [r for r in under_other if r.rdtype == rdtypes.NSEC3 and r != dropped]
        return replace(reply, authority=(*kept, *([encloser] if encloser else []), *mixed))

    zone.answer_faults.append(mix)


@after_signing
def both_salts(zone: Zone, salt: str) -> None:
    """Every proof is there twice: under this salt, and then under the zone's."""
    other = _signed_otherwise(zone, Nsec3(salt=bytes.fromhex(salt)))

    def add(question: Question, reply: Reply) -> Reply:
        under_other = authority.answer(other, question).authority
        return replace(reply, authority=tuple(dict.fromkeys((*under_other, *reply.authority))))

    zone.answer_faults.append(add)


def _signed_otherwise(zone: Zone, method: Nsec3) -> Zone:
    """The zone as it would be with a chain by that method."""
    return dataclasses.replace(zone, chain=signed_chain(zone, method), answer_faults=[])
