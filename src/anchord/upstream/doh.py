"""DNS over HTTPS (RFC 8484): each query is a request, whatever the version of HTTP below.

Queries have the id 0, so that caches on the way may share answers, and are sent by POST. A server
that takes no POST gets them by GET from then on; RFC 8484 asks servers for both. Redirects are not
followed: where queries go is for the configuration to say.
"""

import base64
from dataclasses import dataclass

from anchord.net.ended import PeerError
from anchord.net.http import Answer, Failure, Headers, HttpConnection
from anchord.net.identity import TlsError
from anchord.wire.message import HEADER

from .base import Kind
from .carrier import CLOSED, EndedError, Fault, ended
from .url import Endpoint

MEDIA_TYPE = b"application/dns-message"
"""RFC 8484 section 6."""

OK, METHOD_NOT_ALLOWED, TOO_MANY_REQUESTS, NOT_IMPLEMENTED = 200, 405, 429, 501
"""Status codes (RFC 9110 section 15, RFC 6585 section 4)."""


@dataclass(slots=True)
class Resource:
    """The resource that queries go to, and the method that its server takes.

    `authority` is host and port as in a URL. It is shared by all connections of an upstream.
    """

    authority: bytes
    path: bytes
    uses_get: bool = False

    @classmethod
    def of(cls, endpoint: Endpoint) -> "Resource":
        """The resource of an `https` or `h3` endpoint."""
        return cls(endpoint.authority.encode(), endpoint.path.encode())

    def request(self, query: bytes) -> tuple[Headers, bytes]:
        """Header fields and body of the request for a query."""
        if self.uses_get:
            path = self.path + b"?dns=" + base64.urlsafe_b64encode(query).rstrip(b"=")
            return [*self._head(b"GET", path)], b""
        content = (b"content-type", MEDIA_TYPE), (b"content-length", b"%d" % len(query))
        return [*self._head(b"POST", self.path), *content], query

    def _head(self, method: bytes, path: bytes) -> Headers:
        return (
            (b":method", method),
            (b":scheme", b"https"),
            (b":authority", self.authority),
            (b":path", path),
            (b"accept", MEDIA_TYPE),
        )


class HttpCarrier:
    """As `Carrier`, over a connection of HTTP/2 or HTTP/3."""

    answers_once = True

    def __init__(self, connection: HttpConnection, resource: Resource) -> None:
        self._connection = connection
        self._resource = resource

    @property
    def is_resumed(self) -> bool:
        """As `Carrier`."""
        return self._connection.is_resumed

    @property
    def took_early_data(self) -> bool:
        """As `Carrier`."""
        return self._connection.took_early_data

    @property
    def keepalive(self) -> float | None:
        """As `Carrier`."""
        return self._connection.keepalive

    @property
    def is_open(self) -> bool:
        """As `Carrier`."""
        return self._connection.is_open

    @property
    def is_running_out(self) -> bool:
        """As `Carrier`."""
        return self._connection.is_running_out

    @property
    def has_unsent(self) -> bool:
        """As `Carrier`."""
        return self._connection.has_unsent

    def post(self, query: bytes) -> int:
        """As `Carrier`."""
        return self._connection.request(*self._resource.request(query))

    def forget(self, number: int) -> None:
        """As `Carrier`."""
        self._connection.cancel(number)

    async def send(self) -> None:
        """As `Carrier`."""
        await self._connection.send()

    async def receive(self) -> list[tuple[int, bytes | Fault]]:
        """As `Carrier`."""
        try:
            came = await self._connection.receive()
        except (PeerError, TlsError) as error:
            raise ended(error) from error
        if came is None:
            raise EndedError(CLOSED)
        return [(one.number, self._reply(one)) for one in came]

    def acknowledge(self) -> None:
        """As `Carrier`."""
        self._connection.acknowledge()

    def close(self) -> None:
        """As `Carrier`."""
        self._connection.close()

    def _reply(self, came: Answer | Failure) -> bytes | Fault:
        if isinstance(came, Failure):
            return Fault(
                Kind.CLOSED,
                came.problem,
                is_unprocessed=came.is_unprocessed,
                is_unsent=came.is_unsent,
            )
        if came.status in {METHOD_NOT_ALLOWED, NOT_IMPLEMENTED}:
            self._resource.uses_get = True
            return Fault(
                Kind.STATUS,
                f"HTTP {came.status}: the server takes neither POST nor GET there",
                "correct the path of the URL",
                is_unprocessed=True,
            )
        if came.status != OK:
            return _status_in_words(came.status)
        return _message(came)


def _message(came: Answer) -> bytes | Fault:
    """The DNS message in an answer of status 200, whatever its own code (section 4.2.1)."""
    media_type = came.media_type.partition(b";")[0].strip().lower()
    if media_type != MEDIA_TYPE:
        shown = "".join(filter(str.isprintable, media_type.decode("latin-1")))[:40]
        return Fault(
            Kind.MALFORMED,
            f"the server answers with {shown or 'no media type'}, not with DNS",
            "correct the path of the URL",
        )
    if len(came.body) < HEADER or came.body[:2] != b"\0\0":
        return Fault(Kind.MALFORMED, "what it sends is no DNS reply")
    return came.body


def _status_in_words(status: int) -> Fault:
    if status == TOO_MANY_REQUESTS:
        return Fault(Kind.LIMITED, "HTTP 429: the server has had too many queries from here")
    if status in range(300, 400):
        return Fault(
            Kind.STATUS,
            f"HTTP {status}: the server sends us elsewhere, which is not followed",
            "write the right URL",
        )
    if status in range(400, 500):
        return Fault(
            Kind.STATUS, f"HTTP {status}: the server refuses the request", "correct the URL"
        )
    return Fault(Kind.STATUS, f"HTTP {status}: the server has failed")
