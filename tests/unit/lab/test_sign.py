"""The signer, judged by dnspython and by BIND's dnssec-verify."""

import shutil
import subprocess
import time
from pathlib import Path

import dns.exception
import pytest
from msgspec.structs import replace

from anchord.lab.denial import Compact, Nsec3
from anchord.lab.keys import derive
from anchord.lab.plan import Plan
from anchord.lab.sign import sign_rrset
from anchord.lab.table import PLANS
from anchord.lab.world import World
from anchord.lab.zones import Window, to_zone_file
from anchord.model import names, rdtypes
from anchord.model.response import RRset
from anchord.wire.rdata import read_rrsig
from support.lab import NOW, ask, check_by_dnspython, world_of, zone_of

ALGORITHMS = (5, 7, 8, 10, 13, 14, 15, 16, 18)

EVERY_EMBEDDED_NAME = """
    @      MX     10 Mail.Example.
    @      NS     NS.Example.
    cname  CNAME  WWW.Example.
    dname  DNAME  Tree.Example.
    ptr    PTR    Host.Example.
    srv    SRV    0 0 443 Host.Example.
    naptr  NAPTR  1 1 "S" "SIP+D2U" "" _sip._UDP.Example.
    rp     RP     Admin.Example. Text.Example.
    afsdb  AFSDB  1 Host.Example.
    rt     RT     1 Host.Example.
    px     PX     1 Map.Example. X400.Example.
    kx     KX     1 Host.Example.
    svcb   SVCB   1 Host.Example. alpn=dot
    HINFO  HINFO  "CPU" "OS"
    odd    TYPE65280  \\# 3 41424a
    a      A      192.0.2.9
    a      A      192.0.2.2
    a      A      192.0.2.10
"""


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_dnspython_validates_every_set_of_a_zone(algorithm: int) -> None:
    zone = zone_of(algorithms=(algorithm,))
    rrsets = list(zone.rrsets())
    assert {rrset.rdtype for rrset in rrsets} >= {rdtypes.SOA, rdtypes.DNSKEY, rdtypes.NSEC}
    for rrset in rrsets:
        check_by_dnspython(zone, rrset)


@pytest.mark.parametrize("bits", [1024, 3072, 4096])
def test_dnspython_validates_rsa_of_other_sizes(bits: int) -> None:
    zone = zone_of(algorithms=(8,), rsa_bits=bits)
    for rrset in zone.rrsets():
        check_by_dnspython(zone, rrset)


def test_the_canonical_form_is_that_of_dnspython_for_every_type_with_names() -> None:
    zone = zone_of(EVERY_EMBEDDED_NAME)
    for rrset in zone.rrsets():
        check_by_dnspython(zone, rrset)


def test_dnspython_validates_a_set_that_was_expanded_from_a_wildcard() -> None:
    world = world_of(Plan("z.lab.", "wildcard", records="*.w A 192.0.2.1"))
    (expanded,) = ask(world, "any.thing.w.z.lab").answer
    signature = read_rrsig(expanded.signatures[0])
    assert signature.labels == 3
    check_by_dnspython(world.zone(names.from_text("z.lab.")), expanded)


def test_keys_are_signed_by_the_ksk_and_the_rest_by_the_zsk() -> None:
    zone = zone_of()
    (ksk,), (zsk,) = zone.key_signers, zone.zone_signers
    for rrset in zone.rrsets():
        tags = [read_rrsig(signature).key_tag for signature in rrset.signatures]
        assert tags == [ksk.key_tag if rrset.rdtype == rdtypes.DNSKEY else zsk.key_tag]


def test_one_key_signs_everything_where_that_is_planned() -> None:
    zone = zone_of(has_combined_key=True)
    assert len(zone.published) == 1
    tags = {read_rrsig(s).key_tag for rrset in zone.rrsets() for s in rrset.signatures}
    assert tags == {zone.published[0].key_tag}
    assert zone.published[0].flags == 257


def test_each_algorithm_signs_each_set() -> None:
    zone = zone_of(algorithms=(8, 13))
    for rrset in zone.rrsets():
        assert [read_rrsig(s).algorithm for s in rrset.signatures] == [8, 13]


