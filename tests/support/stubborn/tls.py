"""Servers over TLS: DoT, and DoH over HTTP/2."""

import struct
from typing import Any

import h2.config
import h2.connection
import h2.events
import trio
from h2.settings import SettingCodes

from anchord.wire.framing import Unframer, frame

from .asking import Asked, Conduct, Connection, Server
from .http import HttpAnswers, header_fields, query_in


class TlsServer(Server):
    """A server over TLS streams."""

    alpn = "dot"

    async def start(self, nursery: trio.Nursery) -> None:
        context = self.certificate.server_context(self.folder, [self.alpn])
        listeners = await trio.open_tcp_listeners(self.port, host=self.host)
        self.port = listeners[0].socket.getsockname()[1]
        wrapped = [trio.SSLListener(listener, context) for listener in listeners]
        nursery.start_soon(trio.serve_listeners, self._serve, wrapped)

    async def _serve(self, stream: trio.SSLStream[trio.SocketStream]) -> None:
        try:
            await stream.do_handshake()
            self.resumed += bool(stream.session_reused)
            async with trio.open_nursery() as nursery:
                await self.serve(stream, nursery, self.next_conduct())
                nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the client has gone, or was sent away
        finally:
            with trio.move_on_after(0):
                await stream.aclose()

    async def serve(
        self, stream: trio.SSLStream[trio.SocketStream], nursery: trio.Nursery, conduct: Conduct
    ) -> None:
        raise NotImplementedError


class TlsConnection(Connection):
    def __init__(self, stream: trio.SSLStream[trio.SocketStream]) -> None:
        self.stream = stream
        self.sending = trio.Lock()

    async def abort(self) -> None:
        transport = self.stream.transport_stream
        transport.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, struct.pack("ii", 1, 0))
        await transport.aclose()

    async def send(self, data: bytes, at_a_time: int = 0) -> None:
        step = at_a_time or len(data)
        async with self.sending:
            for start in range(0, len(data), step):
                await self.stream.send_all(data[start : start + step])
                await trio.lowlevel.checkpoint()


class DotConnection(TlsConnection):
    async def answer(self, stream_id: int, message: bytes, at_a_time: int) -> None:
        del stream_id
        await self.send(frame(message), at_a_time)

    async def answer_half(self, stream_id: int, message: bytes) -> None:
        del stream_id
        await self.send(frame(message)[: len(message) // 2])


class DotServer(TlsServer):
    async def serve(
        self, stream: trio.SSLStream[trio.SocketStream], nursery: trio.Nursery, conduct: Conduct
    ) -> None:
        connection = DotConnection(stream)
        unframer = Unframer()
        while data := await stream.receive_some():
            for query in unframer.feed(bytes(data)):
                self.heard.append(query)
                nursery.start_soon(conduct, Asked(query, connection, 0))


class H2ServerConnection(HttpAnswers, TlsConnection):
    """`http` is h2's own view of it; raw octets may be sent beside it."""

    def __init__(
        self,
        stream: trio.SSLStream[trio.SocketStream],
        http: h2.connection.H2Connection,
        window_opened: trio.lowlevel.ParkingLot,
    ) -> None:
        super().__init__(stream)
        self.http = http
        self.window_opened = window_opened

    async def flush(self) -> None:
        async with self.sending:
            if data := self.http.data_to_send():
                await self.stream.send_all(data)

    async def respond(
        self,
        stream_id: int,
        body: bytes,
        *,
        status: int = 200,
        media_type: str = "application/dns-message",
        at_a_time: int = 0,
        ends: bool = True,
        claims: int | None = None,
    ) -> None:
        self.http.send_headers(stream_id, header_fields(status, media_type, claims))
        while body:
            room = self.http.local_flow_control_window(stream_id)
            piece = body[: min(at_a_time or 16384, room, self.http.max_outbound_frame_size)]
            if not piece:
                await self.window_opened.park()
                continue
            body = body[len(piece) :]
            self.http.send_data(stream_id, piece)
            await self.flush()
        if ends:
            self.http.end_stream(stream_id)
        await self.flush()


class H2Server(TlsServer):
    """DoH over HTTP/2. `settings` are its own; `requests` what was asked for, header by header.

    One that `is_hasty` says 413 before it has read a query.
    """

    alpn = "h2"

    def __init__(
        self,
        *arguments: Any,
        settings: dict[SettingCodes | int, int] | None = None,
        is_hasty: bool = False,
        **rest: Any,
    ) -> None:
        super().__init__(*arguments, **rest)
        self.is_hasty = is_hasty
        self.settings = settings or {}
        self.requests: list[dict[bytes, bytes]] = []
        self.resets: list[int] = []
        self.farewells: list[int | None] = []

    async def serve(
        self, stream: trio.SSLStream[trio.SocketStream], nursery: trio.Nursery, conduct: Conduct
    ) -> None:
        http = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding=None)
        )
        http.initiate_connection()
        if self.settings:
            http.update_settings(dict(self.settings))
        window_opened = trio.lowlevel.ParkingLot()
        connection = H2ServerConnection(stream, http, window_opened)
        await connection.flush()
        bodies: dict[int, bytearray] = {}
        fields: dict[int, dict[bytes, bytes]] = {}
        while data := await stream.receive_some():
            for event in http.receive_data(bytes(data)):
                if isinstance(event, h2.events.RequestReceived):
                    fields[event.stream_id] = dict(event.headers)
                    self.requests.append(fields[event.stream_id])
                    bodies[event.stream_id] = bytearray()
                    if self.is_hasty:
                        http.send_headers(event.stream_id, [(b":status", b"413")], end_stream=True)
                elif isinstance(event, h2.events.DataReceived):
                    bodies[event.stream_id] += event.data
                    http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded) and not self.is_hasty:
                    query = query_in(fields[event.stream_id], bytes(bodies[event.stream_id]))
                    self.heard.append(query)
                    nursery.start_soon(conduct, Asked(query, connection, event.stream_id))
                elif isinstance(event, h2.events.StreamReset):
                    self.cancelled += 1
                    self.resets.append(event.error_code)
                elif isinstance(event, h2.events.ConnectionTerminated):
                    self.farewells.append(event.error_code)
                elif isinstance(event, h2.events.WindowUpdated):
                    window_opened.unpark_all()
            await connection.flush()
