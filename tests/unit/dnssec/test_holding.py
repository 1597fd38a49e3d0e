"""Which zone holds a name: what lies above an anchor, and proofs that come along."""

from itertools import pairwise

import pytest
from msgspec.structs import replace

from anchord.dnssec.anchors import NegativeAnchor
from anchord.dnssec.asking import AskZone, Context, Work
from anchord.dnssec.engine import validate
from anchord.dnssec.limits import Budget
from anchord.lab.plan import Plan
from anchord.lab.world import World
from anchord.model import names, rdtypes
from anchord.model.response import Response
from anchord.model.verdict import Status
from support.denials import name, nsec, rrsig
from support.judging import (
    Lie,
    Upstream,
    authorities,
    codes,
    context_of,
    first_request,
    is_all,
    judge,
    rrset,
    saying,
    signed_by,
    silence,
    status,
    stripped,
    zone_in,
)
from support.lab import NOW, question, world_of

SECURE, INSECURE, UNOBTAINABLE, BOGUS, INDETERMINATE = (
    Status.SECURE, Status.INSECURE, Status.UNOBTAINABLE, Status.BOGUS, Status.INDETERMINATE,
)  # fmt: skip

EVIL = b"\6\6\6\6"


# ------------ Islands of trust ------------


def island(world: World, text: str, *, and_root: bool = True) -> Context:
    """The keys of a zone are trusted, beside the root's."""
    keys = tuple(key.rdata for key in zone_in(world, text).key_signers)
    anchors = [rrset(text, "DNSKEY", *keys)]
    if and_root:
        anchors.append(world.anchor())
    return context_of(world, anchors=anchors)


@pytest.fixture
def archipelago() -> World:
    return world_of(
        Plan("z.lab.", "insecure from above", faults="no-ds"),
        Plan("kid.z.lab.", "below it"),
    )


def test_no_signer_above_the_anchor_makes_the_island_insecure(archipelago: World) -> None:
    """Signatures stripped, and a made-up one by a zone that is insecure seen from the root."""
    context = island(archipelago, "kid.z.lab.")
    assert status(archipelago, "kid.z.lab A", context=context) is SECURE
    for signer in ("z.lab", "lab", "."):
        forged = replace(
            rrset("kid.z.lab.", "A", EVIL), signatures=(rrsig(rdtypes.A, name(signer), 3),)
        )
        lies: dict[str, Lie] = {"kid.z.lab A": saying(forged)}
        assert status(archipelago, "kid.z.lab A", lies, context) is BOGUS, signer


def test_no_zone_above_the_anchor_signs_for_the_island(archipelago: World) -> None:
    """RFC 6840 appendix C: the closest anchor decides, and its zone did not sign this."""
    address = signed_by(zone_in(archipelago, "lab"), rrset("kid.z.lab.", "A", EVIL))
    lies: dict[str, Lie] = {"kid.z.lab A": saying(address)}
    context = island(archipelago, "kid.z.lab.")
    answer = judge(Upstream(archipelago, lies), "kid.z.lab A", context)
    assert (answer.verdict.status, codes(answer)) == (BOGUS, [6])


def test_no_denial_above_the_anchor_makes_the_island_insecure(archipelago: World) -> None:
    """The very proof that makes the zone insecure seen from the root, brought along."""
    lab = zone_in(archipelago, "lab")
    no_ds = lab.chain.matching(name("z.lab"))
    assert no_ds
    for text in ("z.lab.", "kid.z.lab."):
        context = island(archipelago, text)
        forged = saying(rrset("kid.z.lab.", "A", EVIL), authority=[no_ds])
        lies: dict[str, Lie] = {"kid.z.lab A": forged}
        assert status(archipelago, "kid.z.lab A", lies, context) is BOGUS
        denied = saying(authority=[no_ds], rcode=3)
        assert status(archipelago, "kid.z.lab A", {"kid.z.lab A": denied}, context) is BOGUS


