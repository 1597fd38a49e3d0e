"""The walk of a query, from top to bottom.

    local     a name that the hosts file or the list of special names answers?
    cache     a fresh answer?
    flight    the same question under way? then wait for that
    fetch     the upstreams of its route, and beside it what its chain will probably need
    validate  the engine proves the response, asking for what it lacks
    again     where that fails: the same in other ways (`again`)
    cache     kept for as long as its records, signatures and proofs allow

Whatever the data say or the world does, there is an `Answer` at the end.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import trio

from anchord.cache.policy import bounded
from anchord.cache.store import AnswerCache
from anchord.cache.zones import ZoneCache
from anchord.dnssec.algorithms import Supported
from anchord.dnssec.anchors import TrustAnchors
from anchord.dnssec.asking import Context, Work, ZoneTrust
from anchord.dnssec.engine import validate
from anchord.dnssec.limits import Budget, Limits
from anchord.model import names, rcodes
from anchord.model.clock import Clock
from anchord.model.ede import Ede, EdeCode
from anchord.model.names import Name
from anchord.model.question import ClientFlags, Question
from anchord.model.response import Unanswered
from anchord.model.verdict import Answer, Status, Verdict
from anchord.upstream.base import Upstream

from .again import LADDER, block_signal, first_that_holds, may_be_better, rungs
from .chain import Account, Driver, Job, KnownZones
from .fetch import Fetcher, passed_on
from .flight import Flight, Flights
from .routes import Routes
from .special import SpecialAnswer, SpecialNames
from .speculate import chain_questions

PATIENCE_FOR_PROOFS = 0.4
"""Seconds that a local answer waits for the root's proof of it: without a network, too, it must be
there before anybody notices."""

Hosts = Callable[[Question], Answer | None]
"""What the hosts file says to a question."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a resolver is told: sizes in octets, times in seconds."""

    anchors: TrustAnchors
    limits: Limits = field(default_factory=Limits)
    supported: Supported = field(default_factory=Supported)
    cache_size: int = 64 * 1024 * 1024
    timeout: float = 4.0


