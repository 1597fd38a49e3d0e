"""The cache over a restart, as clients of the daemon see it."""

import signal
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.asking import ask
from support.command import START, Daemon, configuration, environment, serving
from support.served import Served, served_world


def kept(file: Path) -> Path:
    """The file in which the daemon of this configuration keeps its cache."""
    return file.with_name("cache") / "answers"


def left_behind(lab: Served, folder: Path, **cache: object) -> Path:
    """The configuration of a daemon that has answered, and has ended."""
    file = configuration(folder, lab.tls, dnssec=lab.dnssec, cache=cache)
    with serving(file) as daemon:
        assert ask(daemon.port, "good.lab").is_authentic
        assert ask(daemon.port, "unsigned.lab").rcode == "NOERROR"
        assert daemon.stop() == 0
    return file


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of a daemon that has ended, as its upstream has."""
    folder = tmp_path_factory.mktemp("restart")
    (folder / "lab").mkdir()
    with served_world(folder / "lab") as lab:
        return left_behind(lab, folder)


@pytest.fixture
def file(alone: Path, tmp_path: Path) -> Path:
    """The same with a cache file of its own."""
    own = tmp_path / alone.name
    text = alone.read_text()
    own.write_text(text.replace(f"{alone.with_name('control.sock')}", f"{tmp_path}/control.sock"))
    kept(own).parent.mkdir(mode=0o700)
    kept(own).touch(mode=0o600)
    kept(own).write_bytes(kept(alone).read_bytes())
    return own


def lines_about(file: Path, daemon: Daemon) -> list[str]:
    """Lines of the log that name the file."""
    return [line for line in daemon.text.splitlines() if str(kept(file)) in line]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_answers_outlive_the_daemon_and_its_upstream(file: Path) -> None:
    for _ in range(2):  # what was not asked for in between is kept as well
        with serving(file) as daemon:
            signed = ask(daemon.port, "good.lab")
            assert signed.is_authentic
            assert signed.types == {"A", "RRSIG"}
            assert daemon.ask("stats")["cache"]["recalled"] == 1
            assert lines_about(file, daemon) == []
    with serving(file) as daemon:
        unsigned = ask(daemon.port, "unsigned.lab")
        assert (unsigned.rcode, unsigned.is_authentic, unsigned.types) == ("NOERROR", False, {"A"})
        assert ask(daemon.port, "mail.good.lab").rcode == "SERVFAIL"


def test_the_file_is_its_owners_alone(file: Path) -> None:
    kept(file).unlink()
    kept(file).parent.rmdir()
    with serving(file):
        pass
    assert stat.S_IMODE(kept(file).stat().st_mode) == 0o600
    assert stat.S_IMODE(kept(file).parent.stat().st_mode) == 0o700
    assert [path.name for path in kept(file).parent.iterdir()] == ["answers"]


def _torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _changed(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-50] ^= 1
    path.write_bytes(content)


def _foreign(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" * 100)


def _open_to_others(path: Path) -> None:
    path.chmod(0o644)


def _linked(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


@pytest.mark.parametrize("spoil", [_torn, _changed, _foreign, _open_to_others, _linked])
def test_a_file_that_is_not_as_it_was_left_is_set_aside_with_one_line(
    file: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(kept(file))
    with serving(file) as daemon:
        assert ask(daemon.port, "good.lab").rcode == "SERVFAIL"
        (line,) = lines_about(file, daemon)
        assert "level=warning" in line
        assert "the cache starts empty" in line
        assert not kept(file).exists()
        assert "answers.unusable" in {path.name for path in kept(file).parent.iterdir()}


def test_answers_of_other_upstreams_are_not_used(file: Path) -> None:
    with serving(file, "--upstream", "tls://127.0.0.1:1") as daemon:
        assert ask(daemon.port, "good.lab").rcode == "SERVFAIL"
        assert "those of other upstreams" in daemon.text


def test_a_flush_removes_what_was_kept(file: Path) -> None:
    kept(file).with_name("answers.unusable").touch()
    with serving(file) as daemon:
        daemon.ask("flush")
        assert ask(daemon.port, "good.lab").rcode == "SERVFAIL"
        wait_for(kept(file).exists)  # written anew, with what there is now: nothing
        assert [path.name for path in kept(file).parent.iterdir()] == ["answers"]
        assert b"good" not in kept(file).read_bytes()


def test_a_flush_of_a_name_leaves_the_others(file: Path) -> None:
    with serving(file) as daemon:
        daemon.ask("flush", name="good.lab")
        assert ask(daemon.port, "good.lab").rcode == "SERVFAIL"
        wait_for(kept(file).exists)
        assert b"good" not in kept(file).read_bytes()
    with serving(file) as daemon:
        assert ask(daemon.port, "unsigned.lab").rcode == "NOERROR"


def test_without_persist_nothing_is_kept_and_what_was_is_removed(
    lab: Served, tmp_path: Path
) -> None:
    file = left_behind(lab, tmp_path)
    assert kept(file).exists()
    left_behind(lab, tmp_path, persist=False)
    assert not kept(file).exists()


def test_while_the_time_is_fixed_nothing_is_kept(file: Path) -> None:
    before = kept(file).read_bytes()
    text = file.read_text().replace("[dnssec]", "[dnssec]\ntime = '2024-07-01T00:00:00Z'")
    file.write_text(text)
    with serving(file) as daemon:
        assert ask(daemon.port, "good.lab").rcode == "SERVFAIL"
        assert daemon.ask("stats")["cache"]["recalled"] == 0
    assert kept(file).read_bytes() == before


def test_a_daemon_that_is_killed_loses_what_is_new_and_nothing_else(file: Path) -> None:
    with serving(file) as daemon:
        assert ask(daemon.port, "good.lab").is_authentic
        daemon.stop(signal.SIGKILL)
    with serving(file) as daemon:
        assert ask(daemon.port, "good.lab").is_authentic


def test_a_reload_proves_again_what_was_known(file: Path) -> None:
    with serving(file) as daemon:
        assert ask(daemon.port, "good.lab").is_authentic
        daemon.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "message=reloaded" in daemon.text)
        assert ask(daemon.port, "good.lab").is_authentic
        assert ask(daemon.port, "unsigned.lab").rcode == "NOERROR"


def test_a_folder_that_cannot_be_written_is_told_and_does_no_harm(file: Path) -> None:
    blocked = file.with_name("blocked")
    blocked.touch()
    with serving(file, env=environment(CACHE_DIRECTORY=str(blocked / "cache"))) as daemon:
        assert ask(daemon.port, "localhost").rcode == "NOERROR"
        assert daemon.stop() == 0
    assert "the cache is not kept" in daemon.text
