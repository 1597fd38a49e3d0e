"""What counts as an open block, and what as a filter in disguise."""

from typing import Any

import pytest
from msgspec.structs import replace

from anchord.lab.plan import Plan
from anchord.model import names, rcodes, rdtypes
from anchord.model.chain import Link
from anchord.model.ede import Ede, EdeCode
from anchord.model.response import Response, RRset, Unanswered
from anchord.model.verdict import Answer, Checked, Flaw, Status, Verdict
from anchord.resolver.filtering import blocker, is_block, suspicion
from support.lab import question, world_of
from support.walk import (
    Conduct,
    Heard,
    MemoryUpstream,
    Said,
    ask,
    changed,
    codes,
    honest,
    open_resolver,
    stripped,
    texts,
)

WWW = names.from_text("www.good.lab")
QUESTION = question("www.good.lab")


def response(
    *answer: RRset,
    rcode: int = rcodes.NOERROR,
    edes: tuple[Ede, ...] = (),
    recursion_available: bool = True,
) -> Response:
    return Response(
        QUESTION,
        rcode,
        answer,
        edes=edes,
        recursion_available=recursion_available,
        upstream="tls://one",
        is_authenticated=True,
    )


def addresses(rdtype: int, *rdatas: bytes, signatures: tuple[bytes, ...] = ()) -> RRset:
    return RRset(WWW, rdtype, 300, rdatas, signatures)


BLOCKS = {
    "blocked": response(edes=(Ede(15),)),
    "censored": response(edes=(Ede(22), Ede(16, "by order of a court"))),
    "filtered": response(rcode=rcodes.SERVFAIL, edes=(Ede(17),)),
    "denied without RA": response(rcode=rcodes.NXDOMAIN, recursion_available=False),
    "0.0.0.0": response(addresses(rdtypes.A, bytes(4))),
    "::": response(addresses(rdtypes.AAAA, bytes(16))),
}

OTHERS = {
    "another Extended DNS Error": response(edes=(Ede(18), Ede(22))),
    "denied": response(rcode=rcodes.NXDOMAIN),
    "no data without RA": response(recursion_available=False),
    "0.0.0.0, signed": response(addresses(rdtypes.A, bytes(4), signatures=(b"signature",))),
    "0.0.0.0 and more": response(addresses(rdtypes.A, bytes(4), b"\xc0\0\2\1")),
    "zeros of another type": response(addresses(rdtypes.TXT, bytes(4))),
}


@pytest.mark.parametrize("said", BLOCKS.values(), ids=BLOCKS)
def test_a_block_over_an_authenticated_channel_counts(said: Response) -> None:
    assert is_block(said)
    assert blocker(said) == "tls://one"


@pytest.mark.parametrize("said", BLOCKS.values(), ids=BLOCKS)
def test_one_that_anybody_on_the_way_could_have_made_does_not(said: Response) -> None:
    assert not is_block(replace(said, is_authenticated=False))


@pytest.mark.parametrize("said", OTHERS.values(), ids=OTHERS)
def test_nothing_else_is_a_block(said: Response) -> None:
    assert not is_block(said)
    assert blocker(said) == ""


def test_no_answer_may_be_a_block_too() -> None:
    assert blocker(Unanswered(QUESTION, ())) == ""
    assert blocker(Unanswered(QUESTION, (), blocked_by="tls://two")) == "tls://two"


# ------------ Rewriting ------------


def rewritten(
    rdtype: int = rdtypes.CNAME,
    *,
    code: EdeCode = EdeCode.RRSIGS_MISSING,
    status: Status = Status.BOGUS,
    link: Status = Status.SECURE,
    signatures: tuple[bytes, ...] = (),
) -> Answer:
    return Answer(
        QUESTION,
        rcodes.NOERROR,
        (Checked(addresses(rdtype, b"\4safe\0", signatures=signatures), status),),
        (),
        Verdict(status, (Flaw(code, "no RRSIG", WWW),), (Link(names.from_text("good.lab"), link),)),
        ttl=0,
        upstream="tls://one",
    )


@pytest.mark.parametrize("rdtype", [rdtypes.A, rdtypes.AAAA, rdtypes.CNAME])
def test_unsigned_data_in_a_zone_that_is_proven_may_come_from_a_filter(rdtype: int) -> None:
    hint = suspicion(rewritten(rdtype))
    assert hint is not None
    assert hint.text.startswith("tls://one may be a filter that rewrites www.good.lab.: ")


@pytest.mark.parametrize(
    "answer",
    [
        rewritten(rdtypes.TXT),
        rewritten(code=EdeCode.SIGNATURE_EXPIRED),
        rewritten(status=Status.INSECURE),
        rewritten(link=Status.BOGUS),
        rewritten(signatures=(b"signature",)),
    ],
    ids=["another type", "another flaw", "not bogus", "chain broken", "signed"],
)
def test_nothing_else_is_suspicious(answer: Answer) -> None:
    assert suspicion(answer) is None


# ------------ Through a resolver ------------

WORLD = world_of(
    Plan("good.lab.", "signed", records="www A 192.0.2.1\nwww AAAA 2001:db8::1\nmail MX 1 www"),
    Plan("loose.lab.", "unsigned", records="www A 192.0.2.2", algorithms=()),
)


