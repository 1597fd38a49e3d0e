"""From claims to proofs: only genuine records count, and junk beside them spoils nothing."""

from collections.abc import Callable, Iterable

import pytest
from msgspec.structs import replace

from anchord.dnssec import claims
from anchord.dnssec.asking import Context, Work
from anchord.dnssec.denial import Claim, Denied
from anchord.dnssec.limits import Budget, Limits
from anchord.dnssec.proofs import Proof, prove
from anchord.dnssec.replay import run
from anchord.dnssec.rrsig import is_limit
from anchord.lab.denial import BY_NSEC, DenialMethod, Nsec3
from anchord.lab.plan import Plan
from anchord.lab.world import World
from anchord.lab.zones import Window, Zone
from anchord.model import names, rdtypes
from anchord.model.response import Response, RRset
from anchord.model.verdict import Flaw, Status
from support.denials import covering, name, nsec
from support.judging import (
    DAY,
    Upstream,
    codes,
    context_of,
    find,
    judge,
    rrset,
    saying,
    signed_by,
    texts,
)
from support.lab import NOW, question, world_of

RECORDS = """
    @     A    192.0.2.1
    b     A    192.0.2.2
    www   A    192.0.2.2
    www   TXT  "a name with two types"
    *.w   A    192.0.2.3
"""


def zone_in(denial: DenialMethod = BY_NSEC) -> tuple[World, Zone]:
    world = world_of(Plan("z.lab.", "under test", records=RECORDS, denial=denial))
    return world, world.zone(name("z.lab."))


def proof_of(
    world: World,
    claim: Callable[[Work], Claim],
    records: Iterable[RRset],
    limits: Limits | None = None,
    budget: Budget | None = None,
    context: Context | None = None,
) -> Proof | Flaw:
    """What comes of a claim about `nx.z.lab.` in a response with these records."""
    context = context or context_of(world, limits=limits)
    trust = find(world, "z.lab", context)
    assert trust.status is Status.SECURE
    work = Work(context, budget or Budget(context.limits), NOW)
    response = Response(question("nx.z.lab."), 3, authority=tuple(records))
    return run(prove(claim(work), response, trust, work), Upstream(world), context, NOW)


def no_such_name(work: Work) -> Claim:
    return claims.name_error(name("nx.z.lab."), rdtypes.A, work)


def denials(zone: Zone, *owners: str) -> list[RRset]:
    """The records that hold these names in their spans."""
    found = (zone.chain.covering(name(owner)) for owner in owners)
    return list(dict.fromkeys(rrset for rrset in found if rrset))


def name_error_records(zone: Zone) -> list[RRset]:
    apex = zone.chain.matching(zone.apex)
    assert apex
    return list(dict.fromkeys([apex, *denials(zone, "nx.z.lab", "*.z.lab")]))


@pytest.fixture(params=[BY_NSEC, Nsec3(1, b"\1")], ids=["nsec", "nsec3"])
def chain(request: pytest.FixtureRequest) -> tuple[World, Zone]:
    return zone_in(request.param)


def test_a_proof_holds_as_long_as_the_signatures_that_it_rests_on(
    chain: tuple[World, Zone],
) -> None:
    world, zone = chain
    records = name_error_records(zone)
    for number, ending in enumerate(records):
        window = Window(NOW - DAY, NOW + 60)
        resigned = signed_by(zone, replace(ending, signatures=()), window=window)
        proof = proof_of(world, no_such_name, [*records[:number], resigned, *records[number + 1 :]])
        assert isinstance(proof, Proof)
        assert proof.denied is Denied.NAME
        assert (proof.flaws, proof.opt_out) == ((), False)
        assert proof.valid_until == NOW + 60
        assert {r.name: r.ttl for r in proof.records}[ending.name] == 60


