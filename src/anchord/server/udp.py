"""Queries in datagrams: one task per socket that drains it, one per query that must wait.

A socket is bound to one address, so a reply leaves from the address that was asked. What is known
or rejected is answered in the draining task itself, or between two steps of whatever takes long
(`resolver.turns`). The system's errors on a datagram (an unreachable client, a full buffer) concern
that datagram alone: UDP may lose it.

Datagrams are taken one by one. Where the system can do it and many are waiting, they are taken by
the batch (`batch`) until they get few again; the replies are the same.
"""

import logging
import socket

import trio

from anchord.resolver.resolver import Known

from .batch import Address, Batch, open_batch
from .handler import Handler, Pending, Transport

logger = logging.getLogger(__name__)

MANY = 32
"""Datagrams that came without a pause before a batch is tried: few at a time are cheaper by plain
calls."""

FEW = 8
"""Datagrams of a batch below which they are taken one by one again."""

VERY_MANY = 1024
"""Datagrams that must come without a pause after several batches that were tried in vain: a few
clients that ask again and again make a long streak, and no large batch."""


async def serve_datagrams(sock: socket.socket, handler: Handler, stop: trio.Event) -> None:
    """Answers what comes in on a bound, non-blocking UDP socket until `stop`; closes the socket.

    Queries in flight at the stop are still answered, within `Limits.stop`.
    """
    with sock:
        async with trio.open_nursery() as answers:
            listener = _Listener(sock, handler, answers)
            async with trio.open_nursery() as receiving:
                receiving.start_soon(listener.run)
                with handler.turns.serving(listener.take_turn):
                    await stop.wait()
                receiving.cancel_scope.cancel()
            answers.cancel_scope.deadline = trio.current_time() + handler.limits.stop


class _Listener:
    """The datagrams of one socket.

    `_streak` counts those that came without a pause, `_enough` is when to try a batch.
    """

    def __init__(self, sock: socket.socket, handler: Handler, answers: trio.Nursery) -> None:
        self._socket = sock
        self._handler = handler
        self._front = handler.front
        self._counters = handler.counters
        self._limits = handler.limits
        self._answers = answers
        self._batch: Batch | None = None
        self._has_tried_batch = False
        self._streak = 0
        self._enough = MANY
        self._is_watched = False
        self._in_flight = 0
        self._has_warned = False

    async def run(self) -> None:
        """Receives, for ever."""
        while True:
            self._is_watched = True
            await trio.lowlevel.wait_readable(self._socket)
            while self.take_turn():
                await trio.lowlevel.checkpoint()

    def take_turn(self) -> bool:
        """Takes what is there, until others are due; returns whether there may be more."""
        self._front.tick()
        left = self._limits.turn
        while left > 0:
            if self._streak >= self._enough and (batch := self._opened_batch()) is not None:
                taken = self._take_batch(batch)
                if taken < FEW:
                    self._streak = 0
            else:
                wanted = min(left, MANY)
                taken = self._take_one_by_one(wanted)
                self._streak += taken
                if taken < wanted:
                    self._streak = 0
                    return False
            left -= taken
        return True

    def _take_one_by_one(self, wanted: int) -> int:
        """Takes as many datagrams, or what is there; returns how many."""
        for taken in range(wanted):
            try:
                message, address = self._socket.recvfrom(self._limits.longest_datagram)
            except BlockingIOError:
                return taken
            except OSError as error:  # on some systems: an earlier reply met a closed port
                logger.debug("nothing received: %s", error)
                continue
            self._counters.udp_queries += 1
            reply = self._front.answer(message)
            if reply is None:
                self._take(message, address)
            else:
                self._send(reply, address)
        return wanted

    def _opened_batch(self) -> Batch | None:
        """Opened when so many come for the first time: a start has no use for it."""
        if not self._has_tried_batch:
            self._has_tried_batch = True
            self._batch = open_batch(self._socket, longest=self._limits.longest_datagram)
        return self._batch

    def _take_batch(self, batch: Batch) -> int:
        """Takes a batch; returns how many datagrams it had.

        While batches are large the socket is not watched: the system would tell whoever watches of
        each reply that leaves, at a tenth of its price.
        """
        try:
            taken = batch.exchange(self._front.replies, self._counters.repeats)
        except OSError as error:
            logger.debug("nothing received: %s", error)
            return 0
        if self._is_watched and taken.total >= FEW:
            self._enough = MANY
            self._is_watched = False
            trio.lowlevel.notify_closing(self._socket)
        elif self._is_watched:
            self._enough = min(2 * self._enough, VERY_MANY)
        self._counters.udp_queries += taken.total
        self._counters.unsent += taken.unsent
        for message, address in taken.unknown:
            self._take(message, address)
        return taken.total

    def _take(self, message: bytes, address: Address) -> None:
        """Answers what was not asked in this second, at once or in a task of its own."""
        received = self._front.renewed(message) or self._handler.receive(message, Transport.UDP)
        if isinstance(received, Pending):
            known = self._handler.known(received)
            if known is not None:
                self._reply(message, received, known, address)
            elif self._in_flight < self._limits.datagrams_in_flight:
                self._in_flight += 1
                self._answers.start_soon(self._resolve, message, received, address)
            else:
                self._drop()
        elif received is not None:
            self._send(received, address)

    def _drop(self) -> None:
        self._counters.dropped += 1
        if not self._has_warned:
            self._has_warned = True
            logger.warning("queries are dropped: %d are waiting already", self._in_flight)

    async def _resolve(self, message: bytes, pending: Pending, address: Address) -> None:
        try:
            answer = await self._handler.resolve(pending)
        finally:
            self._in_flight -= 1
            self._has_warned = self._has_warned and self._in_flight > 0
        self._reply(message, pending, Known(answer), address)

    def _reply(self, message: bytes, pending: Pending, known: Known, address: Address) -> None:
        reply = self._handler.render(pending, known.answer)
        self._send(reply, address)
        self._front.remember(message, reply, *known)

    def _send(self, reply: bytes, address: Address) -> None:
        try:
            self._socket.sendto(reply, address)
        except OSError as error:  # a full buffer (BlockingIOError) among them
            self._counters.unsent += 1
            logger.debug("a reply was not sent: %s", error)
