"""TLS to a server whose identity is proven, or no connection at all (RFC 8310 section 5).

Who the server must prove to be is an `Identity`. There is no setting that accepts an unproven
server.

`ssl.SSLObject` over memory buffers is driven by hand: `trio.SSLStream` cannot resume a session.
"""

import binascii
import contextlib
import re
import ssl
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import trio

from anchord.model.errors import AnchordError

from .identity import Identity, TlsError, refusal
from .race import in_words
from .tcp import TcpChannel

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
        await self.send_each((data,))

    async def send_each(self, pieces: Sequence[bytes]) -> None:
        """As `Channel`."""
        try:
            for piece in pieces:
                self._tls.write(piece)  # memory takes it all
        except ssl.SSLError as error:
            raise ConnectionError(_broken(error)) from error
        await self._flush()

    def acknowledge(self) -> None:
        """As `Channel`."""
        self._tcp.acknowledge()

    def close(self, last_words: bytes = b"") -> None:
        """As `Channel`, with the farewell that TLS asks for (RFC 8446 section 6.1).

        The protocol above may have last words, which get there if the socket takes them now.
        """
        if self.on_close is not None:
            self.on_close(self._tls)
            self.on_close = None
        with contextlib.suppress(ssl.SSLError, ValueError):
            if last_words:
                self._tls.write(last_words)
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
    """Makes each TLS context once and only when it is needed.

    The platform's store takes 50 ms, and one file a hundredth of a start.
    """

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

    `alpn` is offered; a server that chooses another protocol is refused, one that chooses none
    only with `requires_alpn`.
    """

    def __init__(
        self, identity: Identity, *, alpn: str, requires_alpn: bool, contexts: ClientContexts
    ) -> None:
        self._identity = identity
        self._alpn = alpn
        self._requires_alpn = requires_alpn
        self._contexts = contexts
        self._session: ssl.SSLSession | None = None
        self._proven_at = 0.0
        self._epoch = 0
        self.certificate = b""
        """What the server has shown and proven last, in DER."""
        if identity.ca_file:
            _look_into(identity.ca_file)  # what is wrong with it is told before the first query

    async def open(self, connect: Connect) -> TlsChannel:
        """A connection whose server is the right one. Raises TlsError, OSError, UnreachableError.

        And AnchordError where OpenSSL cannot use the CA file.

        Where a certificate is refused, a second connection fetches it, to tell what it is; nothing
        is ever sent on that one.
        """
        try:
            return await self._open(connect)
        except ssl.SSLCertVerificationError as error:
            seen = await self._look(connect)
            raise refusal(
                error.verify_code, error.verify_message, self._identity.name, seen
            ) from error
        except ssl.SSLError as error:
            raise self._in_words(error) from error

    async def _open(self, connect: Connect) -> TlsChannel:
        """As `open`. A session is used once: each connection brings the next (RFC 8446 C.4)."""
        session, self._session = self._session, None
        if trio.current_time() - self._proven_at > RESUMED_FOR:
            session = None
        context = self._context()
        channel, tls = self._wrap(await connect(), context, session)
        try:
            await self._prove(channel, tls)
        except BaseException:
            channel.close()
            raise
        if not channel.is_resumed:
            self._proven_at = trio.current_time()
        channel.on_close = partial(self._keep_session, self._epoch)
        return channel

    def forget(self) -> None:
        """Resumes no earlier session: by them servers know a client again (RFC 8446 C.4)."""
        self._session = None
        self._epoch += 1

    def _context(self) -> ssl.SSLContext:
        return self._contexts.get(
            alpn=self._alpn,
            checks_chain=self._identity.checks_chain,
            ca_file=self._identity.ca_file,
        )

    def _wrap(
        self, tcp: TcpChannel, context: ssl.SSLContext, session: ssl.SSLSession | None
    ) -> tuple[TlsChannel, ssl.SSLObject]:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(
            incoming, outgoing, server_hostname=self._identity.name, session=session
        )
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
        certificate = tls.getpeercert(binary_form=True) or b""
        self._identity.check_key(certificate)
        if self._identity.chain_hashes and not channel.is_resumed:  # it was checked when it began
            self._identity.check_chain(_proven_chain(tls))
        self.certificate = certificate

    def _keep_session(self, epoch: int, tls: ssl.SSLObject) -> None:
        if epoch == self._epoch:  # else it is of before the last `forget`
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


def _proven_chain(tls: Any) -> list[bytes]:
    """The certificates of a full handshake, from the server's own up to the CA's, in DER."""
    if hasattr(tls, "get_verified_chain"):  # from Python 3.13 on
        return list(tls.get_verified_chain())
    encoding_der = 2  # _ssl.ENCODING_DER
    return [one.public_bytes(encoding_der) for one in tls._sslobj.get_verified_chain()]  # noqa: SLF001 - before Python 3.13 there is no other way


def _words(error: ssl.SSLError) -> str:
    """OpenSSL's own, without brackets and line numbers."""
    return re.sub(r"^\[SSL[^]]*\] | \(_ssl\.c:\d+\)$", "", str(error.args[-1])).lower()


def _broken(error: ssl.SSLError) -> str:
    return f"TLS failed ({_words(error)})"


def _look_into(ca_file: str) -> None:
    """Raises AnchordError where there is no certificate in PEM in the file, as far as can be seen.

    OpenSSL reads it when it is needed: that takes a context.
    """
    try:
        certificates = re.findall(_CERTIFICATE, Path(ca_file).read_bytes(), re.DOTALL)
        for certificate in certificates:
            binascii.a2b_base64(certificate)
    except (OSError, ValueError) as error:
        raise _unusable(ca_file, error) from error
    if not certificates:
        raise _unusable(ca_file)


def _unusable(ca_file: str, error: Exception | None = None) -> AnchordError:
    reason = "it holds no certificate in PEM"
    if not isinstance(error, ssl.SSLError) and isinstance(error, OSError):
        reason = in_words(error)
    return AnchordError(
        f"the CA file cannot be used: {reason}",
        where=ca_file,
        remedy="name a PEM file with the certificate of the upstream's CA",
    )


_CERTIFICATE = rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----(.+?)-----END "
"""A block that OpenSSL takes for a certificate (PEM_read_bio_X509_AUX(3)), and what is in it."""


def _make_context(alpn: str, checks_chain: bool, ca_file: str) -> ssl.SSLContext:
    if not checks_chain:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        try:
            context = ssl.create_default_context(cafile=ca_file or None)
        except (OSError, ValueError) as error:
            raise _unusable(ca_file, error) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    if alpn:
        context.set_alpn_protocols([alpn])
    return context
