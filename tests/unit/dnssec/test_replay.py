"""The engine over answers that are there already."""

from anchord.dnssec.replay import validate_question
from anchord.lab.world import World
from anchord.model.response import Unanswered
from anchord.model.verdict import Answer
from support.judging import Upstream, context_of, silence
from support.lab import NOW, question


def test_what_nobody_answers_stays_unanswered(world: World) -> None:
    upstream = Upstream(world, {"z.lab A": silence})
    found = validate_question(question("z.lab"), upstream, context_of(world), NOW)
    assert isinstance(found, Unanswered)
    assert found.question == question("z.lab")
    assert upstream.asked == ["z.lab. A"]


def test_what_is_answered_is_judged(world: World) -> None:
    found = validate_question(question("z.lab"), Upstream(world), context_of(world), NOW)
    assert isinstance(found, Answer)
