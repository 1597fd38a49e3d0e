"""Plans, applied to trees and taken back, with the trees' own programs."""

import os
import re
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from anchord.system import detect, dns, files, journal, links, resolv_conf
from anchord.system.errors import SystemRefusal
from anchord.system.machine import Machine
from anchord.system.plan import Command, Folder, Plan, ReplaceFile, own_file
from support import trees
from support.trees import TREES, Tree, manifest

ADDRESSES = ("127.0.0.1", "::1")


def planned(tree: Tree, *, backend: str = "auto") -> Plan:
    facts = detect.look(tree.machine)
    return dns.plan(tree.machine, facts, ADDRESSES, backend=backend, in_place=facts.is_mounted)


def taken_over(tree: Tree) -> Plan:
    plan = planned(tree)
    with journal.locked(tree.machine):
        journal.apply(tree.machine, plan)
        journal.confirm(tree.machine, "dns")
    return plan


def given_back(tree: Tree) -> list[str]:
    with journal.locked(tree.machine):
        return journal.recover(tree.machine) + journal.revert(tree.machine, "dns")


def servers(tree: Tree) -> resolv_conf.ResolvConf:
    return resolv_conf.read(tree.machine.text(resolv_conf.PATH))


# ------------ Every owner ------------


@pytest.mark.parametrize("name", TREES)
def test_r2_making_a_plan_and_showing_it_changes_nothing(name: str, tmp_path: Path) -> None:
    tree = TREES[name](tmp_path)
    before = manifest(tree)
    lines = list(planned(tree).describe(tree.machine))
    assert manifest(tree) == before
    assert tree.calls == [call for call in tree.calls if call.endswith(" -u")]
    assert lines[0].startswith("dns: ")
    assert "because resolv.conf=" in lines[1]


@pytest.mark.parametrize("name", TREES)
def test_r4_given_back_every_file_and_link_is_as_it_was(name: str, tmp_path: Path) -> None:
    tree = TREES[name](tmp_path)
    before = manifest(tree)
    taken_over(tree)
    assert manifest(tree) != before
    assert given_back(tree) == []
    assert manifest(tree) == before


@pytest.mark.parametrize("name", [name for name in TREES if name != "NetworkManager"])
def test_resolv_conf_names_anchord_alone_with_edns0_and_trust_ad(name: str, tmp_path: Path) -> None:
    """NetworkManager writes its file by itself: with a real one only."""
    tree = TREES[name](tmp_path)
    taken_over(tree)
    assert servers(tree).nameservers == ADDRESSES
    assert {"edns0", "trust-ad"} <= set(servers(tree).options)
    assert tree.resolv_conf.stat().st_mode & 0o777 == 0o644


def test_search_list_and_options_stay_as_they_were(tmp_path: Path) -> None:
    tree = trees.plain(tmp_path, "search a.test b.test\nnameserver 192.0.2.1\noptions ndots:2\n")
    taken_over(tree)
    assert servers(tree).search == ("a.test", "b.test")
    assert servers(tree).options == ("edns0", "trust-ad", "ndots:2")


def test_the_mode_is_for_everybody_whatever_the_umask(tmp_path: Path) -> None:
    tree = trees.plain(tmp_path)
    umask = os.umask(0o077)
    try:
        taken_over(tree)
    finally:
        os.umask(umask)
    assert tree.resolv_conf.stat().st_mode & 0o777 == 0o644


def test_r3_resolved_gets_a_drop_in_that_outranks_the_links_and_networkmanager_hands_over(
    tmp_path: Path,
) -> None:
    tree = trees.resolved(tmp_path)
    taken_over(tree)
    drop_in = tree.machine.text(dns.RESOLVED_DROP_IN)
    assert "DNS=127.0.0.1 ::1\nDomains=~.\n" in drop_in
    assert "dns=systemd-resolved\nrc-manager=unmanaged\n" in tree.machine.text(
        dns.NETWORKMANAGER_DROP_IN
    )
    assert not tree.resolv_conf.is_symlink()
    expected = [
        "systemctl reset-failed systemd-resolved.service",
        "systemctl restart systemd-resolved.service",
        "systemctl reload NetworkManager.service",
    ]
    assert tree.calls == expected
    given_back(tree)
    assert tree.calls == expected * 2


