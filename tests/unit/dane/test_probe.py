"""Peers that mean ill: each ends in a value, within the limit of time, and memory stays flat."""

import resource
import ssl
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
import trio.testing
from cryptography import x509
from trio.testing import MockClock

from anchord.dane.handshake import client_context, presented_chain
from anchord.dane.probe import Limits, Presented, Prober, Refused, Target, Unreachable
from anchord.lab.chains import CHAINS, Chain, Holder, issue
from anchord.lab.services import Service, start_service

LIMITS = Limits(connect=1.0, reply=1.0, address=2.0)

FLAT = 40 * 1024
"""Kibibytes by which a probe may raise the peak of memory: OpenSSL's buffers, and some in hand."""


async def probed(
    clock: MockClock, serve: Callable[[trio.SocketStream], Awaitable[None]], starttls: str = ""
) -> tuple[Presented | Refused | Unreachable, float]:
    """What the probe says of a server, and in how many seconds of that clock."""

    async def forgiving(stream: trio.SocketStream) -> None:
        try:
            async with stream:
                await serve(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, forgiving, [listener])
        port = listener.socket.getsockname()[1]
        before, began = _peak(), clock.current_time()
        seen = await Prober(LIMITS).probe(Target("127.0.0.1", port, "host.example", starttls))
        took = clock.current_time() - began
        nursery.cancel_scope.cancel()
    assert _peak() - before < FLAT
    return seen, took


def _peak() -> int:
    """The most memory that this process ever had, in kibibytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform == "darwin" else peak


async def of_chain(chain: Chain) -> Presented | Refused | Unreachable:
    async with trio.open_nursery() as nursery:
        port = await start_service(nursery, Service(chain, {}))
        before = _peak()
        seen = await Prober(LIMITS).probe(Target("127.0.0.1", port, "host.example"))
        nursery.cancel_scope.cancel()
    assert _peak() - before < FLAT
    return seen


async def test_a_certificate_of_ten_megabytes_is_not_swallowed() -> None:
    blob = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), bytes(10_000_000))
    leaf = issue("host.example", extensions=[(blob, False)])
    seen = await of_chain(Chain((leaf,)))
    assert seen == Unreachable("its chain is larger than any TLS client takes")


async def test_a_thousand_certificates_are_not_swallowed() -> None:
    root = issue("root", is_ca=True)
    leaf = issue("host.example", root)
    seen = await of_chain(Chain((leaf, *[root] * 999)))
    assert seen == Unreachable("its chain is larger than any TLS client takes")


async def test_two_hundred_certificates_are_taken_as_they_are() -> None:
    holders = [issue(f"ca {number}", is_ca=True) for number in range(3)]
    leaf: Holder = issue("host.example", names=["host.example"])
    seen = await of_chain(Chain((leaf, *holders * 60)))
    assert isinstance(seen, Presented)
    assert len(seen.chain) == 181


def _record(kind: int, body: bytes) -> bytes:
    return bytes((kind, 3, 3)) + len(body).to_bytes(2) + body


def _handshake(kind: int, body: bytes) -> bytes:
    return bytes((kind,)) + len(body).to_bytes(3) + body


async def test_a_certificate_that_is_no_certificate_ends_the_handshake(
    patient_clock: MockClock,
) -> None:
    """TLS 1.2 by hand: a server hello, and a chain of one certificate of broken DER."""
    broken = b"\x30\x82\xff\xff" + bytes(60)
    hello = b"\x03\x03" + bytes(32) + b"\0" + b"\xc0\x2f" + b"\0" + b"\0\x05\xff\x01\0\x01\0"
    entry = len(broken).to_bytes(3) + broken
    messages = _handshake(2, hello) + _handshake(11, len(entry).to_bytes(3) + entry)

    async def serve(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(_record(22, messages))
        await stream.receive_some()

    seen, _ = await probed(patient_clock, serve)
    assert isinstance(seen, Unreachable)
    assert "the TLS handshake fails" in seen.reason


async def test_records_without_end_and_without_meaning_end_the_handshake(
    patient_clock: MockClock,
) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        for _ in range(FLOOD):
            await stream.send_all(_record(22, b"") * 1000)
        await trio.sleep_forever()

    seen, took = await probed(patient_clock, serve)
    assert isinstance(seen, Unreachable)
    assert "the TLS handshake fails" in seen.reason
    assert took < LIMITS.address


async def test_a_server_hello_octet_by_octet_ends_with_the_limit(patient_clock: MockClock) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        while True:
            await stream.send_all(b"\x16")
            await trio.sleep(0.3)
            await stream.send_all(b"\x03")
            await trio.sleep(3)

    seen, took = await probed(patient_clock, serve)
    assert seen == Unreachable(f"it takes more than {LIMITS.address:g} seconds")
    assert took == pytest.approx(LIMITS.address)


async def test_octets_that_come_slowly_never_use_up_the_limit_of_a_reply_alone(
    patient_clock: MockClock,
) -> None:
    """Each one is in time; all together are not."""

    async def serve(stream: trio.SocketStream) -> None:
        while True:
            await stream.send_all(b"2")
            await trio.sleep(LIMITS.reply / 5)

    seen, took = await probed(patient_clock, serve, "smtp")
    assert seen == Unreachable(f"it takes more than {LIMITS.address:g} seconds")
    assert took == pytest.approx(LIMITS.address)


FLOOD = 1000
"""Pieces that a flood consists of, far more than a probe may take; then there is silence, which
would cost the probe that is still there a limit of time."""


@pytest.mark.parametrize("starttls", ["", "smtp", "imap", "xmpp-client", "ldap", "mysql"])
async def test_a_flood_of_octets_ends_at_once(patient_clock: MockClock, starttls: str) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        for _ in range(FLOOD):
            await stream.send_all(b"220-" * 16_384)
        await trio.sleep_forever()

    seen, took = await probed(patient_clock, serve, starttls)
    assert isinstance(seen, Unreachable)
    assert took < min(LIMITS.reply, LIMITS.address)


async def test_a_port_that_nobody_has_is_unreachable() -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    seen = await Prober(LIMITS).probe(Target("127.0.0.1", port, "host.example"))
    assert seen == Unreachable("connection refused")


async def test_an_address_that_is_forbidden_is_never_connected_to() -> None:
    connected = []

    async def serve(stream: trio.SocketStream) -> None:
        connected.append(stream)

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        prober = Prober(LIMITS, forbids=lambda address, _: f"{address} is not for us")
        port = listener.socket.getsockname()[1]
        seen = await prober.probe(Target("127.0.0.1", port, "host.example"))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert seen == Unreachable("127.0.0.1 is not for us")
    assert not connected


async def test_no_more_connections_are_made_at_a_time_than_the_limit_says() -> None:
    open_now, most = 0, 0

    async def serve(stream: trio.SocketStream) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await stream.receive_some()
        await trio.sleep(0.02)
        open_now -= 1
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        prober = Prober(Limits(at_once=3))
        target = Target("127.0.0.1", listener.socket.getsockname()[1], "host.example")
        async with trio.open_nursery() as probes:
            for _ in range(12):
                probes.start_soon(prober.probe, target)
        nursery.cancel_scope.cancel()
    assert most <= 3


def test_the_chain_is_had_from_any_python_that_is_supported(tmp_path: Path) -> None:
    """In memory, both sides by hand: what the accessor returns is what the server has loaded."""
    chain = CHAINS["among-strangers"]("host.example")
    file = tmp_path / "server.pem"
    file.write_bytes(chain.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context().wrap_bio(to_client, to_server, server_hostname="host.example")
    server = context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert presented_chain(client) == tuple(chain.ders)
