"""TLS services of the lab: direct and by STARTTLS, honest and not.

A service speaks as much of its protocol as leads to TLS, shows its certificate, and listens until
the client goes. How it misbehaves is told by a word (`CONDUCTS`).
"""

import socket
import ssl
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import trio

from anchord.dane.starttls.dialogue import (
    LINE,
    Conversation,
    Dialogue,
    Exactly,
    NonsenseError,
    Say,
    Step,
    Until,
)

from .chains import Chain
from .servers import bind

PACE = 0.005
"""Seconds between two octets of a service that says one at a time."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service: its chain, those that it has for other names, its protocol, and its conduct.

    Without a protocol it speaks TLS from the first octet on. `page` is what it answers to whatever
    it is asked over HTTP.
    """

    chain: Chain
    others: Mapping[str, Chain]
    starttls: str = ""
    conduct: str = ""
    page: str = ""


async def start_service(
    nursery: trio.Nursery, service: Service, *, address: str = "127.0.0.1", port: int = 0
) -> int:
    """Serves in the nursery until that ends; returns the port. Raises AnchordError."""
    context = context_of(service.chain)
    contexts = {name: context_of(chain) for name, chain in service.others.items()}

    def choose(tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        if name in contexts:
            tls.context = contexts[name]

    async def serve(stream: trio.SocketStream) -> None:
        try:
            async with stream:
                await CONDUCTS[service.conduct](stream, service, context)
        except (trio.BrokenResourceError, trio.ClosedResourceError, NonsenseError):
            pass  # the client went away, or speaks something else: the next one is served

    context.sni_callback = choose
    listening = await bind(socket.SOCK_STREAM, address, port)
    listener = trio.SocketListener(listening)
    nursery.start_soon(trio.serve_listeners, serve, [listener])
    bound: int = listening.getsockname()[1]
    return bound


def context_of(chain: Chain) -> ssl.SSLContext:
    """What a server listens with that presents this chain."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with tempfile.TemporaryDirectory() as folder:  # ssl takes keys from files only
        file = Path(folder) / "server.pem"
        file.write_bytes(chain.pem)
        context.load_cert_chain(file)
    return context


# ------------ Conducts ------------

Conduct = Callable[[trio.SocketStream, Service, ssl.SSLContext], Awaitable[None]]

CONDUCTS: dict[str, Conduct] = {}
"""How services behave, by the word for it; honestly where there is none."""


def _conduct(conduct: Conduct) -> Conduct:
    name = conduct.__name__.replace("_", "-")
    CONDUCTS["" if name == "honestly" else name] = conduct
    return conduct


@_conduct
async def honestly(stream: trio.SocketStream, service: Service, context: ssl.SSLContext) -> None:
    """As a good server does."""
    if service.starttls:
        await _converse(stream, SCRIPTS[service.starttls])
    await _encrypted(stream, context, service.page)


@_conduct
async def tls12(stream: trio.SocketStream, service: Service, context: ssl.SSLContext) -> None:
    """No version of TLS but 1.2."""
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    await honestly(stream, service, context)


@_conduct
async def tls13(stream: trio.SocketStream, service: Service, context: ssl.SSLContext) -> None:
    """No version of TLS but 1.3."""
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    await honestly(stream, service, context)


@_conduct
async def strips(stream: trio.SocketStream, _: Service, __: ssl.SSLContext) -> None:
    """Mail without STARTTLS, as an attacker leaves it."""
    await _converse(stream, (_GREETING, LINE, Say(b"250-lab\r\n250 8BITMIME\r\n"), LINE))


@_conduct
async def refuses(stream: trio.SocketStream, _: Service, __: ssl.SSLContext) -> None:
    """STARTTLS is offered, and refused."""
    await _converse(stream, (*SCRIPTS["smtp"][:-1], Say(b"454 TLS not available\r\n"), LINE))


@_conduct
async def injects(stream: trio.SocketStream, _: Service, __: ssl.SSLContext) -> None:
    """Something follows the go-ahead in clear text."""
    await _converse(stream, (*SCRIPTS["smtp"][:-1], Say(b"220 go\r\n250 injected\r\n"), LINE))


@_conduct
async def goes_on_in_clear(stream: trio.SocketStream, _: Service, __: ssl.SSLContext) -> None:
    """After the go-ahead it never begins with TLS."""
    await _converse(stream, SCRIPTS["smtp"])
    await stream.receive_some()
    await stream.send_all(b"500 what was that?\r\n")
    await _until_gone(stream)


@_conduct
async def hangs(stream: trio.SocketStream, _: Service, __: ssl.SSLContext) -> None:
    """It accepts the connection, and says nothing."""
    await _until_gone(stream)


@_conduct
async def in_pieces(stream: trio.SocketStream, service: Service, context: ssl.SSLContext) -> None:
    """All it says before TLS comes octet by octet."""
    await _converse(stream, SCRIPTS[service.starttls], pace=PACE)
    await _encrypted(stream, context)


@_conduct
async def crawls(stream: trio.SocketStream, _: Service, __: ssl.SSLContext) -> None:
    """One octet a second, without end."""
    while True:
        await stream.send_all(b"2")
        await trio.sleep(1)


@_conduct
async def rambles(stream: trio.SocketStream, _: Service, __: ssl.SSLContext) -> None:
    """A greeting of lines without end."""
    while True:
        await stream.send_all(b"220-and another thing\r\n" * 100)


@_conduct
async def roars(stream: trio.SocketStream, _: Service, __: ssl.SSLContext) -> None:
    """A line without end."""
    while True:
        await stream.send_all(b"2" * 65_536)


@_conduct
async def alerts(stream: trio.SocketStream, _: Service, __: ssl.SSLContext) -> None:
    """Every greeting is answered with a TLS alert: handshake failure."""
    await stream.receive_some()
    await stream.send_all(bytes.fromhex("15030300020228"))


@_conduct
async def babbles(stream: trio.SocketStream, _: Service, __: ssl.SSLContext) -> None:
    """Every greeting is answered with what is no TLS."""
    await stream.receive_some()
    await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await _until_gone(stream)


@_conduct
async def hangs_up(stream: trio.SocketStream, _: Service, __: ssl.SSLContext) -> None:
    """Every greeting is answered with the end of the connection."""
    await stream.receive_some()


# ------------ Protocols, from the server's side ------------

_GREETING = Say(b"220 mail.lab ESMTP\r\n")
_SMTP = (
    _GREETING, LINE, Say(b"250-mail.lab\r\n250-8BITMIME\r\n250 STARTTLS\r\n"), LINE,
    Say(b"220 go ahead\r\n"),
)  # fmt: skip
_XMPP = (
    Until(b"streams'>"),
    Say(
        b"<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams' "
        b"version='1.0'><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'>"
        b"<required/></starttls></stream:features>"
    ),
    Until(b"/>"),
    Say(b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
)
_LDAP_RESPONSE = bytes.fromhex("300c02010178070a010004000400")
_MYSQL_FLAGS = 0x0800 | 0x0200
_MYSQL_GREETING = b"".join(
    (bytes((10,)), b"8.0-lab\0", bytes(4), bytes(8), b"\0", _MYSQL_FLAGS.to_bytes(2, "little"))
)

SCRIPTS: dict[str, Sequence[Step]] = {
    "smtp": _SMTP,
    "submission": _SMTP,
    "lmtp": _SMTP,
    "imap": (
        Say(b"* OK ready\r\n"), LINE,
        Say(b"* CAPABILITY IMAP4rev1 STARTTLS\r\na1 OK done\r\n"), LINE, Say(b"a2 OK begin\r\n"),
    ),
    "pop3": (Say(b"+OK ready\r\n"), LINE, Say(b"+OK begin\r\n")),
    "sieve": (
        Say(b'"IMPLEMENTATION" "lab"\r\n"STARTTLS"\r\nOK ready\r\n'), LINE, Say(b"OK begin\r\n"),
    ),
    "nntp": (Say(b"200 ready\r\n"), LINE, Say(b"382 begin\r\n")),
    "ftp": (Say(b"220-hello\r\n220 ready\r\n"), LINE, Say(b"234 begin\r\n")),
    "xmpp-client": _XMPP,
    "xmpp-server": _XMPP,
    "ldap": (Exactly(31), Say(_LDAP_RESPONSE)),
    "postgres": (Exactly(8), Say(b"S")),
    "mysql": (
        Say(len(_MYSQL_GREETING).to_bytes(3, "little") + b"\0" + _MYSQL_GREETING), Exactly(36),
    ),
}  # fmt: skip
"""What a server says, and what it waits for, up to the first octet of TLS."""


def _dialogue(script: Sequence[Step]) -> Dialogue:
    yield from (step for step in script)  # a generator, since those are sent what came in


async def _converse(
    stream: trio.SocketStream, script: Sequence[Step], *, pace: float = 0.0
) -> None:
    conversation = Conversation(_dialogue(script))
    said = conversation.begin()
    size = 1 if any(isinstance(step, Exactly) for step in script) else 1024  # then TLS may follow
    while True:
        if pace:
            for octet in said:
                await stream.send_all(bytes((octet,)))
                await trio.sleep(pace)
        elif said:
            await stream.send_all(said)
        if conversation.is_over:
            return
        data = await stream.receive_some(size)
        if not data:
            raise trio.BrokenResourceError
        said = conversation.received(bytes(data))


async def _encrypted(stream: trio.SocketStream, context: ssl.SSLContext, page: str = "") -> None:
    tls = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
    await tls.do_handshake()
    while await tls.receive_some():
        if page:  # a request as short as those of a client for one page comes in one piece
            head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(page)}"
            await tls.send_all(f"{head}\r\n\r\n{page}".encode())


async def _until_gone(stream: trio.SocketStream) -> None:
    while await stream.receive_some():
        pass
