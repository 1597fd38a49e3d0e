"""Proven denials that are kept: which of them speak of a name, for how long, and what ends them."""

import gc
import tracemalloc

import pytest
from msgspec.structs import replace

from anchord.cache.policy import bounded
from anchord.cache.proofs import FRAME, LONGEST_USE, ProofCache, Proofs
from anchord.cache.sizes import LARGEST_SHARE, octets_of
from anchord.lab.denial import DenialMethod, Nsec, Nsec3
from anchord.lab.plan import Plan
from anchord.lab.world import World
from anchord.model import names, rdtypes
from anchord.model.verdict import Answer, Checked, Status
from support.denials import name
from support.judging import judge
from support.lab import brief, world_of

RECORDS = """
    @        A   192.0.2.1
    b        A   192.0.2.2
    m        A   192.0.2.3
    a.deep   A   192.0.2.4
    *.wild   TXT "any"
"""
INSECURE = Plan("sub.z.lab.", "unsigned", algorithms=())
BY_NSEC = world_of(Plan("z.lab.", "signed", records=RECORDS), INSECURE)
BY_NSEC3 = world_of(Plan("z.lab.", "signed", records=RECORDS, denial=Nsec3(3, b"salt")))
OPTED_OUT = world_of(Plan("z.lab.", "signed", records=RECORDS, denial=Nsec3(opt_out=True)))
ROOMY = 1 << 20
COUNT = 300
ZONE = name("z.lab")


def answer(world: World, asked: str) -> Answer:
    return bounded(judge(world, asked))


def cache_of(world: World, *asked: str, capacity: int = ROOMY, now: float = 0.0) -> ProofCache:
    """What is kept after these questions."""
    cache = ProofCache(capacity)
    for text in asked:
        cache.learn(answer(world, text), now)
    return cache


def about(cache: ProofCache, text: str, now: float = 0.0, zone: str = "z.lab") -> Proofs | None:
    return cache.about(name(text), name(zone), now, lambda _: True)


def speaks_of(cache: ProofCache, text: str, now: float = 0.0) -> bool:
    return about(cache, text, now) is not None


@pytest.mark.parametrize("world", [BY_NSEC, BY_NSEC3], ids=["NSEC", "NSEC3"])
def test_what_has_denied_a_name_speaks_of_it_again(world: World) -> None:
    cache = cache_of(world, "c.z.lab A")
    proofs = about(cache, "c.z.lab")
    assert proofs is not None
    denial = {(r.name, r.rdatas) for r in proofs.denials}
    came = {(c.rrset.name, c.rrset.rdatas) for c in answer(world, "c.z.lab A").authority}
    assert denial <= came
    assert brief((proofs.soa,)) == ["z.lab. SOA"]


def test_one_record_speaks_of_every_name_in_its_span() -> None:
    cache = cache_of(BY_NSEC, "c.z.lab A")
    found = [text for text in "abcdefnz" if speaks_of(cache, f"{text}.z.lab")]
    assert found == ["a", "b", "c", "d"]  # the spans of the apex and of `b`, which ends at `a.deep`
    assert speaks_of(cache, "x.y.c.z.lab")
    assert not speaks_of(cache, "m.z.lab")


def test_a_covering_record_is_not_enough_where_nothing_speaks_of_the_wildcard() -> None:
    cache = cache_of(BY_NSEC, "b.z.lab AAAA")
    assert speaks_of(cache, "b.z.lab")
    assert not speaks_of(cache, "c.z.lab")


def test_an_empty_non_terminal_needs_one_record() -> None:
    cache = cache_of(BY_NSEC, "deep.z.lab A")
    proofs = about(cache, "deep.z.lab")
    assert proofs is not None
    assert brief(proofs.denials) == ["b.z.lab. NSEC"]


def test_three_records_prove_a_closest_encloser_and_what_is_not_below_it() -> None:
    cache = cache_of(BY_NSEC3, "c.z.lab A")
    assert len(cache) in {2, 3}
    assert speaks_of(cache, "x.y.c.z.lab")


def test_hashing_is_paid_for_and_without_means_nothing_is_said() -> None:
    cache = cache_of(BY_NSEC3, "c.z.lab A")
    spent: list[int] = []

    def spend(blocks: int) -> bool:
        spent.append(blocks)
        return len(spent) < 3

    assert cache.about(name("c.z.lab"), ZONE, 0, spend) is None
    assert spent == [4, 4, 4]


