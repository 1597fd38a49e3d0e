"""The servers that are measured: anchord and its peers, each in a process of its own on one core.

All validate, with the same trust anchor, and forward to the bench's upstream: over TLS, but for
dnsmasq, which cannot. What a configuration here does not say is as the server's makers chose it.
"""

import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import anchord
from anchord.wire.message import AD

from . import load, machine, zones
from .upstream import NAME, Upstream

START = 15.0
"""Seconds for a server to answer its first question."""

END = 5.0
"""Seconds for it to end."""

_TRIXIE = Path(os.environ.get("ANCHORD_PEERS", "~/.cache/anchord-peers")).expanduser() / "trixie"
PATH = f"{_TRIXIE}/bin:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
"""Where programs are looked for, those of Debian 13 first (`scripts/trixie-root`)."""

_PROVEN = AD | 0xF
"""In the fourth octet of a reply: that it is proven, and its code."""

_PORTS = range(20000, 32000)  # below those that the system gives away itself


@dataclass(frozen=True, slots=True)
class Running:
    """A server that runs. `pid` is the process that does the work.

    `seconds` is how long it took from its start to its first answer.
    """

    name: str
    pid: int
    address: load.Address
    seconds: float


Configure = Callable[[Path, int, Upstream], list[str]]
"""Writes what a program needs into a folder; returns its arguments."""


@dataclass(frozen=True, slots=True)
class Server:
    """A program that can be measured.

    `version` is the command that tells its version, `needs` a file without which it cannot run;
    only root can run some.
    """

    name: str
    program: str
    configure: Configure
    version: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    needs: Path = Path("/")
    takes_root: bool = False

    @property
    def is_installed(self) -> bool:
        """Whether it can be run here."""
        may_run = not self.takes_root or os.geteuid() == 0
        found = shutil.which(self.program, path=PATH)
        return may_run and found is not None and self.needs.exists()

    def describe(self) -> str:
        """Its name and version."""
        told = subprocess.run(
            [_path_of(self.version[0]), *self.version[1:]],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | self.environment,
        )
        found = re.search(r"\d+[.\d]*\d", told.stdout + told.stderr)
        return f"{self.name} {found[0] if found else '(unknown version)'}"

    @contextmanager
    def running(
        self, folder: Path, upstream: Upstream, *, home: Path | None = None
    ) -> Iterator[Running]:
        """Runs it until the block ends. It has proven an answer about the root zone by then.

        `home` is the folder of what it keeps for its next run; without it there is no next one.
        Raises RuntimeError where it does not get so far.
        """
        folder = folder / f"{self.name}-{time.monotonic_ns()}"
        folder.mkdir()
        port = _free_port()
        arguments = self.configure(folder, port, upstream)
        core = str(machine.SERVER_CORE)
        begin = time.monotonic()
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                ["taskset", "-c", core, _path_of(self.program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                env=os.environ | self.environment | _folders(home or folder),
            )
        try:
            address = ("127.0.0.1", port)
            if not _answers(address, process):
                log_text = (folder / "log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self.name} does not answer:\n{log_text}")
            yield Running(self.name, process.pid, address, time.monotonic() - begin)
        finally:
            _end(process)


def _path_of(program: str) -> str:
    found = shutil.which(program, path=PATH)
    assert found is not None, program
    return found


def _folders(home: Path) -> dict[str, str]:
    """Where a service manager would have anchord keep things."""
    return {"CACHE_DIRECTORY": str(home), "STATE_DIRECTORY": str(home)}


def _answers(address: load.Address, process: "subprocess.Popen[bytes]") -> bool:
    deadline = time.monotonic() + START
    first = load.query(zones.question(".", "SOA"))
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.5)
            sock.connect(address)
            try:
                sock.send(first)
                if sock.recv(load.ROOM)[3] & _PROVEN == AD:
                    return True
            except OSError:
                time.sleep(0.002)
    return False


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    while True:
        port = random.choice(_PORTS)
        try:
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                with socket.socket(socket.AF_INET, kind) as sock:
                    sock.bind(("127.0.0.1", port))
        except OSError:
            continue
        return port


# ------------ anchord ------------


def _anchord(folder: Path, port: int, upstream: Upstream, *, persist: bool = False) -> list[str]:
    file = folder / "anchord.toml"
    file.write_text(f"""
[listen]
dns = ["127.0.0.1:{port}"]
api = []
control = "{folder}/control.sock"
[[upstream]]
url = "tls://127.0.0.1:{upstream.tls_port}"
ca_file = "{upstream.ca_file}"
[dnssec]
trust_anchors = "{upstream.anchor_file}"
[cache]
persist = {str(persist).lower()}
[hosts]
file = ""
""")
    return ["-m", "anchord", "serve", "--config", str(file)]


