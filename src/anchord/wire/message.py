"""Whole messages: queries of clients, responses of upstreams (RFC 1035 section 4).

Whatever the bytes, reading takes time in proportion to their number and ends in a value of this
module, a Response or a FormError. Replies to clients are written in `reply`.
"""

import struct
from typing import TypeAlias

import msgspec

from anchord.model import rcodes, rdtypes
from anchord.model.ede import Ede, EdeCode
from anchord.model.names import ROOT, Name
from anchord.model.question import ClientFlags, Question
from anchord.model.response import Response, RRset
from anchord.model.steps import Steps, at_once

from .embedded import LAYOUTS, decompressed
from .errors import FormError
from .name import Known, read_name
from .options import (
    Edns,
    first_option,
    read_edes,
    read_opt,
    read_options,
)

QR, AA, TC, RD, RA, AD, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0020, 0x0010
"""The bits of the header's flags (RFC 1035 section 4.1.1, RFC 4035 section 3)."""

HEADER = 12
"""Octets of the header."""

LONGEST_TTL = 0x7FFFFFFF
"""Seconds; a TTL beyond it counts as zero (RFC 2181 section 8)."""

_HEADER = struct.Struct("!6H")
"""The id, the flags, and how many entries the four sections have."""


# ------------ Queries of clients ------------


class Query(msgspec.Struct, frozen=True):
    """A well-formed client query that asks one question of class IN.

    `question_wire` is the question section as it came: its spelling is echoed (and compressed
    against). `edns` is absent where the client speaks none.
    """

    id: int
    question: Question
    question_wire: bytes
    flags: ClientFlags
    edns: Edns | None


class Rejection(msgspec.Struct, frozen=True):
    """A query that is answered with a code at once: malformed, or asking what nobody may ask.

    `question_wire` and `edns` are there where they could be read.
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
    or not exactly one question: FORMERR (RFC 9619). Other opcodes, and types that name no data:
    NOTIMP with EDE 21; other classes: REFUSED with EDE 21. EDNS of another version: BADVERS
    (RFC 6891 section 6.1.3). NXNAME: FORMERR with EDE 30 (RFC 9824 section 3.5).
    """
    if len(wire) < HEADER:
        return None
    identifier, flags, questions, *counts = _HEADER.unpack_from(wire)
    if flags & QR:
        return None
    opcode = flags >> 11 & 0xF
    question_wire, edns, ede = b"", None, None
    try:
        name, rdtype, rdclass, position = _read_question(wire, questions)
        question_wire = name + wire[position - 4 : position]
        edns = _read_edns(wire, position, counts, {HEADER: name})
        rcode, ede = _judge(opcode, rdtype, rdclass, edns, holds_answers=any(counts[:2]))
    except FormError:
        rcode = rcodes.NOTIMP if opcode else rcodes.FORMERR
    if rcode != rcodes.NOERROR:
        return Rejection(
            id=identifier,
            rcode=rcode,
            opcode=opcode,
            recursion_desired=bool(flags & RD),
            checking_disabled=bool(flags & CD),
            question_wire=question_wire,
            edns=edns,
            ede=ede,
        )
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


def _read_question(wire: bytes, count: int) -> tuple[Name, int, int, int]:
    """The question's name, type and class, and the offset after it."""
    if count != 1:
        raise FormError("a query has not exactly one question")
    name, position = read_name(wire, HEADER, len(wire))
    end = position + 4
    if end > len(wire):
        raise FormError("a question ends too early")
    rdtype = int.from_bytes(wire[position : position + 2])
    rdclass = int.from_bytes(wire[position + 2 : end])
    return name, rdtype, rdclass, end


def _read_edns(wire: bytes, position: int, counts: list[int], known: Known) -> Edns | None:
    """The OPT record of a query, found by reading all records to the end of the message.

    Raises FormError where there are two, where one is malformed (RFC 6891 section 6.1.1), and
    where the message does not end with its last record. The options of versions to come are not
    looked at.
    """
    edns = None
    answers, authorities, additionals = counts
    for left in range(answers + authorities + additionals, 0, -1):
        owner, rdtype, rdclass, ttl, start, position = _read_record(wire, position, known)
        if rdtype != rdtypes.OPT or left > additionals:
            continue
        if edns is not None or owner != ROOT:
            raise FormError("a query has two OPT records, or one whose owner is not the root")
        edns = read_opt(rdclass, ttl, wire[start:position])
        if edns.version == 0:
            for _ in read_options(edns.options):
                pass
    if position != len(wire):
        raise FormError("something follows a query")
    return edns


