"""Special names: what is answered here, whatever the DNS may hold.

`SPECIAL_NAMES` is the one list (RFC 6761 and its kin); `docs/special-names.md` says the same for
people. The rules of `SpecialNames`:

- A configured zone (`[[zone]]`) at or above the name that is asked for switches all of this off,
  but for `resolver.arpa`: what is said there is about the resolver that is asked (RFC 9462 section
  6.4), and another one's answer would send clients past this one.
- DS belongs to the parent: at the apex of a special name it is not answered here.
- Hosts are looked up by full names: a single label has no addresses.
- A local answer is insecure. Where the root can prove it (`SpecialAnswer.denial`), the walk may
  fetch that proof and give the proven answer instead.

Left out: which encrypted resolvers this machine offers (RFC 9462), and the network's own resolver
for `ipv4only.arpa` (RFC 8880).
"""

from collections.abc import Iterable
from enum import Enum, auto

import msgspec

from anchord.model import names, rcodes, rdtypes
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.response import RRset
from anchord.model.verdict import Answer, Status

from .local import address_rrsets, local_answer, reverse_name

LOCAL_TTL = 300
"""Seconds for which clients may keep a local answer: asking again over loopback costs little, and
a change of the configuration is to be seen soon (RFC 6303 section 3 proposes three hours)."""

HOST_TYPES = frozenset({rdtypes.A, rdtypes.AAAA, rdtypes.HTTPS})
"""What is asked for to reach a host by its name. For a single label, anything else is a question
about a top-level domain."""


class Treatment(Enum):
    """What a special name and the names below it are."""

    LOOPBACK = auto()
    """Every one of them has the loopback addresses."""
    DENIED = auto()
    """None exists; nor does the root know them, which it can prove."""
    CANARY = auto()
    """None exists, as long as anchord is the system's resolver."""
    NO_DATA = auto()
    """Every one exists and holds nothing."""
    ZONE = auto()
    """A local zone with few records or none."""


class SpecialName(msgspec.Struct, frozen=True):
    """A name that is treated specially, together with all names below it.

    `meaning` tells people what is answered, `reference` names the standard that says so. `records`
    are those of a local zone, its SOA and NS aside.
    """

    name: Name
    treatment: Treatment
    meaning: str
    reference: str
    records: tuple[RRset, ...] = ()


class SpecialAnswer(msgspec.Struct, frozen=True):
    """What is said to a question about a special name.

    `answer` holds without asking anyone. `denial` is the question by whose answer the root can
    prove that the name does not exist: a client that sets DO wants that proof. `only_root_knows`
    tells that nothing but data of the type is denied without it, since the name may be a
    top-level domain: then the proof is worth having for every client.
    """

    answer: Answer
    denial: Question | None = None
    only_root_knows: bool = False

    def proven(self, denial: Answer) -> Answer:
        """The answer on the strength of the root's answer to `self.denial`.

        Proof that a top-level name does not exist is proof for every name below it, by the same
        records (RFC 8020 section 2). Anything else leaves the local answer.
        """
        if (
            denial.question != self.denial
            or denial.verdict.status is not Status.SECURE
            or denial.rcode != rcodes.NXDOMAIN
        ):
            return self.answer
        return Answer(
            question=self.answer.question,
            rcode=rcodes.NXDOMAIN,
            answer=(),
            authority=denial.authority,
            verdict=denial.verdict,
            ttl=denial.ttl,
            edes=self.answer.edes,
            upstream=denial.upstream,
        )


