"""A zone: written as a few lines of text, planned, and in the end signed.

A line is `owner [ttl] type rdata`. Names are relative to the zone unless they end in a dot, `@` is
the zone itself; an SOA and an NS record are added where the text has none. A `Zone` is a
workbench: `sign.sign` fills it with keys, signatures and the chain of denial, and the functions of
`faults` spoil whatever they like before and after that. Nothing here judges anything.
"""

import ipaddress
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from anchord.model import names, rcodes, rdtypes
from anchord.model.ede import Ede
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.response import RRset
from anchord.wire.text import rdata_from_text, rdata_to_text

from .denial import BY_NSEC, Chain, DenialMethod
from .keys import Key
from .online import OnlineChain

DATA_TTL = 300
"""Seconds; the TTL of records that say none, and of denials (RFC 9077)."""
INFRASTRUCTURE_TTL = 3600
"""Seconds; the TTL of SOA, NS, DNSKEY and DS records."""

NAME_SERVER = "ns.lab."
"""The one host that serves every zone of the lab."""
NAME_SERVER_ADDRESS = "127.53.53.53"
"""Its address: a resolver that iterates finds `World.authoritative_reply` there, on port 53."""

Records = dict[tuple[Name, int], RRset]


@dataclass(frozen=True, slots=True)
class Window:
    """When signatures hold: two times in seconds since 1970, which may be in any order."""

    inception: int
    expiration: int


class Reply(msgspec.Struct, frozen=True):
    """What a zone's servers say to a question.

    `alias` is the name at which a CNAME or DNAME says to go on, `referral` the cut at which another
    zone's servers are to be asked.
    """

    rcode: int = rcodes.NOERROR
    answer: tuple[RRset, ...] = ()
    authority: tuple[RRset, ...] = ()
    alias: Name | None = None
    referral: Name | None = None
    edes: tuple[Ede, ...] = ()


AnswerFault = Callable[[Question, Reply], Reply]
"""How the servers of a zone change what they ought to say."""


def _nobody(apex: Name) -> "Zone":
    raise KeyError(apex)


@dataclass(slots=True)
class Zone:
    """Everything about one zone, open to be changed.

    `published` are the keys of the DNSKEY set, `key_signers` those that sign it, `zone_signers`
    those that sign the rest; all empty in an unsigned zone. `window` holds for every signature,
    `windows` for single types instead. `ds` is what the parent publishes, as RDATA. `chain` are
    the signed denials. `answer_faults` change what the servers say, `ds_faults` what is said to the
    question for the zone's DS set, whoever answers it. `neighbour` finds the other zones of the
    world, signed, for replaying what they say. The parent knows of the zone if `is_delegated`.
    """

    apex: Name
    now: int
    records: Records
    window: Window
    denial: DenialMethod = BY_NSEC
    published: list[Key] = field(default_factory=list)
    key_signers: list[Key] = field(default_factory=list)
    zone_signers: list[Key] = field(default_factory=list)
    windows: dict[int, Window] = field(default_factory=dict)
    ds: list[bytes] = field(default_factory=list)
    chain: Chain | OnlineChain = field(default_factory=Chain)
    answer_faults: list[AnswerFault] = field(default_factory=list)
    ds_faults: list[AnswerFault] = field(default_factory=list)
    neighbour: Callable[[Name], "Zone"] = field(default=_nobody, repr=False)
    is_reachable: bool = True
    is_delegated: bool = True
    nodes: dict[Name, set[int]] = field(default_factory=dict)

    def __str__(self) -> str:
        return names.to_text(self.apex)

    @property
    def is_signed(self) -> bool:
        """Whether the zone has keys to sign with."""
        return bool(self.zone_signers)

    def get(self, name: Name, rdtype: int) -> RRset | None:
        """The set of that name and type, where there is one."""
        return self.records.get((name, rdtype))

    def put(self, rrset: RRset) -> None:
        """Adds the set, or replaces it."""
        self.records[rrset.name, rrset.rdtype] = rrset

    def delegate(self, child: "Zone") -> None:
        """Hands the names at and below `child` over to it; if signed, with its DS set."""
        servers = child.records[child.apex, rdtypes.NS]
        self.put(RRset(child.apex, rdtypes.NS, INFRASTRUCTURE_TTL, servers.rdatas))
        if child.ds and self.is_signed:
            self.put(RRset(child.apex, rdtypes.DS, INFRASTRUCTURE_TTL, tuple(child.ds)))

    def is_cut(self, name: Name) -> bool:
        """Whether another zone begins at `name`."""
        return name != self.apex and (name, rdtypes.NS) in self.records

    def is_below_cut(self, name: Name) -> bool:
        """Whether `name` belongs to another zone; addresses that stand here are glue."""
        return any(self.is_cut(above) for above in names.names_between(self.apex, name)[:-1])

    def is_authoritative(self, rrset: RRset) -> bool:
        """Whether the set is this zone's own to sign (RFC 4035 section 2.2)."""
        if self.is_below_cut(rrset.name):
            return False
        return rrset.rdtype == rdtypes.DS or not self.is_cut(rrset.name)

    def index(self) -> None:
        """Finds the names that exist, with their types; empty non-terminals have none."""
        self.nodes = {self.apex: set()}
        for name, rdtype in self.records:
            if not self.is_below_cut(name):
                for existing in names.names_between(self.apex, name):
                    self.nodes.setdefault(existing, set())
                self.nodes[name].add(rdtype)

    def rrsets(self) -> Iterator[RRset]:
        """Every set of the zone, those of the chain of denial too."""
        yield from self.records.values()
        yield from self.chain.rrsets()


