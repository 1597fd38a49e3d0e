"""One question to several validators, and what each makes of it, in words that can be compared."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import trio

from anchord.dnssec.anchors import trust_anchors
from anchord.dnssec.asking import Context
from anchord.dnssec.replay import Zones, validate_question
from anchord.model import names, rcodes, rdtypes
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.response import Response, RRset, Unanswered
from anchord.model.verdict import Answer, Status
from anchord.wire.errors import FormError
from anchord.wire.message import read_response
from anchord.wire.query import write_query

PATIENCE = 8.0
"""Seconds for a resolver to answer; then it has failed."""
AT_ONCE = 16
"""Questions to a resolver at one time."""

Replier = Callable[[bytes], bytes]
"""An upstream: from query to response."""


@dataclass(frozen=True)
class Said:
    """What a validator says: FAILED alone, or the status with the code and the answer's records.

    `why` is for people.
    """

    word: str
    rcode: int = 0
    records: frozenset[tuple[Name, int, bytes]] = frozenset()
    why: str = ""

    @property
    def failed(self) -> bool:
        return self.word == FAILED

    def agrees(self, other: "Said") -> bool:
        """Whether both say the same, whatever their reasons."""
        return (self.word, self.rcode, self.records) == (other.word, other.rcode, other.records)


FAILED = "failed"


# ------------ anchord ------------


def judged(question: Question, upstream: Replier, anchor: RRset, now: int) -> Answer | Unanswered:
    """The engine's answer over that upstream, which is asked in bytes."""

    def answers(question: Question) -> Response | Unanswered:
        try:
            response = read_response(upstream(write_query(question)), question)
        except FormError:
            return Unanswered(question, ())
        usable = (rcodes.NOERROR, rcodes.NXDOMAIN, rcodes.YXDOMAIN)
        return response if response.rcode in usable else Unanswered(question, ())

    anchors = trust_anchors((anchor.name, anchor.rdtype, rdata) for rdata in anchor.rdatas)
    return validate_question(question, answers, Context(anchors, Zones()), now)


def ours(answer: Answer | Unanswered) -> Said:
    """The same in the words of this module."""
    if isinstance(answer, Unanswered):
        return Said(FAILED, why="there is no answer that can be read")
    verdict = answer.verdict
    if verdict.status.is_failure:
        return Said(FAILED, why="; ".join(flaw.text for flaw in verdict.flaws))
    records = (
        (checked.rrset.name, checked.rrset.rdtype, rdata)
        for checked in answer.answer
        for rdata in checked.rrset.rdatas
        if checked.rrset.rdtype != rdtypes.RRSIG
    )
    word = Status.SECURE if verdict.status is Status.SECURE else Status.INSECURE
    return Said(word.word, answer.rcode, frozenset(records))


# ------------ Resolvers that are not ours ------------


def theirs(port: int, questions: Iterable[Question]) -> dict[Question, Said]:
    """What the resolver at that port of 127.0.0.1 says to each."""
    return trio.run(_all, port, list(questions))


async def _all(port: int, questions: list[Question]) -> dict[Question, Said]:
    said: dict[Question, Said] = {}
    free = trio.Semaphore(AT_ONCE)

    async def one(question: Question) -> None:
        async with free:
            said[question] = await _ask(port, question)

    async with trio.open_nursery() as nursery:
        for question in questions:
            nursery.start_soon(one, question)
    return said


async def _ask(port: int, question: Question) -> Said:
    query = dns.message.make_query(
        names.to_text(question.name),
        dns.rdatatype.RdataType.make(question.rdtype),
        want_dnssec=True,
    )
    try:
        reply, _ = await dns.asyncquery.udp_with_fallback(
            query, "127.0.0.1", timeout=PATIENCE, port=port
        )
    except dns.exception.DNSException as error:
        return Said(FAILED, why=repr(error))
    if reply.rcode() == dns.rcode.SERVFAIL:
        return Said(FAILED)
    records = (
        ((rrset.name.to_wire() or b"").lower(), int(rrset.rdtype), rdata.to_wire() or b"")
        for rrset in reply.answer
        for rdata in rrset
        if rrset.rdtype != dns.rdatatype.RRSIG
    )
    word = Status.SECURE if reply.flags & dns.flags.AD else Status.INSECURE
    return Said(word.word, int(reply.rcode()), frozenset(records))
