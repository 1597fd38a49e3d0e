"""Answers as octets, which is how they are kept.

An answer is some thirty objects, each with the allocator's own overhead; as MessagePack it is a
few hundred octets in one piece, made and read back within a microsecond. Two things stay as they
are: the question, which is the key of the store, and the links of the chain of trust, which all
answers below a zone share.
"""

import msgspec

from anchord.model.chain import Link
from anchord.model.ede import Ede
from anchord.model.question import Question
from anchord.model.verdict import Answer, Checked, Flaw, Status, Verdict


class _Rest(msgspec.Struct, array_like=True):
    """What there is of an answer beside its question and its chain."""

    rcode: int
    answer: tuple[Checked, ...]
    authority: tuple[Checked, ...]
    status: Status
    flaws: tuple[Flaw, ...]
    ttl: int
    edes: tuple[Ede, ...]
    nxname: bool
    upstream: str
    valid_until: int


def pack(answer: Answer) -> bytes:
    """The answer without its question and its chain."""
    rest = _Rest(
        answer.rcode,
        answer.answer,
        answer.authority,
        answer.verdict.status,
        answer.verdict.flaws,
        answer.ttl,
        answer.edes,
        answer.nxname,
        answer.upstream,
        answer.valid_until,
    )
    return bytes(memoryview(_ENCODER.encode(rest)))  # a copy: the encoder's has room to spare


def unpack(octets: bytes, question: Question, chain: tuple[Link, ...]) -> Answer:
    """The answer that was packed, with its question and its chain."""
    rest = _DECODER.decode(octets)
    return Answer(
        question,
        rest.rcode,
        rest.answer,
        rest.authority,
        Verdict(rest.status, rest.flaws, chain),
        rest.ttl,
        rest.edes,
        rest.nxname,
        rest.upstream,
        rest.valid_until,
    )


def _plain(value: object) -> object:
    """A name or a time out of the configuration, which has types of its own for them."""
    if isinstance(value, bytes):
        return bytes(value)
    if isinstance(value, int):
        return int(value)
    raise NotImplementedError(f"no part of an answer: {type(value).__name__}")


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_plain)
_DECODER = msgspec.msgpack.Decoder(_Rest)
