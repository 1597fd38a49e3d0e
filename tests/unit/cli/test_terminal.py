import io
import os
from collections.abc import Iterator
from typing import TextIO

import pytest

from anchord.cli.terminal import STATUS_COLOURS, Colour, has_colour, paint, paint_status
from anchord.model.verdict import Status


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[TextIO]:
    """A real pseudo-terminal."""
    pty = pytest.importorskip("pty", reason="there are no pseudo-terminals here")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as stream:
        yield stream
    os.close(master)


def test_a_terminal_has_colour(terminal: TextIO) -> None:
    assert has_colour(terminal)
    assert paint("bogus", Colour.RED, terminal) == "\x1b[31mbogus\x1b[0m"


def test_a_file_or_a_pipe_is_plain() -> None:
    assert paint("bogus", Colour.RED, io.StringIO()) == "bogus"


def test_no_color_is_honoured_unless_it_is_empty(
    terminal: TextIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert not has_colour(terminal)
    monkeypatch.setenv("NO_COLOR", "")
    assert has_colour(terminal)


def test_a_dumb_terminal_is_plain(terminal: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert not has_colour(terminal)


def test_every_status_has_a_colour(terminal: TextIO) -> None:
    assert {status.word for status in Status} == STATUS_COLOURS.keys()
    assert paint_status("secure", terminal) == "\x1b[32msecure\x1b[0m"
    assert paint_status("secure", io.StringIO()) == "secure"
