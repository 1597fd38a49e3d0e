"""Whether the system asks us, as far as its files tell."""

from collections.abc import Callable
from pathlib import Path

import pytest

from anchord.system import detect, dns, journal, resolv_conf
from anchord.system.dns import RESOLVED_DROP_IN
from anchord.system.own import is_system_resolver
from support import trees
from support.trees import TREES, Tree

OURS = {"127.0.0.1", "::1"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("nameserver 127.0.0.1\n", True),
        ("nameserver 192.0.2.1\nnameserver ::1\n", True),
        ("nameserver 192.0.2.1\n", False),
        ("nameserver 127.0.0.53\n", False),
        ("# nameserver 127.0.0.1\n", False),
        ("", False),
    ],
)
def test_a_resolv_conf_that_names_us_says_so(
    tmp_path: Path, content: str, *, expected: bool
) -> None:
    assert is_system_resolver(trees.plain(tmp_path, content).machine, OURS) is expected


def test_a_systemd_resolved_that_was_told_to_ask_us_says_so(tmp_path: Path) -> None:
    tree = trees.resolved(tmp_path)
    assert not is_system_resolver(tree.machine, OURS)
    tree.put(RESOLVED_DROP_IN)
    assert is_system_resolver(tree.machine, OURS)


WRITTEN = {name: make for name, make in TREES.items() if name != "NetworkManager"}
"""Those whose resolv.conf is written by us or by a script; NetworkManager's own hand is missing."""


@pytest.mark.parametrize("make", WRITTEN.values(), ids=WRITTEN)
def test_whatever_way_it_was_taken_over_the_system_says_so(
    tmp_path: Path, make: Callable[[Path], Tree]
) -> None:
    tree = make(tmp_path)
    assert not is_system_resolver(tree.machine, OURS)
    facts = detect.look(tree.machine)
    plan = dns.plan(tree.machine, facts, ["127.0.0.1"], in_place=facts.is_mounted)
    with journal.locked(tree.machine):
        journal.apply(tree.machine, plan)
    assert is_system_resolver(tree.machine, OURS)


def test_a_system_without_resolv_conf_does_not_ask_us(tmp_path: Path) -> None:
    assert not is_system_resolver(trees.plain(tmp_path, None).machine, OURS)


def test_a_resolv_conf_that_leads_in_a_circle_may_be_ours(tmp_path: Path) -> None:
    tree = trees.plain(tmp_path, None)
    tree.link(resolv_conf.PATH, resolv_conf.PATH)
    assert is_system_resolver(tree.machine, OURS)
