"""POP3: STLS (RFC 2595 section 4)."""

from .dialogue import LINE, Dialogue, NonsenseError, Peer, RefusedError, Say, in_words


def pop3(_: Peer) -> Dialogue:
    """POP3."""
    greeting = yield LINE
    if not greeting.startswith(b"+OK"):
        raise NonsenseError(f"it greets with {in_words(greeting)!r}")
    yield Say(b"STLS\r\n")
    answer = yield LINE
    if not answer.startswith(b"+OK"):
        raise RefusedError(f"STLS is refused: {in_words(answer)}")
