"""From the hosts of upstreams to addresses, and from addresses to connections.

Where a host is:

1. what is configured, or the host itself if it is an address;
2. what was looked up before, as long as that holds;
3. what another encrypted upstream says, whose own address is known (a guide);
4. what the system says, but not where the system would ask us;
5. what was looked up before and has expired: who is there must prove who it is, in any case.

What was looked up is kept over a restart, so that the first question after a start without a
network waits for nothing but the network.
"""

import logging
import socket
import time
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import msgspec
import trio
from msgspec.structs import replace

from anchord.model import names, rdtypes
from anchord.model.question import Question
from anchord.net.race import UnreachableError
from anchord.net.tcp import TcpChannel, connect
from anchord.wire.errors import FormError
from anchord.wire.message import read_response
from anchord.wire.query import write_query
from anchord.wire.rdata import read_addresses

from .base import Kind, Upstream, UpstreamError
from .url import Endpoint, is_address

logger = logging.getLogger(__name__)

LOOK_UP_LIMIT = 1.5
"""Seconds for a look-up: half of the time that there is for a connection."""

SHORTEST_LIFE, LONGEST_LIFE = 3600, 86400
"""Seconds for which addresses hold, whatever their TTL: resolvers move seldom, and announce it."""

LONGEST_KEPT = 30 * 86400
"""Seconds after which expired addresses are dropped: nobody has asked for them."""

MOST_ADDRESSES = 8
"""Addresses of a host that are taken: those beyond would not be tried in time."""

REMEMBERED = 600.0
"""Seconds for which the address that won a race comes first; RFC 8305 section 4 leaves it open."""


class Known(msgspec.Struct, frozen=True):
    """Addresses of a host, and until when they hold, in seconds since 1970.

    Raises ValueError for what is no address.
    """

    addresses: tuple[str, ...]
    expires: float

    def __post_init__(self) -> None:
        """As the class says."""
        for address in self.addresses:
            if not is_address(address):
                raise ValueError(f"{address} is no address")


class Shelf(Protocol):
    """Where a book is kept."""

    def read(self) -> dict[str, Known] | None:
        """What it held before, by host; None for nothing that can be used."""

    def write(self, content: dict[str, Known], /) -> None:
        """Keeps this in its place."""


Guide: TypeAlias = tuple[Endpoint, Upstream]
"""An upstream by which others are found."""


