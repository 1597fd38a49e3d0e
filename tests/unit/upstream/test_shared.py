import socket
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NoReturn

import pytest
import trio
import trio.testing

from anchord.net.identity import Identity
from anchord.net.tls import ClientContexts, TlsClient
from anchord.upstream import pool, shared
from anchord.upstream.addresses import AddressBook, Dialer
from anchord.upstream.base import Kind, UpstreamError
from anchord.upstream.framed import FramedCarrier
from anchord.upstream.pool import BELOW_THE_CUT, IdleTime
from anchord.upstream.shared import SharedUpstream, Way
from anchord.upstream.url import Endpoint, parse
from anchord.wire.framing import frame
from anchord.wire.message import find_option
from anchord.wire.options import OPTION_KEEPALIVE, keepalive
from anchord.wire.query import with_keepalive
from support.certificates import make
from support.peers import (
    Conduct,
    Stream,
    StreamPeer,
    abort,
    address_in,
    answer_everything,
    keep_silent,
    queries,
    query_for,
    reply_to,
)


class Scene:
    """A peer over TCP or TLS, and an upstream that is to ask it."""

    def __init__(self, folder: Path, nursery: trio.Nursery, *, secured: bool) -> None:
        self.nursery = nursery
        self.secured = secured
        self.folder = folder
        self.upstreams: list[SharedUpstream] = []

    async def peer(self, *conducts: Conduct) -> StreamPeer:
        tls = None
        if self.secured:
            ca = make(["Test CA"], is_ca=True)
            ca.write(self.folder).rename(self.folder / "ca.pem")
            tls = make(["127.0.0.1"], issuer=ca).server_context(self.folder)
        peer = StreamPeer(*conducts, tls=tls)
        await peer.start(self.nursery)
        return peer

    def upstream(self, port: int) -> SharedUpstream:
        scheme = "tls" if self.secured else "tcp"
        endpoint = parse(f"{scheme}://127.0.0.1:{port}")
        dial = Dialer(endpoint, AddressBook())
        identity = Identity("127.0.0.1", str(self.folder / "ca.pem") if self.secured else "")
        client = TlsClient(identity, alpn="dot", requires_alpn=True, contexts=ClientContexts())

        async def opener() -> FramedCarrier:
            return FramedCarrier(await (client.open(dial) if self.secured else dial()))

        made = SharedUpstream(str(endpoint), Way(opener), self.nursery, is_encrypted=self.secured)
        self.upstreams.append(made)
        return made

    async def ask(self, *conducts: Conduct) -> tuple[StreamPeer, SharedUpstream]:
        peer = await self.peer(*conducts)
        return peer, self.upstream(peer.port)


@pytest.fixture(params=["tcp", "tls"])
async def scene(
    request: pytest.FixtureRequest, tmp_path: Path, nursery: trio.Nursery
) -> AsyncIterator[Scene]:
    scene = Scene(tmp_path, nursery, secured=request.param == "tls")
    with trio.fail_after(10):
        yield scene
        for upstream in scene.upstreams:
            await upstream.aclose()


def plain(endpoint: Endpoint, nursery: trio.Nursery) -> SharedUpstream:
    """An upstream over TCP."""
    dial = Dialer(endpoint, AddressBook())

    async def opener() -> FramedCarrier:
        return FramedCarrier(await dial())

    return SharedUpstream(str(endpoint), Way(opener), nursery, is_encrypted=False)


class Gathered:
    """The results of several queries at once, in the order in which they were asked."""

    def __init__(self) -> None:
        self.replies: dict[int, bytes] = {}
        self.errors: dict[int, UpstreamError] = {}

    async def one(self, upstream: SharedUpstream, index: int, query: bytes) -> None:
        try:
            self.replies[index] = await upstream.exchange(query)
        except UpstreamError as error:
            self.errors[index] = error


