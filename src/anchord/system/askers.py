"""Programs that ask others than us, past what resolv.conf says: seen by the sockets they have open.

Of every network namespace, since containers have their own. What a program asks over HTTPS cannot
be told from its other traffic, and what it asks from a socket that is open for a moment only is
rarely seen. Other users' programs are seen by root alone.
"""

from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import NamedTuple

from anchord.server.holder import Entry, entries

from .machine import Machine

PORTS = {("udp", 53), ("tcp", 53), ("tcp", 853), ("udp", 853)}
"""DNS, and DNS over TLS and QUIC."""

_CONNECTED = {"01", "02"}
"""TCP_ESTABLISHED and TCP_SYN_SENT of linux/tcp.h; a UDP socket with a peer has the first."""


class _Seen(NamedTuple):
    protocol: str
    entry: Entry


def askers(machine: Machine, own: Collection[int]) -> tuple[str, ...]:
    """A line for each process, but for those of `own`, and whom it asks that is not loopback."""
    sockets = {seen.entry.inode: seen for seen in _seen(machine)}
    found = dict.fromkeys(
        f"{name} (process {process}) asks {_peer(sockets[inode])}"
        for process, name, inode in _processes(machine, sockets)
        if process not in own
    )
    return tuple(sorted(found))


def _seen(machine: Machine) -> Iterator[_Seen]:
    for process in _one_of_each_namespace(machine):
        for protocol in ("udp", "tcp"):
            for entry in entries(machine.path(f"{process}/net"), protocol):
                is_asked = (protocol, entry.peer_port) in PORTS and entry.state in _CONNECTED
                if is_asked and not entry.peer.is_loopback:
                    yield _Seen(protocol, entry)


def _peer(seen: _Seen) -> str:
    host = f"[{seen.entry.peer}]" if seen.entry.peer.version == 6 else str(seen.entry.peer)
    return f"{host}:{seen.entry.peer_port} over {seen.protocol.upper()}"


def _one_of_each_namespace(machine: Machine) -> Iterator[str]:
    """Folders of processes. Ours is among them, or one that shares our namespace."""
    by_namespace: dict[str, str] = {}
    for process in _folders(machine):
        with suppress(OSError):  # another user's, or ended meanwhile
            namespace = str(machine.path(f"{process}/ns/net").readlink())
            by_namespace.setdefault(namespace, process)
    yield from by_namespace.values()


def _processes(machine: Machine, inodes: Collection[int]) -> Iterator[tuple[int, str, int]]:
    """Number, name and socket of those that have one of the sockets open, as far as may be seen."""
    links = {f"socket:[{inode}]": inode for inode in inodes}
    for process in _folders(machine) if links else ():
        for file in machine.files(f"{process}/fd"):
            try:
                inode = links.get(str(machine.path(file).readlink()))
            except OSError:  # closed meanwhile
                continue
            if inode is not None:
                name = machine.text(f"{process}/comm").strip()
                yield int(process.rpartition("/")[2]), name, inode


def _folders(machine: Machine) -> Iterator[str]:
    return (path for path in machine.files("/proc") if path.rpartition("/")[2].isdecimal())
