"""HTTP/2 as a client (RFC 9113): requests as streams of one connection, over the library h2.

h2 knows frames, header compression and windows; here is what it leaves to its user.

1. Requests beyond the server's limit of streams wait until one is free; bodies wait for windows.
2. GOAWAY frames are taken out of the stream before h2 sees them, since h2 would take nothing more
   from the connection, while the server may still answer what it has begun (section 6.8).
3. The peer's frames are counted: one that sends many and answers nothing is left.
"""

import contextlib
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

from .ended import breach, flood
from .http import (
    FRAMES_PER_ANSWER,
    LONGEST_BODY,
    LONGEST_HEAD,
    Answer,
    Failure,
    Headers,
    Incoming,
)
from .tls import TlsChannel

ALPN_H2 = "h2"
"""RFC 9113 section 3.1."""

WINDOW = 1 << 20
"""Octets that the server may send ahead on the whole connection: sixteen of the longest answers."""

STREAMS = 100
"""Streams that are opened before the server has said how many it takes: a server that takes fewer
goes below what RFC 9113 section 6.5.2 recommends."""

LAST_STREAM = (1 << 31) - 1
"""The highest number of a stream (section 5.1.1); after it, a new connection is needed."""

LARGEST_FRAME = 16384
"""Octets of a frame, where we do not say otherwise (section 4.2)."""

_FRAME_HEADER = 9
_DATA = 0
_GOAWAY = 7


class Http2Connection:
    """As `HttpConnection`, over a TLS channel whose peer has chosen `h2`."""

    is_running_out = False
    took_early_data = False
    keepalive = None

    def __init__(self, channel: TlsChannel) -> None:
        self.is_resumed = channel.is_resumed
        self.is_open = True
        self.has_unsent = True
        self._channel = channel
        self._gate = _Gate()
        self._streams: dict[int, _Stream] = {}
        self._numbers: dict[int, int] = {}
        self._backlog: dict[int, tuple[Headers, bytes]] = {}
        self._last_number = 0
        self._most_streams = STREAMS
        self._frames_left = FRAMES_PER_ANSWER
        self._h2 = _started()

    def request(self, headers: Headers, body: bytes) -> int:
        """As `HttpConnection`."""
        self._last_number += 1
        self._backlog[self._last_number] = headers, body
        self._frames_left = min(self._frames_left + FRAMES_PER_ANSWER, _MOST_FRAMES)
        self._begin()
        return self._last_number

    def cancel(self, number: int) -> None:
        """As `HttpConnection`."""
        if self._backlog.pop(number, None) is None and number in self._numbers:
            self._reset(self._numbers[number], ErrorCodes.CANCEL)
            self._begin()

    async def send(self) -> None:
        """As `HttpConnection`."""
        self.has_unsent = False
        if data := self._h2.data_to_send():
            await self._channel.send_all(data)

    async def receive(self) -> list[Answer | Failure] | None:
        """As `HttpConnection`."""
        data = await self._channel.receive()
        if not data:
            return None
        try:
            passed, goaways, frames = self._gate.feed(data)
            found = self._take(self._h2.receive_data(passed)) if passed else []
        except ProtocolError as error:
            raise breach("HTTP/2", str(error) or type(error).__name__) from error
        for last_stream, code in goaways:
            found += self._farewell(last_stream, code)
        self._count(frames, sum(isinstance(one, Answer) for one in found))
        self._begin()
        self.has_unsent = True
        return found

    def acknowledge(self) -> None:
        """As `HttpConnection`."""
        self._channel.acknowledge()

    def close(self) -> None:
        """As `HttpConnection`, with a GOAWAY (section 5.4.1) where the peer reads it at once."""
        self.is_open = False
        self._h2.close_connection()
        self._channel.close(self._h2.data_to_send())

    # ------------ Out ------------

    def _begin(self) -> None:
        """Starts as many requests as the server allows."""
        while self._backlog and self.is_open and len(self._streams) < self._most_streams:
            number = next(iter(self._backlog))
            headers, body = self._backlog.pop(number)
            stream_id = self._h2.get_next_available_stream_id()
            stream = _Stream(Incoming(number), memoryview(body))
            self._streams[stream_id] = stream
            self._numbers[number] = stream_id
            self._h2.send_headers(stream_id, headers, end_stream=not body)
            self._send_body(stream_id, stream)
            self.is_open = stream_id < LAST_STREAM - 1
            self.has_unsent = True

    def _send_body(self, stream_id: int, stream: "_Stream") -> None:
        """Sends as much of a request's body as the windows take."""
        while stream.unsent:
            window = self._h2.local_flow_control_window(stream_id)
            piece = stream.unsent[: min(window, self._h2.max_outbound_frame_size)]
            if not piece:
                return
            stream.unsent = stream.unsent[len(piece) :]
            self._h2.send_data(stream_id, bytes(piece), end_stream=not stream.unsent)

    def _reset(self, stream_id: int, code: ErrorCodes) -> None:
        with contextlib.suppress(ProtocolError):  # the connection may have ended meanwhile
            self._h2.reset_stream(stream_id, code)
        self._forget(stream_id)
        self.has_unsent = True

    def _forget(self, stream_id: int) -> "_Stream | None":
        stream = self._streams.pop(stream_id, None)
        if stream is not None:
            del self._numbers[stream.incoming.number]
        return stream

    # ------------ In ------------

    def _take(self, events: list[Event]) -> list[Answer | Failure]:
        found: list[Answer | Failure] = []
        for event in events:
            if isinstance(event, WindowUpdated | RemoteSettingsChanged):
                self._most_streams = self._h2.remote_settings.max_concurrent_streams
                for stream_id, stream in self._streams.items():
                    self._send_body(stream_id, stream)
            elif isinstance(event, DataReceived):
                self._take_body(event, found)
            elif isinstance(event, ResponseReceived | StreamEnded | StreamReset):
                known = self._streams.get(event.stream_id or 0)
                if known is not None:
                    self._take_turn(event, known, found)
        return found

    def _take_turn(
        self,
        event: ResponseReceived | StreamEnded | StreamReset,
        stream: "_Stream",
        found: list[Answer | Failure],
    ) -> None:
        """The beginning or the end of an answer."""
        stream_id = event.stream_id or 0
        if isinstance(event, ResponseReceived):
            stream.incoming.begin(event.headers or ())
        elif isinstance(event, StreamReset):
            self._forget(stream_id)
            found.append(_after_reset(stream.incoming.number, event.error_code))
        elif stream.unsent:  # the server has answered without reading on (section 8.1)
            self._reset(stream_id, ErrorCodes.NO_ERROR)
            found.append(stream.incoming.whole())
        else:
            self._forget(stream_id)
            found.append(stream.incoming.whole())

    def _take_body(self, event: DataReceived, found: list[Answer | Failure]) -> None:
        """Adds to an answer. What its stream's window lets through is a whole body at least."""
        stream_id = event.stream_id or 0
        self._h2.acknowledge_received_data(event.flow_controlled_length or 0, stream_id)
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        stream.incoming.body += event.data or b""
        if len(stream.incoming.body) > LONGEST_BODY:
            self._reset(stream_id, ErrorCodes.CANCEL)
            found.append(Failure(stream.incoming.number, "the answer is too long to be DNS"))

    def _farewell(self, last_stream: int, code: int) -> list[Answer | Failure]:
        """What the peer will not answer any more, after its GOAWAY."""
        self.is_open = False
        problem = f"the server ended the connection{_code_in_words(code)}"
        lost = [stream_id for stream_id in self._streams if stream_id > last_stream]
        numbers = [*(self._streams[stream_id].incoming.number for stream_id in lost)]
        numbers += self._backlog
        self._backlog.clear()
        for stream_id in lost:
            self._reset(stream_id, ErrorCodes.CANCEL)
        return [Failure(number, problem, is_unprocessed=True) for number in numbers]

    def _count(self, frames: int, answers: int) -> None:
        """Raises PeerError where the peer sends far more than it answers."""
        self._frames_left = min(self._frames_left + answers * FRAMES_PER_ANSWER, _MOST_FRAMES)
        self._frames_left -= frames
        if self._frames_left < 0:
            raise flood()


