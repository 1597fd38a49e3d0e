"""Running the engine over answers that are there already: tests, post-mortems, fuzzing.

The driver in its simplest form: no event loop, no budget for fetching, one question at a time.
"""

from collections.abc import Callable
from typing import TypeVar

from anchord.model.names import Name, ancestors
from anchord.model.question import Question
from anchord.model.response import Response, Unanswered
from anchord.model.verdict import Answer

from .asking import Ask, Asking, AskZone, Context, Reply, Work, ZoneTrust
from .engine import validate
from .limits import Budget
from .trust import find_zone

T = TypeVar("T")

Answers = Callable[[Question], Response | Unanswered]


class Zones:
    """Proven zones, kept for as long as the object lives."""

    def __init__(self) -> None:
        self._trusts: dict[Name, ZoneTrust] = {}

    def closest(self, name: Name) -> ZoneTrust | None:
        """The deepest known zone at or above `name`."""
        return next((t for a in ancestors(name) if (t := self._trusts.get(a))), None)

    def put(self, trust: ZoneTrust) -> None:
        """Keep a zone."""
        self._trusts[trust.zone] = trust


def run(asking: Asking[T], answers: Answers, context: Context, now: int) -> T:
    """The result of a generator of the engine, with `answers` for an upstream."""
    reply: Reply = None
    try:
        while True:
            request = asking.send(reply)
            match request:
                case Ask():
                    reply = answers(request.question)
                case AskZone():
                    reply = run(find_zone(request, context, now), answers, context, now)
                case _:
                    reply = None
    except StopIteration as done:
        result: T = done.value
        return result


def validate_question(
    question: Question, answers: Answers, context: Context, now: int
) -> Answer | Unanswered:
    """The answer to a question, as a resolver over this upstream would give it at `now`."""
    response = answers(question)
    if isinstance(response, Unanswered):
        return response
    work = Work(context, Budget(context.limits), now)
    return run(validate(response, work), answers, context, now)
