"""The one table of the types whose RDATA hold domain names.

It says three things about each such type: where the names stand, whether they are in lower case in
canonical form (RFC 4034 section 6.2 as corrected by RFC 6840 section 5.1: NSEC is not), and
whether they may be compressed on writing (RFC 3597 section 4: only the types of RFC 1035). On
reading, names are decompressed for every type of the table. Types that are not here are opaque:
their RDATA pass through untouched. That is also true of A6, which is historic (RFC 6563).
"""

import msgspec

from anchord.model import rdtypes
from anchord.model.names import MAX_LABEL, MAX_NAME

from .errors import FormError
from .name import Known, read_name


class Layout(msgspec.Struct, frozen=True):
    """How the RDATA of a type are built: before each name a head, after the last one a tail.

    `heads` and `tail` are numbers of octets; a `tail` of None is of any length. `strings` is the
    number of character-strings between a head and its name.
    """

    heads: tuple[int, ...]
    tail: int | None = 0
    strings: int = 0
    lower_case: bool = True
    compressible: bool = False


_ONE_NAME = Layout((0,), compressible=True)
_TWO_NAMES = Layout((0, 0), compressible=True)
_PREFERENCE_AND_NAME = Layout((2,))
_SIGNATURE = Layout((18,), tail=None)

LAYOUTS: dict[int, Layout] = {
    rdtypes.NS: _ONE_NAME,
    3: _ONE_NAME,  # MD
    4: _ONE_NAME,  # MF
    rdtypes.CNAME: _ONE_NAME,
    rdtypes.SOA: Layout((0, 0), tail=20, compressible=True),
    7: _ONE_NAME,  # MB
    8: _ONE_NAME,  # MG
    9: _ONE_NAME,  # MR
    rdtypes.PTR: _ONE_NAME,
    14: _TWO_NAMES,  # MINFO
    rdtypes.MX: Layout((2,), compressible=True),
    17: Layout((0, 0)),  # RP
    18: _PREFERENCE_AND_NAME,  # AFSDB
    21: _PREFERENCE_AND_NAME,  # RT
    24: _SIGNATURE,  # SIG
    26: Layout((2, 0)),  # PX
    30: Layout((0,), tail=None),  # NXT
    33: Layout((6,)),  # SRV
    rdtypes.NAPTR: Layout((4,), strings=3),
    36: _PREFERENCE_AND_NAME,  # KX
    rdtypes.DNAME: Layout((0,)),
    rdtypes.RRSIG: _SIGNATURE,
    rdtypes.NSEC: Layout((0,), tail=None, lower_case=False),
}


def split(
    rdtype: int, wire: bytes, start: int, end: int, known: Known | None = None
) -> list[bytes]:
    """RDATA as pieces in turn: opaque, name, opaque, and so on. Names have the odd places.

    `start` and `end` are offsets into `wire`; `known` is as in `read_name`. Raises FormError where
    the RDATA do not fit the type's layout.
    """
    layout = LAYOUTS.get(rdtype)
    if layout is None:
        return [wire[start:end]]
    pieces: list[bytes] = []
    position = start
    for head in layout.heads:
        name_start = position + head
        if layout.strings:
            name_start = _after_strings(wire, name_start, end, layout.strings)
        name, after = read_name(wire, name_start, end, known)
        pieces += wire[position:name_start], name
        position = after
    if layout.tail is not None and end - position != layout.tail:
        raise FormError(f"a record does not have the length of a {rdtypes.to_text(rdtype)}")
    pieces.append(wire[position:end])
    return pieces


def _after_strings(wire: bytes, position: int, end: int, count: int) -> int:
    """The offset after so many character-strings (RFC 1035 section 3.3)."""
    for _ in range(count):
        if position >= end:
            raise FormError("a record ends too early")
        position += wire[position] + 1
    return position


def decompressed(rdtype: int, wire: bytes, start: int, end: int, known: Known) -> bytes:
    """RDATA out of a message, with the names in them written out. Raises FormError.

    They are still no longer than RDATA can be: each name stands in the message once in full.
    """
    if _stands_in_full(LAYOUTS[rdtype], wire, start, end):
        return wire[start:end]
    return b"".join(split(rdtype, wire, start, end, known))


def _stands_in_full(layout: Layout, wire: bytes, start: int, end: int) -> bool:
    """Whether RDATA fit their layout, and no name in them is compressed: most are like that."""
    if layout.strings:
        return False
    position = start
    for head in layout.heads:
        position = name_start = position + head
        while position < end and 0 < wire[position] <= MAX_LABEL:
            position += wire[position] + 1
        if position >= end or wire[position] or position - name_start >= MAX_NAME:
            return False
        position += 1
    return layout.tail is None or end - position == layout.tail


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
    pieces[1::2] = [name.lower() for name in pieces[1::2]]
    return b"".join(pieces)
