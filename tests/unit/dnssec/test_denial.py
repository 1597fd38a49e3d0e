"""Which records are evidence at all, before any signature is checked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from anchord.dnssec.denial import collect_evidence
from anchord.lab.denial import nsec3_owner
from anchord.model import names, rdtypes
from anchord.model.response import RRset
from anchord.model.steps import at_once
from support.denials import (
    hashed,
    made_by,
    matching,
    name,
    nsec,
    nsec3,
    rrsig,
)

ZONE = name("z.")
HASH = hashed("a.z.")


def counts(*records: RRset, zone: str = "z.") -> bool:
    """Whether the records are evidence of the zone, all of them."""
    found = at_once(collect_evidence(records, name(zone)))
    assert len(found.rrsets) == len(found.nsecs) + len(found.nsec3s)
    return len(found.rrsets) == len(records)


def test_records_count_for_the_zone_that_signed_them_only() -> None:
    record = nsec("z.", "a.z.", "b.z.")
    assert counts(record)
    assert not counts(record, zone=".")
    assert not counts(record, zone="a.z.")
    assert counts(nsec3("z.", HASH, HASH))
    assert not counts(nsec3("z.", HASH, HASH), zone=".")


def test_records_without_a_signature_are_none() -> None:
    for record in (nsec("z.", "a.z.", "b.z."), nsec3("z.", HASH, HASH)):
        assert not counts(replace(record, signatures=()))
        assert not counts(replace(record, signatures=(b"", b"\0" * 17)))
        assert counts(replace(record, signatures=(b"", *record.signatures)))


def test_other_types_are_none() -> None:
    assert not counts(made_by(ZONE, name("a.z."), rdtypes.A, b"\1\2\3\4"))


@pytest.mark.parametrize("rdtype", [rdtypes.TXT, 65280])
def test_other_types_are_none_though_they_look_like_it(rdtype: int) -> None:
    """Whoever may publish records in a zone could else deny its other names."""
    record = nsec3("z.", HASH, HASH)
    assert not counts(made_by(ZONE, record.name, rdtype, *record.rdatas))
    assert not counts(made_by(ZONE, name("a.z."), rdtype, *nsec("z.", "a.z.", "z.").rdatas))


def test_an_owner_has_one_such_record() -> None:
    record = nsec("z.", "a.z.", "b.z.")
    other = nsec("z.", "a.z.", "c.z.")
    assert not counts(replace(record, rdatas=record.rdatas + other.rdatas))
    assert not counts(replace(record, rdatas=()))


def test_malformed_records_are_none_and_spoil_nothing() -> None:
    good = nsec("z.", "a.z.", "b.z.")
    for rdtype in (rdtypes.NSEC, rdtypes.NSEC3):
        for rdata in (b"", b"\5", b"\1\0\0\0", b"\1a\0\0\0", b"\1\0\0\0\0\0", b"\xc0\0"):
            bad = made_by(ZONE, name("b.z."), rdtype, rdata)
            assert not counts(bad)
            assert at_once(collect_evidence([bad, good], ZONE)).rrsets == [good]


# ------------ NSEC ------------


def test_the_next_name_lies_in_the_zone() -> None:
    """BIND, CVE-2026-13321; Unbound and Knot Resolver, 2026: a span that reaches beyond the zone
    would deny the names of its neighbours."""
    for following in ("b.zz.", "zz.", ".", "az.", r"b\.z."):
        assert not counts(nsec("z.", "a.z.", following)), following
    for following in ("z.", "Z.", "c.b.z."):
        assert counts(nsec("z.", "a.z.", following)), following
    assert counts(nsec(".", "zz.", "."), zone=".")


def test_the_owner_lies_in_the_zone() -> None:
    for owner in ("a.zz.", ".", "az."):
        assert not counts(nsec("z.", owner, "z."))


def test_what_was_expanded_from_a_wildcard_is_no_evidence() -> None:
    """CVE-2017-15105: RRSIGs of fewer labels than the owner has."""
    assert counts(nsec("z.", "*.z.", "a.z."))
    assert counts(nsec("z.", "b.a.z.", "z.", labels=3))
    for labels in (0, 1, 2, 4):
        assert not counts(nsec("z.", "b.a.z.", "z.", labels=labels))
    assert not counts(nsec("z.", "*.a.z.", "z.", labels=3))
    assert not counts(nsec("z.", "*.a.z.", "z.", labels=1))


def test_only_signatures_over_the_very_name_are_left_to_be_checked() -> None:
    """A made-up RRSIG of enough labels must not bring in a wildcard's genuine one beside it."""
    record = nsec("z.", "b.a.z.", "z.")
    expanded = rrsig(rdtypes.NSEC, ZONE, 1)
    foreign = rrsig(rdtypes.NSEC, name("a.z."), 3)
    mixed = replace(record, signatures=(expanded, *record.signatures, foreign))
    found = at_once(collect_evidence([mixed], ZONE))
    assert [rrset.signatures for rrset in found.rrsets] == [record.signatures]


