"""All listeners of the resolver, together."""

from collections.abc import Sequence

import trio

from .binding import Door
from .handler import Handler
from .tcp import serve_streams
from .udp import serve_datagrams


async def serve(doors: Sequence[Door], handler: Handler, stop: trio.Event) -> None:
    """Serves every door until `stop`, and what is in flight then; closes the sockets."""
    async with trio.open_nursery() as nursery:
        for door in doors:
            nursery.start_soon(serve_datagrams, door.datagrams, handler, stop)
            nursery.start_soon(serve_streams, door.streams, handler, stop)
