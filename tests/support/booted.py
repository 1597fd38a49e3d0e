"""What tests of booted systems have in common: a link, the package and a world, questions."""

from support.boots import Boot

LINK = """\
ip link add v0 type veth peer name v1
ip netns add net && ip link set v1 netns net
ip -n net addr add 192.0.2.53/24 dev v1 && ip -n net link set v1 up && ip -n net link set lo up
"""
"""A cable, `v0`, to a network of its own, where its server is to be."""


UP = {
    "bookworm": (
        "nmcli connection show v0 >/dev/null 2>&1 || nmcli connection add type ethernet ifname v0"
        " con-name v0 ip4 192.0.2.10/24 ipv4.dns 192.0.2.53 ipv4.dns-search corp.test;"
        " nmcli connection up v0"
    ),
    "trixie": (
        "ip addr replace 192.0.2.10/24 dev v0; ip link set v0 up; sleep 0.5;"
        " resolvectl dns v0 192.0.2.53; resolvectl domain v0 corp.test"
    ),
}
DOWN = {
    "bookworm": "nmcli connection down v0",
    "trixie": "resolvectl revert v0; ip link set v0 down",
}
"""A link with a server and a domain of its own, comes and goes."""


def prepare(boot: Boot) -> None:
    """The link is up, and the service asks the world."""
    boot.run(LINK)
    boot.run(UP[boot.release])
    prepare_service(boot)
    boot.run("sleep 1; : >/link.log")


def prepare_service(boot: Boot) -> None:
    """Installs the package, which asks a world of signed names; and starts the link's server."""
    boot.run("DEBIAN_FRONTEND=noninteractive dpkg -i /anchord.deb")
    boot.run("ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519 </dev/null")
    boot.run("cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys")
    start_world(boot)
    boot.run("systemctl reload anchord")
    boot.wait("dig @127.0.0.1 good.lab +tries=1 +time=2 | grep -q 'flags:.* ad'")


def start_world(boot: Boot) -> None:
    """The world, with a configuration for it where there is none, and the link's server."""
    boot.run("systemd-run --unit=world python3 /upstream.py world")
    boot.run("systemd-run --unit=link ip netns exec net python3 /upstream.py link 192.0.2.53")
    boot.wait("test -e /link.log -a -e /etc/anchord/anchord.toml && ss -lnu | grep -q :5300")


def asked(boot: Boot) -> list[str]:
    """What the link's own server was asked, since the last time.

    Without what resolvers ask of it for themselves: what it offers, and by what ways (RFC 9462).
    """
    names = boot.run("cat /link.log; : >/link.log").lower().split()
    return [name for name in names if "_dns-sd" not in name and name != "_dns.resolver.arpa."]


def is_secure(boot: Boot) -> bool:
    """Whether a program that reads resolv.conf gets a proven answer."""
    return " ad;" in boot.run("dig good.lab +tries=1 +time=5 | grep flags:")