def test_times_are_serial_numbers_past_2106() -> None:
    later = 2**32 + 1000
    zone = world_of(Plan("z.lab.", "late"), now=later).zone(names.from_text("z.lab."))
    signature = read_rrsig(zone.records[zone.apex, rdtypes.A].signatures[0])
    assert signature.inception == (later - 86400) % 2**32
    assert signature.expiration == (later + 30 * 86400) % 2**32
    assert signature.inception > signature.expiration  # the numbers wrapped in between


def test_signatures_hold_from_a_day_ago_for_thirty_days() -> None:
    zone = zone_of()
    rrset = zone.records[zone.apex, rdtypes.A]
    for good in (NOW - 86399, NOW, NOW + 30 * 86400 - 1):
        check_by_dnspython(zone, rrset, good)
    for bad in (NOW - 86401, NOW + 30 * 86400 + 1):
        with pytest.raises(dns.exception.ValidationFailure):
            check_by_dnspython(zone, rrset, bad)


def test_delegations_and_glue_are_not_signed_but_their_ds_sets_are() -> None:
    records = """
        sub       NS  ns.sub
        ns.sub    A   192.0.2.53
        safe      NS  ns.sub
        safe      DS  1 13 2 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
    """
    zone = zone_of(records)
    signed = {
        (names.to_text(rrset.name), rdtypes.to_text(rrset.rdtype)): bool(rrset.signatures)
        for rrset in zone.records.values()
    }
    assert signed["sub.z.lab.", "NS"] is False
    assert signed["ns.sub.z.lab.", "A"] is False
    assert signed["safe.z.lab.", "NS"] is False
    assert signed["safe.z.lab.", "DS"] is True
    assert signed["z.lab.", "NS"] is True


def test_an_unsigned_zone_has_neither_keys_nor_signatures_nor_denials() -> None:
    zone = zone_of(algorithms=())
    assert not any(rrset.signatures for rrset in zone.rrsets())
    assert {rrset.rdtype for rrset in zone.rrsets()} == {rdtypes.SOA, rdtypes.NS, rdtypes.A}
    assert zone.ds == []


def test_denials_live_as_long_as_negative_answers() -> None:
    for denial in (zone_of().chain, zone_of(denial=Nsec3()).chain):
        assert {rrset.ttl for rrset in denial.rrsets()} == {300}


def test_an_rrsig_can_claim_what_is_not_true() -> None:
    apex = names.from_text("z.lab.")
    rrset = RRset(names.from_text("www.z.lab."), rdtypes.A, 300, (bytes(4),))
    rdata = sign_rrset(
        rrset, derive("seed", apex, 13), apex, Window(0, 1), labels=1, original_ttl=7
    )
    signature = read_rrsig(rdata)
    assert (signature.labels, signature.original_ttl) == (1, 7)


def test_duplicates_are_signed_once_and_order_does_not_matter() -> None:
    apex = names.from_text("z.lab.")
    key = derive("seed", apex, 13)
    rrset = RRset(apex, rdtypes.A, 300, (b"\1\1\1\1", b"\2\2\2\2", b"\1\1\1\1"))
    turned = replace(rrset, rdatas=(b"\2\2\2\2", b"\1\1\1\1"))
    window = Window(NOW, NOW + 1)
    assert sign_rrset(rrset, key, apex, window) == sign_rrset(turned, key, apex, window)


BIND_KNOWS = {8, 10, 13, 14, 15, 16}
BIND_REFUSES = {"maze.lab": "a wildcard delegates", "iterations.hostile": "too many iterations"}
SOUND_PLANS = [
    plan
    for plan in PLANS
    if set(plan.algorithms) & BIND_KNOWS
    and not plan.faults
    and plan.zone not in BIND_REFUSES
    and not (isinstance(plan.denial, Compact) or plan.denial.minimal)  # nothing to be seen offline
]
WORLD = World(int(time.time()))


@pytest.mark.skipif(
    shutil.which("dnssec-verify") is None, reason="BIND's dnssec-verify is not installed"
)
@pytest.mark.parametrize("plan", SOUND_PLANS, ids=lambda plan: plan.zone)
def test_bind_accepts_every_good_zone(plan: Plan, tmp_path: Path) -> None:
    zone = WORLD.zone(plan.apex)
    path = tmp_path / "zone"
    path.write_text(to_zone_file(zone))
    combined = ["-z"] if plan.has_combined_key else []
    run = subprocess.run(
        ["dnssec-verify", *combined, "-o", plan.zone, str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr + run.stdout
