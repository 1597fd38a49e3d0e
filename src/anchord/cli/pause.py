"""`anchord pause`: for a while the network's own servers answer, unchecked."""

import argparse

from anchord.config.load import load
from anchord.config.units import Duration
from anchord.daemon.control_client import ask

from .install import add_config_option
from .parser import Subparsers, UsageError


def add_parser(subparsers: Subparsers) -> None:
    """`anchord pause TIME`."""
    parser = subparsers.add_parser(
        "pause",
        help="let the network's own servers answer for a while, unchecked",
        description="Let the servers that the network names answer every question for a while,"
        " unchecked and in the clear: for a hotel's login page. It ends by itself.",
        epilog="Exit status: 0; 2 where the network names no server; 3 where no daemon answers.",
    )
    parser.add_argument("time", metavar="TIME", nargs="?", default="5m", help="5m where left out")
    add_config_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Tell the daemon."""
    try:
        duration = Duration.parse(arguments.time)
    except ValueError as error:
        raise UsageError(str(error), where="pause") from None
    control = load(arguments.config).config.listen.control
    ask(control, "pause", seconds=float(duration))
    print(f"paused for {duration}: the network's own servers answer, and nothing is checked")
    print("anchord resume ends it before")
    return 0
