"""What was kept over a restart is proven again: the same verdicts, without an upstream."""

from collections.abc import Iterable

import pytest
import trio
from msgspec.structs import replace

from anchord.cache import persist, policy
from anchord.cache.persist import Heard, Kind
from anchord.cache.persisted import Evidence
from anchord.dnssec.anchors import NegativeAnchor, TrustAnchors, trust_anchors
from anchord.lab.plan import Case, Plan
from anchord.lab.table import CASES
from anchord.lab.world import World
from anchord.model import names, rdtypes
from anchord.model.ede import Ede
from anchord.model.question import ClientFlags
from anchord.model.response import Response, RRset
from anchord.model.verdict import Answer, Checked, Status
from anchord.resolver.resolver import Resolver
from support.lab import NOW, key_set, question, world_of
from support.restart import kept
from support.walk import (
    MemoryUpstream,
    TrioClock,
    always,
    ask,
    changed,
    codes,
    honest,
    in_fast_motion,
    open_resolver,
    unreachable,
)

LAB = World(NOW)
WORLD = world_of(
    Plan("z.lab.", "signed", records="@ A 192.0.2.1\nshort 60 A 192.0.2.2\nalias CNAME w.z.lab."),
    Plan("plain.lab.", "unsigned", algorithms=(), records="@ A 192.0.2.3"),
)
PROVEN = [case for case in CASES if not case.status.is_failure and 0 not in case.codes]
"""All but loops of aliases, which are explained beside the verdict."""
DNSSEC = ClientFlags(dnssec_ok=True)
DAY = 86_400


async def evidence_of(*questions: str, world: World = WORLD, clock: TrioClock) -> Evidence:
    """What a resolver leaves that was asked these questions."""
    async with open_resolver(world, MemoryUpstream(honest(world)), clock=clock) as before:
        for text in questions:
            await asked(before, text)
        return kept(before, clock)


async def asked(resolver: Resolver, text: str) -> Answer:
    name, _, rdtype = text.partition(" ")
    return await ask(resolver, name, rdtype or "A", dnssec_ok=True)


# ------------ The same verdicts ------------


@pytest.mark.parametrize("case", PROVEN, ids=str)
@in_fast_motion
async def test_every_row_of_the_table_after_a_restart_without_an_upstream(case: Case) -> None:
    clock = TrioClock(LAB.now)
    async with open_resolver(LAB, MemoryUpstream(honest(LAB)), clock=clock) as before:
        first = await before.resolve(case.question, DNSSEC)
        evidence = kept(before, clock)
    nobody = MemoryUpstream(unreachable)
    async with open_resolver(LAB, nobody, clock=clock, evidence=evidence) as after:
        again = await after.resolve(case.question, DNSSEC)
        assert again.verdict.status is case.status
        assert again.verdict.flaws == first.verdict.flaws
        assert (again.rcode, again.nxname, again.ttl) == (first.rcode, first.nxname, first.ttl)
        assert _seen(again.answer) == _seen(first.answer)
        assert set(_seen(again.authority)) == set(_seen(first.authority))
        assert after.counts()["recalled"] == 1
        assert await after.resolve(case.question, DNSSEC) == again
    assert not nobody.heard


def _seen(section: Iterable[Checked]) -> list[RRset]:
    """What clients see: names in any spelling, and RRSIGs with the TTL of what they cover."""
    return [replace(checked.rrset, owner=b"", signature_ttl=0) for checked in section]


@pytest.mark.parametrize("case", [c for c in CASES if c.status.is_failure], ids=str)
@in_fast_motion
async def test_no_failure_is_kept(case: Case) -> None:
    clock = TrioClock(LAB.now)
    async with open_resolver(LAB, MemoryUpstream(honest(LAB)), clock=clock) as before:
        await before.resolve(case.question, DNSSEC)
        evidence = kept(before, clock)
    async with open_resolver(LAB, MemoryUpstream(unreachable), evidence=evidence) as after:
        again = await after.resolve(case.question, DNSSEC)
        assert again.verdict.status is Status.UNOBTAINABLE


@in_fast_motion
async def test_ttls_go_on_from_where_they_were() -> None:
    clock = TrioClock(WORLD.now)
    evidence = await evidence_of("z.lab.", "short.z.lab.", clock=clock)
    await trio.sleep(59)
    async with open_resolver(
        WORLD, MemoryUpstream(unreachable), clock=clock, evidence=evidence
    ) as after:
        assert (await asked(after, "z.lab.")).ttl == 300 - 59
        assert (await asked(after, "short.z.lab.")).ttl == 1


@in_fast_motion
async def test_an_answer_whose_ttl_is_over_is_asked_for_again() -> None:
    clock = TrioClock(WORLD.now)
    evidence = await evidence_of("short.z.lab.", clock=clock)
    await trio.sleep(60)
    upstream = MemoryUpstream(honest(WORLD))
    async with open_resolver(WORLD, upstream, clock=clock, evidence=evidence) as after:
        assert (await asked(after, "short.z.lab.")).ttl == 60
    assert upstream.asked == ["short.z.lab. A"]


