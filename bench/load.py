"""Load: as many queries as a server answers, or so many a second; and single questions.

The closed loop has to cost less than what it measures. Its queries lie ready, with headers through
which `sendmmsg` walks round and round; replies are counted by batches, where `recvmmsg` has put
them. No Python runs for a single datagram.
"""

import ctypes
import itertools
import mmap
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from anchord.model.question import Question
from anchord.model.rcodes import SERVFAIL
from anchord.server.batch import Header, Message, Vector

Address = tuple[str, int]

ROOM = 2048
"""Octets for a reply."""

PATIENCE = 0.5
"""Seconds without any reply after which all that is outstanding counts as lost."""

RETRY = 2.0
"""Seconds after which a single question is asked again, as stubs do."""

ATTEMPTS = 4
"""How often it is asked."""

_WAIT_FOR_ONE = 0x10000  # MSG_WAITFORONE
_SO_TIMESTAMPNS = 35
_NOTES = socket.CMSG_SPACE(16)  # a struct timespec
_EDNS = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"
_EDNS_DO = b"\0\0\x29\x04\xd0\0\0\x80\0\0\0"


def query(question: Question, *, wants_proof: bool = False) -> bytes:
    """A stub's query with RD, AD and EDNS, with id 0; with DO where it wants the signatures."""
    head = b"\0\0\x01\x20\0\1\0\0\0\0\0\1"
    asked = question.name + question.rdtype.to_bytes(2) + b"\0\1"
    return head + asked + (_EDNS_DO if wants_proof else _EDNS)


# ------------ As many as a server answers ------------


@dataclass(slots=True)
class Count:
    """What a closed loop saw: replies, those of them that failed, and queries that were lost."""

    replies: int = 0
    failed: int = 0
    lost: int = 0
    seconds: float = 0.0


class Blast:
    """Keeps `outstanding` queries on their way, of these, one after the other."""

    def __init__(self, address: Address, queries: Sequence[bytes], outstanding: int) -> None:
        self._socket = _connected(address)
        self._socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, int(PATIENCE * 1e6))
        )
        self._outstanding = outstanding
        self._queries = [number.to_bytes(2) + each[2:] for number, each in enumerate(queries)]
        self._replies = mmap.mmap(-1, outstanding * ROOM)
        self._flags = memoryview(self._replies)[3::ROOM]
        replies_at = ctypes.addressof(ctypes.c_char.from_buffer(self._replies))
        self._vectors = (Vector * (len(queries) + outstanding))(
            *(Vector(_address_of(each), len(each)) for each in self._queries),
            *(Vector(replies_at + slot * ROOM, ROOM) for slot in range(outstanding)),
        )
        self._headers = (Header * len(self._vectors))()
        for header, vector in zip(self._headers, self._vectors, strict=True):
            header.message = Message(None, 0, ctypes.addressof(vector), 1)
        library = ctypes.CDLL(None, use_errno=True)
        self._receive, self._send = library.recvmmsg, library.sendmmsg

    def run(self, seconds: float) -> Count:
        """Asks for so long, and closes the socket; what is still on its way does not count."""
        count = Count()
        with self._socket:
            begin = now = time.perf_counter()
            position = self._fire(0, self._outstanding)
            while now < begin + seconds:
                position = self._fire(position, self._take(count))
                now = time.perf_counter()
            count.seconds = now - begin
        return count

    def _take(self, count: Count) -> int:
        """Receives what there is, one reply at least; returns how many new queries are due."""
        received: int = self._receive(
            self._socket.fileno(),
            self._header_at(len(self._queries)),
            self._outstanding,
            _WAIT_FOR_ONE,
            None,
        )
        if received < 0:
            count.lost += self._outstanding
            return self._outstanding
        count.replies += received
        flags = self._flags[:received].tobytes()
        if flags.count(flags[0]) != received or flags[0] & 0xF:
            count.failed += sum(1 for flag in flags if flag & 0xF)
        return received

    def _fire(self, position: int, count: int) -> int:
        """Sends as many queries from there on; returns where the next ones are."""
        while count:
            run = min(count, len(self._queries) - position)
            sent = max(0, self._send(self._socket.fileno(), self._header_at(position), run, 0))
            position = (position + sent) % len(self._queries)
            count -= sent
        return position

    def _header_at(self, place: int) -> ctypes.c_void_p:
        return ctypes.c_void_p(ctypes.addressof(self._headers) + place * ctypes.sizeof(Header))


