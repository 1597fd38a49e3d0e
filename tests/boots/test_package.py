"""The Debian package: built, checked, installed and removed."""

import subprocess
from pathlib import Path

import pytest

from support.boots import package

pytestmark = pytest.mark.long


@pytest.mark.parametrize("release", ["bookworm", "trixie"])
def test_r21_r33_the_package_is_the_same_each_time_and_runs(release: str, folder: Path) -> None:
    packages = [package(release, epoch=f"{epoch:010}") for epoch in (1, 1)]
    again = subprocess.run(
        ["packaging/deb/build", release, folder],
        cwd=Path(__file__).parents[2],
        env={"SOURCE_DATE_EPOCH": "0000000001", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    assert Path(again.stdout.strip()).read_bytes() == packages[0].read_bytes()


def test_r21_lintian_has_neither_errors_nor_warnings(folder: Path) -> None:
    assert folder.is_dir()
    ran = subprocess.run(
        ["lintian", "--allow-root", "--fail-on", "error,warning", package("bookworm")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout
