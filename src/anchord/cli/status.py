"""`anchord status`: what is in force."""

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from anchord.daemon.control_client import ControlError, ask
from anchord.system import links, state
from anchord.system.machine import Machine
from anchord.system.state import Part, State

from .install import add_system_options, load_for_service, request_of
from .parser import Subparsers
from .terminal import Colour, paint


def add_parser(subparsers: Subparsers) -> None:
    """`anchord status`."""
    parser = subparsers.add_parser(
        "status",
        help="what is in force: the service, the system's DNS, a proof of each way",
        description="Say what is in force: the service, the system's DNS, and whether a proven"
        " answer comes the way that programs take.",
        epilog="Exit status: 0; 3 where anchord should answer and no answer can be proven.",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")
    parser.add_argument(
        "--links", metavar="FILE", type=Path, help="only write what the links say, for the service"
    )
    add_system_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Look, and print."""
    if arguments.links:
        links.write_down(Machine(arguments.root), arguments.links)
        return 0
    daemon = _daemon(load_for_service(arguments).config.listen.control)
    own = [] if daemon is None else [daemon["pid"]]
    found = state.look(Machine(arguments.root), request_of(arguments), own)
    if arguments.json:
        print(json.dumps(_as_json(found, daemon)))
    else:
        print("\n".join(_lines(found, daemon)))
    is_wanted = "installed" in {found.dns.state, found.service.state} or daemon is not None
    return 3 if is_wanted and found.failures else 0


def _daemon(control: str) -> dict[str, Any] | None:
    try:
        sections = ask(control, "stats")
    except ControlError:
        return None
    upstreams = {
        name: {key: counts[key] for key in ("state", "designated", "issuer", "last_error")}
        for name, counts in sections.items()
        if "issuer" in counts
    }
    return {**sections["daemon"], **sections["state"], "upstreams": upstreams}


def _as_json(found: State, daemon: dict[str, Any] | None) -> dict[str, object]:
    document = dataclasses.asdict(found)
    for part in ("service", "dns"):
        document[part]["because"] = dict(document[part].pop("reasons"))
    document["holders"] = dict(found.holders)
    return {**document, "daemon": daemon}


def _lines(found: State, daemon: dict[str, Any] | None) -> Iterator[str]:
    yield from _part_lines("service", found.service)
    yield from _part_lines("dns", found.dns)
    if daemon is None:
        yield "daemon   does not answer on its control socket"
    else:
        version, pid, uptime = (daemon[key] for key in ("version", "pid", "uptime"))
        yield f"daemon   version {version}, process {pid}, up {uptime} s"
        if daemon["pause_left"]:
            yield _warning(f"paused for {daemon['pause_left']} s more: nothing is checked")
        for name, upstream in daemon["upstreams"].items():
            yield f"upstream {name} {_how_it_is(upstream)}"
    yield f"asked    programs ask {', '.join(found.nameservers) or 'nobody'} (/etc/resolv.conf)"
    for address, holder in found.holders:
        yield f"port     {address} is held by {holder}"
    for proof in found.proofs:
        yield f"proven   {proof.way}, {proof.milliseconds} ms"
    for failure in found.failures:
        yield _warning(f"unproven {failure}")
    if found.network_names:
        yield f"network  asked of its links, unproven: {', '.join(found.network_names)}"
    for bypass in (*found.bypasses, *found.askers):
        yield f"past us  {bypass}"
    for note in found.notes:
        yield f"note     {note}"


def _how_it_is(upstream: Mapping[str, str]) -> str:
    """Whether it answers, by which way, and who vouches for it: somebody may be in between."""
    way = f", over {upstream['designated']}" if upstream["designated"] else ""
    issuer = f", its certificate by {upstream['issuer']}" if upstream["issuer"] else ""
    if upstream["state"] == "up":
        return f"is up{way}{issuer}"
    return f"is down: {upstream['last_error']}"


def _part_lines(name: str, part: Part) -> Iterator[str]:
    backend = f" ({part.backend})" if part.backend else ""
    yield f"{name:<9}{part.state}{backend}"
    if part.state == "interrupted":
        yield _warning("a change was interrupted: sudo anchord uninstall, or install, mends it")
    for fault in part.faults:
        yield _warning(f"{fault}: sudo anchord install mends it")


def _warning(text: str) -> str:
    return paint(text, Colour.YELLOW, sys.stdout)