async def gather(upstream: SharedUpstream, *asked: bytes) -> Gathered:
    gathered = Gathered()
    async with trio.open_nursery() as nursery:
        for index, query in enumerate(asked):
            nursery.start_soon(gathered.one, upstream, index, query)
    return gathered


def answer(count: int, then: Conduct) -> Conduct:
    """Answers so many queries, then behaves otherwise."""

    async def conduct(stream: Stream) -> None:
        left = count
        async for query in queries(stream):
            await stream.send_all(frame(reply_to(query)))
            left -= 1
            if not left:
                break
        await then(stream)

    return conduct


async def hang_up(stream: Stream) -> None:
    await stream.aclose()


async def hang_up_on_a_query(stream: Stream) -> None:
    await stream.receive_some()
    await stream.aclose()


async def reset_in_mid_reply(stream: Stream) -> None:
    async for query in queries(stream):
        await stream.send_all(frame(reply_to(query))[:20])
        break
    await abort(stream)


# ------------ Replies find their queries ------------


async def test_a_query_is_answered(scene: Scene) -> None:
    peer, upstream = await scene.ask(answer_everything)
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"
    assert upstream.is_encrypted == scene.secured
    assert str(upstream) == f"{'tls' if scene.secured else 'tcp'}://127.0.0.1:{peer.port}"
    assert (upstream.counters.queries, upstream.counters.replies) == (1, 1)


async def test_ids_are_drawn_and_nothing_else_is_changed(scene: Scene) -> None:
    received = []

    async def note(stream: Stream) -> None:
        async for query in queries(stream):
            received.append(query)
            await stream.send_all(frame(reply_to(query)))

    _, upstream = await scene.ask(note)
    for _ in range(20):
        await upstream.exchange(query_for())
    first, *others = (query[2:] for query in received)
    assert first == with_keepalive(query_for())[2:]
    assert set(others) == {query_for()[2:]}
    assert len({query[:2] for query in received}) > 15


async def test_a_hundred_in_flight_on_one_connection_answered_backwards(scene: Scene) -> None:
    async def backwards(stream: Stream) -> None:
        held = []
        async for query in queries(stream):
            held.append(query)
            if len(held) == 100:
                for late in reversed(held):
                    await stream.send_all(frame(reply_to(late)))

    _, upstream = await scene.ask(backwards)
    names = [f"n{index}.example" for index in range(100)]
    gathered = await gather(upstream, *map(query_for, names))
    for index, name in enumerate(names):
        assert name.partition(".")[0].encode() in gathered.replies[index]
    assert upstream.counters.handshakes == 1
    assert upstream.counters.mismatches == 0


async def test_other_ids_other_questions_and_repetitions_are_passed_over(scene: Scene) -> None:
    async def confuse(stream: Stream) -> None:
        async for query in queries(stream):
            right = reply_to(query)
            wrong_id = bytes((right[0] ^ 1,)) + right[1:]
            wrong_question = right.replace(b"www", b"xww")
            for message in (wrong_id, wrong_question, query, right, right):
                await stream.send_all(frame(message))

    _, upstream = await scene.ask(confuse)
    for _ in range(2):
        assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"
    assert upstream.counters.mismatches in {7, 8}  # the last repetition may still be on its way
    assert upstream.counters.handshakes == 1


async def test_the_question_may_come_back_in_capitals(scene: Scene) -> None:
    async def shout(stream: Stream) -> None:
        async for query in queries(stream):
            await stream.send_all(frame(reply_to(query).replace(b"www", b"WwW")))

    _, upstream = await scene.ask(shout)
    assert b"WwW" in await upstream.exchange(query_for())


async def test_an_error_without_the_question_is_a_reply(scene: Scene) -> None:
    async def complain(stream: Stream) -> None:
        async for query in queries(stream):
            await stream.send_all(frame(query[:2] + b"\x80\x01\0\0\0\0\0\0\0\0"))

    _, upstream = await scene.ask(complain)
    assert (await upstream.exchange(query_for()))[3] == 1


