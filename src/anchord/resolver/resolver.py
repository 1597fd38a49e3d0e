"""The walk of a query, from top to bottom.

    local      a name that the hosts file or the list of special names answers?
    memory     a fresh answer?
    deduction  does the answer follow from what is proven already?
    memory     a failure that is not to be repeated yet? then that, or an answer that is over
    inquiry    the same question under way? then wait for that; else ask and prove (`inquiry`)
    memory     kept for as long as records, signatures and proofs allow

Whatever the data say or the world does, there is an `Answer` at the end.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec
import trio

from anchord.cache import policy
from anchord.cache.persisted import Evidence
from anchord.cache.store import Entry
from anchord.cache.zones import ZoneCache
from anchord.dnssec.algorithms import Supported
from anchord.dnssec.anchors import TrustAnchors
from anchord.dnssec.asking import Context, ZoneTrust
from anchord.dnssec.limits import Limits
from anchord.dnssec.memo import Memo
from anchord.model import names, rcodes
from anchord.model.clock import Clock
from anchord.model.ede import Ede, EdeCode
from anchord.model.names import Name
from anchord.model.question import ClientFlags, Question
from anchord.model.verdict import Answer, Status, without_records
from anchord.upstream.base import Upstream
from anchord.upstream.choice import Strategy

from .chain import KnownZones
from .deduction import Deduction
from .fetch import Fetcher
from .inquiry import Inquiries, Means
from .keep import Wanted, records
from .memory import Memory
from .routes import Routes
from .special import SpecialAnswer, SpecialNames
from .speculate import Registries
from .turns import Turns

PATIENCE_FOR_PROOFS = 0.4
"""Seconds that a local answer waits for the root's proof of it: without a network, too, it must be
there before anybody notices."""

FETCHING = 0.95
"""The share of a client query's time that an upstream query may take: so it ends before the client
query does, and the upstream that was silent can be named."""

CLIENT_TIMER = 1.8
"""Seconds that a client waits for a fresh answer where there is one that is over: clients give up
after two to five (RFC 8767 section 5)."""

Hosts = Callable[[Question], Answer | None]
"""What the hosts file says to a question."""


class Settings(msgspec.Struct, frozen=True):
    """What a resolver is told: sizes in octets, times in seconds.

    `serve_stale` is for how long an answer that is over may be told, `prefetch` whether those in
    use are asked for anew before that.
    """

    anchors: TrustAnchors
    limits: Limits = msgspec.field(default_factory=Limits)
    supported: Supported = msgspec.field(default_factory=Supported)
    cache_size: int = 64 * 1024 * 1024
    serve_stale: float = 0.0
    prefetch: bool = False
    timeout: float = 4.0
    strategy: Strategy = Strategy.ORDERED


class Known(NamedTuple):
    """An answer that is there already, and the cache entry that it is from if it is from one."""

    answer: Answer
    entry: Entry | None = None


class Resolver:
    """Answers questions. Its work in flight runs in `nursery`, and ends with it.

    `evidence` is what was kept over a restart; long work is done in `turns`.
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
        turns: Turns | None = None,
    ) -> None:
        turns = turns or Turns()
        self._settings = settings
        self._routes = routes
        self._special = special
        self._hosts = hosts
        self._clock = clock
        self._memory = Memory(
            settings.cache_size, clock, serve_stale=settings.serve_stale, renew=self._prefetch
        )
        self.cache = self._memory.answers
        self._zone_cache: ZoneCache[ZoneTrust] = ZoneCache()
        self._signatures = Memo()
        self._deduction = Deduction(self._memory.proofs, self._zone_cache, routes, clock)
        self._fetcher = Fetcher(
            routes,
            nursery,
            timeout=settings.timeout * FETCHING,
            strategy=settings.strategy,
            turns=turns,
        )
        self._means = Means(
            self._fetcher,
            routes,
            clock,
            nursery,
            timeout=settings.timeout,
            turns=turns,
            ask=lambda question: self._answer(question, ClientFlags()),
            keep=self._keep,
        )
        self._evidence = evidence
        self._recalled = self._prefetches = self._renewals = 0
        signed = evidence.signed if evidence else ()
        self._inquiries = self._begin(dict.fromkeys(signed), Registries(signed))

    def _begin(self, signed: dict[Name, None], signing: Registries) -> Inquiries:
        """Inquiries of which nothing is under way yet."""
        zones = KnownZones(self._zone_cache, self._clock, signed, signing)
        settings = self._settings
        context = Context(
            settings.anchors, zones, settings.limits, settings.supported, self._signatures
        )
        return Inquiries(self._means, context, zones, self._evidence)

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
        return self._known(question, flags)

    def fresh(self, question: Question) -> Entry | None:
        """The cache entry that `known` would tell now, if it would tell one."""
        if self._hosts(question) is not None or self._special.answer(question) is not None:
            return None
        return self._memory.fresh(question, self._clock.monotonic())

    def flush(self, name: Name | None = None) -> int:
        """Forget a name and what is below it, or everything; returns how many answers went.

        What is under way is told to those who wait for it, and then forgotten as well.
        """
        ended = self._inquiries
        ended.end()
        ended.zones.flush(name)
        if self._evidence is not None:
            self._evidence.flush(name)
        if name is None:
            self._signatures.clear()
        self._recalled += ended.recalled
        self._inquiries = self._begin(ended.zones.signed, ended.zones.signing)
        return self._memory.flush(name)

    def records(self, is_wanted: Wanted) -> Iterator[tuple[bytes, msgspec.Raw]]:
        """What is to be kept over a restart, the most valuable first (see `keep`).

        `is_wanted` tells of what an upstream said whether it may be.
        """
        yield from records(self.cache, self._zone_cache, is_wanted, self._clock)
        if self._evidence is not None:
            yield from self._evidence.records(self._clock.wall(), self._clock.monotonic())

    @property
    def signed(self) -> list[Name]:
        """Zones that were proven secure when last seen."""
        return list(self._inquiries.zones.signed)

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

    def forget_network(self) -> None:
        """In another network, nothing that was learnt of upstreams holds."""
        self._fetcher.forget_network()
        self._memory.forgive()
        for upstream in self.upstreams.values():
            upstream.forget_network()

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
            **dict(self._memory.counts()),
            "misses": self.cache.misses,
            "synthesized": self._deduction.synthesized,
            "from_chain": self._deduction.from_chain,
            "prefetches": self._prefetches,
            "renewals": self._renewals,
            "recalled": self._recalled + self._inquiries.recalled,
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

    def _known(self, question: Question, flags: ClientFlags) -> Known | None:
        """What there is to say without asking anybody."""
        now = self._clock.monotonic()
        entry = self._memory.fresh(question, now)
        if entry is not None:
            return Known(entry.aged(now), entry)
        answer = self._deduction.answer(question, self._inquiries.context)
        answer = answer or self._memory.told_again(question, flags)
        return None if answer is None else Known(answer)

    async def _answer(self, question: Question, flags: ClientFlags) -> Answer:
        known = self._known(question, flags)
        if known is not None:
            return known.answer
        if not flags.recursion_desired:
            return _not_asked(question)
        self.cache.misses += 1
        if self._memory.stale(question, flags) is not None:
            return await self._answer_or_stale(question, flags)
        return await self._inquiries.wait(question, flags)

    async def _answer_or_stale(self, question: Question, flags: ClientFlags) -> Answer:
        """What the upstreams say in time; else what they have said before (RFC 8767 section 5)."""
        inquiries = self._inquiries
        answer: Answer | None = None
        with trio.CancelScope(deadline=inquiries.flight(question).began + CLIENT_TIMER):
            answer = await inquiries.wait(question, flags)
        if answer is None or policy.gives_way(answer):
            stale = self._memory.stale(question, flags)
            if stale is not None:
                self._memory.stale_told += 1
                return stale
        return answer or await inquiries.wait(question, flags)

    def _keep(self, question: Question, answer: Answer) -> None:
        """Remembers what has come of a question; a chain that it has used is kept up, too."""
        self._memory.keep(question, answer)
        zones = self._inquiries.zones
        if self._may_prefetch and (due := zones.due(question.holder)):
            self._renewals += self._inquiries.driver.renew(due, zones)

    def _prefetch(self, question: Question) -> None:
        """Asks again for what is in use, before its time is over."""
        if self._may_prefetch:
            self._prefetches += 1
            self._inquiries.flight(question)

    @property
    def _may_prefetch(self) -> bool:
        return self._settings.prefetch and self._fetcher.may_guess


def _needs_proof(special: SpecialAnswer, flags: ClientFlags) -> bool:
    """Whether the root's own proof of a local answer is to be fetched."""
    return special.denial is not None and (flags.dnssec_ok or special.only_root_knows)


def _not_asked(question: Question) -> Answer:
    """A client that forbids to ask further, for what is not known here (RFC 8914 section 4.21)."""
    text = "this is not in the cache, and the query has RD=0"
    reason = Ede(EdeCode.NOT_AUTHORITATIVE, text)
    return without_records(question, rcodes.REFUSED, Status.INDETERMINATE, reason)
