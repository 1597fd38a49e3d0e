"""HTTP/3 as a client (RFC 9114), over QUIC.

Header compression is QPACK (RFC 9204) without its dynamic table: we grant the server none and ask
for none, so that no answer ever waits for another one. Pushes are not granted either. What is left
is small enough to be seen whole here; pylsqpack, which comes with aioquic, knows the static table.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from pylsqpack import Decoder, DecompressionFailed, Encoder, EncoderStreamError, StreamBlocked

from .ended import PeerError, breach, flood
from .http import (
    FRAMES_PER_ANSWER,
    LONGEST_BODY,
    LONGEST_HEAD,
    Answer,
    Failure,
    Headers,
    Incoming,
)
from .quic import QuicChannel
from .quic_events import Aside, Cut, Event, Piece

ALPN_H3 = "h3"
"""RFC 9114 section 3.1."""

NO_ERROR, REQUEST_REJECTED, REQUEST_CANCELLED = 0x100, 0x10B, 0x10C
"""Error codes (section 8.1)."""

ASIDE_PER_ANSWER = 4096
"""Octets that a server may send beside each answer, on streams of its own: settings, farewells and
grease are some hundred."""

_DATA, _HEADERS, _SETTINGS, _PUSH_PROMISE, _GOAWAY = 0x0, 0x1, 0x4, 0x5, 0x7
_OF_HTTP2 = frozenset({0x2, 0x6, 0x8, 0x9})
_CONTROL, _PUSH, _ENCODER, _DECODER = 0, 1, 2, 3
_HELLO = bytes((_CONTROL, _SETTINGS, 0))
"""The control stream with settings that are all the defaults: no table, no pushes."""


class Http3Connection:
    """As `HttpConnection`, over a QUIC channel whose peer has chosen `h3`."""

    def __init__(self, channel: QuicChannel) -> None:
        self.has_unsent = True
        self._is_dismissed = False
        self._channel = channel
        self._encoder = Encoder()
        self._decoder = Decoder(0, 0)
        self._answers: dict[int, _Reading] = {}
        self._asides: dict[int, _Aside] = {}
        self._aside_left = 2 * ASIDE_PER_ANSWER
        channel.tell(_HELLO)

    @property
    def is_open(self) -> bool:
        """As `HttpConnection`."""
        return not self._is_dismissed and not self._channel.is_exhausted

    @property
    def is_running_out(self) -> bool:
        """As `HttpConnection`."""
        return self._channel.is_running_out

    @property
    def is_resumed(self) -> bool:
        """As `HttpConnection`."""
        return self._channel.is_resumed

    @property
    def took_early_data(self) -> bool:
        """As `HttpConnection`."""
        return self._channel.took_early_data

    @property
    def keepalive(self) -> float | None:
        """As `HttpConnection`."""
        return self._channel.idle_timeout

    def request(self, headers: Headers, body: bytes) -> int:
        """As `HttpConnection`."""
        _, compressed = self._encoder.encode(0, list(headers))
        content = _frame(_DATA, body) if body else b""
        number = self._channel.ask(_frame(_HEADERS, compressed) + content)
        self._answers[number] = _Reading(Incoming(number))
        self.has_unsent = True
        return number

    def cancel(self, number: int) -> None:
        """As `HttpConnection`."""
        if self._answers.pop(number, None) is not None:
            self._channel.cancel(number, REQUEST_CANCELLED)
            self.has_unsent = True

    async def send(self) -> None:
        """As `HttpConnection`."""
        self.has_unsent = False
        self._channel.flush()

    async def receive(self) -> list[Answer | Failure] | None:
        """As `HttpConnection`. Raises TlsError where the server of early data is the wrong one."""
        try:
            came = await self._channel.receive()
        except PeerError as error:
            if error.code == NO_ERROR:
                return None
            raise
        found: list[Answer | Failure] = []
        for event in came:
            found += self._take(event)
        self.has_unsent = True
        return found

    def acknowledge(self) -> None:
        """As `HttpConnection`. QUIC acknowledges by itself."""

    def close(self) -> None:
        """As `HttpConnection`."""
        self._is_dismissed = True
        self._channel.close(NO_ERROR)

    def _take(self, event: Event) -> list[Answer | Failure]:
        if isinstance(event, Aside):
            return self._take_aside(event)
        reading = self._answers.get(event.number)
        if reading is None:
            return []
        if isinstance(event, Cut):
            if not event.is_reset:  # it reads no further, which says nothing of its answer
                return []
            del self._answers[event.number]
            problem = f"the server reset the stream{_code(event.code)}"
            is_unprocessed = event.code == REQUEST_REJECTED
            return [Failure(event.number, problem, is_unprocessed, event.is_unsent)]
        result = self._read(reading, event)
        if result is None:
            return []
        del self._answers[event.number]
        if not event.ends:
            self._channel.cancel(event.number, REQUEST_CANCELLED)
        self._aside_left = min(self._aside_left + ASIDE_PER_ANSWER, 16 * ASIDE_PER_ANSWER)
        return [result]

    def _read(self, reading: "_Reading", piece: Piece) -> Answer | Failure | None:
        """The answer, once it is whole. Raises PeerError."""
        number = reading.incoming.number
        for kind, payload in reading.frames.feed(piece.data):
            if kind == _HEADERS:
                self._take_headers(reading.incoming, payload)
            elif kind == _DATA:
                reading.incoming.body += payload
            elif kind in _OF_HTTP2 or kind in {_SETTINGS, _PUSH_PROMISE, _GOAWAY}:
                raise breach("HTTP/3", "a frame where it must not be")
        if reading.frames.is_flooded or len(reading.incoming.body) > LONGEST_BODY:
            return Failure(number, "the answer is too long to be DNS")
        if not piece.ends:
            return None
        if not reading.frames.is_empty:
            return Failure(number, "the server ended an answer in the middle")
        return reading.incoming.whole()

    def _take_headers(self, incoming: Incoming, payload: bytes) -> None:
        """An answer's header fields, or its trailers. Raises PeerError."""
        try:
            _, headers = self._decoder.feed_header(0, payload)
        except (DecompressionFailed, StreamBlocked) as error:
            raise breach("HTTP/3", "header fields unreadable") from error
        incoming.begin(headers)

    # ------------ The server's own streams ------------

    def _take_aside(self, event: Aside) -> list[Answer | Failure]:
        """Settings and farewells. Raises PeerError."""
        if not event.is_one_way:
            raise breach("HTTP/3", "it asks us")
        aside = self._asides.setdefault(event.stream_id, _Aside())
        if aside.kind in {_CONTROL, _ENCODER, _DECODER} and event.ends:
            raise breach("HTTP/3", "it closed a stream that has to stay")
        data = aside.begin(event.data or b"")
        self._aside_left -= len(event.data or b"") + 1
        if self._aside_left < 0:
            raise flood()
        found: list[Answer | Failure] = []
        if aside.kind == _CONTROL:
            for kind, payload in aside.frames.feed(data):
                if kind == _GOAWAY:
                    found += self._farewell(payload)
        elif aside.kind == _ENCODER and data:
            self._feed_decoder(data)
        elif aside.kind == _PUSH:
            raise breach("HTTP/3", "it pushes what was not asked for")
        if event.ends:
            del self._asides[event.stream_id]
        return found

    def _feed_decoder(self, data: bytes) -> None:
        try:
            self._decoder.feed_encoder(data)
        except EncoderStreamError as error:
            raise breach("HTTP/3", "it fills a table of no size") from error

    def _farewell(self, payload: bytes) -> list[Answer | Failure]:
        """What the peer will not answer any more (section 5.2). The payload is a stream's id."""
        read = _varint(payload, 0)
        if read is None:
            raise breach("HTTP/3", "a farewell without a stream")
        self._is_dismissed = True
        return [
            Failure(number, "the server ended the connection", is_unprocessed=True)
            for number in self._channel.withdraw(read[0], REQUEST_CANCELLED)
            if self._answers.pop(number, None)
        ]


