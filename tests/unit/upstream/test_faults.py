"""What servers do wrong, over every encrypted transport: the query is answered or fails in time.

Each failure says which upstream did what. What only HTTP or only QUIC can do wrong is tried in
`test_doh` and `test_doq`.
"""

import datetime as dt
import resource
from collections.abc import Callable
from typing import Any

import pytest
import trio

from anchord.upstream import pool, shared
from anchord.upstream.base import Kind, UpstreamError
from anchord.upstream.pool import IDLE_LIMIT, SHORTEST_IDLE
from anchord.wire.framing import frame
from anchord.wire.query import with_keepalive
from support.certificates import DAY, NOW, make
from support.peers import address_in, query_for, reply_to
from support.stubborn import Asked, answer, first, hang_up, ignore
from unit.upstream.conftest import NAME, Stage, end, gather

SCHEMES = ["tls", "https", "quic", "h3"]
ON_STREAMS = ["https", "quic", "h3"]
"""Where each query has a stream of its own."""

every = pytest.mark.parametrize("scheme", SCHEMES)


async def failure(upstream: shared.SharedUpstream) -> UpstreamError:
    """Why a query fails; that its one line begins with the upstream is checked by the way."""
    with pytest.raises(UpstreamError) as caught:
        await upstream.exchange(query_for())
    assert str(caught.value).startswith(f"{upstream}: ")
    assert caught.value.ede is not None
    assert caught.value.ede.text.startswith(f"{upstream}: ")
    return caught.value


# ------------ Nothing wrong ------------


@every
async def test_a_query_is_answered_and_the_id_is_nobodys_business(
    stage: Stage, scheme: str
) -> None:
    server, upstream = await stage.ask(scheme, answer)
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"
    asked = with_keepalive(query_for()) if scheme == "tls" else query_for()
    assert server.heard[0][2:] == asked[2:]
    if scheme != "tls":
        assert server.heard[0][:2] == b"\0\0"
    assert upstream.counters.handshakes == server.connections == 1


@every
async def test_a_handshake_is_shared_and_a_hundred_queries_are_answered_backwards(
    stage: Stage, scheme: str
) -> None:
    held: list[Asked] = []

    async def backwards(asked: Asked) -> None:
        held.append(asked)
        if len(held) == 100:
            for late in reversed(held):
                await late.reply()

    server, upstream = await stage.ask(scheme, backwards)
    names = [f"n{index}.example" for index in range(100)]
    results = await gather(upstream, *map(query_for, names))
    for name, result in zip(names, results, strict=True):
        assert isinstance(result, bytes)
        assert name.partition(".")[0].encode() in result
    assert server.connections == 1


@every
async def test_the_longest_reply_comes_through(stage: Stage, scheme: str) -> None:
    async def talk(asked: Asked) -> None:
        await asked.reply(reply_to(asked.query).ljust(65535, b"\0"))

    _, upstream = await stage.ask(scheme, talk)
    results = await gather(upstream, *[query_for()] * 20)
    assert [len(result) for result in results if isinstance(result, bytes)] == [65535] * 20


@every
async def test_a_reply_may_come_octet_by_octet(stage: Stage, scheme: str) -> None:
    async def drip(asked: Asked) -> None:
        await asked.reply(at_a_time=1)

    _, upstream = await stage.ask(scheme, drip)
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"


@every
async def test_sessions_are_resumed(stage: Stage, scheme: str) -> None:
    server, upstream = await stage.ask(scheme, answer)
    for _ in range(3):
        await upstream.exchange(query_for())
        await end(upstream)
    assert (server.connections, server.resumed) == (3, 2)
    assert upstream.counters.resumptions == 2


# ------------ Silence, and ends without a word ------------


@every
async def test_a_server_that_says_nothing_costs_what_the_caller_allows(
    stage: Stage, scheme: str
) -> None:
    _, upstream = await stage.ask(scheme, ignore)
    with trio.move_on_after(1) as limit:
        await upstream.exchange(query_for())
    assert limit.cancelled_caught
    assert upstream._current is not None
    assert upstream._current.in_flight == 0


@every
async def test_a_half_open_connection_costs_one_round_trip_estimate(
    stage: Stage, scheme: str
) -> None:
    server, upstream = await stage.ask(scheme, first(1, answer, ignore), answer)
    await upstream.exchange(query_for())
    began = trio.current_time()
    assert all(isinstance(one, bytes) for one in await gather(upstream, *[query_for()] * 3))
    assert pool.SHORTEST_PATIENCE <= trio.current_time() - began < 2 * pool.SHORTEST_PATIENCE
    assert (server.connections, upstream.counters.replays) == (2, 3)


