"""Keeps what a resolver knows for the next one: in a file, and in memory over a reload.

A reload is a restart: what was known is evidence for the resolver that comes, which proves it again
by the anchors that it has. The file is written now and then, and at the end. Nothing is written
while `dnssec.time` is set, since the ages of what is kept could not be told; and never what the
servers of a link have said, which ends with the link.
"""

import hashlib
import logging
from collections.abc import Callable

import trio

from anchord.cache import persist
from anchord.cache.persist import Document
from anchord.cache.persisted import Evidence
from anchord.config.load import Loaded
from anchord.model.clock import Clock
from anchord.model.names import Name, is_at_or_below
from anchord.model.response import Response
from anchord.resolver.resolver import Resolver

from .cache_file import CacheFile, cache_folder
from .network import NETWORK

logger = logging.getLogger(__name__)

SAVE_EVERY = 600.0
"""Seconds between two savings: what is lost at a crash costs a query upstream each, and a laptop's
disk is left asleep."""

SHARE = 4
"""The file has at most one octet for so many of `cache.size`. An answer takes about a third of the
room there that it takes in memory: of a cache that is full, what was not used for longest is left
out."""

SLICE = 64
"""Records that are made before everything else has its turn: a third of a millisecond."""


class Keeper:
    """What is kept, and when. `read` first; `run` and `save` once there is a resolver.

    `epoch` is how often everything was forgotten.
    """

    def __init__(self, clock: Clock) -> None:
        folder = cache_folder()
        self._clock = clock
        self._file = CacheFile(folder) if folder else None
        self._held: Document | None = None
        self._is_due = trio.Event()
        self.epoch = 0

    def read(self, loaded: Loaded) -> None:
        """Reads the file, where one is to be kept."""
        if file := self._file_for(loaded):
            self._held = file.read(_limit(loaded))

    def take(self, loaded: Loaded) -> Evidence | None:
        """What is held, for a resolver as configured; it is held no longer."""
        document, self._held = self._held, None
        if document is None:
            return None
        now = self._clock.wall()
        if objection := persist.objection(document, _origin(loaded), now):
            logger.info("what was kept of the cache is not used: %s", objection)
            return None
        return Evidence(document, now, self._clock.monotonic())

    async def hold(self, resolver: Resolver, loaded: Loaded) -> None:
        """Holds what a resolver knows for the one that comes after it."""
        self._held = persist.read(await self._gathered(resolver, loaded))

    async def save(self, resolver: Resolver, loaded: Loaded) -> None:
        """Writes what a resolver knows to the file, where that is configured."""
        if file := self._file_for(loaded):
            epoch = file.epoch
            data = await self._gathered(resolver, loaded)
            await trio.to_thread.run_sync(file.write, data, epoch)

    async def run(self, now: Callable[[], tuple[Resolver, Loaded] | None]) -> None:
        """Saves in the background until cancelled; `now` is what is in force, None for nothing."""
        while True:
            with trio.move_on_after(SAVE_EVERY):
                await self._is_due.wait()
            self._is_due = trio.Event()
            if in_force := now():
                await self.save(*in_force)

    def forget(self) -> None:
        """Removes everything that is kept; what is left in the cache is saved anew, soon."""
        self.epoch += 1
        self._held = None
        if self._file:
            self._file.remove()
        self._is_due.set()

    def _file_for(self, loaded: Loaded) -> CacheFile | None:
        """The file, if there is to be one. One that is no longer wanted is removed."""
        if self._file and not loaded.config.cache.persist:
            self._file.remove()
        is_wanted = loaded.config.cache.persist and loaded.config.dnssec.time.at is None
        return self._file if is_wanted else None

    async def _gathered(self, resolver: Resolver, loaded: Loaded) -> bytes:
        links = [zone.domain for zone in loaded.config.zone if NETWORK in zone.upstream]

        def is_of_a_link(name: Name) -> bool:
            return any(is_at_or_below(name, domain) for domain in links)

        def is_wanted(said: Response) -> bool:
            return not any(map(is_of_a_link, (said.question.name, *(r.name for r in said.answer))))

        room = _limit(loaded) - persist.HEAD
        records: persist.Records = {}
        for count, (key, record) in enumerate(resolver.records(is_wanted)):
            room -= len(key) + len(memoryview(record))
            if room < 0:
                break
            records.setdefault(key, record)
            if count % SLICE == SLICE - 1:
                await trio.lowlevel.checkpoint()
        signed = [zone for zone in resolver.signed if not is_of_a_link(zone)]
        return persist.write(records, signed, _origin(loaded), self._clock.wall())


def _limit(loaded: Loaded) -> int:
    return loaded.config.cache.size // SHARE


def _origin(loaded: Loaded) -> bytes:
    """What stands for everyone who is asked, and for which names."""
    zones = [(zone, loaded.config.upstreams_of(zone)) for zone in loaded.config.zone]
    return hashlib.sha256(repr((loaded.upstreams, zones)).encode()).digest()
