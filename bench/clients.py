"""Clients of encrypted transports, each measured in the same way: anchord, libraries, forwarders.

anchord's transports and the libraries (`plain`) run in this process; forwarders have its core, are
started anew for each first question, and are asked over UDP, which is in their times. Over a
distance their connections are counted and can be cut, so that they resume.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import trio

from anchord.lab.certificates import SERVER_NAME
from anchord.model import names, rdtypes
from anchord.model.question import Question
from anchord.upstream import url
from anchord.upstream.base import Upstream
from anchord.upstream.build import build_upstreams
from anchord.upstream.pool import BELOW_THE_CUT
from anchord.wire.query import write_query

from . import machine, plain
from .distance import Distance
from .encrypted import READY, forwarder

FIRSTS, NEXT, IN_FLIGHT, CROWD = 5, 200, 100, 3000
"""First questions of each kind, questions one after another, at a time, and of a crowd."""

IDLE = 0.15
"""Seconds after which anchord closes an idle connection here, so that it has to resume."""

PAUSE = 2 * IDLE
"""Seconds before each new connection, of whatever kind: what has slept is slower to wake."""

MIGRATES = "quic"
"""Over what a server follows a client however often it moves: Debian 13's Caddy does thrice."""

PATIENCE = 5.0
"""Seconds for an answer of a forwarder."""


class Place(NamedTuple):
    """Where a server is: asked by `scheme` on a port, over a distance or not."""

    scheme: str
    port: int
    distance: Distance | None
    folder: Path

    @property
    def ca_file(self) -> Path:
        """By whom its certificate is."""
        return self.folder / "ca.pem"


@dataclass(slots=True)
class Sample:
    """What one client needed in one round: seconds, and answers per second.

    Empty is what a client cannot do. `cpu` is the time that it has spent on an answer of the crowd.
    `handshakes` were made for so many `queries`.
    """

    new: list[float] = field(default_factory=list)
    resumed: list[float] = field(default_factory=list)
    early: list[float] = field(default_factory=list)
    moved: list[float] = field(default_factory=list)
    following: list[float] = field(default_factory=list)
    per_second: float = 0.0
    cpu: float = 0.0
    handshakes: int = 0
    queries: int = 0


# ------------ anchord ------------


def anchord(place: Place) -> Sample:
    """By its own transports."""
    return trio.run(_anchord, place)


async def _anchord(place: Place) -> Sample:
    endpoint = url.parse(
        f"{place.scheme}://{SERVER_NAME}:{place.port}",
        addresses=["127.0.0.1"],
        ca_file=str(place.ca_file),
    )
    query = write_query(Question(names.from_text(plain.NAME), rdtypes.A), padded=True)
    sample = Sample()
    async with trio.open_nursery() as nursery:
        (upstream,) = build_upstreams([endpoint], nursery)
        (early,) = build_upstreams([endpoint], nursery, early_data=True)
        await upstream.exchange(query)  # the libraries are loaded, the CA file is read
        for _ in range(FIRSTS):
            upstream.forget_network()
            await trio.sleep(PAUSE)
            sample.new.append(await _timed(upstream, query))
        sample.resumed = await _resumed(upstream, query, lambda: upstream.counters.resumptions)
        if place.scheme in plain.RESUMES:
            sample.early = await _resumed(early, query, lambda: early.counters.early_data)
        if place.scheme == MIGRATES and place.distance is not None:
            sample.moved = await _moved(early, query, place.distance)
        await _crowd(upstream, query, 4 * IN_FLIGHT)
        counters = upstream.counters
        handshakes, queries = counters.handshakes, counters.queries
        sample.following = [await _timed(upstream, query) for _ in range(NEXT)]
        spent = time.process_time()
        sample.per_second = CROWD / await _crowd(upstream, query, CROWD)
        sample.cpu = (time.process_time() - spent) / CROWD
        sample.handshakes = counters.handshakes - handshakes
        sample.queries = counters.queries - queries
        for each in (upstream, early):
            await each.aclose()
        nursery.cancel_scope.cancel()
    return sample


async def _timed(upstream: Upstream, query: bytes) -> float:
    began = time.perf_counter()
    await upstream.exchange(query)
    return time.perf_counter() - began


async def _resumed(upstream: Upstream, query: bytes, counted: Callable[[], int]) -> list[float]:
    """Of connections that are followed by another one. Those count that are `counted`."""
    times: list[float] = []
    while len(times) < FIRSTS:
        upstream.forget_network()
        upstream.counters.idle.was_cut(IDLE / BELOW_THE_CUT)
        await upstream.exchange(query)
        await trio.sleep(PAUSE)
        before = counted()
        took = await _timed(upstream, query)
        if counted() > before:
            times.append(took)
    upstream.forget_network()
    return times


