"""`anchord flush`: the daemon forgets a name, or everything."""

import argparse
from pathlib import Path

from anchord.config.load import load
from anchord.daemon.control_client import ask
from anchord.model import names

from .parser import Subparsers, UsageError


def add_parser(subparsers: Subparsers) -> None:
    """`anchord flush [NAME]`."""
    parser = subparsers.add_parser(
        "flush",
        help="empty the daemon's cache, or forget one name",
        description="Empty the daemon's cache, or forget one name and all below it.",
        epilog="Exit status: 0, or 3 where no daemon answers.",
    )
    parser.add_argument("name", metavar="NAME", nargs="?", help="everything where it is left out")
    parser.add_argument("--config", metavar="FILE", type=Path)


def run(arguments: argparse.Namespace) -> int:
    """Tell the daemon, and say how much it forgot."""
    name = arguments.name
    if name is not None:
        try:
            names.from_text(name)
        except ValueError as error:
            raise UsageError(str(error), where=name, remedy="give a domain name") from None
    told = {} if name is None else {"name": name}
    result = ask(load(arguments.config).config.listen.control, "flush", **told)
    count = result["answers"]
    print(f"{count} {'answer' if count == 1 else 'answers'} forgotten")
    return 0
