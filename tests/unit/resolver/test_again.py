"""When it is worth asking again, and whom."""

from collections.abc import Callable

import pytest
import trio
from msgspec.structs import replace

from anchord.dnssec.limits import Limits
from anchord.lab.plan import Plan
from anchord.model import names, rcodes, rdtypes
from anchord.model.ede import Ede, EdeCode
from anchord.model.response import Response, RRset
from anchord.model.verdict import Answer, Flaw, Status, Verdict
from anchord.resolver.again import LADDER, MOST_OTHERS, may_be_better, rungs
from anchord.resolver.fetch import DISTRUSTED, Rung
from support.lab import question, world_of
from support.walk import (
    DELAY,
    Conduct,
    Heard,
    MemoryUpstream,
    Said,
    always,
    ask,
    changed,
    codes,
    honest,
    in_fast_motion,
    open_resolver,
    silent,
    stripped,
    unreachable,
)

WWW = names.from_text("www.good.lab")
ONE, TWO, THREE, FOUR = (
    MemoryUpstream(silent, f"tls://{name}") for name in ("one", "two", "three", "four")
)


def answer(status: Status, *flaws: Flaw, edes: tuple[Ede, ...] = (), upstream: str = "") -> Answer:
    return Answer(
        question("www.good.lab"),
        rcodes.NOERROR,
        (),
        (),
        Verdict(status, flaws),
        ttl=0,
        edes=edes,
        upstream=upstream,
    )


def flaw(code: EdeCode, *facts: tuple[str, int | str]) -> Flaw:
    return Flaw(code, "why", WWW, facts)


EXPIRED = flaw(EdeCode.SIGNATURE_EXPIRED, ("key_tag", 1))
UNKNOWN = flaw(EdeCode.DNSSEC_INDETERMINATE)
LIMIT = flaw(EdeCode.DNSSEC_BOGUS, ("limit", "too many signature checks"))
REFUSED = Ede(EdeCode.NO_REACHABLE_AUTHORITY, "answered SERVFAIL")
AWAY = Ede(EdeCode.NETWORK_ERROR, "no route to host")


@pytest.mark.parametrize(
    "failed",
    [
        answer(Status.BOGUS, EXPIRED),
        answer(Status.BOGUS, EXPIRED, UNKNOWN),
        answer(Status.UNOBTAINABLE, edes=(REFUSED,)),
        answer(Status.UNOBTAINABLE, edes=(AWAY, REFUSED)),
        answer(Status.UNOBTAINABLE, flaw(EdeCode.NO_REACHABLE_AUTHORITY), UNKNOWN),
    ],
)
def test_missing_evidence_is_worth_another_question(failed: Answer) -> None:
    assert may_be_better(failed)


@pytest.mark.parametrize(
    "settled",
    [
        answer(Status.SECURE),
        answer(Status.INSECURE, flaw(EdeCode.UNSUPPORTED_DNSKEY_ALGORITHM)),
        answer(Status.INDETERMINATE, UNKNOWN),
        answer(Status.BOGUS, LIMIT),
        answer(Status.UNOBTAINABLE, UNKNOWN, LIMIT),
        answer(Status.UNOBTAINABLE, edes=(AWAY,)),
        answer(Status.UNOBTAINABLE, flaw(EdeCode.NETWORK_ERROR), UNKNOWN),
    ],
)
def test_a_proof_a_limit_and_an_unreachable_network_are_not(settled: Answer) -> None:
    assert not may_be_better(settled)


def test_the_same_upstream_is_asked_without_cd_and_two_others_with_it() -> None:
    failed = answer(Status.BOGUS, EXPIRED, upstream="tls://two")
    assert MOST_OTHERS == 2
    assert rungs([ONE, TWO, THREE, FOUR], failed) == [
        Rung(TWO, checking_disabled=False),
        Rung(ONE),
        Rung(THREE),
    ]