class SpecialNames:
    """Answers questions about special names.

    `zones` are the names of the configured zones, as keys. `is_system_resolver` tells that the
    system's look-ups come here, so that browsers are to leave theirs to the system.
    """

    def __init__(self, zones: Iterable[Name] = (), *, is_system_resolver: bool = False) -> None:
        self._zones = frozenset(zones)
        self._specials = {
            special.name: special
            for special in SPECIAL_NAMES
            if is_system_resolver or special.treatment is not Treatment.CANARY
        }

    def answer(self, question: Question) -> SpecialAnswer | None:
        """What is said without asking upstream; None where the name is not special."""
        belongs_to_parent = question.rdtype == rdtypes.DS
        special = None
        is_in_zone = False
        for name in names.ancestors(
            names.parent(question.name) if belongs_to_parent else question.name
        ):
            is_in_zone = is_in_zone or name in self._zones
            special = special or self._specials.get(name)
        if is_in_zone and (special is None or special.treatment is not Treatment.NO_DATA):
            return None
        if special is not None:
            return _special_answer(special, question)
        if question.rdtype in HOST_TYPES and names.label_count(question.name) == 1:
            return _single_label_answer(question)
        return None


# ------------ What is said ------------


def _special_answer(special: SpecialName, question: Question) -> SpecialAnswer:
    held = _records(special, question.name)
    wanted = [rrset for rrset in held or () if question.rdtype in (rrset.rdtype, rdtypes.ANY)]
    answer = local_answer(
        question,
        rcodes.NXDOMAIN if held is None else rcodes.NOERROR,
        _reason(special),
        ttl=LOCAL_TTL,
        answer=wanted,
        authority=() if wanted else (_soa(special.name),),
    )
    if special.treatment is Treatment.DENIED:
        return SpecialAnswer(answer, denial=Question(special.name, rdtypes.DS))
    return SpecialAnswer(answer)


def _reason(special: SpecialName) -> str:
    said = f"{names.to_text(special.name)} is special: {special.meaning} ({special.reference})"
    is_free = special.treatment in (Treatment.DENIED, Treatment.ZONE) and not special.records
    return f"{said}; a [[zone]] can send it elsewhere" if is_free else said


def _single_label_answer(question: Question) -> SpecialAnswer:
    name = names.to_text(question.name)
    answer = local_answer(
        question,
        rcodes.NOERROR,
        f"{name} is a single label: hosts are looked up by their full names",
        ttl=LOCAL_TTL,
        authority=(_soa(question.name),),
    )
    return SpecialAnswer(answer, denial=Question(question.name, rdtypes.DS), only_root_knows=True)


def _records(special: SpecialName, name: Name) -> Iterable[RRset] | None:
    """What the name, at or below the special one, holds; None where it does not exist."""
    match special.treatment:
        case Treatment.LOOPBACK:
            return address_rrsets(name, LOOPBACK_ADDRESSES, LOCAL_TTL)
        case Treatment.NO_DATA:
            return ()
        case Treatment.DENIED | Treatment.CANARY:
            return None
    held = [rrset for rrset in special.records if rrset.name == name]
    if name == special.name:
        return [_soa(name), RRset(name, rdtypes.NS, LOCAL_TTL, (name,)), *held]
    exists = any(names.is_at_or_below(rrset.name, name) for rrset in special.records)
    return held if exists else None


def _soa(name: Name) -> RRset:
    """The SOA of a zone that is served here (RFC 6303 section 3)."""
    numbers = (1, 3600, 1200, 604_800, LOCAL_TTL)  # serial, refresh, retry, expire, minimum
    rdata = name + NOBODY + b"".join(number.to_bytes(4) for number in numbers)
    return RRset(name, rdtypes.SOA, LOCAL_TTL, (rdata,))


# ------------ The list ------------

LOCALHOST = names.from_text("localhost")
NOBODY = names.from_text("nobody.invalid")
IPV4_ONLY = names.from_text("ipv4only.arpa")
LOOPBACK_ADDRESSES = (bytes((127, 0, 0, 1)), bytes(15) + b"\x01")
IPV4_ONLY_ADDRESSES = (bytes((192, 0, 0, 170)), bytes((192, 0, 0, 171)))


def _denied(text: str, meaning: str, reference: str) -> SpecialName:
    return SpecialName(names.from_text(text), Treatment.DENIED, meaning, reference)


