"""Messages on streams: each behind its length in two octets (RFC 1035 section 4.2.2). No I/O."""

LONGEST_MESSAGE = 0xFFFF


def frame(message: bytes) -> bytes:
    """The message behind its length. Raises ValueError past 65,535 octets."""
    if len(message) > LONGEST_MESSAGE:
        raise ValueError("a DNS message is longer than 65,535 octets")
    return len(message).to_bytes(2) + message


class Unframer:
    """Cuts a stream into messages, whatever the pieces it comes in."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes | bytearray) -> list[bytes]:
        """Takes what was received; returns the messages that are complete now."""
        self._buffer += data
        messages = []
        start = 0
        while len(self._buffer) - start >= 2:  # the length itself
            end = start + 2 + int.from_bytes(self._buffer[start : start + 2])
            if end > len(self._buffer):
                break
            messages.append(bytes(self._buffer[start + 2 : end]))
            start = end
        del self._buffer[:start]
        return messages

    @property
    def is_empty(self) -> bool:
        """Whether the stream stands between two messages."""
        return not self._buffer
