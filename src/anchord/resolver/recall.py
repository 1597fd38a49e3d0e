"""What was kept over a restart, proven again before anybody is told.

The engine judges it as it judges what an upstream says, by the anchors and the time that hold now.
Here the evidence stands in an upstream's place, and nobody else is asked. What cannot be proven
from it alone is forgotten, and the question goes its usual way.
"""

import trio

from anchord.cache.persist import Kind
from anchord.cache.persisted import Evidence
from anchord.cache.policy import bounded
from anchord.dnssec.asking import AskZone, Context, Work
from anchord.dnssec.engine import validate
from anchord.dnssec.limits import Budget
from anchord.dnssec.trust import find_zone
from anchord.model import names, rdtypes
from anchord.model.clock import Clock
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.response import Response, Unanswered
from anchord.model.verdict import Answer

from .chain import Driver, job_within
from .fetch import Account, Rung
from .turns import Turns


class Recall:
    """Proves evidence when it is asked for. `proven` counts the answers that were."""

    def __init__(
        self,
        evidence: Evidence,
        context: Context,
        clock: Clock,
        nursery: trio.Nursery,
        turns: Turns,
    ) -> None:
        self.evidence = evidence
        self.proven = 0
        self._context = context
        self._clock = clock
        self._driver = Driver(self, context, clock, nursery, turns)

    async def answer(self, question: Question) -> Answer | None:
        """The answer that was kept, if it holds still; its TTL is what is left of it.

        Where there is none, the zones above the name are proven, so that they need not be asked
        for, as far as there is evidence.
        """
        if not self.evidence:
            return None
        response = self._find(Kind.ANSWER, question)
        if response is None:
            await self._prove_zones(question.holder)
            return None
        work = Work(self._context, Budget(self._context.limits), self._clock.wall())
        answer = bounded(
            await self._driver.drive(validate(response, work), job_within(self._context.limits))
        )
        self.evidence.forget(Kind.ANSWER, question)
        if answer.verdict.status.is_failure or answer.ttl <= 0:
            return None
        self.proven += 1
        return answer

    async def _prove_zones(self, name: Name) -> None:
        """Puts what the evidence proves of the zones above a name into the engine's memory."""
        anchor = self._context.anchors.closest(name)
        if anchor is None:
            return
        known = self._context.zones.closest(name)
        if known is not None and names.is_at_or_below(known.zone, anchor.zone):
            steps = [Question(zone, rdtypes.DS) for zone in names.names_between(known.zone, name)]
        else:
            steps = [Question(anchor.zone, rdtypes.DNSKEY)]
        told = [step for step in steps if self._has_time_left(step)]
        if not told:
            return
        request = AskZone(name, Budget(self._context.limits))
        walk = find_zone(request, self._context, self._clock.wall())
        trust = await self._driver.drive(walk, job_within(self._context.limits))
        if trust.status.is_failure:  # nor would it help the next name
            for step in told:
                self.evidence.forget(Kind.PROOF, step)

    def _has_time_left(self, question: Question) -> bool:
        response = self._find(Kind.PROOF, question)
        return response is not None and all(
            rrset.ttl for rrset in (*response.answer, *response.authority)
        )

    def _find(self, kind: Kind, question: Question) -> Response | None:
        return self.evidence.find(kind, question, self._clock.wall(), self._clock.monotonic())

    def _said(self, question: Question) -> Response | Unanswered:
        found = self._find(Kind.PROOF, question) or self._find(Kind.ANSWER, question)
        return found or Unanswered(question, ())

    # What a driver asks: the evidence, in the place of upstreams.

    async def fetch(self, question: Question, _: Rung, __: Account, /) -> Response | Unanswered:
        """What an upstream has said to the question, before the restart."""
        return self._said(question)

    async def guess(self, question: Question, _: Account, /) -> Response | Unanswered:
        """The same."""
        return self._said(question)
