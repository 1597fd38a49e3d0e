"""Changes of the network, as Linux tells them (rtnetlink(7)), several at once taken as one."""

import errno
import socket
from collections.abc import AsyncIterator

import trio

_GROUPS = 0x1 | 0x10 | 0x100 | 0x40 | 0x400
"""RTMGRP_LINK, and the addresses and routes of both families."""

SETTLED = 0.5
"""Seconds without a further change after which one is told."""
AT_THE_LATEST = 5.0
"""Seconds after which it is told even if changes go on."""


def open_socket() -> socket.socket | None:
    """A socket that hears of changes; None where there is none such, or it is not allowed."""
    if not hasattr(socket, "AF_NETLINK"):
        return None
    try:
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)
        sock.bind((0, _GROUPS))
        sock.setblocking(False)
    except OSError:
        return None
    return sock


def way_out() -> tuple[str, str]:
    """The addresses from which this machine reaches the world, over IPv4 and over IPv6.

    Empty where it does not. They tell one network from another. Nothing is sent.
    """
    return _source(socket.AF_INET, "192.0.2.1"), _source(socket.AF_INET6, "2001:db8::1")


def _source(family: socket.AddressFamily, somewhere: str) -> str:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((somewhere, 53))
            return str(sock.getsockname()[0])
    except OSError:
        return ""


async def changes(sock: socket.socket) -> AsyncIterator[None]:
    """Yields once for each change or burst of them."""
    while True:
        await trio.lowlevel.wait_readable(sock)
        latest = trio.current_time() + AT_THE_LATEST
        while True:
            _drain(sock)
            with trio.move_on_at(min(trio.current_time() + SETTLED, latest)) as quiet:
                await trio.lowlevel.wait_readable(sock)
            if quiet.cancelled_caught:
                break
        yield


def _drain(sock: socket.socket) -> None:
    """Reads all that is there. What was lost (ENOBUFS) is a change as well."""
    while True:
        try:
            sock.recv(65536)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
