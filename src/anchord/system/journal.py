"""The journal: what is being done to the system, on disk before it is done.

    begin    the whole plan is on disk, state "applying"       then the first effect
    do       the count of steps done, after each of them
    keep     state "applied": it stays until somebody uninstalls
    revert   state "reverting"; every step that was begun is taken back, the last first;
             then the journal is removed

Plans that are done together stay together: all but the last one `follow` that one, and are in force
as soon as it is "applied".

A process may be killed anywhere. Whoever comes next calls `recover`: what is not "applied" is taken
back. The folder is root's alone and not the daemon's: root acts on what stands there.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from . import files
from .errors import SystemRefusal
from .machine import Machine
from .plan import Plan, Step

FOLDER = "/var/lib/anchord-install"

KINDS = ("dns", "names", "service")
"""What plans are for, in the order in which they are taken back: programs are led away from us
first."""

VERSION = 1

PATIENCE = 10.0
"""Seconds for another one to end. The unit that takes resolv.conf back needs about two."""

_AGAIN = 0.1
"""Seconds between two tries to get the lock."""


class Entry(Struct, frozen=True):
    """A plan with how far it has come. While it is being applied it `follows` another one."""

    plan: Plan
    state: str = "applying"
    done: int = 0
    follows: str = ""
    version: int = VERSION

    @property
    def is_applied(self) -> bool:
        """Whether it is in force, and not on its way there or back."""
        return self.state == "applied"


def read(machine: Machine, what: str) -> Entry | None:
    """The entry for `what` (one of KINDS), if there is one. Raises SystemRefusal."""
    content = machine.read(_name(what))
    if content is None:
        return None
    try:
        entry = msgspec.json.decode(content, type=Entry)
        if entry.version != VERSION:
            raise msgspec.ValidationError(f"its version is {entry.version}")
    except msgspec.MsgspecError as error:
        raise SystemRefusal(
            f"the journal cannot be read ({error})",
            where=_name(what),
            remedy="uninstall with the version of anchord that wrote it",
        ) from None
    return entry


def is_applied(machine: Machine, what: str) -> bool:
    """Whether `what` is in force."""
    entry = read(machine, what)
    return entry is not None and entry.is_applied


def apply(machine: Machine, plan: Plan, *, follows: str = "") -> None:
    """Does a plan, step by step; what was begun is taken back where one fails.

    The state stays "applying" until `confirm`. Raises SystemRefusal, OSError.
    """
    assert read(machine, plan.what) is None
    entry = Entry(plan, follows="" if follows == plan.what else follows)
    _write(machine, entry)
    try:
        for number, step in enumerate(plan.steps, start=1):
            step.do(machine)
            entry = structs.replace(entry, done=number)
            _write(machine, entry)
    except BaseException:
        revert(machine, plan.what)
        raise


def confirm(machine: Machine, what: str) -> None:
    """The plan has proved itself and stays."""
    entry = read(machine, what)
    assert entry is not None
    _write(machine, structs.replace(entry, state="applied"))


def revise(machine: Machine, what: str, old: Step, new: Step) -> None:
    """Writes down that a step of a plan in force is about to be another one."""
    entry = read(machine, what)
    assert entry is not None
    steps = tuple(new if step is old or step == old else step for step in entry.plan.steps)
    plan = structs.replace(entry.plan, steps=steps)
    _write(machine, structs.replace(entry, plan=plan))


def revert(machine: Machine, *kinds: str) -> list[str]:
    """Takes plans back, one after the other, as far as they were begun; returns notes for people.

    That all of them go is on disk before anything is done, the last one at the end: it is the
    service, which must not go while programs still ask it.
    """
    entries = [entry for what in kinds if (entry := read(machine, what)) is not None]
    for entry in entries:
        _write(machine, structs.replace(entry, state="reverting"))
    notes = []
    for entry in entries:
        begun = entry.plan.steps[: entry.done + 1]
        notes += [note for step in reversed(begun) for note in step.undo(machine)]
        files.remove(machine.path(_name(entry.plan.what)))
    return notes


def recover(machine: Machine) -> list[str]:
    """Takes back what a process that was killed left unfinished; returns notes for people."""
    notes = []
    if machine.path(FOLDER).is_dir():
        for what in KINDS:
            files.sweep(machine.path(_name(what)))
            entry = read(machine, what)
            if entry is None or entry.is_applied:
                continue
            if entry.state == "applying" and is_applied(machine, entry.follows):
                confirm(machine, what)
                continue
            verb = "taken back" if entry.state == "applying" else "finished"
            notes.append(f"an unfinished change of the system's {what} was {verb}")
            notes += revert(machine, what)
    return notes


@contextmanager
def locked(machine: Machine, *, patience: float = 0.0) -> Iterator[None]:
    """One process at a time changes the system. Raises SystemRefusal where another one does.

    The other one has `patience` seconds to come to an end. The folder is there inside, and goes at
    the end if nothing is in it but the lock.
    """
    folder = machine.path(FOLDER)
    lock = folder / "lock"
    deadline = time.monotonic() + patience
    while True:
        try:
            fd = _lock(folder, lock)
            break
        except _BusyError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(_AGAIN)
    try:
        yield
    finally:
        if [entry.name for entry in folder.iterdir()] == [lock.name]:
            lock.unlink()
            with suppress(OSError):
                folder.rmdir()
        os.close(fd)


class _BusyError(SystemRefusal):
    """Another process changes the system, or has just done so."""


def _lock(folder: Path, lock: Path) -> int:
    """The open lock file, with our number in it. Raises SystemRefusal."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise SystemRefusal(
            f"cannot be written: {error.strerror}", where=FOLDER, remedy="try with sudo"
        ) from None
    busy = ""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(fd, 32, 0).decode(errors="replace").strip() or "unknown"
        busy = f"another anchord is changing the system (process {holder})"
    else:
        if not _is_at(fd, lock):
            busy = "another anchord has just changed the system"
    if busy:
        os.close(fd)
        raise _BusyError(busy, remedy="wait for it to end, and try again")
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return fd


def _is_at(fd: int, path: Path) -> bool:
    """Whether the open file still has its name; whoever had the lock may have removed it."""
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False


def _name(what: str) -> str:
    return f"{FOLDER}/{what}.json"


def _write(machine: Machine, entry: Entry) -> None:
    path: Path = machine.path(_name(entry.plan.what))
    files.put(path, msgspec.json.encode(entry), 0o600)
