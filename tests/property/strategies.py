"""What the property tests draw from: names, records of every type, messages as dnspython has them.

dnspython is the oracle: it builds what anchord reads, and reads what anchord builds.
"""

from dataclasses import dataclass

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from hypothesis import strategies as st

from anchord.model import names, rdtypes
from anchord.model.names import Name
from anchord.model.question import Question

# ------------ Names ------------

_LABELS = st.one_of(
    st.sampled_from([b"www", b"WWW", b"a", b"A", b"example", b"Example", b"com", b"*", b"_tcp"]),
    st.binary(min_size=1, max_size=8),
    st.binary(min_size=1, max_size=names.MAX_LABEL),
)


@st.composite
def wire_names(draw: st.DrawFn) -> Name:
    """Any name, many of them with endings in common but for the case of their letters."""
    parts = draw(st.lists(_LABELS, max_size=10))
    while sum(len(part) + 1 for part in parts) >= names.MAX_NAME:
        parts.pop()
    return names.join(parts)


def oracle_name(name: Name) -> dns.name.Name:
    """The same name as dnspython has it."""
    return dns.name.from_wire(name, 0)[0]


# ------------ Records ------------

_SIGNATURE = "13 2 300 20300101000000 20200101000000 4711 {} c2lnbmF0dXJl"
_SHA256 = "00112233445566778899aabbccddeeff" * 2

_RDATA_TEXTS = {
    "A": "192.0.2.1",
    "AAAA": "2001:db8::1",
    "AFSDB": "1 {}",
    "AMTRELAY": "10 0 3 {}",
    "APL": "1:192.168.32.0/21 !1:192.168.38.0/28",
    "AVC": '"app" "class"',
    "CAA": '0 issue "ca.example"',
    "CDNSKEY": "257 3 13 a2V5",
    "CDS": f"4711 13 2 {_SHA256}",
    "CERT": "1 0 0 Y2VydA==",
    "CNAME": "{}",
    "CSYNC": "66 3 A NS AAAA",
    "DHCID": "AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=",
    "DLV": f"4711 13 2 {_SHA256}",
    "DNAME": "{}",
    "DNSKEY": "257 3 13 a2V5",
    "DS": f"4711 13 2 {_SHA256}",
    "DSYNC": "CDS NOTIFY 5353 {}",
    "EUI48": "00-00-5e-00-53-2a",
    "EUI64": "00-00-5e-ef-10-00-00-2a",
    "GPOS": "-22.6882 116.8652 250.0",
    "HINFO": '"CPU" "OS"',
    "HIP": "2 200100107b1a74df365639cc39f1d578 a2V5 {} {}",
    "HTTPS": "1 {} alpn=h2",
    "IPSECKEY": "10 3 2 {} a2V5",
    "ISDN": '"150862028003217" "004"',
    "KEY": "256 3 13 a2V5",
    "KX": "10 {}",
    "L32": "10 10.1.2.0",
    "L64": "10 2001:0db8:1140:1000",
    "LOC": "42 21 54 N 71 06 18 W -24m 30m",
    "LP": "10 {}",
    "MX": "10 {}",
    "NAPTR": '100 50 "s" "http+N2L" "" {}',
    "NID": "10 0014:4fff:ff20:ee64",
    "NS": "{}",
    "NSAP": "0x47000580005a0000000001e133ffffff00016100",
    "NSAP-PTR": "{}",
    "NSEC": "{} A RRSIG NSEC TYPE1234",
    "NSEC3": "1 0 0 aabb 2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG",
    "NSEC3PARAM": "1 0 0 aabb",
    "OPENPGPKEY": "a2V5",
    "PTR": "{}",
    "PX": "10 {} {}",
    "RESINFO": '"qnamemin" "exterr=15"',
    "RP": "{} {}",
    "RRSIG": f"A {_SIGNATURE}",
    "RT": "10 {}",
    "SIG": f"A {_SIGNATURE}",
    "SMIMEA": f"3 1 1 {_SHA256}",
    "SOA": "{} {} 1 7200 3600 1209600 300",
    "SPF": '"v=spf1 -all"',
    "SRV": "0 5 853 {}",
    "SSHFP": f"4 2 {_SHA256}",
    "SVCB": "1 {} alpn=dot port=853",
    "TLSA": f"3 1 1 {_SHA256}",
    "TXT": '"some" "text"',
    "URI": '10 1 "https://www.example/"',
    "WALLET": '"currency" "address"',
    "WKS": "10.0.0.1 6 25",
    "X25": '"311061700956"',
    "ZONEMD": f"2018031500 1 1 {_SHA256}aabbccddeeff00112233445566778899",
    "TYPE65280": "\\# 4 C00CC00C",
}
"""RDATA of each type, `{}` where a name stands; the last looks compressed and is not."""


