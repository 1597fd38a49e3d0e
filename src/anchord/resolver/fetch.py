"""One question to the upstreams of its route, one after the other until one has a usable answer.

Who comes first is for `upstream.choice`: the general route's upstreams by the strategy that is
configured, a zone's in the order in which they are written.

How it is asked is a `Rung`: usually of all upstreams in turn and with CD set, so that a validating
upstream hands over what it would refuse itself (RFC 6840 section 5.9). DO is always set: there is
no notion of an upstream that cannot do DNSSEC, only of answers that cannot be proven. The one
exception are zones that are configured as insecure, whose servers may be from before EDNS.

Whatever goes wrong comes back as the value `Unanswered`, with Extended DNS Errors that name the
upstream and the cause. A reply is usable if it is well-formed, answers the question, and has a code
that says something about the name.
"""

import logging
import math
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import msgspec
import trio
from msgspec.structs import replace

from anchord.dnssec.classify import tell
from anchord.dnssec.limits import Limits
from anchord.model import rcodes, rdtypes
from anchord.model.ede import Ede, EdeCode
from anchord.model.names import ROOT, Name
from anchord.model.question import Question
from anchord.model.response import Response, RRset, Unanswered
from anchord.upstream.base import Upstream, UpstreamError
from anchord.upstream.choice import (
    RESTING,
    Chooser,
    Strategy,
    domain_of,
    standing_of,
)
from anchord.wire.errors import FormError
from anchord.wire.message import is_truncated, read_in_steps, record_count
from anchord.wire.query import write_plain_query, write_query

from .filtering import blocker
from .routes import Route, Routes
from .turns import Turns
from .vigil import Vigil

logger = logging.getLogger(__name__)

USABLE = (rcodes.NOERROR, rcodes.NXDOMAIN, rcodes.YXDOMAIN)
"""Codes that say something about the name; the others are about the server."""

ATTEMPT = 0.4
"""The share of the time limit that one upstream has while others are left to be asked: two of them,
and time for the chain, fit into it."""

MOST_REFUSALS = 3
"""Upstreams that may answer a question with a useless code before it is given up: more of them need
not learn of a name that none can resolve (RFC 9520 section 3.1)."""

LIMITED = RESTING
"""Seconds for which nothing is guessed after an upstream has said that it gets too many queries."""

PROBE = Question(ROOT, rdtypes.NS)
"""What an upstream is asked in order to see whether it is there, and how fast: it knows that by
heart, and learns nothing from it."""

DISTRUSTED = 300.0
"""Seconds for which an upstream is asked last after another one could prove what it could not: so
long that what strips signatures is not met at every name, and yet a passing fault is forgotten."""


class Rung(msgspec.Struct, frozen=True):
    """A way of asking: of one upstream alone, or of all of the route; with CD set or without."""

    upstream: Upstream | None = None
    checking_disabled: bool = True


USUAL = Rung()
"""How everything is asked at first."""


class Account(msgspec.Struct):
    """How many upstream queries may still be caused, and records in their replies be read."""

    queries: int
    records: int


class Errand(msgspec.Struct, frozen=True):
    """One question on its way: by which route and in which way, and who pays for reading replies.

    Nobody does for a probe.
    """

    question: Question
    route: Route
    rung: Rung = USUAL
    account: Account | None = None


TOO_MUCH = Ede(EdeCode.DNSSEC_BOGUS, "the replies to one question have too many records")


