"""What QUIC adds: one message a stream, its own codes, early data, and networks that lose."""

import errno
import math
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from anchord.net import quic, quic_client, quic_limit
from anchord.net.chain import ChainVerifier
from anchord.net.identity import Identity
from anchord.net.quic_client import QuicClient
from anchord.net.tls import ClientContexts
from anchord.upstream import pool
from anchord.upstream.base import Kind, UpstreamError
from anchord.upstream.shared import SharedUpstream
from anchord.wire.framing import frame
from anchord.wire.options import OPTION_KEEPALIVE, keepalive
from support.peers import address_in, query_for, reply_to
from support.relay import Relay
from support.stubborn import Asked, Conduct, answer, first, ignore
from unit.upstream.conftest import NAME, Stage, end, gather

both = pytest.mark.parametrize("scheme", ["quic", "h3"])


async def failure(upstream: SharedUpstream) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await upstream.exchange(query_for())
    return caught.value


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():
        await trio.testing.wait_all_tasks_blocked(0.01)


def send(data: bytes, *, ends: bool = True) -> Conduct:
    """Sends these octets on the query's stream."""

    async def conduct(asked: Asked) -> None:
        connection: Any = asked.connection
        connection.quic.send_stream_data(asked.stream_id, data, end_stream=ends)
        connection.flush()

    return conduct


# ------------ RFC 9250 ------------


async def test_a_query_has_a_stream_of_its_own_its_length_and_the_id_0(stage: Stage) -> None:
    server, upstream = await stage.ask("quic", answer)
    streams = []

    async def note(asked: Asked) -> None:
        streams.append(asked.stream_id)
        await asked.reply()

    server.conducts = (note,)
    for _ in range(3):
        await upstream.exchange(query_for())
    assert server.heard == [query_for()] * 3
    assert streams == [0, 4, 8]


def with_keepalive(query: bytes) -> bytes:
    option = keepalive(10)
    opt = b"\0\0\x29\x04\xd0\0\0\0\0" + len(option).to_bytes(2) + option
    right = reply_to(query)
    return right[:10] + b"\0\x01" + right[12:] + opt


def test_the_reply_with_a_keepalive_option_is_one() -> None:
    import dns.message

    (opt,) = dns.message.from_wire(with_keepalive(query_for())).options
    assert opt.otype == OPTION_KEEPALIVE


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (lambda query: frame(reply_to(query)) * 2, "a stream without exactly one message"),
        (lambda query: frame(reply_to(query))[:-1], "a stream without exactly one message"),
        (lambda _: frame(b"short"), "a stream without exactly one message"),
        (lambda _: b"", "a stream without exactly one message"),
        (lambda _: frame(bytes(65535)) + b"more", "more than one message on a stream"),
        (lambda query: frame(b"\0\1" + reply_to(query)[2:]), "a message with an id"),
        (lambda query: frame(with_keepalive(query)), "a message with a keepalive option"),
    ],
    ids=["two", "half", "no dns", "nothing", "endless", "an id", "keepalive"],
)
async def test_a_breach_of_the_protocol_ends_the_connection_with_its_code(
    stage: Stage, sent: Any, words: str
) -> None:
    server, upstream = await stage.ask("quic", send(sent(query_for())), answer)
    error = await failure(upstream)
    assert (error.kind, error.problem) == (
        Kind.MALFORMED,
        f"the server breaks DNS over QUIC ({words})",
    )
    await server.has_closed.wait()
    assert server.closes == [2]  # DOQ_PROTOCOL_ERROR
    await upstream.exchange(query_for())
    assert server.connections == 2


async def test_a_server_that_asks_us_breaks_the_protocol(stage: Stage) -> None:
    async def ask_back(asked: Asked) -> None:
        connection: Any = asked.connection
        stream_id = connection.quic.get_next_available_stream_id(is_unidirectional=True)
        connection.quic.send_stream_data(stream_id, b"hello")
        connection.flush()

    _, upstream = await stage.ask("quic", ask_back)
    assert "it stops reading a query, or asks us" in str(await failure(upstream))


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (1, Kind.CLOSED, "the server gave up (internal error)"),
        (2, Kind.CLOSED, "the server gave up (protocol error)"),
        (4, Kind.LIMITED, "the server has too much to do (excessive load)"),
        (5, Kind.CLOSED, "the server gave up (unspecified error)"),
        (0x77, Kind.CLOSED, "the server gave up (error 0x77)"),
    ],
)
@pytest.mark.parametrize("ended", ["stream", "connection"])
async def test_the_servers_own_codes_are_told_in_words(
    stage: Stage, ended: str, code: int, kind: Kind, words: str
) -> None:
    async def give_up(asked: Asked) -> None:
        connection: Any = asked.connection
        if ended == "stream":
            connection.quic.reset_stream(asked.stream_id, code)
        else:
            connection.quic.close(error_code=code)
        connection.flush()

    _, upstream = await stage.ask("quic", give_up)
    error = await failure(upstream)
    assert (error.kind, error.problem) == (kind, words)
    assert error.ede is not None
    assert error.ede.code == (31 if kind is Kind.LIMITED else 23)


