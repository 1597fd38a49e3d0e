"""The memo of exact queries: what it may keep, and for how long."""

from dataclasses import dataclass, replace

import dns.message
import pytest

from anchord.model.ede import Ede, EdeCode
from anchord.model.verdict import Answer, Flaw, Status, Verdict
from anchord.resolver.reply import render
from anchord.server.counters import Counters
from anchord.server.front import LONGEST_QUERY, MOST_REPLIES, Front
from anchord.wire.message import Query, read_query
from support.doors import answer_of, make_query, rrset

ANSWER = answer_of(rrset("www.example.", "A", "192.0.2.1"))


@dataclass
class Hand:
    """A clock that is moved by hand."""

    time: float = 1000.25

    def wall(self) -> int:
        return int(self.time)

    def monotonic(self) -> float:
        return self.time


def a_reply(wire: bytes, answer: Answer = ANSWER) -> bytes:
    query = read_query(wire)
    assert isinstance(query, Query)
    return render(answer, query, limit=1232)


def a_query(name: str = "www.example.", identifier: int = 1) -> bytes:
    message = make_query(name)
    message.id = identifier
    return message.to_wire()


def test_the_same_bytes_get_the_same_reply_with_their_own_id() -> None:
    front = Front(Hand(), Counters())
    wire = a_query(identifier=7)
    assert front.answer(wire) is None
    front.remember(wire, a_reply(wire), ANSWER)
    again = a_query(identifier=0xFFFF)
    reply = front.answer(again)
    assert reply is not None
    assert dns.message.from_wire(again).is_response(dns.message.from_wire(reply))
    assert reply[2:] == a_reply(wire)[2:]


@pytest.mark.parametrize("other", ["WWW.example.", "www.example.org."])
def test_other_bytes_are_another_query_be_it_by_their_case(other: str) -> None:
    front = Front(Hand(), Counters())
    wire = a_query()
    front.remember(wire, a_reply(wire), ANSWER)
    assert front.answer(a_query(other)) is None


def test_all_is_forgotten_when_the_second_is_over() -> None:
    clock = Hand()
    front = Front(clock, Counters())
    wire = a_query()
    front.remember(wire, a_reply(wire), ANSWER)
    clock.time = 1000.99
    front.tick()
    assert front.answer(wire) is not None
    clock.time = 1001.0
    front.tick()
    assert front.answer(wire) is None


def test_a_reply_of_a_new_second_is_not_kept_beside_those_of_the_old() -> None:
    clock = Hand()
    front = Front(clock, Counters())
    old, new = a_query("old.example."), a_query()
    front.remember(old, a_reply(old), ANSWER)
    clock.time += 1
    front.remember(new, a_reply(new), ANSWER)
    assert front.answer(old) is None
    assert front.answer(new) is not None


def test_all_is_forgotten_when_told_so() -> None:
    front = Front(Hand(), Counters())
    wire = a_query()
    front.remember(wire, a_reply(wire), ANSWER)
    front.clear()
    assert front.answer(wire) is None


@pytest.mark.parametrize(
    "answer",
    [
        replace(ANSWER, ttl=0),
        replace(ANSWER, edes=(Ede(EdeCode.STALE_ANSWER),)),
        replace(ANSWER, verdict=Verdict(Status.BOGUS)),
        replace(ANSWER, verdict=Verdict(Status.UNOBTAINABLE)),
        replace(
            ANSWER,
            verdict=Verdict(
                Status.INSECURE, (Flaw(EdeCode.NEGATIVE_TRUST_ANCHOR, "until May", b"\0"),)
            ),
        ),
    ],
    ids=["ttl 0", "stale", "bogus", "unobtainable", "negative anchor"],
)
def test_what_is_not_plain_is_not_kept(answer: Answer) -> None:
    front = Front(Hand(), Counters())
    wire = a_query()
    front.remember(wire, a_reply(wire, answer), answer)
    assert front.answer(wire) is None


def test_no_more_replies_are_kept_than_the_limit() -> None:
    front = Front(Hand(), Counters())
    queries = [a_query(f"{number}.example.") for number in range(MOST_REPLIES + 1)]
    for wire in queries:
        front.remember(wire, wire, ANSWER)
    assert front.answer(queries[-2]) is not None
    assert front.answer(queries[-1]) is None


def test_no_longer_query_is_kept_than_the_limit() -> None:
    front = Front(Hand(), Counters())
    for length, is_kept in ((LONGEST_QUERY, True), (LONGEST_QUERY + 1, False)):
        wire = a_query().ljust(length, b"\0")
        front.remember(wire, wire, ANSWER)
        assert (front.answer(wire) is not None) == is_kept


def test_what_it_answers_is_counted_like_everything_else() -> None:
    counters = Counters()
    front = Front(Hand(), counters)
    wire = a_query()
    front.remember(wire, a_reply(wire), ANSWER)
    for _ in range(3):
        front.answer(wire)
    counts = counters.snapshot()
    assert counts["front_hits"] == counts["status.secure"] == counts["rcode.NOERROR"] == 3
