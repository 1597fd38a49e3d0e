import datetime as dt
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio

from anchord.model.errors import AnchordError
from anchord.net import tls
from anchord.net.certificate import pin
from anchord.net.identity import Identity, TlsError
from anchord.net.tcp import TcpChannel, connect
from anchord.net.tls import ClientContexts, TlsChannel, TlsClient
from support.certificates import DAY, NOW, Issued, make
from support.peers import Conduct, Stream, StreamPeer, abort, keep_silent

NAME = "dns.example"


async def echo(stream: Stream) -> None:
    while data := await stream.receive_some():
        await stream.send_all(data)


class Scene:
    """A server with a certificate, and a client that should trust the test's CA."""

    def __init__(self, folder: Path, nursery: trio.Nursery) -> None:
        self.folder = folder
        self.nursery = nursery
        self.ca = make(["Test CA"], is_ca=True)
        self.ca_file = str(self.ca.write(folder))
        self.peer = StreamPeer(echo)

    async def serve(
        self, issued: Issued | None = None, *conducts: Conduct, alpn: Sequence[str] = ("dot",)
    ) -> ssl.SSLContext:
        issued = issued or make([NAME], issuer=self.ca)
        context = issued.server_context(self.folder, alpn)
        self.peer = StreamPeer(*(conducts or (echo,)), tls=context)
        await self.peer.start(self.nursery)
        return context

    def client(
        self,
        name: str = NAME,
        *,
        ca_file: str | None = None,
        pins: Sequence[str] = (),
        requires_alpn: bool = False,
    ) -> TlsClient:
        identity = Identity(name, self.ca_file if ca_file is None else ca_file, frozenset(pins))
        return TlsClient(
            identity, alpn="dot", requires_alpn=requires_alpn, contexts=ClientContexts()
        )

    async def dial(self) -> TcpChannel:
        return await connect(["127.0.0.1"], self.peer.port)

    async def refused(self, client: TlsClient) -> str:
        """The line that says why the client does not take the server."""
        with pytest.raises(TlsError) as caught:
            await client.open(self.dial)
        assert caught.value.exit_status == 3
        return str(caught.value)


@pytest.fixture
async def scene(tmp_path: Path, nursery: trio.Nursery) -> Scene:
    return Scene(tmp_path, nursery)


async def echoed(channel: TlsChannel, data: bytes = b"hello") -> bytes:
    await channel.send_all(data)
    received = b""
    while len(received) < len(data):
        received += await channel.receive()
    return received


# ------------ Servers that are who they should be ------------


async def test_a_server_is_known_by_its_name(scene: Scene) -> None:
    await scene.serve()
    channel = await scene.client().open(scene.dial)
    assert await echoed(channel) == b"hello"
    assert not channel.is_resumed
    channel.close()


@pytest.mark.parametrize("address", ["127.0.0.1", "2001:db8::53"])
async def test_a_server_is_known_by_its_address(scene: Scene, address: str) -> None:
    await scene.serve(make([address], issuer=scene.ca))
    channel = await scene.client(address).open(scene.dial)
    assert await echoed(channel) == b"hello"
    channel.close()


async def test_the_server_is_told_which_name_is_meant(scene: Scene) -> None:
    context = await scene.serve()
    asked: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    (await scene.client().open(scene.dial)).close()
    assert asked == [NAME]


async def test_a_pin_alone_is_enough_whatever_else_the_certificate_says(scene: Scene) -> None:
    odd = make(["other.example"], not_before=NOW - 9 * DAY, not_after=NOW - DAY)
    await scene.serve(odd)
    pins = ["sha256/" + "A" * 43 + "=", pin(odd.der)]
    channel = await scene.client(ca_file="", pins=pins).open(scene.dial)
    assert await echoed(channel) == b"hello"
    channel.close()


async def test_more_than_a_record_goes_and_comes_in_full(scene: Scene) -> None:
    await scene.serve()
    channel = await scene.client().open(scene.dial)
    data = bytes(range(256)) * 1000
    with trio.fail_after(5):
        assert await echoed(channel, data) == data
    channel.close()


async def test_tls_1_2_will_do(scene: Scene) -> None:
    context = await scene.serve()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    client = scene.client()
    for expected in (False, True):
        channel = await client.open(scene.dial)
        assert await echoed(channel) == b"hello"
        assert channel.is_resumed is expected
        channel.close()


