"""FTP: AUTH TLS (RFC 4217 section 4)."""

from collections.abc import Generator

from .dialogue import LINE, Dialogue, NonsenseError, Peer, RefusedError, Say, Step, in_words


def ftp(_: Peer) -> Dialogue:
    """FTP, the control connection."""
    line = yield from _reply()
    if line[:3] != b"220":
        raise NonsenseError(f"it greets with {in_words(line)!r}")
    yield Say(b"AUTH TLS\r\n")
    line = yield from _reply()
    if line[:3] != b"234":
        raise RefusedError(f"AUTH TLS is refused: {in_words(line)}")


def _reply() -> Generator[Step, bytes, bytes]:
    """The last line of a reply: lines of several end where code and space come again (RFC 959)."""
    line = yield LINE
    code = line[:3]
    while line[:3] != code or line[3:4] == b"-":
        line = yield LINE
    return line
