"""Plans: what is to be done to the system, as data, one step after the other.

A step says what it does (`describe`), does it (`do`) and takes it back (`undo`). `undo` may be
called whether the step was done, half done or never begun, and any number of times: so recovery
need not know how far a killed process came. It touches only what is still ours, and returns notes
for people where something is not as it was left.
"""

import difflib
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import PurePosixPath
from typing import TypeAlias

from msgspec import Struct

from . import files
from .dns_steps import Leased, Record
from .errors import SystemRefusal
from .files import Seen
from .machine import Machine

MARK = "anchord"
"""A word in the first line of every file that is ours."""


class Folder(Struct, frozen=True, tag="folder"):
    """A folder that a file of ours needs and that is missing."""

    path: str

    def describe(self, machine: Machine) -> Iterator[str]:  # noqa: ARG002 - as the others
        """Lines for people."""
        yield f"make {self.path}/"

    def do(self, machine: Machine) -> None:
        """Makes it."""
        path = machine.path(self.path)
        path.mkdir(mode=0o755, exist_ok=True)
        files.sync(path.parent)

    def undo(self, machine: Machine) -> list[str]:
        """Removes it, unless somebody has put something there."""
        path = machine.path(self.path)
        with suppress(OSError):
            path.rmdir()
            files.sync(path.parent)
        return []

    def fault(self, machine: Machine) -> str:  # noqa: ARG002 - as the others
        """What is in it is looked at by itself."""
        return ""


class Belonging(Struct, frozen=True, tag="belonging"):
    """A file or folder that the service makes for itself: it goes with the service."""

    path: str

    def describe(self, machine: Machine) -> Iterator[str]:  # noqa: ARG002 - as the others
        """Lines for people."""
        yield f"{self.path} is the service's"

    def do(self, machine: Machine) -> None:
        """Nothing: the service manager makes it, for the service's user."""

    def undo(self, machine: Machine) -> list[str]:
        """Removes it with all that is in it; where it is a link, the link alone."""
        path = machine.path(self.path)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)  # which no link in it leads astray
            files.sync(path.parent)
        else:
            files.remove(path)
        return []

    def fault(self, machine: Machine) -> str:  # noqa: ARG002 - as the others
        """What is in it is the service's business."""
        return ""


class OwnFile(Struct, frozen=True, tag="own-file"):
    """A file that only anchord has."""

    path: str
    content: str
    mode: int = files.MODE

    def describe(self, machine: Machine) -> Iterator[str]:
        """Lines for people."""
        yield f"write {self.path}"
        yield from _difference(machine.text(self.path), self.content)

    def do(self, machine: Machine) -> None:
        """Writes it. Raises SystemRefusal where a file of somebody else has the name."""
        path = machine.path(self.path)
        if files.see(path).kind != "absent" and not _is_marked(machine.text(self.path)):
            raise SystemRefusal(
                "is there already and is not anchord's", where=self.path, remedy="move it away"
            )
        files.put(path, self.content.encode(), self.mode)

    def undo(self, machine: Machine) -> list[str]:
        """Removes it; an edited one is kept beside."""
        path = machine.path(self.path)
        notes = []
        if path.parent.is_dir():
            files.sweep(path)
        seen = files.see(path)
        if seen.sha256 == files.digest(self.content.encode()):
            files.remove(path)
        elif seen.kind != "absent" and _is_marked(machine.text(self.path)):
            saved = f"{self.path}.anchord-save"
            path.rename(machine.path(saved))
            files.sync(path.parent)
            notes.append(f"{self.path} had been edited and is now {saved}")
        return notes

    def fault(self, machine: Machine) -> str:
        """What is not as it was left, empty where all is."""
        content = machine.read(self.path)
        if content is None:
            return f"{self.path} is gone"
        return "" if content == self.content.encode() else f"{self.path} has been changed"


