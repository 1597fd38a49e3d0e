"""`python -m bench.dane`: what a verdict costs, and what slow and hanging servers cost.

Verification is CPU time for one presented chain of three, read anew each time; beside it stands the
TLS handshake that brought it, as the measure of what is little. Checks are wall time over the lab's
services.
"""

import ssl
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import trio

from anchord.dane.certificate import Certificate
from anchord.dane.handshake import client_context
from anchord.dane.match import judge
from anchord.dane.pkix import Trust
from anchord.dane.probe import Limits, Prober, Target
from anchord.lab.chains import CHAINS, Chain, records_of
from anchord.lab.services import Service, context_of, start_service

HOST = "host.example"
ROUNDS = 300
CHECKS = 100
LIMIT = 2.0
"""Seconds for an address, in the part about servers that hang."""


def main() -> int:
    """Prints a line for each figure."""
    chain = CHAINS["good"](HOST)
    client, server = client_context(), context_of(chain)
    handshake = _microseconds(lambda: _handshake(client, server))
    print(f"TLS handshake, both sides in memory: {handshake:.0f} µs")
    trust = Trust([chain.parts["root"].certificate], "the bench")
    for text in ("3 1 1 leaf", "2 1 1 root", "2 1 0 root"):
        print(f"{text}: {_verification(chain, text, None):.0f} µs")
    print(f"3 1 1 leaf with PKIX beside it: {_verification(chain, '3 1 1 leaf', trust):.0f} µs")
    trio.run(_servers, chain)
    return 0


def _microseconds(work: Callable[[], object], *, rounds: int = ROUNDS) -> float:
    work()
    begin = time.process_time()
    for _ in range(rounds):
        work()
    return (time.process_time() - begin) / rounds * 1e6


def _verification(chain: Chain, text: str, trust: Trust | None) -> float:
    records, now = records_of(text, chain), datetime.now(UTC)

    def verify() -> None:
        presented = [Certificate(der) for der in chain.ders]
        assert judge(presented, records, names=[HOST], now=now, trust=trust).fit is not None

    return _microseconds(verify)


def _handshake(client_side: ssl.SSLContext, server_side: ssl.SSLContext) -> None:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_side.wrap_bio(to_client, to_server, server_hostname=HOST)
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue


async def _servers(chain: Chain) -> None:
    async with trio.open_nursery() as nursery:
        slow = await start_service(nursery, Service(chain, {}, "smtp", "in-pieces"))
        hangs = await start_service(nursery, Service(chain, {}, "", "hangs"))
        quick = await start_service(nursery, Service(chain, {}))
        prober = Prober(Limits(address=LIMIT, at_once=CHECKS))
        one = await _seconds(prober, [Target("127.0.0.1", slow, HOST, "smtp")])
        many = await _seconds(prober, [Target("127.0.0.1", slow, HOST, "smtp")] * CHECKS)
        print(f"a slow server: {one:.2f} s; {CHECKS} of them side by side: {many:.2f} s")
        alone = await _seconds(prober, [Target("127.0.0.1", quick, HOST)] * 20)
        beside = 0.0
        async with trio.open_nursery() as probes:
            probes.start_soon(_seconds, prober, [Target("127.0.0.1", hangs, HOST)])
            beside = await _seconds(prober, [Target("127.0.0.1", quick, HOST)] * 20)
        print(f"20 quick servers: {alone:.2f} s; beside one that hangs: {beside:.2f} s")
        took = await _seconds(prober, [Target("127.0.0.1", hangs, HOST)])
        print(f"a server that hangs, limit {LIMIT:g} s: {took:.2f} s")
        nursery.cancel_scope.cancel()


async def _seconds(prober: Prober, targets: list[Target]) -> float:
    begin = time.monotonic()
    async with trio.open_nursery() as nursery:
        for target in targets:
            nursery.start_soon(prober.probe, target)
    return time.monotonic() - begin


if __name__ == "__main__":
    sys.exit(main())
