"""DANE over a world in memory: the real resolver and engine, with the world for an upstream."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from anchord.dnssec.anchors import TrustAnchors, trust_anchors
from anchord.lab.world import World
from anchord.model.clock import SystemClock
from anchord.resolver.resolver import Resolver, Settings
from anchord.resolver.routes import Routes
from anchord.resolver.special import SpecialNames
from anchord.upstream.base import Counters


class WorldUpstream:
    """An upstream that asks the world at once, without a socket."""

    is_encrypted = True

    def __init__(self, world: World) -> None:
        self._world = world
        self.counters = Counters()

    def __str__(self) -> str:
        return "lab"

    async def exchange(self, query: bytes) -> bytes:
        await trio.lowlevel.checkpoint()
        reply = self._world.reply(query, over_udp=False)
        assert reply is not None
        return reply

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


def anchors_of(world: World) -> TrustAnchors:
    anchor = world.anchor()
    return trust_anchors((anchor.name, anchor.rdtype, rdata) for rdata in anchor.rdatas)


@asynccontextmanager
async def resolver_over(world: World) -> AsyncIterator[Resolver]:
    async with trio.open_nursery() as nursery:
        yield Resolver(
            Settings(anchors=anchors_of(world)),
            Routes([WorldUpstream(world)]),
            SpecialNames(),
            lambda _: None,
            SystemClock(),
            nursery,
        )
        nursery.cancel_scope.cancel()
