"""The bytes an answer is said to take are those that the allocator gives out for it."""

import gc
import tracemalloc
from collections.abc import Callable
from random import Random

import msgspec
import pytest

from anchord.cache.sizes import octets_of
from anchord.cache.store import AnswerCache
from anchord.model import names, rcodes, rdtypes
from anchord.model.chain import Link
from anchord.model.ede import Ede, EdeCode
from anchord.model.question import Question
from anchord.model.response import RRset
from anchord.model.verdict import Answer, Checked, Flaw, Status, Verdict
from anchord.wire.message import read_response

COUNT = 1500
TOLERANCE = 0.15


def from_wire(
    question: Question, rcode: int, answer: list[RRset], authority: list[RRset]
) -> Answer:
    """An answer whose every byte came out of a message, as at run time."""
    sections = [records(rrset) for rrset in answer], [records(rrset) for rrset in authority]
    wire = b"".join(
        (
            b"\0\0" + (0x8180 | rcode).to_bytes(2) + b"\0\x01",
            *(sum(count for count, _ in section).to_bytes(2) for section in sections),
            b"\0\0" + question.name + question.rdtype.to_bytes(2) + b"\0\x01",
            *(wire for section in sections for _, wire in section),
        )
    )
    response = read_response(wire, question)
    return Answer(
        question=question,
        rcode=response.rcode,
        answer=tuple(checked(rrset) for rrset in response.answer),
        authority=tuple(checked(rrset) for rrset in response.authority),
        verdict=Verdict(Status.SECURE),
        ttl=3600 + len(wire),
    )


def checked(rrset: RRset) -> Checked:
    return Checked(rrset, Status.SECURE if rrset.signatures else Status.INSECURE)


def records(rrset: RRset) -> tuple[int, bytes]:
    """How many records the set and its RRSIGs are, and their wire form."""
    wire = [
        rrset.name
        + rdtype.to_bytes(2)
        + b"\0\x01"
        + rrset.ttl.to_bytes(4)
        + len(rdata).to_bytes(2)
        + rdata
        for rdtype, rdatas in ((rrset.rdtype, rrset.rdatas), (rdtypes.RRSIG, rrset.signatures))
        for rdata in rdatas
    ]
    return len(wire), b"".join(wire)


def rrset(name: bytes, rdtype: int, chance: Random, rdatas: int, length: int) -> RRset:
    signature = rdtype.to_bytes(2) + bytes(16) + b"\x07example\x03com\0" + chance.randbytes(64)
    return RRset(
        name=name,
        rdtype=rdtype,
        ttl=chance.randrange(300, 86400),
        rdatas=tuple(chance.randbytes(length) for _ in range(rdatas)),
        signatures=(signature,),
        signature_ttl=3600,
    )


def name(chance: Random) -> bytes:
    return names.from_text(f"w{chance.randrange(1 << 40):x}.example{chance.randrange(5000)}.com")


def unsigned_address(chance: Random) -> Answer:
    question = Question(name(chance), rdtypes.A)
    addresses = RRset(question.name, rdtypes.A, 299, (chance.randbytes(4), chance.randbytes(4)))
    return from_wire(question, rcodes.NOERROR, [addresses], [])


def signed_addresses(chance: Random) -> Answer:
    question = Question(name(chance), rdtypes.AAAA)
    return from_wire(
        question, rcodes.NOERROR, [rrset(question.name, rdtypes.AAAA, chance, 3, 16)], []
    )


def long_text(chance: Random) -> Answer:
    question = Question(name(chance), rdtypes.TXT)
    return from_wire(
        question, rcodes.NOERROR, [rrset(question.name, rdtypes.TXT, chance, 4, 250)], []
    )


def proven_absence(chance: Random) -> Answer:
    question = Question(name(chance), rdtypes.A)
    zone = names.parent(question.name)
    denials = [rrset(b"\x20" + b"h" * 32 + zone, rdtypes.NSEC3, chance, 1, 40) for _ in range(1)]
    denials += [rrset(b"\x20" + b"k" * 32 + zone, rdtypes.NSEC3, chance, 1, 40)]
    return from_wire(
        question, rcodes.NXDOMAIN, [], [rrset(zone, rdtypes.DNSKEY, chance, 1, 60), *denials]
    )


