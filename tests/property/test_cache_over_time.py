"""The cache against a resolver without one, while time goes on and everything changes.

The model is a cold resolver: it has the anchors and the time of now, and asks the world as it is.
What the cache has is older by no more than its TTL. So every answer that is told must be the one
that a cold resolver would give now, to the world as it is or as it was within that TTL; and the TTL
that is told must end where that of the older world does.

The world changes its contents, never its keys. One zone's signatures end soon, in each era at
another time.
"""

from bisect import bisect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from anchord.cache import persist, policy
from anchord.cache.persist import UnusableFileError
from anchord.cache.persisted import Evidence
from anchord.dnssec.anchors import NegativeAnchor, TrustAnchors, trust_anchors
from anchord.dnssec.asking import Context
from anchord.dnssec.memo import Memo
from anchord.dnssec.replay import Zones, validate_question
from anchord.lab.denial import Nsec3
from anchord.lab.plan import Plan
from anchord.lab.world import World
from anchord.model import names, rdtypes
from anchord.model.names import Name
from anchord.model.question import ClientFlags, Question
from anchord.model.response import Unanswered
from anchord.model.verdict import FOREVER, Answer
from anchord.resolver.resolver import Resolver, Settings
from anchord.resolver.routes import Routes
from anchord.resolver.special import SpecialNames
from anchord.wire.rdata import read_rrsig
from support.lab import NOW, key_set, question
from support.loop import Loop
from support.restart import ORIGIN, saved
from support.walk import Heard, MemoryUpstream, Said, unreachable

TTL = 300
"""Seconds: that of every record but keys and DS sets, which never change."""

FAILURE_TTL = policy.LONGEST_FAILURE_TTL
DAY = 86_400


def plans(era: int) -> list[Plan]:
    """The zones as they are in an era, 0 to 2."""
    contents = f"""
        @      A     192.0.2.{10 + era}
        www    A     192.0.2.{20 + era}
        at{era}    TXT   "of one era"
        alias  CNAME www.z.lab.
        out    CNAME www.plain.lab.
        *.w    TXT   "from a wildcard"
    """
    return [
        Plan(".", "the root"),
        Plan("lab.", "a TLD"),
        Plan("z.lab.", "signed", records=contents),
        Plan("hashed.lab.", "with NSEC3", records=contents, denial=Nsec3()),
        Plan("optout.lab.", "with opt-out", records=contents, denial=Nsec3(opt_out=True)),
        Plan("brief.lab.", "for a while", records=contents, faults=f"expires-in {600 + 900 * era}"),
        Plan("broken.lab.", "forged", records=contents, faults="expired" if era == 1 else ""),
        Plan("plain.lab.", "unsigned", records=contents, algorithms=()),
        Plan("kid.optout.lab.", "unsigned", records=contents, algorithms=()),
    ]


WORLDS = [World(NOW, plans=plans(era)) for era in range(3)]
ROOT_KEY = [(r.name, r.rdtype, rdata) for r in [WORLDS[0].anchor()] for rdata in r.rdatas]
OTHER_KEY = [
    (names.ROOT, rdtypes.DNSKEY, rdata)
    for rdata in key_set(WORLDS[0].zone(names.from_text("z.lab."))).rdatas
]
ANCHORS = {
    "the root's": ROOT_KEY,
    "one more": ROOT_KEY + OTHER_KEY,
    "another": OTHER_KEY,
    "none": [],
}

APEXES = ["z.lab.", "hashed.lab.", "optout.lab.", "brief.lab.", "broken.lab.", "plain.lab."]
ASKED = [
    *(question(f"www.{apex}") for apex in APEXES),
    *(question(f"at1.{apex}", "TXT") for apex in APEXES),
    *(question(f"{host}.z.lab.") for host in ("alias", "out", "nx", "any.w", "a.nx")),
    *(question("z.lab.", rdtype) for rdtype in ("DS", "DNSKEY", "AAAA")),
    question("nx.optout.lab."),
    question("kid.optout.lab."),
    question("any.w.hashed.lab.", "TXT"),
]
AT_ONCE = 12
"""Questions that are asked after each step: not the same each time, so that what is known has all
ages."""
SECONDS = st.sampled_from([1, 30, 120, 240, 299, 300, 301, DAY])
ERAS = st.integers(0, 2)
AHEAD = st.sampled_from([0, 0, 0, 10, DAY])
SPOILT = st.sampled_from([10**9] * 7 + [0, 1000])
"""Where a file is spoilt, which is mostly behind its end."""
PLACES = st.sampled_from([names.from_text(text) for text in (".", "lab.", "z.lab.", "www.z.lab.")])
MEMO = Memo()
"""One for all cold resolvers: what verified once verifies again."""


