"""Each fault does what its docstring says, and nothing else; dnspython judges signatures."""

from collections.abc import Iterable

import dns.exception
import pytest

from anchord.lab.denial import Nsec3
from anchord.lab.faults import DAY, FAULTS, Stage, parse
from anchord.lab.keys import ds_rdata
from anchord.lab.plan import Plan
from anchord.lab.zones import Zone
from anchord.model import names, rcodes, rdtypes
from anchord.model.ede import Ede
from anchord.model.response import RRset, Unanswered
from anchord.wire.rdata import read_dnskey, read_ds, read_rrsig
from support.lab import NOW, ask, brief, check_by_dnspython, question, world_of, zone_of

EVERYTHING = {rdtypes.SOA, rdtypes.NS, rdtypes.A, rdtypes.DNSKEY, rdtypes.NSEC}


def invalid(zone: Zone, now: int = NOW) -> set[int]:
    """The types of those sets that no key of the zone vouches for."""
    found = set()
    for rrset in zone.rrsets():
        try:
            if rrset.signatures:
                check_by_dnspython(zone, rrset, now)
            else:
                found.add(rrset.rdtype)
        except dns.exception.ValidationFailure:
            found.add(rrset.rdtype)
    return found


def windows(rrsets: Iterable[RRset]) -> set[tuple[int, int]]:
    """Inception and expiration of all signatures, relative to now."""
    signatures = [read_rrsig(signature) for rrset in rrsets for signature in rrset.signatures]
    return {(signature.inception - NOW, signature.expiration - NOW) for signature in signatures}


def a_set(zone: Zone) -> RRset:
    return zone.records[zone.apex, rdtypes.A]


def keys_of(zone: Zone) -> list[int]:
    """The flags of the published keys."""
    return [read_dnskey(r).flags for r in zone.records[zone.apex, rdtypes.DNSKEY].rdatas]


# ------------ The registry ------------


def test_every_fault_has_a_name_and_a_sentence() -> None:
    for name, fault in FAULTS.items():
        assert name == fault.name
        assert fault.explanation.endswith("."), name


def test_a_fault_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="no fault named explode"):
        zone_of(faults="expired; explode")


def test_faults_are_written_as_names_with_arguments() -> None:
    assert parse("expired A AAAA; wrong-ds;") == [["expired", "A", "AAAA"], ["wrong-ds"]]
    assert parse("") == []


def test_faults_compose_each_at_its_stage() -> None:
    zone = zone_of(faults="stripped NSEC; wrong-ds; expired A; forged SOA")
    assert {FAULTS[n].stage for n in ("stripped", "wrong-ds", "expired")} == set(Stage)
    assert invalid(zone) == {rdtypes.NSEC, rdtypes.A, rdtypes.SOA}


def test_a_zone_without_faults_is_valid() -> None:
    assert invalid(zone_of()) == set()


# ------------ Times ------------


@pytest.mark.parametrize(
    ("fault", "window"),
    [
        ("expired", (-31 * DAY, -DAY)),
        ("not-yet-valid", (DAY, 31 * DAY)),
        ("expired-before-valid", (DAY, -DAY)),
        ("expires-in 60", (-DAY, 60)),
    ],
)
def test_signatures_have_the_window_of_the_fault(fault: str, window: tuple[int, int]) -> None:
    assert windows(zone_of(faults=fault).rrsets()) == {window}
    limited = zone_of(faults=fault + " A")
    assert windows([a_set(limited)]) == {window}
    assert windows([limited.records[limited.apex, rdtypes.SOA]]) == {(-DAY, 30 * DAY)}


@pytest.mark.parametrize("fault", ["expired", "not-yet-valid", "expired-before-valid"])
def test_signatures_outside_their_window_are_invalid(fault: str) -> None:
    assert invalid(zone_of(faults=fault)) == EVERYTHING
    assert invalid(zone_of(faults=fault + " A")) == {rdtypes.A}


def test_signatures_that_end_soon_are_still_valid() -> None:
    zone = zone_of(faults="expires-in 60")
    assert invalid(zone) == set()
    assert invalid(zone, NOW + 61) == EVERYTHING


# ------------ Keys ------------


