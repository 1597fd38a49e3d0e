"""The TLSA records of a service, and whether they may be believed (RFC 7671 section 7, RFC 7672).

1. Addresses first, both families at once. A host that is unsigned and no alias has no DANE: its
   TLSA is not even asked for, since the servers of many unsigned zones fail on that question
   (RFC 7672 section 2.2.2). One family that validates is enough.
2. The base domain: where a host is an alias and every link is secure, first the name that it leads
   to, then the host itself. Where the links are secure and their end is not, the host itself.
3. `_PORT._PROTO.BASE TLSA`. The first base with a secure set decides, usable or not; a look-up that
   fails ends the search; only a proven absence leads on.

Every status is the engine's own; what an upstream claims about it means nothing. No exception says
that a service has no DANE, and none that it has: all of it is a `Found`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import trio

from anchord.model import names, rcodes, rdtypes
from anchord.model.ede import Ede, EdeCode
from anchord.model.names import Name
from anchord.model.question import ClientFlags, Question
from anchord.model.response import RRset
from anchord.model.verdict import Answer, Checked, Status, weakest
from anchord.resolver.reply import extended_errors
from anchord.wire.errors import FormError
from anchord.wire.rdata import read_addresses, read_target

from . import tlsa
from .names import tlsa_owner, to_host
from .results import Result
from .tlsa import Tlsa, read_tlsa

MOST_ADDRESSES = 16
"""Addresses of a host that are used. Hosts have a few; a hostile zone could make us connect to
hundreds."""

LONGEST_TTL = 86_400
"""Seconds; what nothing else bounds may be kept for a day."""

FLAGS = ClientFlags(dnssec_ok=True)


class Resolves(Protocol):
    """What looks names up and proves them: `Resolver`."""

    async def resolve(self, question: Question, flags: ClientFlags) -> Answer:
        """The answer, with its verdict. Never raises because of what was asked or answered."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service: a host as a key, a port, and the protocol below which its records stand."""

    host: Name
    port: int
    proto: str = "tcp"

    @property
    def text(self) -> str:
        """`HOST:PORT`, for people."""
        return f"{to_host(self.host)}:{self.port}"


