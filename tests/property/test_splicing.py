"""The splicing adversary: it has no keys, and answers every question from all that was ever signed.

A validator's worst faults lead from secure to insecure, and random octets hardly ever find them. So
the upstream here is an attacker who holds every genuine record of three eras of a small internet,
and composes answers to the client's question and to the engine's own from them: true answers with a
few moves made upon them (`support.splices`). Whatever it does, the engine may say only what is true
of the worlds whose signatures hold at the time (`support.truth`), or refuse.
"""

from dataclasses import dataclass, field

from hypothesis import given, note, settings
from hypothesis import strategies as st

from anchord.dnssec.asking import Context
from anchord.dnssec.memo import Memo
from anchord.dnssec.replay import Zones, validate_question
from anchord.model.question import Question
from anchord.model.response import Response, Unanswered
from support.eras import ASKED_TYPES, TIMES, anchors, in_force, interesting_names
from support.splices import MOVES, Move, Reply
from support.truth import Truth, complaint

EXAMPLES = 60 * settings().max_examples
"""An attack takes a millisecond or two, and most of them fail for dull reasons."""

TRUTHS = {when: Truth(in_force(now)) for when, now in TIMES.items()}
MEMO = Memo()
"""One for all attacks: what verified once verifies again, whatever the adversary makes of it."""


@dataclass(frozen=True)
class Attack:
    """All that the adversary does in one example. The n-th question of the engine gets the n-th of
    `chain`, later ones the truth of `era`; the client's own question gets `first`."""

    when: str
    question: Question
    first: Reply
    era: int
    chain: tuple[Reply, ...]
    asked: list[str] = field(default_factory=list, compare=False, repr=False)

    def answer(self, question: Question) -> Response | Unanswered:
        if not self.asked:
            reply = self.first
        elif len(self.asked) <= len(self.chain):
            reply = self.chain[len(self.asked) - 1]
        else:
            reply = Reply(self.era)
        self.asked.append(f"{question}: {reply}")
        return reply(question)


NUMBERS = st.integers(0, 0xFFFF)
MOVE = st.builds(Move, st.sampled_from(sorted(MOVES)), NUMBERS, NUMBERS)


@st.composite
def attacks(draw: st.DrawFn) -> Attack:
    when = draw(st.sampled_from(sorted(TIMES)))
    rdtype = ASKED_TYPES[draw(st.integers(0, 29)) % 10 if draw(st.booleans()) else 0]
    question = Question(draw(st.sampled_from(interesting_names())), rdtype)
    moves = draw(st.lists(MOVE, min_size=1, max_size=4))
    era = draw(st.sampled_from((2, 1, 0)))
    chain = draw(st.lists(st.integers(0, 9), max_size=8))
    replies = [
        Reply(draw(st.integers(0, 3)), tuple(draw(st.lists(MOVE, max_size=3))))
        if number > 6
        else Reply(era)
        for number in chain
    ]
    return Attack(when, question, Reply(era, tuple(moves)), era, tuple(replies))


@settings(max_examples=EXAMPLES)
@given(attacks())
def test_whoever_has_no_keys_gets_nothing_said_that_is_not_so(attack: Attack) -> None:
    now = TIMES[attack.when]
    context = Context(anchors(), Zones(), memo=MEMO)
    answer = validate_question(attack.question, attack.answer, context, now)
    if isinstance(answer, Unanswered):
        return
    if wrong := complaint(answer, TRUTHS[attack.when]):
        for asked in attack.asked:
            note(asked)
        raise AssertionError(f"{answer.verdict.status.word}: {wrong}")
