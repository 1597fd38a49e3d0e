"""The table: what must be in it, and that an independent validator agrees with every row."""

import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import dns.asyncquery
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest
import trio

from anchord.lab.faults import FAULTS, parse
from anchord.lab.plan import Case, Plan
from anchord.lab.recursive import UPSTREAM
from anchord.lab.servers import serve_plain
from anchord.lab.sign import sign as sign_zone
from anchord.lab.table import CASES, PLANS, TOUR
from anchord.lab.world import World
from anchord.lab.zones import NAME_SERVER_ADDRESS, Zone
from anchord.model import names, rcodes, rdtypes
from anchord.model.ede import EdeCode
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.response import Response, Unanswered
from anchord.model.verdict import Status
from anchord.wire.embedded import canonical
from anchord.wire.message import read_response
from anchord.wire.query import write_query
from support.lab import NOW

WORLD = World(NOW)

TEST_BED = """
    valid unsigned no-ds nsec3-iter-0 nsec3-iter-1 nsec3-iter-50 nsec3-iter-100 nsec3-iter-150
    nsec3-iter-200 nsec3-iter-500 nsec3-iter-1000 nsec3-iter-1500 nsec3-iter-2000 nsec3-iter-2500
    rsamd5 dsa dsa-nsec3-sha1 rsasha1 rsasha1-nsec3-sha1 rsasha256 rsasha512 ecdsap256sha256
    ecdsap384sha384 ed25519 ed448 ds-bad-tag ds-bad-key-algo ds-unassigned-key-algo
    ds-reserved-key-algo ds-unassigned-digest-algo ds-bogus-digest-value no-nsec3 no-nsec3param
    no-nsec3param-nsec3 bad-nsec3param-salt no-nsec3-rrsig bad-nsec3-hash bad-nsec3-next
    bad-nsec3-rrsig no-zsk bad-zsk bad-zsk-algo unassigned-zsk-algo reserved-zsk-algo no-ksk
    no-dnskey bad-ksk bad-ksk-algo unassigned-ksk-algo reserved-ksk-algo no-dnskey-rrsig
    bad-dnskey-rrsig no-dnskey-256 no-dnskey-257 no-dnskey-256-257 no-rrsig-all no-rrsig-a
    rrsig-exp-all rrsig-exp-a rrsig-not-yet-all rrsig-not-yet-a rrsig-exp-before-all
    rrsig-exp-before-a allow-query-none allow-query-localhost not-auth v4-doc v6-doc
"""
"""The zones of extended-dns-errors.com that are not about codes that servers say themselves."""


def test_every_zone_and_every_question_stands_once() -> None:
    assert len({plan.apex for plan in PLANS}) == len(PLANS)
    assert len({case.question for case in CASES}) == len(CASES)


def test_every_fault_is_in_the_table() -> None:
    used = {words[0] for plan in PLANS for words in parse(plan.faults)}
    assert used == set(FAULTS)


def test_the_table_holds_the_public_test_bed() -> None:
    zones = {names.to_text(plan.apex) for plan in PLANS}
    expected = {f"{name}.testbed." for name in TEST_BED.split()}
    assert len(expected) == 68
    assert expected <= zones
    for zone in expected:
        asked = {str(case.question) for case in CASES if case.zone == zone}
        assert asked == {f"{zone} A", f"nx.{zone} A", f"{zone} TXT"}


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


def test_failures_have_a_code_and_secure_answers_none_but_for_a_loop() -> None:
    for case in CASES:
        assert bool(case.codes) >= case.status.is_failure, case
        if case.status is Status.SECURE:
            assert case.codes in {(), (EdeCode.OTHER,)}, case


def test_peers_are_told_by_name_and_with_the_reason() -> None:
    for case in CASES:
        who, colon, reason = case.peers.partition(": ")
        assert bool(colon) is bool(case.peers) is bool(reason), case
        assert set(filter(None, who.split(", "))) <= {"all", "Unbound", "BIND", "Knot"}, case
        assert case.is_disputed_by("BIND") is ("BIND" in who or who == "all")


