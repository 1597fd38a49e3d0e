"""Datagrams by the batch: Linux's `recvmmsg` and `sendmmsg`, which the `socket` module lacks.

Most of what a known answer costs is its two system calls. Under load one call takes what waits, up
to `SIZE` queries, each known reply is pointed at where it lies, and one call sends them all. For
each datagram Python cuts out its bytes, looks them up in one dictionary, and writes 16 octets.

This room knows no DNS. It may not: read anything of a message but its bytes, decide whether a reply
may be given (what is in the dictionary may be), wait, log, or keep anything from one batch to the
next. What it does not find is handed back with its address, for the ordinary way.

The kernel reads and writes memory that is named by address only. So the buffers are made once, at
addresses that stay, and live as long as the batch; and a reply must not leave the dictionary
between the look-up and the call that sends it: nothing else runs in between.

`open_batch` tries all that on the machine it runs on, and says so where it does not work as it
should; then the portable loop in `udp` does the same work, one datagram at a time.
"""

import ctypes
import errno
import logging
import mmap
import os
import socket
import struct
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

logger = logging.getLogger(__name__)

SIZE = 64
"""Datagrams of one batch: with more, each costs no less any more."""

Address = Any
"""A socket address as the `socket` module has it: two parts for IPv4, four for IPv6."""


class Ready(NamedTuple):
    """A reply that is sent as it is: `octets` follow the client's id.

    `kind` is what it counts as. `vector` is the address and the length of `octets`, as the kernel
    takes them.
    """

    octets: bytes
    kind: int
    vector: bytes


def ready(octets: bytes, kind: int) -> Ready:
    """Makes a reply ready to be pointed at; it must be kept as long as it may be."""
    return Ready(octets, kind, _VECTOR.pack(_address_of(octets), len(octets)))


class Taken(NamedTuple):
    """What became of a batch.

    `total` datagrams came. `unknown` are those without a known reply, and where they came from.
    `unsent` replies the system would not take.
    """

    total: int
    unknown: Sequence[tuple[bytes, Address]]
    unsent: int


NOTHING = Taken(0, (), 0)


class Batch:
    """Takes and answers the datagrams of one non-blocking UDP socket, which outlives it.

    `longest` is the number of octets of a datagram that are taken; what is longer is cut.
    """

    def __init__(self, sock: socket.socket, calls: "Calls", *, longest: int) -> None:
        name_length, size = NAME_LENGTHS[sock.family], _VECTOR.size
        self._descriptor = sock.fileno()
        self._family = sock.family
        self._calls = calls
        self._longest = longest
        self._name_length = name_length
        self._buffers = mmap.mmap(-1, SIZE * longest)
        self._names = mmap.mmap(-1, SIZE * name_length)
        self._vectors = mmap.mmap(-1, SIZE * 2 * size)
        self._received = (Header * SIZE)()
        self._replies = (Header * SIZE)()
        self._received_at = ctypes.addressof(self._received)
        self._replies_at = ctypes.addressof(self._replies)
        self._into = (Vector * SIZE)()
        self._point()
        words = memoryview(self._received).cast("B").cast("I")
        self._lengths = words[Header.length.offset // 4 :: ctypes.sizeof(Header) // 4]
        self._slots = [
            (slot, slot * longest + 2, slice((2 * slot + 1) * size, (2 * slot + 2) * size))
            for slot in range(SIZE)
        ]

    def _point(self) -> None:
        """Points the headers at their buffers: all but what a reply is, once and for all.

        A reply has two parts: the id where it was received, and what is ready.
        """
        buffers, names = _place_of(self._buffers), _place_of(self._names)
        vectors = _place_of(self._vectors)
        parts = (Vector * (2 * SIZE)).from_buffer(self._vectors)
        for slot in range(SIZE):
            buffer = buffers + slot * self._longest
            name = names + slot * self._name_length
            self._into[slot] = Vector(buffer, self._longest)
            into = ctypes.addressof(self._into) + slot * ctypes.sizeof(Vector)
            self._received[slot].message = Message(name, self._name_length, into, 1)
            parts[2 * slot] = Vector(buffer, 2)
            both = vectors + 2 * slot * ctypes.sizeof(Vector)
            self._replies[slot].message = Message(name, self._name_length, both, 2)

    def exchange(self, known: Mapping[bytes, Ready], counts: list[int]) -> Taken:
        """Takes what has come, `SIZE` at most, and sends the replies that are known.

        `known` is asked for the bytes after the id; `counts[kind]` counts the replies. Raises
        OSError where the system has an error to tell that concerns no datagram here.
        """
        count = self._calls.receive(self._descriptor, self._received_at, SIZE)
        if count < 0:
            if ctypes.get_errno() in _EMPTY:
                return NOTHING
            raise _error()
        buffers, vectors, find = self._buffers, self._vectors, known.get
        unknown = []
        lengths = self._lengths[:count].tolist()
        for (slot, key_at, reply_at), length in zip(self._slots, lengths, strict=False):
            found = find(buffers[key_at : key_at + length - 2])
            if found is None:
                unknown.append(slot)
            else:
                _, kind, vector = found
                vectors[reply_at] = vector
                counts[kind] += 1
        if not unknown:
            return Taken(count, (), self._send(0, count))
        unsent, start = 0, 0
        for slot in (*unknown, count):
            unsent += self._send(start, slot)
            start = slot + 1
        return Taken(count, [self._datagram(slot, lengths[slot]) for slot in unknown], unsent)

    def _send(self, start: int, stop: int) -> int:
        """Sends the replies of these slots; returns how many the system would not take.

        It takes fewer than it is given when one fails or does not fit; whoever is first is told
        the error by the next call, and is left out.
        """
        unsent = 0
        while start < stop:
            at = self._replies_at + start * ctypes.sizeof(Header)
            sent = self._calls.send(self._descriptor, at, stop - start)
            if sent > 0:
                start += sent
            else:
                start += 1
                unsent += 1
        return unsent

    def _datagram(self, slot: int, length: int) -> tuple[bytes, Address]:
        start = slot * self._longest
        name = self._names[slot * self._name_length : (slot + 1) * self._name_length]
        return self._buffers[start : start + length], _read_address(name, self._family)


# ------------ The system's structures and calls ------------


class Vector(ctypes.Structure):
    """`struct iovec`: where octets are, and how many."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class Message(ctypes.Structure):
    """`struct msghdr`: a peer's address, and the parts of a datagram."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("parts", ctypes.c_void_p),
        ("part_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class Header(ctypes.Structure):
    """`struct mmsghdr`: a message, and how many octets of it were received or sent."""

    _fields_ = (("message", Message), ("length", ctypes.c_uint32))


_VECTOR = struct.Struct("PN")

NAME_LENGTHS = {socket.AF_INET: 16, socket.AF_INET6: 28}
"""Octets of `struct sockaddr_in` and `struct sockaddr_in6`."""


class Calls:
    """The two system calls, never waiting. Raises OSError or AttributeError where they are not."""

    def __init__(self) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        self._receive = library.recvmmsg
        self._send = library.sendmmsg
        self._receive.argtypes = [
            ctypes.c_int,
            ctypes.c_void_p,
            ctypes.c_uint,
            ctypes.c_int,
            ctypes.c_void_p,
        ]
        self._send.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int]

    def receive(self, descriptor: int, headers: int, count: int) -> int:
        """How many datagrams were received into `headers`; -1 for an error, told by errno."""
        received: int = self._receive(descriptor, headers, count, socket.MSG_DONTWAIT, None)
        return received

    def send(self, descriptor: int, headers: int, count: int) -> int:
        """How many of `headers` were sent, the first ones; -1 where not even one was."""
        sent: int = self._send(descriptor, headers, count, socket.MSG_DONTWAIT)
        return sent


_EMPTY = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR)


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def _address_of(octets: bytes) -> int:
    return ctypes.cast(ctypes.c_char_p(octets), ctypes.c_void_p).value or 0


