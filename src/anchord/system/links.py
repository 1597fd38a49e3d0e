"""What the network says of DNS: for each link its name servers, and the domains that are its own.

Read from whoever knows: systemd-resolved, NetworkManager, records of resolvconf or dhcpcd, leases
of dhclient, and last the resolv.conf that was there before us. Only reading, and never by DNS. What
is said of a link ends with its lease, and while it has no carrier. Addresses of this machine's
loopback are left out: they are ourselves, or somebody who would ask us.
"""

import ipaddress
import math
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from anchord.model import names
from anchord.model.names import ROOT, Name

from . import files, resolv_conf
from .errors import SystemRefusal
from .machine import Machine

_RESOLVED = (
    "org.freedesktop.resolve1",
    "/org/freedesktop/resolve1",
    "org.freedesktop.resolve1.Manager",
)

TOLD = "/run/anchord-links/links.json"
"""What root has read of the links, for a service whose user is a dynamic one: the bus and others
would not tell it. The unit `anchord-links` writes it."""

RECORDS_OF_RESOLVCONF = "/run/resolvconf/interface"
RECORDS_OF_OPENRESOLV = "/run/resolvconf/interfaces"
RECORDS_OF_DHCPCD = "/run/dhcpcd/hook-state/resolv.conf"
"""Folders with a file for each link, written as a resolv.conf and removed with the link."""

SIGNS = (
    TOLD,
    "/run/systemd/resolve/resolv.conf",
    "/run/systemd/netif/links",
    "/run/NetworkManager/resolv.conf",
    "/run/NetworkManager/devices",
    RECORDS_OF_RESOLVCONF,
    RECORDS_OF_OPENRESOLV,
    RECORDS_OF_DHCPCD,
    "/var/lib/dhcp",
    "/etc/resolv.conf",
)
"""Files and folders that are written anew when what a link says of DNS has changed."""


class Link(msgspec.Struct, frozen=True):
    """A link by its name. `domains` are those that it alone knows, as keys; never the root.

    `is_default` tells that it wants all names (`~.`), as a VPN does that carries everything.
    """

    name: str
    servers: tuple[str, ...]
    domains: tuple[Name, ...] = ()
    is_default: bool = False


def links(machine: Machine) -> tuple[Link, ...]:
    """Every link that is up and has a name server, from the first source that knows any."""
    return _up(machine, _known(machine))


def told(machine: Machine) -> tuple[Link, ...]:
    """The links as they were written down, else as they can be read."""
    content = machine.read(TOLD)
    known = _known(machine) if content is None else msgspec.json.decode(content, type=_Links)
    return _up(machine, known)


def leased(machine: Machine) -> tuple[Link, ...]:
    """The links of DHCP clients that write resolv.conf themselves, unless they are kept from it."""
    return _up(machine, _first(machine, (_of_dhcpcd, _of_leases)))


SETTLED = 1.0
"""Seconds without a change after which what was written down is taken for the last word."""


def write_down(machine: Machine, file: Path) -> None:
    """Writes for `told` what the links say, until that stays as it is. Raises OSError.

    systemd does not see a change that comes while the unit that it caused is running.
    """
    file.parent.mkdir(exist_ok=True)
    while True:
        found = _known(machine)
        files.put(file, msgspec.json.encode(found))
        time.sleep(SETTLED)
        if _known(machine) == found:
            return


_Links = tuple[Link, ...]


def servers_for(found: Sequence[Link], domain: Name) -> tuple[str, ...]:
    """The servers of the links that have `domain`, or one above or below it, for their own.

    Nobody else's: what a link's domain is called is not for the next network to know.
    """
    return tuple(
        dict.fromkeys(
            server
            for link in found
            if any(_related(domain, own) for own in link.domains)
            for server in link.servers
        )
    )


def all_servers(found: Sequence[Link]) -> tuple[str, ...]:
    """The servers of all links."""
    return tuple(dict.fromkeys(server for link in found for server in link.servers))


def all_domains(found: Sequence[Link]) -> tuple[str, ...]:
    """The domains of all links, as they stand in a search list."""
    domains = dict.fromkeys(domain for link in found for domain in link.domains)
    return tuple(names.to_text(domain).removesuffix(".") for domain in domains)


