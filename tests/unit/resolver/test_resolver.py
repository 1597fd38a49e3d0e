"""The walk from question to answer: what is said, in which of the five states, and for how long."""

import pytest
import trio
from msgspec.structs import replace

from anchord.dnssec.anchors import NegativeAnchor, TrustAnchors
from anchord.lab.plan import Plan
from anchord.model import names, rcodes, rdtypes
from anchord.model.ede import Ede
from anchord.model.question import Question
from anchord.model.response import Response
from anchord.model.verdict import Answer, Status
from anchord.resolver.local import address_rrsets, local_answer
from anchord.resolver.resolver import PATIENCE_FOR_PROOFS
from support.lab import brief, question, world_of
from support.walk import (
    Conduct,
    Heard,
    MemoryUpstream,
    Said,
    always,
    ask,
    changed,
    codes,
    honest,
    in_fast_motion,
    open_resolver,
    silent,
    stripped,
    texts,
    unreachable,
    written,
    zone,
)

WORLD = world_of(
    Plan(
        "good.lab.",
        "signed",
        records="""
            @      A      192.0.2.1
            @      MX     10 www
            www    A      192.0.2.2
            short  10  A  192.0.2.3
            alias  CNAME  www
            mail   MX     10 www
        """,
    ),
    Plan("loose.lab.", "unsigned", algorithms=()),
    Plan("expired.lab.", "out of date", faults="expired"),
    Plan("dying.lab.", "signatures end soon", records="@ A 192.0.2.4", faults="expires-in 100 A"),
    Plan("dead.lab.", "nobody there", faults="unreachable"),
    Plan("deaf.lab.", "its keys cannot be had", records="@ A 192.0.2.5"),
)


def upstream(conduct: Conduct | None = None, name: str = "one") -> MemoryUpstream:
    return MemoryUpstream(conduct or honest(WORLD), f"tls://{name}")


def sections(answer: Answer) -> list[str]:
    return brief(tuple(checked.rrset for checked in answer.answer))


# ------------ The five states ------------


async def test_what_is_proven_is_secure() -> None:
    async with open_resolver(WORLD, upstream()) as resolver:
        answer = await ask(resolver, "www.good.lab")
    assert (answer.verdict.status, answer.rcode, codes(answer)) == (Status.SECURE, 0, [])
    assert sections(answer) == ["www.good.lab. A"]
    assert [names.to_text(link.zone) for link in answer.verdict.chain] == [".", "lab.", "good.lab."]
    assert answer.upstream == "tls://one"


async def test_what_is_proven_to_have_no_chain_is_insecure() -> None:
    async with open_resolver(WORLD, upstream()) as resolver:
        answer = await ask(resolver, "www.loose.lab")
    assert (answer.verdict.status, answer.rcode, codes(answer)) == (Status.INSECURE, 0, [])


async def test_without_an_anchor_nothing_is_known() -> None:
    async with open_resolver(WORLD, upstream(), anchors=TrustAnchors([])) as resolver:
        answer = await ask(resolver, "www.good.lab")
    assert (answer.verdict.status, answer.rcode) == (Status.INDETERMINATE, 0)
    assert codes(answer) == [5]


async def test_what_contradicts_the_proof_is_bogus() -> None:
    async with open_resolver(WORLD, upstream()) as resolver:
        answer = await ask(resolver, "expired.lab")
    assert (answer.verdict.status, codes(answer)) == (Status.BOGUS, [7])


@pytest.mark.parametrize(
    ("conduct", "code"),
    [(unreachable, 23), (always(rcodes.SERVFAIL), 22), (changed(WORLD, lambda _: b""), 24)],
)
async def test_what_cannot_be_had_is_unobtainable(conduct: Conduct, code: int) -> None:
    async with open_resolver(WORLD, upstream(conduct)) as resolver:
        answer = await ask(resolver, "www.good.lab")
    assert (answer.verdict.status, answer.rcode) == (Status.UNOBTAINABLE, rcodes.SERVFAIL)
    assert codes(answer)[:2] == [code, 5]
    assert "tls://" in texts(answer)[0]


def without(rdtype: int, conduct: Conduct) -> Conduct:
    """Says nothing useful about one type at `deaf.lab`."""

    async def deaf(heard: Heard) -> Said:
        asked = heard.query.question
        is_hit = asked == Question(names.from_text("deaf.lab"), rdtype)
        return await (conduct if is_hit else honest(WORLD))(heard)

    return deaf


