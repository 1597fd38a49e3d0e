"""Questions and walks are shared between all who ask, and limits belong to one question alone."""

from collections import Counter
from typing import Any

import pytest
import trio

from anchord.cache.zones import ZoneCache
from anchord.dnssec.asking import AskZone, ZoneTrust
from anchord.dnssec.limits import Budget, Limits
from anchord.dnssec.trust import find_zone
from anchord.lab.plan import Plan
from anchord.model import names
from anchord.model.question import ClientFlags
from anchord.model.verdict import Answer, Status
from anchord.resolver import chain, fetch
from anchord.resolver.chain import KnownZones
from anchord.resolver.resolver import Resolver
from anchord.resolver.speculate import Registries
from support.lab import question, world_of
from support.walk import (
    DELAY,
    Heard,
    MemoryUpstream,
    Said,
    TrioClock,
    ask,
    codes,
    honest,
    in_fast_motion,
    open_resolver,
    silent,
    texts,
)

NAMES = [f"n{number}" for number in range(12)]
WORLD = world_of(
    Plan("good.lab.", "signed", records="\n".join(f"{name} A 192.0.2.1" for name in NAMES)),
    Plan("loose.lab.", "unsigned", algorithms=()),
    Plan("deep.d.c.b.a.lab.", "far below", records="www A 192.0.2.2"),
    *(
        Plan(f"evil{number}.lab.", "an alias", records=f"out CNAME out.evil{number + 1}.lab.")
        for number in range(5)
    ),
    Plan("evil5.lab.", "its end", records="out A 192.0.2.3"),
)


def upstream(delay: float = DELAY) -> MemoryUpstream:
    return MemoryUpstream(honest(WORLD, delay))


async def answers_to(resolver: Resolver, *questions: str) -> list[Answer]:
    """The answers to questions that are asked at once."""
    found: dict[int, Answer] = {}

    async def one(number: int, text: str) -> None:
        found[number] = await ask(resolver, *text.split())

    async with trio.open_nursery() as nursery:
        for number, text in enumerate(questions):
            nursery.start_soon(one, number, text)
    return [found[number] for number in range(len(questions))]


# ------------ Shared work ------------


@in_fast_motion
async def test_identical_questions_cause_one_query() -> None:
    """Unbound, CVE-2025-5994: with many under way at once, any of them may be hit."""
    one = upstream()
    async with open_resolver(WORLD, one) as resolver:
        found = await answers_to(resolver, *["n0.good.lab A"] * 50)
    assert [answer.verdict.status for answer in found] == [Status.SECURE] * 50
    assert one.asked.count("n0.good.lab. A") == 1
    assert len(one.asked) == 6


@in_fast_motion
async def test_clients_of_every_kind_share_it() -> None:
    one = upstream()
    flags = [ClientFlags(), ClientFlags(dnssec_ok=True), ClientFlags(checking_disabled=True)]
    async with open_resolver(WORLD, one) as resolver, trio.open_nursery() as nursery:
        for each in flags:
            nursery.start_soon(resolver.resolve, question("n0.good.lab"), each)
    assert one.asked.count("n0.good.lab. A") == 1


@in_fast_motion
async def test_a_client_that_goes_away_harms_nobody() -> None:
    one = upstream()
    async with open_resolver(WORLD, one) as resolver, trio.open_nursery() as nursery:

        async def impatient() -> None:
            with trio.move_on_after(DELAY / 2):
                await ask(resolver, "n0.good.lab")

        nursery.start_soon(impatient)
        await trio.sleep(DELAY / 4)
        answer = await ask(resolver, "n0.good.lab")
    assert answer.verdict.status is Status.SECURE
    assert one.asked.count("n0.good.lab. A") == 1


