"""The whole table of the lab's services, run once for all tests of this folder."""

from dataclasses import dataclass

import pytest
import trio
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from trio.testing import MockClock

from anchord.dane import certificate, path
from anchord.dane.certificate import Contents
from anchord.dane.check import Checker, Request
from anchord.dane.lookup import Service
from anchord.dane.names import host_from_text
from anchord.dane.probe import Prober
from anchord.dane.results import CheckResult, MailResult
from anchord.dane.smtp import check_domain
from anchord.lab.dane_table import MAIL, SCENARIOS, Scenario
from anchord.lab.dane_world import Running, running
from support.dane import LIMITS, lab_trust, resolver_over, world_of_now


@dataclass
class Results:
    """What came of every scenario and domain, by its name."""

    lab: Running
    checks: dict[str, CheckResult]
    domains: dict[str, MailResult]


def request_for(scenario: Scenario, lab: Running) -> Request:
    service = Service(host_from_text(scenario.full_name), lab.ports[scenario.host])
    return Request(service, scenario.starttls, is_mail=scenario.starttls == "smtp")


async def _run() -> Results:
    checks: dict[str, CheckResult] = {}
    domains: dict[str, MailResult] = {}
    async with running() as lab, resolver_over(world_of_now(*lab.plans)) as resolver:
        checker = Checker(resolver, lab_trust(lab), Prober(LIMITS))

        async def check(scenario: Scenario) -> None:
            checks[scenario.host] = await checker.check(request_for(scenario, lab))

        async with trio.open_nursery() as nursery:
            for scenario in SCENARIOS:
                nursery.start_soon(check, scenario)
        for domain in MAIL:
            name = host_from_text(domain.full_name)
            domains[domain.name] = await check_domain(
                checker,
                name,
                port=lab.ports[domain.name],
                sts_port=lab.sts_ports.get(domain.name, 1),
            )
    return Results(lab, checks, domains)


QUIET = 0.05
"""Real seconds in which nothing happens before the clock of `patient_clock` jumps: the loopback
interface of a busy machine may take a moment to hand an octet over."""


@pytest.fixture
def patient_clock() -> MockClock:
    """A clock that goes on to the next deadline when nobody has anything to do, and only then.

    So limits of time are crossed at once, and exactly, however slow the machine is.
    """
    return MockClock(autojump_threshold=QUIET)


@pytest.fixture
def signature_checks(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One entry for each signature of a certificate that a walk has checked: what is laborious."""
    checks: list[None] = []

    def is_signed_by(subject: Contents, key: PublicKeyTypes | None) -> bool:
        checks.append(None)
        return certificate.is_signed_by(subject, key)

    monkeypatch.setattr(path, "is_signed_by", is_signed_by)
    return checks


@pytest.fixture(scope="session")
def results() -> Results:
    return trio.run(_run)
