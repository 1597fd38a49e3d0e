"""Every encrypted transport against servers that are not ours: the same answers over each."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import dns.message
import dns.query
import pytest
import trio

from anchord.lab.plan import cases_of
from anchord.lab.table import good, insecure, keysets, tree
from anchord.lab.world import World
from anchord.model import names, rdtypes
from anchord.model.question import Question
from anchord.upstream.base import UpstreamError
from anchord.upstream.build import build_upstreams
from anchord.upstream.shared import SharedUpstream
from anchord.upstream.url import parse
from anchord.wire.options import OPTION_PADDING, read_options
from anchord.wire.query import write_query
from support import transports
from support.asking import ask
from support.command import configuration, serving
from support.relay import Relay
from support.rows import differing
from support.transports import NAME, bookworm, trixie

PEERS = [
    ("knot", trixie("knotd"), "tls"),
    ("knot", trixie("knotd"), "quic"),
    ("dnsdist", bookworm("dnsdist"), "tls"),
    ("dnsdist", bookworm("dnsdist"), "https"),
    ("new dnsdist", trixie("dnsdist"), "tls"),
    ("new dnsdist", trixie("dnsdist"), "https"),
    ("caddy", trixie("caddy"), "https"),
    ("caddy", trixie("caddy"), "h3"),
    ("bind", bookworm("named"), "tls"),
    ("bind", bookworm("named"), "https"),
    ("new bind", trixie("named"), "tls"),
    ("new bind", trixie("named"), "https"),
    ("unbound", bookworm("unbound"), "tls"),
    ("unbound", bookworm("unbound"), "https"),
    ("new unbound", trixie("unbound"), "tls"),
    ("new unbound", trixie("unbound"), "https"),
]
"""Servers, where each is, and the scheme. Those called new are Debian 13's."""

BEHIND_KNOT = {"knot", "dnsdist", "new dnsdist", "caddy"}
"""Those that give what Knot says, octet for octet."""

QUESTIONS = [
    ("www.example", "A"),
    ("WwW.Example", "AAAA"),
    ("alias.example", "A"),
    ("any.wild.example", "TXT"),
    ("_25._tcp.example", "TLSA"),
    ("example", "MX"),
    ("example", "SOA"),
    ("www.example", "MX"),
    ("no.example", "A"),
    ("long.example", "TXT"),
]

LIMIT = 20.0
"""Seconds for a test: nothing hangs."""


@dataclass(frozen=True)
class Servers:
    """What runs: the ports of each server by scheme."""

    farm: transports.Farm
    world: World
    ports: dict[str, dict[str, int]]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """All servers that are there."""
    world = World(1_790_000_000)
    farm = transports.farm(tmp_path_factory.mktemp("farm"), list(world.zones()))
    ports: dict[str, dict[str, int]] = {}
    with ExitStack() as stack:
        if program := trixie("knotd"):
            ports["knot"] = stack.enter_context(transports.knot(farm, program))
            for name, found in (
                ("dnsdist", bookworm("dnsdist")), ("new dnsdist", trixie("dnsdist")),
            ):  # fmt: skip
                if found:
                    backend = ports["knot"]["udp"]
                    ports[name] = stack.enter_context(transports.dnsdist(farm, found, backend))
            if program := trixie("caddy"):
                doh = ports.get("new dnsdist", ports.get("dnsdist", {})).get("https")
                if doh:
                    ports["caddy"] = stack.enter_context(transports.caddy(farm, program, doh))
        for start, name, program in (
            (transports.bind, "bind", bookworm("named")),
            (transports.bind, "new bind", trixie("named")),
            (transports.unbound, "unbound", bookworm("unbound")),
            (transports.unbound, "new unbound", trixie("unbound")),
        ):
            if program:
                ports[name] = stack.enter_context(start(farm, program))
        yield Servers(farm, world, ports)


Ask = Callable[[str, str], SharedUpstream]


