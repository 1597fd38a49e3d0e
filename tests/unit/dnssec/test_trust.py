"""The walk from a trust anchor down to the zone that holds a name."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from anchord.dnssec.algorithms import Supported
from anchord.dnssec.anchors import NegativeAnchor
from anchord.dnssec.asking import Ask, AskZone, Context, ZoneTrust
from anchord.dnssec.limits import Budget, Limits
from anchord.dnssec.trust import find_zone
from anchord.lab.denial import Nsec3
from anchord.lab.keys import Key, derive, ds_rdata
from anchord.lab.plan import Plan
from anchord.lab.world import World
from anchord.lab.zones import Window, Zone
from anchord.model import names, rdtypes
from anchord.model.ede import Ede
from anchord.model.response import Response, RRset, Unanswered
from anchord.model.verdict import Status
from support.denials import covering, matching, name, nsec
from support.judging import (
    DAY,
    Lie,
    Upstream,
    beside,
    context_of,
    find,
    rrset,
    saying,
    signed_by,
    silence,
    stripped,
)
from support.lab import NOW, question, world_of

SECURE, INSECURE, UNOBTAINABLE, BOGUS, INDETERMINATE = (
    Status.SECURE, Status.INSECURE, Status.UNOBTAINABLE, Status.BOGUS, Status.INDETERMINATE,
)  # fmt: skip


@pytest.fixture
def world() -> World:
    return world_of(
        Plan("z.lab.", "a secure zone", records="@ A 192.0.2.1\nwww CNAME @\n*.w A 192.0.2.2"),
        Plan("a.b.z.lab.", "a secure zone, with a name in between"),
        Plan("unsigned.lab.", "an unsigned zone", algorithms=()),
        Plan("kid.unsigned.lab.", "a signed zone below it"),
        Plan("optout.lab.", "NSEC3 with opt-out", denial=Nsec3(opt_out=True)),
        Plan("kid.optout.lab.", "an unsigned zone in a span", algorithms=()),
        Plan("many.lab.", "NSEC3 with 51 iterations", denial=Nsec3(51)),
        Plan("kid.many.lab.", "a signed zone below it"),
        Plan("a.b.many.lab.", "another, with a name in between"),
    )


def outcome(
    world: World,
    text: str,
    lies: dict[str, Lie] | None = None,
    context: Context | None = None,
) -> tuple[Status, str, list[int]]:
    """How the walk to a name ends: status, zone, and codes."""
    trust = find(Upstream(world, lies), text, context)
    return trust.status, names.to_text(trust.zone), [int(flaw.code) for flaw in trust.flaws]


def reasons(trust: ZoneTrust) -> str:
    return "\n".join(flaw.text for flaw in trust.flaws)


# ------------ Cuts ------------


def test_the_deepest_zone_is_found_and_its_keys_are_proven(world: World) -> None:
    for text in ("z.lab", "www.z.lab", "nx.z.lab", "a.nx.z.lab", "b.z.lab", "x.w.z.lab"):
        assert outcome(world, text) == (SECURE, "z.lab.", [])
    trust = find(world, "x.a.b.z.lab")
    assert not trust.over_limit
    zone = world.zone(name("a.b.z.lab"))
    assert [key.rdata for key in trust.keys] == [key.rdata for key in zone.published]
    assert [names.to_text(link.zone) for link in trust.chain] == [
        ".",
        "lab.",
        "z.lab.",
        "a.b.z.lab.",
    ]
    assert [link.anchored for link in trust.chain] == [True, False, False, False]
    assert {link.status for link in trust.chain} == {SECURE}
    assert trust.chain[-1].ds == world.zone(name("z.lab")).get(name("a.b.z.lab"), rdtypes.DS)
    assert trust.chain[-1].key_tags == (zone.key_signers[0].key_tag,)


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("unsigned.lab", "unsigned.lab."),
        ("www.unsigned.lab", "unsigned.lab."),
        ("kid.unsigned.lab", "unsigned.lab."),
        ("www.kid.optout.lab", "kid.optout.lab."),
        ("nx.optout.lab", "nx.optout.lab."),
    ],
)
def test_below_an_insecure_cut_everything_is_insecure(world: World, text: str, zone: str) -> None:
    assert outcome(world, text) == (INSECURE, zone, [])
    trust = find(world, text)
    assert trust.chain[-1].denial
    assert trust.chain[-1].status is INSECURE
    assert trust.keys == ()


def test_an_insecure_cut_ends_the_walk(world: World) -> None:
    upstream = Upstream(world)
    find(upstream, "a.b.c.unsigned.lab")
    assert upstream.asked == [
        ". DNSKEY", "lab. DS", "lab. DNSKEY", "unsigned.lab. DS",
    ]  # fmt: skip


def test_a_name_that_is_denied_ends_the_walk(world: World) -> None:
    upstream = Upstream(world)
    assert find(upstream, "c.b.nx.z.lab").status is SECURE
    assert upstream.asked[-1] == "nx.z.lab. DS"


def test_an_opt_out_span_is_a_name_that_exists_for_secure_delegations(world: World) -> None:
    world = world_of(
        Plan("optout.lab.", "NSEC3 with opt-out", denial=Nsec3(opt_out=True)),
        Plan("kid.optout.lab.", "a signed zone"),
    )
    assert outcome(world, "www.kid.optout.lab") == (SECURE, "kid.optout.lab.", [])


# ------------ How long ------------


def test_a_zone_is_kept_no_longer_than_its_records_and_signatures(world: World) -> None:
    trust = find(world, "z.lab")
    assert trust.expires_in == 3600
    assert trust.valid_until == NOW + 30 * DAY
    lab, zone = world.zone(name("lab")), world.zone(name("z.lab"))
    ds = lab.records[zone.apex, rdtypes.DS]
    keys = zone.records[zone.apex, rdtypes.DNSKEY]
    for holder, rrset_, field in ((lab, ds, "expires_in"), (zone, keys, "expires_in")):
        holder.put(replace(rrset_, ttl=60))
        assert getattr(find(world, "z.lab"), field) == 60
        holder.put(rrset_)
    window = Window(NOW - DAY, NOW + 100)
    key = zone.key_signers[0]
    for holder, changed in (
        (lab, signed_by(lab, ds, window=window)),
        (zone, signed_by(zone, keys, key=key, window=window)),
    ):
        before = holder.records[changed.name, changed.rdtype]
        holder.put(changed)
        trust = find(world, "z.lab")
        assert (trust.valid_until, trust.expires_in) == (NOW + 100, 100)
        assert find(world, "a.b.z.lab").valid_until == NOW + 100
        holder.put(before)
    long = replace(keys, ttl=10**6, signature_ttl=10**6)
    assert find(Upstream(world, {"lab DNSKEY": saying(long)}), ".").expires_in <= DAY


def test_no_proof_is_kept_for_more_than_a_day(world: World) -> None:
    window = Window(NOW - DAY, NOW + 30 * DAY)
    for zone in (world.zone(names.ROOT), world.zone(name("lab"))):

        def lasting(found: RRset, zone: Zone = zone) -> RRset:
            is_key_set = found.rdtype == rdtypes.DNSKEY
            key = zone.key_signers[0] if is_key_set else zone.zone_signers[0]
            return signed_by(zone, replace(found, ttl=10**6), key=key, window=window)

        for found in list(zone.records.values()):
            if found.rdtype in (rdtypes.DNSKEY, rdtypes.DS):
                zone.put(lasting(found))
        zone.chain.change(lasting)
    assert [find(world, text).expires_in for text in (".", "lab", "unsigned.lab")] == [86400] * 3


def test_an_insecure_cut_is_kept_as_long_as_its_denial(world: World) -> None:
    trust = find(world, "unsigned.lab")
    assert trust.expires_in == 300
    lab = world.zone(name("lab"))
    window = Window(NOW - DAY, NOW + 100)
    lab.chain.change(lambda rrset: signed_by(lab, rrset, window=window))
    trust = find(world, "unsigned.lab")
    assert (trust.expires_in, trust.valid_until) == (100, NOW + 100)


def test_a_denial_is_kept_as_long_as_the_first_of_its_records(world: World) -> None:
    zone = world.zone(name("optout.lab"))
    apex = signed_by(zone, matching("optout.lab.", "optout.lab", "NS SOA"))
    span = signed_by(zone, covering("optout.lab.", "kid.optout.lab", flags=1))
    for short, long in ((apex, span), (span, apex)):
        lie = saying(authority=[replace(short, ttl=60), long])
        trust = find(Upstream(world, {"kid.optout.lab DS": lie}), "kid.optout.lab")
        assert (trust.status, trust.expires_in) == (INSECURE, 60)


def test_what_is_known_is_not_asked_again(world: World) -> None:
    context, upstream = context_of(world), Upstream(world)
    for text in ("www.a.b.z.lab", "www.unsigned.lab", "kid.optout.lab"):
        find(upstream, text, context)
    upstream.asked.clear()
    for text in ("a.b.z.lab", "x.y.unsigned.lab", "kid.kid.optout.lab", "z.lab", "lab", "."):
        find(upstream, text, context)
    assert upstream.asked == []
    find(upstream, "q.z.lab", context)
    assert upstream.asked == ["q.z.lab. DS"]


@pytest.mark.parametrize("lie", [silence, stripped])
def test_a_failure_is_not_kept(world: World, lie: Lie) -> None:
    context = context_of(world)
    for failing in ("z.lab DS", "z.lab DNSKEY"):
        assert outcome(world, "z.lab", {failing: lie}, context)[0].is_failure
    assert outcome(world, "z.lab", context=context) == (SECURE, "z.lab.", [])


# ------------ Missing and contradicting answers ------------


def test_names_in_the_middle_need_no_answer(world: World) -> None:
    """Some servers answer a DS question for a name without data with an error."""
    for lie in (silence, stripped, saying(), saying(rcode=3)):
        assert outcome(world, "a.b.z.lab", {"b.z.lab DS": lie}) == (SECURE, "a.b.z.lab.", [])
        assert outcome(world, "b.b.z.lab", {"b.z.lab DS": lie}) == (SECURE, "z.lab.", [])


def test_where_a_walk_ends_without_proof_there_are_no_keys(world: World) -> None:
    """Not even those of the zone above, by which something might be taken for secure."""
    for lie in (silence, stripped):
        trust = find(Upstream(world, {"z.lab DS": lie}), "z.lab")
        assert trust.status.is_failure
        assert trust.keys == ()


def test_a_cut_in_the_middle_needs_one(world: World) -> None:
    """What its parent says below it counts for nothing."""
    assert outcome(world, "a.b.z.lab", {"z.lab DS": silence})[0] is UNOBTAINABLE
    assert outcome(world, "a.b.z.lab", {"z.lab DS": stripped})[0] is BOGUS
    assert outcome(world, "a.b.z.lab", {"lab DS": silence})[0] is UNOBTAINABLE


def test_without_a_proof_nothing_is_insecure(world: World) -> None:
    """Whatever is taken away, changed in its code, or said without a signature."""
    lab = world.zone(name("lab"))
    soa = lab.records[lab.apex, rdtypes.SOA]
    elsewhere = lab.chain.matching(name("optout.lab"))
    assert elsewhere
    for lie in (
        silence,
        stripped,
        saying(),
        saying(rcode=3),
        saying(authority=[soa]),
        saying(authority=[soa], rcode=3),
        saying(authority=[soa, elsewhere]),
    ):
        for text in ("unsigned.lab", "www.unsigned.lab", "z.lab", "www.z.lab"):
            lies: dict[str, Lie] = {"unsigned.lab DS": lie, "z.lab DS": lie}
            lies |= {"www.unsigned.lab DS": lie, "www.z.lab DS": lie}
            status, zone, codes = outcome(world, text, lies)
            assert status is (UNOBTAINABLE if lie is silence else BOGUS)
            assert zone == "lab."
            assert codes


def test_an_answer_that_could_not_be_had_says_so_with_its_causes(world: World) -> None:
    trust = find(Upstream(world, {"z.lab DS": silence}), "z.lab")
    assert [flaw.code for flaw in trust.flaws] == [23, 5]
    assert "z.lab. DS could not be had" in reasons(trust)
    assert trust.flaws[1].name == name("z.lab")
    trust = find(Upstream(world, {"z.lab DNSKEY": silence}), "z.lab")
    assert (trust.status, [flaw.code for flaw in trust.flaws]) == (UNOBTAINABLE, [23, 5])
    assert trust.chain[-1].status is UNOBTAINABLE
    assert not trust.over_limit
    several = Unanswered(question("z.lab"), (Ede(23, "one"), Ede(22, "other")))
    trust = find(Upstream(world, {"z.lab DS": several}), "z.lab")
    assert [flaw.code for flaw in trust.flaws] == [23, 5, 22]
    said = Unanswered(question("z.lab"), ())
    trust = find(Upstream(world, {"z.lab DS": said}), "z.lab")
    assert [flaw.code for flaw in trust.flaws] == [5]


@pytest.mark.parametrize(("code", "is_told"), [(22, True), (23, True), (24, True), (15, False)])
def test_causes_are_what_is_wrong_with_the_network_and_nothing_else(
    world: World, code: int, is_told: bool
) -> None:
    said = Unanswered(question("z.lab"), (Ede(code, "because"),))
    trust = find(Upstream(world, {"z.lab DS": said}), "z.lab")
    assert [int(flaw.code) for flaw in trust.flaws] == ([code, 5] if is_told else [5])


def test_the_topmost_failure_tells_what_is_wrong(world: World) -> None:
    """Below a cut that could not be seen nothing can contradict."""
    lies: dict[str, Lie] = {"z.lab DS": silence, "www.z.lab DS": stripped}
    assert outcome(world, "www.z.lab", lies)[0] is UNOBTAINABLE
    lies = {"z.lab DS": stripped, "www.z.lab DS": silence}
    assert outcome(world, "www.z.lab", lies)[0] is BOGUS


def test_where_the_upstream_may_not_be_asked_any_more_the_limit_is_named(world: World) -> None:
    for asked in ("z.lab DS", "z.lab DNSKEY"):
        said = Unanswered(question("z.lab"), (), over_limit=True)
        trust = find(Upstream(world, {asked: said}), "z.lab")
        assert trust.status is UNOBTAINABLE
        assert trust.over_limit
        assert [flaw.code for flaw in trust.flaws] == [6]
        assert "too many upstream queries for one question" in reasons(trust)
    lies: dict[str, Lie] = {
        "z.lab DS": silence,
        "www.z.lab DS": Unanswered(question("z.lab"), (), over_limit=True),
    }
    assert find(Upstream(world, lies), "www.z.lab").over_limit


# ------------ Aliases and wildcards ------------


def test_an_alias_is_no_cut(world: World) -> None:
    """Trap 11."""
    assert outcome(world, "www.z.lab") == (SECURE, "z.lab.", [])
    assert outcome(world, "x.www.z.lab") == (SECURE, "z.lab.", [])
    upstream = Upstream(world)
    find(upstream, "www.z.lab")
    answer = upstream(question("www.z.lab", "DS"))
    assert isinstance(answer, Response)
    assert answer.answer[0].rdtype == rdtypes.CNAME


def test_below_an_alias_there_may_be_a_cut() -> None:
    world = world_of(
        Plan("z.lab.", "with an alias", records="www CNAME @"),
        Plan("kid.www.z.lab.", "a zone below it"),
    )
    assert outcome(world, "kid.www.z.lab") == (SECURE, "kid.www.z.lab.", [])


def test_an_unsigned_alias_is_nothing(world: World) -> None:
    alias = rrset("z.lab.", "CNAME", name("www.evil."))
    assert outcome(world, "z.lab", {"z.lab DS": saying(alias)})[0] is BOGUS
    for last in (False, True):
        lies: dict[str, Lie] = {"z.lab DS": beside(alias, last=last)}
        assert outcome(world, "z.lab", lies) == (SECURE, "z.lab.", [])
    lies = {"unsigned.lab DS": beside(replace(alias, name=name("unsigned.lab")))}
    assert outcome(world, "unsigned.lab", lies)[0] is INSECURE


def test_records_of_other_names_are_nothing(world: World) -> None:
    other = rrset("y.lab.", "DS", bytes(36))
    for last in (False, True):
        lie = beside(other, last=last)
        assert outcome(world, "z.lab", {"z.lab DS": lie}) == (SECURE, "z.lab.", [])
        assert outcome(world, "unsigned.lab", {"unsigned.lab DS": lie})[0] is INSECURE


def test_a_ds_set_that_is_not_genuine_leaves_the_proof_beside_it(world: World) -> None:
    junk = rrset("unsigned.lab.", "DS", bytes(36))
    assert outcome(world, "unsigned.lab", {"unsigned.lab DS": beside(junk)})[0] is INSECURE
    status, _, codes = outcome(world, "unsigned.lab", {"unsigned.lab DS": saying(junk)})
    assert (status, codes) == (BOGUS, [10])


def test_a_ds_set_from_a_wildcard_is_no_cut(world: World) -> None:
    """It would make a zone of any name below the wildcard."""
    zone = world.zone(name("z.lab"))
    attacker = derive("evil", name("evil.w.z.lab"), 13, flags=257)
    ds = ds_rdata(name("evil.w.z.lab"), attacker)
    wildcard = signed_by(zone, rrset("*.w.z.lab.", "DS", ds))
    expanded = replace(wildcard, name=name("evil.w.z.lab"))
    status, holder, codes = outcome(world, "evil.w.z.lab", {"evil.w.z.lab DS": saying(expanded)})
    assert (status, holder, codes) == (BOGUS, "z.lab.", [12])
    lies: dict[str, Lie] = {"evil.w.z.lab DS": beside(expanded)}
    assert outcome(world, "evil.w.z.lab", lies)[:2] == (SECURE, "z.lab.")


# ------------ Who signs what ------------


def test_a_ds_set_is_the_parents_to_sign(world: World) -> None:
    """Trap 35: not the child's, nor the grandparent's."""
    zone, root = world.zone(name("z.lab")), world.zone(names.ROOT)
    ds = world.zone(name("lab")).records[zone.apex, rdtypes.DS]
    for signer in (zone, root):
        forged = signed_by(signer, ds)
        assert outcome(world, "z.lab", {"z.lab DS": saying(forged)})[0] is BOGUS


def test_the_childs_own_denial_is_no_proof_of_an_insecure_cut(world: World) -> None:
    """Trap 9."""
    zone = world.zone(name("z.lab"))
    own = zone.chain.matching(zone.apex)
    assert own
    assert outcome(world, "z.lab", {"z.lab DS": saying(authority=[own])})[0] is BOGUS
    lab = world.zone(name("lab"))
    claimed = signed_by(lab, replace(own, signatures=()))
    assert outcome(world, "z.lab", {"z.lab DS": saying(authority=[claimed])})[0] is BOGUS


def test_the_key_set_must_be_signed_by_a_key_of_the_ds_set(world: World) -> None:
    """RUSTSEC-2025-0006: one key that the DS authenticates does not make the whole set trusted."""
    zone = world.zone(name("z.lab"))
    keys = zone.records[zone.apex, rdtypes.DNSKEY]
    stranger = derive("evil", zone.apex, 13)
    more = replace(keys, rdatas=(*keys.rdatas, stranger.rdata), signatures=())
    for key in (stranger, zone.zone_signers[0]):
        status, _, codes = outcome(
            world, "z.lab", {"z.lab DNSKEY": saying(signed_by(zone, more, key=key))}
        )
        assert (status, codes) == (BOGUS, [6])
    good = signed_by(zone, more, key=zone.key_signers[0])
    trust = find(Upstream(world, {"z.lab DNSKEY": saying(good)}), "z.lab")
    assert trust.status is SECURE
    assert len(trust.keys) == 3


def test_a_key_set_fails_for_the_reason_that_it_fails_for(world: World) -> None:
    zone = world.zone(name("z.lab"))
    keys = zone.records[zone.apex, rdtypes.DNSKEY]
    key = zone.key_signers[0]
    expired = signed_by(zone, keys, key=key, window=Window(NOW - 2 * DAY, NOW - DAY))
    bare = replace(keys, signatures=())
    other = replace(keys, rdatas=keys.rdatas[1:])
    cleared = replace(keys, rdatas=(keys.rdatas[0], b"\0\0" + keys.rdatas[1][2:]))
    both = replace(cleared, signatures=expired.signatures)
    for lie, codes in (
        (saying(expired), [7]),
        (saying(bare), [10]),
        (saying(), [9]),
        (saying(other), [9]),
        (saying(cleared), [11, 6]),
        (saying(both), [7]),
    ):
        assert outcome(world, "z.lab", {"z.lab DNSKEY": lie}) == (BOGUS, "z.lab.", codes)
        assert not find(Upstream(world, {"z.lab DNSKEY": lie}), "z.lab").over_limit
    trust = find(Upstream(world, {"z.lab DNSKEY": saying(expired)}), "z.lab")
    assert not trust.over_limit
    assert trust.chain[-1].flaws == trust.flaws
    assert trust.chain[-1].dnskey == expired


def test_keys_of_another_name_are_no_keys(world: World) -> None:
    lab = world.zone(name("lab"))
    keys = lab.records[lab.apex, rdtypes.DNSKEY]
    assert outcome(world, "z.lab", {"z.lab DNSKEY": saying(keys)}) == (BOGUS, "z.lab.", [9])


# ------------ Nothing that is supported ------------


@pytest.mark.parametrize(
    ("algorithm", "digest_type", "code"), [(100, 2, 1), (13, 100, 2), (5, 2, 1), (100, 100, 1)]
)
def test_an_unsupported_ds_set_makes_a_zone_insecure(
    algorithm: int, digest_type: int, code: int
) -> None:
    world = world_of(
        Plan("z.lab.", "odd", faults=f"ds-algorithm {algorithm}; ds-digest-type {digest_type}")
    )
    upstream, context = Upstream(world), context_of(world)
    trust = find(upstream, "www.z.lab", context)
    assert (trust.status, [flaw.code for flaw in trust.flaws]) == (INSECURE, [code])
    assert trust.chain[-1].ds
    assert "z.lab. DNSKEY" not in upstream.asked
    find(upstream, "other.z.lab", context)
    assert len(upstream.asked) == 4


def small_rsa(number: int = 0) -> Key:
    modulus = ((1 << 511) + 1 + 2 * number).to_bytes(64)
    return Key(8, b"\3\1\0\1" + modulus, lambda data: data[:64], 257)


def with_small_key(world: World, *, keep: bool) -> dict[str, Lie]:
    """A DS of a key of 512 bits, beside the good one or in its place; its key set is forged."""
    lab, zone = world.zone(name("lab")), world.zone(name("z.lab"))
    key = small_rsa()
    good = lab.records[zone.apex, rdtypes.DS].rdatas if keep else ()
    ds = signed_by(lab, rrset("z.lab.", "DS", ds_rdata(zone.apex, key), *good))
    return {"z.lab DS": saying(ds), "z.lab DNSKEY": saying(rrset("z.lab.", "DNSKEY", key.rdata))}


def test_a_zone_whose_every_key_is_of_an_unsupported_size_is_insecure(world: World) -> None:
    lies = with_small_key(world, keep=False)
    assert outcome(world, "www.z.lab", lies) == (INSECURE, "z.lab.", [1])


def test_a_supported_key_that_was_taken_out_makes_no_zone_insecure(world: World) -> None:
    lies = with_small_key(world, keep=True)
    assert outcome(world, "www.z.lab", lies) == (BOGUS, "z.lab.", [9])


# ------------ Too many iterations ------------


def test_what_cannot_be_counted_is_insecure_at_the_end(world: World) -> None:
    """RFC 9276 section 3.2; with EDE 27, and only there where nothing deeper is proven."""
    assert outcome(world, "nx.many.lab") == (INSECURE, "nx.many.lab.", [27])
    assert outcome(world, "a.nx.many.lab") == (INSECURE, "nx.many.lab.", [27])
    assert outcome(world, "kid.many.lab") == (SECURE, "kid.many.lab.", [])
    assert outcome(world, "x.a.b.many.lab")[:2] == (SECURE, "a.b.many.lab.")
    assert outcome(world, "many.lab") == (SECURE, "many.lab.", [])


def test_what_cannot_be_counted_below_a_secure_cut_is_told_of_that(world: World) -> None:
    """The name in between could not be judged, and the cut below it was."""
    kid = world.zone(name("a.b.many.lab"))
    old = signed_by(kid, covering("a.b.many.lab.", "x.a.b.many.lab", iterations=51))
    lies: dict[str, Lie] = {"x.a.b.many.lab DS": saying(authority=[old])}
    status, zone, codes = outcome(world, "x.a.b.many.lab", lies)
    assert (status, zone, codes) == (INSECURE, "x.a.b.many.lab.", [27])


def test_65535_iterations_in_the_proof_of_an_insecure_delegation_cost_nothing() -> None:
    """BIND, CVE-2026-1519."""
    world = world_of(
        Plan("z.lab.", "too many", denial=Nsec3(65535)),
        Plan("kid.z.lab.", "unsigned", algorithms=()),
    )
    context = context_of(world, limits=Limits(hash_blocks=0))
    assert outcome(world, "www.kid.z.lab", context=context)[0] is INSECURE


# ------------ Anchors ------------


def nested() -> World:
    return world_of(
        Plan("z.lab.", "insecure from above", faults="no-ds"), Plan("kid.z.lab.", "below it")
    )


def island(world: World, *zones: str) -> Context:
    """The keys of these zones are trusted, beside the root's."""
    anchors = [world.anchor()]
    for text in zones:
        zone = world.zone(name(text))
        keys = tuple(key.rdata for key in zone.key_signers)
        anchors.append(rrset(text, "DNSKEY", *keys))
    return context_of(world, anchors=anchors)


