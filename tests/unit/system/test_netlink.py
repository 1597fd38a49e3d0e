"""Changes of the network as the kernel tells them, in a namespace of its own."""

import shutil
import subprocess
import sys

import pytest

from support.command import environment

SCRIPT = """
import subprocess, time, trio
from anchord.system import netlink

async def main():
    sock = netlink.open_socket()
    seen = []
    async def follow():
        async for _ in netlink.changes(sock):
            seen.append(time.monotonic())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow)
        await trio.sleep(0.2)
        started = time.monotonic()
        for command in ("link set lo up", "addr add 192.0.2.1/32 dev lo",
                        "route add 198.51.100.0/24 dev lo"):
            await trio.run_process(["ip", *command.split()])
        ended = time.monotonic()
        await trio.sleep(2)
        nursery.cancel_scope.cancel()
    print(len(seen), seen[0] - ended < 1.0)

trio.run(main)
"""


def test_r28_a_burst_of_changes_is_told_once_and_within_a_second() -> None:
    for program in ("unshare", "ip"):
        if shutil.which(program) is None:
            pytest.skip(f"not installed: {program}")
    ran = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    if "unshare failed" in ran.stderr:
        pytest.skip("this user may not make a network namespace")
    assert (ran.stdout, ran.stderr) == ("1 True\n", "")
