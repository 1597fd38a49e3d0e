"""The lab's table, asked from outside: over sockets, and behind resolvers that are not ours.

Each row is asked cold and warm, with CD and without. In a normal run each upstream gets every
question of the tour and a sample of the others, in a long one all of them.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from anchord.lab.plan import Case
from anchord.lab.table import CASES
from anchord.lab.zones import NAME_SERVER_ADDRESS
from anchord.model.verdict import Status
from support.asking import ask, ask_question
from support.command import Daemon, configuration, serving
from support.differences import BIND, OLD_UNBOUND, UNBOUND, UNBOUND_AS_CLIENT, without
from support.programs import skip_unless_bindable, skip_unless_installed
from support.resolvers import Peer, Source, named, unbound
from support.rows import differing
from support.served import Served, authorities

EVERY = 9
"""Of the rows that are not on the tour, one in so many is asked in a normal run."""

SAMPLE = [case for number, case in enumerate(CASES) if case.in_tour or number % EVERY == 0]


@dataclass(frozen=True)
class Behind:
    """An upstream between anchord and the lab.

    `start` runs it in a folder of its own, given where it gets its answers and the lab's anchors.
    """

    program: str = ""
    start: Callable[[Path, Source, str], AbstractContextManager[Peer]] | None = None
    iterates: bool = True
    differences: dict[str, str] = field(default_factory=dict)


def _unbound(folder: Path, source: Source, _: str) -> AbstractContextManager[Peer]:
    return unbound(folder, source)


def _validating(folder: Path, source: Source, anchors: str) -> AbstractContextManager[Peer]:
    return unbound(folder, source, anchors=anchors)


def _bind(folder: Path, source: Source, anchors: str) -> AbstractContextManager[Peer]:
    return named(folder, source, anchors=anchors)


UPSTREAMS = {
    "the lab over TLS": Behind(),
    "the lab over UDP": Behind(),
    "Unbound, which validates nothing": Behind("unbound", _unbound, differences=dict(UNBOUND)),
    "Unbound, which validates": Behind("unbound", _validating, differences=dict(UNBOUND)),
    "BIND, which validates": Behind("named", _bind, differences=dict(BIND)),
    "BIND, which forwards and validates": Behind("named", _bind, False, dict(BIND)),
}


@pytest.fixture(scope="module")
def root_server(lab: Served) -> Iterator[str]:
    """The name server of all the lab's zones."""
    skip_unless_bindable(NAME_SERVER_ADDRESS, 53)
    with authorities(lab.world) as address:
        yield address


@pytest.fixture(scope="module", params=UPSTREAMS)
def daemon(
    request: pytest.FixtureRequest, lab: Served, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Daemon, Behind]]:
    """anchord over one of the upstreams: over TLS, but for those that are named otherwise."""
    behind = UPSTREAMS[request.param]
    folder = tmp_path_factory.mktemp("behind")
    upstream: dict[str, Any] | str = lab.udp if "UDP" in request.param else dict(lab.tls)
    context: AbstractContextManager[Peer | None] = nullcontext()
    if behind.start:
        skip_unless_installed(behind.program)
        source = Source(forward_port=lab.plain_port)
        if behind.iterates:
            source = Source(request.getfixturevalue("root_server"))
        context = behind.start(folder, source, lab.world.trust_anchors())
    with context as peer:
        if peer:
            upstream = peer.tls
        with serving(configuration(folder, upstream, dnssec=lab.dnssec)) as running:
            yield running, behind


def test_a_sample_of_the_table(daemon: tuple[Daemon, Behind], lab: Served) -> None:
    running, behind = daemon
    rows = without(behind.differences, SAMPLE)
    assert len(rows) > 50
    assert differing(running, lab.world, rows) == []


@pytest.mark.long
def test_the_whole_table(daemon: tuple[Daemon, Behind], lab: Served) -> None:
    running, behind = daemon
    rows = without(behind.differences, list(CASES))
    assert differing(running, lab.world, rows) == []


def test_every_difference_is_about_something_that_the_table_has() -> None:
    known = {case.zone for case in CASES} | set(map(str, CASES))
    for behind in UPSTREAMS.values():
        assert behind.differences.keys() <= known