@in_fast_motion
async def test_a_new_name_needs_no_chain_that_was_kept() -> None:
    clock = TrioClock(WORLD.now)
    evidence = await evidence_of("z.lab.", clock=clock)
    upstream = MemoryUpstream(honest(WORLD))
    async with open_resolver(WORLD, upstream, clock=clock, evidence=evidence) as after:
        assert (await asked(after, "alias.z.lab.")).verdict.status is Status.SECURE
    assert upstream.asked == ["alias.z.lab. A"]


@in_fast_motion
async def test_what_was_not_asked_for_yet_is_kept_over_the_next_restart_too() -> None:
    clock = TrioClock(WORLD.now)
    evidence = await evidence_of("z.lab.", "plain.lab.", clock=clock)
    for _ in range(2):
        async with open_resolver(
            WORLD, MemoryUpstream(unreachable), clock=clock, evidence=evidence
        ) as between:
            assert (await asked(between, "z.lab.")).verdict.status is Status.SECURE
            evidence = kept(between, clock)
        await trio.sleep(10)
    async with open_resolver(
        WORLD, MemoryUpstream(unreachable), clock=clock, evidence=evidence
    ) as after:
        plain = await asked(after, "plain.lab.")
        assert (plain.verdict.status, plain.ttl) == (Status.INSECURE, 280)


@in_fast_motion
async def test_zones_that_were_signed_are_known_to_be_worth_a_guess() -> None:
    clock = TrioClock(WORLD.now)
    evidence = await evidence_of("z.lab.", clock=clock)
    evidence.flush()
    await trio.sleep(DAY)
    upstream = MemoryUpstream(honest(WORLD))
    async with open_resolver(WORLD, upstream, evidence=evidence) as after:
        await asked(after, "z.lab.")
    assert "z.lab. DNSKEY" in upstream.asked


# ------------ Proven by what holds now ------------


@in_fast_motion
async def test_other_anchors_do_not_believe_what_the_old_ones_did() -> None:
    clock = TrioClock(WORLD.now)
    evidence = await evidence_of("z.lab.", "plain.lab.", clock=clock)
    other = key_set(WORLD.zone(names.from_text("z.lab.")))
    anchors = trust_anchors((names.ROOT, rdtypes.DNSKEY, rdata) for rdata in other.rdatas)
    upstream = MemoryUpstream(honest(WORLD))
    async with open_resolver(
        WORLD, upstream, clock=clock, evidence=evidence, anchors=anchors
    ) as after:
        assert (await asked(after, "z.lab.")).verdict.status is Status.BOGUS
        assert (await asked(after, "plain.lab.")).verdict.status is Status.BOGUS


@in_fast_motion
async def test_without_an_anchor_nothing_is_secure() -> None:
    clock = TrioClock(WORLD.now)
    evidence = await evidence_of("z.lab.", clock=clock)
    async with open_resolver(
        WORLD,
        MemoryUpstream(unreachable),
        clock=clock,
        evidence=evidence,
        anchors=TrustAnchors([]),
    ) as after:
        assert (await asked(after, "z.lab.")).verdict.status is Status.INDETERMINATE


@in_fast_motion
async def test_a_negative_anchor_that_has_come_says_so() -> None:
    clock = TrioClock(WORLD.now)
    evidence = await evidence_of("z.lab.", clock=clock)
    negative = [NegativeAnchor(names.from_text("z.lab."), NOW + DAY)]
    async with open_resolver(
        WORLD, MemoryUpstream(unreachable), clock=clock, evidence=evidence, negative=negative
    ) as after:
        answer = await asked(after, "z.lab.")
        assert (answer.verdict.status, codes(answer)) == (Status.INSECURE, [33])


@in_fast_motion
async def test_what_a_negative_anchor_let_through_is_proven_when_that_has_gone() -> None:
    clock = TrioClock(WORLD.now)
    forged = RRset(names.from_text("z.lab."), rdtypes.A, 300, (b"\xc0\0\2\x66",))
    lies = changed(WORLD, lambda response: replace(response, answer=(forged,)), only="z.lab. A")
    negative = [NegativeAnchor(names.from_text("z.lab."), NOW + DAY)]
    async with open_resolver(WORLD, MemoryUpstream(lies), clock=clock, negative=negative) as before:
        assert (await asked(before, "z.lab.")).verdict.status is Status.INSECURE
        evidence = kept(before, clock)
    async with open_resolver(
        WORLD, MemoryUpstream(honest(WORLD)), clock=clock, evidence=evidence
    ) as after:
        answer = await asked(after, "z.lab.")
        assert answer.verdict.status is Status.SECURE
        assert answer.answer[0].rrset.rdatas == (b"\xc0\0\2\x01",)


