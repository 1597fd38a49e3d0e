"""Denials that are missing, wrong, or prove something else."""

import pytest

from anchord.lab.denial import BY_NSEC, DenialMethod, Nsec3, nsec3_hash, nsec3_owner
from anchord.lab.plan import Plan
from anchord.lab.world import World
from anchord.model import names, rcodes, rdtypes
from anchord.model.names import Name
from anchord.wire.errors import FormError
from anchord.wire.rdata import read_nsec, read_nsec3, read_rrsig, read_types
from support.lab import ask, brief, check_by_dnspython, invalid, world_of, zone_of

HASHED = Nsec3()
SPACED = """
    b        A     192.0.2.1
    m        A     192.0.2.2
    *.w      A     192.0.2.3
    here.w   TXT   "not by the wildcard"
"""


def owner_of(name: str, method: Nsec3 = HASHED, apex: str = "z.lab") -> Name:
    """The owner of the NSEC3 record of a name."""
    return nsec3_owner(nsec3_hash(names.from_text(name), method), names.from_text(apex))


def denials_in(world: World, name: str, rdtype: str = "A") -> list[str]:
    """The denials in an answer, with their signatures checked by dnspython."""
    response = ask(world, name, rdtype)
    zone = world.zone(names.from_text("z.lab"))
    denials = [r for r in response.authority if r.rdtype in (rdtypes.NSEC, rdtypes.NSEC3)]
    for denial in denials:
        check_by_dnspython(zone, denial)
    return brief(tuple(denials))


# ------------ Records that are changed ------------


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


def test_the_salt_of_the_parameters_can_be_another() -> None:
    zone = zone_of(faults="nsec3param-salt beef", denial=HASHED)
    assert zone.records[zone.apex, rdtypes.NSEC3PARAM].rdatas == (b"\1\0\0\0\2\xbe\xef",)
    assert invalid(zone) == {rdtypes.NSEC3PARAM}


@pytest.mark.parametrize("fault", ["altered-owner", "altered-next"])
def test_hashes_in_nsec3_records_can_be_altered(fault: str) -> None:
    good = zone_of(denial=Nsec3(salt=b"salt"))
    bad = zone_of(denial=Nsec3(salt=b"salt"), faults=fault)
    assert invalid(bad) == {rdtypes.NSEC3}
    for one, other in zip(good.chain.rrsets(), bad.chain.rrsets(), strict=True):
        assert (one.name != other.name) is (fault == "altered-owner")
        hashes = read_nsec3(one.rdatas[0]), read_nsec3(other.rdatas[0])
        assert (hashes[0] != hashes[1]) is (fault == "altered-next")


# ------------ Records that are changed and signed anew ------------


def test_type_bitmaps_can_end_in_an_empty_window() -> None:
    zone = zone_of(faults="empty-window")
    denial = next(zone.chain.rrsets())
    with pytest.raises(FormError):
        read_nsec(denial.rdatas[0])
    good = next(zone_of().chain.rrsets())
    assert denial.rdatas[0] == good.rdatas[0] + b"\xff\0"
    assert set(read_types(good.rdatas[0][len(zone.apex) :]))
    assert denial.signatures != good.signatures


def test_the_next_name_can_be_another_zones() -> None:
    zone = zone_of(faults="next-name zz.lab.")
    found = {names.to_text(read_nsec(d.rdatas[0]).next_name) for d in zone.chain.rrsets()}
    assert found == {"zz.lab."}
    assert invalid(zone) == set()


def test_nsec3_records_can_be_of_another_hash_algorithm_or_have_other_flags() -> None:
    for fault, fields in (("nsec3-hash-algorithm 2", (2, 0)), ("nsec3-flags 2", (1, 2))):
        zone = zone_of(faults=fault, denial=HASHED)
        records = [read_nsec3(denial.rdatas[0]) for denial in zone.chain.rrsets()]
        assert {(record.hash_algorithm, record.flags) for record in records} == {fields}
        assert invalid(zone) == set()


def test_nsec3_records_can_stand_below_another_name() -> None:
    zone = zone_of(faults="misplaced sub", denial=HASHED)
    above = {names.to_text(names.parent(denial.name)) for denial in zone.chain.rrsets()}
    assert above == {"sub.z.lab."}
    assert invalid(zone) == set()


# ------------ Records that are left out ------------