class AddressBook:
    """What is known of the addresses of upstreams, for all of them.

    `shelf` keeps it, where one is given. `may_ask_system` tells whether the system's look-ups go to
    somebody else. `wall` is the time in seconds since 1970.
    """

    def __init__(
        self,
        shelf: Shelf | None = None,
        may_ask_system: Callable[[], bool] = lambda: True,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.guides: Sequence[Guide] = ()
        self._shelf = shelf
        self._may_ask_system = may_ask_system
        self._wall = wall
        self._looking: set[str] = set()
        self._known = (shelf.read() if shelf else None) or {}

    async def addresses_of(self, endpoint: Endpoint) -> tuple[str, ...]:
        """The IP addresses of an upstream. Raises UpstreamError where none is known."""
        if endpoint.addresses:
            return endpoint.addresses
        if endpoint.host_is_address:
            return (endpoint.host,)
        known = self._known.get(endpoint.host)
        if known is not None and self._wall() < known.expires:
            return known.addresses
        try:
            found = await self._looked_up(endpoint)
        except UpstreamError as error:
            if known is None:
                raise
            logger.info("%s; the addresses of before are tried", error.one_line())
            return known.addresses
        self._keep(endpoint.host, found)
        return found.addresses

    def doubt(self, host: str) -> None:
        """Nobody could be reached where the host was: it is to be looked up anew."""
        if known := self._known.get(host):
            self._known[host] = replace(known, expires=min(known.expires, self._wall()))

    async def _looked_up(self, endpoint: Endpoint) -> Known:
        """What a guide says, or the system. Raises UpstreamError."""
        host = endpoint.host
        guides = [upstream for guide, upstream in self.guides if self._can_guide(guide, endpoint)]
        self._looking.add(host)
        try:
            for upstream in guides:
                with trio.move_on_after(LOOK_UP_LIMIT / len(guides)):
                    if found := await self._ask(upstream, host):
                        return found
            if self._may_ask_system():
                with trio.move_on_after(LOOK_UP_LIMIT):
                    return await self._ask_system(endpoint)
        finally:
            self._looking.discard(host)
        asked = ", ".join(map(str, guides))
        raise _unknown(
            endpoint, f"asked of {asked}" if asked else "there is no other upstream to ask"
        )

    def _can_guide(self, guide: Endpoint, endpoint: Endpoint) -> bool:
        """Whether an upstream can be asked where another is, without the question coming back."""
        is_found = guide.addresses or guide.host_is_address or guide.host in self._known
        return bool(guide.is_encrypted and is_found) and guide.host not in {
            endpoint.host,
            *self._looking,
        }

    async def _ask(self, upstream: Upstream, host: str) -> Known | None:
        """What an upstream says, IPv6 first (RFC 8305 section 3)."""
        found: dict[int, tuple[list[str], int]] = {}

        async def ask(rdtype: int) -> None:
            question = Question(names.lower(names.from_text(host)), rdtype)
            query = write_query(question, checking_disabled=False, padded=True)
            try:
                response = read_response(await upstream.exchange(query), question)
            except (UpstreamError, FormError) as error:
                logger.debug("%s has no addresses of %s: %s", upstream, host, error)
                return
            sets = [rrset for rrset in response.answer if rrset.rdtype == rdtype]
            found[rdtype] = (
                [address for rrset in sets for address in read_addresses(rrset.rdatas)],
                min((rrset.ttl for rrset in response.answer), default=0),
            )

        async with trio.open_nursery() as nursery:
            for rdtype in (rdtypes.AAAA, rdtypes.A):
                nursery.start_soon(ask, rdtype)
        in_order = [found[rdtype] for rdtype in (rdtypes.AAAA, rdtypes.A) if rdtype in found]
        addresses = [address for some, _ in in_order for address in some[:MOST_ADDRESSES]]
        ttl = min((ttl for some, ttl in in_order if some), default=0)
        return self._for(addresses, ttl) if addresses else None

    async def _ask_system(self, endpoint: Endpoint) -> Known:
        try:
            found = await trio.socket.getaddrinfo(
                endpoint.host, endpoint.port, type=socket.SOCK_STREAM
            )
        except OSError as error:
            raise _unknown(endpoint, error.strerror or str(error)) from error
        return self._for(list(dict.fromkeys(str(address[4][0]) for address in found)), 0)

    def _for(self, addresses: Sequence[str], ttl: float) -> Known:
        life = min(max(ttl, SHORTEST_LIFE), LONGEST_LIFE)
        return Known(tuple(addresses), self._wall() + life)

    def _keep(self, host: str, found: Known) -> None:
        oldest = self._wall() - LONGEST_KEPT
        self._known[host] = found
        self._known = {host: known for host, known in self._known.items() if known.expires > oldest}
        if self._shelf is not None:
            self._shelf.write(self._known)


def _unknown(endpoint: Endpoint, reason: str) -> UpstreamError:
    return UpstreamError(
        str(endpoint),
        Kind.NETWORK,
        f"the name {endpoint.host} cannot be looked up ({reason})",
        "give its addresses",
    )


class Dialer:
    """Knows an upstream's addresses, and which one answered last; opens TCP connections to it."""

    def __init__(self, endpoint: Endpoint, book: AddressBook) -> None:
        self._endpoint = endpoint
        self._book = book
        self._last = ""
        self._until = 0.0

    async def __call__(self) -> TcpChannel:
        """One connection. Raises UpstreamError and UnreachableError."""
        addresses = await self.addresses()
        try:
            channel = await connect(addresses, self._endpoint.port)
        except UnreachableError:
            self._book.doubt(self._endpoint.host)
            raise
        self.answered(channel.address)
        return channel

    async def addresses(self) -> list[str]:
        """The addresses, the one that won the last race first for a while. Raises UpstreamError.

        Then all run again, so that a family that was broken comes back.
        """
        addresses = list(await self._book.addresses_of(self._endpoint))
        if self._last in addresses and trio.current_time() < self._until:
            addresses.remove(self._last)
            addresses.insert(0, self._last)
        return addresses

    def forget(self) -> None:
        """All run again: this is another network."""
        self._last = ""

    def answered(self, address: str) -> None:
        """Notes that this address has just answered."""
        if address != self._last or trio.current_time() >= self._until:
            self._last = address
            self._until = trio.current_time() + REMEMBERED