# ------------ CD dropped ------------


@pytest.fixture(scope="module")
def without_cd(
    lab: Served, root_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daemon]:
    """anchord behind a validating Unbound that ignores CD, and so keeps the evidence to itself."""
    skip_unless_installed("unbound")
    folder = tmp_path_factory.mktemp("ignores-cd")
    anchors = lab.world.trust_anchors()
    options = ("ignore-cd-flag: yes",)
    with (
        unbound(folder, Source(root_server), anchors=anchors, options=options) as peer,
        serving(configuration(folder, peer.tls, dnssec=lab.dnssec)) as running,
    ):
        yield running


def _is_withheld(case: Case) -> bool:
    return case.status.is_failure or case.is_disputed_by("Unbound")


def test_an_upstream_that_drops_cd_makes_no_difference_to_what_is_sound(
    without_cd: Daemon, lab: Served
) -> None:
    rows = [case for case in without(UNBOUND, SAMPLE) if not _is_withheld(case)]
    assert len(rows) > 30
    assert differing(without_cd, lab.world, rows) == []


def test_an_upstream_that_drops_cd_makes_failures_of_all_that_is_bogus(without_cd: Daemon) -> None:
    """What is withheld cannot be judged; it is a failure all the same, and never an answer."""
    rows = [
        case
        for case in without({**UNBOUND, **OLD_UNBOUND, **UNBOUND_AS_CLIENT}, SAMPLE)
        if case.status is Status.BOGUS and not case.is_disputed_by("Unbound")
    ]
    assert len(rows) > 20
    for case in rows:
        for cd in (False, True):
            reply = ask_question(without_cd.port, case.question, cd=cd)
            assert (reply.rcode, reply.types) == ("SERVFAIL", set()), case
            assert reply.codes[0] in {*case.codes, 22}, case


# ------------ Flags ------------


@pytest.fixture(scope="module")
def over_tls(lab: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("flags")
    with serving(configuration(folder, lab.tls, dnssec=lab.dnssec)) as running:
        yield running


FLAGS: list[dict[str, Any]] = [
    {"edns": edns, "do": do, "ad": ad, "cd": cd}
    for edns, do in ((True, True), (True, False), (False, False))
    for ad in (False, True)
    for cd in (False, True)
]
"""All that a client can ask for."""


@pytest.mark.parametrize("is_known", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize(
    ("name", "rdtype", "status"),
    [
        ("good.lab", "A", Status.SECURE),
        ("nx.good.hashed", "A", Status.SECURE),
        ("any.wildcard.lab", "A", Status.SECURE),
        ("unsigned.lab", "A", Status.INSECURE),
        ("rsasha1.lab", "TXT", Status.INSECURE),
        ("expired.lab", "A", Status.BOGUS),
        ("nx.no-denial.lab", "A", Status.BOGUS),
    ],
)
def test_every_combination_of_flags_gets_what_is_due(
    over_tls: Daemon, name: str, rdtype: str, status: Status, *, tcp: bool, is_known: bool
) -> None:
    """RFC 4035 section 3.2, RFC 6840 sections 5.7 to 5.9, RFC 8914 section 2."""
    for flags in FLAGS:
        if not is_known:
            over_tls.ask("flush")
        reply = ask(over_tls.port, name, rdtype, tcp=tcp, **flags)
        is_withheld = status is Status.BOGUS and not flags["cd"]
        assert (reply.rcode == "SERVFAIL") == is_withheld, flags
        wants_ad = flags["do"] or flags["ad"]
        assert reply.is_authentic == (status is Status.SECURE and wants_ad), flags
        proofs = {"RRSIG", "NSEC", "NSEC3"} & reply.types
        assert bool(proofs) == (flags["do"] and not is_withheld and name != "unsigned.lab"), flags
        assert bool(reply.types) == (not is_withheld), flags
        assert (reply.message.edns == 0) == flags["edns"], flags
        has_reason = status is Status.BOGUS or name == "rsasha1.lab"
        assert bool(reply.codes) == (has_reason and flags["edns"]), flags
        has_cd = bool(reply.message.flags & 0x10)
        assert has_cd == flags["cd"], flags
