"""The daemon's life: bind, become ready, serve, stop.

Every listener is bound before anything slow begins; `ready` is logged, and READY=1 sent, when
clients may ask. SIGTERM and SIGINT end it: queries in flight are still answered, for a moment.
"""

import logging
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import msgspec
import trio

from anchord.config.load import Loaded
from anchord.model.clock import Clock
from anchord.resolver.resolver import Resolver
from anchord.server.binding import Door, bind, inherited_sockets, taken, written
from anchord.server.listeners import serve as serve_doors

from . import api, control, notify, watchdog
from .commands import commands, pause_commands
from .compose import clock_of
from .control_client import SERVICE_SOCKET, socket_path
from .network import NetworkWatch
from .stats import Section, Stats
from .switch import Switch

logger = logging.getLogger(__name__)


async def serve(loaded: Loaded, reload: Callable[[], Loaded] | None = None) -> None:
    """Runs the resolver until a signal ends it. Raises AnchordError where it cannot start.

    `reload` reads the configuration again, at SIGHUP; without it there is nothing to read.
    """
    config = loaded.config
    clock = clock_of(config)
    for warning in loaded.warnings:
        logger.warning("%s", warning)
    if config.dnssec.time.at is not None:
        logger.warning("signatures are judged as of dnssec.time = %s", config.dnssec.time)
    with ExitStack() as bound:  # closed as well where the start fails further on
        sockets = _bind(loaded, bound)
        async with trio.open_nursery() as nursery:
            switch = Switch(loaded, clock, NetworkWatch(), nursery, reload or (lambda: loaded))
            await _serve(switch, clock, sockets, nursery)
            nursery.cancel_scope.cancel()
    logger.info("stopped")


class _Sockets(msgspec.Struct, frozen=True):
    """All that is listened on; systemd may have opened the control socket, and keeps it then."""

    doors: tuple[Door, ...]
    api: list[socket.socket]
    control: socket.socket | None
    control_is_inherited: bool


async def _serve(switch: Switch, clock: Clock, sockets: _Sockets, nursery: trio.Nursery) -> None:
    """The life between binding and closing."""
    await switch.start()
    stop = trio.Event()
    await nursery.start(_heed_signals, stop, switch)
    if sockets.api:
        nursery.start_soon(api.serve, sockets.api, switch.loaded.config, switch, stop)
    if sockets.control:
        table = commands(_stats(switch, clock), switch.flush) | pause_commands(switch)
        serve_control = partial(control.serve, is_inherited=sockets.control_is_inherited)
        nursery.start_soon(serve_control, sockets.control, table)
    if seconds := notify.watchdog_seconds():
        nursery.start_soon(watchdog.feed, sockets.doors[0].address, seconds)
    addresses = {"dns": ",".join(written(door.address) for door in sockets.doors)}
    if sockets.api:
        addresses["api"] = ",".join(written(sock.getsockname()[:2]) for sock in sockets.api)
    logger.info("ready", extra=addresses)
    notify.ready()
    await serve_doors(sockets.doors, switch.handler, stop)
    await switch.end()


def _bind(loaded: Loaded, closing: ExitStack) -> _Sockets:
    """Everything that is listened on: passed by the service manager, or opened here."""
    inherited = inherited_sockets()
    config = loaded.config
    bound = bind([(str(dns.address), dns.port) for dns in config.listen.dns], inherited)
    for warning in bound.warnings:
        logger.warning("%s", warning)
    for door in bound.doors:
        closing.callback(door.close)
    api_sockets = api.bind(config, inherited)
    for sock in api_sockets:
        closing.callback(sock.close)
    control_socket = _inherited_control(config.listen.control, inherited)
    is_inherited = control_socket is not None
    if control_socket:
        closing.callback(control_socket.close)
    elif control_socket := _bind_control(loaded):
        closing.callback(control.release, control_socket)
    for unclaimed in inherited:
        logger.warning(
            "a socket that was passed is not in [listen] and is closed: %s",
            unclaimed.getsockname(),
        )
        unclaimed.close()
    return _Sockets(bound.doors, api_sockets, control_socket, is_inherited)


def _inherited_control(configured: str, inherited: list[socket.socket]) -> socket.socket | None:
    """The one that the configuration names, or else the service's usual one."""
    return taken(inherited, socket.SOCK_STREAM, configured or str(SERVICE_SOCKET))


def _bind_control(loaded: Loaded) -> socket.socket | None:
    """The control socket. The usual one may be another daemon's: this one goes without, then."""
    configured = loaded.config.listen.control
    path = socket_path(configured)
    if path is None:
        return None
    try:
        return control.bind(path)
    except control.ControlSocketError as error:
        if configured:
            raise
        logger.warning("no control socket: %s", error.one_line())
        return None


def _stats(switch: Switch, clock: Clock) -> Stats:
    stats = Stats(clock)
    stats.add("dns", switch.handler.counters.snapshot)
    stats.add_group(lambda: _resolver_sections(switch.resolver))
    stats.add("state", lambda: {"pause_left": round(switch.pause_left)})
    return stats


def _resolver_sections(resolver: Resolver) -> dict[str, Section]:
    """Those of the resolver that is in force now."""
    return {"cache": resolver.counts(), **resolver.upstream_counts()}


async def _heed_signals(
    stop: trio.Event,
    switch: Switch,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """SIGHUP reloads, the others end."""
    numbers = [signal.SIGTERM, signal.SIGINT]
    if hasattr(signal, "SIGHUP"):
        numbers.append(signal.SIGHUP)
    with trio.open_signal_receiver(*numbers) as signals:
        task_status.started()
        async for number in signals:
            if number not in {signal.SIGTERM, signal.SIGINT}:
                await switch.reload()
                continue
            logger.info("stopping", extra={"signal": signal.Signals(number).name})
            notify.stopping()
            stop.set()
            return
