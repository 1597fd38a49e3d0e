"""What counts as an open block, and what as a filter in disguise."""

from dataclasses import replace

import pytest

from anchord.model import names, rcodes, rdtypes
from anchord.model.chain import Link
from anchord.model.ede import Ede, EdeCode
from anchord.model.response import Response, RRset, Unanswered
from anchord.model.verdict import Answer, Checked, Flaw, Status, Verdict
from anchord.resolver.filtering import blocker, is_block, suspicion
from support.lab import question

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