def blocking(answer: Response | None = None, *edes: Ede, **changes: Any) -> Conduct:
    """Blocks the addresses of `www`, and is honest about everything else."""

    async def conduct(heard: Heard) -> Said:
        asked = heard.query.question
        if asked.rdtype != rdtypes.A or not asked.name.startswith(b"\3www"):
            return await honest(WORLD)(heard)
        said = answer or Response(asked, rcodes.NXDOMAIN)
        sets = tuple(replace(each, name=asked.name) for each in said.answer)
        return replace(said, question=asked, answer=sets, edes=edes, **changes)

    return conduct


NOWHERE = response(addresses(rdtypes.A, bytes(4)))
SIGNALS = {
    "EDE 15": (blocking(None, Ede(15, "malware")), 12),
    "EDE 16": (blocking(None, Ede(16)), 12),
    "EDE 17, REFUSED": (blocking(None, Ede(17), rcode=rcodes.REFUSED), 22),
    "EDE 15, SERVFAIL": (blocking(None, Ede(15), rcode=rcodes.SERVFAIL), 22),
    "NXDOMAIN without RA": (blocking(None, recursion_available=False), 12),
    "0.0.0.0": (blocking(NOWHERE), 10),
}


def upstreams(conduct: Conduct, **options: bool) -> tuple[MemoryUpstream, MemoryUpstream]:
    return (
        MemoryUpstream(conduct, "tls://filter", **options),
        MemoryUpstream(honest(WORLD), "tls://other"),
    )


@pytest.mark.parametrize(("conduct", "code"), SIGNALS.values(), ids=SIGNALS)
@pytest.mark.parametrize("is_known", [True, False], ids=["known zone", "all cold"])
async def test_a_blocked_name_is_asked_of_nobody_else(
    conduct: Conduct, code: int, *, is_known: bool
) -> None:
    """Unbound, CVE-2026-50243: nor does a block make an answer of what is bogus."""
    blocks, other = upstreams(conduct)
    async with open_resolver(WORLD, blocks, other) as resolver:
        if is_known:
            await ask(resolver, "mail.good.lab", "MX")
        answer = await ask(resolver, "www.good.lab")
        assert answer.verdict.status.is_failure
        assert codes(answer)[0] == code
        assert 15 in codes(answer)
        assert any("tls://filter" in text for text in texts(answer) if "block" in text)
        assert other.heard == []
        again = await ask(resolver, "www.good.lab")
        assert codes(again)[0] == code
        assert {15, 13} < set(codes(again))
    assert [heard.text for heard in blocks.heard].count("www.good.lab. A") == 1


@pytest.mark.parametrize("signal", SIGNALS)
async def test_without_authentication_it_may_be_a_forgery_and_another_is_asked(
    signal: str,
) -> None:
    blocks, other = upstreams(SIGNALS[signal][0], is_encrypted=False)
    async with open_resolver(WORLD, blocks, other) as resolver:
        answer = await ask(resolver, "www.good.lab")
    assert (answer.verdict.status, answer.upstream) == (Status.SECURE, "tls://other")


@pytest.mark.parametrize("name", ["EDE 15", "EDE 16", "NXDOMAIN without RA", "0.0.0.0"])
async def test_below_an_insecure_zone_a_block_is_passed_on_as_it_came(name: str) -> None:
    blocks, other = upstreams(SIGNALS[name][0])
    async with open_resolver(WORLD, blocks, other) as resolver:
        answer = await ask(resolver, "www.loose.lab")
    assert answer.verdict.status is Status.INSECURE
    assert answer.rcode == (rcodes.NOERROR if name == "0.0.0.0" else rcodes.NXDOMAIN)
    assert [text.partition(":")[0] for text in texts(answer)] == (
        ["from tls"] if name.startswith("EDE") else []
    )
    assert other.heard == []


async def test_a_name_that_its_zone_points_nowhere_is_no_block() -> None:
    """0.0.0.0 with a signature is what the zone itself says."""
    world = world_of(Plan("good.lab.", "signed", records="www A 0.0.0.0"))
    one = MemoryUpstream(honest(world))
    async with open_resolver(world, one) as resolver:
        answer = await ask(resolver, "www.good.lab")
    assert (answer.verdict.status, codes(answer)) == (Status.SECURE, [])


async def test_a_filter_that_rewrites_in_silence_is_suspected() -> None:
    """Safe searches answer with an alias to another host of the provider's."""
    alias = addresses(rdtypes.CNAME, names.from_text("safe.example"))
    one, _ = upstreams(blocking(response(alias)))
    async with open_resolver(WORLD, one) as resolver:
        answer = await ask(resolver, "www.good.lab")
    assert answer.verdict.status is Status.BOGUS
    assert codes(answer) == [10, 0]
    assert texts(answer)[1].startswith("tls://filter may be a filter that rewrites www.good.lab.")


async def test_so_is_one_that_answers_with_an_address_of_its_own() -> None:
    one, _ = upstreams(blocking(response(addresses(rdtypes.A, b"\xcb\0\x71\x06"))))
    async with open_resolver(WORLD, one) as resolver:
        answer = await ask(resolver, "www.good.lab")
    assert (answer.verdict.status, codes(answer)) == (Status.BOGUS, [10, 0])


async def test_an_upstream_that_strips_everything_is_no_filter() -> None:
    one = MemoryUpstream(changed(WORLD, stripped))
    async with open_resolver(WORLD, one) as resolver:
        answer = await ask(resolver, "www.good.lab")
    assert answer.verdict.status is Status.BOGUS
    assert 0 not in codes(answer)
