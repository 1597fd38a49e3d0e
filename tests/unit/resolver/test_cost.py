"""What a cold question costs in calls: held against those that reading its responses takes.

The upstream has its replies ready, so that only our own work is counted, trio's included. The ratio
is as it was measured, with a tenth in hand; a change that raises it has to say what for.
"""

import sys
from functools import partial
from types import FrameType

from anchord.lab.plan import Plan
from anchord.model.question import Question
from anchord.model.verdict import Status
from anchord.wire.message import read_response
from support.counting import calls
from support.lab import world_of
from support.walk import Heard, MemoryUpstream, ask, open_resolver, written

WORLD = world_of(Plan("good.lab.", "signed"))

NEW_ZONE = 18.5
"""Times the calls for reading the three responses of a new signed zone below a known TLD."""


class Prepared:
    """An upstream's replies, each made when it is first asked for."""

    def __init__(self) -> None:
        self.replies: dict[Question, bytes] = {}

    async def __call__(self, heard: Heard) -> bytes:
        question = heard.query.question
        if question not in self.replies:
            self.replies[question] = written(heard.wire, WORLD.answer(question))
        return heard.wire[:2] + self.replies[question][2:]


async def cold_question(prepared: Prepared) -> tuple[int, list[Question]]:
    """The calls for `www.good.lab`, and what the upstream was asked for it."""
    upstream = MemoryUpstream(prepared)
    async with open_resolver(WORLD, upstream) as resolver:
        await ask(resolver, "lab.", "SOA")
        upstream.heard.clear()
        count = 0

        def on_event(_: FrameType, event: str, __: object) -> None:
            nonlocal count
            count += event in {"call", "c_call"}

        before = sys.getprofile()
        sys.setprofile(on_event)
        try:
            answer = await ask(resolver, "www.good.lab", dnssec_ok=True)
        finally:
            sys.setprofile(before)
    assert answer.verdict.status is Status.SECURE
    return count, [heard.query.question for heard in upstream.heard]


async def test_a_question_in_a_new_zone() -> None:
    prepared = Prepared()
    await cold_question(prepared)
    count, asked = await cold_question(prepared)
    assert len(asked) == 3
    reading = sum(calls(partial(read_response, prepared.replies[each], each)) for each in asked)
    assert count / reading <= NEW_ZONE