def test_another_way_to_the_same_server_is_no_other_upstream() -> None:
    ways = [MemoryUpstream(silent, f"https://{name}/dns-query") for name in ("one", "two")]
    failed = answer(Status.BOGUS, EXPIRED, upstream="tls://two")
    assert rungs([ONE, TWO, *ways], failed) == [Rung(TWO, checking_disabled=False), Rung(ONE)]


def test_where_no_upstream_had_an_answer_only_cd_is_left_to_change() -> None:
    assert rungs([ONE, TWO], answer(Status.UNOBTAINABLE, edes=(REFUSED,))) == [
        Rung(None, checking_disabled=False)
    ]


def test_where_another_route_failed_nobody_of_this_one_is_spared() -> None:
    failed = answer(Status.BOGUS, EXPIRED, upstream="tls://corp")
    assert rungs([ONE, TWO, THREE], failed) == [
        Rung(None, checking_disabled=False),
        Rung(ONE),
        Rung(TWO),
    ]


# ------------ The ladder, through a resolver ------------

WORLD = world_of(
    Plan("good.lab.", "signed", records="www A 192.0.2.1\nold CNAME www"),
    Plan("other.lab.", "signed too", records="www A 192.0.2.2"),
    Plan("expired.lab.", "out of date", faults="expired"),
    Plan("dead.lab.", "nobody there", faults="unreachable"),
)


def upstream(conduct: Conduct, name: str = "one", **options: bool) -> MemoryUpstream:
    return MemoryUpstream(conduct, f"tls://{name}", **options)


def good(name: str = "two", delay: float = 0.0) -> MemoryUpstream:
    return upstream(honest(WORLD, delay), name)


def forged(response: Response) -> Response:
    """The response with another address, under the old signatures."""

    def forge(rrset: RRset) -> RRset:
        is_address = rrset.rdtype == rdtypes.A
        return replace(rrset, rdatas=(b"\xcb\0\x71\6",)) if is_address else rrset

    return replace(response, answer=tuple(map(forge, response.answer)))


def rewritten(response: Response) -> Response:
    """An alias in place of what was asked for, as a safe search has it."""
    if response.question.rdtype != rdtypes.A:
        return response
    alias = RRset(response.question.name, rdtypes.CNAME, 60, (names.from_text("www.other.lab"),))
    return replace(response, rcode=rcodes.NOERROR, answer=(alias,), authority=())


LIES = {"stripped": stripped, "forged": forged, "rewritten": rewritten}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
@pytest.mark.parametrize("only", ["", "www.good.lab. A"], ids=["every answer", "this answer"])
async def test_what_one_upstream_spoils_another_makes_good(
    lie: Callable[[Response], Response], only: str
) -> None:
    one, two = upstream(changed(WORLD, lie, only=only)), good()
    async with open_resolver(WORLD, one, two) as resolver:
        answer = await ask(resolver, "www.good.lab")
        assert (answer.verdict.status, answer.upstream) == (Status.SECURE, "tls://two")
        assert codes(answer) == []


@pytest.mark.parametrize("only", ["good.lab. DNSKEY", "good.lab. DS", ". DNSKEY", "lab. DS"])
async def test_a_link_of_the_chain_that_one_upstream_spoils_is_made_good_too(only: str) -> None:
    one = upstream(changed(WORLD, stripped, only=only))
    async with open_resolver(WORLD, one, good()) as resolver:
        answer = await ask(resolver, "www.good.lab")
    assert (answer.verdict.status, answer.upstream) == (Status.SECURE, "tls://two")


@in_fast_motion
async def test_whoever_lied_is_asked_last_for_a_while() -> None:
    one, two = upstream(changed(WORLD, stripped)), good()
    async with open_resolver(WORLD, one, two) as resolver:
        await ask(resolver, "www.good.lab")
        assert (one.counters.refutations, two.counters.refutations) == (1, 0)
        one.heard.clear()
        for name in ("www.other.lab", "nx.good.lab", "nx.other.lab"):
            assert (await ask(resolver, name)).verdict.status is Status.SECURE
        assert one.heard == []
        await trio.sleep(DISTRUSTED)
        await ask(resolver, "new.good.lab")
        assert one.heard != []


