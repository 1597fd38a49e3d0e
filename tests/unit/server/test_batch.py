"""Datagrams by the batch, over real sockets: what is known is sent, the rest is handed back."""

import gc
import logging
import os
import socket
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import pytest
import trio

from anchord.model.question import ClientFlags, Question
from anchord.server import udp
from anchord.server.batch import (
    NOTHING,
    SIZE,
    Address,
    Batch,
    Calls,
    Ready,
    Taken,
    open_batch,
    ready,
)
from support.doors import Datagrams, Doors, make_query, open_doors

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these calls")

LONGEST = 64
LOOPBACK = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
FAMILIES = pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6], ids=["v4", "v6"])

needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0,
    reason="only root can ask from port 0, to which no reply can be sent",
)


@dataclass
class Bench:
    """A batch over a server's socket, the replies that it knows, and clients of that server."""

    server: socket.socket
    batch: Batch
    clients: list[socket.socket]
    known: dict[bytes, Ready] = field(default_factory=dict)
    counts: list[int] = field(default_factory=lambda: [0, 0, 0])

    def know(self, key: bytes, reply: bytes, kind: int = 0) -> None:
        self.known[key] = ready(reply, kind)

    def exchange(self) -> tuple[int, list[tuple[bytes, Address]], int]:
        total, unknown, unsent = self.batch.exchange(self.known, self.counts)
        return total, list(unknown), unsent


@contextmanager
def a_bench(
    family: int = socket.AF_INET, *, clients: int = 1, calls: Calls | None = None
) -> Iterator[Bench]:
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
            for _ in range(clients + 1)
        ]
        for sock in sockets:
            sock.bind((LOOPBACK[socket.AddressFamily(family)], 0))
            sock.setblocking(False)
        server, *others = sockets
        for client in others:
            client.connect(server.getsockname())
        yield Bench(server, Batch(server, calls or Calls(), longest=LONGEST), others)


def heard(client: socket.socket) -> list[bytes]:
    """Everything that has come by now."""
    found = []
    try:
        while True:
            found.append(client.recv(65535))
    except BlockingIOError:
        return found


@FAMILIES
def test_each_client_gets_the_reply_to_its_query_with_its_own_id(family: int) -> None:
    with a_bench(family, clients=3) as bench:
        bench.know(b"www", b"reply")
        bench.know(b"mail", b"another reply")
        for number, client in enumerate(bench.clients):
            client.send(b"%02dwww" % number)
            client.send(b"%02dmail" % (number + 50))
        assert bench.exchange() == (6, [], 0)
        for number, client in enumerate(bench.clients):
            assert heard(client) == [b"%02dreply" % number, b"%02danother reply" % (number + 50)]


@FAMILIES
def test_what_is_not_known_is_handed_back_with_its_address(family: int) -> None:
    with a_bench(family, clients=2) as bench:
        bench.know(b"www", b"reply")
        first, second = bench.clients
        for message in (b"", b"1", b"22", b"33other", b"44www"):
            first.send(message)
        second.send(b"55other")
        total, unknown, unsent = bench.exchange()
        assert (total, unsent) == (6, 0)
        assert unknown == [
            (b"", first.getsockname()),
            (b"1", first.getsockname()),
            (b"22", first.getsockname()),
            (b"33other", first.getsockname()),
            (b"55other", second.getsockname()),
        ]
        assert heard(first) == [b"44reply"]
        for message, address in unknown:
            bench.server.sendto(message, address)  # an address that the socket module takes
        assert heard(second) == [b"55other"]


def test_the_length_of_one_batch_does_not_show_in_the_next() -> None:
    with a_bench() as bench:
        (client,) = bench.clients
        bench.know(b"w", b"short")
        bench.know(b"long name", b"a very long reply indeed")
        for key in (b"long name", b"w", b"long name"):
            client.send(b"00" + key)
            assert bench.exchange() == (1, [], 0)
        assert heard(client) == [
            b"00a very long reply indeed",
            b"00short",
            b"00a very long reply indeed",
        ]


def test_an_empty_socket_gives_nothing() -> None:
    with a_bench() as bench:
        assert bench.batch.exchange({}, []) is NOTHING


def test_a_batch_takes_no_more_than_its_size() -> None:
    with a_bench() as bench:
        bench.know(b"www", b"reply")
        for number in range(SIZE + 5):
            bench.clients[0].send(b"%02dwww" % number)
        assert bench.exchange() == (SIZE, [], 0)
        assert bench.exchange() == (5, [], 0)
        assert heard(bench.clients[0]) == [b"%02dreply" % number for number in range(SIZE + 5)]


