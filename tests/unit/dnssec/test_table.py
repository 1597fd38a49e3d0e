"""Every row of the lab's table, through the engine in memory: verdict, code and first reason."""

import pytest

from anchord.config.anchors import read
from anchord.dnssec.anchors import trust_anchors
from anchord.dnssec.asking import Context
from anchord.dnssec.replay import Zones, validate_question
from anchord.lab.plan import Case
from anchord.lab.table import CASES
from anchord.lab.world import World
from anchord.model.response import Unanswered
from anchord.model.verdict import Status
from anchord.resolver.reply import extended_errors

NOW = 1_790_000_000


@pytest.fixture(scope="module")
def world() -> World:
    return World(NOW)


@pytest.fixture(scope="module")
def warm(world: World) -> Context:
    return _context(world)


def _context(world: World) -> Context:
    return Context(trust_anchors(read(world.trust_anchors(), "lab")), Zones())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_cold(case: Case, world: World) -> None:
    _check(case, world, _context(world))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_with_zones_that_are_known(case: Case, world: World, warm: Context) -> None:
    _check(case, world, warm)


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(2**31 + 3600, id="2038, as the numbers turn negative"),
        pytest.param(2**32 - 3600, id="2106, before they begin anew"),
        pytest.param(2**32 + 3600, id="2106, after that"),
    ],
)
def test_when_the_times_of_signatures_wrap(now: int) -> None:
    world = World(now)
    for case in CASES:
        _check(case, world, _context(world))


def _check(case: Case, world: World, context: Context) -> None:
    answer = validate_question(case.question, world.answer, context, world.now)
    if isinstance(answer, Unanswered):
        assert case.status is Status.UNOBTAINABLE
        assert answer.edes[0].code in case.codes
        return
    errors = extended_errors(answer)
    assert answer.verdict.status is case.status, (case, errors)
    if not case.status.is_failure:
        assert answer.rcode == case.rcode
    assert [error.code for error in errors[:1] if error.code not in case.codes] == []
    assert bool(errors) == bool(case.codes), (case, errors)
