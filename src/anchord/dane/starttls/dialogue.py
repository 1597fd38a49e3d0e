"""What every STARTTLS dialogue is made of: what is said, what is waited for, and how it can end.

A dialogue is a generator that yields what it does and is sent the octets that it waits for. It does
no I/O, so that it can be tried without a socket; `run` says how it goes on with what has come in.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeAlias

from anchord.model.errors import AnchordError

LONGEST_PIECE = 8192
"""Octets of a line, or of whatever else is waited for. SMTP's lines have 512, the others' may be
longer; a MySQL greeting and a sieve capability stay far below."""

MOST_OCTETS = 65_536
"""Octets that a peer may say in clear before the handshake: some hundred lines of capabilities."""


@dataclass(frozen=True, slots=True)
class Say:
    """Octets for the peer."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Until:
    """Wait for octets up to and with these."""

    end: bytes


@dataclass(frozen=True, slots=True)
class Exactly:
    """Wait for so many octets."""

    count: int


Step: TypeAlias = Say | Until | Exactly
Dialogue: TypeAlias = Generator[Step, bytes, None]

LINE = Until(b"\n")


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom a dialogue talks to: the `domain` of the service, and `me`, what we call ourselves."""

    domain: str
    me: str = "localhost"


class RefusedError(AnchordError):
    """The peer speaks the protocol, but does not offer STARTTLS or refuses it."""


class NonsenseError(AnchordError):
    """The peer does not keep to the protocol, so that nothing can be said about it."""


class Conversation:
    """A dialogue that goes on whenever octets come in.

    `received` takes them and returns what is to be sent; the dialogue is over when `is_over` says
    so. Octets that came after the go-ahead were never under TLS: an attacker could have put them
    there, so that they are an error (RFC 3207 section 4.2 and its kin).
    """

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._buffer = bytearray()
        self._searched = 0
        self._total = 0
        self._wanted: Until | Exactly | None = None
        self.is_over = False

    def begin(self) -> bytes:
        """What is to be said first, if anything."""
        return self._go_on(None)

    def received(self, data: bytes) -> bytes:
        """What is to be said to that. Raises RefusedError, NonsenseError."""
        self._buffer += data
        self._total += len(data)
        if self._total > MOST_OCTETS:
            raise NonsenseError(f"it says more than {MOST_OCTETS} octets before TLS")
        said = b""
        while not self.is_over and (piece := self._piece()) is not None:
            said += self._go_on(piece)
        if self.is_over and self._buffer:
            raise NonsenseError("it says something in clear after agreeing to TLS")
        return said

    def _piece(self) -> bytes | None:
        """What is waited for, taken out of the buffer, once all of it is there."""
        if isinstance(self._wanted, Exactly):
            end = self._wanted.count
            is_there = len(self._buffer) >= end
        else:
            assert self._wanted is not None
            mark = self._wanted.end
            found = self._buffer.find(mark, max(0, self._searched - len(mark)))
            self._searched = len(self._buffer)
            end, is_there = found + len(mark), found >= 0
        if (end if is_there else len(self._buffer)) > LONGEST_PIECE:
            raise NonsenseError(f"it says more than {LONGEST_PIECE} octets at once")
        if not is_there:
            return None
        piece = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._searched = 0
        return piece

    def _go_on(self, piece: bytes | None) -> bytes:
        said = b""
        try:
            step = next(self._dialogue) if piece is None else self._dialogue.send(piece)
            while isinstance(step, Say):
                said += step.data
                step = next(self._dialogue)
            self._wanted = step
        except StopIteration:
            self.is_over = True
        return said


def in_words(line: bytes) -> str:
    """A line of the peer's, made harmless and short enough to be shown."""
    text = line.decode("utf-8", "replace").strip()
    return "".join(c for c in text if c.isprintable())[:80]
