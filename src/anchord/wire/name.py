"""Reading names out of messages, with compression undone (RFC 1035 section 4.1.4)."""

from typing import TypeAlias

from anchord.model.names import MAX_LABEL, MAX_NAME, Name

from .errors import FormError

Known: TypeAlias = dict[int, Name]
"""The names of one message that pointers have led to so far, by their offset.

It keeps reading linear: each offset is read once, however many pointers lead there.
"""

MAX_POINTERS = 127
"""Pointers followed for one name: as many as a name can have labels (RFC 1035 section 2.3.4)."""

_POINTER = 0xC0


def read_name(
    wire: bytes, position: int, end: int, known: Known | None = None, hops: int = MAX_POINTERS
) -> tuple[Name, int]:
    """The name at `position`, and the offset after it, which is at most `end`.

    `known` belongs to the message that `wire` is. Without it `wire` is RDATA that stand alone,
    where nothing can be pointed to. A pointer must lead to before the labels that it follows, so
    that reading ends whatever the message. Raises FormError.
    """
    stop = position
    octet = 0
    while stop < end and 0 < (octet := wire[stop]) <= MAX_LABEL:
        stop += octet + 1
    if stop >= end:
        raise FormError("a name ends too early")
    if octet == 0:
        after = stop + 1
        name = wire[position:after]
    else:
        after = stop + 2
        if octet < _POINTER or known is None:
            raise FormError("a label of unknown kind")
        if after > end:
            raise FormError("a compression pointer ends too early")
        target = (octet - _POINTER) << 8 | wire[stop + 1]
        if target >= position:
            raise FormError("a compression pointer does not lead backwards")
        if target not in known:
            if not hops:
                raise FormError("a name has more compression pointers than it can have labels")
            known[target], _ = read_name(wire, target, end, known, hops - 1)
        name = wire[position:stop] + known[target]
    if len(name) > MAX_NAME:
        raise FormError("a name is longer than 255 octets")
    return name, after
