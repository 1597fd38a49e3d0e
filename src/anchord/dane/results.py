"""What a look-up or a check finds, as programs see it: the fields are the interface.

Everything is plain: texts, numbers, tuples of the like. Times are RFC 3339 texts in UTC, names of
hosts are without the final dot. `as_json` turns any of these into what `json` can write.
"""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Result(StrEnum):
    """What became of a check.

    NO_TLSA: proven absent, or no record can be used (then a warning says so). INSECURE: the records
    are not signed, or the host is not and is no alias, so that they were not even asked for.
    UNREACHABLE: could not be judged.
    """

    MATCH = "match"
    MISMATCH = "mismatch"
    NO_TLSA = "no-tlsa"
    INSECURE = "insecure"
    BOGUS = "bogus"
    UNREACHABLE = "unreachable"


class Duty(StrEnum):
    """What a client that honours DANE must do.

    AUTHENTICATED: use TLS, and only with a server that fits the records; also where the look-up
    failed, since nothing less will do. MANDATORY: use TLS, with whomever (RFC 7672 section 2.2).
    OPPORTUNISTIC: DANE asks for nothing.
    """

    AUTHENTICATED = "authenticated"
    MANDATORY = "mandatory"
    OPPORTUNISTIC = "opportunistic"


@dataclass(frozen=True, slots=True)
class Record:
    """A TLSA record, `data` in hexadecimal.

    `reason` says why it is not usable; after a check also why it does not count or does not fit.
    """

    usage: int
    selector: int
    matching_type: int
    data: str
    usable: bool
    reason: str


@dataclass(frozen=True, slots=True)
class ExtendedError:
    """An Extended DNS Error (RFC 8914)."""

    code: int
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class TlsaResult:
    """The TLSA RRset of a service. `ttl` is for how many seconds this holds.

    `result` says why there is nothing to check a server against; None where there is something.
    `base_domain` is the name below which the records are: the host, or what it is an alias of.
    """

    host: str
    port: int
    proto: str
    base_domain: str
    result: Result | None
    reason: str
    security: str
    records: tuple[Record, ...]
    ttl: int
    addresses: tuple[str, ...]
    extended_dns_errors: tuple[ExtendedError, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Matched:
    """Which record fits, and how many steps above the server's certificate."""

    index: int
    depth: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A certificate as it was presented. `sha256` is its fingerprint.

    `names` and `pem` are empty where the whole chain would be too long.
    """

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_after: str
    sha256: str
    pem: str


@dataclass(frozen=True, slots=True)
class Pkix:
    """What the roots of this machine say. `valid` is None where nobody has asked them."""

    valid: bool | None
    reason: str


@dataclass(frozen=True, slots=True)
class AddressResult:
    """The service at one address.

    `failure` is the word that TLSRPT has for what went wrong (RFC 8460 section 4.3), and empty
    where nothing did. `key` is the kind of certificate that was asked for, where it was one.
    """

    address: str
    result: Result
    reason: str
    failure: str
    key: str
    matched: Matched | None
    records: tuple[Record, ...]
    chain: tuple[Shown, ...]
    pkix: Pkix
    tls_version: str
    sni: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A service, checked at every address; `result` is the worst of those reached.

    `matched`, `chain`, `pkix` and the records' reasons are those of the address that decided it.
    `preference` is that of the MX record, where the host is from one.
    """

    host: str
    port: int
    proto: str
    starttls: str
    base_domain: str
    result: Result
    reason: str
    failure: str
    tls: Duty
    security: str
    records: tuple[Record, ...]
    ttl: int
    matched: Matched | None
    addresses: tuple[AddressResult, ...]
    chain: tuple[Shown, ...]
    pkix: Pkix
    extended_dns_errors: tuple[ExtendedError, ...]
    warnings: tuple[str, ...]
    preference: int | None = None


class Policy(StrEnum):
    """How a mail server that honours DANE delivers to a domain, in Postfix's words.

    DANE_ONLY: every host is authenticated or gets nothing. DANE: those that can be are. NONE: DANE
    says nothing. TEMP: a look-up failed, so nothing is delivered for now.
    """

    DANE_ONLY = "dane-only"
    DANE = "dane"
    NONE = "none"
    TEMP = "temp"


@dataclass(frozen=True, slots=True)
class MtaSts:
    """What is known of MTA-STS (RFC 8461) and TLSRPT (RFC 8460).

    `found`: a policy is announced, by a record with this `security` and `id`. `mode`, `mx` and
    `max_age` (seconds) are the policy's; without one `reason` says why, and `failure` is TLSRPT's
    word for what went wrong. `allows` are the MX hosts that the policy and PKIX together let
    through, whatever DANE says. `may_apply` tells whether MTA-STS has a say beside DANE: it never
    overrides it. `reports` are where TLSRPT sends reports.
    """

    found: bool
    security: str
    id: str
    mode: str
    mx: tuple[str, ...]
    max_age: int | None
    reason: str
    failure: str
    allows: tuple[str, ...]
    may_apply: bool
    reports: tuple[str, ...]
    reports_security: str


@dataclass(frozen=True, slots=True)
class MailResult:
    """A mail domain, MX by MX.

    `result` says why no host was looked at: BOGUS or UNREACHABLE; it is None also for a domain that
    takes no mail (RFC 7505).
    """

    domain: str
    mx_security: str
    policy: Policy
    result: Result | None
    reason: str
    mx: tuple[CheckResult, ...]
    mta_sts: MtaSts
    ttl: int
    extended_dns_errors: tuple[ExtendedError, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SrvResult:
    """A service through its SRV records. `result` is there where no target was looked at."""

    domain: str
    service: str
    srv_security: str
    result: Result | None
    reason: str
    services: tuple[CheckResult, ...]
    extended_dns_errors: tuple[ExtendedError, ...]


class Severity(StrEnum):
    """ERROR: broken, or broken soon for certain. WARNING: will break. HINT: could be better."""

    ERROR = "error"
    WARNING = "warning"
    HINT = "hint"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend."""

    severity: Severity
    text: str


@dataclass(frozen=True, slots=True)
class LintResult:
    """What will break, and the check that it was seen by."""

    host: str
    port: int
    findings: tuple[Finding, ...]
    check: CheckResult


def as_json(result: Any) -> str:
    """A result as one JSON object."""
    return json.dumps(asdict(result), indent=2)
