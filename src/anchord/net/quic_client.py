"""QUIC to a server whose identity is proven, or no connection at all (RFC 9001).

1. The server proves who it is by the rules of `identity`, judged by `chain`. Until it has, nothing
   but the handshake is sent; with early data only what the keys of an earlier, proven session
   protect.
2. A session is resumed once, and within an hour of a full handshake, as over TLS.
3. Early data (0-RTT) is a choice of the configuration, since whoever records it may send it again.
   It goes to the address that is tried first; where that does not answer at once, or the server
   declines, none is sent for an hour.
"""

import math
import ssl
from collections.abc import Sequence
from dataclasses import replace

import trio
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import HandshakeCompleted
from aioquic.tls import SessionTicket
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from .chain import ChainVerifier
from .identity import TlsError
from .quic import QuicChannel
from .quic_events import WRONG_PLACE
from .quic_inside import shown_chain
from .quic_limit import SMALL_CROWD
from .race import first_of
from .tls import RESUMED_FOR

IDLE_TIMEOUT = 30.0
"""Seconds without a word after which the peer may forget us: `pool` closes long before."""

STREAM_WINDOW = 2 * 65536
"""Octets that the peer may send ahead on one stream: more than the longest answer."""


class QuicClient:
    """Opens QUIC connections to one server, and resumes its sessions."""

    def __init__(
        self, name: str, verifier: ChainVerifier, *, alpn: str, allows_early_data: bool = False
    ) -> None:
        self._name = name
        self._verifier = verifier
        self._alpn = alpn
        self._allows_early_data = allows_early_data
        self._ticket: SessionTicket | None = None
        self._proven_at = 0.0
        self._declined_at = -RESUMED_FOR
        self._most_streams: float = math.inf
        self._epoch = 0
        self._shown: x509.Certificate | None = None
        self._latest: QuicChannel | None = None

    @property
    def certificate(self) -> bytes:
        """What the server has shown and proven last, in DER."""
        return b"" if self._shown is None else self._shown.public_bytes(Encoding.DER)

    def forget(self) -> None:
        """Resumes no earlier session: by them servers know a client again (RFC 8446 C.4)."""
        self._ticket = None
        self._declined_at = -RESUMED_FOR
        self._most_streams = math.inf
        self._latest = None
        self._epoch += 1

    async def open(self, addresses: Sequence[str], port: int) -> "QuicChannel":
        """A connection to the first of the addresses that answers, its server being the right one.

        With early data the handshake may still be under way. Raises TlsError, PeerError,
        OSError and UnreachableError.
        """
        if self._latest is not None and self._latest.is_stuck:  # the next one would be as well
            self.fell_silent(self._latest.in_flight)
        tickets = [self._take_ticket()]
        if tickets[0] is not None and tickets[0].max_early_data_size is not None:
            return self._start(addresses[0], port, tickets[0])

        async def attempt(address: str) -> QuicChannel:
            channel = self._start(address, port, tickets.pop() if tickets else None)
            try:
                await channel.handshake()
            except BaseException:
                channel.close()
                raise
            return channel

        self._latest = await first_of(addresses, port, attempt)
        return self._latest

    def _take_ticket(self) -> SessionTicket | None:
        """A session to resume. It is used once: each connection brings the next (RFC 8446 C.4)."""
        ticket, self._ticket = self._ticket, None
        now = trio.current_time()
        if ticket is None or now - self._proven_at > RESUMED_FOR:
            return None
        if not self._allows_early_data or now - self._declined_at < RESUMED_FOR:
            return replace(ticket, max_early_data_size=None)
        return ticket

    def _start(self, address: str, port: int, ticket: SessionTicket | None) -> "QuicChannel":
        configuration = QuicConfiguration(
            alpn_protocols=[self._alpn],
            idle_timeout=IDLE_TIMEOUT,
            max_stream_data=STREAM_WINDOW,
            server_name=self._name,
            session_ticket=ticket,
            verify_mode=ssl.CERT_NONE,  # the chain is judged in `_prove`, before anything is sent
        )
        return QuicChannel(
            configuration,
            address,
            port,
            self,
            most_streams=self._most_streams,
            epoch=self._epoch,
        )

    def prove(self, quic: QuicConnection, handshake: HandshakeCompleted) -> None:
        """Looks at what a handshake has shown. Raises TlsError."""
        if handshake.alpn_protocol != self._alpn:
            raise TlsError(f"the server does not speak {self._alpn}", remedy=WRONG_PLACE)
        if handshake.session_resumed:  # it rests on the certificate that was shown when it began
            return
        chain = shown_chain(quic)
        if not chain:
            raise TlsError("the server has shown no certificate")
        self._verifier.verify(chain)
        self._proven_at = trio.current_time()
        self._shown = chain[0]

    def keep(self, ticket: SessionTicket, epoch: int) -> None:
        """Takes a session of a server that has proven who it is; not one of before a `forget`."""
        if epoch == self._epoch:
            self._ticket = ticket

    def early_data_failed(self) -> None:
        """Tries none for a while."""
        self._declined_at = trio.current_time()

    def fell_silent(self, in_flight: int) -> None:
        """Sends no crowds to this server any more, if it was one."""
        if in_flight > SMALL_CROWD:
            self._most_streams = SMALL_CROWD
