"""Lines of the log."""

import logging
import re
import sys

import pytest

from anchord.daemon.log import LIBRARIES, KeyValueFormatter, configure


def record(message: str, *arguments: object, **extra: object) -> logging.LogRecord:
    logger = logging.getLogger("anchord.daemon.serve")
    return logger.makeRecord(
        logger.name, logging.INFO, "file", 1, message, arguments, None, extra=extra
    )


def line(message: str, *arguments: object, **extra: object) -> str:
    return KeyValueFormatter().format(record(message, *arguments, **extra))


def fail(text: str) -> None:
    raise ZeroDivisionError(text)


def test_a_line_holds_time_level_part_message_and_what_else_there_is() -> None:
    shown = line("%d doors are open", 2, dns="127.0.0.1:53,[::1]:53", ms=1.5)
    assert re.fullmatch(
        r"time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=info part=daemon\.serve"
        r' message="2 doors are open" dns=127\.0\.0\.1:53,\[::1\]:53 ms=1\.5',
        shown,
    )


def test_the_time_is_the_records() -> None:
    made = record("x")
    made.created = 1709186400.0625
    assert KeyValueFormatter().format(made).startswith("time=2024-02-29T06:00:00.062Z ")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain", "plain"),
        ("", '""'),
        ("two words", '"two words"'),
        ("a=b", '"a=b"'),
        ('say "no"', r'"say \"no\""'),
        ("line\nlevel=error", r'"line\nlevel=error"'),
        ("\x1b[31mred", r'"\u001b[31mred"'),
        ("\u202eevil", r'"\u202eevil"'),
        ("\x85", r'"\u0085"'),
        ("grüße", '"grüße"'),
    ],
)
def test_values_are_quoted_where_they_are_more_than_a_word(value: str, shown: str) -> None:
    assert line("x", key=value).partition(" key=")[2] == shown


def test_a_traceback_follows_indented_with_nothing_that_a_terminal_would_obey() -> None:
    made = record("a bug")
    try:
        fail("\x1b[31mprepared")
    except ZeroDivisionError:
        made.exc_info = sys.exc_info()
    first, *rest = KeyValueFormatter().format(made).split("\n")
    assert first.endswith('message="a bug"')
    assert all(each.startswith("    ") for each in rest)
    assert rest[-1] == r"    ZeroDivisionError: \u001b[31mprepared"


@pytest.mark.parametrize(
    ("level", "count"), [("debug", 3), ("info", 2), ("warning", 1), ("error", 0)]
)
def test_records_below_the_level_are_not_written(
    level: str, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        configure(level)
        logger = logging.getLogger("anchord.x")
        for each in (logging.DEBUG, logging.INFO, logging.WARNING):
            logger.log(each, "said")
        shown = capsys.readouterr()
    finally:
        root.handlers[:], level_before = before
        root.setLevel(level_before)
    assert shown.out == ""
    assert len(shown.err.splitlines()) == count


@pytest.mark.parametrize(
    ("level", "is_shown"), [("info", False), ("warning", False), ("debug", True)]
)
def test_libraries_speak_of_errors_only_unless_everything_is_asked_for(
    capsys: pytest.CaptureFixture[str], level: str, is_shown: bool
) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        configure(level)
        logging.getLogger("quic").warning("the peer breaks QUIC")
        assert ("the peer breaks QUIC" in capsys.readouterr().err) is is_shown
    finally:
        root.handlers[:], level_before = before
        root.setLevel(level_before)
        for library in LIBRARIES:
            logging.getLogger(library).setLevel(logging.NOTSET)
