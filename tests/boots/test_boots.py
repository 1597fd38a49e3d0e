"""The package in systems that are really booted; the numbers are those of the requirements.

All of them: pytest -m long tests/boots. A base root of each kind of system is made by debootstrap
once (a minute or two each, six gigabytes for all); that needs to be root on a Debian with
systemd-container and debootstrap.
"""

from pathlib import Path

import pytest

from support.booted import DOWN, LINK, UP, asked, is_secure, prepare, prepare_service
from support.boots import MAKE_NEWER, Boot, booted

pytestmark = pytest.mark.long

SSH = (
    "ssh -o BatchMode=yes -o VerifyHostKeyDNS=yes -o StrictHostKeyChecking=yes"
    " -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
)
"""A client that knows no host but by proven SSHFP records."""

MODES = (
    "resolvectl dns v0; resolvectl domain v0; busctl get-property org.freedesktop.NetworkManager"
    " /org/freedesktop/NetworkManager/DnsManager org.freedesktop.NetworkManager.DnsManager"
    " Mode RcManager 2>&1 || true"
)
"""Prints how those have it who had DNS before."""


# ------------ Every day ------------


def test_r3_r4_installed_it_answers_all_programs_and_uninstalled_etc_is_as_it_was(
    boot: Boot,
) -> None:
    before, modes = boot.manifest(), boot.run(MODES)
    assert asked(boot) == []
    boot.run("anchord install --yes")

    # Programs that read resolv.conf, with AD and the reasons; programs that go through nss.
    assert is_secure(boot)
    assert "EDE: 7 (Signature Expired)" in boot.run("dig expired.lab")
    assert "status: SERVFAIL" in boot.run("dig expired.lab")
    assert "192.0.2.1" in boot.run("getent ahostsv4 good.lab")
    assert boot.status("getent hosts expired.lab") == 2
    assert "192.0.2.1" in boot.run("curl -sv --max-time 1 http://good.lab/ 2>&1 || true")
    assert boot.run(f"{SSH} root@ssh.lab echo welcome") == "welcome"
    assert "verification failed" in boot.run(f"{SSH} root@wrong.ssh.lab true", check=False)
    assert asked(boot) == []

    # The link's own names reach it, both ways, and stop when it goes.
    assert "192.0.2.99" in boot.run("getent ahostsv4 a.corp.test")
    assert boot.run("dig +short b.corp.test") == "192.0.2.99"
    assert set(asked(boot)) == {"a.corp.test.", "b.corp.test."}
    boot.run(DOWN[boot.release])
    boot.wait("dig c.corp.test +tries=1 +time=5 | grep -q 'EDE: 23'")
    assert boot.status("getent hosts d.corp.test") == 2
    boot.run(UP[boot.release])
    boot.wait('test "$(dig +short e.corp.test)" = 192.0.2.99')
    asked(boot)

    # Restarts of those who had DNS before.
    boot.run("systemctl restart systemd-resolved")
    if boot.release == "bookworm":
        boot.run("systemctl restart NetworkManager")
    boot.wait("getent hosts good.lab")
    assert is_secure(boot)
    boot.run("sleep 1")
    assert [name for name in asked(boot) if "corp.test" not in name] == []

    boot.run("anchord status")
    boot.run("anchord uninstall")
    assert boot.changes(before) == []
    boot.wait(f"test \"$({MODES})\" = '{modes}'")
    assert boot.run("systemctl --failed --no-legend") == ""


def test_r17_r18_neither_an_upgrade_nor_a_kill_loses_an_answer(boot: Boot) -> None:
    boot.run("anchord install")
    boot.run(MAKE_NEWER)
    asks = "dig +tries=1 +time=5 +short good.lab | tail -n 1; sleep 0.05"
    upgrades = "DEBIAN_FRONTEND=noninteractive dpkg -i /newer.deb; sleep 1; touch /upgraded"
    boot.run(f"(until [ -e /upgraded ]; do {asks}; done) >/answers & {upgrades}; wait")
    assert boot.run("dpkg-query -W anchord").endswith("+newer")
    count, *answers = boot.run("sort /answers | uniq -c").split()
    assert answers == ["192.0.2.1"]
    assert int(count) > 20
    boot.run("kill -9 $(systemctl show -p MainPID --value anchord)")
    assert boot.run("dig +tries=1 +time=5 +short good.lab") == "192.0.2.1"
    assert boot.run("systemctl show -p NRestarts --value anchord") == "1"


def test_r30_another_writer_of_resolv_conf_is_corrected_ten_times_and_then_told_of(
    boot: Boot,
) -> None:
    before = boot.manifest()
    boot.run("anchord install --yes")
    theirs = "echo nameserver 192.0.2.53 >/etc/resolv.conf"
    boot.run(theirs)
    boot.wait("grep -q 'nameserver 127.0.0.1' /etc/resolv.conf")
    assert is_secure(boot)

    boot.run(f"systemd-run --unit=rude sh -c 'while sleep 0.2; do {theirs}; done'")
    boot.wait("systemctl is-failed anchord-dns.service anchord-dns.path", 120)
    boot.run("systemctl stop rude")
    starts = boot.run("journalctl -u anchord-dns -o cat --no-pager | grep -c ^Starting")
    assert 2 < int(starts) <= 10
    told = boot.run("anchord status; true")
    assert "/etc/resolv.conf has been changed by somebody else" in told
    assert "anchord-dns.path does not run any more" in told

    assert "done anew" in boot.run("anchord install --yes")
    boot.run("systemctl is-active anchord-dns.path")
    assert is_secure(boot)
    boot.run("anchord uninstall")
    assert boot.changes(before) == []
    assert boot.run("systemctl --failed --no-legend") == ""


