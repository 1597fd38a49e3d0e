"""The one table of the types whose RDATA hold domain names.

It says three things about each such type: where the names stand, whether they are in lower case in
canonical form (RFC 4034 section 6.2 as corrected by RFC 6840 section 5.1: NSEC is not), and
whether they may be compressed on writing (RFC 3597 section 4: only the types of RFC 1035). On
reading, names are decompressed for every type of the table. Types that are not here are opaque:
their RDATA pass through untouched.
"""

from dataclasses import dataclass
from typing import Literal

from anchord.model import rdtypes
from anchord.model.names import Name

from .errors import FormError
from .name import read_name

Field = int | Literal["name", "string", "a6"]
"""A number of octets, a domain name, a character-string, or the odd head of an A6 record."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the RDATA of a type begin; whatever follows the listed fields is opaque."""

    fields: tuple[Field, ...]
    lower_case: bool = True
    compressible: bool = False


_ONE_NAME = Layout(("name",), compressible=True)
_TWO_NAMES = Layout(("name", "name"), compressible=True)
_PREFERENCE_AND_NAME = Layout((2, "name"))

LAYOUTS: dict[int, Layout] = {
    rdtypes.NS: _ONE_NAME,
    3: _ONE_NAME,  # MD
    4: _ONE_NAME,  # MF
    rdtypes.CNAME: _ONE_NAME,
    rdtypes.SOA: _TWO_NAMES,
    7: _ONE_NAME,  # MB
    8: _ONE_NAME,  # MG
    9: _ONE_NAME,  # MR
    rdtypes.PTR: _ONE_NAME,
    14: _TWO_NAMES,  # MINFO
    rdtypes.MX: Layout((2, "name"), compressible=True),
    17: Layout(("name", "name")),  # RP
    18: _PREFERENCE_AND_NAME,  # AFSDB
    21: _PREFERENCE_AND_NAME,  # RT
    24: Layout((18, "name")),  # SIG
    26: Layout((2, "name", "name")),  # PX
    30: Layout(("name",)),  # NXT
    33: Layout((6, "name")),  # SRV
    rdtypes.NAPTR: Layout((4, "string", "string", "string", "name")),
    36: _PREFERENCE_AND_NAME,  # KX
    38: Layout(("a6",)),  # A6
    rdtypes.DNAME: Layout(("name",)),
    rdtypes.RRSIG: Layout((18, "name")),
    rdtypes.NSEC: Layout(("name",), lower_case=False),
}


def split(rdtype: int, message: bytes, start: int, end: int) -> list[bytes | tuple[Name]]:
    """RDATA as pieces: opaque bytes, and names (decompressed) as one-tuples.

    `start` and `end` are offsets into `message`, against which compression pointers are resolved.
    Raises FormError where the RDATA end inside a field.
    """
    layout = LAYOUTS.get(rdtype)
    if layout is None:
        return [message[start:end]]
    pieces: list[bytes | tuple[Name]] = []
    position = start
    for field in layout.fields:
        if field == "name":
            name, position = read_name(message, position, end)
            pieces.append((name,))
            continue
        length = _length(field, message, position, end)
        if position + length > end:
            raise FormError(f"{rdtypes.to_text(rdtype)} record ends too early")
        pieces.append(message[position : position + length])
        position += length
        if field == "a6" and message[start] > 0:  # a prefix has a name
            name, position = read_name(message, position, end)
            pieces.append((name,))
    pieces.append(message[position:end])
    return pieces


def _length(field: Field, message: bytes, position: int, end: int) -> int:
    if isinstance(field, int):
        return field
    if position >= end:
        raise FormError("a record ends too early")
    first = message[position]
    if field == "string":
        return first + 1
    if first > 128:  # bits of an IPv6 prefix, RFC 2874 section 3.1.1
        raise FormError("an A6 record has a prefix longer than 128 bits")
    return 1 + (128 - first + 7) // 8


def decompressed(rdtype: int, message: bytes, start: int, end: int) -> bytes:
    """RDATA with the names in them written out."""
    if rdtype not in LAYOUTS:
        return message[start:end]
    return b"".join(p if isinstance(p, bytes) else p[0] for p in split(rdtype, message, start, end))


def canonical(rdtype: int, rdata: bytes) -> bytes:
    """RDATA, already decompressed, in canonical form (RFC 4034 section 6.2).

    RDATA that do not fit their type are opaque and stay as they are.
    """
    layout = LAYOUTS.get(rdtype)
    if layout is None or not layout.lower_case:
        return rdata
    try:
        pieces = split(rdtype, rdata, 0, len(rdata))
    except FormError:
        return rdata
    return b"".join(p if isinstance(p, bytes) else p[0].lower() for p in pieces)
