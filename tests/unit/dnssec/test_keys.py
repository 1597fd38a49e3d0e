"""From a DS set to a zone's keys: which DS counts, which key it authenticates, and who may say
that a zone is insecure."""

import pytest
from msgspec.structs import replace

from anchord.dnssec.algorithms import Supported
from anchord.dnssec.keys import (
    EntryKeys,
    entry_keys,
    read_ds_set,
    read_key_set,
    unsupported_flaw,
    usable_ds,
)
from anchord.dnssec.limits import Limits
from anchord.lab.keys import REVOKE, Key, derive, ds_rdata
from anchord.model.verdict import Flaw
from anchord.wire.rdata import Dnskey, Ds, read_dnskey, read_ds
from support.denials import name
from support.judging import rrset

ZONE = name("z.lab.")
KSK = derive("keys", ZONE, 13, flags=257)
ZSK = derive("keys", ZONE, 13, number=1)
SUPPORTED = Supported()
LIMITS = Limits()


def ds(key: Key, digest_type: int = 2) -> Ds:
    return read_ds(ds_rdata(ZONE, key, digest_type))


def entry(ds_set: list[Ds], *keys: Key | Dnskey, limits: Limits = LIMITS) -> EntryKeys | Flaw:
    key_set = [key if isinstance(key, Dnskey) else read_dnskey(key.rdata) for key in keys]
    return entry_keys(ZONE, key_set, ds_set, limits)


def entered(ds_set: list[Ds], *keys: Key | Dnskey) -> list[int]:
    """The tags of the keys that may sign the key set."""
    found = entry(ds_set, *keys)
    assert isinstance(found, EntryKeys)
    assert not found.unsupported
    return [key.key_tag for key in found.keys]


# ------------ Which DS counts ------------


def test_malformed_records_are_left_out() -> None:
    good = ds_rdata(ZONE, KSK)
    assert read_ds_set(rrset("z.lab.", "DS", b"", b"\1\2\3", good)) == [ds(KSK)]
    keys = rrset("z.lab.", "DNSKEY", b"", b"\1\1\3", KSK.rdata)
    assert read_key_set(keys) == [read_dnskey(KSK.rdata)]


@pytest.mark.parametrize("algorithm", range(256))
def test_a_ds_counts_whose_algorithm_is_supported(algorithm: int) -> None:
    record = replace(ds(KSK), algorithm=algorithm)
    is_supported = algorithm in {8, 10, 13, 14, 15, 16, 18}
    assert usable_ds([record], SUPPORTED) == ([record] if is_supported else [])


@pytest.mark.parametrize("digest_type", range(256))
def test_a_ds_counts_whose_digest_type_is_supported(digest_type: int) -> None:
    record = replace(ds(KSK), digest_type=digest_type)
    is_supported = digest_type in {1, 2, 4}
    assert usable_ds([record], SUPPORTED) == ([record] if is_supported else [])


def test_algorithm_and_digest_of_the_same_record_must_count() -> None:
    """RFC 4035 section 5.2: neither of these two DS records can be used."""
    mixed = [replace(ds(KSK), digest_type=100), replace(ds(KSK), algorithm=100)]
    assert usable_ds(mixed, SUPPORTED) == []


def test_sha1_counts_only_where_nothing_better_does() -> None:
    """RFC 4509 section 3: a DS by SHA-1 must not help where that by SHA-256 does not match."""
    by_sha1, by_sha256, by_sha384 = (ds(KSK, kind) for kind in (1, 2, 4))
    assert usable_ds([by_sha1], SUPPORTED) == [by_sha1]
    assert usable_ds([by_sha1, by_sha256], SUPPORTED) == [by_sha256]
    assert usable_ds([by_sha384, by_sha1], SUPPORTED) == [by_sha384]
    assert usable_ds([by_sha256, by_sha384], SUPPORTED) == [by_sha256, by_sha384]
    for unusable in (replace(by_sha256, digest_type=3), replace(by_sha256, algorithm=100)):
        assert usable_ds([by_sha1, unusable], SUPPORTED) == [by_sha1]


def test_what_is_switched_off_does_not_count() -> None:
    less = Supported(frozenset({8}), frozenset({2}))
    assert usable_ds([ds(KSK)], less) == []
    assert usable_ds([replace(ds(KSK, 4), algorithm=8)], less) == []
    more = Supported(SUPPORTED.algorithms | {5})
    old = replace(ds(KSK), algorithm=5)
    assert usable_ds([old], more) == [old]


