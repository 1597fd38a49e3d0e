"""DNS over TCP and TLS: messages behind their lengths, replies found by their ids (RFC 7766).

The first query of a connection asks how long the server keeps it when idle (RFC 7828).
"""

import secrets

from anchord.net.tcp import Channel
from anchord.wire.framing import Unframer, frame
from anchord.wire.message import HEADER, find_option
from anchord.wire.options import OPTION_KEEPALIVE
from anchord.wire.query import with_keepalive

from .base import Kind
from .carrier import CLOSED, EndedError, Fault
from .matching import with_id


class FramedCarrier:
    """As `Carrier`, over one channel. What is posted in one turn leaves in one piece."""

    answers_once = False
    took_early_data = False
    is_running_out = False

    def __init__(self, channel: Channel) -> None:
        self.is_resumed = channel.is_resumed
        self.is_open = True
        self.has_unsent = False
        self._channel = channel
        self._unframer = Unframer()
        self.keepalive: float | None = None
        self._has_asked = False
        self._outbox: list[bytes] = []
        self._in_use: set[int] = set()

    def post(self, query: bytes) -> int:
        """As `Carrier`. The number is the message's id."""
        identifier = secrets.randbits(16)
        while identifier in self._in_use:
            identifier = secrets.randbits(16)
        self._in_use.add(identifier)
        if not self._has_asked:
            self._has_asked = True
            query = with_keepalive(query)
        self._outbox.append(frame(with_id(query, identifier)))
        self.has_unsent = True
        return identifier

    def forget(self, number: int) -> None:
        """As `Carrier`. A late reply will be one to nobody."""
        self._in_use.discard(number)

    async def send(self) -> None:
        """As `Carrier`."""
        queries, self._outbox = self._outbox, []
        self.has_unsent = False
        await self._channel.send_each(queries)  # some servers read one message from a record

    async def receive(self) -> list[tuple[int, bytes | Fault]]:
        """As `Carrier`."""
        data = await self._channel.receive()
        if not data:
            raise EndedError(CLOSED if self._unframer.is_empty else _IN_MID_REPLY)
        messages = self._unframer.feed(data)
        if any(len(message) < HEADER for message in messages):
            raise EndedError(_NO_DNS)
        for message in messages:
            option = find_option(message, OPTION_KEEPALIVE)
            if option is not None and len(option) == 2:
                self.keepalive = int.from_bytes(option) / 10
        return [(int.from_bytes(message[:2]), message) for message in messages]

    def acknowledge(self) -> None:
        """As `Carrier`."""
        self._channel.acknowledge()

    def close(self) -> None:
        """As `Carrier`."""
        self._channel.close()


_NO_DNS = Fault(Kind.MALFORMED, "what it sends is no DNS")
_IN_MID_REPLY = Fault(Kind.CLOSED, "the connection was closed in mid-reply")
