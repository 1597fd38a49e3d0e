"""LDAP: the StartTLS extended operation (RFC 4511 section 4.14)."""

from collections.abc import Generator

from .dialogue import LONGEST_PIECE, Dialogue, Exactly, NonsenseError, Peer, RefusedError, Say, Step

OID = b"1.3.6.1.4.1.1466.20037"

MESSAGE, INTEGER, ENUMERATED = 0x30, 0x02, 0x0A
EXTENDED_REQUEST, EXTENDED_RESPONSE, REQUEST_NAME = 0x77, 0x78, 0x80
"""Tags of BER (RFC 4511 appendix B)."""


def ldap(_: Peer) -> Dialogue:
    """LDAP."""
    request = _element(EXTENDED_REQUEST, _element(REQUEST_NAME, OID))
    yield Say(_element(MESSAGE, _element(INTEGER, b"\x01") + request))
    message = yield from _read(MESSAGE)
    rest = _first(message)[2]  # after the message's number
    tag, response = _first(rest)[:2]
    if tag != EXTENDED_RESPONSE:
        raise NonsenseError(f"it answers with an LDAP message of tag {tag:#x}")
    tag, code = _first(response)[:2]
    if tag != ENUMERATED:
        raise NonsenseError("its LDAP response has no result code")
    if (result := int.from_bytes(code)) != 0:
        raise RefusedError(f"StartTLS is refused with LDAP result code {result}")


def _element(tag: int, contents: bytes) -> bytes:
    """BER, short enough for one octet of length."""
    return bytes((tag, len(contents))) + contents


def _read(tag: int) -> Generator[Step, bytes, bytes]:
    """The contents of the element that comes next."""
    head = yield Exactly(2)
    if head[0] != tag:
        raise NonsenseError("it does not speak LDAP")
    length = head[1]
    if length & 0x80:
        length = int.from_bytes((yield Exactly(length & 0x7F)))
    if length > LONGEST_PIECE:
        raise NonsenseError(f"its LDAP message has {length} octets")
    return (yield Exactly(length))


def _first(data: bytes) -> tuple[int, bytes, bytes]:
    """Tag and contents of the first element, and what follows it."""
    if len(data) < 2:
        raise NonsenseError("its LDAP message ends too early")
    length, start = data[1], 2
    if length & 0x80:
        start = 2 + (length & 0x7F)
        length = int.from_bytes(data[2:start])
    return data[0], data[start : start + length], data[start + length :]
