"""HTTP/2 and HTTP/3 connections and whatever octets a server may send: answers, or a PeerError.

What honest servers and faulty ones do is tried over real connections in the tests of upstreams.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import h2.config
import h2.connection
import pytest
from aioquic.h3.connection import FrameType, encode_frame
from hypothesis import given
from hypothesis import strategies as st

from anchord.net.ended import PeerError
from anchord.net.http import LONGEST_BODY, LONGEST_HEAD, Answer, Failure, Incoming
from anchord.net.http2 import Http2Connection, _Gate
from anchord.net.http3 import Http3Connection, _Frames, _varint
from anchord.net.quic_events import Aside, Cut, Event, Piece

HEADERS = (
    (b":method", b"POST"), (b":scheme", b"https"), (b":authority", b"dns.example"),
    (b":path", b"/dns-query"),
)  # fmt: skip
FIELDS = [(b":status", b"200"), (b"content-type", b"application/dns-message")]


class Pieces:
    """A channel that receives what a test says."""

    address = "192.0.2.1"
    is_resumed = False

    def __init__(self, pieces: Sequence[bytes] = ()) -> None:
        self.pieces = list(pieces)
        self.sent = b""

    async def receive(self) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""

    async def send_all(self, data: bytes) -> None:
        self.sent += data


def run(steps: Any) -> Any:
    """Runs a coroutine that never has to wait."""
    try:
        steps.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits")


@contextmanager
def breach_at_most() -> Iterator[None]:
    """Lets a breach of the protocol pass, told in one line, and nothing else."""
    told = None
    try:
        yield
    except PeerError as error:
        told = error
    assert told is None or (told.is_breach and "\n" not in str(told))


def http2_answer(body: bytes) -> bytes:
    """What a server says to a first request."""
    server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    server.initiate_connection()
    client = Http2Connection(Pieces())  # type: ignore[arg-type]
    client.request(HEADERS, b"query")
    server.receive_data(client._h2.data_to_send())
    server.send_headers(1, FIELDS)
    server.send_data(1, body, end_stream=True)
    return server.data_to_send()


ANSWER = http2_answer(b"reply" * 20)


def received(octets: bytes, sizes: Sequence[int]) -> list[Answer | Failure]:
    """What a connection with one request makes of octets that come in such pieces."""
    pieces, rest = [], octets
    for size in sizes:
        pieces.append(rest[:size])
        rest = rest[size:]
    channel = Pieces([piece for piece in [*pieces, rest] if piece])
    connection = Http2Connection(channel)  # type: ignore[arg-type]
    connection.request(HEADERS, b"query")
    found: list[Answer | Failure] = []
    while (came := run(connection.receive())) is not None:
        found += came
        run(connection.send())
    return found


@given(st.lists(st.integers(1, 30), max_size=60))
def test_an_answer_of_http_2_is_the_same_in_whatever_pieces_it_comes(sizes: list[int]) -> None:
    assert received(ANSWER, sizes) == [Answer(1, 200, b"application/dns-message", b"reply" * 20)]


@given(st.data())
def test_a_spoilt_answer_of_http_2_is_one_or_a_breach_and_never_a_surprise(
    data: st.DataObject,
) -> None:
    octets = bytearray(ANSWER)
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    with breach_at_most():
        received(bytes(octets), [])


@given(st.binary(max_size=400))
def test_any_octets_over_http_2_are_answers_or_a_breach(octets: bytes) -> None:
    with breach_at_most():
        received(octets, [])


@given(st.lists(st.integers(1, 12), max_size=30))
def test_farewells_are_kept_back_whole_in_whatever_pieces_they_come(sizes: list[int]) -> None:
    ping = b"\0\0\x08\x06\0\0\0\0\0" + bytes(8)
    goaway = b"\0\0\x0b\x07\0\0\0\0\0\0\0\0\x05\0\0\0\x0bbye"
    octets = ping + goaway + ping
    gate = _Gate()
    passed, goaways, frames, position = b"", [], 0, 0
    for size in [*sizes, len(octets)]:
        one, some, count = gate.feed(octets[position : position + size])
        position += size
        passed += one
        goaways += some
        frames += count
    assert (passed, goaways, frames) == (ping + ping, [(5, 11)], 3)


# ------------ HTTP/3 ------------


class Happenings:
    """A QUIC channel on which happens what a test says."""

    is_resumed = False
    is_exhausted = False

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.cancelled: list[int] = []
        self.asked = 0

    def tell(self, data: bytes) -> None:
        pass

    def ask(self, _: bytes) -> int:
        self.asked += 1
        return self.asked

    def cancel(self, number: int, _: int) -> None:
        self.cancelled.append(number)

    def withdraw(self, *_: int) -> list[int]:
        return list(range(1, self.asked + 1))

    async def receive(self) -> list[Event]:
        events, self.events = self.events, []
        return events


def http3_answer(body: bytes) -> bytes:
    """What a server says to a request, with QPACK's static table only."""
    from pylsqpack import Encoder

    _, compressed = Encoder().encode(0, FIELDS)
    return encode_frame(FrameType.HEADERS, compressed) + encode_frame(FrameType.DATA, body)


