"""Binding: all addresses or none, and one line that says why not."""

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

import anchord
from anchord.model.clock import SystemClock
from anchord.server.binding import (
    OTHER_PORTS,
    Bound,
    HostAndPort,
    ListenError,
    bind,
    inherited_sockets,
    written,
)
from anchord.server.counters import Counters
from anchord.server.handler import Handler
from anchord.server.listeners import serve
from support.doors import Datagrams, PreparedResolver, Stream, make_query
from support.programs import free_ports

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
SOURCE = str(Path(anchord.__file__).parents[1])


@contextmanager
def closing(bound: Bound) -> Iterator[Bound]:
    try:
        yield bound
    finally:
        for door in bound.doors:
            door.datagrams.close()
            door.streams.close()


@contextmanager
def taken(kind: socket.SocketKind, host: str = "127.0.0.1") -> Iterator[HostAndPort]:
    """An address that is in use, by this very process."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as sock:
        sock.bind((host, free_ports(1)[0]))  # nobody else's, for the other protocol neither
        if kind is socket.SOCK_STREAM:
            sock.listen()
        yield sock.getsockname()[:2]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1"])
def test_an_address_gets_a_udp_and_a_tcp_socket_of_one_port(host: str) -> None:
    with closing(bind([(host, 0)])) as bound:
        (door,) = bound.doors
        assert door.address[1] != 0
        assert door.datagrams.getsockname()[:2] == door.address
        assert door.streams.getsockname()[:2] == door.address
        assert door.streams.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        assert not door.streams.getblocking()
        assert not door.datagrams.getblocking()
        assert not bound.warnings


def test_a_port_can_be_bound_again_at_once_after_a_connection() -> None:
    with closing(bind([("127.0.0.1", 0)])) as bound:
        address = bound.doors[0].address
        with socket.create_connection(address):
            bound.doors[0].streams.setblocking(True)
            bound.doors[0].streams.accept()[0].close()
    with closing(bind([address])) as again:
        assert again.doors[0].address == address


@on_linux
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_in_use_is_told_with_who_holds_it(kind: socket.SocketKind, host: str) -> None:
    with taken(kind, host) as address, pytest.raises(ListenError) as caught:
        bind([address])
    line = caught.value.one_line()
    assert line.startswith(f"{written(address)}: address already in use by ")
    assert f"(process {os.getpid()})" in line
    assert "--listen " in line
    assert "\n" not in line


@on_linux
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
@pytest.mark.parametrize("wildcard", ["0.0.0.0", "::"])
def test_a_holder_of_all_addresses_is_found_too(kind: socket.SocketKind, wildcard: str) -> None:
    with taken(kind, wildcard) as (_, port), pytest.raises(ListenError) as caught:
        bind([("127.0.0.1", port)])
    assert f"(process {os.getpid()})" in caught.value.one_line()


def test_all_that_fails_is_told_in_one_line_and_nothing_stays_bound() -> None:
    free = ("127.0.0.1", free_ports(1)[0])
    with (
        taken(socket.SOCK_DGRAM) as one,
        taken(socket.SOCK_STREAM, "127.0.0.2") as other,
        pytest.raises(ListenError) as caught,
    ):
        bind([one, free, other])
    line = caught.value.one_line()
    assert f"{written(one)}: " in line
    assert f"; {written(other)}: " in line
    assert written(free) not in line
    with closing(bind([free])):
        pass


def test_an_address_that_the_machine_has_not_is_told() -> None:
    with pytest.raises(ListenError, match=r"192\.0\.2\.1:5353: this machine has no such address"):
        bind([("192.0.2.1", 5353)])


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_all_addresses_at_once_are_refused(host: str) -> None:
    with pytest.raises(ListenError, match="name each address"):
        bind([(host, 5353)])


Refuse = Callable[[Callable[[int, int], int]], None]


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """Lets the system refuse sockets: by a function of family and type, which returns an errno."""
    real = socket.socket

    def install(refused: Callable[[int, int], int]) -> None:
        def make(family: int, kind: int) -> socket.socket:
            if number := refused(family, kind):
                raise OSError(number, os.strerror(number))
            return real(family, kind)

        monkeypatch.setattr(socket, "socket", make)

    return install


def test_a_missing_ipv6_is_a_warning_where_another_address_is_left(refuse: Refuse) -> None:
    refuse(lambda family, _: errno.EAFNOSUPPORT if family == socket.AF_INET6 else 0)
    with closing(bind([("127.0.0.1", 0), ("::1", 5353)])) as bound:
        assert [door.address[0] for door in bound.doors] == ["127.0.0.1"]
        assert bound.warnings == ("[::1]:5353: this machine has no IPv6; it is left out",)
    with pytest.raises(ListenError, match=r"\[::1\]:5353: this machine has no IPv6"):
        bind([("::1", 5353)])


@pytest.mark.parametrize("refusals", [1, 100])
def test_a_chosen_port_that_is_not_free_for_udp_is_chosen_anew_some_times(
    refuse: Refuse, refusals: int
) -> None:
    left = iter(range(refusals))
    refuse(
        lambda _, kind: (
            errno.EADDRINUSE if kind == socket.SOCK_DGRAM and next(left, None) is not None else 0
        )
    )
    if refusals == 1:
        with closing(bind([("127.0.0.1", 0)])) as bound:
            assert bound.doors[0].address[1]
    else:
        with pytest.raises(ListenError, match="address already in use"):
            bind([("127.0.0.1", 0)])


def test_any_other_refusal_is_told_in_the_systems_words(refuse: Refuse) -> None:
    refuse(lambda *_: errno.EMFILE)
    with pytest.raises(
        ListenError, match=r"127\.0\.0\.1:5353: Too many open files; see \[listen\]"
    ):
        bind([("127.0.0.1", 5353)])


BIND = """
try:
    bind([("127.0.0.1", 53), ("::1", 53)])