def _judge(
    opcode: int, rdtype: int, rdclass: int, edns: Edns | None, *, holds_answers: bool
) -> tuple[int, Ede | None]:
    """The code that a well-formed query is rejected with, and why; NOERROR for a question."""
    if edns is not None and edns.version:  # RFC 6891 section 6.1.3
        return rcodes.BADVERS, None
    if opcode:
        return rcodes.NOTIMP, Ede(EdeCode.NOT_SUPPORTED, f"opcode {opcode} is not known here")
    if rdtype == rdtypes.NXNAME:  # RFC 9824 section 3.5
        return rcodes.FORMERR, Ede(EdeCode.INVALID_QUERY_TYPE, "NXNAME cannot be asked for")
    if rdclass != rdtypes.IN:
        return rcodes.REFUSED, Ede(EdeCode.NOT_SUPPORTED, "only class IN is known here")
    if rdtype in rdtypes.META or rdtype == 0:  # IXFR holds an answer, and is known for what it is
        text = f"{rdtypes.to_text(rdtype)} cannot be looked up"
        return rcodes.NOTIMP, Ede(EdeCode.NOT_SUPPORTED, text)
    return (rcodes.FORMERR if holds_answers else rcodes.NOERROR), None


# ------------ Responses of upstreams ------------


STEP = 16
"""Records that are read at once, some 30 µs."""

MOST_SETS = 512
"""RRsets of a section, RRSIGs counted apart: a name may have any type there is, and an answer a few
names. With more, the reply is malformed."""

MOST_OCTETS = 128 * 1024
"""Octets of the RDATA of a section with their names written out. Each may stand in two octets of a
reply, which so could have megabytes. With more, the reply is malformed."""


