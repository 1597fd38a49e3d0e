"""The network's own names: `upstream = ["network"]`, the servers that the links name right now.

A `NetworkWatch` reads the links when the network changes, or when what a link says of DNS does. A
`NetworkUpstream` asks the servers of those links that have the zone's domain for their own, and
nobody's where no link has it: a name of the company is not for the café's resolver. Links name
servers in plaintext; one that designates an encrypted way to itself is asked over that.
"""

import logging
import socket
from collections.abc import Callable

import trio

from anchord.model import names
from anchord.model.names import Name
from anchord.resolver.loops import Loops
from anchord.system import netlink
from anchord.system.links import Link, all_servers, servers_for, signature, told
from anchord.system.machine import Machine
from anchord.upstream import url
from anchord.upstream.base import Counters, Kind, Upstream, UpstreamError
from anchord.upstream.build import build_upstreams
from anchord.upstream.designated import DesignatedUpstream

logger = logging.getLogger(__name__)

NETWORK = "network"
"""What stands for a URL in the configuration."""

LOOK = 1.0
"""Seconds between two looks at the files that tell of a change."""

ONE_OF_SEVERAL = 1.0
"""Seconds that a server has before the next one is asked as well."""


class NetworkWatch:
    """What the links say, and whether this is still the same network.

    `on_change` functions are called after the links have come to say something else, `on_move` ones
    when this machine reaches the world from another address, or does so again. `read` reads the
    links of a machine, `way_out` its addresses. The links are not looked at before somebody wants
    to know of them.
    """

    def __init__(
        self,
        machine: Machine | None = None,
        read: Callable[[Machine], tuple[Link, ...]] = told,
        way_out: Callable[[], tuple[str, ...]] = netlink.way_out,
    ) -> None:
        self._machine = machine or Machine()
        self._read = read
        self._way_out = way_out
        self._is_read = False
        self.on_move: list[Callable[[], None]] = []
        self.links: tuple[Link, ...] = ()
        self._signature: tuple[int, ...] = ()
        self.on_change: list[Callable[[], None]] = []

    def servers(self, domain: Name) -> tuple[str, ...]:
        """The servers for a domain of the network."""
        return servers_for(self.links, domain)

    def all_servers(self) -> tuple[str, ...]:
        """The servers of all links."""
        return all_servers(self.links)

    def read(self) -> None:
        """Reads the links now, while nothing else runs."""
        self._is_read = True
        self.links = self._read(self._machine)

    async def run(self) -> None:
        """Follows the network until cancelled."""
        way = self._way_out()
        async with trio.open_nursery() as nursery:
            if sock := netlink.open_socket():
                nursery.start_soon(self._follow, sock)
            while True:
                await trio.sleep(LOOK)
                before, way = way, self._way_out()
                if way != before and any(way):
                    logger.info("this machine is in another network")
                    for call in self.on_move:
                        call()
                now = signature(self._machine) if self._is_read else self._signature
                if now != self._signature:
                    self._signature = now
                    await self.look()

    async def look(self) -> None:
        """Reads the links now."""
        self._is_read = True
        found = await trio.to_thread.run_sync(self._read, self._machine)
        if found != self.links:
            self.links = found
            logger.info("the network has changed", extra={"links": len(found)})
            for call in self.on_change:
                call()

    async def _follow(self, sock: socket.socket) -> None:
        with sock:
            async for _ in netlink.changes(sock):
                if self._is_read:
                    await self.look()


class NetworkUpstream:
    """The servers of the network for a domain, or all of them where that is None.

    `is_simple` as in `build_upstreams`. A daemon has `loops`: its servers are watched for leading
    back; and, but for a pause, asked for an encrypted way (RFC 9462), which a single question would
    not live to see.
    """

    is_encrypted = False
    """Some of the servers may be asked in plaintext."""

    def __init__(
        self,
        watch: NetworkWatch,
        domain: Name | None,
        nursery: trio.Nursery,
        *,
        is_simple: bool = True,
        loops: Loops | None = None,
    ) -> None:
        self._watch = watch
        self._domain = domain
        self._nursery = nursery
        self._is_simple = is_simple
        self._loops = loops
        self._known: dict[str, Upstream] = {}
        self.counters = Counters()

    def __str__(self) -> str:
        return NETWORK

    async def exchange(self, query: bytes) -> bytes:
        """The reply of the first server that has one. Raises UpstreamError."""
        self.counters.queries += 1
        servers = self._servers()
        self._leave_all_but(servers)
        *others, last = servers
        for server in others:
            try:
                with trio.move_on_after(ONE_OF_SEVERAL):
                    return await self._asked(server, query)
            except UpstreamError as error:
                logger.debug("%s", error)
        return await self._asked(last, query)

    def forget_network(self) -> None:
        """As `Upstream`."""
        for upstream in self._known.values():
            upstream.forget_network()

    async def aclose(self) -> None:
        """Ends every connection."""
        for upstream in self._known.values():
            await upstream.aclose()

    def _servers(self) -> tuple[str, ...]:
        watch, domain = self._watch, self._domain
        servers = watch.all_servers() if domain is None else watch.servers(domain)
        if not servers:
            whose = "this machine's links" if domain is None else names.to_text(domain)
            raise UpstreamError(NETWORK, Kind.NETWORK, f"no link names a server for {whose} now")
        return servers

    def _leave_all_but(self, servers: tuple[str, ...]) -> None:
        """What is known of a server ends with the link that named it."""
        for server in self._known.keys() - set(servers):
            self._nursery.start_soon(self._known.pop(server).aclose)

    async def _asked(self, server: str, query: bytes) -> bytes:
        upstream = self._known.get(server)
        if upstream is None:
            upstream = self._known[server] = self._opened(server)
        reply = await upstream.exchange(query)
        self.counters.replies += 1
        self.counters.designated = upstream.counters.designated
        self.counters.certificate = upstream.counters.certificate
        return reply

    def _opened(self, server: str) -> Upstream:
        host = f"[{server}]" if ":" in server else server
        (upstream,) = build_upstreams(
            [url.parse(f"udp://{host}")],
            self._nursery,
            allow_plaintext=True,
            is_simple=self._is_simple,
        )
        if self._loops is None:
            return upstream
        guarded = self._loops.guarded(upstream, self._nursery)
        if self._domain is None:
            return guarded
        return DesignatedUpstream(guarded, server, self._nursery)