def _empty(reference: str, *texts: str) -> list[SpecialName]:
    return [
        SpecialName(names.from_text(text), Treatment.ZONE, "an empty zone", reference)
        for text in texts
    ]


def _reverse(address: bytes, target: Name, reference: str, zone: Name | None = None) -> SpecialName:
    """A zone, by default just the reverse name of the address, in which that name has a PTR."""
    name = reverse_name(address)
    pointer = RRset(name, rdtypes.PTR, LOCAL_TTL, (target,))
    meaning = f"{names.to_text(name)} PTR {names.to_text(target)}"
    return SpecialName(zone or name, Treatment.ZONE, meaning, reference, (pointer,))


SPECIAL_NAMES: tuple[SpecialName, ...] = (
    SpecialName(LOCALHOST, Treatment.LOOPBACK, "A 127.0.0.1 and AAAA ::1", "RFC 6761 6.3"),
    _reverse(LOOPBACK_ADDRESSES[0], LOCALHOST, "RFC 6303 4.2", names.from_text("127.in-addr.arpa")),
    _reverse(LOOPBACK_ADDRESSES[1], LOCALHOST, "RFC 6303 4.3"),
    _denied("invalid", "does not exist", "RFC 6761 6.4"),
    _denied("test", "does not exist", "RFC 6761 6.2"),
    _denied("local", "belongs to multicast DNS", "RFC 6762 22.1"),
    _denied("onion", "belongs to Tor", "RFC 7686"),
    _denied("alt", "is outside the DNS", "RFC 9476"),
    _denied("internal", "is for private use", "ICANN 2024-07-29"),
    SpecialName(
        names.from_text("use-application-dns.net"),
        Treatment.CANARY,
        "the system's resolver is to be used",
        "Mozilla's canary",
    ),
    SpecialName(
        names.from_text("resolver.arpa"), Treatment.NO_DATA, "no data at any name", "RFC 9462 6.4"
    ),
    SpecialName(
        IPV4_ONLY,
        Treatment.ZONE,
        "A 192.0.0.170 and 192.0.0.171",
        "RFC 8880 7",
        tuple(address_rrsets(IPV4_ONLY, IPV4_ONLY_ADDRESSES, LOCAL_TTL)),
    ),
    _reverse(IPV4_ONLY_ADDRESSES[0], IPV4_ONLY, "RFC 8880 7.2"),
    _reverse(IPV4_ONLY_ADDRESSES[1], IPV4_ONLY, "RFC 8880 7.2"),
    *_empty("RFC 8375", "home.arpa"),
    *_empty("RFC 9665", "service.arpa"),
    *_empty("RFC 6303 4.1", "10.in-addr.arpa"),
    *_empty("RFC 6303 4.1", *(f"{number}.172.in-addr.arpa" for number in range(16, 32))),
    *_empty("RFC 6303 4.1", "168.192.in-addr.arpa"),
    *_empty("RFC 6303 4.2", "0.in-addr.arpa", "254.169.in-addr.arpa"),
    *_empty("RFC 6303 4.2", "2.0.192.in-addr.arpa", "100.51.198.in-addr.arpa"),
    *_empty("RFC 6303 4.2", "113.0.203.in-addr.arpa", "255.255.255.255.in-addr.arpa"),
    *_empty("RFC 7793", *(f"{number}.100.in-addr.arpa" for number in range(64, 128))),
    *_empty("RFC 6303 4.3", names.to_text(reverse_name(bytes(16)))),
    *_empty("RFC 6303 4.4", "d.f.ip6.arpa"),
    *_empty("RFC 6303 4.5", *(f"{digit}.e.f.ip6.arpa" for digit in "89ab")),
    *_empty("RFC 6303 4.6", "8.b.d.0.1.0.0.2.ip6.arpa"),
)
"""Every special name; none of them is below another."""
