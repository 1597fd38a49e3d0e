"""From the command to the first proven answer, an SOA record of the root zone."""

import subprocess
import sys
import time
from pathlib import Path

from . import load, machine, zones
from .measure import Results
from .rig import Rig
from .servers import ANCHORD, PERSISTENT, UNBOUND

BARE = "import trio, ssl, cryptography.hazmat.primitives.asymmetric.ec"
"""What anchord cannot do without: an interpreter that imports it is the least there can be."""

KEPT = zones.CROWD[:200]
"""The zones of the names that are kept over a restart, ten of each."""

_ABSOLUTE = "against a bare interpreter with trio"


def measure(rig: Rig) -> Results:
    """Each server is started anew in every round, anchord also with a cache that was kept."""
    home = rig.folder / "home"
    _fill(rig, home)
    results = Results()
    for _ in range(rig.rounds):
        bare = _bare()
        for server in rig.servers:
            with server.running(rig.folder, rig.upstream) as running:
                results.of("time").add(server.name, running.seconds)
                results.of("CPU time").add(server.name, machine.cpu_seconds(running.pid))
            if server is ANCHORD:
                ratio = results.of("time", absolute=_ABSOLUTE, goal="≤ 1.5")
                ratio.add(server.name, running.seconds / bare)
        seconds = _from_kept(rig, home)
        name = f"time with {len(KEPT) * len(zones.HOSTS):,} answers kept"
        results.of(name).add(ANCHORD.name, seconds)
        results.of(name).add(UNBOUND.name, results.of("time").values[UNBOUND.name][-1])
        ratio = results.of(name, absolute=_ABSOLUTE, goal="≤ 1.2")
        ratio.add(ANCHORD.name, seconds / bare)
    return results


def _fill(rig: Rig, home: Path) -> None:
    """Lets anchord keep a cache for its next start."""
    rig.upstream.warm(asked for place in KEPT for asked in place.questions(*zones.HOSTS))
    queries = [
        load.query(zones.question(place.name(host), "A")) for place in KEPT for host in zones.HOSTS
    ]
    with PERSISTENT.running(rig.folder, rig.upstream, home=home) as running:
        load.ask(running.address, queries, at_once=20)


def _from_kept(rig: Rig, home: Path) -> float:
    """Seconds to an answer that was kept. Raises Failed where the upstream was asked for it."""
    rig.upstream.queries()
    with PERSISTENT.running(rig.folder, rig.upstream, home=home) as running:
        if rig.upstream.queries():
            raise load.Failed("what was kept was asked for")
        return running.seconds


def _bare() -> float:
    """Seconds in which the interpreter imports the least that there can be, and ends."""
    begin = time.monotonic()
    core = str(machine.SERVER_CORE)
    subprocess.run(["taskset", "-c", core, sys.executable, "-c", BARE], check=True)
    return time.monotonic() - begin
