"""`anchord install` and `uninstall`, killed in a booted system; the tree tests try every point."""

import pytest

from support.booted import is_secure
from support.boots import Boot

pytestmark = pytest.mark.long

KILLED = 137
"""The status of a shell's child that SIGKILL has ended."""


def points(boot: Boot, command: str) -> list[int]:
    """Early, in the middle and late among the effects of a command, which is done for that.

    The last four are two files of the journal that get their last word: then it is done.
    """
    count = int(boot.run(f"python3 -I /killed.py 999 {command}").split()[-1])
    assert count > 12
    return [count // 6, count // 2, count - 4]


def dns_works(boot: Boot) -> None:
    """Both kinds of programs are answered, with the link's own names and those of the world."""
    boot.wait("getent hosts a.corp.test")
    boot.wait("getent hosts good.lab || ! grep -q 127.0.0.1 /etc/resolv.conf")
    boot.wait("test $(dig +short +tries=1 b.corp.test) = 192.0.2.99")


def test_r5_killed_while_it_installs_the_system_is_as_before_once_it_has_started(
    boot: Boot,
) -> None:
    """The unit that mends is started as it is at every start."""
    boot.run("systemd-run --unit=reader python3 /reader.py")
    before = boot.manifest()
    changed = []
    for point in points(boot, "install --dns-only --yes"):
        boot.run("anchord uninstall --dns-only")
        assert boot.changes(before) == []
        command = f"python3 -I /killed.py {point} install --dns-only --yes"
        assert boot.status(command) == KILLED
        changed.append(boot.changes(before) != [])
        boot.run("systemctl start anchord-recover")
        assert boot.changes(before) == [], point
        dns_works(boot)
    assert changed[1:] == [True, True]
    assert boot.run("systemctl is-active reader; cat /reader.log") == "active"


def test_r5_killed_while_it_uninstalls_dns_is_all_ours_or_all_given_back(boot: Boot) -> None:
    boot.run("systemd-run --unit=reader python3 /reader.py")
    before = boot.manifest()
    boot.run("anchord install --dns-only --yes")
    states = []
    for point in points(boot, "uninstall --dns-only"):
        assert boot.changes(before) == []
        boot.run("anchord install --dns-only --yes")
        assert boot.status(f"python3 -I /killed.py {point} uninstall --dns-only") == KILLED
        boot.run("systemctl start anchord-recover")
        dns_works(boot)
        states.append(boot.run("test -e /var/lib/anchord-install/dns.json && echo ours || true"))
        assert bool(states[-1]) == is_secure(boot)
        boot.run("anchord uninstall --dns-only")
    assert boot.changes(before) == []
    assert states[-1] == ""
    assert boot.run("systemctl is-active reader; cat /reader.log") == "active"
