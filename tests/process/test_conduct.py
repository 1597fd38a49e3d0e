"""What an upstream does besides answering makes no difference to the verdicts."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from anchord.lab.conducts import CONDUCTS, Conduct
from anchord.lab.servers import HONEST, Asked, Behaviour
from anchord.lab.table import TOUR
from anchord.wire.message import Query, read_query
from support.asking import ask, ask_question
from support.command import Daemon, configuration, serving
from support.rows import differing
from support.served import Served, served_world

HARMLESS, HARMFUL = (
    [
        pytest.param(conduct, scheme, id=f"{conduct}-{scheme}")
        for conduct in CONDUCTS
        if conduct.is_harmless is is_harmless
        for scheme in conduct.over
    ]
    for is_harmless in (True, False)
)


@pytest.mark.parametrize(("conduct", "scheme"), HARMLESS)
def test_the_verdicts_are_those_of_the_table_over_an_upstream_that(
    conduct: Conduct, scheme: str, tmp_path: Path
) -> None:
    """CVE-2026-33262, CVE-2026-41292, CVE-2026-55973: as each of them tells."""
    with over(lambda: conduct.behaviour, scheme, tmp_path) as (daemon, lab):
        assert differing(daemon, lab.world, TOUR) == []
        assert not any("_er." in asked.text for asked in lab.log)


@pytest.mark.parametrize(("conduct", "scheme"), HARMFUL)
def test_nothing_is_known_over_an_upstream_that(
    conduct: Conduct, scheme: str, tmp_path: Path
) -> None:
    """CVE-2024-25583, CVE-2026-10822, CVE-2026-56416, CVE-2026-2291, CVE-2026-5172: what cannot be
    read is no answer. It neither ends the daemon nor accuses the zone, nor does it leave anything
    behind (CVE-2026-52690): when the upstream has come to its senses, the verdicts are there."""
    behaviour = conduct.behaviour

    with over(lambda: behaviour, scheme, tmp_path) as (daemon, lab):
        for case in TOUR:
            reply = ask_question(daemon.port, case.question)
            assert (reply.rcode, reply.types) == ("SERVFAIL", set()), case
            assert reply.codes[0] in {22, 24}, case
        behaviour = HONEST
        assert differing(daemon, lab.world, TOUR) == []
        assert all(asks_for_signatures(asked) for asked in lab.log)


@contextmanager
def over(
    behaviour: Callable[[], Behaviour], scheme: str, folder: Path
) -> Iterator[tuple[Daemon, Served]]:
    """A daemon whose upstream behaves like that, and the lab behind it."""
    with served_world(folder, behave=lambda _: behaviour()) as lab:
        upstream: Mapping[str, object] | str = lab.udp if scheme == "udp" else lab.tls
        with serving(configuration(folder, upstream, dnssec=lab.dnssec)) as daemon:
            yield daemon, lab


def test_a_failure_of_the_upstream_is_no_verdict_on_anything(tmp_path: Path) -> None:
    """SERVFAIL to one name, again and again: others are none the worse."""
    with served_world(tmp_path) as lab:
        file = configuration(tmp_path, lab.tls, dnssec=lab.dnssec)
        with serving(file) as daemon:
            for number in range(200):
                failed = ask(daemon.port, f"n{number}.unreachable.lab")
                assert (failed.rcode, failed.codes[0]) == ("SERVFAIL", 22)
                if number % 20 == 0:
                    daemon.ask("flush", name="good.lab")
                    assert ask(daemon.port, "good.lab").is_authentic


def test_every_question_to_an_upstream_asks_for_signatures(tmp_path: Path) -> None:
    """There is nothing to learn about a server that would make us ask without EDNS and DO."""

    def behave(asked: Asked) -> Behaviour:
        return Behaviour(drops=asked.transport == "udp" and asked.wire[1] % 4 == 0)

    with served_world(tmp_path, behave=behave) as lab:
        file = configuration(tmp_path, lab.udp, dnssec=lab.dnssec)
        with serving(file) as daemon:
            for case in TOUR[::3]:
                ask(daemon.port, *str(case).split())
        assert len(lab.log) > 10
        for asked in lab.log:
            assert asks_for_signatures(asked), asked.text


def asks_for_signatures(asked: Asked) -> bool:
    """Whether it has an OPT record, and DO in it."""
    query = read_query(asked.wire)
    return isinstance(query, Query) and query.flags.dnssec_ok
