"""Zones signed by BIND's tools and served by NSD: nothing of ours has a hand in them."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .programs import path_of, server

ADDRESS = "127.53.53.54"
"""Where the name server of all zones listens, on port 53."""

HEAD = """
$TTL 300
@ SOA ns.peers. hostmaster.peers. 1 14400 3600 604800 300
@ NS ns.peers.
"""
RECORDS = """
@        A      192.0.2.1
@        MX     10 mail
mail     A      192.0.2.25
www      CNAME  @
out      CNAME  www.nsec3.peers.
*.wild   TXT    "by a wildcard"
a.b      TXT    "below an empty non-terminal"
big      TXT    {big}
old      DNAME  nsec3.peers.
"""
BIG = " ".join(f'"{number:03}{"x" * 200}"' for number in range(20))
"""Four kilobytes: more than a datagram may carry."""

SIGNATURE = r"^\S*\s+\d+\s+(IN\s+)?RRSIG\s[^)]*\)\n"
"""A record in the files of `dnssec-signzone`, over several lines."""

EXPIRED = ("-s", "20240101000000", "-e", "20240201000000")
"""Options of `dnssec-signzone` for signatures that ended long ago."""


@dataclass(frozen=True)
class Signed:
    """A zone to be made: unsigned without an algorithm.

    `options` are those of `dnssec-signzone`.
    """

    name: str
    algorithm: str = "ECDSAP256SHA256"
    options: tuple[str, ...] = ()
    records: str = RECORDS.format(big=BIG)


ZONES = (
    Signed("below.nsec.peers"),
    Signed("nsec.peers"),
    Signed("nsec3.peers", "ED25519", ("-3", "-")),
    Signed("rsa.peers", "RSASHA256", ("-3", "BEEF", "-H", "5")),
    Signed("ed448.peers", "ED448"),
    Signed("signed.optout.peers"),
    Signed("unsigned.optout.peers", ""),
    Signed("unsigned.peers", ""),
    Signed("below.unsigned.peers"),
    Signed("expired.peers", options=EXPIRED),
    Signed("wrong-ds.peers"),
    Signed("stripped.peers"),
    Signed(
        "optout.peers",
        options=("-3", "-", "-A"),
        records="signed NS ns.peers.\nunsigned NS ns.peers.",
    ),
    Signed("peers", records=f"ns A {ADDRESS}"),
    Signed(".", "RSASHA256", records=""),
)
"""Children come before their parents, which hold their DS records."""


@contextmanager
def nsd(folder: Path) -> Iterator[str]:
    """Signs the zones and serves them at ADDRESS; yields the root's DS records."""
    for zone in ZONES:
        _make(folder, zone)
    zones = "".join(
        f'zone:\n    name: "{zone.name}"\n    zonefile: "{_file(zone)}"\n' for zone in ZONES
    )
    (folder / "nsd.conf").write_text(CONFIGURATION.format(folder=folder) + zones)
    command = ["nsd", "-d", "-c", str(folder / "nsd.conf")]
    with server(command, folder, port=53, address=ADDRESS):
        yield (folder / "dsset-.").read_text()


CONFIGURATION = f"""
server:
    ip-address: {ADDRESS}
    port: 53
    username: ""
    chroot: ""
    zonesdir: "{{folder}}"
    database: ""
    pidfile: "{{folder}}/nsd.pid"
    xfrdfile: "{{folder}}/xfrd.state"
    xfrdir: "{{folder}}"
    zonelistfile: "{{folder}}/zone.list"
    server-count: 1
remote-control:
    control-enable: no
"""


def _file(zone: Signed) -> str:
    return f"{zone.name}.zone"


def _make(folder: Path, zone: Signed) -> None:
    """Writes the zone's file, signed, with the DS records of the zones below it."""
    plain, final = folder / f"{zone.name}.plain", folder / _file(zone)
    delegations = "".join(
        f"{child.name}. NS ns.peers.\n" for child in ZONES if _parent(child) == zone.name
    )
    text = HEAD + zone.records + "\n" + delegations
    if not zone.algorithm:
        final.write_text(text)
        return
    plain.write_text(text)
    for role in ((), ("-f", "KSK")):
        _run(folder, "dnssec-keygen", "-q", "-a", zone.algorithm, *role, zone.name)
    _run(
        folder, "dnssec-signzone", "-S", "-g", "-P", "-x", "-o", zone.name, "-f", final.name,
        *zone.options, plain.name,
    )  # fmt: skip
    _spoil(folder, zone, final)


def _parent(zone: Signed) -> str:
    """The zone above; none for the root."""
    if zone.name == ".":
        return ""
    names = {other.name for other in ZONES}
    above = zone.name.partition(".")[2]
    while above and above not in names:
        above = above.partition(".")[2]
    return above or "."


def _spoil(folder: Path, zone: Signed, final: Path) -> None:
    if zone.name == "stripped.peers":
        kept = re.sub(SIGNATURE, "", final.read_text(), flags=re.MULTILINE)
        assert "RRSIG\t" not in kept
        final.write_text(kept)
    if zone.name == "wrong-ds.peers":
        dsset = folder / f"dsset-{zone.name}."
        dsset.write_text(re.sub(r"[0-9A-F]{8}$", "00000000", dsset.read_text().strip()) + "\n")


def _run(folder: Path, program: str, *arguments: str) -> None:
    ran = subprocess.run(
        [path_of(program), *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
