"""How long negative trust anchors hold: until their end, else for a week from their first load.

They are an expedient, and have to end (RFC 7646 section 2). When one without an end was seen first
is kept in the state directory, for each configuration file by itself: restarts and reloads do not
make the week longer. One that has left the file is forgotten, so that it may come back.
"""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from anchord.config.units import Moment, NegativeTrustAnchor
from anchord.dnssec.anchors import NegativeAnchor
from anchord.model import names

from .state_file import StateFile

logger = logging.getLogger(__name__)

WEEK = 7 * 86400
"""Seconds that a negative trust anchor without an end is in force (RFC 7646 section 2)."""

FILE_NAME = "negative-trust-anchors.json"

Seen: TypeAlias = dict[str, int]
"""When each name was seen first, in seconds since 1970."""


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
    state = StateFile(path, dict[str, Seen], "the weeks of negative trust anchors begin anew")
    kept = state.read() or {}
    before = kept.pop(file, {})
    seen = {name: min(now, before.get(name, now)) for name, now in loaded.items()}
    if seen != before:
        state.write(kept | ({file: seen} if seen else {}))
    return seen
