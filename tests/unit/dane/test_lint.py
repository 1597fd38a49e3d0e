"""What will break: rules 67 to 71, one service each."""

import time

import pytest
import trio

from anchord.dane import lint as lint_module
from anchord.dane import summary
from anchord.dane.check import Request
from anchord.dane.handshake import Keys
from anchord.dane.lint import lint
from anchord.dane.results import Severity
from anchord.lab.chains import CHAINS, records_of
from anchord.lab.plan import Plan
from anchord.lab.services import Service, start_service
from support.dane import checker_over, service

HOST = "host.z.lab"
ERROR, WARNING, HINT = Severity


async def linted(
    records: str,
    *,
    chain: str = "with-next",
    ttl: int = 3600,
    faults: str = "",
    more: str = "",
    is_signed: bool = True,
    starttls: str = "",
) -> dict[str, Severity]:
    """The findings about a service with these records, by their texts."""
    async with trio.open_nursery() as nursery:
        presented = CHAINS[chain](HOST)
        port = await start_service(nursery, Service(presented, {}, starttls))
        lines = "".join(
            f"\n_{port}._tcp.host {ttl} TLSA {record}" for record in records_of(records, presented)
        )
        plan = Plan(
            "z.lab",
            "a test",
            records=f"host A 127.0.0.1{lines}\n{more.format(port=port)}",
            faults=faults,
            algorithms=(13,) if is_signed else (),
        )
        async with checker_over(plan) as checker:
            request = Request(
                service(HOST, port), starttls, is_mail=starttls == "smtp", keys=tuple(Keys)
            )
            result = await lint(checker, request, now=int(time.time()))
        nursery.cancel_scope.cancel()
    return {finding.text: finding.severity for finding in result.findings}


def severity_of(findings: dict[str, Severity], words: str) -> Severity | None:
    """How bad the finding with these words is; None where there is none."""
    return next((severity for text, severity in findings.items() if words in text), None)


async def test_rule_67_the_current_and_the_next_key_are_all_that_is_wanted() -> None:
    findings = await linted("3 1 1 leaf; 3 1 1 next")
    assert set(findings.values()) <= {HINT}
    assert severity_of(findings, "fits nothing on any address") is HINT


async def test_rule_67_the_current_key_and_its_issuer_are_as_good() -> None:
    assert await linted("3 1 1 leaf; 2 1 1 issuer") == {}


async def test_rule_70_a_missing_next_key_is_a_warning_that_says_when_to_publish_it() -> None:
    findings = await linted("3 1 1 leaf")
    assert severity_of(findings, "no next key is published") is WARNING
    assert severity_of(findings, "two TTLs before") is WARNING


async def test_rule_68_records_that_renewals_break_are_told() -> None:
    assert severity_of(await linted("3 0 1 leaf"), "each renewal breaks it") is WARNING
    assert severity_of(await linted("2 0 1 issuer"), "cross-signed") is WARNING
    assert severity_of(await linted("2 1 1 root"), "the server stops to present it") is HINT


async def test_rule_69_issuers_that_take_turns_are_all_to_be_published(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lint_module, "ROTATING_ISSUERS", {"Issuer of the Lab": "a list"})
    findings = await linted("2 1 1 issuer")
    assert severity_of(findings, "publish all of them") is WARNING


async def test_rule_71_what_is_wrong_now_is_an_error() -> None:
    assert severity_of(await linted("3 1 1 next"), "mismatch: ") is ERROR
    assert severity_of(await linted("3 1 1 leaf; 3 1 1 nothing"), "digest of nothing") is ERROR
    assert severity_of(await linted("3 1 1 leaf", faults="forged TLSA"), "bogus: ") is ERROR


async def test_rule_71_records_that_cannot_be_used_are_told() -> None:
    findings = await linted("3 1 1 leaf; 3 1 1 next; 3 1 1 aabb")
    assert severity_of(findings, "cannot be used") is WARNING


async def test_rule_71_sha_512_alone_is_a_warning() -> None:
    assert severity_of(await linted("3 1 2 leaf"), "need not know SHA-512") is WARNING
    assert severity_of(await linted("3 1 2 leaf; 3 1 1 leaf"), "need not know") is None


@pytest.mark.parametrize(
    ("ttl", "words", "severity"),
    [
        (299, "nobody can keep", HINT),
        (300, "TTL", None),
        (86_400, "TTL of", None),
        (86_401, "more than a day", WARNING),
    ],
)
async def test_rule_71_ttls_are_neither_too_long_nor_too_short(
    ttl: int, words: str, severity: Severity | None
) -> None:
    findings = await linted("3 1 1 leaf; 3 1 1 next", ttl=ttl)
    assert severity_of(findings, words) is severity


@pytest.mark.parametrize(("seconds", "severity"), [(1800, ERROR), (7200, WARNING), (90_000, None)])
async def test_rule_71_signatures_that_end_soon_are_told(
    seconds: int, severity: Severity | None
) -> None:
    findings = await linted("3 1 1 leaf; 3 1 1 next", faults=f"expires-in {seconds} TLSA")
    assert severity_of(findings, "expires in") is severity


async def test_rule_71_records_in_an_unsigned_zone_are_an_error() -> None:
    findings = await linted("3 1 1 leaf", is_signed=False)
    assert severity_of(findings, "the zone is not signed: they do nothing") is ERROR
    assert severity_of(await linted("", is_signed=False), "sign the zone first") is HINT


async def test_rule_71_records_at_the_mail_domain_in_place_of_its_host_are_an_error() -> None:
    findings = await linted("3 1 1 leaf", starttls="smtp", more="host MX 10 mx")
    assert severity_of(findings, "the records must be there, not here") is ERROR
    here = await linted("3 1 1 leaf", starttls="smtp", more="host MX 10 host")
    assert severity_of(here, "not here") is None


async def test_a_chain_that_is_too_long_to_be_shown_is_no_surprise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(summary, "SHOWN_OCTETS", 1000)
    findings = await linted("3 1 1 leaf")
    assert not findings


async def test_no_records_at_all_are_a_hint() -> None:
    assert severity_of(await linted(""), "publish the record") is HINT
