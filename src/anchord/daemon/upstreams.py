"""Where programs that run the engine themselves ask: the daemon, if it is there."""

import secrets

import trio
from msgspec import structs

from anchord.config.load import Loaded
from anchord.config.schema import Upstream
from anchord.config.units import SocketAddress
from anchord.model import rdtypes
from anchord.model.names import ROOT
from anchord.model.question import Question
from anchord.wire.query import write_query

PATIENCE = 0.5
"""Seconds for the daemon to answer on loopback what it has in its cache, or can have soon."""


async def with_upstreams(loaded: Loaded, *, direct: bool) -> Loaded:
    """The configuration with the daemon for its upstream, where that answers and is wanted.

    Zones are the daemon's to route then, so that only their policy stays.
    """
    if direct:
        return loaded
    for address in loaded.config.listen.dns:
        if await _answers(address):
            return _through(loaded, address)
    return loaded


async def _answers(address: SocketAddress) -> bool:
    query = secrets.token_bytes(2) + write_query(Question(ROOT, rdtypes.DNSKEY))[2:]
    family = trio.socket.AF_INET6 if ":" in address.address else trio.socket.AF_INET
    with trio.move_on_after(PATIENCE), trio.socket.socket(family, trio.socket.SOCK_DGRAM) as sock:
        try:
            await sock.connect((address.address, address.port))
            await sock.send(query)
            return (await sock.recv(65535))[:2] == query[:2]
        except OSError:
            return False
    return False


def _through(loaded: Loaded, address: SocketAddress) -> Loaded:
    config = loaded.config
    daemon = Upstream(url=f"udp://{address}")
    zones = tuple(
        structs.replace(zone, upstream=(daemon.url,), allow_plaintext=True) for zone in config.zone
    )
    forward = structs.replace(config.forward, allow_plaintext=True)
    return structs.replace(
        loaded,
        config=structs.replace(config, zone=zones, forward=forward),
        upstreams=(daemon,),
    )