_MOST_FRAMES = 16 * FRAMES_PER_ANSWER
"""Frames that a peer may have in hand, however many requests it has answered."""


@dataclass(slots=True)
class _Stream:
    """A request on its way: what is left of its body, and its answer as far as it has come."""

    incoming: Incoming
    unsent: memoryview


@dataclass(slots=True)
class _Gate:
    """Cuts what comes in into frames, keeps GOAWAY frames back, and counts all."""

    _left: int = 0
    _is_goaway: bool = False
    _header: bytearray = field(default_factory=bytearray)
    _goaway: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> tuple[bytes, list[tuple[int, int]], int]:
        """What h2 should have, each GOAWAY's last stream and code, and how many frames began.

        Raises ProtocolError for a frame that is too large, and for a GOAWAY that is none.
        """
        passed = bytearray()
        goaways = []
        frames = 0
        position = 0
        while position < len(data):
            if not self._left:
                missing = _FRAME_HEADER - len(self._header)
                self._header += data[position : position + missing]
                position += missing
                if len(self._header) < _FRAME_HEADER:
                    break
                self._left = int.from_bytes(self._header[:3])
                frames += not (self._header[3] == _DATA and self._left)  # a body has its limit
                self._is_goaway = self._header[3] == _GOAWAY
                if self._left > LARGEST_FRAME or (self._is_goaway and self._left < 8):
                    raise ProtocolError("a frame of a size that cannot be")
                if not self._is_goaway:
                    passed += self._header
                self._header.clear()
            piece = data[position : position + self._left]
            position += len(piece)
            self._left -= len(piece)
            if not self._is_goaway:
                passed += piece
                continue
            self._goaway += piece
            if not self._left:
                last_stream = int.from_bytes(self._goaway[:4]) & LAST_STREAM
                goaways.append((last_stream, int.from_bytes(self._goaway[4:8])))
                self._goaway.clear()
        return bytes(passed), goaways, frames


def _started() -> H2Connection:
    """A connection that has said hello: no pushes, and room for whole answers.

    Header fields of requests are ours and well-formed, so that h2 need not look at each of them:
    a tenth of its time.
    """
    connection = H2Connection(
        H2Configuration(
            client_side=True,
            header_encoding=None,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
    )
    connection.local_settings = Settings(
        client=True,
        initial_values={
            SettingCodes.ENABLE_PUSH: 0,
            SettingCodes.INITIAL_WINDOW_SIZE: 2 * LONGEST_BODY,
            SettingCodes.MAX_HEADER_LIST_SIZE: LONGEST_HEAD,
        },
    )
    connection.initiate_connection()
    connection.increment_flow_control_window(WINDOW)
    return connection


def _after_reset(number: int, code: ErrorCodes | int | None) -> Failure:
    is_unprocessed = code == ErrorCodes.REFUSED_STREAM  # section 8.7
    return Failure(number, f"the server reset the stream{_code_in_words(code)}", is_unprocessed)


def _code_in_words(code: ErrorCodes | int | None) -> str:
    """` (refused stream)`; nothing for no error."""
    if not code:
        return ""
    try:
        return f" ({ErrorCodes(code).name.replace('_', ' ').lower()})"
    except ValueError:
        return f" (error {code})"
