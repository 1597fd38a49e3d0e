"""The daemon's life: bind, become ready, serve, stop.

Every listener is bound before anything slow begins; `ready` is logged, and READY=1 sent, when
clients may ask. SIGTERM and SIGINT end it: queries in flight are still answered, for a moment.
"""

import dataclasses
import logging
import signal
import socket
from contextlib import ExitStack
from functools import partial

import trio

from anchord.config.load import Loaded
from anchord.model.clock import Clock
from anchord.model.names import Name
from anchord.resolver.resolver import Resolver
from anchord.server.binding import Door, bind, inherited_sockets, written
from anchord.server.counters import Counters
from anchord.server.handler import Handler
from anchord.server.listeners import serve as serve_doors

from . import control, notify
from .commands import commands
from .compose import clock_of, open_resolver
from .control_client import socket_path
from .stats import Stats

logger = logging.getLogger(__name__)


async def serve(loaded: Loaded) -> None:
    """Runs the resolver until a signal ends it. Raises AnchordError where it cannot start."""
    config = loaded.config
    clock = clock_of(config)
    for warning in loaded.warnings:
        logger.warning("%s", warning)
    if config.dnssec.time.at is not None:
        logger.warning("signatures are judged as of dnssec.time = %s", config.dnssec.time)
    with ExitStack() as bound:  # closed as well where the start fails further on
        doors = _bind_doors(loaded)
        for door in doors:
            bound.callback(door.close)
        control_socket = _bind_control(loaded)
        if control_socket:
            bound.callback(control.release, control_socket)
        await _serve(loaded, clock, doors, control_socket)
    logger.info("stopped")


async def _serve(
    loaded: Loaded, clock: Clock, doors: tuple[Door, ...], control_socket: socket.socket | None
) -> None:
    """The life between binding and closing."""
    async with open_resolver(loaded, clock) as resolver, trio.open_nursery() as nursery:
        stop = trio.Event()
        await nursery.start(_stop_on_signal, stop)
        handler = Handler(resolver, clock, Counters())
        if control_socket:
            table = commands(_stats(handler, resolver, clock), partial(_flush, handler, resolver))
            nursery.start_soon(control.serve, control_socket, table)
        logger.info("ready", extra={"dns": ",".join(written(door.address) for door in doors)})
        notify.ready()
        await serve_doors(doors, handler, stop)
        nursery.cancel_scope.cancel()


def _bind_doors(loaded: Loaded) -> tuple[Door, ...]:
    addresses = [(str(dns.address), dns.port) for dns in loaded.config.listen.dns]
    bound = bind(addresses, inherited_sockets())
    for warning in bound.warnings:
        logger.warning("%s", warning)
    for unclaimed in bound.unclaimed:
        logger.warning(
            "a socket that was passed is not in listen.dns and is closed: %s",
            unclaimed.getsockname(),
        )
        unclaimed.close()
    return bound.doors


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


def _stats(handler: Handler, resolver: Resolver, clock: Clock) -> Stats:
    stats = Stats(clock)
    stats.add("dns", handler.counters.snapshot)
    stats.add("cache", resolver.counts)
    for name, upstream in resolver.upstreams.items():
        stats.add(name, partial(dataclasses.asdict, upstream.counters))
    return stats


def _flush(handler: Handler, resolver: Resolver, name: Name | None) -> int:
    handler.front.clear()
    return resolver.flush(name)


async def _stop_on_signal(
    stop: trio.Event, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for number in signals:
            logger.info("stopping", extra={"signal": signal.Signals(number).name})
            notify.stopping()
            stop.set()
            return
