"""A reply of ours as it is some seconds later: the same octets, with lower TTLs.

Only for messages that `reply` wrote: nothing is checked.
"""

from collections.abc import Sequence

from anchord.model import rdtypes

from .message import HEADER


def ttl_offsets(message: bytes) -> tuple[int, ...]:
    """Where the TTLs of the records are; the OPT record has none (RFC 6891 section 6.1.3)."""
    records = sum(int.from_bytes(message[at : at + 2]) for at in (6, 8, 10))
    position = _after_name(message, HEADER) + 4 if message[5] else HEADER
    offsets = []
    for _ in range(records):
        position = _after_name(message, position)
        if int.from_bytes(message[position : position + 2]) != rdtypes.OPT:
            offsets.append(position + 4)
        position += 10 + int.from_bytes(message[position + 8 : position + 10])
    return tuple(offsets)


def older(message: bytes, offsets: Sequence[int], seconds: int) -> bytes:
    """The message with every TTL at these offsets lower by so many seconds, at least 0."""
    aged = bytearray(message)
    for at in offsets:
        ttl = int.from_bytes(message[at : at + 4])
        aged[at : at + 4] = max(0, ttl - seconds).to_bytes(4)
    return bytes(aged)


def _after_name(message: bytes, position: int) -> int:
    while length := message[position]:
        if length >= 0xC0:  # a pointer, RFC 1035 section 4.1.4
            return position + 2
        position += 1 + length
    return position + 1
