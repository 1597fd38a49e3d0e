"""Whole answers: aliases, data, denials, and what nobody may make of them."""

from dataclasses import replace

import pytest

from anchord.dnssec.anchors import NegativeAnchor
from anchord.dnssec.asking import Ask, Context, Work
from anchord.dnssec.engine import validate
from anchord.dnssec.limits import Budget, Limits
from anchord.dnssec.replay import run
from anchord.dnssec.trust import find_zone
from anchord.lab.denial import Compact, Nsec3
from anchord.lab.plan import Plan
from anchord.lab.world import World
from anchord.lab.zones import Window, Zone
from anchord.model import names, rcodes, rdtypes
from anchord.model.response import Response, RRset
from anchord.model.verdict import Answer, Status
from support.denials import covering, matching, name, nsec, rrsig
from support.judging import (
    DAY,
    Lie,
    Upstream,
    changed,
    codes,
    context_of,
    judge,
    rrset,
    saying,
    signed_by,
    silence,
    stripped,
    texts,
)
from support.lab import NOW, brief, question, world_of

SECURE, INSECURE, UNOBTAINABLE, BOGUS, INDETERMINATE = (
    Status.SECURE, Status.INSECURE, Status.UNOBTAINABLE, Status.BOGUS, Status.INDETERMINATE,
)  # fmt: skip

EVIL = b"\6\6\6\6"


@pytest.fixture
def world() -> World:
    return world_of(
        Plan(
            "z.lab.",
            "a secure zone",
            records="""
                @       A      192.0.2.1
                @       MX     10 mail
                www     CNAME  @
                away    CNAME  www.y.lab.
                loose   CNAME  unsigned.lab.
                gone    CNAME  nx.y.lab.
                ring    CNAME  ring2
                ring2   CNAME  ring
                self    CNAME  self
                old     DNAME  y.lab.
                *.w     A      192.0.2.2
                *.alias CNAME  www.y.lab.
                a.b     TXT    "below an empty non-terminal"
            """,
        ),
        Plan("y.lab.", "another", records="@ A 192.0.2.3\nwww A 192.0.2.4", denial=Nsec3()),
        Plan("kid.z.lab.", "a secure zone below it"),
        Plan("unsigned.lab.", "an unsigned zone", records="@ A 192.0.2.5", algorithms=()),
        Plan("optout.lab.", "NSEC3 with opt-out", denial=Nsec3(opt_out=True)),
        Plan("compact.lab.", "compact denial", denial=Compact()),
        Plan("compact3.lab.", "compact denial with NXDOMAIN", denial=Compact(rcode=3)),
        Plan(
            "many.lab.",
            "NSEC3 with 51 iterations",
            records="@ A 192.0.2.1\n*.w A 192.0.2.2",
            denial=Nsec3(51),
        ),
        Plan("kid.many.lab.", "a secure zone below it", records="@ A 192.0.2.1"),
        Plan("kid.w.many.lab.", "a secure zone beside a wildcard"),
    )


def status(
    world: World, asked: str, lies: dict[str, Lie] | None = None, context: Context | None = None
) -> Status:
    return judge(Upstream(world, lies), asked, context).verdict.status


def answers(answer: Answer) -> list[str]:
    return brief(tuple(checked.rrset for checked in answer.answer))


def authorities(answer: Answer) -> list[str]:
    return brief(tuple(checked.rrset for checked in answer.authority))


def zone_of(world: World, text: str) -> Zone:
    return world.zone(name(text))


def cut_off(response: Response) -> Response:
    """The first RRset alone."""
    return replace(response, answer=response.answer[:1], authority=())


def is_all(answer: Answer, expected: Status) -> bool:
    return answer.verdict.status is expected and all(
        checked.status is expected for checked in (*answer.answer, *answer.authority)
    )


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
    zone = zone_of(world, "z.lab")
    zone.put(signed_by(zone, rrset("z.lab.", "A", EVIL), window=Window(NOW - DAY, NOW + 77)))
    assert judge(world, "z.lab A").ttl == 77
    lab = zone_of(world, "lab")
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
    for asked in ("z.lab A", "www.y.lab A", "kid.z.lab A"):
        answer = judge(Upstream(world, {asked: stripped}), asked)
        assert is_all(answer, BOGUS)
        assert codes(answer) == [10]
        assert "signatures were stripped on the way" in texts(answer)


