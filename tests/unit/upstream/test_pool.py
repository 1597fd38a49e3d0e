import pytest

from anchord.upstream.pool import (
    BELOW_THE_CUT,
    IDLE_LIMIT,
    KEPT_UNTIL_RELEARNT,
    LONGEST_IDLE,
    RECENT,
    SHORTEST_IDLE,
    SHORTEST_PATIENCE,
    SILENCE_LIMIT,
    IdleTime,
    RoundTrip,
    State,
    Usage,
)


def judge(usage: Usage, now: float, *, in_flight: int = 0) -> tuple[State, float]:
    return usage.judge(now, in_flight=in_flight, patience=0.5, idle_limit=IDLE_LIMIT)


def test_nothing_measured_means_the_shortest_patience() -> None:
    assert RoundTrip().patience == SHORTEST_PATIENCE


def test_fast_servers_get_the_shortest_patience_too() -> None:
    round_trip = RoundTrip()
    round_trip.measured(0.02)
    assert round_trip.patience == SHORTEST_PATIENCE


def test_slow_servers_get_four_round_trips_smoothed() -> None:
    round_trip = RoundTrip()
    round_trip.measured(0.2)
    assert round_trip.patience == pytest.approx(0.8)
    round_trip.measured(1.0)
    assert round_trip.smoothed == pytest.approx(0.3)
    assert round_trip.patience == pytest.approx(1.2)


def test_quantiles_are_of_the_answers_of_late() -> None:
    round_trip = RoundTrip()
    assert round_trip.quantile(0.95) == 0
    for _ in range(RECENT):
        round_trip.measured(9.0)
    for number in range(1, RECENT + 1):
        round_trip.measured(number / RECENT)
    assert round_trip.quantile(0.5) == 0.5
    assert round_trip.quantile(0.95) == pytest.approx(0.95, abs=0.01)
    assert round_trip.quantile(1) == 1
    assert round_trip.quantile(0) == 1 / RECENT
    round_trip.forget()
    assert (round_trip.smoothed, round_trip.quantile(0.5)) == (None, 0)


# ------------ Idle connections ------------


def test_the_shortest_cut_counts_and_we_stay_below_it() -> None:
    idle = IdleTime()
    assert idle.limit == IDLE_LIMIT
    for cut in (6.0, 5.0, 7.0):
        idle.was_cut(cut)
    assert (idle.cut, idle.limit) == (5.0, 5.0 * BELOW_THE_CUT)


def test_a_cut_that_comes_later_than_the_limit_changes_nothing() -> None:
    idle = IdleTime()
    idle.was_cut(60.0)
    assert idle.limit == IDLE_LIMIT


def test_a_connection_that_ends_at_once_did_not_end_for_being_idle() -> None:
    idle = IdleTime()
    idle.was_cut(SHORTEST_IDLE / 2)
    assert (idle.cut, idle.limit) == (None, IDLE_LIMIT)
    idle.was_cut(SHORTEST_IDLE)
    assert idle.limit == SHORTEST_IDLE


def test_a_cut_is_forgotten_when_it_does_not_come_again() -> None:
    idle = IdleTime()
    idle.was_cut(1.0)
    for _ in range(KEPT_UNTIL_RELEARNT - 1):
        idle.was_kept()
    idle.was_cut(1.0)
    for _ in range(KEPT_UNTIL_RELEARNT - 1):
        idle.was_kept()
    assert idle.limit == BELOW_THE_CUT
    idle.was_kept()
    assert (idle.cut, idle.limit) == (None, IDLE_LIMIT)


@pytest.mark.parametrize(
    ("said", "limit"), [(20.0, 16.0), (2.0, 1.6), (0.0, SHORTEST_IDLE), (6553.5, LONGEST_IDLE)]
)
def test_what_the_server_says_counts_within_bounds(said: float, limit: float) -> None:
    idle = IdleTime()
    idle.announced(said)
    assert idle.limit == pytest.approx(limit)