@pytest.mark.parametrize(
    ("world", "asked"),
    [
        (OPTED_OUT, "c.z.lab A"),  # no authentic denial
        (BY_NSEC, "nx.sub.z.lab A"),  # an insecure delegation: what is below is not secure
        (BY_NSEC, "b.z.lab A"),  # nothing denied at all
    ],
)
def test_what_is_not_proven_is_not_kept(world: World, asked: str) -> None:
    assert len(cache_of(world, asked)) == 0


def test_a_failure_that_is_in_part_secure_would_be_of_no_use() -> None:
    forged = world_of(Plan("z.lab.", "signed", records=RECORDS, faults="expired NSEC"))
    bogus = judge(forged, "c.z.lab A")
    assert bogus.verdict.status is Status.BOGUS
    cache = ProofCache(ROOMY)
    cache.learn(bogus, 0)
    assert len(cache) == 0


def test_the_proof_beside_a_wildcard_is_kept_where_the_zone_is_known() -> None:
    assert len(cache_of(BY_NSEC, "x.wild.z.lab TXT")) == 0
    known = cache_of(BY_NSEC, "b.z.lab AAAA")
    before = len(known)
    known.learn(answer(BY_NSEC, "x.wild.z.lab TXT"), 0)
    assert len(known) == before + 1


# ------------ For how long ------------


def test_a_record_speaks_for_as_long_as_the_denial_may_be_kept() -> None:
    denial = answer(BY_NSEC, "c.z.lab A")
    cache = ProofCache(ROOMY)
    cache.learn(denial, 1000.5)
    proofs = about(cache, "d.z.lab", 1000.5 + denial.ttl - 10)
    assert proofs is not None
    assert {rrset.ttl for rrset in (*proofs.denials, proofs.soa)} == {10}
    assert about(cache, "d.z.lab", 1000.5 + denial.ttl) is None


def test_no_record_speaks_of_other_names_for_longer_than_three_hours() -> None:
    records = RECORDS + "@ 86400 SOA ns.lab. h.lab. 1 7200 3600 1209600 86400\n"
    world = world_of(Plan("z.lab.", "signed", records=records))
    denial = answer(world, "c.z.lab A")
    assert denial.ttl > LONGEST_USE
    cache = ProofCache(ROOMY)
    cache.learn(denial, 0)
    assert speaks_of(cache, "c.z.lab", LONGEST_USE - 1)
    assert not speaks_of(cache, "c.z.lab", LONGEST_USE)


def test_records_whose_time_is_over_leave_no_octets_behind_once_they_were_looked_at() -> None:
    cache = cache_of(BY_NSEC, "b.z.lab AAAA")
    cache.learn(answer(BY_NSEC, "m.z.lab AAAA"), 1e6)
    assert len(cache) == 2
    assert not speaks_of(cache, "b.z.lab", 1e6)
    assert speaks_of(cache, "m.z.lab", 1e6)
    assert len(cache) == 1
    assert cache.bytes_used == cache_of(BY_NSEC, "m.z.lab AAAA").bytes_used


# ------------ What ends them ------------


@pytest.mark.parametrize("world", [BY_NSEC, BY_NSEC3], ids=["NSEC", "NSEC3"])
def test_a_name_that_was_seen_to_exist_is_not_denied_any_more(world: World) -> None:
    cache = cache_of(world, "c.z.lab A")
    grown = world_of(
        Plan("z.lab.", "signed", records=RECORDS + "c A 192.0.2.9\n", denial=Nsec3(3, b"salt"))
    )
    cache.learn(answer(grown, "c.z.lab A"), 1)
    assert not speaks_of(cache, "c.z.lab", 1)


@pytest.mark.parametrize("algorithms", [(), (13,)], ids=["insecure", "secure"])
def test_a_delegation_that_was_seen_is_not_denied_any_more(algorithms: tuple[int, ...]) -> None:
    cache = cache_of(BY_NSEC, "c.z.lab A")
    assert speaks_of(cache, "www.c.z.lab")
    grown = world_of(
        Plan("z.lab.", "signed", records=RECORDS),
        Plan("c.z.lab.", "new", records="www A 192.0.2.9", algorithms=algorithms),
    )
    cache.learn(answer(grown, "www.c.z.lab A"), 1)
    assert not speaks_of(cache, "www.c.z.lab", 1)


