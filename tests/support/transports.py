"""Servers of others that speak the encrypted transports, each with the same zones behind it.

Knot is the back end: it holds the zones and speaks DNS over UDP, TCP, TLS and QUIC by itself.
dnsdist passes on to it over TLS and HTTP/2, and Caddy speaks HTTP/3 and passes on to dnsdist.
Unbound and BIND hold `example` themselves. Debian 12 has no DNS over QUIC and no HTTP/3;
`scripts/trixie-root unbound bind9 dnsdist knot caddy` unpacks Debian 13's servers.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import pytest

from anchord.lab.zones import Zone, to_zone_file
from support.certificates import Issued, make
from support.programs import PATH, free_ports, server

NAME = "dns.example"
"""What the servers' certificate is for; their addresses are 127.0.0.1."""

LONG_TEXT = " ".join(['"' + "x" * 200 + '"'] * 3)

ZONE = (
    """$ORIGIN example.
$TTL 3600
@ SOA ns hostmaster 1 3600 600 86400 300
@ NS ns
ns A 127.0.0.1
www A 192.0.2.1
www AAAA 2001:db8::1
alias CNAME www
*.wild TXT "wild"
@ MX 10 mail.example.net.
_25._tcp TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
"""
    + "".join(f"n{index} A 192.0.2.{index}\n" for index in range(200))
    + "".join(f'long TXT "{index:03}" {LONG_TEXT}\n' for index in range(90))
)
"""`long` is 55 KB: more than a flight, less than a message."""


def trixie(program: str) -> str | None:
    """Debian 13's program, where `scripts/trixie-root` has unpacked it."""
    root = Path(os.environ.get("ANCHORD_PEERS") or Path.home() / ".cache/anchord-peers")
    return shutil.which(program, path=str(root / "trixie/bin"))


def bookworm(program: str) -> str | None:
    """The program that is installed."""
    return shutil.which(program, path=PATH)


@dataclass(frozen=True)
class Farm:
    """Where to put servers, and the certificate that they show."""

    folder: Path
    ca: Issued
    certificate: Issued
    ca_file: str
    pem: Path
    zones: dict[str, str]


def farm(folder: Path, zones: Sequence[Zone] = ()) -> Farm:
    """A place for servers, and the files of Knot's other zones."""
    files = {str(zone): f"{number}.zone" for number, zone in enumerate(zones)}
    for zone, file in zip(zones, files.values(), strict=True):
        (folder / file).write_text(to_zone_file(zone))
    ca = make(["Test CA"], is_ca=True)
    certificate = make([NAME], issuer=ca)
    (folder / "example.zone").write_text(ZONE)
    return Farm(folder, ca, certificate, str(ca.write(folder)), certificate.write(folder), files)


@contextmanager
def knot(farm: Farm, program: str, *, sends_cookies: bool = False) -> Iterator[dict[str, int]]:
    """Knot DNS; its ports by scheme.

    With cookies, it answers BADCOOKIE to whoever knows them, and does not send one of its own.
    """
    plain, tls, quic = free_ports(3)
    configuration = farm.folder / f"knot{plain}.conf"
    cookies = "\n    global-module: mod-cookies/all" if sends_cookies else ""
    configuration.write_text(
        f"""
server:
  rundir: {farm.folder}
  listen: 127.0.0.1@{plain}
  listen-tls: 127.0.0.1@{tls}
  listen-quic: 127.0.0.1@{quic}
  cert-file: {farm.pem}
  key-file: {farm.pem}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
  answer-rotation: off
log:
  - target: stderr
    any: info
database:
  storage: {farm.folder}/knot{plain}
mod-cookies:
  - id: all
    badcookie-slip: 1
template:
  - id: default
    storage: {farm.folder}
    zonefile-sync: -1
    journal-content: none{cookies}
zone:
  - domain: example.
    file: example.zone
"""
        + "".join(
            f'  - domain: "{name}"\n    file: "{file}"\n' for name, file in farm.zones.items()
        )
    )
    with server([program, "-c", str(configuration)], farm.folder, port=plain):
        yield {"udp": plain, "tcp": plain, "tls": tls, "quic": quic}