def record_count(wire: bytes) -> int:
    """How many records a message has room for, of those that it claims: what reading it takes."""
    if len(wire) < HEADER:
        return 0
    _, _, _, answers, authorities, additionals = _HEADER.unpack_from(wire)
    claimed: int = answers + authorities + additionals
    return min(claimed, len(wire) // (_RECORD.size + 1))


def read_response(wire: bytes, question: Question, upstream: str = "") -> Response:
    """An upstream's reply to `question`, read at once; else as in `read_in_steps`."""
    return at_once(read_in_steps(wire, question, upstream))


def read_in_steps(wire: bytes, question: Question, upstream: str = "") -> Steps[Response]:
    """An upstream's reply to `question`, a `STEP` at a time.

    Raises FormError where it is malformed or answers something else. One record of a type with
    names in it (see `embedded`) that does not fit its type makes the whole message malformed: the
    names could not be written out, and without the record it would be another answer. RDATA of all
    other types are opaque, right or wrong, and come through untouched; whoever reads them judges
    them. The additional section is read for its OPT record only, and what may follow the last
    record is ignored.
    """
    if len(wire) < HEADER:
        raise FormError("a reply is shorter than a header")
    _, flags, questions, answers, authorities, additionals = _HEADER.unpack_from(wire)
    if not flags & QR or flags >> 11 & 0xF:
        raise FormError("a reply is no response to a query")
    name_end = HEADER + len(question.name)
    position = name_end + 4
    if (
        questions != 1
        or wire[HEADER:name_end].lower() != question.name
        or wire[name_end:position] != question.rdtype.to_bytes(2) + b"\0\x01"
    ):
        raise FormError("a reply does not repeat the question")
    known: Known = {HEADER: wire[HEADER:name_end]}
    answer, position = yield from _read_section(wire, position, answers, known)
    authority, position = yield from _read_section(wire, position, authorities, known)
    extended_rcode, edes = yield from _read_extension(wire, position, additionals, known)
    return Response(
        question=question,
        rcode=extended_rcode << 4 | flags & 0xF,
        answer=answer,
        authority=authority,
        edes=edes,
        recursion_available=bool(flags & RA),
        upstream=upstream,
    )


def is_truncated(wire: bytes) -> bool:
    """Whether TC is set in a message that is at least a header."""
    return bool(wire[2] & TC >> 8)


def find_option(wire: bytes, code: int) -> bytes | None:
    """The data of an EDNS option in this reply, which is at least a header; None without it.

    It is looked for as in `first_option`. A reply that cannot be read holds none: whoever reads it
    will say what is wrong.
    """
    opt_at = wire.find(_OPT_START)
    if opt_at < 0 or wire.find(code.to_bytes(2), opt_at) < 0:
        return None  # most have none, and need not be read for that
    edns = find_edns(wire)
    return first_option(edns.options, code) if edns else None


def find_edns(wire: bytes) -> Edns | None:
    """What the OPT record of this reply says, as in `find_option`."""
    _, _, questions, *counts = _HEADER.unpack_from(wire)
    known: Known = {}
    position = HEADER
    try:
        for _ in range(questions):
            position = read_name(wire, position, len(wire), known)[1] + 4  # type and class
        for _ in range(sum(counts)):
            _, rdtype, rdclass, ttl, start, position = _read_record(wire, position, known)
            if rdtype == rdtypes.OPT:
                return read_opt(rdclass, ttl, wire[start:position])
    except FormError:
        pass
    return None


_OPT_START = ROOT + rdtypes.OPT.to_bytes(2)
"""The owner and the type of an OPT record (RFC 6891 section 6.1.2)."""

_Key: TypeAlias = tuple[Name, int, int | None]
"""A name, a type, and for RRSIGs the type that they cover."""

_Found: TypeAlias = tuple[Name, list[int], dict[bytes, None]]
"""The owner as spelt first, the TTLs, and the RDATA, whose duplicates fall together (RFC 2181)."""


def _read_section(
    wire: bytes, position: int, count: int, known: Known
) -> Steps[tuple[tuple[RRset, ...], int]]:
    """The RRsets of a section, and the offset after it.

    Records of other classes and of pseudo-types are no data, and left out.
    """
    records: dict[_Key, _Found] = {}
    room = MOST_OCTETS
    for number in range(1, count + 1):
        owner, rdtype, rdclass, ttl, start, position = _read_record(wire, position, known)
        if not number % STEP:
            yield
        if rdclass != rdtypes.IN or rdtype in rdtypes.META:
            continue
        if rdtype in LAYOUTS:
            rdata = decompressed(rdtype, wire, start, position, known)
            room -= len(rdata)
            if room < 0:
                raise FormError("a reply has names of too many octets")
        else:
            rdata = wire[start:position]
        if ttl > LONGEST_TTL:
            ttl = 0
        covered = int.from_bytes(rdata[:2]) if rdtype == rdtypes.RRSIG else None
        key = owner.lower(), rdtype, covered
        found = records.get(key)
        if found is None:
            records[key] = owner, [ttl], {rdata: None}
            if len(records) > MOST_SETS:
                raise FormError("a reply has too many RRsets")
        else:
            found[1].append(ttl)
            found[2][rdata] = None
    return ((yield from _rrsets(records)) if records else ()), position


def _rrsets(records: dict[_Key, _Found]) -> Steps[tuple[RRset, ...]]:
    """RRsets in the order of their first record, RRSIGs put to what they cover.

    RRSIGs of sets that are not there are kept at the end, as an RRset of type RRSIG for each name.
    """
    rrsets = []
    orphans: dict[Name, list[_Found]] = {}
    for key, found in records.items():
        name, rdtype, covered = key
        if covered is None:
            owner, ttls, rdatas = found
            signed = records.get((name, rdtypes.RRSIG, rdtype))
            rrset = RRset(
                name=name,
                rdtype=rdtype,
                ttl=min(ttls),
                rdatas=tuple(rdatas),
                signatures=tuple(signed[2]) if signed else (),
                signature_ttl=min(signed[1]) if signed else 0,
                owner=owner,
            )
            rrsets.append(rrset)
            if not len(rrsets) % STEP:
                yield
        elif (name, covered, None) not in records:
            orphans.setdefault(name, []).append(found)
    for name, several in orphans.items():
        rrset = RRset(
            name=name,
            rdtype=rdtypes.RRSIG,
            ttl=min(ttl for _, ttls, _ in several for ttl in ttls),
            rdatas=tuple(rdata for _, _, rdatas in several for rdata in rdatas),
            owner=several[0][0],
        )
        rrsets.append(rrset)
    return tuple(rrsets)


def _read_extension(
    wire: bytes, position: int, count: int, known: Known
) -> Steps[tuple[int, tuple[Ede, ...]]]:
    """The extended code and the Extended DNS Errors of a reply's OPT record, if it has one."""
    extended_rcode = 0
    edes: tuple[Ede, ...] = ()
    seen = False
    for number in range(1, count + 1):
        _, rdtype, _, ttl, start, position = _read_record(wire, position, known)
        if not number % STEP:
            yield
        if rdtype == rdtypes.OPT:
            if seen:  # RFC 6891 section 6.1.1
                raise FormError("a reply has two OPT records")
            seen = True
            extended_rcode = ttl >> 24
            edes = read_edes(wire[start:position])
    return extended_rcode, edes


# ------------ Records ------------

_RECORD = struct.Struct("!HHIH")
"""A record between its owner and its RDATA: type, class, TTL, the length of the RDATA."""


def _read_record(wire: bytes, position: int, known: Known) -> tuple[Name, int, int, int, int, int]:
    """Owner, type, class and TTL, and where the RDATA start and end."""
    owner, position = read_name(wire, position, len(wire), known)
    start = position + _RECORD.size
    if start > len(wire):
        raise FormError("a record ends too early")
    rdtype, rdclass, ttl, length = _RECORD.unpack_from(wire, position)
    end = start + length
    if end > len(wire):
        raise FormError("the data of a record end too early")
    return owner, rdtype, rdclass, ttl, start, end
