"""A distance between client and server, over TCP and UDP: a process that holds every piece back.

Each piece waits for half of a round trip in either direction. Since the relay accepts connections
by itself, a connection's first piece waits for a whole round trip more, which TCP's own handshake
would have taken. The process shares the servers' core, so that clients have theirs alone.
"""

import heapq
import itertools
import multiprocessing
import os
import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from . import machine

PIECE = 65536
"""Octets that are taken at once."""


class Distance:
    """A way to a server's port that takes so many seconds there and back. Leaving it ends it."""

    def __init__(self, server_port: int, round_trip: float) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(
            target=_run, args=(other, server_port, round_trip), daemon=True
        )
        self._process.start()
        other.close()
        self.port: int = self._pipe.recv()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pipe.close()
        self._process.join()

    def cut(self) -> None:
        """Ends all connections over TCP."""
        self._tell("cut")

    def move(self) -> None:
        """Lets datagrams reach the server from another port, as behind a router that forgets."""
        self._tell("move")

    def connections(self) -> int:
        """How many have been made over TCP since this was last asked."""
        count: int = self._tell("connections")
        return count

    def _tell(self, command: str) -> Any:
        self._pipe.send(command)
        return self._pipe.recv()


# ------------ The process ------------


def _run(pipe: Connection, server_port: int, round_trip: float) -> None:
    os.sched_setaffinity(0, {machine.SERVER_CORE})
    with suppress(EOFError, KeyboardInterrupt):
        _Relay(pipe, server_port, round_trip).run()


@dataclass(eq=False, slots=True)
class _Half:
    """One direction of a connection: `not_before` keeps its pieces in order."""

    source: socket.socket
    sink: socket.socket
    extra: float
    not_before: float = 0.0


class _Relay:
    def __init__(self, pipe: Connection, server_port: int, round_trip: float) -> None:
        self._pipe = pipe
        self._server = "127.0.0.1", server_port
        self._round_trip = round_trip
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._halves: list[_Half] = []
        self._ways: dict[Any, socket.socket] = {}
        self._accepted = 0
        self._listener, self._front = _bind()
        self._selector = selectors.SelectSelector()  # others round up to milliseconds
        self._selector.register(pipe, selectors.EVENT_READ, self._obey)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._front, selectors.EVENT_READ, self._take_datagrams)
        pipe.send(self._front.getsockname()[1])

    def run(self) -> None:
        """Runs until the other end of the pipe is closed, which raises EOFError."""
        while True:
            timeout = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
            for key, _ in self._selector.select(timeout):
                key.data()
            now = time.monotonic()
            while self._due and self._due[0][0] <= now:
                _, _, deliver = heapq.heappop(self._due)
                with suppress(OSError):
                    deliver()

    def _obey(self) -> None:
        command = self._pipe.recv()
        result = None
        match command:
            case "cut":
                for half in self._halves:
                    self._end(half)
                    half.source.close()
                self._halves.clear()
            case "move":
                for way in self._ways.values():
                    self._selector.unregister(way)
                    way.close()
                self._ways.clear()
            case "connections":
                result, self._accepted = self._accepted, 0
        self._pipe.send(result)

    def _later(self, at: float, deliver: Callable[[], object]) -> None:
        heapq.heappush(self._due, (at, next(self._numbers), deliver))

    # ------------ TCP ------------

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection(self._server)
        self._accepted += 1
        for source, sink, extra in ((client, server, self._round_trip), (server, client, 0.0)):
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            half = _Half(source, sink, extra)
            self._halves.append(half)
            self._selector.register(source, selectors.EVENT_READ, partial(self._pass_on, half))

    def _pass_on(self, half: _Half) -> None:
        data = b""
        with suppress(OSError):
            data = half.source.recv(PIECE)
        at = max(time.monotonic() + self._round_trip / 2 + half.extra, half.not_before)
        half.not_before, half.extra = at, 0.0
        if data:
            self._later(at, partial(half.sink.sendall, data))
        else:
            self._end(half)
            self._later(at, partial(half.sink.shutdown, socket.SHUT_WR))

    def _end(self, half: _Half) -> None:
        with suppress(KeyError, ValueError):  # it has ended already
            self._selector.unregister(half.source)

    # ------------ UDP ------------

    def _take_datagrams(self) -> None:
        with suppress(BlockingIOError):
            while True:
                data, client = self._front.recvfrom(PIECE)
                way = self._ways.get(client)
                if way is None:
                    way = self._ways[client] = _datagrams()
                    way.connect(self._server)
                    give_back = partial(self._give_back, way, client)
                    self._selector.register(way, selectors.EVENT_READ, give_back)
                self._later(time.monotonic() + self._round_trip / 2, partial(way.send, data))

    def _give_back(self, way: socket.socket, client: Any) -> None:
        with suppress(OSError):
            while True:
                data = way.recv(PIECE)
                at = time.monotonic() + self._round_trip / 2
                self._later(at, partial(self._front.sendto, data, client))


def _datagrams() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    return made


def _bind() -> tuple[socket.socket, socket.socket]:
    """TCP and UDP on one port."""
    while True:
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        front = _datagrams()
        try:
            front.bind(listener.getsockname())
        except OSError:
            listener.close()
            front.close()
            continue
        return listener, front
