"""The lab over real sockets: plain and over TLS, honest and not."""

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import dns.asyncquery
import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest
import trio

from anchord.lab import servers
from anchord.lab.certificates import CertificateAuthority, server_context
from anchord.lab.plan import Plan
from anchord.lab.servers import Asked, Behaviour, serve_plain, serve_tls
from anchord.lab.world import World
from anchord.model.errors import AnchordError
from support.lab import world_of

HERE = "127.0.0.1"
WORLD = world_of(Plan("z.lab", "", records="@ A 192.0.2.1\nslow A 192.0.2.2", algorithms=(8,)))
AUTHORITY = CertificateAuthority()


def make_query(name: str = "z.lab", rdtype: str = "A", **options: object) -> dns.message.Message:
    return dns.message.make_query(name, rdtype, want_dnssec=True, **options)  # type: ignore[arg-type]


async def ask_udp(port: int, query: dns.message.Message, where: str = HERE) -> dns.message.Message:
    return await dns.asyncquery.udp(query, where, port=port, timeout=5)


async def ask_tcp(port: int, query: dns.message.Message, where: str = HERE) -> dns.message.Message:
    return await dns.asyncquery.tcp(query, where, port=port, timeout=5)


# ------------ Plain DNS ------------


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_one_port_serves_udp_and_tcp(address: str) -> None:
    async with serve_plain(WORLD.reply, address=address) as port:
        over_udp = await ask_udp(port, make_query(), address)
        over_tcp = await ask_tcp(port, make_query(), address)
    assert over_udp.answer == over_tcp.answer
    assert len(over_udp.answer) == 2


async def test_what_udp_truncates_is_whole_over_tcp() -> None:
    async with serve_plain(WORLD.reply) as port:
        query = make_query(rdtype="DNSKEY", payload=512)
        assert (await ask_udp(port, query)).flags & dns.flags.TC
        whole = await ask_tcp(port, query)
        assert not whole.flags & dns.flags.TC
        assert len(whole.answer[0]) == 2


async def test_the_server_is_gone_when_the_context_ends() -> None:
    async with serve_plain(WORLD.reply) as port:
        pass
    with pytest.raises(OSError, match="attempts to connect"):
        await trio.open_tcp_stream(HERE, port)


async def test_a_port_that_is_taken_is_told_in_one_line() -> None:
    async with serve_plain(WORLD.reply) as port:
        with pytest.raises(AnchordError) as caught:
            async with serve_plain(WORLD.reply, port=port):
                pass
    assert caught.value.where == f"127.0.0.1:{port}"
    assert "in use" in caught.value.problem
    assert "0 for any" in caught.value.remedy


