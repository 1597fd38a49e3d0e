"""The watchdog of the service manager, fed only by a loop that has proved that it serves.

Each time a question goes to our own listener over UDP, as a client would send it, and its reply
must come back. The name is one that is answered here, so that a network that is down is no reason
to be killed.
"""

import logging
import secrets

import trio

from anchord.model import names, rdtypes
from anchord.model.question import Question
from anchord.server.binding import HostAndPort
from anchord.wire.query import write_query

from . import notify

logger = logging.getLogger(__name__)

SHARE = 0.4
"""The share of the manager's time after which it is told again: one miss does no harm."""

_QUESTION = Question(names.from_text("localhost."), rdtypes.A)


async def feed(address: HostAndPort, seconds: float) -> None:
    """Tells the manager, which waits for `seconds`, that the loop lives, until cancelled."""
    while True:
        if await answers(address, seconds * SHARE):
            notify.alive()
        else:
            logger.warning("no reply of our own listener within %.1f s", seconds * SHARE)
        await trio.sleep(seconds * SHARE)


async def answers(address: HostAndPort, patience: float) -> bool:
    """Whether our own listener replies within so many seconds."""
    query = secrets.token_bytes(2) + write_query(_QUESTION)[2:]
    family = trio.socket.AF_INET6 if ":" in address[0] else trio.socket.AF_INET
    with trio.move_on_after(patience), trio.socket.socket(family, trio.socket.SOCK_DGRAM) as sock:
        try:
            await sock.connect(address)
            await sock.send(query)
            return (await sock.recv(65535))[:2] == query[:2]
        except OSError:
            return False
    return False
