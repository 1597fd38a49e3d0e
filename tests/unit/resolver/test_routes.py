"""Which upstreams a question goes to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import trio

from anchord.lab.plan import Plan
from anchord.lab.world import World
from anchord.model import rcodes
from anchord.model.verdict import Status
from anchord.resolver.resolver import Resolver
from anchord.resolver.routes import Routes
from support.lab import question, world_of
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
    insecure,
    open_resolver,
    silent,
    stripped,
    texts,
    unreachable,
    zone,
)

GENERAL, CORP, LAB = (MemoryUpstream(silent, f"tls://{name}") for name in ("all", "corp", "lab"))
ROUTES = Routes([GENERAL], [zone("corp.example", CORP), zone("lab.corp.example", LAB)])


@pytest.mark.parametrize(
    ("name", "rdtype", "upstream"),
    [
        ("www.example.com", "A", GENERAL),
        ("example", "A", GENERAL),
        (".", "DNSKEY", GENERAL),
        (".", "DS", GENERAL),
        ("notcorp.example", "A", GENERAL),
        ("corp.example", "A", CORP),
        ("corp.example", "DNSKEY", CORP),
        ("host.corp.example", "A", CORP),
        ("notlab.corp.example", "A", CORP),
        ("lab.corp.example", "SOA", LAB),
        ("a.b.lab.corp.example", "TXT", LAB),
    ],
)
def test_the_longest_domain_decides(name: str, rdtype: str, upstream: MemoryUpstream) -> None:
    assert ROUTES.of(question(name, rdtype)).upstreams == (upstream,)


@pytest.mark.parametrize(
    ("name", "upstream"),
    [
        ("example", GENERAL),
        ("corp.example", GENERAL),
        ("host.corp.example", CORP),
        ("lab.corp.example", CORP),
        ("host.lab.corp.example", LAB),
    ],
)
def test_the_ds_set_of_an_apex_is_asked_of_its_parents_upstream(
    name: str, upstream: MemoryUpstream
) -> None:
    assert ROUTES.of(question(name, "DS")).upstreams == (upstream,)


def test_without_zones_everything_is_general() -> None:
    routes = Routes([GENERAL])
    assert not routes.has_zones
    assert routes.of(question("host.corp.example")).is_general
    assert [route.is_general for route in routes] == [True]


def test_every_route_is_told() -> None:
    assert ROUTES.has_zones
    assert [route.is_general for route in ROUTES] == [True, False, False]


# ------------ Zones of the configuration, through a resolver ------------

PUBLIC = world_of(
    Plan(
        "good.lab.",
        "signed",
        records="""
            www     A      192.0.2.1
            in      CNAME  host.corp.lab.
            *.wild  CNAME  host.corp.lab.
            gone    CNAME  host.corp.
            old     DNAME  corp.lab.
        """,
    ),
    Plan("corp.lab.", "signed", records="host A 192.0.2.99"),
    Plan("loose.lab.", "unsigned", algorithms=()),
)
"""What the general upstream knows."""

HOSTS = "@ A 192.0.2.6\nhost A 192.0.2.7\nout CNAME www.good.lab."
PRIVATE = World(
    PUBLIC.now,
    plans=[
        Plan(".", "the root"),
        Plan("lab.", "a TLD"),
        Plan("corp.lab.", "signed", records=HOSTS),
        Plan("loose.lab.", "unsigned", records=HOSTS, algorithms=()),
        Plan("corp.", "a name that the root does not know", records=HOSTS, algorithms=()),
        Plan("signed.corp.", "signed, and unknown to the root", records=HOSTS),
    ],
)
"""What the zones' own upstream knows; the keys are the public ones."""


@dataclass
class Site:
    """A resolver at a site with zones of its own, and both upstreams."""

    resolver: Resolver
    general: MemoryUpstream
    own: MemoryUpstream


@asynccontextmanager
async def site(*zones: str, unchecked: tuple[str, ...] = (), **options: Any) -> AsyncIterator[Site]:
    general = MemoryUpstream(honest(PUBLIC), "tls://general")
    own = MemoryUpstream(honest(PRIVATE), "tls://own")
    routes = [zone(text, own, is_checked=text not in unchecked) for text in (*zones, *unchecked)]
    negative = [insecure(text) for text in unchecked]
    async with open_resolver(
        PUBLIC, general, zones=routes, negative=negative, **options
    ) as resolver:
        yield Site(resolver, general, own)


