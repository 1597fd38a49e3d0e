"""Whole messages: queries of clients, responses of upstreams (RFC 1035 section 4)."""

from dataclasses import dataclass

from anchord.model import rcodes, rdtypes
from anchord.model.ede import Ede, EdeCode
from anchord.model.names import Name
from anchord.model.question import ClientFlags, Question
from anchord.model.response import Response, RRset

from .embedded import decompressed
from .errors import FormError
from .name import read_name
from .options import Edns, padding, read_edes, read_opt, read_options, write_opt

QR, AA, TC, RD, RA, AD, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0020, 0x0010
"""The bits of the header's flags (RFC 1035 section 4.1.1, RFC 4035 section 3)."""

HEADER = 12
"""Octets of the header."""


# ------------ Queries of clients ------------


@dataclass(frozen=True, slots=True)
class Query:
    """A well-formed client query that asks one question of class IN.

    `question_wire` is the question section as it came: its spelling is echoed (and compressed
    against). `edns` is absent where the client speaks none.
    """

    id: int
    question: Question
    question_wire: bytes
    flags: ClientFlags
    edns: Edns | None


@dataclass(frozen=True, slots=True)
class Rejection:
    """A query that is answered with a code at once: malformed, or asking what nobody may ask.

    `question_wire` is echoed where it could be read; `recursion_desired`, `checking_disabled`
    and `opcode` too.
    """

    id: int
    rcode: int
    opcode: int
    recursion_desired: bool
    checking_disabled: bool
    question_wire: bytes = b""
    edns: Edns | None = None
    ede: Ede | None = None


def read_query(wire: bytes) -> Query | Rejection | None:
    """A client's message: a query, the rejection it deserves, or nothing that may be answered.

    Shorter than a header, or itself a response: None, silence (answering could loop). Malformed,
    or not exactly one question: FORMERR (RFC 9619). Other opcodes, classes and meta-types: NOTIMP
    or REFUSED with EDE 21. EDNS of another version: BADVERS (RFC 6891 section 6.1.3). NXNAME:
    FORMERR with EDE 30 (RFC 9824 section 3.3).
    """
    if len(wire) < HEADER:
        return None
    identifier = int.from_bytes(wire[:2])
    flags = int.from_bytes(wire[2:4])
    if flags & QR:
        return None
    opcode = flags >> 11 & 0xF

    def reject(
        rcode: int, ede: Ede | None = None, question: bytes = b"", edns: Edns | None = None
    ) -> Rejection:
        return Rejection(
            id=identifier,
            rcode=rcode,
            opcode=opcode,
            recursion_desired=bool(flags & RD),
            checking_disabled=bool(flags & CD),
            question_wire=question,
            edns=edns,
            ede=ede,
        )

    if opcode:
        return reject(rcodes.NOTIMP)
    try:
        if wire[4:6] != b"\0\x01":
            raise FormError("the query has not exactly one question")
        name, position = read_name(wire, HEADER, len(wire))
        if position + 4 > len(wire):
            raise FormError("the question ends too early")
        rdtype = int.from_bytes(wire[position : position + 2])
        rdclass = int.from_bytes(wire[position + 2 : position + 4])
        question_wire = name + wire[position : position + 4]
        if wire[6:10] != b"\0\0\0\0":
            raise FormError("the query holds answers")
        edns = _read_additional(wire, position + 4)
    except FormError:
        return reject(rcodes.FORMERR)
    if edns is not None and edns.version:
        return reject(rcodes.BADVERS, None, question_wire, edns)
    if rdtype == rdtypes.NXNAME:
        ede = Ede(EdeCode.INVALID_QUERY_TYPE, "NXNAME is no type that can be asked for (RFC 9824)")
        return reject(rcodes.FORMERR, ede, question_wire, edns)
    if rdclass != rdtypes.IN:
        ede = Ede(EdeCode.NOT_SUPPORTED, "only class IN is known here")
        return reject(rcodes.REFUSED, ede, question_wire, edns)
    if rdtype in rdtypes.META or rdtype == 0:
        ede = Ede(EdeCode.NOT_SUPPORTED, f"{rdtypes.to_text(rdtype)} cannot be looked up")
        return reject(rcodes.NOTIMP, ede, question_wire, edns)
    return Query(
        id=identifier,
        question=Question(name.lower(), rdtype),
        question_wire=question_wire,
        flags=ClientFlags(
            recursion_desired=bool(flags & RD),
            checking_disabled=bool(flags & CD),
            dnssec_ok=edns is not None and edns.dnssec_ok,
            authentic_data=bool(flags & AD),
            compact_ok=edns is not None and edns.compact_ok,
        ),
        edns=edns,
    )


