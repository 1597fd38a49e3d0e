"""What every upstream is: bytes of a query in, bytes of its reply out, or one kind of error.

Transports put their own id into a query and see that a reply belongs to it; they do not read
answers, and nothing that they return has been believed yet. Timeouts are the caller's cancel
scopes: a transport limits only how long it connects, keeps an idle connection, and trusts one
that has fallen silent. Groups of upstreams will be upstreams too.
"""

from enum import StrEnum
from typing import Protocol

import msgspec

from anchord.model.ede import Ede, EdeCode
from anchord.model.errors import AnchordError
from anchord.net.certificate import describe

from .pool import IdleTime, RoundTrip


class Upstream(Protocol):
    """A resolver to forward to. `str()` is its URL, for people. `counters` are for statistics."""

    counters: "Counters"

    @property
    def is_encrypted(self) -> bool:
        """Whether nobody on the way reads along now; then queries are padded (RFC 8467)."""

    async def exchange(self, query: bytes) -> bytes:
        """The reply to a complete query with one question and the id 0, as it came.

        The reply repeats the question (its letters' case aside) and comes from the upstream; its
        id means nothing. Raises UpstreamError. May be cancelled at any time, and called by many
        tasks at once.
        """

    def forget_network(self) -> None:
        """In another network, what was measured and agreed on does not hold.

        Connections are replaced, and sessions not resumed, since by them a server would know this
        client again.
        """

    async def aclose(self) -> None:
        """Ends every connection; whoever still waits gets an UpstreamError."""


class Counters(msgspec.Struct):
    """What an upstream has done so far, and what has been measured.

    `queries` counts what callers asked, `replies` what they got. `handshakes` counts new
    connections, `resumptions` those among them that took up a TLS session, and `early_data` those
    whose first flight brought queries that the server took (0-RTT). `replays` counts queries that
    moved to a fresh connection, and `mismatches` messages that answered nothing.
    Over UDP, `cookies` counts replies with the cookie of their query (RFC 7873), and `moved_to_tcp`
    those that came over TCP, since UDP would not do.
    `refutations` counts its answers that could not be proven while another upstream's could, and
    `hedges` the queries that it got because another one was slow. `designated` is the URL
    of the encrypted way that a plaintext one has designated and that is used (RFC 9462).
    `last_error` is the last one's cause, `certificate` what the server has proven last, in DER.
    """

    queries: int = 0
    replies: int = 0
    handshakes: int = 0
    resumptions: int = 0
    early_data: int = 0
    replays: int = 0
    retransmissions: int = 0
    mismatches: int = 0
    cookies: int = 0
    moved_to_tcp: int = 0
    refutations: int = 0
    hedges: int = 0
    designated: str = ""
    last_error: str = ""
    certificate: bytes = b""
    round_trip: RoundTrip = msgspec.field(default_factory=RoundTrip)
    idle: IdleTime = msgspec.field(default_factory=IdleTime)

    @property
    def issuer(self) -> str:
        """Who has issued the server's certificate; empty where there is none."""
        seen = describe(self.certificate) if self.certificate else None
        return seen.issuer if seen else ""

    def snapshot(self) -> dict[str, int | float | str]:
        """All of it under names for people; round trips in milliseconds."""
        reused = max(self.queries - self.handshakes, 0) if self.handshakes else 0
        return {
            "queries": self.queries,
            "replies": self.replies,
            "handshakes": self.handshakes,
            "resumptions": self.resumptions,
            "early_data": self.early_data,
            "reused": reused,
            "replays": self.replays,
            "retransmissions": self.retransmissions,
            "mismatches": self.mismatches,
            "cookies": self.cookies,
            "moved_to_tcp": self.moved_to_tcp,
            "refutations": self.refutations,
            "hedges": self.hedges,
            "rtt_p50_ms": round(self.round_trip.quantile(0.5) * 1000, 1),
            "rtt_p95_ms": round(self.round_trip.quantile(0.95) * 1000, 1),
            "idle_limit_s": round(self.idle.limit, 1),
            "idle_cut_s": round(self.idle.cut or 0, 1),
            "designated": self.designated,
            "last_error": self.last_error,
            "issuer": self.issuer,
        }


class Kind(StrEnum):
    """What kept an upstream from answering."""

    TIMEOUT = "timeout"
    REFUSED = "refused"
    NETWORK = "network"
    TLS = "tls"
    CLOSED = "closed"
    MALFORMED = "malformed"
    BUSY = "busy"
    LIMITED = "limited"
    """It answers less often than it is asked, and says so."""
    STATUS = "status"
    """An HTTP server answered, and its status says that it is not with DNS."""


class UpstreamError(AnchordError):
    """An upstream gave no reply to a query.

    `kind` is for decisions, the message for people. `ede` is 24 where what came was no DNS, 31
    where the upstream limits us, else 23 (RFC 8914), and its text names the upstream.
    """

    exit_status = 3
    ede: Ede

    def __init__(self, upstream: str, kind: Kind, cause: str, remedy: str = "") -> None:
        self.kind = kind
        code = _CODES.get(kind, EdeCode.NETWORK_ERROR)
        super().__init__(
            cause, where=upstream, remedy=remedy, ede=Ede(code, f"{upstream}: {cause}")
        )


_CODES = {Kind.MALFORMED: EdeCode.INVALID_DATA, Kind.LIMITED: EdeCode.RATE_LIMITED}