def test_the_closest_anchor_is_where_the_walk_begins(world: World) -> None:
    world = nested()
    assert outcome(world, "www.kid.z.lab")[0] is INSECURE
    context = island(world, "z.lab.")
    upstream = Upstream(world)
    trust = find(upstream, "www.kid.z.lab", context)
    assert trust.status is SECURE
    assert upstream.asked == [
        "z.lab. DNSKEY",
        "kid.z.lab. DS",
        "kid.z.lab. DNSKEY",
        "www.kid.z.lab. DS",
    ]
    assert trust.chain[0].anchored


def test_a_zone_known_from_above_does_not_outdo_an_anchor() -> None:
    world = nested()
    context = island(world, "kid.z.lab.")
    assert outcome(world, "www.z.lab", context=context)[0] is INSECURE
    assert outcome(world, "www.kid.z.lab", context=context)[:2] == (SECURE, "kid.z.lab.")
    assert outcome(world, "kid.z.lab", context=context)[:2] == (SECURE, "kid.z.lab.")


def test_without_an_anchor_above_nothing_can_be_said(world: World) -> None:
    context = context_of(world, anchors=[rrset("z.lab.", "DS", *world.zone(name("z.lab")).ds)])
    status, zone, codes = outcome(world, "lab", context=context)
    assert (status, zone, codes) == (INDETERMINATE, "lab.", [5])
    assert outcome(world, "z.lab", context=context)[0] is SECURE
    trust = find(world, "www.example", context)
    assert "no trust anchor is configured at or above www.example." in reasons(trust)


