"""IMAP: STARTTLS (RFC 9051 section 6.2.1). Untagged lines may come at any time."""

from collections.abc import Generator

from .dialogue import LINE, Dialogue, NonsenseError, Peer, RefusedError, Say, Step, in_words


def imap(_: Peer) -> Dialogue:
    """IMAP."""
    greeting = yield LINE
    if greeting[:5].upper() != b"* OK ":
        raise NonsenseError(f"it greets with {in_words(greeting)!r}")
    answer, untagged = yield from _command(b"a1", b"CAPABILITY")
    if answer != b"OK":
        raise NonsenseError("it does not tell what it can do")
    offered = {word for line in untagged for word in line.upper().split()}
    if b"STARTTLS" not in offered:
        raise RefusedError("STARTTLS is not offered")
    answer, untagged = yield from _command(b"a2", b"STARTTLS")
    if answer != b"OK":
        raise RefusedError("STARTTLS is refused")


def _command(tag: bytes, command: bytes) -> Generator[Step, bytes, tuple[bytes, list[bytes]]]:
    """OK, NO or BAD, and the untagged lines that came before it."""
    yield Say(b"%s %s\r\n" % (tag, command))
    untagged = []
    while (line := (yield LINE))[:2] == b"* ":
        untagged.append(line)
    words = line.split()
    if not words or words[0] != tag:
        raise NonsenseError(f"it answers {in_words(line)!r}")
    return words[1].upper() if len(words) > 1 else b"", untagged
