"""An upstream that says nothing: is it slow, or gone? Nobody who waits for it should wait to know.

A name that takes long and a server that has died look alike from here. So one that has been
measured and is silent for longer than an estimate of its round trip is asked for what it knows by
heart. If it does not answer that in the same time either, it is gone, and whoever waits for it asks
another one at once. If it does, the name is slow, and stays with whom it was given to.

A server that has meanwhile accepted another connection is there. It may answer one question after
the other, as some do over TLS, the slow one first; or it is hung. So it has longer to answer.
"""

import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import trio

from anchord.model.ede import Ede
from anchord.model.response import Response
from anchord.upstream.base import Counters
from anchord.upstream.choice import Standing

SPARED = 1.0
"""Seconds for which an upstream that has answered the probe is not suspected again: a slow name
costs a query for each."""

IN_TURN = 2
"""Estimates of the round trip that one has longer which can be connected to. Most cold names take
less than four of them."""

Said = Response | Ede


class Vigil:
    """Watches one upstream as long as somebody waits for it.

    `patience` is how many seconds it may be silent, infinite where that is not known. `probe` asks
    it something, and waits so many seconds for the answer; `note` is told what came of a question
    that was asked at a time.
    """

    def __init__(
        self,
        standing: Standing,
        counters: Counters,
        nursery: trio.Nursery,
        *,
        patience: Callable[[], float],
        probe: Callable[[float], Awaitable[Said]],
        note: Callable[[Said, float], None],
    ) -> None:
        self._standing = standing
        self._counters = counters
        self._nursery = nursery
        self._patience = patience
        self._probe = probe
        self._note = note
        self._waiting: dict[trio.CancelScope, tuple[float, int]] = {}
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
            self._waiting[scope] = trio.current_time(), self._counters.handshakes
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
                asked_at, handshakes = next(iter(self._waiting.values()))
                suspected_at = max(asked_at, self._standing.answered_at) + patience
                if trio.current_time() < suspected_at < math.inf:
                    await trio.sleep_until(suspected_at)
                    continue
                await self._suspect(patience, handshakes)
                if self._standing.failures:
                    for scope in self._waiting:
                        scope.cancel()
                    return
                await trio.sleep(SPARED)
        finally:
            self._is_kept = False

    async def _suspect(self, patience: float, handshakes: int) -> None:
        since = trio.current_time()
        said = await self._probe(patience)
        if isinstance(said, Ede) and self._counters.handshakes > handshakes:
            said = await self._probe(IN_TURN * patience)
        self._note(said, since)