async def test_a_port_that_is_taken_for_tcp_alone_is_not_exchanged_for_another() -> None:
    with socket.socket() as taken:
        taken.bind((HERE, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(AnchordError, match="in use"):
            async with serve_plain(WORLD.reply, port=port):
                pass
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind((HERE, port))  # what was bound before is closed again


async def test_another_port_is_drawn_where_tcp_finds_it_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bind = servers.bind
    tried: list[int] = []

    async def bind_unless_first(
        kind: socket.SocketKind, address: str, port: int
    ) -> trio.socket.SocketType:
        if kind == socket.SOCK_STREAM:
            tried.append(port)
            if len(tried) == 1:
                raise AnchordError("taken")
        return await bind(kind, address, port)

    monkeypatch.setattr(servers, "bind", bind_unless_first)
    async with serve_plain(WORLD.reply) as port:
        assert tried[-1] == port
        assert len(tried) > 1


async def test_what_is_no_query_is_met_with_silence_and_the_next_is_served() -> None:
    async with serve_plain(WORLD.reply) as port:
        client = trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with client:
            await client.sendto(b"junk", (HERE, port))
            query = make_query()
            await client.sendto(query.to_wire(), (HERE, port))
            with trio.fail_after(5):
                reply = dns.message.from_wire(await client.recv(4096))
    assert query.is_response(reply)


async def test_what_is_no_query_is_met_with_silence_over_tcp_too() -> None:
    async with serve_plain(WORLD.reply) as port:
        stream = await trio.open_tcp_stream(HERE, port)
        async with stream:
            wire = make_query().to_wire()
            await stream.send_all(b"\0\4junk" + len(wire).to_bytes(2) + wire)
            with trio.fail_after(5):
                assert (await _receive(stream)).answer


async def test_what_was_asked_is_noted() -> None:
    log: list[Asked] = []
    async with serve_plain(WORLD.reply, log=log) as port:
        query = make_query("Z.lab", "TXT")
        await ask_udp(port, query)
        await ask_tcp(port, query)
        await ask_tcp(port, query)
    assert [(asked.transport, asked.text, asked.connection) for asked in log] == [
        ("udp", "z.lab. TXT", 0),
        ("tcp", "z.lab. TXT", 1),
        ("tcp", "z.lab. TXT", 2),
    ]
    assert log[0].wire == query.to_wire()
    assert Asked("udp", b"junk").text == ""


# ------------ Misbehaviour ------------


@asynccontextmanager
async def misbehaving(**knobs: object) -> AsyncIterator[int]:
    behaviour = Behaviour(**knobs)  # type: ignore[arg-type]
    async with serve_plain(WORLD.reply, behave=lambda _: behaviour) as port:
        yield port


async def raw(port: int, query: dns.message.Message) -> bytes | None:
    """The reply as it comes over UDP; None where none comes."""
    client = trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with client:
        await client.sendto(query.to_wire(), (HERE, port))
        with trio.move_on_after(0.2):
            return await client.recv(4096)
    return None


async def test_replies_can_be_dropped() -> None:
    async with misbehaving(drops=True) as port:
        assert await raw(port, make_query()) is None


async def test_replies_can_be_late() -> None:
    async with misbehaving(delay=0.1) as port:
        began = trio.current_time()
        assert await raw(port, make_query()) is not None
        assert trio.current_time() - began >= 0.1


async def test_replies_can_have_a_wrong_id_or_question() -> None:
    query = make_query()
    async with misbehaving(wrong_id=True) as port:
        reply = await raw(port, query)
        assert reply is not None
        assert dns.message.from_wire(reply).id == query.id ^ 1
    async with misbehaving(wrong_question=True) as port:
        reply = await raw(port, query)
        assert reply is not None
        parsed = dns.message.from_wire(reply)
        assert (parsed.id, parsed.question == query.question) == (query.id, False)


async def test_replies_can_be_truncated_over_udp_and_are_whole_over_tcp() -> None:
    async with misbehaving(truncates=True) as port:
        short = await ask_udp(port, make_query())
        assert short.flags & dns.flags.TC
        assert (short.answer, short.authority, short.additional) == ([], [], [])
        assert (await ask_tcp(port, make_query())).answer


async def test_replies_can_claim_to_be_authentic() -> None:
    async with misbehaving(claims_authentic=True) as port:
        assert (await ask_udp(port, make_query())).flags & dns.flags.AD


async def test_an_error_without_an_opt_record_can_be_the_answer_to_everything() -> None:
    async with misbehaving(knows_no_edns=True) as port:
        for asks in (ask_udp, ask_tcp):
            reply = await asks(port, make_query())
            assert (reply.rcode(), reply.edns) == (dns.rcode.FORMERR, -1)
            assert reply.question == make_query().question
            assert (reply.answer, reply.authority) == ([], [])


async def test_options_can_be_added_to_the_opt_record() -> None:
    async with misbehaving(options=((65001, b""), (65002, b"data"))) as port:
        reply = await ask_udp(port, make_query())
        assert [(option.otype, option.to_wire()) for option in reply.options] == [
            (65001, b""), (65002, b"data"),
        ]  # fmt: skip
        assert reply.answer
        without = dns.message.make_query("z.lab", "A", use_edns=False)
        assert (await ask_udp(port, without)).options == ()


async def test_replies_can_end_too_early() -> None:
    query = make_query()
    async with misbehaving() as port:
        whole = await raw(port, query)
    async with misbehaving(cuts=3) as port:
        cut = await raw(port, query)
    assert whole is not None
    assert cut == whole[:-3]


async def test_connections_can_be_closed_in_place_of_an_answer() -> None:
    async with misbehaving(closes=True) as port:
        for _ in range(2):  # the server outlives it
            with pytest.raises(EOFError):
                await ask_tcp(port, make_query())
        assert await raw(port, make_query()) is None


async def test_one_question_can_be_treated_unlike_another() -> None:
    def behave(asked: Asked) -> Behaviour:
        return Behaviour(delay=0.1) if asked.text.startswith("slow.") else Behaviour()

    async with serve_plain(WORLD.reply, behave=behave) as port:
        stream = await trio.open_tcp_stream(HERE, port)
        async with stream:
            for query in (make_query("slow.z.lab"), make_query("z.lab")):
                wire = query.to_wire()
                await stream.send_all(len(wire).to_bytes(2) + wire)
            names = [(await _receive(stream)).question[0].name.to_text() for _ in range(2)]
    assert names == ["z.lab.", "slow.z.lab."]  # out of order (RFC 7766 section 7)


async def _receive(stream: trio.abc.ReceiveStream) -> dns.message.Message:
    async def exactly(length: int) -> bytes:
        data = b""
        while len(data) < length:
            data += await stream.receive_some(length - len(data))
        return data

    return dns.message.from_wire(await exactly(int.from_bytes(await exactly(2))))


# ------------ DNS over TLS ------------


def client_context(authority: CertificateAuthority = AUTHORITY) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority.pem.decode())
    context.set_alpn_protocols(["dot"])
    return context


async def ask_tls(
    port: int, context: ssl.SSLContext, server_hostname: str = "dns.lab"
) -> dns.message.Message:
    return await dns.asyncquery.tls(
        make_query(),
        HERE,
        port=port,
        timeout=5,
        ssl_context=context,
        server_hostname=server_hostname,
    )


@pytest.mark.parametrize("name", ["dns.lab", "127.0.0.1", "::1"])
async def test_a_client_that_trusts_the_ca_is_served_by_name_and_by_address(name: str) -> None:
    log: list[Asked] = []
    context = server_context(AUTHORITY.issue())
    async with serve_tls(WORLD.reply, context=context, log=log) as port:
        assert (await ask_tls(port, client_context(), name)).answer
    assert [(asked.transport, asked.text) for asked in log] == [("tls", "z.lab. A")]


@pytest.mark.parametrize(
    ("issue", "authority", "reason"),
    [
        ({"name": "other.lab", "addresses": ()}, AUTHORITY, "mismatch"),
        ({"is_expired": True}, AUTHORITY, "expired"),
        (
            {},
            CertificateAuthority("another CA"),
            "unable to get local issuer|self-signed|signature",
        ),
    ],
)
async def test_a_certificate_can_be_wrong(
    issue: dict[str, object], authority: CertificateAuthority, reason: str
) -> None:
    context = server_context(AUTHORITY.issue(**issue))  # type: ignore[arg-type]
    async with serve_tls(WORLD.reply, context=context) as port:
        for _ in range(2):  # the server outlives a failed handshake
            with pytest.raises(ssl.SSLCertVerificationError, match=reason):
                await _handshake(port, client_context(authority))


async def _handshake(port: int, context: ssl.SSLContext) -> str | None:
    """The protocol that ALPN settled on. Raises what the ssl module raises."""

    def connect() -> str | None:
        with (
            socket.create_connection((HERE, port), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname="dns.lab") as stream,
        ):
            return stream.selected_alpn_protocol()

    return await trio.to_thread.run_sync(connect)


async def test_alpn_is_dot_or_left_out() -> None:
    for alpn, selected in ((("dot",), "dot"), ((), None)):
        context = server_context(AUTHORITY.issue(), alpn=alpn)
        async with serve_tls(WORLD.reply, context=context) as port:
            assert await _handshake(port, client_context()) == selected


async def test_sessions_are_resumed_and_that_is_noted() -> None:
    log: list[Asked] = []
    context = server_context(AUTHORITY.issue())
    client = client_context()
    wire = make_query().to_wire()

    def ask(port: int, session: ssl.SSLSession | None) -> ssl.SSLSession | None:
        with (
            socket.create_connection((HERE, port), timeout=5) as plain,
            client.wrap_socket(plain, server_hostname="dns.lab", session=session) as stream,
        ):
            stream.sendall(len(wire).to_bytes(2) + wire)
            assert stream.recv(4096)
            return stream.session

    async with serve_tls(WORLD.reply, context=context, log=log) as port:
        session = await trio.to_thread.run_sync(ask, port, None)
        await trio.to_thread.run_sync(ask, port, session)
    assert [(asked.connection, asked.resumed) for asked in log] == [(1, False), (2, True)]


async def test_the_whole_lab_is_served(tmp_path: Path) -> None:
    world = World(1_790_000_000)
    (tmp_path / "ca.pem").write_bytes(AUTHORITY.pem)
    client = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    async with serve_tls(world.reply, context=server_context(AUTHORITY.issue())) as port:
        query = dns.message.make_query("good.lab", "MX", want_dnssec=True)
        reply = await dns.asyncquery.tls(
            query, HERE, port=port, timeout=5, ssl_context=client, server_hostname=HERE
        )
    assert len(reply.answer) == 2
