"""An RRset by itself: who signed it, and whether its name may have it."""

import pytest
from msgspec.structs import replace

from anchord.dnssec.anchors import NegativeAnchor
from anchord.dnssec.asking import AskZone, Work
from anchord.dnssec.engine import validate
from anchord.dnssec.limits import Budget, Limits
from anchord.lab.plan import Plan
from anchord.lab.world import World
from anchord.lab.zones import Window
from anchord.model import names, rcodes, rdtypes
from anchord.model.response import Response
from anchord.model.verdict import Status
from support.denials import name, rrsig
from support.judging import (
    DAY,
    Lie,
    Upstream,
    answers,
    authorities,
    changed,
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
    texts,
    zone_in,
)
from support.lab import NOW, question, world_of

SECURE, INSECURE, UNOBTAINABLE, BOGUS, INDETERMINATE = (
    Status.SECURE, Status.INSECURE, Status.UNOBTAINABLE, Status.BOGUS, Status.INDETERMINATE,
)  # fmt: skip

EVIL = b"\6\6\6\6"


# ------------ Data ------------


def test_data_that_are_signed_by_their_zone_are_secure(world: World) -> None:
    answer = judge(world, "z.lab A")
    assert is_all(answer, SECURE)
    assert answers(answer) == ["z.lab. A"]
    assert [names.to_text(link.zone) for link in answer.verdict.chain] == [".", "lab.", "z.lab."]
    assert answer.verdict.flaws == ()
    assert answer.rcode == rcodes.NOERROR
    assert answer.upstream == "lab"
    assert answer.ttl == 30 * DAY


def test_an_answer_holds_as_long_as_the_first_of_its_signatures(world: World) -> None:
    zone = zone_in(world, "z.lab")
    zone.put(signed_by(zone, rrset("z.lab.", "A", EVIL), window=Window(NOW - DAY, NOW + 77)))
    answer = judge(world, "z.lab A")
    assert (answer.ttl, answer.valid_until) == (77, NOW + 77)
    lab = zone_in(world, "lab")
    ds = lab.records[zone.apex, rdtypes.DS]
    lab.put(signed_by(lab, ds, window=Window(NOW - DAY, NOW + 55)))
    assert judge(world, "z.lab A").ttl == 55
    assert judge(world, "nx.z.lab A").ttl == 55
    zone.chain.change(lambda r: signed_by(zone, r, window=Window(NOW - DAY, NOW + 33)))
    assert judge(world, "nx.z.lab A").ttl == 33
    assert judge(world, "q.w.z.lab A").ttl == 33


def test_data_of_an_unsigned_zone_are_insecure(world: World) -> None:
    answer = judge(world, "unsigned.lab A")
    assert is_all(answer, INSECURE)
    assert answer.verdict.flaws == ()
    assert answer.verdict.chain[-1].denial


def test_data_without_signatures_are_bogus_where_the_zone_is_signed(world: World) -> None:
    """systemd-resolved, CVE-2023-7008."""
    for asked, zone in (
        ("z.lab A", "z.lab."),
        ("www.y.lab A", "y.lab."),
        ("kid.z.lab A", "kid.z.lab."),
    ):
        answer = judge(Upstream(world, {asked: stripped}), asked)
        assert is_all(answer, BOGUS)
        assert codes(answer) == [10]
        assert "signatures were stripped on the way" in texts(answer)
        assert names.to_text(answer.verdict.chain[-1].zone) == zone


def test_a_signature_of_an_unknown_algorithm_downgrades_nothing(world: World) -> None:
    """What dnssec-downgrade has found in several validators."""
    unknown = replace(
        zone_in(world, "z.lab").records[name("z.lab"), rdtypes.A],
        signatures=(rrsig(rdtypes.A, name("z.lab"), 2, algorithm=100),),
        rdatas=(EVIL,),
    )
    answer = judge(Upstream(world, {"z.lab A": saying(unknown)}), "z.lab A")
    assert (answer.verdict.status, codes(answer)) == (BOGUS, [10])


def test_a_foreign_signer_beside_the_good_one_spoils_nothing(world: World) -> None:
    """Whoever it is, and whether or not its zone can be had."""
    good = zone_in(world, "z.lab").records[name("z.lab"), rdtypes.MX]
    for signer in ("y.lab", "unsigned.lab", "www.z.lab", "lab", ".", "evil"):
        junk = rrsig(rdtypes.MX, name(signer), 2)
        for signatures in ((junk, *good.signatures), (*good.signatures, junk)):
            lies: dict[str, Lie] = {"z.lab MX": saying(replace(good, signatures=signatures))}
            assert status(world, "z.lab MX", lies) is SECURE


