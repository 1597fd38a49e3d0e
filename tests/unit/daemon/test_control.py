"""The control socket and both of its ends, over real sockets."""

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from anchord.daemon import control
from anchord.daemon.commands import commands
from anchord.daemon.control import ControlSocketError
from anchord.daemon.control_client import ControlError, UnreachableError, ask, socket_path
from anchord.daemon.stats import Stats
from anchord.model.clock import SystemClock
from anchord.model.names import Name, from_text

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets here")


class Cache:
    """What is flushed."""

    def __init__(self) -> None:
        self.flushed: list[Name | None] = []

    def flush(self, name: Name | None) -> int:
        self.flushed.append(name)
        return 7


@asynccontextmanager
async def daemon(path: Path, **more: control.Command) -> AsyncIterator[Cache]:
    cache = Cache()
    table = commands(Stats(SystemClock()), cache.flush) | more
    sock = control.bind(path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(control.serve, sock, table)
        yield cache
        nursery.cancel_scope.cancel()


async def asked(path: Path, command: str, **arguments: object) -> Any:
    """`ask` as the commands use it, from another thread."""
    return await trio.to_thread.run_sync(lambda: ask(str(path), command, **arguments))


async def talk(path: Path, *lines: bytes) -> list[Any]:
    """Sends raw lines, and reads a reply for each until the daemon ends the connection."""
    stream = await trio.open_unix_socket(path)
    async with stream:
        with trio.fail_after(5):
            await stream.send_all(b"".join(line + b"\n" for line in lines))
            await stream.send_eof()
            received = b""
            async for data in stream:
                received += data
    return [json.loads(line) for line in received.splitlines()]


async def test_stats_are_told(tmp_path: Path) -> None:
    async with daemon(tmp_path / "s"):
        result = await asked(tmp_path / "s", "stats")
        assert result["daemon"]["pid"] == os.getpid()


async def test_a_flush_forgets_everything_or_a_name(tmp_path: Path) -> None:
    async with daemon(tmp_path / "s") as cache:
        assert await asked(tmp_path / "s", "flush") == {"answers": 7}
        await asked(tmp_path / "s", "flush", name="Example.COM")
        assert cache.flushed == [None, from_text("example.com.")]


async def test_a_name_that_is_none_is_one_line(tmp_path: Path) -> None:
    async with daemon(tmp_path / "s") as cache:
        with pytest.raises(ControlError, match=r"^a\.\.b: a label is empty"):
            await asked(tmp_path / "s", "flush", name="a..b")
        assert not cache.flushed


async def test_an_unknown_command_is_told_which_there_are(tmp_path: Path) -> None:
    async with daemon(tmp_path / "s"):
        with pytest.raises(ControlError, match="no such command; there are: stats, flush"):
            await asked(tmp_path / "s", "dance")


async def test_several_requests_may_come_over_one_connection_in_pieces(tmp_path: Path) -> None:
    async with daemon(tmp_path / "s"):
        replies = await talk(tmp_path / "s", b'{"command": "flush"}', b'{"command": "stats"}')
        assert [list(reply) for reply in replies] == [["result"], ["result"]]


@pytest.mark.parametrize(
    "line", [b"", b"x", b"[]", b"1", b"\xff", b"[" * 20000, b'{"command": []}']
)
async def test_what_is_no_request_is_told_so_and_the_next_one_is_answered(
    tmp_path: Path, line: bytes
) -> None:
    async with daemon(tmp_path / "s"):
        bad, good = await talk(tmp_path / "s", line, b'{"command": "flush"}')
        assert list(bad) == ["error"]
        assert list(good) == ["result"]


async def test_a_request_without_an_end_is_cut_off(tmp_path: Path) -> None:
    async with daemon(tmp_path / "s"):
        stream = await trio.open_unix_socket(tmp_path / "s")
        async with stream:
            with trio.fail_after(5), pytest.raises(trio.BrokenResourceError):
                await stream.send_all(b"x" * (4 * control.LONGEST_REQUEST))
        assert await asked(tmp_path / "s", "flush")


async def test_a_connection_that_says_nothing_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "IDLE", 0.05)
    async with daemon(tmp_path / "s"):
        stream = await trio.open_unix_socket(tmp_path / "s")
        async with stream:
            with trio.fail_after(5):
                assert await stream.receive_some() == b""


async def test_a_client_that_fetches_no_reply_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "IDLE", 0.1)

    async def long(_request: Mapping[str, Any]) -> object:
        return "x" * 10_000_000

    async with daemon(tmp_path / "s", long=long):
        stream = await trio.open_unix_socket(tmp_path / "s")
        async with stream:
            await stream.send_all(b'{"command": "long"}\n')
            await trio.sleep(0.3)
            received = 0
            with trio.fail_after(5):
                async for data in stream:
                    received += len(data)
        assert 0 < received < 10_000_000


async def test_a_client_that_has_gone_before_its_reply_hurts_nobody(tmp_path: Path) -> None:
    async with daemon(tmp_path / "s"):
        stream = await trio.open_unix_socket(tmp_path / "s")
        await stream.send_all(b'{"command": "stats"}\n' * 1000)
        await stream.aclose()
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert await asked(tmp_path / "s", "flush")


async def test_no_more_connections_are_served_than_the_limit(tmp_path: Path) -> None:
    async with daemon(tmp_path / "s"):
        open_ones = [
            await trio.open_unix_socket(tmp_path / "s") for _ in range(control.CONNECTIONS)
        ]
        await trio.testing.wait_all_tasks_blocked(0.05)
        one_more = await trio.open_unix_socket(tmp_path / "s")
        with trio.fail_after(5):
            assert await one_more.receive_some() == b""
        for stream in (*open_ones, one_more):
            await stream.aclose()
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert await asked(tmp_path / "s", "flush")


