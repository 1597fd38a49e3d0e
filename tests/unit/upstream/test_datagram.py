import socket
from collections.abc import AsyncIterator, Callable

import pytest
import trio

from anchord.upstream import datagram
from anchord.upstream.base import Counters, Kind, Upstream, UpstreamError
from anchord.upstream.build import build_upstreams
from anchord.upstream.datagram import (
    LONGEST_WAIT,
    LOWEST_PORT,
    MISMATCH_LIMIT,
    PORT_TRIES,
    SENDS,
    DatagramUpstream,
    Listener,
    pauses,
)
from anchord.upstream.matching import question_of
from anchord.upstream.pool import SHORTEST_PATIENCE
from anchord.upstream.url import parse
from support.peers import DatagramPeer, address_in, query_for, reply_to


class Scene:
    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.upstreams: list[Upstream] = []

    async def ask(
        self, conduct: Callable[[bytes, int], list[bytes]], host: str = "127.0.0.1"
    ) -> tuple[DatagramPeer, DatagramUpstream]:
        peer = DatagramPeer(conduct, host)
        await peer.start(self.nursery)
        return peer, self.upstream(host, peer.over_tcp.port)

    def upstream(self, host: str, port: int, *addresses: str) -> DatagramUpstream:
        host = f"[{host}]" if ":" in host else host
        endpoint = parse(f"udp://{host}:{port}", addresses=addresses)
        (made,) = build_upstreams([endpoint], self.nursery, allow_plaintext=True)
        assert isinstance(made, DatagramUpstream)
        self.upstreams.append(made)
        return made


@pytest.fixture
async def scene(nursery: trio.Nursery) -> AsyncIterator[Scene]:
    scene = Scene(nursery)
    with trio.fail_after(10):
        yield scene
        for upstream in scene.upstreams:
            await upstream.aclose()


def right(query: bytes, _before: int) -> list[bytes]:
    return [reply_to(query, octet=2)]


def wrong_id(query: bytes) -> bytes:
    return bytes((query[0] ^ 1,)) + reply_to(query)[1:]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_query_is_answered(scene: Scene, host: str) -> None:
    peer, upstream = await scene.ask(right, host)
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.2"
    (query,) = peer.received
    assert question_of(query).lower() == question_of(query_for())
    assert not upstream.is_encrypted
    assert str(upstream).startswith("udp://")
    assert (upstream.counters.queries, upstream.counters.replies) == (1, 1)


async def test_ids_and_ports_are_drawn_for_every_query(scene: Scene) -> None:
    """BIND, CVE-2025-40780; Unbound, CVE-2026-50252: both could be guessed."""
    peer, upstream = await scene.ask(right)
    for _ in range(20):
        await upstream.exchange(query_for())
    assert len({query[:2] for query in peer.received}) > 15
    ports = {port for _, port in peer.sources}
    assert len(ports) > 15
    assert min(ports) >= datagram.LOWEST_PORT
    assert max(ports) - min(ports) > 10_000


async def test_what_misses_does_not_end_the_wait(scene: Scene) -> None:
    def confuse(query: bytes, _before: int) -> list[bytes]:
        return [
            wrong_id(query),
            reply_to(query_for("xww.example")).replace(b"\0\0", query[:2], 1),
            b"short",
            reply_to(query, octet=2),
        ]

    _, upstream = await scene.ask(confuse)
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.2"
    assert upstream.counters.mismatches == MISMATCH_LIMIT - 1


async def test_a_flood_of_misses_moves_the_query_to_tcp(scene: Scene) -> None:
    """PowerDNS, CVE-2025-30192; Technitium, CVE-2024-56089: who tries often enough hits one day."""

    def flood(query: bytes, _before: int) -> list[bytes]:
        return [wrong_id(query)] * MISMATCH_LIMIT + [reply_to(query, octet=2)]

    peer, upstream = await scene.ask(flood)
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"
    assert upstream.counters.mismatches == MISMATCH_LIMIT
    assert (len(peer.received), peer.over_tcp.connections) == (1, 1)


async def test_misses_count_for_the_query_whatever_its_repetitions(scene: Scene) -> None:
    def drip(query: bytes, _before: int) -> list[bytes]:
        return [wrong_id(query)] * (MISMATCH_LIMIT - 1)

    peer, upstream = await scene.ask(drip)
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"
    assert len(peer.received) == 2


async def test_a_truncated_reply_moves_the_query_to_tcp(scene: Scene) -> None:
    def truncate(query: bytes, _before: int) -> list[bytes]:
        return [reply_to(query, truncated=True)]

    peer, upstream = await scene.ask(truncate)
    for _ in range(2):
        assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"
    assert peer.over_tcp.connections == 1


async def test_an_error_without_the_question_moves_the_query_to_tcp(scene: Scene) -> None:
    def complain(query: bytes, _before: int) -> list[bytes]:
        return [query[:2] + b"\x80\x01\0\0\0\0\0\0\0\0"]

    _, upstream = await scene.ask(complain)
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"
    assert upstream.counters.mismatches == 0


