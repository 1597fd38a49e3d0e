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
from tempfile import TemporaryDirectory

import pytest

CACHE = Path(os.environ.get("ANCHORD_BOOTS", Path.home() / ".cache" / "anchord-boots"))
"""Base roots and packages."""

TREE = Path(__file__).parents[2]

COMMON = (
    "systemd,systemd-sysv,dbus,libpam-systemd,libnss-systemd,iproute2,"
    "bind9-dnsutils,procps,curl,python3,openssh-client,openssh-server,debconf"
)
PACKAGES = {
    "bookworm": f"{COMMON},systemd-resolved,libnss-resolve,network-manager",
    "trixie": f"{COMMON},systemd-resolved,libnss-resolve",
    "bookworm-dhclient": f"{COMMON},dnsmasq-base,ifupdown,isc-dhcp-client",
    "bookworm-resolvconf": f"{COMMON},dnsmasq-base,ifupdown,isc-dhcp-client,resolvconf",
    "bookworm-networkmanager": f"{COMMON},dnsmasq-base,network-manager",
    "bookworm-dhcpcd": f"{COMMON},dnsmasq-base,ifupdown,dhcpcd-base",
    "trixie-networkmanager": f"{COMMON},dnsmasq-base,network-manager",
    "trixie-dhcpcd": f"{COMMON},dnsmasq-base,ifupdown,dhcpcd-base",
    "trixie-openresolv": f"{COMMON},dnsmasq-base,ifupdown,dhcpcd-base,openresolv",
    "trixie-openrc": "openrc,iproute2,bind9-dnsutils,procps,python3,debconf",
    "trixie-netplan": f"{COMMON},dnsmasq-base,netplan.io,systemd-resolved",
    "trixie-podman": f"{COMMON},systemd-resolved,podman,netavark,aardvark-dns,crun,nftables",
    "trixie-docker": f"{COMMON},systemd-resolved,docker.io,docker-cli,iptables",
    "noble": f"{COMMON},dnsmasq-base,netplan.io,systemd-resolved",
    "noble-desktop": f"{COMMON},dnsmasq-base,network-manager,netplan.io,systemd-resolved",
}
"""By kind of system: a release, and a word where there are several of it."""

PROGRAMS = ("systemd-nspawn", "debootstrap", "nsenter", "dpkg-deb")

LOG = "journalctl --no-pager -o cat -n 40 -u 'anchord*' -u world -u link -u encrypted"
"""Shows what tells most where something has not come about."""

MANIFEST = (
    "cd /etc && find . -type l -printf '%p %m %U:%G %i %T@ %l\\n' -o -type f "
    "-printf '%p %m %U:%G %i %T@ ' -exec sh -c 'sha256sum <\"$1\"' _ {} \\; | sort"
)
"""Prints a line for each file and link of /etc."""

MAKE_NEWER = (
    "dpkg-deb -R /anchord.deb /newer && sed -i 's/^Version: .*/&+newer/' /newer/DEBIAN/control"
    " && dpkg-deb -Zgzip -z1 -b /newer /newer.deb && rm -r /newer"
)
"""Makes /newer.deb: the package with a higher version, and nothing else is another."""

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
        return self.run(MANIFEST)

    def changes(self, before: str) -> list[str]:
        """The lines in which the manifest is another one now."""
        return sorted(set(before.splitlines()) ^ set(self.manifest().splitlines()))

    def comes_up(self) -> bool:
        """Waits for its start; whether it has come."""
        try:
            self.wait("systemctl is-system-running | grep -Eq '^(running|degraded)$'", START)
        except AssertionError:
            return False
        return True

    def wait(self, command: str, seconds: float = 30) -> None:
        """Until the command succeeds."""
        deadline = time.monotonic() + seconds
        while self.status(command):
            assert time.monotonic() < deadline, f"{command}: {self.run(LOG, check=False)}"
            time.sleep(0.1)


@cache
def obstacle() -> str:
    """Why systems cannot be booted here; empty where they can."""
    if os.geteuid():
        return "booting a system is for the administrator"
    if lacking := [program for program in PROGRAMS if not shutil.which(program)]:
        return f"not installed: {', '.join(lacking)}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=CACHE) as name:
        for argv in (_overlay(Path(name), CACHE), ["umount", f"{name}/root"], TRIAL):
            ran = subprocess.run(argv, capture_output=True, text=True, check=False)
            if ran.returncode:
                return f"{argv[0]} is not allowed here: {ran.stderr.strip().splitlines()[0]}"
    return ""


TRIAL = [
    "systemd-nspawn", "-q", "--directory=/", "--volatile=yes", "-M", f"anchord-{os.getpid()}",
    "--register=no", "--keep-unit", "--private-network", "--console=pipe", "/usr/bin/true",
]  # fmt: skip
"""A container of this very system, for a moment."""


ATTEMPTS = 3
"""How often a base is begun: one goes on with what the attempt before has fetched."""


