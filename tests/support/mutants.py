"""Zones that were signed well, and one answer about each that somebody has tampered with.

A mutant is made from its number alone: a top-level domain of its own with zones below it, a
question of a client, and a few edits of the records in one of the answers that lead there, be it
the client's own or one of the chain. So thousands of them can be put to one running resolver, and
none of them meets what it remembers of another.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from msgspec import structs

from anchord.lab.denial import BY_NSEC, Nsec3
from anchord.lab.plan import Plan
from anchord.lab.world import World
from anchord.lab.zones import Zone
from anchord.model import names, rcodes, rdtypes
from anchord.model.names import ROOT, Name
from anchord.model.question import Question
from anchord.model.response import Response, RRset
from anchord.wire.errors import FormError
from anchord.wire.message import CD, HEADER, QR, RA, RD, TC, read_response
from anchord.wire.name import read_name
from anchord.wire.options import write_opt
from anchord.wire.query import write_query

SAFE = """
    @            A      192.0.2.1
    www          A      192.0.2.80
    www          TXT    "a name with two types"
    alias        CNAME  www
    away         CNAME  www.{tld}.
    into         CNAME  any.wild
    leaf.on.twig A      192.0.2.2
    old          DNAME  new
    x.new        A      192.0.2.3
    *.wild       A      192.0.2.42
    here.wild    TXT    "not from it"
    *.to         CNAME  www
"""
TLD = """
    @      TXT  "a TLD"
    www    A    192.0.2.81
    *.any  A    192.0.2.82
"""
DENIALS = (BY_NSEC, BY_NSEC, Nsec3(), Nsec3(opt_out=True), Nsec3(3, b"salt"))

WORDS = (
    *(
        "safe",
        "safe",
        "www.safe",
        "alias.safe",
        "away.safe",
        "into.safe",
        "twig.safe",
        "on.twig.safe",
    ),
    *("x.old.safe", "nx.old.safe", "old.safe", "nx.wild.safe", "here.wild.safe", "nx.to.safe"),
    *("nx.safe", "nx.www.safe", "a.nx.safe", "kid.safe", "www.kid.safe", "nx.kid.safe"),
    *("loose", "www.loose", "nx.loose", "loose.safe", "nx.loose.safe", "www", "nx", "nx.any"),
)
"""What clients ask for, below the mutant's own TLD."""
TYPES = (rdtypes.A, rdtypes.A, rdtypes.A, rdtypes.TXT, rdtypes.DS, rdtypes.CNAME, rdtypes.MX)


@dataclass(frozen=True)
class Record:
    """One record of a message: in the answer section (0) or in authority (1)."""

    section: int
    name: Name
    rdtype: int
    ttl: int
    rdata: bytes
    rdclass: int = rdtypes.IN

    def __str__(self) -> str:
        section = ("answer", "authority")[self.section]
        what = f"{names.to_text(self.name)} {rdtypes.to_text(self.rdtype)} {self.rdata.hex()}"
        return f"{section}: {what}, class {self.rdclass}, TTL {self.ttl}"

    @property
    def wire(self) -> bytes:
        head = self.rdtype.to_bytes(2) + self.rdclass.to_bytes(2) + self.ttl.to_bytes(4)
        return self.name + head + len(self.rdata).to_bytes(2) + self.rdata


@dataclass
class Message:
    """A response on its way to the resolver, open to be tampered with."""

    question: Question
    rcode: int
    records: list[Record]
    flags: int = 0


@dataclass(frozen=True)
class Mutant:
    """A question, the answer on the way to it that is tampered with, and how."""

    number: int
    question: Question
    target: Question
    edits: tuple[str, ...] = field(compare=False)

    @property
    def tld(self) -> Name:
        return names.from_text(f"m{self.number}")

    def __str__(self) -> str:
        return f"mutant {self.number}: {self.question}, {' and '.join(self.edits)} in {self.target}"