@every
async def test_the_doubted_connection_is_heard_out(stage: Stage, scheme: str) -> None:
    async def be_slow(asked: Asked) -> None:
        await trio.sleep(2 * pool.SHORTEST_PATIENCE)
        await asked.reply(reply_to(asked.query, octet=7))

    _, upstream = await stage.ask(scheme, first(1, answer, be_slow), ignore)
    await upstream.exchange(query_for())
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.7"


@every
async def test_a_connection_cut_while_idle_without_a_word_costs_nothing(
    stage: Stage, scheme: str
) -> None:
    async def leave(asked: Asked) -> None:
        await asked.reply()
        await trio.sleep(0.05)
        await asked.connection.abort()

    server, upstream = await stage.ask(scheme, leave, answer)
    await upstream.exchange(query_for())
    await trio.sleep(0.1)
    began = trio.current_time()
    await upstream.exchange(query_for())
    assert trio.current_time() - began < 2 * pool.SHORTEST_PATIENCE  # QUIC has to find out
    assert server.connections == 2


@every
async def test_a_used_connection_reset_in_mid_reply_is_replaced(stage: Stage, scheme: str) -> None:
    async def break_off(asked: Asked) -> None:
        await asked.reply_half()
        await asked.connection.abort()

    server, upstream = await stage.ask(scheme, first(1, answer, break_off), answer)
    for _ in range(2):
        assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"
    assert (server.connections, upstream.counters.replays) == (2, 1)


@pytest.mark.parametrize("scheme", ["tls", "https"])
async def test_a_fresh_connection_reset_in_mid_reply_is_a_failure(
    stage: Stage, scheme: str
) -> None:
    async def break_off(asked: Asked) -> None:
        await asked.reply_half()
        await asked.connection.abort()

    _, upstream = await stage.ask(scheme, break_off)
    error = await failure(upstream)
    assert error.kind is Kind.CLOSED
    assert "connection" in error.problem


@every
async def test_another_network_sees_a_new_connection_and_no_session_of_before(
    stage: Stage, scheme: str
) -> None:
    server, upstream = await stage.ask(scheme, answer)
    await upstream.exchange(query_for())
    await end(upstream)
    upstream.forget_network()  # with a session in hand
    await upstream.exchange(query_for())
    upstream.forget_network()  # with a connection that has one
    assert upstream.counters.round_trip.smoothed is None
    await upstream.exchange(query_for())
    assert (server.connections, server.resumed) == (3, 0)
    await end(upstream)
    await upstream.exchange(query_for())
    assert (server.connections, server.resumed) == (4, 1)


@every
async def test_what_waits_when_the_network_changes_is_asked_in_the_new_one(
    stage: Stage, scheme: str
) -> None:
    asked = trio.Event()

    async def answer_but_one(query: Asked) -> None:
        if len(server.heard) == 2:
            asked.set()
            return
        await answer(query)

    server, upstream = await stage.ask(scheme, answer_but_one)
    await upstream.exchange(query_for())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(upstream.exchange, query_for("slow.example"))
        await asked.wait()
        upstream.forget_network()
    assert (server.connections, upstream.counters.replays) == (2, 1)