@pytest.mark.parametrize("order", [1, -1])
def test_junk_beside_good_records_spoils_nothing(chain: tuple[World, Zone], order: int) -> None:
    world, zone = chain
    good = name_error_records(zone)
    if zone.denial == BY_NSEC:
        junk = [
            nsec("z.lab.", f"{letter}.z.lab.", "zz.z.lab.", "A") for letter in ("c", "d", "m", "n")
        ]
    else:
        junk = [
            covering("z.lab.", text, salt=b"\1", iterations=1) for text in ("nx.z.lab", "*.z.lab")
        ]
    proof = proof_of(world, no_such_name, (junk + good)[::order])
    assert isinstance(proof, Proof)
    assert {r.name for r in proof.records} <= {r.name for r in good}


def test_no_more_than_eight_records_are_checked_for_a_denial() -> None:
    world, zone = zone_in()
    good = name_error_records(zone)
    junk = [nsec("z.lab.", f"n{letter}.z.lab.", "zz.z.lab.", "A") for letter in "abcdefgh"]
    assert isinstance(proof_of(world, no_such_name, junk[:6] + good), Proof)
    for count in (7, 8):
        flaw = proof_of(world, no_such_name, junk[:count] + good)
        assert isinstance(flaw, Flaw)
        assert "too many NSEC or NSEC3 records that do not verify" in flaw.text
        assert flaw.code == 6


def test_a_denial_padded_with_records_is_not_even_looked_at() -> None:
    """BIND, CVE-2026-11605: all of them bear a signature by the zone, as it seems."""
    world, zone = zone_in()
    good = name_error_records(zone)
    padding = [nsec("z.lab.", f"a{n}.z.lab.", f"a{n}x.z.lab.") for n in range(200)]
    most = 8 * 12
    assert isinstance(proof_of(world, no_such_name, padding[: most - len(good)] + good), Proof)
    for records in (padding[: most - len(good) + 1] + good, padding + good):
        flaw = proof_of(world, no_such_name, records)
        assert isinstance(flaw, Flaw)
        assert flaw.code == 6
        assert "too many NSEC or NSEC3 records" in flaw.text


def test_a_budget_that_is_spent_is_the_reason_that_is_told(chain: tuple[World, Zone]) -> None:
    world, zone = chain
    for limits, text in (
        (Limits(signatures=0), "too many signature checks"),
        (Limits(hash_blocks=0), "too much NSEC3 hashing"),
    ):
        if zone.denial == BY_NSEC and limits.hash_blocks == 0:
            continue
        flaw = proof_of(world, no_such_name, name_error_records(zone), budget=Budget(limits))
        assert isinstance(flaw, Flaw)
        assert flaw.code == 6
        assert text in flaw.text


def test_where_the_budget_is_spent_what_has_verified_before_proves_nothing(
    chain: tuple[World, Zone],
) -> None:
    """By one forged record, or by hashing."""
    world, zone = chain
    context = context_of(world)
    good = name_error_records(zone)
    assert isinstance(proof_of(world, no_such_name, good, context=context), Proof)
    forged = [replace(r, signatures=(r.signatures[0][:-1] + b"\0",)) for r in good]
    spent = [(Limits(failed_signatures=0), forged + good)]
    if zone.denial != BY_NSEC:
        spent.append((Limits(hash_blocks=0), good))
    for limits, records in spent:
        flaw = proof_of(world, no_such_name, records, budget=Budget(limits), context=context)
        assert isinstance(flaw, Flaw)
        assert is_limit(flaw)


# ------------ Reasons ------------


def test_records_without_signatures() -> None:
    world, zone = zone_in()
    bare = [replace(r, signatures=()) for r in name_error_records(zone)]
    flaw = proof_of(world, no_such_name, bare)
    assert isinstance(flaw, Flaw)
    assert flaw.code == 10
    assert "have no RRSIG, though z.lab. is signed" in flaw.text


def test_no_records_at_all() -> None:
    world, _ = zone_in()
    flaw = proof_of(world, no_such_name, [])
    assert isinstance(flaw, Flaw)
    assert flaw.code == 12
    assert flaw.text.startswith("no NSEC or NSEC3 record proves")


def test_records_of_something_else() -> None:
    world, zone = zone_in()
    flaw = proof_of(world, no_such_name, denials(zone, "a.z.lab"))
    assert isinstance(flaw, Flaw)
    assert flaw.code == 12
    assert flaw.text.startswith("the NSEC or NSEC3 records of z.lab. do not prove")


