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


OVERRUN = """
import errno, socket, subprocess, trio
from anchord.system import netlink

async def main():
    told, other = netlink.open_socket(), netlink.open_socket()
    for sock in (told, other):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # the least there is
    commands = "".join(f"addr add 192.0.2.{number}/32 dev lo\\n" for number in range(1, 200))
    await trio.run_process(["ip", "-batch", "-"], stdin=commands.encode())
    reasons = []
    try:
        while True:
            other.recv(65536)
    except OSError as error:
        reasons.append(errno.errorcode[error.errno])
    seen = 0
    with trio.fail_after(30):
        async for _ in netlink.changes(told):
            seen += 1
            if seen == 2:
                break
            await trio.run_process(["ip", "link", "set", "lo", "up"])
    print(reasons, seen)

trio.run(main)
"""


def in_a_network_of_its_own(script: str) -> str:
    """What a script prints there; skips where there is none to be had."""
    for program in ("unshare", "ip"):
        if shutil.which(program) is None:
            pytest.skip(f"not installed: {program}")
    ran = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    if "unshare failed" in ran.stderr:
        pytest.skip("this user may not make a network namespace")
    assert ran.stderr == ""
    return ran.stdout


def test_r28_a_burst_of_changes_is_told_once_and_within_a_second() -> None:
    assert in_a_network_of_its_own(SCRIPT) == "1 True\n"


def test_r28_changes_that_the_kernel_could_not_keep_are_told_as_one_and_later_ones_too() -> None:
    """The script has two sockets: one shows what the other one has to bear."""
    assert in_a_network_of_its_own(OVERRUN) == "['ENOBUFS'] 2\n"
