"""The way of a question upstream and back.

    recall    kept over a restart, and proven again? (`recall`)
    fetch     the upstreams of its route, and beside it what its chain will probably need (`chain`)
    validate  the engine proves the response, asking for what it lacks
    again     where that fails: the same in other ways (`again`)

What is under way at the same time shares its queries and what they prove. A flush ends such a time:
whoever waits is still told, but nothing that began before it is remembered after it, and whoever
comes later begins anew.
"""

from collections.abc import Awaitable, Callable
from functools import partial

import msgspec
import trio
from msgspec.structs import replace

from anchord.cache.persisted import Evidence
from anchord.cache.policy import bounded
from anchord.dnssec.asking import Context, Work
from anchord.dnssec.engine import validate
from anchord.dnssec.limits import Budget
from anchord.model import names, rcodes, rdtypes
from anchord.model.clock import Clock
from anchord.model.ede import Ede, EdeCode
from anchord.model.question import ClientFlags, Question
from anchord.model.response import Response, Unanswered
from anchord.model.verdict import Answer, Checked, Status, without_records

from .again import LADDER, may_be_better, rungs
from .chain import Driver, Job, KnownZones, job_within
from .fetch import Account, Fetcher, passed_on
from .filtering import suspicion
from .flight import Flight, Flights, first_that
from .recall import Recall
from .routes import Route, Routes
from .speculate import chain_questions
from .turns import Turns


class Means(msgspec.Struct, frozen=True):
    """What every inquiry has at hand. `timeout` is of a whole client query, in seconds.

    `ask` puts another question to the resolver, `keep` tells it what has come of one.
    """

    fetcher: Fetcher
    routes: Routes
    clock: Clock
    nursery: trio.Nursery
    timeout: float
    turns: Turns
    ask: Callable[[Question], Awaitable[Answer]]
    keep: Callable[[Question, Answer], None]


