"""`anchord serve` as a service manager and its clients see it."""

import itertools
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

import dns.message
import dns.query
import pytest

from anchord.lab.servers import Asked, Behaviour
from anchord.server.limits import Limits
from support.asking import ask, query
from support.command import (
    ANCHORD,
    Daemon,
    configuration,
    environment,
    run,
    serving,
    wait_until_ready,
)
from support.served import Served, served_world

SLOW = "slow.good.lab"
LOST = "lost.good.lab"
DELAY = 0.7
"""Seconds that the upstream of `busy` takes for names below SLOW: less than a stop allows."""


@pytest.fixture(scope="module")
def daemon(lab: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """On both loopback addresses, over an encrypted upstream."""
    file = configuration(
        tmp_path_factory.mktemp("serve"),
        lab.tls,
        dns=("127.0.0.1:0", "[::1]:0"),
        dnssec=lab.dnssec,
    )
    with serving(file) as running:
        yield running


# ------------ Ready, and answering ------------


def test_one_line_of_the_log_says_ready_with_the_addresses(daemon: Daemon) -> None:
    (line,) = [line for line in daemon.text.splitlines() if "ready" in line]
    assert line.endswith(f"dns=127.0.0.1:{daemon.port},[::1]:{daemon.addresses[1][1]}")


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("index", [0, 1], ids=["127.0.0.1", "::1"])
def test_it_answers_over_both_transports_on_both_addresses(
    daemon: Daemon, index: int, *, tcp: bool
) -> None:
    address, port = daemon.addresses[index]
    reply = ask(port, "good.lab", address=address, tcp=tcp)
    assert (reply.rcode, reply.is_authentic, reply.types) == ("NOERROR", True, {"A", "RRSIG"})
    broken = ask(port, "expired.lab", address=address, tcp=tcp)
    assert (broken.rcode, broken.types, broken.codes[0]) == ("SERVFAIL", set(), 7)


def test_it_listens_nowhere_else(daemon: Daemon) -> None:
    if not Path("/proc/net").is_dir():
        pytest.skip("this system has no /proc")
    sockets = _inodes(daemon.process.pid)
    listening = {
        address
        for table in ("tcp", "tcp6")
        for address, state, inode in _table(table)
        if inode in sockets and state == "0A"
    }
    assert listening == {
        f"0100007F:{daemon.port:04X}",
        f"{'0' * 24}01000000:{daemon.addresses[1][1]:04X}",
    }


def _inodes(pid: int) -> set[str]:
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile, so it does not listen
            link = str(entry.readlink())
            if link.startswith("socket:"):
                found.add(link[8:-1])
    return found


def _table(name: str) -> Iterator[tuple[str, str, str]]:
    for line in Path("/proc/net", name).read_text().splitlines()[1:]:
        fields = line.split()
        yield fields[1], fields[3], fields[9]


def test_names_of_queries_are_not_logged(daemon: Daemon) -> None:
    ask(daemon.port, "good.lab", "MX")
    ask(daemon.port, "forged.lab")
    assert "good.lab" not in daemon.text
    assert "forged.lab" not in daemon.text


def test_listen_and_upstream_of_the_command_line_take_the_place_of_the_files(
    lab: Served, tmp_path: Path
) -> None:
    file = configuration(tmp_path, "udp://127.0.0.1:9", dns=("127.0.0.1:1",), dnssec=lab.dnssec)
    with serving(file, "--listen", "127.0.0.1:0", "--upstream", lab.udp) as daemon:
        assert ask(daemon.port, "good.lab").is_authentic


def test_it_works_without_any_configuration(tmp_path: Path) -> None:
    """The shipped trust anchors and upstreams; what this machine answers by itself is answered."""
    if Path("/etc/anchord/anchord.toml").exists():
        pytest.skip("there is a configuration on this machine")
    folders = ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "HOME")
    env = environment(**dict.fromkeys(folders, str(tmp_path)))
    log = tmp_path / "log"
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            [*ANCHORD, "serve", "--listen", "127.0.0.1:0"], stderr=stderr, env=env
        ) as process,
    ):
        daemon = Daemon(process, log, tmp_path / "anchord" / "control.sock")
        try:
            wait_until_ready(daemon)
            assert ask(daemon.port, "localhost").rcode == "NOERROR"
            upstreams = {name for name in daemon.ask("stats") if name.startswith("tls://")}
            assert len(upstreams) == 2
            assert daemon.stop() == 0
        finally:
            process.kill()