async def test_replies_of_somebody_else_are_passed_over(scene: Scene) -> None:
    peer, upstream = await scene.ask(lambda _query, _before: [])
    with trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as somebody:
        async with trio.open_nursery() as nursery:

            async def forge() -> None:
                while not peer.received:
                    await trio.lowlevel.checkpoint()
                for _ in range(MISMATCH_LIMIT):
                    await somebody.sendto(reply_to(peer.received[0], octet=66), peer.sources[0])
                await peer.socket.sendto(reply_to(peer.received[0], octet=2), peer.sources[0])

            nursery.start_soon(forge)
            assert address_in(await upstream.exchange(query_for())) == "192.0.2.2"


async def test_what_came_before_the_socket_was_connected_is_judged_by_its_source() -> None:
    query = query_for()
    udp = socket.AF_INET, socket.SOCK_DGRAM
    with socket.socket(*udp) as ours, socket.socket(*udp) as peer, socket.socket(*udp) as other:
        for one in (ours, peer, other):
            one.bind(("127.0.0.1", 0))
        ours.setblocking(False)
        listener = Listener(ours, peer.getsockname(), 0, question_of(query), Counters())
        other.sendto(reply_to(query, octet=66), ours.getsockname())
        peer.sendto(reply_to(query, octet=2), ours.getsockname())
        reply = await listener.reply()
        assert isinstance(reply, bytes)
        assert address_in(reply) == "192.0.2.2"
        assert listener.misses == 1


async def test_a_lost_query_is_sent_again_from_the_same_port(scene: Scene) -> None:
    def lose_two(query: bytes, before: int) -> list[bytes]:
        return [reply_to(query, octet=2)] if before == SENDS - 1 else []

    peer, upstream = await scene.ask(lose_two)
    began = trio.current_time()
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.2"
    assert trio.current_time() - began >= 3 * SHORTEST_PATIENCE
    assert len(set(peer.received)) == len(set(peer.sources)) == 1
    assert upstream.counters.retransmissions == SENDS - 1


async def test_nobody_waits_longer_than_the_longest_wait(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datagram, "LONGEST_WAIT", 1.0)
    peer, upstream = await scene.ask(lambda _query, _before: [])
    began = trio.current_time()
    with pytest.raises(UpstreamError, match="no reply within 1 seconds") as caught:
        await upstream.exchange(query_for())
    assert caught.value.kind is Kind.TIMEOUT
    assert 1.0 <= trio.current_time() - began < 1.3
    assert len(peer.received) == SENDS
    assert upstream.counters.retransmissions == SENDS - 1


def test_pauses_double_and_end_with_the_longest_wait() -> None:
    assert list(pauses(0.3)) == pytest.approx([0.3, 0.6, LONGEST_WAIT - 0.9])
    assert list(pauses(2.0)) == [2.0, LONGEST_WAIT - 2.0]
    assert list(pauses(8.0)) == [LONGEST_WAIT]


async def test_a_refusal_is_told_with_the_upstreams_name(scene: Scene) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    upstream = scene.upstream("127.0.0.1", port)
    with pytest.raises(UpstreamError) as caught:
        await upstream.exchange(query_for())
    assert caught.value.kind is Kind.REFUSED
    assert str(caught.value) == (
        f"{upstream}: port {port} cannot be reached (127.0.0.1: connection refused)"
    )


async def test_an_address_that_cannot_be_reached_gives_way_to_the_next(scene: Scene) -> None:
    peer, _ = await scene.ask(right)
    upstream = scene.upstream("127.0.0.1", peer.over_tcp.port, "127.0.0.2", "127.0.0.1")
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.2"


async def test_an_address_without_a_route_is_an_error_of_the_network(scene: Scene) -> None:
    upstream = scene.upstream("255.255.255.255", 9)
    with pytest.raises(UpstreamError) as caught:
        await upstream.exchange(query_for())
    assert caught.value.kind is Kind.NETWORK


async def test_an_address_that_was_silent_comes_last_the_next_time(scene: Scene) -> None:
    peer, _ = await scene.ask(right)
    silent = trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    await silent.bind(("127.0.0.2", peer.over_tcp.port))
    upstream = scene.upstream("127.0.0.1", peer.over_tcp.port, "127.0.0.2", "127.0.0.1")
    with silent:
        with trio.move_on_after(1.5 * SHORTEST_PATIENCE):
            await upstream.exchange(query_for())
        began = trio.current_time()
        assert address_in(await upstream.exchange(query_for())) == "192.0.2.2"
        assert trio.current_time() - began < SHORTEST_PATIENCE


async def test_without_a_free_port_there_is_no_query(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer, upstream = await scene.ask(right)
    tries = 0

    def always_the_same(_limit: int) -> int:
        nonlocal tries
        tries += 1
        return peer.over_tcp.port - LOWEST_PORT

    monkeypatch.setattr("secrets.randbelow", always_the_same)
    with pytest.raises(UpstreamError, match=r"127\.0\.0\.1: address already in use"):
        await upstream.exchange(query_for())
    assert tries == PORT_TRIES
    assert not peer.received


async def test_a_cancelled_query_gives_its_port_back(scene: Scene) -> None:
    peer, upstream = await scene.ask(lambda _query, _before: [])
    with trio.move_on_after(0.05):
        await upstream.exchange(query_for())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind(("", peer.sources[0][1]))


async def test_the_longest_datagram_comes_through(scene: Scene) -> None:
    _, upstream = await scene.ask(lambda query, _before: [reply_to(query).ljust(65_000, b"\0")])
    assert len(await upstream.exchange(query_for())) == 65_000