class ReplaceFile(Struct, frozen=True, tag="replace-file"):
    """A file that is somebody else's, replaced; what was there waits as a hard link in `kept`.

    `block` are lines of ours inside the content, which are taken out where the file was edited
    meanwhile; without them an edited file is nobody's business any more, and left alone.
    """

    path: str
    content: str
    before: Seen
    block: str = ""

    @property
    def kept(self) -> str:
        """The second name of the original."""
        return files.kept_name(self.path)

    def describe(self, machine: Machine) -> Iterator[str]:
        """Lines for people."""
        link = f", a link to {self.before.target}" if self.before.kind == "link" else ""
        original = "" if self.before.kind == "absent" else f"; the original is kept as {self.kept}"
        yield f"replace {self.path}{link}{original}"
        yield from _difference(machine.text(self.path), self.content)

    def do(self, machine: Machine) -> None:
        """Keeps the original and takes its name. Raises SystemRefusal, OSError."""
        path = machine.path(self.path)
        if files.see(path) != self.before:
            raise SystemRefusal(
                "has been changed while it was looked at", where=self.path, remedy="try again"
            )
        if self.before.kind != "absent":
            files.keep(path, machine.path(self.kept))
        is_edited = bool(self.block) and self.before.kind == "file"
        files.put(path, self.content.encode(), self.before.mode if is_edited else files.MODE)

    def undo(self, machine: Machine) -> list[str]:
        """Gives the original back, unless the file is not ours any more."""
        path, kept = machine.path(self.path), machine.path(self.kept)
        if not path.parent.is_dir():
            return []
        files.sweep(path)
        seen = files.see(path)
        is_ours = seen.kind == "file" and seen.sha256 == files.digest(self.content.encode())
        if is_ours or seen.kind == "absent":
            if files.see(kept).kind != "absent":
                files.give_back(kept, path)
            elif is_ours and self.before.kind == "absent":
                files.remove(path)
            return []
        notes = []
        if seen.inode != self.before.inode:
            notes.append(f"{self.path} has been rewritten since by somebody else, and is left so")
            text = machine.text(self.path)
            if self.block and self.block in text:
                files.put(path, text.replace(self.block, "").encode(), seen.mode)
                notes = [f"{self.path} had been edited; only anchord's lines were taken out"]
        files.remove(kept)
        return notes

    def fault(self, machine: Machine) -> str:
        """What is not as it was left, empty where all is."""
        if machine.read(self.path) == self.content.encode():
            return ""
        if self.block and self.block in machine.text(self.path):
            return ""
        return f"{self.path} has been changed by somebody else"


class Overwrite(Struct, frozen=True, tag="overwrite"):
    """A file whose name cannot be taken (it is mounted there): its bytes are written over.

    They wait in the journal. Readers may see a mixture for a moment.
    """

    path: str
    content: str
    before: Seen
    original: bytes

    def describe(self, machine: Machine) -> Iterator[str]:
        """Lines for people."""
        yield f"write into {self.path}; the original bytes are kept in the journal"
        yield from _difference(machine.text(self.path), self.content)

    def do(self, machine: Machine) -> None:
        """Writes. Raises OSError."""
        files.overwrite(machine.real(self.path), self.content.encode())

    def undo(self, machine: Machine) -> list[str]:
        """Writes the original bytes and time, unless the content is not ours any more.

        One content with the end of the other behind it is ours as well: a write that was killed.
        """
        path = machine.real(self.path)
        now, ours = path.read_bytes(), self.content.encode()
        half_done = ours + self.original[len(ours) :]
        half_undone = self.original + ours[len(self.original) :]
        if now not in {ours, half_done, half_undone, self.original}:
            return [f"{self.path} has been rewritten since, and is left so"]
        if now != self.original:
            files.overwrite(path, self.original)
        os.utime(path, ns=(self.before.modified_ns, self.before.modified_ns))
        return []

    def fault(self, machine: Machine) -> str:
        """What is not as it was left, empty where all is."""
        ours = machine.read(self.path) == self.content.encode()
        return "" if ours else f"{self.path} has been changed by somebody else"


