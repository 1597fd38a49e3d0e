"""What a known answer costs, in instructions of Python: held against the least that it could cost.

The least is to cut out the bytes of each query and to look them up. The ratios are as they were
measured, with a sixth in hand for other versions of Python; a change that raises one has to say
what for.
"""

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import trio

from anchord.cache.store import AnswerCache, Entry
from anchord.model.clock import SystemClock
from anchord.model.question import ClientFlags, Question
from anchord.resolver.resolver import Known
from anchord.server.batch import SIZE, Batch, Calls, ready
from anchord.server.counters import Counters
from anchord.server.handler import Handler
from anchord.server.udp import _Listener
from support.counting import calls, instructions
from support.doors import PreparedResolver, answer_of, make_query, rrset

DATAGRAMS = 1024

BY_THE_BATCH = 4.2
ONE_BY_ONE = 9.0
RENEWED = 34
ANEW = 195
"""Times the least: for a known reply; for one that was known a second ago; for an answer of the
cache whose reply has to be made."""

CALLS_OF_A_BATCH = 12
"""… beside the look-up of each datagram: a batch makes no other call for one."""


@pytest.fixture(scope="module")
def least() -> float:
    """Instructions for a datagram, at the least."""
    datagrams = [make_query(f"{number}.example.").to_wire() for number in range(DATAGRAMS)]
    known = {datagram[2:]: b"" for datagram in datagrams}

    def look_up() -> None:
        find = known.get
        for datagram in datagrams:
            find(datagram[2:])

    return instructions(look_up) / DATAGRAMS


@contextmanager
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A server's, and a client's."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)
        client.connect(server.getsockname())
        yield server, client


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these calls")
@pytest.mark.parametrize("count", [instructions, calls])
def test_a_known_answer_in_a_batch(
    count: Callable[[Callable[[], object]], int], least: float
) -> None:
    with sockets() as (server, client):
        batch = Batch(server, Calls(), longest=4096)
        wires = [make_query(f"{number}.example.").to_wire() for number in range(SIZE)]
        known = {wire[2:]: ready(bytes(60), 0) for wire in wires}
        counts = [0]
        spent = 0
        for _ in range(DATAGRAMS // SIZE):
            for wire in wires:
                client.send(wire)
            spent += count(lambda: batch.exchange(known, counts))
        assert counts == [DATAGRAMS]
    if count is calls:
        assert spent <= DATAGRAMS + CALLS_OF_A_BATCH * DATAGRAMS // SIZE
    else:
        assert spent / DATAGRAMS / least <= BY_THE_BATCH


class Remembering(PreparedResolver):
    """Has its one answer in a cache."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = SystemClock()
        self.cache = AnswerCache(1 << 20)
        answer = answer_of(rrset("www.example.", "A", "192.0.2.1"))
        self.cache.put(answer.question, answer, self.clock.monotonic())

    def known(self, question: Question, flags: ClientFlags) -> Known | None:
        del flags
        entry = self.fresh(question)
        return Known(entry.aged(self.clock.monotonic()), entry) if entry else None

    def fresh(self, question: Question) -> Entry | None:
        return self.cache.find(question, self.clock.monotonic())


async def cost_of_an_answer(forget: Callable[[Handler], object]) -> float:
    """Instructions for a datagram that is taken by itself, after `forget`."""
    handler = Handler(Remembering(), SystemClock(), Counters())
    wire = make_query("www.example.").to_wire()
    spent = 0
    with sockets() as (server, client):
        async with trio.open_nursery() as nursery:
            listener = _Listener(server, handler, nursery)
            for _ in range(3):  # asked for, rendered, kept
                client.send(wire)
                listener._take_one_by_one(1)
            for _ in range(DATAGRAMS // SIZE):
                for _ in range(SIZE):
                    forget(handler)
                    client.send(wire)
                    spent += instructions(lambda: listener._take_one_by_one(1))
    assert handler.counters.udp_queries == DATAGRAMS + 3
    assert handler.counters.bugs == 0
    return spent / DATAGRAMS


async def test_a_known_answer_by_itself(least: float) -> None:
    assert await cost_of_an_answer(lambda _: None) / least <= ONE_BY_ONE


async def test_an_answer_that_was_known_a_second_ago(least: float) -> None:
    assert await cost_of_an_answer(lambda handler: handler.front.replies.clear()) / least <= RENEWED


async def test_an_answer_of_the_cache_whose_reply_is_made_anew(least: float) -> None:
    assert await cost_of_an_answer(lambda handler: handler.front.clear()) / least <= ANEW
