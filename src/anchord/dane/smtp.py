"""A mail domain, MX by MX, as a mail server that honours DANE sees it (RFC 7672).

Each host is looked up, connected to and judged alone, so that one that fails hides no other. Where
the MX set cannot be had, nothing is connected to: mail waits. Where it is not signed, the hosts are
not the domain's own word, and DANE can authenticate no more than what an attacker has put there;
both facts are told.

MTA-STS and TLSRPT are read as far as DNS tells of them; the policy of MTA-STS is behind a web
server, and is not fetched. It could say nothing against DANE anyhow (RFC 8461 section 2).
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

from . import tlsa
from .check import Checker, Request
from .lookup import FLAGS, Found, Service, data_of, expansion, failure_of, find, why
from .names import to_host
from .results import CheckResult, MailResult, MtaSts, Policy, Result
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


async def check_domain(checker: Checker, domain: Name, *, port: int = PORT) -> MailResult:
    """Every MX host of a domain, and what follows for who delivers to it.

    `port` is where its hosts listen, in place of 25, which is for the lab and tests.
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

    async with trio.open_nursery() as nursery:
        for hop in route.hops:
            nursery.start_soon(look_at, hop)
    checks = tuple(results[hop] for hop in route.hops)
    policy = _policy(route, [founds[hop] for hop in route.hops])
    mta_sts = await _mta_sts(checker, domain, policy)
    return MailResult(
        domain=to_host(domain),
        mx_security=route.security.word,
        policy=policy,
        result=route.outcome,
        reason=route.problem,
        mx=checks,
        mta_sts=mta_sts,
        ttl=min([route.ttl, *(check.ttl for check in checks)]),
        extended_dns_errors=extended(extended_errors(answer)),
        warnings=tuple(_warnings(route, checks, mta_sts)),
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


# ------------ MTA-STS and TLSRPT ------------


async def _mta_sts(checker: Checker, domain: Name, policy: Policy) -> MtaSts:
    """The records that announce them (RFC 8461 section 3.1, RFC 8460 section 3)."""
    announced, status = await _texts(checker, domain, b"_mta-sts")
    fields = _fields(announced, "v=STSv1")
    reporting, reports_status = await _texts(checker, domain, b"_smtp", b"_tls")
    reports = _fields(reporting, "v=TLSRPTv1").get("rua", "")
    return MtaSts(
        found=bool(fields),
        security=status.word,
        id=fields.get("id", ""),
        policy=_policy_in_words(fields, status),
        may_apply=bool(fields) and policy is Policy.NONE,
        reports=tuple(filter(None, (one.strip() for one in reports.split(",")))),
        reports_security=reports_status.word,
    )


def _policy_in_words(fields: dict[str, str], status: Status) -> str:
    if fields:
        return "not fetched: it is behind a web server"
    if status.is_failure:
        return "not to be known: the record that announces one cannot be had"
    return "none is announced"


async def _texts(checker: Checker, domain: Name, *below: bytes) -> tuple[list[str], Status]:
    """The TXT records below a domain, each in one piece."""
    try:
        owner = names.join([*below, *names.labels(domain)])
    except ValueError:
        return [], Status.INDETERMINATE
    answer = await checker.resolver.resolve(Question(owner, rdtypes.TXT), FLAGS)
    if failure_of(answer):
        return [], answer.verdict.status
    rrset = data_of(answer)
    texts = [_text(rdata) for rdata in (rrset.rdatas if rrset else ())]
    return texts, answer.verdict.status


def _text(rdata: bytes) -> str:
    pieces, position = [], 0
    while position < len(rdata):
        length = rdata[position]
        pieces.append(rdata[position + 1 : position + 1 + length])
        position += 1 + length
    text = b"".join(pieces).decode("ascii", "replace")
    return "".join(c for c in text if c.isprintable())


def _fields(texts: Sequence[str], version: str) -> dict[str, str]:
    """The fields of the one record with that version; none where there are two."""
    found = [text for text in texts if text.replace(" ", "").split(";")[0] == version]
    if len(found) != 1:
        return {}
    pairs = (field.partition("=") for field in found[0].split(";"))
    return {key.strip(): value.strip() for key, equals, value in pairs if equals}


# ------------ What should be otherwise ------------


def _warnings(route: Route, checks: Sequence[CheckResult], mta_sts: MtaSts) -> list[str]:
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
    if mta_sts.security == Status.BOGUS.word:
        warnings.append(
            "the announcement of MTA-STS is suppressed or forged; DANE does not need it"
        )
    if mta_sts.found and mta_sts.security != Status.SECURE.word:
        warnings.append(
            "MTA-STS is announced by an unsigned record, which an attacker can leave out"
        )
    if mta_sts.found and not mta_sts.may_apply:
        warnings.append("MTA-STS has no say here: DANE goes before it (RFC 8461 section 2)")
    if mta_sts.reports and all(one.startswith("mailto:") for one in mta_sts.reports):
        warnings.append("TLSRPT reports go by mail alone, which the same attacker can stop")
    return warnings
