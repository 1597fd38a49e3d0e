"""Other networks, and other programs, than those there were when anchord was installed."""

from pathlib import Path

import pytest

from support.booted import DOWN, asked, is_secure, prepare
from support.boots import Boot, booted

pytestmark = pytest.mark.long

OTHER = """
ip link add v2 type veth peer name v3
ip netns add other && ip link set v3 netns other
ip -n other addr add 198.51.100.53/24 dev v3 && ip -n other link set v3 up
ip -n other link set lo up
systemd-run --unit=other ip netns exec other python3 /upstream.py link 198.51.100.53
"""

OTHER_UP = {
    "bookworm": (
        "nmcli connection add type ethernet ifname v2 con-name v2 ip4 198.51.100.10/24"
        " ipv4.dns 198.51.100.53 ipv4.dns-search corp.test; nmcli connection up v2"
    ),
    "trixie": (
        "ip addr replace 198.51.100.10/24 dev v2; ip link set v2 up; sleep 0.5;"
        " resolvectl dns v2 198.51.100.53; resolvectl domain v2 corp.test"
    ),
}

OWN_NETWORK = "/etc/NetworkManager/system-connections/v2"
"""What NetworkManager remembers of the other network is no change of ours."""


def test_r7_uninstalled_in_another_network_the_system_asks_that_one(boot: Boot) -> None:
    before = boot.manifest()
    boot.run("anchord install --yes")
    boot.run(OTHER)
    boot.run(DOWN[boot.release])
    boot.run(OTHER_UP[boot.release])
    boot.wait("test $(dig +short +tries=1 a.corp.test) = 192.0.2.99")
    assert is_secure(boot)
    boot.run("systemctl stop link; : >/link.log")

    boot.run("anchord uninstall")
    assert [line for line in boot.changes(before) if OWN_NETWORK not in f"/etc{line[1:]}"] == []
    boot.wait("test $(dig +short +tries=1 b.corp.test) = 192.0.2.99")
    boot.wait("getent hosts c.corp.test")
    assert "192.0.2.53" not in boot.run("resolvectl dns")
    assert {"b.corp.test.", "c.corp.test."} <= set(asked(boot))


def test_r12_r14_what_cannot_be_had_is_refused_and_dns_stays_as_it_is(folder: Path) -> None:
    with booted("trixie", folder) as boot:
        prepare(boot)
        before = boot.manifest()

        # Somebody else has the port.
        boot.run("systemctl stop anchord.service anchord.socket anchord-ipv6.socket")
        bind = 'import socket, time; s = socket.socket(2, 2); s.bind(("127.0.0.1", 53))'
        boot.run(f"systemd-run --unit=rude python3 -c '{bind}; time.sleep(999)'")
        boot.wait("ss -Hlnu sport = 53 | grep -q 127.0.0.1:53")
        pid = boot.run("systemctl show -p MainPID --value rude")
        told = boot.run("anchord install; echo status $?")
        assert f"127.0.0.1:53: the port is taken by python3 (process {pid})" in told
        assert told.endswith("status 2")
        assert boot.changes(before) == []
        boot.run("systemctl stop rude")
        boot.run("systemctl start anchord.socket anchord-ipv6.socket anchord.service")

        # The name of resolv.conf cannot be had, as in a container.
        boot.run("cp /etc/resolv.conf /outside; rm /etc/resolv.conf; touch /etc/resolv.conf")
        boot.run("mount --bind /outside /etc/resolv.conf")
        boot.run("echo '# from outside' >>/outside")
        before = boot.manifest()
        told = boot.run("anchord install; echo status $?")
        assert "anchord: /etc/resolv.conf: is mounted from outside" in told
        assert "--in-place" in told
        assert told.endswith("status 2")
        assert boot.changes(before) == []
        for owner in ("resolved", "file"):
            assert f"({owner})" in boot.run("anchord install --in-place --yes")
            assert is_secure(boot)
            assert boot.run("dig +short a.corp.test") == "192.0.2.99"
            boot.run("anchord uninstall")
            assert boot.changes(before) == []
            boot.run(
                "systemctl mask --now systemd-resolved systemd-resolved-varlink.socket || true"
            )
            boot.run("printf 'search corp.test\\nnameserver 192.0.2.53\\n' >/outside")
            before = boot.manifest()
