"""One question to the upstreams of its route, one after the other until one has a usable answer.

How it is asked is a `Rung`: usually of all upstreams in turn and with CD set, so that a validating
upstream hands over what it would refuse itself (RFC 6840 section 5.9). DO is always set: there is
no notion of an upstream that cannot do DNSSEC, only of answers that cannot be proven. The one
exception are zones that are configured as insecure, whose servers may be from before EDNS.

Whatever goes wrong comes back as the value `Unanswered`, with Extended DNS Errors that name the
upstream and the cause. A reply is usable if it is well-formed, answers the question, and has a code
that says something about the name.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import trio

from anchord.dnssec.classify import tell
from anchord.dnssec.limits import Limits
from anchord.model import rcodes, rdtypes
from anchord.model.ede import Ede, EdeCode
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.response import Response, RRset, Unanswered
from anchord.upstream.base import Upstream, UpstreamError
from anchord.wire.errors import FormError
from anchord.wire.message import is_truncated, read_response, write_plain_query, write_query

from .filtering import blocker
from .routes import Route, Routes

USABLE = (rcodes.NOERROR, rcodes.NXDOMAIN, rcodes.YXDOMAIN)
"""Codes that say something about the name; the others are about the server."""

ATTEMPT = 0.4
"""The share of the time limit that one upstream has while others are left to be asked: two of them,
and time for the chain, fit into it."""

MOST_REFUSALS = 3
"""Upstreams that may answer a question with a useless code before it is given up: more of them need
not learn of a name that none can resolve (RFC 9520 section 3.1)."""

RESTING = 15.0
"""Seconds for which an upstream that did not answer is asked after the others of its route, and for
which nothing is guessed after an upstream has said that it gets too many queries."""

DISTRUSTED = 300.0
"""Seconds for which an upstream is asked last after another one could prove what it could not: so
long that what strips signatures is not met at every name, and yet a passing fault is forgotten."""


@dataclass(frozen=True, slots=True)
class Rung:
    """A way of asking: of one upstream alone, or of all of the route; with CD set or without."""

    upstream: Upstream | None = None
    checking_disabled: bool = True


USUAL = Rung()
"""How everything is asked at first."""


class Fetcher:
    """Asks upstreams. `timeout` bounds one question in seconds, all upstreams included."""

    def __init__(self, routes: Routes, *, timeout: float) -> None:
        self._routes = routes
        self._timeout = timeout
        self._resting_until: dict[Upstream, float] = {}
        self._distrusted_until: dict[Upstream, float] = {}
        self._limited_until = -math.inf
        self.queries = 0
        """Queries sent, for the statistics."""

    async def fetch(self, question: Question, rung: Rung = USUAL) -> Response | Unanswered:
        """What the upstreams of the question's route have to say.

        An upstream of another route is never asked, whatever the rung says; nor is another one
        once an upstream has said that it blocks the name.
        """
        route = self._routes.of(question)
        upstreams = self.in_order(route)
        if rung.upstream in upstreams:
            upstreams = [rung.upstream]
        deadline = trio.current_time() + self._timeout
        edes: list[Ede] = []
        refusals = 0
        for upstream in upstreams:
            is_last = upstream is upstreams[-1]
            limit = deadline if is_last else trio.current_time() + self._timeout * ATTEMPT
            said = await self._ask(upstream, question, route, rung, min(limit, deadline))
            self._note(upstream, said)
            if isinstance(said, Response) and said.rcode in USABLE:
                return self._up_to_border(said, route)
            edes += _reasons(said)
            if isinstance(said, Response):
                refusals += 1
                if (blocked_by := blocker(said)) or refusals == MOST_REFUSALS:
                    return Unanswered(question, tuple(edes), blocked_by=blocked_by)
        return Unanswered(question, tuple(edes))

    async def guess(self, question: Question) -> Response | Unanswered:
        """What the first upstream of the route says to a question that nobody may need.

        Silence is not held against it. A reply that it gets too many queries ends the guessing for
        a while.
        """
        route = self._routes.of(question)
        edes: list[Ede] = []
        for upstream in self.in_order(route)[:1]:
            limit = trio.current_time() + self._timeout
            said = await self._ask(upstream, question, route, USUAL, limit)
            if isinstance(said, Response) and said.rcode in USABLE:
                return self._up_to_border(said, route)
            if isinstance(said, Response) and _is_limiting(said):
                self._limited_until = trio.current_time() + RESTING
            edes += _reasons(said)
        return Unanswered(question, tuple(edes))

    @property
    def may_guess(self) -> bool:
        """Whether no upstream has lately had too many queries."""
        return trio.current_time() >= self._limited_until

    def in_order(self, route: Route) -> list[Upstream]:
        """As configured, but those that did not answer lately come late, and liars last."""
        now = trio.current_time()

        def order(upstream: Upstream) -> tuple[bool, bool]:
            return (
                _is_before(now, self._distrusted_until, upstream),
                _is_before(now, self._resting_until, upstream),
            )

        return sorted(route.upstreams, key=order)

    def distrust(self, upstream: str) -> None:
        """Another upstream could prove what this one could not: it comes last for a while."""
        for route in self._routes:
            for candidate in route.upstreams:
                if str(candidate) == upstream:
                    candidate.counters.refutations += 1
                    self._distrusted_until[candidate] = trio.current_time() + DISTRUSTED

    async def _ask(
        self, upstream: Upstream, question: Question, route: Route, rung: Rung, limit: float
    ) -> Response | Ede:
        """The reply of one upstream, or why there is none that could be read."""
        query = write_query(
            question, checking_disabled=rung.checking_disabled, padded=upstream.is_encrypted
        )
        with trio.CancelScope(deadline=limit):
            try:
                response = await self._exchange(upstream, question, query)
                if response.rcode in _NOT_UNDERSTOOD and not route.is_checked:
                    plain = write_plain_query(question)
                    response = await self._exchange(upstream, question, plain)
            except UpstreamError as error:
                return error.ede
            except FormError as error:
                return Ede(EdeCode.INVALID_DATA, f"{upstream} sent nonsense: {error.problem}")
            edes = response.edes
            if not route.is_general:
                edes = tuple(ede for ede in edes if ede.code != EdeCode.FORGED_ANSWER)
            return replace(response, edes=edes, is_authenticated=upstream.is_encrypted)
        return Ede(EdeCode.NETWORK_ERROR, f"{upstream} did not answer in time")

    async def _exchange(self, upstream: Upstream, question: Question, query: bytes) -> Response:
        """One query and its reply, as it came. Raises UpstreamError, FormError."""
        self.queries += 1
        reply = await upstream.exchange(query)
        response = read_response(reply, question, upstream=str(upstream))
        if is_truncated(reply):
            raise FormError("a part of an answer, where all of it would have had room")
        return response

    def _note(self, upstream: Upstream, said: Response | Ede) -> None:
        """An upstream that cannot be reached rests until it answers; nonsense is a name's fault."""
        if isinstance(said, Response):
            self._resting_until.pop(upstream, None)
        elif said.code == EdeCode.NETWORK_ERROR:
            self._resting_until[upstream] = trio.current_time() + RESTING

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


def _is_before(now: float, ends: Mapping[Upstream, float], upstream: Upstream) -> bool:
    return now < ends.get(upstream, -math.inf)


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
