"""DNS over QUIC (RFC 9250): each query on a stream of its own, behind its length, with the id 0.

The RFC asks to end the connection for nearly everything that a server may do wrong (section
4.3.3), and so this does: what was asked over it is asked once more over a fresh one.
"""

from anchord.net.ended import PeerError
from anchord.net.identity import TlsError
from anchord.net.quic import QuicChannel
from anchord.net.quic_events import Cut, Event, Piece
from anchord.wire.framing import LONGEST_MESSAGE, frame
from anchord.wire.message import HEADER, find_option
from anchord.wire.options import OPTION_KEEPALIVE

from .base import Kind
from .carrier import CLOSED, EndedError, Fault, ended

ALPN_DOQ = "doq"
"""Section 4.1.1."""

NO_ERROR, INTERNAL_ERROR, PROTOCOL_ERROR, REQUEST_CANCELLED, EXCESSIVE_LOAD, UNSPECIFIED = range(6)
"""Error codes of streams and connections (section 8.4)."""


class DoqCarrier:
    """As `Carrier`, over a QUIC channel whose peer has chosen `doq`."""

    answers_once = True

    def __init__(self, channel: QuicChannel) -> None:
        self.has_unsent = False
        self._channel = channel
        self._replies: dict[int, bytearray] = {}
        self._code = NO_ERROR

    @property
    def is_open(self) -> bool:
        """As `Carrier`."""
        return not self._channel.is_exhausted

    @property
    def is_running_out(self) -> bool:
        """As `Carrier`."""
        return self._channel.is_running_out

    @property
    def is_resumed(self) -> bool:
        """As `Carrier`."""
        return self._channel.is_resumed

    @property
    def took_early_data(self) -> bool:
        """As `Carrier`."""
        return self._channel.took_early_data

    @property
    def keepalive(self) -> float | None:
        """As `Carrier`. The transport tells it here (RFC 9250 section 4.4)."""
        return self._channel.idle_timeout

    def post(self, query: bytes) -> int:
        """As `Carrier`."""
        number = self._channel.ask(frame(query))
        self._replies[number] = bytearray()
        self.has_unsent = True
        return number

    def forget(self, number: int) -> None:
        """As `Carrier`. The server is told when a reply is no longer wanted (section 4.3.1)."""
        if self._replies.pop(number, None) is not None:
            self._channel.cancel(number, REQUEST_CANCELLED)
            self.has_unsent = True

    async def send(self) -> None:
        """As `Carrier`."""
        self.has_unsent = False
        self._channel.flush()

    async def receive(self) -> list[tuple[int, bytes | Fault]]:
        """As `Carrier`."""
        try:
            came = await self._channel.receive()
        except TlsError as error:
            raise ended(error) from error
        except PeerError as error:
            raise _end(error) from error
        found: list[tuple[int, bytes | Fault]] = []
        for event in came:
            result = self._take(event)
            if result is not None:
                found.append(result)
        return found

    def acknowledge(self) -> None:
        """As `Carrier`. QUIC acknowledges by itself."""

    def close(self) -> None:
        """As `Carrier`."""
        self._channel.close(self._code)

    def _take(self, event: Event) -> tuple[int, bytes | Fault] | None:
        """The result for a query, if this is the end of it. Raises EndedError."""
        if isinstance(event, Piece):
            reply = self._replies.get(event.number)
            if reply is None:
                return None
            reply += event.data
            if len(reply) > LONGEST_MESSAGE + 2:
                raise self._breach("more than one message on a stream")
            if not event.ends:
                return None
            del self._replies[event.number]
            return event.number, self._message(bytes(reply))
        if isinstance(event, Cut) and event.is_reset:
            if self._replies.pop(event.number, None) is None:
                return None
            return event.number, _cut(event.code)._replace(is_unsent=event.is_unsent)
        raise self._breach("it stops reading a query, or asks us")

    def _message(self, reply: bytes) -> bytes:
        """The one message of a stream. Raises EndedError."""
        message = reply[2:]
        if len(message) != int.from_bytes(reply[:2]) or len(message) < HEADER:
            raise self._breach("a stream without exactly one message")
        if message[:2] != b"\0\0":
            raise self._breach("a message with an id")
        if find_option(message, OPTION_KEEPALIVE) is not None:
            raise self._breach("a message with a keepalive option")
        return message

    def _breach(self, what: str) -> EndedError:
        self._code = PROTOCOL_ERROR
        return EndedError(Fault(Kind.MALFORMED, f"the server breaks DNS over QUIC ({what})"))


_CODES = {
    INTERNAL_ERROR: "internal error",
    PROTOCOL_ERROR: "protocol error",
    REQUEST_CANCELLED: "request cancelled",
    UNSPECIFIED: "unspecified error",
}


def _cut(code: int) -> Fault:
    """Why the server ended a stream or the connection, by its own code."""
    if code == EXCESSIVE_LOAD:
        return Fault(Kind.LIMITED, "the server has too much to do (excessive load)")
    return Fault(Kind.CLOSED, f"the server gave up ({_CODES.get(code, f'error {code:#x}')})")


def _end(error: PeerError) -> EndedError:
    if error.code is None:
        return ended(error)
    return EndedError(CLOSED if error.code == NO_ERROR else _cut(error.code))