def _read_additional(wire: bytes, position: int) -> Edns | None:
    """The OPT record of a query. Raises FormError: two of them, or one that is malformed."""
    edns = None
    for _ in range(int.from_bytes(wire[10:12])):
        name, position = read_name(wire, position, len(wire))
        record = _record_head(wire, position)
        position = record.end
        if record.rdtype == rdtypes.OPT:
            if edns is not None or name != b"\0":
                raise FormError("the query has more than one OPT record, or an OPT with a name")
            edns = read_opt(record.rdclass, record.ttl, wire[record.start : record.end])
            for _option in read_options(edns.options):
                pass
    if position != len(wire):
        raise FormError("something follows the query")
    return edns


# ------------ Queries to upstreams ------------

QUERY_PADDING = 128
"""Encrypted queries are padded to a multiple of this many octets (RFC 8467 section 4.1)."""


def write_query(
    question: Question, *, checking_disabled: bool = True, padded: bool = False
) -> bytes:
    """A query for an upstream: RD and DO set, CD as told, id 0 (the transport chooses the id)."""
    flags = RD | (CD if checking_disabled else 0)
    head = (
        b"\0\0"
        + flags.to_bytes(2)
        + b"\0\x01\0\0\0\0\0\x01"
        + question.name
        + question.rdtype.to_bytes(2)
        + b"\0\x01"
    )
    bare = write_opt(dnssec_ok=True)
    if not padded:
        return head + bare
    return head + write_opt(dnssec_ok=True, options=padding(len(head) + len(bare), QUERY_PADDING))


# ------------ Responses of upstreams ------------


@dataclass(slots=True)
class _Head:
    rdtype: int
    rdclass: int
    ttl: int
    start: int
    end: int


def _record_head(wire: bytes, position: int) -> _Head:
    start = position + 10
    if start > len(wire):
        raise FormError("a record ends too early")
    end = start + int.from_bytes(wire[position + 8 : start])
    if end > len(wire):
        raise FormError("the data of a record end too early")
    return _Head(
        rdtype=int.from_bytes(wire[position : position + 2]),
        rdclass=int.from_bytes(wire[position + 2 : position + 4]),
        ttl=int.from_bytes(wire[position + 4 : position + 8]),
        start=start,
        end=end,
    )


@dataclass(slots=True)
class _Group:
    """Records of one owner and type while a section is read."""

    owner: Name
    ttl: int
    rdatas: dict[bytes, None]
    signatures: dict[bytes, None]
    signature_ttl: int = 0x7FFFFFFF


