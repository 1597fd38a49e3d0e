"""How long negative trust anchors hold: until their end, else for a week from their first load.

They are an expedient, and have to end (RFC 7646 section 2). When one without an end was seen first
is kept in the state directory, for each configuration file by itself: restarts and reloads do not
make the week longer. One that has left the file is forgotten, so that it may come back.
"""

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

import msgspec

from anchord.config.units import Moment, NegativeTrustAnchor
from anchord.dnssec.anchors import NegativeAnchor
from anchord.model import names

logger = logging.getLogger(__name__)

WEEK = 7 * 86400
"""Seconds that a negative trust anchor without an end is in force (RFC 7646 section 2)."""

FILE_NAME = "negative-trust-anchors.json"

Seen: TypeAlias = dict[str, int]
"""When each name was seen first, in seconds since 1970."""


def state_folder() -> Path:
    """Where state is kept: as a service manager says, else in the platform's place for it."""
    given = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if given:
        return Path(given)
    import platformdirs

    return platformdirs.user_state_path("anchord", appauthor=False)


def negative_anchors(
    configured: Iterable[NegativeTrustAnchor], file: Path, folder: Path | None, now: int
) -> list[NegativeAnchor]:
    """The anchors of the configuration in `file` with their ends; those that are over are told.

    With no `folder` nothing is remembered, and the week begins now. `now` is in seconds since 1970.
    """
    configured = list(configured)
    endless = {names.to_text(anchor.name): now for anchor in configured if anchor.until is None}
    if folder is not None:
        endless = _remembered(endless, folder / FILE_NAME, str(file.absolute()))
    found = []
    for anchor in configured:
        text = names.to_text(anchor.name)
        until = endless[text] + WEEK if anchor.until is None else anchor.until
        found.append(NegativeAnchor(anchor.name, until))
        if until <= now:
            logger.warning(
                'the negative trust anchor of %s ended at %s; "%s until TIME" makes another',
                text,
                Moment(until),
                text,
            )
    return found


def _remembered(loaded: Seen, path: Path, file: str) -> Seen:
    """The same names with the times that were kept for them, where these are earlier."""
    kept = _read(path)
    before = kept.pop(file, {})
    seen = {name: min(now, before.get(name, now)) for name, now in loaded.items()}
    if seen != before:
        _write(path, kept | ({file: seen} if seen else {}))
    return seen


def _read(path: Path) -> dict[str, Seen]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Seen])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError) as error:
        logger.warning("%s: cannot be read, and is made anew: %s", path, error)
        return {}


def _write(path: Path, kept: dict[str, Seen]) -> None:
    """Replaces the file as a whole, or leaves it as it was."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = path.with_name(f"{FILE_NAME}.{os.getpid()}")
        new.touch(mode=0o600)
        new.write_bytes(msgspec.json.encode(kept))
        new.replace(path)
    except OSError as error:
        logger.warning("%s: the weeks of negative trust anchors begin anew: %s", path, error)
