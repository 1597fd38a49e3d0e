"""Upstreams near and far, one of which goes and comes back: who is asked, in a minute of its own.

The clock jumps, so that what is measured is decisions, whatever the speed of the machine.
"""

import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trio

from anchord.model import names, rcodes, rdtypes
from anchord.model.question import Question
from anchord.model.response import Response, Unanswered
from anchord.resolver.fetch import Fetcher
from anchord.resolver.routes import Routes
from anchord.resolver.vigil import SPARED
from anchord.upstream.choice import FIRST_HEDGE, Strategy
from anchord.upstream.pool import SHORTEST_PATIENCE
from support.walk import Conduct, Heard, MemoryUpstream, Said, in_fast_motion, silent, unreachable

MINUTE, GOES, COMES = 60.0, 20.0, 35.0
QUERIES = 1200
NEAR, MIDDLE, FAR = 0.005, 0.02, 0.08
"""Seconds of a round trip."""
FOUND_OUT = 2 * SHORTEST_PATIENCE
"""Seconds until one that was near is known to be gone."""


def at_a_distance(seconds: float, is_there: Callable[[], bool] = lambda: True) -> Conduct:
    async def conduct(heard: Heard) -> Said:
        if not is_there():
            await silent(heard)
        await trio.sleep(seconds)
        return Response(heard.query.question, rcodes.NOERROR)

    return conduct


def near_is_there() -> bool:
    return not GOES <= trio.current_time() % MINUTE < COMES


@asynccontextmanager
async def fetcher_of(
    *upstreams: MemoryUpstream, strategy: Strategy = Strategy.FASTEST
) -> AsyncIterator[Fetcher]:
    async with trio.open_nursery() as nursery:
        chance = random.Random(7)
        yield Fetcher(Routes(upstreams), nursery, timeout=3.8, strategy=strategy, chance=chance)
        nursery.cancel_scope.cancel()


async def a_minute(fetcher: Fetcher) -> tuple[list[float], list[float]]:
    """How long each of a minute's questions took, and what an oracle would have needed."""
    chance = random.Random(11)
    took: list[float] = []
    oracle: list[float] = []

    async def ask(number: int) -> None:
        name = names.from_text(f"host{number}.site{int(chance.paretovariate(0.7)) % 300}.example")
        began = trio.current_time()
        oracle.append(NEAR if near_is_there() else MIDDLE)
        said = await fetcher.fetch(Question(name, rdtypes.A))
        assert isinstance(said, Response)
        took.append(trio.current_time() - began)

    async with trio.open_nursery() as nursery:
        for number in range(QUERIES):
            await trio.sleep(chance.expovariate(QUERIES / MINUTE))
            nursery.start_soon(ask, number)
    return took, oracle


def p95(seconds: list[float]) -> float:
    return sorted(seconds)[int(0.95 * len(seconds))]


def upstreams(*hosts: str) -> list[MemoryUpstream]:
    conducts = at_a_distance(FAR), at_a_distance(NEAR, near_is_there), at_a_distance(MIDDLE)
    return [
        MemoryUpstream(conduct, f"tls://{host}")
        for host, conduct in zip(hosts, conducts, strict=True)
    ]


@in_fast_motion
async def test_three_operators_one_of_which_goes_cost_little_more_than_an_oracle_would() -> None:
    three = upstreams("far.invalid", "near.example", "middle.test")
    async with fetcher_of(*three) as fetcher:
        took, oracle = await a_minute(fetcher)
    assert p95(took) <= 1.3 * p95(oracle)
    assert max(took) < FOUND_OUT + MIDDLE + FAR
    assert sum(each.counters.hedges for each in three) == 0


@in_fast_motion
async def test_three_upstreams_of_one_operator_do_with_a_tenth_more_queries() -> None:
    three = upstreams("far.one.example", "near.one.example", "middle.one.example")
    async with fetcher_of(*three) as fetcher:
        took, oracle = await a_minute(fetcher)
    assert p95(took) <= 1.3 * p95(oracle)
    assert 0 < sum(each.counters.hedges for each in three) <= QUERIES / 10


