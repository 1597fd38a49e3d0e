"""Who has the system's DNS: the facts, read and never changed, and what follows from them.

`look` reads everything that matters and asks the services that are running; it starts none.
`decide` is a pure function of that. The traps that the order of its questions avoids: a header in
resolv.conf that lies; a `resolvconf` that is really `resolvectl`; NetworkManager that hands over to
systemd-resolved; a file that cannot be renamed because it is mounted there.
"""

import array
import fcntl
import os

import msgspec

from . import files, resolv_conf
from .errors import SystemRefusal
from .files import Seen
from .machine import Machine
from .resolv_conf import ResolvConf

STUBS = frozenset({"127.0.0.53", "127.0.0.54"})
"""The listeners of systemd-resolved."""

RUN_RESOLVE = "/run/systemd/resolve/"

BACKENDS = ("auto", "resolved", "networkmanager", "resolvconf", "openresolv", "file")
"""The words of `--backend`."""

_DEBIAN_RESOLVCONF = 99
"""The status with which Debian's resolvconf refused `--version`, when it had none to tell."""

_GET_FLAGS = 0x80086601
_IMMUTABLE = 0x10
"""FS_IOC_GETFLAGS and FS_IMMUTABLE_FL of linux/fs.h."""


class Facts(msgspec.Struct, frozen=True):
    """What was found. `owner` is who says in the file's first comment that the file is his."""

    seen: Seen
    content: ResolvConf
    owner: str = ""
    is_mounted: bool = False
    is_immutable: bool = False
    has_resolved: bool = False
    nss_asks_resolved: bool = False
    has_networkmanager: bool = False
    resolvconf: str = ""
    """"resolvconf" (Debian's), "openresolv", "resolvectl" or nothing."""
    has_dhclient: bool = False
    has_dhcpcd: bool = False
    has_systemd: bool = False
    has_openrc: bool = False
    has_selinux: bool = False
    wsl: str = ""
    """"generates" where WSL writes resolv.conf at each start, "leaves" where it was told not to."""
    container: str = ""
    others: tuple[str, ...] = ()
    """Files by which other programs have a hand in the system's DNS."""


class Decision(msgspec.Struct, frozen=True):
    """By whose means it is done, and the facts that decided, in the order they were asked."""

    backend: str
    reasons: tuple[tuple[str, str], ...]


def look(machine: Machine) -> Facts:
    """Everything that decides. Raises SystemRefusal where it may not be read."""
    path = resolv_conf.PATH
    content = resolv_conf.read(machine.text(path))
    has_systemd = machine.path("/run/systemd/system").is_dir()
    return Facts(
        seen=files.see(machine.path(path)),
        content=content,
        owner=_owner(content.comment),
        is_mounted=_is_mounted(machine, path),
        is_immutable=_is_immutable(machine, path),
        has_resolved=_is_active(machine, "systemd-resolved.service"),
        nss_asks_resolved=_nss_asks_resolved(machine),
        has_networkmanager=_has_networkmanager(machine, with_systemd=has_systemd),
        resolvconf=_resolvconf(machine),
        has_dhclient=machine.program("dhclient") is not None and machine.exists("/etc/dhcp"),
        has_dhcpcd=machine.program("dhcpcd") is not None,
        has_systemd=has_systemd,
        has_openrc=machine.exists("/run/openrc") and machine.program("rc-service") is not None,
        has_selinux=machine.exists("/sys/fs/selinux/enforce"),
        wsl=_wsl(machine),
        container=_container(machine),
        others=_others(machine),
    )


def decide(facts: Facts) -> Decision:
    """The backend that fits."""
    target = facts.seen.target
    to_resolved = RUN_RESOLVE.strip("/") in target or "systemd/resolv.conf" in target
    servers = set(facts.content.nameservers)
    stub_only = bool(servers) and servers <= STUBS
    used = facts.has_resolved and (facts.nss_asks_resolved or to_resolved or stub_only)
    by_networkmanager = facts.owner == "NetworkManager" or "run/NetworkManager" in target
    reasons = [
        ("resolv.conf", facts.seen.kind + (f":{target}" if target else "")),
        ("header", facts.owner or "none"),
        ("resolved", "used" if used else "unused" if facts.has_resolved else "no"),
        ("networkmanager", "yes" if facts.has_networkmanager else "no"),
    ]
    if facts.is_mounted:
        reasons.append(("mounted", "yes"))
    if used:
        backend = "resolved"
    elif facts.has_networkmanager and by_networkmanager:
        backend = "networkmanager"
    elif facts.owner == "resolvconf" or "resolvconf/" in target:
        reasons.append(("resolvconf", facts.resolvconf or "no"))
        known = facts.resolvconf in {"resolvconf", "openresolv"}
        backend = facts.resolvconf if known else "file"
    else:
        backend = "file"
    return Decision(backend, tuple(reasons))


