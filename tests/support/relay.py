"""A relay for UDP that loses, delays, and can be cut: a bad network between client and server."""

import contextlib
import math
import random
import socket
from collections import Counter
from typing import TypeAlias

import trio

Delayed: TypeAlias = tuple[float, trio.socket.SocketType, bytes, tuple[str, int]]
Lane: TypeAlias = trio.MemorySendChannel[Delayed]


class Relay:
    """Passes datagrams on to a server's port and back.

    `loss` is the share that is lost in either direction, `delay` seconds for one way. A relay that
    `is_cut` loses everything. After `rebind`, what clients send comes from another port, as behind
    a router that has forgotten them.
    """

    def __init__(self, server_port: int, *, loss: float = 0.0, delay: float = 0.0) -> None:
        self.server_port = server_port
        self.loss = loss
        self.delay = delay
        self.is_cut = False
        self.port = 0
        self.passed = 0
        self._returned: Counter[tuple[str, int]] = Counter()
        self._chance = random.Random(7)
        self._ways: dict[tuple[str, int], trio.socket.SocketType] = {}
        self._lanes: dict[trio.socket.SocketType, Lane] = {}

    async def start(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._front = self._bound()
        self.port = self._front.getsockname()[1]
        nursery.start_soon(self._run)

    def returned_to_latest_client(self) -> int:
        """How many datagrams the client that came last has got from the server."""
        return self._returned[next(reversed(self._ways))]

    def rebind(self) -> None:
        """Forgets every client."""
        for way in self._ways.values():
            way.close()
        self._ways.clear()

    async def _run(self) -> None:
        server = "127.0.0.1", self.server_port
        with self._front:
            while True:
                data, client = await self._front.recvfrom(65536)
                if client not in self._ways:
                    way = self._ways[client] = self._bound()
                    self._nursery.start_soon(self._pass_back, way, client)
                    self._lanes[way] = self._lane()
                await self._pass(self._lanes[self._ways[client]], self._ways[client], data, server)

    async def _pass_back(self, way: trio.socket.SocketType, client: tuple[str, int]) -> None:
        lane = self._lane()
        with way, contextlib.suppress(OSError, trio.ClosedResourceError):
            while True:
                data, _ = await way.recvfrom(65536)
                await self._pass(lane, self._front, data, client)

    async def _pass(
        self, lane: Lane, way: trio.socket.SocketType, data: bytes, to: tuple[str, int]
    ) -> None:
        if not self.is_cut and self._chance.random() >= self.loss:
            await lane.send((trio.current_time() + self.delay, way, data, to))

    def _lane(self) -> Lane:
        """Where datagrams of one direction queue up, so that none overtakes another."""
        entry, end = trio.open_memory_channel[Delayed](math.inf)
        self._nursery.start_soon(self._deliver, end)
        return entry

    async def _deliver(self, lane: trio.MemoryReceiveChannel[Delayed]) -> None:
        async for at, way, data, to in lane:
            await trio.sleep_until(at)
            with contextlib.suppress(OSError, trio.ClosedResourceError):
                await way.sendto(data, to)
                self.passed += 1
                self._returned[to] += way is self._front

    def _bound(self) -> trio.socket.SocketType:
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.bind(("127.0.0.1", 0))
        return trio.socket.from_stdlib_socket(bound)
