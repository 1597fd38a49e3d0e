"""The API and Chromium, as Debian has it: what a page of somebody else can get out of it.

The page (`tests/data/foreign-page.html`) tries every way that pages have of sending a request, and
reports what it got to its own server. Here stands what it may get, and that for nothing of it a
name was looked up or a connection opened: so there is nothing that its timing could tell, either.
"""

import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import h11
import pytest
import trio

from anchord.lab.plan import Plan
from support.api import open_api
from support.dane import WorldUpstream, resolver_over, world_of_now
from support.programs import free_ports, needs, path_of

PAGE = Path(__file__).parents[1] / "data" / "foreign-page.html"

PATIENCE = 60.0
"""Seconds for a browser to start and to try everything, on a machine that does much else."""

pytestmark = needs("chromium")

NOTHING = {
    "img": "error",
    "script": "error",
    "module": "TypeError",
    "stylesheet": "error",
    "prefetch": "error",
    "preload": "loaded",  # as after every answer, a refusal or not
    "video": "error",
    "object": "error",
    "link": "closed",
    "iframe": "closed",
    "iframe that connects": "closed",
    "form": "closed",
    "form that posts": "closed",
    "fetch": "TypeError",
    "fetch, opaque": "opaque",
    "fetch of text that connects": "opaque",
    "fetch of JSON that connects": "TypeError",
    "fetch of DNS": "TypeError",
    "fetch of state": "TypeError",
    "XMLHttpRequest": "error",
    "beacon": "sent",
    "WebSocket": "error",
    "EventSource": "error",
}
"""What a foreign page gets, whatever it tries: that it got nothing."""


@dataclass
class Origin:
    """A web server of somebody else, with the page. `reports` are what came back."""

    port: int
    reports: list[Any] = field(default_factory=list)
    reported: trio.Event = field(default_factory=trio.Event)
    visited: trio.Event = field(default_factory=trio.Event)

    async def report(self) -> Any:
        """The first report, once it is there."""
        with trio.fail_after(PATIENCE):
            await self.reported.wait()
        return self.reports[0]

    async def serve(self, stream: trio.SocketStream) -> None:
        """One connection, for one request."""
        async with stream:
            server = h11.Connection(h11.SERVER)
            method, body = b"", b""
            while True:
                event = server.next_event()
                if event is h11.NEED_DATA:
                    server.receive_data(await stream.receive_some(65536))
                elif isinstance(event, h11.Request):
                    method = event.method
                elif isinstance(event, h11.Data):
                    body += event.data
                elif isinstance(event, h11.EndOfMessage):
                    break
                else:
                    return  # browsers open connections beforehand, and use them or not
            page = PAGE.read_bytes() if method == b"GET" else b""
            if method == b"POST":
                self.reports.append(json.loads(body))
                self.reported.set()
            headers = f"Content-Type: text/html\r\nContent-Length: {len(page)}\r\n"
            head = f"HTTP/1.1 200 OK\r\n{headers}Connection: close\r\n\r\n"
            await stream.send_all(head.encode() + page)
        self.visited.set()


@asynccontextmanager
async def open_origin(port: int = 0) -> AsyncIterator[Origin]:
    """Somebody else's server, on loopback under whatever name leads there."""
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(port, host="127.0.0.1")
        origin = Origin(listener.socket.getsockname()[1])
        nursery.start_soon(partial(trio.serve_listeners, origin.serve, [listener]))
        yield origin
        nursery.cancel_scope.cancel()


