"""The parser that all commands share: what it has to say about wrong usage is one line."""

import argparse
from typing import NoReturn, TypeAlias

from anchord.model.errors import AnchordError

Subparsers: TypeAlias = "argparse._SubParsersAction[Parser]"  # noqa: SLF001 - it has no public name
"""What a command's `add_parser` is handed, to call `add_parser(name, …)` on."""


class UsageError(AnchordError):
    """The command line cannot be understood. Exit status 2."""


class Parser(argparse.ArgumentParser):
    """argparse's own, but for the form of its errors."""

    def error(self, message: str) -> NoReturn:
        """Raises UsageError."""
        command = self.prog.partition(" ")[2]
        raise UsageError(message, where=command, remedy=f"see {self.prog} --help")
