"""Servers of every encrypted transport that behave as a test says, query by query.

A conduct is a function of what was asked. It may answer in whole or in pieces, late, twice or
never, or end the connection in various ways; each query has a task of its own. So one table of
faults serves all transports. What only HTTP has (status codes, farewells) is for the HTTP servers.
"""

from .asking import Asked, Conduct, Server, answer, first, hang_up, ignore
from .quic import H3ConnectionOfServer, H3Server, QuicConnectionOfServer, QuicServer
from .tls import DotServer, H2Server, H2ServerConnection

SERVERS: dict[str, type[Server]] = {
    "tls": DotServer,
    "https": H2Server,
    "quic": QuicServer,
    "h3": H3Server,
}

__all__ = [
    "SERVERS",
    "Asked",
    "Conduct",
    "DotServer",
    "H2Server",
    "H2ServerConnection",
    "H3ConnectionOfServer",
    "H3Server",
    "QuicConnectionOfServer",
    "QuicServer",
    "Server",
    "answer",
    "first",
    "hang_up",
    "ignore",
]
