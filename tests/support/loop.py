"""A trio loop in a thread of its own, for steps that are taken one at a time from outside."""

import threading
from collections.abc import Awaitable, Callable
from queue import SimpleQueue
from typing import TypeVar

import trio
import trio.testing

T = TypeVar("T")


class Loop:
    """Runs one step after the other; what a step has begun goes on in `nursery` until `end`."""

    def __init__(self) -> None:
        started: SimpleQueue[tuple[trio.lowlevel.TrioToken, trio.Nursery]] = SimpleQueue()

        async def main() -> None:
            async with trio.open_nursery() as nursery:
                started.put((trio.lowlevel.current_trio_token(), nursery))
                await trio.sleep_forever()

        self._thread = threading.Thread(target=trio.run, args=(main,), name="loop of a test")
        self._thread.start()
        self._token, self.nursery = started.get()

    def run(self, step: Callable[[], Awaitable[T]]) -> T:
        """The result of a step, once nothing that it began can go on by itself."""

        async def settled() -> T:
            result = await step()
            await trio.testing.wait_all_tasks_blocked()
            return result

        return trio.from_thread.run(settled, trio_token=self._token)

    def end(self) -> None:
        """Ends everything."""
        trio.from_thread.run_sync(self.nursery.cancel_scope.cancel, trio_token=self._token)
        self._thread.join()