async def test_a_reply_may_come_octet_by_octet(scene: Scene) -> None:
    async def drip(stream: Stream) -> None:
        async for query in queries(stream):
            for octet in frame(reply_to(query)):
                await stream.send_all(bytes((octet,)))
                await trio.lowlevel.checkpoint()

    _, upstream = await scene.ask(drip)
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"


async def test_the_longest_reply_comes_through(scene: Scene) -> None:
    async def talk(stream: Stream) -> None:
        async for query in queries(stream):
            await stream.send_all(frame(reply_to(query).ljust(65535, b"\0")))

    _, upstream = await scene.ask(talk)
    assert len(await upstream.exchange(query_for())) == 65535


async def test_what_is_asked_in_one_turn_leaves_in_one_piece_or_in_a_record_each(
    scene: Scene,
) -> None:
    pieces = []

    async def note(stream: Stream) -> None:
        while data := await stream.receive_some(65536):
            pieces.append(len(data))
            if len(pieces) == 1:
                await stream.send_all(frame(reply_to(bytes(data[2:]))))

    _, upstream = await scene.ask(note)
    await upstream.exchange(query_for())
    with trio.move_on_after(0.1):
        await gather(upstream, *[query_for()] * 20)
    length = len(query_for()) + 2
    assert pieces[1:] == ([length] * 20 if scene.secured else [20 * length])


async def test_a_server_with_nagles_algorithm_does_not_answer_late(scene: Scene) -> None:
    async def hesitate(stream: Stream) -> None:
        transport = stream.transport_stream if isinstance(stream, trio.SSLStream) else stream
        transport.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
        await answer_everything(stream)

    _, upstream = await scene.ask(hesitate)
    await upstream.exchange(query_for())
    began = trio.current_time()
    for _ in range(10):
        await gather(upstream, query_for("a.example"), query_for("b.example"))
    assert trio.current_time() - began < 10 * 0.04 / 2  # a delayed acknowledgement takes 40 ms


# ------------ Connections are shared, reused, and replaced ------------


async def test_a_handshake_is_shared_by_all_that_wait_for_it(scene: Scene) -> None:
    peer, upstream = await scene.ask(answer_everything)
    gathered = await gather(upstream, *[query_for()] * 50)
    assert len(gathered.replies) == 50
    assert (peer.connections, upstream.counters.handshakes) == (1, 1)


async def test_a_used_connection_that_dies_is_replaced_without_anybody_noticing(
    scene: Scene,
) -> None:
    peer, upstream = await scene.ask(answer(1, hang_up_on_a_query), answer_everything)
    await upstream.exchange(query_for())
    gathered = await gather(upstream, *[query_for()] * 5)
    assert len(gathered.replies) == 5
    assert peer.connections == 2
    assert upstream.counters.replays == 5
    assert upstream.counters.resumptions == int(scene.secured)


async def test_a_used_connection_reset_in_mid_reply_is_replaced(scene: Scene) -> None:
    _, upstream = await scene.ask(answer(1, reset_in_mid_reply), answer_everything)
    for _ in range(2):
        assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"
    assert upstream.counters.replays == 1


async def test_a_connection_that_the_server_closed_meanwhile_costs_nothing(scene: Scene) -> None:
    _, upstream = await scene.ask(answer(1, hang_up), answer_everything)
    await upstream.exchange(query_for())
    await trio.sleep(0.05)
    await upstream.exchange(query_for())
    assert (upstream.counters.handshakes, upstream.counters.replays) == (2, 0)


async def test_a_query_is_replayed_once_only(scene: Scene) -> None:
    peer, upstream = await scene.ask(answer(1, hang_up_on_a_query), hang_up_on_a_query)
    await upstream.exchange(query_for())
    with pytest.raises(UpstreamError, match="closed before the reply") as caught:
        await upstream.exchange(query_for())
    assert caught.value.kind is Kind.CLOSED
    assert peer.connections == 2