def _owner(comment: str) -> str:
    """Who wrote the file, by the first of its leading comment lines that names somebody."""
    for line in comment.splitlines():
        for owner in ("anchord", "systemd-resolved", "NetworkManager", "resolvconf", "tailscale"):
            if owner in line:
                return owner
        if "dhcpcd" in line or "dhclient" in line:
            return "dhcp"
    return ""


def _is_active(machine: Machine, unit: str) -> bool:
    return machine.says("systemctl", "is-active", unit) is not None


def _nss_asks_resolved(machine: Machine) -> bool:
    """Whether `resolve` stands before `dns` on the hosts line of nsswitch.conf."""
    for line in machine.text("/etc/nsswitch.conf").splitlines():
        if line.startswith("hosts:"):
            sources = line.partition("#")[0].split()[1:]
            return "resolve" in sources and (
                "dns" not in sources or sources.index("resolve") < sources.index("dns")
            )
    return False


def _has_networkmanager(machine: Machine, *, with_systemd: bool) -> bool:
    if with_systemd:
        return _is_active(machine, "NetworkManager.service")
    return (machine.says("nmcli", "-t", "-f", "RUNNING", "general") or "").strip() == "running"


def _resolvconf(machine: Machine) -> str:
    program = machine.program("resolvconf")
    if program is None:
        return ""
    if machine.real(program).name == "resolvectl":
        return "resolvectl"
    ran = machine.run(("resolvconf", "--version"), patience=5)
    if ran.status == _DEBIAN_RESOLVCONF or ran.stdout.startswith("Debian resolvconf"):
        return "resolvconf"
    return "openresolv" if ran.stdout.startswith("openresolv") else ""


def _is_mounted(machine: Machine, path: str) -> bool:
    """Whether the file itself is a mount: its name cannot be renamed or removed then."""
    mounts = machine.text("/proc/self/mountinfo").splitlines()
    return any(line.split()[4:5] == [path] for line in mounts)


def _is_immutable(machine: Machine, path: str) -> bool:
    """chattr(1)'s flag `i`; file systems without such flags say so, and then there is none."""
    try:
        fd = os.open(machine.path(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        flags = array.array("L", [0])
        fcntl.ioctl(fd, _GET_FLAGS, flags)
    except OSError:
        return False
    finally:
        os.close(fd)
    return bool(flags[0] & _IMMUTABLE)


def _wsl(machine: Machine) -> str:
    if "microsoft" not in machine.text("/proc/sys/kernel/osrelease").lower():
        return ""
    compact = machine.text("/etc/wsl.conf").lower().replace(" ", "")
    return "leaves" if "generateresolvconf=false" in compact else "generates"


def _container(machine: Machine) -> str:
    if machine.exists("/.dockerenv"):
        return "docker"
    if machine.exists("/run/.containerenv"):
        return "podman"
    return machine.text("/run/systemd/container").strip()


def _others(machine: Machine) -> tuple[str, ...]:
    """Drop-ins and hooks of other programs that point DNS somewhere."""
    found = []
    for path in machine.files("/etc/systemd/resolved.conf.d"):
        lines = machine.text(path).splitlines()
        if "anchord" not in path and any(line.startswith("DNS=") for line in lines):
            found.append(path)
    for path in machine.files("/etc/NetworkManager/conf.d"):
        text = machine.text(path)
        if "anchord" not in path and ("\ndns=" in text or "[global-dns" in text):
            found.append(path)
    return tuple(found)


def refuse(facts: Facts, *, in_place: bool) -> None:
    """Raises SystemRefusal where resolv.conf cannot be had as asked, with what to do instead."""
    where = resolv_conf.PATH
    if facts.is_immutable:
        raise SystemRefusal(
            "is immutable: somebody has locked it", where=where, remedy=f"run chattr -i {where}"
        )
    if facts.wsl == "generates":
        raise SystemRefusal(
            "WSL writes it anew at each start",
            where=where,
            remedy="install anchord on Windows, or set generateResolvConf=false below [network]"
            " in /etc/wsl.conf and run wsl --shutdown",
        )
    if facts.is_mounted and not in_place:
        raise SystemRefusal(
            "is mounted from outside this container, so that its name cannot be taken",
            where=where,
            remedy="give the container another DNS server, or use --in-place to write into it",
        )
    if in_place and not facts.is_mounted:
        raise SystemRefusal(
            "is an ordinary file or link, and need not be written in place",
            where=where,
            remedy="leave --in-place out",
        )
    if facts.seen.kind == "other":
        raise SystemRefusal("is neither a file nor a link", where=where)
    if facts.owner == "anchord":
        raise SystemRefusal(
            "is anchord's already, but no journal tells what was there before",
            where=where,
            remedy="write the file that you want to go back to, then install again",
        )
