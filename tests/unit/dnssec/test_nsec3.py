"""What NSEC3 records prove: the examples of RFC 5155 appendix B, and what they must not prove."""

import pytest

from anchord.dnssec import nsec3
from anchord.dnssec.denial import Denial, Denied, Evidence
from anchord.dnssec.limits import Budget, Limits
from anchord.lab.denial import Nsec3
from anchord.lab.plan import Plan
from anchord.lab.world import World
from anchord.lab.zones import Zone
from anchord.model import names, rdtypes
from anchord.model.response import RRset
from support.denials import (
    covering,
    evidence,
    hashed,
    matching,
    name,
    near,
)
from support.denials import nsec3 as record
from support.lab import NOW

LIMITS = Limits()


def budget() -> Budget:
    return Budget(LIMITS)


def name_error(found: Evidence, text: str, spent: Budget | None = None) -> Denial | None:
    return nsec3.name_error(found, name(text), LIMITS, spent or budget())


def no_data(found: Evidence, text: str, rdtype: str = "A") -> Denial | None:
    number = rdtypes.from_text(rdtype)
    return nsec3.no_data(found, name(text), number, LIMITS, budget())


def no_closer_match(found: Evidence, text: str, encloser: str) -> Denial | None:
    return nsec3.no_closer_match(found, name(text), name(encloser), LIMITS, budget())


def no_secure_delegation(found: Evidence, text: str) -> Denial | None:
    return nsec3.no_secure_delegation(found, name(text), LIMITS, budget())


def insecure_cut(found: Evidence, text: str) -> Denial | None:
    return nsec3.insecure_cut(found, name(text), LIMITS, budget())


def proven(denial: Denial | None, denied: Denied, *, opt_out: bool = False) -> bool:
    return denial is not None and (denial.denied, denial.opt_out) == (denied, opt_out)


# ------------ RFC 5155 appendices A and B ------------

SALT = bytes.fromhex("aabbccdd")

HASHES = {
    "example.": "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom",
    "a.example.": "35mthgpgcu1qg68fab165klnsnk3dpvl",
    "ai.example.": "gjeqe526plbf1g8mklp59enfd789njgi",
    "ns1.example.": "2t7b4g4vsa5smi47k61mv5bv1a22bojr",
    "ns2.example.": "q04jkcevqvmu85r014c7dkba38o0ji5r",
    "w.example.": "k8udemvp1j2f7eg6jebps17vp3n8i58h",
    "*.w.example.": "r53bq7cc2uvmubfu5ocmm6pers9tk9en",
    "x.w.example.": "b4um86eghhds6nea196smvmlo4ors995",
    "y.w.example.": "ji6neoaepv8b5o6k4ev33abha8ht9fgc",
    "x.y.w.example.": "2vptu5timamqttgl4luu9kg21e0aor3s",
    "xx.example.": "t644ebqk9bibcna874givr6joj62mlhv",
}

RECORDS = """
    @      MX     1 xx
    ai     A      192.0.2.9
    ai     HINFO  "KLH-10" "ITS"
    ns1    A      192.0.2.1
    ns2    A      192.0.2.2
    *.w    MX     1 ai
    x.w    MX     1 xx
    x.y.w  MX     1 xx
    xx     A      192.0.2.10
"""


@pytest.fixture(scope="module")
def example() -> Zone:
    world = World(
        NOW,
        plans=[
            Plan(".", "the root"),
            Plan(
                "example.",
                "appendix A",
                records=RECORDS,
                denial=Nsec3(12, SALT, opt_out=True),
            ),
            Plan("a.example.", "a signed delegation"),
            Plan("c.example.", "an unsigned delegation, left out by opt-out", algorithms=()),
        ],
    )
    return world.zone(name("example."))


def all_of(zone: Zone, *left_out: str) -> Evidence:
    gone = {hashed(text, SALT, 12) for text in left_out}
    kept = [r for r in zone.chain.rrsets() if nsec3_owner_hash(r) not in gone]
    return evidence("example.", kept)


def nsec3_owner_hash(rrset: RRset) -> bytes:
    found = evidence("example.", [rrset]).nsec3s
    return found[0].owner_hash


def owners(denial: Denial | None, zone: Zone) -> list[str]:
    """The names whose records a proof rests on."""
    assert denial
    by_hash = {nsec3.nsec3_hash(existing, SALT, 12): existing for existing in zone.nodes}
    return [names.to_text(by_hash[nsec3_owner_hash(rrset)]) for rrset in denial.records]


