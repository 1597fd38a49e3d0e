"""The order of records, in whatever order a resolver on the way puts them, decides nothing."""

import random

import pytest
from msgspec.structs import replace

from anchord.config.anchors import read
from anchord.dnssec.anchors import trust_anchors
from anchord.dnssec.asking import Context
from anchord.dnssec.replay import Zones, validate_question
from anchord.lab.table import CASES
from anchord.lab.world import World
from anchord.model.question import Question
from anchord.model.response import Response, RRset, Unanswered
from anchord.resolver.reply import extended_errors
from support.lab import NOW

WORLD = World(NOW)


def verdicts(seed: int | None) -> dict[str, tuple[str, list[int]]]:
    """The status and the codes of every row, with all records in an order of their own."""
    dice = random.Random(seed)

    def mixed(rrset: RRset) -> RRset:
        return replace(
            rrset,
            rdatas=tuple(dice.sample(rrset.rdatas, len(rrset.rdatas))),
            signatures=tuple(dice.sample(rrset.signatures, len(rrset.signatures))),
        )

    def answer(question: Question) -> Response | Unanswered:
        said = WORLD.answer(question)
        if seed is None or isinstance(said, Unanswered):
            return said
        return replace(
            said,
            answer=tuple(map(mixed, said.answer)),
            authority=tuple(map(mixed, dice.sample(said.authority, len(said.authority)))),
        )

    found = {}
    for case in CASES:
        context = Context(trust_anchors(read(WORLD.trust_anchors(), "lab")), Zones())
        judged = validate_question(case.question, answer, context, NOW)
        if not isinstance(judged, Unanswered):
            codes = [ede.code for ede in extended_errors(judged)]
            found[str(case)] = judged.verdict.status.name, codes[:1]
    return found


@pytest.mark.parametrize("seed", range(3))
def test_every_row_has_its_verdict_in_any_order(seed: int) -> None:
    expected, found = verdicts(None), verdicts(seed)
    assert len(found) > len(CASES) * 0.9
    assert {row: found[row] for row in found if found[row] != expected[row]} == {}
