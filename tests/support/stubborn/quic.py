"""Servers over QUIC: DoQ, and DoH over HTTP/3, with aioquic's own server side."""

import socket
from typing import Any

import trio
from aioquic._buffer import Buffer
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import Limit, QuicConnection
from aioquic.quic.events import (
    ConnectionTerminated,
    HandshakeCompleted,
    QuicEvent,
    StopSendingReceived,
    StreamDataReceived,
    StreamReset,
)
from aioquic.quic.packet import QuicFrameType, pull_quic_header
from aioquic.tls import SessionTicket

from anchord.wire.framing import frame

from .asking import Asked, Conduct, Connection, Server
from .http import HttpAnswers, header_fields, query_in


class QuicConnectionOfServer(Connection):
    def __init__(self, server: "QuicServer", quic: QuicConnection, conduct: Conduct | None) -> None:
        self.server = server
        self.quic = quic
        self.conduct = conduct
        self.streams: dict[int, bytearray] = {}
        self.is_dead = False

    def flush(self) -> None:
        if not self.is_dead:
            self.server.transmit(self.quic)

    async def abort(self) -> None:
        self.is_dead = True

    def take(self, event: QuicEvent) -> list[Asked]:
        """The queries that are complete with this event."""
        if isinstance(event, StreamDataReceived):
            stream = self.streams.setdefault(event.stream_id, bytearray())
            stream += event.data
            if event.end_stream:
                query = bytes(self.streams.pop(event.stream_id)[2:])
                return [Asked(query, self, event.stream_id)]
        return []

    async def answer(self, stream_id: int, message: bytes, at_a_time: int) -> None:
        data = frame(message)
        step = at_a_time or len(data)
        for start in range(0, len(data), step):
            piece = data[start : start + step]
            self.quic.send_stream_data(stream_id, piece, end_stream=start + step >= len(data))
            self.flush()
            await trio.lowlevel.checkpoint()

    async def answer_half(self, stream_id: int, message: bytes) -> None:
        self.quic.send_stream_data(stream_id, frame(message)[: len(message) // 2])
        self.flush()


class H3ConnectionOfServer(HttpAnswers, QuicConnectionOfServer):
    """`http` is aioquic's own view of it."""

    def __init__(self, server: "QuicServer", quic: QuicConnection, conduct: Conduct | None) -> None:
        QuicConnectionOfServer.__init__(self, server, quic, conduct)
        self.http: H3Connection | None = None
        self.fields: dict[int, dict[bytes, bytes]] = {}

    def take(self, event: QuicEvent) -> list[Asked]:
        if self.http is None:
            self.http = H3Connection(self.quic)
        asked = []
        for one in self.http.handle_event(event):
            if isinstance(one, HeadersReceived):
                self.fields[one.stream_id] = dict(one.headers)
                self.server.requests.append(dict(one.headers))
                self.streams[one.stream_id] = bytearray()
            elif isinstance(one, DataReceived):
                self.streams[one.stream_id] += one.data
            if isinstance(one, HeadersReceived | DataReceived) and one.stream_ended:
                query = query_in(self.fields[one.stream_id], bytes(self.streams[one.stream_id]))
                asked.append(Asked(query, self, one.stream_id))
        return asked

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
        assert self.http is not None
        self.http.send_headers(
            stream_id, header_fields(status, media_type, claims), end_stream=ends and not body
        )
        step = at_a_time or len(body) or 1
        for start in range(0, len(body), step):
            piece = body[start : start + step]
            self.http.send_data(stream_id, piece, end_stream=ends and start + step >= len(body))
            self.flush()
            await trio.lowlevel.checkpoint()
        self.flush()


class Fixed(Limit):
    """A limit of streams that stays, however many of them are over."""

    def __init__(self, most: int) -> None:
        super().__init__(QuicFrameType.MAX_STREAMS_BIDI, "max_streams_bidi", most)
        self.most = most

    value = property(lambda self: self.most, lambda *_: None)


class QuicServer(Server):
    """DoQ. Clients are told apart by their addresses, or found again by their connections' ids.

    With `most_streams` they have so many in all, until `raise_limit`.
    """

    alpn = "doq"
    connection_class: type[QuicConnectionOfServer] = QuicConnectionOfServer

    def __init__(
        self,
        *arguments: Any,
        quic: dict[str, Any] | None = None,
        most_streams: int = 0,
        **rest: Any,
    ) -> None:
        super().__init__(*arguments, **rest)
        self.most_streams = most_streams
        self.requests: list[dict[bytes, bytes]] = []
        self.resets: list[int] = []
        self.early = 0
        self.closes: list[int] = []
        self.has_closed = trio.Event()
        self.tickets: dict[bytes, SessionTicket] = {}
        self.clients: dict[Any, QuicConnectionOfServer] = {}
        self.options = quic or {}

    async def start(self, nursery: trio.Nursery) -> None:
        self.configuration = QuicConfiguration(
            is_client=False, alpn_protocols=[self.alpn], **self.options
        )
        self.configuration.load_cert_chain(self.certificate.write(self.folder))
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self.plain = socket.socket(family, socket.SOCK_DGRAM)
        self.plain.bind((self.host, self.port))
        self.socket = trio.socket.from_stdlib_socket(self.plain)
        self.port = self.socket.getsockname()[1]
        nursery.start_soon(self._run)

    def raise_limit(self, most: int) -> None:
        """Lets clients have so many streams in all, where they had `most_streams`."""
        for client in self._living():
            limit = client.quic._local_max_streams_bidi
            assert isinstance(limit, Fixed)
            limit.most = most
            client.flush()

    def stop(self) -> None:
        """Whoever sends to it now is told that nobody is there."""
        self.socket.close()

    def transmit(self, quic: QuicConnection) -> None:
        for data, address in quic.datagrams_to_send(trio.current_time()):
            try:
                self.plain.sendto(data, address)
            except OSError:
                return  # lost, or stopped

    async def _run(self) -> None:
        try:
            async with trio.open_nursery() as nursery:
                while True:
                    with trio.CancelScope(deadline=self._wake_at()):
                        data, address = await self.socket.recvfrom(65536)
                        self._receive(data, address)
                    now = trio.current_time()
                    for client in self._living():
                        timer = client.quic.get_timer()
                        if timer is not None and timer <= now:
                            client.quic.handle_timer(now)
                        self._serve(client, nursery)
        except* (trio.ClosedResourceError, OSError):
            pass
        finally:
            self.socket.close()

    def _living(self) -> list[QuicConnectionOfServer]:
        return [client for client in self.clients.values() if not client.is_dead]

    def _wake_at(self) -> float:
        timers = [client.quic.get_timer() for client in self._living()]
        return min([trio.current_time() + 1, *(timer for timer in timers if timer is not None)])

    def _receive(self, data: bytes, address: Any) -> None:
        client = self.clients.get(address) or self._client_with(data[1:9])
        if client is None and not data[0] & 0x80:
            return  # for a server that was here before
        if client is None:
            header = pull_quic_header(Buffer(data=data), host_cid_length=8)
            quic = QuicConnection(
                configuration=self.configuration,
                original_destination_connection_id=header.destination_cid,
                session_ticket_fetcher=lambda label: self.tickets.pop(label, None),
                session_ticket_handler=self._keep,
            )
            if self.most_streams:
                quic._local_max_streams_bidi = Fixed(self.most_streams)
            client = self.clients[address] = self.connection_class(self, quic, None)
        client.quic.receive_datagram(data, address, trio.current_time())

    def _client_with(self, connection_id: bytes) -> QuicConnectionOfServer | None:
        """The client whose address has changed."""
        for client in self._living():
            if any(connection_id == known.cid for known in client.quic._host_cids):
                return client
        return None

    def _keep(self, ticket: SessionTicket) -> None:
        self.tickets[ticket.ticket] = ticket

    def _serve(self, client: QuicConnectionOfServer, nursery: trio.Nursery) -> None:
        while not client.is_dead and (event := client.quic.next_event()) is not None:
            if isinstance(event, HandshakeCompleted):
                self.resumed += event.session_resumed
                self.early += event.early_data_accepted
                if client.conduct is None:
                    client.conduct = self.next_conduct()
            elif isinstance(event, ConnectionTerminated):
                self.closes.append(event.error_code)
                self.has_closed.set()
                client.is_dead = True
            elif isinstance(event, StreamReset | StopSendingReceived):
                self.cancelled += isinstance(event, StopSendingReceived)
                self.resets.append(event.error_code)
            for asked in client.take(event):
                if client.conduct is None:  # early data, before the handshake is complete
                    client.conduct = self.next_conduct()
                self.heard.append(asked.query)
                nursery.start_soon(client.conduct, asked)
        client.flush()


class H3Server(QuicServer):
    """DoH over HTTP/3."""

    alpn = "h3"
    connection_class = H3ConnectionOfServer
