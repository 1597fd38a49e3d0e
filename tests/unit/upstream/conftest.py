"""What the tests of encrypted transports share: a certificate, servers, and upstreams."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
from msgspec.structs import replace

from anchord.upstream.base import UpstreamError
from anchord.upstream.build import build_upstreams
from anchord.upstream.shared import SharedUpstream
from anchord.upstream.url import parse
from support.certificates import Issued, make
from support.stubborn import SERVERS, Conduct, Server

NAME = "dns.example"
LIMIT = 10.0
"""Seconds for a test: nothing hangs."""


class Stage:
    """Servers that behave as a test says, and upstreams that ask them."""

    def __init__(self, folder: Path, nursery: trio.Nursery) -> None:
        self.folder = folder
        self.nursery = nursery
        self.ca = make(["Test CA"], is_ca=True)
        self.ca_file = str(self.ca.write(folder))
        self.upstreams: list[SharedUpstream] = []

    async def server(
        self, scheme: str, *conducts: Conduct, certificate: Issued | None = None, **options: Any
    ) -> Any:
        certificate = certificate or make([NAME, "127.0.0.1"], issuer=self.ca)
        server: Server = SERVERS[scheme](conducts, certificate, self.folder, **options)
        await server.start(self.nursery)
        return server

    def upstream(
        self,
        scheme: str,
        port: int,
        *,
        name: str = NAME,
        early_data: bool = False,
        chain_hashes: Sequence[str] = (),
        **table: Any,
    ) -> SharedUpstream:
        table = {"addresses": ["127.0.0.1"], "ca_file": self.ca_file} | table
        endpoint = parse(f"{scheme}://{name}:{port}", **table)
        endpoint = replace(endpoint, chain_hashes=tuple(chain_hashes))
        (made,) = build_upstreams([endpoint], self.nursery, early_data=early_data)
        assert isinstance(made, SharedUpstream)
        self.upstreams.append(made)
        return made

    async def ask(self, scheme: str, *conducts: Conduct, **options: Any) -> Any:
        """A server, and an upstream that asks it."""
        server = await self.server(scheme, *conducts, **options)
        return server, self.upstream(scheme, server.port)


@pytest.fixture
async def stage(tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path, nursery)
    with trio.fail_after(LIMIT):
        yield stage
        for upstream in stage.upstreams:
            await upstream.aclose()


async def gather(upstream: SharedUpstream, *asked: bytes) -> list[bytes | UpstreamError]:
    """What became of several queries that are asked at once."""
    results: dict[int, bytes | UpstreamError] = {}

    async def one(index: int, query: bytes) -> None:
        try:
            results[index] = await upstream.exchange(query)
        except UpstreamError as error:
            results[index] = error

    async with trio.open_nursery() as nursery:
        for index, query in enumerate(asked):
            nursery.start_soon(one, index, query)
    return [results[index] for index in range(len(asked))]


async def end(upstream: SharedUpstream) -> None:
    """Ends the open connection in order."""
    assert upstream._current is not None
    upstream._current.retire()
    while upstream._current is not None:
        await trio.lowlevel.checkpoint()
