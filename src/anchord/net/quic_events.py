"""What happens to a QUIC connection, in terms of requests, and its end in words."""

import re
from dataclasses import dataclass
from typing import TypeAlias

from aioquic.quic.events import ConnectionTerminated
from aioquic.quic.packet import QuicErrorCode
from aioquic.tls import AlertDescription

from .ended import PeerError
from .identity import TlsError


@dataclass(frozen=True, slots=True)
class Piece:
    """What came next in reply to request `number`. After the last one, `ends` is true."""

    number: int
    data: bytes
    ends: bool


@dataclass(frozen=True, slots=True)
class Cut:
    """The peer has reset the stream of request `number`, or reads no more from it.

    `is_unsent` where the request has never begun, since the peer takes no more of them.
    """

    number: int
    code: int
    is_reset: bool
    is_unsent: bool = False


@dataclass(frozen=True, slots=True)
class Aside:
    """What came on a stream that the peer has opened. `data` is None where it was reset."""

    stream_id: int
    data: bytes | None
    ends: bool

    @property
    def is_one_way(self) -> bool:
        """Whether it is for the peer to speak only (RFC 9000 section 2.1)."""
        return bool(self.stream_id & 2)


Event: TypeAlias = Piece | Cut | Aside


WRONG_PLACE = "correct the scheme or the port of the URL"


def end_in_words(event: ConnectionTerminated) -> TlsError | PeerError:
    """Why a connection has ended. The peer's own words are shortened and made harmless."""
    reason = "".join(filter(str.isprintable, event.reason_phrase))[:64]
    code = event.error_code
    if event.frame_type is None:
        return PeerError(
            f"the server ended the connection{f' ({reason})' if reason else ''}",
            code=code,
        )
    if code == QuicErrorCode.CRYPTO_ERROR + AlertDescription.no_application_protocol:
        return TlsError("the server does not offer that protocol over QUIC", remedy=WRONG_PLACE)
    if code in range(QuicErrorCode.CRYPTO_ERROR, QuicErrorCode.CRYPTO_ERROR + 0x100):
        return TlsError(f"TLS failed ({_alert(code - QuicErrorCode.CRYPTO_ERROR)})")
    if reason == "Idle timeout":
        return PeerError("the connection fell silent")
    named = _name(code)
    return PeerError(f"QUIC failed ({named}{f': {reason}' if reason else ''})")


def _alert(code: int) -> str:
    try:
        return "alert " + AlertDescription(code).name.replace("_", " ")
    except ValueError:
        return f"alert {code}"


def _name(code: int) -> str:
    try:
        return re.sub("_", " ", QuicErrorCode(code).name).lower()
    except ValueError:
        return f"error {code:#x}"
