"""Real boots of Debian in containers, each on a throw-away layer over one base root.

The base roots are made by debootstrap and kept in a cache folder, as are the packages. A boot has a
network of its own without a way out; what it asks is the lab, which runs inside, out of the package
that is being tested.
"""

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("ANCHORD_BOOTS", Path.home() / ".cache" / "anchord-boots"))
"""Base roots and packages."""

TREE = Path(__file__).parents[2]

COMMON = (
    "systemd,systemd-sysv,systemd-resolved,dbus,libpam-systemd,libnss-resolve,libnss-systemd,iproute2,"
    "bind9-dnsutils,procps,curl,python3,openssh-client,openssh-server,debconf"
)
PACKAGES = {"bookworm": f"{COMMON},network-manager", "trixie": COMMON}

PROGRAMS = ("systemd-nspawn", "debootstrap", "nsenter", "dpkg-deb")

START = 60.0
"""Seconds for a boot; it takes two on a quiet machine."""


@dataclass(frozen=True)
class Boot:
    """A system that is up. `leader` is its first process, seen from outside."""

    root: Path
    leader: int
    release: str

    def run(self, command: str, *, check: bool = True, timeout: float = 120) -> str:
        """What a shell command prints inside; fails where it does, unless told otherwise."""
        ran = subprocess.run(
            ["nsenter", "-t", str(self.leader), "-a", "bash", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=timeout,
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
        )
        if check:
            assert ran.returncode == 0, f"{command}: {ran.stdout}"
        return ran.stdout.strip()

    def status(self, command: str) -> int:
        """Its exit status."""
        return int(self.run(f"({command}) >/dev/null 2>&1; echo $?").split()[-1])

    def manifest(self) -> str:
        """Every file and link of /etc: mode, owner, inode, time of change, target or digest.

        Without what the clock of the system's own start writes.
        """
        return self.run(
            "cd /etc && find . -type l -printf '%p %m %U:%G %i %T@ %l\\n' -o -type f "
            "-printf '%p %m %U:%G %i %T@ ' -exec sh -c 'sha256sum <\"$1\"' _ {} \\; | sort"
        )

    def wait(self, command: str, seconds: float = 15) -> None:
        """Until the command succeeds."""
        deadline = time.monotonic() + seconds
        while self.status(command):
            assert time.monotonic() < deadline, self.run(command, check=False)
            time.sleep(0.1)


def skip_unless_possible() -> None:
    """Skips, with the reason, where systems cannot be booted."""
    if os.geteuid():
        pytest.skip("booting a system is for the administrator")
    lacking = [program for program in PROGRAMS if not shutil.which(program)]
    if lacking:
        pytest.skip(f"not installed: {', '.join(lacking)}")


@cache
def base(release: str) -> Path:
    """The base root of a release, made if need be."""
    root = CACHE / f"{release}-{hashlib.sha256(PACKAGES[release].encode()).hexdigest()[:8]}"
    if not (root / "done").exists():
        shutil.rmtree(root, ignore_errors=True)
        root.parent.mkdir(parents=True, exist_ok=True)
        include = f"--include={PACKAGES[release]}"
        subprocess.run(["debootstrap", "--variant=minbase", include, release, root], check=True)
        (root / "done").touch()
    return root


@cache
def package(release: str, epoch: str = "") -> Path:
    """The .deb of this tree for a release."""
    folder = CACHE / f"packages{epoch}"
    folder.mkdir(parents=True, exist_ok=True)
    env = os.environ | ({"SOURCE_DATE_EPOCH": epoch} if epoch else {})
    ran = subprocess.run(
        [TREE / "packaging/deb/build", release, folder],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=env,
    )
    return Path(ran.stdout.strip())


@contextmanager
def booted(release: str, folder: Path) -> Iterator[Boot]:
    """A system, up and without failed units, with the package as /anchord.deb; then down again."""
    root = folder / "root"
    for name in ("root", "up", "work"):
        (folder / name).mkdir()
    layers = f"lowerdir={base(release)},upperdir={folder / 'up'},workdir={folder / 'work'}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, root], check=True)
    try:
        shutil.copy(package(release), root / "anchord.deb")
        for name in ("upstream", "killed"):
            shutil.copy(Path(__file__).with_name(f"{name}_in_boot.py"), root / f"{name}.py")
        with _running(root, folder / "console") as leader:
            boot = Boot(root, leader, release)
            boot.wait("systemctl is-system-running | grep -Eq '^(running|degraded)$'", START)
            yield boot
    finally:
        subprocess.run(["umount", root], check=True)


@contextmanager
def _running(root: Path, console: Path) -> Iterator[int]:
    with console.open("wb") as output:
        nspawn = subprocess.Popen(
            [
                "systemd-nspawn", "-q", "-D", root, "-b", "-M", f"anchord-{os.getpid()}",
                "--register=no", "--keep-unit", "--private-network", "--resolv-conf=off",
                "--link-journal=no", "--console=pipe",
            ],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        leader = _child_of(nspawn)
        yield leader
    finally:
        nspawn.terminate()
        try:
            nspawn.wait(30)
        except subprocess.TimeoutExpired:
            nspawn.kill()
            nspawn.wait()


def _child_of(process: "subprocess.Popen[bytes]") -> int:
    """The first process of the container: systemd. Another child prepares the place before it."""
    deadline = time.monotonic() + START
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while True:
        assert process.poll() is None, "systemd-nspawn has ended"
        for child in children.read_text().split():
            with suppress(FileNotFoundError, ProcessLookupError):
                if Path(f"/proc/{child}/comm").read_text() == "systemd\n":
                    return int(child)
        assert time.monotonic() < deadline
        time.sleep(0.05)
