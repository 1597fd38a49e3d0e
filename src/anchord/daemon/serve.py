"""The daemon's life: bind, become ready, serve, stop.

Every listener is bound before anything slow begins; `ready` is logged, and READY=1 sent, when
clients may ask. SIGTERM and SIGINT end it: queries in flight are still answered, for a moment. A
second signal ends it at once.
"""

import logging
import signal

import trio

from anchord.config.load import Loaded
from anchord.server.binding import bind, inherited_sockets, written
from anchord.server.counters import Counters
from anchord.server.handler import Handler
from anchord.server.listeners import serve as serve_doors

from .compose import clock_of, open_resolver

logger = logging.getLogger(__name__)


async def serve(loaded: Loaded) -> None:
    """Runs the resolver until a signal ends it. Raises AnchordError where it cannot start."""
    for warning in loaded.warnings:
        logger.warning("%s", warning)
    clock = clock_of(loaded.config)
    bound = bind([tuple(address) for address in loaded.config.listen.dns], inherited_sockets())
    for warning in bound.warnings:
        logger.warning("%s", warning)
    stop = trio.Event()
    async with open_resolver(loaded, clock) as resolver, trio.open_nursery() as nursery:
        handler = Handler(resolver, clock, Counters())
        await nursery.start(_stop_on_signal, stop)
        nursery.start_soon(serve_doors, bound.doors, handler, stop)
        logger.info("ready dns=%s", ",".join(written(door.address) for door in bound.doors))
        await stop.wait()
        logger.info("stopping")
    logger.info("stopped")


async def _stop_on_signal(
    stop: trio.Event, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for number in signals:
            logger.info("signal=%s", signal.Signals(number).name)
            stop.set()
            return
