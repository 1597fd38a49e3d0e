"""The memo of exact queries: what it may keep, and for how long."""

from dataclasses import dataclass

import dns.message
import pytest
from msgspec.structs import replace

from anchord.cache.store import AnswerCache
from anchord.model.ede import Ede, EdeCode
from anchord.model.question import Question
from anchord.model.verdict import Answer, Flaw, Status, Verdict
from anchord.resolver.reply import render
from anchord.server.counters import Counters
from anchord.server.front import LONGEST_QUERY, MOST_ORIGINS, MOST_REPLIES, Front
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


def nothing_fresh(_: Question) -> None:
    return None


def a_front(clock: Hand | None = None, counters: Counters | None = None) -> Front:
    """A front with nothing behind it."""
    return Front(clock or Hand(), counters or Counters(), nothing_fresh)


def a_reply(wire: bytes, answer: Answer = ANSWER) -> bytes:
    query = read_query(wire)
    assert isinstance(query, Query)
    return render(answer, query, limit=1232)


def a_query(name: str = "www.example.", identifier: int = 1) -> bytes:
    message = make_query(name)
    message.id = identifier
    return message.to_wire()


def test_the_same_bytes_get_the_same_reply_with_their_own_id() -> None:
    front = a_front()
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
    front = a_front()
    wire = a_query()
    front.remember(wire, a_reply(wire), ANSWER)
    assert front.answer(a_query(other)) is None


def test_all_is_forgotten_when_the_second_is_over() -> None:
    clock = Hand()
    front = a_front(clock)
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
    front = a_front(clock)
    old, new = a_query("old.example."), a_query()
    front.remember(old, a_reply(old), ANSWER)
    clock.time += 1
    front.remember(new, a_reply(new), ANSWER)
    assert front.answer(old) is None
    assert front.answer(new) is not None


def test_all_is_forgotten_when_told_so() -> None:
    front = a_front()
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
    front = a_front()
    wire = a_query()
    front.remember(wire, a_reply(wire, answer), answer)
    assert front.answer(wire) is None


def test_no_more_replies_are_kept_than_the_limit() -> None:
    front = a_front()
    queries = [a_query(f"{number}.example.") for number in range(MOST_REPLIES + 1)]
    for wire in queries:
        front.remember(wire, wire, ANSWER)
    assert front.answer(queries[-2]) is not None
    assert front.answer(queries[-1]) is None


def test_no_longer_query_is_kept_than_the_limit() -> None:
    front = a_front()
    for length, is_kept in ((LONGEST_QUERY, True), (LONGEST_QUERY + 1, False)):
        wire = a_query().ljust(length, b"\0")
        front.remember(wire, wire, ANSWER)
        assert (front.answer(wire) is not None) == is_kept


def test_what_it_answers_is_counted_like_everything_else() -> None:
    counters = Counters()
    front = a_front(counters=counters)
    wire = a_query()
    front.remember(wire, a_reply(wire), ANSWER)
    for _ in range(3):
        front.answer(wire)
    counts = counters.snapshot()
    assert counts["front_hits"] == counts["status.secure"] == counts["rcode.NOERROR"] == 3


# ------------ Renewed in a later second ------------


@dataclass
class Kept:
    """A front with a cache behind it, as the resolver has it."""

    clock: Hand
    cache: AnswerCache
    front: Front
    counters: Counters

    def put(self, answer: Answer = ANSWER) -> None:
        self.cache.put(answer.question, answer, self.clock.time)

    def tell(self, wire: bytes, answer: Answer = ANSWER) -> bytes:
        """The reply out of the cache, the long way."""
        entry = self.cache.find(answer.question, self.clock.time)
        assert entry is not None
        told = entry.aged(self.clock.time)
        reply = a_reply(wire, told)
        self.front.remember(wire, reply, told, entry)
        return reply


def a_kept_answer(answer: Answer = ANSWER) -> Kept:
    clock, cache, counters = Hand(), AnswerCache(1 << 20), Counters()
    front = Front(clock, counters, lambda question: cache.find(question, clock.time))
    kept = Kept(clock, cache, front, counters)
    kept.put(answer)
    return kept


def test_in_a_later_second_it_is_the_reply_that_the_long_way_gives() -> None:
    answer = answer_of(
        rrset("www.example.", "A", "192.0.2.1", "192.0.2.2"),
        rrset("www.example.", "TXT", "x" * 200, ttl=200),
        ttl=200,
    )
    kept = a_kept_answer(answer)
    wire = make_query("wWw.example.", use_edns=0, want_dnssec=True).to_wire()
    kept.clock.time += 3
    kept.tell(wire, answer)
    for seconds in (1, 40, 0.5, 155):
        kept.clock.time += seconds
        kept.front.tick()
        again = b"\xab\xcd" + wire[2:]
        assert kept.front.renewed(again) == b"\xab\xcd" + kept.tell(wire, answer)[2:]
        assert kept.front.answer(wire) == kept.tell(wire, answer)
    kept.clock.time += 1
    assert kept.front.renewed(wire) is None


def test_what_was_not_asked_or_did_not_come_from_the_cache_is_not_renewed() -> None:
    kept = a_kept_answer()
    wire = a_query()
    assert kept.front.renewed(wire) is None
    kept.front.remember(wire, a_reply(wire), ANSWER)
    assert kept.front.renewed(wire) is None


def test_another_entry_for_the_same_question_ends_it() -> None:
    kept = a_kept_answer()
    kept.tell(a_query())
    kept.clock.time += 1
    kept.put(answer_of(rrset("www.example.", "A", "192.0.2.99")))
    assert kept.front.renewed(a_query()) is None
    kept.clock.time += 1
    assert kept.front.renewed(a_query()) is None


@pytest.mark.parametrize("end", ["flushed", "expired", "cleared"])
def test_what_has_gone_is_not_renewed(end: str) -> None:
    kept = a_kept_answer()
    kept.tell(a_query())
    match end:
        case "flushed":
            kept.cache.flush()
        case "expired":
            kept.clock.time += ANSWER.ttl
        case "cleared":
            kept.front.clear()
    assert kept.front.renewed(a_query()) is None


def test_what_is_not_plain_is_not_renewed() -> None:
    answer = replace(ANSWER, verdict=Verdict(Status.BOGUS))
    kept = a_kept_answer(answer)
    kept.tell(a_query(), answer)
    kept.clock.time += 1
    assert kept.front.renewed(a_query()) is None


def test_the_origins_of_the_latest_replies_are_kept_and_no_more() -> None:
    kept = a_kept_answer()
    queries = [a_query() + number.to_bytes(2) for number in range(MOST_ORIGINS + 1)]
    entry = kept.cache.find(ANSWER.question, kept.clock.time)
    for wire in queries:
        kept.front.remember(wire, a_reply(a_query()), ANSWER, entry)
    kept.clock.time += 1
    assert kept.front.renewed(queries[0]) is None
    assert all(kept.front.renewed(wire) for wire in queries[1:])


def test_a_renewed_reply_is_counted_like_everything_else() -> None:
    kept = a_kept_answer()
    kept.tell(a_query())
    kept.clock.time += 1
    kept.front.renewed(a_query())
    counts = kept.counters.snapshot()
    assert counts["front_hits"] == counts["status.secure"] == counts["rcode.NOERROR"] == 1
