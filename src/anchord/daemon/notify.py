"""What the service manager is told (sd_notify(3)): ready, reloading, alive, stopping.

Datagrams to the Unix socket that `NOTIFY_SOCKET` names. Without that variable nobody wants to know.
"""

import logging
import os
import socket
import time

logger = logging.getLogger(__name__)


def ready() -> None:
    """The daemon serves; also after a reload."""
    _send("READY=1")


def reloading() -> None:
    """A reload has begun; `ready` ends it."""
    # The time tells the manager that this reload came after its own request.
    _send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")


def stopping() -> None:
    """The daemon is about to end."""
    _send("STOPPING=1")


def alive() -> None:
    """The daemon has just proved that it serves."""
    _send("WATCHDOG=1")


def watchdog_seconds() -> float | None:
    """How long the manager waits for `alive`; None where it does not (sd_watchdog_enabled(3))."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        return int(os.environ["WATCHDOG_USEC"]) / 1e6
    except (KeyError, ValueError):
        return None


def _send(state: str) -> None:
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # Linux's abstract sockets
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(state.encode(), address)
    except OSError as error:
        logger.warning("the service manager was not told %s: %s", state.partition("=")[0], error)
