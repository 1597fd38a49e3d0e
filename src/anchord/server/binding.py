"""Sockets for the addresses of `listen.dns`: all are bound before one is served.

Each address gets a UDP and a TCP socket. Sockets that the service manager has opened already
(`LISTEN_FDS`) are taken where they fit. What does not work is told in one line, for all addresses
together: who holds the port, or which port an ordinary user may have.
"""

import errno
import ipaddress
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from anchord.model.errors import AnchordError

HostAndPort = tuple[str, int]
"""An IP address, and a port; port 0 lets the system choose."""

BACKLOG = 128
"""TCP connections that wait to be accepted; the system's usual limit."""

OTHER_PORTS = (5353, 5335, 10053)
"""Ports for an ordinary user: the one that people try first, and others where mDNS holds it."""

_FIRST_FD = 3
"""The first descriptor that a service manager passes (sd_listen_fds(3))."""

_CHOICES = 16
"""How often a port is chosen anew that is free for TCP and not for UDP."""


class ListenError(AnchordError):
    """Addresses cannot be listened on. Exit status 2."""


class Door(msgspec.Struct, frozen=True):
    """The bound, non-blocking sockets of one address; the TCP socket listens."""

    address: HostAndPort
    datagrams: socket.socket
    streams: socket.socket

    def close(self) -> None:
        """Closes both."""
        self.datagrams.close()
        self.streams.close()


class Bound(msgspec.Struct, frozen=True):
    """What `bind` achieved.

    `warnings` are sentences for the log.
    """

    doors: tuple[Door, ...]
    warnings: tuple[str, ...] = ()


def bind(addresses: Sequence[HostAndPort], inherited: list[socket.socket] | None = None) -> Bound:
    """Binds every address, or none. Raises ListenError, which names all that failed.

    Inherited sockets that fit are taken out of their list. `::1` may be missing on a machine
    without IPv6, as long as another address is bound.
    """
    doors: list[Door] = []
    failures: list[_BindError] = []
    for address in addresses:
        try:
            doors.append(_door(address, inherited or []))
        except _BindError as failure:
            failures.append(failure)
    excused = [failure for failure in failures if failure.is_missing_ipv6 and doors]
    if len(excused) < len(failures):
        for door in doors:
            door.close()
        raise _explained([failure for failure in failures if failure not in excused])
    warnings = tuple(f"{failure.sentence()}; it is left out" for failure in excused)
    return Bound(tuple(doors), warnings)


def bind_stream(
    address: HostAndPort, key: str, inherited: list[socket.socket] | None = None
) -> socket.socket:
    """A listening TCP socket for `[listen]` `key`, inherited or new. Raises ListenError."""
    if passed := taken(inherited or [], socket.SOCK_STREAM, address):
        return passed
    try:
        return _bound(socket.SOCK_STREAM, address)
    except _BindError as failure:
        remedy = f"set [listen] {key} to another address, or to [] for none"
        raise ListenError(failure.sentence(), where=f"listen.{key}", remedy=remedy) from None


def inherited_sockets(environment: Mapping[str, str] = os.environ) -> list[socket.socket]:
    """The sockets that the service manager passed to this process (sd_listen_fds(3)).

    Raises ListenError where they are none.
    """
    if environment.get("LISTEN_PID") != str(os.getpid()):
        return []
    try:
        count = int(environment["LISTEN_FDS"])
        sockets = [socket.socket(fileno=fd) for fd in range(_FIRST_FD, _FIRST_FD + count)]
    except (KeyError, ValueError, OSError) as error:
        raise ListenError(f"no usable sockets were passed ({error})", where="LISTEN_FDS") from None
    for sock in sockets:
        sock.set_inheritable(False)
        sock.setblocking(False)
    return sockets


def taken(
    inherited: list[socket.socket], kind: socket.SocketKind, address: HostAndPort | str
) -> socket.socket | None:
    """The inherited socket with this address (a Unix socket's path), taken out of the list."""
    for sock in inherited:
        own = sock.getsockname()
        if sock.type == kind and address == (own if isinstance(own, str) else own[:2]):
            inherited.remove(sock)
            return sock
    return None