@pytest.mark.parametrize("rdtype", [rdtypes.DS, rdtypes.DNSKEY])
@pytest.mark.parametrize(("conduct", "code"), [(unreachable, 23), (always(rcodes.REFUSED), 22)])
async def test_so_is_what_has_a_chain_that_cannot_be_had(
    rdtype: int, conduct: Conduct, code: int
) -> None:
    """It is no attack, and is not kept like one."""
    async with open_resolver(WORLD, upstream(without(rdtype, conduct))) as resolver:
        answer = await ask(resolver, "deaf.lab")
    assert answer.verdict.status is Status.UNOBTAINABLE
    assert codes(answer) == [code, 5]
    assert answer.ttl <= 5


async def test_an_upstream_of_no_use_to_one_name_is_of_use_to_the_next() -> None:
    one = upstream(without(rdtypes.DNSKEY, always(rcodes.SERVFAIL)))
    async with open_resolver(WORLD, one) as resolver:
        for _ in range(10):
            assert (await ask(resolver, "deaf.lab")).verdict.status is Status.UNOBTAINABLE
            assert (await ask(resolver, "www.good.lab")).verdict.status is Status.SECURE
            resolver.flush()


async def test_an_upstreams_own_claim_to_have_checked_is_nothing() -> None:
    async def claims(heard: Heard) -> Said:
        response = WORLD.answer(heard.query.question)
        assert isinstance(response, Response)
        wire = written(heard.wire, stripped(response))
        return wire[:3] + bytes((wire[3] | 0x20,)) + wire[4:]

    async with open_resolver(WORLD, upstream(claims)) as resolver:
        assert (await ask(resolver, "www.good.lab")).verdict.status is Status.BOGUS


async def test_a_negative_anchor_is_told() -> None:
    negative = [NegativeAnchor(names.from_text("expired.lab"), WORLD.now + 3600)]
    async with open_resolver(WORLD, upstream(), negative=negative) as resolver:
        answer = await ask(resolver, "expired.lab")
    assert (answer.verdict.status, codes(answer)) == (Status.INSECURE, [33])


@in_fast_motion
async def test_a_negative_anchor_has_an_end_for_what_is_cached_too() -> None:
    negative = [NegativeAnchor(names.from_text("expired.lab"), WORLD.now + 30)]
    one = upstream()
    async with open_resolver(WORLD, one, negative=negative) as resolver:
        await ask(resolver, "expired.lab")
        await trio.sleep(29)
        one.heard.clear()
        assert (await ask(resolver, "expired.lab")).verdict.status is Status.INSECURE
        assert one.heard == []
        await trio.sleep(1)
        assert (await ask(resolver, "expired.lab")).verdict.status is Status.BOGUS


# ------------ Time ------------


@pytest.mark.parametrize("seconds", [0.5, 4.0])
@in_fast_motion
async def test_a_question_takes_no_longer_than_it_may(seconds: float) -> None:
    async with open_resolver(WORLD, upstream(silent), seconds=seconds) as resolver:
        answer = await ask(resolver, "www.good.lab")
    assert trio.current_time() <= seconds
    assert (answer.verdict.status, codes(answer)) == (Status.UNOBTAINABLE, [23, 5])
    assert texts(answer)[0] == "tls://one did not answer in time"


def one_by_one(seconds: float) -> Conduct:
    """Answers everything about the keys of `good.lab` late, and all else soon."""

    async def slow(heard: Heard) -> Said:
        await trio.sleep(seconds)
        return await (silent if heard.text == "good.lab. DNSKEY" else honest(WORLD))(heard)

    return slow


@in_fast_motion
async def test_the_chain_is_a_part_of_that_time() -> None:
    async with open_resolver(WORLD, upstream(one_by_one(1.0))) as resolver:
        answer = await ask(resolver, "www.good.lab")
        assert trio.current_time() == pytest.approx(4.0)
        assert (answer.verdict.status, codes(answer)) == (Status.UNOBTAINABLE, [23, 5])
        assert texts(answer)[0] == "no answer within 4 seconds"


@in_fast_motion
async def test_what_came_in_time_without_its_chain_is_there_for_who_checks_for_itself() -> None:
    async with open_resolver(WORLD, upstream(one_by_one(1.0))) as resolver:
        answer = await ask(resolver, "www.good.lab", checking_disabled=True)
    assert (answer.rcode, sections(answer)) == (rcodes.NOERROR, ["www.good.lab. A"])
    assert [checked.status for checked in answer.answer] == [Status.UNOBTAINABLE]


