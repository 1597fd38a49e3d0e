"""The splicing adversary: it has no keys, and answers every question from all that was ever signed.

A validator's worst faults lead from secure to insecure, and random octets hardly ever find them. So
the upstream here is an attacker who holds every genuine record of three eras of a small internet,
and composes answers to the client's question and to the engine's own from them: true answers with a
few moves made upon them (`support.splices`). Whatever it does, the engine may say only what is true
of the worlds whose signatures hold at the time (`support.truth`), or refuse.
"""

import random
from collections.abc import Iterator
from dataclasses import replace

from hypothesis import settings

from anchord.dnssec.asking import Context
from anchord.dnssec.memo import Memo
from anchord.dnssec.replay import Zones, validate_question
from anchord.model.response import Unanswered
from support.attacks import FIRST, Attack, attack_of
from support.eras import TIMES, anchors, in_force
from support.splices import Reply
from support.truth import Truth, complaint

ATTACKS = 500 * settings().max_examples
"""By the profile that was chosen: half a minute, or half an hour and more."""
TRUTHS = {when: Truth(in_force(now)) for when, now in TIMES.items()}
MEMO = Memo()
"""One for all attacks: what verified once verifies again, whatever the adversary makes of it."""


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
