"""What `anchord dane` finds, for people: the verdict first, then what it rests on."""

import sys
from collections.abc import Iterator, Sequence

from anchord.dane.names import tlsa_owner, to_host
from anchord.dane.results import (
    AddressResult,
    CheckResult,
    Duty,
    LintResult,
    MailResult,
    Pkix,
    Policy,
    Record,
    Result,
    Severity,
    SrvResult,
    TlsaResult,
)
from anchord.model import names

from .terminal import Colour, paint

RESULT_COLOURS = {
    Result.MATCH: Colour.GREEN,
    Result.MISMATCH: Colour.RED,
    Result.NO_TLSA: Colour.YELLOW,
    Result.INSECURE: Colour.YELLOW,
    Result.BOGUS: Colour.RED,
    Result.UNREACHABLE: Colour.YELLOW,
}

SHOWN_DATA = 16
"""Characters of a record's data that a line shows; `--json` has them all."""

SHOWN_PATTERNS = 8
"""Patterns of an MTA-STS policy that a line shows."""

DUTIES = {
    Duty.AUTHENTICATED: "who honours DANE talks to it only if it fits",
    Duty.MANDATORY: "who honours DANE uses TLS, with whomever",
    Duty.OPPORTUNISTIC: "DANE asks for nothing",
}

POLICIES = {
    Policy.DANE_ONLY: "every host is authenticated by DANE, or gets no mail",
    Policy.DANE: "hosts with TLSA records are held to them; the others are not",
    Policy.NONE: "DANE does not protect this mail",
    Policy.TEMP: "a look-up fails, so that mail waits",
}


def tlsa_lines(found: TlsaResult) -> Iterator[str]:
    """`anchord dane tlsa`."""
    owner = _owner(found.base_domain, found.port, found.proto)
    yield f"{owner} TLSA: {paint(found.security, _security_colour(found.security), sys.stdout)}"
    if found.reason:
        yield f"  {found.reason}"
    yield from _records(found.records)
    yield from _tail(found.extended_dns_errors, found.warnings)


def check_lines(check: CheckResult) -> Iterator[str]:
    """`anchord dane check`."""
    yield f"{check.host}:{check.port}{_manner(check)}: {_word(check.result)}"
    yield from _body(check)
    yield f"  {DUTIES[check.tls]}"
    yield from _tail(check.extended_dns_errors, check.warnings)


def mail_lines(mail: MailResult) -> Iterator[str]:
    """`anchord dane smtp`."""
    colour = {Policy.DANE_ONLY: Colour.GREEN, Policy.TEMP: Colour.RED}.get(
        mail.policy, Colour.YELLOW
    )
    security = paint(mail.mx_security, _security_colour(mail.mx_security), sys.stdout)
    yield f"{mail.domain}: MX {security}, policy {paint(mail.policy, colour, sys.stdout)}"
    yield f"  {mail.reason or POLICIES[mail.policy]}"
    refused = [check for check in mail.mx if check.result in (Result.MISMATCH, Result.BOGUS)]
    if refused:
        told = f"{len(refused)} of {len(mail.mx)} hosts would get no mail"
        yield f"  {paint(told, Colour.RED, sys.stdout)}"
    for check in mail.mx:
        preference = "" if check.preference is None else f"{check.preference} "
        yield ""
        yield f"{preference}{check.host}: {_word(check.result)}"
        yield from _body(check)
        yield from _tail(check.extended_dns_errors, check.warnings)
    yield ""
    yield f"MTA-STS: {_mta_sts(mail)}"
    if mail.mta_sts.reports:
        yield f"TLSRPT: {', '.join(mail.mta_sts.reports)} ({mail.mta_sts.reports_security})"
    yield from _tail(mail.extended_dns_errors, mail.warnings)


def srv_lines(srv: SrvResult) -> Iterator[str]:
    """`anchord dane check --srv`."""
    security = paint(srv.srv_security, _security_colour(srv.srv_security), sys.stdout)
    yield f"_{srv.service}._tcp.{srv.domain}: SRV {security}"
    if srv.reason:
        yield f"  {srv.reason}"
    for check in srv.services:
        yield ""
        yield from check_lines(check)
    yield from _tail(srv.extended_dns_errors, ())