class Command(Struct, frozen=True, tag="command"):
    """A program of the system that makes a change take effect: when doing, undoing, or both.

    A step that only undoes stands before the steps whose taking back it must follow.
    """

    on_do: tuple[str, ...] = ()
    on_undo: tuple[str, ...] = ()
    stdin: str = ""
    """For `on_do`."""

    def describe(self, machine: Machine) -> Iterator[str]:  # noqa: ARG002 - as the others
        """Lines for people."""
        if self.on_do:
            yield f"run {' '.join(self.on_do)}"
            yield from (f"    {line}" for line in self.stdin.splitlines())

    def do(self, machine: Machine) -> None:
        """Runs it. Raises SystemRefusal where it fails."""
        if self.on_do:
            ran = machine.run(self.on_do, self.stdin)
            if ran.failure:
                raise SystemRefusal(ran.failure, where=" ".join(self.on_do))

    def undo(self, machine: Machine) -> list[str]:
        """Runs the other one; a failure is told and not in the way of the rest."""
        if not self.on_undo:
            return []
        if machine.program(self.on_undo[0]) is None:
            return [f"{self.on_undo[0]} is gone: {' '.join(self.on_undo)} was not run"]
        ran = machine.run(self.on_undo)
        return [f"{' '.join(self.on_undo)}: {ran.failure}"] if ran.failure else []

    def fault(self, machine: Machine) -> str:  # noqa: ARG002 - as the others
        """A command leaves nothing that could be looked at."""
        return ""


class Unit(Struct, frozen=True, tag="unit"):
    """A unit of systemd's that runs as long as the plan is in force. It need not be enabled."""

    name: str

    def describe(self, machine: Machine) -> Iterator[str]:  # noqa: ARG002 - as the others
        """Lines for people."""
        yield f"start {self.name}"

    def do(self, machine: Machine) -> None:
        """Starts it, however often it has failed before. Raises SystemRefusal."""
        self._forgotten.do(machine)
        Command(on_do=("systemctl", "start", self.name)).do(machine)

    def undo(self, machine: Machine) -> list[str]:
        """Stops it, and leaves no trace of its failures."""
        notes = Command(on_undo=("systemctl", "stop", self.name)).undo(machine)
        return notes + self._forgotten.undo(machine)

    def fault(self, machine: Machine) -> str:
        """What is not as it was left, empty where all is."""
        is_active = machine.says("systemctl", "is-active", self.name) is not None
        return "" if is_active else f"{self.name} does not run any more"

    @property
    def _forgotten(self) -> Command:
        """A pattern, since a unit that systemd does not have at hand would be an error."""
        argv = ("systemctl", "reset-failed", f"{self.name.partition('.')[0]}.*")
        return Command(on_do=argv, on_undo=argv)


Step: TypeAlias = (
    Folder | Belonging | OwnFile | ReplaceFile | Overwrite | Record | Leased | Command | Unit
)


class Plan(Struct, frozen=True):
    """What makes anchord the system's `what` (see `journal.KINDS`), by whose means, and why so.

    `reasons` are the facts that decided; `notes` is what people must know and no step can do.
    """

    what: str
    backend: str
    reasons: tuple[tuple[str, str], ...]
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()

    def describe(self, machine: Machine) -> Iterator[str]:
        """Lines for people: `--dry-run`."""
        yield f"{self.what}: {self.backend}"
        yield "  because " + " ".join(f"{fact}={value}" for fact, value in self.reasons)
        for step in self.steps:
            yield from (f"  {line}" for line in step.describe(machine))
        yield from (f"  note: {note}" for note in self.notes)


def own_file(machine: Machine, path: str, content: str, mode: int = files.MODE) -> list[Step]:
    """The steps: folders that are missing now, then the file."""
    assert _is_marked(content)
    return [*folders(machine, path), OwnFile(path, content, mode)]


def folders(machine: Machine, path: str) -> list[Step]:
    """Those above `path` that are missing now."""
    above = [str(folder) for folder in PurePosixPath(path).parents]
    return [Folder(folder) for folder in reversed(above) if not machine.exists(folder)]


def _is_marked(text: str) -> bool:
    return MARK in text.partition("\n")[0] or MARK in "\n".join(text.splitlines()[:3])


def _difference(before: str, after: str) -> Iterator[str]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    yield from (f"    {line}" for line in list(lines)[2:] if not line.startswith("@@"))
