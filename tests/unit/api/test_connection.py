"""HTTP/1.1 as it goes wrong: sizes, slow clients, octets that are no HTTP, and too many clients."""

import gc
import json
import tracemalloc
from collections.abc import AsyncIterator

import pytest
import trio

from anchord.api.limits import Limits
from support.api import SOON, Client, Wire, open_api
from support.doors import PreparedResolver

FAST = Limits(idle=0.3, send=0.5, linger=0.3, connections=4, send_buffer=4096)


@pytest.fixture
async def resolver() -> PreparedResolver:
    return PreparedResolver()


@pytest.fixture
async def client(resolver: PreparedResolver) -> AsyncIterator[Client]:
    async with open_api(resolver) as client:
        yield client


@pytest.fixture
async def impatient(resolver: PreparedResolver) -> AsyncIterator[Client]:
    async with open_api(resolver, limits=FAST) as client:
        yield client


def get(client: Client, target: str = "/healthz", *lines: str) -> bytes:
    return "\r\n".join([f"GET {target} HTTP/1.1", f"Host: {client.host}", *lines, "", ""]).encode()


def post(client: Client, body: bytes, *lines: str) -> bytes:
    head = ["POST /dns-query HTTP/1.1", f"Host: {client.host}", *lines]
    return "\r\n".join([*head, "Content-Type: application/dns-message", "", ""]).encode() + body


# ------------ In order ------------


async def test_requests_follow_each_other_on_a_connection(client: Client) -> None:
    async with await Wire.connect(client.port) as wire:
        for _ in range(3):
            await wire.stream.send_all(get(client))
            assert (await wire.reply()).status == 200


async def test_pipelined_requests_are_answered_in_their_order(client: Client) -> None:
    targets = [f"/v1/resolve?name={number}.example" for number in range(20)]
    pipelined = b"".join(get(client, target) for target in targets)
    replies = await client.raw(pipelined, ["GET"] * len(targets))
    assert [reply.json["Question"][0]["name"] for reply in replies] == [
        f"{number}.example." for number in range(20)
    ]


async def test_a_head_is_the_reply_without_its_body(client: Client) -> None:
    whole = await client.get("/healthz")
    alone = await client.request("HEAD", "/healthz")
    assert (alone.status, alone.body) == (200, b"")
    assert alone.headers["content-length"] == str(len(whole.body))


async def test_a_client_that_closes_its_half_still_gets_its_reply(client: Client) -> None:
    async with await Wire.connect(client.port) as wire:
        await wire.stream.send_all(get(client))
        await wire.stream.send_eof()
        assert (await wire.reply()).status == 200
        assert await wire.has_ended()


async def test_a_request_in_single_octets_is_a_request(client: Client) -> None:
    async with await Wire.connect(client.port) as wire:
        for octet in get(client):
            await wire.stream.send_all(bytes([octet]))
        assert (await wire.reply()).status == 200


async def test_a_body_is_asked_for_once_the_header_may_pass(client: Client) -> None:
    async with await Wire.connect(client.port) as wire:
        await wire.stream.send_all(post(client, b"", "Content-Length: 4", "Expect: 100-continue"))
        with trio.fail_after(SOON):
            assert (await wire.stream.receive_some()).startswith(b"HTTP/1.1 100 ")
        await wire.stream.send_all(b"junk")
        assert (await wire.reply()).problem == (400, "that is no DNS query")


async def test_no_body_is_asked_for_from_who_may_not(client: Client) -> None:
    lines = ("Content-Length: 4", "Expect: 100-continue", "Sec-Fetch-Site: cross-site")
    (reply,) = await client.raw(post(client, b"", *lines))
    assert reply.status == 403


async def test_every_reply_forbids_guesses_and_stores(client: Client) -> None:
    headers = (await client.get("/healthz")).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["date"].endswith(" GMT")


# ------------ Sizes ------------


async def test_a_header_of_the_limit_passes_and_a_longer_one_does_not(client: Client) -> None:
    """PowerDNS, CVE-2026-33256, CVE-2026-33257, CVE-2026-33260, CVE-2026-42005: what a request may
    make us keep has a limit, and so have bodies of either kind below."""
    empty = get(client, "/healthz", "X: ")
    for length, status in ((15_000, 200), (16_384, 431)):
        (reply,) = await client.raw(empty.replace(b"X: ", b"X: " + b"a" * length))
        assert reply.status == status