async def test_a_fresh_connection_that_dies_is_a_failure(scene: Scene) -> None:
    peer, upstream = await scene.ask(hang_up_on_a_query)
    gathered = await gather(upstream, *[query_for()] * 3)
    assert {error.kind for error in gathered.errors.values()} == {Kind.CLOSED}
    assert len(gathered.errors) == 3
    assert (peer.connections, upstream.counters.replays) == (1, 0)


async def test_a_death_in_mid_reply_says_so(scene: Scene) -> None:
    _, upstream = await scene.ask(reset_in_mid_reply)
    with pytest.raises(UpstreamError, match=r"closed in mid-reply|connection reset"):
        await upstream.exchange(query_for())


async def test_a_half_open_connection_costs_one_round_trip_estimate(scene: Scene) -> None:
    peer, upstream = await scene.ask(answer(1, keep_silent), answer_everything)
    await upstream.exchange(query_for())
    began = trio.current_time()
    gathered = await gather(upstream, *[query_for()] * 3)
    assert len(gathered.replies) == 3
    assert pool.SHORTEST_PATIENCE <= trio.current_time() - began < 2 * pool.SHORTEST_PATIENCE
    assert (peer.connections, upstream.counters.replays) == (2, 3)


async def test_after_a_pause_of_the_machine_a_silent_connection_is_not_used_again(
    scene: Scene,
) -> None:
    peer, upstream = await scene.ask(answer(1, keep_silent), answer_everything)
    await upstream.exchange(query_for())
    with trio.move_on_after(0.01):
        await upstream.exchange(query_for())
    time.sleep(2 * pool.SHORTEST_PATIENCE)  # noqa: ASYNC251 - nothing runs, no alarm rings
    began = trio.current_time()
    await upstream.exchange(query_for())
    assert trio.current_time() - began < pool.SHORTEST_PATIENCE
    assert peer.connections == 2


async def test_the_doubted_connection_is_heard_out(scene: Scene) -> None:
    async def be_slow(stream: Stream) -> None:
        async for query in queries(stream):
            await trio.sleep(2 * pool.SHORTEST_PATIENCE)
            await stream.send_all(frame(reply_to(query, octet=7)))

    _, upstream = await scene.ask(answer(1, be_slow), keep_silent)
    await upstream.exchange(query_for())
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.7"
    assert upstream.counters.handshakes == 2


async def test_the_end_of_a_doubted_connection_does_not_end_what_is_asked_elsewhere(
    scene: Scene,
) -> None:
    async def leave_later(stream: Stream) -> None:
        await trio.sleep(1.3 * pool.SHORTEST_PATIENCE)
        await stream.aclose()

    async def be_slow(stream: Stream) -> None:
        async for query in queries(stream):
            await trio.sleep(0.7 * pool.SHORTEST_PATIENCE)
            await stream.send_all(frame(reply_to(query, octet=7)))

    _, upstream = await scene.ask(answer(1, leave_later), be_slow)
    await upstream.exchange(query_for())
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.7"
    assert (upstream.counters.handshakes, upstream.counters.replays) == (2, 1)