# ------------ NSEC3 ------------


def test_the_owner_is_a_hash_directly_below_the_signer() -> None:
    """BIND, CVE-2026-10723; Unbound, 2026: a child's NSEC3 is none of the parent's."""
    record = nsec3("z.", HASH, HASH)
    for owner in ("a.z.", "z."):
        apex = name(owner)
        moved = replace(record, name=nsec3_owner(HASH, apex))
        labels = rrsig(rdtypes.NSEC3, ZONE, names.label_count(moved.name))
        assert counts(replace(moved, signatures=(labels,))) is (owner == "z.")
    at_the_root = made_by(names.ROOT, names.ROOT, rdtypes.NSEC3, *record.rdatas)
    assert not counts(at_the_root, zone=".")
    assert counts(nsec3(".", HASH, HASH), zone=".")


def test_a_hash_has_twenty_octets() -> None:
    for begin, end in ((HASH[:-1], HASH), (HASH, HASH[:-1]), (HASH + b"\0", HASH)):
        assert not counts(nsec3("z.", begin, end))
    assert not counts(
        made_by(ZONE, name("word.z."), rdtypes.NSEC3, *nsec3("z.", HASH, HASH).rdatas)
    )


def test_owners_are_hashes_in_any_case() -> None:
    record = nsec3("z.", HASH, HASH)
    spelt = replace(record, owner=record.name.upper())
    assert counts(spelt)
    assert at_once(collect_evidence([spelt], ZONE)).nsec3s[0].owner_hash == HASH


@pytest.mark.parametrize("flags", [2, 3, 0x80, 0xFF])
def test_unknown_flags_are_not_understood(flags: int) -> None:
    """RFC 5155 section 8.2."""
    assert not counts(nsec3("z.", HASH, HASH, flags=flags))


def test_the_one_known_flag_is() -> None:
    assert counts(nsec3("z.", HASH, HASH, flags=0))
    assert counts(nsec3("z.", HASH, HASH, flags=1))


@pytest.mark.parametrize("hash_algorithm", [0, 2, 255])
def test_unknown_hash_algorithms_are_not_understood(hash_algorithm: int) -> None:
    """RFC 5155 section 8.1."""
    assert not counts(nsec3("z.", HASH, HASH, hash_algorithm=hash_algorithm))


# ------------ Evidence ------------


def test_what_is_left_without_one_that_is_not_genuine() -> None:
    made = (
        nsec("z.", "a.z.", "b.z."),
        nsec("z.", "b.z.", "z."),
        matching("z.", "a.z."),
        matching("z.", "b.z."),
    )
    found = at_once(collect_evidence(made, ZONE))
    for gone in found.rrsets:
        left = found.without(gone)
        assert left.rrsets == [rrset for rrset in found.rrsets if rrset is not gone]
        assert left.zone == ZONE


# ------------ Hashes in owner names ------------


@given(st.binary(min_size=20, max_size=20))
def test_hashes_are_read_as_they_are_written(value: bytes) -> None:
    assert at_once(collect_evidence([nsec3("z.", value, HASH)], ZONE)).nsec3s[0].owner_hash == value


@pytest.mark.parametrize("letter", ["w", "z", "-", "_", "=", r"\000", r"\255"])
def test_other_labels_are_no_hashes(letter: str) -> None:
    owner = names.labels(nsec3_owner(HASH, ZONE))[0].decode()
    for label in (owner[:31] + letter, letter + owner[1:], owner + "0", owner[:31], letter):
        rdatas = nsec3("z.", HASH, HASH).rdatas
        assert not counts(made_by(ZONE, name(label + ".z."), rdtypes.NSEC3, *rdatas)), label


def test_others_have_a_turn_before_each_eighth() -> None:
    made = [nsec("z.lab.", f"n{n}.z.lab.", "z.lab.") for n in range(9)]
    made += [matching("z.lab.", f"h{n}.z.lab.") for n in range(9)]
    address = made_by(name("z.lab."), name("a.z.lab."), rdtypes.A, b"\1\2\3\4")
    for number, pauses in ((0, 0), (7, 0), (8, 1), (15, 1), (16, 2), (18, 2)):
        steps = collect_evidence([address, *made[:number]], name("z.lab."))
        assert len(list(steps)) == pauses
