"""TCP: a connection to whichever address answers first, and the channel that it gives.

A channel is what a protocol needs of a byte stream and no more: receive, send, close. It works
on a bare socket, since trio's own streams can neither resume a TLS session nor tell the kernel to
acknowledge at once. One task may receive and one may send at the same time. Server sockets are
not made here.
"""

import contextlib
import socket
from collections.abc import Sequence
from typing import Any, Protocol

import trio

from .race import first_of

RECEIVE = 65536
"""Octets taken from a socket at once: the longest DNS message on a stream."""

_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)


class Channel(Protocol):
    """A byte stream to a peer, in the clear or encrypted.

    `address` is the peer's IP address. `is_resumed` tells whether an earlier TLS session was
    taken up.
    """

    address: str
    is_resumed: bool

    async def receive(self) -> bytes:
        """What came next; nothing at the end. Loses nothing when cancelled. Raises OSError."""

    async def send_all(self, data: bytes) -> None:
        """Sends it in one piece where the kernel takes it. Raises OSError.

        A checkpoint only while the socket is full. After a cancellation the stream is unusable.
        """

    async def send_each(self, pieces: Sequence[bytes]) -> None:
        """As `send_all` with all of them; under TLS each gets a record of its own."""

    def acknowledge(self) -> None:
        """Has the peer's octets acknowledged now, where the platform can. Raises OSError."""

    def close(self) -> None:
        """Closes at once. Whoever waits in `receive` or `send_all` gets `ClosedResourceError`."""


class TcpChannel:
    """A channel over a connected, non-blocking socket, which it owns."""

    is_resumed = False

    def __init__(self, connected: socket.socket, address: str) -> None:
        self.address = address
        self._socket = connected
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def receive(self) -> bytes:
        """As `Channel`."""
        while True:
            await trio.lowlevel.wait_readable(self._socket)
            try:
                return self._socket.recv(RECEIVE)
            except BlockingIOError:  # the kernel may wake us for nothing
                continue

    async def send_all(self, data: bytes | memoryview) -> None:
        """As `Channel`."""
        while True:
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                await trio.lowlevel.wait_writable(self._socket)
                continue
            if sent == len(data):
                return
            data = memoryview(data)[sent:]

    async def send_each(self, pieces: Sequence[bytes]) -> None:
        """As `Channel`."""
        await self.send_all(b"".join(pieces))

    def acknowledge(self) -> None:
        """As `Channel`.

        A server that leaves Nagle's algorithm on holds its second answer until the first one is
        acknowledged, which the kernel would put off by 40 ms.
        """
        if _QUICKACK is not None:
            self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    def send_some(self, data: bytes) -> None:
        """Sends what fits now, and no word where nothing does: for farewells."""
        with contextlib.suppress(OSError):
            self._socket.send(data)

    def close(self) -> None:
        """As `Channel`."""
        if self._socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()


# ------------ Connecting ------------


async def connect(addresses: Sequence[str], port: int) -> TcpChannel:
    """A connection to the first of these IP addresses that accepts one.

    They race, as in `race.first_of`. Raises UnreachableError.
    """

    async def attempt(address: str) -> TcpChannel:
        return await _connect_to(address, port)

    return await first_of(addresses, port, attempt)


def socket_address(
    address: str, port: int, kind: socket.SocketKind
) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    """The family and the socket address of an IP literal, a zone of a link included."""
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    family, _, _, _, found = socket.getaddrinfo(address, port, type=kind, flags=flags)[0]
    return family, found


async def _connect_to(address: str, port: int) -> TcpChannel:
    family, found = socket_address(address, port, socket.SOCK_STREAM)
    connecting = socket.socket(family, socket.SOCK_STREAM)
    try:
        connecting.setblocking(False)
        await trio.socket.from_stdlib_socket(connecting).connect(found)
        return TcpChannel(connecting, address)
    except BaseException:
        connecting.close()
        raise