def test_one_entry_of_the_cache_serves_every_combination_of_flags(
    daemon: Daemon, lab: Served
) -> None:
    daemon.ask("flush")
    ask(daemon.port, "mail.good.lab")
    lab.log.clear()
    for edns, do, ad, cd, tcp in itertools.product((False, True), repeat=5):
        reply = ask(daemon.port, "MAIL.good.lab", edns=edns, do=do, ad=ad, cd=cd, tcp=tcp)
        assert reply.rcode == "NOERROR"
    assert [asked.text for asked in lab.log] == []


def test_the_cache_counts_time_down(daemon: Daemon) -> None:
    first = ask(daemon.port, "www.good.lab").message.answer[0].ttl
    time.sleep(1.1)
    assert first - 3 <= ask(daemon.port, "www.good.lab").message.answer[0].ttl < first


def test_it_serves_without_a_control_socket(lab: Served, tmp_path: Path) -> None:
    file = configuration(tmp_path, lab.udp, dnssec=lab.dnssec, listen={"control": "none"})
    with serving(file) as daemon:
        assert ask(daemon.port, "good.lab").is_authentic
        assert not daemon.control.exists()


# ------------ The service manager ------------


def test_the_service_manager_hears_when_it_is_ready_and_when_it_stops(
    lab: Served, tmp_path: Path
) -> None:
    file = configuration(tmp_path, lab.udp, dnssec=lab.dnssec)
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(10)
        with serving(file, env=environment(NOTIFY_SOCKET=address)) as daemon:
            assert manager.recv(4096) == b"READY=1"
            assert ask(daemon.port, "good.lab").is_authentic
            assert daemon.stop() == 0
            assert manager.recv(4096) == b"STOPPING=1"


LAUNCHER = """
import fcntl, os, sys
count = int(sys.argv[1])
passed = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 20) for number in sys.argv[2:2 + count]]
for number, fd in enumerate(passed, start=3):
    os.dup2(fd, number)
    os.close(fd)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(count)}
os.execv(sys.argv[2 + count], sys.argv[2 + count:])
"""
"""Passes sockets as a service manager does (sd_listen_fds(3)), and becomes the daemon."""


def launcher(*sockets: socket.socket) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The words before the daemon's command, and the descriptors that they need."""
    passed = tuple(sock.fileno() for sock in sockets)
    return (sys.executable, "-c", LAUNCHER, str(len(passed)), *map(str, passed)), passed


def test_sockets_of_the_service_manager_are_taken(lab: Served, tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as streams,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
    ):
        port = streams.getsockname()[1]
        datagrams.bind(("127.0.0.1", port))
        file = configuration(tmp_path, lab.udp, dns=(f"127.0.0.1:{port}",), dnssec=lab.dnssec)
        prefix, passed = launcher(streams, datagrams)
        with serving(file, prefix=prefix, pass_fds=passed) as daemon:
            streams.close()
            datagrams.close()
            assert daemon.port == port
            assert ask(port, "good.lab").is_authentic
            assert ask(port, "good.lab", tcp=True).is_authentic


