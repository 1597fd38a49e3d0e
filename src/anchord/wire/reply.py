"""Writing replies: records in, bytes out, names compressed where RFC 3597 allows it."""

from collections.abc import Iterable, Sequence

from anchord.model import rdtypes
from anchord.model.ede import Ede
from anchord.model.names import ROOT, Name
from anchord.model.response import RRset

from .embedded import LAYOUTS, split
from .errors import FormError
from .message import HEADER, QR, RA, TC
from .options import Edns, write_ede, write_opt

LONGEST_POINTER = 0x4000
"""Offsets from here on cannot be pointed at (RFC 1035 section 4.1.4)."""


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
    """A reply of at most `limit` octets.

    `flags` are those of the header without QR, RA and the code. Where everything does not fit,
    the texts of the Extended DNS Errors go first, then all of them but the first, then that one;
    only where the records themselves do not fit, they go and TC is set. `edns` is the client's;
    without it there is no OPT record and so no Extended DNS Error. `options` are further EDNS
    options, in wire form, that stay whatever goes.
    """
    body, counts = _write_sections(question_wire, answer, authority, with_signatures)
    opts = _opts(edns, edes, rcode, options)
    for opt in opts:
        if HEADER + len(body) + len(opt) <= limit:
            break
    else:
        body, counts, flags = question_wire, (0, 0), flags | TC
        opt = next((opt for opt in opts if HEADER + len(body) + len(opt) <= limit), opts[-1])
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


def _opts(edns: Edns | None, edes: Sequence[Ede], rcode: int, options: bytes) -> list[bytes]:
    """The OPT record in shorter and shorter forms; the last holds no Extended DNS Error."""
    if edns is None:
        return [b""]
    forms = [b"".join(map(write_ede, edes))]
    if edes:
        forms.append(b"".join(write_ede(ede, with_text=False) for ede in edes))
        forms.append(write_ede(edes[0], with_text=False))
        forms.append(b"")
    return [
        write_opt(
            dnssec_ok=edns.dnssec_ok,
            compact_ok=edns.compact_ok,  # RFC 9824 section 5.1
            extended_rcode=rcode >> 4,
            options=options + form,
        )
        for form in forms
    ]


def _write_sections(
    question_wire: bytes, answer: Iterable[RRset], authority: Iterable[RRset], with_signatures: bool
) -> tuple[bytes, tuple[int, int]]:
    writer = _Writer(question_wire)
    counts = []
    for section in (answer, authority):
        count = 0
        for rrset in section:
            count += writer.rrset(rrset, with_signatures)
        counts.append(count)
    return bytes(writer.body), (counts[0], counts[1])


class _Writer:
    """The part of a message after its header, as it grows."""

    def __init__(self, question_wire: bytes) -> None:
        self.body = bytearray()
        self._offsets: dict[Name, int] = {}
        if question_wire:
            self._name(question_wire[:-4])
            self.body += question_wire[-4:]

    def rrset(self, rrset: RRset, with_signatures: bool) -> int:
        """Appends the records, and the RRSIGs where wanted; returns how many they are."""
        for rdata in rrset.rdatas:
            self._record(rrset.spelling, rrset.rdtype, rrset.ttl, rdata)
        if not with_signatures:
            return len(rrset.rdatas)
        for signature in rrset.signatures:
            self._record(rrset.spelling, rdtypes.RRSIG, rrset.ttl, signature)
        return len(rrset.rdatas) + len(rrset.signatures)

    def _record(self, owner: Name, rdtype: int, ttl: int, rdata: bytes) -> None:
        self._name(owner)
        self.body += rdtype.to_bytes(2) + b"\0\x01" + ttl.to_bytes(4)
        layout = LAYOUTS.get(rdtype)
        if layout is None or not layout.compressible:
            self.body += len(rdata).to_bytes(2) + rdata
            return
        length_at = len(self.body)
        self.body += b"\0\0"
        try:
            pieces = split(rdtype, rdata, 0, len(rdata))
        except FormError:
            pieces = [rdata]
        for piece in pieces:
            if isinstance(piece, bytes):
                self.body += piece
            else:
                self._name(piece[0])
        self.body[length_at : length_at + 2] = (len(self.body) - length_at - 2).to_bytes(2)

    def _name(self, name: Name) -> None:
        """Appends a name, as a pointer where its end was written before in the same spelling.

        The spelling of an owner that equals the question's is the question's (as every server
        does it), since the key is in lower case.
        """
        position = 0
        while (rest := name[position:]) != ROOT:
            key = rest.lower()
            offset = self._offsets.get(key)
            if offset is not None:
                self.body += (0xC000 | offset).to_bytes(2)
                return
            here = HEADER + len(self.body)
            if here < LONGEST_POINTER:
                self._offsets[key] = here
            label = rest[: rest[0] + 1]
            self.body += label
            position += len(label)
        self.body += ROOT
