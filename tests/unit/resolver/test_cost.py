"""What an answer costs in calls: held against those that reading its responses takes.

The upstream has its replies ready, so that only our own work is counted, trio's included. The
ratios are as they were measured, with a tenth in hand; a change that raises one has to say what
for.
"""

import sys
from functools import partial
from types import FrameType

import pytest

from anchord.lab.plan import Plan
from anchord.model.question import ClientFlags, Question
from anchord.model.verdict import Status
from anchord.wire.message import read_response
from support.counting import calls
from support.lab import question, world_of
from support.walk import Heard, MemoryUpstream, ask, open_resolver, written

WORLD = world_of(Plan("good.lab.", "signed", records="www A 192.0.2.1\nzz A 192.0.2.2"))

NEW_ZONE = 16.2
"""Times the calls for reading the three responses of a new signed zone below a known TLD."""

FRESH, DENIED, UNKNOWN = 0.3, 8.4, 0.98
"""Times the calls for reading a denial: to tell what is remembered; to deny a name by records that
came with another one; and to find that nothing is known of a name beside denied ones."""


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


@pytest.mark.parametrize(
    ("name", "most"),
    [("www.good.lab", FRESH), ("ny.good.lab", DENIED), ("zz.good.lab", UNKNOWN)],
)
async def test_what_is_told_at_once(name: str, most: float) -> None:
    prepared = Prepared()
    async with open_resolver(WORLD, MemoryUpstream(prepared)) as resolver:
        await ask(resolver, "www.good.lab")
        await ask(resolver, "nx.good.lab")
        asked, denied = question(name), question("nx.good.lab")
        known = resolver.known(asked, ClientFlags())
        assert (known is None) == (most == UNKNOWN)
        reading = calls(partial(read_response, prepared.replies[denied], denied))
        assert calls(partial(resolver.known, asked, ClientFlags())) / reading <= most
