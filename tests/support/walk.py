"""A resolver over upstreams in memory that do what their test says and note what they are asked."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pytest
import trio
from msgspec.structs import replace
from trio.testing import MockClock

from anchord.cache.persisted import Evidence
from anchord.config.anchors import read
from anchord.dnssec.anchors import NegativeAnchor, TrustAnchors, trust_anchors
from anchord.dnssec.limits import Limits
from anchord.lab.plan import Case
from anchord.lab.recursive import reply_to
from anchord.lab.world import World
from anchord.model import names
from anchord.model.clock import Clock
from anchord.model.ede import Ede, EdeCode
from anchord.model.question import ClientFlags, Question
from anchord.model.response import Response, RRset, Unanswered
from anchord.model.verdict import Answer, Status
from anchord.resolver.reply import extended_errors
from anchord.resolver.resolver import Resolver, Settings
from anchord.resolver.routes import Route, Routes
from anchord.resolver.special import SpecialNames
from anchord.upstream.base import Counters, Kind, Upstream, UpstreamError
from anchord.wire.message import RA, Query, read_query

from .lab import question

DELAY = 0.02
"""Seconds that a reply takes, where a test says so."""


def _run_fast(main: Callable[[], Awaitable[Any]], **options: Any) -> Any:
    return trio.run(main, **options | {"clock": MockClock(autojump_threshold=0)})


in_fast_motion = pytest.mark.trio(run=_run_fast)
"""For a test whose clock jumps ahead whenever everything waits: seconds cost nothing, and what
takes how long can be told exactly."""


@dataclass(frozen=True)
class Heard:
    """A query that an upstream got."""

    wire: bytes
    query: Query

    @property
    def text(self) -> str:
        """The question, such as `www.lab. A`."""
        return str(self.query.question)

    @property
    def checking_disabled(self) -> bool:
        return self.query.flags.checking_disabled

    @property
    def dnssec_ok(self) -> bool:
        return self.query.flags.dnssec_ok

    @property
    def is_padded(self) -> bool:
        return len(self.wire) % 128 == 0


Said: TypeAlias = Response | Unanswered | bytes
Conduct: TypeAlias = Callable[[Heard], Awaitable[Said]]
"""What an upstream makes of a query. It may sleep, and raise UpstreamError."""


class MemoryUpstream:
    """An upstream that is a function. `heard` is every query so far, in order."""

    def __init__(
        self, conduct: Conduct, url: str = "tls://one.example", *, is_encrypted: bool = True
    ) -> None:
        self.is_encrypted = is_encrypted
        self.counters = Counters()
        self.heard: list[Heard] = []
        self.is_closed = False
        self._conduct = conduct
        self._url = url

    def __str__(self) -> str:
        return self._url

    @property
    def asked(self) -> list[str]:
        """The questions so far."""
        return [heard.text for heard in self.heard]

    async def exchange(self, query: bytes) -> bytes:
        read = read_query(query)
        assert isinstance(read, Query)
        heard = Heard(query, read)
        self.heard.append(heard)
        await trio.lowlevel.checkpoint()
        asked_at = trio.current_time()
        said = await self._conduct(heard)
        self.counters.round_trip.measured(trio.current_time() - asked_at)
        return said if isinstance(said, bytes) else written(query, said)

    def forget_network(self) -> None:
        self.counters.round_trip.forget()

    async def aclose(self) -> None:
        self.is_closed = True


def written(query: bytes, said: Response | Unanswered) -> bytes:
    """The message that says this; RA as told."""
    wire = reply_to(query, lambda _: said, over_udp=False)
    assert wire is not None
    if isinstance(said, Response) and not said.recursion_available:
        return wire[:2] + (int.from_bytes(wire[2:4]) & ~RA).to_bytes(2) + wire[4:]
    return wire


# ------------ Conducts ------------


def honest(world: World, delay: float = 0.0) -> Conduct:
    """Says what the world holds."""

    async def conduct(heard: Heard) -> Said:
        await trio.sleep(delay)
        return world.answer(heard.query.question)

    return conduct


def changed(world: World, change: Callable[[Response], Said], *, only: str = "") -> Conduct:
    """Says what the world holds, changed; or only so what it is asked as `only`."""

    async def conduct(heard: Heard) -> Said:
        response = world.answer(heard.query.question)
        if isinstance(response, Unanswered) or only not in ("", heard.text):
            return response
        return change(response)

    return conduct


def always(rcode: int, *edes: Ede) -> Conduct:
    """Answers everything with this code and these Extended DNS Errors."""

    async def conduct(heard: Heard) -> Said:
        return Response(heard.query.question, rcode, edes=edes)

    return conduct


async def silent(_: Heard) -> Said:
    """Never answers."""
    await trio.sleep_forever()
    raise AssertionError


async def unreachable(_: Heard) -> Said:
    """Cannot be reached."""
    raise UpstreamError("tls://away.example", Kind.NETWORK, "no route to host")


def stripped(response: Response) -> Response:
    """The response without any signature."""

    def strip(rrset: RRset) -> RRset:
        return replace(rrset, signatures=(), signature_ttl=0)

    return replace(
        response,
        answer=tuple(map(strip, response.answer)),
        authority=tuple(map(strip, response.authority)),
    )


# ------------ The resolver ------------


@dataclass
class TrioClock:
    """Time as trio has it: under its mock clock, tests decide. `is_fixed` stops the wall clock."""

    at: int
    is_fixed: bool = False
    _began: float = field(default_factory=trio.current_time)

    def wall(self) -> int:
        return self.at + (0 if self.is_fixed else int(trio.current_time() - self._began))

    def monotonic(self) -> float:
        return trio.current_time()


@asynccontextmanager
async def open_resolver(
    world: World,
    *upstreams: Upstream,
    zones: Iterable[Route] = (),
    negative: Iterable[NegativeAnchor] = (),
    anchors: TrustAnchors | None = None,
    limits: Limits | None = None,
    seconds: float = 4.0,
    is_fixed: bool = False,
    hosts: Callable[[Question], Answer | None] = lambda _: None,
    clock: Clock | None = None,
    evidence: Evidence | None = None,
    **told: Any,
) -> AsyncIterator[Resolver]:
    """A resolver over these upstreams that trusts the world's root; `seconds` for each question.

    `told` are more settings. `evidence` is what it has of the one before.
    """
    zones = tuple(zones)
    anchors = anchors or trust_anchors(read(world.trust_anchors(), "lab"), negative)
    settings = Settings(anchors, limits=limits or Limits(), timeout=seconds, **told)
    special = SpecialNames(zone.domain for zone in zones)
    clock = clock or TrioClock(world.now, is_fixed)
    async with trio.open_nursery() as nursery:
        routes = Routes(upstreams, zones)
        yield Resolver(settings, routes, special, hosts, clock, nursery, evidence)
        nursery.cancel_scope.cancel()


def zone(text: str, *upstreams: MemoryUpstream, is_checked: bool = True) -> Route:
    """The route of a `[[zone]]`."""
    return Route(names.from_text(text), upstreams, is_checked=is_checked)


def insecure(text: str) -> NegativeAnchor:
    """What a `[[zone]]` with `dnssec = "insecure"` stands for in the engine."""
    return NegativeAnchor(names.from_text(text), is_policy=True)


async def ask(resolver: Resolver, name: str, rdtype: str = "A", **flags: bool) -> Answer:
    """The answer to a client that says so."""
    return await resolver.resolve(question(name, rdtype), ClientFlags(**flags))


def codes(answer: Answer) -> list[int]:
    """The Extended DNS Errors that a client gets."""
    return [ede.code for ede in extended_errors(answer)]


def texts(answer: Answer) -> list[str]:
    """Their texts."""
    return [ede.text for ede in extended_errors(answer)]


# ------------ Rows of the lab's table ------------


async def check_twice(case: Case, resolver: Resolver, *, checking_disabled: bool) -> None:
    """Asks what the row asks, cold and from the cache, and holds the answers against it."""
    flags = ClientFlags(dnssec_ok=True, checking_disabled=checking_disabled)
    first = await resolver.resolve(case.question, flags)
    _check(case, first)
    await trio.sleep(1)  # asking again may go on for a client that has got its data already
    again = await resolver.resolve(case.question, flags)
    _check(case, again)
    if case.status.is_failure and first.ttl:
        assert 13 in codes(again)


def _check(case: Case, answer: Answer) -> None:
    """An answer that follows from what is known is the same but for saying so."""
    told = [code for code in codes(answer) if code != EdeCode.SYNTHESIZED]
    assert answer.verdict.status is case.status, (str(case), texts(answer))
    if case.status.is_failure:
        assert told, str(case)
    else:
        assert answer.rcode == case.rcode, str(case)
    assert told[:1] == [code for code in told[:1] if code in case.codes], (str(case), texts(answer))
    assert bool(told) == bool(case.codes), (str(case), texts(answer))
    if answer.verdict.status is Status.UNOBTAINABLE:
        assert 5 in told or told[0] == 6, str(case)