def written(address: HostAndPort) -> str:
    """`127.0.0.1:53`, `[::1]:53`."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class _BindError(Exception):
    """One address that could not be bound, and why."""

    def __init__(self, address: HostAndPort, kind: socket.SocketKind, error: OSError) -> None:
        super().__init__(address)
        self.address = address
        self.kind = kind
        self.errno = error.errno
        self.reason = error.strerror or str(error)

    @property
    def is_missing_ipv6(self) -> bool:
        return self.address[0] == "::1" and self.errno in {
            errno.EAFNOSUPPORT,
            errno.EADDRNOTAVAIL,
        }

    def sentence(self) -> str:
        return f"{written(self.address)}: {self._problem()}"

    def _problem(self) -> str:
        if self.errno == errno.EADDRINUSE:
            from .holder import holder_of  # a start that succeeds looks for nobody

            holder = holder_of(self.kind, *self.address)
            return "address already in use" + (f" by {holder}" if holder else "")
        if self.errno == errno.EACCES:
            return f"ports below {_first_free_for_all()} are not for ordinary users"
        if self.is_missing_ipv6:
            return "this machine has no IPv6"
        if self.errno == errno.EADDRNOTAVAIL:
            return "this machine has no such address"
        return self.reason


def _explained(failures: list[_BindError]) -> ListenError:
    problem = "; ".join(failure.sentence() for failure in failures)
    reasons = {failure.errno for failure in failures}
    if not reasons & {errno.EADDRINUSE, errno.EACCES}:
        return ListenError(problem, remedy="see [listen] dns")
    host = failures[0].address[0]
    port = next((port for port in OTHER_PORTS if _is_free((host, port))), 0)
    elsewhere = written((host, port))
    remedy = f'set [listen] dns = ["{elsewhere}"] or --listen {elsewhere}'
    if errno.EACCES in reasons:
        remedy += ", or let systemd grant CAP_NET_BIND_SERVICE or pass the sockets"
    return ListenError(problem, remedy=remedy)


def _door(address: HostAndPort, inherited: list[socket.socket]) -> Door:
    host, port = address
    if ipaddress.ip_address(host).is_unspecified:
        raise _BindError(
            address,
            socket.SOCK_DGRAM,
            OSError(errno.EINVAL, "replies must leave from the address asked; name each address"),
        )
    if port:
        streams = taken(inherited, socket.SOCK_STREAM, address)
        datagrams = taken(inherited, socket.SOCK_DGRAM, address)
        streams = streams or _bound(socket.SOCK_STREAM, address)
        try:
            return Door(address, datagrams or _bound(socket.SOCK_DGRAM, address), streams)
        except _BindError:
            streams.close()
            raise
    for _ in range(_CHOICES):
        streams = _bound(socket.SOCK_STREAM, address)
        chosen = (host, streams.getsockname()[1])
        try:
            return Door(chosen, _bound(socket.SOCK_DGRAM, chosen), streams)
        except _BindError as failure:
            streams.close()
            last = failure
    raise last


def _bound(kind: socket.SocketKind, address: HostAndPort) -> socket.socket:
    """A new socket. Raises _BindError."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    try:
        sock = socket.socket(family, kind)
    except OSError as error:
        raise _BindError(address, kind, error) from None
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if sys.platform == "win32":  # another process could take the port over
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        elif kind is socket.SOCK_STREAM:  # connections of an earlier run may still linger
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        if kind is socket.SOCK_STREAM:
            sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise _BindError(address, kind, error) from None
    return sock


def _is_free(address: HostAndPort) -> bool:
    try:
        door = _door(address, [])
    except _BindError:
        return False
    door.close()
    return True


def _first_free_for_all() -> int:
    """The first port that ordinary users may bind."""
    setting = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    try:
        return int(setting.read_text())
    except (OSError, ValueError):
        return 1024
