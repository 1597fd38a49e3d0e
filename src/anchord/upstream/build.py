"""From endpoints to upstreams: the one place that knows which scheme is spoken by what."""

from collections.abc import Sequence
from dataclasses import replace

import trio

from anchord.model.errors import AnchordError
from anchord.net.identity import Identity
from anchord.net.tls import ClientContexts, TlsClient

from .base import Upstream
from .bootstrap import Dialer
from .datagram import DatagramUpstream
from .framed import FramedCarrier
from .shared import SharedUpstream
from .url import Endpoint

ALPN_DOT = "dot"
"""DNS over TLS (RFC 7858 and the IANA registry).

It is offered, and a server that chooses something else is refused. A server that ignores the
extension is taken: the RFC does not ask for it, and Unbound before 1.20 and others do not have it.
"""


def build_upstreams(
    endpoints: Sequence[Endpoint], nursery: trio.Nursery, *, allow_plaintext: bool = False
) -> list[Upstream]:
    """An upstream for each endpoint; nothing is connected yet, tasks will run in the nursery.

    Raises AnchordError for what is not built, not allowed, or has a CA file that cannot be used.
    """
    contexts = ClientContexts()
    return [_build(endpoint, nursery, contexts, allow_plaintext) for endpoint in endpoints]


def _build(
    endpoint: Endpoint, nursery: trio.Nursery, contexts: ClientContexts, allow_plaintext: bool
) -> Upstream:
    url = str(endpoint)
    if not endpoint.is_encrypted and not allow_plaintext:
        raise AnchordError(
            f"{endpoint.scheme}:// is plaintext, which anybody on the way can read",
            where=url,
            remedy="use tls://, or set forward.allow_plaintext = true",
        )
    dial = Dialer(endpoint)
    if endpoint.scheme == "tls":
        identity = Identity(
            endpoint.host.partition("%")[0],  # a link's zone is this machine's own business
            endpoint.ca_file,
            frozenset(endpoint.pins),
        )
        client = TlsClient(identity, alpn=ALPN_DOT, requires_alpn=False, contexts=contexts)

        async def open_tls() -> FramedCarrier:
            return FramedCarrier(await client.open(dial))

        return SharedUpstream(url, open_tls, nursery, is_encrypted=True)

    async def open_tcp() -> FramedCarrier:
        return FramedCarrier(await dial())

    if endpoint.scheme == "tcp":
        return SharedUpstream(url, open_tcp, nursery, is_encrypted=False)
    if endpoint.scheme == "udp":
        over_tcp = SharedUpstream(
            str(replace(endpoint, scheme="tcp")), open_tcp, nursery, is_encrypted=False
        )
        return DatagramUpstream(endpoint, over_tcp)
    raise AnchordError(f"{endpoint.scheme}:// is not built yet", where=url, remedy="use tls://")
