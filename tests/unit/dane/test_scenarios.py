"""Every service and every mail domain of the lab gets the result that the table says."""

import json

import pytest

from anchord.dane.results import Duty, Result, as_json
from anchord.lab.dane_table import MAIL, SCENARIOS, MailDomain, Scenario

from .conftest import Results


def with_rules(one: Scenario | MailDomain) -> str:
    """What it is called, and the rules that it shows, by their numbers in `docs/dane.md`."""
    rules = ", ".join(f"{rule:02}" for rule in one.rules)
    return f"{one.host if isinstance(one, Scenario) else one.name}, rule {rules}"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=with_rules)
def test_a_service_gets_the_result_of_the_table(scenario: Scenario, results: Results) -> None:
    check = results.checks[scenario.host]
    assert check.result is scenario.result, (check.reason, check.addresses)


@pytest.mark.parametrize("domain", MAIL, ids=with_rules)
def test_a_mail_domain_gets_the_policy_of_the_table(domain: MailDomain, results: Results) -> None:
    mail = results.domains[domain.name]
    assert (mail.policy, mail.mx_security) == (domain.policy, domain.mx_security), mail.reason
    found = {check.host: check.result for check in mail.mx}
    for host in domain.hosts:
        assert found[f"{host.name.format(domain=domain.name)}.{domain.zone}"] is host.result


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.host)
def test_a_result_that_is_no_match_says_why(scenario: Scenario, results: Results) -> None:
    check = results.checks[scenario.host]
    if check.result is Result.MATCH:
        assert (check.reason, check.failure) == ("", "")
        assert check.matched is not None
    elif check.result is Result.NO_TLSA and check.records:
        assert any("none that can be used" in warning for warning in check.warnings)
    else:
        assert check.reason
        assert check.matched is None


def test_what_a_client_must_do_follows_from_the_records_alone(results: Results) -> None:
    for host, duty in {
        "ee": Duty.AUTHENTICATED,
        "ee-other-key": Duty.AUTHENTICATED,
        "hangs": Duty.AUTHENTICATED,
        "forged": Duty.AUTHENTICATED,
        "silent": Duty.AUTHENTICATED,
        "smtp-pkix": Duty.MANDATORY,
        "smtp-pkix-strips": Duty.MANDATORY,
        "unusable": Duty.OPPORTUNISTIC,
        "absent": Duty.OPPORTUNISTIC,
        "unsigned": Duty.OPPORTUNISTIC,
    }.items():
        assert results.checks[host].tls is duty, host


def test_the_json_has_the_fields_of_the_interface(results: Results) -> None:
    check = json.loads(as_json(results.checks["ta"]))
    assert {
        "host", "port", "proto", "base_domain", "result", "tls", "security", "records", "matched",
        "addresses", "chain", "pkix", "warnings",
    } <= set(check)  # fmt: skip
    assert check["matched"] == {"index": 0, "depth": 2}
    assert (check["result"], check["tls"], check["security"]) == (
        "match",
        "authenticated",
        "secure",
    )
    assert {"usage", "selector", "matching_type", "data", "usable", "reason"} == set(
        check["records"][0]
    )
    assert {"subject", "issuer", "not_after", "sha256", "pem"} <= set(check["chain"][0])
    assert check["addresses"][0]["address"] == "127.0.0.1"
    assert check["addresses"][0]["result"] == "match"
    assert set(check["pkix"]) == {"valid", "reason"}
    mail = json.loads(as_json(results.domains["mail"]))
    assert {"domain", "mx_security", "policy", "mx", "mta_sts", "warnings"} <= set(mail)
    assert [(host["host"], host["preference"], host["result"]) for host in mail["mx"]] == [
        ("mx1.mail.tls.lab", 10, "match"),
        ("mx2.mail.tls.lab", 20, "match"),
    ]


def test_a_hijacked_address_with_a_certificate_of_a_public_ca_is_refused(results: Results) -> None:
    """Both verdicts are shown: PKIX has nothing to object to, DANE has."""
    check = results.checks["hijacked"]
    assert check.pkix.valid is True
    assert check.result is Result.MISMATCH
