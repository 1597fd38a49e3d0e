"""More than anybody needs: so many, of that kind, and before what is good."""

import pytest

from anchord.lab.denial import BY_NSEC, DenialMethod, Nsec3, nsec3_owner
from anchord.lab.plan import Plan
from anchord.model import names
from anchord.wire.rdata import read_dnskey, read_ds, read_nsec, read_nsec3, read_rrsig
from support.floods import ALL_TYPES
from support.lab import (
    address_set,
    ask,
    brief,
    check_by_dnspython,
    invalid,
    key_set,
    world_of,
    zone_of,
)


def test_many_keys_can_have_the_tag_of_the_one_that_signs() -> None:
    zone = zone_of(faults="colliding-keys ZSK 30", algorithms=(15,))
    keys = [read_dnskey(rdata) for rdata in key_set(zone).rdatas]
    (signer,) = zone.zone_signers
    assert [key.key_tag for key in keys].count(signer.key_tag) == 31
    assert len({key.key for key in keys}) == 32
    assert [len(key.key) for key in keys] == [32] * 32
    assert keys[-1].rdata == signer.rdata
    assert invalid(zone) == set()


def test_many_malformed_keys_can_have_the_tag_of_the_one_that_signs() -> None:
    zone = zone_of(faults="malformed-keys KSK 30")
    keys = [read_dnskey(rdata) for rdata in key_set(zone).rdatas]
    (signer,) = zone.key_signers
    assert [(len(key.key), key.key_tag) for key in keys[:30]] == [(8, signer.key_tag)] * 30
    assert len(set(keys)) == 32


def test_many_short_keys_without_flag_can_stand_before_the_good_ones() -> None:
    zone = zone_of(faults="flagless-keys 30", algorithms=(15,))
    *bad, _, _ = keys = [read_dnskey(rdata) for rdata in key_set(zone).rdatas]
    assert [(key.flags, key.algorithm, len(key.key)) for key in bad] == [(0, 15, 4)] * 30
    assert len(set(keys)) == 32
    assert invalid(zone) == set()


def test_many_ds_records_can_stand_before_the_good_one() -> None:
    zone = zone_of(faults="many-ds 30")
    found = [read_ds(rdata) for rdata in zone.ds]
    assert {(ds.algorithm, ds.digest_type, len(ds.digest)) for ds in found} == {(13, 2, 32)}
    assert len(found) == 31
    assert found[-1].key_tag == zone.key_signers[0].key_tag
    assert len({ds.key_tag for ds in found}) == 31


def test_many_bad_signatures_can_stand_before_the_good_one() -> None:
    zone = zone_of(faults="colliding-signatures 30 A")
    *bad, good = (read_rrsig(made) for made in address_set(zone).signatures)
    assert len({signature.signature for signature in bad}) == 30
    assert {(signature.key_tag, len(signature.signature)) for signature in bad} == {
        (good.key_tag, 64)
    }
    assert invalid(zone) == set()


def test_many_signatures_of_unknown_algorithms_can_stand_before_the_good_one() -> None:
    zone = zone_of(faults="unusable-signatures 30 A")
    algorithms = [read_rrsig(made).algorithm for made in address_set(zone).signatures]
    assert algorithms == [*range(100, 130), 13]


def test_many_expired_signatures_can_stand_before_the_good_one() -> None:
    zone = zone_of(faults="expired-signatures 30 A")
    *bad, good = (read_rrsig(made) for made in address_set(zone).signatures)
    assert len({signature.expiration for signature in bad}) == 30
    for signature in bad:
        assert signature.inception < signature.expiration < good.inception
        assert (signature.key_tag, signature.signature) == (good.key_tag, b"")
    assert invalid(zone) == set()


def test_many_forged_denials_can_stand_before_the_good_one() -> None:
    world = world_of(Plan("z.lab", "", records="m A 192.0.2.1", faults="padded-denials 30"))
    *forgeries, soa, first, second = ask(world, "nx.z.lab").authority
    zone = world.zone(names.from_text("z.lab"))
    for good in (soa, first, second):
        check_by_dnspython(zone, good)
    assert len({forgery.name for forgery in forgeries}) == 30
    for forgery in forgeries:
        assert read_nsec(forgery.rdatas[0]).next_name == zone.apex
        key = names.canonical_key(forgery.name)
        assert key < names.canonical_key(names.from_text("*.z.lab"))
        assert read_rrsig(forgery.signatures[0]).signer == zone.apex
    assert brief(ask(world, "z.lab").authority) == ["z.lab. SOA", "z.lab. NSEC"]


def test_nsec3_records_can_be_padded_likewise() -> None:
    world = world_of(Plan("z.lab", "", faults="padded-denials 30", denial=Nsec3()))
    authority = ask(world, "nx.z.lab").authority
    forgeries, genuine = authority[:30], authority[30:]
    zone = world.zone(names.from_text("z.lab"))
    assert len(genuine) > 1
    for good in genuine:
        check_by_dnspython(zone, good)
    assert len({forgery.name for forgery in forgeries}) == 30
    for forgery in forgeries:
        digest = read_nsec3(forgery.rdatas[0]).next_hash
        assert forgery.name == nsec3_owner(digest, zone.apex)  # around the whole zone
        assert read_rrsig(forgery.signatures[0]).signer == zone.apex


@pytest.mark.parametrize("method", [BY_NSEC, Nsec3()])
def test_forged_denials_can_claim_all_types_there_are(method: DenialMethod) -> None:
    faults = "denials-of-all-types 7"
    world = world_of(Plan("z.lab", "", faults=faults, denial=method))
    forgeries = ask(world, "nx.z.lab").authority[:7]
    for forgery in forgeries:
        assert forgery.rdatas[0].endswith(ALL_TYPES)
    assert len({forgery.name for forgery in forgeries}) == 7