def read_response(wire: bytes, question: Question, upstream: str = "") -> Response:
    """An upstream's reply to `question`.

    Raises FormError where it is malformed or answers something else. The additional section is
    read for its OPT record only.
    """
    if len(wire) < HEADER:
        raise FormError("a reply is shorter than a header")
    flags = int.from_bytes(wire[2:4])
    if not flags & QR or flags >> 11 & 0xF:
        raise FormError("a reply is no response to a query")
    if wire[4:6] != b"\0\x01":
        raise FormError("a reply has not exactly one question")
    name, position = read_name(wire, HEADER, len(wire))
    if name.lower() != question.name or wire[position : position + 4] != (
        question.rdtype.to_bytes(2) + b"\0\x01"
    ):
        raise FormError("a reply answers another question")
    position += 4
    names: dict[int, Name] = {}
    answer, position = _read_section(wire, position, int.from_bytes(wire[6:8]), names)
    authority, position = _read_section(wire, position, int.from_bytes(wire[8:10]), names)
    rcode = flags & 0xF
    edes: tuple[Ede, ...] = ()
    for _ in range(int.from_bytes(wire[10:12])):
        _, position = read_name(wire, position, len(wire))
        record = _record_head(wire, position)
        position = record.end
        if record.rdtype == rdtypes.OPT:
            edns = read_opt(record.rdclass, record.ttl, wire[record.start : record.end])
            rcode |= edns.extended_rcode << 4
            edes = read_edes(edns.options)
    return Response(
        question=question,
        rcode=rcode,
        answer=answer,
        authority=authority,
        edes=edes,
        recursion_available=bool(flags & RA),
        upstream=upstream,
    )


def is_truncated(wire: bytes) -> bool:
    """Whether TC is set in a message that is at least a header."""
    return bool(wire[2] & TC >> 8)


def _read_section(
    wire: bytes, position: int, count: int, names: dict[int, Name]
) -> tuple[tuple[RRset, ...], int]:
    """RRsets in the order of their first record, RRSIGs put to what they cover.

    RRSIGs of sets that are not there are kept as an RRset of type RRSIG.
    """
    groups: dict[tuple[Name, int], _Group] = {}
    signatures: list[tuple[Name, Name, int, bytes]] = []
    for _ in range(count):
        owner, position = _owner(wire, position, names)
        record = _record_head(wire, position)
        position = record.end
        if record.rdclass != rdtypes.IN:
            continue
        ttl = record.ttl if record.ttl < 0x80000000 else 0  # RFC 2181 section 8
        rdata = decompressed(record.rdtype, wire, record.start, record.end)
        key = owner.lower()
        if record.rdtype == rdtypes.RRSIG:
            signatures.append((key, owner, ttl, rdata))
            continue
        _put(groups, key, owner, record.rdtype, ttl, rdata)
    for key, owner, ttl, rdata in signatures:
        covered = groups.get((key, int.from_bytes(rdata[:2])))
        if covered is None:
            _put(groups, key, owner, rdtypes.RRSIG, ttl, rdata)
        else:
            covered.signatures[rdata] = None
            covered.signature_ttl = min(covered.signature_ttl, ttl)
    return tuple(
        RRset(
            name=key,
            rdtype=rdtype,
            ttl=group.ttl,
            rdatas=tuple(group.rdatas),
            signatures=tuple(group.signatures),
            signature_ttl=group.signature_ttl if group.signatures else 0,
            owner=group.owner,
        )
        for (key, rdtype), group in groups.items()
    ), position


def _put(
    groups: dict[tuple[Name, int], _Group],
    key: Name,
    owner: Name,
    rdtype: int,
    ttl: int,
    rdata: bytes,
) -> None:
    group = groups.get((key, rdtype))
    if group is None:
        groups[key, rdtype] = _Group(owner, ttl, {rdata: None}, {})
    else:
        group.rdatas[rdata] = None  # duplicates fall together, RFC 2181 section 5
        group.ttl = min(group.ttl, ttl)


def _owner(wire: bytes, position: int, names: dict[int, Name]) -> tuple[Name, int]:
    """As `read_name`; a bare pointer to an offset seen before costs a look-up."""
    if position + 2 <= len(wire) and wire[position] >= 0xC0:  # a pointer
        target = (wire[position] & 0x3F) << 8 | wire[position + 1]
        name = names.get(target)
        if name is None:
            name, _ = read_name(wire, position, len(wire))
            names[target] = name
        return name, position + 2
    return read_name(wire, position, len(wire))
