"""Which upstream a question goes to first, which next, and which beside it: decisions without I/O.

`ordered`   as configured; one that has not answered rests for a while, and comes late.
`random`    any of those that answer, for every question anew: each operator learns of every site.
`fastest`   the one that is measured to be the best.

The rules of `fastest`:

1. A domain goes to one operator as long as that answers, so that no other learns of it. While it
   does not, another one stands in for it; when it does, the domain comes back. An operator's
   upstreams are those whose hosts are of one domain.
2. Who has no operator yet gets one by the power of two choices: two are drawn, the better the
   likelier, and the better of them is taken. So the best is nearly always chosen, and equals share.
3. An upstream is as good as its round trips are short; each failure of late costs it dearly. It is
   never banned: one that has fallen silent is asked again, with growing pauses, by a probe that
   nobody waits for, and is there again with its first answer. Probes also measure those that nobody
   uses. They name nothing.
4. Two upstreams with one host are two ways to one server. The first of them that answers is the
   one to be used and measured; the others are there for when it fails, and for hedges.
5. One that has answered before and falls silent is probed at once, and where it does not answer
   that either, whoever waits for it asks the next one (`resolver.vigil`).
6. Where the answer takes longer than nineteen of twenty did, a second upstream of the same operator
   may be asked beside the first (a hedge), within a budget.

Seconds are the caller's clock's, handed in.
"""

import math
import random
from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from typing import Generic, TypeVar
from urllib.parse import urlsplit

import msgspec

from anchord.model import names
from anchord.model.names import Name

from .pool import RoundTrip
from .url import is_address

RESTING = 15.0
"""Seconds for which one that did not answer comes after the others, where nothing is probed."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds until one that did not answer is probed; they double with each probe that fails. A minute
after the end of an outage, however long it was, the upstream is there again."""

EXPLORE_EVERY = 300.0
"""Seconds after which a measurement is too old: a handshake for each upstream in five minutes."""

FAILURE_COST = 0.5
"""Seconds that a failure counts for: somebody has waited for it, and then for another upstream."""

FORGIVEN = 10.0
"""Seconds in which the memory of failures fades to a half."""

HEDGED = 0.95
"""The share of answers that are faster than the moment at which a second upstream is asked."""

FIRST_HEDGE = 0.25
"""Seconds until a second upstream is asked where nothing is known of the first."""

MEASURED_ENOUGH = 8
"""Round trips that tell how long most of them take."""

HEDGES_PER_QUERY, MOST_HEDGES_AT_ONCE = 0.1, 4.0
"""One more query for ten at the most, and what may be saved up of that. The first is lent, for the
very first question of all, whose upstream may be out of reach."""

MOST_DOMAINS = 8192
"""Domains whose operator is remembered; the one not asked for longest goes first."""

_SHORTEST = 0.001
"""Seconds by which round trips have to differ in order to be different."""

Key = TypeVar("Key")
Other = TypeVar("Other")


class Strategy(StrEnum):
    """Who is asked first. See the module."""

    ORDERED = "ordered"
    RANDOM = "random"
    FASTEST = "fastest"


