"""Several addresses of one server, and whichever answers first (RFC 8305)."""

import errno
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

import trio

from anchord.model.errors import AnchordError

STAGGER = 0.25
"""Seconds until the next address is tried beside the last one (RFC 8305 section 5)."""


class Closable(Protocol):
    """What may lose a race."""

    def close(self) -> None:
        """Ends it at once."""


T = TypeVar("T", bound=Closable)


class UnreachableError(AnchordError):
    """No address could be connected to. `failures` holds each with its reason."""

    exit_status = 3

    def __init__(self, port: int, failures: Sequence[tuple[str, OSError]]) -> None:
        self.failures = tuple(failures)
        reasons = ", ".join(f"{address}: {in_words(error)}" for address, error in failures)
        super().__init__(f"port {port} cannot be reached ({reasons})")

    @property
    def is_refusal(self) -> bool:
        """Whether every address refused the connection: a machine is there, a server is not."""
        return all(error.errno == errno.ECONNREFUSED for _, error in self.failures)


def in_words(error: OSError) -> str:
    """What went wrong, without the numbers: `connection refused`."""
    if error.errno is None:
        return str(error)
    return _WORDS.get(errno.errorcode.get(error.errno, "")) or os.strerror(error.errno).lower()


async def first_of(
    addresses: Sequence[str], port: int, attempt: Callable[[str], Awaitable[T]]
) -> T:
    """What the first attempt that succeeds returns; the others are cancelled or closed.

    The addresses are tried in turn, the families alternating (RFC 8305 section 4), each `STAGGER`
    after the one before it or as soon as that one has failed with an OSError. Any AnchordError
    ends the race: the server is there, and not what it should be. Raises that or UnreachableError.
    """
    failures: list[tuple[str, OSError]] = []
    refusals: list[AnchordError] = []
    winners: list[T] = []

    async def run(address: str, failed: trio.Event) -> None:
        try:
            winners.append(await attempt(address))
        except OSError as error:
            failures.append((address, error))
            failed.set()
            return
        except AnchordError as error:
            refusals.append(error)
        race.cancel_scope.cancel()

    try:
        async with trio.open_nursery() as race:
            for address in alternating(addresses):
                failed = trio.Event()
                race.start_soon(run, address, failed)
                with trio.move_on_after(STAGGER):
                    await failed.wait()
    except BaseException:
        for winner in winners:
            winner.close()
        raise
    for loser in winners[1:]:
        loser.close()
    if not winners:
        raise refusals[0] if refusals else UnreachableError(port, failures)
    return winners[0]


def alternating(addresses: Sequence[str]) -> list[str]:
    """The addresses in their order, but with families taking turns, the first one's first."""
    if not addresses:
        return []
    first_is_v6 = ":" in addresses[0]
    same = [address for address in addresses if (":" in address) == first_is_v6]
    other = [address for address in addresses if (":" in address) != first_is_v6]
    ordered = []
    for index in range(max(len(same), len(other))):
        ordered += same[index : index + 1] + other[index : index + 1]
    return ordered


_WORDS = {
    "ECONNREFUSED": "connection refused",
    "ECONNRESET": "connection reset",
    "EPIPE": "connection closed by the peer",
    "EHOSTUNREACH": "no route to the host",
    "ENETUNREACH": "no route to the network",
    "ENETDOWN": "the network is down",
    "ETIMEDOUT": "no reply from the host",
    "EACCES": "not permitted",
    "EPERM": "not permitted",
    "EADDRNOTAVAIL": "this machine has no address of that family",
    "EAFNOSUPPORT": "this machine does not speak that family",
}
