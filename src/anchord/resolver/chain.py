"""Driving the engine: its generators ask, this room fetches, and zones are proven once for all.

`Job` is one client question's share of the work: how it is asked, the upstream queries that it may
cause, and those that are under way for it.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

import trio

from anchord.cache.zones import ZoneCache
from anchord.dnssec.asking import Ask, Asking, AskZone, Context, Reply, Request, ZoneTrust
from anchord.dnssec.trust import find_zone
from anchord.model.clock import Clock
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.response import Response, Unanswered
from anchord.model.verdict import Status

from .fetch import USUAL, Rung
from .flight import Flight, Flights

T = TypeVar("T")
Said = Response | Unanswered

MOST_SIGNED = 4096
"""Names remembered as signed zones, for speculation; the oldest go first."""


class KnownZones:
    """The engine's memory of zones, on the resolver's clock."""

    def __init__(self, cache: ZoneCache[ZoneTrust], clock: Clock) -> None:
        self._cache = cache
        self._clock = clock
        self.signed: dict[Name, None] = {}
        """Zones that were proven secure when last seen, the oldest first."""

    def closest(self, name: Name) -> ZoneTrust | None:
        """The deepest known zone at or above `name` whose proof still holds."""
        return self._cache.closest(name, self._clock.monotonic(), self._clock.wall())

    def put(self, trust: ZoneTrust) -> None:
        """Keep a zone while its proof holds."""
        self._cache.put(trust, self._clock.monotonic())
        self.signed.pop(trust.zone, None)
        if trust.status is Status.SECURE:
            self.signed[trust.zone] = None
            if len(self.signed) > MOST_SIGNED:
                del self.signed[next(iter(self.signed))]


@dataclass(slots=True)
class Account:
    """How many upstream queries may still be caused."""

    left: int


@dataclass(slots=True)
class Job:
    """What one client question may still cause, and what is under way for it."""

    account: Account
    rung: Rung = USUAL
    flights: dict[Question, Flight[Said]] = field(default_factory=dict)


class Driver:
    """Runs the engine's generators over the upstreams."""

    def __init__(
        self,
        fetch: Callable[[Question, Rung], Awaitable[Said]],
        context: Context,
        clock: Clock,
        nursery: trio.Nursery,
    ) -> None:
        self._fetch = fetch
        self._context = context
        self._clock = clock
        self._fetches: Flights[tuple[Question, Rung], Said] = Flights(nursery)
        self._walks: Flights[tuple[Name, bool, Rung], ZoneTrust] = Flights(nursery)

    async def ask(self, question: Question, job: Job) -> Said:
        """What the upstreams say, on the job's account."""
        return await self._launch(question, job, is_charged=True).wait()

    def speculate(self, questions: Iterable[Question], job: Job) -> None:
        """Send questions that will probably be needed, on nobody's account."""
        for question in questions:
            self._launch(question, job, is_charged=False)

    async def drive(self, asking: Asking[T], job: Job) -> T:
        """The result of a generator of the engine."""
        try:
            return await self._answer(asking, asking.send(None), job)
        except StopIteration as done:
            result: T = done.value
            return result

    async def _answer(self, asking: Asking[T], request: Request, job: Job) -> T:
        """Go on with a generator that has made its first request."""
        while True:
            reply: Reply = None
            match request:
                case Ask():
                    for question in request.soon:
                        self._launch(question, job, is_charged=True)
                    reply = await self.ask(request.question, job)
                case AskZone():
                    reply = await self._find_zone(request, job)
                case None:
                    await trio.lowlevel.checkpoint()
            try:
                request = asking.send(reply)
            except StopIteration as done:
                result: T = done.value
                return result

    async def _find_zone(self, request: AskZone, job: Job) -> ZoneTrust:
        """The zone that holds a name: at once if it is known, else by one walk for all who ask.

        A walk that ended because another question's share was used up says nothing to this one,
        which then walks on its own account.
        """
        key = (request.name, request.is_signer, job.rung)
        while flight := self._walks.find(key):
            trust = await flight.wait()
            if not trust.over_limit:
                return trust
        walk = find_zone(
            request.name, self._context, self._clock.wall(), is_signer=request.is_signer
        )
        try:
            first = walk.send(None)
        except StopIteration as done:
            known: ZoneTrust = done.value
            return known
        return await self._walks.start(key, lambda: self._answer(walk, first, job)).wait()

    def _launch(self, question: Question, job: Job, *, is_charged: bool) -> Flight[Said]:
        """The flight of a question: the job's own, one that others have sent, or a new one."""
        key = (question, job.rung)
        flight = job.flights.get(question) or self._fetches.find(key)
        if flight is None:
            if is_charged and job.account.left <= 0:
                return _landed(Unanswered(question, (), over_limit=True))
            job.account.left -= is_charged
            flight = self._fetches.start(key, lambda: self._fetch(question, job.rung))
        job.flights[question] = flight
        return flight


def _landed(said: Said) -> Flight[Said]:
    flight: Flight[Said] = Flight()
    flight.land(said)
    return flight
