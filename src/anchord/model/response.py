"""What an upstream said: records and responses that nobody has believed yet."""

import msgspec
from msgspec.structs import replace

from .ede import Ede
from .names import Name
from .question import Question


class RRset(msgspec.Struct, frozen=True, array_like=True):
    """Records of one name and type, with the RRSIGs that cover them.

    `name` is the key, `owner` the spelling that was received. `ttl` and `signature_ttl` are in
    seconds, the lowest of the records (RFC 2181 section 5.2). `rdatas` and `signatures` hold RDATA
    in wire form, names in them decompressed, everything else as it came.
    """

    name: Name
    rdtype: int
    ttl: int
    rdatas: tuple[bytes, ...]
    signatures: tuple[bytes, ...] = ()
    signature_ttl: int = 0
    owner: Name = b""

    @property
    def spelling(self) -> Name:
        """The owner name as it was received."""
        return self.owner or self.name

    def older(self, seconds: int) -> "RRset":
        """The same so many seconds later; no TTL falls below 0."""
        return replace(
            self,
            ttl=max(0, self.ttl - seconds),
            signature_ttl=max(0, self.signature_ttl - seconds),
        )


class Response(msgspec.Struct, frozen=True):
    """An upstream's reply to `question`: hearsay until the engine has judged it.

    Only class IN is kept; the additional section is not. `upstream` names who said it, for people;
    `is_authenticated` tells that nobody on the way can have changed it. `edes` are its Extended DNS
    Errors. `recursion_available` is RA, which some filters clear.
    """

    question: Question
    rcode: int
    answer: tuple[RRset, ...] = ()
    authority: tuple[RRset, ...] = ()
    edes: tuple[Ede, ...] = ()
    recursion_available: bool = True
    upstream: str = ""
    is_authenticated: bool = False


class Unanswered(msgspec.Struct, frozen=True):
    """No usable response to `question` could be had: a value, so that the engine decides.

    `edes` say why, the most specific first (22, 23, 24 and what the upstreams said).
    `over_limit` is set where the client query's own share of upstream queries was used up.
    `blocked_by` is the upstream that has said that it blocks the name: no other is to be asked.
    """

    question: Question
    edes: tuple[Ede, ...]
    over_limit: bool = False
    blocked_by: str = ""
