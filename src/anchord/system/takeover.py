"""Becoming the system's resolver, and ceasing to be it.

    lock, recover              one process at a time, on a system without half-done changes
    service                    installed and started where it is wanted
    proof through listeners    a signed answer from us, over every address
    names                      those of the network are kept working, if somebody agrees
    DNS                        only now: the plan for whoever has it
    proof through the system   or everything is taken back

Nothing of the system's DNS is touched before an answer has been proven, and nothing stays that does
not lead to one.
"""

import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from msgspec import structs

from anchord.model import names
from anchord.model.names import Name
from anchord.server.holder import holder_of

from . import detect, dns, files, journal, links, proof, resolv_conf, service, zones
from .dns_steps import Record
from .errors import NotProvenError, SystemRefusal
from .machine import Machine
from .plan import Plan, ReplaceFile
from .proof import HostAndPort, Proof

DNS_PORT = 53


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for: `anchord install` with its options and what the configuration says.

    `addresses` are those of listen.dns, `zone` has a trust anchor. `count_queries` tells how many
    the daemon has had, None where it cannot be asked. `zones` are those of the configuration,
    `network_zones` those among them that the network's servers are asked for;
    `consents` tells whether the network's names may be asked of its servers, unproven.
    """

    addresses: tuple[HostAndPort, ...]
    zone: Name
    executable: str
    with_dns: bool = True
    with_service: bool = True
    backend: str = "auto"
    in_place: bool = False
    count_queries: Callable[[], int | None] = lambda: None
    zones: tuple[Name, ...] = ()
    network_zones: tuple[Name, ...] = ()
    consents: Callable[[Sequence[Name]], bool] = lambda _domains: False

    @property
    def reachable(self) -> tuple[HostAndPort, ...]:
        """Without those that the machine has not: `::1` is missing where IPv6 is turned off."""
        return tuple(address for address in self.addresses if _is_there(address[0]))

    @property
    def hosts(self) -> tuple[str, ...]:
        """The addresses that resolv.conf can name: those with port 53. Raises SystemRefusal."""
        hosts = tuple(host for host, port in self.reachable if port == DNS_PORT)
        if not hosts:
            raise SystemRefusal(
                "the system's programs ask port 53 alone, and no address has it",
                where="listen.dns",
                remedy='listen on "127.0.0.1:53"',
            )
        return hosts


@dataclass(slots=True)
class Report:
    """What was done, or found: plans in force, proofs, and what people must know."""

    plans: list[Plan] = field(default_factory=list)
    proofs: list[Proof] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    changed: bool = False


def plans(machine: Machine, request: Request) -> list[Plan]:
    """What `install` would do now; reads only. Raises SystemRefusal."""
    facts = detect.look(machine)
    made = []
    if request.with_service and not journal.is_applied(machine, "service"):
        made.append(service.plan(machine, facts, request.executable))
    if request.with_dns and not journal.is_applied(machine, "dns"):
        if (domains := proposed(machine, request)) and request.consents(domains):
            made.append(zones.plan(machine, facts, domains))
        made.append(_dns_plan(machine, facts, request))
    return made


def proposed(machine: Machine, request: Request) -> tuple[Name, ...]:
    """The network's own names that would be denied once we are asked for everything."""
    if journal.is_applied(machine, "names"):
        return ()
    return zones.proposed(links.links(machine), request.zones)


def install(machine: Machine, request: Request) -> Report:
    """Does all of it, or none. Raises SystemRefusal, NotProvenError, OSError."""
    report = Report()
    with journal.locked(machine, patience=journal.PATIENCE):
        report.notes += journal.recover(machine)
        _mend(machine, request, report)
        wanted = plans(machine, request)
        try:
            for plan in wanted:
                report.proofs += _before(machine, request, plan)
                journal.apply(machine, plan, follows=wanted[-1].what)
                report.proofs += _after(machine, request, plan)
        except BaseException:
            journal.revert(machine, *(plan.what for plan in reversed(wanted)))
            raise
        for plan in reversed(wanted):  # the one that the others follow comes first
            journal.confirm(machine, plan.what)
        report.plans = wanted
        report.notes += [note for plan in wanted for note in plan.notes]
        if request.with_dns and (left_out := proposed(machine, request)):
            texts = ", ".join(names.to_text(domain) for domain in left_out)
            report.notes.append(
                f"names of the network are denied from now on: {texts};"
                " anchord uninstall, then anchord install --yes keeps them working"
            )
        report.changed |= bool(wanted)
    return report


def _before(machine: Machine, request: Request, plan: Plan) -> list[Proof]:
    """What must hold before a plan is begun. Raises SystemRefusal, NotProvenError."""
    if plan.what == "service":
        _check_port(machine, request)
    if plan.what == "dns":
        return _proven(request, proof.ANSWER_TIME)
    return []


def _after(machine: Machine, request: Request, plan: Plan) -> list[Proof]:
    """What must hold for a plan to stay. Raises NotProvenError."""
    if plan.what == "service":
        return _proven(request, proof.START_TIME)
    if plan.what == "dns":
        return proof.through_system(
            machine, request.hosts, request.zone, patience=proof.SYSTEM_TIME
        )
    return []


