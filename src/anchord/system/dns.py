"""The plans by which anchord becomes the resolver that Linux programs ask, one for each owner.

Something of ours is added where the owner has a place for it: a drop-in, a record. Only resolv.conf
itself is ever replaced, because it is what every program that reads DNS for itself goes by; behind
systemd-resolved's own listeners neither AD nor Extended DNS Errors would reach anybody.

Files first, then what makes them take effect; taken back, what makes it take effect comes last.
"""

from collections.abc import Callable, Sequence
from typing import TypeGuard

from . import detect, files, guests, links, resolv_conf
from .detect import Decision, Facts
from .dns_steps import Leased, Record
from .errors import SystemRefusal
from .machine import Machine
from .plan import Command, Overwrite, Plan, ReplaceFile, Step, Unit, own_file

RESOLVED_DROP_IN = "/etc/systemd/resolved.conf.d/50-anchord.conf"
NETWORKMANAGER_DROP_IN = "/etc/NetworkManager/conf.d/90-anchord.conf"
DHCLIENT_HOOK = "/etc/dhcp/dhclient-enter-hooks.d/anchord"
DHCPCD_HOOK = "/etc/dhcpcd.enter-hook"
RECORD = "lo.anchord"
"""Our record with resolvconf: those of `lo` come first, and after a loopback address no other name
server is written."""

WATCH = "anchord-dns.path"
"""Calls `anchord install --reapply` when resolv.conf has been written."""

_HEADER = "# Written by `anchord install`; `anchord uninstall` removes it.\n"


def plan(
    machine: Machine,
    facts: Facts,
    addresses: Sequence[str],
    *,
    backend: str = "auto",
    in_place: bool = False,
    is_watched: bool = False,
) -> Plan:
    """The plan that points the system at `addresses`, where anchord listens on port 53.

    With `is_watched` a resolv.conf that is replaced is taken back from whoever writes it later, by
    the service's own units. Raises SystemRefusal where it cannot be done as asked.
    """
    decision = detect.decide(facts)
    if backend != "auto":
        decision = Decision(backend, (*decision.reasons, ("chosen", "--backend")))
        _check_choice(facts, backend)
    if in_place:  # those who ask systemd-resolved go past that file
        by = "resolved" if decision.backend == "resolved" else "file"
        decision = Decision(by, (*decision.reasons, ("in-place", "yes")))
    if decision.backend in {"resolved", "file"}:
        detect.refuse(facts, in_place=in_place)
    steps = _PLANS[decision.backend](machine, facts, addresses)
    if is_watched and any(is_take_over(step) for step in steps):
        steps.append(Unit(WATCH))
    return Plan(
        "dns", decision.backend, decision.reasons, tuple(steps), tuple(notes(machine, facts))
    )


def is_take_over(step: Step) -> TypeGuard[ReplaceFile]:
    """Whether the step makes resolv.conf ours in the place of somebody else's."""
    return isinstance(step, ReplaceFile) and step.path == resolv_conf.PATH


def _check_choice(facts: Facts, backend: str) -> None:
    lacking = {
        "resolved": not facts.has_resolved,
        "networkmanager": not facts.has_networkmanager,
        "resolvconf": facts.resolvconf != "resolvconf",
        "openresolv": facts.resolvconf != "openresolv",
    }
    if lacking.get(backend, False):
        raise SystemRefusal(
            f"{backend} is not in use on this system",
            where="--backend",
            remedy="leave it out, and see what anchord install --dry-run finds",
        )


def _resolved(machine: Machine, facts: Facts, addresses: Sequence[str]) -> list[Step]:
    """A drop-in that outranks what links have, for those who ask systemd-resolved.

    `Domains=~.` is what keeps questions from going to the links' servers as well.
    """
    drop_in = (
        f"{_HEADER}[Resolve]\nDNS={' '.join(addresses)}\nDomains=~.\nDNSSEC=no\nDNSOverTLS=no\n"
    )
    restart = ("systemctl", "restart", "systemd-resolved.service")
    # Without it systemd would not start it a sixth time within ten seconds, and leave it stopped.
    forget = ("systemctl", "reset-failed", "systemd-resolved.service")
    steps: list[Step] = [
        Command(on_undo=restart),
        Command(on_undo=forget),
        *own_file(machine, RESOLVED_DROP_IN, drop_in),
    ]
    finish: list[Step] = [Command(on_do=forget), Command(on_do=restart)]
    if facts.has_networkmanager:
        # Without it NetworkManager would find a resolv.conf that is not resolved's at its next
        # start, conclude that resolved is not in use, and stop telling it the links' servers.
        content = f"{_HEADER}[main]\ndns=systemd-resolved\nrc-manager=unmanaged\n"
        steps = [
            Command(on_undo=_reload(machine, facts)),
            *steps,
            *own_file(machine, NETWORKMANAGER_DROP_IN, content),
        ]
        finish.append(Command(on_do=_reload(machine, facts)))
    return [*steps, *_replaced(machine, facts, addresses), *finish]


