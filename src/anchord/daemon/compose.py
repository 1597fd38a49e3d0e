"""From a configuration to running parts: the only place where everything meets."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import msgspec
import trio
from msgspec.structs import replace

from anchord.cache.persisted import Evidence
from anchord.config import anchors as anchor_files
from anchord.config.load import Loaded
from anchord.config.schema import Config, Forward, Zone
from anchord.config.schema import Upstream as UpstreamTable
from anchord.dnssec.anchors import NegativeAnchor, TrustAnchors, trust_anchors
from anchord.dnssec.limits import Limits
from anchord.dnssec.probe import missing, probe, unsupported_anchors
from anchord.model import names
from anchord.model.clock import Clock, FixedWallClock, SystemClock
from anchord.model.errors import AnchordError
from anchord.model.question import Question
from anchord.model.verdict import Answer
from anchord.resolver.hosts import HostsFile, hosts_path
from anchord.resolver.loops import Loops
from anchord.resolver.resolver import Resolver, Settings
from anchord.resolver.routes import Route, Routes
from anchord.resolver.special import SpecialNames
from anchord.resolver.turns import Turns
from anchord.upstream import url
from anchord.upstream.addresses import AddressBook
from anchord.upstream.base import Upstream
from anchord.upstream.build import build_upstreams
from anchord.upstream.choice import Strategy
from anchord.upstream.designated import DesignatedUpstream

from .negative import negative_anchors
from .network import NETWORK, NetworkUpstream, NetworkWatch
from .state_file import state_folder

logger = logging.getLogger(__name__)

CLOSING = 2.0
"""Seconds for upstreams to end their connections in order."""


class CryptoError(AnchordError):
    """The machine cannot verify what the Internet is signed with."""


def clock_of(config: Config) -> Clock:
    """The clock that `dnssec.time` asks for."""
    fixed = config.dnssec.time.at
    return SystemClock() if fixed is None else FixedWallClock(fixed)


@asynccontextmanager
async def open_resolver(
    loaded: Loaded,
    clock: Clock,
    network: NetworkWatch | None = None,
    *,
    is_paused: bool = False,
    evidence: Evidence | None = None,
    book: AddressBook | None = None,
    loops: Loops | None = None,
    turns: Turns | None = None,
) -> AsyncIterator[Resolver]:
    """A resolver as configured, with its upstreams; all of it ends with the context.

    `network` tells the servers of `upstream = ["network"]`; without it they are read once. A paused
    resolver asks the network's servers for everything and checks nothing. `evidence` is what was
    kept of the resolver before it. `book` knows where upstreams are; without it the system is
    asked. `loops` finds upstreams that lead back to the listeners of this process, if it has any;
    `turns` lets those serve while long work is done. Raises AnchordError for trust anchors or an
    OpenSSL that cannot be used; for upstreams, in an exception group.
    """
    config = loaded.config
    settings = _settings(loaded, clock)
    if is_paused:
        settings = replace(settings, anchors=TrustAnchors(()))
    async with trio.open_nursery() as nursery:
        routes = (
            _paused(network, nursery, loops)
            if is_paused
            else _routes(loaded, network, _Opening(nursery, book or AddressBook(), loops))
        )
        hosts = HostsFile(hosts_path(config.hosts.file))

        def local(question: Question) -> Answer | None:
            own = loops.answer(question) if loops else None
            return own or hosts.answer(question, clock.monotonic())

        resolver = Resolver(
            settings,
            routes,
            SpecialNames(zone.domain for zone in config.zone),
            local,
            clock,
            nursery,
            evidence,
            turns,
        )
        try:
            yield resolver
        finally:
            with trio.move_on_after(CLOSING, shield=True):
                for route in routes:
                    for upstream in route.upstreams:
                        await upstream.aclose()
            nursery.cancel_scope.cancel()


def _settings(loaded: Loaded, clock: Clock) -> Settings:
    config = loaded.config
    anchors = _anchors(loaded, clock)
    supported = probe(with_sha1=config.dnssec.sha1)
    if lacking := missing(supported, anchors):
        raise CryptoError(
            f"{lacking} does not work with the OpenSSL of this machine",
            remedy="relax its crypto policy; without that, signed names would count as unsigned",
        )
    for zone in unsupported_anchors(supported, anchors):
        logger.warning(
            "no trust anchor of %s is supported: NOTHING below it is checked", names.to_text(zone)
        )
    return Settings(
        anchors=anchors,
        limits=Limits(nsec3_iterations=config.dnssec.nsec3_iterations),
        supported=supported,
        cache_size=config.cache.size,
        serve_stale=config.cache.serve_stale,
        prefetch=config.cache.prefetch,
        timeout=config.forward.timeout,
        strategy=Strategy(config.forward.strategy),
    )


def _anchors(loaded: Loaded, clock: Clock) -> TrustAnchors:
    """The anchors, and what is left unchecked: negative anchors and insecure zones."""
    config = loaded.config
    records = anchor_files.trust_anchors(config.dnssec.trust_anchors)
    negative: list[NegativeAnchor] = []
    if loaded.file is not None:  # without a file there are none
        is_real_time = config.dnssec.time.at is None
        negative = negative_anchors(
            config.dnssec.negative_trust_anchors,
            loaded.file,
            state_folder() if is_real_time else None,
            clock.wall(),
        )
    insecure = [
        NegativeAnchor(zone.domain, is_policy=True)
        for zone in config.zone
        if zone.dnssec == "insecure"
    ]
    return trust_anchors(records, [*negative, *insecure])


def _paused(network: NetworkWatch | None, nursery: trio.Nursery, loops: Loops | None) -> Routes:
    assert network is not None
    return Routes([NetworkUpstream(network, None, nursery, loops=loops)])


class _Opening(msgspec.Struct, frozen=True):
    """What all upstreams of a resolver are opened with."""

    nursery: trio.Nursery
    book: AddressBook
    loops: Loops | None


def _routes(loaded: Loaded, network: NetworkWatch | None, opening: _Opening) -> Routes:
    """The general upstreams, and those of each zone; a zone shares none with another.

    The general ones are asked where any of them is.
    """
    config = loaded.config
    if network is None and any(NETWORK in zone.upstream for zone in config.zone):
        network = NetworkWatch()
        network.read()
    endpoints = _endpoints(loaded.upstreams)
    general = _upstreams(endpoints, opening, config.forward, config.forward)
    opening.book.guides = tuple(zip(endpoints, general, strict=True))
    zones = [
        Route(
            zone.domain,
            tuple(_zone_upstreams(config, zone, network, opening)),
            is_checked=zone.dnssec == "validate",
        )
        for zone in config.zone
    ]
    return Routes(general, zones)


def _zone_upstreams(
    config: Config,
    zone: Zone,
    network: NetworkWatch | None,
    opening: _Opening,
) -> Iterator[Upstream]:
    """In the order in which they are written."""
    for table in config.upstreams_of(zone):
        if table.url == NETWORK:
            assert network is not None
            yield NetworkUpstream(
                network,
                zone.domain,
                opening.nursery,
                is_simple=zone.dnssec == "insecure",
                loops=opening.loops,
            )
        else:
            (endpoint,) = _endpoints((table,))
            (upstream,) = _upstreams([endpoint], opening, config.forward, zone)
            address = endpoint.plain_address
            if address and opening.loops is not None:  # a single question would not live to see it
                upstream = DesignatedUpstream(upstream, address, opening.nursery)
            yield upstream


def _endpoints(tables: tuple[UpstreamTable, ...]) -> list[url.Endpoint]:
    return [
        url.parse(table.url, addresses=table.addresses, pins=table.pins, ca_file=table.ca_file)
        for table in tables
    ]


def _upstreams(
    endpoints: list[url.Endpoint],
    opening: _Opening,
    forward: Forward,
    policy: Forward | Zone,
) -> list[Upstream]:
    """`policy` is of the zone that the upstreams are for, or the general one."""
    built = build_upstreams(
        endpoints,
        opening.nursery,
        allow_plaintext=policy.allow_plaintext,
        early_data=forward.early_data,
        is_simple=isinstance(policy, Zone) and policy.dnssec == "insecure",
        book=opening.book,
    )
    loops = opening.loops
    return [
        loops.guarded(upstream, opening.nursery)
        if loops is not None and not endpoint.is_far_away
        else upstream
        for endpoint, upstream in zip(endpoints, built, strict=True)
    ]