def parse(apex: Name, text: str) -> Records:
    """The records of `text`, and an SOA and NS set besides. Raises ValueError with the line."""
    records: Records = {}
    for line in filter(str.strip, text.splitlines()):
        try:
            spelling, rdtype, ttl, rdata = _record(line.strip(), apex)
        except (ValueError, OverflowError) as error:
            raise ValueError(f"{names.to_text(apex)}: {line.strip()}: {error}") from error
        _add(records, spelling, rdtype, ttl, rdata)
    for rdtype, rdata_text in (
        (rdtypes.SOA, f"{NAME_SERVER} hostmaster.lab. 1 14400 3600 604800 {DATA_TTL}"),
        (rdtypes.NS, NAME_SERVER),
    ):
        if (apex, rdtype) not in records:
            _add(records, apex, rdtype, INFRASTRUCTURE_TTL, read_rdata(rdtype, rdata_text, apex))
    return records


def _record(line: str, apex: Name) -> tuple[Name, int, int, bytes]:
    """Owner, type, TTL and RDATA of a line."""
    owner, _, rest = line.partition(" ")
    first, _, rest = rest.strip().partition(" ")
    ttl = DATA_TTL
    if first.isdecimal():
        ttl = int(first)
        first, _, rest = rest.strip().partition(" ")
    rdtype = rdtypes.from_text(first)
    return absolute(owner, apex), rdtype, ttl, read_rdata(rdtype, rest.strip(), apex)


def _add(records: Records, spelling: Name, rdtype: int, ttl: int, rdata: bytes) -> None:
    name = spelling.lower()
    before = records.get((name, rdtype))
    rdatas = (*before.rdatas, rdata) if before else (rdata,)
    records[name, rdtype] = RRset(
        name, rdtype, ttl, rdatas, owner=b"" if spelling == name else spelling
    )


def absolute(text: str, apex: Name) -> Name:
    """The name written as `text` in the zone `apex`, in the spelling given. Raises ValueError."""
    if text == "@":
        return apex
    name = names.from_text(text)
    if text.endswith(".") and not text.endswith("\\."):
        return name
    return names.join(names.labels(name) + names.labels(apex))


def is_within(name: Name, owners: Iterable[str], apex: Name) -> bool:
    """Whether `name`, a key, is one of those written so in the zone `apex`, or below one."""
    return any(names.is_at_or_below(name, absolute(owner, apex).lower()) for owner in owners)


def read_rdata(rdtype: int, text: str, apex: Name) -> bytes:
    """RDATA from a zone file's notation. Raises ValueError.

    The types that most zones consist of are read here, since dnspython takes a tenth of a second
    to load; all the others are left to it.
    """
    reader = _READERS.get(rdtype)
    if reader is not None:
        return reader(text, apex)
    return rdata_from_text(rdtype, text, origin=apex)


def _read_mx(text: str, apex: Name) -> bytes:
    preference, _, exchange = text.partition(" ")
    return int(preference).to_bytes(2) + absolute(exchange.strip(), apex)


def _read_soa(text: str, apex: Name) -> bytes:
    mname, rname, *numbers = text.split()
    if len(numbers) != 5:  # serial, refresh, retry, expire, minimum
        raise ValueError("an SOA record has five numbers")
    return (
        absolute(mname, apex)
        + absolute(rname, apex)
        + b"".join(int(number).to_bytes(4) for number in numbers)
    )


def _read_txt(text: str, apex: Name) -> bytes:
    inner = text[1:-1]
    if text[:1] != '"' or text[-1:] != '"' or '"' in inner or "\\" in inner or len(inner) > 255:
        return rdata_from_text(rdtypes.TXT, text, origin=apex)
    return bytes((len(inner),)) + inner.encode("ascii")


def _read_tlsa(text: str, _: Name) -> bytes:
    """Whatever it says, so that records can be published that no tool would write."""
    if text.startswith("\\#"):  # RFC 3597
        return bytes.fromhex("".join(text.split()[2:]))
    usage, selector, matching_type, *data = text.split()
    numbers = bytes((int(usage), int(selector), int(matching_type)))
    return numbers + bytes.fromhex("".join(data))


_READERS: dict[int, Callable[[str, Name], bytes]] = {
    rdtypes.A: lambda text, _: ipaddress.IPv4Address(text).packed,
    rdtypes.AAAA: lambda text, _: ipaddress.IPv6Address(text).packed,
    rdtypes.NS: absolute,
    rdtypes.CNAME: absolute,
    rdtypes.DNAME: absolute,
    rdtypes.PTR: absolute,
    rdtypes.MX: _read_mx,
    rdtypes.SOA: _read_soa,
    rdtypes.TXT: _read_txt,
    rdtypes.TLSA: _read_tlsa,
}


def to_zone_file(zone: Zone) -> str:
    """The zone as a zone file for other programs, signatures and denials included."""
    lines = []
    for rrset in sorted(zone.rrsets(), key=lambda rrset: rrset.rdtype != rdtypes.SOA):
        owner = names.to_text(rrset.spelling)
        for rdtype, rdatas in ((rrset.rdtype, rrset.rdatas), (rdtypes.RRSIG, rrset.signatures)):
            lines += [
                f"{owner} {rrset.ttl} IN {rdtypes.to_text(rdtype)} {rdata_to_text(rdtype, rdata)}"
                for rdata in rdatas
            ]
    return "\n".join(lines) + "\n"