async def test_an_upstream_that_fails_with_cd_is_asked_without() -> None:
    async def fails_with_cd(heard: Heard) -> Said:
        return await (always(rcodes.SERVFAIL) if heard.checking_disabled else honest(WORLD))(heard)

    one = upstream(fails_with_cd)
    async with open_resolver(WORLD, one) as resolver:
        answer = await ask(resolver, "www.good.lab")
    assert answer.verdict.status is Status.SECURE
    assert all(heard.dnssec_ok for heard in one.heard)


async def test_a_validating_upstream_may_find_better_data_without_cd() -> None:
    async def has_a_bad_copy(heard: Heard) -> Said:
        conduct = changed(WORLD, forged) if heard.checking_disabled else honest(WORLD)
        return await conduct(heard)

    one = upstream(has_a_bad_copy)
    async with open_resolver(WORLD, one) as resolver:
        answer = await ask(resolver, "www.good.lab")
    assert answer.verdict.status is Status.SECURE
    assert one.counters.refutations == 0  # nobody else knew better


async def test_where_nothing_helps_the_first_reasons_are_told() -> None:
    one, two = good("one"), good("two")
    async with open_resolver(WORLD, one, two) as resolver:
        answer = await ask(resolver, "expired.lab")
        assert (answer.verdict.status, codes(answer)) == (Status.BOGUS, [7])
        assert answer.upstream == "tls://one"
        assert one.counters.refutations == two.counters.refutations == 0


async def test_at_most_three_upstreams_learn_of_a_name_that_does_not_validate() -> None:
    upstreams = [good(name) for name in ("one", "two", "three", "four", "five")]
    async with open_resolver(WORLD, *upstreams) as resolver:
        await ask(resolver, "expired.lab")
    assert [each.asked.count("expired.lab. A") for each in upstreams] == [2, 1, 1, 0, 0]


async def test_no_upstream_gets_a_question_more_than_three_times() -> None:
    one = upstream(always(rcodes.SERVFAIL))
    async with open_resolver(WORLD, one) as resolver:
        await ask(resolver, "www.good.lab")
    assert one.asked.count("www.good.lab. A") == 2


@pytest.mark.parametrize("upstreams", [1, 2, 3, 5])
async def test_the_repeats_have_a_limit_of_their_own(upstreams: int) -> None:
    spoilt = [upstream(changed(WORLD, stripped), f"u{number}") for number in range(upstreams)]
    limits = Limits()
    async with open_resolver(WORLD, *spoilt, limits=limits) as resolver:
        answer = await ask(resolver, "www.good.lab")
    assert answer.verdict.status is Status.BOGUS
    heard = [heard for each in spoilt for heard in each.heard]
    first = [text for text in spoilt[0].asked if text != "www.good.lab. A"]
    assert len(heard) - 1 - len(set(first)) <= limits.repeated_queries == 16


@in_fast_motion
async def test_the_repeats_count_together() -> None:
    one, two = upstream(changed(WORLD, stripped)), good()
    async with open_resolver(WORLD, one, two, limits=Limits(repeated_queries=4)) as resolver:
        answer = await ask(resolver, "www.good.lab")
        assert answer.verdict.status is Status.BOGUS  # the chain alone needs more
        assert sum(not heard.checking_disabled for heard in one.heard) + len(two.heard) == 4


@in_fast_motion
async def test_the_ladder_ends_in_time() -> None:
    async def once(heard: Heard) -> Said:
        is_first = heard.checking_disabled
        return await (changed(WORLD, stripped) if is_first else silent)(heard)

    upstreams = [upstream(once), upstream(silent, "two"), upstream(silent, "three")]
    async with open_resolver(WORLD, *upstreams) as resolver:
        answer = await ask(resolver, "www.good.lab")
    assert trio.current_time() == pytest.approx(LADDER) == 2.5
    assert answer.verdict.status is Status.BOGUS


