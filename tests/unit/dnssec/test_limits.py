"""Budgets: what is granted, what is refused, and who pays."""

import pytest

from anchord.dnssec.limits import Budget, Limits

LIMITS = Limits(
    signatures=3, failed_signatures=2, zone_signatures=2, zone_failed_signatures=1, hash_blocks=10
)


def test_the_limits_are_those_that_are_settled() -> None:
    limits = Limits()
    assert (limits.signatures, limits.failed_signatures) == (128, 16)
    assert (limits.zone_signatures, limits.zone_failed_signatures) == (16, 8)
    assert (limits.signatures_per_rrset, limits.keys_per_tag, limits.ds_per_zone) == (8, 4, 8)
    assert (limits.records_per_set, limits.effort, limits.upstream_records) == (128, 2048, 4096)
    assert (limits.denial_records, limits.nsec3_iterations, limits.hash_blocks) == (8, 50, 2048)
    assert (limits.aliases, limits.upstream_queries, limits.repeated_queries) == (11, 64, 16)


def test_so_many_signature_checks_are_granted_and_not_one_more() -> None:
    budget = Budget(LIMITS)
    assert [budget.spend_signature() for _ in range(4)] == [True, True, True, False]
    assert budget.exhausted == "too many signature checks"


def test_so_many_failures_are_granted_and_not_one_more() -> None:
    budget = Budget(LIMITS)
    assert [budget.spend_failure() for _ in range(3)] == [True, True, False]
    assert budget.exhausted == "too many signatures that do not verify"


def test_a_costly_failure_counts_as_several() -> None:
    budget = Budget(Limits(failed_signatures=5))
    assert [budget.spend_failure(cost) for cost in (4, 1, 1)] == [True, True, False]
    budget = Budget(Limits(failed_signatures=3))
    assert not budget.spend_failure(4)


def test_hashing_is_paid_by_the_block() -> None:
    budget = Budget(LIMITS)
    assert [budget.spend_hash(blocks) for blocks in (9, 1, 1)] == [True, True, False]
    assert budget.exhausted == "too much NSEC3 hashing"


@pytest.mark.parametrize("first", ["spend_signature", "spend_failure", "spend_hash"])
def test_after_one_limit_nothing_at_all_is_granted(first: str) -> None:
    budget = Budget(LIMITS)
    if first == "spend_hash":
        assert not budget.spend_hash(11)
    else:
        while getattr(budget, first)():
            pass
    told = budget.exhausted
    assert told
    assert not budget.spend_signature()
    assert not budget.spend_failure()
    assert not budget.spend_hash(1)
    assert budget.exhausted == told


def test_the_limit_that_was_hit_first_stays_the_reason_and_costs_nobody_more() -> None:
    query = Budget(LIMITS)
    step = Budget(LIMITS, payer=query)
    assert not step.spend_hash(11)
    for _ in range(4):
        assert not step.spend_signature()
    assert step.exhausted == "too much NSEC3 hashing"
    assert [query.spend_signature() for _ in range(3)] == [True, True, True]


def test_a_step_of_a_zone_proof_has_a_smaller_budget_of_its_own() -> None:
    query = Budget(LIMITS)
    step = Budget(LIMITS, payer=query)
    assert [step.spend_signature() for _ in range(3)] == [True, True, False]
    assert step.exhausted == "too many signature checks"
    assert not query.exhausted
    other = Budget(LIMITS, payer=query)
    assert [other.spend_failure() for _ in range(2)] == [True, False]
    assert other.exhausted == "too many signatures that do not verify"
    assert not query.exhausted


def test_the_query_that_a_zone_proof_is_made_for_pays_for_it_as_well() -> None:
    """Unbound, CVE-2026-50045: no quota begins anew with each question that is asked on the way."""
    query = Budget(LIMITS)
    granted = [Budget(LIMITS, payer=query).spend_signature() for _ in range(5)]
    assert granted == [True, True, True, False, False]
    assert query.exhausted == "too many signature checks"
    step = Budget(LIMITS, payer=query)
    assert not step.spend_hash(1)
    assert step.exhausted == "too many signature checks"


def test_hashing_in_a_zone_proof_is_paid_by_the_query() -> None:
    query = Budget(LIMITS)
    assert Budget(LIMITS, payer=query).spend_hash(10)
    step = Budget(LIMITS, payer=query)
    assert not step.spend_hash(1)
    assert step.exhausted == query.exhausted == "too much NSEC3 hashing"
