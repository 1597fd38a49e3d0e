"""The network's own names, and a pause, with servers on port 53 of a loopback address."""

import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

import dns.rdata
import pytest
import trio

from anchord.config.load import Loaded, load
from anchord.daemon.network import NetworkUpstream, NetworkWatch
from anchord.daemon.switch import Switch
from anchord.lab.servers import Asked, serve_plain
from anchord.lab.world import World
from anchord.model import rcodes, rdtypes
from anchord.model.clock import SystemClock
from anchord.model.errors import AnchordError
from anchord.model.names import Name, from_text
from anchord.model.question import ClientFlags, Question
from anchord.model.response import Response, RRset
from anchord.model.verdict import Status
from anchord.resolver.loops import Loops
from anchord.system import netlink
from anchord.system.links import Link
from anchord.system.machine import Machine
from anchord.upstream.base import UpstreamError
from anchord.upstream.designated import DISCOVERY
from anchord.upstream.matching import question_of
from anchord.wire.message import Query, read_query
from anchord.wire.query import write_query
from support.certificates import make
from support.peers import address_in, query_for, reply_to
from support.stubborn import answer
from support.walk import in_fast_motion, written
from unit.upstream.conftest import Stage

SERVER = "127.53.6.1"
GENERAL = "127.53.6.2"
GOOD = Question(from_text("good.lab."), rdtypes.A)


class Network:
    """What a test says that the links are."""

    def __init__(self, *links: Link) -> None:
        self.links = links

    def read(self, _machine: Machine) -> tuple[Link, ...]:
        return self.links


def link(*domains: str, server: str = SERVER) -> Link:
    keys: tuple[Name, ...] = tuple(from_text(domain) for domain in domains)
    return Link("v0", (server,), keys)


@asynccontextmanager
async def server(world: World, address: str = SERVER) -> AsyncIterator[list[Asked]]:
    """The world's resolver on port 53 of an address; what it was asked."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((address, 53))
    except OSError as error:
        pytest.skip(f"port 53 of {address} cannot be had: {error}")
    log: list[Asked] = []
    async with serve_plain(world.reply, address=address, port=53, log=log):
        yield log


def loaded(folder: Path, world: World, zone: str = "") -> Loaded:
    anchors = folder / "root.ds"
    anchors.write_text(world.trust_anchors())
    file = folder / "anchord.toml"
    file.write_text(
        f"[[upstream]]\nurl = 'udp://{GENERAL}'\n[forward]\nallow_plaintext = true\n"
        f"timeout = '1s'\n[dnssec]\ntrust_anchors = '{anchors}'\n[hosts]\nfile = ''\n{zone}"
    )
    return load(file)


ZONE = """
[[zone]]
domain = "good.lab"
upstream = ["network"]
dnssec = "insecure"
allow_plaintext = true
"""


@pytest.fixture(scope="module")
def world() -> World:
    return World(int(SystemClock().wall()))


async def test_the_server_of_the_link_that_has_the_domain_is_asked(world: World) -> None:
    network = Network(link("lab."))
    watch = NetworkWatch(read=network.read)
    watch.read()
    async with server(world) as log, trio.open_nursery() as nursery:
        upstream = NetworkUpstream(watch, from_text("good.lab."), nursery)
        assert str(upstream) == "network"
        await upstream.exchange(write_query(GOOD))
        assert [asked.text for asked in log] == ["good.lab. A"]
        other = NetworkUpstream(watch, from_text("elsewhere."), nursery)
        with pytest.raises(UpstreamError, match="no link names a server for elsewhere"):
            await other.exchange(write_query(GOOD))
        await upstream.aclose()
        nursery.cancel_scope.cancel()


async def test_a_server_that_is_silent_is_passed_over(world: World) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.53.6.3", 0))
        network = Network(Link("v0", ("127.53.6.3", SERVER), (from_text("lab."),)))
        watch = NetworkWatch(read=network.read)
        watch.read()
        async with server(world) as log, trio.open_nursery() as nursery:
            upstream = NetworkUpstream(watch, from_text("lab."), nursery)
            with trio.fail_after(5):
                await upstream.exchange(write_query(GOOD))
            assert log
            await upstream.aclose()
            nursery.cancel_scope.cancel()


class EncryptedToo:
    """A server of a network: 192.0.2.9 in plaintext on port 53, 192.0.2.1 over TLS, and its word of
    where that is."""

    def __init__(self, stage: Stage, address: str) -> None:
        self.asked: list[bytes] = []
        self._stage = stage
        self._address = address

    async def start(self, names: Sequence[str]) -> None:
        """The certificate is for these names and addresses."""
        certificate = make(names, issuer=self._stage.ca)
        self.encrypted = await self._stage.server(
            "tls", answer, certificate=certificate, host=self._address
        )
        sock = trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            await sock.bind((self._address, 53))
        except OSError as error:
            sock.close()
            pytest.skip(f"port 53 of {self._address} cannot be had: {error}")
        self._stage.nursery.start_soon(self._serve, sock)

    async def _serve(self, sock: trio.socket.SocketType) -> None:
        text = f"1 dns.example. alpn=dot port={self.encrypted.port}"
        rdata = dns.rdata.from_text("IN", "SVCB", text).to_wire() or b""
        records = RRset(DISCOVERY.name, DISCOVERY.rdtype, 300, (rdata,))
        said = Response(DISCOVERY, rcodes.NOERROR, answer=(records,))
        with sock:
            while True:
                query, source = await sock.recvfrom(4096)
                self.asked.append(query)
                is_discovery = question_of(query) == question_of(write_query(DISCOVERY))
                reply = written(query, said) if is_discovery else reply_to(query, octet=9)
                await sock.sendto(reply, source)


@pytest.fixture
async def stage(
    tmp_path: Path, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stage]:
    """Its authority is in the system's store."""
    stage = Stage(tmp_path, nursery)
    monkeypatch.setenv("SSL_CERT_FILE", stage.ca_file)
    with trio.fail_after(10):
        yield stage


