"""Kills a process at its every effect on a tree, and looks at what it leaves.

Before each effect (a file opened for writing, a rename, a link, a removal, a program run …) the
interpreter calls an audit hook. Here the hook looks whether resolv.conf is as it should be, and at
the effect with a given number it sends SIGKILL. The processes are forks, so that hundreds of points
take seconds; so this runs in a process of its own, without threads:

    python -m support.crashes TREE FOLDER
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree

from anchord.model import names
from anchord.system import detect, journal, service, takeover
from anchord.system.machine import Machine
from anchord.system.plan import Plan

from .trees import TREES, Tree, manifest

ADDRESSES = (("127.0.0.1", 53), ("::1", 53))

EFFECTS = frozenset(
    {
        "os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod",
        "os.utime", "subprocess.Popen",
    }
)  # fmt: skip
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def take_over(machine: Machine) -> None:
    """As `install` does it, between its proofs."""
    with journal.locked(machine):
        journal.recover(machine)
        plans = planned(machine)
        for plan in plans:
            journal.apply(machine, plan, follows=plans[-1].what)
        for plan in reversed(plans):
            journal.confirm(machine, plan.what)


def planned(machine: Machine) -> list[Plan]:
    """DNS, and before it the network's own names where it has any."""
    request = takeover.Request(
        addresses=ADDRESSES,
        zone=names.ROOT,
        executable=service.PACKAGED,
        with_service=False,
        in_place=detect.look(machine).is_mounted,
        consents=bool,
    )
    return takeover.plans(machine, request)


def give_back(machine: Machine) -> None:
    """As `uninstall` does it."""
    with journal.locked(machine):
        journal.recover(machine)
        journal.revert(machine, *journal.KINDS)


def recover(machine: Machine) -> None:
    """As every command does it that changes the system."""
    with journal.locked(machine):
        journal.recover(machine)


def _killed(tree: Tree, action: Callable[[Machine], None], point: int) -> bool:
    """Whether a fork that does `action` was killed at its effect number `point`."""
    child = os.fork()
    if child == 0:
        try:
            _die_at(tree, point)
            action(tree.machine)
        except BaseException as error:  # noqa: BLE001 - told by the status
            sys.stderr.write(f"point {point}: {error!r}\n")
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.waitstatus_to_exitcode(status) == 0
    return False


def _die_at(tree: Tree, point: int) -> None:
    count = 0
    is_there = tree.resolv_conf.exists()

    def before(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        writes = event == "open" and int(str(arguments[2])) & _WRITING
        if event not in EFFECTS and not writes:
            return
        if is_there:
            assert tree.resolv_conf.stat().st_size > 0, event
        count += 1
        if count > point:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(before)


def points(build: Callable[[Path], Tree], folder: Path, *, is_back: bool) -> int:
    """Tries every point of taking over, or of giving back; the number of them.

    Raises AssertionError where the tree is not what it was in the beginning after recovery.
    """
    point = 0
    while True:
        rmtree(folder, ignore_errors=True)
        folder.mkdir()
        tree = build(folder)
        if (tree.root / "run/systemd/system").is_dir():
            tree.put(f"{service.PACKAGED_UNIT_FOLDERS[0]}/{service.SERVICE}")
        before = manifest(tree)
        whole = {plan.what for plan in planned(tree.machine)}
        if is_back:
            take_over(tree.machine)
        if not _killed(tree, give_back if is_back else take_over, point):
            return point
        recover(tree.machine)
        left = {what for what in journal.KINDS if journal.is_applied(tree.machine, what)}
        if left:  # it was finished, or not yet begun to be taken back
            assert is_back or left == whole
            give_back(tree.machine)
        assert manifest(tree) == before, f"after a kill at effect {point}"
        point += 1


def main() -> None:
    """Prints the number of points, forth and back."""
    name, folder = sys.argv[1:]
    build = TREES[name]
    counts = [points(build, Path(folder), is_back=is_back) for is_back in (False, True)]
    sys.stdout.write(f"{counts[0]} {counts[1]}\n")


if __name__ == "__main__":
    main()
