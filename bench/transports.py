"""`python -m bench.transports [--rounds N] [TRANSPORT...]`: what encrypted transports cost.

The same servers (`encrypted`) are asked in turn by anchord's transports, by plain libraries and by
forwarders that can (`clients`), from next door and from 20 ms away (`distance`). Each round gives
ratios to the library in the same round: what the machine does otherwise moves both.

  first, new        a connection and a session that are new, up to the first answer
  first, resumed    a new connection that takes up a session
  first, early      the same with the question in the first flight (0-RTT)
  after a move      the next question where datagrams come from another port than before
  next              one question after another over a connection that stands
  100 in flight     so many questions at a time; a library has a thread and a connection for each
  CPU               what the client spent on each of these
  handshakes        for 1,000 questions, the first hundreds aside, by which a server's limits are
                    learnt

Where a library resumes no session, its new connection is what others' resumed ones are divided by.
"""

import argparse
import platform
import signal
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from anchord.lab.certificates import CertificateAuthority

from . import machine
from .clients import Place, Sample, anchord, forwarding, library
from .distance import Distance
from .encrypted import FORWARDERS, servers
from .measure import percentile, written

DISTANCES = (0.0, 0.02)
"""Seconds of a round trip to the server."""

LIMIT = 3600
"""Seconds after which the bench ends itself, whatever hangs."""

TRANSPORTS = {"DoT": "tls", "DoH2": "https", "DoH3": "h3", "DoQ": "quic"}
"""Schemes by the names of the transports."""

BASIS = "library"
"""The client that all others are divided by, in each round anew."""


def main() -> int:
    """Measures, and prints the table."""
    options = _parser().parse_args()
    machine.claim_load_core()
    signal.alarm(LIMIT)
    with tempfile.TemporaryDirectory(prefix="anchord-bench-") as name:
        folder = Path(name)
        authority = CertificateAuthority("bench CA")
        (folder / "ca.pem").write_bytes(authority.pem)
        pem = folder / "server.pem"
        pem.write_bytes(authority.issue().pem_with_key)
        rows = [list(_HEAD)]
        with servers(folder, pem) as ports:
            for (scheme, server), port in ports.items():
                (transport,) = (each for each in TRANSPORTS if TRANSPORTS[each] == scheme)
                if transport not in (options.transports or TRANSPORTS):
                    continue
                for round_trip in DISTANCES:
                    samples = _measured(scheme, port, round_trip, folder, options.rounds)
                    title = f"{transport}, {server}, {round_trip * 1000:.0f} ms"
                    rows += _block(title, samples)
                    print(f"{title} is done", file=sys.stderr)
    print(
        f"Python {platform.python_version()}, Linux {platform.release().partition('-')[0]}; "
        f"median and range of {options.rounds} rounds\n"
    )
    print("\n".join(written(rows)))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.transports", description=__doc__)
    parser.add_argument("transports", nargs="*", choices=[[], *TRANSPORTS], metavar="TRANSPORT")
    parser.add_argument("--rounds", type=int, default=5)
    return parser


# ------------ Rounds ------------


def _measured(
    scheme: str, port: int, round_trip: float, folder: Path, rounds: int
) -> dict[str, list[Sample]]:
    """The samples of each client, which take turns."""
    clients: dict[str, Callable[[Place], Sample]] = {BASIS: library, "anchord": anchord}
    clients |= {program: forwarding(program) for program in FORWARDERS.get(scheme, ())}
    samples: dict[str, list[Sample]] = {client: [] for client in clients}
    for _ in range(rounds):
        for client, measure in clients.items():
            if round_trip:
                with Distance(port, round_trip) as distance:
                    sample = measure(Place(scheme, distance.port, distance, folder))
            else:
                sample = measure(Place(scheme, port, None, folder))
            samples[client].append(sample)
    return samples


# ------------ The table ------------

_HEAD = (
    "",
    "",
    "first, new",
    "first, resumed",
    "first, early",
    "after a move",
    "next p50",
    "next p99",
    "100 in flight",
    "CPU",
    "handshakes",
)

_MEASURES: Sequence[Callable[[Sample], float]] = (
    lambda sample: _median(sample.new),
    lambda sample: _median(sample.resumed),
    lambda sample: _median(sample.early),
    lambda sample: _median(sample.moved),
    lambda sample: percentile(sample.following, 0.5) * 1000,
    lambda sample: percentile(sample.following, 0.99) * 1000,
    lambda sample: sample.per_second,
    lambda sample: sample.cpu * 1000,
)
"""Milliseconds, and answers per second; 0 where a client cannot do it."""

_NEW, _RESUMED, _EARLY = range(3)


def _median(seconds: list[float]) -> float:
    return statistics.median(seconds) * 1000 if seconds else 0.0


def _block(title: str, samples: dict[str, list[Sample]]) -> list[list[str]]:
    """The library's own values, and the ratios to them of everybody else."""
    basis = [[measure(sample) for measure in _MEASURES] for sample in samples[BASIS]]
    cells = [_value(statistics.median(values)) for values in zip(*basis, strict=True)]
    for values in basis:  # the best that a library can do instead
        values[_RESUMED] = values[_RESUMED] or values[_NEW]
        values[_EARLY] = values[_EARLY] or values[_RESUMED]
    rows = [[title, "library: ms, per s", *cells, "-"]]
    for client, own in samples.items():
        if client != BASIS:
            cells = [_ratio(number, own, basis) for number in range(len(_MEASURES))]
            rows.append(["", client, *cells, _handshakes(own)])
    return rows


def _value(value: float) -> str:
    if not value:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _ratio(number: int, samples: list[Sample], basis: list[list[float]]) -> str:
    values = [_MEASURES[number](sample) for sample in samples]
    if not all(values):
        return "-"
    ratios = [value / other[number] for value, other in zip(values, basis, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def _handshakes(samples: list[Sample]) -> str:
    queries = sum(sample.queries for sample in samples)
    handshakes = sum(sample.handshakes for sample in samples)
    return f"{handshakes / queries * 1000:.1f}" if queries else "-"


if __name__ == "__main__":
    sys.exit(main())
