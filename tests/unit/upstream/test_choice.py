"""Which upstream is asked, by the rules alone: no connection, no clock but the test's."""

import math
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchord.model import names
from anchord.model.names import Name
from anchord.upstream.choice import (
    EXPLORE_EVERY,
    FIRST_HEDGE,
    FIRST_PAUSE,
    FORGIVEN,
    HEDGES_PER_QUERY,
    LONGEST_PAUSE,
    MEASURED_ENOUGH,
    MOST_DOMAINS,
    RESTING,
    Chooser,
    Standing,
    Strategy,
    domain_of,
    standing_of,
)
from anchord.upstream.pool import RoundTrip

NOW = 1000.0


def measured(seconds: float | None) -> RoundTrip:
    round_trip = RoundTrip()
    for _ in range(0 if seconds is None else MEASURED_ENOUGH):
        round_trip.measured(seconds or 0.0)
    return round_trip


def chooser(
    strategy: Strategy = Strategy.FASTEST, seed: int = 7, /, **seconds: float | None
) -> Chooser[str]:
    """Upstreams by name, each with its round trip; the operator is the name without its digit."""
    standings = {
        name: Standing(name.rstrip("0123456789"), name, measured(each))
        for name, each in seconds.items()
    }
    for standing in standings.values():
        standing.probe_at = NOW + EXPLORE_EVERY
    return Chooser(standings, strategy, random.Random(seed))


def domain(number: int) -> Name:
    return names.from_text(f"site{number}.example")


def first(of: Chooser[str], number: int | None = None, now: float = NOW) -> str:
    return of.plan(None if number is None else domain(number), now).order[0]


def fail(of: Chooser[str], name: str, at: float = NOW) -> None:
    of.standings[name].failed(at - 0.5, at)


# ------------ What the strategies share ------------


@given(
    st.sampled_from(Strategy),
    st.lists(st.sampled_from([None, 0.0, 0.001, 0.02, 3.0]), min_size=1, max_size=6),
    st.lists(st.tuples(st.sampled_from("afop"), st.integers(0, 5), st.floats(0, 100)), max_size=30),
    st.integers(0, 5),
)
def test_every_upstream_is_asked_once_in_the_end(
    strategy: Strategy,
    seconds: list[float | None],
    events: list[tuple[str, int, float]],
    avoided: int,
) -> None:
    """Whatever has happened: nobody is banned for ever, and nobody is asked twice."""
    of = chooser(strategy, **{f"{'xyz'[i % 3]}{i}": each for i, each in enumerate(seconds)})
    keys = list(of.standings)
    now = NOW
    for what, index, pause in events:
        key = keys[index % len(keys)]
        now += pause
        if what == "a":
            of.standings[key].answered(now)
        elif what == "f":
            of.standings[key].failed(now - 1, now)
        elif what == "o":
            of.overtaken(key, now - 1, now)
        else:
            assert set(of.to_probe(now)) <= set(keys)
        plan = of.plan(domain(index), now, {keys[avoided % len(keys)]})
        assert sorted(plan.order) == sorted(keys)
        assert plan.hedge_after > 0
        if plan.hedge_after < math.inf:
            one, two = (of.standings[key].operator for key in plan.order[:2])
            assert one == two


def test_those_to_be_avoided_come_last_behind_those_that_are_down() -> None:
    for strategy in Strategy:
        of = chooser(strategy, a=0.1, b=0.2, c=0.3)
        fail(of, "b")
        assert of.plan(None, NOW, {"a"}).order == ("c", "b", "a")
        assert of.ranked(NOW, {"a"}) == ["c", "b", "a"]


# ------------ ordered, random ------------


def test_ordered_asks_as_configured_and_those_that_failed_late() -> None:
    of = chooser(Strategy.ORDERED, a=3.0, b=0.1, c=None)
    assert of.plan(None, NOW).order == ("a", "b", "c")
    fail(of, "a")
    assert of.plan(None, NOW + RESTING - 0.1).order == ("b", "c", "a")
    assert of.plan(None, NOW + RESTING).order == ("a", "b", "c")


