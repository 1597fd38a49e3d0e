"""The chains of denial: hashes as dnspython computes them, spans that close, what is left out."""

import dns.dnssec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchord.lab.denial import Chain, Nsec3, nsec3_hash, nsec3_owner
from anchord.lab.plan import Plan
from anchord.lab.zones import Zone
from anchord.model import names, rdtypes
from anchord.wire.rdata import read_nsec, read_nsec3
from support.lab import dnspython_name, world_of, zone_of

RECORDS = """
    @       A    192.0.2.1
    b       A    192.0.2.2
    *.w     A    192.0.2.3
    e.n.t   A    192.0.2.4
    cut     NS   ns.cut
    ns.cut  A    192.0.2.53
    deep.er.cut2  NS  ns.example.
"""


def chain_of(zone: Zone) -> Chain:
    assert isinstance(zone.chain, Chain)
    return zone.chain


def owners(zone: Zone) -> list[str]:
    return [names.to_text(denial.name) for denial in chain_of(zone).denials]


@given(
    label=st.binary(min_size=1, max_size=63),
    iterations=st.integers(0, 60),
    salt=st.binary(max_size=20),
)
def test_hashes_are_what_dnspython_computes(label: bytes, iterations: int, salt: bytes) -> None:
    name = names.join([label, b"lab"]).lower()
    expected = dns.dnssec.nsec3_hash(dnspython_name(name), salt, iterations, "SHA1")
    owner = nsec3_owner(nsec3_hash(name, Nsec3(iterations, salt)), names.ROOT)
    assert names.to_text(owner).upper() == expected + "."


def test_nsec_links_every_name_with_data_in_canonical_order_and_around() -> None:
    zone = zone_of(RECORDS)
    assert owners(zone) == [
        "z.lab.",
        "b.z.lab.",
        "cut.z.lab.",
        "deep.er.cut2.z.lab.",
        "e.n.t.z.lab.",
        "*.w.z.lab.",
    ]
    following = [names.to_text(read_nsec(d.rdatas[0]).next_name) for d in chain_of(zone).denials]
    assert following == [*owners(zone)[1:], "z.lab."]


def test_nsec3_links_empty_non_terminals_too() -> None:
    zone = zone_of(RECORDS, denial=Nsec3(2, b"\xab"))
    method = zone.chain.method
    assert isinstance(method, Nsec3)
    existing = ["z", "b.z", "w.z", "*.w.z", "t.z", "n.t.z", "e.n.t.z", "cut.z"]
    existing += ["cut2.z", "er.cut2.z", "deep.er.cut2.z"]
    expected = sorted(nsec3_hash(names.from_text(name + ".lab"), method) for name in existing)
    assert [position[0] for position in chain_of(zone).positions] == expected
    records = [read_nsec3(denial.rdatas[0]) for denial in chain_of(zone).denials]
    assert [record.next_hash for record in records] == expected[1:] + expected[:1]
    assert {(r.iterations, r.salt, r.flags) for r in records} == {(2, b"\xab", 0)}


def test_opt_out_leaves_out_unsigned_delegations_and_what_is_above_them_alone() -> None:
    zone = zone_of(RECORDS, denial=Nsec3(opt_out=True))
    for missing in ("cut", "deep.er.cut2", "er.cut2", "cut2"):
        assert zone.chain.matching(names.from_text(missing + ".z.lab")) is None
    for present in ("b", "n.t", "*.w", "w"):
        assert zone.chain.matching(names.from_text(present + ".z.lab")) is not None
    assert all(read_nsec3(denial.rdatas[0]).is_opt_out for denial in chain_of(zone).denials)


@pytest.mark.parametrize("denial", [Nsec3(), Nsec3(opt_out=True)])
def test_signed_delegations_have_nsec3_records(denial: Nsec3) -> None:
    world = world_of(
        Plan("z.lab", "parent", denial=denial),
        Plan("safe.z.lab", "signed"),
        Plan("bare.z.lab", "unsigned", algorithms=()),
    )
    chain = world.zone(names.from_text("z.lab")).chain
    safe = chain.matching(names.from_text("safe.z.lab"))
    assert safe is not None
    assert set(read_nsec3(safe.rdatas[0]).types) == {rdtypes.NS, rdtypes.DS, rdtypes.RRSIG}
    bare = chain.matching(names.from_text("bare.z.lab"))
    if denial.opt_out:
        assert bare is None
    else:
        assert bare is not None
        assert set(read_nsec3(bare.rdatas[0]).types) == {rdtypes.NS}


def test_bitmaps_tell_the_types_that_are_there() -> None:
    nsec, nsec3 = zone_of(RECORDS).chain, zone_of(RECORDS, denial=Nsec3()).chain
    rr = rdtypes

    def types(name: str) -> tuple[set[int], set[int]]:
        first, second = nsec.matching(names.from_text(name)), nsec3.matching(names.from_text(name))
        assert first is not None
        assert second is not None
        return set(read_nsec(first.rdatas[0]).types), set(read_nsec3(second.rdatas[0]).types)

    apex = {rr.A, rr.NS, rr.SOA, rr.DNSKEY, rr.RRSIG}
    assert types("z.lab") == (apex | {rr.NSEC}, apex | {rr.NSEC3PARAM})
    assert types("b.z.lab") == ({rr.A, rr.RRSIG, rr.NSEC}, {rr.A, rr.RRSIG})
    assert types("cut.z.lab") == ({rr.NS, rr.RRSIG, rr.NSEC}, {rr.NS})
    empty = nsec3.matching(names.from_text("t.z.lab"))
    assert empty is not None
    assert list(read_nsec3(empty.rdatas[0]).types) == []


@pytest.mark.parametrize("denial", [None, Nsec3()])
@given(label=st.text("abcdefgz0_-", min_size=1, max_size=8))
def test_each_name_is_either_matched_or_covered(denial: Nsec3 | None, label: str) -> None:
    zone = zone_of(RECORDS, denial=denial) if denial else zone_of(RECORDS)
    name = names.from_text(label + ".z.lab")
    covering = zone.chain.covering(name)
    assert covering is not None
    chain = chain_of(zone)
    index = chain.denials.index(covering)
    start = chain.positions[index]
    end = chain.positions[(index + 1) % len(chain.positions)]
    position = (nsec3_hash(name, denial),) if denial else names.canonical_key(name)
    if chain.matching(name) is not None:
        assert end == position
    elif start < end:
        assert start < position < end
    else:
        assert position > start or position < end


def test_a_chain_of_one_name_covers_everything_else() -> None:
    zone = zone_of("@ A 192.0.2.1")
    assert owners(zone) == ["z.lab."]
    assert zone.chain.covering(names.from_text("a.z.lab")) == chain_of(zone).denials[0]
    assert zone.chain.covering(zone.apex) == chain_of(zone).denials[0]


def test_an_empty_chain_covers_nothing() -> None:
    zone = zone_of(faults="no-denial")
    assert zone.chain.covering(names.from_text("a.z.lab")) is None
    assert zone.chain.matching(zone.apex) is None