def test_a_malformed_signature_beside_the_good_one_spoils_nothing(world: World) -> None:
    good = zone_in(world, "z.lab").records[name("z.lab"), rdtypes.MX]
    for signatures in ((b"", *good.signatures), (*good.signatures, b"\0" * 18)):
        lies: dict[str, Lie] = {"z.lab MX": saying(replace(good, signatures=signatures))}
        assert status(world, "z.lab MX", lies) is SECURE
    lies = {"z.lab MX": saying(replace(good, signatures=(b"",)))}
    assert status(world, "z.lab MX", lies) is BOGUS


def test_signers_that_cannot_be_fetched_spoil_nothing(world: World) -> None:
    zone = zone_in(world, "z.lab")
    good = signed_by(zone, rrset("d.c.b.a.z.lab.", "A", EVIL))
    fakes = tuple(rrsig(rdtypes.A, name(text), 6) for text in ("d.c.b.a.z.lab", "c.b.a.z.lab"))
    lies: dict[str, Lie] = {
        "d.c.b.a.z.lab A": saying(replace(good, signatures=(*fakes, *good.signatures))),
        **{f"{text} DS": silence for text in ("a.z.lab", "b.a.z.lab", "c.b.a.z.lab")},
        "d.c.b.a.z.lab DS": silence,
    }
    assert status(world, "d.c.b.a.z.lab A", lies) is SECURE


@pytest.mark.parametrize("count", [3, 4])
def test_many_signers_that_are_no_zones_hide_the_one_that_is_one(world: World, count: int) -> None:
    zone = zone_in(world, "z.lab")
    owner = name("d.c.b.a.z.lab")
    good = signed_by(zone, rrset("d.c.b.a.z.lab.", "A", EVIL))
    between = names.names_between(zone.apex, owner)[-count:]
    fakes = tuple(rrsig(rdtypes.A, signer, 6) for signer in between)
    lie = saying(replace(good, signatures=(*fakes, *good.signatures)))
    assert status(world, "d.c.b.a.z.lab A", {"d.c.b.a.z.lab A": lie}) is SECURE


def test_a_signature_by_whoever_is_not_the_holder_is_none(world: World) -> None:
    address = rrset("z.lab.", "A", EVIL)
    for text in ("y.lab", "kid.z.lab"):
        zone = zone_in(world, text)
        forged = signed_by(zone, address, labels=None)
        answer = judge(Upstream(world, {"z.lab A": saying(forged)}), "z.lab A")
        assert answer.verdict.status is BOGUS
        assert codes(answer) == [6]
        assert "is signed, but not by z.lab., which holds it" in texts(answer)
    nowhere = replace(
        rrset("www.z.lab.", "A", EVIL), signatures=(rrsig(rdtypes.A, name("www.z.lab"), 3),)
    )
    answer = judge(Upstream(world, {"www.z.lab A": saying(nowhere)}), "www.z.lab A")
    assert (answer.verdict.status, codes(answer)) == (BOGUS, [6])
    assert "is signed, but not by z.lab., which holds it" in texts(answer)


def test_every_signer_that_fails_says_why(world: World) -> None:
    zone, lab = zone_in(world, "z.lab"), zone_in(world, "lab")
    address = rrset("z.lab.", "A", EVIL)
    expired = signed_by(zone, address, window=Window(NOW - 2 * DAY, NOW - DAY))
    forged = signed_by(lab, rrset("z.lab.", "A", b"\1\1\1\1"))
    both = replace(address, signatures=(*forged.signatures, *expired.signatures))
    answer = judge(Upstream(world, {"z.lab A": saying(both)}), "z.lab A")
    assert (answer.verdict.status, codes(answer)) == (BOGUS, [7, 6])


def test_an_address_of_another_length_is_told_of(world: World) -> None:
    for rdtype, right in (("A", 4), ("AAAA", 16)):
        for length in (0, 3, 5, 15, 17):
            bad = rrset("z.lab.", rdtype, bytes(length))
            answer = judge(Upstream(world, {f"z.lab {rdtype}": saying(bad)}), f"z.lab {rdtype}")
            assert codes(answer) == [10, 0]
            assert f"not {right} octets" in texts(answer)
        good = rrset("z.lab.", rdtype, bytes(right))
        assert codes(
            judge(Upstream(world, {f"z.lab {rdtype}": saying(good)}), f"z.lab {rdtype}")
        ) == [10]