def test_a_signature_of_an_unknown_algorithm_downgrades_nothing(world: World) -> None:
    unknown = replace(
        zone_of(world, "z.lab").records[name("z.lab"), rdtypes.A],
        signatures=(rrsig(rdtypes.A, name("z.lab"), 2, algorithm=100),),
        rdatas=(EVIL,),
    )
    answer = judge(Upstream(world, {"z.lab A": saying(unknown)}), "z.lab A")
    assert (answer.verdict.status, codes(answer)) == (BOGUS, [10])


def test_a_foreign_signer_beside_the_good_one_spoils_nothing(world: World) -> None:
    """Whoever it is, and whether or not its zone can be had."""
    good = zone_of(world, "z.lab").records[name("z.lab"), rdtypes.MX]
    for signer in ("y.lab", "unsigned.lab", "www.z.lab", "lab", ".", "evil"):
        junk = rrsig(rdtypes.MX, name(signer), 2)
        for signatures in ((junk, *good.signatures), (*good.signatures, junk)):
            lies: dict[str, Lie] = {"z.lab MX": saying(replace(good, signatures=signatures))}
            assert status(world, "z.lab MX", lies) is SECURE


def test_signers_that_cannot_be_fetched_spoil_nothing(world: World) -> None:
    zone = zone_of(world, "z.lab")
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
    zone = zone_of(world, "z.lab")
    owner = name("d.c.b.a.z.lab")
    good = signed_by(zone, rrset("d.c.b.a.z.lab.", "A", EVIL))
    between = names.names_between(zone.apex, owner)[-count:]
    fakes = tuple(rrsig(rdtypes.A, signer, 6) for signer in between)
    lie = saying(replace(good, signatures=(*fakes, *good.signatures)))
    assert status(world, "d.c.b.a.z.lab A", {"d.c.b.a.z.lab A": lie}) is SECURE


def test_a_signature_by_whoever_is_not_the_holder_is_none(world: World) -> None:
    address = rrset("z.lab.", "A", EVIL)
    for text in ("y.lab", "kid.z.lab"):
        zone = zone_of(world, text)
        forged = signed_by(zone, address, labels=None)
        answer = judge(Upstream(world, {"z.lab A": saying(forged)}), "z.lab A")
        assert answer.verdict.status is BOGUS
        assert codes(answer) == [6]
        assert "is signed, but not by z.lab., which holds it" in texts(answer)


def test_every_signer_that_fails_says_why(world: World) -> None:
    zone, lab = zone_of(world, "z.lab"), zone_of(world, "lab")
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


@pytest.mark.parametrize("rcode", [rcodes.NXDOMAIN, rcodes.YXDOMAIN])
def test_nothing_signs_the_code_of_a_response(world: World, rcode: int) -> None:
    lie = changed(rcode=rcode)
    for asked in ("z.lab A", "www.z.lab A", "ring.z.lab A", "unsigned.lab A"):
        answer = judge(Upstream(world, {asked: lie}), asked)
        assert answer.rcode == rcodes.NOERROR, asked
    lie = changed(rcode=rcodes.YXDOMAIN)
    answer = judge(Upstream(world, {"z.lab TXT": lie}), "z.lab TXT")
    assert (answer.verdict.status, answer.rcode) == (SECURE, rcodes.NOERROR)


# ------------ Wildcards ------------


def test_a_wildcards_answer_needs_the_proof_that_nothing_is_closer(world: World) -> None:
    answer = judge(world, "q.w.z.lab A")
    assert is_all(answer, SECURE)
    assert authorities(answer) == ["*.w.z.lab. NSEC"]
    bare = changed(authority=())
    answer = judge(Upstream(world, {"q.w.z.lab A": bare}), "q.w.z.lab A")
    assert answer.verdict.status is BOGUS
    assert codes(answer) == [12, 6]
    assert "q.w.z.lab. was answered from a wildcard, but nothing proves" in texts(answer)


def test_a_wildcards_answer_replaces_no_name_that_exists(world: World) -> None:
    zone = zone_of(world, "z.lab")
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
    zone = zone_of(world, "z.lab")
    dname = replace(zone.records[name("*.d.z.lab"), rdtypes.DNAME], name=name("x.d.z.lab"))
    proof = zone.chain.covering(name("x.d.z.lab"))
    assert proof
    asked = "a.x.d.z.lab A"
    for authority, expected in (((proof,), SECURE), ((), BOGUS)):
        assert status(world, asked, {asked: saying(dname, authority=authority)}) is expected