class Standing(msgspec.Struct):
    """How one upstream does. `round_trip` is measured by its transport.

    `operator` is who runs it, `host` the server that it is a way to.
    """

    operator: str
    host: str
    round_trip: RoundTrip
    failures: int = 0
    """Since it has last answered."""
    answered_at: float = -math.inf
    failed_at: float = -math.inf
    rests_until: float = -math.inf
    probe_at: float = -math.inf
    _loss: float = 0.0
    _loss_at: float = 0.0

    def cost(self, now: float) -> float:
        """Seconds that a question takes there, failures included; infinite where unmeasured."""
        if self.round_trip.smoothed is None:
            return math.inf
        faded: float = self._loss * 0.5 ** ((now - self._loss_at) / FORGIVEN)
        return max(self.round_trip.smoothed, _SHORTEST) + faded * FAILURE_COST

    def answered(self, now: float) -> None:
        """It has answered anything at all."""
        self.failures = 0
        self.answered_at = now
        self.rests_until = -math.inf
        self.probe_at = now + EXPLORE_EVERY

    def failed(self, since: float, now: float) -> None:
        """It has not answered what was asked at `since`.

        Where it has answered something else meanwhile it is there, and only slow. All that wait
        when it goes are one failure, and an outage costs no more for being long.
        """
        if self.failures and since < self.failed_at:
            return
        if not self.failures:
            loss = self._loss * 0.5 ** ((now - self._loss_at) / FORGIVEN)
            self._loss, self._loss_at = loss + (1 - loss) / 8, now
        if self.answered_at > since:
            return
        self.failures += 1
        self.failed_at = now
        self.rests_until = now + RESTING
        self.probe_at = now + min(FIRST_PAUSE * 2.0 ** min(self.failures - 1, 16), LONGEST_PAUSE)

    def forget(self) -> None:
        """What was measured belongs to another network."""
        self.failures = 0
        self.rests_until = self.probe_at = -math.inf
        self._loss = 0.0
        self.round_trip.forget()


class Plan(msgspec.Struct, Generic[Key], frozen=True):
    """Whom to ask, one after the other.

    The second may be asked beside the first after `hedge_after` seconds, which is infinite where
    it may not.
    """

    order: tuple[Key, ...]
    hedge_after: float = math.inf