# ------------ Servers that are not ------------


async def test_an_expired_certificate_is_refused_with_its_date(scene: Scene) -> None:
    end = dt.datetime(2024, 5, 1, 12, 30, tzinfo=dt.UTC)
    await scene.serve(make([NAME], issuer=scene.ca, not_before=end - DAY, not_after=end))
    line = await scene.refused(scene.client())
    assert line.startswith("the certificate expired on 2024-05-01 12:30 UTC; ")
    assert "clock" in line


async def test_an_expired_ca_is_not_told_as_the_servers_own_expiry(scene: Scene) -> None:
    old = make(["Old CA"], is_ca=True, not_before=NOW - 9 * DAY, not_after=NOW - DAY)
    await scene.serve(make([NAME], issuer=old))
    line = await scene.refused(scene.client(ca_file=str(old.write(scene.folder))))
    assert line.startswith("a certificate above the server's own has expired; ")


async def test_a_certificate_of_the_future_is_refused_with_its_date(scene: Scene) -> None:
    begin = NOW + DAY
    await scene.serve(make([NAME], issuer=scene.ca, not_before=begin))
    line = await scene.refused(scene.client())
    assert line.startswith(f"the certificate is valid from {begin:%Y-%m-%d %H:%M} UTC; ")


@pytest.mark.parametrize("name", [NAME, "127.0.0.1", "example", "sub.dns.example"])
async def test_a_certificate_for_other_names_is_refused_with_those(scene: Scene, name: str) -> None:
    await scene.serve(make(["a.example", "192.0.2.1"], issuer=scene.ca))
    line = await scene.refused(scene.client(name))
    assert line.startswith(f"the certificate is for a.example, 192.0.2.1, not for {name}; ")


async def test_a_self_signed_certificate_is_refused(scene: Scene) -> None:
    await scene.serve(make([NAME]))
    line = await scene.refused(scene.client())
    assert line.startswith("the certificate is self-signed; ")
    assert "pins" in line


async def test_an_unknown_ca_is_refused_by_name(scene: Scene) -> None:
    await scene.serve(make([NAME], issuer=make(["Somebody Else"], is_ca=True)))
    line = await scene.refused(scene.client())
    assert line.startswith(
        "the certificate was issued by CN=Somebody Else, which is not trusted here; "
    )


async def test_the_platforms_store_does_not_trust_the_tests_ca(scene: Scene) -> None:
    await scene.serve()
    assert "not trusted here" in await scene.refused(scene.client(ca_file=""))


async def test_a_wrong_key_is_refused_and_shown(scene: Scene) -> None:
    issued = make([NAME], issuer=scene.ca)
    await scene.serve(issued)
    line = await scene.refused(scene.client(ca_file="", pins=[pin(scene.ca.der)]))
    assert line.startswith(f"the server's key is {pin(issued.der)}, which is none of the pins; ")


