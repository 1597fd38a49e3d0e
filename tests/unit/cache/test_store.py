"""The answer cache: what it gives back and for how long, what goes first, what it forgets."""

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from anchord.cache.sizes import LARGEST_SHARE, ORDINARY
from anchord.cache.store import AnswerCache, Entry
from anchord.config.schema import SMALLEST_CACHE, Cache
from anchord.config.units import DomainName, Moment
from anchord.model import names, rdtypes
from anchord.model.chain import Link
from anchord.model.ede import Ede, EdeCode
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.response import RRset
from anchord.model.verdict import Answer, Checked, Flaw, Status, Verdict
from anchord.resolver.memory import FAILURES, PROOFS


def question(text: str, rdtype: int = rdtypes.A) -> Question:
    return Question(names.from_text(text), rdtype)


def answer(asked: Question, ttl: int, *, signature_ttl: int = 0, length: int = 4) -> Answer:
    rrset = RRset(
        name=asked.name,
        rdtype=asked.rdtype,
        ttl=ttl,
        rdatas=(bytes(length),),
        signatures=(b"signature",),
        signature_ttl=signature_ttl or ttl,
    )
    checked = (Checked(rrset, Status.SECURE),)
    return Answer(asked, 0, checked, (), Verdict(Status.SECURE), ttl)


def ttl_of(entry: Entry, now: float) -> int:
    return entry.aged(now).answer[0].rrset.ttl


WWW = question("www.example.com")
ROOMY = 1 << 20


def test_an_answer_is_given_back_until_its_ttl_ends_and_not_a_moment_longer() -> None:
    cache = AnswerCache(ROOMY)
    cache.put(WWW, answer(WWW, 60), 1000.25)
    assert cache.get(WWW, 1000.25) is not None
    assert cache.get(WWW, 1060.24) is not None
    assert cache.get(WWW, 1060.25) is None
    assert (cache.hits, cache.misses) == (2, 1)


def test_an_expired_answer_leaves_no_bytes_behind_once_it_was_asked_for() -> None:
    cache = AnswerCache(ROOMY)
    cache.put(WWW, answer(WWW, 60), 0)
    assert cache.bytes_used > 0
    cache.get(WWW, 60)
    assert (cache.bytes_used, len(cache), cache.evictions) == (0, 0, 0)


def test_every_ttl_in_an_aged_answer_is_lower_by_the_whole_seconds_that_passed() -> None:
    cache = AnswerCache(ROOMY)
    cache.put(WWW, answer(WWW, 300, signature_ttl=200), 10.5)
    entry = cache.get(WWW, 10.5)
    assert entry is not None
    for now, passed in [(10.5, 0), (11.49, 0), (11.5, 1), (210.5, 200), (309.9, 299)]:
        aged = entry.aged(now)
        assert aged.ttl == 300 - passed
        assert aged.answer[0].rrset.ttl == 300 - passed
        assert aged.answer[0].rrset.signature_ttl == max(0, 200 - passed)


def test_ttls_in_the_authority_section_age_as_well_and_stop_at_zero() -> None:
    soa = RRset(names.from_text("example.com"), rdtypes.SOA, 3, (b"soa",))
    denial = Answer(WWW, 3, (), (Checked(soa, Status.SECURE),), Verdict(Status.SECURE), 60)
    entry = Entry(denial, 0)
    assert entry.aged(2).authority[0].rrset.ttl == 1
    assert entry.aged(50).authority[0].rrset.ttl == 0
    assert entry.aged(50).ttl == 10


def test_an_entry_gives_back_all_that_an_answer_says() -> None:
    facts = (("key_tag", 4711), ("until", Moment(2**31)), ("a", "b"))
    flaw = Flaw(EdeCode.SIGNATURE_EXPIRED, "it is over", DomainName(WWW.name), facts)
    link = Link(names.ROOT, Status.SECURE, anchored=True)
    told = replace(
        answer(WWW, 300),
        rcode=3,
        authority=(Checked(RRset(WWW.name, 6, 9, (b"soa",), owner=b"\3WWW\0"), Status.BOGUS),),
        verdict=Verdict(Status.BOGUS, (flaw,), (link,)),
        edes=(Ede(22, "nobody"), Ede(49152)),
        nxname=True,
        upstream="tls://192.0.2.1",
        valid_until=2**40 - 2,
    )
    entry = Entry(told, 0)
    assert entry.answer == entry.aged(0.9) == told
    assert isinstance(entry.answer.verdict.flaws[0].code, EdeCode)
    assert entry.answer.verdict.chain[0] is link


