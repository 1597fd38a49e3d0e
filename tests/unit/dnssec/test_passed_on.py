"""What an answer brings along for clients that validate it themselves, whatever we make of it."""

from collections.abc import Callable

from anchord.dnssec.algorithms import Supported
from anchord.dnssec.anchors import NegativeAnchor, TrustAnchors, trust_anchors
from anchord.dnssec.asking import Context
from anchord.dnssec.replay import Zones, validate_question
from anchord.lab.denial import Nsec3
from anchord.lab.plan import Plan
from anchord.lab.world import World
from anchord.model import names, rdtypes
from anchord.model.response import RRset
from anchord.model.verdict import Answer, Status
from support.lab import brief, question, world_of

WILDCARD = "*  A  192.0.2.42"

Configured = Callable[[World], TrustAnchors]


def of_the_root(world: World, *negative: NegativeAnchor) -> TrustAnchors:
    anchor = world.anchor()
    return trust_anchors(((anchor.name, anchor.rdtype, rdata) for rdata in anchor.rdatas), negative)


def proofs(
    world: World, asked: str, rdtype: str, status: Status, configured: Configured = of_the_root
) -> tuple[RRset, ...]:
    """The NSEC and NSEC3 records of an answer that must have this status."""
    context = Context(configured(world), Zones(), supported=Supported())
    answer = validate_question(question(asked, rdtype), world.answer, context, world.now)
    assert isinstance(answer, Answer)
    assert answer.verdict.status is status
    return tuple(
        checked.rrset
        for checked in answer.authority
        if checked.rrset.rdtype in (rdtypes.NSEC, rdtypes.NSEC3)
    )


def test_denials_by_an_algorithm_that_is_not_supported_are_passed_on() -> None:
    world = world_of(Plan("z.lab", "", records=WILDCARD, algorithms=(5,)))
    for name, rdtype in (("z.lab", "TXT"), ("any.z.lab", "A"), ("any.z.lab", "TXT")):
        found = proofs(world, name, rdtype, Status.INSECURE)
        assert found
        assert all(rrset.signatures for rrset in found)
        assert all(names.is_at_or_below(rrset.name, names.from_text("z.lab")) for rrset in found)


def test_denials_of_a_zone_without_ds_are_passed_on() -> None:
    world = world_of(Plan("z.lab", "", faults="no-ds", denial=Nsec3()))
    (found,) = proofs(world, "nx.z.lab", "A", Status.INSECURE)
    assert found.rdtype == rdtypes.NSEC3


def test_denials_outside_every_trust_anchor_are_passed_on() -> None:
    world = world_of(Plan("z.lab", ""), Plan("other.", ""))

    def of_another_zone(world: World) -> TrustAnchors:
        anchor = world.anchor()
        return trust_anchors(
            (names.from_text("other."), anchor.rdtype, rdata) for rdata in anchor.rdatas
        )

    found = proofs(world, "z.lab", "TXT", Status.INDETERMINATE, of_another_zone)
    assert brief(found) == ["z.lab. NSEC"]


def test_denials_under_a_negative_anchor_are_passed_on() -> None:
    world = world_of(Plan("z.lab", "", faults="expired"))

    def with_exception(world: World) -> TrustAnchors:
        return of_the_root(world, NegativeAnchor(names.from_text("z.lab"), world.now + 60))

    found = proofs(world, "z.lab", "TXT", Status.INSECURE, with_exception)
    assert brief(found) == ["z.lab. NSEC"]


def test_denials_of_a_secure_zone_that_are_not_genuine_are_left_out() -> None:
    world = world_of(
        Plan("z.lab", "", records="a CNAME island.lab."),
        Plan("island.lab", "", faults="no-ds"),
        Plan("y.lab", "", records=f"{WILDCARD}\na CNAME nx.island.lab.", faults="forged NSEC"),
    )
    found = proofs(world, "a.y.lab", "A", Status.INSECURE)
    assert {rrset.name for rrset in found} == {names.from_text("island.lab")}
