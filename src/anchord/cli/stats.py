"""`anchord stats`: the daemon's counters."""

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from anchord.config.load import load
from anchord.daemon.control_client import ask

from .parser import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """`anchord stats [--json]`."""
    parser = subparsers.add_parser(
        "stats",
        help="show the daemon's counters and upstreams",
        description="Show the daemon's counters and upstreams.",
        epilog="Exit status: 0, or 3 where no daemon answers.",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")
    parser.add_argument("--config", metavar="FILE", type=Path)


def run(arguments: argparse.Namespace) -> int:
    """Ask the daemon, and print."""
    sections = ask(load(arguments.config).config.listen.control, "stats")
    print(json.dumps(sections) if arguments.json else "\n".join(_lines(sections)))
    return 0


def _lines(sections: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """A table: `section.name`, then the value; counts of what never happened are left out."""
    rows = [
        (f"{section}.{name}", value)
        for section, counts in sections.items()
        for name, value in counts.items()
        if value not in (0, "")
    ]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        yield f"{name:<{width}}  {value}"