def test_a_ds_set_at_the_anchors_own_name_is_judged_from_above(archipelago: World) -> None:
    """Trap 21."""
    context = island(archipelago, "z.lab.")
    answer = judge(archipelago, "z.lab DS", context)
    assert is_all(answer, SECURE)
    assert answer.answer == ()
    alone = island(archipelago, "z.lab.", and_root=False)
    answer = judge(archipelago, "z.lab DS", alone)
    assert (answer.verdict.status, codes(answer)) == (INDETERMINATE, [5])


def test_a_zone_above_the_anchor_may_still_deny_securely(world: World) -> None:
    """As the published scenarios want it: the name is denied by a zone that is secure."""
    anchors = [world.anchor(), rrset("nx.z.lab.", "DS", *zone_in(world, "y.lab").ds)]
    context = context_of(world, anchors=anchors)
    answer = judge(world, "www.nx.z.lab A", context)
    assert (answer.verdict.status, answer.rcode) == (SECURE, 3)


def test_without_any_anchor_an_answer_is_passed_on_as_it_came(world: World) -> None:
    context = island(world, "y.lab.", and_root=False)
    for asked in ("z.lab A", "nx.z.lab A", "unsigned.lab A", "unsigned.lab TXT"):
        answer = judge(world, asked, context)
        assert (answer.verdict.status, codes(answer)) == (INDETERMINATE, [5])
        assert answer.ttl == 0x7FFFFFFF  # nothing that the engine knows of bounds it
    assert status(world, "y.lab A", context=context) is SECURE
    assert "SOA" in " ".join(authorities(judge(world, "nx.z.lab A", context)))


def test_a_negative_anchor_leaves_everything_below_unchecked(world: World) -> None:
    until = NOW + 100
    context = context_of(world, negative=[NegativeAnchor(name("z.lab"), until)])
    for asked in ("z.lab A", "kid.z.lab A", "nx.z.lab A", "z.lab TXT"):
        for lie in (stripped, lambda r: r):
            answer = judge(Upstream(world, {asked: lie}), asked, context)
            assert (answer.verdict.status, codes(answer)) == (INSECURE, [33])
            assert answer.ttl == 100
    assert status(world, "z.lab DS", context=context) is SECURE
    assert status(world, "y.lab A", context=context) is SECURE
    assert "z.lab. SOA" in authorities(judge(world, "nx.z.lab A", context))


# ------------ A proof that comes along ------------


@pytest.mark.parametrize(
    ("holder", "cut"), [("lab", "unsigned.lab"), ("y.lab", "loose.y.lab")], ids=["nsec", "nsec3"]
)
def test_an_insecure_cut_may_be_proven_by_what_comes_along(
    world: World, holder: str, cut: str
) -> None:
    no_ds = zone_in(world, holder).chain.matching(name(cut))
    assert no_ds
    for asked, answer in (
        (f"{cut} A", saying(rrset(cut, "A", EVIL), authority=[no_ds])),
        (f"a.b.{cut} A", saying(rrset(f"a.b.{cut}", "A", EVIL), authority=[no_ds])),
        (f"{cut} TXT", saying(authority=[no_ds])),
        (f"nx.{cut} A", saying(authority=[no_ds], rcode=3)),
    ):
        lies: dict[str, Lie] = {asked: answer, f"{cut} DS": silence}
        upstream = Upstream(world, lies)
        found = judge(upstream, asked)
        assert found.verdict.status is INSECURE
        assert found.verdict.chain[-1].denial == (no_ds,)
        assert f"{cut}. DS" not in upstream.asked
    lies = {f"{cut} A": saying(rrset(cut, "A", EVIL)), f"{cut} DS": silence}
    assert status(world, f"{cut} A", lies) is UNOBTAINABLE


def test_what_comes_along_must_be_genuine(world: World) -> None:
    lab = zone_in(world, "lab")
    no_ds = lab.chain.matching(name("unsigned.lab"))
    assert no_ds
    address = rrset("z.lab.", "A", EVIL)
    for forged in (
        nsec("lab.", "z.lab.", "zz.lab.", "NS"),
        replace(no_ds, name=name("z.lab")),
        replace(no_ds, signatures=()),
    ):
        lies: dict[str, Lie] = {"z.lab A": saying(address, authority=[forged])}
        assert status(world, "z.lab A", lies) is BOGUS


