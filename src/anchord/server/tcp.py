"""Queries on TCP connections (RFC 7766): pipelined, answered in whatever order they get ready.

One task per connection reads, and one per message answers. What a connection can hold is bounded:
so many queries in flight, of each a question and an answer that the cache shares; only the reply
that is being sent is rendered. A client that does not fetch its replies is cut off.

A connection ends when its client closes it, even halfway (then what was asked is still answered,
RFC 7766 section 6.2.4), when it was idle for too long, or when it talks something other than DNS.
"""

import logging
import socket
from functools import partial

import trio

from anchord.wire.framing import Unframer, frame

from .handler import Handler, Pending, Transport

logger = logging.getLogger(__name__)

CHUNK = 16384
"""Octets taken from a connection at once."""


async def serve_streams(sock: socket.socket, handler: Handler, stop: trio.Event) -> None:
    """Serves a listening, non-blocking TCP socket until `stop`; closes the socket.

    Queries in flight at the stop are still answered, within `Limits.stop`.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, handler.limits.send_buffer)
    listener = trio.SocketListener(trio.socket.from_stdlib_socket(sock))
    async with trio.open_nursery() as nursery:
        connections = _Connections(handler)
        async with trio.open_nursery() as accepting:
            accepting.start_soon(
                partial(
                    trio.serve_listeners, connections.serve, [listener], handler_nursery=nursery
                )
            )
            await stop.wait()
            accepting.cancel_scope.cancel()
        connections.stop_reading()
        nursery.cancel_scope.deadline = trio.current_time() + handler.limits.stop


class _Connections:
    """The open connections of one listener."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._open: set[_Connection] = set()

    async def serve(self, stream: trio.SocketStream) -> None:
        """One connection, from accepting to closing."""
        counters = self._handler.counters
        counters.connections += 1
        async with stream:
            if len(self._open) >= self._handler.limits.connections and not self._evict():
                counters.connections_refused += 1
                return
            connection = _Connection(stream, self._handler)
            self._open.add(connection)
            try:
                await connection.run()
            finally:
                self._open.discard(connection)

    def _evict(self) -> bool:
        """Closes the connection that is idle longest; returns whether there was one."""
        idle = [connection for connection in self._open if not connection.in_flight]
        if not idle:
            return False
        longest = min(idle, key=lambda connection: connection.idle_since)
        longest.stop_reading()
        self._open.discard(longest)
        self._handler.counters.connections_evicted += 1
        return True

    def stop_reading(self) -> None:
        """The server stops: no connection brings further queries."""
        for connection in self._open:
            connection.stop_reading()


class _Connection:
    """One client's connection.

    `in_flight` counts its messages that have no reply yet; `idle_since` is trio's time.
    """

    def __init__(self, stream: trio.SocketStream, handler: Handler) -> None:
        self._stream = stream
        self._handler = handler
        self._counters = handler.counters
        self._limits = handler.limits
        self._reading = trio.CancelScope()
        self._room = trio.Semaphore(handler.limits.connection_in_flight)
        self._sending = trio.Lock()
        self.in_flight = 0
        self.idle_since = 0.0

    async def run(self) -> None:
        """Reads and answers until the end of the connection."""
        self._rest()
        async with trio.open_nursery() as answers:
            with self._reading:
                await self._read(answers)

    def stop_reading(self) -> None:
        """Ends the connection once what was asked is answered."""
        self._reading.cancel()

    def _rest(self) -> None:
        """From now on the connection is idle."""
        self.idle_since = trio.current_time()
        self._reading.deadline = self.idle_since + self._limits.idle

    async def _read(self, answers: trio.Nursery) -> None:
        unframer = Unframer()
        while data := await self._receive():
            for message in unframer.feed(data):
                self._counters.tcp_queries += 1
                reply = self._handler.receive(message, Transport.TCP)
                if reply is None:  # not DNS; there is no telling what its next bytes mean
                    return
                self._reading.deadline = float("inf")
                self.in_flight += 1
                await self._room.acquire()
                answers.start_soon(self._answer, reply, answers.cancel_scope)

    async def _receive(self) -> bytes:
        try:
            return bytes(await self._stream.receive_some(CHUNK))
        except trio.BrokenResourceError:
            return b""

    async def _answer(self, received: bytes | Pending, connection: trio.CancelScope) -> None:
        """Sends one reply, or ends the connection where its client does not take it."""
        if isinstance(received, Pending):
            answer = await self._handler.resolve(received)
            async with self._sending:
                is_sent = await self._send(self._handler.render(received, answer))
        else:
            async with self._sending:
                is_sent = await self._send(received)
        if not is_sent:
            self._counters.unsent += 1
            connection.cancel()
        self._room.release()
        self.in_flight -= 1
        if not self.in_flight:
            self._rest()

    async def _send(self, reply: bytes) -> bool:
        """Sends length and message together (RFC 7766 section 8); whether the client took it."""
        with trio.move_on_after(self._limits.send):
            try:
                await self._stream.send_all(frame(reply))
            except trio.BrokenResourceError as error:
                logger.debug("a reply was not sent: %s", error)
                return False
            return True
        return False
