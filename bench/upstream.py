"""The upstream of the bench: a resolver that has the answer to everything ready, in one process.

It serves plain DNS over UDP and TCP, and DNS over TLS, out of one table of rendered replies, which
the lab's world fills when a question is met first (`warm` does that ahead of time). So it costs
little, and the same whoever asks. `delay` puts a distance in between: each reply waits so long, as
if it came from far away, and no other reply waits for it. Connections are made without it.
"""

import heapq
import itertools
import multiprocessing
import selectors
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeAlias

from anchord.lab.certificates import SERVER_NAME, CertificateAuthority, server_context
from anchord.lab.plan import Plan
from anchord.lab.world import World
from anchord.model.question import Question
from anchord.wire.framing import Unframer, frame
from anchord.wire.message import CD, HEADER, RD
from anchord.wire.query import write_query

from . import machine

NAME = SERVER_NAME
"""The name in its certificate."""


class Upstream:
    """The process, and what whoever uses it needs to know. To be closed."""

    def __init__(self, folder: Path, plans: Iterable[Plan]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_run, args=(other, folder, list(plans)), daemon=True)
        self._process.start()
        other.close()
        self.plain_port, self.tls_port = self._pipe.recv()
        self.ca_file = folder / "ca.pem"
        self.anchor_file = folder / "root.ds"

    def warm(self, questions: Iterable[Question]) -> None:
        """Makes the answers to these ready."""
        self._tell("warm", list(questions))

    def delay(self, seconds: float) -> None:
        """From now on, replies wait so long."""
        self._tell("delay", seconds)

    def queries(self) -> int:
        """How many queries it got since this was last asked."""
        count: int = self._tell("queries", None)
        return count

    def close(self) -> None:
        """Ends it."""
        self._pipe.close()
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _tell(self, command: str, argument: object) -> Any:
        self._pipe.send((command, argument))
        return self._pipe.recv()


# ------------ The process ------------


def _run(pipe: Connection, folder: Path, plans: list[Plan]) -> None:
    machine.claim_load_core()
    world = World(int(time.time()), plans=plans)
    authority = CertificateAuthority("bench CA")
    (folder / "ca.pem").write_bytes(authority.pem)
    (folder / "root.ds").write_text(world.trust_anchors(), encoding="utf-8")
    with suppress(EOFError, KeyboardInterrupt):
        _Server(world, server_context(authority.issue()), pipe).run()


@dataclass(eq=False, slots=True)
class _Stream:
    """A connection. `unsent` is what its client has not taken yet."""

    sock: socket.socket
    is_shaking: bool
    unframer: Unframer = field(default_factory=Unframer)
    unsent: bytearray = field(default_factory=bytearray)

    @property
    def is_open(self) -> bool:
        return self.sock.fileno() >= 0


_Client: TypeAlias = _Stream | tuple[str, int]
_WOULD_WAIT = (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError)