def test_appendix_a_the_hashes(example: Zone) -> None:
    for text, expected in HASHES.items():
        found = example.chain.matching(name(text))
        assert found
        assert found.name[1:33].decode() == expected
        assert evidence("example.", [found]).nsec3s[0].owner_hash == hashed(text, SALT, 12)


def test_b1_a_name_error(example: Zone) -> None:
    denial = name_error(all_of(example), "a.c.x.w.example.")
    assert proven(denial, Denied.NAME, opt_out=True)
    assert owners(denial, example)[0] == "x.w.example."
    assert name_error(all_of(example, "x.w.example."), "a.c.x.w.example.") is None


def test_b2_no_data(example: Zone) -> None:
    denial = no_data(all_of(example), "ns1.example.", "MX")
    assert proven(denial, Denied.DATA)
    assert owners(denial, example) == ["ns1.example."]
    assert no_data(all_of(example), "ns1.example.", "A") is None


def test_b21_no_data_at_an_empty_non_terminal(example: Zone) -> None:
    denial = no_data(all_of(example), "y.w.example.")
    assert proven(denial, Denied.DATA)
    assert owners(denial, example) == ["y.w.example."]
    assert name_error(all_of(example), "y.w.example.") is None


def test_b3_an_unsigned_delegation_in_an_opt_out_span(example: Zone) -> None:
    for asked in ("c.example.", "mc.c.example."):
        denial = no_secure_delegation(all_of(example), asked)
        assert proven(denial, Denied.DS, opt_out=True)
        assert owners(denial, example)[0] == "example."
        assert insecure_cut(all_of(example), asked) is None


def test_b4_a_wildcards_answer(example: Zone) -> None:
    denial = no_closer_match(all_of(example), "a.z.w.example.", "w.example.")
    assert proven(denial, Denied.CLOSER_MATCH, opt_out=True)
    assert len(denial.records if denial else ()) == 1


def test_b5_no_data_at_a_wildcard(example: Zone) -> None:
    denial = no_data(all_of(example), "a.z.w.example.", "AAAA")
    assert proven(denial, Denied.DATA, opt_out=True)
    assert {"w.example.", "*.w.example."} <= set(owners(denial, example))
    assert no_data(all_of(example), "a.z.w.example.", "MX") is None


def test_b6_the_childs_apex_says_nothing_of_its_ds(example: Zone) -> None:
    assert no_data(all_of(example), "example.", "DS") is None
    assert no_secure_delegation(all_of(example), "example.") is None


def test_a_signed_delegation_is_no_insecure_one(example: Zone) -> None:
    assert no_secure_delegation(all_of(example), "a.example.") is None
    assert no_secure_delegation(all_of(example, "a.example."), "a.example.") is None
    assert insecure_cut(all_of(example), "a.example.") is None


def test_below_a_delegation_nothing_is_denied(example: Zone) -> None:
    """RFC 6840 section 4.1; nor where the delegation's own record is held back."""
    for found in (all_of(example), all_of(example, "a.example.")):
        for asked in ("x.a.example.", "y.x.a.example."):
            assert name_error(found, asked) is None
            assert no_data(found, asked) is None
            assert no_secure_delegation(found, asked) is None
            assert no_closer_match(found, asked, "example.") is None


# ------------ Closest enclosers ------------


def zone(*records: RRset) -> Evidence:
    return evidence("z.", records)


def test_a_name_error_needs_encloser_next_closer_and_wildcard() -> None:
    parts = matching("z.", "z.", "NS SOA"), covering("z.", "b.z."), covering("z.", "*.z.")
    denial = name_error(zone(*parts), "a.b.z.")
    assert proven(denial, Denied.NAME)
    assert denial
    assert set(denial.records) == set(parts)
    for missing in parts:
        rest = [part for part in parts if part is not missing]
        assert name_error(zone(*rest), "a.b.z.") is None


def test_one_record_may_do_for_several_steps() -> None:
    apex = hashed("z.")
    alone = record("z.", apex, apex, "NS SOA")
    denial = name_error(zone(alone), "a.z.")
    assert proven(denial, Denied.NAME)
    assert denial
    assert denial.records == (alone,)
    assert no_data(zone(alone), "z.", "A")
    assert name_error(zone(alone), "z.") is None


