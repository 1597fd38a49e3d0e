"""What every transport with connections must be able to do: carry queries and replies.

A carrier speaks one protocol over one connection and nothing else: it does not know who waits,
what belongs to which question, or how long is too long. That is for `connection` and `shared`, so
that DoT, DoH and DoQ share all of it.
"""

from typing import NamedTuple, Protocol

from anchord.model.errors import AnchordError
from anchord.net.ended import PeerError
from anchord.net.identity import TlsError

from .base import Kind


class Fault(NamedTuple):
    """Why there is no reply.

    `is_unprocessed` where the server has done nothing with the query, so that it may be asked
    again elsewhere (RFC 9113 section 8.7, RFC 9114 section 4.1.1); `is_unsent` where it was never
    sent, which was no attempt.
    """

    kind: Kind
    cause: str
    remedy: str = ""
    is_unprocessed: bool = False
    is_unsent: bool = False


class EndedError(AnchordError):
    """Nothing more will come over a connection; `fault` says why."""

    exit_status = 3

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(fault.cause, remedy=fault.remedy)


CLOSED = Fault(Kind.CLOSED, "the connection was closed before the reply")
"""An orderly end, too early."""


def ended(error: PeerError | TlsError) -> EndedError:
    """What the end of a connection of HTTP or QUIC means to whoever waits for replies."""
    if isinstance(error, TlsError):
        kind, is_unprocessed = Kind.TLS, False
    else:
        kind = Kind.MALFORMED if error.is_breach else Kind.CLOSED
        is_unprocessed = error.is_unprocessed
    return EndedError(Fault(kind, error.problem, error.remedy, is_unprocessed))


class Carrier(Protocol):
    """Queries and replies over one connection, which it owns."""

    @property
    def answers_once(self) -> bool:
        """Whether each query has a stream of its own: what comes on it is all that will come."""

    @property
    def is_resumed(self) -> bool:
        """Whether an earlier TLS session was taken up. Known once the first reply is there."""

    @property
    def took_early_data(self) -> bool:
        """Whether the peer has read what came in the first flight (0-RTT). Known as that is."""

    @property
    def is_open(self) -> bool:
        """Whether the peer takes more queries. It may still answer those that it has."""

    @property
    def is_running_out(self) -> bool:
        """Whether the peer takes few more: another connection should be opened meanwhile."""

    @property
    def keepalive(self) -> float | None:
        """Seconds that the server says it keeps an idle connection, where it does.

        By RFC 7828, or by the transport (RFC 9000 section 10.1).
        """

    @property
    def has_unsent(self) -> bool:
        """Whether `send` has to be called."""

    def post(self, query: bytes) -> int:
        """Queues a query with the id 0; returns the number under which its reply will come."""

    def forget(self, number: int) -> None:
        """Nobody waits under this number any more: the reply is there, or no longer wanted."""

    async def send(self) -> None:
        """Sends what is queued. Raises OSError."""

    async def receive(self) -> list[tuple[int, bytes | Fault]]:
        """What came next, which may be nothing yet. Loses nothing when cancelled.

        Messages are at least a header. Raises EndedError and OSError.
        """

    def acknowledge(self) -> None:
        """Has what came in acknowledged now, where that can be told apart. Raises OSError."""

    def close(self) -> None:
        """Ends the connection at once, with the protocol's farewell."""