class Fetcher:
    """Asks upstreams. `timeout` bounds one question in seconds, all upstreams included.

    `strategy` is for the general route. Probes run in the nursery; `chance` draws where it is asked
    to. Long replies are read in `turns`.
    """

    def __init__(
        self,
        routes: Routes,
        nursery: trio.Nursery,
        *,
        timeout: float,
        strategy: Strategy = Strategy.ORDERED,
        chance: random.Random | None = None,
        turns: Turns | None = None,
    ) -> None:
        self._routes = routes
        self._nursery = nursery
        self._turns = turns or Turns()
        self._timeout = timeout
        chance = chance or random.SystemRandom()
        self._choosers = {
            route.domain: Chooser(
                {
                    upstream: standing_of(str(upstream), upstream.counters.round_trip)
                    for upstream in route.upstreams
                },
                strategy if route.is_general else Strategy.ORDERED,
                chance,
            )
            for route in routes
        }
        self._vigils = {
            (route.domain, upstream): Vigil(
                chooser.standings[upstream],
                upstream.counters,
                nursery,
                patience=partial(chooser.patience, upstream),
                probe=partial(self._probe, upstream, route),
                note=partial(self._note, upstream, route),
            )
            for route, chooser in zip(routes, self._choosers.values(), strict=True)
            for upstream in route.upstreams
        }
        self._distrusted_until: dict[Upstream, float] = {}
        self._limited_until = -math.inf
        self.queries = 0
        """Queries sent, for the statistics."""

    async def fetch(
        self, question: Question, rung: Rung = USUAL, account: Account | None = None
    ) -> Response | Unanswered:
        """What the upstreams of the question's route have to say, if the account has room for it.

        An upstream of another route is never asked, whatever the rung says; nor is another one
        once an upstream has said that it blocks the name.
        """
        route = self._routes.of(question)
        upstreams, hedge_after = self._plan(question, route)
        if rung.upstream in upstreams:
            upstreams, hedge_after = [rung.upstream], math.inf
        last = upstreams[-1]
        errand = Errand(question, route, rung, account)
        deadline = trio.current_time() + self._timeout
        edes: list[Ede] = []
        refusals = 0

        async def ask(upstream: Upstream) -> Response | Ede:
            if upstream is last:
                return await self._ask_and_note(upstream, errand, deadline)
            limit = min(trio.current_time() + self._timeout * ATTEMPT, deadline)
            with self._vigils[route.domain, upstream].kept():
                return await self._ask_and_note(upstream, errand, limit)
            return Ede(EdeCode.NETWORK_ERROR, f"{upstream} has fallen silent")

        while upstreams:
            heard = await self._hedged(upstreams, hedge_after, ask, route)
            upstreams = [upstream for upstream in upstreams if upstream not in heard]
            hedge_after = math.inf
            answers = [said for said in heard.values() if isinstance(said, Response)]
            for said in answers:
                if said.rcode in USABLE:
                    return self._up_to_border(said, route)
            edes += [ede for said in heard.values() for ede in _reasons(said)]
            refusals += len(answers)
            if TOO_MUCH in edes:
                return Unanswered(question, tuple(edes), over_limit=True)
            blocked_by = next(filter(None, map(blocker, answers)), "")
            if blocked_by or refusals >= MOST_REFUSALS:
                return Unanswered(question, tuple(edes), blocked_by=blocked_by)
            if answers:  # by another way, the same server says the same
                upstreams = self._choosers[route.domain].elsewhere(heard, upstreams)
        return Unanswered(question, tuple(edes))

    async def _hedged(
        self,
        upstreams: Sequence[Upstream],
        after: float,
        ask: Callable[[Upstream], Awaitable[Response | Ede]],
        route: Route,
    ) -> dict[Upstream, Response | Ede]:
        """What the first says; or the second, which is asked as well if that takes its time.

        A usable answer ends the other, and so does a block. A refusal does not.
        """
        first = upstreams[0]
        if after == math.inf:
            return {first: await ask(first)}
        heard: dict[Upstream, Response | Ede] = {}
        chooser = self._choosers[route.domain]
        began = trio.current_time()
        is_done = trio.Event()

        async def run(upstream: Upstream) -> None:
            heard[upstream] = said = await ask(upstream)
            if _is_usable(said) or (isinstance(said, Response) and blocker(said)):
                nursery.cancel_scope.cancel()
            is_done.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run, first)
            with trio.move_on_after(after):
                await is_done.wait()
            if not is_done.is_set() and chooser.may_hedge():
                upstreams[1].counters.hedges += 1
                nursery.start_soon(run, upstreams[1])
        if first not in heard:
            chooser.overtaken(first, began, trio.current_time())
        return heard

    async def guess(
        self, question: Question, account: Account | None = None
    ) -> Response | Unanswered:
        """What the first upstream of the route says to a question that nobody may need.

        Silence is not held against it. A reply that it gets too many queries ends the guessing for
        a while.
        """
        route = self._routes.of(question)
        edes: list[Ede] = []
        upstreams, _ = self._plan(question, route)
        for upstream in upstreams[:1]:
            limit = trio.current_time() + self._timeout
            said = await self._ask(upstream, Errand(question, route, account=account), limit)
            if isinstance(said, Response) and _is_usable(said):
                return self._up_to_border(said, route)
            if isinstance(said, Response) and _is_limiting(said):
                self._limited_until = trio.current_time() + LIMITED
            edes += _reasons(said)
        return Unanswered(question, tuple(edes))

    @property
    def may_guess(self) -> bool:
        """Whether no upstream has lately had too many queries."""
        return trio.current_time() >= self._limited_until

    def in_order(self, route: Route) -> list[Upstream]:
        """As the strategy ranks them, but those that did not answer lately late, and liars last."""
        return self._choosers[route.domain].ranked(trio.current_time(), self._distrusted())

    def is_up(self, upstream: Upstream) -> bool:
        """Whether an upstream answers, as far as that is known."""
        return not any(
            chooser.standings[upstream].failures
            for chooser in self._choosers.values()
            if upstream in chooser.standings
        )

    def forget_network(self) -> None:
        """The network has changed: whoever did not answer may answer now."""
        for chooser in self._choosers.values():
            chooser.forget()

    def distrust(self, upstream: str) -> None:
        """Another upstream could prove what this one could not: it comes last for a while."""
        for route in self._routes:
            for candidate in route.upstreams:
                if str(candidate) == upstream:
                    candidate.counters.refutations += 1
                    self._distrusted_until[candidate] = trio.current_time() + DISTRUSTED

    # ------------ Who is asked ------------

    def _plan(self, question: Question, route: Route) -> tuple[list[Upstream], float]:
        """Whom to ask, and after how many seconds the second may be asked beside the first."""
        chooser = self._choosers[route.domain]
        now = trio.current_time()
        for upstream in chooser.to_probe(now):
            limit = now + self._timeout * ATTEMPT
            self._nursery.start_soon(self._ask_and_note, upstream, Errand(PROBE, route), limit)
        plan = chooser.plan(domain_of(question.name), now, self._distrusted())
        return list(plan.order), plan.hedge_after

    def _distrusted(self) -> set[Upstream]:
        now = trio.current_time()
        return {upstream for upstream, end in self._distrusted_until.items() if now < end}

    async def _probe(self, upstream: Upstream, route: Route, seconds: float) -> Response | Ede:
        return await self._ask(upstream, Errand(PROBE, route), trio.current_time() + seconds)

    # ------------ One upstream ------------

    async def _ask_and_note(
        self, upstream: Upstream, errand: Errand, limit: float
    ) -> Response | Ede:
        since = trio.current_time()
        said = await self._ask(upstream, errand, limit)
        self._note(upstream, errand.route, said, since)
        return said

    def _note(self, upstream: Upstream, route: Route, said: Response | Ede, since: float) -> None:
        """One that cannot be reached rests until it answers. Nonsense is a name's fault."""
        standing = self._choosers[route.domain].standings[upstream]
        was_up = not standing.failures
        if isinstance(said, Response):
            standing.answered(trio.current_time())
        else:
            upstream.counters.last_error = said.text
            if said.code == EdeCode.NETWORK_ERROR:
                standing.failed(since, trio.current_time())
        if was_up and standing.failures:
            logger.info("an upstream does not answer: %s", upstream.counters.last_error)
        elif not (was_up or standing.failures):
            logger.info("an upstream answers again: %s", upstream)

    async def _ask(self, upstream: Upstream, errand: Errand, limit: float) -> Response | Ede:
        """The reply of one upstream, or why there is none that could be read."""
        question, route = errand.question, errand.route
        was_encrypted = upstream.is_encrypted
        query = write_query(
            question, checking_disabled=errand.rung.checking_disabled, padded=was_encrypted
        )
        with trio.CancelScope(deadline=limit):
            try:
                response = await self._exchange(upstream, errand, query)
                is_odd = isinstance(response, Response) and response.rcode in _NOT_UNDERSTOOD
                if is_odd and not route.is_checked:
                    plain = write_plain_query(question)
                    response = await self._exchange(upstream, errand, plain)
            except UpstreamError as error:
                return error.ede
            except FormError as error:
                return Ede(EdeCode.INVALID_DATA, f"{upstream} sent nonsense: {error.problem}")
            if isinstance(response, Ede):
                return response
            edes = response.edes
            if not route.is_general:
                edes = tuple(ede for ede in edes if ede.code != EdeCode.FORGED_ANSWER)
            is_authenticated = was_encrypted and upstream.is_encrypted  # a way may end meanwhile
            return replace(response, edes=edes, is_authenticated=is_authenticated)
        return Ede(EdeCode.NETWORK_ERROR, f"{upstream} did not answer in time")

    async def _exchange(self, upstream: Upstream, errand: Errand, query: bytes) -> Response | Ede:
        """One query and its reply, as it came, if the account has room for it.

        Raises UpstreamError, FormError.
        """
        self.queries += 1
        reply = await upstream.exchange(query)
        if errand.account is not None:
            errand.account.records -= record_count(reply)
            if errand.account.records < 0:
                return TOO_MUCH
        steps = read_in_steps(reply, errand.question, upstream=str(upstream))
        response = await self._turns.run(steps)
        if is_truncated(reply):
            raise FormError("a part of an answer, where all of it would have had room")
        return response

    def _up_to_border(self, response: Response, route: Route) -> Response:
        """The response as far as it belongs to the route: an alias may lead into another one.

        Then what it says about the end of the chain goes, too: the rest is asked where it belongs.
        """
        if not self._routes.has_zones:
            return response
        rdtype = response.question.rdtype
        passed: set[Name] = set()
        tell(response, response.question, passed, _FOLLOWED)
        if all(self._routes.of(Question(name, rdtype)) is route for name in passed):
            return response

        def is_ours(rrset: RRset) -> bool:
            return self._routes.of(Question(rrset.name, rrset.rdtype)) is route

        proofs = (rrset for rrset in response.authority if rrset.rdtype != rdtypes.SOA)
        return replace(
            response,
            rcode=rcodes.NOERROR,
            answer=tuple(filter(is_ours, response.answer)),
            authority=tuple(filter(is_ours, proofs)),
        )


