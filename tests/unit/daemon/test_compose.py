"""From a configuration file to a resolver that answers, over real sockets."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio

from anchord.config.load import Loaded, load
from anchord.config.schema import DEFAULT_UPSTREAMS, Config
from anchord.daemon import compose
from anchord.daemon.compose import CryptoError, clock_of, open_resolver
from anchord.daemon.negative import FILE_NAME
from anchord.dnssec.algorithms import RSASHA256, SHA256, Supported
from anchord.lab.certificates import CertificateAuthority, server_context
from anchord.lab.plan import Plan
from anchord.lab.servers import Asked, serve_plain, serve_tls
from anchord.lab.world import World
from anchord.model.clock import FixedWallClock, SystemClock
from anchord.model.errors import AnchordError
from anchord.model.verdict import Status
from anchord.resolver.resolver import Resolver
from anchord.wire.message import find_option
from anchord.wire.options import OPTION_COOKIE
from support.lab import NOW, world_of
from support.peers import DatagramPeer, reply_to
from support.walk import ask, codes

CORP = "corp.internal"


def plans() -> list[Plan]:
    return [
        Plan("good.lab.", "signed", records="@ A 192.0.2.1\nwww A 192.0.2.2"),
        Plan("new.lab.", "signed, and not asked for before"),
        Plan("loose.lab.", "unsigned", algorithms=()),
        Plan("expired.lab.", "out of date", faults="expired"),
    ]


def private(now: int) -> World:
    zone = Plan(f"{CORP}.", "private", records="host A 192.0.2.7", algorithms=())
    return World(now, plans=[Plan(".", "the root"), zone])


@dataclass
class Network:
    """A recursive resolver over TLS, one over plain DNS for a private zone, and their files."""

    folder: Path
    tls_port: int
    plain_port: int
    general: list[Asked] = field(default_factory=list)
    own: list[Asked] = field(default_factory=list)

    def configure(self, dnssec: str = "", rest: str = "") -> Path:
        path = self.folder / "anchord.toml"
        path.write_text(
            f"""
            [[upstream]]
            url = "tls://127.0.0.1:{self.tls_port}"
            ca_file = "ca.pem"
            [dnssec]
            trust_anchors = "root.ds"
            {dnssec}
            {rest}
            """
        )
        return path

    @asynccontextmanager
    async def resolver(self, dnssec: str = "", rest: str = "") -> AsyncIterator[Resolver]:
        loaded = load(self.configure(dnssec, rest))
        async with open_resolver(loaded, clock_of(loaded.config)) as resolver:
            yield resolver

    @property
    def corp(self) -> str:
        """A `[[zone]]` for the private zone."""
        return f"""
            [[zone]]
            domain = "{CORP}"
            upstream = ["udp://127.0.0.1:{self.plain_port}"]
            allow_plaintext = true
            dnssec = "insecure"
        """


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state"
    monkeypatch.setenv("STATE_DIRECTORY", str(folder))
    return folder


@asynccontextmanager
async def network(folder: Path, now: int | None = None) -> AsyncIterator[Network]:
    now = int(time.time()) if now is None else now
    world = world_of(*plans(), now=now)
    authority = CertificateAuthority()
    (folder / "ca.pem").write_bytes(authority.pem)
    (folder / "root.ds").write_text(world.trust_anchors())
    context = server_context(authority.issue())
    general: list[Asked] = []
    own: list[Asked] = []
    async with (
        serve_tls(world.reply, context=context, log=general) as tls_port,
        serve_plain(private(now).reply, log=own) as plain_port,
    ):
        yield Network(folder, tls_port, plain_port, general, own)


def texts(log: list[Asked]) -> list[str]:
    return sorted(asked.text for asked in log)


async def test_a_configured_resolver_proves_what_its_upstream_says(tmp_path: Path) -> None:
    async with network(tmp_path) as at, at.resolver() as resolver:
        for name, status in (
            ("www.good.lab", Status.SECURE),
            ("nx.good.lab", Status.SECURE),
            ("loose.lab", Status.INSECURE),
            ("expired.lab", Status.BOGUS),
        ):
            assert (await ask(resolver, name)).verdict.status is status
        assert set(resolver.upstreams) == {f"tls://127.0.0.1:{at.tls_port}"}
        connections = {asked.connection for asked in at.general}
        assert connections == {1}


async def test_what_a_cold_question_costs_over_a_real_connection(tmp_path: Path) -> None:
    async with network(tmp_path) as at, at.resolver() as resolver:
        await ask(resolver, "www.good.lab")
        for name, rest in (
            ("www.new.lab", ["new.lab. DNSKEY", "new.lab. DS"]),
            ("www.loose.lab", ["loose.lab. DNSKEY", "loose.lab. DS"]),  # most are signed there
            ("nx.good.lab", []),
        ):
            at.general.clear()
            await ask(resolver, name)
            assert texts(at.general) == sorted([f"{name}. A", *rest])


async def test_a_zone_has_its_own_upstream_and_the_general_one_never_hears_of_it(
    tmp_path: Path,
) -> None:
    async with network(tmp_path) as at, at.resolver(rest=at.corp) as resolver:
        answer = await ask(resolver, f"host.{CORP}")
        assert (answer.verdict.status, codes(answer)) == (Status.INSECURE, [])
        assert texts(at.own) == [f"host.{CORP}. A"]
        assert at.general == []


@pytest.mark.parametrize("policy", ["insecure", "validate"])
async def test_only_servers_of_insecure_zones_get_queries_without_cookies(
    tmp_path: Path, nursery: trio.Nursery, policy: str
) -> None:
    peer = DatagramPeer(lambda query, _before: [reply_to(query)])
    await peer.start(nursery)
    zone = f"""
        [[zone]]
        domain = "{CORP}"
        upstream = ["udp://127.0.0.1:{peer.over_tcp.port}"]
        allow_plaintext = true
        dnssec = "{policy}"
    """
    async with network(tmp_path) as at, at.resolver(rest=zone) as resolver:
        await ask(resolver, f"host.{CORP}")
    cookies = {find_option(query, OPTION_COOKIE) is not None for query in peer.received}
    assert cookies == {policy == "validate"}


async def test_the_hosts_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("192.0.2.9 printer.good.lab\n")
    hosts = f'[hosts]\nfile = "{tmp_path / "hosts"}"'
    async with network(tmp_path) as at, at.resolver(rest=hosts) as resolver:
        answer = await ask(resolver, "printer.good.lab")
        assert (answer.verdict.status, codes(answer)) == (Status.INSECURE, [29])
        assert at.general == []


async def test_the_limit_of_iterations_and_the_size_of_the_cache_are_as_configured(
    tmp_path: Path,
) -> None:
    async with network(tmp_path) as at:
        cache = '[cache]\nsize = "2MiB"'
        async with at.resolver("nsec3_iterations = 7", cache) as resolver:
            assert resolver.counts()["capacity"] == 2 << 20
            assert resolver._inquiries.context.limits.nsec3_iterations == 7
            assert resolver._settings.timeout == 4.0


async def test_without_a_file_the_defaults_are_used() -> None:
    loaded = Loaded(Config(), None, DEFAULT_UPSTREAMS, ())
    async with open_resolver(loaded, clock_of(loaded.config)) as resolver:
        assert list(resolver.upstreams) == [upstream.url for upstream in DEFAULT_UPSTREAMS]
        answer = await ask(resolver, "localhost")
        assert (answer.verdict.status, codes(answer)) == (Status.INSECURE, [29])


# ------------ Negative trust anchors ------------


def remember(state: Path, kept: dict[str, dict[str, int]]) -> None:
    state.mkdir(exist_ok=True)
    (state / FILE_NAME).write_text(json.dumps(kept))


def is_kept(state: Path) -> bool:
    return (state / FILE_NAME).exists()


async def test_a_negative_anchor_leaves_its_name_unchecked(tmp_path: Path, state: Path) -> None:
    negative = 'negative_trust_anchors = ["expired.lab"]'
    async with network(tmp_path) as at, at.resolver(negative) as resolver:
        answer = await ask(resolver, "expired.lab")
        assert (answer.verdict.status, codes(answer)) == (Status.INSECURE, [33])
        assert (await ask(resolver, "www.good.lab")).verdict.status is Status.SECURE
    assert is_kept(state)


async def test_one_whose_end_is_past_does_nothing(tmp_path: Path) -> None:
    negative = 'negative_trust_anchors = ["expired.lab until 2020-01-01T00:00:00Z"]'
    async with network(tmp_path) as at, at.resolver(negative) as resolver:
        assert (await ask(resolver, "expired.lab")).verdict.status is Status.BOGUS


async def test_one_that_was_loaded_a_week_ago_does_nothing(tmp_path: Path, state: Path) -> None:
    negative = 'negative_trust_anchors = ["expired.lab"]'
    async with network(tmp_path) as at:
        for age, status in ((0, Status.INSECURE), (8 * 86400, Status.BOGUS)):
            first_seen = int(time.time()) - age
            remember(state, {str(tmp_path / "anchord.toml"): {"expired.lab.": first_seen}})
            async with at.resolver(negative) as resolver:
                assert (await ask(resolver, "expired.lab")).verdict.status is status


async def test_at_a_fixed_time_nothing_is_remembered(tmp_path: Path, state: Path) -> None:
    fixed = 'negative_trust_anchors = ["expired.lab"]\ntime = "2026-09-21T14:13:20Z"'
    async with network(tmp_path, NOW) as at, at.resolver(fixed) as resolver:
        assert (await ask(resolver, "expired.lab")).verdict.status is Status.INSECURE
        assert (await ask(resolver, "www.good.lab")).verdict.status is Status.SECURE
    assert not is_kept(state)


def test_a_fixed_time_stops_the_wall_clock_alone(tmp_path: Path) -> None:
    path = tmp_path / "anchord.toml"
    path.write_text('[dnssec]\ntime = "2024-07-01T00:00:00Z"')
    assert clock_of(load(path).config) == FixedWallClock(1_719_792_000)
    path.write_text("")
    assert isinstance(clock_of(load(path).config), SystemClock)


# ------------ What ends the start ------------


def stub_probe(monkeypatch: pytest.MonkeyPatch, supported: Supported) -> None:
    monkeypatch.setattr(compose, "probe", lambda **_: supported)


async def test_a_machine_that_cannot_verify_what_is_in_use_is_no_resolver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without this, signed names would pass for unsigned ones."""
    stub_probe(monkeypatch, Supported(frozenset({RSASHA256}), frozenset({SHA256})))
    loaded = load(_empty(tmp_path))
    with pytest.raises(CryptoError, match=r"ECDSAP256SHA256.*relax its crypto policy"):
        async with open_resolver(loaded, clock_of(loaded.config)):
            pass


