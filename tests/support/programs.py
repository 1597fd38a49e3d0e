"""Programs that are not ours: found, started with a configuration of their own, and ended again."""

import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

PATH = "/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin:/usr/local/sbin"
"""Servers are in folders that an ordinary user's PATH leaves out."""

START = 10.0
"""Seconds for a server to listen; all of them are up in a tenth of one, on a quiet machine."""

END = 10.0
"""Seconds for a server to end after SIGTERM, before it is killed."""

PORTS = range(20000, 32000)
"""Below those that the system gives to outgoing connections, which could take a port between its
choice and its use."""


def path_of(program: str) -> str:
    """Where a program is. Raises FileNotFoundError."""
    found = shutil.which(program, path=PATH)
    if found is None:
        raise FileNotFoundError(program)
    return found


PEERS = Path(os.environ.get("ANCHORD_PEERS", Path.home() / ".cache/anchord-peers"))
"""Where continuous integration puts programs that Debian's own release does not have."""


def debian_13(program: str) -> str:
    """The program of Debian 13, where scripts/trixie-root has unpacked it; else the installed one.

    A path or a name that `path_of` finds.
    """
    starter = PEERS / "trixie/bin" / program
    return str(starter) if starter.exists() else program


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skips a test where one of the programs is not installed, and says which."""
    missing = [program for program in programs if shutil.which(program, path=PATH) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def skip_unless_installed(*programs: str) -> None:
    """The same, for a fixture."""
    missing = [program for program in programs if shutil.which(program, path=PATH) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def skip_unless_bindable(address: str, port: int) -> None:
    """Skips where the address and port cannot be had: port 53 is the administrator's."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            pytest.skip(f"port {port} of {address} cannot be had: {error.strerror}")


def free_ports(count: int, address: str = "127.0.0.1") -> list[int]:
    """Ports that are free for UDP and for TCP."""
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < count:
            port = random.choice(PORTS)
            try:
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    probe = held.enter_context(socket.socket(socket.AF_INET, kind))
                    probe.bind((address, port))
            except OSError:
                continue
            found.append(port)
    return found


@contextmanager
def server(
    command: Sequence[str], folder: Path, *, port: int, address: str = "127.0.0.1"
) -> Iterator[Path]:
    """Runs a server in the foreground until the block ends; yields the file with its output.

    It is up when it accepts connections to `port`. Fails with its output where it does not get so
    far.
    """
    log = folder / f"{Path(command[0]).name}.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [path_of(command[0]), *command[1:]],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        ) as process,
    ):
        try:
            _wait_until_listening(process, address, port, log)
            yield log
        finally:
            end(process)


def end(process: "subprocess.Popen[bytes]") -> int:
    """Asks a process to end, and makes it end where it does not; returns its exit status."""
    process.terminate()
    try:
        return process.wait(END)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _wait_until_listening(
    process: "subprocess.Popen[bytes]", address: str, port: int, log: Path
) -> None:
    deadline = time.monotonic() + START
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection((address, port)).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    pytest.fail(f"{process.args!r} does not listen:\n{log.read_text(errors='replace')}")