@pytest.mark.parametrize(
    ("denial", "what"),
    [
        (BY_NSEC, "name"), (BY_NSEC, "wildcard"),
        (HASHED, "name"), (HASHED, "wildcard"), (HASHED, "encloser"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("name", "rdtype"), [("nx", "A"), ("out.w", "MX")])
def test_a_proof_can_lack_one_record_and_nothing_else(
    denial: DenialMethod, what: str, name: str, rdtype: str
) -> None:
    good, bad = (
        world_of(Plan("z.lab", "", records=SPACED, faults=faults, denial=denial))
        for faults in ("", f"without-denial-of {what}")
    )
    whole = denials_in(good, f"{name}.z.lab", rdtype)
    lacking = denials_in(bad, f"{name}.z.lab", rdtype)
    assert len(lacking) == len(whole) - 1
    assert set(lacking) < set(whole)


def test_only_three_records_can_be_left_out() -> None:
    world = world_of(Plan("z.lab", "", faults="without-denial-of everything"))
    with pytest.raises(ValueError, match="everything is neither name"):
        ask(world, "nx.z.lab")


def test_the_proof_beside_a_wildcards_answer_can_be_badly_signed() -> None:
    world = world_of(Plan("z.lab", "", records=SPACED, faults="bad-wildcard-proof"))
    zone = world.zone(names.from_text("z.lab"))
    (proof,) = ask(world, "out.w.z.lab").authority
    genuine = zone.chain.matching(proof.name)
    assert genuine is not None
    assert proof.rdatas == genuine.rdatas
    assert proof.signatures != genuine.signatures


# ------------ Genuine records that prove something else ------------


@pytest.mark.parametrize(
    ("fault", "rcode"), [("denies-name", rcodes.NXDOMAIN), ("denies-type", rcodes.NOERROR)]
)
@pytest.mark.parametrize("denial", [BY_NSEC, HASHED])
def test_what_is_there_can_be_denied_with_all_that_is_near(
    fault: str, rcode: int, denial: DenialMethod
) -> None:
    world = world_of(Plan("z.lab", "", records=SPACED, faults=f"{fault} m", denial=denial))
    response = ask(world, "m.z.lab")
    assert (response.rcode, response.answer) == (rcode, ())
    hashed = names.to_text(owner_of("m.z.lab")) + " NSEC3"
    own = hashed if denial == HASHED else "m.z.lab. NSEC"
    assert own in denials_in(world, "m.z.lab")
    assert len(denials_in(world, "m.z.lab")) > 2
    assert ask(world, "b.z.lab").answer != ()


def test_a_name_can_be_answered_from_the_wildcard_above() -> None:
    world = world_of(Plan("z.lab", "", records=SPACED, faults="from-wildcard here.w"))
    response = ask(world, "here.w.z.lab")
    assert brief(response.answer) == ["here.w.z.lab. A"]
    assert read_rrsig(response.answer[0].signatures[0]).labels == 3
    assert "here.w.z.lab. NSEC" in denials_in(world, "here.w.z.lab")


def test_a_wildcards_nsec_can_come_under_the_name_that_was_asked() -> None:
    world = world_of(Plan("z.lab", "", records=SPACED, faults="expanded-denial"))
    response = ask(world, "out.w.z.lab", "MX")
    assert brief(response.authority) == ["z.lab. SOA", "out.w.z.lab. NSEC"]
    assert read_rrsig(response.authority[1].signatures[0]).labels == 3
    assert ask(world, "out.w.z.lab").answer != ()


def test_denials_can_be_another_zones() -> None:
    world = world_of(Plan("z.lab", "", faults="denials-of c"), Plan("c.z.lab", ""))
    response = ask(world, "nx.z.lab")
    assert response.authority[0].name == names.from_text("z.lab")
    assert response.authority[1:] == tuple(world.zone(names.from_text("c.z.lab")).chain.rrsets())
    assert ask(world, "z.lab").authority == ()


# ------------ Two chains of records ------------


def test_some_names_can_be_denied_by_nsec3_and_the_others_by_nsec() -> None:
    world = world_of(Plan("z.lab", "", records="m A 192.0.2.1", faults="denies-anew m"))
    assert {denial.split()[1] for denial in denials_in(world, "nx.z.lab")} == {"NSEC"}
    assert {denial.split()[1] for denial in denials_in(world, "nx.m.z.lab")} == {"NSEC3"}
    assert denials_in(world, "m.z.lab", "TXT") == [f"{names.to_text(owner_of('m.z.lab'))} NSEC3"]
    assert brief(ask(world, "m.z.lab").answer) == ["m.z.lab. A"]


OTHER = Nsec3(salt=b"\xbe\xef")


def salts(zone_faults: str, name: str) -> dict[str, bytes]:
    """The salt of each NSEC3 record in an answer, by its owner."""
    world = world_of(Plan("z.lab", "", denial=HASHED, faults=zone_faults))
    assert denials_in(world, name)
    return {
        names.to_text(rrset.name): read_nsec3(rrset.rdatas[0]).salt
        for rrset in ask(world, name).authority
        if rrset.rdtype == rdtypes.NSEC3
    }


def test_a_proof_can_mix_records_of_two_salts() -> None:
    found = salts("mixed-salts beef", "nx.z.lab")
    encloser = names.to_text(owner_of("z.lab"))
    assert found.pop(encloser) == b""
    assert found
    assert set(found.values()) == {b"\xbe\xef"}
    assert names.to_text(owner_of("z.lab", OTHER)) not in found


def test_a_proof_can_be_there_under_two_salts() -> None:
    found = salts("both-salts beef", "nx.z.lab")
    for method in (HASHED, OTHER):
        assert found[names.to_text(owner_of("z.lab", method))] == method.salt
