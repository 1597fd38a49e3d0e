"""SMTP and its kin: STARTTLS (RFC 3207), for mail servers, submission and LMTP (RFC 2033)."""

from collections.abc import Generator

from .dialogue import LINE, Dialogue, NonsenseError, Peer, RefusedError, Say, Step, in_words

MOST_LINES = 128
"""Lines of one reply. Servers have a dozen extensions."""


def smtp(peer: Peer) -> Dialogue:
    """SMTP, also on the submission port."""
    yield from _dialogue(b"EHLO", peer)


def lmtp(peer: Peer) -> Dialogue:
    """LMTP."""
    yield from _dialogue(b"LHLO", peer)


def _dialogue(greeting: bytes, peer: Peer) -> Dialogue:
    code, lines = yield from _reply()
    if code != 220:
        raise NonsenseError(f"it greets with {in_words(lines[0])!r}")
    yield Say(b"%s %s\r\n" % (greeting, peer.me.encode()))
    code, lines = yield from _reply()
    if code != 250:
        raise NonsenseError(f"it answers {greeting.decode()} with {in_words(lines[0])!r}")
    offered = {line[4:].strip().upper() for line in lines[1:]}
    if b"STARTTLS" not in offered:
        raise RefusedError("STARTTLS is not offered")
    yield Say(b"STARTTLS\r\n")
    code, lines = yield from _reply()
    if code != 220:
        raise RefusedError(f"STARTTLS is refused: {in_words(lines[0])}")


def _reply() -> Generator[Step, bytes, tuple[int, list[bytes]]]:
    """The code and the lines of a reply (RFC 5321 section 4.2.1)."""
    lines = []
    while True:
        line = yield LINE
        if not line[:3].isdigit() or line[3:4] not in (b" ", b"-", b"\r", b"\n"):
            raise NonsenseError(f"it does not speak SMTP: {in_words(line)!r}")
        lines.append(line)
        if len(lines) > MOST_LINES:
            raise NonsenseError(f"it says more than {MOST_LINES} lines at once")
        if line[3:4] != b"-":
            return int(line[:3]), lines
