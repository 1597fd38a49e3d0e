"""What a terminal can show: colour where somebody looks, plain text everywhere else."""

import os
import sys
from enum import StrEnum
from typing import TextIO


class Colour(StrEnum):
    """The colours in use, as SGR parameters (ECMA-48): the sixteen that every theme defines."""

    RED = "31"
    GREEN = "32"
    YELLOW = "33"
    BOLD = "1"
    DIM = "2"


STATUS_COLOURS = {
    "secure": Colour.GREEN,
    "insecure": Colour.YELLOW,
    "indeterminate": Colour.YELLOW,
    "bogus": Colour.RED,
}
"""The colour of a status (`Status.word`), the same in every command."""


def has_colour(stream: TextIO) -> bool:
    """Whether `stream` is a terminal that shows colour to somebody who wants it (NO_COLOR)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    if sys.platform == "win32" and "WT_SESSION" not in os.environ:
        return False  # the old console shows the sequences themselves
    return stream.isatty()


def paint(text: str, colour: Colour, stream: TextIO) -> str:
    """`text` in colour where `stream` has it, else as it is."""
    return f"\x1b[{colour}m{text}\x1b[0m" if has_colour(stream) else text


def paint_status(word: str, stream: TextIO) -> str:
    """A status (`Status.word`) in its colour."""
    return paint(word, STATUS_COLOURS[word], stream)