# ------------ The cache ------------


async def test_one_entry_serves_every_client() -> None:
    one = upstream()
    async with open_resolver(WORLD, one) as resolver:
        first = await ask(resolver, "www.good.lab")
        one.heard.clear()
        for flags in range(16):
            answer = await ask(
                resolver,
                "www.good.lab",
                dnssec_ok=bool(flags & 1),
                authentic_data=bool(flags & 2),
                checking_disabled=bool(flags & 4),
                recursion_desired=bool(flags & 8),
            )
            assert answer == first
    assert (one.heard, len(resolver.cache)) == ([], 1)


@in_fast_motion
async def test_ttls_count_down_until_a_name_is_asked_anew() -> None:
    one = upstream()
    async with open_resolver(WORLD, one) as resolver:
        ttls = []
        for _ in range(4):
            answer = await ask(resolver, "short.good.lab")
            ttls.append((answer.ttl, answer.answer[0].rrset.ttl))
            await trio.sleep(4)
        assert ttls == [(10, 10), (6, 6), (2, 2), (10, 10)]
    assert one.asked.count("short.good.lab. A") == 2


@pytest.mark.parametrize("is_fixed", [True, False], ids=["fixed", "moving"])
@in_fast_motion
async def test_an_answer_ends_with_its_signature(*, is_fixed: bool) -> None:
    """By the wall clock it has expired then; where that stands still it is proven anew."""
    one = upstream()
    async with open_resolver(WORLD, one, is_fixed=is_fixed) as resolver:
        answer = await ask(resolver, "dying.lab")
        assert (answer.verdict.status, answer.ttl) == (Status.SECURE, 100)
        await trio.sleep(99)
        one.heard.clear()
        await ask(resolver, "dying.lab")
        assert one.heard == []
        await trio.sleep(2)
        answer = await ask(resolver, "dying.lab")
        assert "dying.lab. A" in one.asked
    assert answer.verdict.status is (Status.SECURE if is_fixed else Status.BOGUS)


@pytest.mark.parametrize(
    ("name", "conduct", "reasons", "seconds"),
    [
        ("expired.lab", honest(WORLD), [7], 15),
        ("www.good.lab", changed(WORLD, stripped), [10], 15),
        ("www.good.lab", unreachable, [23, 5], 5),
        ("dead.lab", honest(WORLD), [22, 5], 5),
    ],
)
@in_fast_motion
async def test_a_failure_is_remembered_for_a_short_time_with_its_reasons(
    name: str, conduct: Conduct, reasons: list[int], seconds: int
) -> None:
    one = upstream(conduct)
    async with open_resolver(WORLD, one) as resolver:
        first = await ask(resolver, name)
        assert codes(first)[: len(reasons)] == reasons
        assert 13 not in codes(first)
        await trio.sleep(10)  # what was started for it has ended
        assert resolver.counts()["answers"] == 1
        one.heard.clear()
        if seconds > 10:
            again = await ask(resolver, name)
            assert codes(again)[: len(reasons)] == reasons
            assert codes(again)[-1] == 13
            assert one.heard == []
            await trio.sleep(seconds - 10)
        assert 13 not in codes(await ask(resolver, name))
        assert one.heard != []


@in_fast_motion
async def test_what_could_not_be_had_is_remembered_for_a_moment() -> None:
    one = upstream(unreachable)
    async with open_resolver(WORLD, one) as resolver:
        await ask(resolver, "www.good.lab")
        one.heard.clear()
        await trio.sleep(4.9)
        again = await ask(resolver, "www.good.lab")
        assert (codes(again), one.heard) == ([23, 5, 13], [])
        assert texts(again)[-1] == "remembered for another 1 seconds"


async def test_data_for_who_checks_for_itself_never_reach_who_does_not() -> None:
    async with open_resolver(WORLD, upstream()) as resolver:
        for _ in range(2):
            data = await ask(resolver, "expired.lab", checking_disabled=True)
            assert (data.verdict.status, len(data.answer)) == (Status.BOGUS, 1)
            checked = await ask(resolver, "expired.lab")
            assert checked.verdict.status is Status.BOGUS  # SERVFAIL without records, by `reply`


