"""The lab over sockets: plain DNS over UDP and TCP, and DNS over TLS.

A server is a function from message to message (`World.reply`) and an address. What it is asked is
noted in a log if one is given, and `behave` may have it misbehave, question by question.
"""

import errno
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import trio

from anchord.model import rcodes
from anchord.model.errors import AnchordError
from anchord.model.question import Question
from anchord.wire.errors import FormError
from anchord.wire.framing import LONGEST_MESSAGE, Unframer, frame
from anchord.wire.message import AD, HEADER, TC, find_edns
from anchord.wire.name import read_name
from anchord.wire.options import write_option

PORTS_TRIED = 20
"""How often another port is drawn when TCP finds taken the one that UDP was given."""


class Replier(Protocol):
    """A server's mind: `World.reply` and the like."""

    def __call__(self, wire: bytes, *, over_udp: bool) -> bytes | None:
        """The message that answers `wire`, or nothing where none is due."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A message that a server got. `connection` counts a server's streams, from 1; 0 over UDP.

    `resumed` tells whether the TLS session of that connection was resumed.
    """

    transport: str
    wire: bytes
    connection: int = 0
    resumed: bool = False

    @property
    def text(self) -> str:
        """The question, such as `www.lab. A`; empty where it cannot be read."""
        try:
            name, end = read_name(self.wire, HEADER, len(self.wire))
        except FormError:
            return ""
        return str(Question(name.lower(), int.from_bytes(self.wire[end : end + 2])))


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a server treats one question. Each knob is one way to misbehave; together they add up.

    `delay` is in seconds. `drops` sends nothing, `closes` ends the connection instead (over UDP:
    nothing). `wrong_id` and `wrong_question` spoil the reply; `truncates` sends the head of it with
    TC over UDP, `knows_no_edns` that of an error in place of any answer; `claims_authentic` sets
    AD. `options` are added to the OPT record, and `cuts` octets are taken off the end.
    """

    delay: float = 0.0
    drops: bool = False
    closes: bool = False
    wrong_id: bool = False
    wrong_question: bool = False
    truncates: bool = False
    knows_no_edns: bool = False
    claims_authentic: bool = False
    options: tuple[tuple[int, bytes], ...] = ()
    cuts: int = 0


HONEST = Behaviour()

Behave = Callable[[Asked], Behaviour]


def honestly(_: Asked) -> Behaviour:
    """As a good server behaves."""
    return HONEST


@asynccontextmanager
async def serve_plain(
    reply: Replier,
    *,
    address: str = "127.0.0.1",
    port: int = 0,
    log: list[Asked] | None = None,
    behave: Behave = honestly,
) -> AsyncIterator[int]:
    """Serves UDP and TCP on one port while the context lasts, and yields the port.

    Raises AnchordError where the port cannot be had.
    """
    udp, tcp = await _bind_both(address, port)
    desk = _Desk(reply, log, behave)
    bound: int = udp.getsockname()[1]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_serve_datagrams, udp, desk)
        nursery.start_soon(
            partial(trio.serve_listeners, partial(_serve_stream, desk), [trio.SocketListener(tcp)])
        )
        yield bound
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def serve_tls(
    reply: Replier,
    *,
    context: ssl.SSLContext,
    address: str = "127.0.0.1",
    port: int = 0,
    log: list[Asked] | None = None,
    behave: Behave = honestly,
) -> AsyncIterator[int]:
    """Serves DNS over TLS (RFC 7858) while the context lasts, and yields the port.

    Raises AnchordError where the port cannot be had.
    """
    tcp = await bind(socket.SOCK_STREAM, address, port)
    desk = _Desk(reply, log, behave)
    bound: int = tcp.getsockname()[1]
    listener = trio.SSLListener(trio.SocketListener(tcp), context)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(trio.serve_listeners, partial(_serve_stream, desk), [listener]))
        yield bound
        nursery.cancel_scope.cancel()


# ------------ What a server does with a message ------------


@dataclass(slots=True)
class _Desk:
    """Where messages of all connections of one server are answered."""

    reply: Replier
    log: list[Asked] | None
    behave: Behave
    connections: int = 0

    async def answer(self, asked: Asked) -> bytes | None:
        """The reply, late and spoilt as the behaviour says. Raises _Closed."""
        if self.log is not None:
            self.log.append(asked)
        behaviour = self.behave(asked)
        if behaviour.delay:
            await trio.sleep(behaviour.delay)
        if behaviour.closes:
            raise _Closed
        if behaviour.drops:
            return None
        over_udp = asked.transport == "udp"
        message = self.reply(asked.wire, over_udp=over_udp)
        return None if message is None else _spoil(message, behaviour, over_udp=over_udp)


class _Closed(Exception):  # noqa: N818 - a wish, no error
    """The connection is to be closed."""


def _spoil(message: bytes, behaviour: Behaviour, *, over_udp: bool) -> bytes:
    spoilt = bytearray(message)
    if behaviour.wrong_id:
        spoilt[1] ^= 1
    if behaviour.claims_authentic:
        spoilt[3] |= AD
    if behaviour.wrong_question:
        _, end = read_name(message, HEADER, len(message))
        spoilt[end + 1] ^= 1  # the type's lower octet
    if behaviour.truncates and over_udp:
        return _head(bytes(spoilt), TC >> 8, rcodes.NOERROR)
    if behaviour.knows_no_edns:
        return _head(bytes(spoilt), 0, rcodes.FORMERR)
    if behaviour.options:
        _add_options(spoilt, b"".join(write_option(*option) for option in behaviour.options))
    return bytes(spoilt[: len(spoilt) - behaviour.cuts])


def _head(message: bytes, flags: int, rcode: int) -> bytes:
    """The header, with these flags in its third octet and this code, and the question."""
    _, end = read_name(message, HEADER, len(message))
    head = bytearray(message[: end + 4])
    head[2] |= flags
    head[3] = head[3] & 0xF0 | rcode
    head[6:HEADER] = bytes(6)  # no records
    return bytes(head)


def _add_options(message: bytearray, options: bytes) -> None:
    """Adds them to the OPT record, where there is one: it is the last of what the lab writes."""
    edns = find_edns(bytes(message))
    if edns:
        length_at = len(message) - len(edns.options) - 2
        message[length_at : length_at + 2] = (len(edns.options) + len(options)).to_bytes(2)
        message += options


# ------------ Sockets ------------


async def _serve_datagrams(udp: trio.socket.SocketType, desk: _Desk) -> None:
    async def serve(wire: bytes, client: tuple[object, ...]) -> None:
        try:
            message = await desk.answer(Asked("udp", wire))
        except _Closed:
            return
        if message is not None:
            await udp.sendto(message, client)

    with udp:
        async with trio.open_nursery() as nursery:
            while True:
                try:
                    wire, client = await udp.recvfrom(LONGEST_MESSAGE)
                except ConnectionResetError:
                    continue  # Windows tells here that some client has gone
                nursery.start_soon(serve, wire, client)


async def _serve_stream(desk: _Desk, stream: trio.abc.Stream) -> None:
    """One connection: questions are answered as soon as each can be, in any order."""
    desk.connections += 1
    connection = desk.connections
    sending = trio.Lock()
    transport, resumed = "tcp", False

    async def serve(wire: bytes) -> None:
        message = await desk.answer(Asked(transport, wire, connection, resumed))
        if message is not None:
            async with sending:
                await stream.send_all(frame(message))

    unframer = Unframer()
    try:
        async with stream:
            if isinstance(stream, trio.SSLStream):
                await stream.do_handshake()
                transport = "tls"
                resumed = bool(stream.session_reused)
            async with trio.open_nursery() as nursery:
                while data := await stream.receive_some():
                    for wire in unframer.feed(bytes(data)):
                        nursery.start_soon(serve, wire)
    except* (trio.BrokenResourceError, trio.ClosedResourceError, _Closed):
        pass  # the client went away, or is to be sent away: the next one is served


async def _bind_both(
    address: str, port: int
) -> tuple[trio.socket.SocketType, trio.socket.SocketType]:
    """A UDP and a listening TCP socket on the same port."""
    for _ in range(PORTS_TRIED):
        udp = await bind(socket.SOCK_DGRAM, address, port)
        try:
            return udp, await bind(socket.SOCK_STREAM, address, udp.getsockname()[1])
        except AnchordError:
            udp.close()
            if port:
                raise
    raise AnchordError("no port is free for UDP and TCP alike", where=address)


async def bind(kind: socket.SocketKind, address: str, port: int) -> trio.socket.SocketType:
    """A socket at that address, listening where it is one for streams. Raises AnchordError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    bound = trio.socket.socket(family, kind)
    try:
        if kind == socket.SOCK_STREAM:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        await bound.bind((address, port))
        if kind == socket.SOCK_STREAM:
            bound.listen()
    except OSError as error:
        bound.close()
        remedy = "choose another port, or 0 for any" if error.errno == errno.EADDRINUSE else ""
        raise AnchordError(
            f"the lab cannot listen: {error.strerror}",
            where=f"[{address}]:{port}" if ":" in address else f"{address}:{port}",
            remedy=remedy,
        ) from error
    return bound