async def test_a_key_that_cannot_be_read_is_refused(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.serve()
    monkeypatch.setattr(ssl.SSLObject, "getpeercert", lambda *_arguments, **_options: None)
    line = await scene.refused(scene.client(pins=[pin(scene.ca.der)]))
    assert line.startswith("the server's key cannot be read: ")


async def test_pins_together_with_a_ca_ask_for_both(scene: Scene) -> None:
    issued = make([NAME], issuer=scene.ca)
    await scene.serve(issued)
    (await scene.client(pins=[pin(issued.der)]).open(scene.dial)).close()
    assert "none of the pins" in await scene.refused(scene.client(pins=[pin(scene.ca.der)]))
    other = str(make(["Other"], is_ca=True).write(scene.folder))
    assert "not trusted here" in await scene.refused(
        scene.client(ca_file=other, pins=[pin(issued.der)])
    )


async def test_a_purpose_that_does_not_fit_is_told_in_openssls_words(scene: Scene) -> None:
    await scene.serve(make([NAME], issuer=make([NAME], issuer=scene.ca)))  # a leaf that signs
    assert (await scene.refused(scene.client())).startswith("the certificate is not accepted: ")


async def test_a_refused_server_is_sent_nothing(scene: Scene) -> None:
    heard = []
    has_heard = trio.Event()

    async def listen(stream: Stream) -> None:
        heard.append(await stream.receive_some())
        has_heard.set()

    await scene.serve(make(["a.example"], issuer=scene.ca), listen)
    await scene.refused(scene.client())
    await has_heard.wait()  # on the connection of the second look
    assert heard == [b""]
    assert (scene.peer.refused, scene.peer.connections) == (1, 1)


async def test_a_server_that_hides_after_its_refusal_is_told_without_details(scene: Scene) -> None:
    await scene.serve(make(["a.example"], issuer=scene.ca))
    dials = 0

    async def dial_once() -> TcpChannel:
        nonlocal dials
        dials += 1
        if dials > 1:
            raise OSError
        return await scene.dial()

    with pytest.raises(TlsError, match=r"^the certificate is not for dns\.example"):
        await scene.client().open(dial_once)


@pytest.mark.parametrize("limit", ["its own", "the caller's"])
async def test_the_second_look_does_not_keep_the_caller_waiting(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    await scene.serve(make(["a.example"], issuer=scene.ca))
    silent = StreamPeer(keep_silent)
    await silent.start(scene.nursery)
    ports = [scene.peer.port, silent.port]

    async def dial() -> TcpChannel:
        return await connect(["127.0.0.1"], ports.pop(0))

    own, callers = (0.1, 30) if limit == "its own" else (30, 0.5)
    monkeypatch.setattr(tls, "LOOK_LIMIT", own)
    with (
        trio.fail_after(callers),
        pytest.raises(TlsError, match=r"^the certificate is not for dns\.example"),
    ):
        await scene.client().open(dial)
    assert not ports


# ------------ Protocols ------------


async def test_a_server_without_alpn_is_taken_unless_it_must_have_it(scene: Scene) -> None:
    await scene.serve(None, echo, alpn=())
    (await scene.client().open(scene.dial)).close()
    line = await scene.refused(scene.client(requires_alpn=True))
    assert line.startswith("the server speaks no protocol that it names, not dot; ")


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"\x15\x03\x03\0\x02\x02\x78", "the server does not offer the protocol dot; "),
        (b"\x15\x03\x03\0\x02\x02\x46", "the server speaks no TLS from 1.2 on; "),
        (b"\x15\x03\x03\0\x02\x02\x50", "TLS failed (tlsv1 alert internal error)"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "the server does not speak TLS on that port; "),
        (b"\0\x0c\0\0\x80\x01\0\0\0\0\0\0\0\0", "the server does not speak TLS on that port; "),
        (b"", "the connection was closed during the TLS handshake; "),
    ],
    ids=["no protocol", "old version", "alert", "http", "plain dns", "nothing"],
)
async def test_what_is_no_handshake_is_told_in_words(scene: Scene, sent: bytes, told: str) -> None:
    async def answer(stream: Stream) -> None:
        await stream.receive_some()
        await stream.send_all(sent)

    scene.peer = StreamPeer(answer)
    await scene.peer.start(scene.nursery)
    assert (await scene.refused(scene.client())).startswith(told)


async def test_a_handshake_has_to_end_in_time(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "HANDSHAKE_LIMIT", 0.1)
    scene.peer = StreamPeer(keep_silent)
    await scene.peer.start(scene.nursery)
    assert (await scene.refused(scene.client())).startswith("no TLS handshake within ")


# ------------ Sessions ------------


async def test_every_connection_takes_up_the_session_of_the_one_before(scene: Scene) -> None:
    await scene.serve()
    client = scene.client()
    for expected in (False, True, True):
        channel = await client.open(scene.dial)
        assert channel.is_resumed is expected
        assert await echoed(channel) == b"hello"  # the ticket comes before the reply
        channel.close()


async def test_a_session_serves_one_connection_only(scene: Scene) -> None:
    await scene.serve()
    client = scene.client()
    first = await client.open(scene.dial)
    await echoed(first)
    first.close()
    second, third = await client.open(scene.dial), await client.open(scene.dial)
    assert (second.is_resumed, third.is_resumed) == (True, False)
    for channel in (second, third):  # neither has seen a ticket
        channel.close()
    fourth = await client.open(scene.dial)
    assert not fourth.is_resumed
    fourth.close()