def test_one_wrong_address_among_right_ones_is_told_of(world: World) -> None:
    mixed = rrset("z.lab.", "A", EVIL, b"\6")
    assert codes(judge(Upstream(world, {"z.lab A": saying(mixed)}), "z.lab A")) == [10, 0]


def deep(world: World, *signatures: bytes) -> dict[str, Lie]:
    """An answer at a name of seven labels in `z.lab.`, with these signatures and the good one; the
    DS questions below `z.lab.` are not answered."""
    owner = "e.d.c.b.a.z.lab"
    good = signed_by(zone_in(world, "z.lab"), rrset(owner, "A", EVIL))
    below = names.names_between(name("z.lab"), name(owner))
    return {
        f"{owner} A": saying(replace(good, signatures=(*signatures, *good.signatures))),
        **{f"{names.to_text(zone)} DS": silence for zone in below},
    }


def test_three_signers_are_looked_into_and_not_one_more(world: World) -> None:
    owner = name("e.d.c.b.a.z.lab")
    for count, expected in ((2, SECURE), (3, UNOBTAINABLE)):
        signers = names.names_between(name("z.lab"), owner)[-count:]
        lies = deep(world, *(rrsig(rdtypes.A, signer, 7) for signer in signers))
        upstream = Upstream(world, lies)
        answer = judge(upstream, "e.d.c.b.a.z.lab A")
        assert answer.verdict.status is expected
        walks = 2 if expected is SECURE else 4  # the last one is to the name itself
        assert upstream.asked.count("a.z.lab. DS") == walks


def test_a_zone_that_several_signers_lead_to_is_tried_once(world: World) -> None:
    good = signed_by(zone_in(world, "z.lab"), rrset("q.z.lab.", "A", EVIL))
    spoilt = good.signatures[0][:-1] + b"\0"
    fake = rrsig(rdtypes.A, name("q.z.lab"), 3)
    lies = {"q.z.lab A": saying(replace(good, signatures=(fake, spoilt)))}
    context = context_of(world, limits=Limits(failed_signatures=1))
    answer = judge(Upstream(world, lies), "q.z.lab A", context)
    assert (answer.verdict.status, codes(answer)) == (BOGUS, [6])
    assert "does not verify" in texts(answer)


def test_a_limit_is_the_only_reason_where_one_was_hit(world: World) -> None:
    zone, lab, root = (zone_in(world, text) for text in ("z.lab", "lab", "."))
    address = rrset("z.lab.", "A", EVIL)
    expired = signed_by(zone, address, window=Window(NOW - 2 * DAY, NOW - DAY)).signatures[0]
    spoilt = signed_by(lab, address).signatures[0][:-1] + b"\0"
    further = signed_by(root, address, window=Window(NOW - 2 * DAY, NOW - DAY)).signatures[0]
    lies = {"z.lab A": saying(replace(address, signatures=(expired, spoilt, further)))}
    context = context_of(world, limits=Limits(failed_signatures=0))
    answer = judge(Upstream(world, lies), "z.lab A", context)
    assert (answer.verdict.status, codes(answer)) == (BOGUS, [6])
    assert "too many signatures that do not verify" in texts(answer)


def test_a_signers_keys_are_thought_to_be_needed(world: World) -> None:
    """So that the walk asks for them at once."""
    for asked in ("z.lab A", "nx.z.lab A"):
        response = world.answer(question(*asked.split()))
        assert isinstance(response, Response)
        context = context_of(world)
        request = first_request(validate(response, Work(context, Budget(context.limits), NOW)))
        assert isinstance(request, AskZone)
        assert (request.name, request.is_signer) == (name("z.lab"), True)


def test_signatures_that_are_asked_for_are_neither_secure_nor_a_failure(world: World) -> None:
    """Trap 30."""
    for asked in ("z.lab RRSIG", "y.lab RRSIG"):
        answer = judge(world, asked)
        assert is_all(answer, INDETERMINATE)
        assert codes(answer) == [5]
        assert answers(answer) == [f"{asked.split()[0]}. RRSIG"]


def test_a_ds_set_is_judged_from_above(world: World) -> None:
    zone, lab = zone_in(world, "z.lab"), zone_in(world, "lab")
    ds = lab.records[zone.apex, rdtypes.DS]
    by_child = signed_by(zone, ds)
    answer = judge(Upstream(world, {"z.lab DS": saying(by_child)}), "z.lab DS")
    assert answer.verdict.status is BOGUS
    assert codes(answer) == [6]
    assert status(world, "z.lab DNSKEY") is SECURE


