"""Whole answers: aliases and their ends, and the code that goes with them."""

import pytest
from msgspec.structs import replace

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
    chained,
    changed,
    codes,
    context_of,
    cut_off,
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


@pytest.mark.parametrize("rcode", [rcodes.NXDOMAIN, rcodes.YXDOMAIN])
def test_nothing_signs_the_code_of_a_response(world: World, rcode: int) -> None:
    lie = changed(rcode=rcode)
    for asked in ("z.lab A", "www.z.lab A", "ring.z.lab A", "unsigned.lab A"):
        answer = judge(Upstream(world, {asked: lie}), asked)
        assert answer.rcode == rcodes.NOERROR, asked
    lie = changed(rcode=rcodes.YXDOMAIN)
    answer = judge(Upstream(world, {"z.lab TXT": lie}), "z.lab TXT")
    assert (answer.verdict.status, answer.rcode) == (SECURE, rcodes.NOERROR)


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


def test_the_reasons_are_those_of_the_weakest_link() -> None:
    """What informs on an insecure link is no reason for a bogus one."""
    world = world_of(
        Plan("z.lab.", "unsupported", records="a CNAME y.lab.", algorithms=(100,)),
        Plan("y.lab.", "expired", faults="expired"),
    )
    assert codes(judge(world, "z.lab A")) == [1]
    answer = judge(world, "a.z.lab A")
    assert (answer.verdict.status, codes(answer)) == (BOGUS, [7])


def test_a_missing_proof_is_suspicious_where_it_is_the_only_reason(world: World) -> None:
    def lie(response: Response) -> Response:
        alias, data = response.answer
        return replace(response, answer=(alias, replace(data, signatures=())), authority=())

    asked = "q.alias.z.lab A"
    answer = judge(Upstream(world, {asked: lie, "www.y.lab A": silence}), asked)
    assert (answer.verdict.status, codes(answer)) == (BOGUS, [12, 10])


@pytest.mark.parametrize("zone", ["z.lab", "y.lab"], ids=["nsec", "nsec3"])
def test_a_failure_keeps_the_records_of_the_denial_and_no_others(world: World, zone: str) -> None:
    """For a client that sets CD."""
    asked = f"nx.{zone} A"
    truth = world.answer(question(f"nx.{zone}"))
    assert isinstance(truth, Response)
    bare = tuple(replace(r, signatures=()) for r in truth.authority)
    authority = (rrset(zone, "NS", b"\0"), *bare)
    answer = judge(Upstream(world, {asked: changed(authority=authority)}), asked)
    assert answer.verdict.status is BOGUS
    assert tuple(checked.rrset for checked in answer.authority) == bare


def test_what_comes_along_with_a_failure_is_not_looked_at(world: World) -> None:
    genuine = zone_in(world, "z.lab").chain.matching(name("a.b.z.lab"))
    assert genuine
    lie = saying(rrset("z.lab.", "A", EVIL), authority=[genuine])
    answer = judge(Upstream(world, {"z.lab A": lie}), "z.lab A")
    assert is_all(answer, BOGUS)
    assert authorities(answer) == ["a.b.z.lab. NSEC"]


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


@pytest.mark.parametrize("asked", ["away.z.lab A", "gone.z.lab A", "z.lab TXT", "unsigned.lab A"])
def test_what_does_not_loop_needs_no_such_words(world: World, asked: str) -> None:
    assert judge(world, asked).edes == ()


def test_eleven_aliases_are_followed_and_not_one_more() -> None:
    upstream = Upstream(chained(11))
    assert judge(upstream, "n0.z.lab A").verdict.status is SECURE
    assert [asked for asked in upstream.asked if asked.endswith(" A")] == ["n0.z.lab. A"]
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
    assert (alias.rdtype, alias.ttl) == (rdtypes.CNAME, 300)
    assert (alias.signatures, alias.signature_ttl) == ((), 0)


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


def test_in_an_unsigned_zone_an_alias_may_contradict_a_dname(world: World) -> None:
    dname = rrset("unsigned.lab.", "DNAME", name("y.lab"))
    alias = rrset("www.unsigned.lab.", "CNAME", name("z.lab"))
    address = rrset("z.lab.", "A", EVIL)
    asked = "www.unsigned.lab A"
    answer = judge(Upstream(world, {asked: saying(dname, alias, address)}), asked)
    assert (answer.verdict.status, codes(answer)) == (INSECURE, [])


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


def test_any_holds_as_long_as_the_first_signature_of_all(world: World) -> None:
    zone = zone_in(world, "z.lab")
    short = signed_by(zone, rrset("z.lab.", "TXT", b"x"), window=Window(NOW - DAY, NOW + 50))
    address = zone.records[zone.apex, rdtypes.A]
    for order in (1, -1):
        lies: dict[str, Lie] = {"z.lab ANY": saying(*(address, short)[::order])}
        assert judge(Upstream(world, lies), "z.lab ANY").ttl == 50


def test_the_reasons_of_any_are_those_of_its_weakest_rrset(world: World) -> None:
    """A wildcard whose proof cannot be counted is insecure; what is unsigned beside it, bogus."""
    truth = world.answer(question("q.w.many.lab"))
    assert isinstance(truth, Response)
    (address,) = truth.answer
    bare = rrset("q.w.many.lab.", "TXT", b"x")
    lies: dict[str, Lie] = {
        "q.w.many.lab ANY": saying(address, bare, authority=truth.authority),
        "w.many.lab DS": saying(),
        "q.w.many.lab DS": saying(),
    }
    answer = judge(Upstream(world, lies), "q.w.many.lab ANY")
    assert answer.verdict.status is BOGUS
    assert 27 not in codes(answer)