# ------------ Denials ------------


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
    zone = zone_of(world, "z.lab")
    at_cut = zone.chain.matching(name("kid.z.lab"))
    assert at_cut
    for asked in ("kid.z.lab A", "kid.z.lab SOA", "www.kid.z.lab A"):
        for rcode in (0, 3):
            lie = saying(authority=[at_cut], rcode=rcode)
            assert status(world, asked, {asked: lie}) is BOGUS


def test_the_childs_denial_says_nothing_of_its_own_ds(world: World) -> None:
    kid = zone_of(world, "kid.z.lab")
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


def test_opt_out_denies_without_authenticity(world: World) -> None:
    """Trap 12; RFC 5155 section 9.2."""
    answer = judge(world, "nx.optout.lab A")
    assert (answer.verdict.status, answer.rcode) == (INSECURE, 3)
    assert codes(answer) == []
    assert any(owner.endswith("NSEC3") for owner in authorities(answer))
    assert status(world, "optout.lab TXT") is SECURE


def test_opt_out_makes_no_name_error_of_a_missing_type(world: World) -> None:
    """The span that covers an unsigned delegation denies its types, but not its name: for that the
    wildcard must be denied as well, which nothing here does."""
    zone = zone_of(world, "optout.lab")
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
    above = zone_of(world, "many.lab")
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


# ------------ Aliases ------------


def test_each_alias_is_proven_by_its_own_zone(world: World) -> None:
    answer = judge(world, "away.z.lab A")
    assert is_all(answer, SECURE)
    assert answers(answer) == ["away.z.lab. CNAME", "www.y.lab. A"]
    assert {names.to_text(link.zone) for link in answer.verdict.chain} == {
        ".", "lab.", "z.lab.", "y.lab.",
    }  # fmt: skip
    answer = judge(world, "gone.z.lab A")
    assert is_all(answer, SECURE)
    assert (answer.rcode, answers(answer)) == (3, ["gone.z.lab. CNAME"])


def test_one_insecure_link_makes_the_whole_insecure(world: World) -> None:
    answer = judge(world, "loose.z.lab A")
    assert answer.verdict.status is INSECURE
    assert [checked.status for checked in answer.answer] == [SECURE, INSECURE]


@pytest.mark.parametrize("at", [0, 1])
def test_one_bogus_link_makes_the_whole_bogus(world: World, at: int) -> None:
    def lie(response: Response) -> Response:
        changed = [*response.answer]
        changed[at] = replace(changed[at], rdatas=(EVIL if at else name("evil."),))
        return replace(response, answer=tuple(changed))

    answer = judge(
        Upstream(world, {"away.z.lab A": lie, "www.y.lab A": lie_about_www}), "away.z.lab A"
    )
    assert answer.verdict.status is BOGUS
    assert len(answer.answer) >= 1


def lie_about_www(response: Response) -> Response:
    return replace(response, answer=(replace(response.answer[0], rdatas=(EVIL,)),))


def test_where_an_alias_leads_on_the_target_is_asked_for(world: World) -> None:
    upstream = Upstream(world, {"away.z.lab A": cut_off})
    answer = judge(upstream, "away.z.lab A")
    assert is_all(answer, SECURE)
    assert answers(answer) == ["away.z.lab. CNAME", "www.y.lab. A"]
    assert "www.y.lab. A" in upstream.asked


def test_what_comes_along_without_proof_is_asked_for(world: World) -> None:
    """Some upstreams leave out signatures of what they add to an alias."""

    def half(response: Response) -> Response:
        alias, data = response.answer
        return replace(response, answer=(alias, replace(data, signatures=(), rdatas=(EVIL,))))

    answer = judge(Upstream(world, {"away.z.lab A": half}), "away.z.lab A")
    assert is_all(answer, SECURE)
    assert answer.answer[-1].rrset.rdatas != (EVIL,)


def test_where_the_target_cannot_be_had_nothing_is_known(world: World) -> None:
    lies: dict[str, Lie] = {"away.z.lab A": cut_off, "www.y.lab A": silence}
    answer = judge(Upstream(world, lies), "away.z.lab A")
    assert answer.verdict.status is UNOBTAINABLE
    assert codes(answer) == [23, 5]

    def half(response: Response) -> Response:
        return replace(response, answer=(response.answer[0], stripped(response).answer[1]))

    answer = judge(Upstream(world, {"away.z.lab A": half, "www.y.lab A": silence}), "away.z.lab A")
    assert (answer.verdict.status, codes(answer)) == (BOGUS, [10])


