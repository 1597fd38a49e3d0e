"""The command `anchord`: which command is meant, and what becomes of its result.

A command is a module beside this one with `add_parser(subparsers)`, which describes its arguments,
and `run(arguments)`, which does it and returns the exit status. Only the module of the command
that is run is imported, so that `anchord --help` answers at once. An `AnchordError` becomes one
line on standard error and its exit status; a traceback is always a bug.
"""

import gc
import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType

from anchord import __version__
from anchord.model.errors import AnchordError

from .parser import Parser, UsageError

COMMANDS = {
    "serve": "run the resolver in the foreground",
    "query": "look a name up, validated, and say why where it fails",
    "dane": "check a service's certificate against the TLSA records of its zone",
    "lab": "start a small signed internet, to try everything without a network",
    "install": "make anchord a service and this system's resolver",
    "uninstall": "give the system's DNS back, and remove the service",
    "status": "what is in force: the service, the system's DNS, a proof of each way",
    "pause": "let the network's own servers answer for a while, unchecked",
    "resume": "end a pause",
    "stats": "show the daemon's counters and upstreams",
    "flush": "empty the daemon's cache, or forget one name",
}
"""Every command, with its line in `anchord --help`."""

NOT_BUILT = (
    "trace", "why", "anchors", "log",
    "doctor", "trust",
)  # fmt: skip
"""Commands that are settled and refuse for now."""

INTERRUPTED = 130
"""The exit status after Ctrl-C, as shells have it: 128 and the number of SIGINT."""
BROKEN_PIPE = 141
"""The exit status where nobody reads standard output any more: 128 and the number of SIGPIPE."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line `argv`, that of the process where None; returns the exit status."""
    try:
        try:
            return _run(sys.argv[1:] if argv is None else list(argv))
        finally:
            sys.stdout.flush()
    except AnchordError as error:
        return _told(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return _unread()
    except BaseExceptionGroup as group:  # from a trio nursery
        known, unknown = group.split((AnchordError, KeyboardInterrupt))
        if known is None or unknown is not None:
            raise
        first = next(_leaves(known))
        return _told(first) if isinstance(first, AnchordError) else INTERRUPTED


def _run(argv: list[str]) -> int:
    command = next((word for word in argv if not word.startswith("-")), None)
    if command is not None and command not in COMMANDS:
        raise _unknown(command)
    module = _imported(command) if command else None
    parser = Parser(
        prog="anchord",
        description="A validating DNS resolver for this machine.",
        epilog=f"Not built yet: {', '.join(NOT_BUILT)}.",
    )
    parser.add_argument("--version", action="version", version=f"anchord {__version__}")
    subparsers = parser.add_subparsers(
        title="commands (anchord COMMAND --help tells more)",
        metavar="COMMAND",
        required=True,
    )
    is_told_first = argv[:1] == [command]  # then the parsers of the others are of no use
    for name in argv[:1] if is_told_first else COMMANDS:
        if module is not None and name == command:
            module.add_parser(subparsers)
        else:
            subparsers.add_parser(name, help=COMMANDS[name])
    arguments = parser.parse_args(argv)
    assert module is not None
    status: int = module.run(arguments)
    return status


def _imported(command: str) -> ModuleType:
    """The module of a command.

    Nobody looks for garbage meanwhile: imports make hardly any, and a sixteenth of their time would
    go into it. After that all they have made counts as old.
    """
    gc.disable()
    try:
        return importlib.import_module(f"anchord.cli.{command}")
    finally:
        gc.freeze()
        gc.unfreeze()
        gc.enable()


def _unknown(command: str) -> UsageError:
    if command in NOT_BUILT:
        return UsageError("not built yet", where=command, remedy="see anchord --help for what is")
    import difflib

    close = difflib.get_close_matches(command, COMMANDS, n=1)
    remedy = f"did you mean {close[0]}?" if close else "see anchord --help"
    return UsageError("no such command", where=command, remedy=remedy)


def _told(error: AnchordError) -> int:
    """The error as one line on standard error; its exit status."""
    line = " ".join(error.one_line().splitlines())
    print(f"anchord: {line}", file=sys.stderr)
    return error.exit_status


def _unread() -> int:
    """Standard output is put away, so that the interpreter does not trip over it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for exception in group.exceptions:
        if isinstance(exception, BaseExceptionGroup):
            yield from _leaves(exception)
        else:
            yield exception