def test_r61_a_daemon_that_hangs_or_cannot_start_is_started_again_until_it_answers(
    boot: Boot,
) -> None:
    boot.run("anchord install --yes")
    folder = "/run/systemd/system/anchord.service.d"
    boot.run(f"mkdir -p {folder}; printf '[Service]\nWatchdogSec=2\n' >{folder}/soon.conf")
    boot.run("systemctl daemon-reload; systemctl restart anchord")
    assert is_secure(boot)
    boot.run("kill -STOP $(systemctl show -p MainPID --value anchord)")
    boot.wait("journalctl -u anchord -o cat --no-pager | grep -qi 'watchdog timeout'")
    assert boot.run("dig +tries=3 +time=5 +short good.lab") == "192.0.2.1"

    # Its configuration is bad, while programs go on asking.
    boot.run("cp /etc/anchord/anchord.toml /tmp; echo '[nonsense' >>/etc/anchord/anchord.toml")
    boot.run("systemctl restart anchord", check=False)
    boot.run("for i in $(seq 60); do dig +tries=1 +time=1 good.lab >/dev/null & done; wait")
    boot.wait("test $(systemctl show -p NRestarts --value anchord) -gt 7", 60)
    boot.run("cp /tmp/anchord.toml /etc/anchord/anchord.toml")
    boot.wait("dig +tries=1 +time=2 +short good.lab | grep -q 192.0.2.1")


def test_r21_removed_dns_is_as_it_was_and_purged_nothing_is_left(folder: Path) -> None:
    with booted("bookworm", folder) as boot:
        before = boot.manifest()
        prepare(boot)
        boot.run("anchord install")
        boot.run("dpkg -r anchord")
        assert boot.run("readlink /etc/resolv.conf") == "../run/systemd/resolve/stub-resolv.conf"
        boot.run("DEBIAN_FRONTEND=noninteractive dpkg -P anchord")
        boot.run("nmcli connection delete v0")
        assert boot.changes(before) == []
        places = "/usr /var/lib /var/cache /run /etc"
        found = boot.run(f"find {places} -name '*anchord*' -not -path '/var/lib/dpkg/*'")
        assert found == ""
        assert boot.run("systemctl --failed --no-legend") == ""


# ------------ The service ------------


def test_r67_a_reload_with_a_bad_file_is_told_in_the_journal_and_dns_goes_on(boot: Boot) -> None:
    boot.run("anchord install; echo '[nonsense' >>/etc/anchord/anchord.toml")
    boot.run("systemctl reload anchord; sleep 0.5")
    log = boot.run("journalctl -u anchord -o cat --no-pager | tail -n 5")
    assert "the configuration in force stays" in log
    assert is_secure(boot)
    assert "good.lab" not in boot.run("journalctl -u anchord -o cat --no-pager")


# ------------ Without systemd-resolved ------------


def test_a_plain_file_is_taken_and_r7_left_where_the_network_has_written_it(folder: Path) -> None:
    with booted("trixie", folder) as boot:
        boot.run("systemctl disable --now systemd-resolved; rm /etc/resolv.conf")
        boot.run("printf 'search corp.test\\nnameserver 192.0.2.53\\n' >/etc/resolv.conf")
        prepare_without_link(boot)
        before = boot.manifest()
        boot.run("anchord install --yes")
        assert is_secure(boot)
        assert boot.run("dig +short a.corp.test") == "192.0.2.99"
        boot.run("anchord uninstall")
        assert boot.changes(before) == []
        boot.run("anchord install; systemctl stop anchord-dns.path")
        boot.run("echo 'nameserver 192.0.2.53' >/etc/resolv.conf.new")
        boot.run("mv /etc/resolv.conf.new /etc/resolv.conf")
        assert "changed by somebody else" in boot.run("anchord status; true")
        assert "rewritten since" in boot.run("anchord uninstall")
        assert boot.run("cat /etc/resolv.conf") == "nameserver 192.0.2.53"


def prepare_without_link(boot: Boot) -> None:
    boot.run(LINK)
    boot.run("ip addr add 192.0.2.10/24 dev v0; ip link set v0 up")
    prepare_service(boot)


def test_r8_networkmanager_alone_keeps_our_setting_and_gives_it_back(folder: Path) -> None:
    with booted("bookworm", folder) as boot:
        boot.run("systemctl disable --now systemd-resolved; rm /etc/resolv.conf")
        boot.run("printf '[main]\\nrc-manager=symlink\\n' >/etc/NetworkManager/conf.d/fedora.conf")
        boot.run("systemctl restart NetworkManager")
        prepare(boot)
        boot.wait("grep -q 192.0.2.53 /etc/resolv.conf")
        assert "(networkmanager)" in boot.run("anchord install --yes")
        for command in ("true", UP["bookworm"], "systemctl restart NetworkManager; sleep 1"):
            boot.run(command)
            text = boot.run("cat /etc/resolv.conf")
            assert "nameserver 127.0.0.1" in text
            assert "192.0.2.53" not in text
            assert "trust-ad" in text
            assert is_secure(boot)
        boot.run("anchord uninstall")
        boot.wait("grep -q 192.0.2.53 /etc/resolv.conf")
        assert boot.status("ls /etc/NetworkManager/conf.d/*anchord*") == 2
