"""What others have learnt, through the resolver: the rows of each lesson, and what takes time."""

import pytest
import trio

from anchord.dnssec.limits import Limits
from anchord.lab.faults.answers import FORGED_ADDRESS
from anchord.lab.lessons import LESSONS, Lesson
from anchord.lab.plan import Plan
from anchord.lab.table import CASES
from anchord.lab.world import World
from anchord.model import names, rdtypes
from anchord.model.verdict import Answer, Status
from anchord.resolver.again import MOST_OTHERS
from anchord.resolver.speculate import MOST
from support.lab import NOW, world_of
from support.walk import (
    Heard,
    MemoryUpstream,
    Said,
    ask,
    changed,
    check_twice,
    codes,
    honest,
    in_fast_motion,
    open_resolver,
    stripped,
    texts,
    unreachable,
)

LAB = World(NOW)
ROWS = {str(case): case for case in CASES}


@pytest.mark.parametrize("checking_disabled", [False, True], ids=["CD=0", "CD=1"])
@pytest.mark.parametrize("lesson", [lesson for lesson in LESSONS if lesson.rows], ids=str)
@in_fast_motion
async def test_its_rows_get_their_verdicts_one_after_the_other_and_spoil_nothing(
    lesson: Lesson, *, checking_disabled: bool
) -> None:
    """All of one resolver that forgets nothing; names in good order are then as good as ever, and
    records that came along for them are not what they have."""
    async with open_resolver(LAB, MemoryUpstream(honest(LAB))) as resolver:
        for row in lesson.rows:
            await check_twice(ROWS[row], resolver, checking_disabled=checking_disabled)
        good = await ask(resolver, "www.good.lab", dnssec_ok=True)
        loose = await ask(resolver, "unsigned.lab")
    assert (good.verdict.status, codes(good)) == (Status.SECURE, [])
    assert (loose.verdict.status, codes(loose)) == (Status.INSECURE, [])
    assert addresses(good)
    assert addresses(loose)
    assert FORGED_ADDRESS not in addresses(good) + addresses(loose)


def addresses(answer: Answer) -> list[bytes]:
    """The addresses that the answer holds."""
    return [
        rdata
        for checked in answer.answer
        if checked.rrset.rdtype == rdtypes.A
        for rdata in checked.rrset.rdatas
    ]


class Changing:
    """An upstream that does what `now` does."""

    def __init__(self, world: World) -> None:
        self.now = honest(world)

    async def __call__(self, heard: Heard) -> Said:
        return await self.now(heard)


@in_fast_motion
async def test_a_wildcards_answer_that_is_over_keeps_its_name_and_its_proof() -> None:
    """Unbound, CVE-2026-46582: another name below the wildcard gets nothing of it."""
    world = world_of(Plan("z.lab.", "a wildcard", records="* A 192.0.2.42"))
    conduct = Changing(world)
    async with open_resolver(world, MemoryUpstream(conduct), serve_stale=86400.0) as resolver:
        fresh = await ask(resolver, "one.z.lab", dnssec_ok=True)
        conduct.now = unreachable
        await trio.sleep(fresh.ttl)
        stale = await ask(resolver, "one.z.lab", dnssec_ok=True)
        other = await ask(resolver, "other.z.lab", dnssec_ok=True)
    assert codes(stale) == [3]
    assert stale.verdict == fresh.verdict
    for answer in (fresh, stale):
        assert [names.to_text(checked.rrset.name) for checked in answer.answer] == ["one.z.lab."]
        (proof,) = answer.authority
        assert proof.rrset.rdtype == rdtypes.NSEC
        assert proof.rrset.signatures
    assert (other.verdict.status, other.answer) == (Status.UNOBTAINABLE, ())


@pytest.mark.parametrize(
    ("algorithms", "before", "proof_ttl"),
    [
        pytest.param((13,), Status.SECURE, 3600, id="signed"),
        pytest.param((), Status.INSECURE, 300, id="unsigned"),
    ],
)
@in_fast_motion
async def test_a_delegation_that_the_parent_has_ended_ends(
    algorithms: tuple[int, ...], before: Status, proof_ttl: int
) -> None:
    """Unbound, CVE-2022-30698, CVE-2022-30699, CVE-2026-40622, CVE-2026-42955: whatever the child
    goes on saying, nothing that it says renews what the parent has said of it."""
    data_ttl = 300
    there, gone = (
        world_of(Plan("z.lab.", "a child", algorithms=algorithms, faults=faults))
        for faults in ("", "undelegated")
    )
    conduct = Changing(there)
    async with open_resolver(there, MemoryUpstream(conduct)) as resolver:
        assert (await ask(resolver, "z.lab")).verdict.status is before
        conduct.now = honest(gone)
        seen = {}
        for minute in range(1, 90):
            await trio.sleep(60)
            for name in ("z.lab", "www.z.lab"):
                seen[minute] = (await ask(resolver, name)).verdict.status
                assert seen[minute] in {before, Status.BOGUS}
                if minute * 60 > proof_ttl + data_ttl:
                    assert seen[minute] is Status.BOGUS
    assert seen[1] is before


@in_fast_motion
async def test_an_upstream_that_stripped_signatures_is_believed_within_a_minute() -> None:
    """systemd #38401, systemd #6490: nothing is learnt of an upstream that lasts."""
    asked = ("good.lab", "www.good.lab", "nx.good.lab", "unsigned.lab", "good.hashed")
    conduct = Changing(LAB)
    async with open_resolver(LAB, MemoryUpstream(conduct)) as resolver:
        conduct.now = changed(LAB, stripped)
        for _ in range(120):
            for name in asked:
                assert (await ask(resolver, name)).verdict.status.is_failure
            await trio.sleep(5)
        conduct.now = honest(LAB)
        assert (await ask(resolver, "child.good.lab")).verdict.status is Status.SECURE
        await trio.sleep(60)
        for name in asked:
            status = (await ask(resolver, name)).verdict.status
            assert status is (Status.INSECURE if name == "unsigned.lab" else Status.SECURE)


@pytest.mark.parametrize("labels", [50, 110])
@in_fast_motion
async def test_no_name_makes_us_ask_without_end(labels: int) -> None:
    """CVE-2020-12662, CVE-2022-3204, CVE-2024-33655: each label may be a zone."""
    deep = ".".join(["x"] * labels)
    world = world_of(
        Plan("z.lab.", "a deep name", records=f"{deep} A 192.0.2.1", faults=f"spoofs {deep}")
    )
    limits = Limits()
    one = MemoryUpstream(honest(world))
    async with open_resolver(world, one, limits=limits) as resolver:
        answer = await ask(resolver, f"{deep}.z.lab")
        await trio.sleep(10)
    assert answer.verdict.status.is_failure
    if labels > limits.upstream_queries:
        assert codes(answer)[0] == 6
        assert "too many upstream queries for one question" in texts(answer)[0]
    assert len(one.heard) <= limits.upstream_queries + limits.repeated_queries + MOST + MOST_OTHERS