def test_giving_back_has_the_files_in_place_before_the_services_read_them(tmp_path: Path) -> None:
    tree = trees.resolved(tmp_path)
    taken_over(tree)
    tree.program(
        "systemctl", 'ls -A "$tree/etc/systemd" "$tree/etc/NetworkManager" >>"$tree/calls"'
    )
    given_back(tree)
    seen = "\n".join(tree.calls)
    assert "NetworkManager.conf" in seen
    assert "anchord" not in seen
    assert "conf.d" not in seen


def test_r8_networkmanager_is_told_to_write_our_addresses_itself(tmp_path: Path) -> None:
    tree = trees.networkmanager(tmp_path)
    taken_over(tree)
    content = tree.machine.text(dns.NETWORKMANAGER_DROP_IN)
    assert "[global-dns]\noptions=edns0,trust-ad\nsearches=home.test\n" in content
    assert "[global-dns-domain-*]\nservers=127.0.0.1,::1\n" in content
    assert tree.calls == ["systemctl reload NetworkManager.service"]


def test_r9_debians_resolvconf_gets_a_record_of_lo(tmp_path: Path) -> None:
    tree = trees.debian_resolvconf(tmp_path)
    taken_over(tree)
    assert tree.calls[-1] == "resolvconf -a lo.anchord"
    given_back(tree)
    assert tree.calls[-1] == "resolvconf -d lo.anchord"
    assert servers(tree).nameservers == ("192.0.2.1",)


def test_r10_openresolv_gets_a_record_with_the_best_metric(tmp_path: Path) -> None:
    tree = trees.openresolv(tmp_path)
    taken_over(tree)
    assert tree.calls[-1] == "resolvconf -m 0 -a lo.anchord"
    given_back(tree)
    assert tree.calls[-1] == "resolvconf -f -d lo.anchord"
    assert servers(tree).nameservers == ("192.0.2.1",)


def test_a_record_that_is_gone_is_a_fault(tmp_path: Path) -> None:
    tree = trees.debian_resolvconf(tmp_path)
    (record,) = taken_over(tree).steps
    assert record.fault(tree.machine) == ""
    tree.machine.path("/run/resolvconf/interface/lo.anchord").unlink()
    assert record.fault(tree.machine) == "/run/resolvconf/interface/lo.anchord is gone"


def test_r11_dhclient_gets_a_hook_that_writes_nothing(tmp_path: Path) -> None:
    tree = trees.dhcp(tmp_path)
    taken_over(tree)
    script = (
        f'make_resolv_conf() {{ echo bad; }}; . "{tree.root}{dns.DHCLIENT_HOOK}"; make_resolv_conf'
    )
    ran = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    assert ran.stdout == b""


def test_r11_dhcpcd_gets_a_hook_that_writes_all_but_resolv_conf(tmp_path: Path) -> None:
    """Of a running one the scripts read it at once, unlike a line in dhcpcd.conf."""
    tree = trees.dhcp(tmp_path)
    taken_over(tree)
    content = tree.machine.text(dns.DHCPCD_HOOK)
    assert content.startswith("administrators=own\n# Written by `anchord install`")
    script = (
        f'comp_file() {{ cmp -s "$1" "$2"; }}; . "{tree.root}{dns.DHCPCD_HOOK}"; cd "$1";'
        " for file in /etc/resolv.conf ntp.conf ntp.conf; do"
        ' echo new >made; change_file $file made; echo $?; [ -e made ] && echo "is left"; done'
    )
    before = Path("/etc/resolv.conf").read_bytes() if Path("/etc/resolv.conf").exists() else None
    ran = subprocess.run(["sh", "-c", script, "sh", tmp_path], capture_output=True, check=False)
    assert ran.stdout.split() == [b"1", b"0", b"1"]
    assert (tmp_path / "ntp.conf").read_text() == "new\n"
    if before is not None:
        assert Path("/etc/resolv.conf").read_bytes() == before