@in_fast_motion
async def test_signatures_that_have_expired_meanwhile_prove_nothing() -> None:
    clock = TrioClock(WORLD.now)
    evidence = await evidence_of("z.lab.", clock=clock)
    late = TrioClock(WORLD.now + 60 * DAY)
    async with open_resolver(
        WORLD, MemoryUpstream(unreachable), clock=late, evidence=evidence
    ) as after:
        assert (await asked(after, "z.lab.")).verdict.status is Status.UNOBTAINABLE


@in_fast_motion
async def test_a_forged_record_is_forgotten_and_the_upstream_asked() -> None:
    clock = TrioClock(WORLD.now)
    evidence = await evidence_of("z.lab.", clock=clock)
    asked_for = question("z.lab.")
    true = evidence.find(Kind.ANSWER, asked_for, clock.wall(), clock.monotonic())
    assert true
    forged = (replace(true.answer[0], rdatas=(b"\xc0\0\2\x66",)),)
    record = persist.pack(Heard(replace(true, answer=forged), clock.wall(), 300))
    assert record
    evidence._records[persist.key(Kind.ANSWER, asked_for)] = record
    upstream = MemoryUpstream(honest(WORLD))
    async with open_resolver(WORLD, upstream, clock=clock, evidence=evidence) as after:
        assert (await asked(after, "z.lab.")).verdict.status is Status.SECURE
    assert "z.lab. A" in upstream.asked


# ------------ What is kept ------------


@in_fast_motion
async def test_a_chain_whose_own_ttls_are_over_proves_its_answer_once_more_and_no_other() -> None:
    clock = TrioClock(WORLD.now)
    world = world_of(Plan("z.lab.", "long", records="@ 7200 A 192.0.2.1\nnew A 192.0.2.2"))
    brief = changed(world, _with_short_keys)
    async with open_resolver(world, MemoryUpstream(brief), clock=clock) as before:
        await asked(before, "z.lab.")
        await trio.sleep(3600)
        evidence = kept(before, clock)
    upstream = MemoryUpstream(honest(world))
    async with open_resolver(world, upstream, clock=clock, evidence=evidence) as after:
        assert (await asked(after, "z.lab.")).verdict.status is Status.SECURE
        assert not upstream.heard
        assert (await asked(after, "new.z.lab.")).verdict.status is Status.SECURE
        assert "z.lab. DNSKEY" in upstream.asked
        assert (await asked(after, "z.lab. DNSKEY")).ttl > 0


def _with_short_keys(response: Response) -> Response:
    def short(rrset: RRset) -> RRset:
        return replace(rrset, ttl=60) if rrset.rdtype in (rdtypes.DNSKEY, rdtypes.DS) else rrset

    return replace(response, answer=tuple(map(short, response.answer)))


@in_fast_motion
async def test_nothing_is_used_for_longer_than_a_day() -> None:
    clock = TrioClock(WORLD.now)
    evidence = await evidence_of("z.lab.", clock=clock)
    await trio.sleep(policy.MAX_TTL)
    assert evidence.find(Kind.ANSWER, question("z.lab."), clock.wall(), clock.monotonic()) is None
    assert not evidence


@in_fast_motion
async def test_what_an_upstream_explained_is_not_kept() -> None:
    clock = TrioClock(WORLD.now)

    def explained(response: Response) -> Response:
        return replace(response, edes=(Ede(17, "by the house rules"),))

    async with open_resolver(
        WORLD, MemoryUpstream(changed(WORLD, explained), is_encrypted=False), clock=clock
    ) as before:
        assert codes(await asked(before, "plain.lab.")) == [17]
        evidence = kept(before, clock)
    assert (
        evidence.find(Kind.ANSWER, question("plain.lab."), clock.wall(), clock.monotonic()) is None
    )


@in_fast_motion
async def test_a_clock_that_is_set_makes_nothing_younger() -> None:
    clock = TrioClock(WORLD.now)
    evidence = await evidence_of("short.z.lab.", clock=clock)
    asked_for = question("short.z.lab.")
    await trio.sleep(30)
    for wall, left in ((NOW - DAY, 30), (NOW + 30, 30), (NOW + 50, 10)):
        found = evidence.find(Kind.ANSWER, asked_for, wall, clock.monotonic())
        assert found
        assert found.answer[0].ttl == left
    assert evidence.find(Kind.ANSWER, asked_for, NOW + DAY, clock.monotonic()) is None


@in_fast_motion
async def test_a_flush_takes_evidence_along() -> None:
    clock = TrioClock(WORLD.now)
    evidence = await evidence_of("z.lab.", "plain.lab.", clock=clock)
    upstream = MemoryUpstream(always(5))
    async with open_resolver(WORLD, upstream, clock=clock, evidence=evidence) as after:
        after.flush(names.from_text("z.lab."))
        assert (await asked(after, "z.lab.")).verdict.status is Status.UNOBTAINABLE
        assert (await asked(after, "plain.lab.")).verdict.status is Status.INSECURE
        after.flush()
        assert (await asked(after, "plain.lab.")).verdict.status is Status.UNOBTAINABLE
    assert not evidence
