"""Writing replies: records in, bytes out, names compressed where RFC 3597 allows it."""

from collections.abc import Iterable, Iterator, Sequence

from anchord.model import rdtypes
from anchord.model.ede import Ede
from anchord.model.names import ROOT, Name
from anchord.model.response import RRset

from .embedded import LAYOUTS, split
from .errors import FormError
from .message import HEADER, QR, RA, TC
from .options import MOST_EDES, Edns, write_ede, write_opt

LONGEST_POINTER = 0x4000
"""Offsets from here on cannot be pointed at (RFC 1035 section 4.1.4)."""

MOST_POINTERS = 8
"""Pointers that a reader must follow for one name: Go's resolver refuses 11, dnspython 17."""


def write_reply(
    *,
    identifier: int,
    flags: int,
    rcode: int,
    question_wire: bytes,
    answer: Iterable[RRset],
    authority: Iterable[RRset],
    edns: Edns | None,
    edes: Sequence[Ede],
    with_signatures: bool,
    limit: int,
    options: bytes = b"",
) -> bytes:
    """A reply of at most `limit` octets, which are 512 or more.

    `flags` are those of the header without QR, RA and the code, but with the opcode. At most three
    Extended DNS Errors are told. Where everything does not fit, their texts go first, then all of
    them but the first, then that one, with TC (RFC 8914 section 3); only where the records do not
    fit without them, these go, with TC as well. `edns` is the client's; without it there is no OPT
    record and so no Extended DNS Error.
    `options` are further EDNS options, in wire form, that stay whatever goes.
    """
    room = limit - HEADER
    body, counts = _write_sections(question_wire, answer, authority, with_signatures, room)
    opt, is_told = _longest_opt(edns, edes, rcode, options, room - len(body))
    if len(body) + len(opt) > room:
        body, counts, is_told = question_wire, (0, 0), False
        opt, _ = _longest_opt(edns, edes, rcode, options, room - len(body))
    if not is_told:
        flags |= TC
    return (
        identifier.to_bytes(2)
        + (QR | RA | flags | rcode & 0xF).to_bytes(2)
        + (b"\0\x01" if question_wire else b"\0\0")
        + counts[0].to_bytes(2)
        + counts[1].to_bytes(2)
        + (b"\0\x01" if opt else b"\0\0")
        + body
        + opt
    )


def _longest_opt(
    edns: Edns | None, edes: Sequence[Ede], rcode: int, options: bytes, room: int
) -> tuple[bytes, bool]:
    """The OPT record with as much of the Extended DNS Errors as there is room for.

    And whether the first of them, which matters most, is among it.
    """
    if edns is None:
        return b"", True
    opt = errors = b""
    for errors in _shorter_and_shorter(edes[:MOST_EDES]):
        opt = write_opt(
            dnssec_ok=edns.dnssec_ok,
            compact_ok=edns.compact_ok,  # RFC 9824 section 5.1
            extended_rcode=rcode >> 4,
            options=options + errors,
        )
        if len(opt) <= room:
            break
    return opt, bool(errors) or not edes


def _shorter_and_shorter(edes: Sequence[Ede]) -> Iterator[bytes]:
    if edes:
        yield b"".join(map(write_ede, edes))
        yield b"".join(write_ede(ede, with_text=False) for ede in edes)
        yield write_ede(edes[0], with_text=False)
    yield b""


def _write_sections(
    question_wire: bytes,
    answer: Iterable[RRset],
    authority: Iterable[RRset],
    with_signatures: bool,
    room: int,
) -> tuple[bytes, tuple[int, int]]:
    """The question and the records, and how many either section has.

    What is too long for `room` octets goes, whatever would follow, and that may be thousands of
    records: so it ends with the record that shows it.
    """
    writer = _Writer(question_wire)
    counts = [0, 0]
    for number, section in enumerate((answer, authority)):
        for rrset, rdtype, rdata in _records(section, with_signatures):
            if len(writer.body) > room:
                return bytes(writer.body), (0, 0)
            writer.record(rrset.spelling, rdtype, rrset.ttl, rdata)
            counts[number] += 1
    return bytes(writer.body), (counts[0], counts[1])


def _records(section: Iterable[RRset], with_signatures: bool) -> Iterator[tuple[RRset, int, bytes]]:
    """Type and RDATA of each record beside its RRset, and of the RRSIGs where wanted."""
    for rrset in section:
        for rdata in rrset.rdatas:
            yield rrset, rrset.rdtype, rdata
        if with_signatures:
            for signature in rrset.signatures:
                yield rrset, rdtypes.RRSIG, signature


class _Writer:
    """The part of a message after its header, as it grows."""

    def __init__(self, question_wire: bytes) -> None:
        self.body = bytearray()
        self._offsets: dict[Name, int] = {}
        self._pointers: dict[int, int] = {}
        """How many pointers the name at an offset needs, where it needs any."""
        if question_wire:
            self._name(question_wire[:-4])
            self.body += question_wire[-4:]

    def record(self, owner: Name, rdtype: int, ttl: int, rdata: bytes) -> None:
        """Appends a record; an RRSIG has the TTL of what it covers (RFC 4034 section 3)."""
        self._name(owner)
        self.body += rdtype.to_bytes(2) + b"\0\x01" + ttl.to_bytes(4)
        layout = LAYOUTS.get(rdtype)
        if layout is None or not layout.compressible:
            self.body += len(rdata).to_bytes(2) + rdata
            return
        length_at = len(self.body)
        self.body += b"\0\0"
        self._compressed(rdtype, rdata)
        self.body[length_at : length_at + 2] = (len(self.body) - length_at - 2).to_bytes(2)

    def _compressed(self, rdtype: int, rdata: bytes) -> None:
        """Appends RDATA with the names in them compressed; as they are if they do not fit."""
        try:
            pieces = split(rdtype, rdata, 0, len(rdata))
        except FormError:
            pieces = [rdata]
        for place, piece in enumerate(pieces):
            if place % 2:
                self._name(piece)
            else:
                self.body += piece

    def _name(self, name: Name) -> None:
        """Appends a name, as a pointer from where its rest was written before, in any spelling.

        So the owner that was asked for appears as the client spelt it, and every answer to a query
        in mixed case repeats it (as is common, and as RFC 4343 section 4 permits).
        """
        key = name.lower()
        position = 0
        while length := key[position]:
            rest = key[position:]
            offset = self._offsets.get(rest)
            if offset is not None and (used := self._pointers.get(offset, 0)) < MOST_POINTERS:
                if position:
                    self._count_pointers(key[:position], used + 1)
                self.body += (0xC000 | offset).to_bytes(2)
                return
            here = HEADER + len(self.body)
            if here < LONGEST_POINTER:
                self._offsets[rest] = here
            following = position + length + 1
            self.body += name[position:following]
            position = following
        self.body += ROOT

    def _count_pointers(self, labels: bytes, pointers: int) -> None:
        """Notes what a reader needs who begins at one of the labels that were written last."""
        begin = HEADER + len(self.body) - len(labels)
        position = 0
        while position < len(labels):
            self._pointers[begin + position] = pointers
            position += labels[position] + 1