@pytest.mark.parametrize("at", [0, 1])
def test_records_that_would_prove_it_but_are_forged(at: int) -> None:
    world, zone = zone_in()
    records = denials(zone, "nx.z.lab", "*.z.lab")
    records[at] = replace(records[at], rdatas=(records[at].rdatas[0][:-1] + b"\7",))
    flaw = proof_of(world, no_such_name, records)
    assert isinstance(flaw, Flaw)
    assert flaw.code == 6
    assert "does not verify" in flaw.text


def test_records_that_would_not_prove_it_and_have_expired() -> None:
    world, zone = zone_in()
    window = Window(NOW - 2 * DAY, NOW - DAY)
    records = [signed_by(zone, r, window=window) for r in denials(zone, "a.z.lab")]
    flaw = proof_of(world, no_such_name, records)
    assert isinstance(flaw, Flaw)
    assert flaw.code == 7


def reason(world: World, records: Iterable[RRset], budget: Budget | None = None) -> Flaw:
    flaw = proof_of(world, no_such_name, records, budget=budget)
    assert isinstance(flaw, Flaw)
    return flaw


def test_records_that_cannot_be_read() -> None:
    world, zone = zone_in()
    for rdtype in ("NSEC", "NSEC3"):
        malformed = signed_by(zone, rrset("b.z.lab.", rdtype, b"\1b\0\0\0"))
        flaw = reason(world, [malformed])
        assert flaw.code == 6
        assert flaw.text == f"the {rdtype} record of z.lab. is malformed"


def test_one_record_without_a_signature_is_not_why_the_others_prove_nothing() -> None:
    world, zone = zone_in()
    record = denials(zone, "a.z.lab")[0]
    bare = nsec("z.lab.", "c.z.lab.", "d.z.lab.")
    for records in ([record, replace(bare, signatures=())], [replace(bare, signatures=()), record]):
        assert reason(world, records).code == 12


def test_no_more_than_eight_records_are_checked_for_the_reason() -> None:
    world, zone = zone_in()
    genuine = [
        signed_by(zone, replace(nsec("z.lab.", f"a{n}.z.lab.", f"a{n}x.z.lab."), signatures=()))
        for n in range(8)
    ]
    forged = nsec("z.lab.", "a9.z.lab.", "a9x.z.lab.")
    assert reason(world, [*genuine[:7], forged]).code == 6
    assert reason(world, [*genuine, forged]).code == 12


def test_the_first_record_that_is_not_genuine_tells_why() -> None:
    world, zone = zone_in()
    ended = Window(NOW - 2 * DAY, NOW - DAY)
    old = [signed_by(zone, nsec("z.lab.", f"n{x}.z.lab.", "zz.z.lab."), window=ended) for x in "ab"]
    forged = nsec("z.lab.", "nc.z.lab.", "zz.z.lab.")
    wildcard = denials(zone, "*.z.lab")
    assert reason(world, [old[0], forged, *wildcard]).code == 7
    assert reason(world, [forged, *old, *wildcard]).code == 6


def test_a_proof_that_has_failed_is_not_checked_to_its_end() -> None:
    world, zone = zone_in()
    spoilt = [
        replace(r, signatures=(r.signatures[0][:-1] + b"\0",))
        for r in denials(zone, "nx.z.lab", "*.z.lab")
    ]
    assert len(spoilt) == 2
    flaw = reason(world, spoilt, budget=Budget(Limits(failed_signatures=1)))
    assert "does not verify" in flaw.text


# ------------ Wildcards ------------