def uninstall(machine: Machine, *, with_dns: bool = True, with_service: bool = True) -> Report:
    """Takes everything back, DNS first, so that no moment is without. Raises SystemRefusal."""
    report = Report()
    with journal.locked(machine, patience=journal.PATIENCE):
        report.notes += journal.recover(machine)
        kinds = [
            what for what in journal.KINDS if (with_service if what == "service" else with_dns)
        ]
        entries = [entry for what in kinds if (entry := journal.read(machine, what)) is not None]
        report.notes += journal.revert(machine, *kinds)
        report.plans = [entry.plan for entry in entries]
        report.changed = bool(entries)
        if report.changed and with_dns and not _nameservers(machine):
            report.notes.append(f"{resolv_conf.PATH} names no server now: reconnect the network")
    return report


def reapply(machine: Machine, request: Request) -> Report:
    """Takes resolv.conf back from whoever has written it since; nothing where DNS is not ours.

    A record that went away with the last start of the system is made again.

    What was written becomes what `uninstall` gives back, since the network may be another one now;
    but a link that was there comes back itself: somebody keeps up what it leads to. Raises
    NotProvenError where no listener of ours replies, SystemRefusal where it is written again.
    """
    report = Report()
    with journal.locked(machine, patience=proof.START_TIME + proof.SYSTEM_TIME):
        if step := _written_by_another(machine):
            proof.replies(request.reachable)
            _take_again(machine, request, step)
            time.sleep(links.SETTLED)  # systemd sees no change while its unit runs
            if _written_by_another(machine):
                raise SystemRefusal(
                    "is written by another program, again and again",
                    where=step.path,
                    remedy="find out which one it is, then run anchord install",
                )
            report.notes.append(f"{step.path} had been written by somebody else, and is ours again")
            report.changed = True
        if record := _lost_record(machine):
            proof.replies(request.reachable, patience=proof.START_TIME)
            record.do(machine)
            report.notes.append(f"{record.file} is there again")
            report.changed = True
    return report


def _lost_record(machine: Machine) -> Record | None:
    """The record of ours that is gone, as it is whenever the system has been started."""
    entry = journal.read(machine, "dns")
    if entry is None or not entry.is_applied:
        return None
    records = (step for step in entry.plan.steps if isinstance(step, Record))
    return next((record for record in records if record.fault(machine)), None)


def _written_by_another(machine: Machine) -> ReplaceFile | None:
    """The step that has made resolv.conf ours, where it is not ours any more."""
    entry = journal.read(machine, "dns")
    if entry is None or not entry.is_applied:
        return None
    steps = filter(dns.is_take_over, entry.plan.steps)
    return next((step for step in steps if step.fault(machine)), None)


def _take_again(machine: Machine, request: Request, step: ReplaceFile) -> None:
    """Replaces what is there now, with its search list; the journal knows of it before."""
    theirs = resolv_conf.read(machine.text(step.path) or step.content)
    content = resolv_conf.write(request.hosts, theirs)
    path = machine.path(step.path)
    if step.before.kind == "link":
        journal.revise(machine, "dns", step, structs.replace(step, content=content))
        files.put(path, content.encode())
    else:
        new = structs.replace(step, content=content, before=files.see(path))
        journal.revise(machine, "dns", step, new)
        new.do(machine)


def recover(machine: Machine) -> Report:
    """Finishes or takes back what was interrupted, and nothing else. Raises SystemRefusal."""
    with journal.locked(machine, patience=journal.PATIENCE):
        notes = journal.recover(machine)
    return Report(notes=notes, changed=bool(notes))


def _mend(machine: Machine, request: Request, report: Report) -> None:
    """A take-over that somebody has damaged is mended: resolv.conf by itself, else all of it."""
    entry = journal.read(machine, "dns")
    if entry is None:
        return
    faults = _faults(machine, entry.plan)
    report.notes += [f"done anew: {fault}" for fault in faults]
    if step := _written_by_another(machine):
        report.proofs += _proven(request, proof.ANSWER_TIME)
        _take_again(machine, request, step)
        report.changed = True
        entry = journal.read(machine, "dns")
    if entry is not None and _faults(machine, entry.plan):
        report.notes += journal.revert(machine, "dns")


def _faults(machine: Machine, plan: Plan) -> list[str]:
    return [fault for step in plan.steps if (fault := step.fault(machine))]


def _dns_plan(machine: Machine, facts: detect.Facts, request: Request) -> Plan:
    has_units = facts.has_systemd and (request.with_service or service.has_units(machine))
    return dns.plan(
        machine,
        facts,
        request.hosts,
        backend=request.backend,
        in_place=request.in_place,
        is_watched=has_units,
    )


def _check_port(machine: Machine, request: Request) -> None:
    """Raises SystemRefusal where somebody else has an address that the service is to have."""
    if service.is_running(machine, detect.look(machine)):
        return
    for host, port in request.addresses:
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            if holder := holder_of(kind, host, port):
                raise SystemRefusal(
                    f"the port is taken by {holder}",
                    where=f"{host}:{port}",
                    remedy="stop that one, or give [listen] dns another address",
                )


def _proven(request: Request, patience: float) -> list[Proof]:
    """Through every listener; and it must be this daemon that has answered."""
    before = request.count_queries()
    proofs = proof.through_listeners(request.reachable, request.zone, patience=patience)
    after = request.count_queries()
    if before is not None and after is not None and after < before + len(proofs):
        host, port = request.addresses[0]
        holder = holder_of(socket.SOCK_DGRAM, host, port) or "another program"
        raise NotProvenError(
            f"it is {holder} that answers, and not the running anchord", where=f"{host}:{port}"
        )
    return proofs


def _is_there(host: str) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.bind((host, 0))
    except OSError:
        return False
    return True


def _nameservers(machine: Machine) -> tuple[str, ...]:
    return resolv_conf.read(machine.text(resolv_conf.PATH)).nameservers