OVERSTATED = {"nx.compact-nxdomain.lab. A", "b.denied.lab. A", "b.denied.hashed. A"}
"""Answers whose code says more than what they prove."""


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_world_answers_each_question_as_the_row_says(case: Case) -> None:
    reply = WORLD.answer(case.question)
    if case.status is Status.UNOBTAINABLE:
        apex = names.from_text(case.zone)
        chain = [WORLD.answer(Question(apex, rdtype)) for rdtype in (rdtypes.DS, rdtypes.DNSKEY)]
        assert any(isinstance(said, Unanswered) for said in (reply, *chain))
        return
    assert isinstance(reply, Response)
    if not case.status.is_failure:
        assert (reply.rcode == case.rcode) is (str(case) not in OVERSTATED)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_world_says_the_same_over_sockets(case: Case) -> None:
    """The chain's questions too; what follows a set of many kilobytes must not be lost."""
    apex = names.from_text(case.zone)
    for question in (case.question, Question(apex, rdtypes.DS), Question(apex, rdtypes.DNSKEY)):
        expected = WORLD.answer(question)
        wire = WORLD.reply(write_query(question), over_udp=False)
        assert wire is not None
        said = read_response(wire, question, UPSTREAM)
        if isinstance(expected, Unanswered):
            assert (said.rcode, said.edes) == (rcodes.SERVFAIL, expected.edes)
        else:
            assert said.rcode == expected.rcode
            assert contents(said) == contents(expected)


def contents(response: Response) -> list[dict[tuple[Name, int], set[bytes]]]:
    """What a response holds, without regard to the order and the spelling of names."""
    return [
        {
            (rrset.name, rrset.rdtype): {
                *(canonical(rrset.rdtype, rdata) for rdata in rrset.rdatas),
                *rrset.signatures,
            }
            for rrset in section
        }
        for section in (response.answer, response.authority)
    ]


def test_making_a_world_makes_no_zone() -> None:
    world = World(NOW, plans=[Plan(".", ""), Plan("lab.", ""), Plan("z.lab.", "", records="@")])
    with pytest.raises(ValueError, match=r"^z\.lab\."):
        world.answer(Question(names.from_text("lab."), rdtypes.SOA))


def test_asking_a_zone_signs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    signed = []

    def sign(zone: Zone) -> None:
        signed.append(str(zone))
        sign_zone(zone)

    monkeypatch.setattr("anchord.lab.world.sign", sign)
    world = World(NOW)
    assert signed == []
    world.answer(Question(names.from_text("www.good.lab."), rdtypes.A))
    assert signed == ["good.lab."]


# ------------ A second opinion ------------

AGREED = [case for case in CASES if not case.is_disputed_by("Unbound")]

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


MENDED = {
    "overreaching.lab.": "believed an NSEC whose next name is another zone's",
    "mixed-salts.hashed.": "mixed NSEC3 records of two salts",
    "child.maze.lab.": "believed a wildcard's NSEC about the DS set",
    "trees.lab.": "refused the CNAME that follows from a DNAME if it was asked for",
    "rcode-yxdomain.testbed.": "passed on a code that means nothing there",
}
"""What older releases of Unbound got wrong."""
MENDED_IN = (1, 24)


def _unbound() -> str | None:
    """The newest Unbound at hand: Debian 13's where `scripts/trixie-root` has put it, or any."""
    peers = Path(os.environ.get("ANCHORD_PEERS") or Path.home() / ".cache" / "anchord-peers")
    newest = peers / "trixie" / "bin" / "unbound"
    return str(newest) if newest.exists() else shutil.which("unbound")


def _rows(unbound: str) -> list[Case]:
    """The rows about which this release should agree."""
    about = subprocess.run([unbound, "-V"], capture_output=True, text=True, check=False).stdout
    version = tuple(map(int, re.findall(r"\d+", about)[:2]))
    return [case for case in AGREED if version >= MENDED_IN or case.zone not in MENDED]


UNBOUND_PROGRAM = _unbound()
needs_unbound = pytest.mark.skipif(UNBOUND_PROGRAM is None, reason="unbound is not installed")


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
    assert UNBOUND_PROGRAM
    command = [UNBOUND_PROGRAM, "-d", "-c", str(directory / "unbound.conf")]
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.run_process, command)
        await _until_it_answers(port)
        differing = [
            f"{case}: {verdict}, not {_expected(case)}"
            for case in _rows(UNBOUND_PROGRAM)
            if (verdict := await _verdict(port, case)) != _expected(case)
        ]
        nursery.cancel_scope.cancel()
    return differing


def _expected(case: Case) -> str:
    """What can be seen of a verdict from outside: AD, or the want of it."""
    word = "secure" if case.status is Status.SECURE else "insecure"
    if case.status.is_failure:
        word = "failed"
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
