"""Reading names out of messages, with compression undone (RFC 1035 section 4.1.4)."""

from anchord.model.names import MAX_LABEL, MAX_NAME, Name

from .errors import FormError

_POINTER = 0xC0


def read_name(message: bytes, position: int, end: int) -> tuple[Name, int]:
    """The name at `position`, and the offset after it, which is at most `end`.

    A pointer must lead strictly backwards from where the labels before it began, so that reading
    ends after at most 127 steps whatever the message. Raises FormError.
    """
    labels = []
    length = 1
    after = 0
    limit = end
    floor = position
    while True:
        if position >= limit:
            raise FormError("a name ends too early")
        octet = message[position]
        if octet == 0:
            labels.append(b"\0")
            return b"".join(labels), after or position + 1
        if octet <= MAX_LABEL:
            following = position + octet + 1
            if following > limit:
                raise FormError("a label ends too early")
            length += octet + 1
            if length > MAX_NAME:
                raise FormError("a name is longer than 255 octets")
            labels.append(message[position:following])
            position = following
            continue
        if octet < _POINTER:
            raise FormError("a label of unknown kind")
        if position + 1 >= limit:
            raise FormError("a compression pointer ends too early")
        target = (octet & 0x3F) << 8 | message[position + 1]
        if target >= floor:
            raise FormError("a compression pointer does not lead backwards")
        after = after or position + 2
        limit = floor  # what is pointed at ends before the labels that pointed
        position = floor = target
