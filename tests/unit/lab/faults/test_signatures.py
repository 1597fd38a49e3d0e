"""Signatures and data that are not as they were signed; dnspython judges."""

from typing import Any

import pytest

from anchord.lab.denial import Nsec3
from anchord.model import names, rdtypes
from anchord.wire.rdata import Rrsig, read_rrsig
from support.lab import address_set, invalid, key_set, zone_of

EVERYTHING = {rdtypes.SOA, rdtypes.NS, rdtypes.A, rdtypes.DNSKEY, rdtypes.NSEC}


def signatures_of(faults: str, **plan: Any) -> list[Rrsig]:
    """What the RRSIGs of the address at the apex say."""
    return [read_rrsig(made) for made in address_set(zone_of(faults=faults, **plan)).signatures]


def test_forged_records_keep_the_signatures_of_the_true_ones() -> None:
    good, forged = zone_of(), zone_of(faults="forged")
    assert address_set(good).signatures == address_set(forged).signatures
    assert address_set(good).rdatas != address_set(forged).rdatas
    assert invalid(forged) == {rdtypes.A}
    assert invalid(zone_of(faults="forged NSEC SOA")) == {rdtypes.NSEC, rdtypes.SOA}
    zone = zone_of(faults="forged NSEC3", denial=Nsec3())
    assert invalid(zone) == {rdtypes.NSEC3}


def test_forged_signatures_leave_the_records_alone() -> None:
    good, forged = zone_of(), zone_of(faults="forged-signature")
    assert address_set(good).rdatas == address_set(forged).rdatas
    assert invalid(forged) == EVERYTHING
    assert invalid(zone_of(faults="forged-signature A")) == {rdtypes.A}


def test_signatures_can_be_stripped_from_all_or_from_some() -> None:
    assert not any(rrset.signatures for rrset in zone_of(faults="stripped").rrsets())
    zone = zone_of(faults="stripped DNSKEY NSEC")
    bare = {rrset.rdtype for rrset in zone.rrsets() if not rrset.signatures}
    assert bare == {rdtypes.DNSKEY, rdtypes.NSEC}


def test_signatures_can_name_another_algorithm() -> None:
    zone = zone_of(faults="signature-algorithm 100 A")
    assert [read_rrsig(s).algorithm for s in address_set(zone).signatures] == [100]
    assert invalid(zone) == {rdtypes.A}


def test_a_stranger_can_sign() -> None:
    zone = zone_of(faults="signed-by-stranger A")
    signature = read_rrsig(address_set(zone).signatures[0])
    assert signature.key_tag not in {key.key_tag for key in zone.published}
    assert signature.signer == zone.apex
    assert invalid(zone) == {rdtypes.A}


def test_a_signature_can_lose_its_end() -> None:
    (cut,), (whole,) = signatures_of("cut-signature A"), signatures_of("")
    assert cut.signature == whole.signature[:-1]


def test_a_set_at_the_apex_can_be_lost() -> None:
    zone = zone_of(faults="missing-set A NSEC3PARAM", denial=Nsec3())
    assert {rrset.rdtype for rrset in zone.records.values() if rrset.name == zone.apex} == {
        rdtypes.SOA,
        rdtypes.NS,
        rdtypes.DNSKEY,
    }


def test_the_original_ttl_can_be_another() -> None:
    (signature,) = signatures_of("signature-ttl 7 A")
    assert signature.original_ttl == 7
    assert invalid(zone_of(faults="signature-ttl 7 A")) == {rdtypes.A}


def test_the_ttl_can_be_above_the_one_that_was_signed() -> None:
    zone = zone_of(faults="raised-ttl 86400 A")
    assert address_set(zone).ttl == 86400
    assert signatures_of("raised-ttl 86400 A")[0].original_ttl == 300
    assert invalid(zone) == set()


def test_of_two_algorithms_one_can_be_left_to_sign() -> None:
    zone = zone_of(faults="signed-by-one 13", algorithms=(8, 13))
    assert {read_rrsig(s).algorithm for rrset in zone.rrsets() for s in rrset.signatures} == {13}
    assert len(key_set(zone).rdatas) == 4
    assert invalid(zone) == set()


@pytest.mark.parametrize(("written", "signer"), [("www", "www.z.lab."), ("good.lab.", "good.lab.")])
def test_the_zones_key_can_sign_in_anothers_name(written: str, signer: str) -> None:
    (signature,) = signatures_of(f"signer {written} A")
    zone = zone_of()
    assert names.to_text(signature.signer) == signer
    assert signature.key_tag == zone.zone_signers[0].key_tag


def test_a_stranger_can_sign_beside_the_zone() -> None:
    stranger, own = signatures_of("another-signer good.lab. A")
    assert (names.to_text(stranger.signer), names.to_text(own.signer)) == ("good.lab.", "z.lab.")
    assert [own] == signatures_of("")


def test_a_signature_can_be_for_more_or_fewer_labels() -> None:
    assert [signature.labels for signature in signatures_of("signature-labels 1 A")] == [1]
    assert [signature.labels for signature in signatures_of("signature-labels 4 A")] == [4]
    assert signatures_of("signature-labels 2 A") == signatures_of("")
