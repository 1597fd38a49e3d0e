"""One connection to an upstream and who waits for replies over it, whatever the protocol.

Two tasks serve it. The writer sends what was asked in one turn of the scheduler in one go. The
reader matches replies, and wakes when `pool` wants to look at the connection again. Sharing a
connection, and asking again elsewhere, is for `shared`.
"""

from collections.abc import Callable
from functools import partial

import msgspec
import outcome
import trio

from anchord.net.race import in_words

from .base import Counters, Kind
from .carrier import CLOSED, Carrier, EndedError, Fault
from .matching import is_error_without_question, repeats_question
from .pool import MISSES, State, Usage


class Waiter(msgspec.Struct, eq=False):
    """A task that waits for the reply to its query.

    `places` are where it stands, each with how to leave it: the queue for a connection, or one or
    two connections. `sends` is how many of those have had the query.
    """

    query: bytes
    question: bytes
    task: trio.lowlevel.Task
    sends: int = 0
    places: dict[object, Callable[[], None]] = msgspec.field(default_factory=dict)

    def leave(self) -> None:
        """Takes the waiter out of every place: a later reply finds nobody."""
        while self.places:
            _, leave = self.places.popitem()
            leave()

    def leave_only(self, place: object) -> None:
        """Takes the waiter out of this place, where it stands."""
        self.places.pop(place)()

    def finish(self, result: bytes | Fault) -> None:
        """Leaves, and wakes the task."""
        self.leave()
        trio.lowlevel.reschedule(self.task, outcome.Value(result))


