"""The HTTP API on a free port, and a client that may send anything."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import h11
import trio

from anchord.api import connection
from anchord.api.calls import Api, Health
from anchord.api.limits import Limits
from anchord.dane.lookup import Resolves
from anchord.dane.pkix import Trust
from anchord.dane.probe import Prober
from anchord.model.clock import SystemClock
from anchord.server.binding import bind_stream
from anchord.server.counters import Counters
from anchord.server.handler import Handler, Pending, Resolver, Transport

from .dane import LIMITS, NO_TRUST

SOON = 5.0
"""Seconds that a test waits for what is due at once."""


@dataclass(frozen=True)
class Answered:
    """A reply as the client got it."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> tuple[int, str]:
        """What a problem document says, which this must be."""
        assert self.headers["content-type"] == "application/problem+json"
        assert self.json.keys() == {"type", "title", "status", "detail"}
        assert self.json["status"] == self.status
        return self.status, self.json["detail"]


@dataclass
class Client:
    """A program on this machine."""

    port: int
    api: Api
    stop: trio.Event = field(default_factory=trio.Event)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def get(self, target: str, **headers: str) -> Answered:
        return await self.request("GET", target, headers=headers)

    async def post(self, target: str, body: object, **headers: str) -> Answered:
        fields = {"content_type": "application/json"} | headers
        return await self.request("POST", target, json.dumps(body).encode(), fields)

    async def request(
        self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answered:
        """One request on a connection of its own; `_` in names of fields stands for `-`."""
        fields = {"host": self.host} | (headers or {})
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        if body:
            lines.append(f"content-length: {len(body)}")
        head = "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""])
        (answered,) = await self.raw(head.encode() + body, methods=(method,))
        return answered

    async def raw(self, octets: bytes, methods: Sequence[str] = ("GET",)) -> list[Answered]:
        """Whatever is sent, and the replies to requests of these methods."""
        async with await Wire.connect(self.port) as wire:
            await wire.stream.send_all(octets)
            return [await wire.reply(method) for method in methods]


class Wire:
    """A connection to the API."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._left = b""

    @classmethod
    async def connect(cls, port: int) -> "Wire":
        return cls(await trio.open_tcp_stream("127.0.0.1", port))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stream.aclose()

    async def reply(self, method: str = "GET") -> Answered:
        """The next reply; h11 reads it as a client would."""
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
        client.send(h11.EndOfMessage())
        if self._left:
            client.receive_data(self._left)
        status, headers, body = 0, {}, b""
        with trio.fail_after(SOON):
            while True:
                event = client.next_event()
                if event is h11.NEED_DATA:
                    client.receive_data(await self.stream.receive_some(65536))
                elif isinstance(event, h11.Response):
                    status = event.status_code
                    headers = {k.decode(): v.decode() for k, v in event.headers}
                elif isinstance(event, h11.Data):
                    body += event.data
                elif isinstance(event, h11.EndOfMessage):
                    self._left = client.trailing_data[0]
                    return Answered(status, headers, body)

    async def has_ended(self) -> bool:
        """Whether the server closes the connection, saying nothing more."""
        with trio.move_on_after(SOON):
            try:
                return not await self.stream.receive_some(1)
            except trio.BrokenResourceError:
                return True
        return False


@asynccontextmanager
async def open_api(
    resolver: Resolver | Resolves,
    *,
    limits: Limits | None = None,
    prober: Prober | None = None,
    may_connect: bool = True,
    trust: Trust = NO_TRUST,
    allowed_origins: frozenset[str] = frozenset(),
    port: int = 0,
) -> AsyncIterator[Client]:
    """Serves the API over this resolver until the block ends."""
    limits = limits or Limits()
    handler = Handler(resolver, SystemClock(), Counters())  # type: ignore[arg-type]

    async def exchange(query: bytes) -> bytes | None:
        received = handler.receive(query, Transport.TCP)
        if isinstance(received, Pending):
            return handler.render(received, await handler.resolve(received))
        return received

    api = Api(
        resolver=resolver,
        exchange=exchange,
        roots=lambda: trust,
        prober=(prober or Prober(LIMITS)) if may_connect else None,
        health=lambda: Health("ok", "0"),
        allowed_origins=allowed_origins,
        limits=limits,
    )
    sock = bind_stream(("127.0.0.1", port), "api")
    client = Client(sock.getsockname()[1], api)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.serve, sock, api, limits, client.stop)
        yield client
        client.stop.set()
