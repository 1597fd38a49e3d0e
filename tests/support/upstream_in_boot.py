"""The lab as the upstream of a booted system; runs inside, out of the installed package.

python3 /upstream.py world        the lab's resolver on 127.0.0.1:5300, with a configuration
python3 /upstream.py link ADDR    a link's own server on ADDR:53, for the names below corp.test;
                                  what it was asked is in /link.log
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, "/usr/lib/anchord/site-packages")

import dns.message
import dns.rcode
import dns.rrset
import trio

from anchord.lab.plan import Plan
from anchord.lab.servers import serve_plain
from anchord.lab.table import PLANS
from anchord.lab.world import World

CONFIGURATION = """\
[[upstream]]
url = "udp://127.0.0.1:5300"

[forward]
allow_plaintext = true

[dnssec]
trust_anchors = "/etc/anchord/lab.ds"
"""


def ssh_zones() -> Iterator[Plan]:
    """This system by two names: with the keys of its SSH server in DNS, and with wrong ones."""
    if shutil.which("ssh-keygen") is None:
        return
    argv = ["ssh-keygen", "-r", "@"]
    ran = subprocess.run(argv, check=True, capture_output=True, text=True, cwd="/")
    lines = ran.stdout.replace(" IN ", " ").splitlines()
    for zone, sshfp in (("ssh.lab.", lines), ("wrong.ssh.lab.", [f"{x[:-4]}0000" for x in lines])):
        yield Plan(zone, "a host with SSH", records="\n".join(["@ A 127.0.0.1", *sshfp]))


def prepare() -> World:
    """A world of now, and a configuration for it where there is none."""
    world = World(int(time.time()), plans=(*PLANS, *ssh_zones()))
    folder = Path("/etc/anchord")
    folder.mkdir(exist_ok=True)
    if not (folder / "anchord.toml").exists():
        (folder / "lab.ds").write_text(world.trust_anchors())
        (folder / "anchord.toml").write_text(CONFIGURATION)
    return world


async def serve_world(world: World) -> None:
    """As the upstream of the daemon."""
    async with serve_plain(world.reply, port=5300):
        await trio.sleep_forever()


def link_reply(wire: bytes) -> bytes:
    """192.0.2.99 for names below corp.test, NXDOMAIN for others; each is noted."""
    query = dns.message.from_wire(wire)
    name = query.question[0].name
    with Path("/link.log").open("a") as log:
        log.write(f"{name}\n")
    reply = dns.message.make_response(query)
    if name.is_subdomain(dns.name.from_text("corp.test.")):
        if query.question[0].rdtype == 1:
            reply.answer.append(dns.rrset.from_text(name, 60, "IN", "A", "192.0.2.99"))
    else:
        reply.set_rcode(dns.rcode.NXDOMAIN)
    return reply.to_wire()


async def serve_link(address: str) -> None:
    """Datagrams are enough for what it says."""
    with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sock:
        await sock.bind((address, 53))
        while True:
            wire, client = await sock.recvfrom(65535)
            await sock.sendto(link_reply(wire), client)


if __name__ == "__main__":
    if sys.argv[1] == "world":
        trio.run(serve_world, prepare())
    else:
        Path("/link.log").touch()
        trio.run(serve_link, sys.argv[2])