def test_an_answer_ends_a_rest() -> None:
    of = chooser(Strategy.ORDERED, a=3.0, b=0.1)
    fail(of, "a")
    of.standings["a"].answered(NOW)
    assert of.plan(None, NOW).order == ("a", "b")


def test_random_asks_each_as_often_and_those_that_failed_last() -> None:
    of = chooser(Strategy.RANDOM, a=3.0, b=0.1, c=None)
    firsts = Counter(first(of, 1) for _ in range(600))
    assert all(firsts[name] > 150 for name in "abc")
    fail(of, "b")
    for _ in range(50):
        assert of.plan(None, NOW).order[2] == "b"


@pytest.mark.parametrize("strategy", [Strategy.ORDERED, Strategy.RANDOM])
def test_nothing_is_probed_or_hedged_where_nothing_is_measured_for(strategy: Strategy) -> None:
    of = chooser(strategy, a1=0.1, a2=0.1)
    fail(of, "a1")
    assert of.to_probe(NOW + EXPLORE_EVERY) == []
    assert of.plan(None, NOW + RESTING).hedge_after == math.inf


# ------------ fastest: who is chosen ------------


def test_nearly_every_domain_goes_to_the_fastest() -> None:
    of = chooser(a=0.08, b=0.005, c=0.02)
    firsts = Counter(first(of, number) for number in range(1000))
    assert firsts["b"] >= 990
    assert firsts["a"] == 0


def test_equals_share_the_domains() -> None:
    of = chooser(a=0.02, b=0.02, c=0.02)
    firsts = Counter(first(of, number) for number in range(900))
    assert all(firsts[name] > 150 for name in "abc")


def test_a_domain_stays_with_its_operator_though_another_one_becomes_faster() -> None:
    of = chooser(a=0.01, b=0.08)
    assert first(of, 1) == "a"
    for _ in range(50):
        of.standings["b"].round_trip.measured(0.001)
    assert first(of, 2) == "b"
    assert first(of, 1) == "a"


def test_another_operator_stands_in_for_one_that_does_not_answer_always_the_same() -> None:
    of = chooser(a=0.01, b=0.05, c=0.08)
    assert first(of, 1) == "a"
    for at in (NOW, NOW + 10):
        fail(of, "a", at)
        assert first(of, 1, at) == "b"
        for _ in range(50):
            of.standings["c"].round_trip.measured(0.001)
        assert first(of, 1, at) == "b"
        assert first(of, 2, at) == "c"
        of.standings["a"].answered(at + 1)
        assert first(of, 1, at + 1) == "a"


def test_within_an_operator_the_other_upstream_takes_over() -> None:
    of = chooser(a1=0.01, a2=0.05, b=0.02)
    assert first(of, 1) == "a1"
    fail(of, "a1")
    assert of.plan(domain(1), NOW).order[:2] == ("a2", "b")


def test_names_above_all_domains_are_bound_to_nobody() -> None:
    of = chooser(a=0.01, b=0.08)
    assert first(of) == "a"
    for _ in range(50):
        of.standings["b"].round_trip.measured(0.001)
    assert first(of) == "b"


def test_domains_beyond_the_limit_are_forgotten_the_one_not_asked_for_longest_first() -> None:
    of = chooser(a=0.01, b=0.08)
    for number in range(MOST_DOMAINS):
        first(of, number)
    first(of, 0)
    for _ in range(50):
        of.standings["b"].round_trip.measured(0.001)
    assert first(of, MOST_DOMAINS) == "b"
    assert first(of, 0) == "a"
    assert first(of, 1) == "b"


def test_the_first_is_taken_as_long_as_nothing_is_measured() -> None:
    of = chooser(a=None, b=None)
    assert [first(of, number) for number in range(20)] == ["a"] * 20
    of.standings["b"].round_trip.measured(0.2)
    assert first(of, 99) == "b"


# ------------ fastest: failures, and coming back ------------


