"""For how long each kind of answer may be kept, and what is written into it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchord.cache import policy
from anchord.model import names, rcodes, rdtypes
from anchord.model.question import Question
from anchord.model.response import RRset
from anchord.model.verdict import Answer, Checked, Status, Verdict

NAME = names.from_text("www.example.com")
ZONE = names.from_text("example.com")
DAY = 86_400


def records(rdtype: int, ttl: int, status: Status = Status.SECURE) -> Checked:
    return Checked(RRset(NAME, rdtype, ttl, (b"rdata",)), status)


def soa(ttl: int, minimum: int, status: Status = Status.SECURE) -> Checked:
    rdata = b"\0\0" + bytes(16) + minimum.to_bytes(4)
    return Checked(RRset(ZONE, rdtypes.SOA, ttl, (rdata,)), status)


def answered(
    *answer: Checked,
    authority: tuple[Checked, ...] = (),
    rcode: int = rcodes.NOERROR,
    status: Status = Status.SECURE,
    rdtype: int = rdtypes.A,
    holds: int = 0x7FFFFFFF,
) -> Answer:
    return Answer(Question(NAME, rdtype), rcode, answer, authority, Verdict(status), holds)


def kept(answer: Answer) -> int:
    return policy.time_to_live(answer)


# ------------ Positive answers ------------


def test_a_positive_answer_is_kept_for_the_lowest_ttl_of_its_records() -> None:
    chain = answered(records(rdtypes.CNAME, 3600), records(rdtypes.A, 60))
    assert kept(chain) == 60


def test_the_proof_of_a_wildcard_answer_bounds_it_as_well() -> None:
    wildcard = answered(records(rdtypes.A, 3600), authority=(records(rdtypes.NSEC, 300),))
    assert kept(wildcard) == 300


def test_nothing_is_kept_for_longer_than_a_day() -> None:
    assert kept(answered(records(rdtypes.A, 7 * DAY))) == DAY
    denial = answered(authority=(soa(7 * DAY, 7 * DAY), records(rdtypes.NSEC, 7 * DAY)))
    assert kept(denial) == DAY


def test_no_answer_is_kept_after_a_signature_of_its_chain_has_expired() -> None:
    assert kept(answered(records(rdtypes.A, 3600), holds=60)) == 60
    denial = answered(authority=(soa(3600, 3600), records(rdtypes.NSEC, 3600)), holds=60)
    assert kept(denial) == 60


def test_a_ttl_of_zero_is_not_kept() -> None:
    assert kept(answered(records(rdtypes.A, 0))) == 0


def test_a_dname_whose_substitution_is_too_long_is_kept_as_the_dname_it_is() -> None:
    too_long = answered(records(rdtypes.DNAME, 600), rcode=rcodes.YXDOMAIN)
    assert kept(too_long) == 600


def test_any_data_answer_a_question_for_any_type() -> None:
    assert kept(answered(records(rdtypes.HINFO, 600), rdtype=rdtypes.ANY)) == 600


# ------------ Denials ------------


@pytest.mark.parametrize("rcode", [rcodes.NOERROR, rcodes.NXDOMAIN])
@pytest.mark.parametrize(
    ("soa_ttl", "minimum", "nsec_ttl", "expected"),
    [(100, 200, 300, 100), (200, 100, 300, 100), (300, 200, 100, 100)],
)
def test_a_denial_is_kept_for_the_least_of_soa_ttl_soa_minimum_and_nsec_ttl(
    rcode: int, soa_ttl: int, minimum: int, nsec_ttl: int, expected: int
) -> None:
    authority = (soa(soa_ttl, minimum), records(rdtypes.NSEC, nsec_ttl))
    assert kept(answered(authority=authority, rcode=rcode)) == expected


def test_an_alias_to_nothing_is_a_denial_bounded_by_the_alias() -> None:
    authority = (soa(3600, 600),)
    alias = answered(records(rdtypes.CNAME, 900), authority=authority)
    assert policy.is_negative(alias)
    assert kept(alias) == 600
    assert kept(answered(records(rdtypes.CNAME, 30), authority=authority)) == 30


def test_an_alias_that_was_asked_for_is_no_denial() -> None:
    assert not policy.is_negative(answered(records(rdtypes.CNAME, 900), rdtype=rdtypes.CNAME))


@pytest.mark.parametrize("status", [Status.INSECURE, Status.INDETERMINATE])
def test_a_denial_without_a_proof_is_kept_for_three_hours_at_most(status: Status) -> None:
    denial = answered(authority=(soa(DAY, DAY, status),), status=status, rcode=rcodes.NXDOMAIN)
    assert kept(denial) == 3 * 3600


def test_a_denial_without_an_soa_is_kept_for_moments_only() -> None:
    assert kept(answered(status=Status.INSECURE)) == policy.NEGATIVE_WITHOUT_SOA_TTL


def test_a_proven_denial_needs_no_soa() -> None:
    assert kept(answered(authority=(records(rdtypes.NSEC3, 300),))) == 300


def test_an_unproven_nsec_does_not_stand_in_for_an_soa() -> None:
    authority = (records(rdtypes.NSEC, 300, Status.INSECURE),)
    assert kept(answered(authority=authority, status=Status.INSECURE)) == 5


def test_an_soa_that_cannot_be_read_keeps_the_denial_out() -> None:
    assert kept(answered(authority=(records(rdtypes.SOA, 300),))) == 0


def test_an_error_that_a_server_gave_as_its_answer_is_kept_for_moments_only() -> None:
    refused = answered(authority=(soa(3600, 3600),), rcode=rcodes.REFUSED, status=Status.INSECURE)
    assert kept(refused) == policy.UNOBTAINABLE_TTL


# ------------ Failures ------------


@pytest.mark.parametrize(
    ("status", "limit"),
    [(Status.BOGUS, policy.BOGUS_TTL), (Status.UNOBTAINABLE, policy.UNOBTAINABLE_TTL)],
)
def test_failures_are_kept_shortly_and_no_longer_than_their_records(
    status: Status, limit: int
) -> None:
    assert kept(answered(records(rdtypes.A, DAY), status=status)) == limit
    assert kept(answered(records(rdtypes.A, 3), status=status)) == 3
    assert kept(answered(status=status, rcode=rcodes.SERVFAIL)) == limit


@pytest.mark.parametrize("status", [Status.BOGUS, Status.UNOBTAINABLE])
def test_failures_are_kept_for_a_second_even_where_their_records_are_not(status: Status) -> None:
    assert kept(answered(records(rdtypes.A, 0), status=status)) == 1


def test_failure_times_are_what_rfc_9520_allows() -> None:
    for seconds in (policy.MIN_FAILURE_TTL, policy.BOGUS_TTL, policy.UNOBTAINABLE_TTL):
        assert 1 <= seconds <= 300


# ------------ What is written into the answer ------------


def test_the_records_of_a_positive_answer_keep_their_own_ttls_up_to_a_day() -> None:
    chain = answered(records(rdtypes.CNAME, 7 * DAY), records(rdtypes.A, 60))
    bounded = policy.bounded(chain)
    assert bounded.ttl == 60
    assert [checked.rrset.ttl for checked in bounded.answer] == [DAY, 60]


def test_the_soa_of_a_denial_says_no_more_than_the_denial_is_kept_for() -> None:
    bounded = policy.bounded(answered(authority=(soa(3600, 60), records(rdtypes.NSEC, 3600))))
    assert bounded.ttl == 60
    assert [checked.rrset.ttl for checked in bounded.authority] == [60, 60]


def test_the_records_of_a_failure_end_with_it() -> None:
    bounded = policy.bounded(answered(records(rdtypes.A, DAY), status=Status.BOGUS))
    assert bounded.answer[0].rrset.ttl == bounded.ttl == policy.BOGUS_TTL


def test_an_answer_whose_ttls_fit_stays_as_it_is() -> None:
    answer = answered(records(rdtypes.A, 60))
    assert policy.bounded(answer).answer is answer.answer


SECTIONS = st.lists(
    st.builds(
        records,
        st.sampled_from([rdtypes.A, rdtypes.CNAME, rdtypes.NSEC, rdtypes.DNAME]),
        st.integers(0, 10 * DAY),
        st.sampled_from(list(Status)),
    )
    | st.builds(soa, st.integers(0, 10 * DAY), st.integers(0, 0xFFFFFFFF)),
    max_size=4,
).map(tuple)


@given(
    answer=SECTIONS,
    authority=SECTIONS,
    rcode=st.sampled_from([rcodes.NOERROR, rcodes.NXDOMAIN, rcodes.SERVFAIL, rcodes.YXDOMAIN]),
    status=st.sampled_from(list(Status)),
)
def test_no_answer_outlives_its_records_but_for_moments_that_failures_are_kept(
    answer: tuple[Checked, ...], authority: tuple[Checked, ...], rcode: int, status: Status
) -> None:
    whole = answered(*answer, authority=authority, rcode=rcode, status=status)
    bounded = policy.bounded(whole)
    denial_or_data = rcode in (rcodes.NOERROR, rcodes.NXDOMAIN) or not policy.is_negative(whole)
    ttls = [checked.rrset.ttl for checked in (*answer, *authority)]
    assert 0 <= bounded.ttl <= DAY
    if denial_or_data and not status.is_failure:
        assert bounded.ttl <= min(ttls, default=policy.NEGATIVE_WITHOUT_SOA_TTL)
    assert policy.bounded(bounded) == bounded
