"""The zones that are proven: a chain of trust is walked once, not once for each name.

Kept apart from the answers, since a zone's keys serve every name in it. Pure, as the store of
answers: `now_monotonic` are seconds of a clock that never jumps, for the TTLs of the proof;
`now_wall` are seconds since 1970, for the signatures that it rests on.
"""

from collections import OrderedDict
from typing import Generic, Protocol, TypeVar

from anchord.model.names import Name, ancestors, is_at_or_below

MAX_ZONES = 2048
"""Proven zones kept at most: more than a day of one user's browsing meets. With its keys and its
link of the chain a zone takes 2 to 4 KiB, all of them 4 to 8 MiB."""


class ProvenZone(Protocol):
    """What the cache must know of a zone's proof.

    `expires_in` is for how many seconds it may be kept, by the TTLs it rests on; `valid_until` the
    last second since 1970 at which all its signatures are valid.
    """

    @property
    def zone(self) -> Name:
        """The apex, as a key."""

    @property
    def expires_in(self) -> int:
        """Seconds."""

    @property
    def valid_until(self) -> int:
        """Seconds since 1970."""


Zone = TypeVar("Zone", bound=ProvenZone)


class ZoneCache(Generic[Zone]):
    """Proven zones by name, at most `limit` of them, the least recently used out first."""

    def __init__(self, limit: int = MAX_ZONES) -> None:
        self._limit = limit
        self._zones: OrderedDict[Name, tuple[Zone, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._zones)

    def closest(self, name: Name, now_monotonic: float, now_wall: int) -> Zone | None:
        """The deepest zone at or above the name whose proof still holds."""
        for ancestor in ancestors(name):
            known = self._zones.get(ancestor)
            if known is None:
                continue
            zone, expires_at = known
            if now_monotonic >= expires_at or now_wall > zone.valid_until:
                del self._zones[ancestor]
                continue
            self._zones.move_to_end(ancestor)
            return zone
        return None

    def find(self, name: Name, now_monotonic: float, now_wall: int) -> tuple[Zone, float] | None:
        """The proof of this very zone, if it still holds, and when it expires (monotonic)."""
        known = self._zones.get(name)
        if known is None or now_monotonic >= known[1] or now_wall > known[0].valid_until:
            return None
        return known

    def put(self, zone: Zone, now_monotonic: float) -> None:
        """Keeps the zone in place of what was known of it; not at all where it expires at once.

        The zones above it were used to prove it, so they count as used, too: the root and the
        TLDs stay as long as anything below them comes in.
        """
        self._zones.pop(zone.zone, None)
        if zone.expires_in <= 0:
            return
        self._zones[zone.zone] = (zone, now_monotonic + zone.expires_in)
        for ancestor in ancestors(zone.zone):
            if ancestor in self._zones:
                self._zones.move_to_end(ancestor)
        while len(self._zones) > self._limit:
            self._zones.popitem(last=False)

    def held(self) -> list[tuple[Zone, float]]:
        """Every zone and when it expires, by the clock that never jumps; some may have."""
        return list(self._zones.values())

    def flush(self, name: Name | None = None) -> int:
        """Forgets a zone and everything below it, or everything; tells how many went."""
        gone = [zone for zone in self._zones if name is None or is_at_or_below(zone, name)]
        for zone in gone:
            del self._zones[zone]
        return len(gone)
