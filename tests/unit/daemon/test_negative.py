"""Negative trust anchors end: at a time that is written down, or a week from their first load."""

import logging
from pathlib import Path

import pytest

from anchord.config.units import Moment, NegativeTrustAnchor
from anchord.daemon.negative import FILE_NAME, WEEK, negative_anchors
from anchord.daemon.state_file import state_folder
from anchord.dnssec.anchors import NegativeAnchor
from anchord.model import names

NOW = 1_790_000_000
DAY = 86400


class Daemon:
    """Loads configurations, with a state directory and a clock."""

    def __init__(self, folder: Path) -> None:
        self.state: Path | None = folder / "state" / "anchord"
        self.file = folder / "anchord.toml"
        self.now = NOW

    def load(self, *texts: str, file: Path | None = None) -> dict[str, int]:
        """The ends of these anchors, as seconds from the beginning of the test."""
        configured = [NegativeTrustAnchor.parse(text) for text in texts]
        found = negative_anchors(configured, file or self.file, self.state, self.now)
        assert all(isinstance(anchor, NegativeAnchor) for anchor in found)
        assert not any(anchor.is_policy for anchor in found)
        return {names.to_text(anchor.name): anchor.until - NOW for anchor in found}

    @property
    def kept(self) -> Path:
        assert self.state is not None
        return self.state / FILE_NAME


@pytest.fixture
def daemon(tmp_path: Path) -> Daemon:
    return Daemon(tmp_path)


def test_an_end_that_is_written_down_holds(daemon: Daemon) -> None:
    end = Moment(NOW + 100)
    assert daemon.load(f"corp.example until {end}") == {"corp.example.": 100}
    daemon.now += 50
    assert daemon.load(f"corp.example until {end}") == {"corp.example.": 100}
    assert not daemon.kept.exists()


def test_even_if_it_is_the_beginning_of_time(daemon: Daemon) -> None:
    assert daemon.load("corp.example until 1970-01-01T00:00:00Z") == {"corp.example.": -NOW}


def test_without_one_it_is_a_week_from_the_first_load(daemon: Daemon) -> None:
    assert daemon.load("corp.example") == {"corp.example.": WEEK}
    for _ in range(10):
        daemon.now += DAY
        assert daemon.load("Corp.Example.") == {"corp.example.": WEEK}


def test_each_name_has_a_week_of_its_own(daemon: Daemon) -> None:
    daemon.load("one.example")
    daemon.now += DAY
    assert daemon.load("one.example", "two.example") == {
        "one.example.": WEEK,
        "two.example.": WEEK + DAY,
    }


def test_one_that_was_taken_out_may_come_back(daemon: Daemon) -> None:
    daemon.load("corp.example")
    daemon.now += 8 * DAY
    daemon.load()
    assert daemon.load("corp.example") == {"corp.example.": WEEK + 8 * DAY}


def test_another_configuration_has_times_of_its_own(daemon: Daemon, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    daemon.load("corp.example")
    daemon.now += DAY
    assert daemon.load("corp.example", file=other) == {"corp.example.": WEEK + DAY}
    daemon.load(file=other)  # takes nothing of the first one's away
    assert daemon.load("corp.example") == {"corp.example.": WEEK}


def test_the_same_file_by_another_path_is_the_same(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.load("corp.example")
    daemon.now += DAY
    monkeypatch.chdir(tmp_path)
    assert daemon.load("corp.example", file=Path("anchord.toml")) == {"corp.example.": WEEK}


def test_a_clock_that_was_ahead_makes_no_week_longer(daemon: Daemon) -> None:
    daemon.now += 1000 * DAY
    daemon.load("corp.example")
    daemon.now = NOW
    assert daemon.load("corp.example") == {"corp.example.": WEEK}
    daemon.now += DAY
    assert daemon.load("corp.example") == {"corp.example.": WEEK}


def test_without_a_place_nothing_is_remembered(daemon: Daemon) -> None:
    daemon.state = None
    daemon.load("corp.example")
    daemon.now += DAY
    assert daemon.load("corp.example") == {"corp.example.": WEEK + DAY}


# ------------ The file ------------


def test_the_file_is_the_users_own(daemon: Daemon) -> None:
    daemon.load("corp.example")
    assert daemon.kept.stat().st_mode & 0o777 == 0o600
    assert daemon.kept.parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in daemon.kept.parent.iterdir()] == [FILE_NAME]


def test_it_is_written_when_something_changes_only(daemon: Daemon) -> None:
    daemon.load("corp.example")
    before = daemon.kept.stat().st_ino
    daemon.now += DAY
    daemon.load("corp.example")
    assert daemon.kept.stat().st_ino == before


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"a": 1}', b'{"a": {"b": "c"}}', b"\xff\xfe", b"null"]
)
def test_a_file_that_makes_no_sense_is_made_anew_and_told_of(
    daemon: Daemon, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    daemon.load("corp.example")
    daemon.kept.write_bytes(content)
    assert daemon.load("corp.example") == {"corp.example.": WEEK}
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert str(daemon.kept) in caplog.text
    daemon.now += DAY
    assert daemon.load("corp.example") == {"corp.example.": WEEK}


def test_a_place_that_cannot_be_written_is_told_of(
    daemon: Daemon, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").touch()
    with caplog.at_level(logging.WARNING):
        assert daemon.load("corp.example") == {"corp.example.": WEEK}
    assert "begin anew" in caplog.text
    assert all("\n" not in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("text", ["corp.example", f"corp.example until {Moment(NOW + WEEK)}"])
def test_one_that_is_over_is_told_of(
    daemon: Daemon, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    daemon.load(text)
    daemon.now += WEEK - 1
    daemon.load(text)
    assert caplog.records == []
    daemon.now += 1
    daemon.load(text)
    [record] = caplog.records
    assert record.getMessage() == (
        f"the negative trust anchor of corp.example. ended at {Moment(NOW + WEEK)};"
        ' "corp.example. until TIME" makes another'
    )


@pytest.mark.parametrize(
    ("given", "folder"), [("/var/lib/anchord", "/var/lib/anchord"), ("/a:/b", "/a")]
)
def test_a_service_manager_says_where_state_is_kept(
    given: str, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", given)
    assert state_folder() == Path(folder)


def test_else_the_platform_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_folder().name == "anchord"
