"""What an upstream does besides answering makes no difference to the verdicts."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from anchord.lab.servers import Asked, Behaviour
from anchord.lab.table import TOUR
from support.asking import ask
from support.command import configuration, serving
from support.rows import differing
from support.served import served_world

CONDUCTS = {
    "an upstream that says AD of everything, which is never believed": Behaviour(
        claims_authentic=True
    ),
    "an upstream that truncates every datagram": Behaviour(truncates=True),
    "an upstream that takes its time": Behaviour(delay=0.05),
}


@pytest.mark.parametrize("conduct", CONDUCTS)
@pytest.mark.parametrize("scheme", ["udp", "tls"])
def test_the_verdicts_are_those_of_the_table_over(
    conduct: str, scheme: str, tmp_path: Path
) -> None:
    with served_world(tmp_path, behave=lambda _: CONDUCTS[conduct]) as lab:
        upstream: Mapping[str, object] | str = lab.udp if scheme == "udp" else lab.tls
        with serving(configuration(tmp_path, upstream, dnssec=lab.dnssec)) as daemon:
            assert differing(daemon, lab.world, TOUR) == []


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
            assert asked.wire[-11:-8] == b"\0\0\x29", asked.text  # the OPT record is the last
            assert asked.wire[-4] & 0x80, asked.text  # DO
