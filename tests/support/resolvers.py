"""Recursive resolvers that are not ours, each with a configuration of its own, in the foreground.

They listen on 127.0.0.1, over plain DNS and over TLS with a certificate for `NAME`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from anchord.lab.certificates import CertificateAuthority

from .programs import free_ports, server

NAME = "dns.peer.example"
"""The name in the certificates of these servers."""


@dataclass(frozen=True)
class Peer:
    """A resolver that runs: its ports, and the certificate of its authority."""

    port: int
    tls_port: int
    ca_file: Path

    @property
    def tls(self) -> dict[str, object]:
        """The keys of an `[[upstream]]`."""
        return {
            "url": f"tls://{NAME}:{self.tls_port}",
            "addresses": ["127.0.0.1"],
            "ca_file": str(self.ca_file),
        }

    @property
    def udp(self) -> str:
        """The URL of an upstream."""
        return f"udp://127.0.0.1:{self.port}"


@dataclass(frozen=True)
class Source:
    """Where a resolver gets its answers: the root's name server, or a resolver to forward to.

    The server is `root_server` at port 53, or the resolver at `forward_port` of 127.0.0.1.
    """

    root_server: str = ""
    forward_port: int = 0


# ------------ Unbound ------------

UNBOUND = """
server:
    interface: 127.0.0.1@{port}
    interface: 127.0.0.1@{tls_port}
    tls-port: {tls_port}
    tls-service-pem: {folder}/server.pem
    tls-service-key: {folder}/server.pem
    directory: {folder}
    username: ""
    chroot: ""
    pidfile: ""
    use-syslog: no
    do-daemonize: no
    num-threads: 1
    do-not-query-localhost: no
    outgoing-port-avoid: 0-32767
    aggressive-nsec: no
    val-sig-skew-min: 0
    val-sig-skew-max: 0
    val-nsec3-keysize-iterations: "1024 50 2048 50 4096 50"
    ede: yes
    local-zone: "test." nodefault
    {server}
remote-control:
    control-enable: no
"""


@contextmanager
def unbound(
    folder: Path,
    source: Source,
    *,
    anchors: str = "",
    options: tuple[str, ...] = (),
    program: str = "unbound",
) -> Iterator[Peer]:
    """Unbound. It validates where it is given trust anchors; `options` are more lines for it."""
    lines = list(options)
    if anchors:
        (folder / "anchors").write_text(anchors, encoding="utf-8")
        lines += ['module-config: "validator iterator"', f'trust-anchor-file: "{folder}/anchors"']
    else:
        lines += ['module-config: "iterator"']
    zones = ""
    if source.root_server:
        lines += [f'root-hints: "{_hints(folder, source.root_server)}"']
    else:
        zones = f'forward-zone:\n    name: "."\n    forward-addr: 127.0.0.1@{source.forward_port}\n'
    port, tls_port = free_ports(2)
    peer = Peer(port, tls_port, _certificate(folder))
    text = UNBOUND.format(port=port, tls_port=tls_port, folder=folder, server="\n    ".join(lines))
    (folder / "unbound.conf").write_text(text + zones, encoding="utf-8")
    with server([program, "-d", "-c", str(folder / "unbound.conf")], folder, port=tls_port):
        yield peer


# ------------ BIND ------------

NAMED = """
tls lab {{ cert-file "{folder}/server.pem"; key-file "{folder}/server.pem"; }};
options {{
    directory "{folder}";
    pid-file none;
    session-keyfile none;
    lock-file none;
    listen-on port {port} {{ 127.0.0.1; }};
    listen-on port {tls_port} tls lab {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    recursion yes;
    dnssec-validation yes;
    empty-zones-enable no;
    qname-minimization off;
    notify no;
    {options}
}};
controls {{ }};
trust-anchors {{
    {anchors}
}};
{zones}
"""


@contextmanager
def named(folder: Path, source: Source, *, anchors: str) -> Iterator[Peer]:
    """BIND's named, which validates."""
    options = zones = ""
    if source.root_server:
        zones = f'zone "." {{ type hint; file "{_hints(folder, source.root_server)}"; }};'
    else:
        options = f"forward only; forwarders {{ 127.0.0.1 port {source.forward_port}; }};"
    port, tls_port = free_ports(2)
    peer = Peer(port, tls_port, _certificate(folder))
    text = NAMED.format(
        port=port,
        tls_port=tls_port,
        folder=folder,
        options=options,
        zones=zones,
        anchors="\n    ".join(bind_anchors(anchors)),
    )
    (folder / "named.conf").write_text(text, encoding="utf-8")
    with server(["named", "-g", "-c", str(folder / "named.conf")], folder, port=tls_port):
        yield peer


def bind_anchors(anchors: str) -> list[str]:
    """DS records of a zone file as the entries of BIND's `trust-anchors`."""
    entries = []
    for line in anchors.splitlines():
        fields = line.split()
        tag, algorithm, digest_type, *digest = fields[fields.index("DS") + 1 :]
        entries.append(
            f'"{fields[0]}" static-ds {tag} {algorithm} {digest_type} "{"".join(digest)}";'
        )
    return entries


# ------------ Knot Resolver ------------

KRESD = """
net.listen('127.0.0.1', {port}, {{ kind = 'dns' }})
cache.open(100 * MB, 'lmdb://{folder}/cache')
modules.unload('ta_update')
modules.unload('ta_signal_query')
modules.unload('priming')
modules.unload('detect_time_skew')
trust_anchors.remove('.')
{anchors}
policy.add(policy.all(policy.FORWARD({{ '127.0.0.1@{forward_port}' }})))
"""


@contextmanager
def kresd(folder: Path, source: Source, *, anchors: str) -> Iterator[Peer]:
    """Knot Resolver, which validates and forwards; over plain DNS alone."""
    (port,) = free_ports(1)
    lines = "\n".join(f"trust_anchors.add('{line}')" for line in anchors.splitlines())
    text = KRESD.format(port=port, folder=folder, anchors=lines, forward_port=source.forward_port)
    (folder / "kresd.conf").write_text(text, encoding="utf-8")
    command = ["kresd", "-n", "-c", str(folder / "kresd.conf"), str(folder)]
    with server(command, folder, port=port):
        yield Peer(port, 0, folder / "none")


# ------------ What they share ------------


def _hints(folder: Path, address: str) -> Path:
    file = folder / "root.hints"
    file.write_text(f". 3600 NS ns.root-hints.\nns.root-hints. 3600 A {address}\n")
    return file


def _certificate(folder: Path) -> Path:
    """Writes `server.pem`, the chain and its key; returns the file of its authority."""
    authority = CertificateAuthority()
    (folder / "server.pem").write_bytes(authority.issue(NAME).pem_with_key)
    (folder / "ca.pem").write_bytes(authority.pem)
    return folder / "ca.pem"
