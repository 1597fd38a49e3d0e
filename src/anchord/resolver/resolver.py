"""The walk of a query, from top to bottom.

    local     a name that the hosts file or the list of special names answers?
    cache     a fresh answer?
    flight    the same question under way? then wait for that
    recall    kept over a restart, and proven again? (`recall`)
    fetch     the upstreams of its route, and beside it what its chain will probably need (`chain`)
    validate  the engine proves the response, asking for what it lacks
    again     where that fails: the same in other ways (`again`)
    cache     kept for as long as its records, signatures and proofs allow

Whatever the data say or the world does, there is an `Answer` at the end.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import msgspec
import trio
from msgspec.structs import replace

from anchord.cache.persisted import Evidence
from anchord.cache.policy import bounded
from anchord.cache.store import AnswerCache, Entry
from anchord.cache.zones import ZoneCache
from anchord.dnssec.algorithms import Supported
from anchord.dnssec.anchors import TrustAnchors
from anchord.dnssec.asking import Context, Work, ZoneTrust
from anchord.dnssec.engine import validate
from anchord.dnssec.limits import Budget, Limits
from anchord.model import names, rcodes, rdtypes
from anchord.model.clock import Clock
from anchord.model.ede import Ede, EdeCode
from anchord.model.names import Name
from anchord.model.question import ClientFlags, Question
from anchord.model.response import Response, Unanswered
from anchord.model.verdict import Answer, Checked, Status, Verdict
from anchord.upstream.base import Upstream
from anchord.upstream.choice import Strategy

from .again import LADDER, may_be_better, rungs
from .chain import Account, Driver, Job, KnownZones
from .fetch import Fetcher, passed_on
from .filtering import suspicion
from .flight import Flight, Flights, first_that
from .keep import Wanted, records
from .recall import Recall
from .routes import Route, Routes
from .special import SpecialAnswer, SpecialNames
from .speculate import chain_questions

PATIENCE_FOR_PROOFS = 0.4
"""Seconds that a local answer waits for the root's proof of it: without a network, too, it must be
there before anybody notices."""

FETCHING = 0.95
"""The share of a client query's time that an upstream query may take: so it ends before the client
query does, and the upstream that was silent can be named."""

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
    strategy: Strategy = Strategy.ORDERED


class Known(NamedTuple):
    """An answer that is there already, and the cache entry that it is from if it is from one."""

    answer: Answer
    entry: Entry | None = None


class Resolver:
    """Answers questions. Its work in flight runs in `nursery`, and ends with it.

    `evidence` is what was kept over a restart.
    """

    def __init__(
        self,
        settings: Settings,
        routes: Routes,
        special: SpecialNames,
        hosts: Hosts,
        clock: Clock,
        nursery: trio.Nursery,
        evidence: Evidence | None = None,
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
        self._fetcher = Fetcher(
            routes, nursery, timeout=settings.timeout * FETCHING, strategy=settings.strategy
        )
        self._driver = Driver(self._fetcher, self._context, clock, nursery)
        self._recall: Recall | None = None
        if evidence is not None:
            self._recall = Recall(evidence, self._context, clock, nursery)
            self._zones.recall(evidence.signed)
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

    def known(self, question: Question, flags: ClientFlags) -> Known | None:
        """The same answer, where nobody has to be asked: a local name, or a fresh cache entry."""
        local = self._hosts(question)
        if local is not None:
            return Known(local)
        special = self._special.answer(question)
        if special is not None:
            return None if _needs_proof(special, flags) else Known(special.answer)
        now = self._clock.monotonic()
        entry = self.cache.find(question, now)
        return Known(_told(entry, now), entry) if entry else None

    def fresh(self, question: Question) -> Entry | None:
        """The cache entry that `known` would tell now, if it would tell one."""
        if self._hosts(question) is not None or self._special.answer(question) is not None:
            return None
        return self.cache.find(question, self._clock.monotonic())

    def flush(self, name: Name | None = None) -> int:
        """Forget a name and what is below it, or everything; returns how many answers went."""
        self._zones.flush(name)
        if self._recall:
            self._recall.evidence.flush(name)
        if name is None:
            self._context.memo.clear()
        return self.cache.flush(name)

    def records(self, is_wanted: Wanted) -> Iterator[tuple[bytes, msgspec.Raw]]:
        """What is to be kept over a restart, the most valuable first (see `keep`).

        `is_wanted` tells of an answer whether it may be.
        """
        yield from records(self.cache, self._zone_cache, is_wanted, self._clock)
        if self._recall:
            yield from self._recall.evidence.records(self._clock.wall())

    @property
    def signed(self) -> list[Name]:
        """Zones that were proven secure when last seen."""
        return list(self._zones.signed)

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

    def upstream_counts(self) -> dict[str, dict[str, int | float | str]]:
        """For the statistics: whether each upstream answers, and what it has done."""
        return {
            name: {
                "state": "up" if self._fetcher.is_up(upstream) else "down",
                **upstream.counters.snapshot(),
            }
            for name, upstream in self.upstreams.items()
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
            "recalled": self._recall.proven if self._recall else 0,
            "zones": len(self._zone_cache),
            "upstream_queries": self._fetcher.queries,
        }

    async def _special_answer(self, special: SpecialAnswer, flags: ClientFlags) -> Answer:
        """A local answer, with the root's own proof where it is wanted and can be had."""
        if special.denial is None or not _needs_proof(special, flags):
            return special.answer
        with trio.move_on_after(PATIENCE_FOR_PROOFS):
            return special.proven(await self._answer(special.denial, flags))
        return special.answer

    async def _answer(self, question: Question, flags: ClientFlags) -> Answer:
        now = self._clock.monotonic()
        if entry := self.cache.get(question, now):
            return _told(entry, now)
        if not flags.recursion_desired:
            return _not_asked(question)
        flight = self._flights.find(question)
        if flight is None:
            self._first_attempts[question] = Flight()
            flight = self._flights.start(question, partial(self._resolve, question))
        if flags.checking_disabled:  # checks for itself: it gets the data before we ask again
            first = await self._first_attempts[question].wait()
            if first.upstream:
                return first
        return await flight.wait()

    async def _resolve(self, question: Question) -> Answer:
        """Fetch, validate, keep: within the time that a client query may take as a whole."""
        deadline = trio.current_time() + self._settings.timeout
        first_attempt = self._first_attempts[question]
        job = Job(Account(self._settings.limits.upstream_queries))
        try:
            await first_attempt.run(partial(self._first_attempt, question, job, deadline))
            answer = await first_attempt.wait()
            if may_be_better(answer) and not job.blocked_by:
                answer = await self._ask_again(question, answer, deadline)
        finally:
            del self._first_attempts[question]
        self.cache.put(question, answer, self._clock.monotonic())
        return answer

    async def _first_attempt(self, question: Question, job: Job, deadline: float) -> Answer:
        """What was kept over a restart, where it holds; else what the upstreams say."""
        if self._recall and (answer := await self._recall.answer(question)):
            return answer
        self._driver.guess(self._guesses(question), job)
        return await self._attempt(question, job, deadline)

    def _guesses(self, question: Question) -> list[Question]:
        """Chain questions worth sending along.

        None for what the general route does not know, for what is not checked, below a zone that
        is known to be insecure, and while an upstream has too much to do.
        """
        name = question.holder
        anchor = self._context.anchors.closest(name)
        is_checked = self._context.anchors.negative(name, self._clock.wall()) is None
        if (
            anchor is None
            or not is_checked
            or not self._routes.of(question).is_general
            or not self._fetcher.may_guess
        ):
            return []
        known = self._zones.closest(name)
        if known is None or not names.is_at_or_below(known.zone, anchor.zone):
            top, is_proven = anchor.zone, False
        elif known.status is Status.SECURE:
            top, is_proven = known.zone, True
        else:
            return []
        signed, signing = self._zones.signed, self._zones.signing
        guesses = chain_questions(name, top, signed, signing, is_proven=is_proven)
        return [guess for guess in guesses if guess != question]

    async def _ask_again(self, question: Question, answer: Answer, deadline: float) -> Answer:
        """The first answer that holds, of all the ways to ask; else the one that was there."""
        account = Account(self._settings.limits.repeated_queries)
        deadline = min(deadline, trio.current_time() + LADDER)
        upstreams = self._fetcher.in_order(self._routes.of(question))
        better = await first_that(
            _holds,
            [
                partial(self._attempt, question, Job(account, rung), deadline)
                for rung in rungs(upstreams, answer)
            ],
        )
        if better is None:
            return answer
        if better.upstream != answer.upstream:
            self._fetcher.distrust(answer.upstream)
        return better

    async def _attempt(self, question: Question, job: Job, deadline: float) -> Answer:
        """One way of asking, with what has come of it by the deadline."""
        late = Ede(EdeCode.NETWORK_ERROR, f"no answer within {self._settings.timeout:g} seconds")
        answer = _unanswered(Unanswered(question, (late,)))
        passed: list[Ede] = []
        hints: list[Ede] = []
        with trio.CancelScope(deadline=deadline):
            said = await self._driver.ask(question, job)
            if isinstance(said, Response):
                answer, passed = _unproven(said, late), passed_on(said)
                answer = await self._judge(said, job)
            elif question.rdtype == rdtypes.ANY and not job.blocked_by:
                answer = await self._one_of_any(said, job, deadline)
            else:
                answer = _unanswered(said)
            hints = await self._hints(answer, job)
        first = 0 if answer.verdict.flaws else 1  # the cause itself comes before every hint
        edes = (*answer.edes[:first], *hints, *answer.edes[first:], *passed)
        return bounded(replace(answer, edes=edes))

    async def _judge(self, said: Response, job: Job) -> Answer:
        """The engine's verdict."""
        work = Work(self._context, Budget(self._settings.limits), self._clock.wall())
        return await self._driver.drive(validate(said, work), job)

    async def _one_of_any(self, said: Unanswered, job: Job, deadline: float) -> Answer:
        """An answer to ANY where every upstream declines it: one set is enough (RFC 8482 4.1).

        That is the addresses, or that the name does not exist; no more follows from them.
        """
        question = said.question
        one = await self._attempt(Question(question.name, rdtypes.A), job, deadline)
        own = [c for c in one.answer if c.rrset.name == question.name]
        has_data = any(checked.rrset.rdtype == rdtypes.A for checked in own)
        is_absent = one.rcode == rcodes.NXDOMAIN and not own
        if one.verdict.status.is_failure or not (has_data or is_absent):
            return _unanswered(said)
        return replace(one, question=question)

    async def _hints(self, answer: Answer, job: Job) -> list[Ede]:
        """What may be behind a failure, beside the reasons that the engine has."""
        if answer.verdict.status.is_failure and job.blocked_by:
            return [Ede(EdeCode.BLOCKED, f"{job.blocked_by} blocks this name")]
        if answer.verdict.status is not Status.BOGUS:
            return []
        route = self._routes.of(Question(answer.verdict.flaws[0].name, answer.question.rdtype))
        hint = suspicion(answer) if route.is_general else await self._unknown_zone(route)
        return [hint] if hint else []

    async def _unknown_zone(self, route: Route) -> Ede | None:
        """That a zone of the configuration fails because its parent proves that there is none."""
        parents = await self._answer(Question(route.domain, rdtypes.DS), ClientFlags())
        if parents.verdict.status is not Status.SECURE or parents.answer:
            return None
        holder, zone = parents.verdict.chain[-1].zone, names.to_text(route.domain)
        who = "the root" if holder == names.ROOT else names.to_text(holder)
        text = f'{who} denies that there is a zone {zone}: set dnssec = "insecure" in its [[zone]]'
        return Ede(EdeCode.OTHER, text)