def test_the_zone_key_flag_can_be_missing() -> None:
    assert keys_of(zone_of(faults="no-zone-bit KSK")) == [1, 256]
    assert keys_of(zone_of(faults="no-zone-bit ZSK")) == [257, 0]


def test_a_revoked_key_signs_under_its_new_tag_and_the_ds_follows_it() -> None:
    zone = zone_of(faults="revoked KSK")
    (key,) = zone.key_signers
    assert keys_of(zone) == [257 + 128, 256]
    assert read_ds(zone.ds[0]).key_tag == key.key_tag
    signature = zone.records[zone.apex, rdtypes.DNSKEY].signatures[0]
    assert read_rrsig(signature).key_tag == key.key_tag


def test_a_key_can_have_another_protocol() -> None:
    zone = zone_of(faults="key-protocol ZSK 4")
    keys = zone.records[zone.apex, rdtypes.DNSKEY].rdatas
    assert [read_dnskey(rdata).protocol for rdata in keys] == [3, 4]


def test_the_dnskey_set_can_be_missing() -> None:
    world = world_of(Plan("z.lab", "", faults="no-dnskey"))
    assert ask(world, "z.lab", "DNSKEY").answer == ()
    assert a_set(world.zone(names.from_text("z.lab"))).signatures


def test_a_key_can_be_taken_out_of_the_signed_set() -> None:
    for role, flags, broken in (
        ("KSK", [256], {rdtypes.DNSKEY}),
        ("ZSK", [257], EVERYTHING),
    ):
        zone = zone_of(faults=f"missing-key {role}")
        assert keys_of(zone) == flags
        assert invalid(zone) == broken


def test_a_key_can_be_altered_in_the_signed_set() -> None:
    for role in ("KSK", "ZSK"):
        zone = zone_of(faults=f"altered-key {role}", algorithms=(8,))
        assert keys_of(zone) == [257, 256]
        assert rdtypes.DNSKEY in invalid(zone)
        published = {key.rdata for key in zone.published}
        served = set(zone.records[zone.apex, rdtypes.DNSKEY].rdatas)
        assert len(published & served) == 1


def test_a_role_is_ksk_or_zsk() -> None:
    with pytest.raises(ValueError, match="CSK is neither"):
        zone_of(faults="revoked CSK")


# ------------ The parent's DS set ------------


def ds_of(faults: str) -> tuple[Zone, list[bytes]]:
    """The zone, and the DS RDATA that its parent publishes."""
    world = world_of(Plan("z.lab", "", faults=faults))
    zone = world.zone(names.from_text("z.lab"))
    rrset = world.zone(names.from_text("lab")).get(zone.apex, rdtypes.DS)
    assert rrset is None or rrset.signatures
    return zone, list(rrset.rdatas) if rrset else []


def test_the_parent_publishes_the_ds_of_the_ksk() -> None:
    zone, ds = ds_of("")
    assert ds == [ds_rdata(zone.apex, zone.key_signers[0])]


def test_the_parent_can_have_no_ds() -> None:
    zone, ds = ds_of("no-ds")
    assert ds == []
    assert invalid(zone) == set()


@pytest.mark.parametrize(
    ("fault", "field", "value"),
    [
        ("ds-key-tag 0", "key_tag", 0),
        ("ds-algorithm 7", "algorithm", 7),
        ("ds-digest-type 100", "digest_type", 100),
    ],
)
def test_one_field_of_the_ds_can_be_another(fault: str, field: str, value: int) -> None:
    zone, ds = ds_of(fault)
    good = read_ds(ds_rdata(zone.apex, zone.key_signers[0]))
    changed = read_ds(ds[0])
    differing = {
        name
        for name in ("key_tag", "algorithm", "digest_type", "digest")
        if getattr(good, name) != getattr(changed, name)
    }
    assert differing == {field}
    assert getattr(changed, field) == value


def test_the_digest_can_be_another() -> None:
    zone, ds = ds_of("wrong-ds")
    good = ds_rdata(zone.apex, zone.key_signers[0])
    assert ds[0] != good
    assert ds[0][:4] == good[:4]


def test_another_ds_can_stand_beside_the_good_one() -> None:
    zone, ds = ds_of("another-ds 100 2")
    assert ds[0] == ds_rdata(zone.apex, zone.key_signers[0])
    assert (read_ds(ds[1]).algorithm, read_ds(ds[1]).digest_type) == (100, 2)


