"""From what was found and judged to what is told: the results of addresses and services."""

from collections.abc import Sequence
from dataclasses import replace

from anchord.model.ede import Ede
from anchord.model.verdict import Status

from . import tlsa
from .certificate import Certificate
from .flaws import Failure, Flaw
from .lookup import Found
from .match import Judgement
from .names import to_host
from .pkix import Validated
from .probe import Presented, Target
from .results import (
    AddressResult,
    CheckResult,
    Duty,
    ExtendedError,
    MailResult,
    Matched,
    Pkix,
    Record,
    Result,
    Shown,
    TlsaResult,
)
from .tlsa import Tlsa

OLD_VERSIONS = ("SSLv3", "TLSv1", "TLSv1.1")
"""What servers should no longer speak (RFC 8996)."""

MOST_SHOWN = 10
"""Certificates of a chain that are shown: no path has more (`path.LONGEST_PATH`)."""

SHOWN_OCTETS = 32_768
"""Octets of certificates that are shown whole. Chains of three have five thousand; TLS lets a
server send a hundred thousand, and a hostile domain has hundreds of servers."""


# ------------ One address ------------


def unseen(
    found: Found, target: Target, result: Result, reason: str, failure: Failure, *, is_mail: bool
) -> AddressResult:
    """An address where no chain was seen."""
    return AddressResult(
        address=target.address,
        result=result,
        reason=reason,
        failure=failure,
        key=target.keys,
        matched=None,
        records=records_of(found, is_mail=is_mail),
        chain=(),
        pkix=Pkix(None, "nothing was presented"),
        tls_version="",
        sni=target.sni,
        warnings=(),
    )


def seen(
    found: Found,
    target: Target,
    presented: Presented,
    chain: Sequence[Certificate],
    judgement: Judgement,
    *,
    is_mail: bool,
) -> AddressResult:
    """An address with the chain that was seen there, and the judgement on it."""
    result = settled(found, is_mail=is_mail) or (Result.MATCH if judgement.fit else Result.MISMATCH)
    flaw = judgement.flaw if result is Result.MISMATCH else None
    warnings = list(judgement.warnings)
    if len(chain) > MOST_SHOWN:
        warnings.append(f"it presents {len(chain)} certificates: the first {MOST_SHOWN} are shown")
    if presented.tls_version in OLD_VERSIONS:
        warnings.append(f"it speaks {presented.tls_version}, which most clients refuse")
    return AddressResult(
        address=target.address,
        result=result,
        reason=flaw.text if flaw else "",
        failure=flaw.failure if flaw else "",
        key=target.keys,
        matched=Matched(judgement.fit.index, judgement.fit.depth) if judgement.fit else None,
        records=tuple(
            _record(record, reason, is_mail=is_mail)
            for record, reason in zip(found.records, judgement.reasons, strict=True)
        ),
        chain=_shown_chain(chain),
        pkix=_pkix(judgement),
        tls_version=presented.tls_version,
        sni=target.sni,
        warnings=tuple(warnings),
    )


def _pkix(judgement: Judgement) -> Pkix:
    match judgement.pkix:
        case Validated() as validated:
            return Pkix(True, validated.note)
        case Flaw() as flaw:
            return Pkix(False, flaw.text)
        case None:
            return Pkix(None, "nobody was asked")


def _shown_chain(chain: Sequence[Certificate]) -> tuple[Shown, ...]:
    """The certificates, the later ones without what is long in them where all of it is too long."""
    left = SHOWN_OCTETS
    shown = []
    for certificate in chain[:MOST_SHOWN]:
        left -= len(certificate.der)
        whole = _shown(certificate)
        shown.append(whole if left >= 0 else _briefly(whole))
    return tuple(shown)


def _briefly(shown: Shown) -> Shown:
    return replace(shown, names=(), pem="")


def _shown(certificate: Certificate) -> Shown:
    contents = certificate.contents
    return Shown(
        subject=certificate.subject,
        issuer=certificate.issuer,
        names=contents.dns_names if contents else (),
        not_after=f"{contents.not_after:%Y-%m-%dT%H:%M:%SZ}" if contents else "",
        sha256=certificate.sha256,
        pem=certificate.pem,
    )


# ------------ The whole ------------


