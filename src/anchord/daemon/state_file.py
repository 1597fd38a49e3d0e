"""Small files of state: where they are kept, read as a whole, replaced as a whole.

Nothing here raises: what cannot be read is made anew, what cannot be written is not kept, and one
line says so.
"""

import logging
import os
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

logger = logging.getLogger(__name__)

T = TypeVar("T")


def state_folder() -> Path:
    """Where state is kept: as a service manager says, else in the platform's place for it."""
    given = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if given:
        return Path(given)
    import platformdirs

    return platformdirs.user_state_path("anchord", appauthor=False)


class StateFile(Generic[T]):
    """A file of JSON. `kind` is what is in it, `loss` what it means if that cannot be written."""

    def __init__(self, path: Path, kind: type[T], loss: str) -> None:
        self._path = path
        self._kind = kind
        self._loss = loss

    def read(self) -> T | None:
        """What is in it; None where there is nothing that can be used."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=self._kind)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            logger.warning("%s: cannot be read, and is made anew: %s", self._path, error)
            return None

    def write(self, content: T) -> None:
        """Replaces the file as a whole, or leaves it as it was."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = self._path.with_name(f"{self._path.name}.{os.getpid()}")
            new.touch(mode=0o600)
            new.write_bytes(msgspec.json.encode(content))
            new.replace(self._path)
        except OSError as error:
            logger.warning("%s: %s: %s", self._path, self._loss, error)
