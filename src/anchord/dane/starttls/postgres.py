"""PostgreSQL: the SSLRequest message (its protocol, section "SSL Session Encryption")."""

from .dialogue import Dialogue, Exactly, NonsenseError, Peer, RefusedError, Say

SSL_REQUEST = bytes.fromhex("0000000804d2162f")


def postgres(_: Peer) -> Dialogue:
    """PostgreSQL."""
    yield Say(SSL_REQUEST)
    match (yield Exactly(1)):
        case b"S":
            return
        case b"N":
            raise RefusedError("the server has no TLS")
        case _:
            raise NonsenseError("it does not speak PostgreSQL")
