"""The limits of the front doors: what one client, or all of them, may hold at most."""

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """Times in seconds, sizes in octets."""

    datagrams_in_flight: int = 1024
    """Queries of one UDP socket that may wait at once. Further ones are dropped: a client asks
    again after a while, whereas a SERVFAIL would be a statement about the name and be believed."""

    turn: int = 256
    """Datagrams taken before other tasks have their turn: about a millisecond of known answers."""

    longest_datagram: int = 4096
    """A query has a few hundred octets; a longer datagram is cut, and so malformed."""

    connections: int = 150
    """TCP connections of one listener (as BIND). For one more, the one idle longest must go."""

    connection_in_flight: int = 64
    """Queries of one connection that may wait at once. Further ones stay in the socket unread: a
    stream, unlike datagrams, can tell its client to slow down."""

    idle: float = 10.0
    """How long a connection with no query in flight stays open: a few seconds, says RFC 7766
    section 6.2.3. Clients that ask are told (RFC 7828). A message in pieces has as long."""

    send: float = 10.0
    """How long a client may take to fetch one reply before its connection is cut."""

    send_buffer: int = 65536
    """What the system may hold of replies that a connection's client does not fetch; left to
    itself it would grow to megabytes."""

    stop: float = 2.0
    """How long queries in flight are still given when the server stops: most need far less, and a
    machine that shuts down should not wait for us."""
