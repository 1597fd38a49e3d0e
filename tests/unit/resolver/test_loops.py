"""Upstreams that lead back: found by a name of our own, told, and left alone for a while."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from anchord.model import names, rcodes
from anchord.model.question import ClientFlags, Question
from anchord.model.response import Response
from anchord.model.verdict import Answer
from anchord.resolver.loops import PROBE_EVERY, SHUNNED, SILENCE, LoopGuard, Loops
from anchord.resolver.resolver import Resolver
from anchord.upstream.base import UpstreamError
from support.lab import question, world_of
from support.peers import query_for
from support.walk import (
    Heard,
    MemoryUpstream,
    Said,
    honest,
    in_fast_motion,
    open_resolver,
    silent,
    texts,
)

WORLD = world_of()


async def slow(heard: Heard) -> Said:
    await trio.sleep(3)
    return Response(heard.query.question, rcodes.NOERROR)


@asynccontextmanager
async def guarded(inner: MemoryUpstream) -> AsyncIterator[tuple[LoopGuard, Loops]]:
    loops = Loops()
    async with trio.open_nursery() as nursery:
        yield loops.guarded(inner, nursery), loops
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def in_a_circle() -> AsyncIterator[tuple[Resolver, MemoryUpstream]]:
    """A resolver whose upstream asks the resolver."""

    async def back_again(heard: Heard) -> Said:
        await trio.sleep(0.001)
        answer = await at[0].resolve(heard.query.question, ClientFlags(dnssec_ok=True))
        return Response(answer.question, answer.rcode)

    at: list[Resolver] = []
    inner = MemoryUpstream(back_again, "udp://127.0.0.53", is_encrypted=False)
    async with (
        guarded(inner) as (guard, loops),
        open_resolver(WORLD, guard, hosts=loops.answer) as resolver,
    ):
        at.append(resolver)
        yield resolver, inner


@in_fast_motion
async def test_a_loop_is_found_in_a_moment_and_the_culprit_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with in_a_circle() as (resolver, _):
        answer = await resolver.resolve(question("www.good.lab"), ClientFlags())
        assert trio.current_time() < 2 * SILENCE + 0.1
    assert answer.verdict.status.is_failure
    assert "udp://127.0.0.53: it leads back to anchord" in " ".join(texts(answer))
    assert caplog.text.count("udp://127.0.0.53 leads back to anchord") == 1


@in_fast_motion
async def test_nothing_is_sent_there_until_it_may_have_been_mended() -> None:
    async with in_a_circle() as (resolver, inner):
        await resolver.resolve(question("www.good.lab"), ClientFlags())
        sent = len(inner.heard)
        began = trio.current_time()
        answer = await resolver.resolve(question("www.other.lab"), ClientFlags())
        assert answer.verdict.status.is_failure
        assert (len(inner.heard), trio.current_time()) == (sent, began)
        inner._conduct = honest(WORLD)
        await trio.sleep(SHUNNED)
        mended = await resolver.resolve(question("good.lab"), ClientFlags())
        assert not mended.verdict.status.is_failure


@in_fast_motion
async def test_a_silent_upstream_that_does_not_lead_back_stays_in_use() -> None:
    inner = MemoryUpstream(slow)
    async with guarded(inner) as (guard, _):
        for _ in range(3):
            await guard.exchange(query_for())
    probes = [text for text in inner.asked if text != "www.example. A"]
    assert len(probes) == 1
    assert probes[0].endswith(".example. A")
    assert len(probes[0].partition(".")[0]) == 24


@in_fast_motion
async def test_silence_is_probed_again_after_a_while_and_never_under_the_same_name() -> None:
    inner = MemoryUpstream(silent)
    async with guarded(inner) as (guard, _):
        with trio.move_on_after(2.5 * PROBE_EVERY):
            await guard.exchange(query_for())
    probes = [text for text in inner.asked if text != "www.example. A"]
    assert len(set(probes)) == len(probes) == 3


@in_fast_motion
async def test_an_upstream_that_answers_is_never_probed() -> None:
    inner = MemoryUpstream(honest(WORLD, delay=0.1))
    async with guarded(inner) as (guard, _):
        for _ in range(100):
            await guard.exchange(query_for())
        await trio.sleep(100)
    assert set(inner.asked) == {"www.example. A"}


@in_fast_motion
async def test_only_the_name_of_a_probe_that_is_out_is_refused() -> None:
    inner = MemoryUpstream(silent)
    async with guarded(inner) as (guard, loops):
        with trio.move_on_after(SILENCE + 1):
            await guard.exchange(query_for())
        probe = names.from_text(inner.asked[-1].removesuffix(" A"))
        inner._conduct = slow
        with trio.move_on_after(0.6):
            await guard.exchange(query_for())
        refused = loops.answer(Question(probe, 1))
        assert isinstance(refused, Answer)
        assert (refused.rcode, [ede.code for ede in refused.edes]) == (rcodes.REFUSED, [0])
        assert loops.answer(question("www.example")) is None
        with pytest.raises(UpstreamError, match="it leads back to anchord"):
            await guard.exchange(query_for())
        guard.forget_network()
        await guard.exchange(query_for())
        await trio.sleep(10)
        assert loops.answer(Question(probe, 1)) is None
