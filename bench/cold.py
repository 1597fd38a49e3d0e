"""Names that nobody asked for yet, with the upstream at hand (0 ms) and far away (20 ms).

Every server is started anew in every round; it knows the root then, and later the four TLDs. The
upstream has all answers ready, so that its own time is small; what it is asked is counted.
"""

from collections.abc import Sequence

from . import load, machine, zones
from .measure import Results, percentile
from .rig import Rig
from .servers import Running

DELAYS = (0.0, 0.02)
"""Seconds between a query to the upstream and its reply."""

FAR = 0.02

_SIGNED = [place for place in zones.CROWD if place.is_signed]
_UNSIGNED = [place for place in zones.CROWD if not place.is_signed]
FIRST = _SIGNED[:4]
"""One zone of each TLD, whose names make the TLDs known."""
NEW = _SIGNED[4:44]
AT_ONCE = _SIGNED[44:94]
INSECURE = _UNSIGNED[:12]
LONELY = zones.ALONE[:30]


def measure(rig: Rig) -> Results:
    """Latencies, CPU time and upstream queries of each kind of cold question."""
    for place in (*FIRST, *NEW, *AT_ONCE, *INSECURE, *LONELY):
        rig.upstream.warm(place.questions("www", "mail"))
    results = Results()
    for delay in DELAYS:
        rig.upstream.delay(delay)
        for _ in range(rig.rounds):
            for server in rig.servers:
                with server.running(rig.folder, rig.upstream) as running:
                    _Session(rig, results, running, delay).run()
    rig.upstream.delay(0.0)
    return results


class _Session:
    """One server's share of a round."""

    def __init__(self, rig: Rig, results: Results, running: Running, delay: float) -> None:
        self._rig = rig
        self._results = results
        self._running = running
        self._is_far = delay == FAR
        self._where = f"{delay * 1000:.0f} ms"

    def run(self) -> None:
        new_tld, new_zone = ("≤ 0.28", "≤ 0.40") if self._is_far else ("", "≤ 1.0")
        self._one_by_one("new TLD and zone", LONELY, goal=new_tld)
        load.ask(self._running.address, _queries(FIRST))
        self._one_by_one("new zone", NEW, goal=new_zone, most=3)
        self._one_by_one("new unsigned zone", INSECURE, most=2)
        known = "" if self._is_far else "≤ 1.3"
        self._one_by_one("new name of a known zone", NEW, host="mail", goal=known)
        self._at_once()

    def _one_by_one(
        self,
        what: str,
        places: Sequence[zones.Place],
        *,
        host: str = "www",
        goal: str = "",
        most: int = 0,
    ) -> None:
        self._rig.upstream.queries()
        before = machine.cpu_seconds(self._running.pid)
        times = load.ask(self._running.address, _queries(places, host))
        spent = machine.cpu_seconds(self._running.pid) - before
        asked = self._rig.upstream.queries()
        name = self._running.name
        self._results.of(f"{what}, {self._where}, p50", goal=goal).add(name, percentile(times, 0.5))
        if not self._is_far:
            self._results.of(f"{what}, CPU").add(name, spent / len(places))
            queries = self._results.of(
                f"{what}, upstream queries", absolute="each", goal=f"≤ {most}" if most else ""
            )
            queries.add(name, asked / len(places))

    def _at_once(self) -> None:
        name = self._running.name
        before = machine.cpu_seconds(self._running.pid)
        times = load.ask(self._running.address, _queries(AT_ONCE), at_once=len(AT_ONCE))
        spent = machine.cpu_seconds(self._running.pid) - before
        what = f"{len(AT_ONCE)} new zones at once, {self._where}"
        self._results.of(f"{what}, p50").add(name, percentile(times, 0.5))
        p99 = self._results.of(f"{what}, p99", goal="≤ 0.5" if self._is_far else "")
        p99.add(name, percentile(times, 0.99))
        if not self._is_far:
            self._results.of(f"{what}, CPU").add(name, spent / len(times))


def _queries(places: Sequence[zones.Place], host: str = "www") -> list[bytes]:
    return [load.query(zones.question(place.name(host), "A")) for place in places]
