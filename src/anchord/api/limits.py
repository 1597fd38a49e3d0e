"""The limits of the API: what one client, or all of them, may hold at most."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds, sizes in octets."""

    head: int = 16384
    """The request line and the header fields; browsers send a few thousand octets, with cookies."""

    body: int = 65536
    """A chain of certificates in PEM has ten thousand, a DNS message at most 65,535."""

    answer: int = 1_048_576
    """What a check may tell: beyond this, certificates are left out. A usual one has ten thousand;
    a hostile domain has hundreds of addresses, with chains and records as long as can be."""

    connections: int = 64
    """Connections of one listener. For one more, the one idle longest must go."""

    idle: float = 10.0
    """How long a connection stays open without a whole request: a request in pieces has as long."""

    send: float = 10.0
    """How long a client may take to fetch one answer before its connection is cut."""

    send_buffer: int = 65536
    """What the system may hold of answers that a connection's client does not fetch."""

    linger: float = 1.0
    """How long what a refused client still sends is read, so that it gets to see the refusal."""

    lingering: int = 262_144
    """Octets of that which are read."""

    checks: int = 8
    """DANE checks at once; each may look up many names and open connections."""

    patience: float = 10.0
    """How long a check waits for its turn before its client is told to come again."""

    stop: float = 2.0
    """How long requests in flight are still given when the server stops."""
