"""The control socket: a Unix socket over which the commands talk to the daemon.

One JSON object per line, each way (see `control_client`). The socket is its owner's alone (0600),
and so is its directory. What the commands do is a table of functions that the composer hands in.
"""

import logging
import os
import socket
import stat
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import trio

from anchord.model.errors import AnchordError

logger = logging.getLogger(__name__)

Command = Callable[[Mapping[str, Any]], Awaitable[object]]
"""Does what a request asks for; returns what JSON can hold. Raises AnchordError."""

CONNECTIONS = 16
"""Connections at once; a command opens one and is gone in a moment."""

LONGEST_REQUEST = 65536
"""Octets of a request: a command and a name, with room for what is to come."""

IDLE = 30.0
"""Seconds that a client may neither ask nor fetch its replies: enough to type one by hand."""

LONGEST_PATH = 103
"""Octets of a Unix socket's path on the systems that allow the fewest (macOS; Linux has 107)."""


class ControlSocketError(AnchordError):
    """The control socket cannot be had. Exit status 2."""


def bind(path: Path) -> socket.socket:
    """A listening, non-blocking socket at `path`, for its owner alone.

    A socket that a dead daemon left behind is replaced. Raises ControlSocketError where a daemon
    lives behind it, where something else is there, or where the directory is not ours alone.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise ControlSocketError(
            "this system has no Unix sockets",
            where=str(path),
            remedy='set [listen] control = "none"',
        )
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise ControlSocketError(
            f"the path is longer than {LONGEST_PATH} octets",
            where=str(path),
            remedy="set [listen] control to a shorter one",
        )
    try:
        _prepare(path)
        return _bound(path)
    except OSError as error:
        raise ControlSocketError(
            error.strerror or str(error), where=str(path), remedy="set [listen] control"
        ) from None


async def serve(
    sock: socket.socket, commands: Mapping[str, Command], *, is_inherited: bool = False
) -> None:
    """Answers requests until cancelled; removes the file of a socket that `bind` gave.

    One that was inherited stays the service manager's.
    """
    path = Path(sock.getsockname())
    listener = trio.SocketListener(trio.socket.from_stdlib_socket(sock))
    slots = trio.Semaphore(CONNECTIONS)

    async def answer(stream: trio.SocketStream) -> None:
        async with stream:
            try:
                slots.acquire_nowait()
            except trio.WouldBlock:
                return
            try:
                await _converse(stream, commands)
            finally:
                slots.release()

    try:
        await trio.serve_listeners(answer, [listener])
    finally:
        if not is_inherited:
            _remove_if_dead(path)  # and not where another daemon has put its own meanwhile


def release(sock: socket.socket) -> None:
    """Closes a socket that `bind` gave and that was perhaps never served, and removes its file."""
    if sock.fileno() != -1:
        path = Path(sock.getsockname())
        sock.close()
        _remove_if_dead(path)


def _prepare(path: Path) -> None:
    """Makes the directory and the way free, or raises."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder in path.parents:
        found = folder.stat()
        is_open = found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX
        if is_open or found.st_uid not in {os.geteuid(), 0}:
            raise ControlSocketError(
                "other users may write here, and could put their own socket in the place of ours",
                where=str(folder),
                remedy="set [listen] control to a path of your own",
            )
    if not path.is_socket():
        if path.exists():
            raise ControlSocketError("this is a file, not a socket", where=str(path))
        return
    if not _remove_if_dead(path):
        raise ControlSocketError(
            "another anchord has this control socket",
            where=str(path),
            remedy="stop it, or set [listen] control",
        )


def _remove_if_dead(path: Path) -> bool:
    """Removes a socket that nobody listens on any more; returns whether that was so."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return True
    return False


def _bound(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)  # the file never exists with wider rights, not even for a moment
    try:
        sock.bind(str(path))
        sock.listen(CONNECTIONS)
    except OSError:
        sock.close()
        raise
    finally:
        os.umask(mask)
    sock.setblocking(False)
    return sock


# ------------ One connection ------------


async def _converse(stream: trio.SocketStream, commands: Mapping[str, Command]) -> None:
    """Requests and replies, until the client ends, is idle, or says too much at once."""
    rest = b""
    try:
        with trio.CancelScope() as patience:
            while len(rest) <= LONGEST_REQUEST:
                patience.deadline = trio.current_time() + IDLE
                data = await stream.receive_some(LONGEST_REQUEST)
                if not data:
                    return
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    reply = msgspec.json.encode(await _answered(line, commands))
                    patience.deadline = trio.current_time() + IDLE
                    await stream.send_all(reply + b"\n")
    except trio.BrokenResourceError as error:
        logger.debug("a control connection broke: %s", error)


async def _answered(line: bytes, commands: Mapping[str, Command]) -> dict[str, object]:
    try:
        request = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        request = None
    if not isinstance(request, dict):
        return {"error": "a request is a JSON object on one line"}
    command = commands.get(str(request.get("command")))
    if command is None:
        return {"error": f"no such command; there are: {', '.join(commands)}"}
    try:
        return {"result": await command(request)}
    except AnchordError as error:
        return {"error": error.one_line()}
    except Exception:  # the per-request border
        logger.exception("a bug in anchord, please report it")
        return {"error": "a bug in anchord; its log tells more"}