def lint_lines(lint: LintResult) -> Iterator[str]:
    """`anchord dane lint`."""
    yield f"{lint.host}:{lint.port}{_manner(lint.check)}: {_word(lint.check.result)}"
    colours = {Severity.ERROR: Colour.RED, Severity.WARNING: Colour.YELLOW}
    for finding in lint.findings:
        colour = colours.get(finding.severity, Colour.DIM)
        padding = " " * (8 - len(finding.severity))
        yield f"  {paint(finding.severity, colour, sys.stdout)}{padding}{finding.text}"
    if not lint.findings:
        yield "  nothing to mend"


# ------------ Parts ------------


def _word(result: Result) -> str:
    return paint(result, RESULT_COLOURS[result], sys.stdout)


def _security_colour(word: str) -> Colour:
    return {"secure": Colour.GREEN, "bogus": Colour.RED}.get(word, Colour.YELLOW)


def _manner(check: CheckResult) -> str:
    return f" ({check.starttls}, STARTTLS)" if check.starttls else ""


def _owner(base: str, port: int, proto: str) -> str:
    return to_host(tlsa_owner(names.from_text(base), port, proto))


def _body(check: CheckResult) -> Iterator[str]:
    if check.reason:
        yield f"  {check.reason}"
    if check.records:
        owner = _owner(check.base_domain, check.port, check.proto)
        yield f"  TLSA {owner} ({check.security}, for {check.ttl} s)"
        yield from _records(check.records, check.matched.index if check.matched else None)
    width = max((len(one.address) for one in check.addresses), default=0)
    for address in check.addresses:
        yield f"  {address.address:<{width}}  {_word(address.result)}{_detail(address, check)}"
    if check.chain:
        leaf = check.chain[0]
        issuer = f", issued by {leaf.issuer}" if leaf.issuer else ""
        until = f", until {leaf.not_after[:10]}" if leaf.not_after else ""
        yield f"  certificate of {leaf.subject}{issuer}{until}"
        yield f"  PKIX {_pkix(check.pkix)}"


def _records(records: Sequence[Record], fits: int | None = None) -> Iterator[str]:
    for index, record in enumerate(records):
        data = record.data[:SHOWN_DATA] + ("…" if len(record.data) > SHOWN_DATA else "")
        line = f"    {index}  {record.usage} {record.selector} {record.matching_type} {data}"
        if index == fits:
            line += "  fits"
        elif record.reason:
            line += f"  {'' if record.usable else 'unusable: '}{record.reason}"
        yield line


def _detail(address: AddressResult, check: CheckResult) -> str:
    parts = [address.key.upper()] if address.key else []
    if address.matched:
        depth = f", {address.matched.depth} up" if address.matched.depth else ""
        parts.append(f"record {address.matched.index}{depth}")
    if address.tls_version:
        parts.append(address.tls_version)
    if address.reason and (address.reason != check.reason or address.result != check.result):
        parts.append(address.reason)
    return f"  {', '.join(parts)}" if parts else ""


def _pkix(pkix: Pkix) -> str:
    word = {True: "valid", False: "not valid", None: "not asked"}[pkix.valid]
    return f"{word}: {pkix.reason}" if pkix.reason else word


def _mta_sts(mail: MailResult) -> str:
    sts = mail.mta_sts
    if not sts.found:
        return f"{sts.reason} ({sts.security})"
    may = "may apply" if sts.may_apply else "has no say beside DANE"
    announced = f"announced ({sts.security}), {may}"
    if sts.reason:
        return f"{announced}; its policy cannot be had: {sts.reason}"
    policy = " ".join((sts.mode, *sts.mx[:SHOWN_PATTERNS]))
    allows = ", ".join(sts.allows) or "nobody"
    return f"{announced}; its policy, {policy}, would let through {allows}"


def _tail(edes: Sequence[object], warnings: Sequence[str]) -> Iterator[str]:
    for ede in edes:
        code, name, text = (getattr(ede, field) for field in ("code", "name", "text"))
        yield f"  EDE {code} ({name}): {text}"
    for warning in warnings:
        yield f"  {paint('warning', Colour.YELLOW, sys.stdout)}: {warning}"
