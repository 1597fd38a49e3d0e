"""Which questions are guessed and which never, and what a cold question costs with that."""

from collections import Counter
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

import pytest
import trio

from anchord.dnssec.anchors import NegativeAnchor, TrustAnchors, trust_anchors
from anchord.dnssec.limits import Limits
from anchord.lab.plan import Plan
from anchord.model import names, rcodes, rdtypes
from anchord.model.names import Name
from anchord.model.verdict import Status
from anchord.resolver.fetch import LIMITED
from anchord.resolver.speculate import MOST, MOST_PARENTS, Registries, chain_questions
from support.lab import question, world_of
from support.walk import (
    DELAY,
    Conduct,
    Heard,
    MemoryUpstream,
    Said,
    always,
    ask,
    honest,
    in_fast_motion,
    insecure,
    open_resolver,
    silent,
    unreachable,
    zone,
)


def guesses(
    name: str, top: str = ".", *signed: str, signing: Container[Name] = (), is_proven: bool = False
) -> list[str]:
    known = {names.from_text(zone) for zone in signed}
    found = chain_questions(
        names.from_text(name), names.from_text(top), known, signing, is_proven=is_proven
    )
    return [str(question) for question in found]


def test_with_nothing_proven_the_chain_begins_at_the_anchor() -> None:
    assert guesses("www.good.lab") == [". DNSKEY", "lab. DS", "lab. DNSKEY", "good.lab. DS"]


def test_below_a_known_top_level_domain_one_ds_set_is_missing() -> None:
    assert guesses("www.good.lab", "lab", is_proven=True) == ["good.lab. DS"]


def test_keys_are_asked_for_where_the_zone_was_signed_when_last_seen() -> None:
    assert guesses("www.good.lab", "lab", "good.lab", is_proven=True) == [
        "good.lab. DS",
        "good.lab. DNSKEY",
    ]


def test_keys_are_asked_for_where_most_zones_of_the_registry_are_signed() -> None:
    lab = names.from_text("lab")
    assert guesses("a.www.good.lab", "lab", signing={lab}, is_proven=True) == [
        "good.lab. DS",
        "good.lab. DNSKEY",
    ]


@pytest.mark.parametrize(
    ("seen", "are_signed"),
    [
        ("", False),
        ("s", False),  # one zone says nothing about the next
        ("ss", True),
        ("su", False),
        ("sus", True),
        ("susu", False),
        ("ssssuuuu", False),
        ("uuuussssss", True),  # the last eight count
        ("ssssssuuuu", False),
    ],
)
def test_a_registry_is_taken_for_signing_by_the_zones_that_were_seen_last(
    seen: str, are_signed: bool
) -> None:
    registries = Registries()
    for number, letter in enumerate(seen):
        registries.saw(names.from_text(f"z{number}.lab"), is_signed=letter == "s")
    assert (names.from_text("lab") in registries) is are_signed


def test_of_a_new_registry_the_others_tell_but_not_the_root() -> None:
    registries = Registries()
    for tld in ("a", "b", "c"):
        registries.saw(names.from_text(tld), is_signed=True)
    assert names.from_text("new") not in registries
    for seen in ("x.a", "y.b"):
        registries.saw(names.from_text(seen), is_signed=True)
    assert names.from_text("new") in registries
    registries.saw(names.from_text("one.c"), is_signed=False)
    registries.saw(names.from_text("two.c"), is_signed=False)
    assert names.from_text("new") not in registries
    registries.flush(None)
    assert names.from_text("a") not in registries


def test_no_more_registries_are_remembered_than_the_limit_and_a_flush_forgets_them() -> None:
    registries = Registries()
    for number in range(MOST_PARENTS + 1):
        for label in ("a", "b"):
            registries.saw(names.from_text(f"{label}.t{number}"), is_signed=True)
    for label in ("a", "b"):
        registries.saw(names.from_text(f"{label}.t{MOST_PARENTS}"), is_signed=False)
        registries.saw(names.from_text(f"{label}.t{MOST_PARENTS - 1}"), is_signed=False)
        registries.saw(names.from_text(f"{label}.t{MOST_PARENTS - 2}"), is_signed=False)
    assert len(registries) == MOST_PARENTS
    assert names.from_text("t0") not in registries  # as of any that is new, the others tell
    assert names.from_text("t1") in registries
    registries.flush(names.from_text("t1"))
    assert names.from_text("t1") not in registries
    registries.flush(None)
    assert len(registries) == 0


