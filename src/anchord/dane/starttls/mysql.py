"""MySQL and MariaDB: the SSLRequest packet (their protocol, "Connection Phase")."""

from collections.abc import Generator

from .dialogue import LONGEST_PIECE, Dialogue, Exactly, NonsenseError, Peer, RefusedError, Say, Step

VERSION_10 = 10
CLIENT_SSL, CLIENT_PROTOCOL_41, CLIENT_SECURE_CONNECTION = 0x0800, 0x0200, 0x8000
LARGEST_PACKET = 0x01000000
UTF8 = 33


def mysql(_: Peer) -> Dialogue:
    """MySQL."""
    number, greeting = yield from _packet()
    version_end = greeting.find(b"\0")
    flags_at = version_end + 1 + 4 + 8 + 1  # thread id, scramble, filler
    if greeting[:1] != bytes((VERSION_10,)) or version_end < 0 or len(greeting) < flags_at + 2:
        raise NonsenseError("it does not speak MySQL")
    if not int.from_bytes(greeting[flags_at : flags_at + 2], "little") & CLIENT_SSL:
        raise RefusedError("the server has no TLS")
    flags = CLIENT_SSL | CLIENT_PROTOCOL_41 | CLIENT_SECURE_CONNECTION
    request = flags.to_bytes(4, "little") + LARGEST_PACKET.to_bytes(4, "little") + bytes((UTF8,))
    request = request.ljust(32, b"\0")
    yield Say(len(request).to_bytes(3, "little") + bytes((number + 1 & 0xFF,)) + request)


def _packet() -> Generator[Step, bytes, tuple[int, bytes]]:
    """The number of the packet that comes next, and what it holds."""
    head = yield Exactly(4)
    length = int.from_bytes(head[:3], "little")
    if not 0 < length <= LONGEST_PIECE:
        raise NonsenseError("it does not speak MySQL")
    return head[3], (yield Exactly(length))
