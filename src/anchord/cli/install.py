"""`anchord install`: anchord becomes a service of the system, and its resolver."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec

from anchord.config.anchors import trust_anchors
from anchord.config.load import FILE_NAME, SYSTEM_FOLDER, Loaded, load
from anchord.daemon.control_client import ControlError, ask
from anchord.daemon.network import NETWORK
from anchord.model import names
from anchord.model.names import Name
from anchord.system import takeover
from anchord.system.detect import BACKENDS
from anchord.system.machine import Machine
from anchord.system.plan import Plan
from anchord.system.takeover import Report, Request

from .parser import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """`anchord install`."""
    parser = subparsers.add_parser(
        "install",
        help="make anchord a service and this system's resolver",
        description="Make anchord a service of this system and the resolver that its programs ask."
        " DNS is taken over only after an answer has been proven, and anchord uninstall gives it"
        " back as it was.",
        epilog="Exit status: 0; 2 where it cannot be done as asked; 3 where no answer could be"
        " proven, and then DNS is as it was.",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and why")
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--dns-only", action="store_true", help="the service runs already")
    only.add_argument("--service-only", action="store_true", help="leave the system's DNS alone")
    parser.add_argument("--backend", choices=BACKENDS, default="auto", help="by whose means")
    parser.add_argument(
        "--in-place",
        action="store_true",
        help="write into a resolv.conf that is mounted, where its name cannot be taken",
    )
    parser.add_argument(
        "--yes",
        action="store_true",
        help="keep the network's own names working, asked of its servers, without asking me",
    )
    parser.add_argument("--reapply", action="store_true", help=argparse.SUPPRESS)
    add_system_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Install, or say what would be done."""
    machine = Machine(arguments.root)
    request = request_of(arguments)
    if arguments.dry_run:
        planned = takeover.plans(machine, request)
        if arguments.json:
            print(json.dumps({"plans": msgspec.to_builtins(planned)}))
        else:
            print("\n".join(_described(machine, planned)))
        return 0
    if arguments.reapply:  # for the unit that watches resolv.conf
        for note in takeover.reapply(machine, request).notes:
            print(note)
        return 0
    report = takeover.install(machine, request)
    if arguments.json:
        print(json.dumps(report_as_json(report)))
    else:
        _tell(report)
    return 0


def add_system_options(parser: argparse.ArgumentParser) -> None:
    """The options that all commands have that touch the system."""
    add_config_option(parser)
    parser.add_argument(
        "--root", metavar="DIR", type=Path, default=Path("/"), help="the system tree below DIR"
    )


def add_config_option(parser: argparse.ArgumentParser) -> None:
    """`--config`."""
    parser.add_argument("--config", metavar="FILE", type=Path)


def load_for_service(arguments: argparse.Namespace) -> Loaded:
    """The configuration that the service will read, unless `--config` names another."""
    file: Path | None = arguments.config
    system = SYSTEM_FOLDER / FILE_NAME
    return load(file or (system if system.exists() else None))


def report_as_json(report: Report) -> dict[str, object]:
    """What was done, for programs."""
    return {
        "changed": report.changed,
        "plans": [
            {"what": plan.what, "backend": plan.backend, "because": dict(plan.reasons)}
            for plan in report.plans
        ],
        "proofs": [
            {"way": proof.way, "milliseconds": proof.milliseconds} for proof in report.proofs
        ],
        "notes": report.notes,
    }


def request_of(arguments: argparse.Namespace) -> Request:
    """What is asked for, by options that a command may not have and the configuration."""
    options = vars(arguments)
    is_given = options.get("yes", False) or options.get("dry_run", False)
    config = load_for_service(arguments).config
    zones = [record.zone for record in trust_anchors(config.dnssec.trust_anchors)]

    def count_queries() -> int | None:
        try:
            counts = ask(config.listen.control, "stats")["dns"]
        except ControlError:
            return None
        return int(counts["udp_queries"]) + int(counts["tcp_queries"])

    return Request(
        addresses=tuple((str(dns.address), dns.port) for dns in config.listen.dns),
        zone=min(zones, key=names.label_count),
        executable=os.path.realpath(Path(sys.prefix) / "bin" / "anchord"),
        with_dns=not options.get("service_only", False),
        with_service=not options.get("dns_only", False),
        backend=options.get("backend", "auto"),
        in_place=options.get("in_place", False),
        count_queries=count_queries,
        zones=tuple(zone.domain for zone in config.zone),
        network_zones=tuple(zone.domain for zone in config.zone if NETWORK in zone.upstream),
        consents=partial(_consents, is_given=is_given),
    )


def _consents(domains: Sequence[Name], *, is_given: bool) -> bool:
    """Asks, where somebody is there to be asked."""
    if is_given or not sys.stdin.isatty() or not sys.stdout.isatty():
        return is_given
    print("The network has names of its own:", *(names.to_text(domain) for domain in domains))
    print("They can be asked of its servers, in the clear and unproven, while its link is there.")
    return input("Keep them working? [y/N] ").strip().lower() in {"y", "yes"}


def _described(machine: Machine, planned: list[Plan]) -> list[str]:
    if not planned:
        return ["nothing to do: anchord is installed"]
    return [line for plan in planned for line in plan.describe(machine)]


def _tell(report: Report) -> None:
    for proof in report.proofs:
        print(f"proven in {proof.milliseconds} ms: {proof.way}")
    for note in report.notes:
        print(f"note: {note}")
    if not report.changed:
        print("nothing to do: anchord is installed")
    for plan in report.plans:
        if plan.what == "service":
            print(f"anchord is a service now ({plan.backend})")
        elif plan.what == "names":
            print(f"names of the network are asked of its servers: {dict(plan.reasons)['domains']}")
        else:
            print(f"anchord is this system's resolver now ({plan.backend})")
            print("anchord status tells more; sudo anchord uninstall takes it back")
