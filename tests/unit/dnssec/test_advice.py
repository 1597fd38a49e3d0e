"""What should be mended although it holds."""

import pytest
from msgspec.structs import replace

from anchord.config.anchors import read
from anchord.dnssec.advice import advice
from anchord.dnssec.algorithms import STRONG, Supported
from anchord.dnssec.anchors import trust_anchors
from anchord.dnssec.asking import Context
from anchord.dnssec.replay import Zones, validate_question
from anchord.lab import keys
from anchord.lab.denial import Nsec3
from anchord.lab.plan import Plan
from anchord.lab.world import World
from anchord.model import names, rdtypes
from anchord.model.chain import Link
from anchord.model.question import Question
from anchord.model.verdict import Answer, Status
from support.judging import rrset

NOW = 1_790_000_000


def advised(plan: Plan, name: str, rdtype: int = rdtypes.A, now: int = NOW) -> tuple[str, ...]:
    return advice(_answer(plan, name, rdtype, now), now)


def _answer(plan: Plan, name: str, rdtype: int, now: int) -> Answer:
    world = World(NOW, plans=(Plan(".", "root"), plan))
    sha1 = frozenset({keys.RSASHA1, keys.RSASHA1_NSEC3_SHA1})
    supported = replace(Supported(), algorithms=STRONG | sha1)
    context = Context(
        trust_anchors(read(world.trust_anchors(), "lab")), Zones(), supported=supported
    )
    answer = validate_question(Question(names.from_text(name), rdtype), world.answer, context, now)
    assert isinstance(answer, Answer)
    return answer


def test_a_zone_in_good_order_is_left_alone() -> None:
    assert advised(Plan("example", ""), "example") == ()


def test_short_rsa_keys_are_named_with_their_size() -> None:
    plan = Plan("example", "", algorithms=(keys.RSASHA256,), rsa_bits=1024)
    assert [s for s in advised(plan, "example") if "1024 bits" in s]


@pytest.mark.parametrize(
    ("algorithm", "bits", "is_named"),
    [(8, 1, True), (5, 2047, True), (7, 2047, True), (10, 2047, True), (8, 2048, False),
     (8, 0, False), (13, 504, False)],
)  # fmt: skip
def test_rsa_keys_of_less_than_2048_bits_are_named_and_no_others(
    algorithm: int, bits: int, is_named: bool
) -> None:
    """Nor those that cannot be read, or that would be short if they were RSA keys."""
    modulus = (1 << bits >> 1).to_bytes((bits + 7) // 8)
    rdata = bytes((1, 0, 3, algorithm, 1, 3)) + modulus
    link = Link(names.ROOT, Status.SECURE, dnskey=rrset(".", "DNSKEY", rdata))
    answer = _answer(Plan("example", ""), "example", rdtypes.A, NOW)
    sentences = advice(replace(answer, verdict=replace(answer.verdict, chain=(link,))), NOW)
    assert [f"is RSA with {bits} bits only" in s for s in sentences] == [True] * is_named


def test_sha1_in_ds_records_and_signatures_is_named() -> None:
    plan = Plan("example", "", algorithms=(keys.RSASHA1,), digest_types=(keys.SHA1, keys.SHA256))
    sentences = advised(plan, "example")
    assert any("digest type 1 (SHA-1)" in sentence for sentence in sentences)
    assert any("example. A is signed with 5 (RSASHA1)" in sentence for sentence in sentences)


def test_signatures_that_end_within_a_day_are_named_with_the_time_left() -> None:
    plan = Plan("example", "", faults="expires-in 3600 A")
    assert advised(plan, "example") == (
        f"the RRSIG of example. A by key {_zone_signer(plan)} expires in 1 hour",
    )


@pytest.mark.parametrize(("seconds", "is_named"), [(86399, True), (86400, False)])
def test_a_day_is_soon(seconds: int, is_named: bool) -> None:
    sentences = advised(Plan("example", "", faults=f"expires-in {seconds} A"), "example")
    assert ["expires in 23 hours" in sentence for sentence in sentences] == [True] * is_named


def test_the_signatures_of_the_chain_are_named_as_well() -> None:
    sentences = advised(Plan("example", ""), "example", now=NOW + 30 * 86400 - 60)
    named = [sentence.split(" by key ")[0] for sentence in sentences]
    assert named == [
        f"the RRSIG of {what}"
        for what in (". DNSKEY", "example. DS", "example. DNSKEY", "example. A")
    ]


def test_there_is_no_advice_about_parts_that_are_not_secure() -> None:
    answer = _answer(Plan("example", "", faults="expires-in 3600 A"), "example", rdtypes.A, NOW)
    parts = tuple(replace(checked, status=Status.INSECURE) for checked in answer.answer)
    assert len(advice(answer, NOW)) == 1
    assert advice(replace(answer, answer=parts), NOW) == ()


def _zone_signer(plan: Plan) -> int:
    world = World(NOW, plans=(Plan(".", "root"), plan))
    return world.zone(names.from_text("example")).zone_signers[0].key_tag


def test_nsec3_salt_and_iterations_are_named() -> None:
    plan = Plan("example", "", denial=Nsec3(5, b"salt"))
    sentences = advised(plan, "nx.example")
    assert "example.: NSEC3 with 5 iterations (RFC 9276 wants 0)" in sentences
    assert "example.: NSEC3 with a salt (RFC 9276 wants none)" in sentences


def test_there_is_no_advice_about_what_is_not_secure() -> None:
    plan = Plan("example", "", faults="expired", algorithms=(keys.RSASHA256,), rsa_bits=1024)
    answer = _answer(plan, "example", rdtypes.A, NOW)
    assert answer.verdict.status is Status.BOGUS
    assert advice(answer, NOW) == ()


def test_what_cannot_be_read_is_passed_over() -> None:
    answer = _answer(Plan("example", "", denial=Nsec3(5)), "nx.example", rdtypes.A, NOW)
    good = advice(answer, NOW)
    spoilt = replace(
        answer,
        authority=tuple(
            replace(checked, rrset=replace(checked.rrset, rdatas=(b"",), signatures=(b"",)))
            for checked in answer.authority
        ),
    )
    assert good == ("example.: NSEC3 with 5 iterations (RFC 9276 wants 0)",)
    assert advice(spoilt, NOW) == ()


def test_what_only_looks_like_an_nsec3_record_is_passed_over() -> None:
    answer = _answer(Plan("example", "", denial=Nsec3(5)), "nx.example", rdtypes.A, NOW)
    others = tuple(
        replace(checked, rrset=replace(checked.rrset, rdtype=65280)) for checked in answer.authority
    )
    assert advice(replace(answer, authority=others), NOW) == ()


def test_signatures_that_have_ended_beside_good_ones_are_no_news() -> None:
    answer = _answer(Plan("example", ""), "example", rdtypes.A, NOW)
    assert advice(answer, NOW + 365 * 86400) == ()


def test_a_link_that_holds_no_records_needs_no_mending() -> None:
    answer = _answer(Plan("example", ""), "example", rdtypes.A, NOW)
    bare = replace(answer.verdict, chain=(Link(names.ROOT, Status.SECURE),))
    assert advice(replace(answer, verdict=bare), NOW) == ()


def test_nsec3_in_good_order_is_left_alone() -> None:
    assert advised(Plan("example", "", denial=Nsec3()), "nx.example") == ()