@pytest.mark.parametrize("order", [1, -1])
def test_a_wildcards_nsec_denies_nothing_at_the_names_that_it_may_be_expanded_to(
    order: int,
) -> None:
    """CVE-2017-15105: nor does it where a made-up RRSIG beside the genuine one says that it was
    not expanded."""
    world, zone = zone_in()
    wildcard = zone.chain.matching(name("*.w.z.lab"))
    assert wildcard
    genuine = wildcard.signatures[0]
    made_up = genuine[:3] + b"\4" + genuine[4:]  # the labels of www.w.z.lab
    zone.put(signed_by(zone, rrset("www.w.z.lab.", "TXT", b"\1x")))
    expanded = replace(wildcard, name=name("www.w.z.lab"), signatures=(made_up, genuine)[::order])
    soa = zone.records[zone.apex, rdtypes.SOA]
    for asked in ("www.w.z.lab TXT", "www.w.z.lab AAAA", "www.w.z.lab DS"):
        lie = saying(authority=(soa, expanded))
        answer = judge(Upstream(world, {asked: lie}), asked)
        assert answer.verdict.status is Status.BOGUS, asked
        assert codes(answer)[0] in {6, 12}


def test_an_expanded_nsec_is_no_proof_of_an_insecure_delegation() -> None:
    """Unbound, 2026-06: a wildcard that delegates, used against a secure delegation beside it."""
    world = world_of(
        Plan("z.lab.", "a wildcard delegation", records="* NS ns.lab."),
        Plan("kid.z.lab.", "a secure zone"),
    )
    zone = world.zone(name("z.lab."))
    wildcard = zone.chain.matching(name("*.z.lab"))
    assert wildcard
    genuine = wildcard.signatures[0]
    expanded = replace(
        wildcard,
        name=name("kid.z.lab"),
        signatures=(genuine[:3] + b"\3" + genuine[4:], genuine),
    )
    forged = rrset("kid.z.lab.", "A", b"\6\6\6\6")
    lies = {
        "kid.z.lab DS": saying(authority=(zone.records[zone.apex, rdtypes.SOA], expanded)),
        "kid.z.lab A": saying(forged, authority=(expanded,)),
    }
    assert judge(Upstream(world, lies), "kid.z.lab A").verdict.status is Status.BOGUS


# ------------ Too many iterations ------------


def test_records_of_too_many_iterations_are_checked_before_anything_is_called_unsupported() -> None:
    """RFC 9276 section 3.2: else whoever adds a record with many iterations chooses the verdict."""
    world, zone = zone_in(Nsec3(51))
    records = name_error_records(zone)
    proof = proof_of(world, no_such_name, records)
    assert isinstance(proof, Proof)
    assert proof.denied is Denied.NOTHING
    assert [flaw.code for flaw in proof.flaws] == [27]
    forged = [replace(r, signatures=(r.signatures[0][:-1] + b"\0",)) for r in records]
    flaw = proof_of(world, no_such_name, forged)
    assert isinstance(flaw, Flaw)
    assert flaw.code == 6


@pytest.mark.parametrize("order", [1, -1])
def test_a_made_up_record_of_many_iterations_changes_nothing(
    chain: tuple[World, Zone], order: int
) -> None:
    world, zone = chain
    junk = covering("z.lab.", "x.z.lab", iterations=65535)
    proof = proof_of(world, no_such_name, [junk, *name_error_records(zone)][::order])
    assert isinstance(proof, Proof)
    assert proof.denied is Denied.NAME


@pytest.mark.parametrize("order", [1, -1])
def test_a_genuine_record_of_many_iterations_changes_nothing_where_others_prove_more(
    chain: tuple[World, Zone], order: int
) -> None:
    """As while a zone mends its parameters, or where somebody kept an old record."""
    world, zone = chain
    old = signed_by(zone, covering("z.lab.", "x.z.lab", iterations=100))
    proof = proof_of(world, no_such_name, [old, *name_error_records(zone)][::order])
    assert isinstance(proof, Proof)
    assert proof.denied is Denied.NAME
    alone = proof_of(world, no_such_name, [old])
    assert isinstance(alone, Proof)
    assert alone.denied is Denied.NOTHING


def test_reasons_are_told_to_people() -> None:
    world, zone = zone_in(Nsec3(51))
    answer = judge(world, "nx.z.lab A")
    assert answer.verdict.status is Status.INSECURE
    assert "more iterations than are supported" in texts(answer)
    assert names.to_text(zone.apex) in texts(answer)
