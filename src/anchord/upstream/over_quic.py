"""DoQ and DoH over HTTP/3: the upstreams that need aioquic. Loaded when one is configured."""

from anchord.net.chain import ChainVerifier
from anchord.net.http3 import ALPN_H3, Http3Connection
from anchord.net.identity import Identity
from anchord.net.quic import QuicChannel
from anchord.net.quic_client import QuicClient
from anchord.net.tls import ClientContexts

from .addresses import AddressBook, Dialer
from .carrier import Carrier
from .doh import HttpCarrier, Resource
from .doq import ALPN_DOQ, DoqCarrier
from .shared import Way
from .url import Endpoint


def way_to(
    endpoint: Endpoint,
    identity: Identity,
    contexts: ClientContexts,
    book: AddressBook,
    *,
    early_data: bool,
) -> Way:
    """The way to a `quic` or `h3` endpoint.

    Raises AnchordError where the CA file cannot be used.
    """
    is_doq = endpoint.scheme == "quic"
    client = QuicClient(
        identity.name,
        ChainVerifier(identity, contexts),
        alpn=ALPN_DOQ if is_doq else ALPN_H3,
        allows_early_data=early_data,
    )
    dialer = Dialer(endpoint, book)

    async def open_channel() -> QuicChannel:
        channel = await client.open(await dialer.addresses(), endpoint.port)
        dialer.answered(channel.address)
        return channel

    if is_doq:

        async def open_doq() -> Carrier:
            return DoqCarrier(await open_channel())

        return Way.to(open_doq, client, dialer)
    resource = Resource.of(endpoint)

    async def open_h3() -> Carrier:
        return HttpCarrier(Http3Connection(await open_channel()), resource)

    return Way.to(open_h3, client, dialer)