def test_the_closest_encloser_is_the_deepest_that_matches() -> None:
    """A shallower one would deny a name that a wildcard below the deeper one stands for."""
    parts = (
        matching("z.", "z.", "NS SOA"),
        matching("z.", "b.z.", "A"),
        covering("z.", "b.z."),
        covering("z.", "*.z."),
    )
    assert name_error(zone(*parts), "a.b.z.") is None
    more = (covering("z.", "a.b.z."), covering("z.", "*.b.z."))
    denial = name_error(zone(*parts, *more), "a.b.z.")
    assert proven(denial, Denied.NAME)
    assert denial
    assert parts[0] not in denial.records


def test_the_zone_is_the_highest_encloser() -> None:
    parts = matching("z.", ".", "A"), covering("z.", "z."), covering("z.", "*.")
    assert name_error(zone(*parts), "a.z.") is None


@pytest.mark.parametrize("bits", ["NS", "NS DS", "DNAME", "A DNAME"])
def test_an_encloser_at_a_cut_or_dname_shows_nothing(bits: str) -> None:
    parts = [
        matching("z.", "b.z.", bits),
        covering("z.", "a.b.z."),
        covering("z.", "*.b.z."),
        matching("z.", "*.b.z.", "TXT"),
    ]
    found = zone(*parts)
    assert name_error(found, "a.b.z.") is None
    assert no_data(found, "a.b.z.") is None
    assert no_secure_delegation(found, "a.b.z.") is None


def test_an_encloser_that_is_the_apex_shows_it() -> None:
    found = zone(matching("z.", "z.", "NS SOA"), covering("z.", "a.z."), covering("z.", "*.z."))
    assert name_error(found, "a.z.")
    with_dname = zone(
        matching("z.", "z.", "NS SOA DNAME"), covering("z.", "a.z."), covering("z.", "*.z.")
    )
    assert name_error(with_dname, "a.z.") is None


def test_names_of_255_octets_are_denied_like_others() -> None:
    above = ".".join(["l" * 60, *["l" * 62] * 2, "m" * 62, "z."])
    asked = "a." + above
    assert len(name(asked)) == 255
    parts = matching("z.", above, "A"), covering("z.", asked), covering("z.", "*." + above)
    assert proven(name_error(zone(*parts), asked), Denied.NAME)
    wildcard = matching("z.", "*." + above, "TXT")
    assert proven(no_data(zone(*parts[:2], wildcard), asked), Denied.DATA)


def test_names_are_hashed_in_lower_case() -> None:
    assert no_data(zone(matching("z.", "A.Z.", "TXT")), "a.z.")


# ------------ Spans ------------


def test_neither_end_of_a_span_is_in_it() -> None:
    """A hash that is the owner's or the next one exists, so that a span must not deny it."""
    apex = matching("z.", "z.", "NS SOA")
    wildcard = covering("z.", "*.z.")
    digest = hashed("a.z.")
    for begin, end in ((digest, near(digest, 9)), (near(digest, -9), digest), (digest, digest)):
        found = zone(apex, wildcard, record("z.", begin, end, "A"))
        assert name_error(found, "a.z.") is None
        assert no_closer_match(found, "a.z.", "z.") is None
        assert proven(no_secure_delegation(found, "a.z."), Denied.NAME) is False
    within = record("z.", near(digest, -1), near(digest, 1), "A")
    assert name_error(zone(apex, wildcard, within), "a.z.")


def test_the_last_span_reaches_around_and_no_other_does() -> None:
    apex, wildcard = matching("z.", "z.", "NS SOA"), covering("z.", "*.z.")
    digest = hashed("a.z.")
    first, last = bytes(19) + b"\1", b"\xff" * 19 + b"\xfe"
    assert first < digest < last
    for begin, end, is_covered in (
        (near(digest, -1), first, True),
        (last, near(digest, 1), True),
        (last, first, False),
        (first, near(digest, -1), False),
        (near(digest, 1), last, False),
        (near(digest, 1), near(digest, -1), False),
        (first, first, True),
    ):
        found = zone(apex, wildcard, record("z.", begin, end, "A"))
        assert (name_error(found, "a.z.") is not None) is is_covered


# ------------ Missing types ------------


def test_the_parents_side_of_a_cut_denies_ds_and_nothing_else() -> None:
    found = zone(matching("z.", "a.z.", "NS"))
    assert no_data(found, "a.z.", "DS")
    for rdtype in ("A", "SOA", "DNSKEY", "ANY", "NS"):
        assert no_data(found, "a.z.", rdtype) is None