def test_a_datagram_that_is_too_long_is_cut() -> None:
    with a_bench() as bench:
        fits, is_too_long = b"a" * LONGEST, b"b" * (LONGEST + 1)
        for message in (fits, is_too_long):
            bench.clients[0].send(message)
        _, unknown, _ = bench.exchange()
        assert [message for message, _ in unknown] == [fits, is_too_long[:LONGEST]]


def test_replies_are_counted_by_their_kind() -> None:
    with a_bench() as bench:
        bench.know(b"www", b"reply", kind=1)
        bench.know(b"mail", b"reply", kind=2)
        for key in (b"www", b"mail", b"other", b"www"):
            bench.clients[0].send(b"00" + key)
        bench.exchange()
        assert bench.counts == [0, 2, 1]


def test_an_unusable_socket_is_an_error() -> None:
    with a_bench() as bench:
        bench.server.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            bench.exchange()


# ------------ Systems that do not take everything ------------


class Reluctant(Calls):
    """A system that sends two datagrams in one call, and none at all in every third call."""

    calls = 0

    def send(self, descriptor: int, headers: int, count: int) -> int:
        self.calls += 1
        return -1 if self.calls % 3 == 0 else super().send(descriptor, headers, min(count, 2))


def test_sending_goes_on_after_what_was_not_taken() -> None:
    with a_bench(calls=Reluctant()) as bench:
        bench.know(b"www", b"reply")
        for number in range(9):
            bench.clients[0].send(b"%02dwww" % number)
        assert bench.exchange() == (9, [], 1)  # 2 + 2, then the fifth is lost, then 2 + 2
        assert heard(bench.clients[0]) == [b"%02dreply" % n for n in range(9) if n != 4]


@needs_root
def test_a_reply_that_cannot_be_sent_is_lost_alone() -> None:
    with (
        a_bench() as bench,
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw,
    ):
        bench.know(b"www", b"reply")
        bench.clients[0].send(b"00www")
        host, port = bench.server.getsockname()
        raw.sendto(b"\0\0" + port.to_bytes(2) + b"\0\x0d\0\0" + b"11www", (host, 0))
        bench.clients[0].send(b"22www")
        assert bench.exchange() == (3, [], 1)
        assert heard(bench.clients[0]) == [b"00reply", b"22reply"]


class Lying(Calls):
    """A system that says that it has sent everything."""

    def send(self, descriptor: int, headers: int, count: int) -> int:
        del descriptor, headers
        return count


class Missing(Calls):
    """A system without these calls."""

    def __init__(self) -> None:
        raise AttributeError("undefined symbol: recvmmsg")


