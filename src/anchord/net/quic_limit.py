"""How many requests a QUIC peer takes over one connection, and whether it will ever take more.

A peer allows so many streams in all and is to raise that while it answers (RFC 9000 section 4.6).
Some never do, as Knot DNS does not after 1,024. Whoever waits for a raise from those waits for
ever, and whoever does not wait for the others gives up good connections. So it is told by the order
of things, not by a clock: peers raise their limit at the latest when half of it is used up and
answered, and what is asked after that is answered after the raise has been sent.
"""

import math

from aioquic.quic.connection import QuicConnection

from .quic_inside import allowed_streams

LAST_STREAMS, LAST_SHARE = 24, 8
"""Requests, and the part of all allowed, that a peer still takes when it is time for another
connection: what is asked during a handshake."""


SMALL_CROWD = 8
"""Requests at once that every server is found to take. Knot DNS forgets the whole connection with
the eleventh, whatever it announces."""

TOGETHER = 4
"""Requests that leave in one datagram for a server that takes no crowds: Knot DNS answers no more
for each that comes in, and keeps the rest until the next one."""


class StreamLimit:
    """The peer's limit for the requests of one connection."""

    def __init__(self, quic: QuicConnection) -> None:
        self._quic = quic
        self._first = 0
        self._final = -1
        self._half_used_at = math.inf

    @property
    def left(self) -> int:
        """Requests that may begin now."""
        return self._most - self._begun

    @property
    def is_final(self) -> bool:
        """Whether the peer has had reason to raise its limit, and has not."""
        return self._final == self._most

    @property
    def is_reached(self) -> bool:
        """Whether the peer has all requests that it will ever take. It may still answer them."""
        return self.is_final and self.left <= 0

    @property
    def is_near(self) -> bool:
        """Whether the peer will take few requests more."""
        return self.is_final and self.left <= min(LAST_STREAMS, self._most // LAST_SHARE)

    def begin(self) -> None:
        """The handshake is over: the limit is as the peer has set it at first."""
        self._first = self._most

    def answered(self, stream_id: int, in_flight: int) -> None:
        """The request on this stream is answered, and so many others are not."""
        if stream_id // 4 >= self._half_used_at and self._most == self._first:
            self._final = self._most
        if self._begun - in_flight >= self._most // 2:
            self._half_used_at = min(self._half_used_at, self._begun)

    def give_up(self) -> None:
        """Nothing is under way, and no raise has come."""
        self._final = self._most

    @property
    def _most(self) -> int:
        """Requests that the peer has allowed so far in all."""
        return allowed_streams(self._quic)

    @property
    def _begun(self) -> int:
        """Requests that have had a stream so far."""
        return self._quic.get_next_available_stream_id() // 4
