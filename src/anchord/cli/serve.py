"""`anchord serve`: the resolver in the foreground."""

import argparse
import gc
from functools import partial
from pathlib import Path

import trio

from anchord.config.load import load
from anchord.daemon import log
from anchord.daemon.serve import serve

from .parser import Subparsers

YOUNG = 10_000
"""Objects that are made, and not freed, before the garbage collector looks at the new ones. What a
question makes is freed by counting; at the interpreter's own 700 a twentieth of its CPU time goes
into looking for cycles. Those that there are, a few to a connection, can wait."""


def add_parser(subparsers: Subparsers) -> None:
    """`anchord serve`."""
    parser = subparsers.add_parser(
        "serve",
        help="run the resolver in the foreground",
        description="Run the resolver in the foreground; it logs to standard error.",
    )
    parser.add_argument("--config", metavar="FILE", type=Path)
    parser.add_argument(
        "--listen",
        metavar="ADDR:PORT",
        action="append",
        default=[],
        help="in place of [listen] dns; may be repeated",
    )
    parser.add_argument(
        "--upstream",
        metavar="URL",
        action="append",
        default=[],
        help="in place of [[upstream]]; may be repeated",
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until a signal says stop."""
    read = partial(load, arguments.config, listen=arguments.listen, upstreams=arguments.upstream)
    loaded = read()
    log.configure(loaded.config.log.level)
    gc.freeze()  # what the imports have made stays for good: no collection goes through it
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
    trio.run(serve, loaded, read)
    return 0