def test_a_failure_costs_much_and_fades() -> None:
    of = chooser(a=0.005, b=0.02)
    fail(of, "a")
    of.standings["a"].answered(NOW)
    assert of.standings["a"].cost(NOW) > of.standings["b"].cost(NOW)
    assert of.standings["a"].cost(NOW + 3 * FORGIVEN) < of.standings["b"].cost(NOW)


def test_an_upstream_that_fails_half_of_the_time_is_worse_than_a_slow_one() -> None:
    of = chooser(a=0.005, b=0.08)
    for turn in range(40):
        at = NOW + turn
        of.standings["a"].answered(at)
        of.standings["a"].failed(at + 0.1, at + 0.5)
    of.standings["a"].answered(NOW + 40)
    assert of.standings["a"].cost(NOW + 40) > of.standings["b"].cost(NOW + 40)


def test_one_that_is_down_is_probed_with_growing_pauses_and_never_given_up() -> None:
    of = chooser(a=0.01, b=0.02)
    now, probes = NOW, []
    fail(of, "a")
    while now < NOW + 600:
        now += 0.5
        of.standings["b"].answered(now)
        for name in of.to_probe(now):
            probes.append(now - NOW)
            of.standings[name].failed(now, now)
    pauses = [later - earlier for earlier, later in zip([0.0, *probes], probes, strict=False)]
    assert pauses[:7] == [FIRST_PAUSE * 2**n for n in range(6)] + [LONGEST_PAUSE]
    assert set(pauses[6:]) == {LONGEST_PAUSE}


def test_all_that_wait_when_it_goes_are_one_failure() -> None:
    of = chooser(a=0.01, b=0.02)
    for late in range(20):
        of.standings["a"].failed(NOW + late * 0.01, NOW + 1 + late * 0.01)
    assert of.standings["a"].failures == 1


def test_one_that_answers_meanwhile_is_slow_and_not_gone() -> None:
    of = chooser(a=0.01, b=0.02)
    of.standings["a"].answered(NOW)
    of.standings["a"].failed(NOW - 1, NOW + 0.5)
    assert of.is_up("a", NOW + 0.5)
    assert of.standings["a"].cost(NOW + 0.5) > 0.01


def test_what_nobody_uses_is_measured_now_and_then() -> None:
    of = chooser(a=0.01, b=0.02)
    assert of.to_probe(NOW) == []
    of.standings["a"].answered(NOW + EXPLORE_EVERY)
    assert of.to_probe(NOW + EXPLORE_EVERY) == ["b"]
    assert of.to_probe(NOW + EXPLORE_EVERY) == []


def test_all_are_measured_at_once_in_the_beginning_but_for_an_only_one() -> None:
    standings = {name: Standing(name, name, RoundTrip()) for name in "ab"}
    of = Chooser(standings, Strategy.FASTEST, random.Random(7))
    assert of.to_probe(NOW) == ["a", "b"]
    assert of.to_probe(NOW) == []
    only = Chooser({"a": Standing("a", "a", RoundTrip())}, Strategy.FASTEST, random.Random(7))
    assert only.to_probe(NOW) == []


def test_another_network_makes_all_equal_but_operators_keep_their_domains() -> None:
    of = chooser(a=0.08, b=0.01)
    assert first(of, 1) == "b"
    fail(of, "b")
    of.forget()
    assert all(of.is_up(name, NOW) for name in "ab")
    assert first(of, 1) == "b"
    assert first(of, 2) == "a"
    assert of.to_probe(NOW) == ["a", "b"]


# ------------ fastest: hedges ------------


def test_a_second_upstream_of_the_same_operator_is_asked_when_most_would_have_answered() -> None:
    of = chooser(a1=0.01, a2=0.02, b=0.03)
    for number in range(1, 101):
        of.standings["a1"].round_trip.measured(number / 10000)
    plan = of.plan(domain(1), NOW)
    assert plan.order == ("a1", "a2", "b")
    assert plan.hedge_after == pytest.approx(0.0103, rel=0.1)


def test_little_is_known_of_a_new_one_and_it_has_longer() -> None:
    of = chooser(a1=None, a2=None)
    assert of.plan(domain(1), NOW).hedge_after == FIRST_HEDGE