def test_an_anchor_that_is_no_key_of_its_zone_is_bogus(world: World) -> None:
    wrong = rrset(".", "DS", ds_rdata(names.ROOT, derive("evil", names.ROOT, 13)))
    context = context_of(world, anchors=[wrong])
    status, zone, codes = outcome(world, "z.lab", context=context)
    assert (status, zone, codes) == (BOGUS, ".", [9])
    assert "DS record or trust anchor" in reasons(find(world, "z.lab", context))


def test_an_anchor_that_is_unsupported_makes_everything_below_insecure(world: World) -> None:
    """Trap 20."""
    key = derive("odd", name("z.lab"), 100)
    context = context_of(world, anchors=[rrset("z.lab.", "DS", ds_rdata(name("z.lab"), key))])
    assert outcome(world, "www.z.lab", context=context) == (INSECURE, "z.lab.", [1])


def test_what_is_switched_off_is_unsupported(world: World) -> None:
    context = context_of(world, supported=Supported(frozenset({8}), frozenset({2})))
    assert outcome(world, "z.lab", context=context)[0] is INSECURE


# ------------ Negative anchors (RFC 7646) ------------


def test_below_a_negative_anchor_nothing_is_checked_nor_asked(world: World) -> None:
    until = NOW + 7 * DAY
    negative = [NegativeAnchor(name("z.lab"), until)]
    context, upstream = context_of(world, negative=negative), Upstream(world)
    trust = find(upstream, "www.z.lab", context)
    assert (trust.status, names.to_text(trust.zone)) == (INSECURE, "z.lab.")
    assert [flaw.code for flaw in trust.flaws] == [33]
    assert "z.lab. is not checked: a negative trust anchor says so until 20" in reasons(trust)
    assert trust.valid_until == until
    assert [(link.status, link.flaws) for link in trust.chain] == [(INSECURE, trust.flaws)]
    assert upstream.asked == []
    assert context.zones.closest(name("z.lab")) is None
    assert find(upstream, "lab", context).status is SECURE


