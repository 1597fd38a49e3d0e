"""What follows from what is proven: told without asking, and never anything that is not so."""

import re
from collections.abc import Iterator
from itertools import product
from random import Random

import pytest
import trio

from anchord.cache.policy import bounded
from anchord.cache.proofs import LONGEST_USE
from anchord.dnssec.anchors import NegativeAnchor, trust_anchors
from anchord.lab.denial import Compact, DenialMethod, Nsec, Nsec3
from anchord.lab.plan import Plan
from anchord.lab.world import World
from anchord.model import names, rcodes
from anchord.model.question import ClientFlags
from anchord.model.verdict import Answer, Status
from anchord.resolver.resolver import Resolver
from support.judging import context_of, judge
from support.lab import NOW, brief, key_set, question, world_of
from support.walk import (
    Heard,
    MemoryUpstream,
    Said,
    ask,
    codes,
    honest,
    in_fast_motion,
    insecure,
    open_resolver,
    texts,
    zone,
)

EXISTING = [f"{first}{last}" for first, last in product("abcdefghij", "klmn")]
RECORDS = """
    @             A      192.0.2.1
    www           A      192.0.2.2
    alias         CNAME  www
    a.deep.under  A      192.0.2.3
    *.wild        TXT    "any"
    *.*.wild      A      192.0.2.4
    tree          DNAME  other.z.lab.
    _25._tcp.mail TLSA   3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
"""
CHILDREN = (
    Plan("signed.z.lab.", "a secure cut", records="@ A 192.0.2.5"),
    Plan("loose.z.lab.", "an insecure cut", algorithms=(), records="@ A 192.0.2.6"),
)
METHODS = [
    Nsec(),
    Nsec(minimal=True),
    Nsec3(),
    Nsec3(iterations=5, salt=b"salt"),
    Nsec3(opt_out=True),
    Compact(),
    Compact(nxname=False, rcode=rcodes.NXDOMAIN),
]
WAYS = pytest.mark.parametrize("denial", METHODS, ids=str)


def world(denial: DenialMethod | None = None, records: str = RECORDS) -> World:
    plan = Plan("z.lab.", "under test", records=records, denial=denial or Nsec())
    return world_of(plan, *CHILDREN)


WORLD = world()


def upstream(of: World = WORLD) -> MemoryUpstream:
    return MemoryUpstream(honest(of))


def known(resolver: Resolver, name: str, rdtype: str = "A", **flags: bool) -> Answer | None:
    """What is told without asking anybody."""
    found = resolver.known(question(name, rdtype), ClientFlags(**flags))
    return found.answer if found else None


# ------------ How much it spares ------------


