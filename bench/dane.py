"""`python -m bench.dane`: what a verdict costs, and what slow and hanging servers cost.

Verification is CPU time for one presented chain of three, read anew each time, in turn by anchord
and by libssl (`bench.libssl`); beside it stands the TLS handshake that brings such a chain, as the
measure of what is little. Checks are wall time: names looked up in the lab's zones, proven, their
services connected to over loopback, and judged.
"""

import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import trio

from anchord.config.load import load
from anchord.dane import Checker, Request, Result
from anchord.dane.certificate import Certificate
from anchord.dane.handshake import client_context
from anchord.dane.match import judge
from anchord.dane.pkix import Trust
from anchord.dane.probe import Limits, Prober
from anchord.dane.tlsa import Tlsa
from anchord.lab.certificates import CertificateAuthority, server_context
from anchord.lab.chains import CHAINS, Chain, record_of, records_of
from anchord.lab.plan import Plan
from anchord.lab.servers import serve_tls
from anchord.lab.services import Service, context_of, start_service
from anchord.lab.table import tree
from anchord.lab.world import World
from anchord.library import open_checker

from .libssl import LibSsl

HOST = "host.example"
ROUNDS, TIMES = 7, 200
"""Rounds of which the median is told, and how often each thing is done in one."""
CHECKS = 100
LIMIT = 2.0
"""Seconds for an address, in the part about servers that hang."""


def main() -> int:
    """Prints the tables."""
    print(f"CPU time of one verification in µs; {ssl.OPENSSL_VERSION}, median of {ROUNDS} rounds\n")
    print("\n".join(_verifications()))
    print("\nwall time of checks in seconds\n")
    print("\n".join(trio.run(_checks)))
    return 0


# ------------ Verification ------------


def _verifications() -> list[str]:
    chain = CHAINS["good"](HOST)
    lines = ["| records | anchord | libssl |", "| --- | --- | --- |"]
    libssl = LibSsl()
    for text in ("3 1 1 leaf", "2 1 1 root", "2 1 0 root"):
        records = records_of(text, chain)
        ours, theirs = _in_turn(
            partial(_verify, chain, records, None),
            partial(libssl.fits, chain.ders, records, HOST),
        )
        lines.append(f"| {text} | {ours:.0f} | {theirs:.0f} |")
    trust = Trust([chain.parts["root"].certificate], "the bench")
    records = records_of("3 1 1 leaf", chain)
    (with_pkix,) = _in_turn(partial(_verify, chain, records, trust))
    lines.append(f"| 3 1 1 leaf, and PKIX for comparison | {with_pkix:.0f} | - |")
    client, server = client_context(), context_of(chain)
    (handshake,) = _in_turn(partial(_handshake, client, server))
    return [*lines, f"| a TLS handshake, both sides in memory | - | {handshake:.0f} |"]


def _in_turn(*works: Callable[[], bool]) -> list[float]:
    """The median of what each costs, in microseconds. What does not succeed is no measure."""
    spent: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for work, values in zip(works, spent, strict=True):
            begin = time.process_time()
            succeeded = all(work() for _ in range(TIMES))
            values.append((time.process_time() - begin) / TIMES * 1e6)
            assert succeeded
    return [statistics.median(values) for values in spent]


def _verify(chain: Chain, records: Sequence[Tlsa], trust: Trust | None) -> bool:
    presented = [Certificate(der) for der in chain.ders]
    now = datetime.now(UTC)
    found = judge(presented, records, names=[HOST], now=now, trust=trust)
    return found.fit is not None


def _handshake(client_side: ssl.SSLContext, server_side: ssl.SSLContext) -> bool:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_side.wrap_bio(to_client, to_server, server_hostname=HOST)
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return client.version() is not None


# ------------ Checks ------------