def test_a_negative_anchor_ends(world: World) -> None:
    negative = [NegativeAnchor(name("z.lab"), NOW)]
    context = context_of(world, negative=negative)
    assert find(world, "z.lab", context).status is SECURE
    assert find(world, "z.lab", context, now=NOW - 1).status is INSECURE


def test_a_policy_of_the_configuration_is_no_flaw(world: World) -> None:
    context = context_of(world, negative=[NegativeAnchor(name("z.lab"), is_policy=True)])
    assert outcome(world, "z.lab", context=context) == (INSECURE, "z.lab.", [])


def test_a_positive_anchor_below_a_negative_one_is_where_the_walk_begins(world: World) -> None:
    kid = world.zone(name("a.b.z.lab"))
    context = context_of(
        world,
        anchors=[world.anchor(), rrset("a.b.z.lab.", "DS", *kid.ds)],
        negative=[NegativeAnchor(name("z.lab"), NOW + DAY)],
    )
    assert outcome(world, "www.a.b.z.lab", context=context) == (SECURE, "a.b.z.lab.", [])
    assert outcome(world, "b.z.lab", context=context)[0] is INSECURE


# ------------ Flights ------------


def first_flight(
    world: World, text: str, context: Context | None = None, *, is_signer: bool = False
) -> list[str]:
    """What a walk asks for at once: the question that it waits for, and those that go along."""
    context = context or context_of(world)
    request = AskZone(name(text), Budget(context.limits), is_signer)
    first = find_zone(request, context, NOW).send(None)
    assert isinstance(first, Ask)
    return [str(first.question), *map(str, first.soon)]


