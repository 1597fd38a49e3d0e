"""What follows from what is proven already, so that nobody need be asked.

    chain    the DS and DNSKEY sets of a zone whose chain of trust has been walked
    denials  a name or a type that records denied which came with other answers (RFC 8198); so a
             name below one that does not exist is denied, too (RFC 8020)

The records that are kept are put together to the response that an upstream would have sent, and
the engine judges it as it would judge that: by the keys, the anchors and the time that hold now.
Nothing is told that is not secure, so that no more follows than a cold resolver could prove. Where
the engine lacks anything, the question goes its usual way.

Data are not made from wildcards, though the standard allows it: a filter that somebody chose would
not get to see the name, and could not block it. That is also why nothing is denied or told across
the border of a `[[zone]]`.
"""

from typing import TypeVar

from msgspec.structs import replace

from anchord.cache.policy import bounded
from anchord.cache.proofs import ProofCache
from anchord.cache.zones import ZoneCache
from anchord.dnssec.asking import Asking, AskZone, Context, Reply, Work, ZoneTrust
from anchord.dnssec.engine import validate
from anchord.dnssec.limits import Budget
from anchord.dnssec.trust import find_zone
from anchord.model import names, rcodes, rdtypes
from anchord.model.clock import Clock
from anchord.model.ede import Ede, EdeCode
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.response import Response
from anchord.model.verdict import Answer, Status

from .routes import Routes

T = TypeVar("T")

_NEVER = frozenset({rdtypes.ANY, rdtypes.RRSIG})
"""Types of which no record says that there is none: whoever asks wants to see what is there."""


class Deduction:
    """Draws the conclusions. `synthesized` and `from_chain` count the answers that they gave."""

    def __init__(
        self, proofs: ProofCache, zones: ZoneCache[ZoneTrust], routes: Routes, clock: Clock
    ) -> None:
        self._proofs = proofs
        self._zones = zones
        self._routes = routes
        self._clock = clock
        self.synthesized = 0
        self.from_chain = 0

    def answer(self, question: Question, context: Context) -> Answer | None:
        """The answer that follows; `context` has what is believed."""
        if answer := self._from_chain(question, context):
            self.from_chain += 1
        elif answer := self._from_denials(question, context):
            self.synthesized += 1
        return answer

    def _from_chain(self, question: Question, context: Context) -> Answer | None:
        """The set of a proven zone, as it was heard; with what is left of the proof's time."""
        if question.rdtype not in (rdtypes.DS, rdtypes.DNSKEY):
            return None
        now, wall = self._clock.monotonic(), self._clock.wall()
        known = self._zones.find(question.name, now, wall)
        if known is None:
            return None
        trust, expires_at = known
        link = trust.chain[-1]
        rrset = link.ds if question.rdtype == rdtypes.DS else link.dnskey
        if rrset is None:
            return None
        rrset = replace(rrset, ttl=min(rrset.ttl, int(expires_at - now)))
        response = Response(question, rcodes.NOERROR, (rrset,))
        return _judged(response, Budget(context.limits), context, wall)

    def _from_denials(self, question: Question, context: Context) -> Answer | None:
        """That there is no such name, or no such type at it, by the records of its zone."""
        zone = self._proofs.zone_of(question.holder)
        if zone is None or question.rdtype in _NEVER:
            return None
        wall = self._clock.wall()
        if not self._may_speak(zone, question, context, wall):
            return None
        budget = Budget(context.limits)
        now = self._clock.monotonic()
        proofs = self._proofs.about(question.name, zone, now, budget.spend_hash)
        if proofs is None:
            return None
        text = f"denied by records of {names.to_text(zone)} that came with other answers"
        response = Response(question, rcodes.NXDOMAIN, authority=(proofs.soa, *proofs.denials))
        return _judged(response, budget, context, wall, Ede(EdeCode.SYNTHESIZED, text))

    def _may_speak(self, zone: Name, question: Question, context: Context, wall: int) -> bool:
        """Whether no anchor, negative anchor or route lies between the zone and the question."""
        anchor = context.anchors.closest(question.holder)
        return (
            anchor is not None
            and names.is_at_or_below(zone, anchor.zone)
            and context.anchors.negative(question.holder, wall) is None
            and self._routes.of(question) is self._routes.of(Question(zone, rdtypes.SOA))
        )


def _judged(
    response: Response, budget: Budget, context: Context, wall: int, *edes: Ede
) -> Answer | None:
    """The answer that the engine makes of a response, if it is secure and has time left."""
    work = Work(context, budget, wall)
    judged = _at_once(validate(response, work), context, wall)
    if judged is None or judged.verdict.status is not Status.SECURE:
        return None
    answer = bounded(replace(judged, edes=(*edes, *judged.edes)))
    return answer if answer.ttl > 0 else None


def _at_once(asking: Asking[T], context: Context, wall: int) -> T | None:
    """The result of a generator of the engine; None if it needs what is not known yet."""
    reply: Reply = None
    try:
        while True:
            request = asking.send(reply)
            reply = None
            if isinstance(request, AskZone):
                reply = _at_once(find_zone(request, context, wall), context, wall)
            if request is not None and reply is None:
                return None
    except StopIteration as done:
        result: T = done.value
        return result