def test_sockets_of_the_api_and_the_commands_are_taken_and_stay(
    lab: Served, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as api, socket.socket(socket.AF_UNIX) as control:
        port = api.getsockname()[1]
        path = tmp_path / "control.sock"
        control.bind(str(path))
        control.listen()
        listen = {"api": (f"127.0.0.1:{port}",)}
        file = configuration(tmp_path, lab.udp, dnssec=lab.dnssec, listen=listen)
        prefix, passed = launcher(api, control)
        with serving(file, prefix=prefix, pass_fds=passed) as daemon:
            with urlopen(f"http://127.0.0.1:{port}/healthz") as reply:
                assert reply.status == 200
            assert run("stats", "--config", str(file)).status == 0
            assert daemon.stop() == 0
        assert path.is_socket()


# ------------ Its end ------------


def _behave(asked: Asked) -> Behaviour:
    if asked.text.startswith("lost."):
        return Behaviour(drops=True)
    return Behaviour(delay=DELAY) if asked.text.startswith("slow.") else Behaviour()


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An upstream that takes its time, or for ever."""
    with served_world(tmp_path_factory.mktemp("busy"), behave=_behave) as served:
        yield served


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_after_the_queries_in_flight_are_answered(
    busy: Served, tmp_path: Path, number: signal.Signals
) -> None:
    with serving(configuration(tmp_path, busy.udp, dnssec=busy.dnssec)) as daemon:
        ask(daemon.port, "good.lab")
        clients = [
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
            socket.create_connection(("127.0.0.1", daemon.port)),
        ]
        asked = query(SLOW)
        clients[0].connect(("127.0.0.1", daemon.port))
        clients[0].send(asked.to_wire())
        clients[1].sendall(asked.to_wire(prepend_length=True))
        _wait_until_asked(busy, "slow.good.lab. A")
        assert daemon.stop(number) == 0
        replies = [clients[0].recv(4096), clients[1].recv(4096)[2:]]
        for client in clients:
            client.close()
    for reply in replies:
        message = dns.message.from_wire(reply)
        assert asked.is_response(message)
        assert message.rcode() == dns.rcode.NXDOMAIN
    assert daemon.text.splitlines()[-1].endswith("message=stopped")


def test_queries_that_nobody_answers_do_not_hold_it_up(busy: Served, tmp_path: Path) -> None:
    with serving(configuration(tmp_path, busy.tls, dnssec=busy.dnssec)) as daemon:
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=10) as client:
            client.sendall(query(LOST).to_wire(prepend_length=True))
            _wait_until_asked(busy, "lost.good.lab. A")
            began = time.monotonic()
            assert daemon.stop() == 0
            assert client.recv(4096) == b""
        assert Limits().stop - 0.5 < time.monotonic() - began < Limits().stop + 3


def test_idle_connections_do_not_hold_it_up(lab: Served, tmp_path: Path) -> None:
    with serving(configuration(tmp_path, lab.tls, dnssec=lab.dnssec)) as daemon:
        with socket.create_connection(("127.0.0.1", daemon.port)) as client:
            assert ask(daemon.port, "good.lab").is_authentic
            began = time.monotonic()
            assert daemon.stop() == 0
            assert client.recv(1) == b""
        assert time.monotonic() - began < Limits().stop


def test_the_control_socket_and_the_port_are_free_again(lab: Served, tmp_path: Path) -> None:
    file = configuration(tmp_path, lab.udp, dnssec=lab.dnssec)
    with serving(file) as daemon:
        port = daemon.port
        connection = socket.create_connection(("127.0.0.1", port))
        ask(port, "good.lab")
        daemon.stop()
        assert not daemon.control.exists()
        connection.close()
    with serving(file, "--listen", f"127.0.0.1:{port}") as daemon:
        assert ask(port, "good.lab").is_authentic


def test_a_daemon_that_was_killed_leaves_nothing_that_hinders_the_next(
    lab: Served, tmp_path: Path
) -> None:
    file = configuration(tmp_path, lab.udp, dnssec=lab.dnssec)
    with serving(file) as daemon:
        daemon.process.kill()
        daemon.process.wait()
        assert daemon.control.exists()
    with serving(file) as daemon:
        assert daemon.ask("stats")["daemon"]["pid"] == daemon.process.pid


def _wait_until_asked(served: Served, text: str) -> None:
    deadline = time.monotonic() + 10
    while not any(asked.text == text for asked in served.log):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    served.log.clear()