async def test_a_bug_in_a_command_is_logged_and_the_daemon_lives(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_request: Mapping[str, Any]) -> object:
        raise ZeroDivisionError("prepared")

    async with daemon(tmp_path / "s", broken=broken):
        with pytest.raises(ControlError, match="a bug in anchord"):
            await asked(tmp_path / "s", "broken")
        assert await asked(tmp_path / "s", "flush")
    assert [record.exc_info is not None for record in caplog.records] == [True]


# ------------ The file ------------


async def test_the_socket_is_its_owners_alone_and_goes_with_the_daemon(tmp_path: Path) -> None:
    path = tmp_path / "run" / "control.sock"
    async with daemon(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not path.exists()


async def test_the_socket_of_another_daemon_is_left_when_this_one_ends(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with daemon(path):
        path.unlink()
        other = control.bind(path)
    with other:
        assert path.is_socket()


async def test_a_socket_of_a_dead_daemon_is_replaced(tmp_path: Path) -> None:
    control.bind(tmp_path / "s").close()
    assert (tmp_path / "s").is_socket()
    async with daemon(tmp_path / "s"):
        assert await asked(tmp_path / "s", "flush")


async def test_a_living_daemon_keeps_its_socket(tmp_path: Path) -> None:
    async with daemon(tmp_path / "s"):
        with pytest.raises(ControlSocketError, match="another anchord has this control socket"):
            control.bind(tmp_path / "s")
        assert await asked(tmp_path / "s", "flush")


def write_file(path: Path) -> None:
    path.write_text("precious")


@pytest.mark.parametrize(
    ("prepare", "problem"),
    [(write_file, "this is a file, not a socket"), (Path.mkdir, "this is a file, not a socket")],
)
def test_nothing_but_a_socket_is_ever_replaced(
    tmp_path: Path, prepare: Callable[[Path], None], problem: str
) -> None:
    prepare(tmp_path / "s")
    with pytest.raises(ControlSocketError, match=problem):
        control.bind(tmp_path / "s")
    assert (tmp_path / "s").exists()


def test_a_directory_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(ControlSocketError, match=r"shared: other users may write here"):
        control.bind(shared / "deeper" / "s")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    os.chown(foreign, 65534, 65534)
    with pytest.raises(ControlSocketError, match=r"foreign: other users may write here"):
        control.bind(foreign / "s")


def test_a_path_that_no_system_takes_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ControlSocketError, match="the path is longer than 103 octets"):
        control.bind(tmp_path / ("x" * control.LONGEST_PATH))


def test_a_directory_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    write_file(tmp_path / "file")
    with pytest.raises(ControlSocketError, match=r"s: Not a directory; set \[listen\] control"):
        control.bind(tmp_path / "file" / "deeper" / "s")


# ------------ The commands' side ------------


def test_the_socket_is_where_the_configuration_says() -> None:
    assert socket_path("/run/x/c") == Path("/run/x/c")
    assert socket_path("none") is None


def test_the_socket_is_in_the_services_runtime_directory_else_in_the_users(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/anchord:/run/other")
    assert socket_path("") == Path("/run/anchord/control.sock")
    monkeypatch.delenv("RUNTIME_DIRECTORY")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    assert socket_path("") == Path("/run/user/1000/anchord/control.sock")
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    found = socket_path("")
    assert found is not None
    assert found.is_absolute()


@pytest.mark.parametrize("leave", ["nothing", "a dead socket", "a file"])
def test_that_no_daemon_answers_is_one_line_and_exit_status_3(tmp_path: Path, leave: str) -> None:
    path = tmp_path / "s"
    if leave == "a dead socket":
        control.bind(path).close()
    elif leave == "a file":
        write_file(path)
    with pytest.raises(UnreachableError) as caught:
        ask(str(path), "stats")
    assert caught.value.exit_status == 3
    assert caught.value.one_line() == f"{path}: no daemon answers; start one with anchord serve"


def test_a_socket_that_is_turned_off_is_one_line() -> None:
    with pytest.raises(UnreachableError, match="the control socket is turned off"):
        ask("none", "stats")


@pytest.mark.parametrize("reply", [b"", b"no JSON\n", b"[]\n", b"{}\n", b'"result"\n', b'{"res'])
def test_a_reply_that_is_none_is_one_line(tmp_path: Path, reply: bytes) -> None:
    program = (
        "import socket, sys\n"
        "s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); print(flush=True)\n"
        "c, _ = s.accept(); c.recv(1000); c.sendall(bytes.fromhex(sys.argv[2])); c.close()\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "s"), reply.hex()]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(UnreachableError, match="no usable reply"):
            ask(str(tmp_path / "s"), "stats")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_another_users_daemon_is_named_as_that(tmp_path: Path) -> None:
    async with daemon(tmp_path / "s"):
        program = (
            "import os, sys\n"
            "from anchord.daemon.control_client import UnreachableError, ask\n"
            "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            "try: ask(sys.argv[1], 'stats')\n"
            "except UnreachableError as error: print(error.one_line())\n"
        )
        command = [sys.executable, "-c", program, str(tmp_path / "s")]
        ran = await trio.run_process(command, capture_stdout=True)
    assert ran.stdout.decode() == (
        f"{tmp_path / 's'}: the daemon is another user's; try with sudo\n"
    )