class _Server:
    def __init__(self, world: World, tls: ssl.SSLContext, pipe: Connection) -> None:
        self._world = world
        self._tls = tls
        self._pipe = pipe
        self._replies: dict[tuple[Question, bool], bytes] = {}
        self._queries = 0
        self._delay = 0.0
        self._due: list[tuple[float, int, _Client, bytes]] = []
        self._numbers = itertools.count()
        self._selector = selectors.DefaultSelector()
        self._udp, plain, encrypted = _bind()
        serve: Callable[[], None]
        for sock, serve in (
            (self._udp, self._take_datagrams),
            (plain, lambda: self._accept(plain, is_tls=False)),
            (encrypted, lambda: self._accept(encrypted, is_tls=True)),
        ):
            sock.setblocking(False)
            self._selector.register(sock, selectors.EVENT_READ, serve)
        self._selector.register(pipe, selectors.EVENT_READ, self._obey)
        pipe.send((plain.getsockname()[1], encrypted.getsockname()[1]))

    def run(self) -> None:
        """Serves until the other end of the pipe is closed, which raises EOFError."""
        while True:
            timeout = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
            for key, _ in self._selector.select(timeout):
                key.data()
            now = time.monotonic()
            while self._due and self._due[0][0] <= now:
                _, _, client, data = heapq.heappop(self._due)
                self._send(client, data)

    def _obey(self) -> None:
        command, argument = self._pipe.recv()
        result = None
        match command:
            case "warm":
                for question in argument:
                    for over_udp in (True, False):
                        self._reply(write_query(question), over_udp=over_udp)
            case "delay":
                self._delay = argument
            case "queries":
                result, self._queries = self._queries, 0
        self._pipe.send(result)

    def _reply(self, wire: bytes, *, over_udp: bool) -> bytes:
        """The reply: one for each question and transport, but for the id and the flags RD and CD.

        Everybody who asks is a validator: what is ready was asked with DO.
        """
        end = wire.index(b"\0", HEADER) + 5
        question = Question(wire[HEADER : end - 4].lower(), int.from_bytes(wire[end - 4 : end - 2]))
        key = question, over_udp
        reply = self._replies.get(key)
        if reply is None:
            reply = self._world.reply(write_query(question), over_udp=over_udp)
            assert reply is not None
            self._replies[key] = reply
        flags = int.from_bytes(reply[2:4]) & ~(RD | CD) | int.from_bytes(wire[2:4]) & (RD | CD)
        return wire[:2] + flags.to_bytes(2) + reply[4:HEADER] + wire[HEADER:end] + reply[end:]

    # ------------ Datagrams and streams ------------

    def _take_datagrams(self) -> None:
        with suppress(BlockingIOError):
            while True:
                wire, client = self._udp.recvfrom(4096)
                self._queries += 1
                self._send_later(client, self._reply(wire, over_udp=True))

    def _accept(self, listener: socket.socket, *, is_tls: bool) -> None:
        accepted, _ = listener.accept()
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if is_tls:
            accepted = self._tls.wrap_socket(
                accepted, server_side=True, do_handshake_on_connect=False
            )
        stream = _Stream(accepted, is_shaking=is_tls)
        self._selector.register(accepted, selectors.EVENT_READ, lambda: self._serve(stream))

    def _serve(self, stream: _Stream) -> None:
        try:
            self._read(stream)
        except _WOULD_WAIT:
            self._watch(stream)
        except OSError:
            self._close(stream)

    def _read(self, stream: _Stream) -> None:
        if stream.is_shaking:
            assert isinstance(stream.sock, ssl.SSLSocket)
            stream.sock.do_handshake()
            stream.is_shaking = False
        self._flush(stream)
        replies = []
        is_more = True
        while is_more:
            data = stream.sock.recv(16384)
            if not data:
                self._close(stream)
                return
            wires = stream.unframer.feed(data)
            self._queries += len(wires)
            replies += [frame(self._reply(wire, over_udp=False)) for wire in wires]
            is_more = isinstance(stream.sock, ssl.SSLSocket) and stream.sock.pending() > 0
        if replies:
            self._send_later(stream, b"".join(replies))

    def _flush(self, stream: _Stream) -> None:
        while stream.unsent:
            del stream.unsent[: stream.sock.send(stream.unsent)]
        self._watch(stream)

    def _watch(self, stream: _Stream) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if stream.unsent else 0)
        self._selector.modify(stream.sock, events, lambda: self._serve(stream))

    def _close(self, stream: _Stream) -> None:
        self._selector.unregister(stream.sock)
        stream.sock.close()

    # ------------ The distance ------------

    def _send_later(self, client: _Client, data: bytes) -> None:
        if self._delay:
            due = time.monotonic() + self._delay
            heapq.heappush(self._due, (due, next(self._numbers), client, data))
        else:
            self._send(client, data)

    def _send(self, client: _Client, data: bytes) -> None:
        if isinstance(client, tuple):
            with suppress(OSError):
                self._udp.sendto(data, client)
        elif client.is_open:
            client.unsent += data
            try:
                self._flush(client)
            except _WOULD_WAIT:
                self._watch(client)
            except OSError:
                self._close(client)


def _bind() -> tuple[socket.socket, socket.socket, socket.socket]:
    """Plain DNS over UDP and TCP on one port, and DNS over TLS on another."""
    while True:
        plain = socket.create_server(("127.0.0.1", 0), backlog=128)
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            udp.bind(plain.getsockname())
        except OSError:
            plain.close()
            udp.close()
            continue
        return udp, plain, socket.create_server(("127.0.0.1", 0), backlog=128)
