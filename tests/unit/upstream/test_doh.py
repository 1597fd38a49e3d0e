"""What HTTP adds: methods, status codes, media types, farewells, windows, and floods of frames."""

import base64
import contextlib
import resource
from typing import Any

import h2.errors
import h2.settings
import pytest
import trio
from aioquic.buffer import encode_uint_var
from aioquic.h3.connection import FrameType, encode_frame

from anchord.net import http2, http3
from anchord.upstream.base import Kind, UpstreamError
from anchord.upstream.shared import SharedUpstream
from support.peers import address_in, query_for, reply_to
from support.stubborn import Asked, Conduct, answer, first, ignore
from unit.upstream.conftest import NAME, Stage, end, gather

both = pytest.mark.parametrize("scheme", ["https", "h3"])


async def failure(upstream: SharedUpstream) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await upstream.exchange(query_for())
    return caught.value


def respond(**response: Any) -> Conduct:
    """Answers with another status, media type and the like."""

    async def conduct(asked: Asked) -> None:
        body = response.pop("body", reply_to(asked.query))
        await asked.connection.respond(asked.stream_id, body, **response)  # type: ignore[attr-defined]
        response["body"] = body

    return conduct


# ------------ Requests ------------


@both
async def test_a_query_is_posted_as_rfc_8484_says(stage: Stage, scheme: str) -> None:
    server, upstream = await stage.ask(scheme, answer)
    await upstream.exchange(query_for())
    (request,) = server.requests
    assert request == {
        b":method": b"POST",
        b":scheme": b"https",
        b":authority": f"{NAME}:{server.port}".encode(),
        b":path": b"/dns-query",
        b"accept": b"application/dns-message",
        b"content-type": b"application/dns-message",
        b"content-length": str(len(query_for())).encode(),
    }
    assert server.heard == [query_for()]


@both
@pytest.mark.parametrize("status", [405, 501])
async def test_a_server_that_takes_no_post_gets_get_from_then_on(
    stage: Stage, scheme: str, status: int
) -> None:
    async def only_get(asked: Asked) -> None:
        is_post = server.requests[-1][b":method"] == b"POST"
        await (respond(status=status) if is_post else answer)(asked)

    server = await stage.server(scheme, only_get)
    upstream = stage.upstream(scheme, server.port)
    for _ in range(2):
        assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"
    methods = [request[b":method"] for request in server.requests]
    assert methods == [b"POST", b"GET", b"GET"]
    encoded = base64.urlsafe_b64encode(query_for()).rstrip(b"=")
    assert server.requests[1][b":path"] == b"/dns-query?dns=" + encoded
    assert b"content-type" not in server.requests[1]
    assert server.heard[1] == query_for()  # the id is 0, so that a cache may know it again
    assert server.connections == 1


@both
async def test_a_server_that_takes_neither_is_told_so_once(stage: Stage, scheme: str) -> None:
    server, upstream = await stage.ask(scheme, respond(status=405))
    error = await failure(upstream)
    assert error.kind is Kind.STATUS
    assert "HTTP 405: the server takes neither POST nor GET there" in str(error)
    assert len(server.requests) == 2


@both
async def test_the_path_of_the_url_is_asked_for(stage: Stage, scheme: str) -> None:
    from anchord.upstream.build import build_upstreams
    from anchord.upstream.url import parse

    server = await stage.server(scheme, answer)
    url = f"{scheme}://{NAME}:{server.port}/other/way"
    endpoint = parse(url, addresses=["127.0.0.1"], ca_file=stage.ca_file)
    (upstream,) = build_upstreams([endpoint], stage.nursery)
    await upstream.exchange(query_for())
    await upstream.aclose()
    assert server.requests[0][b":path"] == b"/other/way"


# ------------ Answers ------------