def test_a_cold_chain_is_asked_for_in_one_flight(world: World) -> None:
    assert first_flight(world, "z.lab", is_signer=True) == [
        ". DNSKEY", "lab. DS", "z.lab. DS", "lab. DNSKEY", "z.lab. DNSKEY",
    ]  # fmt: skip
    assert first_flight(world, "www.z.lab") == [
        ". DNSKEY", "lab. DS", "z.lab. DS", "www.z.lab. DS", "lab. DNSKEY",
    ]  # fmt: skip
    assert first_flight(world, ".") == [". DNSKEY"]


def test_from_a_known_zone_the_rest_is(world: World) -> None:
    context = context_of(world)
    find(world, "lab", context)
    assert first_flight(world, "z.lab", context, is_signer=True) == [
        "z.lab. DS", "z.lab. DS", "z.lab. DNSKEY",
    ]  # fmt: skip
    assert first_flight(world, "www.z.lab", context) == [
        "z.lab. DS", "z.lab. DS", "www.z.lab. DS",
    ]  # fmt: skip


def test_of_many_names_only_the_first_and_the_last_are_thought_to_be_zones(world: World) -> None:
    four = first_flight(world, "b.a.z.lab", is_signer=True)
    assert [asked for asked in four if asked.endswith(" DNSKEY")] == [
        ". DNSKEY", "lab. DNSKEY", "z.lab. DNSKEY", "a.z.lab. DNSKEY", "b.a.z.lab. DNSKEY",
    ]  # fmt: skip
    five = first_flight(world, "c.b.a.z.lab", is_signer=True)
    assert [asked for asked in five if asked.endswith(" DNSKEY")] == [
        ". DNSKEY", "lab. DNSKEY", "c.b.a.z.lab. DNSKEY",
    ]  # fmt: skip
    assert len([asked for asked in five if asked.endswith(" DS")]) == 5