async def test_an_endless_header_is_cut_off(client: Client) -> None:
    endless = get(client)[:-2] + b"X: a\r\n" * 5000
    (reply,) = await client.raw(endless)
    assert reply.problem[0] == 431


async def test_a_body_of_the_limit_passes_and_a_longer_one_does_not(client: Client) -> None:
    for length, status in ((65_536, 400), (65_537, 413)):
        reply = await client.post("/v1/dane", "a" * (length - 2))
        assert reply.problem[0] == status


async def test_an_endless_chunked_body_is_cut_off(client: Client) -> None:
    chunks = b"8000\r\n" + b"\0" * 0x8000 + b"\r\n"
    (reply,) = await client.raw(post(client, chunks * 3, "Transfer-Encoding: chunked"))
    assert reply.problem == (413, "the body has more than 65536 octets")


# ------------ What is no HTTP ------------


@pytest.mark.parametrize(
    "octets",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200,
        b"GET /healthz\r\n\r\n",
        b"GET  /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/2.0\r\nHost: {host}\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: {host}\r\nbad name: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: {host}\r\nno colon\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: {host}\r\nContent-Length: -1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: {host}\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT mail.example:25 HTTP/1.1\r\nHost: {host}\r\n\r\n",
        b"HELO mail.example\r\nMAIL FROM:<a@b>\r\n\r\n",
    ],
)
async def test_whatever_octets_get_a_problem_and_an_end(client: Client, octets: bytes) -> None:
    async with await Wire.connect(client.port) as wire:
        await wire.stream.send_all(octets.replace(b"{host}", client.host.encode()))
        reply = await wire.reply()
        assert 400 <= reply.problem[0] <= 505
        await wire.stream.send_eof()
        assert await wire.has_ended()
    assert (await client.get("/healthz")).status == 200


async def test_an_upgrade_is_not_taken(client: Client) -> None:
    lines = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
    (reply,) = await client.raw(get(client, "/healthz", *lines))
    assert reply.status == 200


async def test_a_connection_that_ends_in_the_middle_harms_nobody(client: Client) -> None:
    whole = post(client, b"four", "Content-Length: 4")
    for length in range(0, len(whole), 7):
        async with await Wire.connect(client.port) as wire:
            await wire.stream.send_all(whole[:length])
    assert (await client.get("/healthz")).status == 200


# ------------ Slow clients ------------


async def test_an_idle_connection_is_closed_without_a_word(impatient: Client) -> None:
    async with await Wire.connect(impatient.port) as wire:
        assert await wire.has_ended()
    async with await Wire.connect(impatient.port) as wire:
        await wire.stream.send_all(get(impatient))
        assert (await wire.reply()).status == 200
        assert await wire.has_ended()


@pytest.mark.parametrize("length", [3, 40, -2], ids=["line", "header", "body"])
async def test_a_request_that_never_gets_whole_is_ended(impatient: Client, length: int) -> None:
    whole = post(impatient, b"four", "Content-Length: 4")
    async with await Wire.connect(impatient.port) as wire:
        await wire.stream.send_all(whole[:length])
        assert (await wire.reply()).problem == (408, "the request took too long to arrive")
        assert await wire.has_ended()


async def drip(wire: Wire) -> float:
    """Sends octet by octet until the server has closed; returns how long that took."""
    began = trio.current_time()
    try:
        while True:
            await wire.stream.send_all(b"G")
            await trio.sleep(0.05)
    except trio.BrokenResourceError:
        return trio.current_time() - began


async def test_dripping_octets_win_no_time(impatient: Client) -> None:
    async with await Wire.connect(impatient.port) as wire:
        with trio.fail_after(SOON):
            assert await drip(wire) >= FAST.idle


async def test_who_takes_no_replies_is_cut_off(impatient: Client) -> None:
    """Requests for the description, whose replies nobody reads, until nothing can be sent."""
    async with await Wire.connect(impatient.port) as wire:
        endless = get(impatient, "/openapi.json") * 100_000
        with trio.fail_after(SOON), pytest.raises(trio.BrokenResourceError):
            await wire.stream.send_all(endless)


