"""DoH over HTTP/2: the upstreams that need h2. Loaded when one is configured."""

from anchord.net.http2 import ALPN_H2, Http2Connection
from anchord.net.identity import Identity
from anchord.net.tls import ClientContexts, TlsClient

from .addresses import AddressBook, Dialer
from .carrier import Carrier
from .doh import HttpCarrier, Resource
from .shared import Way
from .url import Endpoint


def way_to(
    endpoint: Endpoint, identity: Identity, contexts: ClientContexts, book: AddressBook
) -> Way:
    """The way to an `https` endpoint.

    Raises AnchordError where the CA file cannot be used.
    """
    client = TlsClient(identity, alpn=ALPN_H2, requires_alpn=True, contexts=contexts)
    dial = Dialer(endpoint, book)
    resource = Resource.of(endpoint)

    async def open_h2() -> Carrier:
        return HttpCarrier(Http2Connection(await client.open(dial)), resource)

    return Way.to(open_h2, client, dial)
