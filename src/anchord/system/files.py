"""Files that are changed so that no moment has a wrong state, and no power cut loses one.

The only code that makes, renames and removes files of the system. A new content is written beside
the old one, brought to the disk, and takes the name in one rename; what was there before can be
kept under a second name first, a hard link, so that its very inode comes back later.
"""

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path, PurePosixPath

from msgspec import Struct

MODE = 0o644
"""Of files that everybody reads; set outright, whatever the umask is."""


class Seen(Struct, frozen=True):
    """What was found at a path: `kind` is absent, file, link or other.

    `target` is a link's, `sha256` that of a file's content; the rest as in stat(2).
    """

    kind: str
    target: str = ""
    sha256: str = ""
    inode: int = 0
    mode: int = 0
    modified_ns: int = 0


def see(path: Path) -> Seen:
    """What is at `path`, a link itself and not what it leads to."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return Seen("absent")
    kind, target, sha256 = "other", "", ""
    if stat.S_ISLNK(found.st_mode):
        kind, target = "link", str(path.readlink())
    elif stat.S_ISREG(found.st_mode):
        kind, sha256 = "file", digest(path.read_bytes())
    return Seen(kind, target, sha256, found.st_ino, stat.S_IMODE(found.st_mode), found.st_mtime_ns)


def digest(content: bytes) -> str:
    """The SHA-256, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def put(path: Path, content: bytes, mode: int = MODE) -> None:
    """Makes the content the file at `path`, in one rename, and durable."""
    beside = _beside(path)
    beside.unlink(missing_ok=True)
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fchmod(fd, mode)
        os.fsync(fd)
    beside.rename(path)
    sync(path.parent)


def kept_name(path: str) -> str:
    """The second name for what is at `path`, while it is replaced."""
    original = PurePosixPath(path)
    return str(original.with_name(f".{original.name}.anchord-orig"))


def keep(path: Path, kept: Path) -> None:
    """Gives what is at `path`, itself a link perhaps, the second name `kept`, durably."""
    kept.unlink(missing_ok=True)
    os.link(path, kept, follow_symlinks=False)
    sync(path.parent)


def give_back(kept: Path, path: Path) -> None:
    """Makes what `keep` kept the file at `path` again: the same inode, in one rename."""
    kept.rename(path)
    kept.unlink(missing_ok=True)  # rename(2) does nothing where both are one inode already
    sync(path.parent)


def remove(path: Path) -> None:
    """Removes what is at `path`, if anything, durably."""
    with suppress(FileNotFoundError):
        path.unlink()
        sync(path.parent)


def sweep(path: Path) -> None:
    """Removes what a `put` that was killed left beside `path`."""
    remove(_beside(path))


def overwrite(path: Path, content: bytes) -> None:
    """Writes into the file that is there, where its name cannot be taken. Never empty meanwhile.

    A reader may see the new content with the end of the old one behind it, for a moment.
    """
    fd = os.open(path, os.O_WRONLY)
    try:
        os.pwrite(fd, content, 0)
        os.ftruncate(fd, len(content))
        os.fsync(fd)
    finally:
        os.close(fd)


def sync(folder: Path) -> None:
    """Brings a folder's names to the disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name.removeprefix('.')}.anchord-new")