async def browse(url: str) -> None:
    """A browser of its own at this page; every name that is not an address leads to loopback."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = (
            "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
            "--disable-background-networking", "--disable-component-update",
            "--host-resolver-rules=MAP * 127.0.0.1", f"--user-data-dir={profile}",
        )  # fmt: skip
        command = [path_of("chromium"), *options, url]
        await trio.run_process(command, capture_stdout=True, capture_stderr=True)


@dataclass(frozen=True)
class Behind:
    """The API, and what it did: names that were looked up, connections that were opened."""

    port: int
    service: int
    asked: list[str]
    connected: list[object]


@asynccontextmanager
async def open_behind(*allowed: str, port: int = 0) -> AsyncIterator[Behind]:
    """The API over a zone with one service, at the port `service`, which counts who connects."""
    connected: list[object] = []

    async def serve(stream: trio.SocketStream) -> None:
        connected.append(stream)
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        world = world_of_now(Plan("z.lab", "a test", records="host A 127.0.0.1"))
        upstream = WorldUpstream(world)
        async with (
            resolver_over(world, [upstream]) as resolver,
            open_api(resolver, allowed_origins=frozenset(allowed), port=port) as client,
        ):
            service = listener.socket.getsockname()[1]
            yield Behind(client.port, service, upstream.asked, connected)
        nursery.cancel_scope.cancel()


async def report_of(page: str, origin: Origin, behind: Behind, more: str = "") -> Any:
    """What a page got that is at this name or address."""
    report = f"http://127.0.0.1:{origin.port}/"
    asked = f"api=127.0.0.1:{behind.port}&port={behind.service}&report={report}{more}"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(browse, f"http://{page}:{origin.port}/?{asked}")
        report = await origin.report()
        nursery.cancel_scope.cancel()
    return report


@pytest.mark.parametrize(
    ("page", "more", "origin_of_it"),
    [
        pytest.param("attacker.example", "", "http://attacker.example:{port}", id="another site"),
        pytest.param("127.0.0.1", "", "http://127.0.0.1:{port}", id="another port of this machine"),
        pytest.param("attacker.example", "&sandbox=1", "null", id="a frame without an origin"),
    ],
)
async def test_a_foreign_page_gets_nothing_and_sets_nothing_in_motion(
    page: str, more: str, origin_of_it: str
) -> None:
    async with open_origin() as origin, open_behind() as behind:
        report = await report_of(page, origin, behind, more)
    assert report["origin"] == origin_of_it.format(port=origin.port)
    assert report["got"] == NOTHING
    assert (behind.asked, behind.connected) == ([], [])
    assert report["course"] == ["0 0 0 0"]


async def test_a_page_whose_name_comes_to_lead_here_is_told_that_it_may_not_ask() -> None:
    """DNS rebinding: to the browser it is the page's own server, so it may read the refusal."""
    (port,) = free_ports(1)
    async with open_origin() as reports, trio.open_nursery() as nursery:
        asked = f"rebound=1&api=attacker.example:{port}&report=http://127.0.0.1:{reports.port}/"
        async with open_origin(port) as decoy:
            nursery.start_soon(browse, f"http://attacker.example:{port}/?{asked}")
            with trio.fail_after(PATIENCE):
                await decoy.visited.wait()
        async with open_behind(port=port) as behind:
            report = await reports.report()
        nursery.cancel_scope.cancel()
    assert report["origin"] == f"http://attacker.example:{port}"
    refusals = {probe: got for probe, got in report["got"].items() if got != NOTHING[probe]}
    assert {"fetch", "fetch of JSON that connects", "iframe", "form that posts"} <= refusals.keys()
    for probe, got in refusals.items():
        problem = json.loads(got)
        assert (problem["status"], problem["detail"][:9]) == (403, "Host must"), probe
    assert (behind.asked, behind.connected) == ([], [])


async def test_a_page_of_an_allowed_origin_gets_answers_by_asking_openly() -> None:
    """The counterpart, which shows that the tests above would see what a page gets."""
    async with open_origin() as origin:
        allowed = f"http://attacker.example:{origin.port}"
        async with open_behind(allowed) as behind:
            report = await report_of("attacker.example", origin, behind)
    got = report["got"]
    answers = {probe: got.pop(probe) for probe in list(got) if got[probe] != NOTHING[probe]}
    assert answers.keys() == {
        "fetch", "fetch of JSON that connects", "fetch of DNS", "fetch of state", "XMLHttpRequest",
    }  # fmt: skip
    assert json.loads(answers["fetch"])["Answer"][0]["data"] == "127.0.0.1"
    assert json.loads(answers["fetch of JSON that connects"])["host"] == "host.z.lab"
    assert "host.z.lab. A" in behind.asked
    assert len(behind.connected) == 1
