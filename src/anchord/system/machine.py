"""The machine that is worked on: a tree of files, and the programs in it.

All of this room goes through a `Machine`. With another root than `/` the same code works on a tree
anywhere: paths are seen below it, links inside it lead to places inside it, and only programs that
lie in it are run. That is how an image is prepared, and how the tests try every crash.
"""

import os
import stat
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from .errors import SystemRefusal

PROGRAM_FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")

PATIENCE = 30.0
"""Seconds for a program to end: restarting a service takes a few, a hanging D-Bus has no end."""

MOST_LINKS = 16
"""Links followed one after the other; more are a loop."""


class Ran(msgspec.Struct, frozen=True):
    """A program that has ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def failure(self) -> str:
        """Why it failed, as far as it says so; empty where it did not."""
        last = "".join(self.stderr.strip().splitlines()[-1:])
        told = f" ({last})" if last else ""
        return f"failed with status {self.status}{told}" if self.status else ""


class Machine(msgspec.Struct, frozen=True):
    """A system by the folder that is its `/`."""

    root: Path = Path("/")

    @property
    def is_this_one(self) -> bool:
        """Whether it is the system that this process runs on."""
        return self.root == Path("/")

    def path(self, absolute: str) -> Path:
        """Where `absolute` of the system is for this process; a link at its end is not followed."""
        return self.root / absolute.lstrip("/")

    def real(self, absolute: str) -> Path:
        """As `path`, with links at its end followed, inside the tree."""
        path = absolute
        for _ in range(MOST_LINKS):
            here = self.path(path)
            if not here.is_symlink():
                return here
            path = os.path.normpath(Path(path).parent / here.readlink())
        raise SystemRefusal("links lead in a circle", where=absolute)

    def read(self, absolute: str) -> bytes | None:
        """The content of a file, None where there is none. Raises SystemRefusal."""
        try:
            return self.real(absolute).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise SystemRefusal(
                f"cannot be read: {error.strerror}", where=absolute, remedy="try with sudo"
            ) from None

    def text(self, absolute: str) -> str:
        """The content of a file, octets that are no UTF-8 replaced; empty where there is none."""
        return (self.read(absolute) or b"").decode(errors="replace")

    def exists(self, absolute: str) -> bool:
        """Whether something is there, be it a link that leads nowhere."""
        return os.path.lexists(self.path(absolute))

    def is_socket(self, absolute: str) -> bool:
        """Whether a Unix socket is there."""
        try:
            return stat.S_ISSOCK(self.real(absolute).stat().st_mode)
        except OSError:
            return False

    def files(self, folder: str) -> Iterator[str]:
        """The absolute paths of what lies in a folder, in order; nothing where there is none."""
        try:
            names = sorted(entry.name for entry in self.real(folder).iterdir())
        except OSError:
            return
        yield from (f"{folder}/{name}" for name in names)

    def program(self, name: str) -> str | None:
        """The absolute path of a program of the system."""
        for folder in PROGRAM_FOLDERS:
            if os.access(self.real(f"{folder}/{name}"), os.X_OK):
                return f"{folder}/{name}"
        return None

    def run(self, argv: Sequence[str], stdin: str = "", *, patience: float = PATIENCE) -> Ran:
        """Runs a program of the system to its end. Raises SystemRefusal where it has none such."""
        program = self.program(argv[0])
        if program is None:
            raise SystemRefusal("there is no such program", where=argv[0])
        try:
            ran = subprocess.run(  # noqa: S603 - the programs are named in this room
                [self.path(program), *argv[1:]],
                input=stdin,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=patience,
                check=False,
                env={"PATH": ":".join(PROGRAM_FOLDERS), "LC_ALL": "C"},
            )
        except subprocess.TimeoutExpired:
            return Ran(124, "", f"no end after {patience:.0f} s")
        except OSError as error:
            return Ran(127, "", error.strerror or str(error))
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    def says(self, *argv: str) -> str | None:
        """What a program prints, None where there is none such or it fails."""
        if self.program(argv[0]) is None:
            return None
        ran = self.run(argv, patience=5)
        return ran.stdout if ran.status == 0 else None