@both
@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (0x2, Kind.CLOSED, "QUIC failed (connection refused: go away)"),
        (0xABC, Kind.CLOSED, "QUIC failed (error 0xabc: go away)"),
        (0x100 + 40, Kind.TLS, "TLS failed (alert handshake failure)"),
        (0x100 + 99, Kind.TLS, "TLS failed (alert 99)"),
    ],
)
async def test_the_ends_that_quic_itself_has_are_told_in_words(
    stage: Stage, scheme: str, code: int, kind: Kind, words: str
) -> None:
    async def refuse(asked: Asked) -> None:
        connection: Any = asked.connection
        connection.quic.close(error_code=code, frame_type=0, reason_phrase="go\x1b away\n")
        connection.flush()

    _, upstream = await stage.ask(scheme, refuse)
    error = await failure(upstream)
    assert (error.kind, error.problem) == (kind, words)


# ------------ Streams ------------


async def test_a_server_that_stops_allowing_queries_is_left_at_once(stage: Stage) -> None:
    server = await stage.server("quic", answer, most_streams=128)
    upstream = stage.upstream("quic", server.port)
    for _ in range(3):
        results = await gather(upstream, *[query_for()] * 100)
        assert all(isinstance(one, bytes) for one in results)
    assert server.connections == 3
    assert upstream.counters.handshakes == 3


