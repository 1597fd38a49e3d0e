"""Does this message answer that query? By id, question and kind (RFC 5452 section 9.1).

The source is the transport's to check. Over UDP the question is spelt at random, and a reply has to
spell it in the same way ("0x20", draft-vixie-dnsext-dns0x20): that is a bit for each letter which a
forger has to guess beside port and id.
"""

import string

from anchord.model.rcodes import FORMERR
from anchord.wire.message import HEADER

_QR_AND_OPCODE = 0xF8
_RESPONSE_TO_QUERY = 0x80
_RCODE = 0x0F


def with_id(query: bytes, identifier: int) -> bytes:
    """The query under another id."""
    return identifier.to_bytes(2) + query[2:]


def question_of(query: bytes) -> bytes:
    """The question section of a well-formed query: name, type and class."""
    position = HEADER
    while length := query[position]:
        position += length + 1
    return query[HEADER : position + 5]


def repeats_question(message: bytes, question: bytes) -> bool:
    """Whether a message of at least a header is a response to exactly this question.

    Letters of the name may differ in case (RFC 4343); type and class, whose octets can look like
    letters, may not.
    """
    if message[2] & _QR_AND_OPCODE != _RESPONSE_TO_QUERY or message[4:6] != b"\0\x01":
        return False
    repeated = message[HEADER : HEADER + len(question)]
    return repeated == question or (
        repeated[-4:] == question[-4:] and repeated[:-4].lower() == question[:-4].lower()
    )


def spelt(query: bytes, chance: int) -> bytes:
    """The query with the letters of its question turned, each as a bit of `chance` says.

    `chance` has a bit for each octet of the name.
    """
    spelling = bytearray(query)
    for position in range(HEADER, HEADER + len(question_of(query)) - 4):
        if chance & 1 and query[position] in _LETTERS:  # lengths of labels are below all letters
            spelling[position] ^= _CASE
        chance >>= 1
    return bytes(spelling)


_LETTERS = frozenset(string.ascii_letters.encode())
_CASE = 0x20


def spells(message: bytes, question: bytes) -> bool:
    """Whether a message of at least a header has this very question, letter by letter."""
    return message.startswith(question, HEADER)


def with_question(message: bytes, question: bytes) -> bytes:
    """The message, which repeats the question, with the question's own spelling.

    Names in it that are pointers to the question are spelt so, too.
    """
    return message[:HEADER] + question + message[HEADER + len(question) :]


def is_error_without_question(message: bytes) -> bool:
    """Whether a message of at least a header is what some servers make of a query they dislike."""
    return (
        message[2] & _QR_AND_OPCODE == _RESPONSE_TO_QUERY
        and message[4:6] == b"\0\0"
        and bool(message[3] & _RCODE)
    )


def is_format_error(message: bytes) -> bool:
    """Whether a message of at least a header finds fault with the form of the query."""
    return message[3] & _RCODE == FORMERR
