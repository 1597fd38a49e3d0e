"""The commands' side of the control socket: where it is, and one request with its reply.

The protocol is one JSON object per line: `{"command": "flush", "name": "example.com"}` gets
`{"result": …}`, or `{"error": "one line"}`. Imports nothing heavy, so that commands answer at once.
"""

import os
import socket
import warnings
from pathlib import Path
from typing import Any

import msgspec

from anchord.model.errors import AnchordError

OFF = "none"
"""The value of `listen.control` that turns the socket off."""

NAME = "control.sock"

SERVICE_SOCKET = Path("/run/anchord") / NAME
"""That of the installed service, which systemd opens, or the service in its runtime directory."""

ANSWER_TIME = 10.0
"""Seconds that a daemon has for its reply: it answers others meanwhile, and a flush is quick."""

LONGEST_REPLY = 16 * 1024 * 1024
"""Octets. Statistics have a few thousand; something that sends more is no anchord."""


class ControlError(AnchordError):
    """The daemon refuses what it is asked. Exit status 2."""


class UnreachableError(ControlError):
    """No daemon answers. Exit status 3."""

    exit_status = 3


def socket_path(configured: str) -> Path | None:
    """Where the daemon listens, given `listen.control`; None where that is turned off.

    An empty setting means the service's runtime directory where a service manager gives one, else
    the user's.
    """
    if configured == OFF:
        return None
    if configured:
        return Path(configured)
    given = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return Path(given or _user_folder()) / NAME


def ask(configured: str, command: str, **arguments: object) -> Any:
    """The result of a command, by the daemon that `listen.control` leads to.

    With an empty setting that is this user's daemon, else the installed service. Raises
    UnreachableError where none answers, ControlError where it has an error to tell.
    """
    path = socket_path(configured)
    if path is None:
        raise UnreachableError(
            "the control socket is turned off", where="listen.control", remedy="give it a path"
        )
    paths = [path] if configured else [path, SERVICE_SOCKET]
    request = msgspec.json.encode({"command": command, **arguments}) + b"\n"
    connection, path = _connected(paths)
    try:
        with connection:
            connection.sendall(request)
            reply = msgspec.json.decode(_line(connection))
        if "error" in reply:
            raise ControlError(str(reply["error"]))
        return reply["result"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreachableError(f"no usable reply ({error})", where=str(path)) from None


def _user_folder() -> str:
    import platformdirs

    with warnings.catch_warnings():  # that there is no XDG_RUNTIME_DIR, as for root, is no news
        warnings.simplefilter("ignore")
        return platformdirs.user_runtime_dir("anchord")


def _connected(paths: list[Path]) -> tuple[socket.socket, Path]:
    """A connection to the first of these sockets behind which a daemon is."""
    denied = None
    for path in paths:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(ANSWER_TIME)
        try:
            connection.connect(str(path))
        except PermissionError:
            connection.close()
            denied = denied or path
        except OSError:
            connection.close()
        else:
            return connection, path
    if denied:
        raise UnreachableError(
            "the daemon is another user's", where=str(denied), remedy="try with sudo"
        )
    raise UnreachableError(
        "no daemon answers", where=str(paths[0]), remedy="start one with anchord serve"
    )


def _line(connection: socket.socket) -> bytes:
    received = bytearray()
    while not received.endswith(b"\n"):
        data = connection.recv(65536)
        if not data or len(received) > LONGEST_REPLY:
            raise ValueError("it ended too early" if not data else "it does not end")
        received += data
    return bytes(received)