async def until_settled(upstream: NetworkUpstream, *, is_designated: bool) -> str:
    """Who answers after the discovery, if that comes to anything."""
    await upstream.exchange(query_for())
    with trio.move_on_after(5 if is_designated else 0.5):
        while not upstream.counters.designated:
            await trio.sleep(0.01)
            await upstream.exchange(query_for())
    return address_in(await upstream.exchange(query_for()))


@pytest.mark.parametrize("proves_itself", [True, False])
async def test_a_server_that_a_link_names_is_asked_over_the_encrypted_way_that_it_proves(
    stage: Stage, *, proves_itself: bool
) -> None:
    server = EncryptedToo(stage, SERVER)
    await server.start([SERVER] if proves_itself else ["dns.example"])
    network = Network(link("lab."))
    watch = NetworkWatch(read=network.read)
    watch.read()
    upstream = NetworkUpstream(watch, from_text("lab."), stage.nursery, loops=Loops())
    said = await until_settled(upstream, is_designated=proves_itself)
    assert said == ("192.0.2.1" if proves_itself else "192.0.2.9")
    assert bool(upstream.counters.designated) is proves_itself
    assert bool(server.encrypted.heard) is proves_itself
    await upstream.aclose()


async def test_what_a_server_has_designated_ends_with_its_link(stage: Stage) -> None:
    first, second = EncryptedToo(stage, SERVER), EncryptedToo(stage, GENERAL)
    await first.start([SERVER])
    await second.start([])
    network = Network(link("lab."))
    watch = NetworkWatch(read=network.read)
    watch.read()
    upstream = NetworkUpstream(watch, from_text("lab."), stage.nursery, loops=Loops())
    assert await until_settled(upstream, is_designated=True) == "192.0.2.1"
    network.links = (link("lab.", server=GENERAL),)
    watch.read()
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.9"
    assert upstream.counters.designated == ""
    network.links = (link("lab."),)
    watch.read()
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.9"  # asked anew
    await upstream.aclose()


async def test_a_server_of_the_network_that_leads_back_is_found(nursery: trio.Nursery) -> None:
    """A router that asks this machine: its question comes in while ours waits."""
    sock = trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        await sock.bind((SERVER, 53))
    except OSError as error:
        sock.close()
        pytest.skip(f"port 53 of {SERVER} cannot be had: {error}")
    loops = Loops()

    async def lead_back() -> None:
        with sock:
            while True:
                query = read_query(await sock.recv(4096))
                assert isinstance(query, Query)
                loops.answer(query.question)

    nursery.start_soon(lead_back)
    watch = NetworkWatch(read=Network(link("lab.")).read)
    watch.read()
    upstream = NetworkUpstream(watch, from_text("lab."), nursery, loops=loops)
    with pytest.raises(UpstreamError, match="leads back to anchord"), trio.fail_after(4):
        await upstream.exchange(query_for())
    await upstream.aclose()


async def test_without_a_daemon_nothing_is_discovered(stage: Stage) -> None:
    server = EncryptedToo(stage, SERVER)
    await server.start([SERVER])
    watch = NetworkWatch(read=Network(link("lab.")).read)
    watch.read()
    upstream = NetworkUpstream(watch, from_text("lab."), stage.nursery)
    await upstream.exchange(query_for())
    await trio.sleep(0.1)
    assert [question_of(query) for query in server.asked] == [question_of(query_for())]
    await upstream.aclose()


async def test_a_zone_of_the_network_is_answered_unproven_and_ends_with_its_link(
    world: World, tmp_path: Path
) -> None:
    network = Network(link("good.lab."))
    watch = NetworkWatch(read=network.read)
    with_zone = loaded(tmp_path, world, ZONE)
    async with server(world) as log, server(world, GENERAL) as general:
        async with trio.open_nursery() as nursery:
            switch = Switch(with_zone, SystemClock(), watch, nursery, lambda: with_zone)
            await switch.start()
            answer = await switch.resolver.resolve(GOOD, ClientFlags())
            assert answer.verdict.status is Status.INSECURE
            assert answer.answer
            network.links = ()
            await watch.look()
            assert switch.resolver.known(GOOD, ClientFlags()) is None
            gone = await switch.resolver.resolve(GOOD, ClientFlags())
            assert gone.verdict.status.is_failure
            assert "no link names a server for good.lab." in str(gone)
            nursery.cancel_scope.cancel()
        # Besides, the server is asked what it designates.
        assert {asked.text for asked in log} == {"good.lab. A", "_dns.resolver.arpa. SVCB"}
        assert not [asked.text for asked in general if "good.lab" in asked.text]