class Mutants:
    """A batch of mutants in one world, and the server that tells of them."""

    def __init__(self, numbers: Sequence[int], now: int) -> None:
        plans = [Plan(".", "the root", records='@ TXT "the root"')]
        for number in numbers:
            plans += _plans(number)
        self.world = World(now, plans=plans)
        self.mutants = [self._mutant(number) for number in numbers]
        self._by_tld = {mutant.tld: mutant for mutant in self.mutants}

    def _mutant(self, number: int) -> Mutant:
        chance = random.Random(f"question of mutant {number}")
        tld = names.from_text(f"m{number}")
        word = chance.choice(WORDS)
        question = Question(_below(word, tld), chance.choice(TYPES))
        target = question
        if chance.random() < 0.5:
            target = chance.choice(list(_chain(question.name, tld)))
        edits = chance.choices(list(EDITS), k=chance.choice((1, 1, 1, 2, 3)))
        return Mutant(number, question, target, tuple(edits))

    def reply(self, wire: bytes, *, over_udp: bool) -> bytes:
        """The message that answers a query: the truth, but for the target of a mutant."""
        return self._reply(wire, over_udp=over_udp)

    def reply_over_tcp(self, wire: bytes) -> bytes:
        """The same, whole."""
        return self._reply(wire)

    def honest_reply(self, wire: bytes) -> bytes:
        """The truth."""
        return self._reply(wire, is_honest=True)

    def records(self, question: Question, *, is_honest: bool = False) -> list[Record]:
        """What is in the message that answers the question."""
        return self._message(question, is_honest=is_honest).records

    def is_readable(self, question: Question) -> bool:
        """Whether the message that answers the question is well-formed."""
        try:
            read_response(self._reply(write_query(question)), question)
        except FormError:
            return False
        return True

    def _reply(self, wire: bytes, *, over_udp: bool = False, is_honest: bool = False) -> bytes:
        name, end = read_name(wire, HEADER, len(wire))
        question = Question(name.lower(), int.from_bytes(wire[end : end + 2]))
        message = self._message(question, is_honest=is_honest)
        body = wire[HEADER : end + 4] + b"".join(record.wire for record in message.records)
        counts = [sum(r.section == section for r in message.records) for section in (0, 1)]
        flags = QR | RA | message.flags | message.rcode
        if over_udp and len(body) > 1200:
            body, counts, flags = wire[HEADER : end + 4], [0, 0], flags | TC
        asked = int.from_bytes(wire[2:4]) & (RD | CD)
        head = wire[:2] + (flags | asked).to_bytes(2) + b"\0\x01"
        head += counts[0].to_bytes(2) + counts[1].to_bytes(2) + b"\0\x01"
        return head + body + write_opt(dnssec_ok=True)

    def _message(self, question: Question, *, is_honest: bool) -> Message:
        message = _told(question, self.world)
        mutant = None if is_honest else self._by_tld.get(names.suffix(question.name, 1))
        if mutant and question == mutant.target:
            chance = random.Random(f"edits of mutant {mutant.number}")
            pool = Pool(mutant, self.world)
            for edit in mutant.edits:
                EDITS[edit](message, chance, pool)
        return message


def _plans(number: int) -> Iterator[Plan]:
    chance = random.Random(f"zones of mutant {number}")
    tld = f"m{number}"
    for zone, records in (
        (tld, TLD),
        (f"safe.{tld}", SAFE.format(tld=tld)),
        (f"kid.safe.{tld}", TLD),
    ):
        denial = chance.choice(DENIALS)
        yield Plan(zone, "signed", records=records, denial=denial)
    for zone in (f"loose.{tld}", f"loose.safe.{tld}"):
        yield Plan(zone, "unsigned", records=TLD, algorithms=())


def _below(word: str, tld: Name) -> Name:
    return names.join([*word.encode().split(b"."), *names.labels(tld)])


def _chain(name: Name, tld: Name) -> Iterator[Question]:
    """What a validator may ask on its way to a name below the root's own delegation."""
    for step in [tld, *names.names_between(tld, name)]:
        yield Question(step, rdtypes.DS)
        if names.labels(step)[0] not in (b"nx", b"www"):
            yield Question(step, rdtypes.DNSKEY)


def _told(question: Question, world: World) -> Message:
    response = world.answer(question)
    if not isinstance(response, Response):
        return Message(question, rcodes.SERVFAIL, [])
    records = [
        record
        for section, rrsets in enumerate((response.answer, response.authority))
        for rrset in rrsets
        for record in _records(rrset, section)
    ]
    return Message(question, response.rcode, records)


def _records(rrset: RRset, section: int) -> Iterator[Record]:
    for rdata in rrset.rdatas:
        yield Record(section, rrset.name, rrset.rdtype, rrset.ttl, rdata)
    for rdata in rrset.signatures:
        yield Record(section, rrset.name, rdtypes.RRSIG, rrset.ttl, rdata)


class Pool:
    """What was signed in a mutant's own zones."""

    def __init__(self, mutant: Mutant, world: World) -> None:
        self.name = mutant.question.name
        self.zones: list[Zone] = [
            zone
            for word in ("", "safe.", "kid.safe.")
            if (zone := world.zone(names.from_text(f"{word}m{mutant.number}"))) is not None
        ]
        self.sets = [r for zone in self.zones for r in zone.rrsets() if r.signatures]

    def near(self, name: Name) -> list[RRset]:
        """Denials that match or cover the name, those above it, and the wildcards there."""
        found: dict[RRset, None] = {}
        for zone in self.zones:
            for above in names.ancestors(name):
                if above == ROOT:
                    break
                for near in (above, names.wildcard_of(above)):
                    for denial in (zone.chain.matching(near), zone.chain.covering(near)):
                        if denial is not None:
                            found[denial] = None
        return list(found)