def test_what_comes_from_a_wildcard_does_not_show_that_the_name_exists() -> None:
    cache = cache_of(BY_NSEC, "x.wild.z.lab A", "wild.z.lab A", "z.lab AAAA", "y.wild.z.lab A")
    before = len(cache)
    cache.learn(answer(BY_NSEC, "x.wild.z.lab TXT"), 1)
    assert len(cache) == before
    assert speaks_of(cache, "x.wild.z.lab", 1)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (BY_NSEC, BY_NSEC3),
        (BY_NSEC3, BY_NSEC),
        (BY_NSEC3, world_of(Plan("z.lab.", "resalted", records=RECORDS, denial=Nsec3(3, b"new")))),
    ],
    ids=["to NSEC3", "to NSEC", "another salt"],
)
def test_a_zone_that_denies_in_another_way_loses_what_it_had(first: World, then: World) -> None:
    """PowerDNS, CVE-2026-33261."""
    cache = cache_of(first, "c.z.lab A", "n.z.lab A", "b.z.lab AAAA")
    cache.learn(answer(then, "q.z.lab A"), 1)
    only = cache_of(then, "q.z.lab A")
    assert len(cache) == len(only)
    assert cache.bytes_used == only.bytes_used


def test_a_flush_takes_what_could_deny_the_name_and_leaves_other_zones() -> None:
    world = world_of(
        Plan("z.lab.", "signed", records=RECORDS), Plan("other.lab.", "signed", records=RECORDS)
    )
    for flushed, left in [("c.z.lab", {"other.lab"}), ("z.lab", {"other.lab"}), ("lab", set())]:
        cache = cache_of(world, "c.z.lab A", "c.other.lab A", "nowhere.lab A", "nowhere. A")
        cache.flush(name(flushed))
        zones = {"z.lab", "other.lab", "lab", "."}
        assert {zone for zone in zones if cache.zone_of(name(zone)) == name(zone)} == left
    cache.flush()
    assert (len(cache), cache.bytes_used) == (0, 0)


# ------------ How much ------------


def test_the_records_that_were_used_least_go_first_when_the_octets_run_out() -> None:
    cache = cache_of(BY_NSEC, "b.z.lab AAAA", "m.z.lab AAAA")
    room = cache.bytes_used
    cache = cache_of(BY_NSEC, "b.z.lab AAAA", "m.z.lab AAAA", capacity=room + 100)
    assert speaks_of(cache, "b.z.lab")
    cache.learn(answer(BY_NSEC, "z.lab AAAA"), 0)
    assert cache.evictions == 1
    assert cache.bytes_used <= cache.capacity
    assert [speaks_of(cache, f"{text}z.lab") for text in ("b.", "m.", "")] == [True, False, True]


def test_without_room_nothing_is_kept() -> None:
    cache = cache_of(BY_NSEC, "c.z.lab A", capacity=0)
    assert (len(cache), cache.bytes_used) == (0, 0)


@pytest.mark.parametrize("too_long", [False, True])
def test_a_record_larger_than_a_sixteenth_is_not_kept_and_only_what_it_overlaps_goes(
    too_long: bool,
) -> None:
    """As it would be with a long signature."""
    cache = cache_of(BY_NSEC, "b.z.lab AAAA", "m.z.lab AAAA")
    whole = answer(BY_NSEC, "m.z.lab AAAA")
    denial = next(c for c in whole.authority if c.rrset.rdtype == rdtypes.NSEC)
    free = ROOMY // LARGEST_SHARE - FRAME - octets_of(denial.rrset)
    longer = (denial.rrset.signatures[0] + bytes(free + too_long),)
    large = Checked(replace(denial.rrset, signatures=longer), denial.status)
    rest = [c for c in whole.authority if c is not denial]
    cache.learn(replace(whole, authority=(large, *rest)), 0)
    assert speaks_of(cache, "b.z.lab")
    assert speaks_of(cache, "m.z.lab") is not too_long
    assert cache.evictions == 0
    if too_long:
        assert cache.bytes_used == cache_of(BY_NSEC, "b.z.lab AAAA").bytes_used


@pytest.mark.parametrize("denial", [Nsec3(), Nsec()], ids=["NSEC3", "NSEC"])
def test_what_a_record_takes_beside_its_rrset_is_what_the_allocator_gave(
    denial: DenialMethod,
) -> None:
    records = "\n".join(f"host{number} A 192.0.2.1" for number in range(COUNT))
    world = world_of(Plan("z.lab.", "signed", records=records, denial=denial))
    answers = [answer(world, f"host{number}.z.lab TXT") for number in range(COUNT)]
    cache = ProofCache(ROOMY)
    names.canonical_key.cache_clear()  # what others keep as well is not counted twice
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for each in answers:
            cache.learn(each, 0.5)
        names.canonical_key.cache_clear()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(cache) == COUNT
    assert after - before == pytest.approx(FRAME * COUNT, rel=0.25)
    rrsets = {c.rrset for each in answers for c in each.authority if c.rrset.rdtype != rdtypes.SOA}
    octets = sum(octets_of(rrset) for rrset in rrsets)
    assert cache.bytes_used == pytest.approx(FRAME * COUNT + octets, rel=0.02)
