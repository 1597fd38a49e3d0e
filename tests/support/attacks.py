"""Attacks of the splicing adversary: what is asked, when, and how every question is answered."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hypothesis import settings

from anchord.model import rdtypes
from anchord.model.question import Question
from anchord.model.response import Response, Unanswered

from .eras import ASKED_TYPES, TIMES, eras, in_force, owners
from .splices import ALL_ERAS, ANSWERING, CHANGING, DENYING, Move, Reply

FIRST = 0 if settings().derandomize else random.SystemRandom().getrandbits(48)
"""The number of the first attack: the same on every machine, or never the same, as the profile of
Hypothesis says."""


@dataclass(frozen=True)
class Attack:
    """All that the adversary does in one example.

    The client's own question gets `first`, the n-th DS question of the engine gets the n-th of
    `cuts`, the n-th DNSKEY question the n-th of `keys`, and everything else the truth of `era`.
    """

    when: str
    question: Question
    first: Reply
    era: int
    cuts: tuple[Reply, ...] = ()
    keys: tuple[Reply, ...] = ()
    asked: list[tuple[Question, Reply]] = field(default_factory=list, compare=False, repr=False)

    def answer(self, question: Question) -> Response | Unanswered:
        reply = self._reply(question)
        self.asked.append((question, reply))
        return reply(question)

    def _reply(self, question: Question) -> Reply:
        if not self.asked:
            return self.first
        before = sum(asked.rdtype == question.rdtype for asked, _ in self.asked[1:])
        replies = {rdtypes.DS: self.cuts, rdtypes.DNSKEY: self.keys}.get(question.rdtype, ())
        return replies[before] if before < len(replies) else Reply(self.era)


# ------------ Drawing attacks ------------
#
# Plain chance, no strategies: Hypothesis takes longer to draw an attack than the engine to judge
# it, and prefers small numbers, where here each is as good as the other.


def named(moves: Sequence[Callable[..., Response]]) -> list[str]:
    return [move.__name__ for move in moves]


DENIES, ANSWERS, CHANGES = map(named, (DENYING, ANSWERING, CHANGING))
DENIES += ["deny_by_all"] * 3  # the strongest
ANSWERS += ["expand"] * 4
WHEN = [when for when, now in TIMES.items() for _ in range(1 + 4 * len(in_force(now)))]
NAMES = owners(safe=True) * 8 + owners(safe=False)
FORGES = ["forge", "forge", "deny_by_all", "raise_ttls"]
"""What a key of nobody is good for."""
BELOW_CUTS = [name for name in owners(safe=True) if b"\x03kid" in name] + list(NAMES[::64])
"""Where a feigned insecure cut does harm."""
TYPES = ASKED_TYPES[:2] * 4 + ASKED_TYPES[:3] * 3 + ASKED_TYPES
UNSIGNED = ["strip_all", "forge"] * len(CHANGES) + CHANGES
"""What would be right below an insecure cut, and now and then something else."""


def attack_of(chance: random.Random) -> Attack:
    """Of five kinds: false denials, false data, a feigned insecure cut, a false key, anything."""
    when = chance.choice(WHEN)
    question = Question(chance.choice(NAMES), chance.choice(TYPES))
    valid = [at for at, era in enumerate(eras()) if era.begin <= TIMES[when] <= era.end]
    era = chance.choice(valid * 4 + [0, 1, 2])

    def move(kinds: list[str]) -> Move:
        sources = (era, era, era, ALL_ERAS, 0, 1, 2)
        numbers = chance.randrange(1 << 9), chance.randrange(1 << 6)
        return Move(chance.choice(kinds), chance.choice(sources), *numbers)

    def lie(kinds: list[str]) -> Reply:
        """A move of these kinds, and perhaps a change made upon it."""
        changes = [move(CHANGES)] if chance.random() < 0.3 else []
        return Reply(era, (move(kinds), *changes))

    def anything() -> Reply:
        moves = [move(CHANGES + ANSWERS + DENIES) for _ in range(chance.randrange(4))]
        return Reply(chance.choice((era, era, 0, 1, 2, ALL_ERAS)), tuple(moves))

    match chance.choice(("denial", "denial", "data", "data", "cut", "cut", "key", "anything")):
        case "denial":
            return Attack(when, question, lie(DENIES), era)
        case "data":
            return Attack(when, question, lie(ANSWERS), era)
        case "cut":
            question = Question(chance.choice(BELOW_CUTS), question.rdtype)
            cuts = (*(Reply(era),) * chance.randrange(6), lie(DENIES + ANSWERS))
            return Attack(when, question, Reply(era, (move(UNSIGNED),)), era, cuts)
        case "key":
            forged = Reply(era, (move(FORGES), move(["sign_by_stranger"])))
            keys = (*(Reply(era),) * chance.randrange(5), lie(["add_stranger"]))
            return Attack(when, question, forged, era, keys=keys)
    cuts = tuple(anything() for _ in range(chance.randrange(7)))
    keys = tuple(anything() for _ in range(chance.randrange(4)))
    return Attack(when, question, anything(), era, cuts, keys)
