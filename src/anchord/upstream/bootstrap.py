"""From the host of an upstream to addresses, and from addresses to connections."""

import socket

import trio

from anchord.net.tcp import TcpChannel, connect

from .base import Kind, UpstreamError
from .url import Endpoint


async def addresses_of(endpoint: Endpoint) -> tuple[str, ...]:
    """The IP addresses of an upstream: those configured, or the host itself if it is one.

    Else the system's resolver is asked. Once anchord is that resolver the question would come
    back to it, so that the names of upstreams are going to be looked up through other encrypted
    upstreams, here and nowhere else. Raises UpstreamError.
    """
    if endpoint.addresses:
        return endpoint.addresses
    if endpoint.host_is_address:
        return (endpoint.host,)
    try:
        found = await trio.socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UpstreamError(
            str(endpoint),
            Kind.NETWORK,
            f"the name {endpoint.host} cannot be looked up ({error.strerror})",
            "give its addresses",
        ) from error
    return tuple(dict.fromkeys(str(address[4][0]) for address in found))


class Dialer:
    """Knows an upstream's addresses, and which one answered last; opens TCP connections to it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._last = ""

    async def __call__(self) -> TcpChannel:
        """One connection. Raises UpstreamError and UnreachableError."""
        channel = await connect(await self.addresses(), self._endpoint.port)
        self.answered(channel.address)
        return channel

    async def addresses(self) -> list[str]:
        """The addresses, the one that answered last first. Raises UpstreamError."""
        addresses = list(await addresses_of(self._endpoint))
        if self._last in addresses:
            addresses.remove(self._last)
            addresses.insert(0, self._last)
        return addresses

    def answered(self, address: str) -> None:
        """Notes that this address has just answered."""
        self._last = address