# ------------ Signatures and data ------------


def test_forged_records_keep_the_signatures_of_the_true_ones() -> None:
    good, forged = zone_of(), zone_of(faults="forged")
    assert a_set(good).signatures == a_set(forged).signatures
    assert a_set(good).rdatas != a_set(forged).rdatas
    assert invalid(forged) == {rdtypes.A}
    assert invalid(zone_of(faults="forged NSEC SOA")) == {rdtypes.NSEC, rdtypes.SOA}
    zone = zone_of(faults="forged NSEC3", denial=Nsec3())
    assert invalid(zone) == {rdtypes.NSEC3}


def test_forged_signatures_leave_the_records_alone() -> None:
    good, forged = zone_of(), zone_of(faults="forged-signature")
    assert a_set(good).rdatas == a_set(forged).rdatas
    assert invalid(forged) == EVERYTHING
    assert invalid(zone_of(faults="forged-signature A")) == {rdtypes.A}


def test_signatures_can_be_stripped_from_all_or_from_some() -> None:
    assert not any(rrset.signatures for rrset in zone_of(faults="stripped").rrsets())
    zone = zone_of(faults="stripped DNSKEY NSEC")
    bare = {rrset.rdtype for rrset in zone.rrsets() if not rrset.signatures}
    assert bare == {rdtypes.DNSKEY, rdtypes.NSEC}


def test_signatures_can_name_another_algorithm() -> None:
    zone = zone_of(faults="signature-algorithm 100 A")
    assert [read_rrsig(s).algorithm for s in a_set(zone).signatures] == [100]
    assert invalid(zone) == {rdtypes.A}


def test_a_stranger_can_sign() -> None:
    zone = zone_of(faults="signed-by-stranger A")
    signature = read_rrsig(a_set(zone).signatures[0])
    assert signature.key_tag not in {key.key_tag for key in zone.published}
    assert signature.signer == zone.apex
    assert invalid(zone) == {rdtypes.A}


# ------------ Denials ------------


def test_nsec3_can_have_any_number_of_iterations() -> None:
    zone = zone_of(faults="nsec3-iterations 2500")
    assert zone.chain.method == Nsec3(iterations=2500)
    assert invalid(zone) == set()


@pytest.mark.parametrize("denial", [None, Nsec3()])
def test_denials_can_be_missing(denial: Nsec3 | None) -> None:
    plan = Plan("z.lab", "", faults="no-denial")
    if denial:
        plan = Plan("z.lab", "", faults="no-denial", denial=denial)
    world = world_of(plan)
    assert brief(ask(world, "nx.z.lab").authority) == ["z.lab. SOA"]
    assert brief(ask(world, "z.lab").answer) == ["z.lab. A"]


def test_the_proof_beside_a_wildcards_answer_can_be_missing() -> None:
    world = world_of(Plan("z.lab", "", records="* A 192.0.2.1", faults="no-wildcard-proof"))
    assert ask(world, "any.z.lab").authority == ()
    assert len(ask(world, "any.z.lab", "TXT").authority) > 1


# ------------ Servers ------------


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("unreachable", "do not answer"),
        ("refused", "REFUSED"),
        (f"says {rcodes.NOTIMP}", "NOTIMP"),
    ],
)
def test_servers_that_are_of_no_use_leave_the_question_unanswered(fault: str, text: str) -> None:
    reply = world_of(Plan("z.lab", "", faults=fault)).answer(question("z.lab"))
    assert isinstance(reply, Unanswered)
    assert reply.edes[0].code == 22
    assert text in reply.edes[0].text


def test_servers_can_say_nxdomain_without_a_word_more() -> None:
    world = world_of(Plan("z.lab", "", faults=f"says {rcodes.NXDOMAIN}"))
    response = ask(world, "z.lab")
    assert (response.rcode, response.answer, response.authority) == (rcodes.NXDOMAIN, (), ())


def test_servers_can_add_an_extended_error_to_a_good_answer() -> None:
    world = world_of(Plan("z.lab", "", faults="extended-error 9 out of keys"))
    response = ask(world, "z.lab")
    assert response.edes == (Ede(9, "out of keys"),)
    assert response.answer