class Inquiries:
    """The inquiries from one flush to the next. `context` has what is believed and known.

    `evidence` is what was kept over a restart.
    """

    def __init__(
        self, means: Means, context: Context, zones: KnownZones, evidence: Evidence | None
    ) -> None:
        self.context = context
        self.zones = zones
        self.driver = Driver(means.fetcher, context, means.clock, means.nursery, means.turns)
        self.recall: Recall | None = None
        if evidence is not None:
            self.recall = Recall(evidence, context, means.clock, means.nursery, means.turns)
        self._means = means
        self._limits = context.limits
        self._is_over = False
        self._flights: Flights[Question, Answer] = Flights(means.nursery)
        self._first_attempts: dict[Question, Flight[Answer]] = {}

    def end(self) -> None:
        """From now on nothing is remembered of what is under way."""
        self._is_over = True
        self.zones.end()

    @property
    def recalled(self) -> int:
        """Answers that were kept over a restart and have been proven again."""
        return self.recall.proven if self.recall else 0

    def flight(self, question: Question) -> Flight[Answer]:
        """The inquiry into a question: the one that is under way, or a new one."""
        flight = self._flights.find(question)
        if flight is None:
            self._first_attempts[question] = Flight()
            flight = self._flights.start(question, partial(self._resolve, question))
        return flight

    async def wait(self, question: Question, flags: ClientFlags) -> Answer:
        """What comes of the inquiry into a question, as early as this client may have it."""
        flight = self.flight(question)
        if flags.checking_disabled:  # checks for itself: it gets the data before we ask again
            first = await self._first_attempts[question].wait()
            if first.upstream:
                return first
        return await flight.wait()

    async def _resolve(self, question: Question) -> Answer:
        """Fetch, validate, keep: within the time that a client query may take as a whole."""
        deadline = trio.current_time() + self._means.timeout
        first_attempt = self._first_attempts[question]
        job = job_within(self._limits)
        try:
            await first_attempt.run(partial(self._first_attempt, question, job, deadline))
            answer = await first_attempt.wait()
            if may_be_better(answer) and not job.blocked_by:
                answer = await self._ask_again(question, answer, deadline)
        finally:
            del self._first_attempts[question]
        if not self._is_over:
            self._means.keep(question, answer)
        return answer

    async def _first_attempt(self, question: Question, job: Job, deadline: float) -> Answer:
        """What was kept over a restart, where it holds; else what the upstreams say."""
        if self.recall and (answer := await self.recall.answer(question)):
            return answer
        self.driver.guess(self._guesses(question), job)
        return await self._attempt(question, job, deadline)

    def _guesses(self, question: Question) -> list[Question]:
        """Chain questions worth sending along.

        None for what the general route does not know, for what is not checked, below a zone that
        is known to be insecure, and while an upstream has too much to do.
        """
        name = question.holder
        anchor = self.context.anchors.closest(name)
        is_checked = self.context.anchors.negative(name, self._means.clock.wall()) is None
        if (
            anchor is None
            or not is_checked
            or not self._means.routes.of(question).is_general
            or not self._means.fetcher.may_guess
        ):
            return []
        known = self.zones.closest(name)
        if known is None or not names.is_at_or_below(known.zone, anchor.zone):
            top, is_proven = anchor.zone, False
        elif known.status is Status.SECURE:
            top, is_proven = known.zone, True
        else:
            return []
        signed, signing = self.zones.signed, self.zones.signing
        guesses = chain_questions(name, top, signed, signing, is_proven=is_proven)
        return [guess for guess in guesses if guess != question]

    async def _ask_again(self, question: Question, answer: Answer, deadline: float) -> Answer:
        """The first answer that holds, of all the ways to ask; else the one that was there."""
        account = Account(self._limits.repeated_queries, self._limits.upstream_records)
        deadline = min(deadline, trio.current_time() + LADDER)
        upstreams = self._means.fetcher.in_order(self._means.routes.of(question))
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
            self._means.fetcher.distrust(answer.upstream)
        return better

    async def _attempt(self, question: Question, job: Job, deadline: float) -> Answer:
        """One way of asking, with what has come of it by the deadline."""
        said: Response | Unanswered | None = None
        answer: Answer | None = None
        hints: list[Ede] = []
        with trio.CancelScope(deadline=deadline):
            said = await self.driver.ask(question, job)
            if isinstance(said, Response):
                answer = await self._judge(said, job)
            elif question.rdtype == rdtypes.ANY and not job.blocked_by:
                answer = await self._one_of_any(said, job, deadline)
            else:
                answer = _unanswered(said)
            hints = await self._hints(answer, job)
        if answer is None:
            late = Ede(EdeCode.NETWORK_ERROR, f"no answer within {self._means.timeout:g} seconds")
            answer = _unproven(said or Unanswered(question, ()), late)
        passed = passed_on(said) if isinstance(said, Response) else []
        first = 0 if answer.verdict.flaws else 1  # the cause itself comes before every hint
        edes = (*answer.edes[:first], *hints, *answer.edes[first:], *passed)
        return bounded(replace(answer, edes=edes) if edes != answer.edes else answer)

    async def _judge(self, said: Response, job: Job) -> Answer:
        """The engine's verdict."""
        work = Work(self.context, Budget(self._limits), self._means.clock.wall())
        return await self.driver.drive(validate(said, work), job)

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
        route = self._means.routes.of(
            Question(answer.verdict.flaws[0].name, answer.question.rdtype)
        )
        hint = suspicion(answer) if route.is_general else await self._unknown_zone(route)
        return [hint] if hint else []

    async def _unknown_zone(self, route: Route) -> Ede | None:
        """That a zone of the configuration fails because its parent proves that there is none."""
        parents = await self._means.ask(Question(route.domain, rdtypes.DS))
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


def _unproven(said: Response | Unanswered, reason: Ede) -> Answer:
    """What an upstream said, if it did, when there was no time to prove it."""
    failure = _failure(said.question, reason)
    if isinstance(said, Unanswered):
        return failure
    answer = tuple(Checked(rrset, Status.UNOBTAINABLE) for rrset in said.answer)
    return replace(failure, rcode=said.rcode, answer=answer, upstream=said.upstream)


def _failure(question: Question, *causes: Ede) -> Answer:
    indeterminate = Ede(EdeCode.DNSSEC_INDETERMINATE, f"nothing could be proven about {question}")
    edes = (*causes[:1], indeterminate, *causes[1:])
    return without_records(question, rcodes.SERVFAIL, Status.UNOBTAINABLE, *edes)
