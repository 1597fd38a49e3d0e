"""NNTP: STARTTLS (RFC 4642)."""

from .dialogue import LINE, Dialogue, NonsenseError, Peer, RefusedError, Say, in_words


def nntp(_: Peer) -> Dialogue:
    """NNTP."""
    greeting = yield LINE
    if greeting[:3] not in (b"200", b"201"):
        raise NonsenseError(f"it greets with {in_words(greeting)!r}")
    yield Say(b"STARTTLS\r\n")
    answer = yield LINE
    if answer[:3] != b"382":
        raise RefusedError(f"STARTTLS is refused: {in_words(answer)}")
