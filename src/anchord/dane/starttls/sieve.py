"""ManageSieve: STARTTLS (RFC 5804 section 2.2)."""

from .dialogue import LINE, Dialogue, NonsenseError, Peer, RefusedError, Say, in_words

_ENDS = (b"OK", b"NO", b"BYE")


def sieve(_: Peer) -> Dialogue:
    """ManageSieve."""
    offered = set()
    line = yield LINE
    while not line.upper().startswith(_ENDS):
        offered.add(line.split(b" ")[0].strip().strip(b'"').upper())
        line = yield LINE
    if not line.upper().startswith(b"OK"):
        raise NonsenseError(f"it greets with {in_words(line)!r}")
    if b"STARTTLS" not in offered:
        raise RefusedError("STARTTLS is not offered")
    yield Say(b"STARTTLS\r\n")
    answer = yield LINE
    if not answer.upper().startswith(b"OK"):
        raise RefusedError(f"STARTTLS is refused: {in_words(answer)}")
