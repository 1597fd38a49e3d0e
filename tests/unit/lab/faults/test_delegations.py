"""The parent's DS set, and what is said to the question for it."""

import pytest

from anchord.lab.keys import ds_rdata
from anchord.lab.plan import Plan
from anchord.lab.zones import Zone
from anchord.model import names, rcodes, rdtypes
from anchord.model.response import Response
from anchord.wire.rdata import read_ds, read_rrsig
from support.lab import ask, brief, invalid, world_of


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


def test_only_the_digests_of_one_type_can_be_wrong() -> None:
    world = world_of(Plan("z.lab", "", faults="wrong-ds 2", digest_types=(1, 2)))
    zone = world.zone(names.from_text("z.lab"))
    good = [ds_rdata(zone.apex, zone.key_signers[0], kind) for kind in (1, 2)]
    assert [ds == right for ds, right in zip(zone.ds, good, strict=True)] == [True, False]


def test_the_ds_can_be_of_one_algorithm_only() -> None:
    world = world_of(Plan("z.lab", "", faults="ds-only 8", algorithms=(8, 13)))
    assert [ds[2] for ds in world.zone(names.from_text("z.lab")).ds] == [8]


def test_the_parent_can_take_the_delegation_back() -> None:
    world = world_of(Plan("z.lab", "", faults="undelegated"))
    zone, parent = (world.zone(names.from_text(apex)) for apex in ("z.lab", "lab"))
    assert ask(world, "z.lab", "DS").rcode == rcodes.NXDOMAIN
    assert zone.apex not in parent.nodes
    assert ask(world, "z.lab").answer != ()
    assert invalid(zone) == set()


# ------------ The answer to the question for it ------------


def ds_answer(plan: Plan, *others: Plan) -> Response:
    return ask(world_of(plan, *others), "z.lab", "DS")


def signers(response: Response) -> set[str]:
    """Who signed what the response denies with."""
    return {
        names.to_text(read_rrsig(made).signer)
        for rrset in (*response.answer, *response.authority)
        for made in rrset.signatures
    }


def test_the_child_can_answer_for_its_ds_set_itself() -> None:
    response = ds_answer(Plan("z.lab", "", faults="answers-ds"))
    assert brief(response.authority) == ["z.lab. SOA", "z.lab. NSEC"]
    assert signers(response) == {"z.lab."}
    unsigned = ds_answer(Plan("z.lab", "", faults="answers-ds", algorithms=()))
    assert brief(unsigned.authority) == ["z.lab. SOA"]
    assert signers(unsigned) == set()


def test_an_alias_can_stand_before_the_proof_that_there_is_no_ds() -> None:
    plan = Plan("z.lab", "", records="@ CNAME good.lab.", faults="ds-alias", algorithms=())
    response = ds_answer(plan)
    assert brief(response.answer) == ["z.lab. CNAME"]
    assert response.answer[0].signatures == ()
    assert brief(response.authority) == ["lab. SOA", "z.lab. NSEC"]


def test_the_ds_set_can_be_signed_by_the_child() -> None:
    plan = Plan("z.lab", "", faults="ds-signed-by-child")
    response = ds_answer(plan)
    assert brief(response.answer) == ["z.lab. DS"]
    assert signers(response) == {"z.lab."}


def test_the_ds_set_can_be_denied_by_the_parents_wildcard_under_another_name() -> None:
    child = Plan("c.z.lab", "", faults="ds-denied-by-wildcard")
    world = world_of(Plan("z.lab", "", records="* NS ns.lab."), child)
    response = ask(world, "c.z.lab", "DS")
    assert brief(response.authority) == ["z.lab. SOA", "c.z.lab. NSEC"]
    wildcard = world.zone(names.from_text("z.lab")).chain.matching(names.from_text("*.z.lab"))
    assert wildcard is not None
    assert response.authority[1].signatures == wildcard.signatures
    assert read_rrsig(wildcard.signatures[0]).labels == 2
