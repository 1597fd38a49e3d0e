"""What servers of HTTP/2 and HTTP/3 have in common."""

import base64


class HttpAnswers:
    """How an HTTP connection answers; conducts may call `respond` themselves."""

    async def respond(
        self,
        stream_id: int,
        body: bytes,
        *,
        status: int = 200,
        media_type: str = "application/dns-message",
        at_a_time: int = 0,
        ends: bool = True,
        claims: int | None = None,
    ) -> None:
        raise NotImplementedError

    async def answer(self, stream_id: int, message: bytes, at_a_time: int) -> None:
        await self.respond(stream_id, message, at_a_time=at_a_time)

    async def answer_half(self, stream_id: int, message: bytes) -> None:
        await self.respond(stream_id, message[: len(message) // 2], ends=False)


def header_fields(status: int, media_type: str, claims: int | None) -> list[tuple[bytes, bytes]]:
    fields = [(b":status", b"%d" % status), (b"content-type", media_type.encode())]
    if claims is not None:
        fields.append((b"content-length", b"%d" % claims))
    return fields


def query_in(fields: dict[bytes, bytes], body: bytes) -> bytes:
    """The query of a request, whichever its method."""
    if fields[b":method"] == b"GET":
        encoded = fields[b":path"].partition(b"?dns=")[2]
        return base64.urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4))
    return body