def test_r7_given_back_in_another_network_a_leased_resolv_conf_has_its_servers(
    tmp_path: Path,
) -> None:
    tree = trees.leased(tmp_path)
    taken_over(tree)
    record = "domain other.test\nnameserver 192.0.2.77\n"
    tree.put(f"{links.RECORDS_OF_DHCPCD}/v0.dhcp", record)
    (note,) = given_back(tree)
    assert note == "/etc/resolv.conf names the servers of the network that is there now"
    assert tree.resolv_conf.read_text() == "search other.test\nnameserver 192.0.2.77\n"


def test_given_back_without_a_network_a_leased_resolv_conf_is_as_it_was(tmp_path: Path) -> None:
    tree = trees.leased(tmp_path)
    taken_over(tree)
    tree.put(f"{links.RECORDS_OF_DHCPCD}/v0.dhcp", "nameserver 192.0.2.77\n")
    tree.put("/sys/class/net/v0/operstate", "down\n")
    before = manifest(trees.leased(tmp_path / "again"))["etc/resolv.conf"]
    assert given_back(tree) == []
    assert manifest(tree)["etc/resolv.conf"][2:] == before[2:]


def test_given_back_a_resolv_conf_by_hand_is_as_it_was_whatever_leases_say(tmp_path: Path) -> None:
    tree = trees.dhcp(tmp_path)
    tree.put(f"{links.RECORDS_OF_DHCPCD}/v0.dhcp", "nameserver 192.0.2.77\n")
    before = manifest(tree)
    taken_over(tree)
    assert given_back(tree) == []
    assert manifest(tree) == before


def test_networkmanager_beside_a_file_of_somebody_else_keeps_its_hands_off(tmp_path: Path) -> None:
    tree = trees.plain(tmp_path)
    tree.running("NetworkManager.service")
    taken_over(tree)
    assert "[main]\ndns=none\n" in tree.machine.text(dns.NETWORKMANAGER_DROP_IN)


# ------------ What is refused ------------


def test_r12_a_mounted_file_is_refused_unless_in_place_is_asked_for(tmp_path: Path) -> None:
    tree = trees.mounted(tmp_path)
    facts = detect.look(tree.machine)
    with pytest.raises(SystemRefusal, match=r"mounted from outside.*--in-place"):
        dns.plan(tree.machine, facts, ADDRESSES)
    inode = tree.resolv_conf.stat().st_ino
    taken_over(tree)
    assert tree.resolv_conf.stat().st_ino == inode


def test_in_place_is_refused_where_there_is_no_need(tmp_path: Path) -> None:
    tree = trees.plain(tmp_path)
    with pytest.raises(SystemRefusal, match="need not be written in place"):
        dns.plan(tree.machine, detect.look(tree.machine), ADDRESSES, in_place=True)


def test_r13_an_immutable_file_is_refused_with_the_command_that_unlocks_it(
    tmp_path: Path,
) -> None:
    tree = trees.plain(tmp_path)
    if subprocess.run(
        ["chattr", "+i", tree.resolv_conf], capture_output=True, check=False
    ).returncode:
        pytest.skip("this file system, or this user, has no chattr +i")
    try:
        with pytest.raises(SystemRefusal, match=r"chattr -i /etc/resolv\.conf"):
            planned(tree)
    finally:
        subprocess.run(["chattr", "-i", tree.resolv_conf], check=True)


@pytest.mark.parametrize("backend", ["resolved", "networkmanager", "resolvconf", "openresolv"])
def test_a_backend_that_is_not_there_cannot_be_chosen(backend: str, tmp_path: Path) -> None:
    with pytest.raises(SystemRefusal, match=f"{backend} is not in use"):
        planned(trees.plain(tmp_path), backend=backend)


