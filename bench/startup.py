"""From the command to the first proven answer, an SOA record of the root zone.

Each start is made three times in a round, and the quickest counts: one that something else on the
machine has held up says nothing about it.
"""

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from . import load, machine, zones
from .measure import Results
from .rig import Rig
from .servers import ANCHORD, PERSISTENT, Server

BARE = "import trio, ssl, cryptography.hazmat.primitives.asymmetric.ec"
"""What anchord cannot do without: an interpreter that imports it is the least there can be."""

STARTS = 3
"""Of each server in a round."""

KEPT = zones.CROWD[:200]
"""The zones of the names that are kept over a restart, ten of each."""

Spent = tuple[float, float]
"""Seconds, and seconds of CPU."""


def measure(rig: Rig) -> Results:
    """Each server is started anew in every round, anchord also with a cache that was kept."""
    home = rig.folder / "home"
    _fill(rig, home)
    results = Results()
    for _ in range(rig.rounds):
        bare = _least(_bare)
        for server in rig.servers:
            spent = _least(partial(_start, rig, server))
            for what, value in zip(("time", "CPU time"), spent, strict=True):
                results.of(what).add(server.name, value)
            if server is ANCHORD:
                _compare(results, "", spent, bare, goal="≤ 1.5")
        kept = f" with {len(KEPT) * len(zones.HOSTS):,} answers kept"
        _compare(results, kept, _least(partial(_start_from_kept, rig, home)), bare, goal="≤ 1.2")
    return results


def _compare(results: Results, how: str, spent: Spent, bare: Spent, *, goal: str) -> None:
    """Anchord's start beside the least that there can be."""
    for what, value, least in zip(("time", "CPU time"), spent, bare, strict=True):
        ratio = results.of(
            f"{what}{how}",
            absolute="against a bare interpreter with trio",
            goal=goal if what == "time" else "",
        )
        ratio.add(ANCHORD.name, value / least)


def _least(start: Callable[[], Spent]) -> Spent:
    """The least time, and the least CPU time, of several starts."""
    times, cpu_times = zip(*(start() for _ in range(STARTS)), strict=True)
    return min(times), min(cpu_times)


def _start(rig: Rig, server: Server) -> Spent:
    """Until an answer of the upstream."""
    with server.running(rig.folder, rig.upstream) as running:
        return running.seconds, machine.cpu_seconds(running.pid)


def _start_from_kept(rig: Rig, home: Path) -> Spent:
    """Until an answer that was kept. Raises Failed where the upstream was asked for it."""
    rig.upstream.queries()
    with PERSISTENT.running(rig.folder, rig.upstream, home=home) as running:
        spent = running.seconds, machine.cpu_seconds(running.pid)
        if rig.upstream.queries():
            raise load.Failed("what was kept was asked for")
        return spent


def _bare() -> Spent:
    """Until the interpreter has imported the least that there can be, and has ended."""
    before, begin = _used_by_children(), time.monotonic()
    core = str(machine.SERVER_CORE)
    subprocess.run(["taskset", "-c", core, sys.executable, "-c", BARE], check=True)
    return time.monotonic() - begin, _used_by_children() - before


def _used_by_children() -> float:
    """Seconds of CPU of all that this process has started, and that has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _fill(rig: Rig, home: Path) -> None:
    """Lets anchord keep a cache for its next start."""
    rig.upstream.warm(asked for place in KEPT for asked in place.questions(*zones.HOSTS))
    queries = [
        load.query(zones.question(place.name(host), "A")) for place in KEPT for host in zones.HOSTS
    ]
    with PERSISTENT.running(rig.folder, rig.upstream, home=home) as running:
        load.ask(running.address, queries, at_once=20)