class Connection:
    """Queries and replies over one carrier, which it owns, while `run` runs.

    `on_doubt` is called when the connection has become suspicious; it should retire it.
    `on_return` is called with a waiter that this connection has let go without a reply.
    """

    def __init__(
        self,
        carrier: Carrier,
        counters: Counters,
        *,
        on_doubt: "Callable[[Connection], None]",
        on_return: Callable[[Waiter, Fault], None],
    ) -> None:
        self.usage = Usage(used_at=trio.current_time())
        self._carrier = carrier
        self._round_trip = counters.round_trip
        self._idle = counters.idle
        self._counters = counters
        self._on_doubt = on_doubt
        self._on_return = on_return
        self._waiting: dict[int, tuple[Waiter, float]] = {}
        self._idle_writer: trio.lowlevel.Task | None = None
        self._alarm = trio.CancelScope()
        self._whole = trio.CancelScope()
        self._is_retired = False
        self._misses = 0
        self._fault = CLOSED

    @property
    def waiters(self) -> list[Waiter]:
        """Who waits for a reply, the first that asked first."""
        return [waiter for waiter, _ in self._waiting.values()]

    @property
    def in_flight(self) -> int:
        """How many wait for a reply."""
        return len(self._waiting)

    @property
    def is_dismissed(self) -> bool:
        """Whether the server takes no more queries, but may answer those that it has."""
        return not self._carrier.is_open

    @property
    def is_running_out(self) -> bool:
        """Whether the server takes few queries more: another connection should be opened."""
        return self._carrier.is_running_out

    @property
    def can_carry_more(self) -> bool:
        """Whether a query may be given to it now."""
        return (
            not self._is_retired
            and self._carrier.is_open
            and self._judge(trio.current_time())[0] is State.USABLE
        )

    def submit(self, waiter: Waiter) -> None:
        """Takes a query on. It leaves with all others of this turn of the scheduler."""
        now = trio.current_time()
        number = self._carrier.post(waiter.query)
        waiter.sends += 1
        waiter.places[self] = partial(self._let_go, number)
        self._waiting[number] = waiter, now
        self._wake_writer()
        self.usage.sent(now)
        if self.usage.silent_since == now:
            self._look_again(now)

    def retire(self) -> None:
        """No more queries; the connection ends when nobody waits on it any more."""
        self._is_retired = True
        if not self._waiting:
            self.close()

    def close(self) -> None:
        """Ends the connection, and with it `run`."""
        self._whole.cancel()

    def abandon(self) -> list[Waiter]:
        """Who still waits, taken out of this connection; other places of theirs remain."""
        waiters = self.waiters
        for waiter in waiters:
            waiter.leave_only(self)
        return waiters

    async def run(self) -> Fault:
        """Serves the connection until it ends; returns why. Who waits then is to be `abandon`ed.

        Raises nothing of its own; when cancelled it closes the carrier all the same.
        """
        try:
            with self._whole:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write)
                    await self._read()
                    self._is_retired = True
                    nursery.cancel_scope.cancel()
        finally:
            self._is_retired = True
            self._carrier.close()
        return self._fault

    # ------------ The writer ------------

    async def _write(self) -> None:
        try:
            while True:
                if not self._carrier.has_unsent:
                    await self._wait_for_work()
                await self._carrier.send()
        except OSError as error:
            self._is_retired = True  # the reader learns the rest: a reply may have come before
            self._fault = _broken(error)

    async def _wait_for_work(self) -> None:
        def abort(_raise_cancel: object) -> trio.lowlevel.Abort:
            self._idle_writer = None
            return trio.lowlevel.Abort.SUCCEEDED

        self._idle_writer = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(abort)

    def _wake_writer(self) -> None:
        if self._idle_writer is not None and self._carrier.has_unsent:
            trio.lowlevel.reschedule(self._idle_writer)
            self._idle_writer = None

    # ------------ The reader ------------

    async def _read(self) -> None:
        try:
            while not self._is_done:
                state, look_again = self._judge(trio.current_time())
                if state is State.DOUBTED and not self._is_retired:
                    self._idle.was_cut(self.usage.idle_before)
                    self._on_doubt(self)
                elif state is State.IDLE:
                    self._idle.was_kept()
                    return
                with trio.CancelScope(deadline=look_again) as self._alarm:
                    await self._read_on()
        except EndedError as error:
            self._learn_of_end()
            self._fault = error.fault
        except OSError as error:
            self._learn_of_end()
            self._fault = _broken(error)

    def _learn_of_end(self) -> None:
        """The server may have ended the connection for having been idle.

        That counts up to the query that has got no reply, though nobody may wait for it any more.
        """
        if self.usage.silent_since is not None:
            self._idle.was_cut(self.usage.idle_before)
        elif not self._waiting:
            self._idle.was_cut(trio.current_time() - self.usage.used_at)

    async def _read_on(self) -> None:
        """Reads until the connection is to be judged (cancelled then), or is done."""
        while not self._is_done:
            came = await self._carrier.receive()
            now = trio.current_time()
            if not (self._carrier.is_open or self._waiting):
                self._learn_of_end()
            if came or not self._waiting:
                self.usage.heard(now)
            else:
                self.usage.heard_a_part(now)
                self._look_again(now)
            for number, result in came:
                self._take(number, result, now)
            if self._carrier.keepalive is not None:
                self._idle.announced(self._carrier.keepalive)
                self._look_again(now)
            self._is_retired = self._is_retired or not self._carrier.is_open
            self._wake_writer()
            if self._waiting:
                self._carrier.acknowledge()

    @property
    def _is_done(self) -> bool:
        return self._is_retired and not self._waiting

    def _take(self, number: int, result: bytes | Fault, now: float) -> None:
        """Hands a reply to who waits for it, if anybody does."""
        if number not in self._waiting:
            self._miss()
            return
        waiter, sent_at = self._waiting[number]
        if isinstance(result, Fault):
            waiter.leave_only(self)
            self._on_return(waiter, result)
        elif repeats_question(result, waiter.question) or is_error_without_question(result):
            if not self.usage.answered:
                self._counters.resumptions += self._carrier.is_resumed
                self._counters.early_data += self._carrier.took_early_data
            self.usage.answered += 1
            self._misses = 0
            self._round_trip.measured(now - sent_at)
            waiter.finish(result)
        else:
            self._miss()
            if self._carrier.answers_once:
                waiter.leave_only(self)
                self._on_return(waiter, _ANOTHER_QUESTION)

    def _miss(self) -> None:
        """A message that answers nothing; one after the other, without an end, ends all."""
        self._counters.mismatches += 1
        self._misses += 1
        if self._misses > MISSES:
            self._fault = _FLOOD
            self.close()

    def _let_go(self, number: int) -> None:
        del self._waiting[number]
        self._carrier.forget(number)
        self._wake_writer()

    def _look_again(self, now: float) -> None:
        """Has the reader wake in time to judge the connection."""
        _, look_again = self._judge(now)
        self._alarm.deadline = min(self._alarm.deadline, look_again)

    def _judge(self, now: float) -> tuple[State, float]:
        return self.usage.judge(
            now,
            in_flight=len(self._waiting),
            patience=self._round_trip.patience,
            idle_limit=self._idle.limit,
        )


def _broken(error: OSError) -> Fault:
    return Fault(Kind.CLOSED, f"the connection broke: {in_words(error)}")


_FLOOD = Fault(Kind.MALFORMED, "it floods the connection with what answers nothing")
_ANOTHER_QUESTION = Fault(Kind.MALFORMED, "its reply is to another question")
