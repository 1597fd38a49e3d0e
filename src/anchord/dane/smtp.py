"""A mail domain, MX by MX, as a mail server that honours DANE sees it (RFC 7672).

Each host is looked up, connected to and judged alone, so that one that fails hides no other. Where
the MX set cannot be had, nothing is connected to: mail waits. Where it is not signed, the hosts are
not the domain's own word, and DANE can authenticate no more than what an attacker has put there;
both facts are told.

MTA-STS and TLSRPT are told of beside it (`mta_sts`).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

import trio

from anchord.model import names, rcodes, rdtypes
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.verdict import Answer, Status
from anchord.resolver.reply import extended_errors
from anchord.wire.errors import FormError
from anchord.wire.name import read_name

from . import mta_sts, tlsa
from .check import Checker, Request
from .lookup import FLAGS, Found, Service, data_of, expansion, failure_of, find, why
from .names import to_host
from .results import CheckResult, MailResult, Policy, Result
from .summary import extended

PORT = 25

MOST_HOSTS = 16
"""MX hosts that are looked at, the most preferred first. Large providers have five."""


@dataclass(frozen=True, slots=True)
class Hop:
    """Where mail goes next: a host and its preference; None where it is from no MX record."""

    host: Name
    preference: int | None


@dataclass(frozen=True, slots=True)
class Route:
    """Where the mail of a domain goes. `outcome` and `problem` say why it goes nowhere.

    `more_names` are names that the hosts' certificates may have beside their own (RFC 7672 section
    3.2.2).
    """

    hops: tuple[Hop, ...]
    security: Status
    ttl: int
    more_names: tuple[Name, ...] = ()
    outcome: Result | None = None
    problem: str = ""
    warnings: tuple[str, ...] = ()


async def check_domain(
    checker: Checker, domain: Name, *, port: int = PORT, sts_port: int = mta_sts.PORT
) -> MailResult:
    """Every MX host of a domain, and what follows for who delivers to it.

    `port` is where its hosts listen, and `sts_port` where its web server does, in place of 25 and
    443, which is for the lab and tests.
    """
    answer = await checker.resolver.resolve(Question(domain, rdtypes.MX), FLAGS)
    route = _route(domain, answer)
    founds: dict[Hop, Found] = {}
    results: dict[Hop, CheckResult] = {}

    async def look_at(hop: Hop) -> None:
        service = Service(hop.host, port)
        request = Request(service, starttls="smtp", is_mail=True, more_names=route.more_names)
        founds[hop] = await find(checker.resolver, service)
        result = await checker.check_found(founds[hop], request)
        results[hop] = replace(result, preference=hop.preference)

    announced: list[mta_sts.Found] = []

    async def look_beside() -> None:
        takes_mail = bool(route.hops)
        announced.append(await mta_sts.find(checker, domain, takes_mail=takes_mail, port=sts_port))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look_beside)
        for hop in route.hops:
            nursery.start_soon(look_at, hop)
    checks = tuple(results[hop] for hop in route.hops)
    policy = _policy(route, [founds[hop] for hop in route.hops])
    sts = mta_sts.beside(announced[0], policy, checks)
    return MailResult(
        domain=to_host(domain),
        mx_security=route.security.word,
        policy=policy,
        result=route.outcome,
        reason=route.problem,
        mx=checks,
        mta_sts=sts,
        ttl=min([route.ttl, *(check.ttl for check in checks)]),
        extended_dns_errors=extended(extended_errors(answer)),
        warnings=(*_warnings(route, checks), *mta_sts.warnings(sts, checks)),
    )


# ------------ Where mail goes ------------


def _route(domain: Name, answer: Answer) -> Route:
    """RFC 5321 section 5.1, and what the status of the MX set means for it."""
    status = answer.verdict.status
    text = names.to_text(domain)
    if outcome := failure_of(answer):
        security = Status.BOGUS if outcome is Result.BOGUS else Status.UNOBTAINABLE
        problem = f"the MX records cannot be had: {why(answer)}"
        return Route((), security, answer.ttl, outcome=outcome, problem=problem)
    if answer.rcode == rcodes.NXDOMAIN or answer.nxname:
        problem = f"{text} does not exist"
        return Route((), status, answer.ttl, outcome=Result.UNREACHABLE, problem=problem)
    rrset = data_of(answer)
    if rrset is None:  # proven, or at least not contradicted: the domain is its own host
        return Route((Hop(domain, None),), status, answer.ttl, _more_names(domain, answer))
    hops, warnings = _hops(rrset.rdatas)
    if [hop.host for hop in hops] == [names.ROOT]:  # RFC 7505
        return Route((), status, answer.ttl, problem=f"{text} takes no mail: it has a null MX")
    hops = [hop for hop in hops if hop.host != names.ROOT]
    if len(hops) > MOST_HOSTS:
        warnings.append(f"{len(hops)} MX hosts: only the first {MOST_HOSTS} are checked")
    return Route(
        hops=tuple(hops[:MOST_HOSTS]),
        security=status,
        ttl=answer.ttl,
        more_names=_more_names(domain, answer),
        problem="" if hops else f"{text} has no MX record that can be read",
        warnings=tuple(warnings),
    )


def _more_names(domain: Name, answer: Answer) -> tuple[Name, ...]:
    """The mail domain and what it is an alias of, where the MX set is the domain's own word."""
    if answer.verdict.status is not Status.SECURE:
        return ()
    return tuple(dict.fromkeys((domain, expansion(domain, answer))))


def _hops(rdatas: Sequence[bytes]) -> tuple[list[Hop], list[str]]:
    hops, warnings = [], []
    for rdata in rdatas:
        try:
            (preference,) = struct.unpack_from("!H", rdata)
            exchange, _ = read_name(rdata, 2, len(rdata))
        except (struct.error, FormError):
            warnings.append("an MX record cannot be read, and is ignored")
            continue
        hops.append(Hop(names.lower(exchange), preference))
    best = {hop.host: hop for hop in sorted(hops, key=_by_preference, reverse=True)}
    return sorted(best.values(), key=_by_preference), warnings


def _by_preference(hop: Hop) -> tuple[int, Name]:
    return hop.preference or 0, hop.host


def _policy(route: Route, founds: Sequence[Found]) -> Policy:
    """What holds for the domain as a whole. A host without addresses takes no mail anyhow."""
    if route.security.is_failure or any(found.security.is_failure for found in founds):
        return Policy.TEMP
    alive = [found for found in founds if found.host.failure is None]
    usable = [found for found in alive if found.rrset and tlsa.in_use(found.records, is_mail=True)]
    if alive and len(usable) == len(alive) and route.security is Status.SECURE:
        return Policy.DANE_ONLY
    return Policy.DANE if any(found.rrset for found in alive) else Policy.NONE


# ------------ What should be otherwise ------------


def _warnings(route: Route, checks: Sequence[CheckResult]) -> list[str]:
    warnings = list(route.warnings)
    has_dane = [check.host for check in checks if check.records]
    without = [
        check.host for check in checks if check.result is Result.NO_TLSA and not check.records
    ]
    if route.security in (Status.INSECURE, Status.INDETERMINATE) and has_dane:
        warnings.append(
            "the MX records are not signed: whoever forges them chooses the hosts, DANE or not"
        )
    if has_dane and without:
        warnings.append(
            f"{', '.join(without)} has no TLSA records: an attacker makes mail go there instead"
        )
    return warnings
