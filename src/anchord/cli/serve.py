"""`anchord serve`: the resolver in the foreground."""

import argparse
from functools import partial
from pathlib import Path

import trio

from anchord.config.load import load
from anchord.daemon import log
from anchord.daemon.serve import serve

from .parser import Subparsers


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
    trio.run(serve, loaded, read)
    return 0
