"""R63: who is hurt by a resolver on loopback, and who asks others."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from anchord.system import detect, guests
from anchord.system.askers import askers
from anchord.system.dns import notes
from anchord.system.machine import Machine
from support import trees
from support.trees import Tree

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when ...\n"


# ------------ Containers and virtual machines ------------


@contextmanager
def docker(tree: Tree) -> Iterator[None]:
    """Its socket, which is all that is needed to see that it is there."""
    file = tree.machine.path("/run/docker.sock")
    file.parent.mkdir(parents=True, exist_ok=True)
    here = Path.cwd()
    os.chdir(file.parent)  # the whole path may be longer than a socket's can be
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(file.name)
            yield
    finally:
        os.chdir(here)


def told(tree: Tree) -> str:
    """By `install` and by `status`."""
    return "\n".join(notes(tree.machine, detect.look(tree.machine)))


def test_r63_where_there_is_no_other_nothing_is_said(tmp_path: Path) -> None:
    assert told(trees.plain(tmp_path)) == ""


def test_r63_docker_gets_a_setting_with_the_server_that_containers_have_had(
    tmp_path: Path,
) -> None:
    tree = trees.plain(tmp_path)
    with docker(tree):
        assert 'put "dns": ["192.0.2.1"] into /etc/docker/daemon.json' in told(tree)
        tree.put("/etc/docker/daemon.json", json.dumps({"dns": []}))
        assert "Docker gives them 8.8.8.8" in told(tree)
        tree.put("/etc/docker/daemon.json", "{")
        assert "Docker gives them 8.8.8.8" in told(tree)
        tree.put("/etc/docker/daemon.json", json.dumps({"dns": ["192.0.2.7"]}))
        assert told(tree) == ""


def test_r63_podman_gets_its_setting_too(tmp_path: Path) -> None:
    tree = trees.plain(tmp_path)
    tree.program("podman")
    tree.put("/etc/containers/containers.conf", '[containers]\n#dns_servers = ["192.0.2.7"]\n')
    assert 'put dns_servers = ["192.0.2.1"] below [containers]' in told(tree)
    tree.put("/etc/containers/containers.conf.d/bad.conf", "[containers")
    tree.put("/etc/containers/containers.conf.d/empty.conf", "[containers]\ndns_servers = []\n")
    assert "put dns_servers" in told(tree)
    setting = '[containers]\ndns_servers = [\n  "192.0.2.7",  # ours\n]\n'
    tree.put("/etc/containers/containers.conf.d/dns.conf", setting)
    assert told(tree) == ""


def test_r63_without_a_known_server_the_setting_has_a_word_for_it(tmp_path: Path) -> None:
    tree = trees.plain(tmp_path, None)
    tree.program("podman")
    assert 'dns_servers = ["ADDRESS"]' in "".join(guests.notes(tree.machine))


def test_r63_libvirts_guests_are_told_of(tmp_path: Path) -> None:
    tree = trees.plain(tmp_path)
    (tmp_path / "run/libvirt/network").mkdir(parents=True)
    assert "that asks anchord" in told(tree)


# ------------ Programs that ask others ------------


def process(tree: Tree, number: int, name: str, namespace: int, *inodes: int) -> None:
    """A process by what /proc shows of it."""
    folder = f"/proc/{number}"
    tree.put(f"{folder}/comm", f"{name}\n")
    tree.link(f"{folder}/ns/net", f"net:[{namespace}]")
    tree.link(f"{folder}/fd/0", "/dev/null")
    for file, inode in enumerate(inodes, start=3):
        tree.link(f"{folder}/fd/{file}", f"socket:[{inode}]")


def table(tree: Tree, number: int, protocol: str, *lines: tuple[str, int, str, int]) -> None:
    """A table of sockets: the peer as it stands there, its port, the state, the inode."""
    content = HEAD
    for row, (peer, port, state, inode) in enumerate(lines):
        here = "0" * len(peer)
        content += (
            f"  {row}: {here}:C350 {peer}:{port:04X} {state} 00000000:00000000 00:00000000"
            f" 00000000     0        0 {inode} 2 0000000000000000 0\n"
        )
    tree.put(f"/proc/{number}/net/{protocol}", content)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    if socket.htonl(1) == 1:
        pytest.skip("the tables below are those of a machine that has its low octets first")
    return Tree(tmp_path)


def test_r63_processes_with_open_sockets_to_other_resolvers_are_named(tree: Tree) -> None:
    process(tree, 10, "browser", 1, 100, 101, 102)
    process(tree, 11, "anchord", 1, 103)
    process(tree, 12, "stub", 1, 104, 105, 106)
    table(tree, 10, "udp", ("08080808", 53, "01", 100), ("08080808", 5353, "01", 102))
    table(tree, 10, "udp6", ("B80D0120" + "0" * 16 + "01000000", 853, "01", 101))
    quad9, loopback = "09090909", "3500007F"
    table(
        tree, 10, "tcp",
        (quad9, 853, "01", 103), (loopback, 53, "01", 104), ("00000000", 0, "0A", 105),
        (quad9, 53, "06", 0),
    )  # fmt: skip
    asks_others = (
        "browser (process 10) asks 8.8.8.8:53 over UDP",
        "browser (process 10) asks [2001:db8::1]:853 over UDP",
    )
    assert askers(tree.machine, [11]) == asks_others
    assert askers(tree.machine, []) == (
        "anchord (process 11) asks 9.9.9.9:853 over TCP",
        *asks_others,
    )


def test_r63_containers_are_looked_into(tree: Tree) -> None:
    process(tree, 10, "systemd", 1)
    process(tree, 20, "nginx", 2, 200)
    process(tree, 21, "worker", 2, 200)
    table(tree, 10, "udp")
    table(tree, 20, "udp", ("08080808", 53, "01", 200))
    assert askers(tree.machine, []) == (
        "nginx (process 20) asks 8.8.8.8:53 over UDP",
        "worker (process 21) asks 8.8.8.8:53 over UDP",
    )


def test_r63_the_tables_of_this_very_system_can_be_read() -> None:
    """Whatever stands in them; a socket to a resolver of this machine is no bypass."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.9", 53))
        found = askers(Machine(), [])
    assert all("127.0.0.9" not in line for line in found)
