"""Counters of all parts, read at once.

Each part counts in plain integers of its own and says how to read them; nothing is done on the
path of a query beyond adding one.
"""

import os
from collections.abc import Callable, Mapping

from anchord import __version__
from anchord.model.clock import Clock

Section = Mapping[str, int | float | str]
"""The counts of one part by name."""


class Stats:
    """The sections of a snapshot; the daemon itself is the first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started = clock.monotonic()
        self._sections: dict[str, Callable[[], Section]] = {"daemon": self._daemon}
        self._groups: list[Callable[[], Mapping[str, Section]]] = []

    def add(self, name: str, read: Callable[[], Section]) -> None:
        """Adds a part; `read` is called for each snapshot."""
        assert name not in self._sections
        self._sections[name] = read

    def add_group(self, read: Callable[[], Mapping[str, Section]]) -> None:
        """Adds parts that come and go, by their names."""
        self._groups.append(read)

    def snapshot(self) -> dict[str, dict[str, int | float | str]]:
        """Every section with its counts."""
        sections = {name: dict(read()) for name, read in self._sections.items()}
        for group in self._groups:
            sections |= {name: dict(section) for name, section in group().items()}
        return sections

    def _daemon(self) -> Section:
        return {
            "version": __version__,
            "pid": os.getpid(),
            "uptime": int(self._clock.monotonic() - self._started),
        }