@in_fast_motion
async def test_the_fastest_is_used_again_soon_after_it_has_come_back() -> None:
    three = upstreams("far.invalid", "near.example", "middle.test")
    async with fetcher_of(*three) as fetcher:
        await a_minute(fetcher)
        before = len(three[1].heard)
        for number in range(100):
            await fetcher.fetch(Question(names.from_text(f"www.new{number}.example"), rdtypes.A))
        assert len(three[1].heard) - before > 95  # two are drawn of three


@in_fast_motion
async def test_a_domain_is_told_to_one_operator_as_long_as_that_answers() -> None:
    three = [
        MemoryUpstream(at_a_distance(seconds), f"tls://dns.operator{seconds}.example{seconds}")
        for seconds in (0.03, 0.031, 0.032)
    ]
    async with fetcher_of(*three) as fetcher:
        await fetcher.fetch(Question(names.from_text("first.example"), rdtypes.A))
        await trio.sleep(1)  # now all of them are measured
        for round_ in range(5):
            for site in range(60):
                name = names.from_text(f"host{round_}.site{site}.test")
                await fetcher.fetch(Question(name, rdtypes.A))
    for site in range(60):
        knowing = [each for each in three if any(f"site{site}." in text for text in each.asked)]
        assert len(knowing) == 1
    assert sum(len(each.heard) > 30 for each in three) > 1  # and yet not all go to one


@in_fast_motion
async def test_probes_name_nothing_and_are_few() -> None:
    three = upstreams("far.invalid", "near.example", "middle.test")
    async with fetcher_of(*three) as fetcher:
        await a_minute(fetcher)
    probes = [text for each in three for text in each.asked if text == ". NS"]
    assert 3 <= len(probes) <= 12
    assert three[0].asked.count(". NS") == 1  # and what it got before anything was measured
    assert len({text.partition(".")[2] for text in three[0].asked}) == 2


@in_fast_motion
async def test_a_port_that_is_blocked_costs_the_first_question_a_moment() -> None:
    """853 is blocked without a word; the same operator is there on 443."""
    blocked = MemoryUpstream(silent, "tls://dns.example")
    open_ = MemoryUpstream(at_a_distance(0.03), "https://dns.example")
    other = MemoryUpstream(silent, "tls://dns.test")
    async with fetcher_of(blocked, other, open_) as fetcher:
        for _ in range(3):
            began = trio.current_time()
            said = await fetcher.fetch(Question(names.from_text("www.site.example"), rdtypes.A))
            assert isinstance(said, Response)
            assert trio.current_time() - began <= FIRST_HEDGE + 0.031
            await trio.sleep(2)
        assert set(other.asked) == {". NS"}


@in_fast_motion
async def test_a_refusal_by_the_first_does_not_wait_for_the_second() -> None:
    one = MemoryUpstream(unreachable, "tls://dns.example")
    two = MemoryUpstream(at_a_distance(0.03), "https://dns.example")
    async with fetcher_of(one, two) as fetcher:
        said = await fetcher.fetch(Question(names.from_text("www.site.example"), rdtypes.A))
        assert isinstance(said, Response)
        assert trio.current_time() == pytest.approx(0.03)
        assert two.counters.hedges == 0


@in_fast_motion
async def test_random_tells_a_domain_to_everybody() -> None:
    three = upstreams("far.invalid", "near.example", "middle.test")
    async with fetcher_of(*three, strategy=Strategy.RANDOM) as fetcher:
        for number in range(60):
            name = names.from_text(f"host{number}.site.example")
            await fetcher.fetch(Question(name, rdtypes.A))
            if trio.current_time() > GOES - 1:
                break
    assert all(len(each.heard) > 5 for each in three)


