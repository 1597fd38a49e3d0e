"""What a service manager hears, over a real socket."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from anchord.daemon import notify


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    path = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        sock.settimeout(5)
        yield sock


def test_ready_and_stopping_are_told(manager: socket.socket) -> None:
    notify.ready()
    assert manager.recv(1000) == b"READY=1"
    notify.stopping()
    assert manager.recv(1000) == b"STOPPING=1"


def test_a_reload_is_told_with_its_time(manager: socket.socket) -> None:
    notify.reloading()
    first, second = manager.recv(1000).splitlines()
    assert first == b"RELOADING=1"
    assert second.startswith(b"MONOTONIC_USEC=")
    assert int(second.partition(b"=")[2]) > 0


@pytest.mark.skipif(not os.path.exists("/proc"), reason="abstract sockets are Linux's")  # noqa: PTH110
def test_an_abstract_socket_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"anchord-test-{os.getpid()}"
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{name}")
        sock.settimeout(5)
        notify.ready()
        assert sock.recv(1000) == b"READY=1"


def test_without_a_service_manager_nothing_happens(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify.ready()
    assert not caplog.records


def test_a_service_manager_that_has_gone_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify.ready()
    (record,) = caplog.records
    assert "was not told READY" in record.getMessage()
