"""`anchord lab --tour dane`: the lab's services, looked up, connected to and judged."""

import sys
from collections.abc import Iterator, Sequence
from operator import attrgetter

import trio

from anchord.dane import mta_sts
from anchord.dane.check import Checker, Request
from anchord.dane.lookup import Resolves, Service
from anchord.dane.names import host_from_text
from anchord.dane.probe import Limits, Prober
from anchord.dane.results import CheckResult, MailResult, Policy
from anchord.dane.roots import load_roots
from anchord.dane.smtp import check_domain
from anchord.lab.dane_table import MAIL, SCENARIOS, MailDomain, Scenario
from anchord.lab.dane_world import Running

from .dane_text import RESULT_COLOURS
from .terminal import Colour, paint

LIMITS = Limits(connect=2.0, reply=2.0, address=4.0)
"""Seconds: on loopback, what takes longer hangs."""

AT_ONCE = 16
"""Services that are checked side by side. Servers, resolver and checks are one process here: all at
once would wait for each other longer than the limits, where the machine has much else to do."""

POLICY_COLOURS = {
    Policy.DANE_ONLY: Colour.GREEN,
    Policy.DANE: Colour.YELLOW,
    Policy.NONE: Colour.YELLOW,
    Policy.TEMP: Colour.RED,
}


def commands(services: Running, file: object) -> Iterator[str]:
    """The commands that show the most telling of them while the lab stays."""
    for one in filter(attrgetter("is_offered"), SCENARIOS):
        starttls = f" --starttls {one.starttls}" if one.starttls else ""
        service = f"{one.full_name}:{services.ports[one.host]}"
        yield f"anchord dane check --config {file} {service}{starttls}"
    for domain in filter(attrgetter("is_offered"), MAIL):
        ports = f"--port {services.ports[domain.name]}"
        if domain.sts:
            ports += f" --sts-port {services.sts_ports[domain.name]}"
        yield f"anchord dane smtp --config {file} {ports} {domain.full_name}"


async def tour(resolver: Resolves, services: Running, ca_file: str) -> bool:
    """Check every service and mail domain, and print it; tells whether all was as it should be."""
    checker = Checker(resolver, load_roots(ca_file), Prober(LIMITS))
    results: dict[str, CheckResult] = {}
    domains: dict[str, MailResult] = {}
    places = trio.CapacityLimiter(AT_ONCE)

    async def check(one: Scenario) -> None:
        service = Service(host_from_text(one.full_name), services.ports[one.host])
        request = Request(service, one.starttls, is_mail=one.starttls == "smtp")
        async with places:
            results[one.host] = await checker.check(request)

    async def check_mail(one: MailDomain) -> None:
        domain = host_from_text(one.full_name)
        sts_port = services.sts_ports.get(one.name, mta_sts.PORT)
        async with places:
            domains[one.name] = await check_domain(
                checker, domain, port=services.ports[one.name], sts_port=sts_port
            )

    async with trio.open_nursery() as nursery:
        for scenario in SCENARIOS:
            nursery.start_soon(check, scenario)
        for domain in MAIL:
            nursery.start_soon(check_mail, domain)
    full_names = [*(one.full_name for one in SCENARIOS), *(one.full_name for one in MAIL)]
    width = max(map(len, full_names))
    for scenario in SCENARIOS:
        print("\n".join(_lines(scenario, results[scenario.host], width)))
    for domain in MAIL:
        print("\n".join(_mail_lines(domain, domains[domain.name], width)))
    right = sum(results[one.host].result is one.result for one in SCENARIOS)
    right += sum(domains[one.name].policy is one.policy for one in MAIL)
    count = len(SCENARIOS) + len(MAIL)
    print(f"\n{count} services and domains, {right} results as they should be.")
    return right == count


def _lines(scenario: Scenario, check: CheckResult, width: int) -> Iterator[str]:
    word = paint(check.result, RESULT_COLOURS[check.result], sys.stdout)
    padding = " " * (13 - len(check.result))
    yield f"{scenario.full_name:<{width}}  {word}{padding}{scenario.shows}{_rules(scenario.rules)}"
    if check.reason:
        yield f"{'':<{width}}  {check.reason}"
    if scenario.is_public:
        valid = "valid" if check.pkix.valid else "not valid"
        yield f"{'':<{width}}  PKIX says: {valid}"


def _rules(rules: Sequence[int]) -> str:
    """Those of `docs/dane.md` that it shows."""
    return paint(f"  (rule {', '.join(map(str, rules))})", Colour.DIM, sys.stdout)


def _mail_lines(domain: MailDomain, mail: MailResult, width: int) -> Iterator[str]:
    word = paint(mail.policy, POLICY_COLOURS[mail.policy], sys.stdout)
    padding = " " * (13 - len(mail.policy))
    yield f"{domain.full_name:<{width}}  {word}{padding}{domain.shows}{_rules(domain.rules)}"
    if mail.reason:
        yield f"{'':<{width}}  {mail.reason}"
    for check in mail.mx:
        reason = f": {check.reason}" if check.reason else ""
        yield f"{'':<{width}}  {check.host}: {check.result}{reason}"
    if domain.sts:
        sts = mail.mta_sts
        said = f"{sts.mode}, lets through {', '.join(sts.allows)}" if sts.mode else sts.reason
        yield f"{'':<{width}}  MTA-STS: {said}"
