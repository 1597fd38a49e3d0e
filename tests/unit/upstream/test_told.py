"""Whatever an upstream does, the question fails in time, and its reason names who did what."""

import pytest
import trio

from anchord.model import names, rdtypes
from anchord.model.ede import EdeCode
from anchord.model.question import Question
from anchord.model.response import Response, Unanswered
from anchord.resolver.fetch import Fetcher
from anchord.resolver.routes import Routes
from anchord.upstream.choice import Strategy
from anchord.wire.message import TC
from support.certificates import make
from support.peers import reply_to
from support.stubborn import SERVERS, Asked, Conduct, hang_up, ignore
from unit.upstream.conftest import NAME, Stage

TIMEOUT = 1.0
"""Seconds for a question."""

QUESTION = Question(names.from_text("www.example"), rdtypes.A)

NETWORK, INVALID = EdeCode.NETWORK_ERROR, EdeCode.INVALID_DATA


async def break_off(asked: Asked) -> None:
    await asked.reply_half()
    await asked.connection.abort()


async def say_half(asked: Asked) -> None:
    await asked.reply_half()


async def cut_records(asked: Asked) -> None:
    await asked.reply(reply_to(asked.query)[:-3])


async def truncate(asked: Asked) -> None:
    right = reply_to(asked.query)
    await asked.reply(right[:2] + bytes((right[2] | TC >> 8,)) + right[3:])


async def answer_another_question(asked: Asked) -> None:
    await asked.reply(reply_to(asked.query).replace(b"www", b"xww"))


async def babble(asked: Asked) -> None:
    await asked.reply(b"no DNS")


FAULTS: dict[str, tuple[Conduct, set[int]]] = {
    "says nothing": (ignore, {NETWORK}),
    "hangs up": (hang_up, {NETWORK}),
    "breaks off": (break_off, {NETWORK}),
    "stops in mid-reply": (say_half, {NETWORK}),
    "cuts records": (cut_records, {INVALID}),
    "truncates": (truncate, {INVALID}),
    "answers another question": (answer_another_question, {NETWORK, INVALID}),
    "is no DNS": (babble, {NETWORK, INVALID}),
}
"""What a server does, and the code for it: of a shared stream, a reply may yet come."""

every = pytest.mark.parametrize("scheme", SERVERS)


async def reasons(stage: Stage, scheme: str, port: int) -> list[tuple[int, str]]:
    """Why there is no answer, in time; the texts without their upstream, which each names."""
    upstream = stage.upstream(scheme, port)
    fetcher = Fetcher(Routes([upstream]), stage.nursery, timeout=TIMEOUT)
    began = trio.current_time()
    said = await fetcher.fetch(QUESTION)
    assert trio.current_time() - began < 2 * TIMEOUT
    assert isinstance(said, Unanswered)
    assert said.edes
    assert all(ede.text.startswith(str(upstream)) for ede in said.edes)
    return [(ede.code, ede.text.removeprefix(str(upstream)).strip(": ")) for ede in said.edes]


@every
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_is_told_in_time_with_the_upstreams_name(
    stage: Stage, scheme: str, fault: str
) -> None:
    conduct, codes = FAULTS[fault]
    server = await stage.server(scheme, conduct)
    [(code, text)] = await reasons(stage, scheme, server.port)
    assert code in codes
    assert text


@every
async def test_where_nobody_listens_that_is_told(stage: Stage, scheme: str) -> None:
    server = await stage.server("quic", ignore)
    server.stop()
    [(code, text)] = await reasons(stage, scheme, server.port)
    assert code == NETWORK
    assert "connection refused" in text


@every
async def test_a_certificate_that_proves_nothing_is_told(stage: Stage, scheme: str) -> None:
    server = await stage.server(scheme, ignore, certificate=make([NAME]))
    assert await reasons(stage, scheme, server.port) == [
        (NETWORK, "the certificate is self-signed")
    ]


@every
@pytest.mark.parametrize("fault", FAULTS)
async def test_another_upstream_answers_where_one_does_not(
    stage: Stage, scheme: str, fault: str
) -> None:
    conduct, _ = FAULTS[fault]
    spoilt, good = await stage.server(scheme, conduct), await stage.server(scheme, answer_right)
    upstreams = [stage.upstream(scheme, each.port) for each in (spoilt, good)]
    fetcher = Fetcher(Routes(upstreams), stage.nursery, timeout=TIMEOUT)
    said = await fetcher.fetch(QUESTION)
    assert isinstance(said, Response)
    assert said.upstream == str(upstreams[1])


async def answer_right(asked: Asked) -> None:
    await asked.reply()


@every
async def test_one_that_dies_is_left_long_before_its_share_of_the_time_is_over(
    stage: Stage, scheme: str
) -> None:
    """Its share would be longer than the test may last. A fresh connection is of no use either."""
    is_gone = False

    async def die(asked: Asked) -> None:
        if not is_gone:
            await asked.reply()

    one = await stage.server(scheme, die)
    two = await stage.server(scheme, answer_right, certificate=make(["dns.test"], issuer=stage.ca))
    upstreams = [
        stage.upstream(scheme, one.port),
        stage.upstream(scheme, two.port, name="dns.test"),
    ]
    answered: list[str] = []
    async with trio.open_nursery() as probes:
        fetcher = Fetcher(Routes(upstreams), probes, timeout=60.0, strategy=Strategy.FASTEST)

        async def ask(number: int) -> None:
            name = names.from_text(f"host{number}.site.example")
            said = await fetcher.fetch(Question(name, rdtypes.A))
            assert isinstance(said, Response)
            answered.append(said.upstream)

        await ask(0)  # the first, since nothing is measured
        is_gone = True
        asked_before = len(one.heard)
        async with trio.open_nursery() as nursery:
            for number in range(1, 11):
                nursery.start_soon(ask, number)
        probes.cancel_scope.cancel()
    assert len(one.heard) > asked_before
    assert answered == [str(upstreams[0]), *[str(upstreams[1])] * 10]
