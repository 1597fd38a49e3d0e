"""`anchord install`, `status` and `uninstall`, on a tree and with a daemon that serves port 53."""

import json
import site
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from anchord.system import detect, dns, journal
from support import trees
from support.asking import ask
from support.command import SOURCE, Daemon, Ran, configuration, environment, run, serving
from support.served import Served
from support.trees import manifest

HOST = "127.53.5.1"
"""An address of the loopback interface whose port 53 nobody else has."""
DEAD = "127.53.5.3"
"""Another one, where nobody ever listens."""


@pytest.fixture(scope="module")
def daemon(lab: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((HOST, 53))
    except OSError as error:
        pytest.skip(f"port 53 of {HOST} cannot be had: {error}")
    file = configuration(
        tmp_path_factory.mktemp("install"), lab.udp, dns=(f"{HOST}:53",), dnssec=lab.dnssec
    )
    with serving(file) as running:
        yield running


def config_of(daemon: Daemon) -> Path:
    return daemon.log.with_suffix(".toml")


def anchord(command: str, tree: trees.Tree, file: Path, *options: str) -> Ran:
    return run(command, *options, "--root", str(tree.root), "--config", str(file))


def test_it_is_installed_after_a_proof_and_taken_back_as_it_was(
    daemon: Daemon, tmp_path: Path
) -> None:
    tree = trees.plain(tmp_path)
    before = manifest(tree)
    ran = anchord("install", tree, config_of(daemon), "--dns-only")
    assert (ran.status, ran.stderr) == (0, "")
    *proofs, note, told, more = ran.stdout.splitlines()
    assert note.startswith("note: names of the network are denied from now on: home.test.;")
    assert [line.partition(" ms: ")[2] for line in proofs] == [
        f"{HOST}:53 over UDP",
        f"{HOST}:53 over TCP",
        f"resolv.conf: {HOST}",
    ]
    assert told == "anchord is this system's resolver now (file)"
    assert "uninstall" in more
    assert f"nameserver {HOST}\n" in tree.resolv_conf.read_text()
    ran = anchord("uninstall", tree, config_of(daemon))
    assert (ran.status, ran.stdout, ran.stderr) == (0, "DNS is as it was (file)\n", "")
    assert manifest(tree) == before


def test_names_of_the_network_need_consent_and_are_told(daemon: Daemon, tmp_path: Path) -> None:
    """`trees.plain` has home.test in its resolv.conf."""
    tree = trees.plain(tmp_path)
    ran = anchord("install", tree, config_of(daemon), "--dns-only")
    assert "note: names of the network are denied from now on: home.test.;" in ran.stdout
    anchord("uninstall", tree, config_of(daemon))
    before = manifest(tree)
    ran = anchord("install", tree, config_of(daemon), "--dns-only", "--yes")
    assert "names of the network are asked of its servers: home.test.\n" in ran.stdout
    assert 'upstream = ["network"]' in tree.machine.text("/etc/anchord/anchord.toml")
    ran = anchord("uninstall", tree, config_of(daemon))
    assert ran.stdout == (
        "DNS is as it was (file)\nnames of the network are no business of ours any more (network)\n"
    )
    assert manifest(tree) == before


def test_r2_a_dry_run_shows_the_plan_and_changes_nothing(daemon: Daemon, tmp_path: Path) -> None:
    tree = trees.resolved(tmp_path)
    before = manifest(tree)
    ran = anchord("install", tree, config_of(daemon), "--dns-only", "--dry-run")
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout.startswith("dns: resolved\n  because resolv.conf=link:")
    assert f"    +nameserver {HOST}\n" in ran.stdout
    assert "    -nameserver 127.0.0.53\n" in ran.stdout
    assert "  run systemctl restart systemd-resolved.service\n" in ran.stdout
    ran = anchord("install", tree, config_of(daemon), "--dns-only", "--dry-run", "--json")
    (plan,) = json.loads(ran.stdout)["plans"]
    assert (plan["backend"], plan["steps"][-1]["type"]) == ("resolved", "command")
    assert manifest(tree) == before
    assert tree.calls == []


def test_each_half_can_be_had_alone(daemon: Daemon, tmp_path: Path) -> None:
    tree = trees.plain(tmp_path)
    tree.running()
    tree.put("/usr/lib/systemd/system/anchord.service")
    for options, expected in (
        (["--service-only"], ["service"]),
        (["--dns-only"], ["names", "dns"]),
        ([], ["service", "names", "dns"]),
    ):
        ran = anchord("install", tree, config_of(daemon), "--dry-run", "--json", *options)
        assert [plan["what"] for plan in json.loads(ran.stdout)["plans"]] == expected


def test_r16_a_second_install_changes_nothing(daemon: Daemon, tmp_path: Path) -> None:
    tree = trees.plain(tmp_path)
    anchord("install", tree, config_of(daemon), "--dns-only")
    before = manifest(tree)
    ran = anchord("install", tree, config_of(daemon), "--dns-only", "--json")
    report = json.loads(ran.stdout)
    assert (ran.status, report["changed"], report["plans"]) == (0, False, [])
    after = manifest(tree)
    lock = "var/lib/anchord-install/lock"
    assert {name: after[name] for name in after if name != lock} == {
        name: before[name] for name in before if name != lock
    }


def test_r15_without_a_proof_dns_is_not_touched(
    daemon: Daemon, lab: Served, tmp_path: Path
) -> None:
    """A daemon serves, but its upstream is gone."""
    assert daemon.process.poll() is None
    file = configuration(
        tmp_path, "udp://127.0.0.1:9", dns=("127.53.5.2:53",), dnssec=lab.dnssec,
        forward={"timeout": "300ms"},
    )  # fmt: skip
    tree = trees.plain(tmp_path / "tree")
    before = manifest(tree)
    with serving(file):
        ran = anchord("install", tree, file, "--dns-only")
    assert ran.status == 3
    assert ran.stderr.startswith("anchord: 127.53.5.2:53/udp: ")
    assert "DNSKEY was answered with rcode 2 (EDE " in ran.stderr
    assert manifest(tree) == before


def test_it_is_taken_back_where_the_systems_path_does_not_lead_to_us(
    daemon: Daemon, tmp_path: Path
) -> None:
    """systemd-resolved, once restarted, answers nothing."""
    tree = trees.resolved(tmp_path)
    tree.program("resolvectl", "echo 'no servers' >&2; exit 1\n")
    before = manifest(tree)
    ran = anchord("install", tree, config_of(daemon), "--dns-only")
    assert ran.status == 3
    assert ran.stderr == "anchord: systemd-resolved: no answer through it (no servers)\n"
    assert manifest(tree) == before


def test_a_resolver_that_is_not_this_daemon_is_told_apart(
    daemon: Daemon, lab: Served, tmp_path: Path
) -> None:
    """Its port answers well, but it is another daemon that the control socket leads to."""
    other = configuration(tmp_path, lab.udp, dnssec=lab.dnssec)
    tree = trees.plain(tmp_path / "tree")
    with serving(other):
        mixed = tmp_path / "mixed.toml"
        text = config_of(daemon).read_text()
        mixed.write_text(text.replace(str(daemon.control), str(tmp_path / "control.sock")))
        ran = anchord("install", tree, mixed, "--dns-only")
    assert ran.status == 3
    assert f"process {daemon.process.pid}" in ran.stderr
    assert "and not the running anchord" in ran.stderr


def test_an_address_without_port_53_is_refused(daemon: Daemon, tmp_path: Path) -> None:
    file = tmp_path / "anchord.toml"
    file.write_text('[listen]\ndns = ["127.0.0.1:5300"]\n')
    ran = anchord("install", trees.plain(tmp_path / "tree"), file, "--dns-only")
    assert ran.status == 2
    assert "ask port 53 alone" in ran.stderr
    assert daemon.process.poll() is None


def test_a_take_over_that_was_damaged_is_done_anew(daemon: Daemon, tmp_path: Path) -> None:
    tree = trees.resolved(tmp_path)
    anchord("install", tree, config_of(daemon), "--dns-only")
    tree.machine.path(dns.RESOLVED_DROP_IN).unlink()
    ran = anchord("install", tree, config_of(daemon), "--dns-only")
    assert f"done anew: {dns.RESOLVED_DROP_IN} is gone" in ran.stdout
    assert tree.machine.exists(dns.RESOLVED_DROP_IN)


def test_installed_again_it_takes_resolv_conf_back_after_a_proof(
    daemon: Daemon, tmp_path: Path
) -> None:
    tree = trees.resolved(tmp_path)
    before = manifest(tree)
    anchord("install", tree, config_of(daemon), "--dns-only")
    tree.resolv_conf.write_text("nameserver 192.0.2.66\n")
    ran = anchord("install", tree, config_of(daemon), "--dns-only", "--json")
    report = json.loads(ran.stdout)
    assert (report["changed"], report["plans"]) == (True, [])
    assert report["notes"][0] == ("done anew: /etc/resolv.conf has been changed by somebody else")
    assert len(report["proofs"]) == 2
    assert f"nameserver {HOST}\n" in tree.resolv_conf.read_text()
    anchord("uninstall", tree, config_of(daemon))
    assert manifest(tree) == before


def test_uninstall_without_a_daemon_finishes_what_was_interrupted(tmp_path: Path) -> None:
    tree = trees.plain(tmp_path)
    before = manifest(tree)
    with journal.locked(tree.machine):
        plan = dns.plan(tree.machine, detect.look(tree.machine), (HOST,))
        journal.apply(tree.machine, plan)
    ran = run("status", "--root", str(tree.root), "--json")
    assert json.loads(ran.stdout)["dns"]["state"] == "interrupted"
    ran = run("uninstall", "--unfinished", "--root", str(tree.root))
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout.startswith("note: an unfinished change of the system's dns was taken back\n")
    assert manifest(tree) == before


def test_uninstall_waits_for_another_one_to_end(tmp_path: Path) -> None:
    """Such as the unit that takes resolv.conf back."""
    tree = trees.plain(tmp_path)
    before = manifest(tree)
    with journal.locked(tree.machine):
        journal.apply(tree.machine, dns.plan(tree.machine, detect.look(tree.machine), (HOST,)))
        journal.confirm(tree.machine, "dns")

    def other() -> None:
        with journal.locked(tree.machine):
            is_locked.set()
            time.sleep(2)

    is_locked = threading.Event()
    thread = threading.Thread(target=other)
    thread.start()
    is_locked.wait()
    ran = run("uninstall", "--root", str(tree.root))
    thread.join()
    assert (ran.status, ran.stderr) == (0, "")
    assert manifest(tree) == before


def test_status_tells_people_and_programs_what_is_in_force(daemon: Daemon, tmp_path: Path) -> None:
    tree = trees.plain(tmp_path)
    ran = anchord("status", tree, config_of(daemon))
    assert ran.status == 0
    assert "dns      not installed\n" in ran.stdout
    assert "asked    programs ask 192.0.2.1 (/etc/resolv.conf)\n" in ran.stdout
    anchord("install", tree, config_of(daemon), "--dns-only")
    ran = anchord("status", tree, config_of(daemon), "--json")
    found = json.loads(ran.stdout)
    assert (found["dns"]["state"], found["dns"]["backend"]) == ("installed", "file")
    assert found["nameservers"] == [HOST]
    assert f"(process {daemon.process.pid})" in found["holders"][f"{HOST}:53"]
    assert [proof["way"] for proof in found["proofs"]][-1] == f"resolv.conf: {HOST}"
    assert found["daemon"]["pid"] == daemon.process.pid
    assert [each["state"] for each in found["daemon"]["upstreams"].values()] == ["up"]


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", "is up, its certificate by CN="),
        (f"tls://{DEAD}:1", f"is down: tls://{DEAD}:1: port 1 cannot be reached"),
    ],
)
def test_status_tells_who_vouches_for_an_upstream_or_why_it_does_not_answer(
    lab: Served, tmp_path: Path, url: str, told: str
) -> None:
    """Another issuer than the operator's is somebody in between."""
    upstream = url or lab.tls
    file = configuration(tmp_path, upstream, dnssec=lab.dnssec)
    with serving(file) as asking:
        ask(asking.port, "good.lab")
        ran = anchord("status", trees.plain(tmp_path / "tree"), file)
    assert f"\nupstream {url or lab.tls['url']} {told}" in ran.stdout