def _type_number(text: str) -> int | None:
    try:
        return int(dns.rdatatype.from_text(text))
    except dns.rdatatype.UnknownRdatatype:  # by an older dnspython
        return None


RDATA_TEXTS = {
    number: text
    for mnemonic, text in _RDATA_TEXTS.items()
    if (number := _type_number(mnemonic)) is not None
}


all_types = st.sampled_from(sorted(RDATA_TEXTS))


@st.composite
def rdatas(draw: st.DrawFn, types: st.SearchStrategy[int] = all_types) -> dns.rdata.Rdata:
    """RDATA of a type that dnspython knows, with any names in them."""
    rdtype = draw(types)
    text = RDATA_TEXTS[rdtype]
    inner = [oracle_name(draw(wire_names())).to_text() for _ in range(text.count("{}"))]
    return dns.rdata.from_text(
        dns.rdataclass.IN, dns.rdatatype.RdataType.make(rdtype), text.format(*inner)
    )


@dataclass(frozen=True)
class Record:
    """One record, its RDATA as dnspython's object."""

    owner: Name
    ttl: int
    rdata: dns.rdata.Rdata

    @property
    def rdtype(self) -> int:
        return int(self.rdata.rdtype)

    @property
    def wire(self) -> bytes:
        """The RDATA in wire form, without compression."""
        return self.rdata.to_wire() or b""


@st.composite
def sections(draw: st.DrawFn, max_size: int = 8) -> list[Record]:
    """Records of all types at a few names, some of them signatures over others."""
    owners = draw(st.lists(wire_names(), min_size=1, max_size=3))
    owners += [owner.swapcase() for owner in owners]  # length octets are no letters
    types = st.one_of(st.sampled_from([rdtypes.A, rdtypes.RRSIG]), all_types)
    record = st.builds(
        Record,
        owner=st.sampled_from(owners),
        ttl=st.integers(0, 0x7FFFFFFF),
        rdata=rdatas(types),
    )
    return draw(st.lists(record, max_size=max_size))


# ------------ Messages ------------

questions = st.builds(
    Question,
    name=wire_names().map(names.lower),
    rdtype=st.sampled_from([1, 2, 5, 6, 15, 28, 43, 48, 52, 65, 257]),
)


@dataclass(frozen=True)
class Reply:
    """A reply that dnspython wrote, and what is in it."""

    question: Question
    rcode: int
    answer: list[Record]
    authority: list[Record]
    additional: list[Record]
    wire: bytes


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    """Replies with records of all types in all sections, compressed by dnspython."""
    question = draw(questions)
    rcode = draw(st.integers(0, 4095))
    answer, authority, additional = (draw(sections()) for _ in range(3))
    query = dns.message.make_query(
        oracle_name(question.name),
        dns.rdatatype.RdataType.make(question.rdtype),
        want_dnssec=True,
        id=0,
    )
    message = dns.message.make_response(query, recursion_available=True)
    message.set_rcode(dns.rcode.Rcode.make(rcode))
    contents = answer, authority, additional
    for section, content in zip(message.sections[1:], contents, strict=True):
        for record in content:
            section.append(
                dns.rrset.from_rdata(oracle_name(record.owner), record.ttl, record.rdata)
            )
    wire = message.to_wire(max_size=0xFFFF)
    return Reply(question, rcode, answer, authority, additional, wire)


@st.composite
def damaged(draw: st.DrawFn, wires: st.SearchStrategy[bytes]) -> bytes:
    """A message with a few octets changed, perhaps cut off or with more behind it."""
    wire = bytearray(draw(wires))
    for _ in range(draw(st.integers(0, 6))):
        wire[draw(st.integers(0, len(wire) - 1))] = draw(
            st.one_of(st.integers(0, 255), st.sampled_from([0, 0x3F, 0x40, 0xC0, 0xFF]))
        )
    end = draw(st.one_of(st.just(len(wire)), st.integers(0, len(wire))))
    return bytes(wire[:end]) + draw(st.one_of(st.just(b""), st.binary(max_size=8)))
