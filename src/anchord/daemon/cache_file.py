"""The file in which the cache is kept over a restart: read, replaced, removed.

It is a record of names, so it is its owner's alone (0600); one that others could have written is
not believed. It is replaced as a whole (written beside, synchronised, renamed), so that whatever
dies in the middle leaves the one before. What cannot be used is set aside, and one line says why.
Nothing here raises: a cache that cannot be kept is a slower start, and no more.
"""

import logging
import os
import stat
import threading
from contextlib import suppress
from pathlib import Path

from anchord.cache import persist
from anchord.cache.persist import Document, UnusableFileError

logger = logging.getLogger(__name__)

FILE_NAME = "answers"
ASIDE = "answers.unusable"
"""What an unusable file is called then; it takes the place of the one before it."""

_OPENING = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_CREATING = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)


def cache_folder() -> Path | None:
    """Where caches are kept: as a service manager says, else in the platform's place for them.

    None for a user without a home.
    """
    given = os.environ.get("CACHE_DIRECTORY", "").partition(":")[0]
    if given:
        return Path(given)
    import platformdirs

    with suppress(RuntimeError):
        return platformdirs.user_cache_path("anchord", appauthor=False)
    return None


class CacheFile:
    """The file in `folder`. May be used from several threads.

    `epoch` is how often it was removed: what was gathered before that must not be written after it.
    """

    def __init__(self, folder: Path) -> None:
        self.epoch = 0
        self._folder = folder
        self._path = folder / FILE_NAME
        self._replacing = threading.Lock()

    def read(self, limit: int) -> Document | None:
        """What the file says; None where there is none that can be used.

        One of more than `limit` octets was not written with these settings, and is not read.
        """
        try:
            self._sweep()
            return persist.read(_octets(self._path, limit))
        except FileNotFoundError:
            return None
        except UnusableFileError as error:
            self._set_aside(error.problem)
        except OSError as error:
            self._set_aside(error.strerror or str(error))
        return None

    def write(self, data: bytes, epoch: int) -> bool:
        """Replaces the file, unless it was removed since `epoch`; returns whether it did."""
        new = self._path.with_name(f"{FILE_NAME}.{os.getpid()}.new")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            new.unlink(missing_ok=True)
            with os.fdopen(os.open(new, _CREATING | _BINARY, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            with self._replacing:
                if self.epoch != epoch:
                    new.unlink()
                    return False
                new.replace(self._path)
            _synchronise(self._folder)
        except OSError as error:
            logger.warning("%s: the cache is not kept: %s", self._path, error.strerror or error)
            return False
        return True

    def remove(self) -> None:
        """Removes the file, and what there may be of earlier ones."""
        with self._replacing:
            self.epoch += 1
            try:
                self._path.unlink(missing_ok=True)
                self._path.with_name(ASIDE).unlink(missing_ok=True)
            except OSError as error:
                logger.warning("%s: cannot be removed: %s", self._path, error.strerror or error)

    def _sweep(self) -> None:
        """Removes what was left behind by processes that were killed while they wrote."""
        for leftover in self._folder.glob(f"{FILE_NAME}.*.new"):
            leftover.unlink(missing_ok=True)

    def _set_aside(self, problem: str) -> None:
        aside = self._path.with_name(ASIDE)
        try:
            self._path.replace(aside)
        except OSError as error:
            problem = f"{problem}; it cannot be set aside: {error.strerror or error}"
        logger.warning("%s: %s; the cache starts empty", self._path, problem, extra={"now": aside})


def _octets(path: Path, limit: int) -> bytes:
    """What is in a file that nobody else can have written. Raises UnusableFileError, OSError."""
    with os.fdopen(os.open(path, _OPENING | _BINARY), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise UnusableFileError("this is no file")
        if os.name == "posix" and found.st_uid != os.geteuid():
            raise UnusableFileError("the file is another user's")
        if os.name == "posix" and found.st_mode & 0o077:
            raise UnusableFileError("other users may read or write the file")
        if found.st_size > limit:
            raise UnusableFileError(f"the file has more than {limit} octets")
        return file.read()


def _synchronise(folder: Path) -> None:
    """Makes a rename in the folder last, where a system can be asked to."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