# ------------ Slow, or gone ------------


class Mood:
    """An upstream that answers, says nothing to some name, or says nothing at all."""

    def __init__(self, url: str, seconds: float = NEAR) -> None:
        self.is_gone = False
        self.upstream = MemoryUpstream(self._conduct, url)
        self._seconds = seconds

    async def _conduct(self, heard: Heard) -> Said:
        if self.is_gone:
            await silent(heard)
        await trio.sleep(SLOW if heard.text.startswith("slow") else self._seconds)
        return Response(heard.query.question, rcodes.NOERROR)


SLOW = 1.4
"""Seconds that a cold name takes, within an upstream's share of the time."""


async def ask(fetcher: Fetcher, name: str) -> tuple[str, float]:
    """Who answered, and after how long."""
    began = trio.current_time()
    said = await fetcher.fetch(Question(names.from_text(name), rdtypes.A))
    assert isinstance(said, Response)
    return said.upstream, trio.current_time() - began


async def measured(fetcher: Fetcher) -> None:
    await ask(fetcher, "www.first.example")
    await trio.sleep(1)


@in_fast_motion
async def test_all_that_wait_for_one_that_dies_move_on_when_it_is_found_out() -> None:
    near, far = Mood("tls://dns.near.example"), Mood("tls://dns.far.test", FAR)
    async with fetcher_of(near.upstream, far.upstream) as fetcher:
        await measured(fetcher)
        near.is_gone = True
        took = []

        async def one(number: int) -> None:
            took.append(await ask(fetcher, f"www.site{number}.example"))

        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(one, number)
                await trio.sleep(FOUND_OUT / 12)
    assert {who for who, _ in took} == {"tls://dns.far.test"}
    assert max(seconds for _, seconds in took) == pytest.approx(FOUND_OUT + FAR)
    assert min(seconds for _, seconds in took) < FOUND_OUT / 3 + FAR
    assert near.upstream.asked.count(". NS") - far.upstream.asked.count(". NS") == 1


@in_fast_motion
async def test_a_name_that_is_slow_stays_with_its_operator() -> None:
    near, far = Mood("tls://dns.near.example"), Mood("tls://dns.far.test", FAR)
    async with fetcher_of(near.upstream, far.upstream) as fetcher:
        await measured(fetcher)
        probes = near.upstream.asked.count(". NS")
        assert await ask(fetcher, "slow.site.example") == ("tls://dns.near.example", SLOW)
        assert near.upstream.asked.count(". NS") == probes + 1 + int(SLOW / SPARED)
    assert set(far.upstream.asked) <= {". NS", "www.first.example. A"}


@in_fast_motion
async def test_one_that_answers_others_meanwhile_is_not_even_probed() -> None:
    near, far = Mood("tls://dns.near.example"), Mood("tls://dns.far.test", FAR)
    async with fetcher_of(near.upstream, far.upstream) as fetcher:
        await measured(fetcher)
        probes = near.upstream.asked.count(". NS")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, fetcher, "slow.site.example")
            for number in range(10):
                await ask(fetcher, f"www.site{number}.example")
                await trio.sleep(SLOW / 10)
        assert near.upstream.asked.count(". NS") == probes


@in_fast_motion
@pytest.mark.parametrize("is_hung", [False, True])
async def test_one_that_can_be_connected_to_may_answer_one_after_the_other(
    *, is_hung: bool
) -> None:
    """The slow question is asked again over the fresh connection, and the probe comes behind it."""
    turn = trio.Lock()

    async def in_turn(heard: Heard) -> Said:
        async with turn:
            if heard.text.startswith("late"):
                await trio.sleep(MINUTE if is_hung else 2 * FOUND_OUT - 0.1)
            return Response(heard.query.question, rcodes.NOERROR)

    near = MemoryUpstream(in_turn, "tls://dns.near.example")
    far = Mood("tls://dns.far.test", FAR)
    async with fetcher_of(near, far.upstream) as fetcher, trio.open_nursery() as nursery:
        await measured(fetcher)

        @nursery.start_soon
        async def connect() -> None:
            await trio.sleep(SHORTEST_PATIENCE + NEAR)
            near.counters.handshakes += 1

        who, seconds = await ask(fetcher, "late.first.example")
    if is_hung:
        assert who == "tls://dns.far.test"
        assert seconds == pytest.approx(2 * FOUND_OUT + FAR)
    else:
        assert who == "tls://dns.near.example"
        assert not any("late" in text for text in far.upstream.asked)


