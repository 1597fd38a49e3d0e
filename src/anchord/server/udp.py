"""Queries in datagrams: one task per socket that drains it, one per query that must wait.

A socket is bound to one address, so a reply leaves from the address that was asked. What is known
or rejected is answered in the draining task itself. The system's errors on a datagram (an
unreachable client, a full buffer) concern that datagram alone: UDP may lose it.
"""

import logging
import socket
from typing import Any

import trio

from .handler import Handler, Pending, Transport

logger = logging.getLogger(__name__)

Address = Any
"""A socket address as the `socket` module has it: two parts for IPv4, four for IPv6."""


async def serve_datagrams(sock: socket.socket, handler: Handler, stop: trio.Event) -> None:
    """Answers what comes in on a bound, non-blocking UDP socket until `stop`; closes the socket.

    Queries in flight at the stop are still answered, within `Limits.stop`.
    """
    with sock:
        async with trio.open_nursery() as answers:
            listener = _Listener(sock, handler, answers)
            async with trio.open_nursery() as receiving:
                receiving.start_soon(listener.run)
                await stop.wait()
                receiving.cancel_scope.cancel()
            answers.cancel_scope.deadline = trio.current_time() + handler.limits.stop


class _Listener:
    def __init__(self, sock: socket.socket, handler: Handler, answers: trio.Nursery) -> None:
        self._socket = sock
        self._handler = handler
        self._counters = handler.counters
        self._limits = handler.limits
        self._answers = answers
        self._in_flight = 0
        self._has_warned = False

    async def run(self) -> None:
        """Receives, for ever."""
        while True:
            await trio.lowlevel.wait_readable(self._socket)
            while self._drain():
                await trio.lowlevel.checkpoint()

    def _drain(self) -> bool:
        """Takes what is there, a batch at most; returns whether there may be more."""
        self._handler.front.tick()
        for _ in range(self._limits.batch):
            try:
                message, address = self._socket.recvfrom(self._limits.longest_datagram)
            except BlockingIOError:
                return False
            except OSError as error:  # on some systems: an earlier reply met a closed port
                logger.debug("nothing received: %s", error)
                continue
            self._take(message, address)
        return True

    def _take(self, message: bytes, address: Address) -> None:
        self._counters.udp_queries += 1
        reply = self._handler.front.answer(message) or self._handler.receive(message, Transport.UDP)
        if isinstance(reply, Pending):
            if self._in_flight < self._limits.datagrams_in_flight:
                self._in_flight += 1
                self._answers.start_soon(self._answer, message, reply, address)
            else:
                self._drop()
        elif reply is not None:
            self._send(reply, address)

    def _drop(self) -> None:
        self._counters.dropped += 1
        if not self._has_warned:
            self._has_warned = True
            logger.warning("queries are dropped: %d are waiting already", self._in_flight)

    async def _answer(self, message: bytes, pending: Pending, address: Address) -> None:
        try:
            answer = await self._handler.resolve(pending)
        finally:
            self._in_flight -= 1
            self._has_warned = self._has_warned and self._in_flight > 0
        reply = self._handler.render(pending, answer)
        self._send(reply, address)
        self._handler.front.remember(message, reply, answer)

    def _send(self, reply: bytes, address: Address) -> None:
        try:
            self._socket.sendto(reply, address)
        except OSError as error:  # a full buffer (BlockingIOError) among them
            self._counters.unsent += 1
            logger.debug("a reply was not sent: %s", error)
