"""How the engine asks: generators that yield what they need and are sent what was found.

The engine does no I/O. Its driver (the resolver, or `replay` over recorded answers) runs a
generator, answers each request that it yields, and gets the result at its end. There are three
requests:

- `Ask`: one question to the upstream. `soon` are questions that will probably follow: the driver
  sends them in the same flight, so that a cold chain costs one round trip.
- `AskZone`: the trust of the zone that holds a name: shared work, which the driver runs once for
  all that want it (`trust.find_zone`).
- `None`: nothing; let others run. It stands before each signature check, and wherever else a step
  could be made long.

A failure to fetch comes back as the value `Unanswered`, so that what is bogus and what is merely
unobtainable is decided in one place.
"""

from collections.abc import Callable, Generator, Iterable
from typing import Protocol, TypeAlias, TypeVar

import msgspec

from anchord.model.chain import Link
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.response import Response, Unanswered
from anchord.model.verdict import FOREVER, Flaw, Status
from anchord.wire.rdata import Dnskey

from .algorithms import Supported
from .anchors import TrustAnchors
from .crypto import Verify, load_key
from .limits import Budget, Limits
from .memo import Memo


class Ask(msgspec.Struct, frozen=True):
    """A question that must be answered now, and those worth sending along."""

    question: Question
    soon: tuple[Question, ...] = ()


class AskZone(msgspec.Struct, frozen=True):
    """The trust of the deepest zone at or above `name`.

    `budget` is that of the query that asks, which pays for the proof if there is none yet.
    `is_signer` tells that an RRSIG names it as a zone: its key set will be wanted.
    """

    name: Name
    budget: Budget
    is_signer: bool = False


class ZoneTrust(msgspec.Struct, frozen=True):
    """The deepest zone at or above a name, as far as it could be proven.

    SECURE: `keys` is its proven key set, whole. INSECURE: proven that no chain leads there; `flaws`
    inform. BOGUS, UNOBTAINABLE, INDETERMINATE (no anchor above): `flaws` say why. `expires_in` is
    for how many seconds it may be kept, `valid_until` when the first signature that it rests on
    expires (seconds since 1970). `over_limit` tells that a limit was hit, so that it must not be
    kept nor told to others.
    """

    zone: Name
    status: Status
    keys: tuple[Dnskey, ...] = ()
    flaws: tuple[Flaw, ...] = ()
    chain: tuple[Link, ...] = ()
    expires_in: int = 0
    valid_until: int = FOREVER
    over_limit: bool = False

    @property
    def bars_the_way(self) -> bool:
        """Whether a chain leads to the zone and no further: neither does it to any name below."""
        return bool(self.chain) and self.chain[-1].status.is_failure


Request: TypeAlias = Ask | AskZone | None
Reply: TypeAlias = Response | Unanswered | ZoneTrust | None

T = TypeVar("T")
Asking: TypeAlias = Generator[Request, Reply, T]


class ZoneMemory(Protocol):
    """Where proven zones are kept. `closest` must not return what has expired."""

    def closest(self, name: Name) -> ZoneTrust | None:
        """The deepest known zone at or above `name`."""

    def put(self, trust: ZoneTrust) -> None:
        """Keep a zone for `expires_in` seconds, and not past `valid_until`."""


class Context(msgspec.Struct, frozen=True):
    """What every validation shares: what is believed, what is known, and how much is allowed."""

    anchors: TrustAnchors
    zones: ZoneMemory
    limits: Limits = msgspec.field(default_factory=Limits)
    supported: Supported = msgspec.field(default_factory=Supported)
    memo: Memo = msgspec.field(default_factory=Memo)
    load_key: Callable[[int, bytes], Verify] = load_key
    """Who verifies: `crypto.load_key`; a fuzzer's stand-in lets marked signatures pass as well."""


class Work(msgspec.Struct, frozen=True):
    """One validation: what it shares with all others, its own budget, and its one point in time.

    `now` is in seconds since 1970; every window of the validation is judged at it.
    """

    context: Context
    budget: Budget
    now: int

    @property
    def limits(self) -> Limits:
        """The limits in force."""
        return self.context.limits


def ask(question: Question, soon: Iterable[Question] = ()) -> Asking[Response | Unanswered]:
    """Ask the upstream."""
    reply = yield Ask(question, tuple(soon))
    assert isinstance(reply, Response | Unanswered)
    return reply


def ask_zone(name: Name, work: Work, *, is_signer: bool = False) -> Asking[ZoneTrust]:
    """Ask for the zone that holds a name."""
    reply = yield AskZone(name, work.budget, is_signer)
    assert isinstance(reply, ZoneTrust)
    return reply