async def test_after_an_hour_the_certificate_is_looked_at_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.serve()
    client = scene.client()
    first = await client.open(scene.dial)
    await echoed(first)
    first.close()
    monkeypatch.setattr(tls, "RESUMED_FOR", 0.0)
    second = await client.open(scene.dial)
    assert not second.is_resumed
    second.close()


async def test_a_resumed_session_still_has_the_pinned_key(scene: Scene) -> None:
    issued = make([NAME])
    await scene.serve(issued)
    client = scene.client(ca_file="", pins=[pin(issued.der)])
    for expected in (False, True):
        channel = await client.open(scene.dial)
        assert channel.is_resumed is expected
        await echoed(channel)
        channel.close()


# ------------ The end of a channel ------------


async def test_the_server_is_told_farewell(scene: Scene) -> None:
    ended = trio.Event()

    async def listen(stream: Stream) -> None:
        assert await stream.receive_some() == b""  # without it, an error
        ended.set()

    await scene.serve(None, listen)
    (await scene.client().open(scene.dial)).close()
    with trio.fail_after(2):
        await ended.wait()


@pytest.mark.parametrize("says_farewell", [True, False])
async def test_the_servers_end_is_the_end(scene: Scene, *, says_farewell: bool) -> None:
    async def leave(stream: Stream) -> None:
        await (stream.aclose() if says_farewell else abort(stream))

    await scene.serve(None, leave)
    channel = await scene.client().open(scene.dial)
    assert await channel.receive() == b""
    assert await channel.receive() == b""
    channel.close()


async def test_the_servers_farewell_is_the_end_though_it_stays_connected(scene: Scene) -> None:
    async def say_farewell(stream: Stream) -> None:
        assert isinstance(stream, trio.SSLStream)
        await stream.send_all(b"last words")
        await stream.unwrap()  # waits for ours

    await scene.serve(None, say_farewell)
    channel = await scene.client().open(scene.dial)
    with trio.fail_after(2):
        assert await channel.receive() == b"last words"
        assert await channel.receive() == b""
        assert await channel.receive() == b""
    channel.close()


async def test_garbage_in_mid_stream_is_an_error_in_words(scene: Scene) -> None:
    async def spoil(stream: Stream) -> None:
        assert isinstance(stream, trio.SSLStream)
        await stream.transport_stream.send_all(b"garbage of more than five octets")
        await trio.sleep_forever()

    await scene.serve(None, spoil)
    channel = await scene.client().open(scene.dial)
    with pytest.raises(ConnectionError, match=r"^TLS failed \(wrong version number\)$"):
        await channel.receive()
    with pytest.raises(ConnectionError, match=r"^TLS failed"):
        await channel.send_all(b"more")
    channel.close()


# ------------ CA files ------------


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "no such file or directory"),
        (b"no PEM", "it holds no certificate in PEM"),
        (b"-----BEGIN CERTIFICATE-----\nMIIB", "it holds no certificate in PEM"),
        (
            b"-----BEGIN CERTIFICATE-----\nMIIBx\n-----END CERTIFICATE-----\n",
            "it holds no certificate in PEM",
        ),
    ],
)
def test_a_ca_file_that_cannot_be_used_is_told_at_once(
    tmp_path: Path, content: bytes | None, told: str
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    identity = Identity(NAME, str(path))
    with pytest.raises(AnchordError) as caught:
        TlsClient(identity, alpn="dot", requires_alpn=False, contexts=ClientContexts())
    assert caught.value.where == str(path)
    assert caught.value.exit_status == 2
    assert told in caught.value.problem


async def test_what_only_openssl_sees_in_a_ca_file_is_told_when_it_is_needed(
    scene: Scene, tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n")
    await scene.serve()
    client = scene.client(ca_file=str(path))
    with pytest.raises(AnchordError, match="the CA file cannot be used: it holds no certificate"):
        await client.open(scene.dial)


def test_a_context_is_made_once() -> None:
    contexts = ClientContexts()
    first = contexts.get(alpn="dot", checks_chain=False, ca_file="")
    assert contexts.get(alpn="dot", checks_chain=False, ca_file="") is first
    assert contexts.get(alpn="h2", checks_chain=False, ca_file="") is not first
