"""The table: what must be in it, and that an independent validator agrees with every row."""

import shutil
import socket
import time
from pathlib import Path

import dns.asyncquery
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest
import trio

from anchord.lab.faults import parse
from anchord.lab.plan import Case
from anchord.lab.servers import serve_plain
from anchord.lab.table import CASES, PLANS, TOUR
from anchord.lab.world import World
from anchord.lab.zones import NAME_SERVER_ADDRESS
from anchord.model import names, rcodes
from anchord.model.response import Response, Unanswered
from anchord.model.verdict import Status
from support.lab import NOW

WORLD = World(NOW)


def test_every_zone_and_every_question_stands_once() -> None:
    assert len({plan.apex for plan in PLANS}) == len(PLANS)
    assert len({case.question for case in CASES}) == len(CASES)


def test_every_fault_in_the_table_is_known() -> None:
    assert sum(len(parse(plan.faults)) for plan in PLANS) > 20


def test_every_row_says_what_it_shows() -> None:
    assert all(case.shows for case in CASES)


def test_the_tour_tells_apart_what_people_must_tell_apart() -> None:
    verdicts = {(case.status, case.rcode, case.codes) for case in TOUR}
    assert verdicts >= {
        (Status.SECURE, rcodes.NOERROR, ()),
        (Status.SECURE, rcodes.NXDOMAIN, ()),
        (Status.INSECURE, rcodes.NOERROR, ()),
        (Status.BOGUS, rcodes.SERVFAIL, (7,)),
        (Status.BOGUS, rcodes.SERVFAIL, (6,)),
        (Status.BOGUS, rcodes.SERVFAIL, (10,)),
        (Status.BOGUS, rcodes.SERVFAIL, (9,)),
        (Status.UNOBTAINABLE, rcodes.SERVFAIL, (22, 23)),
    }


def test_failures_have_a_code_and_secure_answers_none() -> None:
    for case in CASES:
        assert bool(case.codes) >= case.status.is_failure, case
        assert not (case.codes and case.status is Status.SECURE), case


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_world_answers_each_question_as_the_row_says(case: Case) -> None:
    reply = WORLD.answer(case.question)
    if case.status is Status.UNOBTAINABLE:
        assert isinstance(reply, Unanswered)
        return
    assert isinstance(reply, Response)
    if not case.status.is_failure:
        assert reply.rcode == case.rcode


# ------------ A second opinion ------------

POLICY = {
    "rsasha1.lab.": "validates SHA-1",
    "rsasha1-nsec3.lab.": "validates SHA-1",
    "revoked.lab.": "heeds the REVOKE flag of trust anchors only",
}
"""Zones about which Unbound is of another opinion, and why."""

AGREED = [case for case in CASES if case.zone not in POLICY]

UNBOUND = """
server:
    interface: 127.0.0.1@{port}
    do-daemonize: no
    username: ""
    chroot: ""
    directory: "{directory}"
    pidfile: ""
    use-syslog: no
    verbosity: 0
    module-config: "validator iterator"
    trust-anchor-file: "{directory}/anchors"
    val-sig-skew-min: 0
    val-sig-skew-max: 0
    val-nsec3-keysize-iterations: "1024 50 2048 50 4096 50"
    aggressive-nsec: no
    do-not-query-localhost: no
remote-control:
    control-enable: no
"""
FORWARDED = """
forward-zone:
    name: "."
    forward-addr: 127.0.0.1@{port}
"""
ITERATED = f"""
stub-zone:
    name: "."
    stub-addr: {NAME_SERVER_ADDRESS}
"""


needs_unbound = pytest.mark.skipif(
    shutil.which("unbound") is None, reason="unbound is not installed"
)


@needs_unbound
async def test_unbound_comes_to_the_same_verdicts_as_a_forwarder(tmp_path: Path) -> None:
    world = World(int(time.time()))
    async with serve_plain(world.reply) as port:
        upstream = FORWARDED.format(port=port)
        assert await _differing(world, upstream, tmp_path) == []


@pytest.fixture
def port_53() -> int:
    """The port, where it may be had on the address of the lab's name server."""
    with socket.socket() as probe:
        try:
            probe.bind((NAME_SERVER_ADDRESS, 53))
        except OSError as error:
            pytest.skip(f"port 53 of {NAME_SERVER_ADDRESS} cannot be had: {error.strerror}")
    return 53


@needs_unbound
async def test_unbound_comes_to_the_same_verdicts_when_it_iterates(
    tmp_path: Path, port_53: int
) -> None:
    world = World(int(time.time()))
    async with serve_plain(world.authoritative_reply, address=NAME_SERVER_ADDRESS, port=port_53):
        assert await _differing(world, ITERATED, tmp_path) == []


async def _differing(world: World, upstream: str, directory: Path) -> list[str]:
    """What Unbound says otherwise than the table."""
    (directory / "anchors").write_text(world.trust_anchors())
    async with serve_plain(world.reply) as port:
        pass  # a port that is free
    config = UNBOUND.format(port=port, directory=directory) + upstream
    (directory / "unbound.conf").write_text(config)
    command = ["unbound", "-d", "-c", str(directory / "unbound.conf")]
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.run_process, command)
        await _until_it_answers(port)
        differing = [
            f"{case}: {verdict}, not {_expected(case)}"
            for case in AGREED
            if (verdict := await _verdict(port, case)) != _expected(case)
        ]
        nursery.cancel_scope.cancel()
    return differing


def _expected(case: Case) -> str:
    word = "failed" if case.status.is_failure else case.status.word
    return f"{word} {rcodes.to_text(case.rcode)}"


async def _verdict(port: int, case: Case) -> str:
    query = dns.message.make_query(
        names.to_text(case.question.name),
        dns.rdatatype.RdataType.make(case.question.rdtype),
        want_dnssec=True,
    )
    reply = await dns.asyncquery.tcp(query, "127.0.0.1", port=port, timeout=10)
    if reply.rcode() == dns.rcode.SERVFAIL:
        return "failed SERVFAIL"
    word = "secure" if reply.flags & dns.flags.AD else "insecure"
    return f"{word} {dns.rcode.to_text(reply.rcode())}"


async def _until_it_answers(port: int) -> None:
    with trio.fail_after(10):
        while True:
            try:
                await _verdict(port, CASES[0])
            except OSError:
                await trio.sleep(0.05)
            else:
                return