async def test_a_slow_answer_may_take_longer_than_a_request(
    impatient: Client, resolver: PreparedResolver
) -> None:
    async with await Wire.connect(impatient.port) as wire:
        await wire.stream.send_all(get(impatient, "/v1/resolve?name=a.slow"))
        await trio.sleep(FAST.idle * 2)
        resolver.released.set()
        assert (await wire.reply()).status == 200


@pytest.mark.parametrize(
    "limits",
    [Limits(linger=0.3, lingering=10**9), Limits(linger=60.0, lingering=50_000)],
    ids=["time", "octets"],
)
async def test_what_the_refused_still_send_is_not_read_for_long(
    resolver: PreparedResolver, limits: Limits
) -> None:
    async with (
        open_api(resolver, limits=limits) as client,
        await Wire.connect(client.port) as wire,
    ):
        lines = ("Content-Length: 99999999", "Sec-Fetch-Site: cross-site")
        await wire.stream.send_all(post(client, b"", *lines))
        assert (await wire.reply()).status == 403
        with trio.fail_after(SOON):
            await flood(wire)


async def flood(wire: Wire) -> None:
    """Sends, a little at a time, until the server has closed."""
    try:
        while True:
            await wire.stream.send_all(b"a" * 4096)
            await trio.sleep(0.01)
    except trio.BrokenResourceError:
        return


# ------------ Many clients ------------


async def test_the_connection_idle_longest_makes_room(resolver: PreparedResolver) -> None:
    async with (
        open_api(resolver, limits=Limits(connections=2)) as client,
        await Wire.connect(client.port) as first,
        await Wire.connect(client.port) as second,
    ):
        for wire in (first, second):
            await wire.stream.send_all(get(client))
            assert (await wire.reply()).status == 200
        assert (await client.get("/healthz")).status == 200
        assert await first.has_ended()
        await second.stream.send_all(get(client))
        assert (await second.reply()).status == 200


async def test_where_all_are_busy_one_more_is_closed(resolver: PreparedResolver) -> None:
    async with (
        open_api(resolver, limits=Limits(connections=1)) as client,
        await Wire.connect(client.port) as busy,
    ):
        await busy.stream.send_all(get(client, "/v1/resolve?name=a.slow"))
        await resolver.was_asked.wait()
        async with await Wire.connect(client.port) as another:
            assert await another.has_ended()
        resolver.released.set()
        assert (await busy.reply()).status == 200


async def test_a_stop_lets_what_was_asked_be_answered(resolver: PreparedResolver) -> None:
    async with (
        open_api(resolver) as client,
        await Wire.connect(client.port) as idle,
        await Wire.connect(client.port) as busy,
    ):
        await busy.stream.send_all(get(client, "/v1/resolve?name=a.slow"))
        await resolver.was_asked.wait()
        client.stop.set()
        assert await idle.has_ended()
        resolver.released.set()
        assert (await busy.reply()).status == 200
        assert await busy.has_ended()


async def test_a_stop_waits_no_longer_than_it_may(resolver: PreparedResolver) -> None:
    limits = Limits(stop=0.3)
    async with (
        open_api(resolver, limits=limits) as client,
        await Wire.connect(client.port) as busy,
    ):
        await busy.stream.send_all(get(client, "/v1/resolve?name=a.slow"))
        await resolver.was_asked.wait()
        client.stop.set()
        assert await busy.has_ended()


async def test_a_bug_costs_its_own_client_a_500(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    reply = await client.get("/v1/resolve?name=secret.bug")
    assert reply.problem == (500, "a bug in anchord; its log tells more")
    assert "ZeroDivisionError" in caplog.text
    assert "secret.bug" not in caplog.text
    assert (await client.get("/healthz")).status == 200


async def test_junk_does_not_fill_the_memory(client: Client) -> None:
    junk = [
        b"\xff" * 40_000,
        get(client)[:-2] + b"X: a\r\n" * 5000,
        post(client, b"8000\r\n" + b"\0" * 0x8000 + b"\r\n", "Transfer-Encoding: chunked"),
        json.dumps({"a": 1}).encode(),
    ]

    async def round_of_junk() -> int:
        for octets in junk * 5:
            async with await Wire.connect(client.port) as wire:
                await wire.stream.send_all(octets)
        await client.get("/healthz")
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        await round_of_junk()
        before = await round_of_junk()
        after = [await round_of_junk() for _ in range(3)]
    finally:
        tracemalloc.stop()
    assert after[-1] < before + 500_000