@every
async def test_the_issuer_of_the_certificate_is_told_and_that_it_has_changed(
    stage: Stage, scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    server, upstream = await stage.ask(scheme, answer)
    assert upstream.counters.snapshot()["issuer"] == ""
    await upstream.exchange(query_for())
    assert upstream.counters.snapshot()["issuer"] == "CN=Test CA"
    other = make(["Other CA"], is_ca=True)
    both = stage.folder / "both.pem"
    both.write_bytes(b"".join(ca.write(stage.folder).read_bytes() for ca in (stage.ca, other)))
    second = await stage.server(scheme, answer, certificate=make([NAME], issuer=other))
    again = stage.upstream(scheme, second.port, ca_file=str(both))
    again.counters.certificate = upstream.counters.certificate
    await again.exchange(query_for())
    assert "its certificate is by CN=Other CA now; it was by CN=Test CA" in caplog.text
    assert server.connections == second.connections == 1


@every
async def test_an_idle_connection_is_closed_before_the_server_does_it(
    stage: Stage, scheme: str
) -> None:
    assert IDLE_LIMIT == 8.0  # servers cut after 8 to 11 seconds
    server, upstream = await stage.ask(scheme, answer)
    upstream.counters.idle.was_cut(SHORTEST_IDLE)
    await upstream.exchange(query_for())
    assert upstream._current is not None
    await trio.sleep(2 * SHORTEST_IDLE)
    assert upstream._current is None
    await upstream.exchange(query_for())
    assert (server.connections, upstream.counters.replays) == (2, 0)


@every
async def test_where_nobody_listens_the_refusal_is_told(stage: Stage, scheme: str) -> None:
    server = await stage.server("quic", answer)  # its port is free for TCP, and soon for UDP
    server.stop()
    error = await failure(stage.upstream(scheme, server.port))
    assert error.kind is Kind.REFUSED
    assert "connection refused" in error.problem


# ------------ Replies that are none ------------


async def twice(asked: Asked) -> None:
    message = reply_to(asked.query)
    await asked.reply(message)
    await asked.reply(message)


async def test_a_reply_that_comes_twice_is_one(stage: Stage) -> None:
    _, upstream = await stage.ask("tls", twice)
    for _ in range(3):
        assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"


def with_wrong_id(query: bytes) -> bytes:
    right = reply_to(query)
    return bytes((right[0], right[1] ^ 1)) + right[2:]


def with_wrong_question(query: bytes) -> bytes:
    return reply_to(query).replace(b"www", b"xww")


def cut_short(query: bytes) -> bytes:
    return reply_to(query)[:11]


def without_an_answer(query: bytes) -> bytes:
    return query


@pytest.mark.parametrize("scheme", ON_STREAMS)
@pytest.mark.parametrize(
    "spoil", [with_wrong_id, with_wrong_question, cut_short, without_an_answer]
)
async def test_on_a_stream_of_its_own_a_wrong_reply_is_a_failure_at_once(
    stage: Stage, scheme: str, spoil: Callable[[bytes], bytes]
) -> None:
    async def misanswer(asked: Asked) -> None:
        await asked.reply(spoil(asked.query))

    _, upstream = await stage.ask(scheme, misanswer)
    error = await failure(upstream)
    assert error.kind is Kind.MALFORMED
    assert error.ede is not None
    assert error.ede.code == 24


@pytest.mark.parametrize("spoil", [with_wrong_id, with_wrong_question, without_an_answer])
async def test_on_a_shared_stream_a_wrong_reply_is_passed_over(
    stage: Stage, spoil: Callable[[bytes], bytes]
) -> None:
    async def confuse(asked: Asked) -> None:
        await asked.reply(spoil(asked.query))
        await asked.reply()

    _, upstream = await stage.ask("tls", confuse)
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"
    assert upstream.counters.mismatches == 1


@every
async def test_a_reply_cut_short_within_its_records_is_for_the_reader_to_find(
    stage: Stage, scheme: str
) -> None:
    async def cut(asked: Asked) -> None:
        await asked.reply(reply_to(asked.query)[:-3])

    _, upstream = await stage.ask(scheme, cut)
    assert await upstream.exchange(query_for()) is not None


async def test_replies_to_nobody_without_end_end_the_connection_and_take_no_memory(
    stage: Stage,
) -> None:
    async def pour(asked: Asked) -> None:
        connection: Any = asked.connection
        for _ in range(10_000):
            await connection.send(frame(with_wrong_id(asked.query)) * 500)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    server, upstream = await stage.ask("tls", pour)
    error = await failure(upstream)
    assert error.kind is Kind.MALFORMED
    assert "floods the connection" in str(error)
    assert pool.MISSES <= upstream.counters.mismatches < 2 * pool.MISSES
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KiB
    assert server.connections == 1


async def test_as_many_late_replies_as_there_may_be_queries_are_no_flood(stage: Stage) -> None:
    async def be_late(asked: Asked) -> None:
        connection: Any = asked.connection
        await connection.send(frame(with_wrong_id(asked.query)) * pool.MISSES)
        await asked.reply()

    server, upstream = await stage.ask("tls", be_late)
    for _ in range(2):
        assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"
    assert server.connections == 1


@pytest.mark.parametrize("scheme", ["quic", "h3"])
async def test_datagrams_without_end_take_no_memory_and_no_more_time_than_there_is(
    stage: Stage, scheme: str
) -> None:
    async def pour(asked: Asked) -> None:
        connection: Any = asked.connection
        for number in range(20_000):
            connection.quic.send_ping(number)
            connection.flush()
            await trio.lowlevel.checkpoint()

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _, upstream = await stage.ask(scheme, pour)
    with trio.move_on_after(1) as limit:
        await upstream.exchange(query_for())
    assert limit.cancelled_caught
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KiB


# ------------ Servers that are not who they should be ------------

LATE = dt.datetime(2024, 5, 1, 12, 30, tzinfo=dt.UTC)


@every
@pytest.mark.parametrize("fault", ["expired", "not yet", "wrong name", "self-signed", "unknown"])
async def test_a_certificate_that_proves_nothing_is_refused_in_the_same_words(
    stage: Stage, scheme: str, fault: str
) -> None:
    certificate, words = {
        "expired": (
            make([NAME], issuer=stage.ca, not_before=LATE - DAY, not_after=LATE),
            "the certificate expired on 2024-05-01 12:30 UTC",
        ),
        "not yet": (
            make([NAME], issuer=stage.ca, not_before=NOW + DAY),
            f"the certificate is valid from {NOW + DAY:%Y-%m-%d %H:%M} UTC",
        ),
        "wrong name": (
            make(["other.example", "192.0.2.1"], issuer=stage.ca),
            f"the certificate is for other.example, 192.0.2.1, not for {NAME}",
        ),
        "self-signed": (make([NAME]), "the certificate is self-signed"),
        "unknown": (
            make([NAME], issuer=make(["Somebody Else"], is_ca=True)),
            "the certificate was issued by CN=Somebody Else, which is not trusted here",
        ),
    }[fault]
    server = await stage.server(scheme, answer, certificate=certificate)
    error = await failure(stage.upstream(scheme, server.port))
    assert error.kind is Kind.TLS
    assert error.problem == words
    assert error.remedy
    assert server.heard == []


@every
async def test_a_wrong_key_is_refused_and_shown(stage: Stage, scheme: str) -> None:
    from anchord.net.certificate import pin

    issued = make([NAME])
    server = await stage.server(scheme, answer, certificate=issued)
    wrong = stage.upstream(scheme, server.port, pins=[pin(stage.ca.der)], ca_file="")
    error = await failure(wrong)
    assert error.kind is Kind.TLS
    assert f"the server's key is {pin(issued.der)}, which is none of the pins" in str(error)
    right = stage.upstream(scheme, server.port, pins=[pin(issued.der)], ca_file="")
    assert address_in(await right.exchange(query_for())) == "192.0.2.1"
    both = stage.upstream(scheme, server.port, pins=[pin(issued.der)])
    assert "self-signed" in str(await failure(both))


@every
async def test_a_server_is_known_by_its_address(stage: Stage, scheme: str) -> None:
    server = await stage.server(scheme, answer)
    await stage.upstream(scheme, server.port, name="127.0.0.1").exchange(query_for())
    other = await stage.server(scheme, answer, certificate=make([NAME], issuer=stage.ca))
    error = await failure(stage.upstream(scheme, other.port, name="127.0.0.1"))
    assert error.problem == f"the certificate is for {NAME}, not for 127.0.0.1"


@pytest.mark.parametrize("scheme", ON_STREAMS)
async def test_a_server_of_another_protocol_is_refused(stage: Stage, scheme: str) -> None:
    other = {"https": "tls", "quic": "h3", "h3": "quic"}[scheme]
    server = await stage.server(other, answer)
    error = await failure(stage.upstream(scheme, server.port))
    assert error.kind is Kind.TLS
    assert "does not offer" in error.problem or "speaks" in error.problem


# ------------ Queries that nobody waits for any more ------------


@pytest.mark.parametrize(("scheme", "code"), [("https", 8), ("quic", 3), ("h3", 0x10C)])
async def test_the_server_is_told_when_a_reply_is_no_longer_wanted(
    stage: Stage, scheme: str, code: int
) -> None:
    server, upstream = await stage.ask(scheme, first(1, answer, first(1, ignore, answer)))
    await upstream.exchange(query_for())  # so that the next one is sent at once
    with trio.move_on_after(0.2):
        await upstream.exchange(query_for())
    await upstream.exchange(query_for())
    assert server.cancelled == 1
    assert set(server.resets) == {code}
    assert server.connections == 1


@every
async def test_closing_fails_whoever_waits(stage: Stage, scheme: str) -> None:
    _, upstream = await stage.ask(scheme, ignore)
    async with trio.open_nursery() as nursery:

        async def expect() -> None:
            assert "no longer in use" in str(await failure(upstream))

        nursery.start_soon(expect)
        await trio.sleep(0.2)
        await upstream.aclose()


@every
async def test_a_dead_server_is_found_out_by_its_next_connection(stage: Stage, scheme: str) -> None:
    server, upstream = await stage.ask(scheme, first(1, answer, hang_up), hang_up)
    await upstream.exchange(query_for())
    with trio.fail_after(
        3
    ):  # where it cannot be heard, it is known by what it does not acknowledge
        error = await failure(upstream)
    assert error.kind is Kind.CLOSED
    assert server.connections == 2
