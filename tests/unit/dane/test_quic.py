"""A service over QUIC: its chain, judged by the records below `_quic`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from aioquic._buffer import Buffer
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import pull_quic_header

from anchord.dane.check import Request
from anchord.dane.probe import Limits, Prober, Target, Unreachable
from anchord.dane.results import Result
from anchord.lab.chains import CHAINS, Chain, records_of
from anchord.lab.plan import Plan
from support.dane import checker_over, service

HOST = "host.z.lab"


@asynccontextmanager
async def quic_server(chain: Chain, folder: Path) -> AsyncIterator[int]:
    """aioquic's server side, one connection for each peer; yields the port."""
    (folder / "chain.pem").write_bytes(b"".join(holder.pem for holder in chain.presented))
    (folder / "key.pem").write_bytes(chain.leaf.key_pem)
    configuration = QuicConfiguration(is_client=False, alpn_protocols=["h3"])
    configuration.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    sock = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
    await sock.bind(("127.0.0.1", 0))
    connections: dict[object, QuicConnection] = {}

    async def serve() -> None:
        while True:
            data, peer = await sock.recvfrom(65_535)
            if peer not in connections:
                header = pull_quic_header(Buffer(data=data), host_cid_length=8)
                connections[peer] = QuicConnection(
                    configuration=configuration,
                    original_destination_connection_id=header.destination_cid,
                )
            quic = connections[peer]
            quic.receive_datagram(data, peer, now=trio.current_time())
            for datagram, address in quic.datagrams_to_send(now=trio.current_time()):
                await sock.sendto(datagram, address)

    with sock:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            yield sock.getsockname()[1]
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("records", "result"),
    [
        ("3 1 1 leaf", Result.MATCH),
        ("2 1 1 root", Result.MATCH),
        ("3 1 1 next", Result.MISMATCH),
    ],
)
async def test_a_chain_over_quic_is_judged_as_any_other(
    records: str, result: Result, tmp_path: Path
) -> None:
    chain = CHAINS["with-next"](HOST)
    async with quic_server(chain, tmp_path) as port:
        lines = [f"_{port}._quic.host TLSA {one}" for one in records_of(records, chain)]
        plan = Plan("z.lab", "a test", records="\n".join(["host A 127.0.0.1", *lines]))
        async with checker_over(plan) as checker:
            check = await checker.check(Request(service(HOST, port, "quic")))
    assert check.result is result, check.reason
    assert [shown.subject for shown in check.chain] == [
        HOST,
        "Issuer of the Lab",
        "Root of the Lab",
    ]


async def test_a_port_without_quic_is_unreachable() -> None:
    limits = Limits(address=1.0)
    sock = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
    await sock.bind(("127.0.0.1", 0))
    with sock:  # it takes datagrams, and never answers
        target = Target("127.0.0.1", sock.getsockname()[1], HOST, proto="quic")
        seen = await Prober(limits).probe(target)
    assert seen == Unreachable("it takes more than 1 seconds")


async def test_nothing_is_connected_to_over_other_protocols() -> None:
    seen = await Prober().probe(Target("127.0.0.1", 1, HOST, proto="sctp"))
    assert seen == Unreachable("nothing here connects over sctp")