def _place_of(memory: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def _read_address(name: bytes, family: int) -> Address:
    """A socket address out of the kernel's form of it (RFC 3493 section 3.3, ip(7))."""
    port = int.from_bytes(name[2:4])
    if family == socket.AF_INET:
        return socket.inet_ntop(family, name[4:8]), port
    flow, scope = int.from_bytes(name[4:8]), int.from_bytes(name[24:28], sys.byteorder)
    return socket.inet_ntop(family, name[8:24]), port, flow, scope


# ------------ Whether it works here ------------


def open_batch(sock: socket.socket, *, longest: int) -> Batch | None:
    """A batch for the socket, where this system has what it takes; None elsewhere."""
    try:
        calls = Calls()
        _try_out(calls, sock.family)
        return Batch(sock, calls, longest=longest)
    except (OSError, AttributeError, NotImplementedError, ValueError) as error:
        logger.debug("datagrams are taken one by one: %s", error)
        return None


def _try_out(calls: Calls, family: int) -> None:
    """A known and an unknown query through a batch of its own. Raises OSError where they get lost.

    That shows the layout of every structure to be right: nothing else is known of it here.
    """
    loopback = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    with (
        socket.socket(family, socket.SOCK_DGRAM) as server,
        socket.socket(family, socket.SOCK_DGRAM) as client,
    ):
        server.bind((loopback, 0))
        server.setblocking(False)
        client.bind((loopback, 0))
        client.connect(server.getsockname())
        client.setblocking(False)
        batch = Batch(server, calls, longest=32)
        counts = [0, 0]
        for query in (b"1?", b"1?known", b"2?unknown", b"3?known"):
            client.send(query)
        taken = batch.exchange({b"known": ready(b"!reply", 1)}, counts)
        heard = [client.recv(32), client.recv(32)]
        if (
            taken.total != 4
            or taken.unsent
            or counts != [0, 2]
            or taken.unknown
            != [(b"1?", client.getsockname()), (b"2?unknown", client.getsockname())]
            or heard != [b"1?!reply", b"3?!reply"]
        ):
            raise OSError("recvmmsg or sendmmsg does not do what it should")
