"""The units as systemd-analyze judges them without starting anything; the boots look at live ones.

Its score says how much a service may do: 0 is nothing, 10 is everything.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[3] / "packaging" / "systemd"
SERVICE = "anchord.service"
DROP_IN = "anchord.service.d/own-ports.conf"


def judged(folder: Path, *files: str, threshold: float) -> "subprocess.CompletedProcess[str]":
    """The verdict on the service with these files of ours and no others."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    for name in files:
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(UNITS / name, folder / name)
    return subprocess.run(
        [
            "systemd-analyze", "security", "--offline=true", "--no-pager",
            f"--threshold={threshold * 10:.0f}", folder / SERVICE,
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_r19_the_service_is_hardly_exposed(tmp_path: Path) -> None:
    ran = judged(tmp_path, SERVICE, threshold=1.1)
    assert ran.returncode == 0, ran.stdout


def test_r19_with_ports_of_its_own_it_is_little_exposed(tmp_path: Path) -> None:
    ran = judged(tmp_path, SERVICE, DROP_IN, threshold=1.5)
    assert ran.returncode == 0, ran.stdout
    assert judged(tmp_path, threshold=1.4).returncode != 0  # so that the drop-in was seen