def test_a_name_of_three_labels_is_no_zone_unless_it_was_one() -> None:
    assert guesses("a.b.c.d.lab", "lab", is_proven=True) == ["d.lab. DS"]
    assert guesses("a.b.c.d.lab", "lab", "b.c.d.lab", is_proven=True) == [
        "d.lab. DS",
        "b.c.d.lab. DS",
        "b.c.d.lab. DNSKEY",
    ]


@pytest.mark.parametrize("name", ["lab", "good.lab"])
def test_a_zone_that_is_proven_needs_nothing(name: str) -> None:
    assert guesses(name, name, is_proven=True) == []


def test_never_more_than_the_limit_goes_along() -> None:
    zones = ["b.c.lab", "a.b.c.lab", "c.lab", "lab"]
    assert len(guesses("a.b.c.lab", ".", *zones)) == MOST == 6


# ------------ What a cold question costs ------------

WORLD = world_of(
    Plan("good.lab.", "signed", records="@ A 192.0.2.1\nwww A 192.0.2.2\nout CNAME www.other.lab."),
    Plan("other.lab.", "signed too"),
    Plan("loose.lab.", "unsigned", algorithms=()),
    Plan("kid.loose.lab.", "signed, below an unsigned zone"),
    Plan("co.lab.", "a registry of its own", records="@ TXT x"),
    Plan("shop.co.lab.", "below it"),
)


@dataclass
class Cost:
    """What a question took: round trips, and the upstream queries."""

    status: Status
    trips: float
    asked: list[str]


async def cost(name: str, *known: str, flush: str = "") -> Cost:
    """What a name costs after others were looked up, over an upstream that is 20 ms away."""
    one = MemoryUpstream(honest(WORLD, DELAY))
    async with open_resolver(WORLD, one) as resolver:
        for other in known:
            await ask(resolver, *other.split())
        if flush:
            resolver.cache.flush()
            resolver._zone_cache.flush(question(flush).name)
        one.heard.clear()
        began = trio.current_time()
        answer = await ask(resolver, name)
        trips = round((trio.current_time() - began) / DELAY, 3)
        await trio.sleep(1)
        return Cost(answer.verdict.status, trips, sorted(one.asked))


ROOT_AND_TLD = [". DNSKEY", "lab. DNSKEY", "lab. DS"]


@in_fast_motion
async def test_all_cold_a_name_takes_one_round_trip_beside_that_for_unknown_keys() -> None:
    """A zone that was never seen may be unsigned: its keys are asked for once that is known."""
    found = await cost("www.good.lab")
    assert (found.status, found.trips) == (Status.SECURE, 2)
    assert found.asked == sorted(
        [*ROOT_AND_TLD, "www.good.lab. A", "good.lab. DS", "good.lab. DNSKEY"]
    )


@in_fast_motion
async def test_all_cold_a_name_of_a_zone_that_was_signed_takes_one_round_trip() -> None:
    found = await cost("www.good.lab", "good.lab A", flush=".")
    assert (found.status, found.trips, len(found.asked)) == (Status.SECURE, 1, 6)


@in_fast_motion
async def test_all_cold_a_name_of_an_unsigned_zone_takes_one() -> None:
    found = await cost("www.loose.lab")
    assert (found.status, found.trips) == (Status.INSECURE, 1)
    assert found.asked == sorted([*ROOT_AND_TLD, "www.loose.lab. A", "loose.lab. DS"])


@in_fast_motion
async def test_a_new_signed_zone_costs_three_queries() -> None:
    found = await cost("www.good.lab", "www.other.lab A")
    assert found.asked == ["good.lab. DNSKEY", "good.lab. DS", "www.good.lab. A"]
    assert (found.status, found.trips) == (Status.SECURE, 2)


@in_fast_motion
async def test_one_that_was_signed_when_last_seen_costs_one_round_trip() -> None:
    found = await cost("www.good.lab", "www.other.lab A", "good.lab A", flush="good.lab")
    assert found.asked == ["good.lab. DNSKEY", "good.lab. DS", "www.good.lab. A"]
    assert (found.status, found.trips) == (Status.SECURE, 1)


@in_fast_motion
async def test_one_whose_siblings_were_signed_costs_one_round_trip() -> None:
    found = await cost("www.good.lab", "www.other.lab A", "www.co.lab A")
    assert found.asked == ["good.lab. DNSKEY", "good.lab. DS", "www.good.lab. A"]
    assert (found.status, found.trips) == (Status.SECURE, 1)


@in_fast_motion
async def test_an_unsigned_one_among_signed_ones_costs_a_query_more_and_no_time() -> None:
    found = await cost("www.loose.lab", "www.other.lab A", "www.co.lab A")
    assert found.asked == ["loose.lab. DNSKEY", "loose.lab. DS", "www.loose.lab. A"]
    assert (found.status, found.trips) == (Status.INSECURE, 1)


@pytest.mark.parametrize("name", ["loose.lab", "www.loose.lab", "a.b.loose.lab"])
@in_fast_motion
async def test_a_new_unsigned_zone_costs_two_queries_and_one_round_trip(name: str) -> None:
    found = await cost(name, "www.good.lab A")
    assert found.asked == sorted([f"{name}. A", "loose.lab. DS"])
    assert (found.status, found.trips) == (Status.INSECURE, 1)


@in_fast_motion
async def test_a_new_name_of_a_known_zone_costs_one_query() -> None:
    for name in ("www.good.lab", "nx.good.lab", "a.b.c.good.lab"):
        found = await cost(name, "good.lab A")
        assert (found.status, found.trips, found.asked) == (Status.SECURE, 1, [f"{name}. A"])


@in_fast_motion
async def test_nothing_is_guessed_below_an_insecure_zone() -> None:
    for name in ("new.loose.lab", "www.kid.loose.lab"):
        found = await cost(name, "www.loose.lab A")
        assert (found.status, found.trips, found.asked) == (Status.INSECURE, 1, [f"{name}. A"])


@in_fast_motion
async def test_an_alias_into_a_new_zone_costs_one_round_trip_more() -> None:
    found = await cost("out.good.lab", "good.lab A")
    assert found.asked == ["other.lab. DNSKEY", "other.lab. DS", "out.good.lab. A"]
    assert (found.status, found.trips) == (Status.SECURE, 2)


@in_fast_motion
async def test_a_zone_below_another_registry_is_told_by_its_signatures() -> None:
    found = await cost("www.shop.co.lab", "co.lab TXT")
    assert found.asked == ["shop.co.lab. DNSKEY", "shop.co.lab. DS", "www.shop.co.lab. A"]
    assert (found.status, found.trips) == (Status.SECURE, 2)


@in_fast_motion
async def test_a_question_about_the_chain_guesses_no_part_of_itself() -> None:
    one = MemoryUpstream(honest(WORLD, DELAY))
    async with open_resolver(WORLD, one) as resolver:
        for rdtype in ("DS", "DNSKEY"):
            answer = await ask(resolver, "good.lab", rdtype)
            assert answer.verdict.status is Status.SECURE
    assert sorted(one.asked) == sorted(
        [*ROOT_AND_TLD, "good.lab. DS", "good.lab. DS", "good.lab. DNSKEY"]
    )


# ------------ Where nothing is guessed ------------


async def asked_for(name: str, one: MemoryUpstream, **options: Any) -> list[str]:
    async with open_resolver(WORLD, one, **options) as resolver:
        await ask(resolver, name)
        await trio.sleep(10)
    return one.asked


@in_fast_motion
async def test_nothing_is_guessed_for_special_names() -> None:
    for name in ("localhost", "host.localhost", "4.3.2.10.in-addr.arpa", "printer.local"):
        assert await asked_for(name, MemoryUpstream(honest(WORLD))) == []


@in_fast_motion
async def test_nothing_is_guessed_for_what_is_not_checked() -> None:
    negative = [NegativeAnchor(names.from_text("good.lab"))]
    one = MemoryUpstream(honest(WORLD))
    assert await asked_for("www.good.lab", one, negative=negative) == ["www.good.lab. A"]


@in_fast_motion
async def test_nothing_is_guessed_where_there_is_no_anchor() -> None:
    one = MemoryUpstream(honest(WORLD))
    assert await asked_for("www.good.lab", one, anchors=TrustAnchors([])) == ["www.good.lab. A"]


@in_fast_motion
async def test_nothing_is_guessed_for_a_zone_of_ones_own() -> None:
    for is_checked in (True, False):
        corp = MemoryUpstream(honest(WORLD))
        general = MemoryUpstream(honest(WORLD))
        route = zone("loose.lab", corp, is_checked=is_checked)
        negative = [] if is_checked else [insecure("loose.lab")]
        await asked_for("www.loose.lab", general, zones=[route], negative=negative)
        assert corp.asked[0] == "www.loose.lab. A"  # and its chain after it, where that is wanted
        assert bool(general.asked) == is_checked


@in_fast_motion
async def test_guesses_begin_at_the_closest_anchor() -> None:
    anchor = WORLD.zone(names.from_text("good.lab")).ds
    anchors = trust_anchors((names.from_text("good.lab"), rdtypes.DS, rdata) for rdata in anchor)
    one = MemoryUpstream(honest(WORLD))
    assert sorted(await asked_for("www.good.lab", one, anchors=anchors)) == [
        "good.lab. DNSKEY",
        "www.good.lab. A",
    ]


# ------------ Guesses that go wrong ------------


