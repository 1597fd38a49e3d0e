"""A domain's service through its SRV records (RFC 7673): XMPP, mail submission and the like.

The SRV set must be secure, since it is what names the targets; each target is then a service of its
own, with the SRV record's port. A target's certificate may be for the target or for the domain.
"""

import struct
from dataclasses import replace

import trio

from anchord.model import names, rdtypes
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.verdict import Status
from anchord.resolver.reply import extended_errors
from anchord.wire.errors import FormError
from anchord.wire.name import read_name

from .check import Checker, Request
from .handshake import Keys
from .lookup import FLAGS, Service, data_of, failure_of, why
from .names import to_host
from .results import CheckResult, Result, SrvResult
from .summary import extended

MOST_TARGETS = 8
"""Targets that are looked at, in the order of their priorities."""


async def check_srv(
    checker: Checker,
    domain: Name,
    service: str,
    *,
    starttls: str = "",
    keys: tuple[Keys, ...] = (Keys.ANY,),
) -> SrvResult:
    """Every target of `_SERVICE._tcp.DOMAIN`. Raises ValueError where that is no name."""
    owner = names.join([f"_{service}".encode(), b"_tcp", *names.labels(domain)])
    answer = await checker.resolver.resolve(Question(owner, rdtypes.SRV), FLAGS)
    status, rrset = answer.verdict.status, data_of(answer)
    outcome, reason = None, ""
    targets: list[tuple[int, int, Name]] = []
    if failure := failure_of(answer):
        outcome, reason = failure, f"the SRV records cannot be had: {why(answer)}"
    elif rrset is None:
        outcome, reason = Result.NO_TLSA, f"{names.to_text(owner)} has no SRV records"
    else:
        targets = _targets(rrset.rdatas)
        if status is not Status.SECURE:
            reason = "the SRV records are not signed, so DANE cannot count"
            outcome, targets = Result.INSECURE, []
        elif all(target == names.ROOT for _, _, target in targets):
            reason = f"{names.to_text(domain)} has no such service: the SRV target is the root"
            outcome, targets = Result.NO_TLSA, []
    results: dict[tuple[int, int, Name], CheckResult] = {}

    async def look_at(target: tuple[int, int, Name]) -> None:
        _, port, host = target
        request = Request(
            Service(host, port), starttls, more_names=(domain,), domain=domain, keys=keys
        )
        results[target] = replace(await checker.check(request), preference=target[0])

    async with trio.open_nursery() as nursery:
        for target in targets:
            nursery.start_soon(look_at, target)
    return SrvResult(
        domain=to_host(domain),
        service=service,
        srv_security=status.word,
        result=outcome,
        reason=reason,
        services=tuple(results[target] for target in targets),
        extended_dns_errors=extended(extended_errors(answer)),
    )


def _targets(rdatas: tuple[bytes, ...]) -> list[tuple[int, int, Name]]:
    """Priority, port and host of each record that can be read (RFC 2782)."""
    found = []
    for rdata in rdatas:
        try:
            priority, _, port = struct.unpack_from("!3H", rdata)
            host, _ = read_name(rdata, 6, len(rdata))
        except (struct.error, FormError):
            continue
        found.append((priority, port, names.lower(host)))
    return sorted(dict.fromkeys(found))[:MOST_TARGETS]
