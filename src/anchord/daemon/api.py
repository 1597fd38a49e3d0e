"""The HTTP API of the daemon: its sockets, and what stands behind its calls.

A port that the configuration does not name may be another daemon's: this one goes without, then.
"""

import logging
import socket
from collections.abc import Sequence
from functools import partial
from importlib import import_module

import trio

from anchord import __version__
from anchord.config.schema import Config, Listen
from anchord.model.question import ClientFlags, Question
from anchord.model.verdict import Answer
from anchord.server.binding import ListenError, bind_stream
from anchord.server.handler import Handler, Pending, Transport

from .switch import Switch

logger = logging.getLogger(__name__)


def bind(config: Config, inherited: list[socket.socket]) -> list[socket.socket]:
    """The sockets of `listen.api`, from the service manager where it has them.

    Raises ListenError where one that was asked for is not free.
    """
    sockets: list[socket.socket] = []
    for address in config.listen.api:
        try:
            sockets.append(bind_stream((str(address.address), address.port), "api", inherited))
        except ListenError as error:
            if config.listen.api != Listen().api:
                for sock in sockets:
                    sock.close()
                raise
            logger.warning("no HTTP API: %s", error.one_line())
    return sockets


async def serve(
    sockets: Sequence[socket.socket], config: Config, switch: Switch, stop: trio.Event
) -> None:
    """Serves the API until `stop`; closes the sockets."""
    await trio.to_thread.run_sync(import_module, "anchord.api.connection")  # DNS does not wait
    from anchord.api import connection
    from anchord.api.calls import Api, Health
    from anchord.api.private import forbidden, forbidden_but_private
    from anchord.dane.probe import Prober
    from anchord.dane.roots import load_roots

    forbids = forbidden_but_private if config.dane.api_private else forbidden
    api = Api(
        resolver=_InForce(switch),
        exchange=partial(_exchange, switch.handler),
        roots=partial(load_roots, config.dane.ca_file),
        prober=Prober(forbids=forbids) if config.dane.api_connect else None,
        health=lambda: Health("paused" if switch.pause_left else "ok", __version__),
        allowed_origins=frozenset(config.api.allow_origins),
    )
    async with trio.open_nursery() as nursery:
        for sock in sockets:
            nursery.start_soon(connection.serve, sock, api, api.limits, stop)


class _InForce:
    """The resolver that answers now; another one may after a reload."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch

    async def resolve(self, question: Question, flags: ClientFlags) -> Answer:
        """The answer, with its verdict."""
        return await self._switch.resolver.resolve(question, flags)


async def _exchange(handler: Handler, query: bytes) -> bytes | None:
    """A query and its reply in wire form, as on a stream; None where silence is due."""
    received = handler.receive(query, Transport.TCP)
    if isinstance(received, Pending):
        return handler.render(received, await handler.resolve(received))
    return received
