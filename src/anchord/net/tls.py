"""TLS to a server whose identity is proven, or no connection at all (RFC 8310 section 5).

The server is authenticated by its name: the certificate's chain ends in a trusted CA, and one of
its names is the one we asked for, or its IP address where we asked for an address. Or it is
authenticated by its key: where pins are given, the certificate's public key must be one of them,
and then nobody else has to vouch for it; names, dates and CA do not count, so that a self-signed
certificate will do (RFC 7858 section 4.2). Only the server's own certificate is compared, since
whoever is in between could present any other one beside it. Pins together with a CA file ask for
both. There is no setting that accepts an unproven server.

`ssl.SSLObject` over memory buffers is driven by hand: `trio.SSLStream` cannot resume a session.
"""

import contextlib
import re
import ssl
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

import trio

from anchord.model.errors import AnchordError

from .certificate import Described, describe, pin
from .tcp import TcpChannel, in_words

RECORD = 16384
"""Octets of a TLS record at most (RFC 8446 section 5.1): one read takes a whole one."""

RESUMED_FOR = 3600.0
"""Seconds after a full handshake within which sessions are resumed.

A resumed session rests on the certificate that was checked when it began; tickets renew one
another without end, so that somebody must look again.
"""

HANDSHAKE_LIMIT = 2.0
"""Seconds for a handshake: two round trips even by satellite. A server of something else may
take our greeting for the beginning of a long message, and wait for its rest."""

LOOK_LIMIT = 2.0
"""Seconds for fetching a certificate that was refused, in order to say what it is. At most half
of the time that the caller has left: a cause without details is better than no cause."""

_WRONG_PLACE = "correct the scheme or the port of the URL"

Connect: TypeAlias = Callable[[], Awaitable[TcpChannel]]


class TlsError(AnchordError):
    """No TLS connection: the peer cannot or must not be spoken to. The message is for people."""

    exit_status = 3


class TlsChannel:
    """A channel under TLS. Made by `TlsClient.open`."""

    def __init__(
        self, tcp: TcpChannel, tls: ssl.SSLObject, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO
    ) -> None:
        self.address = tcp.address
        self.is_resumed = False
        self.on_close: Callable[[ssl.SSLObject], None] | None = None
        self._tcp = tcp
        self._tls = tls
        self._incoming = incoming
        self._outgoing = outgoing
        self._has_ended = False

    async def handshake(self) -> None:
        """Raises ssl.SSLError, OSError, and TlsError where the peer hangs up."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                if not await self._fill():
                    raise TlsError(
                        "the connection was closed during the TLS handshake",
                        remedy=_WRONG_PLACE,
                    ) from None
            except ssl.SSLError:
                self._tcp.send_some(self._outgoing.read())  # the alert that says why
                raise
            else:
                break
        await self._flush()
        self.is_resumed = bool(self._tls.session_reused)

    async def receive(self) -> bytes:
        """As `Channel`."""
        while True:
            plaintext = self._decrypted()
            if plaintext or self._has_ended or not await self._fill():
                return plaintext

    async def send_all(self, data: bytes) -> None:
        """As `Channel`."""
        try:
            self._tls.write(data)  # memory takes it all
        except ssl.SSLError as error:
            raise ConnectionError(_broken(error)) from error
        await self._flush()

    def acknowledge(self) -> None:
        """As `Channel`."""
        self._tcp.acknowledge()

    def close(self) -> None:
        """As `Channel`, with the farewell that TLS asks for (RFC 8446 section 6.1)."""
        if self.on_close is not None:
            self.on_close(self._tls)
            self.on_close = None
        with contextlib.suppress(ssl.SSLError, ValueError):
            self._tls.unwrap()  # the peer's farewell is not waited for
        self._tcp.send_some(self._outgoing.read())
        self._tcp.close()

    def _decrypted(self) -> bytes:
        """What the records say that have come in completely."""
        pieces = []
        try:
            while self._incoming.pending and not self._has_ended:
                piece = self._tls.read(RECORD)
                pieces.append(piece)
                self._has_ended = not piece
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            raise ConnectionError(_broken(error)) from error
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _fill(self) -> bool:
        ciphertext = await self._tcp.receive()
        self._incoming.write(ciphertext)
        return bool(ciphertext)

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._tcp.send_all(self._outgoing.read())


class ClientContexts:
    """Makes each TLS context once and only when it is needed: the platform's store takes 50 ms."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, bool, str], ssl.SSLContext] = {}

    def get(self, *, alpn: str, checks_chain: bool, ca_file: str) -> ssl.SSLContext:
        """The context; with an empty `ca_file` the platform's store is trusted.

        Raises AnchordError where the CA file cannot be used.
        """
        key = alpn, checks_chain, ca_file
        context = self._made.get(key)
        if context is None:
            context = self._made[key] = _make_context(alpn, checks_chain, ca_file)
        return context