async def test_after_a_flush_everything_is_asked_anew() -> None:
    one = upstream()
    async with open_resolver(WORLD, one) as resolver:
        await ask(resolver, "www.good.lab")
        first = sorted(one.asked)
        one.heard.clear()
        assert resolver.flush() == 1
        await ask(resolver, "www.good.lab")
    assert sorted(one.asked) == first


async def test_a_name_may_be_flushed_by_itself() -> None:
    one = upstream()
    async with open_resolver(WORLD, one) as resolver:
        for name in ("www.good.lab", "www.loose.lab"):
            await ask(resolver, name)
        one.heard.clear()
        assert resolver.flush(names.from_text("good.lab")) == 1
        await ask(resolver, "www.loose.lab")
        assert one.heard == []
        await ask(resolver, "www.good.lab")
    assert sorted(one.asked) == ["good.lab. DNSKEY", "good.lab. DS", "www.good.lab. A"]


async def test_an_answer_that_may_not_be_kept_is_not() -> None:
    def without_ttl(response: Response) -> Response:
        sets = tuple(replace(rrset, ttl=0) for rrset in response.answer)
        return replace(response, answer=sets)

    one = upstream(changed(WORLD, without_ttl, only="www.loose.lab. A"))
    async with open_resolver(WORLD, one) as resolver:
        for _ in range(2):
            assert (await ask(resolver, "www.loose.lab")).ttl == 0
    assert one.asked.count("www.loose.lab. A") == 2


# ------------ Without recursion ------------


async def test_who_forbids_to_ask_gets_what_is_known() -> None:
    one = upstream()
    async with open_resolver(WORLD, one) as resolver:
        unknown = await ask(resolver, "www.good.lab", recursion_desired=False)
        assert (unknown.rcode, codes(unknown), one.heard) == (rcodes.REFUSED, [20], [])
        await ask(resolver, "www.good.lab")
        one.heard.clear()
        known = await ask(resolver, "www.good.lab", recursion_desired=False)
        assert (known.verdict.status, one.heard) == (Status.SECURE, [])


# ------------ Names that are answered here ------------


def hosts(asked: Question) -> Answer | None:
    if asked != question("printer.good.lab"):
        return None
    records = address_rrsets(asked.name, [b"\xc0\xa8\0\1"], 1)
    return local_answer(asked, rcodes.NOERROR, "in the hosts file", ttl=1, answer=records)


@pytest.mark.parametrize("conduct", [silent, unreachable])
@in_fast_motion
async def test_local_names_are_answered_at_once_without_a_network(conduct: Conduct) -> None:
    one = upstream(conduct)
    async with open_resolver(WORLD, one, hosts=hosts) as resolver:
        for name in ("localhost", "printer.good.lab", "4.3.2.10.in-addr.arpa", "x.test", "a.local"):
            answer = await ask(resolver, name)
            assert (answer.verdict.status, codes(answer)) == (Status.INSECURE, [29])
        assert (trio.current_time(), one.heard) == (0, [])


@in_fast_motion
async def test_the_roots_proof_is_not_waited_for_for_long() -> None:
    one = upstream(silent)
    async with open_resolver(WORLD, one) as resolver:
        answer = await ask(resolver, "x.test", dnssec_ok=True)
        assert trio.current_time() == pytest.approx(PATIENCE_FOR_PROOFS)
        assert (answer.verdict.status, answer.rcode) == (Status.INSECURE, rcodes.NXDOMAIN)


async def test_where_the_root_can_prove_it_the_proof_is_given() -> None:
    one = upstream()
    async with open_resolver(WORLD, one) as resolver:
        answer = await ask(resolver, "x.test", dnssec_ok=True)
        assert (answer.verdict.status, answer.rcode) == (Status.SECURE, rcodes.NXDOMAIN)
        assert rdtypes.NSEC in {checked.rrset.rdtype for checked in answer.authority}
        assert "x.test. A" not in one.asked
        single = await ask(resolver, "printer")
        assert (single.verdict.status, single.rcode) == (Status.SECURE, rcodes.NXDOMAIN)


async def test_a_zone_of_the_configuration_comes_before_a_special_name() -> None:
    general, own = upstream(), upstream(name="own")
    async with open_resolver(WORLD, general, zones=[zone("test", own)]) as resolver:
        await ask(resolver, "x.test")
    assert "x.test. A" in own.asked


# ------------ Extended DNS Errors of the upstream ------------


