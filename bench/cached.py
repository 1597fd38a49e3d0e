"""Answers from the cache: how many a second, at what CPU time, and how soon.

A thousand names of a hundred zones are asked in turn, with EDNS and without DO. Every server runs
all the time; in each round each is asked in turn, first by as many queries at once, then by few,
then at a fixed rate.
"""

from contextlib import ExitStack

from . import load, machine, zones
from .measure import Results, percentile
from .rig import Rig
from .servers import Running

ZONES = 100
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
        for server in running:
            load.ask(server.address, queries, at_once=20)
        for _ in range(rig.rounds):
            for server in running:
                _blast(rig, results, server, queries)
    return results


def _blast(rig: Rig, results: Results, server: Running, queries: list[bytes]) -> None:
    for outstanding, goals in ((128, ("≥ 1.2", "≤ 0.85")), (4, ("≥ 0.8", ""))):
        before = machine.cpu_seconds(server.pid)
        count = load.Blast(server.address, queries, outstanding).run(rig.seconds)
        spent = machine.cpu_seconds(server.pid) - before
        if count.failed or count.lost > count.replies / 1000:
            raise load.Failed(f"{server.name}: {count}")
        with_so_many = f"{outstanding} outstanding"
        rate = results.of(f"answers per second, {with_so_many}", goal=goals[0])
        rate.add(server.name, count.replies / count.seconds)
        cpu = results.of(f"CPU per answer, {with_so_many}", goal=goals[1])
        cpu.add(server.name, spent / count.replies)
    times, _ = load.paced(server.address, queries, RATE, rig.seconds)
    results.of(f"p50 at {RATE} a second", goal="≤ 1.5").add(server.name, percentile(times, 0.5))
    results.of(f"p99 at {RATE} a second").add(server.name, percentile(times, 0.99))
