"""Driving the engine: its generators ask, this room fetches, and zones are proven once for all.

`Job` is one client question's share of the work: how it is asked, the upstream queries that it may
cause, and those that are under way for it.
"""

import math
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Protocol, TypeVar

import msgspec
import trio
from msgspec.structs import replace

from anchord.cache.policy import renewal_due
from anchord.cache.zones import ZoneCache
from anchord.dnssec.asking import Ask, Asking, AskZone, Context, Reply, Request, ZoneTrust
from anchord.dnssec.limits import Budget, Limits
from anchord.dnssec.trust import find_zone
from anchord.model.clock import Clock
from anchord.model.names import Name, ancestors, is_at_or_below
from anchord.model.question import Question
from anchord.model.response import Response, Unanswered
from anchord.model.verdict import Status

from .fetch import USUAL, Account, Rung
from .filtering import blocker
from .flight import Flight, Flights, first_that
from .speculate import Registries
from .turns import Turns

T = TypeVar("T")
Said = Response | Unanswered

MOST_SIGNED = 4096
"""Names remembered as signed zones, for speculation; the oldest go first."""

SHORTEST_GRACE, LONGEST_GRACE = 0.02, 0.25
"""Seconds that guesses may take longer than the answer itself, before their questions are asked in
earnest: as long again as the answer took, within these bounds."""


class KnownZones:
    """The engine's memory of zones, on the resolver's clock.

    `signed` are zones that were proven secure when last seen, before a restart perhaps; the oldest
    first. `signing` are zones below which most are.
    """

    def __init__(
        self,
        cache: ZoneCache[ZoneTrust],
        clock: Clock,
        signed: dict[Name, None],
        signing: Registries,
    ) -> None:
        self._cache = cache
        self._clock = clock
        self._is_over = False
        self.signed = signed
        self.signing = signing

    def closest(self, name: Name) -> ZoneTrust | None:
        """The deepest known zone at or above `name` whose proof still holds."""
        return self._cache.closest(name, self._clock.monotonic(), self._clock.wall())

    def due(self, name: Name) -> ZoneTrust | None:
        """The deepest known zone at or above `name` whose proof is worth renewing by now."""
        return next((trust for trust, is_due in self._above(name) if is_due), None)

    def lasting(self, name: Name) -> ZoneTrust | None:
        """The deepest known zone at or above `name` whose proof is not yet worth renewing."""
        return next((trust for trust, is_due in self._above(name) if not is_due), None)

    def _above(self, name: Name) -> Iterator[tuple[ZoneTrust, bool]]:
        now, wall = self._clock.monotonic(), self._clock.wall()
        for zone in ancestors(name):
            if known := self._cache.find(zone, now, wall):
                trust, expires_at = known
                yield trust, now >= renewal_due(expires_at, trust.expires_in)

    def put(self, trust: ZoneTrust) -> None:
        """Keep a zone while its proof holds."""
        if self._is_over:
            return
        self._cache.put(trust, self._clock.monotonic())
        self.signed.pop(trust.zone, None)
        self.signing.saw(trust.zone, is_signed=trust.status is Status.SECURE)
        if trust.status is Status.SECURE:
            self.signed[trust.zone] = None
            if len(self.signed) > MOST_SIGNED:
                del self.signed[next(iter(self.signed))]

    def end(self) -> None:
        """From now on nothing is kept that a walk of before has proven."""
        self._is_over = True

    def flush(self, name: Name | None) -> None:
        """Forget a zone and what is below it, or everything."""
        self._cache.flush(name)
        self.signing.flush(name)
        for zone in [zone for zone in self.signed if name is None or is_at_or_below(zone, name)]:
            del self.signed[zone]


class Renewing(msgspec.Struct, frozen=True):
    """The same memory for a walk that proves anew what is due: that it does not know."""

    zones: KnownZones

    def closest(self, name: Name) -> ZoneTrust | None:
        """The deepest known zone at or above `name` that will hold for a while."""
        return self.zones.lasting(name)

    def put(self, trust: ZoneTrust) -> None:
        """Keep a zone in place of what was known of it."""
        self.zones.put(trust)


class Job(msgspec.Struct):
    """What one client question may still cause, and what is under way for it.

    `guesses` are questions that were sent along because they may be needed, `flights` those that
    were. `began` is when that was, and `late_at` when guesses that have not been answered are late,
    in seconds of trio's clock. `blocked_by` is the upstream that has said that it blocks the name.
    """

    account: Account
    rung: Rung = USUAL
    flights: dict[Question, Flight[Said]] = msgspec.field(default_factory=dict)
    guesses: dict[Question, Flight[Said]] = msgspec.field(default_factory=dict)
    began: float = msgspec.field(default_factory=trio.current_time)
    late_at: float = math.inf
    blocked_by: str = ""


def job_within(limits: Limits) -> Job:
    """The job of a new client question."""
    return Job(Account(limits.upstream_queries, limits.upstream_records))


class Source(Protocol):
    """What the engine's questions are put to."""

    async def fetch(self, question: Question, rung: Rung, account: Account, /) -> Said:
        """The reply to a question, or why there is none."""

    async def guess(self, question: Question, account: Account, /) -> Said:
        """The same for a question that nobody may need."""


