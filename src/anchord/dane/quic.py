"""The chain that a server presents over QUIC (draft-ietf-dnsop-svcb-dane: `_443._quic`).

aioquic's own handshake, told to judge nobody; it proves the server's key and nothing else.
"""

import ssl

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import HandshakeCompleted
from aioquic.tls import SessionTicket
from cryptography.hazmat.primitives.serialization import Encoding

from anchord.net.quic import QuicChannel
from anchord.net.quic_inside import shown_chain

PROTOCOLS = {853: "doq"}
"""What is spoken on a port (RFC 9250); HTTP/3 on all others (RFC 9114)."""


async def presented_over_quic(address: str, port: int, sni: str) -> tuple[bytes, ...]:
    """The chain in DER, the server's own certificate first.

    Raises TlsError, PeerError and OSError.
    """
    configuration = QuicConfiguration(
        alpn_protocols=[PROTOCOLS.get(port, "h3")],
        server_name=sni,
        verify_mode=ssl.CERT_NONE,
    )
    looker = _Looker()
    channel = QuicChannel(configuration, address, port, looker)
    try:
        await channel.handshake()
    finally:
        channel.close()
    return looker.chain


class _Looker:
    """Takes what a handshake has shown, whatever it is."""

    def __init__(self) -> None:
        self.chain: tuple[bytes, ...] = ()

    def prove(self, quic: QuicConnection, _: HandshakeCompleted) -> None:
        """Keeps the chain."""
        self.chain = tuple(one.public_bytes(Encoding.DER) for one in shown_chain(quic))

    def keep(self, ticket: SessionTicket, epoch: int) -> None:
        """A resumed session would come without a chain."""

    def early_data_failed(self) -> None:
        """There is none."""

    def fell_silent(self, in_flight: int) -> None:
        """A probe ends with its handshake."""
