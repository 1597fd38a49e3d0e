"""QUIC connections (RFC 9000): aioquic's state machine, a UDP socket, trio's clock.

aioquic does no I/O: it is handed datagrams and the time, and says what to send and when to wake
it. Whoever reads from a channel keeps it going; there is no task besides. Nothing of what a server
sent counts until whoever opened the channel has seen it prove who it is.

A socket is connected to one address. A network that changes below it makes it fail or fall silent;
then a new connection is made, which with a session costs what migrating would. Silence is known
better here than over TCP: a peer that is there acknowledges, however slow its answers are.
"""

import contextlib
import errno
import math
import socket
from typing import Protocol

import trio
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import (
    ConnectionTerminated,
    HandshakeCompleted,
    StopSendingReceived,
    StreamDataReceived,
    StreamReset,
)
from aioquic.quic.packet import QuicErrorCode, QuicFrameType
from aioquic.tls import AlertDescription, SessionTicket

from anchord.model.errors import AnchordError

from . import quic_inside
from .ended import PeerError
from .quic_events import Aside, Cut, Event, Piece, end_in_words
from .quic_limit import TOGETHER, StreamLimit
from .tcp import RECEIVE, socket_address

HANDSHAKE_LIMIT = 3.0
"""Seconds for a handshake with one address: what is lost is sent again after 0.3, 0.9 and 2.1."""

EARLY_LIMIT = 0.5
"""Seconds for a handshake under which early data goes: after that, every address is tried."""

SILENCE_LIMIT = 1.0
"""Seconds at least for which a peer may acknowledge nothing of what it has to: by then it has been
sent again three or four times."""

STUCK = 0.2
"""Seconds after which a missing acknowledgement is no accident: whoever opens another connection
meanwhile had better not send it as much at once."""

PROBES = 6
"""Times that the estimate of a round trip must also have passed: three probes, doubling."""

DATAGRAMS = 64
"""Datagrams taken from the socket before anything is sent."""

_IS_THE_SERVERS = 1
"""The bit of a stream's id (RFC 9000 section 2.1)."""


class Opener(Protocol):
    """Who opened a channel, and is told what its server turns out to be."""

    def prove(self, quic: QuicConnection, handshake: HandshakeCompleted) -> None:
        """Looks at what a handshake has shown. Raises TlsError."""

    def keep(self, ticket: SessionTicket, epoch: int) -> None:
        """Takes a session of a server that has proven who it is over a channel of that epoch."""

    def early_data_failed(self) -> None:
        """The server declined early data, or did not answer it at once."""

    def fell_silent(self, in_flight: int) -> None:
        """The server has forgotten a connection with so many requests in flight."""