@pytest.mark.parametrize(
    ("ds_set", "code", "what"),
    [
        ([(100, 2)], 1, "algorithm 100"),
        ([(5, 2)], 1, "algorithm 5 (RSASHA1)"),
        ([(100, 2), (5, 100)], 1, "algorithm 100, 5 (RSASHA1)"),
        ([(13, 100)], 2, "DS digest type 100"),
        ([(13, 3), (8, 6), (13, 3)], 2, "DS digest type 3 (GOST), 6 (SM3)"),
        ([(100, 2), (13, 100)], 2, "DS digest type 100"),
        ([], 1, "algorithm none"),
    ],
)
def test_why_nothing_counts(ds_set: list[tuple[int, int]], code: int, what: str) -> None:
    records = [Ds(1, algorithm, digest_type, b"") for algorithm, digest_type in ds_set]
    flaw = unsupported_flaw(ZONE, records, SUPPORTED)
    assert flaw.code == code
    assert f"z.lab. is signed by {what} only" in flaw.text
    assert [value for _, value in flaw.facts] == [1] * len(records)


# ------------ Which key a DS authenticates ------------


def test_each_ds_alone_is_enough() -> None:
    other = derive("keys", ZONE, 8)
    for kind in (1, 2, 4):
        assert entered([ds(KSK, kind)], KSK, ZSK) == [KSK.key_tag]
    missing = ds(derive("keys", ZONE, 13, number=7))
    assert entered([missing, ds(KSK)], ZSK, KSK) == [KSK.key_tag]
    assert entered([ds(other), ds(KSK)], KSK, other) == [KSK.key_tag, other.key_tag]


def test_a_ds_may_be_of_a_zone_signing_key() -> None:
    """RFC 4034 section 2.1.1: the SEP flag is a hint, and no rule."""
    assert entered([ds(ZSK)], KSK, ZSK) == [ZSK.key_tag]


def test_tag_algorithm_and_digest_must_agree() -> None:
    good = ds(KSK)
    for wrong in (
        replace(good, key_tag=good.key_tag ^ 1),
        replace(good, algorithm=8),
        replace(good, digest=good.digest[:-1] + b"\0"),
        replace(good, digest=good.digest[:-1]),
        replace(good, digest=b""),
        replace(good, digest_type=4),
    ):
        flaw = entry([wrong], KSK, ZSK)
        assert isinstance(flaw, Flaw)
        assert flaw.code == 9


def test_the_owner_is_part_of_the_digest() -> None:
    elsewhere = read_ds(ds_rdata(name("y.lab."), KSK))
    assert isinstance(entry([elsewhere], KSK), Flaw)


def with_flags(flags: int) -> Key:
    return replace(KSK, flags=flags)


def test_a_key_without_the_zone_key_flag_is_no_way_in() -> None:
    for published, signed in ((1, 1), (1, 257), (0, 0), (0, 256), (0, 257)):
        flaw = entry([ds(with_flags(signed))], with_flags(published), ZSK)
        assert isinstance(flaw, Flaw)
        assert flaw.code == 11
        assert "has no Zone Key flag" in flaw.text


def test_of_several_keys_the_one_that_lacks_the_flag_is_named() -> None:
    unflagged = with_flags(1)
    flaw = entry([ds(unflagged), ds(KSK)], unflagged)
    assert isinstance(flaw, Flaw)
    assert flaw.text.startswith(f"z.lab.: key {unflagged.key_tag} has no Zone Key flag")


def test_another_key_without_the_flag_explains_nothing() -> None:
    flaw = entry([ds(KSK)], replace(ZSK, flags=0))
    assert isinstance(flaw, Flaw)
    assert flaw.code == 9


@pytest.mark.parametrize("protocol", [0, 2, 255])
def test_a_key_of_another_protocol_is_no_way_in(protocol: int) -> None:
    odd = replace(KSK, protocol=protocol)
    flaw = entry([ds(odd)], odd)
    assert isinstance(flaw, Flaw)
    assert flaw.code == 9
    assert f"key {odd.key_tag} has protocol {protocol} and not 3" in flaw.text
    unflagged = replace(odd, flags=0)
    for ds_set in ([ds(KSK)], [ds(odd)]):  # with the flag it would be no way in either
        flaw = entry(ds_set, unflagged)
        assert isinstance(flaw, Flaw)
        assert flaw.code == 9


def test_a_revoked_key_is_no_way_in() -> None:
    """RFC 5011 section 2.1; its tag is another one, and the DS may be of either form."""
    revoked = with_flags(257 | REVOKE)
    for ds_set in ([ds(KSK)], [ds(revoked)]):
        flaw = entry(ds_set, revoked, ZSK)
        assert isinstance(flaw, Flaw)
        assert flaw.code == 9
        assert f"key {ds_set[0].key_tag} is revoked, or gone" in flaw.text
    assert entered([ds(revoked), ds(KSK)], revoked, KSK) == [KSK.key_tag]


