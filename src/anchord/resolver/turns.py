"""Whose turn it is between the steps of long work.

Reading and proving what an attacker sends may take milliseconds, in steps of some ten microseconds.
Between two of them whoever is at a door and needs no work is served on the spot, which costs less
than a step. Everything else that is due (replies of upstreams, connections) has its turn when a
stint is over, and so has whoever else is at such work: one at a time.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import trio

from anchord.model.steps import Steps

T = TypeVar("T")

STINT = 0.001
"""Seconds of work, all who are at it together, after which everything else has its turn: some
twenty times what that costs."""


class Turns:
    """Lets others go first. One object for all that happens in a process."""

    def __init__(self) -> None:
        self._doors: list[Callable[[], object]] = []
        self._turn = trio.Lock()
        self._ends_at = 0.0

    @contextmanager
    def serving(self, door: Callable[[], object]) -> Iterator[None]:
        """Meanwhile, `door` is called between steps: it serves who is there, and never waits."""
        self._doors.append(door)
        try:
            yield
        finally:
            self._doors.remove(door)

    async def give_way(self) -> None:
        """To be called before each step."""
        for serve in self._doors:
            serve()
        if trio.current_time() >= self._ends_at:
            async with self._turn:
                pass
            self._ends_at = trio.current_time() + STINT

    async def run(self, steps: Steps[T]) -> T:
        """The result of such work."""
        try:
            while True:
                next(steps)
                await self.give_way()
        except StopIteration as done:
            result: T = done.value
            return result
