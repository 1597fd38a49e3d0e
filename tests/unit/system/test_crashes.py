"""A process that is killed while it takes DNS over, or gives it back, at its every effect."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import support
from support.command import environment
from support.trees import TREES


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory where that can be had: the trees are brought to the disk thousands of times."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name) / "tree"


@pytest.mark.parametrize("name", TREES)
def test_r5_killed_anywhere_the_system_is_as_before_and_never_without_resolv_conf(
    name: str, folder: Path
) -> None:
    """The module that is run compares every file and link, and looks before each effect."""
    ran = subprocess.run(
        [sys.executable, "-m", "support.crashes", name, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env=environment(PYTHONPATH=f"{_SOURCE}:{_TESTS}"),
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    forth, back = map(int, ran.stdout.split())
    assert forth > 15
    assert back > 10


_TESTS = Path(support.__file__).parents[1]
_SOURCE = Path(environment()["PYTHONPATH"])
