"""Look up, connect, verify: one service at all of its addresses.

The TLSA set comes first, and where it cannot be had nothing is connected to. Each address is a
verdict of its own, and the worst of those that were reached is the service's: what one server in
five gets wrong hits one client in five.
"""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import trio

from anchord.model.ede import Ede
from anchord.model.names import Name
from anchord.model.verdict import Status

from . import tlsa
from .certificate import Certificate
from .flaws import Failure, Flaw
from .handshake import Keys
from .lookup import Found, Resolves, Service, find
from .match import Judgement, judge
from .names import to_host
from .pkix import Trust, Validated
from .probe import Presented, Prober, Refused, Seen, Target, Unreachable
from .results import (
    AddressResult,
    CheckResult,
    Duty,
    ExtendedError,
    Matched,
    Pkix,
    Record,
    Result,
    Shown,
    TlsaResult,
)
from .tlsa import Tlsa


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be checked.

    `is_mail`: as a mail server delivers (RFC 7672). `more_names` are names that the certificate may
    have beside those of the host: the mail domain, or the domain of an SRV record. `domain` is what
    XMPP is told, and asked for by name where the host's own does not do. `keys` are the kinds of
    certificate to ask for, one after the other.
    """

    service: Service
    starttls: str = ""
    is_mail: bool = False
    more_names: tuple[Name, ...] = ()
    domain: Name = b""
    keys: tuple[Keys, ...] = (Keys.ANY,)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Checker:
    """Checks services. `trust` are the roots for PKIX; certificates are judged by the real time."""

    resolver: Resolves
    trust: Trust
    prober: Prober = field(default_factory=Prober)
    now: Callable[[], datetime] = _now

    async def check(self, request: Request) -> CheckResult:
        """The service at every address."""
        return await self.check_found(await find(self.resolver, request.service), request)

    async def check_found(self, found: Found, request: Request) -> CheckResult:
        """The same, where the look-up has been made."""
        results: dict[tuple[str, Keys], AddressResult] = {}

        async def at_address(address: str, keys: Keys) -> None:
            results[address, keys] = await self._at_address(found, request, address, keys)

        if found.outcome not in (Result.BOGUS, Result.UNREACHABLE):
            limit = self.prober.limits.check
            late = Unreachable(f"the whole check takes more than {limit:g} seconds")
            with trio.move_on_after(limit):
                async with trio.open_nursery() as nursery:
                    for address in found.host.addresses:
                        for keys in request.keys:
                            nursery.start_soon(at_address, address, keys)
            for address in found.host.addresses:
                for keys in request.keys:
                    if (address, keys) not in results:
                        target = Target(address, found.service.port, "", keys=keys)
                        results[address, keys] = self._judged(found, request, target, late)
        order = [(address, keys) for address in found.host.addresses for keys in request.keys]
        return check_result(found, request, [results[key] for key in order if key in results])

    async def verify(self, request: Request, chain: Sequence[bytes]) -> CheckResult:
        """A chain in DER that somebody else has received. Raises ValueError where it is empty."""
        found = await find(self.resolver, request.service, needs_addresses=False)
        if found.outcome in (Result.BOGUS, Result.UNREACHABLE):
            return check_result(found, request, [])
        seen = Presented(tuple(chain), "")
        result = self._judged(found, request, Target("", found.service.port, ""), seen)
        return check_result(found, request, [result])

    async def _at_address(
        self, found: Found, request: Request, address: str, keys: Keys
    ) -> AddressResult:
        """One address; again under the domain's name where the host's own brings no match."""
        own = to_host(found.base if found.outcome is None else found.service.host)
        domain = to_host(request.domain) if request.domain else own
        results = []
        for sni in dict.fromkeys((own, domain)):
            target = Target(
                address=address,
                port=found.service.port,
                sni=sni,
                starttls=request.starttls,
                domain=domain,
                keys=keys,
                proto=found.service.proto,
            )
            seen = await self.prober.probe(target)
            results.append(self._judged(found, request, target, seen))
            if results[-1].result is not Result.MISMATCH:
                break
        return next((one for one in results if one.result is Result.MATCH), results[0])

    # ------------ One address ------------

    def _judged(self, found: Found, request: Request, target: Target, seen: Seen) -> AddressResult:
        if isinstance(seen, Presented):
            return self._judged_chain(found, request, target, seen)
        if isinstance(seen, Refused) and _duty(found, is_mail=request.is_mail) in (
            Duty.AUTHENTICATED,
            Duty.MANDATORY,
        ):
            return _unseen(
                found, request, target, Result.MISMATCH, seen.reason, Failure.STARTTLS_NOT_SUPPORTED
            )
        failure = (
            Failure.STARTTLS_NOT_SUPPORTED
            if isinstance(seen, Refused)
            else Failure.VALIDATION_FAILURE
        )
        result = _settled(found, is_mail=request.is_mail) or Result.UNREACHABLE
        return _unseen(found, request, target, result, seen.reason, failure)

    def _judged_chain(
        self, found: Found, request: Request, target: Target, seen: Presented
    ) -> AddressResult:
        chain = [Certificate(der) for der in seen.chain]
        judgement = judge(
            chain,
            found.records,
            names=reference_names(found, request),
            now=self.now(),
            trust=self.trust,
            is_mail=request.is_mail,
        )
        result = _settled(found, is_mail=request.is_mail) or (
            Result.MATCH if judgement.fit else Result.MISMATCH
        )
        flaw = judgement.flaw if result is Result.MISMATCH else None
        warnings = list(judgement.warnings)
        if seen.tls_version in _OLD_VERSIONS:
            warnings.append(f"it speaks {seen.tls_version}, which most clients refuse")
        return AddressResult(
            address=target.address,
            result=result,
            reason=flaw.text if flaw else "",
            failure=flaw.failure if flaw else "",
            key=target.keys,
            matched=Matched(judgement.fit.index, judgement.fit.depth) if judgement.fit else None,
            records=tuple(
                _record(record, reason, is_mail=request.is_mail)
                for record, reason in zip(found.records, judgement.reasons, strict=True)
            ),
            chain=tuple(map(shown, chain)),
            pkix=_pkix(judgement),
            tls_version=seen.tls_version,
            sni=target.sni,
            warnings=tuple(warnings),
        )


_OLD_VERSIONS = ("SSLv3", "TLSv1", "TLSv1.1")


def reference_names(found: Found, request: Request) -> list[str]:
    """The names of which the server's certificate must have one (RFC 7671, RFC 7672 section 3.2).

    With DANE the base domain comes first, which is also the name for TLS.
    """
    host = found.service.host
    bases = (found.base, host) if found.outcome is None else (host,)
    return [to_host(name) for name in dict.fromkeys((*bases, *request.more_names))]


def _unseen(
    found: Found, request: Request, target: Target, result: Result, reason: str, failure: Failure
) -> AddressResult:
    """An address where no chain was seen."""
    return AddressResult(
        address=target.address,
        result=result,
        reason=reason,
        failure=failure,
        key=target.keys,
        matched=None,
        records=_records(found, is_mail=request.is_mail),
        chain=(),
        pkix=Pkix(None, "nothing was presented"),
        tls_version="",
        sni=target.sni,
        warnings=(),
    )


def _pkix(judgement: Judgement) -> Pkix:
    match judgement.pkix:
        case Validated() as validated:
            return Pkix(True, validated.note)
        case Flaw() as flaw:
            return Pkix(False, flaw.text)
        case None:
            return Pkix(None, "nobody was asked")


def shown(certificate: Certificate) -> Shown:
    """A certificate for people and programs."""
    contents = certificate.contents
    body = base64.encodebytes(certificate.der).decode().replace("\n", "")
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    pem = ["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""]
    return Shown(
        subject=certificate.subject,
        issuer=certificate.issuer,
        names=contents.dns_names if contents else (),
        not_after=f"{contents.not_after:%Y-%m-%dT%H:%M:%SZ}" if contents else "",
        sha256=certificate.sha256,
        pem="\n".join(pem),
    )


# ------------ The whole ------------


def check_result(found: Found, request: Request, addresses: Sequence[AddressResult]) -> CheckResult:
    """The service's result: that of the look-up, else the worst address of those reached."""
    is_mail = request.is_mail
    decisive = _decisive(addresses)
    result = found.outcome or (decisive.result if decisive else Result.UNREACHABLE)
    if decisive and decisive.result is Result.MISMATCH:
        result = Result.MISMATCH
    reason, failure = found.reason, ""
    if decisive and not reason:
        reason, failure = decisive.reason, decisive.failure
    elif found.outcome is Result.BOGUS:
        failure = Failure.DNSSEC_INVALID
    if is_mail and not failure and _settled(found, is_mail=True) is not found.outcome:
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
        starttls=request.starttls,
        base_domain=to_host(found.base),
        result=result,
        reason=reason,
        failure=failure,
        tls=_duty(found, is_mail=is_mail),
        security=found.security.word,
        records=decisive.records if decisive else _records(found, is_mail=is_mail),
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
        result=_settled(found, is_mail=is_mail),
        reason=found.reason,
        security=found.security.word,
        records=_records(found, is_mail=is_mail),
        ttl=found.ttl,
        addresses=found.host.addresses,
        extended_dns_errors=extended(found.edes),
        warnings=(*found.warnings, *_about_records(found, is_mail=is_mail)),
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


def _settled(found: Found, *, is_mail: bool) -> Result | None:
    """The result where no chain can change it."""
    if found.outcome is not None:
        return found.outcome
    return None if tlsa.in_use(found.records, is_mail=is_mail) else Result.NO_TLSA


def _duty(found: Found, *, is_mail: bool) -> Duty:
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


def _records(found: Found, *, is_mail: bool) -> tuple[Record, ...]:
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
