"""The cache of proven zones: the deepest that still holds, for as long as its proof does."""

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from anchord.cache.zones import MAX_ZONES, ZoneCache
from anchord.model import names
from anchord.model.names import Name

WALL = 1_700_000_000


@dataclass(frozen=True, slots=True)
class Proof:
    """As much of a zone's proof as the cache needs."""

    zone: Name
    expires_in: int = 3600
    valid_until: int = WALL + 86_400


def proof(text: str, expires_in: int = 3600, valid_until: int = WALL + 86_400) -> Proof:
    return Proof(names.from_text(text), expires_in, valid_until)


def closest(cache: ZoneCache[Proof], text: str, monotonic: float = 0, wall: int = WALL) -> str:
    zone = cache.closest(names.from_text(text), monotonic, wall)
    return names.to_text(zone.zone) if zone else "none"


def filled(*proofs: Proof) -> ZoneCache[Proof]:
    cache: ZoneCache[Proof] = ZoneCache()
    for each in proofs:
        cache.put(each, 0)
    return cache


def test_the_deepest_known_zone_at_or_above_the_name_is_found() -> None:
    cache = filled(proof("."), proof("com"), proof("example.com"), proof("sub.example.com"))
    assert closest(cache, "www.example.com") == "example.com."
    assert closest(cache, "example.com") == "example.com."
    assert closest(cache, "a.b.sub.example.com") == "sub.example.com."
    assert closest(cache, "badexample.com") == "com."
    assert closest(cache, "example.org") == "."


def test_nothing_is_found_where_nothing_is_proven() -> None:
    assert closest(filled(), "example.com") == "none"
    assert closest(filled(proof("example.com")), "com") == "none"


def test_a_zone_is_forgotten_when_the_ttls_of_its_proof_end() -> None:
    cache = filled(proof("."), proof("com", expires_in=60))
    assert closest(cache, "example.com", monotonic=59.9) == "com."
    assert closest(cache, "example.com", monotonic=60) == "."
    assert len(cache) == 1


def test_a_zone_is_forgotten_after_the_last_second_of_its_first_signature() -> None:
    cache = filled(proof("."), proof("com", valid_until=WALL + 10))
    assert closest(cache, "example.com", wall=WALL + 10) == "com."
    assert closest(cache, "example.com", wall=WALL + 11) == "."
    assert len(cache) == 1


def test_a_newer_proof_takes_the_place_of_the_older() -> None:
    cache = filled(proof("com", expires_in=60))
    cache.put(proof("com", expires_in=60), 50)
    assert closest(cache, "com", monotonic=100) == "com."
    assert len(cache) == 1


def test_a_proof_that_expires_at_once_is_not_kept_and_ends_the_one_before() -> None:
    cache = filled(proof("com"))
    cache.put(proof("com", expires_in=0), 10)
    assert closest(cache, "com", monotonic=10) == "none"


def test_no_more_zones_are_kept_than_the_limit() -> None:
    cache: ZoneCache[Proof] = ZoneCache()
    for number in range(MAX_ZONES + 10):
        cache.put(proof(f"zone{number}"), 0)
    assert len(cache) == MAX_ZONES
    assert closest(cache, "zone9") == "none"
    assert closest(cache, "zone10") == "zone10."


def test_the_least_recently_used_zone_goes_first() -> None:
    cache: ZoneCache[Proof] = ZoneCache(limit=2)
    cache.put(proof("one"), 0)
    cache.put(proof("two"), 0)
    assert closest(cache, "www.one") == "one."
    cache.put(proof("three"), 0)
    assert closest(cache, "two") == "none"
    assert closest(cache, "one") == "one."


def test_zones_above_a_new_one_do_not_go_before_it() -> None:
    cache: ZoneCache[Proof] = ZoneCache(limit=3)
    cache.put(proof("."), 0)
    cache.put(proof("com"), 0)
    for number in range(10):
        cache.put(proof(f"zone{number}.com"), 0)
    assert closest(cache, "other.com") == "com."
    assert closest(cache, "org") == "."


def test_flush_of_a_name_forgets_the_zones_there_and_below() -> None:
    cache = filled(proof("."), proof("com"), proof("example.com"), proof("sub.example.com"))
    assert cache.flush(names.from_text("example.com")) == 2
    assert closest(cache, "sub.example.com") == "com."
    assert cache.flush() == 2
    assert len(cache) == 0


# ------------ Against a model ------------

LABELS = st.sampled_from(["a", "b"])
NAMES = st.lists(LABELS, max_size=4).map(lambda parts: names.from_text(".".join(parts) or "."))
LIMIT = 6


class ZonesAgainstModel(RuleBasedStateMachine):
    """Two random clocks, one of which may jump back; the model is a list, last used last."""

    def __init__(self) -> None:
        super().__init__()
        self.cache: ZoneCache[Proof] = ZoneCache(limit=LIMIT)
        self.model: list[tuple[Proof, float]] = []
        self.monotonic = 100.0
        self.wall = WALL

    def above(self, name: Name) -> list[tuple[Proof, float]]:
        """What the model holds at or above the name, the deepest first."""
        found = [known for known in self.model if names.is_at_or_below(name, known[0].zone)]
        return sorted(found, key=lambda known: -len(known[0].zone))

    def touch(self, known: tuple[Proof, float]) -> None:
        self.model.remove(known)
        self.model.append(known)

    @rule(name=NAMES, expires_in=st.integers(0, 30), valid_for=st.integers(-5, 30))
    def put(self, name: Name, expires_in: int, valid_for: int) -> None:
        zone = Proof(name, expires_in, self.wall + valid_for)
        self.cache.put(zone, self.monotonic)
        self.model = [known for known in self.model if known[0].zone != name]
        if not expires_in:
            return
        self.model.append((zone, self.monotonic + expires_in))
        for known in self.above(name):
            self.touch(known)
        del self.model[: max(0, len(self.model) - LIMIT)]

    @rule(name=NAMES)
    def closest(self, name: Name) -> None:
        expected = None
        for known in self.above(name):
            zone, expires_at = known
            if self.monotonic < expires_at and self.wall <= zone.valid_until:
                expected = zone
                self.touch(known)
                break
            self.model.remove(known)
        assert self.cache.closest(name, self.monotonic, self.wall) is expected

    @rule(name=NAMES)
    def flush(self, name: Name) -> None:
        left = [known for known in self.model if not names.is_at_or_below(known[0].zone, name)]
        assert self.cache.flush(name) == len(self.model) - len(left)
        self.model = left

    @rule(seconds=st.floats(0, 12), jump=st.integers(-20, 20))
    def pause(self, seconds: float, jump: int) -> None:
        self.monotonic += seconds
        self.wall += jump

    @invariant()
    def the_same_zones_are_kept(self) -> None:
        assert len(self.cache) == len(self.model) <= LIMIT


ZonesAgainstModel.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestZonesAgainstModel = ZonesAgainstModel.TestCase
