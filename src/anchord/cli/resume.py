"""`anchord resume`: a pause ends now."""

import argparse

from anchord.config.load import load
from anchord.daemon.control_client import ask

from .install import add_config_option
from .parser import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """`anchord resume`."""
    parser = subparsers.add_parser(
        "resume",
        help="end a pause",
        description="End a pause before its time: answers are checked again.",
        epilog="Exit status: 0, also without a pause; 3 where no daemon answers.",
    )
    add_config_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Tell the daemon."""
    result = ask(load(arguments.config).config.listen.control, "resume")
    print("answers are checked again" if result["was_paused"] else "there was no pause")
    return 0
