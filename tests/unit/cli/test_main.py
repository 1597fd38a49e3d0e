import os
import subprocess
import sys
import types
from collections.abc import Callable

import pytest

from anchord import __version__
from anchord.cli.main import COMMANDS, NOT_BUILT, main
from anchord.model.errors import AnchordError

PYTHON = [sys.executable, "-W", "error"]

Command = Callable[[Callable[[], int]], None]


class UnreachableError(AnchordError):
    exit_status = 3


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Puts a function in the place of the command `flush`, which takes a number here."""

    def install(run: Callable[[], int]) -> None:
        module = types.ModuleType("anchord.cli.flush")

        def add_parser(subparsers: object) -> None:
            parser = subparsers.add_parser("flush")  # type: ignore[attr-defined]
            parser.add_argument("number", type=int)

        module.add_parser = add_parser  # type: ignore[attr-defined]
        module.run = lambda _arguments: run()  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "anchord.cli.flush", module)

    return install


def failing(error: BaseException) -> Callable[[], int]:
    def run() -> int:
        raise error

    return run


def test_the_help_names_every_command_and_says_which_are_not_built(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for name, line in COMMANDS.items():
        assert f"{name} {line}" in text
    assert f"Not built yet: {', '.join(NOT_BUILT)}." in text


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(option: str) -> None:
    code = (
        "import sys\n"
        "from anchord.cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: print('modules:', *sys.modules)\n"
    )
    ran = subprocess.run([*PYTHON, "-c", code, option], capture_output=True, text=True, check=True)
    modules = set(ran.stdout.partition("modules:")[2].split())
    assert "argparse" in modules
    heavy = {"trio", "aioquic", "dns", "rich", "msgspec", "ssl", "cryptography", "asyncio", "h2"}
    assert not modules & heavy


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"anchord {__version__}\n"


@pytest.mark.parametrize("name", NOT_BUILT)
def test_a_command_that_is_not_built_says_so_whatever_its_arguments(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "www.example", "--json"]) == 2
    assert capsys.readouterr() == (
        "",
        f"anchord: {name}: not built yet; see anchord --help for what is\n",
    )


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        ([], "anchord: the following arguments are required: COMMAND; see anchord --help"),
        (["sevre"], "anchord: sevre: no such command; did you mean serve?"),
        (["xyzzy"], "anchord: xyzzy: no such command; see anchord --help"),
        (
            ["flush"],
            (
                "anchord: flush: the following arguments are required: number;"
                " see anchord flush --help"
            ),
        ),
        (
            ["flush", "x"],
            "anchord: flush: argument number: invalid int value: 'x'; see anchord flush --help",
        ),
        (["flush", "1", "-q"], "anchord: unrecognized arguments: -q; see anchord --help"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_status_2(
    argv: list[str], line: str, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    command(lambda: 0)
    assert main(argv) == 2
    assert capsys.readouterr() == ("", line + "\n")


@pytest.mark.parametrize("status", [0, 1, 3])
def test_the_exit_status_is_the_commands(status: int, command: Command) -> None:
    command(lambda: status)
    assert main(["flush", "1"]) == status


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_an_anchord_error_is_one_line_with_its_exit_status(
    depth: int, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    error: Exception = UnreachableError("two\nlines", where="tls://a.example", remedy="wait")
    for _ in range(depth):
        error = ExceptionGroup("of a nursery", [error, UnreachableError("another")])
    command(failing(error))
    assert main(["flush", "1"]) == 3
    assert capsys.readouterr() == ("", "anchord: tls://a.example: two lines; wait\n")


@pytest.mark.parametrize("is_grouped", [False, True])
def test_an_interrupt_ends_quietly_with_the_shells_status(
    command: Command, capsys: pytest.CaptureFixture[str], *, is_grouped: bool
) -> None:
    error = KeyboardInterrupt()
    command(failing(BaseExceptionGroup("of a nursery", [error]) if is_grouped else error))
    assert main(["flush", "1"]) == 130
    assert capsys.readouterr() == ("", "")


def test_a_bug_is_never_mistaken_for_an_error_that_was_foreseen(command: Command) -> None:
    command(failing(ExceptionGroup("of a nursery", [AnchordError("x"), ZeroDivisionError()])))
    with pytest.RaisesGroup(AnchordError, ZeroDivisionError):
        main(["flush", "1"])
    command(failing(ExceptionGroup("of a nursery", [ZeroDivisionError()])))
    with pytest.RaisesGroup(ZeroDivisionError):
        main(["flush", "1"])


def test_python_m_anchord_is_the_command() -> None:
    ran = subprocess.run(
        [*PYTHON, "-m", "anchord", "--version"], capture_output=True, text=True, check=True
    )
    assert (ran.stdout, ran.stderr) == (f"anchord {__version__}\n", "")


@pytest.mark.skipif(os.name != "posix", reason="pipes break in another way there")
def test_a_reader_that_leaves_is_no_reason_for_a_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        ran = subprocess.run(
            [*PYTHON, "-m", "anchord", "--help"],
            stdout=pipe,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": ""},  # else argparse itself meets the pipe's end
            check=False,
        )
    assert (ran.returncode, ran.stderr) == (141, b"")
