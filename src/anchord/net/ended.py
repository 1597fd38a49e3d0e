"""How a connection with streams of its own, HTTP or QUIC, comes to an end."""

from anchord.model.errors import AnchordError


class PeerError(AnchordError):
    """The peer has ended the connection, or `is_breach`: it breaks the protocol, and we must.

    `code` is what the application on the other side gave as its reason, where it was that.
    `is_unprocessed` where nothing has been done with what was asked.
    """

    exit_status = 3

    def __init__(
        self,
        problem: str,
        *,
        code: int | None = None,
        is_breach: bool = False,
        is_unprocessed: bool = False,
    ) -> None:
        self.code = code
        self.is_breach = is_breach
        self.is_unprocessed = is_unprocessed
        super().__init__(problem)


def breach(protocol: str, what: str) -> PeerError:
    """`the server breaks HTTP/2 (what)`. What a library says about it is made harmless."""
    shown = "".join(filter(str.isprintable, what))[:100]
    return PeerError(f"the server breaks {protocol} ({shown})", is_breach=True)


def flood() -> PeerError:
    """The peer sends far more than it answers."""
    return PeerError("the server floods the connection with what answers nothing", is_breach=True)
