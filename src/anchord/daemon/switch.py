"""Which resolver answers: as configured, as configured anew, or the network's own for a while.

A change opens the new resolver first, so that one that cannot be opened changes nothing. The old
one lives on for the questions that it has in flight; what it knows is evidence for the new one.
"""

import logging
from collections.abc import Callable
from functools import partial

import trio

from anchord.cache.persisted import Evidence
from anchord.config.errors import ConfigError
from anchord.config.load import Loaded
from anchord.model.clock import Clock
from anchord.model.errors import AnchordError
from anchord.model.names import Name
from anchord.resolver.loops import Loops
from anchord.resolver.resolver import Resolver
from anchord.resolver.turns import Turns
from anchord.server.counters import Counters
from anchord.server.handler import Handler

from . import clock_watch, log, notify
from .addresses import address_book
from .compose import open_resolver
from .keeper import Keeper
from .network import NETWORK, NetworkWatch

logger = logging.getLogger(__name__)

LONGEST_PAUSE = 86400.0
"""Seconds: a pause is for the hotel's login page, not a way to live."""


class Switch:
    """Holds the resolver that is in force, and puts others in its place.

    `reload` reads the configuration again; it raises ConfigError.
    """

    def __init__(
        self,
        loaded: Loaded,
        clock: Clock,
        network: NetworkWatch,
        nursery: trio.Nursery,
        reload: Callable[[], Loaded],
    ) -> None:
        self._loaded = loaded
        self._clock = clock
        self.network = network
        self._nursery = nursery
        self._reload = reload
        self._retire = trio.Event()
        self._pause: trio.CancelScope | None = None
        self._paused_until = 0.0
        self._follows_network = False
        self._keeper = Keeper(clock)
        self._book = address_book(loaded.config)
        self._loops = Loops()
        self._turns = Turns()
        self._changing = trio.Lock()

    @property
    def loaded(self) -> Loaded:
        """The configuration in force."""
        return self._loaded

    async def start(self) -> None:
        """Opens the first resolver, with what was kept of the last one. Raises AnchordError."""
        self._keeper.read(self._loaded)  # nobody is served yet who would have to wait
        self.resolver = await self._opened(self._loaded, self._keeper.take(self._loaded))
        self._nursery.start_soon(self._keeper.run, self._checking)
        if self._loaded.config.dnssec.time.at is None:  # else it stands still
            self._nursery.start_soon(clock_watch.watch, self._clock, self._clock_was_set)
        self.handler = Handler(self.resolver, self._clock, Counters(), turns=self._turns)
        self.network.on_change.append(self._network_changed)
        self.network.on_move.append(self._moved)
        self._nursery.start_soon(self.network.run)

    async def end(self) -> None:
        """Keeps what is known for the next start."""
        if checking := self._checking():
            await self._keeper.save(*checking)

    async def reload(self) -> None:
        """Reads the configuration again; a bad one changes nothing, and one line says so."""
        notify.reloading()
        try:
            loaded = self._reload()
            for warning in loaded.warnings:
                logger.warning("%s", warning)
            for table in ("listen", "api", "dane"):
                if getattr(loaded.config, table) != getattr(self._loaded.config, table):
                    logger.warning("[%s] has changed: that takes effect at the next start", table)
            await self._change(loaded)
        except AnchordError as error:
            logger.error("the configuration in force stays: %s", error.one_line())  # noqa: TRY400 - no bug
        else:
            log.configure(loaded.config.log.level)
            logger.info("reloaded", extra={"file": loaded.file or "none"})
        finally:
            notify.ready()

    async def pause(self, seconds: float) -> None:
        """The network's own servers answer for so long, unchecked. Raises AnchordError."""
        if not 0 < seconds <= LONGEST_PAUSE:
            raise AnchordError("a pause lasts between a second and a day", where=f"{seconds:g} s")
        await self.network.look()
        if not self.network.all_servers():
            raise AnchordError("no link of this machine names a DNS server", where="pause")
        await self._change(is_paused=True)
        self._paused_until = self._clock.monotonic() + seconds
        self._pause = trio.CancelScope()
        self._nursery.start_soon(self._end_of_pause, self._pause, seconds)
        logger.warning("paused: NOTHING is checked", extra={"seconds": round(seconds)})

    async def resume(self) -> bool:
        """Ends a pause before its time; returns whether there was one."""
        if self._pause is None:
            return False
        await self._change()
        logger.info("resumed")
        return True

    @property
    def pause_left(self) -> float:
        """Seconds that a pause has to go, 0 without one."""
        if self._pause is None:
            return 0.0
        return max(0.0, self._paused_until - self._clock.monotonic())

    def flush(self, name: Name | None) -> int:
        """Forgets a name and what is below it, or everything; returns how many answers went."""
        self._keeper.forget()
        return self._clear(name)

    def _clear(self, name: Name | None) -> int:
        """The same in memory alone."""
        self.handler.front.clear()
        return self.resolver.flush(name)

    def _checking(self) -> tuple[Resolver, Loaded] | None:
        """The resolver whose answers are worth keeping, as configured; None in a pause."""
        return None if self._pause is not None else (self.resolver, self._loaded)

    async def _change(self, loaded: Loaded | None = None, *, is_paused: bool = False) -> None:
        """Another resolver, as configured now or as `loaded`; one change at a time."""
        async with self._changing:
            await self._replace(loaded or self._loaded, is_paused=is_paused)

    async def _replace(self, loaded: Loaded, *, is_paused: bool = False) -> None:
        epoch = self._keeper.epoch
        if checking := self._checking():
            await self._keeper.hold(*checking)
        evidence = None if is_paused else self._keeper.take(loaded)
        resolver = await self._opened(loaded, evidence, is_paused=is_paused)
        if self._keeper.epoch != epoch:  # a flush came in between
            resolver.flush()
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        self._loaded = loaded
        self.resolver = resolver
        self.handler.use(resolver)

    async def _opened(
        self, loaded: Loaded, evidence: Evidence | None, *, is_paused: bool = False
    ) -> Resolver:
        """A new resolver in a task of its own; the one before it retires."""
        uses_network = is_paused or any(NETWORK in zone.upstream for zone in loaded.config.zone)
        if uses_network and not self._follows_network:
            self._follows_network = True
            await self.network.look()
        retire = trio.Event()
        hold = partial(self._hold, loaded, retire, evidence, is_paused=is_paused)
        try:
            resolver: Resolver = await self._nursery.start(hold)
        except* AnchordError as group:
            raise _first(group) from None
        self._retire.set()
        self._retire = retire
        return resolver

    async def _hold(
        self,
        loaded: Loaded,
        retire: trio.Event,
        evidence: Evidence | None,
        *,
        is_paused: bool,
        task_status: trio.TaskStatus[Resolver] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        async with open_resolver(
            loaded,
            self._clock,
            self.network,
            is_paused=is_paused,
            evidence=evidence,
            book=self._book,
            loops=self._loops,
            turns=self._turns,
        ) as resolver:
            task_status.started(resolver)
            await retire.wait()
            await trio.sleep(loaded.config.forward.timeout)  # for what is in flight

    async def _end_of_pause(self, scope: trio.CancelScope, seconds: float) -> None:
        with scope:
            await trio.sleep(seconds)
            with trio.CancelScope(shield=True):
                await self.resume()

    async def _clock_was_set(self) -> None:
        """What is known becomes evidence, to be judged as of the new time."""
        async with self._changing:
            if self._pause is None:
                await self._replace(self._loaded)

    def _moved(self) -> None:
        """Connections and sessions are of another network."""
        self.resolver.forget_network()

    def _network_changed(self) -> None:
        """Answers of a link die with it (the zones of the network, or all in a pause).

        None of them is in the file.
        """
        if self._pause is not None:
            self._clear(None)
        for zone in self._loaded.config.zone:
            if NETWORK in zone.upstream:
                self._clear(zone.domain)


def _first(group: BaseExceptionGroup[AnchordError]) -> AnchordError:
    leaf: BaseException = group
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    assert isinstance(leaf, AnchordError | ConfigError)
    return leaf
