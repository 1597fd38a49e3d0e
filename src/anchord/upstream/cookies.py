"""DNS cookies of servers over plain UDP (RFC 7873, RFC 9018): a reply from who has seen the query.

Each server is sent a client cookie of its own, which nobody could guess, so that no two servers
know by it that they serve one client; and what it has returned as its own cookie, so that it knows
us. Nothing is kept over a restart, or in another network.

1. A reply with a cookie that is not ours, or none in its form, has not come.
2. A server that has sent its cookie will do so: a reply without one is not believed.
3. A server that knows no cookies is believed as ever.
4. BADCOOKIE brings the server's new cookie, with which it is to be asked again.
"""

import math
from collections.abc import Callable
from enum import Enum, auto

import msgspec

from anchord.model import rcodes
from anchord.wire.message import find_edns
from anchord.wire.options import OPTION_COOKIE, first_option

CLIENT_COOKIE = 8
"""Octets of a client cookie (RFC 7873 section 4)."""

SHORTEST, LONGEST = 16, 40
"""Octets of the option in a reply: the client cookie, and 8 to 32 of the server's."""

LIFETIME = 86400.0
"""Seconds after which another client cookie is drawn, so that nobody is known by it for long."""

EXPECTED = 3600.0
"""Seconds for which a server is expected to send its cookie after it last has. Its cookies are good
for as long (RFC 9018 section 4.3); one that no longer sends any is believed again then."""


class Sight(Enum):
    """What a reply's cookie says of it."""

    GOOD = auto()
    """Ours has come back, or the server has never sent one."""
    FOREIGN = auto()
    """It is not from who has seen the query."""
    MISSING = auto()
    """There is none, though the server has sent one before."""
    BAD = auto()
    """BADCOOKIE: the server wants to get the cookie that it sends with this."""


class Cookie(msgspec.Struct):
    """The cookies between us and one server. Times are seconds of the caller's clock."""

    client: bytes
    drawn_at: float
    server: bytes = b""
    seen_at: float = -math.inf

    @property
    def option(self) -> bytes:
        """The data of the option in a query."""
        return self.client + self.server

    def judge(self, reply: bytes, now: float) -> Sight:
        """What a reply of at least a header is; the server's cookie in it is kept."""
        edns = find_edns(reply)
        said = first_option(edns.options, OPTION_COOKIE) if edns else None
        is_bad = edns is not None and _rcode(reply, edns.extended_rcode) == rcodes.BADCOOKIE
        if said is None:
            return Sight.MISSING if self.server or is_bad else Sight.GOOD
        if not (SHORTEST <= len(said) <= LONGEST and said.startswith(self.client)):
            return Sight.FOREIGN
        self.server, self.seen_at = said[CLIENT_COOKIE:], now
        return Sight.BAD if is_bad else Sight.GOOD

    def is_over(self, now: float) -> bool:
        """Whether another one is to be drawn."""
        return now - self.drawn_at >= LIFETIME or bool(
            self.server and now - self.seen_at >= EXPECTED
        )


class Cookies:
    """The cookies between us and each server, by its address. `draw` draws a client cookie."""

    def __init__(self, draw: Callable[[], bytes]) -> None:
        self._draw = draw
        self._by_address: dict[str, Cookie] = {}

    def of(self, address: str, now: float) -> Cookie:
        """Those of this server; new ones where there are none, or theirs are over.

        What is over of other servers goes then, too: a name may lead to ever new addresses.
        """
        cookie = self._by_address.get(address)
        if cookie is None or cookie.is_over(now):
            kept = {known: its for known, its in self._by_address.items() if not its.is_over(now)}
            cookie = Cookie(self._draw(), now)
            self._by_address = {**kept, address: cookie}
        return cookie

    def forget(self) -> None:
        """By the old ones, servers would know this client in another network."""
        self._by_address.clear()


def _rcode(reply: bytes, extended: int) -> int:
    return extended << 4 | reply[3] & 0xF