def test_an_alias_that_is_bogus_is_bogus_wherever_it_leads(world: World) -> None:
    def lie(response: Response) -> Response:
        forged = replace(response.answer[0], rdatas=(name("unsigned.lab"),))
        return replace(response, answer=(forged,), authority=())

    answer = judge(Upstream(world, {"away.z.lab A": lie}), "away.z.lab A")
    assert answer.verdict.status is BOGUS
    assert answers(answer) == ["away.z.lab. CNAME", "unsigned.lab. A"]


@pytest.mark.parametrize("asked", ["ring.z.lab A", "self.z.lab A", "ring2.z.lab TXT"])
def test_a_loop_is_told_as_far_as_it_goes(world: World, asked: str) -> None:
    """Trap 37."""
    answer = judge(world, asked)
    assert is_all(answer, SECURE)
    assert answer.rcode == rcodes.NOERROR
    assert [ede.code for ede in answer.edes] == [0]
    assert answer.edes[0].text.startswith("aliases loop at")
    assert answer.answer


def chained(count: int) -> World:
    """A chain of so many aliases; then an address in another zone."""
    aliases = "\n".join(f"n{n} CNAME n{n + 1}" for n in range(count - 1))
    return world_of(
        Plan("z.lab.", "a chain", records=f"{aliases}\nn{count - 1} CNAME y.lab."),
        Plan("y.lab.", "good"),
    )


def test_eleven_aliases_are_followed_and_not_one_more() -> None:
    assert judge(chained(11), "n0.z.lab A").verdict.status is SECURE
    for count in (12, 40):
        world = chained(count)
        context = context_of(world)
        answer = judge(world, "n0.z.lab A", context)
        assert (answer.verdict.status, codes(answer)) == (BOGUS, [6])
        assert "too many aliases" in texts(answer)
        assert judge(world, "y.lab A", context).verdict.status is SECURE


def test_aliases_are_counted_over_all_responses() -> None:
    world = chained(12)
    lies: dict[str, Lie] = {}
    for n in range(12):
        lies[f"n{n}.z.lab A"] = cut_off
    upstream = Upstream(world, lies)
    answer = judge(upstream, "n0.z.lab A")
    assert codes(answer) == [6]
    assert "n12.z.lab. A" not in upstream.asked
    short = Upstream(chained(11), {k: v for k, v in lies.items() if k != "n10.z.lab A"})
    assert judge(short, "n0.z.lab A").verdict.status is SECURE


# ------------ DNAME ------------


def test_an_alias_that_follows_from_a_signed_dname_is_secure(world: World) -> None:
    for asked in ("www.old.z.lab A", "nx.old.z.lab A", "www.old.z.lab CNAME"):
        answer = judge(world, asked)
        assert is_all(answer, SECURE), asked
        assert answers(answer)[:2] == ["old.z.lab. DNAME", f"{asked.split()[0]}. CNAME"]


def test_the_alias_has_the_dnames_ttl_and_no_signature(world: World) -> None:
    def lie(response: Response) -> Response:
        dname, alias, *rest = response.answer
        junk = replace(alias, ttl=9999, signatures=(rrsig(5, name("z.lab"), 4),), signature_ttl=1)
        return replace(response, answer=(dname, junk, *rest))

    answer = judge(Upstream(world, {"www.old.z.lab A": lie}), "www.old.z.lab A")
    assert is_all(answer, SECURE)
    alias = answer.answer[1].rrset
    assert (alias.rdtype, alias.ttl, alias.signatures) == (rdtypes.CNAME, 300, ())


def test_an_alias_that_was_left_out_is_made(world: World) -> None:
    answer = judge(Upstream(world, {"www.old.z.lab A": cut_off}), "www.old.z.lab A")
    assert is_all(answer, SECURE)
    assert answers(answer) == ["old.z.lab. DNAME", "www.old.z.lab. CNAME", "www.y.lab. A"]