class _Frames:
    """Cuts a stream into frames (section 7.1)."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._count = 0

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Takes what was received; gives type and payload of the frames that are complete now."""
        self._buffer += data
        while (head := _varint(self._buffer, 0)) and (length := _varint(self._buffer, head[1])):
            end = length[1] + length[0]
            if end > len(self._buffer):
                break
            payload = bytes(self._buffer[length[1] : end])
            del self._buffer[:end]
            self._count += not (head[0] == _DATA and payload)  # a body has its own limit
            yield head[0], payload

    @property
    def is_empty(self) -> bool:
        """Whether the stream stands between two frames."""
        return not self._buffer

    @property
    def is_flooded(self) -> bool:
        """Whether there is more than an honest answer has."""
        return len(self._buffer) > LONGEST_BODY + LONGEST_HEAD or self._count > FRAMES_PER_ANSWER


@dataclass(slots=True)
class _Reading:
    """An answer that is coming in, and its stream as far as it has not been read."""

    incoming: Incoming
    frames: _Frames = field(default_factory=_Frames)


@dataclass(slots=True)
class _Aside:
    """A one-way stream of the server's: its type, once that is known, and its frames if any."""

    kind: int | None = None
    frames: _Frames = field(default_factory=_Frames)
    _start: bytes = b""

    def begin(self, data: bytes) -> bytes:
        """Reads the type, with which the stream begins (section 6.2); returns what follows."""
        if self.kind is not None:
            return data
        self._start += data
        read = _varint(self._start, 0)
        if read is None:
            return b""
        self.kind = read[0]
        return self._start[read[1] :]


def _varint(data: bytes | bytearray, position: int) -> tuple[int, int] | None:
    """An integer and the offset after it (RFC 9000 section 16); None where it is cut short."""
    if position >= len(data):
        return None
    end = position + (1 << (data[position] >> 6))
    if end > len(data):
        return None
    bits = 8 * (end - position) - 2
    return int.from_bytes(data[position:end]) & ((1 << bits) - 1), end


def _frame(kind: int, payload: bytes) -> bytes:
    """A frame of a type below 64 and less than 2^30 octets."""
    length = len(payload)
    if length < 1 << 6:
        return bytes((kind, length)) + payload
    return bytes((kind,)) + (length | 2 << 30).to_bytes(4) + payload


def _code(code: int) -> str:
    names = {REQUEST_REJECTED: "request rejected", REQUEST_CANCELLED: "request cancelled"}
    return "" if code == NO_ERROR else f" ({names.get(code, f'error {code:#x}')})"
