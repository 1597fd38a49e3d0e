"""The verdict over chains of any octets: it is always there, and never a match by accident."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchord.dane.certificate import Certificate
from anchord.dane.match import Judgement, judge
from anchord.dane.path import MOST_SIGNATURES
from anchord.dane.pkix import Trust, Validated
from anchord.dane.tlsa import Tlsa
from anchord.lab.chains import CHAINS, issue, records_of

HOST = "host.example.org"
CHAIN = CHAINS["good"](HOST)
TRUST = Trust([CHAIN.parts["root"].certificate], "the test's roots")
EVERY = records_of(
    "3 1 1 leaf; 3 0 1 leaf; 2 1 1 root; 2 0 1 issuer; 1 1 1 leaf; 0 0 1 issuer; "
    "2 0 0 root; 2 1 0 root",
    CHAIN,
)
STRANGERS = records_of(
    "3 1 1 leaf; 3 0 1 leaf; 2 1 1 root; 2 0 0 root; 2 1 0 root; 1 1 1 leaf",
    CHAINS["good"](HOST),
)


def verdict(ders: list[bytes], records: list[Tlsa]) -> Judgement:
    return judge(
        [Certificate(der) for der in ders],
        records,
        names=[HOST],
        now=datetime.now(UTC),
        trust=TRUST,
    )


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4))
def test_octets_that_are_no_certificates_fit_nothing(ders: list[bytes]) -> None:
    judgement = verdict(ders, EVERY)
    assert judgement.fit is None
    assert all(judgement.reasons)


@given(
    which=st.integers(0, 2),
    position=st.integers(0, 10_000),
    value=st.integers(0, 255),
    cut=st.booleans(),
)
def test_a_certificate_with_an_octet_changed_never_fits_by_what_it_was(
    which: int, position: int, value: int, *, cut: bool
) -> None:
    """Strangers' records never fit, and one about the changed certificate's octets does not."""
    ders = list(CHAIN.ders)
    der = ders[which]
    at = position % len(der)
    changed = der[:at] if cut else der[:at] + bytes((value,)) + der[at + 1 :]
    ders[which] = changed
    assert verdict(ders, STRANGERS).fit is None
    if changed != der:
        whole = records_of(["3 0 1 leaf", "2 0 1 issuer", "2 0 1 root"][which], CHAIN)
        assert verdict(ders, whole).fit is None


@given(st.permutations(range(3)))
def test_only_the_place_of_the_first_certificate_means_anything(order: list[int]) -> None:
    ders = [CHAIN.ders[index] for index in order]
    fits = verdict(ders, records_of("2 1 1 root", CHAIN)).fit is not None
    assert fits is (order[0] == 0)


@given(st.permutations(EVERY))
def test_the_order_of_the_records_changes_no_verdict(records: list[Tlsa]) -> None:
    judgement = verdict(CHAIN.ders, records)
    assert judgement.fit is not None
    assert records[judgement.fit.index].usage == 3


def test_nothing_presented_is_no_question() -> None:
    with pytest.raises(ValueError, match="nothing was presented"):
        verdict([], EVERY)


def test_pkix_is_told_beside_dane() -> None:
    assert isinstance(verdict(CHAIN.ders, EVERY).pkix, Validated)
    assert not isinstance(verdict(CHAINS["good"](HOST).ders, EVERY).pkix, Validated)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("3 1 1 issuer", "1 up: publish usage 2"),
        ("3 0 1 nothing", "the digest of nothing"),
        ("3 0 1 pem", "the digest of the PEM file"),
        ("2 1 1 leaf", "publish usage 3"),
        ("2 1 1 aa" + "00" * 31, "none of the CAs"),
    ],
)
def test_a_reason_says_what_was_done_wrong(text: str, reason: str) -> None:
    judgement = verdict(CHAIN.ders, records_of(text, CHAIN))
    assert reason in judgement.reasons[0]


def test_the_wrong_selector_is_recognised() -> None:
    (of_key,) = records_of("3 1 1 leaf", CHAIN)
    wrong = Tlsa(3, 0, 1, of_key.data)
    assert "selector 1" in verdict(CHAIN.ders, [wrong]).reasons[0]


def test_two_hundred_records_over_two_hundred_certificates_cost_no_more_signatures_than_one(
    signature_checks: list[None],
) -> None:
    """As many of both as a hostile zone and its server can bring, each usage among them."""
    strangers = [issue(f"stranger {number}", is_ca=True).der for number in range(20)]
    ders = [CHAIN.leaf.der, *strangers * 10]
    records = [
        Tlsa(number % 4, number // 4 % 2, 1 + number // 8 % 2, bytes((number,)) * length)
        for number in range(180)
        for length in ((32, 64)[number // 8 % 2],)
    ]
    records += [Tlsa(2, 0, 0, der) for der in strangers]
    judgement = verdict(ders, records)
    assert len(signature_checks) <= MOST_SIGNATURES
    assert judgement.fit is None
    assert len(judgement.reasons) == 200
