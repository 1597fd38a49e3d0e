"""When a connection is used again, doubted, or given up: decisions without any I/O.

Times are seconds of the caller's clock, handed in.
"""

import math
from collections import deque
from enum import Enum, auto

import msgspec

IDLE_LIMIT = 8.0
"""Seconds after which an idle connection is closed where nothing is known of the server: public
ones cut theirs after 8 to 11."""

SHORTEST_IDLE, LONGEST_IDLE = 0.1, 30.0
"""Seconds that an idle connection is kept at least and at most, whatever a server does and says. A
page's next question comes within the first; routers forget connections after the second."""

BELOW_THE_CUT = 0.8
"""The share of a server's own limit after which an idle connection is closed."""

KEPT_UNTIL_RELEARNT = 32
"""Connections closed at the limit in a row after which a cut is forgotten: it may have been a
restart."""

SHORTEST_PATIENCE = 0.3
"""Seconds that a used connection may be silent at least: servers look up cold names meanwhile."""

SILENCE_LIMIT = 3.0
"""Seconds after which a connection that has never answered gets no further queries."""

IN_FLIGHT = 4096
"""Queries that wait on one upstream at most. Random ids are found at the first try, nearly
always, and a server that has stopped reading cannot make us hoard."""

MISSES = IN_FLIGHT
"""Messages that answer nothing, one after the other, before a connection is ended: late replies to
queries that nobody waits for any more cannot be more."""

RECENT = 128
"""Round trips that are kept, for telling how long most of them take."""


class RoundTrip:
    """The time between a query and its reply, in seconds; smoothed as in RFC 6298 section 2.

    `recent` holds the last ones, the oldest first.
    """

    def __init__(self) -> None:
        self.smoothed: float | None = None
        self.recent: deque[float] = deque(maxlen=RECENT)

    def measured(self, seconds: float) -> None:
        """Takes in one more measurement."""
        self.recent.append(seconds)
        if self.smoothed is None:
            self.smoothed = seconds
        else:
            self.smoothed += (seconds - self.smoothed) / 8

    def quantile(self, share: float) -> float:
        """Seconds within which this share of the answers of late have come; 0 without any."""
        if not self.recent:
            return 0.0
        return sorted(self.recent)[max(math.ceil(share * len(self.recent)), 1) - 1]

    def forget(self) -> None:
        """Nothing is known any more."""
        self.smoothed = None
        self.recent.clear()

    @property
    def patience(self) -> float:
        """Seconds after which silence is suspicious: four round trips, and not too few."""
        return max(4 * (self.smoothed or 0.0), SHORTEST_PATIENCE)


class IdleTime:
    """How long connections to one server may be idle: by what it does, and by what it says.

    `cut` is the shortest time in seconds after which it has ended an idle connection, where it has.
    """

    def __init__(self, limit: float = IDLE_LIMIT) -> None:
        self.cut: float | None = None
        self._limit = limit
        self._kept = 0

    @property
    def limit(self) -> float:
        """Seconds after which an idle connection is to be closed."""
        learnt = self._limit if self.cut is None else min(self._limit, self.cut * BELOW_THE_CUT)
        return max(learnt, SHORTEST_IDLE)

    def announced(self, seconds: float) -> None:
        """The server says how long it keeps idle connections (RFC 7828)."""
        self._limit = min(seconds * BELOW_THE_CUT, LONGEST_IDLE)

    def was_cut(self, idle: float) -> None:
        """The server has ended a connection that was idle for so long."""
        if idle >= SHORTEST_IDLE:  # else it was not for being idle
            self.cut = idle if self.cut is None else min(self.cut, idle)
            self._kept = 0

    def was_kept(self) -> None:
        """A connection was idle up to the limit, and there all the time."""
        self._kept += 1
        if self._kept >= KEPT_UNTIL_RELEARNT:
            self.cut = None
            self._kept = 0

    def forget(self) -> None:
        """Forgets what the server, or a router on the way, has done."""
        self.cut = None


class State(Enum):
    """What to do with a connection."""

    USABLE = auto()
    DOUBTED = auto()
    """It may be half-open: ask elsewhere what waits on it, but hear it out."""
    IDLE = auto()
    """Nobody needs it, and the server is about to cut it."""


class Usage(msgspec.Struct):
    """What one connection has been through.

    `used_at` is when something was last sent or heard, `answered` how many replies came over it,
    and `silent_since` when the first query was sent after the last reply, or whatever came since.
    `idle_before` is how long nothing had been sent or heard when that query was sent.
    """

    used_at: float
    answered: int = 0
    silent_since: float | None = None
    idle_before: float = 0.0

    def sent(self, now: float) -> None:
        """A query goes out."""
        if self.silent_since is None:
            self.silent_since = now
            self.idle_before = now - self.used_at
        self.used_at = now

    def heard(self, now: float) -> None:
        """A reply came in, or nobody waits for one: the peer is alive."""
        self.used_at = now
        self.silent_since = None

    def heard_a_part(self, now: float) -> None:
        """Something came in that is not a whole reply, though some are due.

        The peer is alive, but may die in mid-reply, or chatter for ever: the silence begins anew.
        """
        self.used_at = now
        self.silent_since = now
        self.idle_before = 0.0

    def judge(
        self, now: float, *, in_flight: int, patience: float, idle_limit: float
    ) -> tuple[State, float]:
        """What to do now, and when to ask again if nothing happens until then.

        A connection that has answered before is doubted once it has been silent for `patience`
        (it may have died while it was idle). One that never answered has just been made, so that
        the peer is likely slow, not gone: it has `SILENCE_LIMIT`.
        """
        look_again = self.used_at + idle_limit
        if self.silent_since is not None:
            doubted_at = self.silent_since + (patience if self.answered else SILENCE_LIMIT)
            if now >= doubted_at:
                return State.DOUBTED, now + idle_limit
            look_again = min(look_again, doubted_at)
        if now >= look_again:
            if not in_flight:
                return State.IDLE, now + idle_limit
            look_again = now + idle_limit
        return State.USABLE, look_again