@in_fast_motion
async def test_what_nobody_waits_for_any_more_is_still_kept() -> None:
    one = upstream()
    async with open_resolver(WORLD, one) as resolver:
        with trio.move_on_after(DELAY / 2):
            await ask(resolver, "n0.good.lab")
        await trio.sleep(1)
        one.heard.clear()
        assert (await ask(resolver, "n0.good.lab")).verdict.status is Status.SECURE
    assert one.asked == []


@in_fast_motion
async def test_questions_about_a_chain_are_asked_once_for_all_names() -> None:
    one = upstream()
    async with open_resolver(WORLD, one) as resolver:
        found = await answers_to(
            resolver,
            *(f"{name}.good.lab A" for name in NAMES),
            *(f"{name}.loose.lab A" for name in NAMES),
        )
    assert {answer.verdict.status for answer in found} == {Status.SECURE, Status.INSECURE}
    assert sorted(text for text in one.asked if not text.endswith(" A")) == [
        ". DNSKEY",
        "good.lab. DNSKEY",
        "good.lab. DS",
        "lab. DNSKEY",
        "lab. DS",
        "loose.lab. DS",
    ]


@in_fast_motion
async def test_a_zone_is_walked_to_once_for_all_names(monkeypatch: pytest.MonkeyPatch) -> None:
    walks: Counter[bytes] = Counter()

    def counted(request: AskZone, *rest: Any) -> Any:
        walks[request.name] += 1
        return find_zone(request, *rest)

    monkeypatch.setattr(chain, "find_zone", counted)
    async with open_resolver(WORLD, upstream()) as resolver:
        await answers_to(resolver, *(f"{name}.good.lab A" for name in NAMES))
    assert walks == {question("good.lab").name: 1}


@in_fast_motion
async def test_a_question_may_be_a_part_of_anothers_chain() -> None:
    one = upstream()
    async with open_resolver(WORLD, one) as resolver:
        found = await answers_to(resolver, "good.lab DS", "n0.good.lab A", "good.lab DNSKEY")
    assert [answer.verdict.status for answer in found] == [Status.SECURE] * 3
    assert one.asked.count("n0.good.lab. A") == 1


# ------------ Limits ------------


@in_fast_motion
async def test_the_queries_of_one_question_are_limited() -> None:
    one = upstream()
    async with open_resolver(WORLD, one, limits=Limits(upstream_queries=4)) as resolver:
        answer = await ask(resolver, "www.deep.d.c.b.a.lab")
        assert answer.verdict.status is Status.UNOBTAINABLE
        assert codes(answer)[0] == 6
        assert "too many upstream queries for one question" in texts(answer)[0]
        await trio.sleep(1)
    assert len(one.heard) == 4 + 4  # its own, and four guesses


@in_fast_motion
async def test_a_hostile_questions_limit_does_not_spoil_a_good_one() -> None:
    """Each alias leads into a new zone, until the share of the hostile question is used up."""
    one = upstream()
    async with open_resolver(WORLD, one, limits=Limits(upstream_queries=4)) as resolver:
        hostile, good = await answers_to(resolver, "out.evil0.lab A", "out.evil4.lab A")
    assert (hostile.verdict.status, codes(hostile)[0]) == (Status.UNOBTAINABLE, 6)
    assert good.verdict.status is Status.SECURE


