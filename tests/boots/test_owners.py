"""The other owners of DNS, each in a system that gets its name server by a real lease.

A DHCP server on the far end of the cable gives short leases, so that they are renewed while the
test looks; the links come and go. The numbers are those of the requirements.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from support.booted import LINK, asked, is_secure, prepare, prepare_service, start_world
from support.boots import Boot, booted, started, system

pytestmark = pytest.mark.long

RENEWED = 5
"""Seconds after which a lease is renewed."""

DNSMASQ = (
    "systemd-run -q --unit=lease ip netns exec net dnsmasq -k -C /dev/null --port=0 --user=root"
    " --interface=v1 --bind-dynamic --no-ping --leasefile-ro --log-dhcp"
    f" --dhcp-range=192.0.2.10,192.0.2.20 --dhcp-option=option:T1,{RENEWED}"
)
"""Gives leases; of DNS as it is told."""

IFUPDOWN = "printf 'auto v0\\niface v0 inet dhcp\\n' >/etc/network/interfaces.d/v0"


@dataclass(frozen=True)
class Owner:
    """A way to get DNS from a lease: what sets it up, brings the link up and down.

    `backend` is by whose means it is taken over; `rewritten` what its programs write anew by
    themselves, so that only its bytes can be as before.
    """

    kind: str
    backend: str
    set_up: str = IFUPDOWN
    up: str = "ifup v0"
    down: str = "ifdown v0"
    rewritten: str = ""


NETWORKMANAGER = Owner(
    "bookworm-networkmanager",
    "networkmanager",
    set_up="nmcli connection add type ethernet ifname v0 con-name v0",
    up="nmcli connection up v0",
    down="nmcli device disconnect v0",
    rewritten="./resolv.conf",
)

NETPLAN = Owner(
    "trixie-netplan",
    "resolved",
    set_up="printf 'network: {version: 2, ethernets: {v0: {dhcp4: true,"
    " dhcp4-overrides: {use-domains: true}}}}' >/etc/netplan/v0.yaml;"
    " chmod 600 /etc/netplan/v0.yaml; netplan generate; systemctl restart systemd-networkd",
    up="ip link set v0 up",
    down="ip link set v0 down",
)
"""A server of Ubuntu's, for want of one with Debian's packages."""

OWNERS = {
    "dhclient": Owner("bookworm-dhclient", "file", rewritten="./resolv.conf"),
    "dhcpcd": Owner("trixie-dhcpcd", "file"),
    "dhcpcd of bookworm": Owner("bookworm-dhcpcd", "file"),
    "resolvconf": Owner("bookworm-resolvconf", "resolvconf"),
    "openresolv": Owner("trixie-openresolv", "openresolv", rewritten="./resolv.conf"),
    "NetworkManager": NETWORKMANAGER,
    "NetworkManager of trixie": replace(NETWORKMANAGER, kind="trixie-networkmanager"),
    "netplan": NETPLAN,
    "netplan of Ubuntu": replace(NETPLAN, kind="noble"),
    "NetworkManager of Ubuntu": replace(NETWORKMANAGER, kind="noble-desktop", backend="resolved"),
}


@contextmanager
def connected(name: str, folder: Path) -> Iterator[Boot]:
    """A system whose link has a lease, with the package installed."""
    owner = OWNERS[name]
    with booted(owner.kind, folder) as boot:
        connect(owner, boot)
        yield boot


def connect(owner: Owner, boot: Boot) -> None:
    """Gets the link its lease, and installs the package."""
    boot.run(LINK)
    lease(boot, "192.0.2.53", "corp.test")
    boot.run(owner.set_up)
    boot.run(owner.up)
    prepare_service(boot)
    boot.wait("grep -Eq '192.0.2.53|127.0.0.53' /etc/resolv.conf")
    boot.wait("getent ahostsv4 a.corp.test")
    asked(boot)


def lease(boot: Boot, server: str, domain: str) -> None:
    """What leases say from now on."""
    boot.run("systemctl stop lease 2>/dev/null; : >/lease.log")
    boot.run(
        f"{DNSMASQ} --log-facility=/lease.log --dhcp-option=option:dns-server,{server}"
        f" --dhcp-option=option:domain-name,{domain}"
    )


def manifest(boot: Boot, owner: Owner) -> list[str]:
    """As of the boot; of what the owner writes anew the bytes alone."""
    lines = boot.manifest().splitlines()
    kept = [line for line in lines if line.split()[0] != owner.rewritten]
    return [*kept, boot.run("cat /etc/resolv.conf")]


@pytest.mark.parametrize("name", OWNERS)
def test_r8_r11_an_owner_of_dns_with_a_lease_keeps_ours_and_gets_its_own_back(
    name: str, folder: Path
) -> None:
    owner = OWNERS[name]
    with connected(name, folder) as boot:
        before = manifest(boot, owner)
        assert f"({owner.backend})" in boot.run("anchord install --yes")

        is_ours(boot, "installed")
        boot.run("sleep 1; : >/lease.log")
        boot.wait("grep -q DHCPACK /lease.log", RENEWED * 4)
        is_ours(boot, "renewed")
        boot.run(owner.down)
        boot.wait("dig c.corp.test +tries=1 +time=5 | grep -q 'EDE: 23'")
        assert is_secure(boot)
        boot.run(owner.up)
        returns(boot, "e")
        is_ours(boot, "reconnected")
        boot.run("ip -n net link set v1 down")
        boot.wait("dig f.corp.test +tries=1 +time=5 | grep -q 'EDE: 23'")
        boot.run("ip -n net link set v1 up")
        returns(boot, "g")
        is_ours(boot, "plugged")

        boot.run("anchord status")
        boot.run("anchord uninstall")
        assert manifest(boot, owner) == before
        boot.wait("getent ahostsv4 h.corp.test")
        assert boot.run("systemctl --failed --no-legend") == ""


def returns(boot: Boot, label: str) -> None:
    """Waits until the link's names are back, and stay: of a link that comes up one hears twice."""
    for time in range(3):
        boot.wait(f'test "$(dig +short {label}{time}.corp.test +tries=1 +time=5)" = 192.0.2.99')
        boot.run("sleep 1")