def random_names(count: int, chance: Random) -> Iterator[str]:
    """Names that the world below does not have, deep ones among them."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    for _ in range(count):
        label = "".join(chance.choices(letters, k=9))
        yield f"x.{label}.z.lab" if chance.random() < 0.1 else f"{label}.z.lab"


@in_fast_motion
async def test_of_absent_names_few_are_asked_for_and_none_that_exists_is_denied() -> None:
    """Ten thousand names, while the zone turns from NSEC to NSEC3; and then to opt-out."""
    records = "@ A 192.0.2.1\n" + "".join(f"{label} A 192.0.2.2\n" for label in EXISTING)
    by_nsec, by_nsec3 = world(Nsec(), records), world(Nsec3(iterations=1, salt=b"s"), records)
    opted_out = world(Nsec3(opt_out=True), records)
    chance = Random(8198)
    now = [by_nsec]

    async def conduct(heard: Heard) -> Said:
        return now[0].answer(heard.query.question)

    one = MemoryUpstream(conduct)
    async with open_resolver(WORLD, one) as resolver:
        for of, count in [(by_nsec, 4000), (by_nsec3, 2000)]:  # old denials are good, too
            now[0] = of
            await check_absent(resolver, random_names(count, chance))
        await trio.sleep(LONGEST_USE)  # and now they are not any more
        await check_absent(resolver, random_names(4000, chance))
        absent = [text for text in one.asked if re.search(r"\b\w{9}\.z\.lab\. A", text)]
        assert len(EXISTING) < len(absent) <= 2 * len(EXISTING) + 10  # one for each span
        assert len(absent) <= 0.05 * 10_000
        now[0] = opted_out
        await trio.sleep(LONGEST_USE)
        one.heard.clear()
        for name in random_names(100, chance):
            assert (await ask(resolver, name)).verdict.status is Status.INSECURE
        assert len(one.heard) >= 100
        await check_existing(resolver)


async def check_absent(resolver: Resolver, asked: Iterator[str]) -> None:
    for number, name in enumerate(asked):
        answer = await ask(resolver, name, dnssec_ok=True)
        assert (answer.rcode, answer.verdict.status) == (rcodes.NXDOMAIN, Status.SECURE)
        if number % 500 == 0:
            await check_existing(resolver)


async def check_existing(resolver: Resolver) -> None:
    """Names that exist are there, though nothing is known of them but what is denied."""
    resolver.cache.flush()
    for label in EXISTING:
        answer = await ask(resolver, f"{label}.z.lab")
        assert (answer.rcode, answer.verdict.status) == (rcodes.NOERROR, Status.SECURE)
        assert len(answer.answer) == 1


# ------------ Never a lie ------------

LABELS = ["www", "alias", "wild", "tree", "signed", "loose", "deep", "under", "mail", "nowhere"]
UNIVERSE = [
    "z.lab",
    *(f"{label}.z.lab" for label in LABELS),
    *(f"below.{label}.z.lab" for label in LABELS),
    "x.y.wild.z.lab",
    "x.y.nowhere.z.lab",
    "deep.under.z.lab",
    "a.deep.under.z.lab",
    "b.deep.under.z.lab",
    "_25._tcp.mail.z.lab",
    "_tcp.mail.z.lab",
    "zzz.z.lab",
    "nowhere.lab",
    "lab",
]
TYPES = ["A", "TXT", "DS", "NS", "CNAME", "TLSA"]


@WAYS
@in_fast_motion
async def test_what_follows_is_what_a_cold_resolver_would_have_said(denial: DenialMethod) -> None:
    """Whatever was asked before, and in whatever order."""
    of = world(denial)
    asked = [question(name, rdtype) for name in UNIVERSE for rdtype in TYPES]
    Random(4).shuffle(asked)
    cold = context_of(of)
    told = 0
    async with open_resolver(of, upstream(of)) as resolver:
        for each in asked:
            found = resolver.known(each, ClientFlags())
            if found is None:
                await resolver.resolve(each, ClientFlags())
                continue
            told += 1
            truth = bounded(judge(of, str(each), cold))
            answer = found.answer
            assert answer.verdict.status is truth.verdict.status is Status.SECURE, each
            assert (answer.rcode, answer.nxname) == (truth.rcode, truth.nxname), each
            assert [c.rrset.rdatas for c in answer.answer] == [
                c.rrset.rdatas for c in truth.answer
            ], each
            assert 0 < answer.ttl <= truth.ttl, each
    assert told > 0


async def test_a_name_that_was_denied_and_then_added_is_there_once_anything_shows_it() -> None:
    now = [WORLD]

    async def conduct(heard: Heard) -> Said:
        return now[0].answer(heard.query.question)

    async with open_resolver(WORLD, MemoryUpstream(conduct)) as resolver:
        await ask(resolver, "new.z.lab", "TXT")
        assert known(resolver, "new.z.lab")
        now[0] = world(records=RECORDS + "new A 192.0.2.9\n")
        resolver.cache.flush()
        await ask(resolver, "nex.z.lab", "ANY")  # a denial of another name, by the new record
        answer = await ask(resolver, "new.z.lab")
        assert brief(tuple(c.rrset for c in answer.answer)) == ["new.z.lab. A"]


# ------------ What is said, and for how long ------------


async def test_it_is_authentic_and_says_that_it_was_put_together() -> None:
    one = upstream()
    async with open_resolver(WORLD, one) as resolver:
        await ask(resolver, "here.z.lab")
        one.heard.clear()
        answer = await ask(resolver, "hero.z.lab", dnssec_ok=True)
        assert one.heard == []
        assert (answer.rcode, answer.verdict.status) == (rcodes.NXDOMAIN, Status.SECURE)
        assert codes(answer) == [29]
        assert texts(answer) == ["denied by records of z.lab. that came with other answers"]
        sections = brief(tuple(c.rrset for c in answer.authority))
        assert sections == ["z.lab. SOA", "alias.z.lab. NSEC", "z.lab. NSEC"]
        assert [link.zone for link in answer.verdict.chain][-1] == names.from_text("z.lab")
        assert resolver.counts()["synthesized"] == 1


async def test_one_type_that_is_not_there_tells_of_all() -> None:
    one = upstream()
    async with open_resolver(WORLD, one) as resolver:
        await ask(resolver, "www.z.lab", "AAAA")
        one.heard.clear()
        for rdtype in ("HTTPS", "TXT", "MX"):
            answer = known(resolver, "www.z.lab", rdtype)
            assert answer is not None
            assert (answer.rcode, answer.verdict.status) == (rcodes.NOERROR, Status.SECURE)
        assert known(resolver, "www.z.lab", "A") is None
        assert known(resolver, "www.z.lab", "ANY") is None
        assert known(resolver, "www.z.lab", "RRSIG") is None


@in_fast_motion
async def test_a_denial_ends_with_the_ttl_that_it_had() -> None:
    async with open_resolver(WORLD, upstream()) as resolver:
        first = await ask(resolver, "here.z.lab")
        await trio.sleep(first.ttl - 1)
        answer = known(resolver, "hero.z.lab")
        assert answer is not None
        assert answer.ttl == 1
        assert {checked.rrset.ttl for checked in answer.authority} == {1}
        await trio.sleep(1)
        assert known(resolver, "hero.z.lab") is None


@in_fast_motion
async def test_a_denial_ends_with_its_signature_where_the_clock_is_set() -> None:
    dying = world_of(Plan("z.lab.", "signed", records=RECORDS, faults="expires-in 100 NSEC"))
    async with open_resolver(dying, upstream(dying)) as resolver:
        await ask(resolver, "here.z.lab")
        assert known(resolver, "hero.z.lab")
        resolver._clock.at += 101  # type: ignore[attr-defined]
        assert known(resolver, "hero.z.lab") is None


# ------------ Below a name that does not exist ------------


@pytest.mark.parametrize("denial", [Nsec(), Nsec3()], ids=str)
async def test_below_a_name_that_does_not_exist_there_is_nothing(denial: DenialMethod) -> None:
    of = world(denial)
    one = upstream(of)
    async with open_resolver(of, one) as resolver:
        await ask(resolver, "nowhere.z.lab")
        one.heard.clear()
        for name in ("a.nowhere.z.lab", "_25._tcp.x.nowhere.z.lab"):
            answer = await ask(resolver, name, "TLSA")
            assert (answer.rcode, answer.verdict.status) == (rcodes.NXDOMAIN, Status.SECURE)
        assert one.heard == []


@pytest.mark.parametrize("denial", [Nsec3(opt_out=True), Compact()], ids=str)
async def test_a_denial_of_one_name_or_with_opt_out_says_nothing_of_what_is_below(
    denial: DenialMethod,
) -> None:
    of = world(denial)
    async with open_resolver(of, upstream(of)) as resolver:
        await ask(resolver, "nowhere.z.lab")
        assert known(resolver, "a.nowhere.z.lab") is None


async def test_an_unsigned_denial_says_nothing_of_what_is_below() -> None:
    one = upstream()
    async with open_resolver(WORLD, one) as resolver:
        assert (await ask(resolver, "nx.loose.z.lab")).verdict.status is Status.INSECURE
        assert known(resolver, "below.nx.loose.z.lab") is None


# ------------ Borders ------------


async def test_nothing_is_denied_below_a_negative_anchor() -> None:
    negative = NegativeAnchor(names.from_text("hero.z.lab"))
    async with open_resolver(WORLD, upstream(), negative=[negative]) as resolver:
        await ask(resolver, "here.z.lab")
        assert known(resolver, "her.z.lab")
        assert known(resolver, "hero.z.lab") is None
        assert known(resolver, "www.hero.z.lab") is None


@pytest.mark.parametrize("is_checked", [True, False])
async def test_nothing_is_denied_in_a_zone_with_upstreams_of_its_own(is_checked: bool) -> None:
    """Unbound, CVE-2026-44687: by what the public says of the names above."""
    own = upstream()
    route = zone("hero.z.lab", own, is_checked=is_checked)
    negative = [] if is_checked else [insecure("hero.z.lab")]
    async with open_resolver(WORLD, upstream(), zones=[route], negative=negative) as resolver:
        await ask(resolver, "here.z.lab")
        assert known(resolver, "her.z.lab")
        assert known(resolver, "hero.z.lab") is None
        assert known(resolver, "www.hero.z.lab") is None
        await ask(resolver, "hero.z.lab")
        assert own.asked == ["hero.z.lab. A"]


async def test_nothing_is_denied_below_an_anchor_by_the_zones_above_it() -> None:
    island = world_of(Plan("z.lab.", "signed", records=RECORDS), Plan("hero.z.lab.", "an island"))
    keys = (WORLD.anchor(), key_set(island.zone(names.from_text("hero.z.lab"))))
    anchors = trust_anchors((r.name, r.rdtype, rdata) for r in keys for rdata in r.rdatas)
    async with open_resolver(WORLD, upstream(), anchors=anchors) as resolver:
        await ask(resolver, "here.z.lab")
        assert known(resolver, "her.z.lab")
        assert known(resolver, "hero.z.lab") is None


async def test_data_are_not_made_from_a_wildcard() -> None:
    async with open_resolver(WORLD, upstream()) as resolver:
        await ask(resolver, "z.lab", "TXT")  # so that there is a proof to begin with
        await ask(resolver, "x.wild.z.lab", "TXT")
        assert known(resolver, "y.wild.z.lab", "TXT") is None
        await ask(resolver, "x.wild.z.lab", "AAAA")
        answer = known(resolver, "y.wild.z.lab", "AAAA")
        assert answer is not None
        assert answer.rcode == rcodes.NOERROR


async def test_a_flush_takes_what_could_deny_the_name() -> None:
    async with open_resolver(WORLD, upstream()) as resolver:
        for flushed in ("hero.z.lab", "z.lab", None):
            resolver.cache.flush()
            await ask(resolver, "here.z.lab")
            assert known(resolver, "hero.z.lab")
            resolver.flush(names.from_text(flushed) if flushed else None)
            assert known(resolver, "hero.z.lab") is None


# ------------ What the chain of trust holds ------------


@in_fast_motion
async def test_a_chain_that_was_walked_answers_for_its_links() -> None:
    one = upstream()
    async with open_resolver(WORLD, one) as resolver:
        await ask(resolver, "www.signed.z.lab")
        one.heard.clear()
        await trio.sleep(5)
        for name, rdtype in [
            (".", "DNSKEY"), ("lab", "DS"), ("lab", "DNSKEY"), ("z.lab", "DS"),
            ("z.lab", "DNSKEY"), ("signed.z.lab", "DS"), ("signed.z.lab", "DNSKEY"),
        ]:  # fmt: skip
            answer = await ask(resolver, name, rdtype, dnssec_ok=True)
            truth = bounded(judge(WORLD, f"{name} {rdtype}"))
            assert answer.verdict.status is Status.SECURE
            assert codes(answer) == []
            (told,), (true,) = answer.answer, truth.answer
            assert told.rrset.rdatas == true.rrset.rdatas
            assert told.rrset.signatures == true.rrset.signatures
            assert answer.ttl <= truth.ttl - 5
        assert one.heard == []
        assert resolver.counts()["from_chain"] == 7


@in_fast_motion
async def test_a_link_is_told_no_longer_than_the_proof_that_it_is_of() -> None:
    one = upstream()
    async with open_resolver(WORLD, one) as resolver:
        await ask(resolver, "www.z.lab")
        answer = known(resolver, "z.lab", "DNSKEY")
        assert answer is not None
        await trio.sleep(answer.ttl)
        assert known(resolver, "z.lab", "DNSKEY") is None


async def test_what_is_no_secure_zone_has_no_links_to_tell() -> None:
    async with open_resolver(WORLD, upstream()) as resolver:
        await ask(resolver, "www.loose.z.lab")
        for name, rdtype in [("loose.z.lab", "DNSKEY"), ("www.z.lab", "DNSKEY"), (".", "DS")]:
            assert known(resolver, name, rdtype) is None


async def test_below_a_negative_anchor_no_link_is_told() -> None:
    negative = NegativeAnchor(names.from_text("z.lab"), until=NOW + 100)
    async with open_resolver(WORLD, upstream(), negative=[negative]) as resolver:
        await ask(resolver, "www.z.lab")
        assert known(resolver, "z.lab", "DNSKEY") is None