def test_an_alias_would_have_been_the_answer() -> None:
    assert no_data(zone(matching("z.", "a.z.", "CNAME RRSIG")), "a.z.", "A") is None
    parts = matching("z.", "z.", "NS SOA"), covering("z.", "a.z.")
    assert no_data(zone(*parts, matching("z.", "*.z.", "CNAME RRSIG")), "a.z.", "A") is None


def test_no_data_without_anything_at_the_wildcard_is_not_proven() -> None:
    parts = matching("z.", "z.", "NS SOA"), covering("z.", "a.z."), covering("z.", "*.z.")
    assert no_data(zone(*parts), "a.z.") is None


def test_a_wildcard_may_be_an_empty_non_terminal() -> None:
    parts = matching("z.", "z.", "NS SOA"), covering("z.", "a.z."), matching("z.", "*.z.", "")
    assert proven(no_data(zone(*parts), "a.z."), Denied.DATA)


def test_nxname_says_that_the_name_does_not_exist() -> None:
    """RFC 9824, in its form for NSEC3."""
    found = zone(matching("z.", "q.z.", "NXNAME"))
    assert proven(name_error(found, "q.z."), Denied.COMPACTLY)
    assert proven(no_data(found, "q.z.", "A"), Denied.COMPACTLY)
    assert proven(no_secure_delegation(found, "q.z."), Denied.DELEGATION)
    assert name_error(found, "a.q.z.") is None
    assert name_error(zone(matching("z.", "q.z.", "A")), "q.z.") is None


# ------------ Opt-out ------------


def opting_out(covered: str) -> RRset:
    return covering("z.", covered, flags=1)


def test_opt_out_denies_without_authenticity() -> None:
    """RFC 5155 section 9.2: an unsigned delegation may lie where nothing was found."""
    apex, wildcard = matching("z.", "z.", "NS SOA"), covering("z.", "*.z.")
    found = zone(apex, wildcard, opting_out("a.z."))
    assert proven(name_error(found, "a.z."), Denied.NAME, opt_out=True)
    assert proven(no_closer_match(found, "a.z.", "z."), Denied.CLOSER_MATCH, opt_out=True)
    assert proven(no_secure_delegation(found, "a.z."), Denied.DS, opt_out=True)
    assert proven(no_data(found, "a.z."), Denied.DATA, opt_out=True)
    at_wildcard = zone(apex, matching("z.", "*.z.", "TXT"), opting_out("a.z."))
    assert proven(no_data(at_wildcard, "a.z."), Denied.DATA, opt_out=True)


def test_the_flag_counts_where_it_covers_the_next_closer_name_and_nowhere_else() -> None:
    apex = matching("z.", "z.", "NS SOA", flags=1)
    found = zone(apex, covering("z.", "a.z."), opting_out("*.z."))
    assert proven(name_error(found, "a.z."), Denied.NAME)
    assert proven(no_secure_delegation(found, "a.z."), Denied.NAME)
    exact = zone(matching("z.", "a.z.", "A", flags=1))
    assert proven(no_data(exact, "a.z.", "TXT"), Denied.DATA)
    assert proven(no_secure_delegation(exact, "a.z."), Denied.DELEGATION)


def test_without_the_flag_a_span_is_no_insecure_delegation() -> None:
    found = zone(matching("z.", "z.", "NS SOA"), covering("z.", "a.z."))
    assert proven(no_secure_delegation(found, "a.z."), Denied.NAME)


def test_an_insecure_cut_is_known_by_its_own_record_only() -> None:
    assert proven(insecure_cut(zone(matching("z.", "a.z.", "NS")), "a.z."), Denied.DS)
    for bits in ("NS DS RRSIG", "A RRSIG", "NS SOA RRSIG"):
        assert insecure_cut(zone(matching("z.", "a.z.", bits)), "a.z.") is None
    assert insecure_cut(zone(matching("z.", "z.", "NS SOA"), opting_out("a.z.")), "a.z.") is None


# ------------ Parameters ------------


def test_records_of_different_salt_or_iterations_make_no_proof_together() -> None:
    """Trap 15: each of the three steps is there, but under different parameters."""
    for other in ({"salt": b"\1"}, {"iterations": 1}):
        found = zone(
            matching("z.", "z.", "NS SOA"),
            covering("z.", "a.z."),
            covering("z.", "*.z.", **other),
        )
        assert name_error(found, "a.z.") is None


