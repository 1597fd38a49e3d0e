"""`anchord uninstall`: the system gets back what it had."""

import argparse
import json

from anchord.system import takeover
from anchord.system.machine import Machine

from .install import add_system_options, report_as_json
from .parser import Subparsers

DONE = {
    "dns": "DNS is as it was",
    "names": "names of the network are no business of ours any more",
    "service": "the service is removed",
}
"""What is told of each kind of plan that was taken back."""


def add_parser(subparsers: Subparsers) -> None:
    """`anchord uninstall`."""
    parser = subparsers.add_parser(
        "uninstall",
        help="give the system's DNS back, and remove the service",
        description="Give the system's DNS back as it was, and remove the service. It works"
        " without the daemon, and finishes what was interrupted.",
        epilog="Exit status: 0, also where nothing is installed; 2 where it cannot be done.",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--dns-only", action="store_true", help="leave the service")
    only.add_argument("--service-only", action="store_true", help="leave the system's DNS")
    only.add_argument(
        "--unfinished", action="store_true", help="only what an interrupted install has begun"
    )
    add_system_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Take everything back."""
    machine = Machine(arguments.root)
    if arguments.unfinished:
        report = takeover.recover(machine)
    else:
        report = takeover.uninstall(
            machine, with_dns=not arguments.service_only, with_service=not arguments.dns_only
        )
    if arguments.json:
        print(json.dumps(report_as_json(report)))
        return 0
    for note in report.notes:
        print(f"note: {note}")
    for plan in report.plans:
        print(f"{DONE[plan.what]} ({plan.backend})")
    if not report.changed:
        print("nothing to take back")
    return 0
