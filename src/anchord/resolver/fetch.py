"""One question to the upstreams of its route, one after the other until one has a usable answer.

How it is asked is a `Rung`: usually of all upstreams in turn and with CD set, so that a validating
upstream hands over what it would refuse itself (RFC 6840 section 5.9).

Whatever goes wrong comes back as the value `Unanswered`, with Extended DNS Errors that name the
upstream and the cause. A reply is usable if it is well-formed, answers the question, and has a code
that says something about the name.
"""

import math
from dataclasses import dataclass, replace

import trio

from anchord.model import rcodes, rdtypes
from anchord.model.ede import Ede, EdeCode
from anchord.model.question import Question
from anchord.model.response import Response, Unanswered
from anchord.upstream.base import Upstream, UpstreamError
from anchord.wire.errors import FormError
from anchord.wire.message import read_response, write_query

from .routes import Route, Routes

USABLE = (rcodes.NOERROR, rcodes.NXDOMAIN, rcodes.YXDOMAIN)
"""Codes that say something about the name; the others are about the server."""

ATTEMPT = 1.6
"""Seconds for one upstream while others are left to be asked: two of them, and time for the chain,
fit into the default `forward.timeout`."""

RESTING = 15.0
"""Seconds for which an upstream that failed is asked after the others of its route."""


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
        self._failed_at: dict[int, float] = {}
        self.queries = 0
        """Queries sent, for the statistics."""

    async def fetch(self, question: Question, rung: Rung = USUAL) -> Response | Unanswered:
        """What the upstreams of the question's route have to say.

        An upstream of another route is never asked, whatever the rung says.
        """
        route = self._routes.of(question)
        deadline = trio.current_time() + self._timeout
        edes: list[Ede] = []
        upstreams = self._in_order(route)
        if rung.upstream in upstreams:
            upstreams = [rung.upstream]
        for position, upstream in enumerate(upstreams):
            is_last = position == len(upstreams) - 1
            limit = deadline if is_last else min(deadline, trio.current_time() + ATTEMPT)
            said = await self._ask(upstream, question, rung, limit)
            if isinstance(said, Response) and said.rcode in USABLE:
                self._failed_at.pop(id(upstream), None)
                return self._only_of_route(said, route)
            edes += _reasons(said, upstream)
            if not isinstance(said, Response):
                self._failed_at[id(upstream)] = trio.current_time()
        return Unanswered(question, tuple(sorted(edes, key=_network_first)))

    def _in_order(self, route: Route) -> list[Upstream]:
        """As configured, but those that failed lately come last."""
        now = trio.current_time()
        return sorted(
            route.upstreams,
            key=lambda upstream: now < self._failed_at.get(id(upstream), -math.inf) + RESTING,
        )

    def distrust(self, upstream: str) -> None:
        """Another upstream could prove what this one could not: it comes last for a while."""
        for route in self._routes:
            for candidate in route.upstreams:
                if str(candidate) == upstream:
                    self._failed_at[id(candidate)] = trio.current_time()

    async def _ask(
        self, upstream: Upstream, question: Question, rung: Rung, limit: float
    ) -> Response | Ede:
        query = write_query(
            question, checking_disabled=rung.checking_disabled, padded=upstream.is_encrypted
        )
        self.queries += 1
        try:
            with trio.CancelScope(deadline=limit):
                reply = await upstream.exchange(query)
                response = read_response(reply, question, upstream=str(upstream))
                return replace(response, is_authenticated=upstream.is_encrypted)
        except UpstreamError as error:
            return error.ede or Ede(EdeCode.NETWORK_ERROR, error.one_line())
        except FormError as error:
            return Ede(EdeCode.INVALID_DATA, f"{upstream} sent nonsense: {error.problem}")
        return Ede(EdeCode.NETWORK_ERROR, f"{upstream} did not answer in time")

    def _only_of_route(self, response: Response, route: Route) -> Response:
        """The response without what belongs to other routes: an alias may lead into one.

        With that, what it says about the end of the chain goes, too: the rest is asked elsewhere.
        """
        if not self._routes.has_zones:
            return response
        kept = tuple(
            rrset
            for rrset in response.answer
            if rrset.rdtype == rdtypes.DS or self._routes.of_name(rrset.name) is route
        )
        if len(kept) == len(response.answer):
            return response
        return replace(response, answer=kept, authority=(), rcode=rcodes.NOERROR)


def _reasons(said: Response | Ede, upstream: Upstream) -> list[Ede]:
    if isinstance(said, Ede):
        return [said]
    text = f"{upstream} answered {rcodes.to_text(said.rcode)}"
    return [Ede(EdeCode.NO_REACHABLE_AUTHORITY, text), *passed_on(said)]


def _network_first(ede: Ede) -> bool:
    return ede.code != EdeCode.NETWORK_ERROR


_OURS = frozenset({1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 25, 27})
"""Codes about validation: an upstream's are never passed on, since we judge for ourselves."""


def passed_on(response: Response) -> list[Ede]:
    """The upstream's own Extended DNS Errors that a client may see, with its name."""
    return [
        Ede(ede.code, f"from {response.upstream}: {ede.text}".rstrip(": "))
        for ede in response.edes
        if ede.code not in _OURS
    ]