@pytest.mark.parametrize("rdtype", ["A", "CNAME"])
def test_an_alias_that_is_not_what_the_dname_says_is_forged(world: World, rdtype: str) -> None:
    def lie(response: Response) -> Response:
        dname, alias, *_ = response.answer
        return replace(response, answer=(dname, replace(alias, rdatas=(name("unsigned.lab"),))))

    asked = f"www.old.z.lab {rdtype}"
    answer = judge(Upstream(world, {asked: lie}), asked)
    assert answer.verdict.status is BOGUS
    assert codes(answer)[0] == 6
    assert "is not what the DNAME of old.z.lab. says" in texts(answer)


def test_a_dname_that_is_not_genuine_redirects_nothing(world: World) -> None:
    forged = rrset("z.lab.", "DNAME", name("evil."))
    for asked in ("www.z.lab A", "q.z.lab A", "q.z.lab CNAME"):
        for dname in (forged, replace(forged, signatures=(rrsig(39, name("z.lab"), 2),))):
            answer = judge(Upstream(world, {asked: saying(dname)}), asked)
            assert answer.verdict.status is BOGUS
    lie = saying(forged, rrset("www.z.lab.", "CNAME", name("www.evil.")))
    assert status(world, "www.z.lab A", {"www.z.lab A": lie}) is BOGUS


def test_a_name_that_becomes_too_long_is_yxdomain() -> None:
    target = ".".join(["l" * 62] * 3)
    world = world_of(Plan("z.lab.", "long", records=f"d DNAME {target}"))
    asked = "m" * 60 + ".d.z.lab A"
    answer = judge(world, asked)
    assert is_all(answer, SECURE)
    assert answer.rcode == rcodes.YXDOMAIN
    assert answers(answer) == ["d.z.lab. DNAME"]
    answer = judge(Upstream(world, {asked: stripped}), asked)
    assert (answer.verdict.status, codes(answer)) == (BOGUS, [10])
    spoilt = changed(rcode=0)
    assert judge(Upstream(world, {asked: spoilt}), asked).rcode == rcodes.YXDOMAIN


# ------------ Types of their own ------------


def test_any_is_as_good_as_its_weakest_rrset(world: World) -> None:
    """Trap 29."""
    answer = judge(world, "z.lab ANY")
    assert is_all(answer, SECURE)
    assert {"z.lab. A", "z.lab. MX", "z.lab. SOA", "z.lab. NSEC"} <= set(answers(answer))

    def lie(response: Response) -> Response:
        spoilt = (
            replace(r, signatures=()) if r.rdtype == rdtypes.MX else r for r in response.answer
        )
        return replace(response, answer=tuple(spoilt))

    spoilt = judge(Upstream(world, {"z.lab ANY": lie}), "z.lab ANY")
    assert (spoilt.verdict.status, codes(spoilt)) == (BOGUS, [10])
    assert answers(spoilt) == answers(answer)
    assert is_all(judge(world, "unsigned.lab ANY"), INSECURE)
    assert is_all(judge(world, "www.z.lab ANY"), SECURE)


def test_signatures_that_are_asked_for_are_neither_secure_nor_a_failure(world: World) -> None:
    """Trap 30."""
    for asked in ("z.lab RRSIG", "y.lab RRSIG"):
        answer = judge(world, asked)
        assert is_all(answer, INDETERMINATE)
        assert codes(answer) == [5]
        assert answers(answer) == [f"{asked.split()[0]}. RRSIG"]


def test_a_ds_set_is_judged_from_above(world: World) -> None:
    zone, lab = zone_of(world, "z.lab"), zone_of(world, "lab")
    ds = lab.records[zone.apex, rdtypes.DS]
    by_child = signed_by(zone, ds)
    answer = judge(Upstream(world, {"z.lab DS": saying(by_child)}), "z.lab DS")
    assert answer.verdict.status is BOGUS
    assert codes(answer) == [6]
    assert status(world, "z.lab DNSKEY") is SECURE


# ------------ Islands of trust ------------


def island(world: World, text: str, *, and_root: bool = True) -> Context:
    """The keys of a zone are trusted, beside the root's."""
    keys = tuple(key.rdata for key in zone_of(world, text).key_signers)
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


def test_no_denial_above_the_anchor_makes_the_island_insecure(archipelago: World) -> None:
    """The very proof that makes the zone insecure seen from the root, brought along."""
    lab = zone_of(archipelago, "lab")
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
    anchors = [world.anchor(), rrset("nx.z.lab.", "DS", *zone_of(world, "y.lab").ds)]
    context = context_of(world, anchors=anchors)
    answer = judge(world, "www.nx.z.lab A", context)
    assert (answer.verdict.status, answer.rcode) == (SECURE, 3)


