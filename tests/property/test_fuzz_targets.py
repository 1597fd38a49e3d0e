"""The fuzz targets over a small fixed corpus: their seeds, and what comes of damaging them."""

import random
from collections.abc import Iterator

import pytest

import fuzz_targets
from anchord.dnssec.asking import Context
from anchord.dnssec.replay import Zones, validate_question
from anchord.model.response import Response, Unanswered
from anchord.model.verdict import Answer, Status
from anchord.wire.message import read_response
from fuzz_targets import NOW, QUESTIONS, TARGETS, marked, seeds


def damaged(seed: bytes, chance: random.Random) -> Iterator[bytes]:
    """The seed cut short, with octets changed, and with a piece of itself once more."""
    for _ in range(4):
        octets = bytearray(seed)
        for _ in range(chance.randrange(1, 6)):
            octets[chance.randrange(len(octets))] = chance.choice((0, 0x3F, 0xC0, 0xFF, 7))
        yield bytes(octets)
    cut, again = sorted(chance.choices(range(len(seed)), k=2))
    yield seed[:cut]
    yield seed[:again] + seed[cut:]


@pytest.mark.parametrize("target", TARGETS)
def test_no_target_raises(target: str) -> None:
    chance = random.Random(target)
    corpus = list(seeds(target))
    assert len(corpus) > 20
    for seed in (b"", *corpus):
        TARGETS[target](seed)
        for octets in damaged(seed, chance) if seed else ():
            TARGETS[target](octets)


def test_marked_signatures_lead_behind_the_signatures() -> None:
    """Else the fuzzer would only ever see that they fail."""
    world, anchors = fuzz_targets._world(), fuzz_targets._anchors()

    def spoilt(message: bytes) -> Answer:
        def answers(asked: object) -> Response | Unanswered:
            if asked != QUESTIONS[0]:
                return world.answer(asked)  # type: ignore[arg-type]
            octets = fuzz_targets._as_answer(message, QUESTIONS[0])
            return read_response(octets, QUESTIONS[0])

        context = Context(anchors, Zones(), load_key=marked)
        answer = validate_question(QUESTIONS[0], answers, context, NOW)
        assert isinstance(answer, Answer)
        return answer

    honest = world.answer(QUESTIONS[0])
    assert isinstance(honest, Response)
    forged = fuzz_targets._message(honest).replace(b"\xc0\0\2\2", b"\xc0\0\2\xff")
    assert spoilt(forged).verdict.status is Status.BOGUS
    marks = fuzz_targets._with_marks(forged)
    answer = spoilt(marks)
    assert answer.verdict.status is Status.SECURE
    assert answer.answer[0].rrset.rdatas == (b"\xc0\0\2\xff",)
