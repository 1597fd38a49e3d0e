"""Work is done once, whoever waits for it and whoever goes away."""

from collections.abc import Awaitable, Callable

import pytest
import trio

from anchord.resolver.flight import Flight, Flights, first_that
from support.walk import in_fast_motion


def sleeping(seconds: float, value: str) -> Callable[[], Awaitable[str]]:
    async def work() -> str:
        await trio.sleep(seconds)
        return value

    return work


@in_fast_motion
async def test_all_who_wait_get_the_same_result() -> None:
    async with trio.open_nursery() as nursery:
        flights: Flights[str, str] = Flights(nursery)
        flight = flights.start("key", sleeping(1, "result"))
        assert flights.find("key") is flight
        assert flight.landed is None
        assert [await flight.wait(), await flight.wait()] == ["result", "result"]
        assert flight.landed == "result"
        assert trio.current_time() == 1


@in_fast_motion
async def test_a_flight_that_has_landed_is_forgotten() -> None:
    async with trio.open_nursery() as nursery:
        flights: Flights[str, str] = Flights(nursery)
        await flights.start("key", sleeping(1, "result")).wait()
        assert len(flights) == 0
        assert flights.find("key") is None


@in_fast_motion
async def test_whoever_starts_a_flight_may_go_away() -> None:
    async with trio.open_nursery() as nursery:
        flights: Flights[str, str] = Flights(nursery)
        with trio.move_on_after(0.5):
            await flights.start("key", sleeping(1, "result")).wait()
        flight = flights.find("key")
        assert flight is not None
        assert await flight.wait() == "result"


async def test_an_exception_belongs_to_those_who_wait() -> None:
    async def fail() -> str:
        raise ZeroDivisionError

    async with trio.open_nursery() as nursery:
        flight = Flights[str, str](nursery).start("key", fail)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await flight.wait()


async def test_flights_end_with_their_nursery() -> None:
    async with trio.open_nursery() as nursery:
        flights: Flights[str, str] = Flights(nursery)
        flight = flights.start("key", sleeping(1, "result"))
        nursery.cancel_scope.cancel()
    assert len(flights) == 0
    with pytest.raises(trio.ClosedResourceError):
        await flight.wait()


async def test_a_result_may_be_there_from_the_start() -> None:
    flight: Flight[str] = Flight()
    flight.land("result")
    assert await flight.wait() == "result"


# ------------ The first that is good ------------


@in_fast_motion
async def test_the_first_good_result_ends_the_other_attempts() -> None:
    attempts = [sleeping(1, "bad"), sleeping(2, "good"), sleeping(3, "good, too late")]
    assert await first_that(lambda value: value.startswith("good"), attempts) == "good"
    assert trio.current_time() == 2


@in_fast_motion
async def test_no_good_result_is_told_when_all_have_ended() -> None:
    attempts = [sleeping(1, "bad"), sleeping(3, "bad")]
    assert await first_that(lambda value: value == "good", attempts) is None
    assert trio.current_time() == 3


@in_fast_motion
async def test_of_two_good_results_at_once_one_is_taken() -> None:
    attempts = [sleeping(1, "one"), sleeping(1, "other")]
    assert await first_that(lambda _: True, attempts) in {"one", "other"}
