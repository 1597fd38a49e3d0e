"""Who holds a port already: read from /proc, for the one line that tells why binding failed."""

import ipaddress
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")

_WILDCARDS = frozenset({ipaddress.ip_address("0.0.0.0"), ipaddress.ip_address("::")})  # noqa: S104 - compared with


class Entry(NamedTuple):
    """A line of /proc/net/udp and its like: a socket and its peer; `state` as it stands there."""

    address: ipaddress.IPv4Address | ipaddress.IPv6Address
    port: int
    peer: ipaddress.IPv4Address | ipaddress.IPv6Address
    peer_port: int
    state: str
    uid: int
    inode: int


def holder_of(kind: socket.SocketKind, host: str, port: int) -> str | None:
    """The process, or at least its user, whose socket keeps others from `host` and `port`.

    None where nobody can be named: on systems without /proc, or where the socket has gone.
    """
    wanted = ipaddress.ip_address(host)
    protocol = "tcp" if kind is socket.SOCK_STREAM else "udp"
    for entry in entries(PROC / "net", protocol):
        if protocol == "tcp" and entry.state != _LISTENING:
            continue
        if entry.port == port and (entry.address == wanted or entry.address in _WILDCARDS):
            return _process_with(entry.inode) or _user(entry.uid)
    return None


def entries(folder: Path, protocol: str) -> Iterator[Entry]:
    """The sockets of "tcp" or "udp", of both families, by the tables in a `net` folder of /proc."""
    for table in (folder / protocol, folder / f"{protocol}6"):
        try:
            lines = table.read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            _, here, there, state, _, _, _, uid, _, inode, *_ = line.split()
            address, _, port = here.partition(":")
            peer, _, peer_port = there.partition(":")
            yield Entry(
                _address(address), int(port, 16), _address(peer), int(peer_port, 16),
                state, int(uid), int(inode),
            )  # fmt: skip


_LISTENING = "0A"
"""The state of a TCP socket that listens."""


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address of a table: words in the machine's byte order, as hexadecimal numbers."""
    words = (int(text[start : start + 8], 16) for start in range(0, len(text), 8))
    address = ipaddress.ip_address(b"".join(struct.pack("=I", word) for word in words))
    return getattr(address, "ipv4_mapped", None) or address


def _process_with(inode: int) -> str | None:
    """The process that has this socket open, among those that may be looked into."""
    link = f"socket:[{inode}]"
    for process in PROC.glob("[0-9]*"):
        try:
            if any(str(file.readlink()) == link for file in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
        except OSError:  # it ended meanwhile, or is another user's
            continue
    return None


def _user(uid: int) -> str:
    import pwd

    try:
        return f"a process of the user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"a process of the user {uid}"
