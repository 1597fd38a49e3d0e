"""The package for Ubuntu's release with long support, as far as it can be tried beside one.

Its boots are among those of `test_owners`: on a machine that has Ubuntu's archive.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support.boots import package

pytestmark = pytest.mark.long

PYTHON = "python3.12"
"""What the release has."""

EVERYTHING = """
import importlib, pkgutil, sys
sys.path.insert(0, sys.argv[1])
import anchord
for module in pkgutil.walk_packages(anchord.__path__, "anchord."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
from anchord.cli.main import main
sys.argv = ["anchord", "--version"]
main()
"""
"""Loads every module, and what they need of others with it."""


@pytest.fixture
def root(folder: Path) -> Path:
    """The package for noble, unpacked."""
    subprocess.run(["dpkg-deb", "-x", package("noble"), folder / "noble"], check=True)
    return folder / "noble"


def test_r21_the_package_for_ubuntu_asks_for_its_python_and_brings_all_else(root: Path) -> None:
    argv = ["dpkg-deb", "-f", str(package("noble")), "Version", "Depends"]
    told = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    assert "~ubuntu24.04\n" in told
    assert "python3 (>= 3.12), python3 (<< 3.13), libc6 (>= 2.34)" in told
    tags = {path.name.split(".")[1] for path in root.rglob("*.so")}
    assert {tag.rsplit("-", 3)[0] for tag in tags} == {"cpython-312", "abi3"}
    assert (root / "usr/lib/anchord/bin/anchord").read_text().startswith("#!/usr/bin/python3 -I\n")


def test_r21_the_package_for_ubuntu_needs_no_newer_c_library_than_it_says(root: Path) -> None:
    needed = {
        tuple(map(int, version.split(b".")))
        for path in root.rglob("*.so")
        for version in re.findall(rb"\bGLIBC_(2\.\d+)\b", path.read_bytes())
    }
    assert needed
    assert max(needed) <= (2, 34)


def test_r33_the_package_for_ubuntu_runs_with_its_python(root: Path) -> None:
    library = root / "usr/lib/anchord/site-packages"
    python = shutil.which(PYTHON) or "false"
    trial = [python, "-c", ""]
    if subprocess.run(trial, capture_output=True, check=False).returncode:
        pytest.skip(f"there is no {PYTHON} here")
    ran = subprocess.run(
        [python, "-I", "-W", "error", "-c", EVERYTHING, library],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("anchord ")
