"""Replies of hostile zones: as much as a message holds, with pointers wherever they save room."""

import struct
from collections.abc import Callable, Iterable, Sequence

from anchord.lab.sign import sign_rrset
from anchord.lab.zones import Zone
from anchord.model import names, rdtypes
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.response import RRset

from . import messages
from .judging import DAY, WINDOW
from .lab import NOW
from .messages import TO_QUESTION, record

LONGEST = 65535
"""Octets of a message."""

RDATA_AT = 12
"""Where the RDATA of a record begins whose owner is a pointer."""

FIRST_RECORD = 16
"""Where the first record stands, not counting the question's name."""

ED25519 = 15
EXPIRED = (NOW - 2 * DAY, NOW - DAY)
BACKWARDS = (NOW - DAY, NOW - 2 * DAY)
"""Inception and expiration of signatures that are over, and of such as never were in force."""

ALL_TYPES = b"".join(bytes((window, 32)) + b"\xff" * 32 for window in range(256))
"""The bitmap of an NSEC record that claims all types there are: 8,704 octets."""

NS_ONLY = b"\0\1\x20"
"""The bitmap of a delegation without DS."""

LONG: Name = b"\x01\x02" * 118 + names.from_text("z.lab.")
"""A name of 120 labels."""


def message(
    asked: Question,
    answer: Iterable[bytes] = (),
    authority: Iterable[bytes] = (),
    additional: Iterable[bytes] = (),
) -> bytes:
    """A reply to this question."""
    wire = messages.reply(
        *answer,
        authority=tuple(authority),
        additional=(*additional, messages.opt(ttl=0x8000)),
        asked=messages.question(asked.name, asked.rdtype),
    )
    assert len(wire) <= LONGEST
    return wire


def filled(
    asked: Question,
    make: Callable[[int], bytes],
    beside: Sequence[bytes] = (),
    *,
    spare: int = 0,
    most: int = LONGEST,
) -> list[bytes]:
    """As many records as fit into a reply beside those, or `most`."""
    room = LONGEST - spare - len(message(asked, beside))
    made: list[bytes] = []
    while len(made) < most and len(one := make(len(made))) <= room:
        made.append(one)
        room -= len(one)
    return made


def pointer(at: int) -> bytes:
    """A compression pointer."""
    return (0xC000 | at).to_bytes(2)


def within(asked: Question, name: Name) -> bytes:
    """A pointer to a name at or above that of the question."""
    assert asked.name.endswith(name)
    return pointer(12 + len(asked.name) - len(name))


def address(owner: bytes = TO_QUESTION, number: int = 0xC0000201) -> bytes:
    """An A record."""
    return record(owner, rdtypes.A, number.to_bytes(4))


def alias(owner: bytes, target: bytes) -> bytes:
    """A CNAME record."""
    return record(owner, rdtypes.CNAME, target)


def nsec(owner: bytes, following: bytes, types: bytes = b"\0\1\x40") -> bytes:
    """An NSEC record; unless told, of a name with an A record."""
    return record(owner, rdtypes.NSEC, following + types)


def rrsig(
    owner: bytes,
    covered: int,
    signer: bytes,
    labels: int,
    tag: int = 7,
    window: tuple[int, int] = (NOW - DAY, NOW + DAY),
) -> bytes:
    """An RRSIG record by Ed25519, without a signature: dear to look at, cheap to send."""
    begins, ends = window
    head = struct.pack("!HBBIIIH", covered, ED25519, labels, 300, ends, begins, tag)
    return record(owner, rdtypes.RRSIG, head + signer)


def signature(zone: Zone, rrset: RRset, *, is_by_key_signer: bool = False) -> bytes:
    """The RRSIG record of a set at the question's name, made as it should be."""
    key = (zone.key_signers if is_by_key_signer else zone.zone_signers)[0]
    return record(TO_QUESTION, rdtypes.RRSIG, sign_rrset(rrset, key, zone.apex, WINDOW))


def signed(
    zone: Zone, asked: Question, rdatas: Iterable[bytes], *, rdtype: int | None = None
) -> list[bytes]:
    """The records of a set at the question's name, and its RRSIG record."""
    rrset = RRset(asked.name, asked.rdtype if rdtype is None else rdtype, 300, tuple(rdatas))
    by_key_signer = rrset.rdtype == rdtypes.DNSKEY
    records = [record(TO_QUESTION, rrset.rdtype, rdata) for rdata in rrset.rdatas]
    return [*records, signature(zone, rrset, is_by_key_signer=by_key_signer)]


def key_of_one_tag(number: int, flags: int) -> bytes:
    """The RDATA of a DNSKEY record: whatever the number is, the key tag is the same."""
    words = struct.pack("!HH", 0x1000 + number, 0xD000 - number)
    return flags.to_bytes(2) + bytes((3, ED25519)) + words


def key_of_any_tag(number: int, flags: int) -> bytes:
    """The RDATA of a DNSKEY record."""
    return flags.to_bytes(2) + bytes((3, ED25519)) + (7 * number).to_bytes(4)