def _networkmanager(machine: Machine, facts: Facts, addresses: Sequence[str]) -> list[Step]:
    """NetworkManager writes our addresses into its file by itself, and stops when told so."""
    content = (
        f"{_HEADER}[global-dns]\noptions={','.join(resolv_conf.WANTED_OPTIONS)}\n"
        + (f"searches={','.join(facts.content.search)}\n" if facts.content.search else "")
        + f"\n[global-dns-domain-*]\nservers={','.join(addresses)}\n"
    )
    return [
        Command(on_undo=_reload(machine, facts)),
        *own_file(machine, NETWORKMANAGER_DROP_IN, content),
        Command(on_do=_reload(machine, facts)),
    ]


def _resolvconf(machine: Machine, facts: Facts, addresses: Sequence[str]) -> list[Step]:  # noqa: ARG001 - as the others
    return [
        Record(
            file=f"{links.RECORDS_OF_RESOLVCONF}/{RECORD}",
            content=_record(addresses),
            add=("resolvconf", "-a", RECORD),
            delete=("resolvconf", "-d", RECORD),
        )
    ]


def _openresolv(machine: Machine, facts: Facts, addresses: Sequence[str]) -> list[Step]:  # noqa: ARG001 - as the others
    """With the best metric, but not exclusive (`-x`): the links' search lists would be lost.

    Beside a loopback address their servers are not written anyway.
    """
    return [
        Record(
            file=f"{links.RECORDS_OF_OPENRESOLV}/{RECORD}",
            content=_record(addresses),
            add=("resolvconf", "-m", "0", "-a", RECORD),
            delete=("resolvconf", "-f", "-d", RECORD),
        )
    ]


def _file(machine: Machine, facts: Facts, addresses: Sequence[str]) -> list[Step]:
    """resolv.conf itself, and whoever would write it at the next lease is told not to."""
    before: list[Step] = []
    if facts.has_networkmanager:
        before = [
            Command(on_undo=_reload(machine, facts)),
            *own_file(machine, NETWORKMANAGER_DROP_IN, f"{_HEADER}[main]\ndns=none\n"),
            Command(on_do=_reload(machine, facts)),
        ]
    if facts.has_dhclient:
        hook = f"{_HEADER}make_resolv_conf() {{ :; }}\n"
        before += own_file(machine, DHCLIENT_HOOK, hook)
    if facts.has_dhcpcd:
        before.append(_dhcpcd(machine))
    servers = facts.content.nameservers
    if set(servers) <= set(links.all_servers(links.leased(machine))) and not facts.is_mounted:
        before.append(Leased(servers))
    return [*before, *_replaced(machine, facts, addresses)]


def _dhcpcd(machine: Machine) -> ReplaceFile:
    """Its scripts read this one first at every event, so that a dhcpcd that runs obeys at once.

    It goes on noting what each link says, and writes all but resolv.conf.
    """
    text = machine.text(DHCPCD_HOOK)
    block = f"{'' if text.endswith(chr(10)) or not text else chr(10)}{_HEADER}{_DHCPCD_HOOK}"
    return ReplaceFile(DHCPCD_HOOK, text + block, files.see(machine.path(DHCPCD_HOOK)), block)


_DHCPCD_HOOK = """\
change_file() {
    if [ "$1" = /etc/resolv.conf ] || comp_file "$1" "$2"; then
        rm -f "$2"
        return 1
    fi
    cat "$2" >"$1"
    rm -f "$2"
}
"""
"""The function of dhcpcd-run-hooks(8), but for resolv.conf."""


def _replaced(machine: Machine, facts: Facts, addresses: Sequence[str]) -> list[Step]:
    content = resolv_conf.write(addresses, facts.content)
    if facts.is_mounted:
        original = machine.read(resolv_conf.PATH) or b""
        return [Overwrite(resolv_conf.PATH, content, facts.seen, original)]
    steps: list[Step] = [ReplaceFile(resolv_conf.PATH, content, facts.seen)]
    if facts.has_selinux and machine.program("restorecon"):
        steps.append(Command(on_do=("restorecon", resolv_conf.PATH)))
    return steps


def _reload(machine: Machine, facts: Facts) -> tuple[str, ...]:  # noqa: ARG001 - as the others
    if facts.has_systemd:
        return ("systemctl", "reload", "NetworkManager.service")
    return ("nmcli", "general", "reload")


def _record(addresses: Sequence[str]) -> str:
    servers = "".join(f"nameserver {address}\n" for address in addresses)
    return f"{servers}options {' '.join(resolv_conf.WANTED_OPTIONS)}\n"


_PLANS: dict[str, Callable[[Machine, Facts, Sequence[str]], list[Step]]] = {
    "resolved": _resolved,
    "networkmanager": _networkmanager,
    "resolvconf": _resolvconf,
    "openresolv": _openresolv,
    "file": _file,
}


def notes(machine: Machine, facts: Facts) -> list[str]:
    """What people must know of this system, and no step can do."""
    told = list(guests.notes(machine))
    if facts.container:
        told.append(
            f"this is a container ({facts.container}): its DNS may be set anew from outside"
            " at the next start"
        )
    return told + [f"another program has a hand in DNS: {path}" for path in facts.others]