def test_what_it_does_counts_more_than_what_it_says() -> None:
    idle = IdleTime()
    idle.announced(20.0)
    idle.was_cut(5.0)
    assert idle.limit == 5.0 * BELOW_THE_CUT
    idle.forget()
    assert idle.limit == pytest.approx(16.0)


def test_the_time_before_the_first_query_of_a_silence_is_known() -> None:
    usage = Usage(used_at=100.0, answered=1)
    usage.sent(107.0)
    usage.sent(107.2)
    assert usage.idle_before == 7.0
    usage.heard_a_part(107.3)
    assert usage.idle_before == 0


def test_an_idle_connection_is_usable_until_the_idle_limit() -> None:
    usage = Usage(used_at=100.0)
    assert judge(usage, 100.0) == (State.USABLE, 100.0 + IDLE_LIMIT)
    assert judge(usage, 100.0 + IDLE_LIMIT - 0.01)[0] is State.USABLE
    assert judge(usage, 100.0 + IDLE_LIMIT)[0] is State.IDLE


def test_a_connection_that_somebody_waits_on_is_not_idle() -> None:
    usage = Usage(used_at=100.0, answered=1)
    assert judge(usage, 110.0, in_flight=1) == (State.USABLE, 110.0 + IDLE_LIMIT)


def test_use_puts_the_idle_limit_off() -> None:
    usage = Usage(used_at=100.0, answered=1)
    usage.sent(105.0)
    usage.heard(106.0)
    assert judge(usage, 110.0) == (State.USABLE, 106.0 + IDLE_LIMIT)


def test_a_connection_that_has_answered_is_doubted_when_it_falls_silent() -> None:
    usage = Usage(used_at=100.0, answered=1)
    usage.sent(101.0)
    assert judge(usage, 101.0, in_flight=1) == (State.USABLE, 101.5)
    usage.sent(101.4)  # the silence began with the first query
    assert judge(usage, 101.49, in_flight=2)[0] is State.USABLE
    assert judge(usage, 101.5, in_flight=2)[0] is State.DOUBTED


def test_a_reply_ends_the_silence() -> None:
    usage = Usage(used_at=100.0, answered=1)
    usage.sent(101.0)
    usage.heard(101.4)
    assert judge(usage, 101.6, in_flight=1)[0] is State.USABLE
    usage.sent(102.0)
    assert judge(usage, 102.0, in_flight=2) == (State.USABLE, 102.5)


def test_a_part_of_a_reply_only_puts_the_doubt_off() -> None:
    usage = Usage(used_at=100.0, answered=1)
    usage.sent(101.0)
    usage.heard_a_part(101.4)
    assert judge(usage, 101.6, in_flight=1) == (State.USABLE, 101.9)
    assert judge(usage, 101.9, in_flight=1)[0] is State.DOUBTED


def test_a_silence_is_remembered_when_nobody_waits_any_more() -> None:
    usage = Usage(used_at=100.0, answered=1)
    usage.sent(101.0)
    assert judge(usage, 102.0, in_flight=0)[0] is State.DOUBTED


def test_a_connection_that_never_answered_has_more_time() -> None:
    usage = Usage(used_at=100.0)
    usage.sent(100.0)
    assert judge(usage, 100.6, in_flight=1) == (State.USABLE, 100.0 + SILENCE_LIMIT)
    assert judge(usage, 100.0 + SILENCE_LIMIT, in_flight=1)[0] is State.DOUBTED


def test_looking_again_is_always_later() -> None:
    for answered in (0, 1):
        for silent_since in (None, 100.0):
            for in_flight in (0, 1):
                usage = Usage(100.0, answered, silent_since)
                for now in (100.0, 100.5, 103.0, 108.0, 500.0):
                    assert judge(usage, now, in_flight=in_flight)[1] > now
