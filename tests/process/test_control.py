"""`anchord stats` and `anchord flush`, to a daemon that runs."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from anchord import __version__
from support.asking import ask
from support.command import Daemon, configuration, run, serving
from support.served import Served


@pytest.fixture
def daemon(lab: Served, tmp_path: Path) -> Iterator[Daemon]:
    with serving(configuration(tmp_path, lab.tls, dnssec=lab.dnssec)) as running:
        yield running


def file_of(daemon: Daemon) -> str:
    return str(daemon.log.with_suffix(".toml"))


def test_stats_tells_what_the_daemon_has_done(daemon: Daemon, lab: Served) -> None:
    for name in ("good.lab", "good.lab", "forged.lab"):
        ask(daemon.port, name)
    ask(daemon.port, "good.lab", tcp=True)
    ran = run("stats", "--json", "--config", file_of(daemon))
    assert (ran.status, ran.stderr) == (0, "")
    stats = json.loads(ran.stdout)
    assert stats["daemon"]["version"] == __version__
    assert stats["daemon"]["pid"] == daemon.process.pid
    assert stats["dns"]["udp_queries"] == 3
    assert stats["dns"]["tcp_queries"] == 1
    assert stats["cache"]["answers"] == 2
    upstream = stats[str(lab.tls["url"])]
    assert upstream["queries"] >= 3
    assert upstream["handshakes"] == 1
    assert upstream["reused"] == upstream["queries"] - 1
    assert upstream["state"] == "up"
    assert 0 < upstream["rtt_p50_ms"] <= upstream["rtt_p95_ms"]
    assert upstream["issuer"].startswith("CN=")
    assert (upstream["idle_limit_s"], upstream["last_error"]) == (8, "")


def test_stats_is_a_table_for_people(daemon: Daemon) -> None:
    ask(daemon.port, "good.lab")
    ran = run("stats", "--config", file_of(daemon))
    assert (ran.status, ran.stderr) == (0, "")
    table = dict(line.split(maxsplit=1) for line in ran.stdout.splitlines())
    assert table["daemon.version"] == __version__
    assert table["dns.udp_queries"] == "1"


def test_flush_forgets_everything(daemon: Daemon, lab: Served) -> None:
    ask(daemon.port, "good.lab")
    lab.log.clear()
    ask(daemon.port, "good.lab")
    assert lab.log == []
    ran = run("flush", "--config", file_of(daemon))
    assert (ran.status, ran.stdout, ran.stderr) == (0, "1 answer forgotten\n", "")
    ask(daemon.port, "good.lab")
    assert {"good.lab. A", ". DNSKEY", "good.lab. DNSKEY"} <= {asked.text for asked in lab.log}


def test_flush_of_a_name_forgets_what_is_at_and_below_it(daemon: Daemon, lab: Served) -> None:
    for name in ("good.lab", "child.good.lab", "good.hashed"):
        ask(daemon.port, name)
    ran = run("flush", "good.lab", "--config", file_of(daemon))
    assert (ran.status, ran.stdout, ran.stderr) == (0, "2 answers forgotten\n", "")
    lab.log.clear()
    ask(daemon.port, "good.hashed")
    assert lab.log == []
    ask(daemon.port, "child.good.lab")
    assert "child.good.lab. A" in {asked.text for asked in lab.log}


@pytest.mark.parametrize("command", ["stats", "flush"])
def test_without_a_daemon_they_say_so_in_one_line(command: str, tmp_path: Path) -> None:
    file = configuration(tmp_path, "tls://127.0.0.1")
    ran = run(command, "--config", str(file))
    assert (ran.status, ran.stdout) == (3, "")
    assert ran.stderr == (
        f"anchord: {tmp_path}/control.sock: no daemon answers; start one with anchord serve\n"
    )


def test_a_second_daemon_does_not_take_the_control_socket(daemon: Daemon) -> None:
    ran = run("serve", "--config", file_of(daemon))
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr == (
        f"anchord: {daemon.control}: another anchord has this control socket;"
        " stop it, or set [listen] control\n"
    )
    assert run("stats", "--config", file_of(daemon)).status == 0
