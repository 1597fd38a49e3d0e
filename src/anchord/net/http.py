"""What HTTP/2 and HTTP/3 have in common for a client that posts small things and reads small ones.

A connection carries requests, each under a number that it gives out, and tells for each what came
of it: an answer, or a failure. It knows no redirects, no cookies and no caches.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from .ended import breach

LONGEST_BODY = 65535
"""Octets of an answer's body: a DNS message cannot be longer."""

LONGEST_HEAD = 65536
"""Octets that an answer's header fields and frames may add to its body."""

FRAMES_PER_ANSWER = 256
"""Frames that a peer may send for each request and answer. Honest ones send three or four, and a
few more when the connection begins; a flood of settings, pings or resets is cut off here."""

Headers: TypeAlias = Sequence[tuple[bytes, bytes]]
"""Header fields, the pseudo-header fields first, all names in lower case."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered to request `number`. `media_type` is its content-type as it came."""

    number: int
    status: int
    media_type: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """Request `number` gets no answer.

    `is_unprocessed` where the server says that it did nothing, `is_unsent` where it never got it.
    """

    number: int
    problem: str
    is_unprocessed: bool = False
    is_unsent: bool = False


class HttpConnection(Protocol):
    """One connection to an HTTP server, open from the start. It owns the channel below."""

    @property
    def is_resumed(self) -> bool:
        """Whether an earlier TLS session was taken up."""

    @property
    def took_early_data(self) -> bool:
        """Whether the server has read what came in the first flight (0-RTT)."""

    @property
    def keepalive(self) -> float | None:
        """Seconds that the server says it keeps an idle connection, where it does."""

    @property
    def is_open(self) -> bool:
        """Whether requests may still begin."""

    @property
    def is_running_out(self) -> bool:
        """Whether few more may: it is time for another connection."""

    @property
    def has_unsent(self) -> bool:
        """Whether `send` has to be called."""

    def request(self, headers: Headers, body: bytes) -> int:
        """Queues a request, which begins as soon as the server lets it; returns its number."""

    def cancel(self, number: int) -> None:
        """The answer is no longer wanted. Does nothing where it has come, or the end."""

    async def send(self) -> None:
        """Sends what is queued. Raises OSError."""

    async def receive(self) -> list[Answer | Failure] | None:
        """What has come, which may be nothing that counts; None at the end.

        Loses nothing when cancelled. Raises PeerError and OSError.
        """

    def acknowledge(self) -> None:
        """As a channel does."""

    def close(self) -> None:
        """Says farewell and ends."""


@dataclass(slots=True)
class Incoming:
    """An answer that is coming in. `number` is the request's."""

    number: int
    status: int = 0
    media_type: bytes = b""
    body: bytearray = field(default_factory=bytearray)

    def begin(self, headers: Headers) -> None:
        """Takes the header fields of an answer, but not interim ones and trailers.

        A repeated field counts once. Raises PeerError where the status is none.
        """
        if self.status:
            return
        fields = dict(reversed(headers))
        status = fields.get(b":status", b"")
        if len(status) != 3 or not status.isdigit():
            raise breach("HTTP", "an answer without a status")
        if not status.startswith(b"1"):
            self.status = int(status)
            self.media_type = fields.get(b"content-type", b"")

    def whole(self) -> Answer | Failure:
        """The answer, its stream being at its end."""
        if not self.status:
            return Failure(self.number, "the server ended an answer before it began")
        return Answer(self.number, self.status, self.media_type, bytes(self.body))