def is_ours(boot: Boot, label: str) -> None:
    """Programs ask us, by both ways; the link's server is asked its own names, and no other.

    `label` makes names that were not asked before.
    """
    one, other = f"{label}.corp.test", f"{label}.b.corp.test"
    asked(boot)
    assert is_secure(boot)
    assert "EDE: 7 (Signature Expired)" in boot.run("dig expired.lab")
    assert "192.0.2.1" in boot.run("getent ahostsv4 good.lab")
    assert boot.status("getent hosts expired.lab.") == 2
    assert asked(boot) == []
    assert "192.0.2.99" in boot.run(f"dig {one}")
    assert "192.0.2.99" in boot.run(f"getent ahostsv4 {other}")
    assert set(asked(boot)) == {f"{one}.", f"{other}."}
    text = boot.run("cat /etc/resolv.conf")
    assert "nameserver 127.0.0.1" in text
    assert "192.0.2.53" not in text
    assert {"edns0", "trust-ad"} <= set(text.split())
    assert "corp.test" in text


# ------------ Another network, another start ------------


@pytest.mark.parametrize("name", ["dhclient", "dhcpcd"])
def test_r7_given_back_in_another_network_resolv_conf_names_the_servers_of_that(
    name: str, folder: Path
) -> None:
    owner = OWNERS[name]
    with connected(name, folder) as boot:
        before = boot.manifest()
        boot.run("anchord install --yes")
        boot.run(owner.down)
        lease(boot, "192.0.2.54", "other.test")
        boot.run(owner.up)
        boot.wait("anchord status --json | grep -q 127.0.0.1")
        assert "192.0.2.5" not in boot.run("cat /etc/resolv.conf")
        told = boot.run("anchord uninstall")
        assert "/etc/resolv.conf names the servers of the network that is there now" in told
        text = "search other.test\nnameserver 192.0.2.54"
        assert boot.run("cat /etc/resolv.conf") == text
        assert {line.split()[0] for line in boot.changes(before)} == {"./resolv.conf"}


@pytest.mark.parametrize("name", ["resolvconf", "openresolv", "dhcpcd", "NetworkManager"])
def test_r3_after_a_start_of_the_system_programs_ask_us_again(name: str, folder: Path) -> None:
    """The records of resolvconf and openresolv do not outlive it."""
    owner = OWNERS[name]
    with system(owner.kind, folder) as root:
        with started(root, owner.kind) as boot:
            connect(owner, boot)
            boot.run("anchord install --yes")
        with started(root, owner.kind) as boot:
            boot.wait("grep -q 'nameserver 127.0.0.1' /etc/resolv.conf")
            boot.run(LINK)
            lease(boot, "192.0.2.53", "corp.test")
            boot.run(f"{owner.up} || true; systemctl reset-failed")
            start_world(boot)
            boot.wait("dig good.lab +tries=1 +time=2 | grep -q 'flags:.* ad'")
            text = boot.run("cat /etc/resolv.conf")
            assert "nameserver 127.0.0.1" in text
            assert "nameserver 192.0.2.53" not in text
            assert "trust-ad" in text
            boot.run("anchord status; anchord uninstall")
            boot.wait("grep -q 'nameserver 192.0.2.53' /etc/resolv.conf")


