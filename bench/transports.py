"""`python -m bench.transports`: what a question costs over each encrypted transport.

The same servers, Unbound and dnsdist, are asked by anchord's transports and by plain libraries as
their documentation shows them: dnspython for DoT, h2 for DoH. Where Knot DNS is installed, anchord
asks it over QUIC; there is no plain library beside it. 20 ms between client and server are those
of a relay, which holds every piece for 10 ms; since it accepts connections by itself, the round
trip of TCP's own handshake is added to the first piece.

  first, new        a connection and a session that are new, up to the first answer
  first, resumed    a new connection that takes up a session
  next              one question after another over a connection that stands
  100 in flight     3,000 questions, 100 of them at a time; the libraries use a thread and a
                    connection for each of the 100
"""

import multiprocessing
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import dns.message
import dns.query
import h2.connection
import h2.events
import trio

from anchord.lab.certificates import SERVER_NAME, CertificateAuthority
from anchord.model import names, rdtypes
from anchord.model.question import Question
from anchord.upstream import url
from anchord.upstream.base import Upstream
from anchord.upstream.build import build_upstreams
from anchord.upstream.pool import IdleTime
from anchord.wire.query import write_query

from . import machine
from .measure import percentile
from .servers import PATH

DISTANCES = (0.0, 0.02)
"""Seconds of a round trip to the server."""

FIRSTS, NEXT, IN_FLIGHT, CROWD = 15, 300, 100, 3000
"""New connections, questions one after another, at a time, and questions of a crowd."""

IDLE = 0.15
"""Seconds after which anchord closes an idle connection here, so that it has to resume."""

PAUSE = 2 * IDLE
"""Seconds before each new connection, of whatever kind: what has slept is slower to wake."""

NAME = "www.example"


@dataclass(frozen=True, slots=True)
class Row:
    """What one client needed over one transport; times in ms, or None where it cannot do it."""

    new: float
    resumed: float | None
    next_p50: float
    next_p99: float
    per_second: float
    handshakes: float


# ------------ The servers ------------

UNBOUND = """
server:
    interface: 127.0.0.1@{port}
    tls-port: {port}
    tls-service-pem: {pem}
    tls-service-key: {pem}
    directory: {folder}
    username: ""
    chroot: ""
    pidfile: ""
    use-syslog: no
    do-daemonize: no
    incoming-num-tcp: 200
    local-zone: "example." static
    local-data: "www.example. A 192.0.2.1"
remote-control:
    control-enable: no
"""

DNSDIST = """
setSecurityPollSuffix("")
setLocal("127.0.0.1:{plain}")
addTLSLocal("127.0.0.1:{port}", "{pem}", "{pem}", {{ provider="openssl" }})
addDOHLocal("127.0.0.1:{https}", "{pem}", "{pem}", "/dns-query")
addAction(AllRule(), SpoofAction("192.0.2.1"))
"""


KNOT = """
server:
  rundir: {folder}
  listen: 127.0.0.1@{plain}
  listen-quic: 127.0.0.1@{quic}
  cert-file: {pem}
  key-file: {pem}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: {folder}/knot
zone:
  - domain: example.
    file: {folder}/example.zone
    zonefile-sync: -1
    journal-content: none
"""

ZONE = """\
example. 3600 SOA ns.example. nobody.example. 1 3600 600 86400 300
example. 3600 NS ns.example.
ns.example. 3600 A 192.0.2.2
www.example. 3600 A 192.0.2.1
"""


