"""What is asked of a server, and what all servers have in common."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import trio

from support.certificates import Issued
from support.peers import reply_to


class Asked:
    """One query and what can be done with it. Made by a server for its conduct."""

    def __init__(self, query: bytes, connection: "Connection", stream_id: int) -> None:
        self.query = query
        self.connection = connection
        self.stream_id = stream_id

    async def reply(self, message: bytes | None = None, *, at_a_time: int = 0) -> None:
        """Answers with this message, a right one where it is None, so many octets at a time."""
        await self.connection.answer(
            self.stream_id, reply_to(self.query) if message is None else message, at_a_time
        )

    async def reply_half(self) -> None:
        """Sends the first half of an answer."""
        await self.connection.answer_half(self.stream_id, reply_to(self.query))


class Connection:
    """One client's connection, whatever the transport."""

    async def answer(self, stream_id: int, message: bytes, at_a_time: int) -> None:
        raise NotImplementedError

    async def answer_half(self, stream_id: int, message: bytes) -> None:
        raise NotImplementedError

    async def abort(self) -> None:
        """Ends it without any farewell: TCP is reset, QUIC answers to nobody any more."""
        raise NotImplementedError


Conduct: TypeAlias = Callable[[Asked], Awaitable[None]]


async def answer(asked: Asked) -> None:
    await asked.reply()


async def ignore(asked: Asked) -> None:
    del asked


async def hang_up(asked: Asked) -> None:
    await asked.connection.abort()


def first(count: int, conduct: Conduct, then: Conduct) -> Conduct:
    """So many queries are treated one way, the others another way."""
    seen = 0

    async def choose(asked: Asked) -> None:
        nonlocal seen
        seen += 1
        await (conduct if seen <= count else then)(asked)

    return choose


@dataclass
class Server:
    """A server; the n-th connection gets the n-th conduct, later ones the last.

    `connections` counts handshakes that were completed, `resumed` those that took up a session,
    `cancelled` the queries that the client did not want answered any more.
    """

    conducts: tuple[Conduct, ...]
    certificate: Issued
    folder: Path
    host: str = "127.0.0.1"
    port: int = 0
    connections: int = 0
    resumed: int = 0
    cancelled: int = 0
    heard: list[bytes] = field(default_factory=list)

    def next_conduct(self) -> Conduct:
        conduct = self.conducts[min(self.connections, len(self.conducts) - 1)]
        self.connections += 1
        return conduct

    async def start(self, nursery: trio.Nursery) -> None:
        raise NotImplementedError
