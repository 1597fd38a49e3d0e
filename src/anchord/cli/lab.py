"""`anchord lab`: a small signed internet and a resolver on top, to try all of it without a network.

The lab's recursive resolver speaks DNS over TLS with a certificate of its own, as the upstreams out
there do; anchord's resolver proves what it says from the lab's root.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from anchord.config.load import Loaded, load
from anchord.config.units import SocketAddress
from anchord.daemon import log
from anchord.daemon.compose import clock_of, open_resolver
from anchord.daemon.serve import serve
from anchord.lab.certificates import CertificateAuthority, server_context
from anchord.lab.dane_world import Running, running
from anchord.lab.plan import Case
from anchord.lab.servers import serve_tls
from anchord.lab.table import PLANS, TOUR
from anchord.lab.world import World
from anchord.model import rcodes
from anchord.model.question import ClientFlags
from anchord.model.verdict import Answer
from anchord.resolver.reply import extended_errors

from . import lab_dane
from .parser import Subparsers, UsageError
from .terminal import paint_status

LISTEN = "127.0.0.1:5300"
"""Where the lab's resolver listens unless told otherwise: no privilege, and seldom taken."""

NAMES, SERVICES = "names", "dane"
"""The tours."""

UNEXPECTED = 1
"""The exit status of a tour on which something was not as the table says."""

CONFIGURATION = """
[listen]
dns = ["{listen}"]
api = []
control = "none"

[[upstream]]
url = "tls://127.0.0.1:{port}"
ca_file = "ca.pem"

[dnssec]
trust_anchors = "root.ds"
auto_update = false

[cache]
persist = false

[hosts]
file = ""

[dane]
ca_file = "services.pem"
"""


def add_parser(subparsers: Subparsers) -> None:
    """`anchord lab [--tour [dane]]`."""
    parser = subparsers.add_parser(
        "lab",
        help="start a small signed internet, to try everything without a network",
        description="Start a small signed internet and a resolver on top of it.",
    )
    parser.add_argument(
        "--tour",
        nargs="?",
        const=NAMES,
        choices=(NAMES, SERVICES),
        help="ask what is worth seeing of the names, or check what is of the services, and end",
    )
    parser.add_argument("--listen", metavar="ADDR:PORT", default=LISTEN, help=f"default: {LISTEN}")


def run(arguments: argparse.Namespace) -> int:
    """The tour, or the lab until a signal ends it."""
    if arguments.tour:
        return trio.run(_tour if arguments.tour == NAMES else _dane_tour)
    try:
        SocketAddress.parse(arguments.listen)
    except ValueError as error:
        raise UsageError(str(error), where="--listen") from None
    log.configure("info")
    trio.run(_stay, arguments.listen)
    return 0


async def _stay(listen: str) -> None:
    async with running() as services, _lab(listen, services) as loaded:
        host, _, port = listen.rpartition(":")
        print(f"The lab's resolver listens on {listen}. From another terminal:\n")
        for case in TOUR:
            name, rdtype = str(case.question).split()
            command = f"dig @{host.strip('[]')} -p {port} +dnssec {name} {rdtype}"
            print(f"  {command:<62}  # {case.shows}")
        print("\nor, proven by the command itself:\n")
        print(f"  anchord query --config {loaded.file} good.lab")
        print("\nand services, checked against the TLSA records of their zones:\n")
        for command in lab_dane.commands(services, loaded.file):
            print(f"  {command}")
        print("\nCtrl-C ends it.\n", flush=True)
        await serve(loaded)


async def _tour() -> int:
    """Ask the table's tour, print what comes, and tell whether it was as it should be."""
    async with _lab(LISTEN) as loaded, open_resolver(loaded, clock_of(loaded.config)) as resolver:
        rows = []
        for case in TOUR:
            answer = await resolver.resolve(case.question, ClientFlags(dnssec_ok=True))
            rows.append((case, answer))
    width = max(len(str(case.question)) for case, _ in rows)
    for case, answer in rows:
        print("\n".join(_lines(case, answer, width)))
    wrong = [case for case, answer in rows if not _is_as_expected(case, answer)]
    print(f"\n{len(rows)} questions, {len(rows) - len(wrong)} answers as they should be.")
    return UNEXPECTED if wrong else 0


async def _dane_tour() -> int:
    """The same with the services."""
    async with (
        running() as services,
        _lab(LISTEN, services) as loaded,
        open_resolver(loaded, clock_of(loaded.config)) as resolver,
    ):
        is_right = await lab_dane.tour(resolver, services, loaded.config.dane.ca_file)
    return 0 if is_right else UNEXPECTED


def _lines(case: Case, answer: Answer, width: int) -> list[str]:
    status = answer.verdict.status
    word = paint_status(status.word, sys.stdout) + " " * (13 - len(status.word))
    rcode = rcodes.to_text(rcodes.SERVFAIL if status.is_failure else answer.rcode)
    lines = [f"{case.question!s:<{width}}  {word}  {rcode:<8}  {case.shows}"]
    return lines + [
        f"{'':<{width}}  EDE {ede.code} {ede.name}: {ede.text}" for ede in extended_errors(answer)
    ]


def _is_as_expected(case: Case, answer: Answer) -> bool:
    codes = [ede.code for ede in extended_errors(answer)]
    first_is_right = codes[0] in case.codes if codes else not case.codes
    return answer.verdict.status is case.status and first_is_right


@asynccontextmanager
async def _lab(listen: str, services: Running | None = None) -> AsyncIterator[Loaded]:
    """The world behind an encrypted upstream, and the configuration that uses it."""
    services = services or Running()
    world = World(int(time.time()), plans=(*PLANS, *services.plans))
    authority = CertificateAuthority()
    context = server_context(authority.issue())
    with tempfile.TemporaryDirectory(prefix="anchord-lab-") as folder:
        async with serve_tls(world.reply, context=context) as port:
            files = {
                "ca.pem": authority.pem.decode(),
                "root.ds": world.trust_anchors(),
                "services.pem": services.roots.decode(),
                "anchord.toml": CONFIGURATION.format(listen=listen, port=port),
            }
            for name, text in files.items():
                Path(folder, name).write_text(text, encoding="utf-8")  # noqa: ASYNC240 - small, once
            yield load(Path(folder, "anchord.toml"), listen=(listen,))
