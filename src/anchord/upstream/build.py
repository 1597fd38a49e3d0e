"""From endpoints to upstreams: the one place that knows which scheme is spoken by what.

The libraries for HTTP/2 and QUIC are loaded when an upstream needs them. One that cannot be loaded
turns off the upstreams that need it and no others: their place stays theirs, so that no question
goes where it was not meant to go.
"""

import importlib
import logging
from collections.abc import Sequence
from functools import cache
from types import ModuleType

import msgspec
import trio
from msgspec.structs import replace

from anchord.model.errors import AnchordError
from anchord.net.identity import Identity
from anchord.net.tls import ClientContexts, TlsClient

from .addresses import AddressBook, Dialer
from .base import Counters, Kind, Upstream, UpstreamError
from .carrier import Carrier
from .framed import FramedCarrier
from .shared import SharedUpstream, Way
from .url import Endpoint

logger = logging.getLogger(__name__)

ALPN_DOT = "dot"
"""DNS over TLS (RFC 7858 and the IANA registry).

It is offered, and a server that chooses something else is refused. A server that ignores the
extension is taken: the RFC does not ask for it, and Unbound before 1.20 and others do not have it.
"""


def build_upstreams(
    endpoints: Sequence[Endpoint],
    nursery: trio.Nursery,
    *,
    allow_plaintext: bool = False,
    early_data: bool = False,
    is_simple: bool = False,
    book: AddressBook | None = None,
) -> list[Upstream]:
    """An upstream for each endpoint; nothing is connected yet, tasks will run in the nursery.

    `book` knows where their hosts are; without it the system is asked. `early_data` lets queries go
    in the first flight of a resumed QUIC connection. `is_simple` leaves out of queries over UDP
    what protects them against forgers, for servers from before that. Raises AnchordError for what
    is not allowed, or has a CA file that cannot be used.
    """
    shared = _Shared(nursery, ClientContexts(), book or AddressBook(), early_data, is_simple)
    return [_build(endpoint, shared, allow_plaintext) for endpoint in endpoints]


class _Shared(msgspec.Struct, frozen=True):
    """What the upstreams have in common."""

    nursery: trio.Nursery
    contexts: ClientContexts
    book: AddressBook
    early_data: bool
    is_simple: bool


def _build(endpoint: Endpoint, shared: _Shared, allow_plaintext: bool) -> Upstream:
    url = str(endpoint)
    if endpoint.is_encrypted:
        try:
            way = _encrypted(endpoint, shared)
        except _MissingLibraryError as error:
            return Unusable(url, error.problem)
        return SharedUpstream(url, way, shared.nursery, is_encrypted=True)
    if not allow_plaintext:
        raise AnchordError(
            f"{endpoint.scheme}:// is plaintext, which anybody on the way can read",
            where=url,
            remedy="use tls://, or set forward.allow_plaintext = true",
        )
    over_tcp = SharedUpstream(
        str(replace(endpoint, scheme="tcp")),
        _tcp(endpoint, shared.book),
        shared.nursery,
        is_encrypted=False,
    )
    if endpoint.scheme == "tcp":
        return over_tcp
    from .datagram import DatagramUpstream  # likewise loaded when it is needed

    return DatagramUpstream(endpoint, over_tcp, shared.book, is_simple=shared.is_simple)


def _tcp(endpoint: Endpoint, book: AddressBook) -> Way:
    dial = Dialer(endpoint, book)

    async def open_tcp() -> Carrier:
        return FramedCarrier(await dial())

    return Way(open_tcp, forget=dial.forget)


def _encrypted(endpoint: Endpoint, shared: _Shared) -> Way:
    """The way to an endpoint whose server must prove who it is."""
    identity = Identity(
        endpoint.host.partition("%")[0],  # a link's zone is this machine's own business
        endpoint.ca_file,
        frozenset(endpoint.pins),
        frozenset(endpoint.chain_hashes),
    )
    contexts, book = shared.contexts, shared.book
    way: Way
    if endpoint.scheme == "https":
        way = _load("over_https", "h2").way_to(endpoint, identity, contexts, book)
        return way
    if endpoint.scheme in {"quic", "h3"}:
        over_quic = _load("over_quic", "aioquic")
        way = over_quic.way_to(endpoint, identity, contexts, book, early_data=shared.early_data)
        return way
    client = TlsClient(identity, alpn=ALPN_DOT, requires_alpn=False, contexts=contexts)
    dial = Dialer(endpoint, book)

    async def open_tls() -> Carrier:
        return FramedCarrier(await client.open(dial))

    return Way.to(open_tls, client, dial)


# ------------ Libraries that are loaded when they are needed ------------


class _MissingLibraryError(AnchordError):
    """A library that an upstream needs cannot be loaded."""


_SCHEMES = {"h2": "https://", "aioquic": "all of quic:// and h3://"}


def _load(module: str, library: str) -> ModuleType:
    found = _loaded(module, library)
    if isinstance(found, str):
        raise _MissingLibraryError(found)
    return found


@cache
def _loaded(module: str, library: str) -> ModuleType | str:
    """The module, or why it cannot be had; that is logged once."""
    try:
        return importlib.import_module(f".{module}", __package__)
    except (ImportError, OSError, AttributeError, TypeError) as error:
        reason = " ".join(str(error).split())
        problem = f"{library} cannot be loaded ({reason}), so that {_SCHEMES[library]} is off"
        logger.warning("%s; install it again, or use tls://", problem)
        return problem


class Unusable:
    """An upstream that this machine cannot speak to: every query fails at once and says why."""

    is_encrypted = True

    def __init__(self, url: str, problem: str) -> None:
        self.counters = Counters()
        self._url = url
        self._problem = problem

    def __str__(self) -> str:
        return self._url

    async def exchange(self, query: bytes) -> bytes:
        """As `Upstream`."""
        del query
        await trio.lowlevel.checkpoint()
        self.counters.queries += 1
        raise UpstreamError(self._url, Kind.NETWORK, self._problem)

    def forget_network(self) -> None:
        """As `Upstream`."""

    async def aclose(self) -> None:
        """As `Upstream`."""
