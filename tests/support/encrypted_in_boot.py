"""The lab's resolver behind every encrypted transport; runs inside a booted system.

PYTHONPATH=/ python3 /encrypted.py    serves PORTS on 127.0.0.1; the authority is in /etc/anchord

It needs this folder as /support, for its servers.
"""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, "/usr/lib/anchord/site-packages")

import trio

from anchord.lab.world import World
from support.certificates import Issued, make
from support.stubborn import SERVERS, Asked

PORTS = {"tls": 5853, "https": 5443, "quic": 5853, "h3": 5444}


async def serve(folder: Path, authority: Issued) -> None:
    """Each answers as the world does."""
    world = World(int(time.time()))
    certificate = make(["127.0.0.1"], issuer=authority)

    async def answer(asked: Asked) -> None:
        await asked.reply(world.reply(asked.query, over_udp=False))

    async with trio.open_nursery() as nursery:
        for scheme, port in PORTS.items():
            server = SERVERS[scheme]((answer,), certificate, folder, port=port)
            await server.start(nursery)


if __name__ == "__main__":
    root = make(["An authority"], is_ca=True)
    with tempfile.TemporaryDirectory() as name:
        pem = root.write(Path(name)).read_bytes()
        Path("/etc/anchord/authority.pem").write_bytes(pem)
        trio.run(serve, Path(name), root)
