"""Key sets: what is published, and what signs."""

import pytest

from anchord.lab.keys import ds_rdata
from anchord.lab.plan import Plan
from anchord.lab.zones import Zone
from anchord.model import names, rdtypes
from anchord.wire.rdata import read_dnskey, read_ds, read_rrsig
from support.lab import address_set, ask, invalid, key_set, world_of, zone_of

EVERYTHING = {rdtypes.SOA, rdtypes.NS, rdtypes.A, rdtypes.DNSKEY, rdtypes.NSEC}


def flags_of(zone: Zone) -> list[int]:
    """The flags of the published keys."""
    return [read_dnskey(rdata).flags for rdata in key_set(zone).rdatas]


def signer_tags(zone: Zone, rdtype: int) -> list[int]:
    """The tags of the keys that signed the set of that type at the apex."""
    return [read_rrsig(made).key_tag for made in zone.records[zone.apex, rdtype].signatures]


def test_the_zone_key_flag_can_be_missing() -> None:
    assert flags_of(zone_of(faults="no-zone-bit KSK")) == [1, 256]
    assert flags_of(zone_of(faults="no-zone-bit ZSK")) == [257, 0]


def test_a_revoked_key_signs_under_its_new_tag_and_the_ds_follows_it() -> None:
    zone = zone_of(faults="revoked KSK")
    (key,) = zone.key_signers
    assert flags_of(zone) == [257 + 128, 256]
    assert read_ds(zone.ds[0]).key_tag == key.key_tag
    signature = key_set(zone).signatures[0]
    assert read_rrsig(signature).key_tag == key.key_tag


def test_a_key_can_have_another_protocol() -> None:
    zone = zone_of(faults="key-protocol ZSK 4")
    keys = key_set(zone).rdatas
    assert [read_dnskey(rdata).protocol for rdata in keys] == [3, 4]


def test_the_dnskey_set_can_be_missing() -> None:
    world = world_of(Plan("z.lab", "", faults="no-dnskey"))
    assert ask(world, "z.lab", "DNSKEY").answer == ()
    assert address_set(world.zone(names.from_text("z.lab"))).signatures


def test_a_key_can_be_taken_out_of_the_signed_set() -> None:
    for role, flags, broken in (
        ("KSK", [256], {rdtypes.DNSKEY}),
        ("ZSK", [257], EVERYTHING),
    ):
        zone = zone_of(faults=f"missing-key {role}")
        assert flags_of(zone) == flags
        assert invalid(zone) == broken


def test_a_key_can_be_altered_in_the_signed_set() -> None:
    for role in ("KSK", "ZSK"):
        zone = zone_of(faults=f"altered-key {role}", algorithms=(8,))
        assert flags_of(zone) == [257, 256]
        assert rdtypes.DNSKEY in invalid(zone)
        published = {key.rdata for key in zone.published}
        served = set(key_set(zone).rdatas)
        assert len(published & served) == 1


def test_a_role_is_ksk_or_zsk() -> None:
    with pytest.raises(ValueError, match="CSK is neither"):
        zone_of(faults="revoked CSK")


def test_keys_can_be_published_that_sign_nothing() -> None:
    zone = zone_of(faults="standby-key KSK; standby-key ZSK")
    assert flags_of(zone) == [257, 256, 257, 256]
    assert len(set(key_set(zone).rdatas)) == 4
    assert len(zone.ds) == 1
    assert invalid(zone) == set()
    assert len(key_set(zone).signatures) == 1


def test_the_ds_can_be_of_the_key_without_the_sep_flag() -> None:
    zone = zone_of(faults="ds-of-zsk")
    (zsk,) = zone.zone_signers
    assert zsk.flags == 256
    assert zone.ds == [ds_rdata(zone.apex, zsk)]
    assert signer_tags(zone, rdtypes.DNSKEY) == [zsk.key_tag]
    assert invalid(zone) == set()


@pytest.mark.parametrize("algorithm", [13, 15])
def test_two_good_keys_can_have_one_tag(algorithm: int) -> None:
    zone = zone_of(faults="twin-keys", algorithms=(algorithm,))
    twins = [read_dnskey(rdata) for rdata in key_set(zone).rdatas[-2:]]
    assert twins[0].key_tag == twins[1].key_tag
    assert twins[0].key != twins[1].key
    assert [key.rdata for key in zone.zone_signers] == [twins[1].rdata]
    assert invalid(zone) == set()
    assert zone_of(faults="twin-keys", algorithms=(algorithm,)).published[-1].rdata == (
        twins[1].rdata
    )


def test_the_key_of_the_ds_can_leave_the_keys_unsigned() -> None:
    zone = zone_of(faults="keys-signed-by-zsk")
    (ksk,), (zsk,) = zone.key_signers, zone.zone_signers
    assert zone.ds == [ds_rdata(zone.apex, ksk)]
    assert signer_tags(zone, rdtypes.DNSKEY) == [zsk.key_tag]
    assert invalid(zone) == set()


def test_rsa_keys_of_one_role_can_have_another_size() -> None:
    zone = zone_of(faults="key-size ZSK 512", algorithms=(8,))
    assert [len(read_dnskey(rdata).key) - 4 for rdata in key_set(zone).rdatas] == [256, 64]
    assert invalid(zone) == set()


@pytest.mark.parametrize(
    ("fault", "fields"),
    [
        ("altered-flags ZSK 0", [(257, 13), (0, 13)]),
        ("altered-flags KSK 0", [(0, 13), (256, 13)]),
        ("altered-algorithm ZSK 7", [(257, 13), (256, 7)]),
        ("altered-algorithm KSK 100", [(257, 100), (256, 13)]),
    ],
)
def test_fields_of_keys_can_be_altered_after_signing(
    fault: str, fields: list[tuple[int, int]]
) -> None:
    zone = zone_of(faults=fault)
    keys = [read_dnskey(rdata) for rdata in key_set(zone).rdatas]
    assert [(key.flags, key.algorithm) for key in keys] == fields
    assert rdtypes.DNSKEY in invalid(zone)
