"""Servers for the tests of transports: each does exactly what its test says, good or bad."""

import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Self, TypeAlias

import trio

from anchord.model import names
from anchord.model.question import Question
from anchord.wire.framing import Unframer, frame
from anchord.wire.query import write_query

Stream: TypeAlias = trio.SocketStream | trio.SSLStream[trio.SocketStream]
Conduct: TypeAlias = Callable[[Stream], Awaitable[None]]


def query_for(name: str = "www.example", rdtype: int = 1) -> bytes:
    return write_query(Question(names.from_text(name).lower(), rdtype))


def reply_to(query: bytes, *, truncated: bool = False, octet: int = 1) -> bytes:
    """A reply with one address, 192.0.2.`octet`, to a query of ours."""
    end = query.index(b"\0\0\x29")  # where the OPT record begins
    flags = 0x8580 | (0x0200 if truncated else 0)
    head = query[:2] + flags.to_bytes(2) + b"\0\x01\0\x01\0\0\0\0"
    answer = b"\xc0\x0c\0\x01\0\x01\0\0\x0e\x10\0\x04\xc0\0\x02" + bytes((octet,))
    return head + query[12:end] + answer


def address_in(reply: bytes) -> str:
    """The address in a reply made by `reply_to`."""
    return ".".join(map(str, reply[-4:]))


class queries:  # noqa: N801 - it reads as the generator that it would be, could one be left early
    """What arrives over the stream, until it ends."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._unframer = Unframer()
        self._ready: list[bytes] = []

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self._ready:
            data = await self._stream.receive_some()
            if not data:
                raise StopAsyncIteration
            self._ready = self._unframer.feed(bytes(data))
        return self._ready.pop(0)


async def answer_everything(stream: Stream) -> None:
    async for query in queries(stream):
        await stream.send_all(frame(reply_to(query)))


async def keep_silent(stream: Stream) -> None:
    async for _ in queries(stream):
        pass


class StreamPeer:
    """A server over TCP or TLS. The n-th connection gets the n-th conduct, later ones the last.

    `connections` counts what was accepted, TLS handshake included; `refused` what failed in it.
    """

    def __init__(
        self, *conducts: Conduct, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> None:
        self.connections = 0
        self.refused = 0
        self.received: list[bytes] = []
        self.port = 0
        self._conducts = conducts
        self._tls = tls
        self._host = host

    async def start(self, nursery: trio.Nursery, port: int = 0) -> None:
        listeners = await trio.open_tcp_listeners(port, host=self._host)
        self.port = listeners[0].socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, self._serve, listeners)

    async def _serve(self, plain: trio.SocketStream) -> None:
        stream: Stream = plain
        try:
            async with plain:
                if self._tls is not None:
                    stream = trio.SSLStream(plain, self._tls, server_side=True)
                    try:
                        await stream.do_handshake()
                    except trio.BrokenResourceError:
                        self.refused += 1
                        return
                conduct = self._conducts[min(self.connections, len(self._conducts) - 1)]
                self.connections += 1
                await conduct(stream)
        except trio.BrokenResourceError:
            pass  # the client has hung up


async def abort(stream: Stream) -> None:
    """Ends a connection without any farewell: TCP closes, or resets what is unread."""
    transport = stream.transport_stream if isinstance(stream, trio.SSLStream) else stream
    await transport.aclose()


class DatagramPeer:
    """A server over UDP that sends what its conduct says, and one over TCP on the same port.

    The conduct gets a query and how many came before it; answers over TCP are 192.0.2.1, unless
    another conduct says otherwise.
    """

    def __init__(
        self,
        conduct: Callable[[bytes, int], list[bytes]],
        host: str = "127.0.0.1",
        over_tcp: Conduct = answer_everything,
    ) -> None:
        self.received: list[bytes] = []
        self.sources: list[tuple[str, int]] = []
        self.over_tcp = StreamPeer(over_tcp, host=host)
        self.socket = trio.socket.socket(
            socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM
        )
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # for forgers
        self._host = host
        self._conduct = conduct

    async def start(self, nursery: trio.Nursery, port: int = 0) -> None:
        await self.over_tcp.start(nursery, port)
        await self.socket.bind((self._host, self.over_tcp.port))
        nursery.start_soon(self._serve)

    async def _serve(self) -> None:
        with self.socket:
            while True:
                query, source = await self.socket.recvfrom(4096)
                self.received.append(query)
                self.sources.append(source[:2])
                for message in self._conduct(query, len(self.received) - 1):
                    await self.socket.sendto(message, source)
