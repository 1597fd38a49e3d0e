"""What people and pins want to know of a certificate: its key's digest, names, issuer, dates.

Nothing here judges a certificate. What is read may be an attacker's: texts are made harmless.
"""

import base64
import hashlib
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from cryptography import x509

SHOWN_NAMES = 3
"""Names of a certificate that a message lists: some have hundreds."""
SHOWN_LENGTH = 64
"""Characters of a name or issuer that a message shows: an error should stay one line."""


class Described(msgspec.Struct, frozen=True):
    """A certificate for people. Dates are in UTC; `names` are DNS names and IP addresses."""

    names: tuple[str, ...]
    issuer: str
    not_before: datetime
    not_after: datetime

    @property
    def names_in_words(self) -> str:
        """`a.example, b.example and 12 more`."""
        if not self.names:
            return "no name at all"
        shown = ", ".join(self.names[:SHOWN_NAMES])
        more = len(self.names) - SHOWN_NAMES
        return f"{shown} and {more} more" if more > 0 else shown


def spki(der: bytes) -> bytes:
    """The SubjectPublicKeyInfo of a certificate, octet for octet as it stands in it.

    RFC 5280 section 4.1: the element after version, serial number, signature, issuer, validity
    and subject. Raises ValueError where that is not what it holds.
    """
    start, end = _inside(der, 0, _SEQUENCE)
    position, end = _inside(der, start, _SEQUENCE)
    if der[position : position + 1] == bytes((_VERSION,)):
        position = _after(der, position)
    for _ in range(5):
        position = _after(der, position)
    following = _after(der, position)
    if der[position] != _SEQUENCE or following > end:
        raise ValueError("the certificate has no public key where it should be")
    return der[position:following]


def tbs(der: bytes) -> bytes:
    """What the issuer of a certificate signed, its TBSCertificate, octet for octet.

    RFC 5280 section 4.1. Raises ValueError where that is not what it holds.
    """
    start, end = _inside(der, 0, _SEQUENCE)
    following = _after(der, start)
    if der[start] != _SEQUENCE or following > end:
        raise ValueError("the certificate has no contents where they should be")
    return der[start:following]


def pin(der: bytes) -> str:
    """The certificate's key as `sha256/BASE64` (RFC 7858 section 4.2, RFC 7469 section 2.1.1)."""
    return "sha256/" + base64.b64encode(hashlib.sha256(spki(der)).digest()).decode()


def describe(der: bytes) -> Described | None:
    """The certificate for people, or None where it is too odd to be read."""
    from cryptography import x509  # takes 40 ms, and only errors need it

    odd = (
        ValueError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType,
    )  # fmt: skip
    try:
        certificate = x509.load_der_x509_certificate(der)
        names = _names(certificate)
        issuer = _harmless(certificate.issuer.rfc4514_string())
        return Described(
            names, issuer, certificate.not_valid_before_utc, certificate.not_valid_after_utc
        )
    except odd:
        return None


def _names(certificate: "x509.Certificate") -> tuple[str, ...]:
    from cryptography import x509

    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    dns = extension.value.get_values_for_type(x509.DNSName)
    addresses = extension.value.get_values_for_type(x509.IPAddress)
    return tuple(map(_harmless, [*dns, *map(str, addresses)]))


def _harmless(text: str) -> str:
    return "".join(c for c in text if c.isprintable())[:SHOWN_LENGTH]


# ------------ As much of DER as is needed ------------

_SEQUENCE = 0x30
_VERSION = 0xA0


def _inside(der: bytes, position: int, tag: int) -> tuple[int, int]:
    """Where the contents of the element at `position` begin and end. Raises ValueError."""
    if len(der) < position + 2 or der[position] != tag:
        raise ValueError("the certificate is malformed")
    length = der[position + 1]
    start = position + 2
    if length & 0x80:
        following = start + (length & 0x7F)
        length = int.from_bytes(der[start:following])
        start = following
    if start + length > len(der):
        raise ValueError("the certificate ends too early")
    return start, start + length


def _after(der: bytes, position: int) -> int:
    """The offset after the element at `position`. Raises ValueError."""
    if position >= len(der):
        raise ValueError("the certificate ends too early")
    return _inside(der, position, der[position])[1]