@pytest.mark.parametrize("calls", [Lying, Missing])
def test_where_the_system_cannot_do_it_one_line_says_so(
    calls: type[Calls], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("anchord.server.batch.Calls", calls)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        assert open_batch(sock, longest=LONGEST) is None
    assert [record.levelname for record in caplog.records] == ["DEBUG"]


@FAMILIES
def test_this_system_can_do_it(family: int) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        assert open_batch(sock, longest=LONGEST) is not None


# ------------ Behind the doors ------------


def a_mixed_stream() -> list[bytes]:
    """Queries for a few names again and again, others, and what is no query; ids count up."""
    repeated = [make_query(f"{number}.example.", use_edns=0).to_wire()[2:] for number in range(5)]
    others = [make_query(f"other{number}.example.").to_wire()[2:] for number in range(40)]
    odd = [b"", b"\x01", b"\xff" * 12, b"\0" * 30, b"\x01\0\0\x02" + bytes(8), b"\0" * 5000]
    edges = [
        make_query("x.example.", use_edns=0, pad=length).to_wire()[2:]
        for length in (128, 468, 1024)
    ]
    bodies = (repeated * 30 + others + odd + edges) * 2
    return [number.to_bytes(2) + body for number, body in enumerate(bodies)]


async def everything(client: Datagrams) -> list[bytes]:
    """All that comes until it is quiet."""
    found = []
    while True:
        with trio.move_on_after(0.1):
            found.append(await client.receive())
            continue
        return found


async def replies_to(doors: Doors, family: int, stream: list[bytes]) -> Counter[bytes]:
    """What comes back for a stream that is sent in floods, of which each fits into a socket."""
    replies: Counter[bytes] = Counter()
    async with Datagrams(doors.addresses[family]) as client:
        for start in range(0, len(stream), 100):
            for message in stream[start : start + 100]:
                client.send_now(message)  # the server has no turn meanwhile
            replies.update(await everything(client))
    return replies


@pytest.mark.parametrize("family", [4, 6])
async def test_replies_are_the_same_byte_for_byte_as_one_by_one(
    family: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = a_mixed_stream()
    found = []
    for opened in (open_batch, lambda *_, **__: None):
        monkeypatch.setattr(udp, "open_batch", opened)
        async with open_doors() as doors:
            found.append(await replies_to(doors, family, stream))
            assert doors.counters.udp_queries == len(stream)
            assert doors.counters.bugs == 0
            assert doors.counters.front_hits > 0
    assert found[0] == found[1]
    assert found[0].total() > len(stream) * 0.9


class Watched(Batch):
    """A batch that tells how many datagrams each exchange brought."""

    totals: list[int]

    def exchange(self, known: Mapping[bytes, Ready], counts: list[int]) -> Taken:
        taken = super().exchange(known, counts)
        self.totals.append(taken.total)
        return taken


@pytest.fixture
def totals(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    Watched.totals = []
    monkeypatch.setattr("anchord.server.batch.Batch", Watched)
    return Watched.totals


async def flood(client: Datagrams, count: int) -> list[bytes]:
    wire = make_query("www.example.").to_wire()
    await client.ask(wire)
    for number in range(count):
        client.send_now(number.to_bytes(2) + wire[2:])
    return await everything(client)


async def test_a_flood_is_taken_by_the_batch_and_a_trickle_is_not(totals: list[int]) -> None:
    async with open_doors() as doors, Datagrams(doors.addresses[4]) as client:
        await client.ask(make_query("www.example.").to_wire())
        totals.clear()  # of what was tried out at the start
        assert len(await flood(client, udp.MANY - 1)) == udp.MANY - 1
        assert totals == []
        assert len(await flood(client, 200)) == 200
        assert sum(totals) > 100
        assert doors.counters.udp_queries == 3 + udp.MANY - 1 + 200


async def test_after_a_flood_the_socket_is_watched_again(totals: list[int]) -> None:
    async with open_doors() as doors, Datagrams(doors.addresses[4]) as client:
        for _ in range(3):
            assert len(await flood(client, 150)) == 150
            await trio.testing.wait_all_tasks_blocked(0.05)
        assert max(totals) >= udp.FEW


async def test_replies_that_are_pointed_at_survive_a_front_that_is_cleared_meanwhile(
    totals: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_doors() as doors, Datagrams(doors.addresses[4]) as client:

        def clear(question: Question, flags: ClientFlags) -> None:
            del question, flags
            doors.handler.front.clear()
            gc.collect()

        wire, other = make_query("www.example.").to_wire(), make_query("other.example.").to_wire()
        reply = await client.ask(wire)
        monkeypatch.setattr(doors.resolver, "known", clear)
        for number in range(100):
            client.send_now(number.to_bytes(2) + (other if number == 60 else wire)[2:])
        found = await everything(client)
        assert max(totals) > 60 - udp.MANY
        assert len(found) == 100
        assert {each[2:] for each in found if each[:2] != b"\0\x3c"} == {reply[2:]}


async def test_questions_in_a_flood_are_answered_after_the_stop(totals: list[int]) -> None:
    async with open_doors() as doors, Datagrams(doors.addresses[4]) as client:
        known, slow = make_query("www.example.").to_wire(), make_query("www.slow.").to_wire()
        await client.ask(known)
        for number in range(150):
            client.send_now(number.to_bytes(2) + (known if number % 3 else slow)[2:])
        assert len(await everything(client)) == 100
        doors.stop.set()
        await trio.testing.wait_all_tasks_blocked(0.05)
        doors.resolver.released.set()
        late = await everything(client)
        assert {int.from_bytes(reply[:2]) for reply in late} == set(range(0, 150, 3))
        assert max(totals) >= udp.FEW


async def test_thousands_of_datagrams_leave_nothing_behind(totals: list[int]) -> None:
    async with open_doors() as doors, Datagrams(doors.addresses[4]) as client:
        wire = make_query("www.example.").to_wire()

        async def thousands() -> None:
            for start in range(0, 5000, 100):
                for number in range(start, start + 100):
                    client.send_now(number.to_bytes(2) + wire[2:])
                for _ in range(100):
                    await client.receive()
            doors.resolver.asked.clear()

        await thousands()
        tracemalloc.start()
        try:
            await thousands()
            gc.collect()
            before, _ = tracemalloc.get_traced_memory()
            await thousands()
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        totals.clear()
        assert after - before < 8_000
        assert doors.counters.udp_queries == 15_000
        assert doors.counters.front_hits > 14_000
