"""Messages on streams, in whatever pieces they come."""

import pytest

from anchord.wire.framing import LONGEST_MESSAGE, Unframer, frame


def test_a_message_stands_behind_its_length() -> None:
    assert frame(b"message") == b"\0\x07message"


def test_a_message_that_its_length_cannot_tell_is_refused() -> None:
    assert len(frame(bytes(LONGEST_MESSAGE))) == 2 + LONGEST_MESSAGE
    with pytest.raises(ValueError, match="longer than 65,535 octets"):
        frame(bytes(LONGEST_MESSAGE + 1))


def test_messages_come_out_as_they_went_in_whatever_the_pieces() -> None:
    messages = [b"one", b"", b"x" * 300, b"two"]
    stream = b"".join(map(frame, messages))
    for size in (1, 2, 3, 7, len(stream)):
        unframer = Unframer()
        found = []
        for start in range(0, len(stream), size):
            found += unframer.feed(stream[start : start + size])
        assert found == messages
        assert unframer.is_empty


def test_a_stream_that_ends_within_a_message_is_not_empty() -> None:
    unframer = Unframer()
    assert unframer.is_empty
    assert unframer.feed(frame(b"message")[:-1]) == []
    assert not unframer.is_empty
