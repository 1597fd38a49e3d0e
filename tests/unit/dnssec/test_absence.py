"""Denials: proven by whoever holds the name, or not at all."""

import pytest
from msgspec.structs import replace

from anchord.dnssec.anchors import NegativeAnchor
from anchord.dnssec.limits import Limits
from anchord.lab.world import World
from anchord.model import names, rcodes, rdtypes
from anchord.model.response import Response
from anchord.model.verdict import Status
from support.denials import covering, matching, name, nsec, rrsig
from support.judging import (
    Lie,
    Upstream,
    authorities,
    changed,
    codes,
    context_of,
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
from support.lab import NOW, question

SECURE, INSECURE, UNOBTAINABLE, BOGUS, INDETERMINATE = (
    Status.SECURE, Status.INSECURE, Status.UNOBTAINABLE, Status.BOGUS, Status.INDETERMINATE,
)  # fmt: skip

EVIL = b"\6\6\6\6"


@pytest.mark.parametrize(
    ("asked", "rcode"),
    [
        ("nx.z.lab A", 3),
        ("z.lab TXT", 0),
        ("b.z.lab A", 0),
        ("q.w.z.lab TXT", 0),
        ("nx.y.lab A", 3),
        ("y.lab TXT", 0),
        ("z.lab DS", None),
        ("www.z.lab DS", None),
        ("unsigned.lab DS", 0),
        (". DS", 0),
        ("a.b.z.lab ANY", None),
        ("b.z.lab ANY", 0),
    ],
)
def test_denials_are_secure_with_their_proof_and_bogus_without(
    world: World, asked: str, rcode: int | None
) -> None:
    answer = judge(world, asked)
    assert is_all(answer, SECURE)
    if rcode is None:
        return
    assert answer.rcode == rcode
    assert answer.answer == ()
    assert any(owner.endswith(" SOA") for owner in authorities(answer))
    for lie, code in (
        (saying(rcode=rcode), 12),
        (stripped, 10),
        (lambda r: replace(r, authority=tuple(x for x in r.authority if x.rdtype == 6)), 12),
    ):
        answer = judge(Upstream(world, {asked: lie}), asked)
        assert answer.verdict.status is BOGUS
        assert codes(answer)[0] == code
        if code == 12:
            assert codes(answer) == [12, 6]
            assert "was denied without proof: it may be forged" in texts(answer)


def test_a_denial_has_the_chain_of_the_zone_that_denies(world: World) -> None:
    """Whether it is proven, has no proof, or goes past a limit."""
    padding = [nsec("z.lab.", f"p{n}.z.lab.", f"p{n}x.z.lab.") for n in range(97)]
    for said in (changed(), saying(rcode=3), saying(authority=padding, rcode=3)):
        answer = judge(Upstream(world, {"nx.z.lab A": said}), "nx.z.lab A")
        zones = [names.to_text(link.zone) for link in answer.verdict.chain]
        assert zones == [".", "lab.", "z.lab."]


def test_past_a_limit_no_other_zone_is_asked_for_a_proof(world: World) -> None:
    padding = [nsec("kid.z.lab.", f"p{n}.kid.z.lab.", "kid.z.lab.") for n in range(97)]
    other = nsec("z.lab.", "q.z.lab.", "r.z.lab.")
    asked = "nx.kid.z.lab A"
    lie = saying(authority=[*padding, other], rcode=3)
    answer = judge(Upstream(world, {asked: lie}), asked)
    assert (answer.verdict.status, codes(answer)) == (BOGUS, [6])
    assert "too many NSEC or NSEC3 records" in texts(answer)


def test_a_denial_without_an_soa_is_fine_and_one_with_an_unsigned_soa_is_not(
    world: World,
) -> None:
    """Trap 36."""
    for asked in ("nx.z.lab A", "z.lab TXT", "y.lab TXT"):

        def without(response: Response) -> Response:
            kept = tuple(r for r in response.authority if r.rdtype != rdtypes.SOA)
            return replace(response, authority=kept)

        def unsigned(response: Response) -> Response:
            changed = (
                replace(r, signatures=()) if r.rdtype == rdtypes.SOA else r
                for r in response.authority
            )
            return replace(response, authority=tuple(changed))

        def foreign(response: Response) -> Response:
            soa = rrset("evil.", "SOA", b"\0\0" + bytes(20))
            above = rrset("lab.", "SOA", b"\0\0" + bytes(20))
            return replace(response, authority=(soa, above, *response.authority))

        assert status(world, asked, {asked: without}) is SECURE
        answer = judge(Upstream(world, {asked: unsigned}), asked)
        assert (answer.verdict.status, codes(answer)) == (BOGUS, [10])
        answer = judge(Upstream(world, {asked: foreign}), asked)
        assert is_all(answer, SECURE)
        assert sum(owner.endswith(" SOA") for owner in authorities(answer)) == 1


def test_a_name_error_that_proves_less_is_what_it_proves(world: World) -> None:
    """Some servers say NXDOMAIN at empty non-terminals."""
    lie = changed(rcode=rcodes.NXDOMAIN)
    for asked in ("b.z.lab A", "z.lab TXT", "y.lab TXT", "q.w.z.lab TXT"):
        answer = judge(Upstream(world, {asked: lie}), asked)
        assert (answer.verdict.status, answer.rcode) == (SECURE, rcodes.NOERROR)


def test_a_proof_of_a_name_error_is_none_of_a_missing_type(world: World) -> None:
    lie = changed(rcode=rcodes.NOERROR)
    assert status(world, "nx.z.lab A", {"nx.z.lab A": lie}) is BOGUS


def test_a_denial_of_another_question_is_none(world: World) -> None:
    for asked, other in (
        ("z.lab A", "z.lab TXT"),
        ("z.lab A", "nx.z.lab A"),
        ("kid.z.lab A", "kid.z.lab TXT"),
        ("z.lab A", "y.lab TXT"),
        ("x.kid.z.lab A", "nx.z.lab A"),
        ("www.z.lab A", "z.lab TXT"),
    ):
        said = world.answer(question(*other.split()))
        assert isinstance(said, Response)
        for rcode in (0, 3):
            lie = replace(said, rcode=rcode)
            answer = judge(Upstream(world, {asked: lie}), asked)
            assert answer.verdict.status is BOGUS, (asked, other)


def test_the_parents_denial_says_nothing_of_the_childs_names(world: World) -> None:
    zone = zone_in(world, "z.lab")
    at_cut = zone.chain.matching(name("kid.z.lab"))
    assert at_cut
    for asked in ("kid.z.lab A", "kid.z.lab SOA", "www.kid.z.lab A"):
        for rcode in (0, 3):
            lie = saying(authority=[at_cut], rcode=rcode)
            assert status(world, asked, {asked: lie}) is BOGUS


def test_the_childs_denial_says_nothing_of_its_own_ds(world: World) -> None:
    kid = zone_in(world, "kid.z.lab")
    own = kid.chain.matching(kid.apex)
    assert own
    lie = saying(authority=[kid.records[kid.apex, rdtypes.SOA], own])
    assert status(world, "kid.z.lab DS", {"kid.z.lab DS": lie}) is BOGUS


def test_denials_of_an_unsigned_zone_are_insecure(world: World) -> None:
    for asked, rcode in (("nx.unsigned.lab A", 3), ("unsigned.lab TXT", 0)):
        answer = judge(world, asked)
        assert is_all(answer, INSECURE)
        assert answer.rcode == rcode
        assert authorities(answer) == ["unsigned.lab. SOA"]


def test_an_insecure_denial_may_come_without_an_soa_and_with_none_of_others(
    world: World,
) -> None:
    asked = "nx.unsigned.lab A"
    assert is_all(judge(Upstream(world, {asked: saying(rcode=3)}), asked), INSECURE)
    for owner in ("lab.", ".", "y.lab.", "www.nx.unsigned.lab.", "x.unsigned.lab."):
        soa = rrset(owner, "SOA", b"\0\0" + bytes(20))
        answer = judge(Upstream(world, {asked: saying(authority=[soa], rcode=3)}), asked)
        assert answer.verdict.status is INSECURE
        assert answer.authority == (), owner


def test_an_insecure_denial_brings_the_first_soa_and_nothing_else(world: World) -> None:
    asked = "a.nx.unsigned.lab A"
    rdata = b"\0\0" + bytes(20)
    authority = [
        rrset("unsigned.lab.", "NS", b"\0"),
        rrset("nx.unsigned.lab.", "SOA", rdata),
        rrset("unsigned.lab.", "SOA", rdata),
    ]
    answer = judge(Upstream(world, {asked: saying(authority=authority, rcode=3)}), asked)
    assert is_all(answer, INSECURE)
    assert authorities(answer) == ["nx.unsigned.lab. SOA"]


def test_below_a_negative_anchor_the_soa_may_stand_above_it(world: World) -> None:
    negative = [NegativeAnchor(name("b.z.lab"), NOW + 100)]
    answer = judge(world, "nx.b.z.lab A", context_of(world, negative=negative))
    assert answer.verdict.status is INSECURE
    assert "z.lab. SOA" in authorities(answer)


def test_a_negative_anchor_is_the_reason_whatever_proof_comes_along(world: World) -> None:
    no_ds = zone_in(world, "lab").chain.matching(name("unsigned.lab"))
    assert no_ds
    negative = [NegativeAnchor(name("unsigned.lab"), NOW + 100)]
    asked = "nx.unsigned.lab A"
    upstream = Upstream(world, {asked: saying(authority=[no_ds], rcode=3)})
    answer = judge(upstream, asked, context_of(world, negative=negative))
    assert (answer.verdict.status, codes(answer)) == (INSECURE, [33])


def test_opt_out_denies_without_authenticity(world: World) -> None:
    """Trap 12; RFC 5155 section 9.2."""
    answer = judge(world, "nx.optout.lab A")
    assert is_all(answer, INSECURE)
    assert answer.rcode == 3
    assert codes(answer) == []
    assert any(owner.endswith("NSEC3") for owner in authorities(answer))
    assert status(world, "optout.lab TXT") is SECURE


def test_opt_out_makes_no_name_error_of_a_missing_type(world: World) -> None:
    """The span that covers an unsigned delegation denies its types, but not its name: for that the
    wildcard must be denied as well, which nothing here does."""
    zone = zone_in(world, "optout.lab")
    apex = signed_by(zone, matching("optout.lab.", "optout.lab", "NS SOA", flags=1))
    span = signed_by(zone, covering("optout.lab.", "q.optout.lab", flags=1))
    for rcode, expected in ((0, INSECURE), (3, BOGUS)):
        lies: dict[str, Lie] = {
            "q.optout.lab A": saying(authority=[apex, span], rcode=rcode),
            "q.optout.lab DS": silence,
        }
        assert status(world, "q.optout.lab A", lies) is expected


def test_compact_denials_say_nxname_with_either_code(world: World) -> None:
    """RFC 9824: the code is the client's choice, not the server's."""
    for zone in ("compact.lab", "compact3.lab"):
        answer = judge(world, f"nx.{zone} A")
        assert is_all(answer, SECURE)
        assert answer.nxname
        assert answer.rcode == rcodes.NOERROR
        plain = judge(world, f"{zone} TXT")
        assert (plain.verdict.status, plain.nxname) == (SECURE, False)


def test_too_many_iterations_make_denials_insecure(world: World) -> None:
    for asked, rcode in (("nx.many.lab A", 3), ("many.lab TXT", 0)):
        answer = judge(world, asked)
        assert (answer.verdict.status, answer.rcode, codes(answer)) == (INSECURE, rcode, [27])
    assert status(world, "many.lab A") is SECURE


def test_too_many_iterations_of_a_zone_above_make_nothing_insecure(world: World) -> None:
    """Only the zone that holds a name may have denials that cannot be counted."""
    above = zone_in(world, "many.lab")
    denial = above.chain.matching(above.apex)
    wildcard = above.records[name("*.w.many.lab"), rdtypes.A]
    assert denial
    for rcode in (0, 3):
        for asked in ("kid.many.lab A", "www.kid.many.lab A", "kid.many.lab TXT"):
            lie = saying(authority=[denial], rcode=rcode)
            answer = judge(Upstream(world, {asked: lie}), asked)
            assert answer.verdict.status is BOGUS
            assert codes(answer) == [12, 12, 6]
            assert "are of many.lab., but kid.many.lab. holds the name" in texts(answer)
            first = answer.verdict.flaws[0].text
            assert first.startswith("the NSEC or NSEC3 records of kid.many.lab. do not prove")
    expanded = saying(replace(wildcard, name=name("www.kid.w.many.lab")), authority=[denial])
    asked = "www.kid.w.many.lab A"
    answer = judge(Upstream(world, {asked: expanded}), asked)
    assert (answer.verdict.status, codes(answer)) == (BOGUS, [12, 6])
    elsewhere = "www.nx.w.many.lab A"
    lie = saying(replace(wildcard, name=name("www.nx.w.many.lab")), authority=[denial])
    assert status(world, elsewhere, {elsewhere: lie}) is INSECURE


@pytest.mark.parametrize("count", [3, 4])
def test_many_signers_of_denials_that_are_no_zones_hide_the_one_that_is_one(
    world: World, count: int
) -> None:
    """An assertion would fail where the proof is found after all."""
    asked = "d.c.b.a.z.lab A"
    between = names.names_between(name("z.lab"), name("d.c.b.a.z.lab"))[-count:]
    junk = tuple(
        replace(
            nsec("z.lab.", f"j{n}.d.c.b.a.z.lab.", "z.lab."),
            signatures=(rrsig(rdtypes.NSEC, signer, 7),),
        )
        for n, signer in enumerate(between)
    )

    def lie(response: Response) -> Response:
        return replace(response, authority=(*junk, *response.authority))

    answer = judge(Upstream(world, {asked: lie}), asked)
    assert (answer.verdict.status, answer.rcode) == (SECURE, 3)


def test_who_signed_other_records_beside_a_denial_does_not_matter(world: World) -> None:
    """Be they no zones, or ones that cannot be had."""
    between = names.names_between(name("z.lab"), name("d.c.b.a.z.lab"))
    others = tuple(
        rrset("z.lab.", "NS", b"\0", signatures=[rrsig(rdtypes.NS, signer, 2)])
        for signer in between
    )

    def lie(response: Response) -> Response:
        return replace(response, authority=(*others, *response.authority))

    lies: dict[str, Lie] = {f"{names.to_text(zone)} DS": silence for zone in between}
    answer = judge(Upstream(world, {**lies, "d.c.b.a.z.lab A": lie}), "d.c.b.a.z.lab A")
    assert (answer.verdict.status, answer.rcode) == (SECURE, 3)


# ------------ What comes along beside ------------


def test_genuine_denials_that_prove_nothing_are_passed_on(world: World) -> None:
    zone = zone_in(world, "z.lab")
    other = zone.chain.matching(name("a.b.z.lab"))
    assert other
    forged = nsec("z.lab.", "f.z.lab.", "g.z.lab.")
    expanded = replace(zone.chain.matching(name("*.w.z.lab")) or other, name=name("x.w.z.lab"))
    lie = changed(authority=(other, forged, expanded))
    answer = judge(Upstream(world, {"z.lab A": lie}), "z.lab A")
    assert is_all(answer, SECURE)
    assert authorities(answer) == ["a.b.z.lab. NSEC"]


def test_what_merely_comes_along_stands_behind_what_proves(world: World) -> None:
    other = zone_in(world, "z.lab").chain.matching(name("a.b.z.lab"))
    assert other
    for asked in ("q.w.z.lab A", "nx.z.lab A"):
        proof = authorities(judge(world, asked))

        def lie(response: Response) -> Response:
            return replace(response, authority=(other, *response.authority))

        answer = judge(Upstream(world, {asked: lie}), asked)
        assert is_all(answer, SECURE)
        assert authorities(answer) == [*proof, "a.b.z.lab. NSEC"]


def test_what_comes_along_beside_is_paid_from_a_small_purse(world: World) -> None:
    junk = [nsec("z.lab.", f"j{n}.z.lab.", f"j{n}x.z.lab.") for n in range(500)]
    lie = changed(authority=tuple(junk))
    answer = judge(Upstream(world, {"z.lab A": lie}), "z.lab A")
    assert is_all(answer, SECURE)
    assert answer.authority == ()


def test_that_purse_is_smaller_than_the_querys(world: World) -> None:
    zone = zone_in(world, "z.lab")
    good, *bad = (
        signed_by(zone, replace(nsec("z.lab.", f"o{n}.z.lab.", f"o{n}x.z.lab."), signatures=()))
        for n in range(3)
    )
    forged = [replace(r, signatures=(r.signatures[0][:-1] + b"\0",)) for r in bad]
    for granted, passed_on in ((2, ["o0.z.lab. NSEC"]), (1, [])):
        context = context_of(world, limits=Limits(zone_failed_signatures=granted))
        upstream = Upstream(world, {"z.lab A": changed(authority=(*forged, good))})
        answer = judge(upstream, "z.lab A", context)
        assert is_all(answer, SECURE)
        assert authorities(answer) == passed_on


def test_nsec3_records_that_prove_nothing_are_passed_on_as_well(world: World) -> None:
    other = zone_in(world, "y.lab").chain.matching(name("www.y.lab"))
    assert other
    answer = judge(Upstream(world, {"y.lab A": changed(authority=(other,))}), "y.lab A")
    assert is_all(answer, SECURE)
    assert [checked.rrset for checked in answer.authority] == [other]


def test_no_more_than_eight_of_a_response_are_passed_on(world: World) -> None:
    """Other types among them do not count, nor do those that prove what was in question."""
    zone = zone_in(world, "z.lab")
    others = [signed_by(zone, nsec("z.lab.", f"o{n}.z.lab.", f"o{n}x.z.lab.")) for n in range(10)]
    text = [signed_by(zone, rrset(f"t{n}.z.lab.", "TXT", b"x")) for n in range(10)]
    answer = judge(Upstream(world, {"z.lab A": changed(authority=(*text, *others))}), "z.lab A")
    assert is_all(answer, SECURE)
    passed_on = [f"o{n}.z.lab. NSEC" for n in range(8)]
    assert authorities(answer) == passed_on

    def lie(response: Response) -> Response:
        return replace(response, authority=(*response.authority, *others))

    proof = authorities(judge(world, "nx.z.lab A"))
    answer = judge(Upstream(world, {"nx.z.lab A": lie}), "nx.z.lab A")
    assert authorities(answer) == [*proof, *passed_on]


def test_signed_denials_of_zones_that_are_not_secure_are_passed_on_as_they_came(
    world: World,
) -> None:
    """Eight at most, none without a signature, and none that a secure zone would have to prove."""
    made = [nsec("unsigned.lab.", f"u{n}.unsigned.lab.", "unsigned.lab.") for n in range(10)]
    authority = (
        nsec("z.lab.", "forged.z.lab.", "z.lab."),
        nsec("lab.", "forged.lab.", "lab."),
        replace(made[0], name=name("bare.unsigned.lab"), signatures=()),
        rrset("t.unsigned.lab.", "TXT", b"x", signatures=made[0].signatures),
        *made,
    )
    for asked in ("unsigned.lab A", "loose.z.lab A"):
        answer = judge(Upstream(world, {asked: changed(authority=authority)}), asked)
        assert answer.verdict.status is INSECURE
        assert authorities(answer) == [f"u{n}.unsigned.lab. NSEC" for n in range(8)]


def test_a_secure_answer_brings_no_denial_that_was_not_checked(world: World) -> None:
    """Not even one of a zone that no trust anchor stands above."""
    keys = tuple(key.rdata for key in zone_in(world, "z.lab").key_signers)
    context = context_of(world, anchors=[rrset("z.lab.", "DNSKEY", *keys)])
    elsewhere = nsec("example.", "a.example.", "example.")
    answer = judge(
        Upstream(world, {"z.lab A": changed(authority=(elsewhere,))}), "z.lab A", context
    )
    assert is_all(answer, SECURE)
    assert answer.authority == ()


def test_a_zone_is_asked_for_its_proof_once(world: World) -> None:
    """However many signers lead to it: one failed check is one, though three are looked into."""
    forged = zone_in(world, "z.lab").chain.covering(name("q.b.z.lab"))
    assert forged
    spoilt = replace(forged, signatures=(forged.signatures[0][:-1] + b"\0",))
    fakes = [
        replace(spoilt, name=name(f"f{n}.z.lab"), signatures=(rrsig(rdtypes.NSEC, name(text), 3),))
        for n, text in enumerate(("q.b.z.lab", "b.z.lab"))
    ]
    asked = "q.b.z.lab A"
    limits = Limits(failed_signatures=1)
    lie = saying(authority=[*fakes, spoilt], rcode=3)
    answer = judge(Upstream(world, {asked: lie}), asked, context_of(world, limits=limits))
    assert (answer.verdict.status, codes(answer)) == (BOGUS, [6])
    assert "does not verify" in texts(answer)


def test_three_zones_that_deny_are_looked_into_and_not_one_more(world: World) -> None:
    asked = "e.d.c.b.a.z.lab A"
    between = names.names_between(name("z.lab"), name("e.d.c.b.a.z.lab"))
    junk = [
        replace(
            nsec("z.lab.", f"j{number}.z.lab.", "z.lab."),
            signatures=(rrsig(rdtypes.NSEC, signer, 3),),
        )
        for number, signer in enumerate(between[1:])
    ]
    lies: dict[str, Lie] = {f"{names.to_text(zone)} DS": silence for zone in between}
    upstream = Upstream(world, {**lies, asked: saying(authority=junk, rcode=3)})
    assert judge(upstream, asked).verdict.status is UNOBTAINABLE
    assert len(junk) == 4
    assert upstream.asked.count("a.z.lab. DS") == 4  # the last one is to the name itself