# ------------ Edits ------------

Edit = Callable[[Message, random.Random, Pool], None]


def _at(message: Message, chance: random.Random, *, of: int = 0) -> int:
    """The place of a record, of a type if that is told; -1 where there is none."""
    places = [at for at, r in enumerate(message.records) if of in (0, r.rdtype)]
    return chance.choice(places) if places else -1


def drop_record(message: Message, chance: random.Random, _: Pool) -> None:
    """A record is gone."""
    if message.records:
        del message.records[_at(message, chance)]


def drop_set(message: Message, chance: random.Random, _: Pool) -> None:
    """All records of a name and type are gone; their signatures stay."""
    if message.records:
        gone = message.records[_at(message, chance)]
        message.records[:] = [
            r for r in message.records if (r.name, r.rdtype) != (gone.name, gone.rdtype)
        ]


def drop_answer(message: Message, chance: random.Random, _: Pool) -> None:
    """The answer section is empty."""
    message.records[:] = [r for r in message.records if r.section]
    message.rcode = chance.choice((rcodes.NOERROR, rcodes.NXDOMAIN))


def drop_signatures(message: Message, chance: random.Random, _: Pool) -> None:
    """The RRSIGs of a section, or of both, are gone."""
    sections = chance.choice(((0,), (1,), (0, 1)))
    message.records[:] = [
        r for r in message.records if r.rdtype != rdtypes.RRSIG or r.section not in sections
    ]


def duplicate(message: Message, chance: random.Random, _: Pool) -> None:
    """A record is there twice."""
    if message.records:
        message.records.append(message.records[_at(message, chance)])


def shuffle(message: Message, chance: random.Random, _: Pool) -> None:
    """The records of each section are in another order."""
    chance.shuffle(message.records)
    message.records.sort(key=lambda record: record.section)


def move(message: Message, chance: random.Random, _: Pool) -> None:
    """A record is in the other section."""
    if message.records:
        at = _at(message, chance)
        record = message.records.pop(at)
        message.records.append(replace(record, section=1 - record.section))
        message.records.sort(key=lambda record: record.section)


def flip_bit(message: Message, chance: random.Random, _: Pool) -> None:
    """A bit of some RDATA is another one."""
    at = _at(message, chance)
    if at >= 0 and (rdata := bytearray(message.records[at].rdata)):
        rdata[chance.randrange(len(rdata))] ^= 1 << chance.randrange(8)
        message.records[at] = replace(message.records[at], rdata=bytes(rdata))