@contextmanager
def knot(folder: Path, pem: Path) -> Iterator[int]:
    """The port of Knot DNS, over QUIC."""
    plain, quic = _free_ports(2)
    (folder / "example.zone").write_text(ZONE)
    (folder / "knot.conf").write_text(KNOT.format(folder=folder, plain=plain, quic=quic, pem=pem))
    with (folder / "knot.log").open("wb") as log:
        process = subprocess.Popen(
            ["taskset", "-c", str(machine.SERVER_CORE), _path_of("knotd"), "-c", "knot.conf"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
        )
    try:
        _wait_for(plain)
        yield quic
    finally:
        process.terminate()
        process.wait()


@contextmanager
def servers(folder: Path, pem: Path) -> Iterator[dict[tuple[str, str], int]]:
    """Both servers; the port of each by its name and the scheme."""
    unbound, plain, tls, https = _free_ports(4)
    (folder / "unbound.conf").write_text(UNBOUND.format(port=unbound, pem=pem, folder=folder))
    text = DNSDIST.format(plain=plain, port=tls, https=https, pem=pem)
    (folder / "dnsdist.conf").write_text(text)
    commands = (
        ["unbound", "-d", "-c", str(folder / "unbound.conf")],
        ["dnsdist", "--supervised", "--disable-syslog", "-C", str(folder / "dnsdist.conf")],
    )
    with (folder / "log").open("wb") as log:
        running = [
            subprocess.Popen(
                ["taskset", "-c", str(machine.SERVER_CORE), _path_of(program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            for program, *arguments in commands
        ]
    try:
        for port in (unbound, https):
            _wait_for(port)
        yield {("Unbound", "tls"): unbound, ("dnsdist", "tls"): tls, ("dnsdist", "https"): https}
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()


def _path_of(program: str) -> str:
    found = shutil.which(program, path=PATH)
    if found is None:
        raise SystemExit(f"bench.transports: {program} is not installed")
    return found


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


def _wait_for(port: int) -> None:
    for _ in range(500):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.02)
    raise SystemExit(f"bench.transports: nobody listens on port {port}")


# ------------ The distance ------------


@contextmanager
def relay(port: int, round_trip: float) -> Iterator[int]:
    """The port of a relay to `port`, so far away; the port itself where that is nothing."""
    if not round_trip:
        yield port
        return
    context = multiprocessing.get_context("spawn")
    ours, other = context.Pipe()
    process = context.Process(target=_relay, args=(other, port, round_trip), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def _relay(pipe: "multiprocessing.connection.Connection", port: int, round_trip: float) -> None:
    machine.claim_load_core()
    trio.run(_serve_relay, pipe, port, round_trip)


async def _serve_relay(
    pipe: "multiprocessing.connection.Connection", port: int, round_trip: float
) -> None:
    async def pass_on(
        source: trio.SocketStream, sink: trio.SocketStream, nursery: trio.Nursery, first: float
    ) -> None:
        entry, lane = trio.open_memory_channel[tuple[float, bytes]](1000)
        nursery.start_soon(deliver, lane, sink)
        async with entry:
            async for data in source:
                await entry.send((trio.current_time() + first + round_trip / 2, bytes(data)))
                first = 0.0

    async def deliver(
        lane: trio.MemoryReceiveChannel[tuple[float, bytes]], sink: trio.SocketStream
    ) -> None:
        async for at, data in lane:
            await trio.sleep_until(at)
            await sink.send_all(data)
        await sink.aclose()

    async def serve(client: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError, BaseExceptionGroup):
            server = await trio.open_tcp_stream("127.0.0.1", port)
            async with client, server, trio.open_nursery() as nursery:
                nursery.start_soon(pass_on, client, server, nursery, round_trip)
                nursery.start_soon(pass_on, server, client, nursery, 0.0)

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    pipe.send(listeners[0].socket.getsockname()[1])
    await trio.serve_listeners(serve, listeners)


# ------------ anchord ------------


def ours(scheme: str, port: int, ca_file: Path) -> Row:
    """What anchord needs, by its own transport."""
    return trio.run(_ours, scheme, port, ca_file)


async def _ours(scheme: str, port: int, ca_file: Path) -> Row:
    endpoint = url.parse(
        f"{scheme}://{SERVER_NAME}:{port}", addresses=["127.0.0.1"], ca_file=str(ca_file)
    )
    query = write_query(Question(names.from_text(NAME), rdtypes.A), padded=True)
    async with trio.open_nursery() as nursery:
        (upstream,) = build_upstreams([endpoint], nursery)
        await upstream.exchange(query)  # the libraries are loaded, the CA file is read

        async def timed() -> float:
            began = time.perf_counter()
            await upstream.exchange(query)
            return time.perf_counter() - began

        new, resumed = [], []
        for _ in range(FIRSTS):
            upstream.forget_network()
            await trio.sleep(PAUSE)
            new.append(await timed())
        upstream.counters.idle = IdleTime(IDLE)
        upstream.forget_network()
        await upstream.exchange(query)
        before = upstream.counters.resumptions
        for _ in range(FIRSTS):
            await trio.sleep(PAUSE)
            resumed.append(await timed())
        assert upstream.counters.resumptions - before == FIRSTS
        upstream.counters.idle = IdleTime()
        upstream.forget_network()
        handshakes, queries = upstream.counters.handshakes, upstream.counters.queries
        await upstream.exchange(query)
        following = [await timed() for _ in range(NEXT)]
        per_second = CROWD / await _crowd(upstream, query)
        handshakes = upstream.counters.handshakes - handshakes
        queries = upstream.counters.queries - queries
        await upstream.aclose()
        nursery.cancel_scope.cancel()
    return _row(new, resumed, following, per_second, handshakes / queries * 1000)


async def _crowd(upstream: Upstream, query: bytes) -> float:
    """Seconds for all of them."""

    async def ask() -> None:
        for _ in range(CROWD // IN_FLIGHT):
            await upstream.exchange(query)

    began = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(IN_FLIGHT):
            nursery.start_soon(ask)
    return time.perf_counter() - began


def _row(
    new: list[float],
    resumed: list[float],
    following: list[float],
    per_second: float,
    handshakes: float,
) -> Row:
    return Row(
        statistics.median(new) * 1000,
        statistics.median(resumed) * 1000 if resumed else None,
        percentile(following, 0.5) * 1000,
        percentile(following, 0.99) * 1000,
        per_second,
        handshakes,
    )


# ------------ The libraries ------------


def library(scheme: str, port: int, ca_file: Path) -> Row:
    """dnspython, or h2 as its documentation shows it: no sessions, one question after another."""
    context = ssl.create_default_context(cafile=ca_file)
    if scheme == "https":
        context.set_alpn_protocols(["h2"])
    connect = _dnspython if scheme == "tls" else _h2

    def first() -> float:
        time.sleep(PAUSE)
        began = time.perf_counter()
        ask, close = connect(port, context)
        ask()
        spent = time.perf_counter() - began
        close()
        return spent

    first()
    new = [first() for _ in range(FIRSTS)]
    ask, close = connect(port, context)
    ask()
    following = []
    for _ in range(NEXT):
        began = time.perf_counter()
        ask()
        following.append(time.perf_counter() - began)
    close()
    started = threading.Barrier(IN_FLIGHT + 1)

    def work() -> None:
        ask, close = connect(port, context)
        ask()
        started.wait()
        for _ in range(CROWD // IN_FLIGHT):
            ask()
        close()

    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        done = [pool.submit(work) for _ in range(IN_FLIGHT)]
        started.wait()
        began = time.perf_counter()
        for one in done:
            one.result()
        spent = time.perf_counter() - began
    handshakes = (1 + IN_FLIGHT) / (NEXT + CROWD) * 1000
    return _row(new, [], following, CROWD / spent, handshakes)


_Connected = tuple[Callable[[], object], Callable[[], None]]


def _dnspython(port: int, context: ssl.SSLContext) -> _Connected:
    query = dns.message.make_query(NAME, "A", want_dnssec=True)
    sock = context.wrap_socket(
        socket.create_connection(("127.0.0.1", port)), server_hostname=SERVER_NAME
    )
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setblocking(False)
    return lambda: dns.query.tls(query, "127.0.0.1", port=port, sock=sock), sock.close


def _h2(port: int, context: ssl.SSLContext) -> _Connected:
    """As the example of a client in h2's documentation."""
    query = dns.message.make_query(NAME, "A", want_dnssec=True, id=0).to_wire()
    sock = context.wrap_socket(
        socket.create_connection(("127.0.0.1", port)), server_hostname=SERVER_NAME
    )
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = h2.connection.H2Connection()
    connection.initiate_connection()
    sock.sendall(connection.data_to_send())
    head = [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", f"{SERVER_NAME}:{port}"),
        (":path", "/dns-query"),
        ("accept", "application/dns-message"),
        ("content-type", "application/dns-message"),
        ("content-length", str(len(query))),
    ]

    def ask() -> object:
        stream = connection.get_next_available_stream_id()
        connection.send_headers(stream, head)
        connection.send_data(stream, query, end_stream=True)
        sock.sendall(connection.data_to_send())
        body = b""
        while True:
            for event in connection.receive_data(sock.recv(65536)):
                if isinstance(event, h2.events.DataReceived):
                    body += event.data
                    connection.acknowledge_received_data(event.flow_controlled_length, stream)
                elif isinstance(event, h2.events.StreamEnded):
                    return dns.message.from_wire(body)
            sock.sendall(connection.data_to_send())

    return ask, sock.close


# ------------ The table ------------


def main() -> int:
    """Measures, and prints the table."""
    machine.claim_load_core()
    with tempfile.TemporaryDirectory(prefix="anchord-bench-") as name:
        folder = Path(name)
        authority = CertificateAuthority("bench CA")
        (folder / "ca.pem").write_bytes(authority.pem)
        pem = folder / "server.pem"
        pem.write_bytes(authority.issue().pem_with_key)
        lines = [_HEAD, _RULE]
        with servers(folder, pem) as ports:
            for (server, scheme), port in ports.items():
                for distance in DISTANCES:
                    with relay(port, distance) as there:
                        one = ours(scheme, there, folder / "ca.pem")
                        other = library(scheme, there, folder / "ca.pem")
                    what = f"{'DoT' if scheme == 'tls' else 'DoH'}, {server}"
                    lines += _lines(f"{what}, {distance * 1000:.0f} ms", one, other)
        if shutil.which("knotd", path=PATH):
            with knot(folder, pem) as port:
                row = ours("quic", port, folder / "ca.pem")
            lines.append(f"| DoQ, Knot DNS, 0 ms | anchord | {_written(row)} |")
        print("\n".join(lines))
    return 0


_HEAD = (
    "| | | first, new (ms) | first, resumed (ms) | next p50 (ms) | next p99 (ms) "
    "| 100 in flight (per s) | handshakes per 1,000 |"
)
_RULE = "| --- | --- | --- | --- | --- | --- | --- | --- |"


def _lines(what: str, one: Row, other: Row) -> list[str]:
    return [
        f"| {what} | anchord | {_written(one)} |",
        f"| | library | {_written(other)} |",
        (
            f"| | ratio | {one.new / other.new:.2f} | {(one.resumed or 0) / other.new:.2f} "
            f"| {one.next_p50 / other.next_p50:.2f} | {one.next_p99 / other.next_p99:.2f} "
            f"| {one.per_second / other.per_second:.2f} | {one.handshakes / other.handshakes:.3f} |"
        ),
    ]


def _written(row: Row) -> str:
    resumed = "-" if row.resumed is None else f"{row.resumed:.2f}"
    return (
        f"{row.new:.2f} | {resumed} | {row.next_p50:.2f} | {row.next_p99:.2f} "
        f"| {row.per_second:,.0f} | {row.handshakes:.1f}"
    )


if __name__ == "__main__":
    sys.exit(main())