def test_r30_status_tells_of_a_resolv_conf_that_somebody_has_written(
    daemon: Daemon, tmp_path: Path
) -> None:
    tree = trees.plain(tmp_path)
    anchord("install", tree, config_of(daemon), "--dns-only")
    tree.put("/etc/resolv.conf", "nameserver 192.0.2.66\n")
    ran = anchord("status", tree, config_of(daemon))
    assert ran.status == 3
    assert "/etc/resolv.conf has been changed by somebody else" in ran.stdout
    assert "names 192.0.2.66 and not anchord alone" in ran.stdout


def test_r9_a_record_that_a_start_of_the_system_took_is_made_again(
    daemon: Daemon, tmp_path: Path
) -> None:
    tree = trees.debian_resolvconf(tmp_path)
    anchord("install", tree, config_of(daemon), "--dns-only")
    record = tree.machine.path(f"/run/resolvconf/interface/{dns.RECORD}")
    record.unlink()
    ran = anchord("status", tree, config_of(daemon))
    assert f"/run/resolvconf/interface/{dns.RECORD} is gone: sudo anchord install" in ran.stdout
    ran = anchord("install", tree, config_of(daemon), "--reapply")
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout == f"/run/resolvconf/interface/{dns.RECORD} is there again\n"
    assert f"nameserver {HOST}\n" in record.read_text()
    assert anchord("install", tree, config_of(daemon), "--reapply").stdout == ""