def signature(machine: Machine) -> tuple[int, ...]:
    """A number for each of SIGNS that changes with it; cheap enough for every second."""
    return tuple(_modified(machine, sign) for sign in SIGNS)


def _related(one: Name, other: Name) -> bool:
    return one in names.ancestors(other) or other in names.ancestors(one)


def _modified(machine: Machine, path: str) -> int:
    try:
        return machine.path(path).stat().st_mtime_ns
    except OSError:
        return 0


def _known(machine: Machine) -> tuple[Link, ...]:
    """The links of the first source that knows any, be they up or not."""
    sources = (
        _of_resolved,
        _of_networkmanager,
        _of_resolvconf,
        _of_dhcpcd,
        _of_leases,
        _of_the_original,
    )
    return _first(machine, sources)


def _first(
    machine: Machine, sources: Sequence[Callable[[Machine], Iterable[Link]]]
) -> tuple[Link, ...]:
    for source in sources:
        found = [link for link in source(machine) if link.servers]
        if found:
            return tuple(sorted(found, key=lambda link: link.name))
    return ()


def _up(machine: Machine, known: Iterable[Link]) -> tuple[Link, ...]:
    """Without those that have no carrier: nobody may have taken back what was said of them."""
    return tuple(link for link in known if not _is_down(machine, link.name))


def _is_down(machine: Machine, name: str) -> bool:
    """`name` may have the program behind it that made the record: `eth0.dhclient`."""
    for interface in (name, name.rpartition(".")[0]):
        if interface and (state := machine.text(f"/sys/class/net/{interface}/operstate").strip()):
            return state in {"down", "lowerlayerdown"}
    return False


# ------------ The sources ------------


def _of_resolved(machine: Machine) -> Iterator[Link]:
    if not machine.exists("/run/systemd/resolve/resolv.conf"):
        return
    dns: list[tuple[int, int, list[int]]] = _property(machine, "DNS")
    domains: list[tuple[int, str, bool]] = _property(machine, "Domains")
    for index in dict.fromkeys(number for number, _, _ in dns if number):
        servers = [bytes(octets) for number, _, octets in dns if number == index]
        texts = [text for number, text, _ in domains if number == index]
        yield _link(
            _interface(machine, index), [str(ipaddress.ip_address(each)) for each in servers], texts
        )


def _property(machine: Machine, name: str) -> Any:
    """Tuples with the interface's index first, 0 for the system (org.freedesktop.resolve1(5))."""
    text = machine.says("busctl", "--json=short", "get-property", *_RESOLVED, name)
    return msgspec.json.decode(text)["data"] if text else []


def _interface(machine: Machine, index: int) -> str:
    for folder in machine.files("/sys/class/net"):
        if machine.text(f"{folder}/ifindex").strip() == str(index):
            return folder.rpartition("/")[2]
    return str(index)


def _of_networkmanager(machine: Machine) -> Iterator[Link]:
    """`nmcli -t`: `GENERAL.DEVICE:eth0`, `IP4.DNS[1]:192.0.2.1`, `IP4.DOMAIN[1]:corp.test`."""
    fields = "GENERAL.DEVICE,IP4.DNS,IP4.DOMAIN,IP4.SEARCHES,IP6.DNS,IP6.DOMAIN,IP6.SEARCHES"
    text = machine.says("nmcli", "-t", "-e", "no", "-f", fields, "device", "show")
    if text is None:
        text = machine.says("nmcli", "-t", "-e", "no", "-f", "GENERAL,IP4,IP6", "device", "show")
    name, servers, domains = "", list[str](), list[str]()
    for line in [*(text or "").splitlines(), "GENERAL.DEVICE:"]:
        key, _, value = line.partition(":")
        if key == "GENERAL.DEVICE":
            yield _link(name, servers, domains)
            name, servers, domains = value, [], []
        elif ".DNS" in key:
            servers.append(value)
        elif ".DOMAIN" in key or ".SEARCHES" in key:
            domains += value.replace(",", " ").split()


def _of_resolvconf(machine: Machine) -> Iterator[Link]:
    yield from _of_records(machine, RECORDS_OF_RESOLVCONF)
    yield from _of_records(machine, RECORDS_OF_OPENRESOLV)