def test_a_file_of_somebody_else_under_our_name_is_left_alone(tmp_path: Path) -> None:
    tree = trees.resolved(tmp_path)
    foreign = tree.put(dns.RESOLVED_DROP_IN, "[Resolve]\nDNS=192.0.2.9\n")
    before = manifest(tree)
    with journal.locked(tree.machine), pytest.raises(SystemRefusal, match="not anchord's"):
        journal.apply(tree.machine, planned(tree))
    assert manifest(tree) == before
    assert "192.0.2.9" in foreign.read_text()


# ------------ When something goes wrong, or has changed ------------


def test_a_command_that_fails_has_everything_taken_back(tmp_path: Path) -> None:
    tree = trees.resolved(tmp_path)
    plan = planned(tree)
    before = manifest(tree)
    systemctl = tree.root / "usr/bin/systemctl"
    script = systemctl.read_text()
    systemctl.write_text('#!/bin/sh\necho "Unit is masked." >&2\nexit 1\n')
    with journal.locked(tree.machine), pytest.raises(SystemRefusal, match="Unit is masked"):
        journal.apply(tree.machine, plan)
    systemctl.write_text(script)
    systemctl.chmod(0o755)
    os.utime(systemctl, ns=(1_700_000_000_123_456_789,) * 2)
    assert manifest(tree) == before


def test_r7_a_resolv_conf_that_another_program_has_written_since_is_left(tmp_path: Path) -> None:
    tree = trees.plain(tmp_path)
    taken_over(tree)
    tree.resolv_conf.unlink()
    tree.put("/etc/resolv.conf", "nameserver 198.51.100.1\n")
    (note,) = given_back(tree)
    assert "rewritten since by somebody else" in note
    assert servers(tree).nameservers == ("198.51.100.1",)
    assert sorted(path.name for path in (tree.root / "etc").iterdir()) == [
        "nsswitch.conf", "resolv.conf",
    ]  # fmt: skip


def test_a_resolv_conf_that_somebody_removed_comes_back(tmp_path: Path) -> None:
    tree = trees.plain(tmp_path)
    before = manifest(tree)
    taken_over(tree)
    tree.resolv_conf.unlink()
    assert given_back(tree) == []
    assert manifest(tree) == before


def test_an_edited_drop_in_is_kept_beside(tmp_path: Path) -> None:
    tree = trees.resolved(tmp_path)
    taken_over(tree)
    file = tree.machine.path(dns.RESOLVED_DROP_IN)
    file.write_text(file.read_text() + "LLMNR=no\n")
    (note,) = given_back(tree)
    assert note.endswith("50-anchord.conf.anchord-save")
    assert not file.exists()


def test_our_lines_are_taken_out_of_a_hook_of_dhcpcd_that_was_edited(tmp_path: Path) -> None:
    tree = trees.dhcp(tmp_path)
    taken_over(tree)
    file = tree.machine.path(dns.DHCPCD_HOOK)
    file.write_text(file.read_text() + "more=1\n")
    (note,) = given_back(tree)
    assert "only anchord's lines" in note
    assert file.read_text() == "administrators=own" + "more=1\n"


def test_a_file_that_changes_between_the_look_and_the_act_is_not_replaced(tmp_path: Path) -> None:
    tree = trees.plain(tmp_path)
    plan = planned(tree)
    tree.put("/etc/resolv.conf", "nameserver 198.51.100.1\n")
    with journal.locked(tree.machine), pytest.raises(SystemRefusal, match="while it was looked"):
        journal.apply(tree.machine, plan)
    assert servers(tree).nameservers == ("198.51.100.1",)


