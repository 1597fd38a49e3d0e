"""Denials that are made when they are asked: RFC 4470, RFC 7129 appendix B, RFC 9824."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchord.lab.denial import Compact, DenialMethod, Nsec, Nsec3, nsec3_hash
from anchord.lab.online import first_below, right_after, right_before
from anchord.lab.plan import Plan
from anchord.lab.world import World
from anchord.model import names, rcodes, rdtypes
from anchord.model.response import RRset
from anchord.wire.rdata import read_nsec, read_nsec3
from support.lab import ask, brief, check_by_dnspython, world_of

MINIMAL = Nsec(minimal=True)
MINIMAL3 = Nsec3(salt=b"salt", minimal=True)
APEX = names.from_text("z.lab")


def world_with(denial: DenialMethod, faults: str = "") -> World:
    records = "@ A 192.0.2.1\na.b A 192.0.2.2\nsub NS ns.sub"
    return world_of(Plan("z.lab", "", records=records, denial=denial, faults=faults))


def denials(world: World, name: str, rdtype: str = "A") -> list[RRset]:
    """The denials in an answer, each checked by dnspython."""
    zone = world.zone(APEX)
    found = [r for r in ask(world, name, rdtype).authority if r.rdtype != rdtypes.SOA]
    for denial in found:
        check_by_dnspython(zone, denial)
    return found


def key(text: str) -> tuple[bytes, ...]:
    return names.canonical_key(names.from_text(text))


# ------------ NSEC (RFC 4470) ------------


def test_a_span_is_no_longer_than_needed_and_tells_no_name() -> None:
    world = world_with(MINIMAL)
    assert ask(world, "nx.z.lab").rcode == rcodes.NXDOMAIN
    found = denials(world, "x.y.nx.z.lab")
    for missing, denial in zip(("nx.z.lab", "*.z.lab"), found, strict=True):
        nsec = read_nsec(denial.rdatas[0])
        start, end = names.canonical_key(denial.name), names.canonical_key(nsec.next_name)
        assert start < key(missing) < end
        assert not start < key("a.b.z.lab") < end
        assert set(nsec.types) == {rdtypes.NSEC, rdtypes.RRSIG}
        assert not names.is_below(nsec.next_name, names.from_text(missing))


def test_what_is_there_says_its_own_types() -> None:
    (nsec,) = (read_nsec(d.rdatas[0]) for d in denials(world_with(MINIMAL), "z.lab", "TXT"))
    assert rdtypes.A in nsec.types
    assert nsec.next_name == first_below(APEX)
    (empty,) = (read_nsec(d.rdatas[0]) for d in denials(world_with(MINIMAL), "b.z.lab"))
    assert set(empty.types) == {rdtypes.NSEC, rdtypes.RRSIG}


def test_a_delegation_without_ds_says_so() -> None:
    (nsec,) = (read_nsec(d.rdatas[0]) for d in denials(world_with(MINIMAL), "sub.z.lab", "DS"))
    assert set(nsec.types) == {rdtypes.NS, rdtypes.NSEC, rdtypes.RRSIG}


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=3))
def test_names_right_before_and_after_are_so(labels: list[bytes]) -> None:
    name = names.join([*labels, b"lab"])
    if name[name[0]] == 0:  # the last octet of a label has none before it
        return
    before, after = right_before(name), right_after(name)
    ordered = [names.canonical_key(n) for n in (before, name, first_below(name), after)]
    assert ordered == sorted(ordered)
    assert names.canonical_key(b"\1\xff" + name) < names.canonical_key(after)


# ------------ NSEC3 (RFC 7129 appendix B) ------------


def test_a_span_of_hashes_holds_one_hash_alone() -> None:
    found = denials(world_with(MINIMAL3), "x.nx.z.lab")
    encloser, *covers = (read_nsec3(denial.rdatas[0]) for denial in found)
    number = int.from_bytes(nsec3_hash(APEX, MINIMAL3))
    assert int.from_bytes(encloser.next_hash) == number + 1
    assert rdtypes.SOA in encloser.types
    hashed = [nsec3_hash(names.from_text(n), MINIMAL3) for n in ("nx.z.lab", "*.z.lab")]
    assert [int.from_bytes(c.next_hash) - 1 for c in covers] == [
        int.from_bytes(digest) for digest in hashed
    ]
    assert {frozenset(cover.types) for cover in covers} == {frozenset()}


# ------------ Compact denial (RFC 9824) ------------


@pytest.mark.parametrize("rcode", [rcodes.NOERROR, rcodes.NXDOMAIN])
def test_a_missing_name_has_one_nsec_that_says_that_it_is_missing(rcode: int) -> None:
    world = world_with(Compact(rcode=rcode))
    assert ask(world, "x.nx.z.lab").rcode == rcode
    assert brief(ask(world, "x.nx.z.lab").authority) == ["z.lab. SOA", "x.nx.z.lab. NSEC"]
    (denial,) = denials(world, "x.nx.z.lab")
    nsec = read_nsec(denial.rdatas[0])
    assert set(nsec.types) == {rdtypes.NSEC, rdtypes.RRSIG, rdtypes.NXNAME}
    assert nsec.next_name == first_below(denial.name)


def test_nxname_can_be_left_out() -> None:
    (denial,) = denials(world_with(Compact(nxname=False)), "nx.z.lab")
    assert set(read_nsec(denial.rdatas[0]).types) == {rdtypes.NSEC, rdtypes.RRSIG}


def test_a_missing_type_is_denied_as_ever() -> None:
    (denial,) = denials(world_with(Compact()), "z.lab", "TXT")
    types = read_nsec(denial.rdatas[0]).types
    assert rdtypes.A in types
    assert rdtypes.NXNAME not in types


# ------------ Faults ------------


@pytest.mark.parametrize("denial", [MINIMAL, MINIMAL3, Compact()])
def test_denials_made_online_can_be_spoilt_and_withheld(denial: DenialMethod) -> None:
    rdtype = "NSEC3" if isinstance(denial, Nsec3) else "NSEC"
    stripped = ask(world_with(denial, f"stripped {rdtype}"), "nx.z.lab").authority
    assert len(stripped) > 1
    assert [bool(r.signatures) for r in stripped] == [True] + [False] * (len(stripped) - 1)
    assert brief(ask(world_with(denial, "no-denial"), "nx.z.lab").authority) == ["z.lab. SOA"]


def test_no_denial_is_there_before_it_is_asked_for() -> None:
    assert list(world_with(MINIMAL).zone(APEX).chain.rrsets()) == []