async def test_where_no_fresh_connection_is_to_be_had_the_doubted_one_still_counts(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def be_slow(stream: Stream) -> None:
        async for query in queries(stream):
            await trio.sleep(2 * pool.SHORTEST_PATIENCE)
            await stream.send_all(frame(reply_to(query, octet=7)))

    _, upstream = await scene.ask(answer(1, be_slow))
    await upstream.exchange(query_for())

    async def fail() -> FramedCarrier:
        raise OSError

    monkeypatch.setattr(upstream, "_way", Way(fail))
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.7"


async def test_a_slow_reply_among_others_raises_no_doubt(scene: Scene) -> None:
    async def be_slow_for_one(stream: Stream) -> None:
        async def answer_late(query: bytes) -> None:
            await trio.sleep(2 * pool.SHORTEST_PATIENCE)
            await stream.send_all(frame(reply_to(query)))

        async with trio.open_nursery() as nursery:
            async for query in queries(stream):
                if b"slow" in query:
                    nursery.start_soon(answer_late, query)
                else:
                    await stream.send_all(frame(reply_to(query)))
            nursery.cancel_scope.cancel()

    _, upstream = await scene.ask(be_slow_for_one)
    await upstream.exchange(query_for())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(upstream.exchange, query_for("slow.example"))
        for _ in range(7):
            await upstream.exchange(query_for())
            await trio.sleep(pool.SHORTEST_PATIENCE / 3)
    assert (upstream.counters.handshakes, upstream.counters.replays) == (1, 0)


async def test_a_connection_that_never_answered_gets_no_further_queries(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "SILENCE_LIMIT", 0.2)
    peer, upstream = await scene.ask(keep_silent, answer_everything)
    with trio.move_on_after(0.1):
        await upstream.exchange(query_for())
    with trio.move_on_after(0.05):
        await upstream.exchange(query_for())
    assert peer.connections == 1
    await trio.sleep(0.1)
    await upstream.exchange(query_for())
    assert (peer.connections, upstream.counters.replays) == (2, 0)


async def test_an_idle_connection_is_closed_before_the_server_does_it(scene: Scene) -> None:
    closed = trio.Event()

    async def watch(stream: Stream) -> None:
        await answer_everything(stream)
        closed.set()

    peer = await scene.peer(watch, answer_everything)
    upstream = scene.upstream(peer.port)
    upstream.counters.idle = IdleTime(0.1)
    await upstream.exchange(query_for())
    await upstream.exchange(query_for())
    assert not closed.is_set()
    await closed.wait()
    await upstream.exchange(query_for())
    assert (upstream.counters.handshakes, upstream.counters.replays) == (2, 0)
    assert upstream.counters.resumptions == int(scene.secured)


# ------------ How long a server keeps an idle connection ------------


async def test_a_cut_is_learnt_and_the_next_connection_closed_before_it(scene: Scene) -> None:
    async def cuts(stream: Stream) -> None:
        with trio.move_on_after(0.4):
            await answer_everything(stream)
        await abort(stream)

    peer, upstream = await scene.ask(cuts)
    await upstream.exchange(query_for())
    await until(lambda: upstream._current is None)
    cut = upstream.counters.idle.cut
    assert cut is not None
    assert cut <= 0.5
    assert upstream.counters.idle.limit == pytest.approx(cut * BELOW_THE_CUT)
    await upstream.exchange(query_for())
    await until(lambda: upstream._current is None)
    assert upstream.counters.idle.cut == cut  # we were first
    assert (peer.connections, upstream.counters.replays) == (2, 0)


async def test_a_query_that_meets_a_cut_is_asked_again_and_the_cut_learnt(scene: Scene) -> None:
    seen: list[bytes] = []

    async def one_then_gone(stream: Stream) -> None:
        async for query in queries(stream):
            if seen:
                await abort(stream)
                return
            seen.append(query)
            await stream.send_all(frame(reply_to(query)))

    peer, upstream = await scene.ask(one_then_gone, answer_everything)
    await upstream.exchange(query_for())
    await trio.sleep(0.3)
    await upstream.exchange(query_for())
    assert (peer.connections, upstream.counters.replays) == (2, 1)
    cut = upstream.counters.idle.cut
    assert cut is not None
    assert 0.3 <= cut < 1


async def test_what_the_server_says_holds(scene: Scene) -> None:
    asked: list[bytes | None] = []

    async def says(stream: Stream) -> None:
        async for query in queries(stream):
            asked.append(find_option(query, OPTION_KEEPALIVE))
            option = keepalive(20)
            opt = b"\0\0\x29\4\xd0\0\0\0\0" + len(option).to_bytes(2) + option
            reply = reply_to(query)
            await stream.send_all(frame(reply[:11] + b"\1" + reply[12:] + opt))

    _, upstream = await scene.ask(says)
    await upstream.exchange(query_for())
    await upstream.exchange(query_for())
    assert upstream.counters.idle.limit == pytest.approx(20 * BELOW_THE_CUT)
    assert asked == [b"", None]  # once for each connection


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110 - the end of a connection is no event
        await trio.sleep(0.01)


# ------------ Failures, in words ------------


async def test_a_refused_connection_is_told_with_the_upstreams_name(scene: Scene) -> None:
    peer = await scene.peer(answer_everything)
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        upstream = scene.upstream(reserved.getsockname()[1])
        with pytest.raises(UpstreamError) as caught:
            await upstream.exchange(query_for())
    assert caught.value.kind is Kind.REFUSED
    assert caught.value.exit_status == 3
    assert str(caught.value).startswith(f"{upstream}: port ")
    assert str(caught.value).endswith("cannot be reached (127.0.0.1: connection refused)")
    assert caught.value.ede is not None
    assert caught.value.ede.code == 23
    assert caught.value.ede.text == str(caught.value)
    assert peer.connections == 0


async def test_a_host_without_a_route_is_an_error_of_the_network(nursery: trio.Nursery) -> None:
    upstream = plain(parse("tcp://255.255.255.255"), nursery)
    with pytest.raises(UpstreamError) as caught:
        await upstream.exchange(query_for())
    assert caught.value.kind is Kind.NETWORK


async def test_a_name_that_cannot_be_looked_up_is_told_by_the_query(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_arguments: object, **_options: object) -> NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(trio.socket, "getaddrinfo", fail)
    upstream = plain(parse("tcp://dns.example"), nursery)
    with pytest.raises(UpstreamError, match="give its addresses") as caught:
        await upstream.exchange(query_for())
    assert caught.value.kind is Kind.NETWORK
    assert str(caught.value).count("tcp://dns.example") == 1


async def test_after_a_failure_the_next_query_tries_again(scene: Scene) -> None:
    _, upstream = await scene.ask(hang_up_on_a_query, answer_everything)
    with pytest.raises(UpstreamError):
        await upstream.exchange(query_for())
    await upstream.exchange(query_for())


async def test_what_is_no_dns_is_malformed(scene: Scene) -> None:
    async def babble(stream: Stream) -> None:
        await stream.receive_some()
        await stream.send_all(frame(b"hello"))

    _, upstream = await scene.ask(babble)
    with pytest.raises(UpstreamError, match="what it sends is no DNS") as caught:
        await upstream.exchange(query_for())
    assert caught.value.kind is Kind.MALFORMED
    assert caught.value.ede is not None
    assert caught.value.ede.code == 24


async def test_a_connection_has_to_stand_in_time(
    nursery: trio.Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "CONNECT_LIMIT", 0.1)
    scene = Scene(tmp_path, nursery, secured=True)
    await scene.peer(keep_silent)  # for its CA
    silent = StreamPeer(keep_silent)
    await silent.start(nursery)
    with pytest.raises(UpstreamError, match="no connection within") as caught:
        await scene.upstream(silent.port).exchange(query_for())
    assert caught.value.kind is Kind.TIMEOUT


async def test_a_wrong_certificate_is_an_error_of_tls(
    nursery: trio.Nursery, tmp_path: Path
) -> None:
    scene = Scene(tmp_path, nursery, secured=True)
    await scene.peer(keep_silent)
    other = StreamPeer(keep_silent, tls=make(["127.0.0.1"]).server_context(tmp_path))
    await other.start(nursery)
    upstream = scene.upstream(other.port)
    gathered = await gather(upstream, query_for(), query_for())
    for error in gathered.errors.values():
        assert error.kind is Kind.TLS
        assert str(error).startswith(f"{upstream}: the certificate is self-signed; ")
        assert error.ede is not None
        assert error.ede.text == f"{upstream}: the certificate is self-signed"
    assert len(gathered.errors) == 2
    assert len({id(error) for error in gathered.errors.values()}) == 2


@pytest.mark.parametrize("connects", [True, False])
async def test_too_many_queries_are_refused(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, *, connects: bool
) -> None:
    monkeypatch.setattr(shared, "IN_FLIGHT", 3)
    peer, upstream = await scene.ask(keep_silent)
    if not connects:
        monkeypatch.setattr(upstream, "_way", Way(trio.sleep_forever))
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(upstream.exchange, query_for())
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert peer.connections == int(connects)
        with pytest.raises(UpstreamError, match="3 queries wait for it already") as caught:
            await upstream.exchange(query_for())
        assert caught.value.kind is Kind.BUSY
        nursery.cancel_scope.cancel()


# ------------ Cancellation and the end ------------


async def test_a_cancelled_query_leaves_no_trace_and_its_late_reply_finds_nobody(
    scene: Scene,
) -> None:
    async def be_late(stream: Stream) -> None:
        async for query in queries(stream):
            if b"slow" in query:
                await trio.sleep(0.1)
            await stream.send_all(frame(reply_to(query)))

    _, upstream = await scene.ask(be_late)
    await upstream.exchange(query_for())
    assert upstream._current is not None
    with trio.move_on_after(0.05):
        await upstream.exchange(query_for("slow.example"))
    assert upstream._current.in_flight == 0
    await upstream.exchange(query_for())
    assert upstream.counters.mismatches == 1
    assert upstream.counters.handshakes == 1


async def test_a_query_cancelled_before_the_connection_stands_leaves_the_queue(
    scene: Scene,
) -> None:
    peer, upstream = await scene.ask(answer_everything)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(upstream.exchange, query_for())
        await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    await upstream.exchange(query_for())  # over the connection that was begun for the other one
    assert peer.connections == 1


async def test_a_query_in_a_cancelled_scope_is_not_sent(scene: Scene) -> None:
    _, upstream = await scene.ask(answer_everything)
    with trio.CancelScope() as scope:
        scope.cancel()
        await upstream.exchange(query_for())
    assert upstream.counters.queries == 0


async def test_closing_fails_whoever_waits(scene: Scene) -> None:
    peer, upstream = await scene.ask(answer(1, keep_silent))
    await upstream.exchange(query_for())
    gathered = Gathered()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(gathered.one, upstream, 0, query_for())
        await trio.sleep(0.02)
        await upstream.aclose()
    assert gathered.errors[0].kind is Kind.CLOSED
    assert "no longer in use" in str(gathered.errors[0])
    with pytest.raises(UpstreamError, match="no longer in use"):
        await upstream.exchange(query_for())
    await upstream.aclose()
    assert peer.connections == 1


async def test_closing_while_connecting_fails_whoever_waits(scene: Scene) -> None:
    _, upstream = await scene.ask(answer_everything)
    gathered = Gathered()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(gathered.one, upstream, 0, query_for())
        while not upstream.counters.queries:
            await trio.lowlevel.checkpoint()
        await upstream.aclose()
    assert gathered.errors[0].kind is Kind.CLOSED


async def test_the_end_of_the_nursery_ends_everything(scene: Scene) -> None:
    peer = await scene.peer(answer(1, keep_silent))
    gathered = Gathered()
    async with trio.open_nursery() as waiting, trio.open_nursery() as serving:
        scene.nursery = serving
        upstream = scene.upstream(peer.port)
        await upstream.exchange(query_for())
        waiting.start_soon(gathered.one, upstream, 0, query_for())
        await trio.sleep(0.02)
        serving.cancel_scope.cancel()
    assert gathered.errors[0].kind is Kind.CLOSED


async def test_a_server_that_stops_reading_and_resets_fails_its_queries(scene: Scene) -> None:
    async def ignore(stream: Stream) -> None:
        await trio.sleep(0.1)
        await abort(stream)

    _, upstream = await scene.ask(ignore)
    large = query_for() + bytes(60_000)
    gathered = await gather(upstream, *[large] * 200)
    assert {error.kind for error in gathered.errors.values()} == {Kind.CLOSED}
    assert len(gathered.errors) == 200