class Resolver:
    """Answers questions. Its work in flight runs in `nursery`, and ends with it."""

    def __init__(
        self,
        settings: Settings,
        routes: Routes,
        special: SpecialNames,
        hosts: Hosts,
        clock: Clock,
        nursery: trio.Nursery,
    ) -> None:
        self._settings = settings
        self._routes = routes
        self._special = special
        self._hosts = hosts
        self._clock = clock
        self.cache = AnswerCache(settings.cache_size)
        self._zone_cache: ZoneCache[ZoneTrust] = ZoneCache()
        self._zones = KnownZones(self._zone_cache, clock)
        self._context = Context(settings.anchors, self._zones, settings.limits, settings.supported)
        self.fetcher = Fetcher(routes, timeout=settings.timeout)
        self._driver = Driver(self.fetcher.fetch, self._context, clock, nursery)
        self._flights: Flights[Question, Answer] = Flights(nursery)
        self._first_attempts: dict[Question, Flight[Answer]] = {}

    async def resolve(self, question: Question, flags: ClientFlags) -> Answer:
        """The answer to a client's question."""
        local = self._hosts(question)
        if local is not None:
            return local
        special = self._special.answer(question)
        if special is not None:
            return await self._special_answer(special, flags)
        return await self._answer(question, flags)

    def flush(self, name: Name | None = None) -> int:
        """Forget a name and what is below it, or everything; returns how many answers went."""
        self._zone_cache.flush(name)
        if name is None:
            self._context.memo.clear()
        return self.cache.flush(name)

    @property
    def upstreams(self) -> dict[str, Upstream]:
        """Every upstream, under its URL and the zone that it is for."""
        return {
            str(upstream)
            if route.is_general
            else f"{upstream} for {names.to_text(route.domain)}": upstream
            for route in self._routes
            for upstream in route.upstreams
        }

    def counts(self) -> dict[str, int]:
        """For the statistics: what is kept, how it served, and what was asked."""
        return {
            "answers": len(self.cache),
            "bytes": self.cache.bytes_used,
            "capacity": self.cache.capacity,
            "hits": self.cache.hits,
            "misses": self.cache.misses,
            "evictions": self.cache.evictions,
            "zones": len(self._zone_cache),
            "upstream_queries": self.fetcher.queries,
        }

    async def _special_answer(self, special: SpecialAnswer, flags: ClientFlags) -> Answer:
        """A local answer, with the root's own proof where it is wanted and can be had."""
        wants_proof = flags.dnssec_ok or special.only_root_knows
        if special.denial is None or not wants_proof:
            return special.answer
        with trio.move_on_after(PATIENCE_FOR_PROOFS):
            return special.proven(await self._answer(special.denial, flags))
        return special.answer

    async def _answer(self, question: Question, flags: ClientFlags) -> Answer:
        if entry := self.cache.get(question, self._clock.monotonic()):
            answer = entry.aged(self._clock.monotonic())
            return _as_cached_error(answer) if answer.verdict.status.is_failure else answer
        if not flags.recursion_desired:
            return _not_asked(question)
        flight = self._flights.find(question)
        if flight is None:
            self._first_attempts[question] = Flight()
            flight = self._flights.start(question, lambda: self._resolve(question))
        if flags.checking_disabled:  # checks for itself: it gets the data before we ask again
            flight = self._first_attempts[question]
        return await flight.wait()

    async def _resolve(self, question: Question) -> Answer:
        """Fetch, validate, keep: within the time that a client query may take as a whole."""
        deadline = trio.current_time() + self._settings.timeout
        first_attempt = self._first_attempts[question]
        account = Account(self._settings.limits.upstream_queries)
        try:
            await first_attempt.run(lambda: self._attempt(question, Job(account), deadline))
            answer = await first_attempt.wait()
            if may_be_better(answer):
                answer = await self._ask_again(question, answer, deadline)
        finally:
            del self._first_attempts[question]
        self.cache.put(question, answer, self._clock.monotonic())
        return answer

    async def _ask_again(self, question: Question, answer: Answer, deadline: float) -> Answer:
        """The first answer that holds, of all the ways to ask; else the one that was there."""
        account = Account(self._settings.limits.repeated_queries)
        deadline = min(deadline, trio.current_time() + LADDER)
        better = await first_that_holds(
            [
                partial(self._attempt, question, Job(account, rung), deadline)
                for rung in rungs(self._routes.of(question), answer)
            ]
        )
        if better is None:
            return answer
        if better.upstream != answer.upstream:
            self.fetcher.distrust(answer.upstream)
        return better

    async def _attempt(self, question: Question, job: Job, deadline: float) -> Answer:
        """One way of asking, with what comes of it."""
        with trio.CancelScope(deadline=deadline):
            return bounded(await self._fetch_and_validate(question, job))
        return bounded(self._late(question))

    async def _fetch_and_validate(self, question: Question, job: Job) -> Answer:
        self._driver.speculate(self._guesses(question), job)
        said = await self._driver.ask(question, job)
        if isinstance(said, Unanswered):
            return _unanswered(said)
        work = Work(self._context, Budget(self._settings.limits), self._clock.wall())
        answer = await self._driver.drive(validate(said, work), job)
        edes = (*answer.edes, *passed_on(said))
        if answer.verdict.status.is_failure and (blocked := block_signal(said)):
            edes = (*edes, blocked)
        return replace(answer, edes=edes)

    def _guesses(self, question: Question) -> list[Question]:
        """Chain questions worth sending along; none for what the general route does not know."""
        if not self._routes.of(question).is_general:
            return []
        known = self._zones.closest(question.name)
        if known is not None and known.status is not Status.SECURE:
            return []
        return chain_questions(question.name, known.zone if known else None, self._zones.signed)

    def _late(self, question: Question) -> Answer:
        text = f"no answer within {self._settings.timeout:g} seconds"
        return _unanswered(Unanswered(question, (Ede(EdeCode.NETWORK_ERROR, text),)))


# ------------ Answers that are none ------------


def _unanswered(said: Unanswered) -> Answer:
    """Nothing could be had from any upstream."""
    edes = said.edes or (Ede(EdeCode.NETWORK_ERROR, "no upstream is configured for this name"),)
    return Answer(
        question=said.question,
        rcode=rcodes.SERVFAIL,
        answer=(),
        authority=(),
        verdict=Verdict(Status.UNOBTAINABLE),
        ttl=0,
        edes=edes,
    )


def _as_cached_error(answer: Answer) -> Answer:
    """A failure told again: the original reasons first, then that it is remembered (RFC 9520)."""
    text = f"remembered for another {answer.ttl} seconds"
    return replace(answer, edes=(*answer.edes, Ede(EdeCode.CACHED_ERROR, text)))


def _not_asked(question: Question) -> Answer:
    """A client that forbids to ask further, for what is not known here (RFC 8914 section 4.21)."""
    text = "this is not in the cache, and the query has RD=0"
    return Answer(
        question=question,
        rcode=rcodes.REFUSED,
        answer=(),
        authority=(),
        verdict=Verdict(Status.INDETERMINATE),
        ttl=0,
        edes=(Ede(EdeCode.NOT_AUTHORITATIVE, text),),
    )