def test_r30_what_somebody_has_written_is_taken_back_and_is_theirs_in_the_end(
    daemon: Daemon, tmp_path: Path
) -> None:
    tree = trees.plain(tmp_path)
    anchord("install", tree, config_of(daemon), "--dns-only")
    theirs = tree.put("/etc/resolv.conf.new", "search new.test\nnameserver 192.0.2.66\n")
    before = theirs.stat()
    theirs.rename(tree.resolv_conf)
    ran = anchord("install", tree, config_of(daemon), "--reapply")
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout == ("/etc/resolv.conf had been written by somebody else, and is ours again\n")
    assert f"nameserver {HOST}\nsearch new.test\n" in tree.resolv_conf.read_text()
    ran = anchord("install", tree, config_of(daemon), "--reapply")
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", "")
    anchord("uninstall", tree, config_of(daemon))
    after = tree.resolv_conf.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_r30_a_link_that_was_there_is_given_back_whoever_has_written_since(
    daemon: Daemon, tmp_path: Path
) -> None:
    tree = trees.resolved(tmp_path)
    before = manifest(tree)
    anchord("install", tree, config_of(daemon), "--dns-only")
    tree.resolv_conf.write_text("nameserver 192.0.2.66\n")  # a VPN, for a while
    assert anchord("install", tree, config_of(daemon), "--reapply").status == 0
    assert f"nameserver {HOST}\n" in tree.resolv_conf.read_text()
    anchord("uninstall", tree, config_of(daemon))
    assert manifest(tree) == before