def test_faults_tell_what_somebody_has_damaged(tmp_path: Path) -> None:
    tree = trees.resolved(tmp_path)
    plan = taken_over(tree)
    assert [step.fault(tree.machine) for step in plan.steps if step.fault(tree.machine)] == []
    tree.machine.path(dns.RESOLVED_DROP_IN).unlink()
    tree.machine.path(dns.NETWORKMANAGER_DROP_IN).write_text("#")
    tree.resolv_conf.unlink()
    faults = [fault for step in plan.steps if (fault := step.fault(tree.machine))]
    assert [re.sub(r".* ", "", fault) for fault in faults] == ["gone", "changed", "else"]


# ------------ The journal ------------


def test_r6_the_journal_is_on_the_disk_before_each_effect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every file is synced before it gets its name, and the folder after; the journal first."""
    tree = trees.plain(tmp_path)
    plan = planned(tree)
    done: list[str] = []

    def recorded(name: str, call: Callable[..., object]) -> Callable[..., object]:
        def recording(*arguments: object, **options: object) -> object:
            first = arguments[0]
            path = str(
                Path(f"/proc/self/fd/{first}").readlink() if isinstance(first, int) else first
            )
            target = str(arguments[1]) if name in {"rename", "link"} else path
            done.append(f"{name} {Path(target).name}")
            return call(*arguments, **options)

        return recording

    for name in ("fsync", "rename", "link"):
        monkeypatch.setattr(os, name, recorded(name, getattr(os, name)))
    with journal.locked(tree.machine):
        journal.apply(tree.machine, plan)
    journaled = ["fsync .dns.json.anchord-new", "rename dns.json", "fsync anchord-install"]
    assert done == [
        *journaled,
        "link .resolv.conf.anchord-orig",
        "fsync etc",
        "fsync .resolv.conf.anchord-new",
        "rename resolv.conf",
        "fsync etc",
        *journaled,
    ]


def test_the_journal_is_roots_alone(tmp_path: Path) -> None:
    tree = trees.plain(tmp_path)
    taken_over(tree)
    folder = tree.machine.path(journal.FOLDER)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "dns.json").stat().st_mode & 0o777 == 0o600


def test_r16_two_at_once_one_is_told_who_the_other_is(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    with (
        journal.locked(machine),
        pytest.raises(SystemRefusal, match=rf"another anchord .*process {os.getpid()}"),
        journal.locked(machine),
    ):
        pass


def test_a_patient_one_waits_for_the_other_to_end(tmp_path: Path) -> None:
    machine = trees.plain(tmp_path).machine
    order: list[str] = []

    def other() -> None:
        with journal.locked(machine):
            is_locked.set()
            time.sleep(0.3)
            order.append("other")

    is_locked = threading.Event()
    thread = threading.Thread(target=other)
    thread.start()
    is_locked.wait()
    with journal.locked(machine, patience=30):
        order.append("patient")
    thread.join()
    assert order == ["other", "patient"]


def test_a_journal_of_another_version_is_not_guessed_at(tmp_path: Path) -> None:
    tree = trees.plain(tmp_path)
    for content in ("{", '{"plan": {}}'):
        tree.put(f"{journal.FOLDER}/dns.json", content)
        with pytest.raises(SystemRefusal, match="journal cannot be read"):
            journal.recover(tree.machine)


def test_a_plan_reads_back_from_the_journal_as_it_was(tmp_path: Path) -> None:
    for name, build in TREES.items():
        plan = planned(build(tmp_path / name.replace(" ", "-")))
        assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan


def test_a_step_may_be_taken_back_any_number_of_times(tmp_path: Path) -> None:
    tree = trees.plain(tmp_path)
    machine = tree.machine
    before = manifest(tree)
    steps = (
        *own_file(machine, "/etc/a/b/anchord.conf", "# anchord\n"),
        ReplaceFile("/etc/resolv.conf", "# anchord\n", files.see(tree.resolv_conf)),
        Command(on_undo=("no-such-program",)),
    )
    assert steps[:2] == (Folder("/etc/a"), Folder("/etc/a/b"))
    for step in steps:
        step.do(machine)
    for step in reversed(steps):
        first, second = step.undo(machine), step.undo(machine)
        assert first == second
    assert manifest(tree) == before