@in_fast_motion
async def test_who_waits_for_a_walk_that_ran_out_walks_alone() -> None:
    """The first walk has too few queries; the second waits for it, and then goes its own way."""
    one = upstream()
    async with open_resolver(WORLD, one) as resolver:
        driver = resolver._inquiries.driver
        request = AskZone(question("www.deep.d.c.b.a.lab").name, Budget(Limits()))
        found: dict[str, ZoneTrust] = {}

        async def walk(who: str, queries: int) -> None:
            found[who] = await driver._find_zone(request, chain.Job(fetch.Account(queries, 100)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(walk, "poor", 5)
            await trio.sleep(DELAY / 2)
            nursery.start_soon(walk, "rich", 64)
            nursery.start_soon(walk, "as rich", 64)
    assert found["poor"].over_limit
    assert found["rich"].status is found["as rich"].status is Status.SECURE
    assert names.to_text(found["rich"].zone) == "deep.d.c.b.a.lab."
    assert one.asked.count("deep.d.c.b.a.lab. DS") == 1  # by one walk for both of the rich


@in_fast_motion
async def test_a_question_that_others_have_sent_costs_nothing() -> None:
    one = upstream()
    async with open_resolver(WORLD, one) as resolver:
        driver = resolver._inquiries.driver
        rich, poor = chain.Job(fetch.Account(1, 100)), chain.Job(fetch.Account(0, 100))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(driver.ask, question("n0.good.lab"), rich)
            await trio.testing.wait_all_tasks_blocked()
            said = await driver.ask(question("n0.good.lab"), poor)
    assert getattr(said, "over_limit", False) is False
    assert (rich.account.queries, len(one.heard)) == (0, 1)
    assert rich.account.records == 100 - 3  # with its RRSIG and OPT


@in_fast_motion
async def test_what_hangs_is_not_waited_for_beyond_the_time_of_a_query() -> None:
    """Its walk goes on without it, and ends by itself."""

    async def keys_hang(heard: Heard) -> Said:
        await trio.sleep(0.5)
        return await (silent if heard.text == "good.lab. DNSKEY" else honest(WORLD))(heard)

    async with open_resolver(WORLD, MemoryUpstream(keys_hang), seconds=2.0) as resolver:
        answer = await ask(resolver, "n0.good.lab")
        assert trio.current_time() == pytest.approx(2.0)
        assert (answer.verdict.status, codes(answer)) == (Status.UNOBTAINABLE, [23, 5])
        assert len(resolver._inquiries.driver._walks) == 1
        await trio.sleep(2.0)
        assert len(resolver._inquiries.driver._walks) == 0


# ------------ Zones that were signed when last seen ------------


def known_zones() -> KnownZones:
    return KnownZones(ZoneCache(), TrioClock(WORLD.now), {}, Registries())


def trust(text: str, status: Status = Status.SECURE) -> ZoneTrust:
    return ZoneTrust(names.from_text(text), status, expires_in=60)


@in_fast_motion
async def test_signed_zones_are_remembered_after_their_proof_has_expired() -> None:
    zones = known_zones()
    zones.put(trust("good.lab"))
    assert zones.closest(names.from_text("www.good.lab")) == trust("good.lab")
    await trio.sleep(60)
    assert zones.closest(names.from_text("www.good.lab")) is None
    assert names.from_text("good.lab") in zones.signed


async def test_a_zone_that_became_insecure_is_not_signed_any_more() -> None:
    zones = known_zones()
    zones.put(trust("good.lab"))
    zones.put(trust("good.lab", Status.INSECURE))
    assert not zones.signed


async def test_the_oldest_go_first() -> None:
    zones = known_zones()
    for number in range(chain.MOST_SIGNED):
        zones.put(trust(f"z{number}.lab"))
    zones.put(trust("z0.lab"))
    zones.put(trust("one-more.lab"))
    assert len(zones.signed) == chain.MOST_SIGNED
    assert names.from_text("z0.lab") in zones.signed
    assert names.from_text("z1.lab") not in zones.signed


@pytest.mark.parametrize(
    ("flushed", "left"),
    [(None, []), ("lab", ["good.example"]), ("good.lab", ["lab", "good.example"])],
)
async def test_a_flush_forgets_what_was_signed_as_well(
    flushed: str | None, left: list[str]
) -> None:
    zones = known_zones()
    for text in ("lab", "good.lab", "good.example"):
        zones.put(trust(text))
    zones.flush(None if flushed is None else names.from_text(flushed))
    assert list(zones.signed) == list(map(names.from_text, left))
    known = zones.closest(names.from_text("www.good.lab"))
    assert known == (trust("lab") if "lab" in left else None)