NIBBLES = ".".join("0123456789abcdef" * 2) + ".ip6.arpa."


@pytest.mark.parametrize("is_signer", [False, True])
def test_a_reverse_name_of_34_labels_stays_within_64_queries(is_signer: bool) -> None:
    reverse = name(NIBBLES)
    assert names.label_count(reverse) == 34
    records = f"{'.'.join('0123456789abcdef' * 2)} PTR host.z.lab."
    world = world_of(
        Plan("arpa.", "a TLD"),
        Plan("ip6.arpa.", "reverse names", records=records, denial=Nsec3()),
    )
    context, upstream = context_of(world), Upstream(world)
    request = AskZone(reverse, Budget(context.limits), is_signer)
    first = find_zone(request, context, NOW).send(None)
    assert isinstance(first, Ask)
    trust = find(upstream, NIBBLES, context, is_signer=is_signer)
    assert (trust.status, names.to_text(trust.zone)) == (SECURE, "ip6.arpa.")
    asked = {str(first.question), *map(str, first.soon), *upstream.asked}
    assert len(asked) + 1 <= 64


# ------------ Limits ------------


def hostile_ds(world: World, count: int) -> Callable[[Response], Response]:
    """A DS set with so many signatures that are worth a check and do not verify."""
    lab = world.zone(name("lab"))

    def lie(response: Response) -> Response:
        ds: RRset = lab.records[name("z.lab"), rdtypes.DS]
        good = ds.signatures[0]
        bad = tuple(good[:-2] + n.to_bytes(2) for n in range(count))
        return replace(response, answer=(replace(ds, signatures=bad),))

    return lie