@pytest.fixture
async def upstream_of(servers: Servers, nursery: trio.Nursery) -> AsyncIterator[Ask]:
    """An upstream for a server and a scheme; skips where the server is not there."""
    made: list[SharedUpstream] = []

    def build(name: str, scheme: str) -> SharedUpstream:
        if scheme not in servers.ports.get(name, {}):
            pytest.skip(f"{name} with {scheme}:// is not installed")
        url = f"{scheme}://{NAME}:{servers.ports[name][scheme]}"
        endpoint = parse(url, addresses=["127.0.0.1"], ca_file=servers.farm.ca_file)
        (upstream,) = build_upstreams([endpoint], nursery, early_data=True)
        assert isinstance(upstream, SharedUpstream)
        made.append(upstream)
        return upstream

    with trio.fail_after(LIMIT):
        yield build
        for upstream in made:
            await upstream.aclose()


each = pytest.mark.parametrize(
    ("name", "scheme"),
    [
        pytest.param(
            name,
            scheme,
            marks=pytest.mark.skipif(program is None, reason=f"{name} is not installed"),
            id=f"{name} {scheme}",
        )
        for name, program, scheme in PEERS
    ],
)


def query(name: str, rdtype: str, *, cd: bool = True) -> bytes:
    question = Question(names.from_text(name).lower(), rdtypes.from_text(rdtype))
    made = write_query(question, padded=True)
    return made if cd else made[:3] + bytes((made[3] & ~0x10,)) + made[4:]


def records_of(message: dns.message.Message) -> set[str]:
    """The records of the answer, whatever their order; TTLs are the server's."""
    return {f"{rrset.name} {rdata}" for rrset in message.answer for rdata in rrset}


def octets_of(wire: bytes) -> tuple[bytes, bytes, list[tuple[int, bytes]]]:
    """All of a message but its id and its padding: the head and the records before the OPT record,
    which comes last, the OPT record's fixed part, and the other options."""
    opt = wire.rindex(b"\0\0\x29\x04\xd0")
    options = read_options(wire[opt + 11 :])
    others = [(code, data) for code, data in options if code != OPTION_PADDING]
    return wire[2:opt], wire[opt : opt + 9], others


@each
async def test_the_same_rcode_and_records_come_over_every_transport(
    servers: Servers, upstream_of: Ask, name: str, scheme: str
) -> None:
    upstream = upstream_of(name, scheme)
    for question in QUESTIONS:
        asked = query(*question, cd=False)  # which some copy from the query to the reply
        wire = await upstream.exchange(asked)
        reply = dns.message.from_wire(wire)
        if "knot" not in servers.ports:
            continue
        truth = dns.query.tcp(
            dns.message.from_wire(asked), "127.0.0.1", port=servers.ports["knot"]["tcp"]
        )
        assert (reply.rcode(), records_of(reply)) == (truth.rcode(), records_of(truth))
        if name in BEHIND_KNOT:
            assert octets_of(wire) == octets_of(truth.wire or b"")
    assert upstream.counters.handshakes == 1
    assert upstream.counters.mismatches == 0


@each
async def test_two_hundred_at_once_share_one_handshake(
    upstream_of: Ask, name: str, scheme: str
) -> None:
    count = 20 if name == "caddy" else 200  # what is behind it does not take more at once
    upstream = upstream_of(name, scheme)
    found = {}

    async def one(index: int) -> None:
        reply = dns.message.from_wire(await upstream.exchange(query(f"n{index}.example", "A")))
        found[index] = str(reply.answer[0][0])

    async with trio.open_nursery() as nursery:
        for index in range(count):
            nursery.start_soon(one, index)
    assert found == {index: f"192.0.2.{index}" for index in range(count)}
    # Knot forgets a connection with so many, and then gets fewer at a time.
    assert upstream.counters.handshakes == (2 if (name, scheme) == ("knot", "quic") else 1)


