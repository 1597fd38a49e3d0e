"""Clients that validate by themselves need nothing but anchord: they reach the table's verdicts.

Unbound and Knot Resolver forward to it, with the lab's trust anchor; `delv` asks it directly. Each
sets CD, so that anchord hands over what it has, and judges on its own.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from anchord.lab.plan import Case
from anchord.lab.table import CASES
from anchord.model import rcodes
from anchord.model.verdict import Status
from support.asking import ask_question
from support.bindtools import Delv
from support.command import Daemon, configuration, serving
from support.differences import (
    DELV,
    KNOT_AS_CLIENT,
    OLD_UNBOUND,
    UNBOUND_AS_CLIENT,
    without,
)
from support.programs import needs, skip_unless_installed
from support.resolvers import Peer, Source, kresd, unbound
from support.served import Served


@pytest.fixture(scope="module")
def daemon(lab: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("anchord")
    with serving(configuration(folder, lab.tls, dnssec=lab.dnssec)) as running:
        yield running


def expected(case: Case) -> str:
    """What can be seen of a verdict from outside: AD, or the want of it."""
    if case.status.is_failure:
        return "failed SERVFAIL"
    word = "secure" if case.status is Status.SECURE else "insecure"
    return f"{word} {rcodes.to_text(case.rcode)}"


def said_by(peer: Peer, daemon: Daemon, case: Case) -> str:
    """What the peer says when anchord knows nothing: else it may know better than the row."""
    daemon.ask("flush")
    reply = ask_question(peer.port, case.question)
    if reply.rcode == "SERVFAIL":
        return "failed SERVFAIL"
    return f"{'secure' if reply.is_authentic else 'insecure'} {reply.rcode}"


@pytest.mark.parametrize(
    ("program", "name", "differences"),
    [
        ("unbound", "Unbound", {**UNBOUND_AS_CLIENT, **OLD_UNBOUND}),
        ("kresd", "Knot", KNOT_AS_CLIENT),
    ],
)
def test_resolvers_that_forward_to_anchord_reach_the_verdicts_of_the_table(
    daemon: Daemon,
    lab: Served,
    tmp_path: Path,
    program: str,
    name: str,
    differences: Mapping[str, str],
) -> None:
    skip_unless_installed(program)
    start: Callable[..., AbstractContextManager[Peer]] = {"unbound": unbound, "kresd": kresd}[
        program
    ]
    rows = [case for case in without(differences, list(CASES)) if not case.is_disputed_by(name)]
    assert len(rows) > len(CASES) * 3 / 4
    source = Source(forward_port=daemon.port)
    with start(tmp_path, source, anchors=lab.world.trust_anchors()) as peer:
        differing = [
            f"{case}: {verdict}, not {expected(case)}"
            for case in rows
            if (verdict := said_by(peer, daemon, case)) != expected(case)
        ]
    assert differing == []


# ------------ delv ------------


def delved(daemon: Daemon, lab: Served, folder: Path, cases: list[Case]) -> list[str]:
    """What `delv` thinks otherwise than the rows."""
    delv = Delv(folder, lab.world.trust_anchors())
    differing = []
    for case in without(DELV, cases):
        if case.is_disputed_by("BIND"):
            continue
        daemon.ask("flush")
        verdict = delv.ask(daemon.port, "+cdflag", *str(case).split()).verdict
        wanted = "bogus" if case.status.is_failure else expected(case).partition(" ")[0]
        if verdict != wanted:
            differing.append(f"{case}: {verdict}, not {wanted}")
    return differing


@needs("delv")
def test_delv_reaches_a_sample_of_the_verdicts(daemon: Daemon, lab: Served, tmp_path: Path) -> None:
    sample = [case for number, case in enumerate(CASES) if case.in_tour or number % 12 == 0]
    assert delved(daemon, lab, tmp_path, sample) == []


@pytest.mark.long
@needs("delv")
def test_delv_reaches_a_verdict_of_each_zone(daemon: Daemon, lab: Served, tmp_path: Path) -> None:
    of_zone = {case.zone: case for case in reversed(CASES)}
    assert delved(daemon, lab, tmp_path, list(of_zone.values())) == []


def test_every_difference_is_about_something_that_the_table_has() -> None:
    known = {case.zone for case in CASES} | set(map(str, CASES))
    for differences in (DELV, KNOT_AS_CLIENT, OLD_UNBOUND, UNBOUND_AS_CLIENT):
        assert differences.keys() <= known
