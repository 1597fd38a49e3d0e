"""A connection to one address of a service, up to the certificates that it presents.

Everything that can go wrong comes back as a value, within the limits of time: a server that hangs,
rambles or talks nonsense costs no more than that. Nothing is sent that the protocol does not need,
and nothing of what a server says is believed.
"""

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

import trio

from anchord.model.errors import AnchordError
from anchord.net.ended import PeerError
from anchord.net.identity import TlsError
from anchord.net.race import UnreachableError
from anchord.net.race import in_words as network_in_words
from anchord.net.tcp import TcpChannel, connect
from anchord.net.tls import TlsChannel

from . import handshake
from .handshake import Keys, client_context, presented_chain
from .starttls import PROTOCOLS
from .starttls.dialogue import Conversation, NonsenseError, Peer, RefusedError


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds for a connection, a reply, an address and a check; and connections at a time."""

    connect: float = 5.0
    """A machine that is there answers in one; a lost packet is sent again after one and three."""
    reply: float = 10.0
    """Some mail servers greet after six on purpose, to see who speaks first."""
    address: float = 20.0
    """The greeting, the dialogue and the handshake of a slow but honest server."""
    check: float = 60.0
    """All addresses of a host: a person may be waiting."""
    at_once: int = 16
    """Connections at the same time, all checks together: a hostile zone names many addresses."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect and how.

    `sni` is the name for TLS, `domain` the one that XMPP is told. `proto` is `tcp`, or `quic`,
    which has no STARTTLS; over others nothing can be connected to.
    """

    address: str
    port: int
    sni: str
    starttls: str = ""
    domain: str = ""
    keys: Keys = Keys.ANY
    proto: str = "tcp"


@dataclass(frozen=True, slots=True)
class Presented:
    """What a server showed, the first certificate being its own, in DER."""

    chain: tuple[bytes, ...]
    tls_version: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The server could be asked, and does not do TLS: what an attacker who strips it looks like."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The server could not be judged."""

    reason: str


Seen = Presented | Refused | Unreachable

T = TypeVar("T")
Work: TypeAlias = Callable[[TlsChannel | None, Presented], Awaitable[T]]
"""What is done with a connection; there is no channel over QUIC."""


def anywhere(_address: str, _port: int) -> str:
    """Every address may be connected to, as on the command line."""
    return ""


@dataclass(slots=True)
class Prober:
    """Connects to addresses. Its TLS contexts are made once.

    `forbids` says why an address and port must not be connected to, and is empty where they may.
    What it has judged is what is connected to: no name is looked up again.
    """

    limits: Limits = field(default_factory=Limits)
    forbids: Callable[[str, int], str] = anywhere
    _contexts: dict[Keys, ssl.SSLContext] = field(default_factory=dict)
    _places: trio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._places = trio.Semaphore(self.limits.at_once)

    async def probe(self, target: Target) -> Seen:
        """What the service shows at one address."""
        return await self.at(target, _look)

    async def at(self, target: Target, work: Work[T]) -> T | Refused | Unreachable:
        """What comes of `work` with a TLS connection to one address, and of what it has shown.

        The limits of time are for all of it. `work` may raise NonsenseError and what channels do.
        """
        if reason := self.forbids(target.address, target.port):
            return Unreachable(reason)
        async with self._places:
            return await self._at(target, work)

    async def _at(self, target: Target, work: Work[T]) -> T | Refused | Unreachable:
        with trio.move_on_after(self.limits.address):
            try:
                return await self._with_connection(target, work)
            except UnreachableError as error:
                _, cause = error.failures[0]
                return Unreachable(network_in_words(cause))
            except RefusedError as error:
                return Refused(error.problem)
            except (NonsenseError, _LateError, TlsError, PeerError) as error:
                return Unreachable(error.problem)
            except ssl.SSLError as error:
                return Unreachable(handshake.in_words(error))
            except OSError as error:
                return Unreachable(network_in_words(error))
        return Unreachable(f"it takes more than {self.limits.address:g} seconds")

    async def _with_connection(self, target: Target, work: Work[T]) -> T:
        if target.proto == "quic":
            return await work(None, await self._probe_quic(target))
        if target.proto != "tcp":
            raise NonsenseError(f"nothing here connects over {target.proto}")
        channel = await self._connect(target)
        try:
            if target.starttls:
                await self._converse(channel, target)
            encrypted, presented = await self._shake_hands(channel, target)
            try:
                return await work(encrypted, presented)
            finally:
                encrypted.close()
        finally:
            channel.close()

    async def _probe_quic(self, target: Target) -> Presented:
        from .quic import presented_over_quic  # aioquic takes a quarter of a second to load

        chain = await presented_over_quic(target.address, target.port, target.sni)
        if not chain:
            raise NonsenseError("it presents no certificate")
        return Presented(chain, "TLSv1.3")

    async def _connect(self, target: Target) -> TcpChannel:
        with trio.move_on_after(self.limits.connect):
            return await connect([target.address], target.port)
        raise _LateError(f"no connection within {self.limits.connect:g} seconds")

    async def _converse(self, channel: TcpChannel, target: Target) -> None:
        """The protocol's dialogue up to the go-ahead for TLS."""
        dialogue = PROTOCOLS[target.starttls].dialogue(Peer(target.domain or target.sni))
        conversation = Conversation(dialogue)
        await channel.send_all(conversation.begin())
        while not conversation.is_over:
            with trio.move_on_after(self.limits.reply) as limit:
                data = await channel.receive()
            if limit.cancelled_caught:
                raise _LateError(f"no reply within {self.limits.reply:g} seconds")
            if not data:
                raise NonsenseError("it closes the connection before TLS")
            await channel.send_all(conversation.received(data))

    async def _shake_hands(
        self, channel: TcpChannel, target: Target
    ) -> tuple[TlsChannel, Presented]:
        context = self._contexts.get(target.keys)
        if context is None:
            context = self._contexts[target.keys] = client_context(target.keys)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        try:
            tls = context.wrap_bio(incoming, outgoing, server_hostname=target.sni)
        except ValueError:  # labels of any octets may be looked up, but not named in TLS
            raise NonsenseError(f"TLS cannot name {target.sni}") from None
        encrypted = TlsChannel(channel, tls, incoming, outgoing)
        await encrypted.handshake()
        chain = presented_chain(tls)
        if not chain:
            raise NonsenseError("it presents no certificate")
        return encrypted, Presented(chain, tls.version() or "")


async def _look(_: TlsChannel | None, presented: Presented) -> Presented:
    await trio.lowlevel.checkpoint()
    return presented


class _LateError(AnchordError):
    """A limit of time was hit."""
