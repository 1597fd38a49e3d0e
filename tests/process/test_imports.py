"""What a process of the command has loaded, and what it has not, at a given moment."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.asking import ask
from support.command import Ran, configuration, environment, run, serving
from support.served import Served

PROFILED = environment(PYTHONPROFILEIMPORTTIME="1")
"""Has the interpreter write a line to standard error for each module that it loads, at once."""

HEAVY = {"trio", "aioquic", "rich", "dns", "h2", "cryptography", "ssl", "msgspec"}


def packages(stderr: str) -> set[str]:
    """The top-level packages that were loaded."""
    return set(re.findall(r"^import time:.*\| +([A-Za-z_]\w*)", stderr, re.MULTILINE))


def loaded_by(*arguments: str) -> tuple[Ran, set[str]]:
    ran = run(*arguments, env=PROFILED)
    return ran, packages(ran.stderr)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("--help",), 0),
        (("--version",), 0),
        ((), 2),
        (("xyzzy",), 2),
        (("trace", "good.lab"), 2),
    ],
    ids=["--help", "--version", "nothing", "xyzzy", "trace"],
)
def test_help_version_and_wrong_usage_load_nothing_heavy(
    arguments: tuple[str, ...], status: int
) -> None:
    ran, loaded = loaded_by(*arguments)
    assert ran.status == status
    assert "anchord" in loaded
    assert not loaded & HEAVY


def test_stats_and_flush_load_neither_trio_nor_dnspython(tmp_path: Path) -> None:
    file = configuration(tmp_path, "tls://127.0.0.1:9")
    for command in ("stats", "flush"):
        ran, loaded = loaded_by(command, "--config", str(file))
        assert ran.status == 3
        assert "msgspec" in loaded
        assert not loaded & {"trio", "dns", "aioquic", "rich"}


def test_serve_loads_nothing_that_its_first_answers_do_not_need(
    lab: Served, tmp_path: Path
) -> None:
    file = configuration(tmp_path, lab.tls, dnssec=lab.dnssec)
    with serving(file, env=PROFILED) as daemon:
        assert ask(daemon.port, "good.lab").is_authentic
        assert ask(daemon.port, "expired.lab").codes[0] == 7
        loaded = packages(daemon.text)
    assert "trio" in loaded
    assert not loaded & {"dns", "rich", "h2", "aioquic", "json", "difflib"}


def test_serve_makes_no_dataclass_at_its_start() -> None:
    """Each takes the time of three modules: `docs/design/floors.md`."""
    code = (
        "import sys, anchord.cli.serve\n"
        "for name, module in list(sys.modules.items()):\n"
        "    for of, value in vars(module).items():\n"
        "        if name.startswith('anchord.') and hasattr(value, '__dataclass_fields__'):\n"
        "            print(name, of)\n"
    )
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, env=environment())
    assert ran.stdout == ""


def test_query_loads_dnspython_to_show_records(lab: Served, tmp_path: Path) -> None:
    """The counterpart: what the test above looks for is seen where it is."""
    file = configuration(tmp_path, lab.tls, dns=("127.0.0.1:1",), dnssec=lab.dnssec)
    assert "dns" in loaded_by("query", "--config", str(file), "good.lab")[1]