_FOLLOWED = Limits().aliases + 1
"""Aliases that are looked at: as many as the engine follows."""

_NOT_UNDERSTOOD = (rcodes.FORMERR, rcodes.NOTIMP)
"""What servers from before EDNS answer to it (RFC 6891 section 7)."""


def _is_usable(said: Response | Ede) -> bool:
    return isinstance(said, Response) and said.rcode in USABLE


def _is_limiting(response: Response) -> bool:
    return response.rcode == rcodes.REFUSED or any(
        ede.code in (EdeCode.RATE_LIMITED, EdeCode.OVER_QUOTA) for ede in response.edes
    )


def _reasons(said: Response | Ede) -> list[Ede]:
    if isinstance(said, Ede):
        return [said]
    text = f"{said.upstream} answered {rcodes.to_text(said.rcode)}"
    return [Ede(EdeCode.NO_REACHABLE_AUTHORITY, text), *passed_on(said)]


_OURS = frozenset({1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 25, 27})
"""Codes about validation: an upstream's are never passed on, since we judge for ourselves."""


def passed_on(response: Response) -> list[Ede]:
    """The upstream's own Extended DNS Errors that a client may see, with its name."""
    return [
        Ede(ede.code, f"from {response.upstream}: {ede.text}".rstrip(": "))
        for ede in response.edes
        if ede.code not in _OURS
    ]