async def test_a_server_that_allows_so_many_queries_is_left_in_time(upstream_of: Ask) -> None:
    upstream = upstream_of("knot", "quic")
    for _ in range(1100):
        await upstream.exchange(query("www.example", "A"))
    # Knot allows 1,024 streams and never more.
    assert (upstream.counters.handshakes, upstream.counters.replays) == (2, 0)


@each
async def test_a_session_is_resumed(upstream_of: Ask, name: str, scheme: str) -> None:
    upstream = upstream_of(name, scheme)
    for _ in range(3):
        await upstream.exchange(query("www.example", "A"))
        await trio.sleep(0.05)  # tickets may come behind the reply
        assert upstream._current is not None
        upstream._current.retire()
        while upstream._current is not None:
            await trio.lowlevel.checkpoint()
    counters = upstream.counters
    assert (counters.handshakes, counters.resumptions) == (3, 2)
    assert counters.early_data == (2 if scheme in {"quic", "h3"} else 0)


async def test_a_router_that_forgets_us_costs_neither_a_handshake_nor_a_query(
    servers: Servers, nursery: trio.Nursery
) -> None:
    if "knot" not in servers.ports:
        pytest.skip("knot is not installed")
    relay = Relay(servers.ports["knot"]["quic"])
    await relay.start(nursery)
    endpoint = parse(
        f"quic://{NAME}:{relay.port}", addresses=["127.0.0.1"], ca_file=servers.farm.ca_file
    )
    (upstream,) = build_upstreams([endpoint], nursery)
    with trio.fail_after(LIMIT):
        for _ in range(5):
            await upstream.exchange(query("www.example", "A"))
            relay.rebind()
        assert (upstream.counters.handshakes, upstream.counters.replays) == (1, 0)
        await upstream.aclose()


@each
async def test_another_name_than_the_certificates_is_refused(
    servers: Servers, nursery: trio.Nursery, name: str, scheme: str
) -> None:
    if scheme not in servers.ports.get(name, {}):
        pytest.skip(f"{name} with {scheme}:// is not installed")
    endpoint = parse(
        f"{scheme}://other.example:{servers.ports[name][scheme]}",
        addresses=["127.0.0.1"],
        ca_file=servers.farm.ca_file,
    )
    (upstream,) = build_upstreams([endpoint], nursery)
    with pytest.raises(UpstreamError) as caught, trio.fail_after(LIMIT):
        await upstream.exchange(query("www.example", "A"))
    # Caddy has no certificate for that name and says so itself.
    assert "is for dns.example, not for other.example" in str(caught.value) or name == "caddy"
    await upstream.aclose()


VERDICTS = [
    case
    for theme in (tree, good, insecure, keysets)
    for plan in theme.PLANS
    for case in cases_of(plan)
][::3]
"""Rows of the lab's table, a third of these themes. Knot serves their zones as they are; other rows
need a server that lies, and some broken chains of NSEC3 end Knot itself."""


@pytest.mark.parametrize(
    ("name", "scheme"),
    [("knot", "tls"), ("knot", "quic"), ("new dnsdist", "https"), ("caddy", "h3")],
    ids=["dot", "doq", "doh2", "doh3"],
)
def test_the_same_verdicts_come_over_every_transport(
    servers: Servers, tmp_path: Path, name: str, scheme: str
) -> None:
    if scheme not in servers.ports.get(name, {}):
        pytest.skip(f"{name} with {scheme}:// is not installed")
    anchors = tmp_path / "root.ds"
    anchors.write_text(servers.world.trust_anchors())
    upstream = {
        "url": f"{scheme}://{NAME}:{servers.ports[name][scheme]}",
        "addresses": ["127.0.0.1"],
        "ca_file": servers.farm.ca_file,
    }
    file = configuration(
        tmp_path,
        upstream,
        dnssec={"trust_anchors": str(anchors), "time": "2026-09-21T14:00:00Z"},
    )
    with serving(file) as daemon:
        assert differing(daemon, servers.world, VERDICTS) == []
        assert ask(daemon.port, "expired.lab").codes[0] == 7