def below(domain: str, asked: list[str]) -> list[str]:
    """The questions about names below the domain."""
    return [
        text for text in asked if f".{domain}. " in f".{text}" and not text.startswith(f"{domain}.")
    ]


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("host.corp.lab", Status.SECURE),
        ("nx.corp.lab", Status.SECURE),
        ("corp.lab", Status.SECURE),
        ("host.loose.lab", Status.INSECURE),
        ("a.b.c.loose.lab", Status.INSECURE),
    ],
)
async def test_a_zone_is_asked_of_its_own_upstream_and_proven(name: str, status: Status) -> None:
    async with site("corp.lab", "loose.lab") as at:
        answer = await ask(at.resolver, name)
        assert answer.verdict.status is status
        assert answer.upstream == "tls://own"
        assert f"{name}. A" in at.own.asked


async def test_the_two_logs_are_apart() -> None:
    """The general upstream never sees a name of a zone, in walks for its chain neither."""
    async with site("corp.lab", "loose.lab", unchecked=("corp",)) as at:
        for name in (
            "host.corp.lab",
            "a.b.corp.lab",
            "host.loose.lab",
            "a.b.loose.lab",
            "x.y.corp",
        ):
            for rdtype in ("A", "DS", "DNSKEY", "TXT"):
                await ask(at.resolver, name, rdtype)
        for name in ("www.good.lab", "in.good.lab", "x.wild.good.lab", "gone.good.lab"):
            await ask(at.resolver, name)
        general, own = at.general.asked, at.own.asked
    for domain in ("corp.lab", "loose.lab", "corp"):
        assert below(domain, general) == []
        assert f"{domain}. A" not in general
        assert below(domain, own)
    assert [text for text in own if "good.lab" in text] == []
    assert [text for text in own if text.startswith((". ", "lab. "))] == []


async def test_the_ds_set_of_the_apex_is_the_general_upstreams() -> None:
    async with site("corp.lab") as at:
        answer = await ask(at.resolver, "corp.lab", "DS")
        assert (answer.verdict.status, answer.upstream) == (Status.SECURE, "tls://general")
        assert at.own.heard == []


@pytest.mark.parametrize("name", ["in.good.lab", "x.wild.good.lab", "host.old.good.lab"])
async def test_an_alias_into_a_zone_is_asked_there(name: str) -> None:
    async with site("corp.lab") as at:
        answer = await ask(at.resolver, name)
        assert answer.verdict.status is Status.SECURE
        assert answer.answer[-1].rrset.rdatas == (b"\xc0\0\2\7",)  # not what the public knows
        assert "host.corp.lab. A" in at.own.asked


async def test_an_alias_into_a_zone_that_the_public_denies_is_asked_there() -> None:
    async with site(unchecked=("corp",)) as at:
        answer = await ask(at.resolver, "gone.good.lab")
    assert (answer.verdict.status, answer.rcode) == (Status.INSECURE, rcodes.NOERROR)
    assert [checked.status for checked in answer.answer] == [Status.SECURE, Status.INSECURE]


async def test_an_alias_out_of_a_zone_is_asked_of_the_general_upstream() -> None:
    async with site("corp.lab") as at:
        answer = await ask(at.resolver, "out.corp.lab")
        assert (answer.verdict.status, len(answer.answer)) == (Status.SECURE, 2)
        assert "www.good.lab. A" in at.general.asked
        assert "www.good.lab. A" not in at.own.asked


@pytest.mark.parametrize("conduct", [unreachable, always(rcodes.SERVFAIL), always(rcodes.REFUSED)])
async def test_a_zone_never_fails_over_to_the_general_upstream(conduct: Conduct) -> None:
    general = MemoryUpstream(honest(PUBLIC), "tls://general")
    own = zone("corp.lab", MemoryUpstream(conduct, "tls://own"))
    async with open_resolver(PUBLIC, general, zones=[own]) as resolver:
        answer = await ask(resolver, "host.corp.lab")
        assert answer.verdict.status is Status.UNOBTAINABLE
        assert general.asked.count("host.corp.lab. A") == 0


