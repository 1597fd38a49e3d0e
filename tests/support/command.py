"""The command `anchord` in processes of its own, as a user or a service manager runs it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anchord
from anchord.daemon import control_client
from anchord.server.binding import HostAndPort

SOURCE = Path(anchord.__file__).parents[1]

ANCHORD = (sys.executable, "-W", "error", "-m", "anchord")
"""The command, with every warning an error."""

START = 20.0
"""Seconds for the daemon to be ready; it takes less than one on a quiet machine."""

END = 10.0
"""Seconds for it to end: two for the queries in flight, two for the upstreams, and some in hand."""


@dataclass(frozen=True)
class Ran:
    """What became of a command that ran to its end."""

    status: int
    stdout: str
    stderr: str


def environment(**variables: str) -> dict[str, str]:
    """That of the tests, without what would make a difference, and with these variables."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if name
        not in {"NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "RUNTIME_DIRECTORY", "CACHE_DIRECTORY"}
    }
    return clean | {"PYTHONPATH": str(SOURCE), "NO_COLOR": "1"} | variables


def run(
    *arguments: str,
    prefix: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    timeout: float = START,
) -> Ran:
    """Runs `anchord ARGUMENTS` to its end; `prefix` is a command that starts it."""
    ran = subprocess.run(
        [*prefix, *ANCHORD, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env=env or environment(),
    )
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def toml(document: Mapping[str, Mapping[str, object] | Sequence[Mapping[str, object]]]) -> str:
    """A configuration file out of tables and lists of tables."""
    lines: list[str] = []
    for name, tables in document.items():
        header = f"[{name}]" if isinstance(tables, Mapping) else f"[[{name}]]"
        for table in [tables] if isinstance(tables, Mapping) else tables:
            lines += [header, *(f"{key} = {_written(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def _written(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_written, value))}]"
    return str(value) if isinstance(value, int) else f"'{value}'"


def configuration(
    folder: Path,
    upstream: Mapping[str, object] | str,
    *,
    dns: Sequence[str] = ("127.0.0.1:0",),
    **tables: Mapping[str, object],
) -> Path:
    """A file for a daemon of a test: one upstream, its own control socket, no hosts file, no API.

    `upstream` is a URL, or the keys of a table; `tables` are added, key by key.
    """
    if isinstance(upstream, str):
        upstream = {"url": upstream}
    plaintext = str(upstream["url"]).startswith(("udp:", "tcp:"))
    document: dict[str, Any] = {
        "listen": {"dns": dns, "api": (), "control": str(folder / "control.sock")},
        "upstream": [upstream],
        "forward": {"allow_plaintext": plaintext},
        "hosts": {"file": ""},
    }
    for name, table in tables.items():
        document[name] = {**document.get(name, {}), **table}
    file = folder / "anchord.toml"
    file.write_text(toml(document), encoding="utf-8")
    return file


@dataclass
class Daemon:
    """`anchord serve`, running."""

    process: "subprocess.Popen[bytes]"
    log: Path
    control: Path

    @property
    def addresses(self) -> list[HostAndPort]:
        """Where it listens, in the order of the configuration, by its own account."""
        ready = re.search(r"message=ready dns=(\S+)", self.text)
        assert ready is not None
        parts = (address.rpartition(":") for address in ready[1].split(","))
        return [(host.strip("[]"), int(port)) for host, _, port in parts]

    @property
    def port(self) -> int:
        """The port of its first address."""
        return self.addresses[0][1]

    @property
    def text(self) -> str:
        """What it has written to standard error."""
        return self.log.read_text(encoding="utf-8")

    def ask(self, command: str, **arguments: object) -> Any:
        """The result of a command over the control socket."""
        return control_client.ask(str(self.control), command, **arguments)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Sends the signal and waits for the end; returns the exit status."""
        self.process.send_signal(number)
        return self.process.wait(END)


@contextmanager
def serving(
    file: Path,
    *arguments: str,
    prefix: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
) -> Iterator[Daemon]:
    """Runs `anchord serve` with a file of `configuration` until the block ends.

    Its cache is kept in `cache` beside the file.

    Fails where the daemon has written a traceback, or, unless the block has stopped it, where it
    does not end well.
    """
    log = file.with_suffix(".log")
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [*prefix, *ANCHORD, "serve", "--config", str(file), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={"CACHE_DIRECTORY": str(file.with_name("cache"))} | dict(env or environment()),
            pass_fds=pass_fds,
        ) as process,
    ):
        daemon = Daemon(process, log, file.with_name("control.sock"))
        try:
            wait_until_ready(daemon)
            yield daemon
            if process.poll() is None:
                assert daemon.stop() == 0, daemon.text
        finally:
            process.kill()
    assert "Traceback" not in daemon.text
    assert "a bug in anchord" not in daemon.text


def wait_until_ready(daemon: Daemon) -> None:
    deadline = time.monotonic() + START
    while "message=ready" not in daemon.text:
        assert daemon.process.poll() is None, daemon.text
        assert time.monotonic() < deadline, daemon.text
        time.sleep(0.02)