except ListenError as error:
    print(error.one_line())
"""


def run_as_ordinary_user(program: str) -> str:
    """The output of a program that runs as this user, or as nobody where that is root."""
    become_nobody = (
        "import os, pwd\n"
        "from anchord.server.binding import *\n"
        "from anchord.server.holder import *\n"
        "if not os.geteuid(): os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", become_nobody + program],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": SOURCE},
    )
    return done.stdout.strip()


@on_linux
def test_an_ordinary_user_is_told_which_port_to_take_and_how() -> None:
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 53:
        pytest.skip("here port 53 is for everybody")
    line = run_as_ordinary_user(BIND)
    assert "127.0.0.1:53: ports below 1024 are not for ordinary users" in line
    assert "[::1]:53: ports below 1024" in line
    assert '[listen] dns = ["127.0.0.1:' in line
    assert "--listen 127.0.0.1:" in line
    assert "CAP_NET_BIND_SERVICE" in line
    assert "\n" not in line


def test_the_port_that_is_proposed_is_free() -> None:
    with taken(socket.SOCK_STREAM) as address:
        blockers = []
        for port in OTHER_PORTS[:-1]:
            blocker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            blockers.append(blocker)
            try:
                blocker.bind(("127.0.0.1", port))
            except OSError:
                continue  # somebody else blocks it
        try:
            with pytest.raises(ListenError) as caught:
                bind([address])
        finally:
            for blocker in blockers:
                blocker.close()
    line = caught.value.one_line()
    assert not any(f":{port}" in line.replace(written(address), "") for port in OTHER_PORTS[:-1])


def test_no_sockets_are_inherited_without_a_service_manager() -> None:
    assert inherited_sockets({}) == []
    assert inherited_sockets({"LISTEN_PID": "1", "LISTEN_FDS": "2"}) == []


@pytest.mark.parametrize("count", ["", "x", "1000000"])
def test_passed_sockets_that_are_none_are_one_line(count: str) -> None:
    with pytest.raises(ListenError, match="LISTEN_FDS: no usable sockets were passed"):
        inherited_sockets({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": count})


ACTIVATED = """
import os, trio
from anchord.model.clock import SystemClock
from anchord.server.binding import bind, inherited_sockets
os.environ["LISTEN_PID"] = str(os.getpid())
sockets = inherited_sockets()
address = sockets[0].getsockname()
bound = bind([address], sockets)
door, = bound.doors
print(door.streams.fileno(), door.datagrams.fileno(), len(sockets))
print(os.get_inheritable(3), sockets[0].getsockname()[0])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors are passed on Unix only")
def test_sockets_of_the_service_manager_are_taken_where_they_fit() -> None:
    with closing(bind([("127.0.0.1", 0), ("127.0.0.2", 0)])) as bound:
        mine, other = bound.doors
        program = (
            f"import os\nfor n, fd in enumerate(({mine.streams.fileno()},"
            f" {mine.datagrams.fileno()}, {other.datagrams.fileno()})): os.dup2(fd, 20 + n)\n"
            "for n in range(3): os.dup2(20 + n, 3 + n)\n" + ACTIVATED
        )
        fds = [s.fileno() for s in (mine.streams, mine.datagrams, other.datagrams)]
        done = subprocess.run(
            [sys.executable, "-c", program],
            check=True,
            capture_output=True,
            text=True,
            pass_fds=fds,
            env={"PYTHONPATH": SOURCE, "LISTEN_FDS": "3"},
        )
    assert done.stdout.split() == ["3", "4", "1", "False", "127.0.0.2"]


async def test_an_inherited_door_answers() -> None:
    with closing(bind([("127.0.0.1", 0)])) as opened:
        (door,) = opened.doors
        bound = bind([door.address], [door.datagrams, door.streams])
        assert bound.doors[0].datagrams is door.datagrams
        assert bound.doors[0].streams is door.streams
        stop = trio.Event()
        handler = Handler(PreparedResolver(), SystemClock(), Counters())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve, bound.doors, handler, stop)
            async with Datagrams(door.address) as client:
                await client.ask(make_query("www.example.").to_wire())
            async with await Stream.connect(door.address) as stream:
                await stream.ask(make_query("www.example.").to_wire())
            stop.set()


@on_linux
def test_a_holder_that_may_not_be_looked_into_is_named_by_its_user() -> None:
    program = """
print(holder_of(socket.SOCK_STREAM, "127.0.0.1", {port}))
print(holder_of(socket.SOCK_DGRAM, "127.0.0.1", 1))
"""
    with taken(socket.SOCK_STREAM) as (_, port):
        who, nobody = run_as_ordinary_user(program.format(port=port)).splitlines()
    assert nobody == "None"
    if os.geteuid() == 0:
        assert who == "a process of the user root"
    else:
        assert f"(process {os.getpid()})" in who