def test_below_a_negative_anchor_no_zone_above_it_is_asked_whether_it_signed(world: World) -> None:
    negative = [NegativeAnchor(name("z.lab"), NOW + 100)]
    for lie in (
        saying(rrset("z.lab.", "A", EVIL, signatures=[rrsig(rdtypes.A, name("lab"), 2)])),
        saying(signed_by(zone_in(world, "lab"), rrset("z.lab.", "A", EVIL))),
    ):
        upstream = Upstream(world, {"z.lab A": lie})
        answer = judge(upstream, "z.lab A", context_of(world, negative=negative))
        assert (answer.verdict.status, codes(answer)) == (INSECURE, [33])
        assert upstream.asked == ["z.lab. A"]


def test_a_ds_set_in_an_answer_to_any_is_the_parents_to_sign(world: World) -> None:
    kid = zone_in(world, "kid.z.lab")
    forged = signed_by(kid, rrset("kid.z.lab.", "DS", bytes(36)))
    lies: dict[str, Lie] = {"kid.z.lab ANY": saying(forged)}
    assert status(world, "kid.z.lab ANY", lies) is BOGUS
    lies = {"kid.z.lab ANY": saying(zone_in(world, "z.lab").records[kid.apex, rdtypes.DS])}
    assert status(world, "kid.z.lab ANY", lies) is SECURE


# ------------ Wildcards ------------


def test_a_wildcards_answer_needs_the_proof_that_nothing_is_closer(world: World) -> None:
    for name_, rdtype in (("q.w.z.lab", "NSEC"), ("q.w.y.lab", "NSEC3"), ("p.q.w.y.lab", "NSEC3")):
        asked = f"{name_} A"
        answer = judge(world, asked)
        assert is_all(answer, SECURE)
        assert [proof.split()[1] for proof in authorities(answer)] == [rdtype]
        answer = judge(Upstream(world, {asked: changed(authority=())}), asked)
        assert answer.verdict.status is BOGUS
        assert codes(answer) == [12, 6]
        assert f"{name_}. was answered from a wildcard, but nothing proves" in texts(answer)


def test_a_wildcards_answer_replaces_no_name_that_exists(world: World) -> None:
    zone = zone_in(world, "z.lab")
    wildcard = zone.records[name("*.w.z.lab"), rdtypes.A]
    zone.put(signed_by(zone, rrset("here.w.z.lab.", "TXT", b"\1x")))
    proof = zone.chain.covering(name("here.w.z.lab"))
    for owner in ("z.lab", "a.b.z.lab", "b.z.lab", "kid.z.lab", "x.kid.z.lab"):
        expanded = replace(wildcard, name=name(owner))
        denials = [zone.chain.covering(name(owner)), zone.chain.matching(name(owner)), proof]
        lie = saying(expanded, authority=[r for r in denials if r])
        assert status(world, f"{owner} A", {f"{owner} A": lie}) is BOGUS, owner


def test_a_forged_proof_is_the_reason_where_it_is_one(world: World) -> None:
    """PowerDNS, CVE-2026-52686: the proof of an alias from a wildcard must be genuine, too."""
    for asked in ("q.w.z.lab A", "q.alias.z.lab A"):

        def lie(response: Response) -> Response:
            return replace(
                response,
                authority=tuple(
                    replace(r, rdatas=(r.rdatas[0][:-1] + b"\7",)) for r in response.authority
                ),
            )

        answer = judge(Upstream(world, {asked: lie}), asked)
        assert answer.verdict.status is BOGUS
        assert codes(answer)[0] == 6
        assert "does not verify" in texts(answer)


def test_a_wildcard_below_too_many_iterations_is_insecure(world: World) -> None:
    answer = judge(world, "q.w.many.lab A")
    assert answer.verdict.status is INSECURE
    assert codes(answer) == [27]


def test_a_dname_from_a_wildcard_needs_its_proof() -> None:
    """Trap 28."""
    world = world_of(
        Plan("z.lab.", "a zone", records="*.d DNAME y.lab."),
        Plan("y.lab.", "another", records="a A 192.0.2.1"),
    )
    zone = zone_in(world, "z.lab")
    dname = replace(zone.records[name("*.d.z.lab"), rdtypes.DNAME], name=name("x.d.z.lab"))
    proof = zone.chain.covering(name("x.d.z.lab"))
    assert proof
    asked = "a.x.d.z.lab A"
    for authority, expected in (((proof,), SECURE), ((), BOGUS)):
        assert status(world, asked, {asked: saying(dname, authority=authority)}) is expected
