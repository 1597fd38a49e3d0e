"""SIGHUP, the watchdog, and the rest that a service manager does with a daemon that runs."""

import signal
import socket
import time
from pathlib import Path

import pytest

from support.asking import ask
from support.command import Daemon, configuration, environment, run, serving
from support.served import Served

SOON = 5.0
"""Seconds for what takes a moment."""


def wait_for(daemon: Daemon, words: str) -> str:
    """The line of the log with these words, once it is there."""
    deadline = time.monotonic() + SOON
    while True:
        lines = [line for line in daemon.text.splitlines() if words in line]
        if lines:
            return lines[-1]
        assert time.monotonic() < deadline, daemon.text
        time.sleep(0.02)


def test_sighup_reloads_the_configuration(lab: Served, tmp_path: Path) -> None:
    file = configuration(tmp_path, lab.udp, dnssec=lab.dnssec)
    with serving(file) as daemon:
        assert ask(daemon.port, "good.lab").is_authentic
        port = daemon.port
        negative = {**lab.dnssec, "negative_trust_anchors": ["good.lab"]}
        configuration(tmp_path, lab.udp, dnssec=negative)
        daemon.process.send_signal(signal.SIGHUP)
        wait_for(daemon, "message=reloaded")
        reply = ask(port, "good.lab")
        assert (reply.rcode, reply.is_authentic) == ("NOERROR", False)
        configuration(tmp_path, lab.udp, dnssec=lab.dnssec, log={"level": "error"})
        daemon.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + SOON
        while not ask(port, "good.lab").is_authentic:
            assert time.monotonic() < deadline
        assert daemon.text.count("message=reloaded") == 1  # the new level holds for its own line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[listen\n", "not TOML"),
        ("[forward]\ntimeout = '4 days'\n", "is no duration"),
        ("[dnssec]\ntrust_anchors = '/nowhere'\n", "trust anchors cannot be read"),
        ("[[upstream]]\nurl = 'tls://a.example'\nca_file = '/nowhere'\n", "/nowhere"),
    ],
    ids=["not TOML", "a bad value", "no trust anchors", "an upstream that cannot be made"],
)
def test_r67_a_bad_file_keeps_the_configuration_and_says_so_in_one_line(
    lab: Served, tmp_path: Path, text: str, words: str
) -> None:
    file = configuration(tmp_path, lab.udp, dnssec=lab.dnssec)
    with serving(file) as daemon:
        port = daemon.port
        before = len(daemon.text.splitlines())
        file.write_text(text)
        daemon.process.send_signal(signal.SIGHUP)
        line = wait_for(daemon, "the configuration in force stays")
        assert words in line
        assert "level=error" in line
        time.sleep(0.1)
        news = daemon.text.splitlines()[before:]
        assert [line for line in news if "level=error" in line] == [line]
        assert ask(port, "good.lab").is_authentic


def test_the_service_manager_is_told_of_a_reload_and_of_life(lab: Served, tmp_path: Path) -> None:
    file = configuration(tmp_path, lab.udp, dnssec=lab.dnssec)
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(SOON)
        env = environment(NOTIFY_SOCKET=address, WATCHDOG_USEC="500000")
        with serving(file, env=env) as daemon:
            heard = [manager.recv(4096) for _ in range(4)]
            assert heard.count(b"WATCHDOG=1") == 3
            daemon.process.send_signal(signal.SIGHUP)
            wait_for(daemon, "message=reloaded")
            rest = [manager.recv(4096) for _ in range(3)]
            (begun,) = [message for message in rest if message.startswith(b"RELOADING=1\n")]
            assert begun.partition(b"\n")[2].startswith(b"MONOTONIC_USEC=")
            assert b"READY=1" in rest


def test_the_watchdog_is_not_fed_where_nobody_asks_for_it(lab: Served, tmp_path: Path) -> None:
    file = configuration(tmp_path, lab.udp, dnssec=lab.dnssec)
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(0.5)
        env = environment(NOTIFY_SOCKET=address, WATCHDOG_USEC="200000", WATCHDOG_PID="1")
        with serving(file, env=env):
            assert manager.recv(4096) == b"READY=1"
            with pytest.raises(TimeoutError):
                manager.recv(4096)


def test_resume_without_a_pause_says_so(lab: Served, tmp_path: Path) -> None:
    file = configuration(tmp_path, lab.udp, dnssec=lab.dnssec)
    with serving(file):
        ran = run("resume", "--config", str(file))
        assert (ran.status, ran.stdout, ran.stderr) == (0, "there was no pause\n", "")
        ran = run("pause", "9d", "--config", str(file))
        assert ran.status == 2
        assert "between a second and a day" in ran.stderr
        ran = run("pause", "soon", "--config", str(file))
        assert (ran.status, "is no duration" in ran.stderr) == (2, True)
    ran = run("resume", "--config", str(file))
    assert (ran.status, "no daemon answers" in ran.stderr) == (3, True)