def check_result(
    found: Found, addresses: Sequence[AddressResult], *, starttls: str, is_mail: bool
) -> CheckResult:
    """The service's result: that of the look-up, else the worst address of those reached."""
    decisive = _decisive(addresses)
    result = found.outcome or (decisive.result if decisive else Result.UNREACHABLE)
    if decisive and decisive.result is Result.MISMATCH:
        result = Result.MISMATCH
    reason, failure = found.reason, ""
    if decisive and not reason:
        reason, failure = decisive.reason, decisive.failure
    elif found.outcome is Result.BOGUS:
        failure = Failure.DNSSEC_INVALID
    if is_mail and not failure and settled(found, is_mail=True) is not found.outcome:
        failure = Failure.TLSA_INVALID
    warnings = [*found.warnings, *_about_records(found, is_mail=is_mail)]
    for one in addresses:
        warnings += (f"{one.address}: {text}" for text in one.warnings)
        is_apart = one.result is Result.UNREACHABLE and result is not Result.UNREACHABLE
        if is_apart and not one.key:  # a server need not have certificates of both kinds
            warnings.append(f"{one.address} could not be judged: {one.reason}")
    return CheckResult(
        host=to_host(found.service.host),
        port=found.service.port,
        proto=found.service.proto,
        starttls=starttls,
        base_domain=to_host(found.base),
        result=result,
        reason=reason,
        failure=failure,
        tls=duty(found, is_mail=is_mail),
        security=found.security.word,
        records=decisive.records if decisive else records_of(found, is_mail=is_mail),
        ttl=found.ttl,
        matched=decisive.matched if decisive else None,
        addresses=tuple(addresses),
        chain=decisive.chain if decisive else (),
        pkix=decisive.pkix if decisive else Pkix(None, "nothing was presented"),
        extended_dns_errors=extended(found.edes),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def tlsa_result(found: Found, *, is_mail: bool = False) -> TlsaResult:
    """The look-up by itself."""
    return TlsaResult(
        host=to_host(found.service.host),
        port=found.service.port,
        proto=found.service.proto,
        base_domain=to_host(found.base),
        result=settled(found, is_mail=is_mail),
        reason=found.reason,
        security=found.security.word,
        records=records_of(found, is_mail=is_mail),
        ttl=found.ttl,
        addresses=found.host.addresses,
        extended_dns_errors=extended(found.edes),
        warnings=(*found.warnings, *_about_records(found, is_mail=is_mail)),
    )


def shortened(result: CheckResult | MailResult) -> CheckResult | MailResult:
    """The same without what is long: of each address the result alone, no certificate whole."""
    left_out = (
        "too long to be told whole: certificates and the details of addresses are left out",
    )
    if isinstance(result, MailResult):
        hosts = tuple(map(_short, result.mx))
        return replace(result, mx=hosts, warnings=(*result.warnings, *left_out))
    return replace(_short(result), warnings=(*result.warnings, *left_out))


def _short(check: CheckResult) -> CheckResult:
    return replace(
        check,
        addresses=tuple(replace(one, records=(), chain=()) for one in check.addresses),
        chain=tuple(map(_briefly, check.chain)),
    )


def extended(edes: Sequence[Ede]) -> tuple[ExtendedError, ...]:
    """Extended DNS Errors for programs."""
    return tuple(ExtendedError(ede.code, ede.name, ede.text) for ede in edes)


def _decisive(addresses: Sequence[AddressResult]) -> AddressResult | None:
    """The worst of the addresses that were reached; where none was, the first."""
    return min(addresses, key=lambda one: _SEVERITY.index(one.result), default=None)


_SEVERITY = (
    Result.MISMATCH, Result.MATCH, Result.NO_TLSA, Result.INSECURE, Result.BOGUS,
    Result.UNREACHABLE,
)  # fmt: skip


# ------------ What follows from the look-up alone ------------


def settled(found: Found, *, is_mail: bool) -> Result | None:
    """The result where no chain can change it."""
    if found.outcome is not None:
        return found.outcome
    return None if tlsa.in_use(found.records, is_mail=is_mail) else Result.NO_TLSA


def duty(found: Found, *, is_mail: bool) -> Duty:
    """What a client that honours DANE must do."""
    if found.outcome is not None:
        failed = found.outcome in (Result.BOGUS, Result.UNREACHABLE)
        is_unknown = failed and found.security in (Status.BOGUS, Status.UNOBTAINABLE)
        return Duty.AUTHENTICATED if is_unknown else Duty.OPPORTUNISTIC
    if tlsa.in_use(found.records, is_mail=is_mail):
        return Duty.AUTHENTICATED
    return Duty.MANDATORY if is_mail else Duty.OPPORTUNISTIC


def _about_records(found: Found, *, is_mail: bool) -> list[str]:
    if found.outcome is None and not tlsa.in_use(found.records, is_mail=is_mail):
        return ["there are TLSA records, but none that can be used"]
    return []


def records_of(found: Found, *, is_mail: bool) -> tuple[Record, ...]:
    """The records, each with the reason for which it does not count."""
    counted = tlsa.in_use(found.records, is_mail=is_mail)
    return tuple(
        _record(record, tlsa.ignored_because(record, counted, is_mail=is_mail), is_mail=is_mail)
        for record in found.records
    )


def _record(record: Tlsa, reason: str, *, is_mail: bool) -> Record:
    return Record(
        usage=record.usage,
        selector=record.selector,
        matching_type=record.matching_type,
        data=record.data.hex(),
        usable=not tlsa.unusable_because(record, is_mail=is_mail),
        reason=reason,
    )
