"""Messages put together by hand, octet by octet, right or wrong."""

import struct

from anchord.model import names, rdtypes
from anchord.model.names import Name
from anchord.model.question import Question

WWW: Name = names.from_text("www.example.com")
QUESTION = Question(WWW, rdtypes.A)
TO_QUESTION: Name = b"\xc0\x0c"
"""A pointer to the question's name."""


def question(name: bytes = WWW, rdtype: int = rdtypes.A, rdclass: int = rdtypes.IN) -> bytes:
    """An entry of the question section."""
    return name + struct.pack("!HH", rdtype, rdclass)


def record(
    owner: bytes, rdtype: int, rdata: bytes, *, ttl: int = 300, rdclass: int = rdtypes.IN
) -> bytes:
    """A record; `owner` may be a pointer."""
    return owner + struct.pack("!HHIH", rdtype, rdclass, ttl, len(rdata)) + rdata


def opt(options: bytes = b"", *, payload: int = 1232, ttl: int = 0, owner: bytes = b"\0") -> bytes:
    """An OPT record; `ttl` holds extended code, version and flags."""
    return record(owner, rdtypes.OPT, options, ttl=ttl, rdclass=payload)


def query(
    *additional: bytes,
    flags: int = 0x0100,
    asked: bytes | None = None,
    questions: int = 1,
    answer: tuple[bytes, ...] = (),
    authority: tuple[bytes, ...] = (),
) -> bytes:
    """A query with id 4711, RD set, for the A records of www.example.com unless told else."""
    counts = questions, len(answer), len(authority), len(additional)
    body = question() if asked is None else asked
    return (
        struct.pack("!6H", 4711, flags, *counts) + body + b"".join(answer + authority + additional)
    )


def reply(
    *answer: bytes,
    authority: tuple[bytes, ...] = (),
    additional: tuple[bytes, ...] = (),
    flags: int = 0x8180,
    asked: bytes | None = None,
    questions: int = 1,
) -> bytes:
    """A response with id 4711, RD and RA set, to the question of `query`."""
    return query(
        *additional,
        flags=flags,
        asked=asked,
        questions=questions,
        answer=answer,
        authority=authority,
    )