@in_fast_motion
async def test_it_ends_with_the_time_of_the_query_before_that() -> None:
    async def slowly(heard: Heard) -> Said:
        await trio.sleep(1.0)
        return await changed(WORLD, stripped)(heard)

    upstreams = [upstream(slowly), upstream(silent, "two")]
    async with open_resolver(WORLD, *upstreams, seconds=3.0) as resolver:
        await ask(resolver, "www.good.lab")
    assert trio.current_time() == pytest.approx(3.0)


@in_fast_motion
async def test_the_ways_are_tried_side_by_side() -> None:
    async def only_at_first(heard: Heard) -> Said:
        return await (changed(WORLD, stripped) if heard.checking_disabled else silent)(heard)

    upstreams = [upstream(only_at_first), upstream(silent, "two"), good("three", delay=DELAY)]
    async with open_resolver(WORLD, *upstreams) as resolver:
        answer = await ask(resolver, "www.good.lab")
    assert answer.verdict.status is Status.SECURE
    assert trio.current_time() == pytest.approx(2 * DELAY)


# ------------ Where nothing is asked again ------------


async def test_a_limit_is_not_asked_again() -> None:
    """Who makes us work is not to make us work three times as much."""
    one, two = good("one"), good("two")
    async with open_resolver(WORLD, one, two, limits=Limits(zone_signatures=0)) as resolver:
        answer = await ask(resolver, "www.good.lab")
    assert (answer.verdict.status.is_failure, codes(answer)[0]) == (True, 6)
    assert one.asked.count("www.good.lab. A") == 1
    assert two.heard == []


@pytest.mark.parametrize("conduct", [unreachable, silent])
@in_fast_motion
async def test_a_network_that_is_down_is_not_asked_again(conduct: Conduct) -> None:
    one, two = upstream(conduct), upstream(conduct, "two")
    async with open_resolver(WORLD, one, two) as resolver:
        answer = await ask(resolver, "www.good.lab")
        await trio.sleep(10)
    assert (answer.verdict.status, codes(answer)[:2]) == (Status.UNOBTAINABLE, [23, 5])
    assert [each.asked.count("www.good.lab. A") for each in (one, two)] == [1, 1]


@in_fast_motion
async def test_a_chain_that_cannot_be_fetched_is_tried_at_another_upstream() -> None:
    async def keys_hang(heard: Heard) -> Said:
        return await (silent if heard.text == "good.lab. DNSKEY" else honest(WORLD))(heard)

    async with open_resolver(WORLD, upstream(keys_hang), good()) as resolver:
        answer = await ask(resolver, "www.good.lab")
    assert answer.verdict.status is Status.SECURE


# ------------ Clients that check for themselves ------------


@in_fast_motion
async def test_a_client_that_checks_for_itself_gets_the_data_before_the_ladder() -> None:
    one, two = upstream(changed(WORLD, stripped)), good(delay=1.0)
    async with open_resolver(WORLD, one, two) as resolver:
        answer = await ask(resolver, "www.good.lab", checking_disabled=True)
        assert trio.current_time() == 0
        assert (answer.verdict.status, len(answer.answer)) == (Status.BOGUS, 1)
        again = await ask(resolver, "www.good.lab", checking_disabled=True)
        assert trio.current_time() == 0  # while the ladder is under way
        assert again == answer
        good_answer = await ask(resolver, "www.good.lab")
        assert good_answer.verdict.status is Status.SECURE


@in_fast_motion
async def test_it_waits_where_there_are_no_data_yet() -> None:
    async def fails_with_cd(heard: Heard) -> Said:
        return await (always(rcodes.SERVFAIL) if heard.checking_disabled else honest(WORLD))(heard)

    async with open_resolver(WORLD, upstream(fails_with_cd)) as resolver:
        answer = await ask(resolver, "www.good.lab", checking_disabled=True)
    assert (answer.verdict.status, len(answer.answer)) == (Status.SECURE, 1)