def test_what_comes_along_must_be_of_the_zone_that_holds_the_cut(world: World) -> None:
    """A zone may have delegated a name that has since become another zone's."""
    lab = zone_in(world, "lab")
    old = signed_by(lab, nsec("lab.", "kid.z.lab.", "zz.lab.", "NS"))
    lies: dict[str, Lie] = {
        "kid.z.lab A": saying(rrset("kid.z.lab.", "A", EVIL), authority=[old]),
        "kid.z.lab DS": saying(authority=[old]),
    }
    assert status(world, "kid.z.lab A", lies) is BOGUS


def test_an_opt_out_span_that_comes_along_is_no_such_proof(world: World) -> None:
    zone = zone_in(world, "optout.lab")
    proof = [zone.chain.matching(zone.apex), zone.chain.covering(name("nx.optout.lab"))]
    lies: dict[str, Lie] = {
        "nx.optout.lab A": saying(
            rrset("nx.optout.lab.", "A", EVIL), authority=[r for r in proof if r]
        ),
        "nx.optout.lab DS": silence,
    }
    assert status(world, "nx.optout.lab A", lies) is UNOBTAINABLE


def test_more_records_than_aliases_need_are_no_proof_that_comes_along(world: World) -> None:
    lab = zone_in(world, "lab")
    no_ds = lab.chain.matching(name("unsigned.lab"))
    assert no_ds
    padding = [nsec("lab.", f"p{n}.lab.", f"p{n}x.lab.") for n in range(96)]
    for count, expected in ((95, INSECURE), (96, UNOBTAINABLE)):
        lie = saying(rrset("unsigned.lab.", "A", EVIL), authority=[*padding[:count], no_ds])
        lies: dict[str, Lie] = {"unsigned.lab A": lie, "unsigned.lab DS": silence}
        assert status(world, "unsigned.lab A", lies) is expected


def test_three_zones_that_claim_a_proof_are_looked_into_and_not_one_more(world: World) -> None:
    owner = "e.d.c.b.a.z.lab"
    between = names.names_between(name("z.lab"), name(owner))
    claimed = [
        nsec(names.to_text(above), names.to_text(cut), names.to_text(above), "NS")
        for above, cut in pairwise(between)
    ]
    lies: dict[str, Lie] = {f"{names.to_text(zone)} DS": silence for zone in between}
    lies[f"{owner} A"] = saying(rrset(owner, "A", EVIL), authority=claimed)
    upstream = Upstream(world, lies)
    assert judge(upstream, f"{owner} A").verdict.status is UNOBTAINABLE
    assert len(claimed) == 4
    assert upstream.asked.count("a.z.lab. DS") == 4  # the last one is to the name itself


def test_the_keys_of_a_zone_that_claims_a_proof_are_thought_to_be_needed(world: World) -> None:
    no_ds = zone_in(world, "lab").chain.matching(name("unsigned.lab"))
    assert no_ds
    address = rrset("unsigned.lab.", "A", EVIL)
    context = context_of(world)
    response = Response(question("unsigned.lab"), 0, (address,), (no_ds,))
    request = first_request(validate(response, Work(context, Budget(context.limits), NOW)))
    assert isinstance(request, AskZone)
    assert (request.name, request.is_signer) == (name("lab"), True)


def test_a_name_that_nothing_calls_a_zone_is_not_thought_to_be_one(world: World) -> None:
    context = context_of(world)
    response = Response(question("unsigned.lab"), 0, (rrset("unsigned.lab.", "A", EVIL),))
    request = first_request(validate(response, Work(context, Budget(context.limits), NOW)))
    assert isinstance(request, AskZone)
    assert (request.name, request.is_signer) == (name("unsigned.lab"), False)