class TlsClient:
    """Opens TLS connections to one server, and resumes its sessions.

    `name` is the DNS name or the IP address that the server must prove to have. `alpn` is
    offered; a server that chooses another protocol is refused, one that chooses none only with
    `requires_alpn`. `pins` are `sha256/BASE64` of the server's SPKI; see the module.
    """

    def __init__(
        self,
        name: str,
        *,
        alpn: str,
        requires_alpn: bool,
        contexts: ClientContexts,
        ca_file: str = "",
        pins: Sequence[str] = (),
    ) -> None:
        self._name = name
        self._alpn = alpn
        self._requires_alpn = requires_alpn
        self._contexts = contexts
        self._ca_file = ca_file
        self._pins = frozenset(pins)
        self._checks_chain = not pins or bool(ca_file)
        self._session: ssl.SSLSession | None = None
        self._proven_at = 0.0
        if ca_file:
            self._context()  # a file that is missing is told before the first query

    async def open(self, connect: Connect) -> TlsChannel:
        """A connection whose server is the right one. Raises TlsError, OSError, UnreachableError.

        Where a certificate is refused, a second connection fetches it, to tell what it is; nothing
        is ever sent on that one.
        """
        try:
            return await self._open(connect)
        except ssl.SSLCertVerificationError as error:
            raise refusal(error, self._name, await self._look(connect)) from error
        except ssl.SSLError as error:
            raise self._in_words(error) from error

    async def _open(self, connect: Connect) -> TlsChannel:
        """As `open`. A session is used once: each connection brings the next (RFC 8446 C.4)."""
        session, self._session = self._session, None
        if trio.current_time() - self._proven_at > RESUMED_FOR:
            session = None
        channel, tls = self._wrap(await connect(), self._context(), session)
        try:
            await self._prove(channel, tls)
        except BaseException:
            channel.close()
            raise
        if not channel.is_resumed:
            self._proven_at = trio.current_time()
        channel.on_close = self._keep_session
        return channel

    def _context(self) -> ssl.SSLContext:
        return self._contexts.get(
            alpn=self._alpn, checks_chain=self._checks_chain, ca_file=self._ca_file
        )

    def _wrap(
        self, tcp: TcpChannel, context: ssl.SSLContext, session: ssl.SSLSession | None
    ) -> tuple[TlsChannel, ssl.SSLObject]:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname=self._name, session=session)
        return TlsChannel(tcp, tls, incoming, outgoing), tls

    async def _prove(self, channel: TlsChannel, tls: ssl.SSLObject) -> None:
        """The handshake, and what OpenSSL does not check: protocol and pins. Raises TlsError."""
        with trio.move_on_after(HANDSHAKE_LIMIT) as limit:
            await channel.handshake()
        if limit.cancelled_caught:
            raise TlsError(
                f"no TLS handshake within {HANDSHAKE_LIMIT:.0f} seconds", remedy=_WRONG_PLACE
            )
        chosen = tls.selected_alpn_protocol()
        if chosen != self._alpn and (chosen or self._requires_alpn):
            raise TlsError(
                f"the server speaks {chosen or 'no protocol that it names'}, not {self._alpn}",
                remedy=_WRONG_PLACE,
            )
        if self._pins:
            seen = _pin_of(tls)
            if seen not in self._pins:
                raise TlsError(
                    f"the server's key is {seen}, which is none of the pins",
                    remedy="pin it only if the operator confirms that it is theirs",
                )

    def _keep_session(self, tls: ssl.SSLObject) -> None:
        self._session = tls.session

    async def _look(self, connect: Connect) -> bytes | None:
        """The certificate that the server shows now, unproven: good for a message only."""
        context = self._contexts.get(alpn=self._alpn, checks_chain=False, ca_file="")
        left = trio.current_effective_deadline() - trio.current_time()
        with trio.move_on_after(max(0.0, min(LOOK_LIMIT, left / 2))):
            try:
                channel, tls = self._wrap(await connect(), context, None)
            except (OSError, AnchordError):
                return None
            try:
                await channel.handshake()
                return tls.getpeercert(binary_form=True)
            except (OSError, AnchordError):
                return None
            finally:
                channel.close()
        return None

    def _in_words(self, error: ssl.SSLError) -> TlsError:
        """The error of a handshake for people; certificates apart."""
        words = _words(error)
        if words in {"wrong version number", "http request", "packet length too long"}:
            return TlsError("the server does not speak TLS on that port", remedy=_WRONG_PLACE)
        if "no application protocol" in words:
            problem = f"the server does not offer the protocol {self._alpn}"
            return TlsError(problem, remedy=_WRONG_PLACE)
        if words in {"unsupported protocol", "tlsv1 alert protocol version"}:
            return TlsError(
                "the server speaks no TLS from 1.2 on", remedy="have its operator update it"
            )
        return TlsError(_broken(error))


