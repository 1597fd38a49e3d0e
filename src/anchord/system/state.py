"""What is in force: read now from the system, and not from memory.

Reads only, and needs no daemon. It tells of what was changed and whether it is still so, who
answers on the port, what programs are really told, and which links go past us.
"""

import socket
from collections.abc import Collection
from dataclasses import dataclass

from anchord.model import names
from anchord.model.names import Name
from anchord.server.holder import holder_of

from . import detect, journal, links, proof, resolv_conf
from .askers import askers
from .dns import notes
from .errors import NotProvenError
from .machine import Machine
from .proof import Proof
from .takeover import Request


@dataclass(frozen=True, slots=True)
class Part:
    """The service, or DNS: `state` is "installed", "interrupted" or "not installed".

    `faults` are what somebody has changed of it since.
    """

    state: str
    backend: str = ""
    reasons: tuple[tuple[str, str], ...] = ()
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """Everything that `anchord status` shows. `failures` are proofs that were not to be had.

    `bypasses` are links whose names go past us, `askers` programs that ask others by themselves.
    """

    service: Part
    dns: Part
    nameservers: tuple[str, ...]
    holders: tuple[tuple[str, str], ...]
    proofs: tuple[Proof, ...]
    failures: tuple[str, ...]
    network_names: tuple[str, ...]
    bypasses: tuple[str, ...]
    askers: tuple[str, ...]
    notes: tuple[str, ...]


def look(machine: Machine, request: Request, own: Collection[int] = ()) -> State:
    """The state now. Raises SystemRefusal where something may not be read.

    `own` are our processes, which ask upstreams: that is no bypass.
    """
    facts = detect.look(machine)
    dns = _part(machine, "dns")
    proofs: list[Proof] = []
    failures: list[str] = []
    for way in ("listeners", "system") if dns.state == "installed" else ("listeners",):
        try:
            if way == "listeners":
                proofs += proof.through_listeners(request.reachable, request.zone, patience=0)
            else:
                proofs += proof.through_system(machine, request.hosts, request.zone, patience=0)
        except NotProvenError as error:
            failures.append(error.one_line())
    return State(
        service=_part(machine, "service"),
        dns=dns,
        nameservers=resolv_conf.read(machine.text(resolv_conf.PATH)).nameservers,
        holders=tuple(
            (f"{host}:{port}", holder_of(socket.SOCK_DGRAM, host, port) or "nobody")
            for host, port in request.reachable
        ),
        proofs=tuple(proofs),
        failures=tuple(failures),
        network_names=tuple(names.to_text(domain) for domain in _network_names(machine, request)),
        bypasses=tuple(_bypasses(machine, has_resolved=facts.has_resolved)),
        askers=askers(machine, own),
        notes=tuple(notes(machine, facts)),
    )


def _network_names(machine: Machine, request: Request) -> tuple[Name, ...]:
    """The domains of links that are forwarded to the links' servers now."""
    found = links.links(machine)
    return tuple(zone for zone in request.network_zones if links.servers_for(found, zone))


def _part(machine: Machine, what: str) -> Part:
    entry = journal.read(machine, what) if machine.path(journal.FOLDER).is_dir() else None
    if entry is None:
        return Part("not installed")
    faults = (step.fault(machine) for step in entry.plan.steps)
    return Part(
        "installed" if entry.is_applied else "interrupted",
        entry.plan.backend,
        entry.plan.reasons,
        tuple(fault for fault in faults if fault),
    )


def _bypasses(machine: Machine, *, has_resolved: bool) -> list[str]:
    """Links whose names go to their own servers, past us: as they wish, and good to know."""
    if not has_resolved:
        return []
    told = []
    for link in links.links(machine):
        servers = ", ".join(link.servers)
        if link.is_default:
            told.append(f"{link.name} wants every name: systemd-resolved asks {servers} as well")
        elif link.domains:
            domains = ", ".join(names.to_text(domain) for domain in link.domains)
            told.append(f"{link.name} has {domains} for its own: systemd-resolved asks {servers}")
    return told