async def test_an_anchor_that_is_not_supported_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "anchors").write_text(
        f". IN DS 1 8 2 {'00' * 32}\nold.example. IN DS 1 3 2 {'00' * 32}\n"
    )
    path = _empty(tmp_path)
    path.write_text(f'[dnssec]\ntrust_anchors = "{tmp_path / "anchors"}"')
    loaded = load(path)
    async with open_resolver(loaded, clock_of(loaded.config)):
        pass
    assert [record.getMessage() for record in caplog.records] == [
        "no trust anchor of old.example. is supported: NOTHING below it is checked"
    ]


async def test_a_ca_file_that_cannot_be_used_is_told_of(tmp_path: Path) -> None:
    path = _empty(tmp_path)
    path.write_text('[[upstream]]\nurl = "tls://127.0.0.1"\nca_file = "nothing.pem"')
    loaded = load(path)
    with pytest.RaisesGroup(pytest.RaisesExc(AnchordError, match=r"nothing\.pem")):
        async with open_resolver(loaded, clock_of(loaded.config)):
            pass


async def test_everything_ends_with_the_context(tmp_path: Path) -> None:
    async with network(tmp_path) as at:
        async with at.resolver(rest=at.corp) as resolver:
            await ask(resolver, "www.good.lab")
            upstreams = list(resolver.upstreams.values())
        for upstream in upstreams:
            with pytest.raises(AnchordError):
                await upstream.exchange(b"\0" * 12 + b"\0\0\1\0\1")


def _empty(folder: Path) -> Path:
    path = folder / "anchord.toml"
    path.write_text("")
    return path
