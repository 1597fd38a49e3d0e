"""Rows of the lab's table, asked of a daemon from outside, and what it says otherwise."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from anchord.lab.plan import Case
from anchord.lab.world import World
from anchord.model import rcodes
from anchord.model.ede import EdeCode
from anchord.model.response import Response
from anchord.model.verdict import Status
from anchord.wire.options import MOST_EDES

from .asking import Reply, ask_question
from .command import Daemon


def differing(daemon: Daemon, world: World, cases: Iterable[Case]) -> list[str]:
    """What the daemon says otherwise than the rows: cold and warm, without CD and with it."""
    return [f"{case}: {difference}" for case in cases for difference in _row(daemon, world, case)]


def _row(daemon: Daemon, world: World, case: Case) -> Iterator[str]:
    for cd in (False, True):
        daemon.ask("flush")
        for time in ("cold", "warm"):
            reply = ask_question(daemon.port, case.question, cd=cd)
            expected = Expected.of(case, world, cd=cd)
            for difference in expected.differences(reply, is_repeated=time == "warm"):
                yield f"{time}, CD={cd:d}: {difference}"


@dataclass(frozen=True)
class Expected:
    """What a client must see that asked with DO."""

    case: Case
    rcode: str
    is_withheld: bool

    @classmethod
    def of(cls, case: Case, world: World, *, cd: bool) -> "Expected":
        """For a client with or without CD: with it, a failure is the data with its reason."""
        is_withheld = case.status.is_failure and not cd
        rcode = case.rcode
        if case.status.is_failure and cd:
            said = world.answer(case.question)
            rcode = _rcode(said) if isinstance(said, Response) else rcodes.SERVFAIL
        return cls(case, rcodes.to_text(rcode), is_withheld)

    def differences(self, reply: Reply, *, is_repeated: bool) -> Iterator[str]:
        """Each thing in the reply that is not as it must be."""
        case = self.case
        if reply.rcode != self.rcode:
            yield f"{reply.rcode}, not {self.rcode}"
        has_ad = case.status is Status.SECURE and reply.rcode in {"NOERROR", "NXDOMAIN"}
        if reply.is_authentic != has_ad:
            yield f"AD is {reply.is_authentic:d}"
        if self.is_withheld and reply.types:
            yield f"records in a failure: {reply.types}"
        if not self._accepts(reply.codes):
            yield f"codes {reply.codes}, not {case.codes} first"
        if not self.is_withheld:
            return
        if not all(ede.text for ede in reply.edes):
            yield f"codes {reply.codes}, not all with a text"
        is_remembered = EdeCode.CACHED_ERROR in reply.codes
        if is_remembered != is_repeated and len(reply.codes) < MOST_EDES:
            yield f"codes {reply.codes}, and asked {'again' if is_repeated else 'once'}"

    def _accepts(self, codes: list[int]) -> bool:
        return codes[0] in self.case.codes if codes else not self.case.codes


def _rcode(said: Response) -> int:
    """What belongs to the answer itself, where its code is about the end of an alias chain."""
    question = said.question
    is_answered = any(
        (rrset.name, rrset.rdtype) == (question.name, question.rdtype) for rrset in said.answer
    )
    return rcodes.NOERROR if is_answered else said.rcode