def happened(*events: Event) -> list[Answer | Failure]:
    channel = Happenings()
    connection = Http3Connection(channel)  # type: ignore[arg-type]
    connection.request(HEADERS, b"query")
    channel.events += events
    found: list[Answer | Failure] = run(connection.receive())
    return found


@given(st.lists(st.integers(1, 30), max_size=20))
def test_an_answer_of_http_3_is_the_same_in_whatever_pieces_it_comes(sizes: list[int]) -> None:
    rest = http3_answer(b"reply" * 20)
    events = []
    for size in sizes:
        events.append(Piece(1, rest[:size], ends=False))
        rest = rest[size:]
    assert happened(*events, Piece(1, rest, ends=True)) == [
        Answer(1, 200, b"application/dns-message", b"reply" * 20)
    ]


@given(
    st.lists(
        st.one_of(
            st.builds(Piece, st.just(1), st.binary(max_size=60), st.booleans()),
            st.builds(Cut, st.just(1), st.integers(0, 600), st.booleans()),
            st.builds(Aside, st.integers(0, 9), st.none() | st.binary(max_size=60), st.booleans()),
        ),
        max_size=6,
    )
)
def test_whatever_happens_over_http_3_is_an_answer_or_a_breach(events: list[Event]) -> None:
    with breach_at_most():
        happened(*events)


@given(st.data())
def test_a_spoilt_answer_of_http_3_is_one_or_a_breach(data: st.DataObject) -> None:
    octets = bytearray(http3_answer(b"reply"))
    octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    with breach_at_most():
        happened(Piece(1, bytes(octets), ends=True))


@pytest.mark.parametrize(
    ("octets", "value"),
    [(b"\x25", 37), (b"\x7b\xbd", 15293), (b"\x9d\x7f\x3e\x7d", 494878333),
     (b"\xc2\x19\x7c\x5e\xff\x14\xe8\x8c", 151288809941952652)],
)  # fmt: skip
def test_integers_are_those_of_rfc_9000_appendix_a(octets: bytes, value: int) -> None:
    assert _varint(octets, 0) == (value, len(octets))
    assert _varint(octets[:-1], 0) is None


def test_an_answers_frames_are_counted_and_its_octets_bounded() -> None:
    frames = _Frames()
    list(frames.feed(b"\x21\x00" * 256))
    assert not frames.is_flooded
    list(frames.feed(b"\x21\x00"))
    assert frames.is_flooded
    large = _Frames()
    list(large.feed(b"\x01\x9f\xff\xff\xff" + bytes(LONGEST_BODY + LONGEST_HEAD)))
    assert large.is_flooded


@pytest.mark.parametrize("status", [b"", b"20", b"2000", b"abc"])
def test_an_answer_without_a_status_is_a_breach(status: bytes) -> None:
    with pytest.raises(PeerError, match="an answer without a status"):
        Incoming(1).begin([(b":status", status)])