def test_without_any_anchor_an_answer_is_passed_on_as_it_came(world: World) -> None:
    context = island(world, "y.lab.", and_root=False)
    for asked in ("z.lab A", "nx.z.lab A", "unsigned.lab A", "unsigned.lab TXT"):
        answer = judge(world, asked, context)
        assert (answer.verdict.status, codes(answer)) == (INDETERMINATE, [5])
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


def test_an_insecure_cut_may_be_proven_by_what_comes_along(world: World) -> None:
    lab = zone_of(world, "lab")
    no_ds = lab.chain.matching(name("unsigned.lab"))
    assert no_ds
    for asked, answer in (
        ("unsigned.lab A", saying(rrset("unsigned.lab.", "A", EVIL), authority=[no_ds])),
        ("a.b.unsigned.lab A", saying(rrset("a.b.unsigned.lab.", "A", EVIL), authority=[no_ds])),
        ("unsigned.lab TXT", saying(authority=[no_ds])),
        ("nx.unsigned.lab A", saying(authority=[no_ds], rcode=3)),
    ):
        lies: dict[str, Lie] = {asked: answer, "unsigned.lab DS": silence}
        upstream = Upstream(world, lies)
        found = judge(upstream, asked)
        assert found.verdict.status is INSECURE
        assert found.verdict.chain[-1].denial == (no_ds,)
        assert "unsigned.lab. DS" not in upstream.asked
    lies = {"unsigned.lab A": saying(rrset("unsigned.lab.", "A", EVIL)), "unsigned.lab DS": silence}
    assert status(world, "unsigned.lab A", lies) is UNOBTAINABLE


def test_what_comes_along_must_be_genuine(world: World) -> None:
    lab = zone_of(world, "lab")
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
    lab = zone_of(world, "lab")
    old = signed_by(lab, nsec("lab.", "kid.z.lab.", "zz.lab.", "NS"))
    lies: dict[str, Lie] = {
        "kid.z.lab A": saying(rrset("kid.z.lab.", "A", EVIL), authority=[old]),
        "kid.z.lab DS": saying(authority=[old]),
    }
    assert status(world, "kid.z.lab A", lies) is BOGUS


def test_an_opt_out_span_that_comes_along_is_no_such_proof(world: World) -> None:
    zone = zone_of(world, "optout.lab")
    proof = [zone.chain.matching(zone.apex), zone.chain.covering(name("nx.optout.lab"))]
    lies: dict[str, Lie] = {
        "nx.optout.lab A": saying(
            rrset("nx.optout.lab.", "A", EVIL), authority=[r for r in proof if r]
        ),
        "nx.optout.lab DS": silence,
    }
    assert status(world, "nx.optout.lab A", lies) is UNOBTAINABLE


def test_more_records_than_aliases_need_are_no_proof_that_comes_along(world: World) -> None:
    lab = zone_of(world, "lab")
    no_ds = lab.chain.matching(name("unsigned.lab"))
    assert no_ds
    padding = [nsec("lab.", f"p{n}.lab.", f"p{n}x.lab.") for n in range(96)]
    for count, expected in ((95, INSECURE), (96, UNOBTAINABLE)):
        lie = saying(rrset("unsigned.lab.", "A", EVIL), authority=[*padding[:count], no_ds])
        lies: dict[str, Lie] = {"unsigned.lab A": lie, "unsigned.lab DS": silence}
        assert status(world, "unsigned.lab A", lies) is expected


# ------------ What comes along beside ------------


def test_genuine_denials_that_prove_nothing_are_passed_on(world: World) -> None:
    zone = zone_of(world, "z.lab")
    other = zone.chain.matching(name("a.b.z.lab"))
    assert other
    forged = nsec("z.lab.", "f.z.lab.", "g.z.lab.")
    expanded = replace(zone.chain.matching(name("*.w.z.lab")) or other, name=name("x.w.z.lab"))
    lie = changed(authority=(other, forged, expanded))
    answer = judge(Upstream(world, {"z.lab A": lie}), "z.lab A")
    assert is_all(answer, SECURE)
    assert authorities(answer) == ["a.b.z.lab. NSEC"]


def test_what_comes_along_beside_is_paid_from_a_small_purse(world: World) -> None:
    junk = [nsec("z.lab.", f"j{n}.z.lab.", f"j{n}x.z.lab.") for n in range(500)]
    lie = changed(authority=tuple(junk))
    answer = judge(Upstream(world, {"z.lab A": lie}), "z.lab A")
    assert is_all(answer, SECURE)
    assert answer.authority == ()