@both
@pytest.mark.parametrize(
    ("status", "kind", "code", "words"),
    [
        (429, Kind.LIMITED, 31, "HTTP 429: the server has had too many queries from here"),
        (500, Kind.STATUS, 23, "HTTP 500: the server has failed"),
        (503, Kind.STATUS, 23, "HTTP 503: the server has failed"),
        (302, Kind.STATUS, 23, "HTTP 302: the server sends us elsewhere, which is not followed"),
        (404, Kind.STATUS, 23, "HTTP 404: the server refuses the request"),
        (204, Kind.STATUS, 23, "HTTP 204: the server has failed"),
    ],
)
async def test_other_status_codes_are_failures_in_words(
    stage: Stage, scheme: str, status: int, kind: Kind, code: int, words: str
) -> None:
    server, upstream = await stage.ask(scheme, first(1, respond(status=status), answer))
    error = await failure(upstream)
    assert (error.kind, error.problem) == (kind, words)
    assert error.ede is not None
    assert (error.ede.code, error.ede.text) == (code, f"{upstream}: {words}")
    await upstream.exchange(query_for())
    assert server.connections == 1


@both
@pytest.mark.parametrize("media_type", ["text/html; charset=utf-8", "application/dns-json", ""])
async def test_another_media_type_is_no_dns(stage: Stage, scheme: str, media_type: str) -> None:
    _, upstream = await stage.ask(scheme, respond(media_type=media_type))
    error = await failure(upstream)
    assert error.kind is Kind.MALFORMED
    shown = media_type.partition(";")[0] or "no media type"
    assert f"the server answers with {shown}, not with DNS" in str(error)
    assert error.ede is not None
    assert error.ede.code == 24


@both
async def test_the_media_type_may_have_parameters_and_capitals(stage: Stage, scheme: str) -> None:
    _, upstream = await stage.ask(scheme, respond(media_type="Application/DNS-Message; x=1"))
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"


@both
async def test_any_rcode_comes_with_status_200(stage: Stage, scheme: str) -> None:
    async def fail(asked: Asked) -> None:
        right = reply_to(asked.query)
        await asked.reply(right[:3] + bytes((right[3] | 2,)) + right[4:])

    _, upstream = await stage.ask(scheme, fail)
    assert (await upstream.exchange(query_for()))[3] & 0xF == 2


@both
async def test_an_answer_longer_than_a_message_is_cut_off(stage: Stage, scheme: str) -> None:
    async def talk(asked: Asked) -> None:
        await asked.connection.respond(asked.stream_id, bytes(65536))  # type: ignore[attr-defined]

    _, upstream = await stage.ask(scheme, first(1, talk, answer))
    error = await failure(upstream)
    assert "the answer is too long to be DNS" in str(error)
    await upstream.exchange(query_for())


@both
async def test_an_answer_shorter_than_it_claims_is_a_failure(stage: Stage, scheme: str) -> None:
    async def claim(asked: Asked) -> None:
        if scheme == "https":
            connection: Any = asked.connection
            connection.http.config.validate_outbound_headers = False
            connection.http.send_headers(
                asked.stream_id,
                [(b":status", b"200"), (b"content-length", b"1000"),
                 (b"content-type", b"application/dns-message")],
            )  # fmt: skip
            connection.http.send_data(asked.stream_id, b"\0" * 20, end_stream=True)
            await connection.flush()
        else:
            await asked.reply(b"\0\0\x80")

    _, upstream = await stage.ask(scheme, claim)
    assert (await failure(upstream)).kind is Kind.MALFORMED


@both
async def test_an_interim_answer_is_passed_over(stage: Stage, scheme: str) -> None:
    async def hint(asked: Asked) -> None:
        connection: Any = asked.connection
        connection.http.send_headers(asked.stream_id, [(b":status", b"103")])
        await asked.reply()

    _, upstream = await stage.ask(scheme, hint)
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"


# ------------ Farewells ------------


def say_farewell(connection: Any, last_stream: int, code: int = 0) -> bytes:
    """A GOAWAY in octets, for servers whose library would say nothing more after it."""
    del connection
    return b"\0\0\x08\x07\0\0\0\0\0" + last_stream.to_bytes(4) + code.to_bytes(4)


async def goaway(asked: Asked, last_stream: int, code: int = 0) -> None:
    connection: Any = asked.connection
    if hasattr(connection, "stream"):
        async with connection.sending:
            await connection.stream.send_all(say_farewell(connection, last_stream, code))
    else:
        frame = encode_frame(FrameType.GOAWAY, encode_uint_var(last_stream))
        connection.quic.send_stream_data(connection.http._local_control_stream_id, frame)
        connection.flush()