class QuicChannel:
    """A QUIC connection over a socket of its own. Made by `QuicClient`.

    `is_resumed` tells, once the handshake is over, whether an earlier session was taken up, and
    `took_early_data` whether the peer has read what came in the first flight.
    """

    def __init__(
        self,
        configuration: QuicConfiguration,
        address: str,
        port: int,
        opener: Opener,
        *,
        most_streams: float = math.inf,
        epoch: int = 0,
    ) -> None:
        ticket = configuration.session_ticket
        self.address = address
        self.is_resumed = False
        self.took_early_data = False
        self._opener = opener
        self._epoch = epoch
        self._idle_timeout = configuration.idle_timeout
        self._new_ticket: SessionTicket | None = None
        self._quic = QuicConnection(
            configuration=configuration, session_ticket_handler=self._note_ticket
        )
        # As over TCP: Knot DNS counts a request until its answer is acknowledged.
        quic_inside.acknowledge_at_once(self._quic)
        self._is_early = ticket is not None and ticket.max_early_data_size is not None
        self._is_proven = False
        self._limit = trio.current_time() + (EARLY_LIMIT if self._is_early else HANDSHAKE_LIMIT)
        self._events: list[Event] = []
        self._most_streams = most_streams
        self._owed_since: float | None = None
        self._heard_at = trio.current_time()
        self._last_number = 0
        self._untold = 0
        self._stream_limit = StreamLimit(self._quic)
        self._backlog: dict[int, bytes] = {}
        self._streams: dict[int, int] = {}
        self._numbers: dict[int, int] = {}
        self._error: OSError | AnchordError | None = None
        self._alarm = trio.CancelScope()
        family, self._peer = socket_address(address, port, socket.SOCK_DGRAM)
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.connect(self._peer)  # so that the kernel drops what others send
        except BaseException:
            self._socket.close()
            raise
        self._quic.connect(self._peer, now=trio.current_time())

    async def handshake(self) -> None:
        """Raises TlsError, PeerError and OSError."""
        self.flush()
        while not self._is_proven:
            await self._turn()

    def ask(self, data: bytes) -> int:
        """Queues a request, which has a stream of its own; returns its number.

        It leaves with `flush` at the latest, as soon as the peer's limit of streams lets it.
        """
        self._last_number += 1
        self._backlog[self._last_number] = data
        self._begin()
        return self._last_number

    @property
    def is_exhausted(self) -> bool:
        """Whether the peer has all requests that it will ever take. It may still answer them."""
        return self._stream_limit.is_reached

    @property
    def is_running_out(self) -> bool:
        """Whether the peer will take few requests more: it is time for another connection."""
        return self._stream_limit.is_near

    @property
    def idle_timeout(self) -> float | None:
        """Seconds without a word after which the peer forgets the connection, where it says so.

        The shorter one of both sides' (RFC 9000 section 10.1).
        """
        theirs = quic_inside.idle_timeout(self._quic)
        return None if theirs is None else min(theirs, self._idle_timeout)

    def cancel(self, number: int, code: int) -> None:
        """Ends both directions of a request's stream unless it is over (RFC 9000 section 3.5)."""
        if self._backlog.pop(number, None) is None and number in self._streams:
            stream_id = self._streams[number]
            self._forget(stream_id)
            self._quic.reset_stream(stream_id, code)
            self._quic.stop_stream(stream_id, code)

    def withdraw(self, first: int, code: int) -> list[int]:
        """Gives up the requests on streams from this id on, and those that have no stream yet.

        Returns their numbers.
        """
        numbers = [number for number, stream_id in self._streams.items() if stream_id >= first]
        numbers += self._backlog
        for number in numbers:
            self.cancel(number, code)
        return numbers

    def tell(self, data: bytes) -> None:
        """Queues data on a new one-way stream, which stays open (RFC 9114 section 6.2)."""
        stream_id = self._quic.get_next_available_stream_id(is_unidirectional=True)
        self._quic.send_stream_data(stream_id, data)

    def flush(self) -> None:
        """Sends what is due. An error comes out of `receive`."""
        self._transmit()
        if self._owed_since is None and self._is_owed:
            self._owed_since = trio.current_time()
        self._alarm.deadline = self._wake_at()

    def _transmit(self) -> None:
        self._untold = 0
        try:
            for datagram, _ in self._quic.datagrams_to_send(now=trio.current_time()):
                with contextlib.suppress(BlockingIOError):  # as good as lost
                    self._socket.send(datagram)
        except OSError as error:
            self._error = self._error or error

    async def receive(self) -> list[Event]:
        """What has happened next. Loses nothing when cancelled.

        Raises PeerError, OSError, and with early data TlsError.
        """
        while not self._events:
            await self._turn()
        events, self._events = self._events, []
        return events

    def close(self, code: int = 0) -> None:
        """Ends the connection with the application's code; the peer's last words are not heard."""
        if self._socket.fileno() < 0:
            return
        self._quic.close(error_code=code)
        self.flush()
        trio.lowlevel.notify_closing(self._socket)
        self._socket.close()

    def _begin(self) -> None:
        """Gives streams to requests. Past its limit, the peer would not take even their end."""
        while self._backlog and len(self._streams) < self._most_streams:
            if self._stream_limit.left <= 0:
                break
            stream_id = self._quic.get_next_available_stream_id()
            number = next(iter(self._backlog))
            self._streams[number] = stream_id
            self._numbers[stream_id] = number
            self._quic.send_stream_data(stream_id, self._backlog.pop(number), end_stream=True)
            self._untold += 1
            if self._untold >= TOGETHER and self._most_streams < math.inf:
                self._transmit()

    def _return_backlog(self) -> None:
        """Gives back what the peer will never take."""
        if self._backlog and self.is_exhausted:
            self._events += [Cut(number, 0, True, is_unsent=True) for number in self._backlog]
            self._backlog.clear()

    def _forget(self, stream_id: int) -> None:
        del self._streams[self._numbers.pop(stream_id)]

    # ------------ The pump ------------

    async def _turn(self) -> None:
        """Waits for a datagram or for the next deadline, and has aioquic deal with it."""
        if self._error is not None:
            raise self._error
        with trio.CancelScope(deadline=self._wake_at()) as self._alarm:
            await trio.lowlevel.wait_readable(self._socket)
        now = trio.current_time()
        self._take_datagrams(now)
        timer = self._quic.get_timer()
        if timer is not None and now >= timer:
            self._quic.handle_timer(now=now)
            self._collect()
        if self._error is None:
            self._judge(now)
        self._return_backlog()
        self.flush()

    def _judge(self, now: float) -> None:
        """Gives up on a peer that has been silent for too long."""
        if not self._is_proven:
            if now >= self._limit:
                self._error = self._no_handshake()
        elif now >= self._gone_at():
            self._opener.fell_silent(len(self._streams))
            self._error = PeerError("the connection fell silent")
        elif now >= self._probe_at():
            self._quic.send_ping(0)
        elif now >= self._full_at():
            self._stream_limit.give_up()

    @property
    def _is_owed(self) -> bool:
        """Whether the peer has to acknowledge something."""
        return quic_inside.is_owed(self._quic)

    @property
    def in_flight(self) -> int:
        """How many requests wait for their answers."""
        return len(self._streams)

    @property
    def is_stuck(self) -> bool:
        """Whether the peer has owed an acknowledgement for longer than one takes."""
        owed = 0.0 if self._owed_since is None else trio.current_time() - self._owed_since
        return self._error is None and owed >= STUCK

    def _gone_at(self) -> float:
        """When the peer will be taken for gone, if it says nothing until then."""
        if self._owed_since is None:
            return math.inf
        probe = quic_inside.probe_timeout(self._quic)
        return self._owed_since + max(SILENCE_LIMIT, PROBES * probe)

    def _probe_at(self) -> float:
        """When to ask whether the peer is there: it owes answers, but nothing that says so."""
        is_slow = self._streams and self._owed_since is None
        return self._heard_at + SILENCE_LIMIT if is_slow else math.inf

    def _full_at(self) -> float:
        """When a peer that has answered all that it allowed is taken never to allow more."""
        limit = self._stream_limit
        if self._streams or not self._backlog or limit.left > 0 or limit.is_final:
            return math.inf
        return self._heard_at + quic_inside.probe_timeout(self._quic)

    def _take_datagrams(self, now: float) -> None:
        try:
            for _ in range(DATAGRAMS):
                datagram = self._socket.recv(RECEIVE)
                self._quic.receive_datagram(datagram, self._peer, now=now)
                self._owed_since = now if self._is_owed else None
                self._heard_at = now
                self._collect()
        except BlockingIOError:
            pass
        except OSError as error:
            self._error = self._error or error

    def _wake_at(self) -> float:
        if self._error is not None:
            return trio.current_time()
        timer = self._quic.get_timer()
        limit = self._limit
        if self._is_proven:
            limit = min(self._gone_at(), self._probe_at(), self._full_at())
        return limit if timer is None else min(timer, limit)

    def _collect(self) -> None:
        """Takes what aioquic has found out. Nothing of an unproven server gets past here."""
        while self._error is None and (event := self._quic.next_event()) is not None:
            if isinstance(event, StreamDataReceived | StreamReset | StopSendingReceived):
                self._take(event)
            elif isinstance(event, HandshakeCompleted):
                self._conclude(event)
            elif isinstance(event, ConnectionTerminated):
                self._error = end_in_words(event)
        if self._is_proven and self._new_ticket is not None:
            self._opener.keep(self._new_ticket, self._epoch)
            self._new_ticket = None
        self._begin()

    def _take(self, event: StreamDataReceived | StreamReset | StopSendingReceived) -> None:
        """What happens to a stream, in terms of requests; those that are over are over."""
        stream_id = event.stream_id
        if isinstance(event, StreamDataReceived):
            data, ends = event.data, event.end_stream
            code = 0
        else:
            data, ends = None, isinstance(event, StreamReset)
            code = event.error_code
        if stream_id & _IS_THE_SERVERS:
            self._events.append(Aside(stream_id, data, ends))
        elif stream_id in self._numbers:
            number = self._numbers[stream_id]
            if ends:
                self._forget(stream_id)
                self._stream_limit.answered(stream_id, len(self._streams))
            self._events.append(
                Cut(number, code, ends) if data is None else Piece(number, data, ends)
            )

    def _conclude(self, handshake: HandshakeCompleted) -> None:
        try:
            self._opener.prove(self._quic, handshake)
        except AnchordError as error:
            self._error = error
            self._quic.close(
                error_code=QuicErrorCode.CRYPTO_ERROR + AlertDescription.bad_certificate,
                frame_type=QuicFrameType.CRYPTO,
            )
            return
        self._is_proven = True
        self._stream_limit.begin()
        self.is_resumed = handshake.session_resumed
        self.took_early_data = handshake.early_data_accepted
        if self._is_early and not handshake.early_data_accepted:
            self._opener.early_data_failed()  # aioquic sends it again, now under the session's keys

    def _no_handshake(self) -> OSError | AnchordError:
        if self._is_early:
            self._opener.early_data_failed()
            return PeerError("no handshake in time for early data", is_unprocessed=True)
        return TimeoutError(errno.ETIMEDOUT, "")

    def _note_ticket(self, ticket: SessionTicket) -> None:
        """Is called in the midst of a datagram, when the server may not be proven yet."""
        self._new_ticket = ticket