# ------------ Hostile amounts ------------


def test_any_ends_with_the_first_rrset_that_fails(world: World) -> None:
    """What is certain already is not looked into a thousand times."""
    many = [RRset(name("z.lab"), 1000 + n, 300, (b"x",)) for n in range(1000)]
    few = many[:10]

    def work(rrsets: list[RRset]) -> int:
        upstream = Upstream(world, {"z.lab ANY": saying(*rrsets)})
        judge(upstream, "z.lab ANY")
        return len(upstream.asked)

    assert work(many) == work(few)


def keytrap(world: World, text: str, keys: int, signatures: int) -> dict[str, Lie]:
    """CVE-2023-50387: many keys of one tag, and many signatures by it over everything."""
    zone = zone_of(world, text)
    key = zone.zone_signers[0]
    same: list[bytes] = []
    for number in range(1, keys + 1):
        octets = bytearray(key.public)
        at = 2 * (1 + number % 30)
        octets[0:2], octets[at : at + 2] = octets[at : at + 2], octets[0:2]
        octets[4:6], octets[at - 2 : at] = octets[at - 2 : at], octets[4:6]
        same.append(replace(key, public=bytes(octets)).rdata)
    keyset = zone.records[zone.apex, rdtypes.DNSKEY]
    ksk = zone.key_signers[0]
    rdatas = tuple(dict.fromkeys((ksk.rdata, *same)))
    trapped = signed_by(zone, replace(keyset, rdatas=rdatas), key=ksk)
    zone.put(trapped)

    def lie(response: Response) -> Response:
        def many(rrset: RRset) -> RRset:
            if not rrset.signatures:
                return rrset
            good = rrset.signatures[0]
            bad = tuple(good[:-2] + n.to_bytes(2) for n in range(signatures))
            return replace(rrset, signatures=bad)

        return replace(
            response,
            answer=tuple(map(many, response.answer)),
            authority=tuple(map(many, response.authority)),
        )

    return {f"{text} A": lie, f"nx.{text} A": lie, f"{text} TXT": lie, f"{text} ANY": lie}


@pytest.mark.parametrize("asked", ["y.lab A", "nx.y.lab A", "y.lab TXT", "y.lab ANY"])
def test_keytrap_ends_with_the_budget_and_harms_nobody_else(world: World, asked: str) -> None:
    context = context_of(world)
    lies = keytrap(world, "y.lab", 100, 100)
    answer = judge(Upstream(world, lies), asked, context)
    assert (answer.verdict.status, codes(answer)[0]) == (BOGUS, 6)
    assert "too many" in texts(answer)
    for other in ("z.lab A", "nx.z.lab A"):
        assert status(world, other, context=context) is SECURE


def test_a_hostile_chain_that_ends_in_a_good_zone_leaves_it_good() -> None:
    """Eleven aliases, each with signatures that cost and do not verify."""
    world = chained(11)
    context = context_of(world)

    def lie(response: Response) -> Response:
        def spoil(rrset: RRset) -> RRset:
            if rrset.rdtype != rdtypes.CNAME:
                return rrset
            good = rrset.signatures[0]
            return replace(rrset, signatures=(*(good[:-2] + n.to_bytes(2) for n in range(7)), good))

        return replace(response, answer=tuple(map(spoil, response.answer)))

    answer = judge(Upstream(world, {"n0.z.lab A": lie}), "n0.z.lab A", context)
    assert (answer.verdict.status, codes(answer)[0]) == (BOGUS, 6)
    assert "too many signatures that do not verify" in texts(answer)
    assert judge(world, "y.lab A", context).verdict.status is SECURE
    assert judge(world, "n5.z.lab A", context).verdict.status is SECURE


def test_128_checks_are_made_for_a_query_and_not_one_more(world: World) -> None:
    zone = zone_of(world, "z.lab")
    needed = 2 * 3  # three key sets, two DS sets, and one to spare
    for number in range(140):
        zone.put(signed_by(zone, rrset("z.lab.", f"TYPE{1000 + number}", b"x")))

    def some(count: int) -> Lie:
        kept = [zone.records[zone.apex, 1000 + number] for number in range(count)]
        return saying(*kept)

    fits = 128 - (needed - 1)
    assert status(world, "z.lab ANY", {"z.lab ANY": some(fits)}) is SECURE
    answer = judge(Upstream(world, {"z.lab ANY": some(fits + 1)}), "z.lab ANY")
    assert (answer.verdict.status, codes(answer)) == (BOGUS, [6])
    assert "too many signature checks" in texts(answer)


