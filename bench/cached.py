"""Answers from the cache: how many a second, at what CPU time, and how soon.

A thousand names of a hundred zones are asked in turn, with EDNS and without DO. Every server runs
all the time; in each round each is asked in turn, first by as many queries at once, then by few,
then at a fixed rate. Beside them runs an anchord without batches of datagrams, as it is on systems
that are not Linux.
"""

from contextlib import ExitStack

from . import load, machine, zones
from .measure import Results, percentile
from .rig import Rig
from .servers import ANCHORD, PORTABLE, UNBOUND, Running

ZONES = 100
MANY, FEW = 128, 4
"""Queries that are outstanding at once."""

RATE = 5000
"""Queries a second, where they come at a fixed rate."""


def measure(rig: Rig) -> Results:
    """All of that, `rig.rounds` times."""
    results = Results()
    places = zones.CROWD[:ZONES]
    rig.upstream.warm(asked for place in places for asked in place.questions(*zones.HOSTS))
    queries = [
        load.query(zones.question(place.name(host), "A"))
        for place in places
        for host in zones.HOSTS
    ]
    with ExitStack() as stack:
        running = [
            stack.enter_context(server.running(rig.folder, rig.upstream)) for server in rig.servers
        ]
        portable = stack.enter_context(PORTABLE.running(rig.folder, rig.upstream))
        for server in (*running, portable):
            load.ask(server.address, queries, at_once=20)
        for _ in range(rig.rounds):
            for server in running:
                _measure(rig, results, server, queries)
            _measure_portable(rig, results, portable, queries)
    return results


def _measure(rig: Rig, results: Results, server: Running, queries: list[bytes]) -> None:
    for outstanding, goals in ((MANY, ("≥ 1.2", "≤ 0.85")), (FEW, ("≥ 0.8", ""))):
        rate, cpu = _blast(rig, server, queries, outstanding)
        with_so_many = f"{outstanding} outstanding"
        results.of(f"answers per second, {with_so_many}", goal=goals[0]).add(server.name, rate)
        results.of(f"CPU per answer, {with_so_many}", goal=goals[1]).add(server.name, cpu)
    times, _ = load.paced(server.address, queries, RATE, rig.seconds)
    results.of(f"p50 at {RATE} a second", goal="≤ 1.5").add(server.name, percentile(times, 0.5))
    results.of(f"p99 at {RATE} a second").add(server.name, percentile(times, 0.99))


def _measure_portable(rig: Rig, results: Results, server: Running, queries: list[bytes]) -> None:
    """In anchord's column: it is the same program, with a goal of its own."""
    rate, cpu = _blast(rig, server, queries, MANY)
    for what, value, goal in (("answers per second", rate, "≥ 0.7"), ("CPU per answer", cpu, "")):
        others = results.of(f"{what}, {MANY} outstanding").values[UNBOUND.name]
        measure = results.of(f"{what}, {MANY} outstanding, portable loop", goal=goal)
        measure.add(ANCHORD.name, value)
        measure.add(UNBOUND.name, others[-1])


def _blast(
    rig: Rig, server: Running, queries: list[bytes], outstanding: int
) -> tuple[float, float]:
    """Answers a second, and seconds of CPU for each. Raises Failed where they are not right."""
    before = machine.cpu_seconds(server.pid)
    count = load.Blast(server.address, queries, outstanding).run(rig.seconds)
    spent = machine.cpu_seconds(server.pid) - before
    if count.failed or count.lost > count.replies / 1000:
        raise load.Failed(f"{server.name}: {count}")
    return count.replies / count.seconds, spent / count.replies