async def _moved(upstream: Upstream, query: bytes, distance: Distance) -> list[float]:
    await upstream.exchange(query)
    times: list[float] = []
    while len(times) < FIRSTS:
        before = upstream.counters.handshakes
        distance.move()
        took = await _timed(upstream, query)
        if upstream.counters.handshakes == before:
            times.append(took)
    return times


async def _crowd(upstream: Upstream, query: bytes, count: int) -> float:
    """Seconds for all of them."""

    async def ask() -> None:
        for _ in range(count // IN_FLIGHT):
            await upstream.exchange(query)

    began = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(IN_FLIGHT):
            nursery.start_soon(ask)
    return time.perf_counter() - began


# ------------ The libraries ------------


def library(place: Place) -> Sample:
    """By the plain library for the scheme."""

    def opener() -> Callable[[], plain.Connected]:
        return plain.opener(place.scheme, place.port, place.ca_file)

    def first(connect: Callable[[], plain.Connected]) -> float:
        time.sleep(PAUSE)
        began = time.perf_counter()
        ask, close = connect()
        ask()
        spent = time.perf_counter() - began
        time.sleep(0.05)  # a session's ticket may come behind the answer
        close()
        return spent

    first(opener())
    sample = Sample(new=[first(opener()) for _ in range(FIRSTS)])
    connect = opener()
    if place.scheme in plain.RESUMES:
        first(connect)
        sample.resumed = [first(connect) for _ in range(FIRSTS)]
    ask, close = connect()
    ask()
    if place.scheme == MIGRATES and place.distance is not None:
        for _ in range(FIRSTS):
            place.distance.move()
            sample.moved += _following(ask, 1)
    sample.following = _following(ask, NEXT)
    close()
    _crowd_in_threads(opener, sample)
    return sample


def _following(ask: Callable[[], object], count: int) -> list[float]:
    times = []
    for _ in range(count):
        began = time.perf_counter()
        ask()
        times.append(time.perf_counter() - began)
    return times


def _crowd_in_threads(opener: Callable[[], Callable[[], plain.Connected]], sample: Sample) -> None:
    started = threading.Barrier(IN_FLIGHT + 1)

    def work() -> None:
        ask, close = opener()()
        ask()
        started.wait()
        for _ in range(CROWD // IN_FLIGHT):
            ask()
        close()

    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        done = [pool.submit(work) for _ in range(IN_FLIGHT)]
        started.wait()
        began, spent = time.perf_counter(), time.process_time()
        for one in done:
            one.result()
        sample.per_second = CROWD / (time.perf_counter() - began)
        sample.cpu = (time.process_time() - spent) / CROWD


# ------------ Forwarders ------------


def forwarding(program: str) -> Callable[[Place], Sample]:
    """By that forwarder."""
    return lambda place: _forwarding(program, place)


def _forwarding(program: str, place: Place) -> Sample:
    sample = Sample()
    for _ in range(FIRSTS):
        with _forwarder(program, place) as ask:
            time.sleep(PAUSE)
            sample.new += _following(ask, 1)
    with _forwarder(program, place) as ask:
        ask()
        if place.distance is not None:
            for _ in range(FIRSTS):
                place.distance.cut()
                time.sleep(PAUSE)
                sample.resumed += _following(ask, 1)
        ask.crowd(4 * IN_FLIGHT)
        if place.distance is not None:
            place.distance.connections()
        sample.following = _following(ask, NEXT)
        spent = machine.cpu_seconds(ask.pid)
        sample.per_second = CROWD / ask.crowd(CROWD)
        sample.cpu = (machine.cpu_seconds(ask.pid) - spent) / CROWD
        if place.distance is not None:
            sample.handshakes, sample.queries = place.distance.connections(), NEXT + CROWD
    return sample


@contextmanager
def _forwarder(program: str, place: Place) -> Iterator["_Asked"]:
    with (
        forwarder(program, place.scheme, place.port, place.folder) as (port, pid),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        sock.settimeout(PATIENCE)
        sock.connect(("127.0.0.1", port))
        asked = _Asked(sock, pid)
        asked.question(READY)
        sock.recv(4096)
        yield asked


class _Asked:
    """A forwarder that is asked for another name each time. Calling it asks once."""

    def __init__(self, sock: socket.socket, pid: int) -> None:
        self.pid = pid
        self._sock = sock
        self._count = 0

    def question(self, name: str) -> None:
        """Sends a question for its address."""
        self._sock.send(write_query(Question(names.from_text(name), rdtypes.A)))

    def __call__(self) -> None:
        self.crowd(1)

    def crowd(self, count: int) -> float:
        """Seconds for so many."""
        began = time.perf_counter()
        for number in range(count + IN_FLIGHT):
            if number < count:
                self._count += 1
                self.question(f"n{self._count}.example")
            if number >= min(count, IN_FLIGHT) and number - min(count, IN_FLIGHT) < count:
                assert self._sock.recv(4096)[3] & 0xF == 0
        return time.perf_counter() - began
