"""The splicing adversary: it has no keys, and answers every question from all that was ever signed.

A validator's worst faults lead from secure to insecure, and random octets hardly ever find them. So
the upstream here is an attacker who holds every genuine record of three eras of a small internet,
and composes answers to the client's question and to the engine's own from them: true answers with a
few moves made upon them (`support.splices`). Whatever it does, the engine may say only what is true
of the worlds whose signatures hold at the time (`support.truth`), or refuse.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from hypothesis import settings

from anchord.dnssec.asking import Context
from anchord.dnssec.memo import Memo
from anchord.dnssec.replay import Zones, validate_question
from anchord.model import rdtypes
from anchord.model.question import Question
from anchord.model.response import Response, Unanswered
from support.eras import ASKED_TYPES, TIMES, anchors, eras, in_force, owners
from support.splices import ALL_ERAS, ANSWERING, CHANGING, DENYING, Move, Reply
from support.truth import Truth, complaint

ATTACKS = 500 * settings().max_examples
"""By the profile that was chosen: half a minute, or half an hour and more."""
FIRST = 0 if settings().derandomize else random.SystemRandom().getrandbits(48)
"""The number of the first: the same on every machine, or never the same."""

TRUTHS = {when: Truth(in_force(now)) for when, now in TIMES.items()}
MEMO = Memo()
"""One for all attacks: what verified once verifies again, whatever the adversary makes of it."""


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


def test_whoever_has_no_keys_gets_nothing_said_that_is_not_so() -> None:
    for number in range(FIRST, FIRST + ATTACKS):
        attack = attack_of(random.Random(number))
        if wrong_with(attack):
            attack = simplest(attack)
            raise AssertionError(f"{wrong_with(attack)}\n{number}: {attack}\n{told(attack)}")


def wrong_with(attack: Attack) -> str:
    """What the engine says under an attack that is not so; empty where all is well."""
    attack.asked.clear()
    context = Context(anchors(), Zones(), memo=MEMO)
    answer = validate_question(attack.question, attack.answer, context, TIMES[attack.when])
    if isinstance(answer, Unanswered):
        return ""
    wrong = complaint(answer, TRUTHS[attack.when])
    return f"{answer.verdict.status.word}: {wrong}" if wrong else ""


# ------------ Drawing attacks ------------
#
# Plain chance, no strategies: Hypothesis takes longer to draw an attack than the engine to judge
# it, and prefers small numbers, where here each is as good as the other.


def named(moves: Sequence[Callable[..., Response]]) -> list[str]:
    return [move.__name__ for move in moves]


DENIES, ANSWERS, CHANGES = map(named, (DENYING[:1] * 3 + DENYING, ANSWERING, CHANGING))
WHEN = [when for when, now in TIMES.items() for _ in range(1 + 4 * len(in_force(now)))]
NAMES = owners(safe=True) * 8 + owners(safe=False)
TYPES = ASKED_TYPES[:2] * 4 + ASKED_TYPES[:3] * 3 + ASKED_TYPES
UNSIGNED = ["strip_all", "forge"] * len(CHANGES) + CHANGES
"""What would be right below an insecure cut, and now and then something else."""


def attack_of(chance: random.Random) -> Attack:
    """Of four kinds: false denials, false data, a feigned insecure cut, and anything at all."""
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

    match chance.choice(("denial", "denial", "data", "cut", "cut", "anything")):
        case "denial":
            return Attack(when, question, lie(DENIES), era)
        case "data":
            return Attack(when, question, lie(ANSWERS), era)
        case "cut":
            cuts = (*(Reply(era),) * chance.randrange(6), lie(DENIES))
            return Attack(when, question, Reply(era, (move(UNSIGNED),)), era, cuts)
    cuts = tuple(anything() for _ in range(chance.randrange(7)))
    keys = tuple(anything() for _ in range(chance.randrange(4)))
    return Attack(when, question, anything(), era, cuts, keys)


# ------------ Telling of one that succeeds ------------


def simplest(attack: Attack) -> Attack:
    """The attack without anything that it succeeds without."""
    while simpler := next((one for one in _simpler(attack) if wrong_with(one)), None):
        attack = simpler
    return attack


def _simpler(attack: Attack) -> Iterator[Attack]:
    for first in _simpler_replies(attack.first, attack.era):
        yield replace(attack, first=first, asked=[])
    for cuts in _with_one_simpler(attack.cuts, attack.era):
        yield replace(attack, cuts=cuts, asked=[])
    for keys in _with_one_simpler(attack.keys, attack.era):
        yield replace(attack, keys=keys, asked=[])


def _with_one_simpler(replies: tuple[Reply, ...], era: int) -> Iterator[tuple[Reply, ...]]:
    for at, reply in enumerate(replies):
        for simpler in _simpler_replies(reply, era):
            yield (*replies[:at], simpler, *replies[at + 1 :])


def _simpler_replies(reply: Reply, era: int) -> Iterator[Reply]:
    if reply.era != era:
        yield replace(reply, era=era)
    for at in range(len(reply.moves)):
        yield replace(reply, moves=reply.moves[:at] + reply.moves[at + 1 :])


def told(attack: Attack) -> str:
    """What was asked and how it was answered."""
    wrong_with(attack)
    return "\n".join(f"  {question}: {reply}" for question, reply in attack.asked)
