"""A resolver with prepared answers behind the real front doors, and a client's side of them."""

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import dns.message
import dns.rdata
import dns.rdatatype
import trio
from msgspec.structs import replace

from anchord.cache.store import Entry
from anchord.model import names, rcodes, rdtypes
from anchord.model.clock import SystemClock
from anchord.model.question import ClientFlags, Question
from anchord.model.response import RRset
from anchord.model.verdict import Answer, Checked, Status, Verdict
from anchord.resolver.resolver import Known
from anchord.server.binding import HostAndPort, bind
from anchord.server.counters import Counters
from anchord.server.handler import Handler
from anchord.server.limits import Limits
from anchord.server.listeners import serve

SOON = 5.0
"""Seconds that a test waits for what is due at once."""


def rrset(name: str, rdtype: str, *texts: str, ttl: int = 300) -> RRset:
    """Records out of a zone file's notation."""
    return RRset(
        name=names.from_text(name),
        rdtype=rdtypes.from_text(rdtype),
        ttl=ttl,
        rdatas=tuple(dns.rdata.from_text("IN", rdtype, text).to_wire() or b"" for text in texts),
    )


def answer_of(*rrsets: RRset, status: Status = Status.SECURE, ttl: int = 300) -> Answer:
    """An answer to the question for the first of these sets."""
    return Answer(
        question=Question(rrsets[0].name, rrsets[0].rdtype),
        rcode=rcodes.NOERROR,
        answer=tuple(Checked(each, status) for each in rrsets),
        authority=(),
        verdict=Verdict(status),
        ttl=ttl,
    )


@dataclass
class PreparedResolver:
    """Answers out of a table, and any other question with an address.

    Nothing is known before it is asked for; `was_asked` tells of the first question. Questions
    below `slow.` wait for `released`; a question below `bug.` meets one.
    """

    prepared: dict[Question, Answer] = field(default_factory=dict)
    asked: list[tuple[Question, ClientFlags]] = field(default_factory=list)
    was_asked: trio.Event = field(default_factory=trio.Event)
    released: trio.Event = field(default_factory=trio.Event)

    def prepare(self, answer: Answer) -> None:
        self.prepared[answer.question] = answer

    def known(self, question: Question, flags: ClientFlags) -> Known | None:
        del question, flags
        return None

    def fresh(self, question: Question) -> Entry | None:
        del question
        return None

    async def resolve(self, question: Question, flags: ClientFlags) -> Answer:
        self.asked.append((question, flags))
        self.was_asked.set()
        await trio.lowlevel.checkpoint()
        if names.is_at_or_below(question.name, b"\x03bug\0"):
            raise ZeroDivisionError("prepared")
        if names.is_at_or_below(question.name, b"\x04slow\0"):
            await self.released.wait()
        address = replace(rrset(".", "A", "192.0.2.1"), name=question.name)
        return self.prepared.get(question) or replace(answer_of(address), question=question)


@dataclass
class Doors:
    """A server that runs, its addresses by family (4 and 6), and what is behind it."""

    addresses: dict[int, HostAndPort]
    resolver: PreparedResolver
    handler: Handler
    stop: trio.Event

    @property
    def counters(self) -> Counters:
        return self.handler.counters


@asynccontextmanager
async def open_doors(limits: Limits | None = None) -> AsyncIterator[Doors]:
    """Serves on free ports of both loopback addresses until the block ends."""
    resolver = PreparedResolver()
    handler = Handler(resolver, SystemClock(), Counters(), limits)
    bound = bind([("127.0.0.1", 0), ("::1", 0)])
    addresses = {6 if ":" in door.address[0] else 4: door.address for door in bound.doors}
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, bound.doors, handler, stop)
        yield Doors(addresses, resolver, handler, stop)
        stop.set()
        resolver.released.set()


def make_query(name: str, rdtype: str = "A", **options: Any) -> dns.message.Message:
    return dns.message.make_query(name, rdtype, **options)


class Datagrams:
    """A client's UDP socket, connected to one server."""

    def __init__(self, address: HostAndPort) -> None:
        family = trio.socket.AF_INET6 if ":" in address[0] else trio.socket.AF_INET
        self._address = address
        self._socket = trio.socket.socket(family, trio.socket.SOCK_DGRAM)

    async def __aenter__(self) -> Self:
        await self._socket.connect(self._address)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._socket.close()

    async def send(self, message: bytes) -> None:
        await self._socket.send(message)

    def send_now(self, message: bytes) -> None:
        """Sends without letting anything else run."""
        with socket.socket(fileno=os.dup(self._socket.fileno())) as same:
            same.send(message)

    async def receive(self) -> bytes:
        with trio.fail_after(SOON):
            return await self._socket.recv(65535)

    async def ask(self, message: bytes) -> bytes:
        await self.send(message)
        return await self.receive()

    async def hears_nothing_for(self, seconds: float) -> bool:
        with trio.move_on_after(seconds):
            await self._socket.recv(65535)
            return False
        return True


class Stream:
    """A client's TCP connection."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.raw = stream
        self._buffer = b""

    @classmethod
    async def connect(cls, address: HostAndPort) -> "Stream":
        return cls(await trio.open_tcp_stream(*address))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.raw.aclose()

    async def send(self, *messages: bytes) -> None:
        await self.raw.send_all(b"".join(len(m).to_bytes(2) + m for m in messages))

    async def receive(self) -> bytes | None:
        """The next message; None where the connection has ended."""
        with trio.fail_after(SOON):
            head = await self._take(2)
            if not head:
                return None
            return await self._take(int.from_bytes(head))

    async def ask(self, message: bytes) -> bytes:
        await self.send(message)
        reply = await self.receive()
        assert reply is not None
        return reply

    async def _take(self, length: int) -> bytes:
        while len(self._buffer) < length:
            try:
                data = await self.raw.receive_some()
            except trio.BrokenResourceError:
                data = b""
            if not data:
                assert not self._buffer, "the connection ended inside a message"
                return b""
            self._buffer += data
        taken, self._buffer = self._buffer[:length], self._buffer[length:]
        return taken
