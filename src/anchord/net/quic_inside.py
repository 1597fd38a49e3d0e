"""What is used of aioquic beyond its public interface, in one place.

Where a later aioquic has it elsewhere, that is told when this is loaded, not in a handshake.
"""

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.tls import Context
from cryptography import x509


def acknowledge_at_once(quic: QuicConnection) -> None:
    """Puts off no acknowledgement, which aioquic would do for up to 25 ms."""
    quic._ack_delay = 0.0  # noqa: SLF001 - see the module


def allowed_streams(quic: QuicConnection) -> int:
    """How many requests the peer has allowed so far in all."""
    return quic._remote_max_streams_bidi  # noqa: SLF001 - see the module


def idle_timeout(quic: QuicConnection) -> float | None:
    """Seconds after which the peer ends an idle connection, where it has said so."""
    return quic._remote_max_idle_timeout or None  # noqa: SLF001 - see the module


def is_owed(quic: QuicConnection) -> bool:
    """Whether the peer has to acknowledge something."""
    return quic._loss.bytes_in_flight > 0  # noqa: SLF001 - see the module


def probe_timeout(quic: QuicConnection) -> float:
    """Seconds within which an acknowledgement should come (RFC 9002 section 6.2)."""
    return quic._loss.get_probe_timeout()  # noqa: SLF001 - see the module


def shown_chain(quic: QuicConnection) -> list[x509.Certificate]:
    """The certificates of a full handshake, the server's own first, if it has shown any."""
    shown = quic.tls._peer_certificate  # noqa: SLF001 - see the module
    return [] if shown is None else [shown, *quic.tls._peer_certificate_chain]  # noqa: SLF001


def _look() -> None:
    """Raises ImportError where something is missing."""
    quic = QuicConnection(configuration=QuicConfiguration())
    inside = ("_ack_delay", "_remote_max_streams_bidi", "_remote_max_idle_timeout", "_loss")
    if not (
        all(hasattr(quic, name) for name in inside)
        and hasattr(quic._loss, "bytes_in_flight")  # noqa: SLF001 - see the module
        and hasattr(quic._loss, "get_probe_timeout")  # noqa: SLF001
        and hasattr(Context(is_client=True), "_peer_certificate_chain")
    ):
        raise ImportError("this aioquic is another than anchord knows")


_look()
