"""Upstreams that lead back here: a router that asks this machine, or a forwarder beside us.

A question that comes back joins the one that it is, and both wait for each other in silence. So an
upstream that may lead back and is silent is asked for a name that nobody else has ever heard of,
below `example.`, which resolvers pass on like any other (RFC 6761 section 6.5). If a client asks
for that name, the upstream leads here: the client is refused, whoever waits for the upstream is
told which one it is, and nothing is sent there for a while. No query carries a mark, and one that
is answered causes nothing.
"""

import contextlib
import logging
import secrets

import trio

from anchord.model import names, rcodes, rdtypes
from anchord.model.ede import Ede, EdeCode
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.verdict import Answer, Status, without_records
from anchord.upstream.base import Kind, Upstream, UpstreamError
from anchord.wire.query import write_query

logger = logging.getLogger(__name__)

SILENCE = 0.5
"""Seconds without an answer after which the probe is sent: a loop over loopback takes a few
milliseconds to show itself, and cold names that are slow cost one more query."""

PROBE_LIMIT = 2.0
"""Seconds for the probe to come back."""

PROBE_EVERY = 30.0
"""Seconds between two probes of one upstream at least."""

SHUNNED = 60.0
"""Seconds for which nothing is sent to an upstream that leads back: then somebody may have mended
it, and the next question will tell."""

PARENT = names.from_text("example")


class Loops:
    """The probes that are out. One for all resolvers of a process, whose listeners hear them."""

    def __init__(self) -> None:
        self._sent: dict[Name, LoopGuard] = {}

    def guarded(self, upstream: Upstream, nursery: trio.Nursery) -> "LoopGuard":
        """The upstream, watched for as long as the nursery is open."""
        return LoopGuard(upstream, nursery, self._sent)

    def answer(self, question: Question) -> Answer | None:
        """What a client gets that asks for the name of a probe; None for every other name."""
        guard = self._sent.get(question.name)
        if guard is None:
            return None
        guard.heard()
        reason = Ede(EdeCode.OTHER, f"this is anchord's own question: {guard} leads back to it")
        return without_records(question, rcodes.REFUSED, Status.INDETERMINATE, reason)


class LoopGuard:
    """As `Upstream`, around one that may lead back."""

    def __init__(
        self, upstream: Upstream, nursery: trio.Nursery, sent: dict[Name, "LoopGuard"]
    ) -> None:
        self.is_encrypted = upstream.is_encrypted
        self.counters = upstream.counters
        self._upstream = upstream
        self._nursery = nursery
        self._sent = sent
        self._waiting: dict[trio.CancelScope, float] = {}
        self._is_watching = False
        self._probe_at = 0.0
        self._shunned_until = 0.0

    def __str__(self) -> str:
        return str(self._upstream)

    async def exchange(self, query: bytes) -> bytes:
        """As `Upstream`."""
        if trio.current_time() >= self._shunned_until:
            with trio.CancelScope() as scope:
                self._waiting[scope] = trio.current_time()
                if not self._is_watching:
                    self._is_watching = True
                    self._nursery.start_soon(self._watch)
                try:
                    return await self._upstream.exchange(query)
                finally:
                    del self._waiting[scope]
        await trio.lowlevel.checkpoint()
        raise UpstreamError(
            str(self),
            Kind.NETWORK,
            "it leads back to anchord",
            "take it out of the configuration, or have it ask somebody else",
        )

    def heard(self) -> None:
        """Our own question has come back."""
        if trio.current_time() >= self._shunned_until:
            logger.warning("%s leads back to anchord, and is not asked for a while", self)
        self._shunned_until = trio.current_time() + SHUNNED
        for scope in list(self._waiting):
            scope.cancel()

    def forget_network(self) -> None:
        """As `Upstream`."""
        self._probe_at = self._shunned_until = 0.0
        self._upstream.forget_network()

    async def aclose(self) -> None:
        """As `Upstream`."""
        await self._upstream.aclose()

    async def _watch(self) -> None:
        """Runs as long as anybody waits."""
        try:
            while self._waiting:
                now = trio.current_time()
                longest = now - next(iter(self._waiting.values()))
                if longest >= SILENCE and now >= self._probe_at:
                    self._probe_at = now + PROBE_EVERY
                    await self._probe()
                await trio.sleep(SILENCE)
        finally:
            self._is_watching = False

    async def _probe(self) -> None:
        """Asks for a name of our own, whatever the answer: a client may."""
        name = names.join([secrets.token_hex(12).encode(), *names.labels(PARENT)])
        self._sent[name] = self
        try:
            with trio.move_on_after(PROBE_LIMIT), contextlib.suppress(UpstreamError):
                await self._upstream.exchange(write_query(Question(name, rdtypes.A)))
        finally:
            del self._sent[name]