class Driver:
    """Runs the engine's generators over the upstreams."""

    def __init__(
        self,
        fetcher: Source,
        context: Context,
        clock: Clock,
        nursery: trio.Nursery,
        turns: Turns,
    ) -> None:
        self._fetcher = fetcher
        self._context = context
        self._clock = clock
        self._fetches: Flights[tuple[Question, Rung], Said] = Flights(nursery)
        self._guesses: Flights[Question, Said] = Flights(nursery)
        self._walks: Flights[tuple[Name, bool, Rung], ZoneTrust] = Flights(nursery)
        self._renewals: Flights[Name, ZoneTrust] = Flights(nursery)
        self._turns = turns

    def guess(self, questions: Iterable[Question], job: Job) -> None:
        """Send questions that will probably be needed, as queries on nobody's account."""
        for question in questions:
            guess = partial(self._fetcher.guess, question, job.account)
            job.guesses[question] = (
                self._fetches.find((question, USUAL))
                or self._guesses.find(question)
                or self._guesses.start(question, guess)
            )

    async def ask(
        self,
        question: Question,
        job: Job,
        soon: Iterable[Question] = (),
        *,
        is_certain: bool = False,
    ) -> Said:
        """What the upstreams say, on the job's account.

        `soon` are questions that will probably follow, and go along where there is a wait. Unless
        that `is_certain` they are held back while the reply to a guess is due, which may settle it.
        """
        said = await self._said(question, job, soon, is_certain=is_certain)
        job.blocked_by = job.blocked_by or blocker(said)
        return said

    async def _said(
        self, question: Question, job: Job, soon: Iterable[Question], *, is_certain: bool
    ) -> Said:
        """The reply to a guess where there is one.

        A guess that was refused, or is late, delays nothing: the question is asked in earnest, and
        the first reply counts.
        """
        guess = self._guess(question, job)
        if guess is not None and guess.landed is None:
            if is_certain:
                self._send_along(soon, job)
            await _in_time(guess, job)
        if guess is not None and isinstance(guess.landed, Response):
            return guess.landed
        flight = self._launch(question, job)
        if flight.landed is None:
            self._send_along(soon, job)
        if guess is None:
            return await flight.wait()
        return await first_that(_is_response, (guess.wait, flight.wait)) or await flight.wait()

    async def drive(self, asking: Asking[T], job: Job) -> T:
        """The result of a generator of the engine."""
        try:
            return await self._answer(asking, asking.send(None), job)
        except StopIteration as done:
            result: T = done.value
            return result

    async def _answer(
        self, asking: Asking[T], request: Request, job: Job, *, is_certain: bool = False
    ) -> T:
        """Go on with a generator that has made its first request."""
        while True:
            reply: Reply = None
            if isinstance(request, Ask):
                reply = await self.ask(request.question, job, request.soon, is_certain=is_certain)
            elif isinstance(request, AskZone):
                reply = await self._find_zone(request, job)
            await self._turns.give_way()  # what was asked for may have been there already
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
        walk = find_zone(request, self._context, self._clock.wall())
        try:
            first = walk.send(None)
        except StopIteration as done:
            known: ZoneTrust = done.value
            return known
        walked = partial(self._answer, walk, first, job, is_certain=request.is_signer)
        return await self._walks.start(key, walked).wait()

    def renew(self, trust: ZoneTrust, zones: KnownZones) -> bool:
        """Prove a zone anew, and what is due above it; returns whether that is begun by this."""
        if self._renewals.find(trust.zone):
            return False
        limits = self._context.limits
        request = AskZone(trust.zone, Budget(limits), trust.status is Status.SECURE)
        context = replace(self._context, zones=Renewing(zones))
        walk = find_zone(request, context, self._clock.wall())
        job = job_within(limits)
        self._renewals.start(trust.zone, partial(self.drive, walk, job))
        return True

    def _send_along(self, questions: Iterable[Question], job: Job) -> None:
        """Send what will probably follow, unless it was guessed in time."""
        is_late = trio.current_time() >= job.late_at
        for question in questions:
            guess = self._guess(question, job)
            if guess is None or (guess.landed is None and is_late):
                self._launch(question, job)

    def _guess(self, question: Question, job: Job) -> Flight[Said] | None:
        """The guess that may answer a question: this job's or another's; None if it was in vain."""
        if question in job.flights or job.rung != USUAL:
            return None
        guess = job.guesses.get(question) or self._guesses.find(question)
        return None if guess is None or isinstance(guess.landed, Unanswered) else guess

    def _launch(self, question: Question, job: Job) -> Flight[Said]:
        """The flight of a question: the job's own, one that others have sent, or a new one."""
        key = (question, job.rung)
        flight = job.flights.get(question) or self._fetches.find(key)
        if flight is None:
            if job.account.queries <= 0:
                return _landed(Unanswered(question, (), over_limit=True))
            job.account.queries -= 1
            fetch = partial(self._fetcher.fetch, question, job.rung, job.account)
            flight = self._fetches.start(key, fetch)
        job.flights[question] = flight
        return flight


async def _in_time(guess: Flight[Said], job: Job) -> None:
    """Wait for a guess until the guesses of the job are late."""
    now = trio.current_time()
    if job.late_at == math.inf:
        job.late_at = now + min(max(SHORTEST_GRACE, now - job.began), LONGEST_GRACE)
    with trio.CancelScope(deadline=job.late_at):
        await guess.wait()


def _is_response(said: Said) -> bool:
    return isinstance(said, Response)


def _landed(said: Said) -> Flight[Said]:
    flight: Flight[Said] = Flight()
    flight.land(said)
    return flight