async def test_what_the_upstream_has_to_say_is_passed_on_and_kept() -> None:
    def explained(response: Response) -> Response:
        return replace(response, edes=(Ede(3, "old"), Ede(9, "no key"), Ede(18)))

    async with open_resolver(WORLD, upstream(changed(WORLD, explained))) as resolver:
        for _ in range(2):
            answer = await ask(resolver, "www.good.lab")
            assert answer.verdict.status is Status.SECURE
            assert answer.edes == (Ede(3, "from tls://one: old"), Ede(18, "from tls://one"))


async def test_ones_own_reason_comes_first() -> None:
    def explained(response: Response) -> Response:
        return replace(response, edes=(Ede(22, "at delegation expired.lab"),))

    async with open_resolver(WORLD, upstream(changed(WORLD, explained))) as resolver:
        answer = await ask(resolver, "expired.lab")
    assert codes(answer) == [7, 22]


# ------------ ANY ------------


async def test_any_is_answered_with_every_proven_set_that_the_upstream_has() -> None:
    async with open_resolver(WORLD, upstream()) as resolver:
        answer = await ask(resolver, "good.lab", "ANY")
    assert answer.verdict.status is Status.SECURE
    assert {"good.lab. A", "good.lab. MX", "good.lab. SOA"} <= set(sections(answer))


async def test_a_subset_is_an_answer_to_any_as_well() -> None:
    def first_only(response: Response) -> Response:
        return replace(response, answer=response.answer[:1])

    one = upstream(changed(WORLD, first_only, only="good.lab. ANY"))
    async with open_resolver(WORLD, one) as resolver:
        answer = await ask(resolver, "good.lab", "ANY")
    assert (answer.verdict.status, len(answer.answer)) == (Status.SECURE, 1)


def declines_any(rcode: int = rcodes.NOTIMP) -> Conduct:
    async def conduct(heard: Heard) -> Said:
        is_any = heard.query.question.rdtype == rdtypes.ANY
        return await (always(rcode) if is_any else honest(WORLD))(heard)

    return conduct


@pytest.mark.parametrize("rcode", [rcodes.NOTIMP, rcodes.REFUSED])
async def test_where_any_is_declined_the_addresses_stand_for_it(rcode: int) -> None:
    one = upstream(declines_any(rcode))
    async with open_resolver(WORLD, one) as resolver:
        answer = await ask(resolver, "good.lab", "ANY")
    assert (answer.verdict.status, answer.question.rdtype) == (Status.SECURE, rdtypes.ANY)
    assert sections(answer) == ["good.lab. A"]


async def test_that_a_name_does_not_exist_answers_any_too() -> None:
    async with open_resolver(WORLD, upstream(declines_any())) as resolver:
        answer = await ask(resolver, "nx.good.lab", "ANY")
    assert (answer.verdict.status, answer.rcode) == (Status.SECURE, rcodes.NXDOMAIN)


@pytest.mark.parametrize("name", ["mail.good.lab", "alias.good.lab", "expired.lab"])
async def test_no_more_follows_from_an_address_that_is_not_there(name: str) -> None:
    """That there is none says nothing about other types, and an alias is not followed for ANY."""
    async with open_resolver(WORLD, upstream(declines_any())) as resolver:
        answer = await ask(resolver, name, "ANY")
    assert (answer.verdict.status, codes(answer)[0]) == (Status.UNOBTAINABLE, 22)


async def test_any_that_is_blocked_stays_so() -> None:
    one = upstream(always(rcodes.REFUSED, Ede(15)))
    async with open_resolver(WORLD, one) as resolver:
        answer = await ask(resolver, "good.lab", "ANY")
    assert answer.verdict.status is Status.UNOBTAINABLE
    assert "good.lab. A" not in one.asked


# ------------ For the statistics ------------


async def test_everything_is_counted() -> None:
    one, own = upstream(), upstream(name="own")
    async with open_resolver(WORLD, one, zones=[zone("corp.lab", own)]) as resolver:
        for _ in range(3):
            await ask(resolver, "www.good.lab")
        counts = resolver.counts()
        assert {key: counts[key] for key in ("answers", "hits", "misses", "evictions")} == {
            "answers": 1,
            "hits": 2,
            "misses": 1,
            "evictions": 0,
        }
        assert 0 < counts["bytes"] < counts["capacity"]
        assert (counts["zones"], counts["upstream_queries"]) == (3, len(one.heard))
        assert resolver.upstreams == {"tls://one": one, "tls://own for corp.lab.": own}