def _address_of(octets: bytes) -> int | None:
    return ctypes.cast(ctypes.c_char_p(octets), ctypes.c_void_p).value


# ------------ So many a second ------------


def paced(
    address: Address, queries: Sequence[bytes], rate: float, seconds: float
) -> tuple[list[float], int]:
    """Asks at a fixed rate, whatever comes back; the time of each reply in seconds, and losses.

    A reply of SERVFAIL is a loss, too: nobody has an answer by it.
    The kernel notes when a reply comes in. So whoever reads it need not be there in time, and that
    waking it is no part of what is measured.
    """
    sent_at: dict[int, int] = {}
    times: list[float] = []
    with _connected(address) as sock:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        due = time.monotonic()
        end = due + seconds
        for number in itertools.count():
            time.sleep(max(0.0, due - time.monotonic()))
            if due >= end:
                break
            due += 1 / rate
            identifier = number & 0xFFFF
            query = identifier.to_bytes(2) + queries[number % len(queries)][2:]
            sent_at[identifier] = time.time_ns()
            sock.send(query)
            times += _collect(sock, sent_at)
        time.sleep(PATIENCE)
        times += _collect(sock, sent_at)
    return times, len(sent_at)


def _collect(sock: socket.socket, sent_at: dict[int, int]) -> Iterator[float]:
    """How long each took of the replies that are there."""
    while True:
        try:
            reply, notes, _, _ = sock.recvmsg(ROOM, _NOTES)
        except BlockingIOError:
            return
        if reply[3] & 0xF == SERVFAIL:
            continue
        asked = sent_at.pop(int.from_bytes(reply[:2]), None)
        if asked is not None:
            seconds, nanoseconds = struct.unpack("ll", notes[0][2])
            yield (seconds * 1_000_000_000 + nanoseconds - asked) / 1e9


# ------------ Single questions ------------


class Failed(Exception):  # noqa: N818 - it is told by its message
    """A question that must be answered was not, or not well."""


def ask(
    address: Address, queries: Sequence[bytes], *, at_once: int = 1, may_fail: bool = False
) -> list[float]:
    """Asks all of these, so many at a time; how long each took, in seconds, in no order.

    Raises Failed where one gets no answer, or another code than NOERROR unless it may.
    """
    waiting = dict(reversed(list(enumerate(queries))))
    times: list[float] = []
    first_sent: dict[int, float] = {}
    last_sent: dict[int, float] = {}
    attempts: dict[int, int] = {}
    with _connected(address) as sock:
        while waiting or first_sent:
            while waiting and len(first_sent) < at_once:
                number, each = waiting.popitem()
                sock.send(number.to_bytes(2) + each[2:])
                first_sent[number] = last_sent[number] = time.perf_counter()
                attempts[number] = 1
            sock.settimeout(RETRY / 4)
            try:
                reply = sock.recv(65535)
            except TimeoutError:
                _retry(sock, queries, last_sent, attempts)
                continue
            now = time.perf_counter()
            number = int.from_bytes(reply[:2])
            if number not in first_sent:
                continue
            if reply[3] & 0xF and not may_fail:
                raise Failed(f"{queries[number]!r} from {address}: code {reply[3] & 0xF}")
            times.append(now - first_sent.pop(number))
            del last_sent[number]
    return times


def _retry(
    sock: socket.socket,
    queries: Sequence[bytes],
    last_sent: dict[int, float],
    attempts: dict[int, int],
) -> None:
    now = time.perf_counter()
    for number, sent in last_sent.items():
        if sent < now - RETRY:
            attempts[number] += 1
            if attempts[number] > ATTEMPTS:
                raise Failed(f"{queries[number]!r}: no answer")
            sock.send(number.to_bytes(2) + queries[number][2:])
            last_sent[number] = now


def _connected(address: Address) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.connect(address)
    return sock
