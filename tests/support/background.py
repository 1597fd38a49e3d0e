"""Asynchronous servers for tests that are not asynchronous: a trio loop in a thread of its own."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from queue import SimpleQueue
from typing import TypeVar

import trio

T = TypeVar("T")


@contextmanager
def running(server: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Enters the context in another thread, yields what it yields, and leaves it at the end.

    Raises what entering or leaving it raises.
    """
    entered: SimpleQueue[tuple[T, Callable[[], None]]] = SimpleQueue()
    failed: list[BaseException] = []

    async def main() -> None:
        async with server as value:
            done = trio.Event()
            token = trio.lowlevel.current_trio_token()
            entered.put((value, lambda: token.run_sync_soon(done.set)))
            await done.wait()

    def run() -> None:
        try:
            trio.run(main)
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            failed.append(error)
            entered.put((None, lambda: None))  # type: ignore[arg-type]

    thread = threading.Thread(target=run, name="servers of a test")
    thread.start()
    value, end = entered.get()
    try:
        if not failed:
            yield value
    finally:
        with suppress(trio.RunFinishedError):  # it ended by itself, and `failed` says why
            end()
        thread.join()
    if failed:
        raise failed[0]
