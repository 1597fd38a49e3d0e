"""Work in flight: done once, however many wait for it.

A flight runs in the resolver's own nursery. Whoever waits may be cancelled without harm to the
others; whoever comes later waits for the same result.
"""

from collections.abc import Awaitable, Callable, Hashable, Iterable
from typing import Generic, TypeVar

import trio

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Flight(Generic[Value]):
    """One piece of work, and its result when it is there; `began` is in trio's time."""

    __slots__ = ("_done", "_error", "_value", "began")

    def __init__(self) -> None:
        self.began = trio.current_time()
        self._done = trio.Event()
        self._value: list[Value] = []
        self._error: BaseException | None = None

    @property
    def landed(self) -> Value | None:
        """The result, if it is there already."""
        return self._value[0] if self._value else None

    async def wait(self) -> Value:
        """The result, or the exception that the work ended with."""
        if not self._done.is_set():
            await self._done.wait()
        if self._error is not None:
            raise self._error
        return self._value[0]

    def land(self, value: Value) -> None:
        """Give the result at once."""
        self._value.append(value)
        self._done.set()

    async def run(self, work: Callable[[], Awaitable[Value]]) -> None:
        """Do the work, and let all know who wait."""
        try:
            self._value.append(await work())
        except Exception as error:  # noqa: BLE001 - it belongs to those who wait, not to the nursery
            self._error = error
        finally:
            if not self._value and self._error is None:
                self._error = trio.ClosedResourceError("the resolver was stopped")
            self._done.set()


class Flights(Generic[Key, Value]):
    """The flights of one kind, by key."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._flights: dict[Key, Flight[Value]] = {}

    def __len__(self) -> int:
        return len(self._flights)

    def find(self, key: Key) -> Flight[Value] | None:
        """The flight of this key, if one is under way."""
        return self._flights.get(key)

    def start(self, key: Key, work: Callable[[], Awaitable[Value]]) -> Flight[Value]:
        """A new flight; there must be none of this key."""
        assert key not in self._flights
        flight: Flight[Value] = Flight()
        self._flights[key] = flight

        async def fly() -> None:
            try:
                await flight.run(work)
            finally:
                del self._flights[key]

        self._nursery.start_soon(fly)
        return flight


async def first_that(
    is_good: Callable[[Value], bool], attempts: Iterable[Callable[[], Awaitable[Value]]]
) -> Value | None:
    """Runs the attempts side by side; the first good result ends the others. None if none is."""
    found: list[Value] = []

    async def run(attempt: Callable[[], Awaitable[Value]], nursery: trio.Nursery) -> None:
        value = await attempt()
        if is_good(value):
            found.append(value)
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        for attempt in attempts:
            nursery.start_soon(run, attempt, nursery)
    return found[0] if found else None