class Chooser(Generic[Key]):
    """Chooses between upstreams, in the order in which they are configured."""

    def __init__(
        self, candidates: Mapping[Key, Standing], strategy: Strategy, chance: random.Random
    ) -> None:
        self.standings = dict(candidates)
        self._strategy = strategy
        self._chance = chance
        self._operators: dict[Name, tuple[str, ...]] = {}
        self._hedges = 1.0

    def plan(self, domain: Name | None, now: float, avoided: Collection[Key] = ()) -> Plan[Key]:
        """Whom to ask for a name of this domain. Those to be avoided come last."""
        if len(self.standings) == 1:
            return Plan(tuple(self.standings))  # there is nothing to choose
        ranked = self.ranked(now, avoided)
        good = [key for key in ranked if key not in avoided and self.is_up(key, now)]
        if self._strategy is Strategy.RANDOM:
            self._chance.shuffle(good)
        if self._strategy is not Strategy.FASTEST or not good:
            return Plan(_first(good, ranked))
        self._hedges = min(self._hedges + HEDGES_PER_QUERY, MOST_HEDGES_AT_ONCE)
        first_ways = [key for key in good if self._is_first_way(key)]
        operator = self._operator(domain, first_ways, now)
        own = [key for key in first_ways if self.standings[key].operator == operator]
        best = self._drawn({key: self.standings[key].cost(now) for key in own})
        host = self.standings[best].host
        other_ways = [key for key in good if self.standings[key].host == host and key != best]
        hedge_after = self._hedge_after(best) if len(own) > 1 or other_ways else math.inf
        return Plan(_first([best, *own, *other_ways], ranked), hedge_after)

    def ranked(self, now: float, avoided: Collection[Key] = ()) -> list[Key]:
        """All of them: those that answer first, and the best of them where that is measured."""

        def rank(key: Key) -> tuple[bool, bool, float]:
            is_measured = self._strategy is Strategy.FASTEST
            cost = self.standings[key].cost(now) if is_measured else 0.0
            return key in avoided, not self.is_up(key, now), cost

        return sorted(self.standings, key=rank)

    def elsewhere(self, asked: Iterable[Key], others: Iterable[Key]) -> list[Key]:
        """Those of the others that lead to other servers than those that were asked."""
        hosts = {self.standings[key].host for key in asked}
        return [key for key in others if self.standings[key].host not in hosts]

    def is_up(self, key: Key, now: float) -> bool:
        """Whether it answers, as far as that is known."""
        standing = self.standings[key]
        if self._strategy is Strategy.FASTEST:
            return not standing.failures
        return now >= standing.rests_until

    def patience(self, key: Key) -> float:
        """Seconds for which one that is there may be silent; infinite where that is not known.

        All ways to a server are as long. Where nothing is probed, nothing is known.
        """
        if self._strategy is not Strategy.FASTEST:
            return math.inf
        host = self.standings[key].host
        measured = [
            standing.round_trip.patience
            for standing in self.standings.values()
            if standing.host == host and standing.round_trip.smoothed is not None
        ]
        return max(measured, default=math.inf)

    def may_hedge(self) -> bool:
        """Whether the budget has a hedge left; then it is spent."""
        if self._hedges < 1:
            return False
        self._hedges -= 1
        return True

    def to_probe(self, now: float) -> list[Key]:
        """Who is to be probed now; each is told once."""
        if self._strategy is not Strategy.FASTEST or len(self.standings) == 1:
            return []
        due = [
            key
            for key, standing in self.standings.items()
            if now >= standing.probe_at and (standing.failures or self._is_first_way(key))
        ]
        for key in due:
            self.standings[key].probe_at = now + EXPLORE_EVERY
        return due

    def overtaken(self, key: Key, since: float, now: float) -> None:
        """The second has answered before this one, asked at `since`: a probe will tell why."""
        standing = self.standings[key]
        if standing.answered_at < since:
            standing.probe_at = min(standing.probe_at, now)

    def forget(self) -> None:
        """The network has changed: all is to be measured anew. Operators keep their domains."""
        for standing in self.standings.values():
            standing.forget()

    def _operator(self, domain: Name | None, good: Iterable[Key], now: float) -> str:
        """The operator of the domain, or one for it."""
        costs: dict[str, float] = {}
        for key in good:
            standing = self.standings[key]
            cost = standing.cost(now)
            costs[standing.operator] = min(cost, costs.get(standing.operator, math.inf))
        if domain is None:
            return self._drawn(costs)
        told = self._operators.pop(domain, ())
        operator = next((each for each in told if each in costs), "")
        if not operator:
            operator = self._drawn(costs)
            told = (*told, operator)
        self._operators[domain] = told
        if len(self._operators) > MOST_DOMAINS:
            del self._operators[next(iter(self._operators))]
        return operator

    def _drawn(self, costs: Mapping[Other, float]) -> Other:
        """One of them, by the power of two choices; the first where nothing is measured."""
        drawn: list[Other] = []
        for _ in range(2):
            left = {each: cost for each, cost in costs.items() if each not in drawn}
            weights = [cost**-2 for cost in left.values()]
            if any(weights):
                drawn += self._chance.choices(list(left), weights)
        return min(drawn or costs, key=costs.__getitem__)

    def _is_first_way(self, key: Key) -> bool:
        """Whether none that stands before it leads to the same server, and answers."""
        host = self.standings[key].host
        for other, standing in self.standings.items():
            if other == key:
                return True
            if standing.host == host and not standing.failures:
                return False
        raise KeyError(key)

    def _hedge_after(self, key: Key) -> float:
        round_trip = self.standings[key].round_trip
        if len(round_trip.recent) < MEASURED_ENOUGH:
            return FIRST_HEDGE
        return round_trip.quantile(HEDGED) + _SHORTEST


def host_of(url: str) -> str:
    """The server that an upstream's URL leads to, by whatever way."""
    return urlsplit(url).hostname or url


def standing_of(url: str, round_trip: RoundTrip) -> Standing:
    """How the upstream of this URL stands at first.

    Who runs it is known by the last two labels of its host, or by its address.
    """
    host = host_of(url)
    operator = host if is_address(host) else ".".join(host.split(".")[-2:])
    return Standing(operator, host, round_trip)


def domain_of(name: Name) -> Name | None:
    """The domain by which a name, a key, goes to an operator; None for what is above all domains.

    That is its last two labels. Where names are registered a level deeper it binds more of them
    together than need be, which tells nobody anything.
    """
    return names.suffix(name, 2) if names.label_count(name) >= 2 else None


def _first(best: Iterable[Key], others: Iterable[Key]) -> tuple[Key, ...]:
    return tuple(dict.fromkeys([*best, *others]))