@in_fast_motion
async def test_both_ways_to_a_server_that_dies_are_found_out_at_once() -> None:
    ways = [Mood("tls://dns.near.example"), Mood("https://dns.near.example")]
    far = Mood("tls://dns.far.test", FAR)
    async with fetcher_of(*(way.upstream for way in ways), far.upstream) as fetcher:
        await measured(fetcher)
        for way in ways:
            way.is_gone = True
        who, seconds = await ask(fetcher, "www.site.example")
    assert who == "tls://dns.far.test"
    assert seconds == pytest.approx(FIRST_HEDGE + FOUND_OUT + FAR)


@in_fast_motion
async def test_one_that_was_never_measured_has_its_share_of_the_time() -> None:
    gone, far = Mood("tls://dns.near.example"), Mood("tls://dns.far.test", FAR)
    gone.is_gone = True
    async with fetcher_of(gone.upstream, far.upstream) as fetcher:
        who, seconds = await ask(fetcher, "www.site.example")
    assert who == "tls://dns.far.test"
    assert seconds == pytest.approx(3.8 * 0.4 + FAR)


@in_fast_motion
async def test_one_that_is_known_to_be_gone_is_not_suspected_anew() -> None:
    """Its probes have pauses of their own, however many questions there are meanwhile."""
    near, far = Mood("tls://dns.near.example"), Mood("tls://dns.far.test", FAR)
    async with fetcher_of(near.upstream, far.upstream) as fetcher:
        await measured(fetcher)
        near.is_gone = far.is_gone = True
        probes = []
        for _ in range(2):
            said = await fetcher.fetch(Question(names.from_text("www.site.example"), rdtypes.A))
            assert isinstance(said, Unanswered)
            probes.append([each.upstream.asked.count(". NS") for each in (near, far)])
    # The near one was due for its next probe, the far one has just failed.
    assert [after - before for before, after in zip(*probes, strict=True)] == [1, 0]


@in_fast_motion
async def test_the_log_tells_once_that_one_does_not_answer_and_that_it_does_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    near, far = Mood("tls://dns.near.example"), Mood("tls://dns.far.test", FAR)
    async with fetcher_of(near.upstream, far.upstream) as fetcher:
        await measured(fetcher)
        near.is_gone = True
        for number in range(10):
            await ask(fetcher, f"www.site{number}.example")
        near.is_gone = False
        await trio.sleep(2)
        await ask(fetcher, "www.site.example")
        await trio.sleep(2)
    gone = "tls://dns.near.example did not answer in time"
    assert [record.getMessage() for record in caplog.records] == [
        f"an upstream does not answer: {gone}",
        "an upstream answers again: tls://dns.near.example",
    ]
    assert near.upstream.counters.last_error == gone


@in_fast_motion
async def test_where_nothing_is_probed_nobody_is_suspected() -> None:
    near, far = Mood("tls://dns.near.example"), Mood("tls://dns.far.test", FAR)
    strategy = Strategy.ORDERED
    async with fetcher_of(near.upstream, far.upstream, strategy=strategy) as fetcher:
        await measured(fetcher)
        near.is_gone = True
        assert (await ask(fetcher, "www.site.example"))[1] == pytest.approx(3.8 * 0.4 + FAR)
    assert ". NS" not in near.upstream.asked