@pytest.mark.parametrize("order", [1, -1])
def test_either_of_two_chains_is_enough(order: int) -> None:
    """As while a zone changes its salt."""
    one = [matching("z.", "z.", "NS SOA"), covering("z.", "a.z.")]
    other = [
        matching("z.", "z.", "NS SOA", salt=b"\1", iterations=3),
        covering("z.", "a.z.", salt=b"\1", iterations=3),
        covering("z.", "*.z.", salt=b"\1", iterations=3),
    ]
    denial = name_error(zone(*(one + other)[::order]), "a.z.")
    assert proven(denial, Denied.NAME)
    assert denial
    assert set(denial.records) == set(other)


def test_fifty_iterations_are_counted_and_not_one_more() -> None:
    for iterations, is_counted in ((50, True), (51, False)):
        found = zone(
            matching("z.", "z.", "NS SOA", iterations=iterations),
            covering("z.", "a.z.", iterations=iterations),
            covering("z.", "*.z.", iterations=iterations),
        )
        assert (name_error(found, "a.z.") is not None) is is_counted
        unsupported = nsec3.unsupported(found, LIMITS, budget())
        assert (unsupported is None) is is_counted
        if unsupported:
            assert proven(unsupported, Denied.NOTHING)
            assert len(unsupported.records) == 1


def test_too_many_iterations_are_never_hashed() -> None:
    """BIND, CVE-2026-1519: nor in the proof of an insecure delegation."""
    spent = Budget(Limits(hash_blocks=0))
    found = zone(matching("z.", "a.z.", "NS", iterations=65535))
    assert nsec3.no_secure_delegation(found, name("a.z."), LIMITS, spent) is None
    assert not spent.exhausted
    assert proven(nsec3.unsupported(found, LIMITS, spent), Denied.NOTHING)


def test_a_spent_budget_is_no_reason_to_call_anything_unsupported() -> None:
    spent = Budget(Limits(hash_blocks=0))
    found = zone(matching("z.", "a.z.", "NS"), matching("z.", "b.z.", "NS", iterations=51))
    assert nsec3.no_secure_delegation(found, name("a.z."), LIMITS, spent) is None
    assert spent.exhausted == "too much NSEC3 hashing"
    assert nsec3.unsupported(found, LIMITS, spent) is None


# ------------ The price ------------


@pytest.mark.parametrize(
    ("octets", "salt", "iterations", "blocks"),
    [
        (5, 0, 0, 1),
        (55, 0, 0, 1),  # with nine octets of padding that is one block
        (56, 0, 0, 2),
        (5, 0, 50, 51),
        (5, 35, 50, 51),
        (5, 36, 50, 101),
        (255, 255, 0, 9),
        (255, 255, 50, 9 + 50 * 5),
    ],
)
def test_hashing_is_priced_by_the_blocks_of_sha1(
    octets: int, salt: int, iterations: int, blocks: int
) -> None:
    assert nsec3.hash_blocks(bytes(octets), bytes(salt), iterations) == blocks


def test_a_name_is_paid_for_once_in_a_proof() -> None:
    parts = matching("z.", "z.", "NS SOA"), covering("z.", "b.z."), covering("z.", "*.z.")
    exact = Budget(Limits(hash_blocks=4))  # a.b.z, b.z, z, and *.z
    assert proven(name_error(zone(*parts), "a.b.z.", exact), Denied.NAME)
    assert not exact.spend_hash(1)


def test_a_name_of_120_labels_is_not_hashed_to_the_end() -> None:
    """CVE-2023-50868; Unbound, CVE-2026-42923: 120 labels, 255 octets of salt, 50 iterations."""
    salt = bytes(255)
    asked = "a." * 120 + "z."
    spent = budget()
    records = [matching("z.", "z.", "NS SOA", salt=salt, iterations=50)]
    records += [covering("z.", f"x{n}.z.", salt=salt, iterations=50) for n in range(7)]
    assert name_error(zone(*records), asked, spent) is None
    assert spent.exhausted == "too much NSEC3 hashing"


def test_a_service_below_a_name_of_six_labels_at_fifty_iterations_is_within_the_budget() -> None:
    host = "a.b.c.d.e.z."
    parts = [
        matching("z.", host, "A", iterations=50),
        covering("z.", "_tcp." + host, iterations=50),
        covering("z.", "*." + host, iterations=50),
    ]
    spent = budget()
    assert proven(name_error(zone(*parts), "_25._tcp." + host, spent), Denied.NAME)
    assert not spent.exhausted