def cut_short(message: Message, chance: random.Random, _: Pool) -> None:
    """Some RDATA ends too early, or goes on."""
    at = _at(message, chance)
    if at >= 0:
        rdata = message.records[at].rdata
        changed = chance.choice((rdata[:-1], rdata[: len(rdata) // 2], b"", rdata + b"\0"))
        message.records[at] = replace(message.records[at], rdata=changed)


def alter_signature(message: Message, chance: random.Random, _: Pool) -> None:
    """A field of an RRSIG before the signer's name is another one."""
    at = _at(message, chance, of=rdtypes.RRSIG)
    if at >= 0:
        rdata = bytearray(message.records[at].rdata)
        field_at = chance.randrange(18)
        rdata[field_at] = (rdata[field_at] + chance.choice((1, 255, chance.randrange(256)))) % 256
        message.records[at] = replace(message.records[at], rdata=bytes(rdata))


def swap_signatures(message: Message, chance: random.Random, _: Pool) -> None:
    """Two RRSIGs have changed places."""
    one, other = (_at(message, chance, of=rdtypes.RRSIG) for _ in range(2))
    if one >= 0 and other >= 0:
        rdatas = message.records[one].rdata, message.records[other].rdata
        message.records[one] = replace(message.records[one], rdata=rdatas[1])
        message.records[other] = replace(message.records[other], rdata=rdatas[0])


def foreign_signature(message: Message, chance: random.Random, pool: Pool) -> None:
    """An RRSIG is that of another set."""
    at = _at(message, chance, of=rdtypes.RRSIG)
    if at >= 0:
        donor = chance.choice(pool.sets)
        message.records[at] = replace(message.records[at], rdata=donor.signatures[0])


def change_ttl(message: Message, chance: random.Random, _: Pool) -> None:
    """A TTL is another one."""
    at = _at(message, chance)
    if at >= 0:
        ttl = chance.choice((0, 1, 60, 86400, 0x7FFFFFFF, 0x80000000))
        message.records[at] = replace(message.records[at], ttl=ttl)


def change_type(message: Message, chance: random.Random, _: Pool) -> None:
    """A record is of another type."""
    at = _at(message, chance)
    if at >= 0:
        rdtype = chance.choice((1, 2, 5, 6, 16, 39, 43, 46, 47, 48, 50, 65280))
        message.records[at] = replace(message.records[at], rdtype=rdtype)


def change_class(message: Message, chance: random.Random, _: Pool) -> None:
    """A record is of class CH."""
    at = _at(message, chance)
    if at >= 0:
        message.records[at] = replace(message.records[at], rdclass=3)


def rename_set(message: Message, chance: random.Random, pool: Pool) -> None:
    """A set and its signatures have another owner."""
    if message.records:
        old = message.records[_at(message, chance)].name
        above = [name for name in names.ancestors(pool.name) if name != ROOT]
        new = chance.choice([*above, *map(names.wildcard_of, above)])
        message.records[:] = [replace(r, name=new) if r.name == old else r for r in message.records]


def splice_denials(message: Message, chance: random.Random, pool: Pool) -> None:
    """The answer is a denial, by records of the neighbourhood."""
    near = pool.near(chance.choice((message.question.name, pool.name)))
    some = chance.sample(near, min(len(near), chance.choice((1, 2, 3, len(near)))))
    message.rcode = chance.choice((rcodes.NOERROR, rcodes.NXDOMAIN))
    message.records[:] = [record for rrset in some for record in _records(rrset, 1)]


def add_denials(message: Message, chance: random.Random, pool: Pool) -> None:
    """Denials of the neighbourhood stand before or behind what is there."""
    more = [record for rrset in pool.near(message.question.name) for record in _records(rrset, 1)]
    message.records[:] = [*message.records, *chance.sample(more, min(len(more), 4))]
    message.records.sort(key=lambda record: record.section)


def expand_wildcard(message: Message, chance: random.Random, pool: Pool) -> None:
    """A wildcard's data, or its denial, stand under the question's name."""
    name = message.question.name
    wild = [
        r
        for r in pool.sets
        if names.is_wildcard(r.name) and names.is_below(name, names.parent(r.name))
    ]
    if wild:
        chosen = structs.replace(chance.choice(wild), name=name)
        section = int(chosen.rdtype in (rdtypes.NSEC, rdtypes.NSEC3))
        message.rcode = rcodes.NOERROR
        rest = [r for r in message.records if r.section and chance.random() < 0.8]
        message.records[:] = [*_records(chosen, section), *rest]
        message.records.sort(key=lambda record: record.section)


def add_from_pool(message: Message, chance: random.Random, pool: Pool) -> None:
    """A set that was signed for something else is there as well."""
    chosen = chance.choice(pool.sets)
    if chance.random() < 0.5:
        chosen = structs.replace(chosen, name=message.question.name)
    message.records[:0] = list(_records(chosen, 0))


def forge(message: Message, chance: random.Random, _: Pool) -> None:
    """The answer is one that nobody has signed."""
    question = message.question
    cname = b"\x03www" + names.suffix(question.name, 1)
    rdtype, rdata = chance.choice(
        ((rdtypes.A, b"\xcb\0\x71\6"), (rdtypes.CNAME, cname), (question.rdtype, b"\0\1\x0d\2" * 9))
    )
    message.rcode = rcodes.NOERROR
    message.records[:] = [Record(0, question.name, rdtype, 300, rdata)]


def change_rcode(message: Message, chance: random.Random, _: Pool) -> None:
    """The code is another one."""
    message.rcode = chance.choice((rcodes.NOERROR, rcodes.NXDOMAIN, rcodes.SERVFAIL, 5, 6))


def set_flag(message: Message, chance: random.Random, _: Pool) -> None:
    """A flag of the header is set: AA or AD."""
    message.flags |= chance.choice((0x0400, 0x0020))


def silence(message: Message, _: random.Random, __: Pool) -> None:
    """There is nothing in the answer."""
    message.records.clear()


EDITS: dict[str, Edit] = {
    edit.__name__: edit
    for edit in (
        drop_record,
        drop_set,
        drop_answer,
        drop_signatures,
        duplicate,
        shuffle,
        move,
        flip_bit,
        cut_short,
        alter_signature,
        swap_signatures,
        foreign_signature,
        change_ttl,
        change_type,
        change_class,
        rename_set,
        splice_denials,
        add_denials,
        expand_wildcard,
        add_from_pool,
        forge,
        change_rcode,
        set_flag,
        silence,
    )
}
"""Every edit by its name."""