@dataclass
class HandClock:
    """Clocks that are moved by hand. `monotonic` begins anew with each start of the machine."""

    at: int
    since_start: float = 1.5

    def wall(self) -> int:
        return self.at

    def monotonic(self) -> float:
        return self.since_start


@dataclass(frozen=True)
class Told:
    """What can be seen of an answer, but for its TTLs."""

    status: int
    rcode: int
    is_compact: bool
    records: frozenset[tuple[Name, int, tuple[bytes, ...]]]


def seen(answer: Answer) -> Told:
    records = frozenset(
        (c.rrset.name, c.rrset.rdtype, tuple(sorted(c.rrset.rdatas))) for c in answer.answer
    )
    return Told(int(answer.verdict.status), answer.rcode, answer.nxname, records)


def _turns() -> list[int]:
    """When a signature of any world begins to hold, or holds no more."""
    signatures = [
        read_rrsig(signature)
        for world in WORLDS
        for zone in world.zones()
        for rrset in zone.rrsets()
        for signature in rrset.signatures
    ]
    return sorted({t for s in signatures for t in (s.inception, s.expiration + 1)})


TURNS = _turns()


def cold(era: int, asked: Question, now: int, anchors: str, negative_until: int) -> Told | None:
    """What a resolver says that knows nothing, to the world of an era; None for a failure.

    Between two turns it says the same.
    """
    turn = TURNS[bisect(TURNS, now) - 1]
    return _cold(era, asked, turn, anchors, is_negative=now < negative_until)


@cache
def _cold(era: int, asked: Question, now: int, anchors: str, *, is_negative: bool) -> Told | None:
    context = Context(believed(anchors, FOREVER if is_negative else 0), Zones(), memo=MEMO)
    answer = validate_question(asked, WORLDS[era].answer, context, now)
    if isinstance(answer, Unanswered) or answer.verdict.status.is_failure:
        return None
    return seen(answer)


def believed(anchors: str, negative_until: int) -> TrustAnchors:
    negative = [NegativeAnchor(names.from_text("z.lab."), negative_until)]
    return trust_anchors(ANCHORS[anchors], negative if negative_until else [])


