"""Plain UDP against servers that are not ours: cookies (RFC 7873) and the spelling of questions."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import dns.message
import pytest
import trio

from anchord.model import names, rdtypes
from anchord.model.question import Question
from anchord.upstream.build import build_upstreams
from anchord.upstream.datagram import DatagramUpstream
from anchord.upstream.url import parse
from anchord.wire.query import write_query
from support import transports
from support.transports import bookworm, trixie

Start = Callable[[transports.Farm, str], AbstractContextManager[dict[str, int]]]

SERVERS: dict[str, tuple[Start, str | None, int | None]] = {
    "knot": (partial(transports.knot, sends_cookies=True), trixie("knotd"), 1),
    "bind": (transports.bind, bookworm("named"), 1),
    "new bind": (transports.bind, trixie("named"), 1),
    "new unbound": (partial(transports.unbound, sends_cookies=True), trixie("unbound"), 0),
    "unbound": (transports.unbound, bookworm("unbound"), None),
}
"""How each is started, where it is, and how many queries it answers with BADCOOKIE; None for one
that knows no cookies. Those called new are Debian 13's."""

ASKED = 5
LIMIT = 20.0
"""Seconds for a test: nothing hangs."""


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[int, int | None]]:
    """The UDP port of a server, and as in `SERVERS`."""
    start, program, refusals = SERVERS[request.param]
    if program is None:
        pytest.skip(f"{request.param} is not installed")
    with start(transports.farm(tmp_path), program) as ports:
        yield ports["udp"], refusals


async def test_every_answer_comes_over_udp_with_the_cookie_of_its_query(
    server: tuple[int, int | None], nursery: trio.Nursery
) -> None:
    port, refusals = server
    (upstream,) = build_upstreams([parse(f"udp://127.0.0.1:{port}")], nursery, allow_plaintext=True)
    assert isinstance(upstream, DatagramUpstream)
    with trio.fail_after(LIMIT):
        for index in range(ASKED):
            question = Question(names.from_text(f"n{index}.example"), rdtypes.A)
            reply = dns.message.from_wire(await upstream.exchange(write_query(question)))
            assert [str(rrset) for rrset in reply.answer] == [
                f"n{index}.example. 3600 IN A 192.0.2.{index}"
            ]
        await upstream.aclose()
    counters = upstream.counters
    assert (counters.moved_to_tcp, counters.mismatches, counters.retransmissions) == (0, 0, 0)
    assert counters.cookies == (0 if refusals is None else ASKED)
    assert len(counters.round_trip.recent) == ASKED + (refusals or 0)
