"""Signatures that do not hold now, or not for long."""

from anchord.lab.zones import Window, Zone
from anchord.model import rdtypes

from .registry import before_signing

DAY = 86400
"""Seconds."""


@before_signing
def expired(zone: Zone, *types: str) -> None:
    """Signatures ended yesterday."""
    _set_window(zone, types, Window(zone.now - 31 * DAY, zone.now - DAY))


@before_signing
def not_yet_valid(zone: Zone, *types: str) -> None:
    """Signatures begin tomorrow."""
    _set_window(zone, types, Window(zone.now + DAY, zone.now + 31 * DAY))


@before_signing
def expired_before_valid(zone: Zone, *types: str) -> None:
    """Signatures end two days before they begin."""
    _set_window(zone, types, Window(zone.now + DAY, zone.now - DAY))


@before_signing
def expires_in(zone: Zone, seconds: str, *types: str) -> None:
    """Signatures end in so many seconds; so many seconds ago if the number is negative."""
    _set_window(zone, types, Window(zone.now - DAY, zone.now + int(seconds)))


@before_signing
def begins_in(zone: Zone, seconds: str, *types: str) -> None:
    """Signatures begin in so many seconds."""
    _set_window(zone, types, Window(zone.now + int(seconds), zone.now + 31 * DAY))


def _set_window(zone: Zone, types: tuple[str, ...], window: Window) -> None:
    if not types:
        zone.window = window
    for rdtype in map(rdtypes.from_text, types):
        zone.windows[rdtype] = window