@cache
def base(kind: str) -> Path:
    """The base root of a kind of system, made if need be. Skips where that is out of reach."""
    release = _release(kind)
    include = f"--include={PACKAGES[kind]}"
    root = CACHE / f"{kind}-{hashlib.sha256(include.encode()).hexdigest()[:8]}"
    if not (root / "done").exists():
        shutil.rmtree(root, ignore_errors=True)
        settings = root / "etc/dpkg/dpkg.cfg.d"
        settings.mkdir(parents=True)
        (settings / "quick").write_text("force-unsafe-io\n")  # a base that is lost is made anew
        fetched = CACHE / "fetched"
        fetched.mkdir(exist_ok=True)
        argv = ["debootstrap", "--variant=minbase", f"--cache-dir={fetched}", include, release]
        argv += [str(root), _mirror(release), *SCRIPTS.get(release, [])]
        for _ in range(ATTEMPTS):
            ran = subprocess.run(
                argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
            )
            if not ran.returncode:
                break
        else:
            *_, error = [line for line in ran.stdout.splitlines() if line[:3] in ("E: ", "W: ")]
            if "Failed getting" in error or "download" in error:
                pytest.skip(f"the archive of {release} cannot be had: {error}")
            raise AssertionError(ran.stdout)
        (settings / "quick").unlink()
        (root / "done").touch()
    return root


SCRIPTS = {"noble": ["gutsy"]}
"""What debootstrap goes by where it may be older than the release."""


def _mirror(release: str) -> str:
    """The one that this machine uses itself, where it uses one of that distribution."""
    label = "Ubuntu" if release == "noble" else "Debian"
    argv = ["apt-get", "indextargets", "--format", "$(REPO_URI)", f"Label: {label}"]
    ran = subprocess.run(argv, capture_output=True, text=True, check=False)
    mirror = next(iter(ran.stdout.split()), None)
    if mirror is None:
        pytest.skip(f"boots of {release} need {label}'s archive, and apt-get has none here")
    return mirror


def _overlay(folder: Path, base: Path) -> list[str]:
    """The command that lays a throw-away layer over a base, as `root` of the folder."""
    for name in ("root", "up", "work"):
        (folder / name).mkdir()
    layers = f"lowerdir={base},upperdir={folder / 'up'},workdir={folder / 'work'}"
    return ["mount", "-t", "overlay", "overlay", "-o", layers, str(folder / "root")]


@cache
def package(release: str, epoch: str = "") -> Path:
    """The .deb of this tree for a release."""
    folder = CACHE / f"packages{epoch}"
    folder.mkdir(parents=True, exist_ok=True)
    env = os.environ | ({"SOURCE_DATE_EPOCH": epoch} if epoch else {})
    with TemporaryDirectory(dir=CACHE) as name:  # others may take the one that is there just now
        ran = subprocess.run(
            [TREE / "packaging/deb/build", release, name],
            check=True, stdout=subprocess.PIPE, text=True, env=env,
        )  # fmt: skip
        built = Path(ran.stdout.strip())
        return built.replace(folder / built.name)


@contextmanager
def system(kind: str, folder: Path) -> Iterator[Path]:
    """The root of a system that is not started, with the package as /anchord.deb; then removed."""
    root = folder / "root"
    subprocess.run(_overlay(folder, base(kind)), check=True)
    try:
        shutil.copy(package(_release(kind)), root / "anchord.deb")
        for name in ("upstream", "encrypted", "killed", "reader"):
            shutil.copy(Path(__file__).with_name(f"{name}_in_boot.py"), root / f"{name}.py")
        yield root
    finally:
        subprocess.run(["umount", root], check=True)


@contextmanager
def started(root: Path, kind: str) -> Iterator[Boot]:
    """A system, up and without failed units; then down again. It may be started anew."""
    console = root.parent / "console"
    with _running(root, console) as leader:
        boot = Boot(root, leader, _release(kind))
        if not boot.comes_up():
            lines = console.read_text(errors="replace").splitlines()
            pytest.skip(f"a system does not come up here: {lines[-3:]}")
        yield boot


@contextmanager
def booted(kind: str, folder: Path) -> Iterator[Boot]:
    """A system that is started once."""
    with system(kind, folder) as root, started(root, kind) as boot:
        yield boot


def within(root: Path, command: str) -> str:
    """What a shell command prints in a system that is not started, as where images are made."""
    ran = subprocess.run(
        [*_nspawn(root), "--as-pid2", "bash", "-euo", "pipefail", "-c", f"exec 2>&1\n{command}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,  # what the container's own start has to say is none of it
        text=True,
        check=False,
    )
    assert ran.returncode == 0, f"{command}: {ran.stdout}{ran.stderr}"
    return ran.stdout.strip()


def _nspawn(root: Path) -> list[str]:
    return [
        "systemd-nspawn", "-q", "-D", str(root), "-M", f"anchord-{os.getpid()}",
        "--register=no", "--keep-unit", "--private-network", "--resolv-conf=off",
        "--link-journal=no", "--console=pipe",
    ]  # fmt: skip


def _release(kind: str) -> str:
    release, _, _ = kind.partition("-")
    return release


@contextmanager
def _running(root: Path, console: Path) -> Iterator[int]:
    with console.open("wb") as output:
        nspawn = subprocess.Popen(
            [*_nspawn(root), "-b"], stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
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