def test_a_new_answer_takes_the_place_of_the_old_one_and_its_bytes() -> None:
    cache = AnswerCache(ROOMY)
    cache.put(WWW, answer(WWW, 60, length=4000), 0)
    cache.put(WWW, answer(WWW, 100), 50)
    assert len(cache) == 1
    assert cache.bytes_used == Entry(answer(WWW, 100), 0).size
    entry = cache.get(WWW, 149)
    assert entry is not None
    assert ttl_of(entry, 149) == 1


def test_an_answer_with_a_ttl_of_zero_is_not_kept_and_ends_what_was_known_before() -> None:
    cache = AnswerCache(ROOMY)
    cache.put(WWW, answer(WWW, 60), 0)
    cache.put(WWW, answer(WWW, 0), 1)
    assert cache.get(WWW, 1) is None
    assert cache.bytes_used == 0


def test_types_and_names_are_kept_apart() -> None:
    cache = AnswerCache(ROOMY)
    cache.put(WWW, answer(WWW, 60), 0)
    assert cache.get(question("www.example.com", rdtypes.AAAA), 0) is None
    assert cache.get(question("example.com"), 0) is None


def test_the_least_recently_used_answers_go_first_when_the_bytes_run_out() -> None:
    asked = [question(f"host{number}.example.com") for number in range(5)]
    size = Entry(answer(asked[0], 60), 0).size
    cache = AnswerCache(4 * size + size // 2)
    for each in asked[:4]:
        cache.put(each, answer(each, 60), 0)
    assert cache.get(asked[0], 1) is not None
    cache.put(asked[4], answer(asked[4], 60), 1)
    assert cache.evictions == 1
    assert [cache.get(each, 2) is not None for each in asked] == [True, False, True, True, True]


def test_an_answer_larger_than_the_cache_is_not_kept() -> None:
    cache = AnswerCache(2000)
    cache.put(WWW, answer(WWW, 60, length=4000), 0)
    assert cache.get(WWW, 0) is None
    assert (cache.bytes_used, cache.evictions) == (0, 0)


def test_an_answer_larger_than_a_sixteenth_is_not_kept_and_nothing_goes_for_it() -> None:
    cache = AnswerCache(ROOMY)
    others = [question(f"host{number}.example.com") for number in range(ROOMY // 40_000)]
    for each in others:
        cache.put(each, answer(each, 60, length=39_000), 0)
    free = ROOMY // LARGEST_SHARE - Entry(answer(WWW, 60, length=60_000), 0).size
    cache.put(WWW, answer(WWW, 60, length=60_000 + free + 1), 0)
    assert cache.get(WWW, 0) is None
    assert (len(cache), cache.evictions) == (len(others), 0)
    cache.put(WWW, answer(WWW, 60, length=60_000 + free), 0)
    assert cache.get(WWW, 0) is not None
    assert 0 < cache.evictions <= 2
    cache.put(WWW, answer(WWW, 60, length=60_000 + free + 1), 1)
    assert cache.get(WWW, 1) is None, "what was known before goes all the same"


def test_the_chain_of_an_answer_counts_although_others_share_it() -> None:
    """Else a chain that fills the cache, link by link, would push out all but one answer."""
    cache = AnswerCache(ROOMY)
    keys = (bytes(10_000),)
    chain = tuple(
        Link(zone, Status.SECURE, dnskey=RRset(zone, rdtypes.DNSKEY, 60, keys))
        for zone in (names.from_text(f"z{number}.example.com") for number in range(7))
    )
    for depth in range(1, 8):
        each = question(f"host{depth}.example.com")
        verdict = Verdict(Status.SECURE, chain=chain[:depth])
        cache.put(each, replace(answer(each, 60), verdict=verdict), 0)
    assert len(cache) == 6, "six such links and an answer are less than a sixteenth"


def test_in_the_smallest_cache_an_ordinary_failure_is_remembered_with_its_chain() -> None:
    share = SMALLEST_CACHE // FAILURES
    assert share // LARGEST_SHARE < ORDINARY < share
    cache = AnswerCache(share)
    fits = ORDINARY - Entry(answer(WWW, 60, length=20_000), 0).size
    cache.put(WWW, answer(WWW, 60, length=20_000 + fits + 1), 0)
    assert cache.get(WWW, 0) is None
    cache.put(WWW, answer(WWW, 60, length=20_000 + fits), 0)
    assert cache.get(WWW, 0) is not None


def test_an_answer_of_64_kib_is_kept_in_every_part_of_a_cache_of_the_default_size() -> None:
    for part in (FAILURES, PROOFS, 1):
        cache = AnswerCache(Cache().size // part)
        cache.put(WWW, answer(WWW, 60, length=65_535), 0)
        assert cache.get(WWW, 0) is not None


def test_a_cache_without_room_keeps_nothing() -> None:
    cache = AnswerCache(0)
    cache.put(WWW, answer(WWW, 60), 0)
    assert (len(cache), cache.bytes_used) == (0, 0)


def test_flush_of_a_name_forgets_it_and_what_is_below_and_nothing_else() -> None:
    cache = AnswerCache(ROOMY)
    texts = ["example.com", "a.example.com", "b.a.example.com", "badexample.com", "com"]
    for text in texts:
        cache.put(question(text), answer(question(text), 60), 0)
    assert cache.flush(names.from_text("example.com")) == 3
    assert [cache.get(question(text), 0) is not None for text in texts] == [
        False, False, False, True, True,
    ]  # fmt: skip


def test_flush_of_everything_leaves_nothing() -> None:
    cache = AnswerCache(ROOMY)
    for number in range(10):
        each = question(f"host{number}.example.com")
        cache.put(each, answer(each, 60), 0)
    assert cache.flush() == 10
    assert (len(cache), cache.bytes_used, cache.evictions) == (0, 0, 0)


# ------------ Against a model ------------


@dataclass
class Kept:
    """What the model knows of an entry."""

    ttl: int
    stored_at: float
    used: int
    size: int


LABELS = st.sampled_from(["a", "b", "c"])
NAMES = st.lists(LABELS, min_size=1, max_size=3).map(lambda parts: names.from_text(".".join(parts)))
QUESTIONS = st.builds(Question, NAMES, st.sampled_from([rdtypes.A, rdtypes.AAAA]))
CAPACITY = 4000


class CacheAgainstModel(RuleBasedStateMachine):
    """Random puts, gets, flushes and pauses; the model is a dict that is scanned."""

    def __init__(self) -> None:
        super().__init__()
        self.cache = AnswerCache(CAPACITY)
        self.model: dict[Question, Kept] = {}
        self.now = 5.0
        self.uses = 0
        self.evictions = 0

    def used(self) -> int:
        self.uses += 1
        return self.uses

    @rule(asked=QUESTIONS, ttl=st.integers(0, 20), length=st.integers(0, 5000))
    def put(self, asked: Question, ttl: int, length: int) -> None:
        kept = answer(asked, ttl, length=length)
        self.cache.put(asked, kept, self.now)
        self.model.pop(asked, None)
        if ttl and (size := Entry(kept, 0).size) <= CAPACITY:
            self.model[asked] = Kept(ttl, self.now, self.used(), size)
        while sum(each.size for each in self.model.values()) > CAPACITY:
            del self.model[min(self.model, key=lambda each: self.model[each].used)]
            self.evictions += 1

    @rule(asked=QUESTIONS)
    def get(self, asked: Question) -> None:
        entry = self.cache.get(asked, self.now)
        known = self.model.get(asked)
        if known is None or self.now >= known.stored_at + known.ttl:
            assert entry is None
            self.model.pop(asked, None)
            return
        assert entry is not None
        known.used = self.used()
        remaining = known.stored_at + known.ttl - self.now
        assert remaining <= ttl_of(entry, self.now) < remaining + 1
        assert entry.aged(self.now).question == asked

    @rule(name=NAMES)
    def flush(self, name: Name) -> None:
        below = [each for each in self.model if names.is_at_or_below(each.name, name)]
        assert self.cache.flush(name) == len(below)
        for each in below:
            del self.model[each]

    @rule(seconds=st.floats(0, 12))
    def pause(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def the_same_is_kept_in_as_many_bytes(self) -> None:
        assert len(self.cache) == len(self.model)
        assert self.cache.bytes_used == sum(each.size for each in self.model.values()) <= CAPACITY
        assert self.cache.evictions == self.evictions


CacheAgainstModel.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestCacheAgainstModel = CacheAgainstModel.TestCase
