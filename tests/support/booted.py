"""What tests of booted systems have in common: a link, the package and a world, questions."""

from support.boots import Boot

LINK = """\
ip link add v0 type veth peer name v1
ip netns add net && ip link set v1 netns net
ip -n net addr add 192.0.2.53/24 dev v1 && ip -n net link set v1 up && ip -n net link set lo up
"""
"""A cable, `v0`, to a network of its own, where its server is to be."""


def prepare_service(boot: Boot) -> None:
    """Installs the package, which asks a world of signed names; and starts the link's server."""
    boot.run("DEBIAN_FRONTEND=noninteractive dpkg -i /anchord.deb")
    boot.run("systemd-run --unit=world python3 /upstream.py world")
    boot.run("systemd-run --unit=link ip netns exec net python3 /upstream.py link 192.0.2.53")
    boot.run("ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519 </dev/null")
    boot.run("cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys")
    boot.wait("test -e /link.log -a -e /etc/anchord/anchord.toml && ss -lnu | grep -q :5300")
    boot.run("systemctl reload anchord")
    boot.wait("dig @127.0.0.1 good.lab +tries=1 +time=2 | grep -q 'flags:.* ad'")


def asked(boot: Boot) -> list[str]:
    """What the link's own server was asked, since the last time."""
    names = boot.run("cat /link.log; : >/link.log").lower().split()
    return [name for name in names if "_dns-sd" not in name]


def is_secure(boot: Boot) -> bool:
    """Whether a program that reads resolv.conf gets a proven answer."""
    return " ad;" in boot.run("dig good.lab +tries=1 +time=5 | grep flags:")
