"""`anchord stats` and `anchord flush`, as processes, against a real control socket."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from anchord.daemon import control
from anchord.daemon.commands import commands
from anchord.daemon.stats import Stats
from anchord.model.clock import SystemClock
from anchord.model.names import Name, from_text


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "anchord.toml"
    path.write_text(f'[listen]\ncontrol = "{tmp_path / "c"}"\n')
    return path


@asynccontextmanager
async def daemon(config: Path, flushed: list[Name | None]) -> AsyncIterator[None]:
    def flush(name: Name | None) -> int:
        flushed.append(name)
        return len(flushed)

    stats = Stats(SystemClock())
    stats.add("dns", lambda: {"udp_queries": 12, "dropped": 0})
    async with trio.open_nursery() as nursery:
        sock = control.bind(config.parent / "c")
        nursery.start_soon(control.serve, sock, commands(stats, flush))
        yield
        nursery.cancel_scope.cancel()


async def anchord(*arguments: str | Path) -> "subprocess.CompletedProcess[bytes]":
    return await trio.run_process(
        [sys.executable, "-W", "error", "-m", "anchord", *map(str, arguments)],
        capture_stdout=True,
        capture_stderr=True,
        check=False,
    )


async def test_stats_are_a_table_without_what_never_happened(config: Path) -> None:
    async with daemon(config, []):
        ran = await anchord("stats", "--config", config)
    lines = ran.stdout.decode().splitlines()
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert "dns.udp_queries  12" in lines
    assert not any("dropped" in line for line in lines)


async def test_stats_are_one_json_object_for_programs(config: Path) -> None:
    async with daemon(config, []):
        ran = await anchord("stats", "--json", "--config", config)
    assert json.loads(ran.stdout)["dns"] == {"udp_queries": 12, "dropped": 0}


async def test_flush_says_how_much_was_forgotten(config: Path) -> None:
    flushed: list[Name | None] = []
    async with daemon(config, flushed):
        one = await anchord("flush", "Example.com", "--config", config)
        two = await anchord("flush", "--config", config)
    assert one.stdout == b"1 answer forgotten\n"
    assert two.stdout == b"2 answers forgotten\n"
    assert flushed == [from_text("example.com."), None]


@pytest.mark.parametrize("command", ["stats", "flush"])
async def test_that_no_daemon_answers_is_one_line_and_exit_status_3(
    config: Path, command: str
) -> None:
    ran = await anchord(command, "--config", config)
    place = config.parent / "c"
    assert ran.returncode == 3
    assert ran.stdout == b""
    assert ran.stderr.decode() == (
        f"anchord: {place}: no daemon answers; start one with anchord serve\n"
    )


async def test_a_name_that_is_none_is_wrong_usage(config: Path) -> None:
    ran = await anchord("flush", "a..b", "--config", config)
    assert ran.returncode == 2
    assert ran.stderr.startswith(b"anchord: a..b: a label is empty")


@pytest.mark.parametrize("command", ["stats", "flush"])
def test_neither_trio_nor_cryptography_is_imported(command: str) -> None:
    code = f"import sys, anchord.cli.{command}; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"trio", "dns", "cryptography", "aioquic", "rich"} & set(ran.stdout.split())