@both
@pytest.mark.parametrize(
    ("most", "last"), [(128, 128 // quic_limit.LAST_SHARE), (256, quic_limit.LAST_STREAMS)]
)
async def test_another_connection_stands_before_the_last_query_is_used_up(
    stage: Stage, scheme: str, most: int, last: int
) -> None:
    server = await stage.server(scheme, answer, most_streams=most)
    upstream = stage.upstream(scheme, server.port)
    for _ in range(most - last):
        await upstream.exchange(query_for())
        assert upstream.counters.handshakes == 1
    await upstream.exchange(query_for())
    await until(lambda: upstream.counters.handshakes == 2)
    await upstream.exchange(query_for())
    assert (server.connections, upstream.counters.replays) == (2, 0)


@both
async def test_one_that_cannot_be_replaced_is_used_up_to_the_last_query(
    stage: Stage, scheme: str
) -> None:
    server = await stage.server(scheme, answer, most_streams=128)
    upstream = stage.upstream(scheme, server.port)
    await upstream.exchange(query_for())

    async def refuse() -> Any:
        raise ConnectionRefusedError(errno.ECONNREFUSED, "")

    upstream._way = upstream._way._replace(open=refuse)
    for _ in range(127):
        await upstream.exchange(query_for())
    assert "refused" in (await failure(upstream)).problem
    assert len(server.heard) == 128


@both
async def test_a_limit_that_is_raised_after_the_last_answer_costs_no_handshake(
    stage: Stage, scheme: str
) -> None:
    async def raise_late(asked: Asked) -> None:
        await asked.reply()
        if len(server.heard) == 128:
            await trio.sleep(0.05)
            server.raise_limit(1000)

    server = await stage.server(scheme, raise_late, most_streams=128)
    relay = Relay(server.port, delay=0.05)
    await relay.start(stage.nursery)
    upstream = stage.upstream(scheme, relay.port)
    results = await gather(upstream, *[query_for()] * 300)
    assert all(isinstance(one, bytes) for one in results)
    assert (server.connections, upstream.counters.replays) == (1, 0)


@both
async def test_queries_that_wait_for_their_turn_on_many_connections_do_not_fail(
    stage: Stage, scheme: str
) -> None:
    server = await stage.server(scheme, answer, most_streams=16)
    upstream = stage.upstream(scheme, server.port)
    results = await gather(upstream, *[query_for()] * 100)
    assert all(isinstance(one, bytes) for one in results)
    assert server.connections == math.ceil(100 / 16)
    assert len(server.heard) == 100


@both
async def test_an_orderly_end_before_the_reply_costs_a_replay_where_it_was_used(
    stage: Stage, scheme: str
) -> None:
    async def leave(asked: Asked) -> None:
        connection: Any = asked.connection
        connection.quic.close(error_code=0 if scheme == "quic" else 0x100)
        connection.flush()

    server, upstream = await stage.ask(scheme, first(1, answer, leave), answer)
    for _ in range(2):
        await upstream.exchange(query_for())
    assert (server.connections, upstream.counters.replays) == (2, 1)


@both
async def test_no_more_streams_are_opened_than_the_server_takes(
    stage: Stage, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "SHORTEST_PATIENCE", 30.0)
    server = await stage.server(scheme, first(1, answer, ignore))
    upstream = stage.upstream(scheme, server.port)
    await upstream.exchange(query_for())
    with trio.move_on_after(2):
        await gather(upstream, *[query_for()] * 300)
    assert len(server.heard) == 1 + 128  # aioquic's limit
    assert server.connections == 1


@both
async def test_a_slow_server_that_acknowledges_is_not_taken_for_gone(
    stage: Stage, scheme: str
) -> None:
    async def be_slow(asked: Asked) -> None:
        await trio.sleep(2.5 * quic.SILENCE_LIMIT)
        await asked.reply()

    server, upstream = await stage.ask(scheme, be_slow)
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"
    assert (server.connections, upstream.counters.replays) == (1, 0)


def queries_in_each_datagram(server: Any) -> list[list[int]]:
    """For each connection, how many queries came with each datagram but the last."""
    counts: list[list[int]] = []
    receive, heard = server._receive, 0

    def count(data: bytes, address: Any) -> None:
        nonlocal heard
        if counts:
            counts[-1].append(len(server.heard) - heard)
        if address not in server.clients:
            counts.append([])
        heard = len(server.heard)
        receive(data, address)

    server._receive = count
    return counts


@both
async def test_a_server_that_forgets_crowds_gets_none_any_more(stage: Stage, scheme: str) -> None:
    in_flight = most = 0

    async def forget(asked: Asked) -> None:
        await trio.sleep(0.02)
        await asked.connection.abort()

    async def count(asked: Asked) -> None:
        nonlocal in_flight, most
        in_flight += 1
        most = max(most, in_flight)
        await trio.sleep(0.02)
        in_flight -= 1
        await asked.reply()

    server, upstream = await stage.ask(scheme, first(5, answer, forget), count)
    together = queries_in_each_datagram(server)
    await upstream.exchange(query_for())
    results = await gather(upstream, *[query_for()] * 50)
    assert all(isinstance(one, bytes) for one in results)
    assert (server.connections, most) == (2, quic_limit.SMALL_CROWD)
    assert max(together[-1]) == quic_limit.TOGETHER
    await until(lambda: len(upstream._tasks) == 1)  # the one that is forgotten is heard out
    assert upstream.counters.idle.cut is None


@pytest.mark.parametrize(
    ("asked", "most"),
    [(quic_limit.SMALL_CROWD + 1, quic_limit.SMALL_CROWD), (quic_limit.SMALL_CROWD, math.inf)],
)
async def test_a_connection_beside_one_that_is_stuck_with_a_crowd_gets_none(
    stage: Stage, asked: int, most: float
) -> None:
    """The stuck one is not given up yet, but what waits on it is about to be asked again."""
    server = await stage.server("quic", ignore)
    relay = Relay(server.port)
    await relay.start(stage.nursery)
    verifier = ChainVerifier(Identity(NAME, stage.ca_file), ClientContexts())
    client = QuicClient(NAME, verifier, alpn="doq")
    stuck = await client.open(["127.0.0.1"], relay.port)
    relay.is_cut = True
    for _ in range(asked):
        stuck.ask(frame(query_for()))
    stuck.flush()
    with trio.move_on_after(3 * quic.STUCK):
        while True:
            await stuck.receive()
    assert stuck.is_stuck
    relay.is_cut = False
    beside = await client.open(["127.0.0.1"], relay.port)
    assert beside._most_streams == most
    client.forget()
    anew = await client.open(["127.0.0.1"], relay.port)
    assert anew._most_streams == math.inf
    for channel in (stuck, beside, anew):
        channel.close()


@both
async def test_a_connection_that_the_server_has_forgotten_while_idle_costs_nothing(
    stage: Stage, scheme: str
) -> None:
    server = await stage.server(scheme, answer, quic={"idle_timeout": 0.2})
    upstream = stage.upstream(scheme, server.port)
    await upstream.exchange(query_for())
    await trio.sleep(1)
    assert upstream._current is None
    await upstream.exchange(query_for())
    assert (server.connections, upstream.counters.replays) == (2, 0)


@both
async def test_the_server_says_how_long_it_keeps_an_idle_connection(
    stage: Stage, scheme: str
) -> None:
    for theirs, limit in ((5.0, 4.0), (100.0, pool.BELOW_THE_CUT * quic_client.IDLE_TIMEOUT)):
        server = await stage.server(scheme, answer, quic={"idle_timeout": theirs})
        upstream = stage.upstream(scheme, server.port)
        await upstream.exchange(query_for())
        assert upstream.counters.idle.limit == limit


@both
async def test_we_say_farewell_with_the_protocols_own_code(stage: Stage, scheme: str) -> None:
    server, upstream = await stage.ask(scheme, answer)
    await upstream.exchange(query_for())
    await end(upstream)
    await server.has_closed.wait()
    assert server.closes == [0 if scheme == "quic" else 0x100]


# ------------ Early data ------------


@both
async def test_early_data_is_sent_only_where_it_is_asked_for(stage: Stage, scheme: str) -> None:
    server = await stage.server(scheme, answer)
    for early_data in (False, True):
        upstream = stage.upstream(scheme, server.port, early_data=early_data)
        for _ in range(3):
            assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"
            await trio.sleep(0.05)  # the ticket may come behind the reply
            await end(upstream)
        assert server.early == upstream.counters.early_data == 2 * early_data
        assert upstream.counters.resumptions == 2


@both
async def test_early_data_spares_a_round_trip(stage: Stage, scheme: str) -> None:
    heard_after = []

    async def note(asked: Asked) -> None:
        heard_after.append(relay.returned_to_latest_client())
        await asked.reply()

    server = await stage.server(scheme, note)
    relay = Relay(server.port, delay=0.05)
    await relay.start(stage.nursery)
    upstream = stage.upstream(scheme, relay.port, early_data=True)
    is_in_first_flight = []
    for _ in range(3):
        heard_after.clear()
        await upstream.exchange(query_for())
        is_in_first_flight.append(heard_after[0] == 0)
        await trio.sleep(0.15)  # the ticket comes behind the reply
        await end(upstream)
    assert is_in_first_flight == [False, True, True]


@both
async def test_declined_early_data_is_sent_again_and_not_tried_any_more(
    stage: Stage, scheme: str
) -> None:
    server = await stage.server(scheme, answer)
    upstream = stage.upstream(scheme, server.port, early_data=True)
    await upstream.exchange(query_for())
    await end(upstream)
    server.tickets.clear()  # it has restarted, so to speak
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"
    await end(upstream)
    await upstream.exchange(query_for())
    assert (server.early, server.resumed) == (0, 1)
    assert upstream.counters.replays == 0


@both
async def test_early_data_to_an_address_that_is_gone_is_asked_again_elsewhere(
    stage: Stage, scheme: str
) -> None:
    server = await stage.server(scheme, answer)
    upstream = stage.upstream(
        scheme, server.port, early_data=True, addresses=["127.0.0.1", "127.0.0.2"]
    )
    await upstream.exchange(query_for())
    await end(upstream)
    other = await stage.server(scheme, answer, host="127.0.0.2", port=server.port)
    for client in server.clients.values():
        client.is_dead = True
    server._receive = lambda *_: None  # as if it were gone without a word
    began = trio.current_time()
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"
    assert quic.EARLY_LIMIT <= trio.current_time() - began < 2 * quic.EARLY_LIMIT
    assert other.connections == 1
    assert upstream.counters.replays == 1


@both
async def test_an_impostor_gets_nothing_but_what_the_old_keys_protect(
    stage: Stage, scheme: str
) -> None:
    from support.certificates import make

    server = await stage.server(scheme, answer)
    upstream = stage.upstream(scheme, server.port, early_data=True)
    await upstream.exchange(query_for())
    await end(upstream)
    server.stop()
    await trio.sleep(0.01)
    impostor = await stage.server(
        scheme, answer, port=server.port, certificate=make(["dns.example"])
    )
    error = await failure(upstream)
    assert error.kind is Kind.TLS
    assert "the certificate is self-signed" in str(error)
    assert impostor.heard == []


@both
async def test_an_impostors_ticket_is_not_kept(stage: Stage, scheme: str) -> None:
    from support.certificates import make

    server = await stage.server(scheme, answer, certificate=make(["other.example"]))
    upstream = stage.upstream(scheme, server.port)
    for _ in range(2):
        assert (await failure(upstream)).kind is Kind.TLS
    assert server.resumed == 0


@both
async def test_after_an_hour_the_certificate_is_looked_at_again(
    stage: Stage, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, upstream = await stage.ask(scheme, answer)
    await upstream.exchange(query_for())
    await end(upstream)
    monkeypatch.setattr(quic_client, "RESUMED_FOR", 0.0)
    await upstream.exchange(query_for())
    assert (server.connections, server.resumed) == (2, 0)


# ------------ Networks ------------


@both
async def test_thirty_percent_loss_and_200_ms_are_survived(stage: Stage, scheme: str) -> None:
    server = await stage.server(scheme, answer)
    relay = Relay(server.port, loss=0.3, delay=0.1)
    await relay.start(stage.nursery)
    upstream = stage.upstream(scheme, relay.port)
    with trio.move_on_after(4):
        for result in await gather(upstream, *[query_for()] * 10):
            assert isinstance(result, bytes) or str(upstream) in str(result)
    relay.loss = 0.0
    with trio.fail_after(4):
        assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"


@both
async def test_ten_percent_loss_keeps_nobody_from_an_answer(stage: Stage, scheme: str) -> None:
    server = await stage.server(scheme, answer)
    relay = Relay(server.port, loss=0.1, delay=0.01)
    await relay.start(stage.nursery)
    upstream = stage.upstream(scheme, relay.port)
    for _ in range(5):
        results = await gather(upstream, *[query_for()] * 10)
        assert all(isinstance(one, bytes) for one in results)


@both
async def test_a_router_that_forgets_us_is_not_noticed(stage: Stage, scheme: str) -> None:
    server = await stage.server(scheme, answer)
    relay = Relay(server.port)
    await relay.start(stage.nursery)
    upstream = stage.upstream(scheme, relay.port)
    await upstream.exchange(query_for())
    relay.rebind()
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"
    assert server.connections == upstream.counters.handshakes == 1


@both
async def test_a_network_that_swallows_everything_costs_one_estimate(
    stage: Stage, scheme: str
) -> None:
    server = await stage.server(scheme, answer)
    relay = Relay(server.port)
    await relay.start(stage.nursery)
    upstream = stage.upstream(scheme, relay.port)
    await upstream.exchange(query_for())
    relay.is_cut = True

    async def mend() -> None:
        await trio.sleep(1.2 * pool.SHORTEST_PATIENCE)
        relay.is_cut = False

    stage.nursery.start_soon(mend)
    began = trio.current_time()
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"
    assert trio.current_time() - began < 3


@both
async def test_a_server_that_has_restarted_is_asked_anew_as_soon_as_the_system_tells(
    stage: Stage, scheme: str
) -> None:
    server, upstream = await stage.ask(scheme, answer)
    await upstream.exchange(query_for())
    server.stop()
    await trio.sleep(0.01)
    again = await stage.server(scheme, answer, port=server.port)
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"
    assert again.connections == 1


@both
async def test_the_first_address_that_answers_is_used(stage: Stage, scheme: str) -> None:
    server = await stage.server(scheme, answer)
    upstream = stage.upstream(
        scheme, server.port, addresses=["127.0.0.9", "127.0.0.1"]
    )  # at the first one nobody listens, which the system tells
    began = trio.current_time()
    await upstream.exchange(query_for())
    assert trio.current_time() - began < 0.2
    await end(upstream)
    await upstream.exchange(query_for())
    assert server.connections == 2


@both
async def test_an_address_that_is_silent_costs_a_quarter_of_a_second(
    stage: Stage, scheme: str
) -> None:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        server = await stage.server(scheme, answer)
        silent.bind(("127.0.0.9", server.port))
        upstream = stage.upstream(scheme, server.port, addresses=["127.0.0.9", "127.0.0.1"])
        began = trio.current_time()
        await upstream.exchange(query_for())
        assert 0.25 <= trio.current_time() - began < 0.5


@both
async def test_where_nobody_answers_the_handshake_ends_in_time(
    stage: Stage, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    monkeypatch.setattr(quic, "HANDSHAKE_LIMIT", 0.2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        upstream = stage.upstream(scheme, silent.getsockname()[1])
        error = await failure(upstream)
    assert error.kind is Kind.NETWORK
    assert "no reply from the host" in str(error)
