"""A laptop's day: 20,000 queries, as programs of a desktop ask them.

A few sites are asked for all the time and most hardly ever (Zipf). Whoever looks a name up asks for
A and AAAA, and browsers for HTTPS as well; names are aliases of others in other zones; some hosts
change by the second, most live for hours; some names do not exist, others not with that type; each
fifth zone is unsigned. The day is drawn once, from a fixed seed, so that it is the same day in each
round, for everybody and everywhere. It is played in twenty seconds. So TTLs are short where they
are to end within it: those of a second end twenty times, as an hour's do in a real day.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from anchord.lab.denial import BY_NSEC, Nsec3
from anchord.lab.keys import ECDSAP256SHA256, RSASHA256
from anchord.lab.plan import Plan
from anchord.model.question import Question

from . import load, machine, zones
from .measure import Results
from .rig import Rig

QUERIES = 20_000
RATE = 1_000
"""Queries a second: the day takes twenty."""

SEED = 20_261_124
SITES = 300
EXPONENT = 1.0
"""Of Zipf's law: the second site is asked for half as often as the first."""

LOST = 0.05
"""The share of queries that may be lost before a server is said to have failed."""

_UNSIGNED_EACH = 5
_WAYS = (("A", "AAAA"), ("A", "AAAA", "HTTPS"), ("A", "AAAA", "HTTPS"), ("A",))
"""The types that are asked for together: by programs, twice as often by browsers, by tools."""

_HOSTS = ("www", "www", "www", "@", "img", "api", "mail", "old", "nx")
"""The hosts of a site as often as they are asked for. `img` is an alias, `api` changes by the
second, `mail` has no AAAA, `old` nothing at all but a TXT, and `nx` does not exist."""


def measure(rig: Rig) -> Results:
    """CPU time of the whole day, from an empty cache; each server is started anew in every round.

    Raises Failed where a server loses queries.
    """
    rig.upstream.warm(_asked_upstream())
    queries = [load.query(question) for question in day()]
    results = Results()
    for _ in range(rig.rounds):
        for server in rig.servers:
            with server.running(rig.folder, rig.upstream) as running:
                rig.upstream.queries()
                before = machine.cpu_seconds(running.pid)
                times, lost = load.paced(running.address, queries, RATE, QUERIES / RATE)
                spent = machine.cpu_seconds(running.pid) - before
                if lost > QUERIES * LOST:
                    raise load.Failed(f"{server.name}: {lost} of {QUERIES} queries lost")
                results.of("CPU of the day", goal="≤ 1.2").add(server.name, spent)
                mean = results.of("mean latency")
                mean.add(server.name, sum(times) / len(times))
                asked = results.of("upstream queries per query", absolute="each")
                asked.add(server.name, rig.upstream.queries() / QUERIES)
                results.of("lost queries", absolute="%").add(server.name, 100 * lost / QUERIES)
    return results


def day() -> Iterator[Question]:
    """Every question of the day."""
    chance = random.Random(SEED)
    shares = list(accumulate(1 / rank**EXPONENT for rank in range(1, SITES + 1)))
    left = QUERIES
    while left:
        (site,) = chance.choices(range(SITES), cum_weights=shares)
        host, types = chance.choice(_HOSTS), chance.choice(_WAYS)
        for rdtype in types[:left]:
            yield zones.question(_name(host, site), rdtype)
        left -= min(left, len(types))


# ------------ The zones ------------


def plans() -> list[Plan]:
    """The zones of all sites, and one where the aliases lead to."""
    edges = "\n".join(
        f"e{site} 2 A 198.51.100.{site % 250 + 1}\ne{site} 2 AAAA 2001:db8:e::{site + 1:x}"
        for site in range(SITES)
    )
    return [
        Plan("edge.bravo.", "where aliases lead to", records=edges),
        *(_plan(site) for site in range(SITES)),
    ]


def _plan(site: int) -> Plan:
    address, address6 = f"192.0.2.{site % 250 + 1}", f"2001:db8:d::{site + 1:x}"
    records = f"""
        @    3600 A     {address}
        @    3600 AAAA  {address6}
        @    3600 HTTPS 1 . alpn=h2
        www  3600 A     {address}
        www  3600 AAAA  {address6}
        www  3600 HTTPS 1 . alpn=h2
        img  3600 CNAME e{site}.edge.bravo.
        api  1    A     {address}
        api  1    AAAA  {address6}
        mail 3600 A     {address}
        old  3600 TXT   "nothing else"
    """
    return Plan(
        _zone(site),
        "a site",
        records=records,
        algorithms=() if _is_unsigned(site) else ((ECDSAP256SHA256, RSASHA256)[site % 2],),
        denial=Nsec3() if site % 4 == 3 else BY_NSEC,
    )


def _is_unsigned(site: int) -> bool:
    return site % _UNSIGNED_EACH == _UNSIGNED_EACH - 1


def _zone(site: int) -> str:
    return f"s{site:03}.{zones.TLDS[site % len(zones.TLDS)]}"


def _name(host: str, site: int) -> str:
    return _zone(site) if host == "@" else f"{host}.{_zone(site)}"


def _asked_upstream() -> Iterator[Question]:
    """What a resolver may ask for on that day."""
    yield from _of_zones([".", *zones.TLDS, "edge.bravo.", *map(_zone, range(SITES))])
    for site in range(SITES):
        edge = f"e{site}.edge.bravo."
        for name in [_name(host, site) for host in dict.fromkeys(_HOSTS)] + [edge]:
            for rdtype in ("A", "AAAA", "HTTPS", "DS"):
                yield zones.question(name, rdtype)


def _of_zones(several: Sequence[str]) -> Iterable[Question]:
    for zone in several:
        yield zones.question(zone, "DNSKEY")
        yield zones.question(zone, "DS")