def _pin_of(tls: ssl.SSLObject) -> str:
    """The pin of the server's certificate. Raises TlsError where there is none to be read."""
    try:
        return pin(tls.getpeercert(binary_form=True) or b"")
    except ValueError as error:
        raise TlsError(
            f"the server's key cannot be read: {error}", remedy="have its operator look at it"
        ) from error


def _words(error: ssl.SSLError) -> str:
    """OpenSSL's own, without brackets and line numbers."""
    return re.sub(r"^\[SSL[^]]*\] | \(_ssl\.c:\d+\)$", "", str(error.args[-1])).lower()


def _broken(error: ssl.SSLError) -> str:
    return f"TLS failed ({_words(error)})"


def _make_context(alpn: str, checks_chain: bool, ca_file: str) -> ssl.SSLContext:
    if not checks_chain:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        try:
            context = ssl.create_default_context(cafile=ca_file or None)
        except (OSError, ValueError) as error:
            reason = "it holds no certificate in PEM"
            if not isinstance(error, ssl.SSLError) and isinstance(error, OSError):
                reason = in_words(error)
            raise AnchordError(
                f"the CA file cannot be used: {reason}",
                where=ca_file,
                remedy="name a PEM file with the certificate of the upstream's CA",
            ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols([alpn])
    return context


# ------------ Certificates that were refused, in words ------------

_NOT_YET_VALID, _EXPIRED, _SELF_SIGNED = 9, 10, 18
_UNKNOWN_CA = frozenset({2, 19, 20, 21})
_WRONG_NAME = frozenset({62, 64})
"""OpenSSL's codes, X509_V_ERR_*."""


def refusal(error: ssl.SSLCertVerificationError, name: str, der: bytes | None) -> TlsError:
    """Why the certificate of the server that should be `name` was refused, and what to do.

    `der` is what could be seen of it. A certificate of the chain above it may be the culprit.
    """
    seen = describe(der) if der else None
    code = error.verify_code
    if code == _EXPIRED:
        return TlsError(
            _expiry(seen),
            remedy="see whether this machine's clock is right; else its operator must renew it",
        )
    if code == _NOT_YET_VALID:
        begins = f"{seen.not_before:%Y-%m-%d %H:%M} UTC" if seen else "later"
        return TlsError(
            f"the certificate is valid from {begins}",
            remedy="see whether this machine's clock is right",
        )
    if code in _WRONG_NAME:
        names = f"is for {seen.names_in_words}, not" if seen else "is not"
        return TlsError(
            f"the certificate {names} for {name}",
            remedy="correct the name in the upstream's URL, if it is not somebody in between",
        )
    if code == _SELF_SIGNED:
        return TlsError(
            "the certificate is self-signed",
            remedy="where the upstream is yours, name its key in pins, or it in ca_file",
        )
    if code in _UNKNOWN_CA:
        issuer = f"by {seen.issuer}" if seen and seen.issuer else "by a CA"
        return TlsError(
            f"the certificate was issued {issuer}, which is not trusted here",
            remedy="where the upstream is yours, name its CA in ca_file; else this machine lacks "
            "CA certificates, or somebody is in between",
        )
    return TlsError(f"the certificate is not accepted: {error.verify_message}")


def _expiry(seen: Described | None) -> str:
    if seen and seen.not_after > datetime.now(UTC):
        return "a certificate above the server's own has expired"
    since = f" on {seen.not_after:%Y-%m-%d %H:%M} UTC" if seen else ""
    return f"the certificate expired{since}"