class CacheOverTime(RuleBasedStateMachine):
    """A resolver, its restarts and all that happens around it."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = Loop()
        self.clock = HandClock(NOW)
        self.time = 0.0
        """Seconds that have passed since the beginning, whatever the clocks say."""
        self.era = 0
        self.ended = {0: float("inf"), 1: float("-inf"), 2: float("-inf")}
        """When each era was in force last."""
        self.failing_until = float("-inf")
        self.is_reachable = True
        self.anchors = "the root's"
        self.negative_until = 0
        self.file = b""
        self.flushed: dict[Name, float] = {}
        self.steps = 0
        self.open(None)

    def teardown(self) -> None:
        self.loop.end()

    def open(self, evidence: Evidence | None) -> None:
        """Another resolver, as things are now."""
        limits = Settings(believed(self.anchors, self.negative_until), prefetch=True)
        upstream = MemoryUpstream(self.conduct)

        async def opened() -> Resolver:
            return Resolver(
                limits,
                Routes([upstream]),
                SpecialNames([]),
                lambda _: None,
                self.clock,
                self.loop.nursery,
                evidence,
            )

        self.resolver = self.loop.run(opened)

    async def conduct(self, heard: Heard) -> Said:
        if not self.is_reachable:
            return await unreachable(heard)
        return WORLDS[self.era].answer(heard.query.question)

    # ------------ What happens ------------

    @rule(seconds=SECONDS, era=ERAS)
    def time_passes(self, seconds: int, era: int) -> None:
        self.the_world_changes(era)
        self.time += seconds
        self.clock.at += seconds
        self.clock.since_start += seconds

    def the_world_changes(self, era: int) -> None:
        self.ended[self.era] = self.time
        self.era = era
        self.ended[era] = float("inf")

    @rule()
    def the_upstream_goes_or_comes(self) -> None:
        self.is_reachable = not self.is_reachable
        self.failing_until = self.time + FAILURE_TTL if self.is_reachable else float("inf")

    @rule(place=PLACES)
    def a_name_is_flushed(self, place: Name) -> None:
        self.resolver.flush(None if place == names.ROOT else place)
        self.flushed[place] = self.time
        self.file = b""

    @rule(anchors=st.sampled_from(sorted(ANCHORS)))
    def the_anchors_change(self, anchors: str) -> None:
        document = saved(self.resolver, self.clock)
        self.anchors = anchors
        self.open(self.evidence_in(document))

    @rule(seconds=st.sampled_from([0, 1, 100, DAY]))
    def a_negative_anchor_comes_or_goes(self, seconds: int) -> None:
        document = saved(self.resolver, self.clock)
        self.negative_until = self.clock.at + seconds if seconds else 0
        self.open(self.evidence_in(document))

    @rule(seconds=st.sampled_from([-40 * DAY, -DAY, -3600, -10, 10, 600, DAY, 40 * DAY]))
    def the_clock_is_set(self, seconds: int) -> None:
        self.clock.at += seconds
        self.open(self.evidence_in(saved(self.resolver, self.clock)))

    @rule(is_crash=st.booleans(), seconds=SECONDS, era=ERAS, ahead=AHEAD, spoilt_at=SPOILT)
    def the_machine_starts_anew(
        self, is_crash: bool, seconds: int, era: int, ahead: int, spoilt_at: int
    ) -> None:
        """From what was saved last. It was off for a while; its clock may have been set since."""
        if not is_crash:
            self.file = saved(self.resolver, self.clock)
        self.the_world_changes(era)
        if spoilt_at < len(self.file):
            self.file = self.file[:spoilt_at] + b"!" + self.file[spoilt_at + 1 :]
        self.time += seconds
        self.clock.at += seconds + ahead
        self.clock.since_start = 1.5
        self.open(self.evidence_in(self.file))

    def evidence_in(self, file: bytes) -> Evidence | None:
        """What a daemon makes of a file."""
        try:
            document = persist.read(file)
        except UnusableFileError:
            return None
        if persist.objection(document, ORIGIN, self.clock.wall()):
            return None
        return Evidence(document, self.clock.wall(), self.clock.monotonic())

    # ------------ What is told ------------

    @invariant()
    def somebody_asks(self) -> None:
        self.steps += 1
        for asked in Random(self.steps).sample(ASKED, AT_ONCE):
            self.check(asked, ClientFlags(dnssec_ok=True, checking_disabled=self.steps % 7 == 0))

    def check(self, asked: Question, flags: ClientFlags) -> None:
        told = self.loop.run(partial(self.resolver.resolve, asked, flags))
        allowed = self.allowed(asked)
        if told.verdict.status.is_failure:
            assert None in allowed.values() or self.time < self.failing_until, (asked, told)
            return
        lasting = [left for era, left in self.lasting(asked).items() if allowed[era] == seen(told)]
        assert lasting, (asked, seen(told), allowed)
        changing = [c.rrset.ttl for c in told.answer if c.rrset.rdtype not in KEPT]
        assert min([told.ttl, *changing] if changing else [0]) <= max(lasting), (asked, told)

    def lasting(self, asked: Question) -> dict[int, float]:
        """The eras that may still be remembered of a name, and for how many seconds."""
        above = names.ancestors(asked.name)
        flushed = max(self.flushed.get(place, float("-inf")) for place in above)
        left = {
            era: min(TTL, ended + TTL - self.time)
            for era, ended in self.ended.items()
            if ended >= flushed
        }
        return {era: seconds for era, seconds in left.items() if seconds > 0}

    def allowed(self, asked: Question) -> dict[int, Told | None]:
        """What a cold resolver would say now, by the era that it could be asked in."""
        ask: Callable[[int], Told | None] = partial(
            cold,
            asked=asked,
            now=self.clock.at,
            anchors=self.anchors,
            negative_until=self.negative_until,
        )
        return {era: ask(era) for era in self.lasting(asked)}


KEPT = (rdtypes.DS, rdtypes.DNSKEY)

CacheOverTime.TestCase.settings = settings(
    max_examples=settings().max_examples // 4, stateful_step_count=30
)
TestCacheOverTime = CacheOverTime.TestCase