_PORTABLE = """
import sys
import anchord.server.udp
anchord.server.udp.open_batch = lambda *_, **__: None
from anchord.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def _portable(folder: Path, port: int, upstream: Upstream) -> list[str]:
    return ["-c", _PORTABLE, *_anchord(folder, port, upstream)[2:]]


_ENVIRONMENT = {
    "PYTHONPATH": str(Path(anchord.__file__).parents[1]),
    "PYTHONDONTWRITEBYTECODE": "",  # an installed package is compiled
}
_VERSION = (sys.executable, "-m", "anchord", "--version")
ANCHORD = Server("anchord", sys.executable, _anchord, _VERSION, _ENVIRONMENT)
PORTABLE = replace(ANCHORD, name="portable", configure=_portable)
"""anchord without batches of datagrams, as on systems that are not Linux."""
PERSISTENT = replace(ANCHORD, configure=partial(_anchord, persist=True))
"""anchord with its cache kept over a restart."""


# ------------ Peers ------------


def _unbound(folder: Path, port: int, upstream: Upstream) -> list[str]:
    file = folder / "unbound.conf"
    file.write_text(f"""
server:
  interface: 127.0.0.1@{port}
  directory: "{folder}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  msg-cache-size: 32m
  rrset-cache-size: 64m
  do-not-query-localhost: no
  trust-anchor-file: "{upstream.anchor_file}"
  tls-cert-bundle: "{upstream.ca_file}"
  val-sig-skew-min: 0
  val-sig-skew-max: 0
forward-zone:
  name: "."
  forward-tls-upstream: yes
  forward-addr: 127.0.0.1@{upstream.tls_port}#{NAME}
remote-control:
  control-enable: no
""")
    return ["-c", str(file)]


def _dnsmasq(_: Path, port: int, upstream: Upstream) -> list[str]:
    return [
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--pid-file=",
        "--user=",
        "--no-resolv",
        "--no-hosts",
        "--bind-interfaces",
        "--listen-address=127.0.0.1",
        f"--port={port}",
        f"--server=127.0.0.1#{upstream.plain_port}",
        "--dnssec",
        f"--trust-anchor=.,{','.join(_anchor(upstream))}",
        "--dnssec-check-unsigned",
        "--cache-size=10000",
        "--dns-forward-max=1000",
    ]


def _knot_resolver(folder: Path, port: int, upstream: Upstream) -> list[str]:
    file = folder / "kresd.conf"
    file.write_text(f"""
net.listen('127.0.0.1', {port}, {{ kind = 'dns' }})
net.ipv6 = false
trust_anchors.remove('.')
trust_anchors.add('{upstream.anchor_file.read_text().strip()}')
cache.open(64 * MB, 'lmdb://{folder}/cache')
modules.unload('ta_signal_query')
modules.unload('ta_update')
modules.unload('priming')
policy.add(policy.all(policy.TLS_FORWARD({{
  {{ '127.0.0.1@{upstream.tls_port}', hostname = '{NAME}', ca_file = '{upstream.ca_file}' }}
}})))
""")
    return ["-n", "-c", str(file), str(folder)]


_RESOLVED = _TRIXIE / "system/usr/lib/systemd/systemd-resolved"

_IN_ITS_OWN_PLACE = """
set -e
for place in /etc/systemd /run/systemd /run/dnssec-trust-anchors.d; do
    mkdir -p $place
    mount -t tmpfs none $place
done
mkdir /run/systemd/resolve
cp resolved.conf /etc/systemd/
cp root.positive /run/dnssec-trust-anchors.d/
mount --bind passwd /etc/passwd
loader=$(find {system} -name 'ld-linux*.so.2' | head -n 1)
libraries=$(dirname "$(find {system} -name libc.so.6 | head -n 1)")
exec "$loader" --library-path "$libraries:$libraries/systemd:{system}/usr/lib" {program}
"""


def _systemd_resolved(folder: Path, port: int, upstream: Upstream) -> list[str]:
    """It reads files in fixed places only: in a mount namespace of its own these are ours."""
    (folder / "resolved.conf").write_text(f"""
[Resolve]
DNS=127.0.0.1:{upstream.tls_port}#{NAME}
FallbackDNS=
Domains=~.
DNSSEC=yes
DNSOverTLS=yes
MulticastDNS=no
LLMNR=no
CacheFromLocalhost=yes
DNSStubListener=no
DNSStubListenerExtra=127.0.0.1:{port}
ReadEtcHosts=no
""")
    (folder / "root.positive").write_text(f". IN DS {' '.join(_anchor(upstream))}\n")
    (folder / "passwd").write_text("root:x:0:0::/:/bin/sh\nsystemd-resolve:x:0:0::/:/bin/sh\n")
    system = _RESOLVED.parents[3]
    (folder / "start").write_text(_IN_ITS_OWN_PLACE.format(system=system, program=_RESOLVED))
    return ["--mount", "env", f"SSL_CERT_FILE={upstream.ca_file}", "sh", "start"]


def _anchor(upstream: Upstream) -> list[str]:
    """Key tag, algorithm, digest type and digest of the trust anchor."""
    return upstream.anchor_file.read_text().split()[-4:]


UNBOUND = Server("unbound", "unbound", _unbound, ("unbound", "-V"))
PEERS = {
    server.name: server
    for server in (
        Server("dnsmasq", "dnsmasq", _dnsmasq, ("dnsmasq", "--version")),
        Server("knot-resolver", "kresd", _knot_resolver, ("kresd", "--version")),
        Server(
            "systemd-resolved",
            "unshare",
            _systemd_resolved,
            ("resolvectl", "--version"),
            needs=_RESOLVED,
            takes_root=True,
        ),
    )
}
"""Whom anchord is measured beside, where they are installed; Unbound always is."""
