"""The effort for one question: wherever it comes to its end, the question fails and says so.

Nothing that was judged before may be told as if the rest were well, and nothing is insecure only
because there was no more to look at.
"""

import pytest
from msgspec.structs import replace

from anchord.dnssec.limits import Limits
from anchord.lab.world import World
from anchord.model.response import Response
from anchord.model.verdict import Answer, Status
from support.denials import name
from support.judging import Lie, Upstream, codes, context_of, judge, texts, zone_in
from support.lab import question

QUESTIONS = [
    ("z.lab A", Status.SECURE),
    ("nx.z.lab A", Status.SECURE),
    ("nx.y.lab A", Status.SECURE),
    ("z.lab ANY", Status.SECURE),
    ("a.w.z.lab A", Status.SECURE),
    ("away.z.lab A", Status.SECURE),
    ("old.z.lab A", Status.SECURE),
    ("gone.z.lab A", Status.SECURE),
    ("kid.z.lab DS", Status.SECURE),
    ("nx.compact.lab A", Status.SECURE),
    ("unsigned.lab A", Status.INSECURE),
    ("nx.unsigned.lab A", Status.INSECURE),
    ("loose.z.lab A", Status.INSECURE),
    ("deep.loose.y.lab A", Status.INSECURE),
    ("x.optout.lab A", Status.INSECURE),
    ("kid.many.lab A", Status.SECURE),
    ("nx.many.lab A", Status.INSECURE),
]


def judged(world: World, asked: str, effort: int, lies: dict[str, Lie] | None = None) -> Answer:
    return judge(Upstream(world, lies), asked, context_of(world, limits=Limits(effort=effort)))


@pytest.mark.parametrize(("asked", "expected"), QUESTIONS, ids=[asked for asked, _ in QUESTIONS])
def test_with_less_effort_than_it_takes_a_question_fails(
    world: World, asked: str, expected: Status
) -> None:
    effort = 0
    while (answer := judged(world, asked, effort)).verdict.status is not expected:
        assert (answer.verdict.status, codes(answer)) == (Status.BOGUS, [6]), effort
        assert "too many records to look at" in texts(answer)
        effort += 1
    assert 5 < effort < 100
    assert judged(world, asked, effort + 1).verdict.status is expected


def test_a_proof_of_an_insecure_cut_that_came_along_is_looked_at_on_the_same_terms(
    world: World,
) -> None:
    cut = zone_in(world, "lab").chain.matching(name("unsigned.lab"))
    assert cut
    along: dict[str, Lie] = {
        "unsigned.lab A": lambda truth: (
            replace(truth, authority=(cut,)) if isinstance(truth, Response) else truth
        )
    }
    effort = 0
    while (answer := judged(world, "unsigned.lab A", effort, along)).verdict.status.is_failure:
        assert codes(answer) == [6], effort
        effort += 1
    assert answer.verdict.status is Status.INSECURE
    assert 5 < effort < 100


def test_what_is_known_to_be_insecure_fails_as_well_once_there_is_no_more_to_look_at(
    world: World,
) -> None:
    cut = zone_in(world, "lab").chain.matching(name("unsigned.lab"))
    assert cut
    context = context_of(world)
    assert judge(world, "unsigned.lab A", context).verdict.status is Status.INSECURE
    truth = world.answer(question("unsigned.lab"))
    assert isinstance(truth, Response)
    along = Upstream(world, {"unsigned.lab A": replace(truth, authority=(cut,))})
    too_little = replace(context, limits=Limits(effort=1))
    answer = judge(along, "unsigned.lab A", too_little)
    assert (answer.verdict.status, codes(answer)) == (Status.BOGUS, [6])
    assert "too many records to look at" in texts(answer)