async def test_one_that_cannot_be_proven_is_asked_of_the_zones_upstreams_alone() -> None:
    general = MemoryUpstream(honest(PUBLIC), "tls://general")
    spoilt, good = (
        MemoryUpstream(changed(PRIVATE, stripped)),
        MemoryUpstream(honest(PRIVATE), "tls://2"),
    )
    async with open_resolver(PUBLIC, general, zones=[zone("corp.lab", spoilt, good)]) as resolver:
        answer = await ask(resolver, "host.corp.lab")
        assert (answer.verdict.status, answer.upstream) == (Status.SECURE, "tls://2")
        assert below("corp.lab", general.asked) == []


@in_fast_motion
async def test_an_insecure_zone_causes_no_question_but_its_own() -> None:
    async with site(unchecked=("corp", "loose.lab")) as at:
        for name in ("host.corp", "host.loose.lab", "nx.corp"):
            answer = await ask(at.resolver, name)
            assert (answer.verdict.status, codes(answer)) == (Status.INSECURE, [])
        await trio.sleep(10)
        assert at.general.heard == []
        assert at.own.asked == ["host.corp. A", "host.loose.lab. A", "nx.corp. A"]


async def test_an_insecure_zone_wins_over_the_roots_proof_that_it_is_not_there() -> None:
    async with site(unchecked=("corp",)) as at:
        denied = await ask(at.resolver, "corp", "DS")
        assert (denied.verdict.status, denied.rcode) == (Status.SECURE, rcodes.NXDOMAIN)
        answer = await ask(at.resolver, "host.corp")
        assert (answer.verdict.status, answer.rcode) == (Status.INSECURE, rcodes.NOERROR)


@pytest.mark.parametrize(
    ("name", "code"), [("host.corp", 10), ("nx.corp", 12), ("corp", 10), ("host.signed.corp", 6)]
)
async def test_a_zone_that_its_parent_denies_is_bogus_and_the_cure_is_told(
    name: str, code: int
) -> None:
    async with site("corp") as at:
        answer = await ask(at.resolver, name)
        assert (answer.verdict.status, codes(answer)[0]) == (Status.BOGUS, code)
        hint = 'the root denies that there is a zone corp.: set dnssec = "insecure" in its [[zone]]'
        assert hint in texts(answer)
        assert hint in texts(await ask(at.resolver, name))  # from the cache as well


async def test_the_parent_that_denies_is_named() -> None:
    private = World(
        PUBLIC.now, plans=[Plan(".", "the root"), Plan("own.good.lab.", "x", algorithms=())]
    )
    own = MemoryUpstream(honest(private))
    general = MemoryUpstream(honest(PUBLIC))
    async with open_resolver(PUBLIC, general, zones=[zone("own.good.lab", own)]) as resolver:
        answer = await ask(resolver, "www.own.good.lab")
        assert texts(answer)[1].startswith("good.lab. denies that there is a zone own.good.lab.: ")


async def test_a_zone_whose_signatures_are_wrong_gets_no_such_cure() -> None:
    general = MemoryUpstream(honest(PUBLIC))
    own = MemoryUpstream(changed(PRIVATE, stripped))
    async with open_resolver(PUBLIC, general, zones=[zone("corp.lab", own)]) as resolver:
        answer = await ask(resolver, "host.corp.lab")
        assert answer.verdict.status is Status.BOGUS
        assert not any("insecure" in text for text in texts(answer))


async def test_an_alias_into_such_a_zone_tells_the_cure_too() -> None:
    async with site("corp") as at:
        answer = await ask(at.resolver, "gone.good.lab")
        assert answer.verdict.status is Status.BOGUS
        assert any("denies that there is a zone corp." in text for text in texts(answer))


@in_fast_motion
async def test_the_cure_takes_no_more_time_than_there_is() -> None:
    async def hangs_once_known(heard: Heard) -> Said:
        is_hint = general.asked.count("corp. DS") > 1
        return await (silent if is_hint else honest(PUBLIC))(heard)

    general = MemoryUpstream(hangs_once_known)
    own = zone("corp", MemoryUpstream(honest(PRIVATE)))
    async with open_resolver(PUBLIC, general, zones=[own], seconds=1.0) as resolver:
        answer = await ask(resolver, "host.corp")
        assert (answer.verdict.status, codes(answer)) == (Status.BOGUS, [10])
        assert trio.current_time() == pytest.approx(1.0)