def test_r30_it_is_left_where_anchord_does_not_reply(lab: Served, tmp_path: Path) -> None:
    tree = trees.plain(tmp_path / "tree")
    with journal.locked(tree.machine):
        journal.apply(tree.machine, dns.plan(tree.machine, detect.look(tree.machine), (DEAD,)))
        journal.confirm(tree.machine, "dns")
    tree.put("/etc/resolv.conf", "nameserver 192.0.2.66\n")
    file = configuration(tmp_path, lab.udp, dns=(f"{DEAD}:53",), dnssec=lab.dnssec)
    ran = anchord("install", tree, file, "--reapply")
    assert ran.status == 3
    assert ran.stderr.startswith(f"anchord: {DEAD}:53/udp: ")
    assert tree.resolv_conf.read_text() == "nameserver 192.0.2.66\n"


def test_r30_one_that_writes_it_again_at_once_is_told_of(daemon: Daemon, tmp_path: Path) -> None:
    tree = trees.plain(tmp_path)
    anchord("install", tree, config_of(daemon), "--dns-only")
    argv = ["sh", "-c", f"while sleep 0.1; do echo nameserver 192.0.2.66 >{tree.resolv_conf}; done"]
    with subprocess.Popen(argv) as writer:
        ran = anchord("install", tree, config_of(daemon), "--reapply")
        writer.kill()
    assert ran.status == 2
    assert "/etc/resolv.conf: is written by another program, again and again" in ran.stderr