def test_sixteen_failed_checks_are_made_for_a_query_and_not_one_more(world: World) -> None:
    zone = zone_of(world, "z.lab")

    def spoilt(failures: list[int]) -> Lie:
        rrsets = []
        for number, count in enumerate(failures):
            good = signed_by(zone, rrset("z.lab.", f"TYPE{1000 + number}", b"x"))
            bad = tuple(good.signatures[0][:-2] + n.to_bytes(2) for n in range(count))
            rrsets.append(replace(good, signatures=(*bad, *good.signatures)))
        return saying(*rrsets)

    assert status(world, "z.lab ANY", {"z.lab ANY": spoilt([7, 7, 2])}) is SECURE
    answer = judge(Upstream(world, {"z.lab ANY": spoilt([7, 7, 3])}), "z.lab ANY")
    assert (answer.verdict.status, codes(answer)) == (BOGUS, [6])
    assert "too many signatures that do not verify" in texts(answer)


def test_hashing_is_limited_for_the_whole_query() -> None:
    """CVE-2023-50868: a name of 120 labels below NSEC3 with 50 iterations and a long salt."""
    world = world_of(Plan("z.lab.", "dear", denial=Nsec3(50, bytes(255))))
    asked = "a." * 119 + "z.lab A"
    context = context_of(world)
    answer = judge(world, asked, context)
    assert (answer.verdict.status, codes(answer)) == (BOGUS, [6])
    assert "too much NSEC3 hashing" in texts(answer)
    assert judge(world, "nx.z.lab A", context).verdict.status is SECURE
    assert judge(world, "z.lab TXT", context).verdict.status is SECURE


def test_a_tlsa_question_below_six_labels_at_50_iterations_passes() -> None:
    records = "a.b.c.d.e.f A 192.0.2.1"
    world = world_of(Plan("z.lab.", "deep", records=records, denial=Nsec3(50, bytes(8))))
    for asked in ("_25._tcp.a.b.c.d.e.f.z.lab TLSA", "_25._tcp.nx.a.b.c.d.e.f.z.lab TLSA"):
        answer = judge(world, asked)
        assert (answer.verdict.status, answer.rcode) == (SECURE, 3)


def test_a_budget_that_junk_has_spent_ends_no_chain_in_the_middle(world: World) -> None:
    """What verified before costs nothing: the alias is secure, and still nothing is known."""
    limits = Limits(failed_signatures=0)
    context = context_of(world, limits=limits)
    assert status(world, "away.z.lab A", context=context) is SECURE
    zone = zone_of(world, "z.lab")
    alias = zone.records[name("away.z.lab"), rdtypes.CNAME]
    deeper = rrsig(rdtypes.CNAME, name("away.z.lab"), 3)
    forged = signed_by(zone, rrset("away.z.lab.", "DS", bytes(36)))
    junk = replace(forged, signatures=(forged.signatures[0][:-1] + b"\0",))
    lies: dict[str, Lie] = {
        "away.z.lab A": saying(replace(alias, signatures=(deeper, *alias.signatures))),
        "away.z.lab DS": saying(junk),
    }
    answer = judge(Upstream(world, lies), "away.z.lab A", context)
    assert (answer.verdict.status, codes(answer)) == (BOGUS, [6])
    assert "too many signatures that do not verify" in texts(answer)


def test_a_long_validation_lets_others_run(world: World) -> None:
    """A pause stands before each signature, whether it verifies or not."""
    context = context_of(world)
    judge(world, "z.lab A", context)
    context.memo.clear()
    response = world.answer(question("z.lab", "ANY"))
    assert isinstance(response, Response)
    asking = validate(response, Work(context, Budget(context.limits), NOW))
    pauses = 0
    request = asking.send(None)
    while not isinstance(request, Ask):
        pauses += request is None
        zone = None
        if request:
            zone = run(find_zone(request, context, NOW), world.answer, context, NOW)
        try:
            request = asking.send(zone)
        except StopIteration:
            break
    assert pauses == len([rrset for rrset in response.answer if rrset.signatures])
