"""Does this message answer that query? By id, question and kind (RFC 5452 section 9.1).

The source is the transport's to check.
"""

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


def is_error_without_question(message: bytes) -> bool:
    """Whether a message of at least a header is what some servers make of a query they dislike."""
    return (
        message[2] & _QR_AND_OPCODE == _RESPONSE_TO_QUERY
        and message[4:6] == b"\0\0"
        and bool(message[3] & _RCODE)
    )
