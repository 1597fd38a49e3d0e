"""DANE over a world in memory: the real resolver and engine, with the world for an upstream."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import trio
from cryptography import x509

from anchord.dane.check import Checker
from anchord.dane.lookup import Service
from anchord.dane.names import host_from_text
from anchord.dane.pkix import Trust
from anchord.dane.probe import Limits, Prober
from anchord.dnssec.anchors import TrustAnchors, trust_anchors
from anchord.lab.dane_world import Running
from anchord.lab.plan import Plan
from anchord.lab.servers import Asked
from anchord.lab.table import tree
from anchord.lab.world import World
from anchord.model.clock import SystemClock
from anchord.resolver.resolver import Resolver, Settings
from anchord.resolver.routes import Routes
from anchord.resolver.special import SpecialNames
from anchord.upstream.base import Counters, Upstream
from anchord.wire.message import AD


class WorldUpstream:
    """An upstream that asks the world at once, without a socket; `asked` notes what."""

    is_encrypted = True

    def __init__(self, world: World, *, claims_authentic: bool = False) -> None:
        self.world = world
        self._claims_authentic = claims_authentic
        self.counters = Counters()
        self.asked: list[str] = []

    def __str__(self) -> str:
        return "lab"

    async def exchange(self, query: bytes) -> bytes:
        await trio.lowlevel.checkpoint()
        self.asked.append(Asked("tls", query).text)
        reply = self.world.reply(query, over_udp=False)
        assert reply is not None
        if self._claims_authentic:
            return reply[:3] + bytes((reply[3] | AD,)) + reply[4:]
        return reply

    def forget_network(self) -> None:
        pass

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


def anchors_of(world: World) -> TrustAnchors:
    anchor = world.anchor()
    return trust_anchors((anchor.name, anchor.rdtype, rdata) for rdata in anchor.rdatas)


@asynccontextmanager
async def resolver_over(
    world: World, upstreams: Sequence[Upstream] | None = None
) -> AsyncIterator[Resolver]:
    async with trio.open_nursery() as nursery:
        yield Resolver(
            Settings(anchors=anchors_of(world)),
            Routes(upstreams or [WorldUpstream(world)]),
            SpecialNames(),
            lambda _: None,
            SystemClock(),
            nursery,
        )
        nursery.cancel_scope.cancel()


def world_of_now(*plans: Plan) -> World:
    """The lab's tree as of now, and these zones."""
    return World(int(time.time()), plans=[*tree.PLANS, *plans])


NO_TRUST = Trust([], "nobody")


@asynccontextmanager
async def checker_over(
    *plans: Plan, trust: Trust = NO_TRUST, upstream: WorldUpstream | None = None
) -> AsyncIterator[Checker]:
    """A checker over the engine and a world of these zones."""
    upstreams = None if upstream is None else [upstream]
    async with resolver_over(world_of_now(*plans), upstreams) as resolver:
        yield Checker(resolver, trust, Prober(LIMITS))


LIMITS = Limits(connect=3.0, reply=2.0, address=4.0, check=60.0, at_once=16)
"""Seconds: on loopback, what takes longer hangs."""


def service(name: str, port: int = 443, proto: str = "tcp") -> Service:
    return Service(host_from_text(name), port, proto)


def lab_trust(lab: Running) -> Trust:
    """The roots of the lab's public CAs."""
    return Trust(x509.load_pem_x509_certificates(lab.roots), "the lab's roots")