# ------------ Past us ------------

ASKS = (
    "import socket,sys,time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
    ' s.connect((sys.argv[1], 53)); s.send(b"?"); time.sleep(999)'
)
"""A program that has a resolver of its own."""

LIBVIRT = """\
ip link add virbr0 type bridge && ip addr add 198.51.100.1/24 dev virbr0 && ip link set virbr0 up
ip netns add guest && ip link add g0 type veth peer name g1 && ip link set g0 master virbr0 up
ip link set g1 netns guest && ip -n guest addr add 198.51.100.2/24 dev g1
ip -n guest link set g1 up && mkdir -p /run/libvirt/network
systemd-run --unit=guests dnsmasq -k -C /dev/null --user=root --strict-order --bind-dynamic \
    --except-interface=lo --interface=virbr0
"""
"""A network of guests as libvirt makes it, with its dnsmasq."""


GUEST = (
    "mkdir -p /var/lib/containers; mount -t tmpfs guests /var/lib/containers;"
    " mkdir -p /guest/{etc,usr,proc,dev,sys,run,tmp};"
    " for name in bin lib lib64 sbin; do ln -s usr/$name /guest/; done"
)
PODMAN = (
    "PODMAN_IGNORE_CGROUPSV1_WARNING=1 podman run --rm --network podman"
    " --cgroups disabled -v /usr:/usr:ro --rootfs /guest"
)
"""Runs a command in a container on the default bridge, which needs no image."""


def test_r63_who_asks_others_is_named_and_guests_of_libvirt_get_our_answers(folder: Path) -> None:
    with connected("dhcpcd", folder) as boot:
        boot.run("anchord install --yes")
        boot.run(f"systemd-run --unit=here python3 -c '{ASKS}' 192.0.2.53")
        boot.run(f"systemd-run --unit=there ip netns exec net python3 -c '{ASKS}' 192.0.2.10")
        boot.run(LIBVIRT)
        boot.wait("ip netns exec guest dig @198.51.100.1 good.lab +tries=1 | grep -q 192.0.2.1")
        told = boot.run("anchord status")
        asks = r"past us  python3 \(process \d+\) asks 192\.0\.2\.(\d+):53 over UDP"
        assert sorted(re.findall(asks, told)) == ["10", "53"]
        assert "anchord (process" not in "".join(
            line for line in told.splitlines() if line.startswith("past us")
        )
        assert "libvirt: guests ask the dnsmasq of their network" in told
        told = boot.run("ip netns exec guest dig @198.51.100.1 expired.lab +time=2", check=False)
        assert "ANSWER: 0" in told or "no servers could be reached" in told


def test_r63_podman_gives_its_containers_what_the_note_says_it_does(folder: Path) -> None:
    inside = f"{PODMAN} cat /etc/resolv.conf"
    with booted("trixie-podman", folder) as boot:
        prepare(boot)
        boot.run(GUEST)
        assert "nameserver 192.0.2.53" in boot.run(inside)
        setting = 'dns_servers = ["192.0.2.53"]'
        assert setting in boot.run("anchord install --yes")
        assert "nameserver 8.8.8.8" in boot.run(inside)
        assert setting in boot.run("anchord status")

        boot.run(f"printf '[containers]\\n{setting}\\n' >/etc/containers/containers.conf")
        assert boot.run(f"{inside} | grep nameserver") == "nameserver 192.0.2.53"
        assert "Podman" not in boot.run("anchord status")


MADE_BY_DOCKER = (
    "docker container create --name made guest true >/dev/null; docker start made >/dev/null 2>&1;"
    " cat /var/lib/docker/containers/*/resolv.conf; docker rm -f made >/dev/null"
)
"""The resolv.conf of a new container on the default bridge; whether that can run is not asked."""


def test_r63_docker_gives_its_containers_what_the_note_says_it_does(folder: Path) -> None:
    with booted("trixie-docker", folder) as boot:
        prepare(boot)
        boot.run("mkdir /guest; tar -C /guest -c . | docker import - guest")
        assert "nameserver 192.0.2.53" in boot.run(MADE_BY_DOCKER)
        setting = '"dns": ["192.0.2.53"]'
        assert setting in boot.run("anchord install --yes")
        boot.run("systemctl restart docker")
        assert "nameserver 8.8.8.8" in boot.run(MADE_BY_DOCKER)
        assert setting in boot.run("anchord status")

        boot.run(f"mkdir -p /etc/docker; echo '{{{setting}}}' >/etc/docker/daemon.json")
        boot.run("systemctl restart docker")
        assert "nameserver 192.0.2.53" in boot.run(MADE_BY_DOCKER)
        assert "Docker" not in boot.run("anchord status")
