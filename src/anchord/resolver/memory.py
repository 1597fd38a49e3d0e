"""What is remembered, and what of it may be told to whom without asking anybody.

    answers   until their time is over, and for `serve_stale` after it
    proofs    what denies names that nobody asked for (`deduction`)
    failures  beside the answers, so that a failed attempt ends nothing that is known

They share the configured octets. A failure is told with the reasons that it had, and that it is
remembered (RFC 9520); an answer that is over instead of it, where that is allowed (RFC 8767).
"""

import math
from collections.abc import Callable, Iterator

from msgspec.structs import replace

from anchord.cache import policy
from anchord.cache.proofs import ProofCache
from anchord.cache.store import AnswerCache, Entry
from anchord.model.clock import Clock
from anchord.model.ede import Ede, EdeCode
from anchord.model.names import Name
from anchord.model.question import ClientFlags, Question
from anchord.model.verdict import Answer

PROOFS, FAILURES = 8, 16
"""An eighth and a sixteenth of the octets are for proofs and for failures: room for thousands, and
yet names that somebody makes up push out nothing that is there."""

POPULAR = 3
"""Times that an answer must have been found before it is worth asking for anew: most names are
asked for in one burst, and never again."""


class Memory:
    """All that is remembered. `renew` is told of answers in use whose time is nearly over."""

    def __init__(
        self,
        capacity: int,
        clock: Clock,
        *,
        serve_stale: float,
        renew: Callable[[Question], None],
    ) -> None:
        self._clock = clock
        self._renew = renew
        self.proofs = ProofCache(capacity // PROOFS)
        self.failures = AnswerCache(capacity // FAILURES, kept_past=policy.FORGIVEN_AFTER)
        left = capacity - self.proofs.capacity - self.failures.capacity
        self.answers = AnswerCache(left, kept_past=serve_stale)
        self.stale_told = 0
        """Answers that were told although their time was over."""

    # ------------ Telling ------------

    def fresh(self, question: Question, now: float) -> Entry | None:
        """The answer whose time is not over; one in use is renewed when it nearly is."""
        entry = self.answers.find(question, now)
        if entry is not None and now >= entry.renew_at and entry.uses > POPULAR:
            entry.renew_at = math.inf
            self._renew(question)
        return entry

    def told_again(self, question: Question, flags: ClientFlags) -> Answer | None:
        """What there is to say where nothing is fresh and nobody need be asked: it has failed.

        That is an answer which is over, as long as it is no use to ask again; else the failure.
        """
        now = self._clock.monotonic()
        failure = self.failures.find(question, now)
        past = self.answers.past(question, now)
        is_asking_no_use = failure is not None or (past is not None and now < past.recheck_at)
        if is_asking_no_use and (stale := self.stale(question, flags)) is not None:
            self.stale_told += 1
            return stale
        return _as_cached_error(failure.aged(now)) if failure is not None else None

    def stale(self, question: Question, flags: ClientFlags) -> Answer | None:
        """An answer that is over and may be told to this client; else None.

        Its verdict stands for as long as every signature that it rests on, and no longer.
        """
        now = self._clock.monotonic()
        past = self.answers.past(question, now)
        if past is None or not policy.may_be_stale(question, flags):
            return None
        failure = self.failures.past(question, now)
        if (
            failure is not None
            and now < failure.expires_at
            and not policy.gives_way(failure.answer)
        ):
            return None
        left = past.answer.valid_until - self._clock.wall()
        return policy.stale(past.aged(now), min(policy.STALE_TTL, left)) if left > 0 else None

    # ------------ Keeping ------------

    def keep(self, question: Question, answer: Answer) -> None:
        """Remembers what has come of a question."""
        now = self._clock.monotonic()
        if not answer.verdict.status.is_failure:
            self.failures.forget(question)
            self.answers.put(question, answer, now)
            self.proofs.learn(answer, now)
            return
        before = self.failures.past(question, now)
        kept = policy.backed_off(answer, before.ttl if before else None)
        self.failures.put(question, kept, now)
        if past := self.answers.past(question, now):
            past.recheck_at = now + policy.RECHECK

    def forgive(self) -> None:
        """Forgets all failures: whatever they were, they may have been the network's of before."""
        self.failures.flush()
        for entry in self.answers.entries():
            entry.recheck_at = entry.stored_at

    def flush(self, name: Name | None = None) -> int:
        """Forgets a name and what is below it, or everything; returns how many answers went."""
        self.proofs.flush(name)
        return self.answers.flush(name) + self.failures.flush(name)

    def counts(self) -> Iterator[tuple[str, int]]:
        """For the statistics. Ages are in seconds, of answers that are not over."""
        now = self._clock.monotonic()
        ages = [
            int(now - entry.stored_at) for entry in self.answers.entries() if now < entry.expires_at
        ]
        stores = (self.answers, self.failures, self.proofs)
        yield "answers", len(self.answers) + len(self.failures)
        yield "proofs", len(self.proofs)
        yield "bytes", sum(store.bytes_used for store in stores)
        yield "capacity", sum(store.capacity for store in stores)
        yield "oldest", max(ages, default=0)
        yield "mean_age", sum(ages) // len(ages) if ages else 0
        yield "evictions", sum(store.evictions for store in stores)
        yield "hits", self.answers.hits
        yield "denial_hits", self.answers.denial_hits
        yield "failure_hits", self.failures.hits
        yield "stale", self.stale_told


def _as_cached_error(answer: Answer) -> Answer:
    """A failure told again: the original reasons first, then that it is remembered (RFC 9520)."""
    text = f"remembered for another {answer.ttl} seconds"
    return replace(answer, edes=(*answer.edes, Ede(EdeCode.CACHED_ERROR, text)))