def test_where_dns_is_not_taken_over_nothing_is_taken_back(daemon: Daemon, tmp_path: Path) -> None:
    tree = trees.plain(tmp_path)
    before = manifest(tree)
    ran = anchord("install", tree, config_of(daemon), "--reapply")
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", "")
    assert manifest(tree) == before


def test_the_watch_runs_as_long_as_dns_is_ours(daemon: Daemon, tmp_path: Path) -> None:
    """Where systemd has our units; its start is the last thing, and its stop the first."""
    tree = trees.resolved(tmp_path, networkmanager=False)
    tree.put("/usr/lib/systemd/system/anchord.service")
    anchord("install", tree, config_of(daemon), "--dns-only")
    assert tree.calls[-3:] == [
        "systemctl reset-failed anchord-dns.*",
        "systemctl start anchord-dns.path",
        "resolvectl query --cache=no --type=DNSKEY .",
    ]
    ran = anchord("status", tree, config_of(daemon))
    assert "anchord-dns.path does not run any more: sudo anchord install mends it" in ran.stdout
    (tree.root / "calls").unlink()
    anchord("uninstall", tree, config_of(daemon))
    assert tree.calls[:2] == [
        "systemctl stop anchord-dns.path",
        "systemctl reset-failed anchord-dns.*",
    ]


# ------------ The service ------------


def test_r14_a_port_that_somebody_has_is_named_with_the_process(
    daemon: Daemon, tmp_path: Path
) -> None:
    from anchord.system.service import NO_SERVICE_FOLDERS

    if sys.executable.startswith(tuple(f"{folder}/" for folder in NO_SERVICE_FOLDERS)):
        pytest.skip(f"{sys.executable} lies where no service may be started from: refused before")
    tree = trees.plain(tmp_path)
    tree.running()
    before = manifest(tree)
    ran = anchord("install", tree, config_of(daemon))
    assert ran.status == 2
    assert f"(process {daemon.process.pid})" in ran.stderr
    assert manifest(tree) == before


def test_r32_a_program_in_a_home_is_no_service(tmp_path: Path) -> None:
    from anchord.system import service
    from anchord.system.errors import SystemRefusal

    tree = trees.plain(tmp_path)
    tree.running()
    facts = detect.look(tree.machine)
    with pytest.raises(SystemRefusal, match=r"below /home.*the package.*/opt/anchord"):
        service.plan(tree.machine, facts, "/home/ada/.local/bin/anchord")


