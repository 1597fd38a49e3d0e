"""The network's own names: what is proposed, and how the configuration gets it and loses it."""

import tomllib
from pathlib import Path

from anchord.model.names import from_text
from anchord.system import detect, journal, zones
from anchord.system.links import Link
from support import trees
from support.trees import Tree, manifest

CORP, DEEP, VPN = (from_text(f"{name}.test.") for name in ("corp", "deep.corp", "vpn"))
FOUND = (Link("v0", ("192.0.2.1",), (DEEP, CORP)), Link("v1", ("192.0.2.2",), (VPN,)))


def applied(tree: Tree) -> None:
    plan = zones.plan(tree.machine, detect.look(tree.machine), (CORP, VPN))
    with journal.locked(tree.machine):
        journal.apply(tree.machine, plan)
        journal.confirm(tree.machine, "names")


def given_back(tree: Tree) -> list[str]:
    with journal.locked(tree.machine):
        return journal.revert(tree.machine, "names")


def test_what_links_have_for_their_own_is_proposed_once_and_not_what_is_configured() -> None:
    assert zones.proposed(FOUND, ()) == (CORP, VPN)
    assert zones.proposed(FOUND, (VPN,)) == (CORP,)
    assert zones.proposed(FOUND, (from_text("test."),)) == ()


def test_the_configuration_gets_a_table_for_each_and_loses_them(tmp_path: Path) -> None:
    tree = trees.plain(tmp_path)
    before = manifest(tree)
    applied(tree)
    document = tomllib.loads(tree.machine.text(zones.CONFIGURATION))
    assert document["zone"] == [
        {
            "domain": domain,
            "upstream": ["network"],
            "dnssec": "insecure",
            "allow_plaintext": True,
        }
        for domain in ("corp.test.", "vpn.test.")
    ]
    assert given_back(tree) == []
    assert manifest(tree) == before


def test_a_configuration_that_is_there_keeps_all_it_has(tmp_path: Path) -> None:
    tree = trees.plain(tmp_path)
    tree.put(zones.CONFIGURATION, "[forward]\ntimeout = '3s'\n[log]\nlevel = 'debug'", 0o640)
    before = manifest(tree)
    applied(tree)
    document = tomllib.loads(tree.machine.text(zones.CONFIGURATION))
    assert (document["forward"], document["log"]) == ({"timeout": "3s"}, {"level": "debug"})
    assert len(document["zone"]) == 2
    assert tree.machine.path(zones.CONFIGURATION).stat().st_mode & 0o777 == 0o640
    assert given_back(tree) == []
    assert manifest(tree) == before


def test_a_configuration_that_was_edited_since_loses_our_tables_only(tmp_path: Path) -> None:
    tree = trees.plain(tmp_path)
    tree.put(zones.CONFIGURATION, "[log]\nlevel = 'debug'\n")
    applied(tree)
    file = tree.machine.path(zones.CONFIGURATION)
    file.write_text(file.read_text() + "\n[forward]\ntimeout = '3s'\n")
    (note,) = given_back(tree)
    assert "only anchord's lines were taken out" in note
    document = tomllib.loads(file.read_text())
    assert document == {"log": {"level": "debug"}, "forward": {"timeout": "3s"}}


def test_the_daemon_is_told_where_a_service_manager_runs_it(tmp_path: Path) -> None:
    tree = trees.plain(tmp_path)
    tree.running()
    applied(tree)
    told = "systemctl try-reload-or-restart anchord.service"
    assert tree.calls == [told]
    given_back(tree)
    assert tree.calls == [told, told]
