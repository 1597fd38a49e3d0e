"""Resident memory after the start and with 12,400 answers, and what those cost to get."""

from . import load, machine, zones
from .measure import Results
from .rig import Rig

AT_ONCE = 100


def measure(rig: Rig) -> Results:
    """Each server is started anew in every round."""
    places = (*zones.CROWD, *zones.ALONE)
    rig.upstream.warm(asked for place in places for asked in place.questions(*zones.HOSTS))
    queries = [
        load.query(zones.question(place.name(host), rdtype))
        for host in zones.HOSTS
        for rdtype in ("A", "AAAA")
        for place in places
    ]
    results = Results()
    for _ in range(rig.rounds):
        for server in rig.servers:
            with server.running(rig.folder, rig.upstream) as running:
                start = results.of("resident after the start", goal="≤ 2.1")
                start.add(server.name, machine.resident_mib(running.pid))
                rig.upstream.queries()
                before = machine.cpu_seconds(running.pid)
                load.ask(running.address, queries, at_once=AT_ONCE)
                spent = machine.cpu_seconds(running.pid) - before
                full = results.of(f"resident with {len(queries):,} answers", goal="≤ 1.5")
                full.add(server.name, machine.resident_mib(running.pid))
                cpu = results.of(f"CPU per question, {len(queries):,} of them", goal="≤ 1.5")
                cpu.add(server.name, spent / len(queries))
                asked = results.of("upstream queries per question", absolute="each")
                asked.add(server.name, rig.upstream.queries() / len(queries))
    return results