@both
async def test_what_a_farewell_leaves_unprocessed_is_asked_again_elsewhere(
    stage: Stage, scheme: str
) -> None:
    async def send_away(asked: Asked) -> None:
        await goaway(asked, 0)

    server, upstream = await stage.ask(scheme, send_away, answer)
    results = await gather(upstream, *[query_for()] * 5)
    assert [address_in(one) for one in results if isinstance(one, bytes)] == ["192.0.2.1"] * 5
    assert (server.connections, upstream.counters.replays) == (2, 5)


@both
async def test_a_server_that_sends_everybody_away_is_told(stage: Stage, scheme: str) -> None:
    async def send_away(asked: Asked) -> None:
        await goaway(asked, 0, 11)

    server, upstream = await stage.ask(scheme, send_away)
    error = await failure(upstream)
    assert error.kind is Kind.CLOSED
    assert "the server ended the connection" in str(error)
    assert server.connections == 2


@both
async def test_what_a_farewell_keeps_is_still_answered_over_the_old_connection(
    stage: Stage, scheme: str
) -> None:
    async def leave_politely(asked: Asked) -> None:
        await goaway(asked, asked.stream_id + (4 if scheme == "h3" else 0))
        await trio.sleep(0.1)
        await asked.reply(reply_to(asked.query, octet=7))

    server, upstream = await stage.ask(scheme, leave_politely, answer)
    async with trio.open_nursery() as nursery:

        async def old() -> None:
            assert address_in(await upstream.exchange(query_for())) == "192.0.2.7"

        nursery.start_soon(old)
        await trio.sleep(0.06)
        assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"
    assert (server.connections, upstream.counters.replays) == (2, 0)


@both
async def test_a_refused_stream_is_asked_again_and_any_other_reset_is_a_failure(
    stage: Stage, scheme: str
) -> None:
    refused, failed = (7, 2) if scheme == "https" else (0x10B, 0x102)

    def reset(code: int) -> Conduct:
        async def conduct(asked: Asked) -> None:
            connection: Any = asked.connection
            if scheme == "https":
                connection.http.reset_stream(asked.stream_id, code)
                await connection.flush()
            else:
                connection.quic.reset_stream(asked.stream_id, code)
                connection.flush()

        return conduct

    _, upstream = await stage.ask(scheme, first(1, reset(refused), answer))
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"
    _, upstream = await stage.ask(scheme, reset(failed))
    error = await failure(upstream)
    assert error.kind is Kind.CLOSED
    assert "the server reset the stream (" in str(error)


async def test_we_say_farewell_ourselves(stage: Stage) -> None:
    server, upstream = await stage.ask("https", answer)
    await upstream.exchange(query_for())
    await end(upstream)
    await trio.sleep(0.05)
    assert server.farewells == [h2.errors.ErrorCodes.NO_ERROR]


# ------------ Streams and windows ------------


async def test_no_more_streams_are_opened_than_the_server_takes(stage: Stage) -> None:
    most = in_flight = 0

    async def count(asked: Asked) -> None:
        nonlocal most, in_flight
        in_flight += 1
        most = max(most, in_flight)
        await trio.sleep(0.01)
        in_flight -= 1
        await asked.reply()

    limit = {h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 10}
    server = await stage.server("https", count, settings=limit)
    upstream = stage.upstream("https", server.port)
    await upstream.exchange(query_for())
    results = await gather(upstream, *[query_for()] * 100)
    assert all(isinstance(one, bytes) for one in results)
    assert (server.connections, most) == (1, 10)


async def test_a_query_that_is_no_longer_wanted_leaves_the_queue_for_a_stream(
    stage: Stage,
) -> None:
    limit = {h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1}
    server = await stage.server("https", first(1, answer, ignore), settings=limit)
    upstream = stage.upstream("https", server.port)
    await upstream.exchange(query_for())
    with trio.move_on_after(0.2):
        await gather(upstream, *[query_for()] * 5)
    await trio.sleep(0.05)
    assert len(server.heard) <= 6
    assert upstream._current is None or upstream._current.in_flight == 0


async def test_a_window_of_one_octet_lets_a_query_through_octet_by_octet(stage: Stage) -> None:
    window = {h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 1}
    server = await stage.server("https", answer, settings=window)
    upstream = stage.upstream("https", server.port)
    for _ in range(2):  # the first one may leave before the server has said so
        assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"
    assert server.heard == [query_for()] * 2


