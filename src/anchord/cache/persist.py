"""The cache as one file: octets out of what is remembered, and back. Pure: who calls does the I/O.

What is kept is what upstreams have said, as DNS messages, and no verdict: what is read from a file
is hearsay, like a message from the network, and is read by the same reader. The file is

    magic     16 octets, of which the last is the version of all that follows
    checksum  SHA-256 of the rest
    rest      MessagePack: when it was saved, a digest of where the answers came from, the zones
              that were signed when last seen, and the records by kind and question

A file that is anything else is unusable, and `read` says why. Left out: when a record may still be
told, and its proof (`persisted`, `resolver.recall`).
"""

import hashlib
from collections.abc import Iterable, Mapping
from enum import IntEnum

import msgspec
from msgspec.structs import replace

from anchord.model.errors import AnchordError
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.response import Response
from anchord.wire.errors import FormError
from anchord.wire.framing import LONGEST_MESSAGE
from anchord.wire.message import is_truncated, read_response
from anchord.wire.name import read_name
from anchord.wire.reply import write_reply

MAGIC = b"anchord answers"
VERSION = 1
HEAD = len(MAGIC) + 1 + hashlib.sha256().digest_size
"""Octets before the rest."""


class UnusableFileError(AnchordError):
    """The file is not one that this version has written, whole and as it is."""


class Kind(IntEnum):
    """What a record is for. Proofs may be used when their TTLs are over, and are never told."""

    ANSWER = 0
    PROOF = 1


class Heard(msgspec.Struct, frozen=True):
    """What an upstream has said: hearsay with an age.

    The TTLs in `response` are right as of `at`, seconds since 1970; from then on it may be used for
    `life` seconds.
    """

    response: Response
    at: int
    life: int


class _Record(msgspec.Struct, array_like=True, frozen=True):
    at: int
    life: int
    upstream: str
    message: bytes


Records = dict[bytes, msgspec.Raw]
"""Records that nobody has looked into, by `key`."""


class Document(msgspec.Struct, array_like=True, frozen=True):
    """What a file says. Times are in seconds since 1970."""

    saved_at: int
    origin: bytes
    signed: list[bytes]
    records: Records


def key(kind: Kind, question: Question) -> bytes:
    """What stands for a question: the kind, the name, the type."""
    return bytes((kind,)) + question.name + question.rdtype.to_bytes(2)


def name_of(record_key: bytes) -> Name:
    """The name in a key. Raises FormError where there is none."""
    name, end = read_name(record_key, 1, len(record_key))
    if end + 2 != len(record_key):
        raise FormError("what follows a name is no type")
    return name


# ------------ One record ------------


def pack(heard: Heard) -> msgspec.Raw | None:
    """The record; None where it is too long for a message."""
    response = heard.response
    question = response.question
    message = write_reply(
        identifier=0,
        flags=0,
        rcode=response.rcode,
        question_wire=question.name + question.rdtype.to_bytes(2) + b"\0\x01",
        answer=response.answer,
        authority=response.authority,
        edns=None,
        edes=(),
        with_signatures=True,
        limit=LONGEST_MESSAGE,
    )
    if is_truncated(message):
        return None
    record = _Record(heard.at, heard.life, response.upstream, message)
    return msgspec.Raw(_ENCODER.encode(record))


def unpack(record: msgspec.Raw, question: Question) -> Heard | None:
    """What an upstream said to the question; None where the record is malformed."""
    try:
        read = _RECORDS.decode(record)
        response = read_response(read.message, question, read.upstream)
    except (msgspec.DecodeError, FormError):
        return None
    return Heard(response, read.at, read.life)


def lasts_until(record: msgspec.Raw) -> int:
    """The last second since 1970 at which the record may be used; 0 where it is malformed."""
    try:
        read = _RECORDS.decode(record)
    except msgspec.DecodeError:
        return 0
    return read.at + read.life


def heard_earlier(record: msgspec.Raw, seconds: int) -> msgspec.Raw:
    """The same, heard so many seconds earlier. Raises msgspec.DecodeError on a malformed one."""
    read = _RECORDS.decode(record)
    return msgspec.Raw(_ENCODER.encode(replace(read, at=max(0, read.at - seconds))))


# ------------ The file ------------


def write(
    records: Mapping[bytes, msgspec.Raw], signed: Iterable[Name], origin: bytes, saved_at: int
) -> bytes:
    """The file. `origin` stands for the upstreams that the records are from."""
    rest = _ENCODER.encode(Document(saved_at, origin, list(signed), dict(records)))
    return MAGIC + bytes((VERSION,)) + hashlib.sha256(rest).digest() + rest


def read(data: bytes) -> Document:
    """The document in a file. Raises UnusableFileError."""
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        raise UnusableFileError("this is no cache of anchord")
    if data[len(MAGIC) : len(MAGIC) + 1] not in (b"", bytes((VERSION,))):
        raise UnusableFileError("another version of anchord has written this")
    rest = memoryview(data)[HEAD:]
    if hashlib.sha256(rest).digest() != data[len(MAGIC) + 1 : HEAD]:
        raise UnusableFileError("the file is torn, or was changed")
    try:
        return _DOCUMENTS.decode(rest)
    except msgspec.DecodeError as error:
        raise UnusableFileError(f"the file is malformed: {error}") from None


def objection(document: Document, origin: bytes, now: int) -> str:
    """Why a sound document is of no use now, to those who ask the upstreams of `origin`; or "".

    `now` is in seconds since 1970. How old the answers of a file from the future are cannot be
    told; those of other upstreams may be what these have made up, or blocked.
    """
    if document.saved_at > now:
        return "it is from the future: the clock was set back"
    if document.origin != origin:
        return "its answers are those of other upstreams than are configured now"
    return ""


_ENCODER = msgspec.msgpack.Encoder()
_RECORDS = msgspec.msgpack.Decoder(_Record)
_DOCUMENTS = msgspec.msgpack.Decoder(Document)