@contextmanager
def dnsdist(farm: Farm, program: str, backend: int) -> Iterator[dict[str, int]]:
    """dnsdist in front of a back end; its ports by scheme."""
    plain, tls, https = free_ports(3)
    folder = farm.folder / f"dnsdist{plain}"
    folder.mkdir()
    configuration = folder / "dnsdist.conf"
    configuration.write_text(f"""
setSecurityPollSuffix("")
setLocal("127.0.0.1:{plain}")
addTLSLocal("127.0.0.1:{tls}", "{farm.pem}", "{farm.pem}", {{ provider="openssl" }})
addDOHLocal("127.0.0.1:{https}", "{farm.pem}", "{farm.pem}", "/dns-query")
newServer({{ address="127.0.0.1:{backend}" }}):setUp()
""")
    command = [program, "--supervised", "--disable-syslog", "-C", str(configuration)]
    with server(command, folder, port=https):
        yield {"tls": tls, "https": https}


@contextmanager
def bind(farm: Farm, program: str) -> Iterator[dict[str, int]]:
    """BIND; its ports by scheme. It wants its cookie from whoever knows cookies."""
    plain, tls, https = free_ports(3)
    folder = farm.folder / f"bind{plain}"
    folder.mkdir()
    configuration = folder / "named.conf"
    configuration.write_text(f"""
tls own {{ cert-file "{farm.pem}"; key-file "{farm.pem}"; }};
http own {{ endpoints {{ "/dns-query"; }}; }};
options {{
  directory "{folder}";
  pid-file none;
  session-keyfile "{folder}/session.key";
  recursion no;
  require-server-cookie yes;
  listen-on-v6 {{ none; }};
  listen-on port {plain} {{ 127.0.0.1; }};
  listen-on port {tls} tls own {{ 127.0.0.1; }};
  listen-on port {https} tls own http own {{ 127.0.0.1; }};
}};
controls {{ }};
zone "example" {{ type primary; file "{farm.folder}/example.zone"; }};
""")
    with server([program, "-g", "-n", "1", "-c", str(configuration)], folder, port=https):
        _wait_until_answering(plain)  # it listens before it has loaded the zone
        yield {"udp": plain, "tls": tls, "https": https}


def _wait_until_answering(port: int) -> None:
    query = dns.message.make_query("www.example", "A")
    for _ in range(200):
        with suppress(dns.exception.Timeout, OSError):
            if dns.query.udp(query, "127.0.0.1", 0.2, port).answer:
                return
        time.sleep(0.02)
    pytest.fail("a server does not answer")


@contextmanager
def unbound(farm: Farm, program: str, *, sends_cookies: bool = False) -> Iterator[dict[str, int]]:
    """Unbound; its ports by scheme, without `https` where it was built without that."""
    plain, tls, https = free_ports(3)
    folder = farm.folder / f"unbound{plain}"
    folder.mkdir()
    configuration = folder / "unbound.conf"
    configuration.write_text(f"""
server:
  interface: 127.0.0.1@{plain}
  interface: 127.0.0.1@{tls}
  interface: 127.0.0.1@{https}
  tls-port: {tls}
  https-port: {https}
  tls-service-pem: {farm.pem}
  tls-service-key: {farm.pem}
  directory: "{folder}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  do-daemonize: no
{"  answer-cookie: yes" if sends_cookies else ""}
  module-config: "iterator"
remote-control:
  control-enable: no
auth-zone:
  name: "example."
  zonefile: "{farm.folder}/example.zone"
  for-upstream: no
""")
    with server([program, "-c", str(configuration)], folder, port=tls):
        ports = {"udp": plain, "tls": tls, "https": https}
        built = subprocess.run([program, "-V"], capture_output=True, text=True, check=False).stdout
        if "--with-libnghttp2" not in built:
            del ports["https"]
        yield ports


@contextmanager
def caddy(farm: Farm, program: str, backend: int) -> Iterator[dict[str, int]]:
    """Caddy in front of a DoH server; its ports by scheme."""
    (h3,) = free_ports(1)
    folder = farm.folder / f"caddy{h3}"
    folder.mkdir()
    configuration = folder / "Caddyfile"
    configuration.write_text(f"""
{{
    admin off
    auto_https off
    storage file_system {folder}
}}
https://{NAME}:{h3} {{
    bind 127.0.0.1
    tls {farm.pem} {farm.pem}
    reverse_proxy https://127.0.0.1:{backend} {{
        transport http {{
            tls_insecure_skip_verify
            versions 2
        }}
    }}
}}
""")
    command = [program, "run", "--adapter", "caddyfile", "--config", str(configuration)]
    with server(command, folder, port=h3):
        yield {"h3": h3, "https": h3}