def failure_with_reasons(chance: Random) -> Answer:
    question = Question(name(chance), rdtypes.A)
    flaw = Flaw(
        EdeCode.SIGNATURE_EXPIRED,
        f"the signature of {names.to_text(question.name)} expired {chance.random()} ago",
        names.parent(question.name),
        (("key_tag", chance.randrange(300, 65536)), ("algorithm", 13)),
    )
    return Answer(
        question=question,
        rcode=rcodes.SERVFAIL,
        answer=(),
        authority=(),
        verdict=Verdict(Status.BOGUS, flaws=(flaw,)),
        ttl=60,
        edes=(Ede(22, f"from dns{chance.random()}.example: no"),),
    )


@pytest.mark.parametrize(
    "make",
    [unsigned_address, signed_addresses, long_text, proven_absence, failure_with_reasons],
)
def test_the_estimate_is_close_to_what_the_allocator_gave(
    make: Callable[[Random], Answer],
) -> None:
    chance = Random(20326)
    cache = AnswerCache(1 << 30)
    make(chance)  # what is set up on first use is no part of an entry
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(COUNT):
            answer = make(chance)
            cache.put(answer.question, answer, 1000.0 + chance.random())
        del answer
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(cache) == COUNT
    assert cache.bytes_used == pytest.approx(after - before, rel=TOLERANCE)


def test_an_entry_that_is_told_takes_no_more_than_before() -> None:
    chance = Random(38696)
    cache = AnswerCache(1 << 30)
    questions = []
    for _ in range(300):
        answer = signed_addresses(chance)
        cache.put(answer.question, answer, 0.5)
        questions.append(answer.question)
    del answer
    gc.collect()
    tracemalloc.start()
    try:
        for question in questions:
            entry = cache.get(question, 100)
            assert entry is not None
            entry.aged(100)
        del entry
        gc.collect()
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 300 * 50


@pytest.mark.parametrize("rdatas", [0, 1, 4, 200])
def test_the_estimate_of_an_rrset_is_close_too(rdatas: int) -> None:
    chance = Random(4509)
    wanted = [rrset(name(chance), rdtypes.NSEC3, chance, rdatas, 40) for _ in range(COUNT)]
    gc.collect()
    tracemalloc.start()
    try:
        copies = [copied(each) for each in wanted]
        gc.collect()
        octets, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(map(octets_of, copies)) == pytest.approx(octets, rel=TOLERANCE)


def copied(value: RRset) -> RRset:
    """The same, of objects of its own."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=RRset)


def link(text: str) -> Link:
    zone = names.from_text(text)
    return Link(zone, Status.SECURE, dnskey=RRset(zone, rdtypes.DNSKEY, 3600, (bytes(300),)))


def answer_below(text: str, chain: tuple[Link, ...]) -> Answer:
    question = Question(names.from_text(text), rdtypes.A)
    return Answer(question, 0, (), (), Verdict(Status.SECURE, chain=chain), 60)


def test_links_that_answers_share_count_once_and_until_the_last_of_them_goes() -> None:
    cache = AnswerCache(1 << 20)
    com = link("com")
    one = answer_below("a.example.com", (com,))
    other = answer_below("b.example.com", (com,))
    cache.put(one.question, one, 0)
    alone = cache.bytes_used
    cache.put(other.question, other, 0)
    both = cache.bytes_used
    assert both - alone < 1000 < alone
    cache.flush(one.question.name)
    assert cache.bytes_used == alone
    cache.flush(other.question.name)
    assert cache.bytes_used == 0


def test_links_of_their_own_count_for_each_answer() -> None:
    cache = AnswerCache(1 << 20)
    for number in range(3):
        answer = answer_below(f"{number}.example.com", (link("com"),))
        cache.put(answer.question, answer, 0)
    assert cache.bytes_used > 3 * 1000