async def _checks() -> list[str]:
    chain = CHAINS["good"](HOST)
    async with trio.open_nursery() as nursery:
        ports = {
            conduct: await start_service(nursery, Service(chain, {}, starttls, conduct))
            for conduct, starttls in (("in-pieces", "smtp"), ("hangs", ""), ("", ""))
        }
        async with _checker(chain, list(ports.values())) as checker:
            lines = await _measured(checker, ports)
        nursery.cancel_scope.cancel()
    return lines


async def _measured(checker: Checker, ports: dict[str, int]) -> list[str]:
    slow = [_request(n, ports["in-pieces"], "smtp") for n in range(CHECKS)]
    quick = [_request(n, ports[""]) for n in range(CHECKS)]
    hanging = _request(0, ports["hangs"])
    async with trio.open_nursery() as nursery:
        for request in (*slow, *quick, hanging):  # names are known from here on
            nursery.start_soon(checker.verify, request, [b"nothing"])
    places = Limits().at_once
    lines = ["| | s |", "| --- | --- |"]
    checker.prober = Prober(Limits(at_once=CHECKS))
    lines.append(f"| a slow server | {await _seconds(checker, slow[:1]):.2f} |")
    lines.append(f"| {CHECKS} of them side by side | {await _seconds(checker, slow):.2f} |")
    checker.prober = Prober()
    lines.append(f"| … {places} connections at a time | {await _seconds(checker, slow):.2f} |")
    checker.prober = Prober(Limits(address=LIMIT, at_once=CHECKS))
    lines.append(f"| {CHECKS} quick servers | {await _seconds(checker, quick):.2f} |")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_seconds, checker, [hanging], Result.UNREACHABLE)
        beside = await _seconds(checker, quick)
    lines.append(f"| … beside one that hangs | {beside:.2f} |")
    begin = time.process_time()
    took = await _seconds(checker, [hanging], Result.UNREACHABLE)
    spent = (time.process_time() - begin) * 1e3
    lines.append(f"| one that hangs, limit {LIMIT:g} s ({spent:.0f} ms of CPU) | {took:.2f} |")
    return lines


def _request(number: int, port: int, starttls: str = "none") -> Request:
    return Request.of(f"h{number}.bench.lab", port, starttls=starttls)


async def _seconds(
    checker: Checker, requests: Sequence[Request], result: Result = Result.MATCH
) -> float:
    """How long these checks take, side by side. Each must have this result."""

    async def one(request: Request) -> None:
        found = await checker.check(request)
        assert found.result is result, found.reason

    begin = time.monotonic()
    async with trio.open_nursery() as nursery:
        for request in requests:
            nursery.start_soon(one, request)
    return time.monotonic() - begin


@asynccontextmanager
async def _checker(chain: Chain, ports: Sequence[int]) -> AsyncIterator[Checker]:
    """A checker over a zone of so many hosts, all of which are the same services."""
    record = record_of("3 1 1 leaf", chain)
    hosts = "\n".join(
        f"h{number} A 127.0.0.1\n"
        + "\n".join(f"_{port}._tcp.h{number} TLSA {record}" for port in ports)
        for number in range(CHECKS)
    )
    world = World(int(time.time()), plans=[*tree.PLANS, Plan("bench.lab", "hosts", records=hosts)])
    authority = CertificateAuthority()
    with tempfile.TemporaryDirectory(prefix="anchord-bench-") as name:
        folder = Path(name)
        (folder / "ca.pem").write_bytes(authority.pem)
        (folder / "root.ds").write_text(world.trust_anchors())
        context = server_context(authority.issue())
        async with serve_tls(world.reply, context=context) as port:
            (folder / "anchord.toml").write_text(
                f'[[upstream]]\nurl = "tls://127.0.0.1:{port}"\nca_file = "{folder}/ca.pem"\n'
                f'[dnssec]\ntrust_anchors = "{folder}/root.ds"\n'
                f'[dane]\nca_file = "{folder}/ca.pem"\n'
            )
            async with open_checker(load(folder / "anchord.toml"), direct=True) as checker:
                yield checker


if __name__ == "__main__":
    sys.exit(main())