GUESSED = frozenset({*ROOT_AND_TLD, "good.lab. DS", "other.lab. DS", "loose.lab. DS"})


def guesses_meet(conduct: Conduct) -> MemoryUpstream:
    """An upstream that treats the first query for each guess so, and is honest else."""
    left = set(GUESSED)

    async def first_time(heard: Heard) -> Said:
        is_guess = heard.text in left
        left.discard(heard.text)
        return await (conduct if is_guess else honest(WORLD, DELAY))(heard)

    return MemoryUpstream(first_time)


async def refused_late(heard: Heard) -> Said:
    await trio.sleep(DELAY)
    return await always(rcodes.REFUSED)(heard)


@pytest.mark.parametrize("conduct", [always(rcodes.REFUSED), refused_late, unreachable, silent])
@in_fast_motion
async def test_a_guess_that_is_refused_or_dropped_neither_delays_nor_spoils(
    conduct: Conduct,
) -> None:
    one = guesses_meet(conduct)
    async with open_resolver(WORLD, one) as resolver:
        answer = await ask(resolver, "www.good.lab")
        assert answer.verdict.status is Status.SECURE
        # The answer, as long again for the guesses at most, and the chain asked in earnest.
        assert trio.current_time() <= 3 * DELAY + 0.001


@in_fast_motion
async def test_a_guess_that_comes_late_still_counts() -> None:
    """The question is asked in earnest meanwhile, and the first reply is taken."""
    asked: Counter[str] = Counter()

    async def first_ds_is_late(heard: Heard) -> Said:
        asked[heard.text] += 1
        if heard.text == "loose.lab. DS":
            await trio.sleep(3 * DELAY if asked[heard.text] == 1 else 1)
        return await honest(WORLD, DELAY)(heard)

    async with open_resolver(WORLD, MemoryUpstream(first_ds_is_late)) as resolver:
        answer = await ask(resolver, "www.loose.lab")
    assert answer.verdict.status is Status.INSECURE
    assert trio.current_time() == pytest.approx(4 * DELAY)
    assert asked["loose.lab. DS"] == 2


@in_fast_motion
async def test_guesses_may_take_twice_the_time_of_the_answer_all_of_them_together() -> None:
    """Within that they are waited for, one after the other, and nothing is asked twice."""
    late = {". DNSKEY": 1.2, "lab. DNSKEY": 1.5, "loose.lab. DS": 1.9}

    async def one_by_one(heard: Heard) -> Said:
        return await honest(WORLD, DELAY * late.get(heard.text, 1))(heard)

    one = MemoryUpstream(one_by_one)
    async with open_resolver(WORLD, one) as resolver:
        answer = await ask(resolver, "www.loose.lab")
    assert (answer.verdict.status, len(one.heard)) == (Status.INSECURE, 5)
    assert trio.current_time() == pytest.approx(1.9 * DELAY)


@in_fast_motion
async def test_what_is_certain_to_be_needed_waits_for_no_guess() -> None:
    """A signed answer names its zone: the keys of that are wanted whatever the guess brings."""

    async def slow_ds(heard: Heard) -> Said:
        return await honest(WORLD, DELAY * (1.9 if heard.text == "good.lab. DS" else 1))(heard)

    one = MemoryUpstream(slow_ds)
    async with open_resolver(WORLD, one) as resolver:
        answer = await ask(resolver, "www.good.lab")
    assert (answer.verdict.status, len(one.heard)) == (Status.SECURE, 6)
    assert trio.current_time() == pytest.approx(2 * DELAY)


@in_fast_motion
async def test_guesses_have_no_share_of_the_questions_budget() -> None:
    one = MemoryUpstream(honest(WORLD, DELAY))
    limits = Limits(upstream_queries=2)  # the answer, and the keys of a zone that was never seen
    async with open_resolver(WORLD, one, limits=limits) as resolver:
        answer = await ask(resolver, "www.good.lab")
    assert (answer.verdict.status, len(one.heard)) == (Status.SECURE, 6)


@in_fast_motion
async def test_a_refused_guess_ends_the_guessing_for_a_while() -> None:
    one = guesses_meet(always(rcodes.REFUSED))
    async with open_resolver(WORLD, one) as resolver:
        await ask(resolver, "www.good.lab")
        one.heard.clear()
        await ask(resolver, "www.other.lab")
        assert one.asked[0] == "www.other.lab. A"
        assert "other.lab. DS" not in one.asked[:1]
        await trio.sleep(LIMITED)
        one.heard.clear()
        await ask(resolver, "www.loose.lab")
        assert set(one.asked[:3]) == {"loose.lab. DNSKEY", "loose.lab. DS", "www.loose.lab. A"}