async def test_a_pause_asks_the_network_for_everything_and_checks_nothing(
    world: World, tmp_path: Path
) -> None:
    watch = NetworkWatch(read=Network(link()).read)
    bogus = Question(from_text("expired.lab."), rdtypes.A)
    without = loaded(tmp_path, world)
    async with server(world) as log, server(world, GENERAL), trio.open_nursery() as nursery:
        switch = Switch(without, SystemClock(), watch, nursery, lambda: without)
        await switch.start()
        before = await switch.resolver.resolve(bogus, ClientFlags())
        assert before.verdict.status is Status.BOGUS
        assert log == []
        await switch.pause(60)
        assert 59 < switch.pause_left <= 60
        paused = await switch.resolver.resolve(bogus, ClientFlags())
        assert paused.verdict.status is Status.INDETERMINATE
        assert [asked.text for asked in log] == ["expired.lab. A"]
        assert await switch.resume()
        assert not await switch.resume()
        after = await switch.resolver.resolve(bogus, ClientFlags())
        assert after.verdict.status is Status.BOGUS
        await switch.pause(0.05)
        await trio.sleep(0.3)
        assert switch.pause_left == 0
        again = await switch.resolver.resolve(bogus, ClientFlags())
        assert again.verdict.status is Status.BOGUS
        nursery.cancel_scope.cancel()


async def test_a_pause_needs_a_server_of_the_network(world: World, tmp_path: Path) -> None:
    watch = NetworkWatch(read=Network().read)
    without = loaded(tmp_path, world)
    async with trio.open_nursery() as nursery:
        switch = Switch(without, SystemClock(), watch, nursery, lambda: without)
        await switch.start()
        with pytest.raises(AnchordError, match="no link of this machine names"):
            await switch.pause(60)
        assert switch.pause_left == 0
        nursery.cancel_scope.cancel()


async def test_another_network_gets_connections_of_its_own(world: World, tmp_path: Path) -> None:
    watch = NetworkWatch(read=Network(link("lab.")).read)
    with_zone = loaded(tmp_path, world)
    async with server(world, GENERAL), trio.open_nursery() as nursery:
        switch = Switch(with_zone, SystemClock(), watch, nursery, lambda: with_zone)
        await switch.start()
        await switch.resolver.resolve(GOOD, ClientFlags())
        (upstream,) = switch.resolver.upstreams.values()
        assert upstream.counters.round_trip.smoothed is not None
        for call in watch.on_move:
            call()
        assert upstream.counters.round_trip.smoothed is None
        nursery.cancel_scope.cancel()


async def test_a_change_is_told_once_however_often_it_is_looked_at() -> None:
    network = Network(link("a."))
    watch = NetworkWatch(read=network.read)
    told: list[int] = []
    watch.on_change.append(lambda: told.append(1))
    await watch.look()
    await watch.look()
    network.links = (link("b."),)
    await watch.look()
    assert len(told) == 2


async def test_what_the_netlink_socket_says_is_taken_as_one_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A pair of sockets stands for the kernel's; R28 has the kernel's own in a namespace."""
    monkeypatch.setattr(netlink, "SETTLED", 0.05)
    ours, kernel = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setblocking(False)
    seen = 0

    async def follow() -> None:
        nonlocal seen
        async for _ in netlink.changes(ours):
            seen += 1

    with ours, kernel, trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(follow)
            for _ in range(5):
                kernel.send(b"change")
                await trio.sleep(0.01)
            await trio.sleep(0.2)
            assert seen == 1
            kernel.send(b"another")
            await trio.sleep(0.2)
            assert seen == 2
            nursery.cancel_scope.cancel()


@in_fast_motion
async def test_another_address_is_another_network_and_a_moment_without_one_is_none() -> None:
    ways = iter([("192.0.2.1", ""), ("192.0.2.1", ""), ("", ""), ("192.0.2.1", ""), ("", "::2")])
    last = trio.Event()

    def way_out() -> tuple[str, ...]:
        found = next(ways, None)
        if found is None:
            last.set()
        return found or ("", "::2")

    def fail(_machine: Machine) -> tuple[Link, ...]:
        raise AssertionError("nobody wants to know what the links say")

    told: list[float] = []
    with trio.fail_after(100):
        async with trio.open_nursery() as nursery:
            watch = NetworkWatch(read=fail, way_out=way_out)
            watch.on_move.append(lambda: told.append(trio.current_time()))
            nursery.start_soon(watch.run)
            await last.wait()
            nursery.cancel_scope.cancel()
    assert len(told) == 2  # the same one again after a moment without any, and another one


def test_the_way_out_is_an_address_of_this_machine_or_none() -> None:
    for address in netlink.way_out():
        assert not address or not ip_address(address).is_unspecified
