"""The cache's file: its owner's alone, replaced as a whole, and set aside where it is not right."""

import logging
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from anchord.cache import persist
from anchord.daemon.cache_file import ASIDE, FILE_NAME, CacheFile, cache_folder
from support import saving
from support.command import environment

LIMIT = 1 << 20
DATA = persist.write(saving.records(3), [], b"", 7)


@pytest.fixture
def file(tmp_path: Path) -> CacheFile:
    return CacheFile(tmp_path / "cache")


def content(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "cache").iterdir())


def test_what_was_written_is_read(file: CacheFile, tmp_path: Path) -> None:
    assert file.read(LIMIT) is None
    for _ in range(2):
        assert file.write(DATA, file.epoch)
        document = file.read(LIMIT)
        assert document
        assert document.saved_at == 7
    assert content(tmp_path) == [FILE_NAME]


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
def test_nobody_else_may_read_the_file_or_look_into_its_folder(
    file: CacheFile, tmp_path: Path
) -> None:
    mask = os.umask(0)
    try:
        file.write(DATA, file.epoch)
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "cache" / FILE_NAME).stat().st_mode) == 0o600


def test_what_was_removed_does_not_come_back(file: CacheFile, tmp_path: Path) -> None:
    gathered_at = file.epoch
    file.write(DATA, gathered_at)
    (tmp_path / "cache" / ASIDE).touch()
    file.remove()
    assert content(tmp_path) == []
    assert not file.write(DATA, gathered_at)
    assert content(tmp_path) == []
    assert file.write(DATA, file.epoch)


def test_what_a_killed_process_has_left_is_swept_away(file: CacheFile, tmp_path: Path) -> None:
    file.write(DATA, file.epoch)
    (tmp_path / "cache" / f"{FILE_NAME}.4711.new").write_bytes(DATA[:50])
    assert file.read(LIMIT)
    assert content(tmp_path) == [FILE_NAME]


def test_a_leftover_of_the_own_number_is_in_nobodys_way(file: CacheFile, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    leftover = tmp_path / "cache" / f"{FILE_NAME}.{os.getpid()}.new"
    leftover.symlink_to(tmp_path / "elsewhere")
    assert file.write(DATA, file.epoch)
    assert content(tmp_path) == [FILE_NAME]
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("limit", [len(DATA) - 1, 0])
def test_a_file_that_is_larger_than_the_settings_allow_is_not_read(
    file: CacheFile, tmp_path: Path, limit: int, caplog: pytest.LogCaptureFixture
) -> None:
    file.write(DATA, file.epoch)
    assert file.read(len(DATA)) is not None
    assert file.read(limit) is None
    assert content(tmp_path) == [ASIDE]
    (record,) = caplog.records
    assert f"more than {limit} octets" in record.getMessage()


def test_another_unusable_file_takes_the_place_of_the_first(
    file: CacheFile, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "cache" / FILE_NAME
    for content_of in (b"one", b"another"):
        file.write(content_of, file.epoch)
        assert file.read(LIMIT) is None
        assert path.with_name(ASIDE).read_bytes() == content_of
        assert not path.exists()
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2


def test_a_folder_in_its_place_is_set_aside(file: CacheFile, tmp_path: Path) -> None:
    (tmp_path / "cache" / FILE_NAME).mkdir(parents=True)
    assert file.read(LIMIT) is None
    assert content(tmp_path) == [ASIDE]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_in_its_place_is_not_waited_for(file: CacheFile, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    os.mkfifo(tmp_path / "cache" / FILE_NAME, 0o600)
    assert file.read(LIMIT) is None
    assert content(tmp_path) == [ASIDE]


def test_what_cannot_be_written_or_removed_is_told_and_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").touch()
    file = CacheFile(tmp_path / "cache")
    assert not file.write(DATA, file.epoch)
    file.remove()
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert "is not kept" in told[0]
    assert "cannot be removed" in told[1]


def test_a_service_manager_says_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CACHE_DIRECTORY", "/var/cache/anchord:/var/cache/other")
    assert cache_folder() == Path("/var/cache/anchord")


@pytest.mark.skipif(sys.platform != "linux", reason="other platforms have other places")
def test_a_user_has_it_in_the_platforms_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CACHE_DIRECTORY")
    monkeypatch.setenv("XDG_CACHE_HOME", "/home/me/.cache")
    assert cache_folder() == Path("/home/me/.cache/anchord")


# ------------ Killed while it saves ------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize(
    "kills", [40, pytest.param(1000, marks=pytest.mark.long)], ids=["few", "many"]
)
def test_a_kill_at_any_moment_of_saving_loses_nothing_that_was_saved(
    kills: int, tmp_path: Path
) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-m", "support.saving", str(tmp_path), str(kills), "1"],
        env=environment(PYTHONPATH=f"{_SOURCE}:{Path(saving.__file__).parents[1]}"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""  # nothing was set aside
    assert ran.stdout.startswith(f"{kills} killed")


_SOURCE = Path(environment()["PYTHONPATH"])