def test_reasons_say_what_there_is_and_what_there_should_be() -> None:
    for ds_set, keys, text in (
        ([ds(KSK)], [], f"z.lab. has no DNSKEY, but should have key {KSK.key_tag}"),
        ([ds(KSK)], [ZSK], f"z.lab. has key {ZSK.key_tag}, but its DS record or trust anchor"),
        (
            [replace(ds(KSK), digest=bytes(32))],
            [KSK, ZSK],
            f"key {KSK.key_tag} is not the DS record's: algorithm or digest differ",
        ),
    ):
        flaw = entry(ds_set, *keys)
        assert isinstance(flaw, Flaw)
        assert flaw.code == 9
        assert text in flaw.text
        assert ("wanted_key_tag", KSK.key_tag) in flaw.facts
        assert [value for key, value in flaw.facts if key == "key_tag"] == [
            key.key_tag for key in keys
        ]


def test_no_more_than_six_keys_are_told_of() -> None:
    keys = [derive("keys", ZONE, 13, number=number) for number in range(1, 9)]
    flaw = entry([ds(KSK)], *keys)
    assert isinstance(flaw, Flaw)
    told = ", ".join(str(key.key_tag) for key in keys[:6])
    assert f"z.lab. has key {told}, but" in flaw.text


def test_a_revoked_key_beside_the_wanted_one_is_not_the_reason() -> None:
    revoked = with_flags(257 | REVOKE)
    flaw = entry([replace(ds(KSK), digest=bytes(32))], KSK, revoked)
    assert isinstance(flaw, Flaw)
    assert "algorithm or digest differ" in flaw.text


def test_eight_ds_records_are_looked_at_and_not_one_more() -> None:
    useless = [replace(ds(KSK), digest=bytes((n,)) * 32) for n in range(20)]
    assert entered([*useless[:7], ds(KSK)], KSK) == [KSK.key_tag]
    for count in (8, 20):
        flaw = entry([*useless[:count], ds(KSK)], KSK)
        assert isinstance(flaw, Flaw)
        assert flaw.code == 6
        assert "too many DS records" in flaw.text
    flaw = entry(useless[:8], KSK)
    assert isinstance(flaw, Flaw)
    assert flaw.code == 9


# ------------ Sizes ------------


def rsa_key(bits: int, exponent: int = 65537, number: int = 0) -> Key:
    modulus = ((1 << (bits - 1)) + 1 + 2 * number).to_bytes(bits // 8)
    public = b"\3" + exponent.to_bytes(3) + modulus
    return Key(8, public, lambda data: data, 257)


SMALL, LARGE, FIT = rsa_key(512), rsa_key(8192), rsa_key(2048)


def test_keys_that_are_all_of_an_unsupported_size_make_a_zone_insecure() -> None:
    for keys in ([SMALL], [LARGE], [SMALL, LARGE], [rsa_key(2048, exponent=1)]):
        found = entry([ds(key) for key in keys], *keys, ZSK)
        assert isinstance(found, EntryKeys)
        assert found.unsupported
        assert [key.key_tag for key in found.keys] == [key.key_tag for key in keys]


def test_one_key_of_a_supported_size_decides() -> None:
    assert entered([ds(SMALL), ds(FIT)], SMALL, FIT) == [FIT.key_tag]
    assert entered([ds(SMALL), ds(KSK)], KSK, SMALL) == [KSK.key_tag]


def test_a_key_that_was_taken_out_of_the_set_makes_nothing_insecure() -> None:
    """Nobody has vouched for the key set yet: without this a supported key is left out by whoever
    is on the way, and the zone falls back to insecure."""
    for missing in (FIT, KSK):
        flaw = entry([ds(SMALL), ds(missing)], SMALL)
        assert isinstance(flaw, Flaw)
        assert flaw.code == 9
        assert ("wanted_key_tag", missing.key_tag) in flaw.facts
    many = [ds(rsa_key(512, number=n)) for n in range(9)]
    flaw = entry(many, *(rsa_key(512, number=n) for n in range(9)))
    assert isinstance(flaw, Flaw)
    assert flaw.code == 6


def test_a_key_that_is_none_is_no_key_of_unsupported_size() -> None:
    broken = Key(13, bytes(64), lambda data: data, 257)
    assert entered([ds(broken)], broken) == [broken.key_tag]