async def test_many_long_answers_do_not_close_the_connections_window(stage: Stage) -> None:
    async def talk(asked: Asked) -> None:
        await asked.reply(reply_to(asked.query).ljust(65535, b"\0"))

    _, upstream = await stage.ask("https", talk)
    for _ in range(2):
        results = await gather(upstream, *[query_for()] * 30)
        assert all(isinstance(one, bytes) for one in results)
    assert upstream.counters.handshakes == 1


async def test_after_the_last_stream_comes_a_new_connection(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http2, "LAST_STREAM", 5)
    server, upstream = await stage.ask("https", answer)
    for _ in range(4):
        await upstream.exchange(query_for())
    assert (server.connections, upstream.counters.replays) == (2, 0)


async def test_an_answer_that_does_not_wait_for_the_query_is_taken(stage: Stage) -> None:
    window = {h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 20}
    server = await stage.server("https", answer, settings=window, is_hasty=True)
    upstream = stage.upstream("https", server.port)
    for _ in range(2):  # the first one may leave before the server has said so
        assert "HTTP 413" in str(await failure(upstream))
    await trio.sleep(0.05)
    assert server.resets == [h2.errors.ErrorCodes.NO_ERROR]


# ------------ Floods ------------


def raw(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    """A frame of HTTP/2."""
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


FLOODS = {  # on the first stream, where a frame needs one
    "settings": raw(4),
    "pings": raw(6, 0, 0, bytes(8)),
    "window updates": raw(8, 0, 0, b"\0\0\0\1"),
    "empty data": raw(0, 0, 1),
    "priorities": raw(2, 0, 99, bytes(5)),
    "unknown frames": raw(99, 0, 0, b"x" * 100),
    "continuations": raw(1, 0, 1, b"\x88") + raw(9, 0, 1) * 50,
    "farewells": raw(7, 0, 0, b"\x7f\xff\xff\xff" + bytes(4)),
    "resets": raw(3, 0, 1, bytes(4)),
}


@pytest.mark.parametrize("flood", FLOODS)
async def test_a_flood_ends_the_connection_and_takes_no_memory(stage: Stage, flood: str) -> None:
    """BIND, CVE-2026-3593; Technitium, CVE-2024-56946: SETTINGS, resets, and all the other frames
    that cost their sender nothing."""

    async def pour(asked: Asked) -> None:
        connection: Any = asked.connection
        frames = FLOODS[flood] * 200
        for _ in range(10_000):
            async with connection.sending:
                await connection.stream.send_all(frames)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    server, upstream = await stage.ask("https", pour)
    with trio.fail_after(5):
        error = await failure(upstream)
    assert error.kind in {Kind.MALFORMED, Kind.CLOSED}
    assert "flood" in str(error) or "breaks HTTP/2" in str(error) or "reset" in str(error)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KiB
    assert server.connections <= 2


async def test_header_fields_without_end_are_refused(stage: Stage) -> None:
    async def pour(asked: Asked) -> None:
        connection: Any = asked.connection
        block = b"\x88" + b"\x00\x01a\x7f\xf1\x1e" + b"b" * 4000  # one long field
        async with connection.sending:
            await connection.stream.send_all(raw(1, 4, asked.stream_id, block * 30))

    _, upstream = await stage.ask("https", pour)
    assert "breaks HTTP/2" in str(await failure(upstream))


async def test_octets_that_are_no_frames_are_told(stage: Stage) -> None:
    async def babble(asked: Asked) -> None:
        connection: Any = asked.connection
        async with connection.sending:
            await connection.stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await trio.sleep_forever()

    _, upstream = await stage.ask("https", babble)
    error = await failure(upstream)
    assert error.kind is Kind.MALFORMED
    assert "breaks HTTP/2" in str(error)


async def test_garbage_after_an_answer_does_not_spoil_it(stage: Stage) -> None:
    async def babble(asked: Asked) -> None:
        connection: Any = asked.connection
        connection.http.send_headers(
            asked.stream_id, [(b":status", b"200"), (b"content-type", b"application/dns-message")]
        )
        connection.http.send_data(asked.stream_id, reply_to(asked.query), end_stream=True)
        await connection.flush()
        await trio.sleep(0.05)
        async with connection.sending:
            await connection.stream.send_all(b"garbage of more than nine octets")

    server, upstream = await stage.ask("https", babble, answer)
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"
    await trio.sleep(0.1)
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"
    assert server.connections == 2


async def test_a_chatty_server_that_answers_is_not_taken_for_a_flood(stage: Stage) -> None:
    async def chat(asked: Asked) -> None:
        connection: Any = asked.connection
        async with connection.sending:
            await connection.stream.send_all(raw(6, 0, 0, bytes(8)) * 20)
        await asked.reply()

    server, upstream = await stage.ask("https", chat)
    for _ in range(100):
        await upstream.exchange(query_for())
    assert server.connections == 1


# ------------ HTTP/3's own streams ------------


def control(asked: Asked) -> Any:
    connection: Any = asked.connection
    return connection.http._local_control_stream_id


H3_FAULTS = {
    "a flood of settings": lambda quic, asked: quic.send_stream_data(
        control(asked), encode_frame(0x21, bytes(100)) * 200
    ),
    "a closed control stream": lambda quic, asked: quic.send_stream_data(
        control(asked), b"", end_stream=True
    ),
    "a push": lambda quic, _: quic.send_stream_data(
        quic.get_next_available_stream_id(is_unidirectional=True), b"\x01\x00"
    ),
    "a question": lambda quic, _: quic.send_stream_data(
        quic.get_next_available_stream_id(), b"\x00"
    ),
    "a farewell without a stream": lambda quic, asked: quic.send_stream_data(
        control(asked), b"\x07\x00"
    ),
    "settings among an answer": lambda quic, asked: quic.send_stream_data(
        asked.stream_id, encode_frame(FrameType.SETTINGS, b"")
    ),
    "header fields that are none": lambda quic, asked: quic.send_stream_data(
        asked.stream_id, encode_frame(FrameType.HEADERS, b"\xff\xff\xff")
    ),
    "a table that was not granted": lambda quic, asked: quic.send_stream_data(
        asked.connection.http._local_encoder_stream_id, b"\x3f\xe1\x1f"
    ),
}


@pytest.mark.parametrize("fault", H3_FAULTS)
async def test_a_server_that_breaks_http_3_is_left_and_told(stage: Stage, fault: str) -> None:
    """Unbound, CVE-2026-14586, CVE-2026-32665, CVE-2026-41637, CVE-2026-55991: streams and frames
    that nobody asked for wore it out."""

    async def misbehave(asked: Asked) -> None:
        connection: Any = asked.connection
        H3_FAULTS[fault](connection.quic, asked)  # type: ignore[no-untyped-call]
        connection.flush()

    _, upstream = await stage.ask("h3", misbehave)
    error = await failure(upstream)
    assert error.kind is Kind.MALFORMED
    assert "breaks HTTP/3" in str(error) or "floods" in str(error)


async def test_unknown_frames_and_streams_are_passed_over(stage: Stage) -> None:
    async def grease(asked: Asked) -> None:
        connection: Any = asked.connection
        quic = connection.quic
        quic.send_stream_data(
            quic.get_next_available_stream_id(is_unidirectional=True), b"\x21grease", True
        )
        quic.send_stream_data(asked.stream_id, encode_frame(0x21 + 0x1F, b"grease"))
        await asked.reply()

    _, upstream = await stage.ask("h3", grease)
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"


async def test_header_fields_without_end_take_no_memory_over_http_3(stage: Stage) -> None:
    async def pour(asked: Asked) -> None:
        connection: Any = asked.connection
        connection.quic.send_stream_data(asked.stream_id, b"\x01" + encode_uint_var(1 << 30))
        with contextlib.suppress(RuntimeError, ValueError):  # told to stop
            for _ in range(2000):
                connection.quic.send_stream_data(asked.stream_id, bytes(16384))
                connection.flush()
                await trio.sleep(0.001)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _, upstream = await stage.ask("h3", pour)
    assert "the answer is too long to be DNS" in str(await failure(upstream))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000  # the server's too


def test_no_table_is_granted_and_no_push_asked_for() -> None:
    assert http3._HELLO == b"\x00\x04\x00"  # the control stream, and settings without any