def _of_dhcpcd(machine: Machine) -> Iterator[Link]:
    yield from _of_records(machine, RECORDS_OF_DHCPCD)


def _of_records(machine: Machine, folder: str) -> Iterator[Link]:
    for path in machine.files(folder):
        record = resolv_conf.read(machine.text(path))
        yield _link(path.rpartition("/")[2], record.nameservers, record.search)


def _of_leases(machine: Machine) -> Iterator[Link]:
    """The last lease of each interface counts, until it ends."""
    last = {lease.link.name: lease for lease in _leases(machine)}
    now = time.time()
    yield from (lease.link for lease in last.values() if now < lease.expires)


class _Lease(NamedTuple):
    """What one of dhclient's says, and the second of the Unix clock when it ends."""

    link: Link
    expires: float


def _leases(machine: Machine) -> Iterator[_Lease]:
    """All that dhclient has noted, in order (dhclient.leases(5)). A released one has ended."""
    for path in machine.files("/var/lib/dhcp"):
        if re.search(r"dhclient.*\.leases$", path):
            text = machine.text(path)
            for lease in re.findall(r"^lease6? \{(.*?)^\}", text, re.DOTALL | re.MULTILINE):
                if interface := re.search(r'interface "([^"]+)"', lease):
                    yield _Lease(_leased_link(interface[1], lease), _end(lease))


def _leased_link(interface: str, lease: str) -> Link:
    found = re.findall(r"option (domain-name-servers|domain-name|domain-search) ([^;]+);", lease)
    options = defaultdict(str, found)
    domains = f"{options['domain-name']} {options['domain-search']}"
    servers = options["domain-name-servers"].replace(",", " ").split()
    return _link(interface, servers, re.findall(r"[^\s\",]+", domains))


def _end(lease: str) -> float:
    """`expire 2 2026/11/24 12:11:54;` in UTC, or `expire epoch 1795522314;`."""
    if epoch := re.search(r"expire epoch (\d+)", lease):
        return float(epoch[1])
    date = re.search(r"expire \d (\d+)/(\d+)/(\d+) (\d+):(\d+):(\d+);", lease)
    if date is None:
        return math.inf
    year, month, day, hour, minute, second = map(int, date.groups())
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()


def _of_the_original(machine: Machine) -> Iterator[Link]:
    """The resolv.conf that waits to be given back, or the one that is there, if it is not ours.

    Not where a DHCP client wrote it: what that says of its links now is known already.
    """
    kept = files.kept_name(resolv_conf.PATH)
    path = kept if machine.exists(kept) else resolv_conf.PATH
    found = resolv_conf.read(_overwritten(machine) or machine.text(path))
    modified = _modified(machine, path) / 1e9
    is_leased = "dhcpcd" in found.comment or any(
        set(found.nameservers) <= set(lease.link.servers) and modified <= lease.expires
        for lease in _leases(machine)
    )
    if not is_leased:
        yield _link(resolv_conf.PATH, found.nameservers, found.search)


def _overwritten(machine: Machine) -> str:
    """A resolv.conf that could not be moved away, and waits in the journal; root alone reads it."""
    from . import journal  # to start a daemon takes no plan, and plans know of links
    from .plan import Overwrite

    with suppress(SystemRefusal):
        entry = journal.read(machine, "dns")
        for step in entry.plan.steps if entry else ():
            if isinstance(step, Overwrite):
                return step.original.decode(errors="replace")
    return ""


def _link(name: str, servers: Sequence[str], domains: Sequence[str]) -> Link:
    usable = (server for server in servers if not _is_loopback(server))
    keys = [key for text in domains if (key := _key(text)) is not None]
    return Link(
        name,
        tuple(dict.fromkeys(usable)),
        tuple(dict.fromkeys(key for key in keys if key != ROOT)),
        ROOT in keys,
    )


def _is_loopback(text: str) -> bool:
    try:
        return ipaddress.ip_address(text.partition("%")[0]).is_loopback
    except ValueError:
        return True


def _key(text: str) -> Name | None:
    """The domain as a key; None where it is none, since it comes from the network."""
    try:
        return names.lower(names.from_text(text.removeprefix("~") or "."))
    except ValueError:
        return None
