"""HTTP/1.1 on the API's sockets (RFC 9112): one request after the other on each connection.

h11 reads and writes the protocol; here are the time limits, the sizes and the order: the header
is judged first (`Site.admit`), and only then is a body read. Pipelined requests stay in the socket,
and in one buffer of bounded size, until their turn comes.

This is the border for bugs: what `Site.answer` raises beside ProblemError costs its own client a
500, and nobody else anything.
"""

import logging
import socket
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from typing import Protocol

import h11
import trio

from .calls import Admitted
from .limits import Limits
from .messages import Head, ProblemError, Reply

logger = logging.getLogger(__name__)

CHUNK = 16384
"""Octets taken from a connection at once."""

Event = h11.Request | h11.Data | h11.EndOfMessage | h11.ConnectionClosed


class Site(Protocol):
    """What answers: `calls.Api`."""

    def admit(self, head: Head) -> Admitted:
        """What a request asks for, judged by its header. Raises ProblemError."""

    async def answer(self, admitted: Admitted, body: bytes) -> Reply:
        """The answer. Raises ProblemError."""


async def serve(sock: socket.socket, site: Site, limits: Limits, stop: trio.Event) -> None:
    """Serves a listening, non-blocking TCP socket until `stop`; closes the socket.

    Requests in flight at the stop are still answered, within `Limits.stop`.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, limits.send_buffer)
    listener = trio.SocketListener(trio.socket.from_stdlib_socket(sock))
    connections = _Connections(site, limits)
    async with trio.open_nursery() as nursery:
        async with trio.open_nursery() as accepting:
            accepting.start_soon(
                partial(
                    trio.serve_listeners, connections.serve, [listener], handler_nursery=nursery
                )
            )
            await stop.wait()
            accepting.cancel_scope.cancel()
        connections.stop_reading()
        nursery.cancel_scope.deadline = trio.current_time() + limits.stop


class _Connections:
    """The open connections of one listener."""

    def __init__(self, site: Site, limits: Limits) -> None:
        self._site = site
        self._limits = limits
        self._open: set[_Connection] = set()

    async def serve(self, stream: trio.SocketStream) -> None:
        """One connection, from accepting to closing."""
        async with stream:
            if len(self._open) >= self._limits.connections and not self._evict():
                return
            connection = _Connection(stream, self._site, self._limits)
            self._open.add(connection)
            try:
                await connection.run()
            except (trio.BrokenResourceError, OSError):
                logger.debug("a connection of the API broke")
            finally:
                self._open.discard(connection)

    def _evict(self) -> bool:
        """Closes the connection that waits longest for a request; returns whether there was one."""
        idle = [connection for connection in self._open if not connection.is_busy]
        if not idle:
            return False
        longest = min(idle, key=lambda connection: connection.idle_since)
        longest.stop_reading()
        self._open.discard(longest)
        return True

    def stop_reading(self) -> None:
        """The server stops: no connection brings further requests."""
        for connection in self._open:
            connection.stop_reading()


@dataclass(frozen=True, slots=True)
class _Received:
    """A whole request."""

    admitted: Admitted
    body: bytes


class _Connection:
    """One client's connection. It is busy from a whole request until its answer is sent."""

    def __init__(self, stream: trio.SocketStream, site: Site, limits: Limits) -> None:
        self._stream = stream
        self._site = site
        self._limits = limits
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head)
        self._port: int = stream.socket.getsockname()[1]
        self._reading = trio.CancelScope()
        self._is_stopped = False
        self._has_whole_request = False
        self._method = ""
        self.is_busy = False
        self.idle_since = 0.0

    async def run(self) -> None:
        """Reads and answers until the end of the connection."""
        while await self._exchange():
            self._http.start_next_cycle()

    def stop_reading(self) -> None:
        """Ends the connection once what was asked is answered."""
        self._is_stopped = True
        self._reading.cancel()

    async def _exchange(self) -> bool:
        """One request and its answer; whether another may follow."""
        self.is_busy, self._has_whole_request, self._method = False, False, ""
        self.idle_since = trio.current_time()
        received: _Received | Reply | None = None
        deadline = self.idle_since + self._limits.idle
        with trio.CancelScope(deadline=deadline) as self._reading:
            received = await self._receive()
        if received is None:
            is_late = self._reading.cancelled_caught and not self._is_stopped
            if not is_late or self._is_between_requests:
                return False
            received = ProblemError(408, "the request took too long to arrive").reply
        self.is_busy = True
        if isinstance(received, _Received):
            received = await self._answered(received)
        await self._send(received)
        if self._http.our_state is h11.DONE and self._has_whole_request:
            return not self._is_stopped
        await self._linger()
        return False

    @property
    def _is_between_requests(self) -> bool:
        return self._http.their_state is h11.IDLE and not self._http.trailing_data[0]

    async def _answered(self, received: _Received) -> Reply:
        try:
            reply = await self._site.answer(received.admitted, received.body)
        except ProblemError as error:
            reply = error.reply
        except Exception:
            logger.exception("a bug in anchord, please report it")
            reply = ProblemError(500, "a bug in anchord; its log tells more").reply
        headers = (*reply.headers, *received.admitted.headers)
        return Reply(reply.status, reply.media_type, reply.body, headers)

    # ------------ Reading ------------

    async def _receive(self) -> _Received | Reply | None:
        """The next request, or what it is refused with; None where there is none."""
        try:
            head = await self._head()
            if head is None:
                return None
            admitted = self._site.admit(head)
            return _Received(admitted, await self._body())
        except h11.RemoteProtocolError as error:
            return ProblemError(error.error_status_hint, str(error)).reply
        except ProblemError as error:
            return error.reply

    async def _head(self) -> Head | None:
        event = await self._next()
        if not isinstance(event, h11.Request):
            return None
        self._method = event.method.decode("ascii")
        if event.http_version not in (b"1.0", b"1.1"):
            raise ProblemError(505, "this speaks HTTP/1.1")
        length = len(event.target) + sum(len(name) + len(value) for name, value in event.headers)
        if length > self._limits.head:
            raise ProblemError(431, f"the header has more than {self._limits.head} octets")
        return Head(
            self._method,
            event.target.decode("ascii", "replace"),
            tuple((bytes(name), bytes(value)) for name, value in event.headers),
            self._port,
        )

    async def _body(self) -> bytes:
        """The whole body. Raises ProblemError where it is too long."""
        body = bytearray()
        if self._http.they_are_waiting_for_100_continue:
            await self._write(h11.InformationalResponse(status_code=100, headers=[]))
        while True:
            event = await self._next()
            if isinstance(event, h11.EndOfMessage):
                self._has_whole_request = True
                return bytes(body)
            if not isinstance(event, h11.Data):
                raise ProblemError(400, "the request ends in the middle of its body")
            body += event.data
            if len(body) > self._limits.body:
                raise ProblemError(413, f"the body has more than {self._limits.body} octets")

    async def _next(self) -> Event:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            try:
                data = await self._stream.receive_some(CHUNK)
            except trio.BrokenResourceError:
                data = b""
            self._http.receive_data(data)
        assert isinstance(event, Event)
        return event

    # ------------ Writing ------------

    async def _send(self, reply: Reply) -> None:
        """Raises trio.BrokenResourceError where the client does not take it in time."""
        headers = [
            ("Date", formatdate(usegmt=True)),
            ("Content-Length", str(len(reply.body))),
            ("X-Content-Type-Options", "nosniff"),
            *reply.headers,
        ]
        if reply.media_type:
            headers.append(("Content-Type", reply.media_type))
        if not any(name == "Cache-Control" for name, _ in headers):
            headers.append(("Cache-Control", "no-store"))
        if not self._has_whole_request:
            headers.append(("Connection", "close"))
        await self._write(h11.Response(status_code=reply.status, headers=headers))
        if self._method != "HEAD":
            await self._write(h11.Data(data=reply.body))
        await self._write(h11.EndOfMessage())

    async def _write(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if not data:
            return
        with trio.move_on_after(self._limits.send):
            await self._stream.send_all(data)
            return
        raise trio.BrokenResourceError

    async def _linger(self) -> None:
        """Reads on for a moment: closing upon unread octets would take the reply back."""
        await self._stream.send_eof()
        read = 0
        with trio.move_on_after(self._limits.linger):
            while read < self._limits.lingering:
                data = await self._stream.receive_some(CHUNK)
                if not data:
                    return
                read += len(data)
