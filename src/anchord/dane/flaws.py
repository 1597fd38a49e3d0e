"""What is wrong with a certificate: sentences for people, and the words of reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .certificate import Contents, shown_names
from .names import first_match


class Failure(StrEnum):
    """Why a delivery would fail, in the words of TLSRPT (RFC 8460 section 4.3)."""

    STARTTLS_NOT_SUPPORTED = "starttls-not-supported"
    CERTIFICATE_HOST_MISMATCH = "certificate-host-mismatch"
    CERTIFICATE_EXPIRED = "certificate-expired"
    CERTIFICATE_NOT_TRUSTED = "certificate-not-trusted"
    TLSA_INVALID = "tlsa-invalid"
    DNSSEC_INVALID = "dnssec-invalid"
    VALIDATION_FAILURE = "validation-failure"
    STS_POLICY_FETCH_ERROR = "sts-policy-fetch-error"
    STS_POLICY_INVALID = "sts-policy-invalid"
    STS_WEBPKI_INVALID = "sts-webpki-invalid"


@dataclass(frozen=True, slots=True)
class Flaw:
    """A sentence, and the word for the report."""

    text: str
    failure: Failure


def expiry_flaw(contents: Contents, now: datetime) -> Flaw | None:
    """A certificate outside its dates."""
    if now > contents.not_after:
        verb, time = "expired on", contents.not_after
    elif now < contents.not_before:
        verb, time = "is valid from", contents.not_before
    else:
        return None
    text = f"the certificate of {contents.who} {verb} {time:%Y-%m-%d %H:%M} UTC"
    return Flaw(text, Failure.CERTIFICATE_EXPIRED)


def name_flaw(leaf: Contents, names: Sequence[str]) -> Flaw | None:
    """A certificate for somebody else: it has none of the names (RFC 9525 section 6)."""
    if first_match(leaf.dns_names, names) is not None:
        return None
    wanted = " or ".join(names)
    text = f"the certificate has no DNS name, so it is not for {wanted}"
    if leaf.dns_names:
        text = f"the certificate is for {shown_names(leaf.dns_names)}, not for {wanted}"
    return Flaw(text, Failure.CERTIFICATE_HOST_MISMATCH)
