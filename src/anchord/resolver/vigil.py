"""An upstream that says nothing: is it slow, or gone? Nobody who waits for it should wait to know.

A name that takes long and a server that has died look alike from here. So one that has been
measured and is silent for longer than an estimate of its round trip is asked for what it knows by
heart. If it does not answer that in the same time either, it is gone, and whoever waits for it asks
another one at once. If it does, the name is slow, and stays with whom it was given to.
"""

import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import trio

from anchord.upstream.choice import Standing

SPARED = 1.0
"""Seconds for which an upstream that has answered the probe is not suspected again: a slow name
costs a query for each."""


class Vigil:
    """Watches one upstream as long as somebody waits for it.

    `patience` is how many seconds it may be silent, infinite where that is not known. `probe` asks
    it something, and waits so many seconds for the answer.
    """

    def __init__(
        self,
        standing: Standing,
        nursery: trio.Nursery,
        patience: Callable[[], float],
        probe: Callable[[float], Awaitable[None]],
    ) -> None:
        self._standing = standing
        self._nursery = nursery
        self._patience = patience
        self._probe = probe
        self._waiting: dict[trio.CancelScope, float] = {}
        self._is_kept = False

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Cancels what is done within when the upstream is found to be gone.

        One that is known not to answer is left alone: whoever asks it all the same has no choice.
        """
        if self._standing.failures or self._patience() == math.inf:
            yield
            return
        with trio.CancelScope() as scope:
            self._waiting[scope] = trio.current_time()
            if not self._is_kept:
                self._is_kept = True
                self._nursery.start_soon(self._keep)
            try:
                yield
            finally:
                del self._waiting[scope]

    async def _keep(self) -> None:
        try:
            while self._waiting:
                patience = self._patience()
                asked_at = next(iter(self._waiting.values()))
                suspected_at = max(asked_at, self._standing.answered_at) + patience
                if trio.current_time() < suspected_at < math.inf:
                    await trio.sleep_until(suspected_at)
                    continue
                await self._probe(patience)
                if self._standing.failures:
                    for scope in self._waiting:
                        scope.cancel()
                    return
                await trio.sleep(SPARED)
        finally:
            self._is_kept = False
