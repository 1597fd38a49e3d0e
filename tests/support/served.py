"""The lab's world behind sockets, with the files that a daemon needs to use it."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from anchord.lab.certificates import CertificateAuthority, server_context
from anchord.lab.servers import Asked, Behave, honestly, serve_plain, serve_tls
from anchord.lab.world import World
from anchord.lab.zones import NAME_SERVER_ADDRESS

from . import background


@dataclass(frozen=True)
class Served:
    """A world that a daemon may use for its upstream.

    `plain_port` serves UDP and TCP, `tls_port` DNS over TLS; `log` notes what either was asked.
    """

    world: World
    ca_file: Path
    anchor_file: Path
    plain_port: int
    tls_port: int
    log: list[Asked] = field(default_factory=list)

    @property
    def tls(self) -> dict[str, object]:
        """The keys of an `[[upstream]]`."""
        return {"url": f"tls://127.0.0.1:{self.tls_port}", "ca_file": str(self.ca_file)}

    @property
    def udp(self) -> str:
        """The URL of an upstream."""
        return f"udp://127.0.0.1:{self.plain_port}"

    @property
    def dnssec(self) -> dict[str, object]:
        """The keys of `[dnssec]`."""
        return {"trust_anchors": str(self.anchor_file)}


@contextmanager
def served_world(folder: Path, *, behave: Behave = honestly) -> Iterator[Served]:
    """Serves a world of now, as a recursive resolver would that validates nothing."""
    with background.running(_served(folder, behave)) as served:
        yield served


@contextmanager
def authorities(world: World) -> Iterator[str]:
    """Serves its zones as their name server does; yields its address. The port is 53."""
    serving = serve_plain(world.authoritative_reply, address=NAME_SERVER_ADDRESS, port=53)
    with background.running(serving):
        yield NAME_SERVER_ADDRESS


@asynccontextmanager
async def _served(folder: Path, behave: Behave) -> AsyncIterator[Served]:
    world = World(int(time.time()))
    authority = CertificateAuthority()
    ca_file, anchor_file = folder / "ca.pem", folder / "root.ds"
    ca_file.write_bytes(authority.pem)
    anchor_file.write_text(world.trust_anchors(), encoding="utf-8")
    log: list[Asked] = []
    context = server_context(authority.issue())
    async with AsyncExitStack() as stack:
        plain_port = await stack.enter_async_context(
            serve_plain(world.reply, log=log, behave=behave)
        )
        tls_port = await stack.enter_async_context(
            serve_tls(world.reply, context=context, log=log, behave=behave)
        )
        yield Served(world, ca_file, anchor_file, plain_port, tls_port, log)