def _holds(answer: Answer) -> bool:
    return not answer.verdict.status.is_failure


# ------------ Answers that are none ------------


def _unanswered(said: Unanswered) -> Answer:
    """Nothing could be had from any upstream."""
    return _failure(said.question, *said.edes)


def _unproven(said: Response, reason: Ede) -> Answer:
    """What an upstream said, when there was no time to prove it."""
    answer = tuple(Checked(rrset, Status.UNOBTAINABLE) for rrset in said.answer)
    failure = _failure(said.question, reason)
    return replace(failure, rcode=said.rcode, answer=answer, upstream=said.upstream)


def _failure(question: Question, *causes: Ede) -> Answer:
    indeterminate = Ede(EdeCode.DNSSEC_INDETERMINATE, f"nothing could be proven about {question}")
    return Answer(
        question=question,
        rcode=rcodes.SERVFAIL,
        answer=(),
        authority=(),
        verdict=Verdict(Status.UNOBTAINABLE),
        ttl=0,
        edes=(*causes[:1], indeterminate, *causes[1:]),
    )


def _needs_proof(special: SpecialAnswer, flags: ClientFlags) -> bool:
    """Whether the root's own proof of a local answer is to be fetched."""
    return special.denial is not None and (flags.dnssec_ok or special.only_root_knows)


def _told(entry: Entry, now: float) -> Answer:
    """What a client gets from the cache."""
    answer = entry.aged(now)
    return _as_cached_error(answer) if answer.verdict.status.is_failure else answer


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