@dataclass(frozen=True, slots=True)
class Host:
    """A host's addresses, and how far its name may be believed.

    `bases` are the names below which TLSA records may be, in order; none where there can be no
    DANE. `failure` is set where the addresses could not be had. `security` is that of the name,
    `ttl` the number of seconds for which all this holds.
    """

    addresses: tuple[str, ...]
    bases: tuple[Name, ...]
    expanded: Name
    security: Status
    ttl: int
    failure: Result | None = None
    reason: str = ""
    edes: tuple[Ede, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """The TLSA set of a service. `outcome` is absent where there is a secure set: `records`.

    `rrset` is that set as it came, with its signatures, and `records` are those that could be read.
    """

    service: Service
    host: Host
    base: Name
    security: Status
    outcome: Result | None
    records: tuple[Tlsa, ...]
    ttl: int
    rrset: RRset | None = None
    reason: str = ""
    edes: tuple[Ede, ...] = ()
    warnings: tuple[str, ...] = ()


async def find(resolver: Resolves, service: Service, *, needs_addresses: bool = True) -> Found:
    """The TLSA set of a service. Without `needs_addresses` also of a host that has none."""
    host = await find_host(resolver, service.host)
    if host.failure is not None and (needs_addresses or not host.bases):
        return _ended(service, host, host.failure, host.reason, host.security, edes=host.edes)
    if not host.bases:
        reason = host.reason or f"{names.to_text(service.host)} is not signed, so TLSA cannot count"
        return _ended(service, host, Result.INSECURE, reason, host.security, edes=host.edes)
    ttl = host.ttl
    statuses: list[Status] = []
    edes: tuple[Ede, ...] = ()
    for base in host.bases:
        question = Question(tlsa_owner(base, service.port, service.proto), rdtypes.TLSA)
        answer = await resolver.resolve(question, FLAGS)
        ttl = min(ttl, answer.ttl)
        if (failure := failure_of(answer)) is not None:
            reason = why(answer)
            status = answer.verdict.status
            return _ended(service, host, failure, reason, status, base, extended_errors(answer))
        rrset = data_of(answer)
        status = answer.verdict.status
        if rrset and status is Status.SECURE:
            return _present(service, host, base, rrset, ttl)
        statuses.append(status)
        edes = (*edes, *extended_errors(answer))
    security = weakest(*statuses)
    if security is Status.SECURE:
        where = " or ".join(names.to_text(base) for base in host.bases)
        reason = f"proven: no TLSA records for port {service.port} of {where}"
        return _ended(service, host, Result.NO_TLSA, reason, security, ttl=ttl)
    reason = "the TLSA records are not signed, or nothing proves that there are none"
    return _ended(service, host, Result.INSECURE, reason, security, edes=edes, ttl=ttl)


def _present(service: Service, host: Host, base: Name, rrset: RRset, ttl: int) -> Found:
    records = []
    warnings = list(host.warnings)
    for rdata in rrset.rdatas:
        try:
            records.append(read_tlsa(rdata))
        except FormError:
            warnings.append(f"a record of {len(rdata)} octets is no TLSA record, and is ignored")
    warnings += tlsa.advice(records)
    return Found(
        service=service,
        host=host,
        base=base,
        security=Status.SECURE,
        outcome=None,
        records=tuple(records),
        ttl=ttl,
        rrset=rrset,
        warnings=tuple(warnings),
    )


def _ended(
    service: Service,
    host: Host,
    outcome: Result,
    reason: str,
    security: Status,
    base: Name | None = None,
    edes: tuple[Ede, ...] = (),
    *,
    ttl: int | None = None,
) -> Found:
    return Found(
        service=service,
        host=host,
        base=base or (host.bases[0] if host.bases else service.host),
        security=security,
        outcome=outcome,
        records=(),
        ttl=host.ttl if ttl is None else ttl,
        reason=reason,
        edes=edes,
        warnings=(*host.warnings, *_unsupported(edes)),
    )


# ------------ The host ------------


async def find_host(resolver: Resolves, host: Name) -> Host:
    """The host's addresses, and the names at which its TLSA records may be."""
    answers: dict[int, Answer] = {}

    async def ask(rdtype: int) -> None:
        answers[rdtype] = await resolver.resolve(Question(host, rdtype), FLAGS)

    async with trio.open_nursery() as nursery:
        for rdtype in (rdtypes.A, rdtypes.AAAA):
            nursery.start_soon(ask, rdtype)
    families = [answers[rdtypes.A], answers[rdtypes.AAAA]]
    usable = [answer for answer in families if failure_of(answer) is None]
    warnings = tuple(
        f"the {rdtypes.to_text(answer.question.rdtype)} look-up fails, the other family is used: "
        f"{why(answer)}"
        for answer in families
        if failure_of(answer) is not None and usable
    )
    if not usable:
        return _failed(host, families)
    sets = filter(None, map(data_of, usable))
    addresses = [address for rrset in sets for address in read_addresses(rrset.rdatas)]
    chosen = min(usable, key=lambda one: (one.verdict.status, data_of(one) is None))
    expanded, bases = _base_domains(host, chosen)
    edes = tuple(ede for answer in usable for ede in extended_errors(answer))
    failure, reason = None, ""
    if not addresses:
        failed = [answer for answer in families if answer not in usable]
        failure, reason = _no_address(host, usable[0], failed)
        edes = (*(ede for answer in failed for ede in extended_errors(answer)), *edes)
    if len(addresses) > MOST_ADDRESSES:
        text = f"{len(addresses)} addresses: only the first {MOST_ADDRESSES} are checked"
        warnings = (*warnings, text)
    return Host(
        addresses=tuple(addresses[:MOST_ADDRESSES]),
        bases=bases,
        expanded=expanded,
        security=chosen.verdict.status,
        ttl=min([LONGEST_TTL, *(answer.ttl for answer in usable)]),
        failure=failure,
        reason=reason,
        edes=edes,
        warnings=warnings,
    )


def _base_domains(host: Name, answer: Answer) -> tuple[Name, tuple[Name, ...]]:
    """Where the name leads, and the TLSA base domains that follow from it."""
    expanded = expansion(host, answer)
    if answer.verdict.status is Status.SECURE:
        return expanded, tuple(dict.fromkeys((expanded, host)))
    own = _aliases(answer).get(host)
    if own and own.status is Status.SECURE:  # RFC 7672 section 2.2.2: into an unsigned zone
        return expanded, (host,)
    return expanded, ()


def expansion(name: Name, answer: Answer) -> Name:
    """Where the name leads in the end, aliases followed."""
    aliases = _aliases(answer)
    for _ in aliases:
        if name in aliases:
            name = names.lower(read_target(aliases[name].rrset.rdatas[0]))
    return name


def _aliases(answer: Answer) -> dict[Name, Checked]:
    return {one.rrset.name: one for one in answer.answer if one.rrset.rdtype == rdtypes.CNAME}


def _failed(host: Name, families: Sequence[Answer]) -> Host:
    """Neither family could be had: bogus if one of them is."""
    worst = max(families, key=lambda answer: answer.verdict.status)
    return Host(
        addresses=(),
        bases=(),
        expanded=host,
        security=worst.verdict.status,
        ttl=min(answer.ttl for answer in families),
        failure=failure_of(worst),
        reason=f"the addresses cannot be had: {why(worst)}",
        edes=extended_errors(worst),
    )


def _no_address(host: Name, answer: Answer, failed: Sequence[Answer]) -> tuple[Result, str]:
    if failed:
        return failure_of(failed[0]) or Result.UNREACHABLE, (
            f"the addresses cannot be had: {why(failed[0])}"
        )
    text = names.to_text(host)
    if answer.rcode == rcodes.NXDOMAIN or answer.nxname:
        return Result.UNREACHABLE, f"{text} does not exist"
    return Result.UNREACHABLE, f"{text} has no address"


# ------------ Answers ------------


def failure_of(answer: Answer) -> Result | None:
    """How a look-up failed, if it did: only NOERROR and NXDOMAIN are answers."""
    status = answer.verdict.status
    if status is Status.BOGUS:
        return Result.BOGUS
    if status is Status.UNOBTAINABLE or answer.rcode not in (rcodes.NOERROR, rcodes.NXDOMAIN):
        return Result.UNREACHABLE
    return None


def why(answer: Answer) -> str:
    """The reason for a failure, in words."""
    edes = extended_errors(answer)
    return edes[0].text if edes else f"the answer is {rcodes.to_text(answer.rcode)}"


def data_of(answer: Answer) -> RRset | None:
    """The records that were asked for, at the end of all aliases."""
    return next(
        (
            checked.rrset
            for checked in answer.answer
            if checked.rrset.rdtype == answer.question.rdtype
        ),
        None,
    )


_UNSUPPORTED = (
    EdeCode.UNSUPPORTED_DNSKEY_ALGORITHM,
    EdeCode.UNSUPPORTED_DS_DIGEST_TYPE,
    EdeCode.UNSUPPORTED_NSEC3_ITERATIONS_VALUE,
)


def _unsupported(edes: Iterable[Ede]) -> list[str]:
    """Zones that are signed, but in a way that counts as unsigned (RFC 9905, RFC 9276)."""
    return [f"DANE does not apply: {ede.text}" for ede in edes if ede.code in _UNSUPPORTED]
