"""Servers that speak the encrypted transports, and forwarders that ask over them.

Each server answers any name below `example.` with one address, all on one core. Debian 13's Caddy
speaks HTTP/3 and passes on to dnsdist. The forwarders have the clients' core, as what they are
measured beside; they keep nothing. What a configuration does not say is as its makers chose it.
"""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from anchord.lab.certificates import SERVER_NAME

from . import machine
from .servers import PATH

READY = "ready.test"
"""A name that forwarders answer by themselves, which tells that they are there."""

_UNBOUND = """
server:
    interface: 127.0.0.1@{port}
    tls-port: {port}
    tls-service-pem: {pem}
    tls-service-key: {pem}
    directory: {folder}
    username: ""
    chroot: ""
    pidfile: ""
    use-syslog: no
    do-daemonize: no
    incoming-num-tcp: 200
    local-zone: "example." redirect
    local-data: "example. A 192.0.2.1"
remote-control:
    control-enable: no
"""

_DNSDIST = """
setSecurityPollSuffix("")
setLocal("127.0.0.1:{plain}")
addTLSLocal("127.0.0.1:{tls}", "{pem}", "{pem}", {{ provider="openssl" }})
addDOHLocal("127.0.0.1:{https}", "{pem}", "{pem}", "/dns-query")
addAction(AllRule(), SpoofAction("192.0.2.1"))
"""

_CADDY = """
{{
    admin off
    auto_https off
    storage file_system {folder}
}}
https://{name}:{port} {{
    bind 127.0.0.1
    tls {pem} {pem}
    reverse_proxy https://127.0.0.1:{https} {{
        transport http {{
            tls_insecure_skip_verify
            versions 2
        }}
    }}
}}
"""

_KNOT = """
server:
  rundir: {folder}
  listen: 127.0.0.1@{plain}
  listen-quic: 127.0.0.1@{quic}
  cert-file: {pem}
  key-file: {pem}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: {folder}/knot
zone:
  - domain: example.
    file: {folder}/example.zone
    zonefile-sync: -1
    journal-content: none
"""

_ZONE = """\
example. 3600 SOA ns.example. nobody.example. 1 3600 600 86400 300
example. 3600 NS ns.example.
ns.example. 3600 A 192.0.2.2
*.example. 3600 A 192.0.2.1
"""


@contextmanager
def servers(folder: Path, pem: Path) -> Iterator[dict[tuple[str, str], int]]:
    """All of them; the port of each by the scheme and its name."""
    unbound, plain, tls, https, h3, knot, quic = _free_ports(7)
    files = {
        "unbound.conf": _UNBOUND.format(port=unbound, pem=pem, folder=folder),
        "dnsdist.conf": _DNSDIST.format(plain=plain, tls=tls, https=https, pem=pem),
        "Caddyfile": _CADDY.format(name=SERVER_NAME, port=h3, https=https, pem=pem, folder=folder),
        "knot.conf": _KNOT.format(plain=knot, quic=quic, pem=pem, folder=folder),
        "example.zone": _ZONE,
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    commands = (
        ("unbound", "-d", "-c", "unbound.conf"),
        ("dnsdist", "--supervised", "--disable-syslog", "-C", "dnsdist.conf"),
        ("caddy", "run", "--adapter", "caddyfile", "--config", "Caddyfile"),
        ("knotd", "-c", "knot.conf"),
    )
    with ExitStack() as stack:
        for command in commands:
            stack.enter_context(_running(folder, machine.SERVER_CORE, *command))
        for port in (unbound, https, h3, knot):
            _wait_for(port)
        yield {
            ("tls", "Unbound"): unbound,
            ("tls", "dnsdist"): tls,
            ("https", "dnsdist"): https,
            ("h3", "Caddy"): h3,
            ("quic", "Knot DNS"): quic,
        }


# ------------ Forwarders ------------

_UNBOUND_ASKS = """
server:
    interface: 127.0.0.1@{plain}
    directory: {folder}
    username: ""
    chroot: ""
    pidfile: ""
    use-syslog: no
    do-daemonize: no
    module-config: "iterator"
    do-not-query-localhost: no
    tls-cert-bundle: {ca_file}
    local-zone: "ready.test." redirect
    local-data: "ready.test. A 192.0.2.3"
forward-zone:
    name: "."
    forward-tls-upstream: yes
    forward-no-cache: yes
    forward-addr: 127.0.0.1@{port}#{name}
remote-control:
    control-enable: no
"""

_DNSDIST_ASKS = """
setSecurityPollSuffix("")
setLocal("127.0.0.1:{plain}")
newServer({{
    address="127.0.0.1:{port}", tls="openssl", subjectName="{name}", caStore="{ca_file}"{path}
}}):setUp()
addAction(QNameRule("ready.test"), SpoofAction("192.0.2.3"))
"""

FORWARDERS = {"tls": ("Unbound", "dnsdist"), "https": ("dnsdist",)}
"""Who can ask over which scheme."""


@contextmanager
def forwarder(program: str, scheme: str, port: int, folder: Path) -> Iterator[tuple[int, int]]:
    """Runs one that has not asked anything yet; its own port, for UDP, and its process."""
    (plain,) = _free_ports(1)
    path = ', dohPath="/dns-query"' if scheme == "https" else ""
    text = _UNBOUND_ASKS if program == "Unbound" else _DNSDIST_ASKS
    (folder / "forwarder.conf").write_text(
        text.format(
            plain=plain,
            port=port,
            name=SERVER_NAME,
            ca_file=folder / "ca.pem",
            path=path,
            folder=folder,
        )
    )
    command = (
        ("unbound", "-d", "-c", "forwarder.conf")
        if program == "Unbound"
        else ("dnsdist", "--supervised", "--disable-syslog", "-C", "forwarder.conf")
    )
    with _running(folder, machine.LOAD_CORE, *command) as pid:
        _wait_for(plain)
        yield plain, pid


# ------------ Processes and ports ------------


@contextmanager
def _running(folder: Path, core: int, program: str, *arguments: str) -> Iterator[int]:
    found = shutil.which(program, path=PATH)
    if found is None:
        raise SystemExit(f"bench.transports: {program} is not installed")
    with (folder / f"{program}.log").open("ab") as log:
        process = subprocess.Popen(
            ["taskset", "-c", str(core), found, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
        )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


def _wait_for(port: int) -> None:
    for _ in range(500):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.02)
    raise SystemExit(f"bench.transports: nobody listens on port {port}")
