"""`python -m bench [PART...]`: measures, and prints one table for each part."""

import argparse
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from . import cached, cold, day, hostile, keytrap, machine, memory, startup, zones
from .measure import Results
from .rig import Rig
from .servers import ANCHORD, PEERS, UNBOUND
from .upstream import Upstream

PARTS: dict[str, Callable[[Rig], Results]] = {
    "cached": cached.measure,
    "cold": cold.measure,
    "day": day.measure,
    "keytrap": keytrap.measure,
    "memory": memory.measure,
    "startup": startup.measure,
}

LIMIT = 3600
"""Seconds after which the bench ends itself, whatever hangs."""


def main() -> int:
    """Measures what was asked for. Exit status 2 where this machine cannot do it."""
    options = _parser().parse_args()
    machine.claim_load_core()
    signal.alarm(options.limit)
    unknown = [part for part in options.parts if part not in PARTS]
    if unknown or (os.cpu_count() or 1) < 2 or not UNBOUND.is_installed:
        print("bench: needs parts that exist, two cores and Unbound", file=sys.stderr)
        return 2
    peers = [PEERS[name] for name in options.peers if PEERS[name].is_installed]
    servers = (ANCHORD, UNBOUND, *peers)
    print(_heading(options.rounds, [server.describe() for server in servers]))
    with tempfile.TemporaryDirectory(prefix="anchord-bench-") as folder:
        upstream = Upstream(Path(folder), [*zones.plans(), *day.plans(), *hostile.plans()])
        try:
            rig = Rig(Path(folder), upstream, servers, options.rounds, options.seconds)
            for part in options.parts or PARTS:
                table = PARTS[part](rig).table([server.name for server in servers])
                print(f"\n## {part}\n\n{table}", flush=True)
        finally:
            upstream.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; else all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--limit", type=int, default=LIMIT)
    parser.add_argument(
        "--peers",
        nargs="*",
        default=[*PEERS],
        choices=[*PEERS],
        metavar="SERVER",
        help=f"beside Unbound, those of these that are installed: {', '.join(PEERS)}; else all",
    )
    return parser


def _heading(rounds: int, versions: list[str]) -> str:
    return (
        f"{', '.join(versions)}; Python {platform.python_version()}, Linux "
        f"{platform.release().partition('-')[0]}, {os.cpu_count()} cores; "
        f"ratios to Unbound, median and range of {rounds} rounds"
    )


if __name__ == "__main__":
    sys.exit(main())