def test_a_zone_proof_over_its_budget_is_not_kept_and_not_told_to_others(world: World) -> None:
    limits = Limits(zone_failed_signatures=5)
    context = context_of(world, limits=limits)
    query = Budget(limits)
    lies: dict[str, Lie] = {"z.lab DS": hostile_ds(world, 8)}
    trust = find(Upstream(world, lies), "z.lab", context, budget=query)
    assert trust.status is BOGUS
    assert trust.over_limit
    assert "too many signatures that do not verify" in reasons(trust)
    assert not query.exhausted
    known = context.zones.closest(name("z.lab"))
    assert known
    assert names.to_text(known.zone) == "lab."
    assert outcome(world, "z.lab", context=context)[0] is SECURE


def test_the_query_pays_for_all_steps_of_the_walk(world: World) -> None:
    """However many names an answer makes us look at: 16 failed checks, and that is the end."""
    context = context_of(world)
    query = Budget(context.limits)
    long = "a.b.c.d.e.f.g.h.z.lab"
    find(world, "z.lab", context)
    zone = world.zone(name("z.lab"))
    junk = signed_by(zone, rrset("z.lab.", "DS", bytes(36)))
    good = junk.signatures[0]
    lies: dict[str, Lie] = {}
    for above in names.names_between(name("z.lab"), name(long)):
        owned = replace(junk, name=above)
        labels = bytes((names.label_count(above),))
        bad = tuple(good[:3] + labels + good[4:-2] + n.to_bytes(2) for n in range(4))
        lies[f"{names.to_text(above)} DS"] = saying(replace(owned, signatures=bad))
    trust = find(Upstream(world, lies), long, context, budget=query)
    assert trust.status is BOGUS
    assert trust.over_limit
    assert query.exhausted == "too many signatures that do not verify"


def test_signature_checks_of_a_step_are_limited(world: World) -> None:
    limits = Limits(zone_signatures=0)
    trust = find(Upstream(world), "z.lab", context_of(world, limits=limits))
    assert trust.status is BOGUS
    assert trust.over_limit
    assert "too many signature checks" in reasons(trust)


def test_a_step_that_goes_past_a_limit_is_the_end_of_the_walk(world: World) -> None:
    """Whoever sends such things is not worth more work, whatever may be proven below."""
    padding = [nsec("z.lab.", f"p{n}.z.lab.", f"p{n}x.z.lab.") for n in range(97)]
    for lie, text in (
        (saying(authority=padding), "too many NSEC or NSEC3 records"),
        (Unanswered(question("b.z.lab"), (), over_limit=True), "too many upstream queries"),
    ):
        upstream = Upstream(world, {"b.z.lab DS": lie})
        trust = find(upstream, "x.a.b.z.lab")
        assert trust.over_limit
        assert trust.status.is_failure
        assert text in reasons(trust)
        assert upstream.asked[-1] == "b.z.lab. DS"