def test_r32_from_a_temporary_folder_install_refuses_and_names_both_ways(tmp_path: Path) -> None:
    """An environment there, as any tool for programs in homes makes one."""
    with TemporaryDirectory(dir="/tmp") as name:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", name], check=True)
        tree = trees.plain(tmp_path)
        tree.running()
        before = manifest(tree)
        libraries = ":".join([str(SOURCE), *site.getsitepackages()])
        ran = subprocess.run(
            [f"{name}/bin/python", "-m", "anchord", "install", "--root", tree.root],
            capture_output=True, text=True, check=False, env=environment(PYTHONPATH=libraries),
        )  # fmt: skip
    assert ran.returncode == 2
    assert f"anchord: {name}/bin/anchord: a service cannot be started from below /tmp" in ran.stderr
    assert "the package of your distribution" in ran.stderr
    assert "python3 -m venv /opt/anchord" in ran.stderr
    assert manifest(tree) == before


def test_systemd_gets_units_that_name_this_program(tmp_path: Path) -> None:
    from anchord.system import service

    tree = trees.plain(tmp_path)
    tree.running()
    plan = service.plan(tree.machine, detect.look(tree.machine), "/opt/anchord/bin/anchord")
    before = manifest(tree)
    with journal.locked(tree.machine):
        journal.apply(tree.machine, plan)
    unit = tree.machine.text("/etc/systemd/system/anchord.service")
    assert "\nExecStart=/opt/anchord/bin/anchord serve\n" in unit
    assert tree.calls == [
        "systemctl daemon-reload",
        (
            "systemctl enable anchord.service anchord.socket anchord-ipv6.socket"
            " anchord-api.socket anchord-control.socket anchord-recover.service"
            " anchord-links.path anchord-dns.path anchord-dns.service"
        ),
        "systemctl start anchord.socket anchord-ipv6.socket anchord-links.path anchord.service",
    ]
    # What it writes while it runs.
    tree.put("/run/anchord-links/links.json", "[]")
    tree.put("/var/lib/private/anchord/negative.json", "[]")
    tree.link("/var/lib/anchord", "private/anchord")
    with journal.locked(tree.machine):
        assert journal.revert(tree.machine, "service") == []
    (tree.root / "var/lib/private").rmdir()
    assert manifest(tree) == before


def test_a_configuration_that_somebody_has_written_stays_when_the_service_goes(
    tmp_path: Path,
) -> None:
    from anchord.system import service

    tree = trees.plain(tmp_path)
    tree.running()
    plan = service.plan(tree.machine, detect.look(tree.machine), "/opt/anchord/bin/anchord")
    with journal.locked(tree.machine):
        journal.apply(tree.machine, plan)
    file = tree.put("/etc/anchord/anchord.toml", "[cache]\n")
    with journal.locked(tree.machine):
        assert journal.revert(tree.machine, "service") == []
    assert file.read_text() == "[cache]\n"


def test_openrc_gets_its_file_and_a_user(tmp_path: Path) -> None:
    from anchord.system import service

    tree = trees.plain(tmp_path)
    (tree.root / "run/openrc").mkdir(parents=True)
    for program in ("rc-service", "rc-update", "useradd", "userdel"):
        tree.program(program)
    before = manifest(tree)
    plan = service.plan(tree.machine, detect.look(tree.machine), "/opt/anchord/bin/anchord")
    with journal.locked(tree.machine):
        journal.apply(tree.machine, plan)
    script = tree.machine.path("/etc/init.d/anchord")
    assert script.stat().st_mode & 0o777 == 0o755
    assert subprocess.run(["sh", "-n", script], check=False).returncode == 0
    assert [call.split()[0] for call in tree.calls] == ["useradd", "rc-update", "rc-service"]
    with journal.locked(tree.machine):
        assert journal.revert(tree.machine, "service") == []
    assert manifest(tree) == before


def test_without_a_service_manager_the_way_out_is_told(tmp_path: Path) -> None:
    tree = trees.plain(tmp_path)
    ran = run("install", "--root", str(tree.root), "--service-only")
    assert ran.status == 2
    assert "neither systemd nor OpenRC" in ran.stderr
    assert "--dns-only" in ran.stderr
