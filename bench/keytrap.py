"""Hostile zones: what a question to one costs, and what others notice of it.

First each kind alone: the CPU time of its questions, one by one, by each server with the limits it
has, and how many times that of an honest question this is, which is what an attacker gains. Then an
attack: all kinds mixed, at a fixed rate, while others are answered from the cache; once without the
attack and once under it.
"""

import itertools
import multiprocessing
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event

from . import hostile, load, machine, zones
from .measure import Results, percentile
from .rig import Rig
from .servers import Running

OTHERS = zones.CROWD[:20]
"""The zones of everybody else's names."""

RATE = 1000
"""Everybody else's queries a second."""

HOSTILE_RATE = 50
"""Hostile questions a second, as one page in a browser can cause them: enough to stop a validator
without limits altogether, and as many for each server, be it fast or slow."""

LONG = 3
"""… and so many times as long as other measurements, since few queries meet one."""

DEAREST, EACH = "the dearest of these kinds", "one of each kind"
"""What an attacker would send who knows the server, and one who does not."""

AT_ONCE = 20
"""Hostile questions that are under way while their price is taken: Unbound rests for more than a
second over each that makes it hash much, and is not to be waited for one by one."""


def measure(rig: Rig) -> Results:
    """Both, `rig.rounds` times, each server started anew in every round."""
    kinds = hostile.kinds()
    ordinary = {has_zones: hostile.ordinary(has_zones=has_zones) for has_zones in (False, True)}
    for kind in (*ordinary.values(), *kinds):
        rig.upstream.warm(kind.questions)
    for place in OTHERS:
        rig.upstream.warm(place.questions("www"))
    results = Results()
    for _ in range(rig.rounds):
        for server in rig.servers:
            with server.running(rig.folder, rig.upstream) as running:
                honest = {key: _price(results, running, kind) for key, kind in ordinary.items()}
                prices = []
                for kind in kinds:
                    price = _price(results, running, kind, most="≤ 1", most_ms="≤ 50")
                    gained = results.of(kind.name, absolute="times an ordinary one")
                    gained.add(running.name, price / honest[kind.has_zones])
                    prices.append(price)
                results.of(DEAREST, goal="≤ 1").add(running.name, max(prices))
                results.of(EACH, goal="≤ 1").add(running.name, sum(prices))
            with server.running(rig.folder, rig.upstream) as running:
                _attack(rig, results, running, kinds)
    return results


def _price(
    results: Results, running: Running, kind: hostile.Kind, *, most: str = "", most_ms: str = ""
) -> float:
    """Seconds of CPU for each question, whatever comes of it; the first makes the TLD known."""
    queries = [load.query(asked) for asked in kind.questions]
    load.ask(running.address, queries[:1], may_fail=True)
    before = machine.cpu_seconds(running.pid)
    load.ask(running.address, queries[1:], at_once=AT_ONCE, may_fail=True)
    spent = (machine.cpu_seconds(running.pid) - before) / len(queries[1:])
    results.of(kind.name, goal=most).add(running.name, spent)
    results.of(kind.name, absolute="ms of CPU", goal=most_ms).add(running.name, spent * 1000)
    return spent


def _attack(rig: Rig, results: Results, running: Running, kinds: list[hostile.Kind]) -> None:
    others = [load.query(zones.question(place.name(), "A")) for place in OTHERS]
    load.ask(running.address, others)
    seconds = LONG * rig.seconds
    quiet, _ = load.paced(running.address, others, RATE, seconds)
    mixed = itertools.zip_longest(*(kind.questions for kind in kinds))
    questions = [load.query(each) for several in mixed for each in several if each]
    with _attacked(running.address, questions[: int(seconds * HOSTILE_RATE)]):
        loud, lost = load.paced(running.address, others, RATE, seconds)
    p95 = percentile(loud, 0.95)
    ratio = results.of("p95 of others under attack", absolute="times that without", goal="≤ 2")
    ratio.add(running.name, p95 / percentile(quiet, 0.95))
    results.of("p95 of others under attack").add(running.name, p95)
    results.of("others' queries lost under attack", absolute="%").add(
        running.name, 100 * lost / (lost + len(loud))
    )


@contextmanager
def _attacked(address: load.Address, queries: list[bytes]) -> Iterator[None]:
    """Asks these questions at `HOSTILE_RATE` meanwhile; nobody waits for the answers."""
    context = multiprocessing.get_context("spawn")
    begun = context.Event()
    attacker = context.Process(target=_attack_with, args=(address, queries, begun))
    attacker.start()
    begun.wait(10)
    try:
        yield
    finally:
        attacker.kill()
        attacker.join()


def _attack_with(address: load.Address, queries: list[bytes], begun: Event) -> None:
    machine.claim_load_core()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(address)
        begun.set()
        for query in queries:
            sock.send(query)
            time.sleep(1 / HOSTILE_RATE)
        time.sleep(60)  # until it is ended