def test_another_operator_never_learns_of_a_name_that_is_only_slow() -> None:
    of = chooser(a=0.01, b=0.01)
    assert of.plan(domain(1), NOW).hedge_after == math.inf


@given(st.lists(st.integers(0, 3), min_size=1, max_size=400))
def test_hedges_stay_within_their_budget(slow: list[int]) -> None:
    of = chooser(a1=0.01, a2=0.01)
    hedges = 0
    for queries, each in enumerate(slow, 1):
        of.plan(domain(1), NOW)
        hedges += each == 0 and of.may_hedge()
        assert hedges <= 1 + HEDGES_PER_QUERY * queries


def test_one_that_was_overtaken_in_silence_is_probed() -> None:
    of = chooser(a1=0.01, a2=0.01)
    of.standings["a1"].answered(NOW)
    of.overtaken("a1", NOW - 1, NOW + 1)
    assert of.to_probe(NOW + 1) == []  # it has answered something else meanwhile
    of.overtaken("a1", NOW + 0.5, NOW + 1)
    assert of.to_probe(NOW + 1) == ["a1"]


# ------------ fastest: two ways to one server ------------


def two_ways() -> Chooser[str]:
    """DoT and DoH to each of two servers, as in the defaults."""
    urls = [
        "tls://dns.a.example",
        "tls://dns.b.test",
        "https://dns.a.example",
        "https://dns.b.test",
    ]
    standings = {url: standing_of(url, RoundTrip()) for url in urls}
    return Chooser(standings, Strategy.FASTEST, random.Random(7))


def test_the_second_way_is_neither_measured_nor_used_as_long_as_the_first_is_there() -> None:
    of = two_ways()
    assert of.to_probe(NOW) == ["tls://dns.a.example", "tls://dns.b.test"]
    of.standings["tls://dns.a.example"].round_trip.measured(0.02)
    of.standings["tls://dns.b.test"].round_trip.measured(0.02)
    of.standings["https://dns.a.example"].round_trip.measured(0.001)
    firsts = {first(of, number) for number in range(200)}
    assert firsts == {"tls://dns.a.example", "tls://dns.b.test"}


def test_the_second_way_is_the_hedge_of_the_first() -> None:
    plan = two_ways().plan(domain(1), NOW)
    assert plan.order[:2] == ("tls://dns.a.example", "https://dns.a.example")
    assert plan.hedge_after == FIRST_HEDGE


def test_where_853_is_blocked_the_second_way_is_used_and_the_first_probed() -> None:
    of = two_ways()
    for url in ("tls://dns.a.example", "tls://dns.b.test"):
        fail(of, url)
    assert of.to_probe(NOW) == ["https://dns.a.example", "https://dns.b.test"]
    assert first(of, 1) == "https://dns.a.example"
    assert of.to_probe(NOW + FIRST_PAUSE) == ["tls://dns.a.example", "tls://dns.b.test"]
    of.standings["tls://dns.a.example"].answered(NOW + FIRST_PAUSE)
    assert first(of, 1, NOW + FIRST_PAUSE) == "tls://dns.a.example"


# ------------ Operators and domains ------------


@pytest.mark.parametrize(
    ("url", "operator"),
    [
        ("tls://dns10.quad9.net", "quad9.net"),
        ("https://dns10.quad9.net/dns-query", "quad9.net"),
        ("quic://quad9.net:8853", "quad9.net"),
        ("tls://9.9.9.9", "9.9.9.9"),
        ("tls://[2620:fe::fe]:853", "2620:fe::fe"),
        ("udp://router", "router"),
        ("network", "network"),
    ],
)
def test_an_operator_is_known_by_the_domain_of_the_host(url: str, operator: str) -> None:
    assert standing_of(url, RoundTrip()).operator == operator


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("www.example.com", "example.com."),
        ("example.com", "example.com."),
        ("a.b.c.example.co.uk", "co.uk."),
        ("com", None),
        (".", None),
    ],
)
def test_a_domain_is_two_labels(name: str, expected: str | None) -> None:
    found = domain_of(names.from_text(name))
    assert (found and names.to_text(found)) == expected
