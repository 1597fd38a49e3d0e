"""Certificates as DANE sees them: octets first, and what they say where it can be read.

A certificate that no strict reader accepts still has octets and a public key to compare, and that
is all that usage 3 asks for. What a certification path is judged by (RFC 5280) stands in
`Contents`. Certificates are a stranger's: nothing here raises because of what is in one.
"""

import base64
import hashlib
import ipaddress
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from anchord.net.certificate import spki

SHORTEST_RSA = 1024
"""Bits of an RSA key whose signature on another certificate counts, as in libssl's lowest level
that checks anything; its leaf keys may be as weak as they like, since the zone vouches for them."""

SHOWN_LENGTH = 160
"""Characters of a name in a certificate that people are shown."""

SHOWN_NAMES = 3
"""DNS names of a certificate that a sentence lists: some have hundreds."""

ODD = (
    ValueError, TypeError, x509.InvalidVersion, x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType, UnsupportedAlgorithm,
)  # fmt: skip
"""What cryptography raises where a certificate is not as it should be."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a certificate says (RFC 5280 section 4). Times are in UTC.

    `key` is None where it is of a kind that nobody here knows. `path_length` is None where the
    certificate sets none. `permitted` and `excluded` are its name constraints, `not_understood` the
    critical extensions that nobody here reads.
    """

    parsed: x509.Certificate
    subject: x509.Name
    issuer: x509.Name
    key: PublicKeyTypes | None
    not_before: datetime
    not_after: datetime
    dns_names: tuple[str, ...]
    addresses: tuple[str, ...]
    is_ca: bool
    path_length: int | None
    may_sign_certificates: bool
    may_serve: bool
    permitted: tuple[x509.GeneralName, ...]
    excluded: tuple[x509.GeneralName, ...]
    not_understood: tuple[str, ...]

    @property
    def who(self) -> str:
        """Who it is for, for people: organisation and common name, else its first DNS name."""
        return shown(self.subject) or next(iter(map(_harmless, self.dns_names)), "nobody")

    @property
    def is_self_issued(self) -> bool:
        """Subject and issuer are one name (RFC 5280 section 3.2)."""
        return self.subject == self.issuer


@dataclass(frozen=True)
class Certificate:
    """One certificate as it was presented, or a bare public key (RFC 7250), which has no octets."""

    der: bytes
    bare_key: bytes = b""

    @cached_property
    def spki(self) -> bytes:
        """Its SubjectPublicKeyInfo, never encoded anew; empty where it cannot be found."""
        if self.bare_key:
            return self.bare_key
        try:
            return spki(self.der)
        except ValueError:
            return b""

    @cached_property
    def contents(self) -> Contents | None:
        """What it says; None where it cannot be read."""
        try:
            return _read(parse(self.der))
        except ODD:
            return None

    def part(self, selector: int) -> bytes:
        """What a TLSA record with this selector is about."""
        return self.spki if selector else self.der

    @property
    def sha256(self) -> str:
        """The fingerprint, in hexadecimal."""
        return hashlib.sha256(self.der).hexdigest()

    @property
    def pem(self) -> str:
        """It in PEM as tools write it: 64 characters a line (RFC 7468 section 2)."""
        text = base64.b64encode(self.der).decode()
        lines = [text[start : start + 64] for start in range(0, len(text), 64)]
        marks = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
        return "\n".join((marks[0], *lines, marks[1], ""))

    @property
    def subject(self) -> str:
        """Who it is for, for people."""
        if self.contents is None:
            return "a bare public key" if self.bare_key else "a certificate that cannot be read"
        return self.contents.who

    @property
    def issuer(self) -> str:
        """Who has issued it, for people."""
        return shown(self.contents.issuer) if self.contents else ""


def parse(der: bytes) -> x509.Certificate:
    """The certificate, without a word to standard error about what is odd in it.

    Raises one of `ODD`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return x509.load_der_x509_certificate(der)


def _read(parsed: x509.Certificate) -> Contents:
    found = {extension.oid: extension for extension in parsed.extensions}

    def value(oid: x509.ObjectIdentifier) -> Any:
        extension = found.get(oid)
        return None if extension is None else extension.value

    basic = value(ExtensionOID.BASIC_CONSTRAINTS)
    usage = value(ExtensionOID.KEY_USAGE)
    extended = value(ExtensionOID.EXTENDED_KEY_USAGE)
    alternative = value(ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    constraints = value(ExtensionOID.NAME_CONSTRAINTS)
    return Contents(
        parsed=parsed,
        subject=parsed.subject,
        issuer=parsed.issuer,
        key=_key(parsed),
        not_before=parsed.not_valid_before_utc,
        not_after=parsed.not_valid_after_utc,
        dns_names=tuple(alternative.get_values_for_type(x509.DNSName)) if alternative else (),
        addresses=tuple(map(str, alternative.get_values_for_type(x509.IPAddress)))
        if alternative
        else (),
        is_ca=bool(basic and basic.ca),
        path_length=basic.path_length if basic else None,
        may_sign_certificates=usage is None or usage.key_cert_sign,
        may_serve=extended is None or any(one in _SERVING for one in extended),
        permitted=tuple(constraints.permitted_subtrees or ()) if constraints else (),
        excluded=tuple(constraints.excluded_subtrees or ()) if constraints else (),
        not_understood=tuple(
            extension.oid.dotted_string
            for extension in parsed.extensions
            if extension.critical and extension.oid not in _UNDERSTOOD
        ),
    )


def _key(parsed: x509.Certificate) -> PublicKeyTypes | None:
    try:
        return parsed.public_key()
    except ODD:
        return None


_SERVING = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
"""Purposes with which a certificate may be a TLS server's (RFC 5280 section 4.2.1.12)."""

_UNDERSTOOD = frozenset({
    ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME, ExtensionOID.NAME_CONSTRAINTS,
    ExtensionOID.CERTIFICATE_POLICIES, ExtensionOID.POLICY_CONSTRAINTS,
    ExtensionOID.INHIBIT_ANY_POLICY, ExtensionOID.POLICY_MAPPINGS,
})  # fmt: skip
"""Extensions that may be critical. Policies restrict nothing for who demands none."""


# ------------ Signatures ------------


def is_signed_by(subject: Contents, key: PublicKeyTypes | None) -> bool:
    """Whether the key has signed the certificate."""
    certificate = subject.parsed
    signed, signature = certificate.tbs_certificate_bytes, certificate.signature
    try:
        match key:
            case rsa.RSAPublicKey():
                scheme, digest = _rsa_scheme(certificate)
                key.verify(signature, signed, scheme, digest)
            case ec.EllipticCurvePublicKey():
                digest = certificate.signature_hash_algorithm
                assert digest is not None
                key.verify(signature, signed, ec.ECDSA(digest))
            case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
                key.verify(signature, signed)
            case _:
                return False
    except (InvalidSignature, AssertionError, *ODD):
        return False
    return True


def _rsa_scheme(certificate: x509.Certificate) -> tuple[Any, Any]:
    """PKCS #1 or PSS, as the certificate says."""
    return certificate.signature_algorithm_parameters, certificate.signature_hash_algorithm


def weakness(subject: Contents, key: PublicKeyTypes | None) -> str:
    """Why a good signature on the certificate by the key proves nothing; empty where it does."""
    try:
        digest = subject.parsed.signature_hash_algorithm
    except ODD:
        return ""
    if isinstance(digest, hashes.MD5 | hashes.SHA1):
        return f"is signed with {digest.name.upper()}, which can be forged"
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < SHORTEST_RSA:
        return f"is signed by an RSA key of {key.key_size} bits"
    return ""


# ------------ For people ------------


def shown(name: x509.Name) -> str:
    """A name in a certificate: organisation and common name, else the whole."""
    common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    organisation = name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    parts = [str(attribute.value) for attribute in (*organisation[:1], *common[:1])]
    return _harmless(" ".join(parts) if parts else name.rfc4514_string())


def shown_names(names: Sequence[str]) -> str:
    """`a.example, b.example and 12 more`."""
    listed = ", ".join(map(_harmless, names[:SHOWN_NAMES]))
    more = len(names) - SHOWN_NAMES
    return f"{listed} and {more} more" if more > 0 else listed


def _harmless(text: str) -> str:
    return "".join(c for c in text if c.isprintable())[:SHOWN_LENGTH]


# ------------ Name constraints ------------


def is_within_constraints(leaf: Contents, authority: Contents) -> bool:
    """Whether the names of the leaf keep to an authority's constraints (RFC 5280 section 4.2.1.10).

    DNS names and addresses are looked at: no other name of the leaf is of use to a TLS client.
    """
    return _all_within(leaf.dns_names, _domains(authority), _is_in_domain) and _all_within(
        leaf.addresses, _networks(authority), _is_in_network
    )


def _all_within(presented: Sequence[str], constraints: Any, is_in: Any) -> bool:
    permitted, excluded = constraints
    return all(
        (not permitted or any(is_in(name, one) for one in permitted))
        and not any(is_in(name, one) for one in excluded)
        for name in presented
    )


def _domains(authority: Contents) -> tuple[list[str], list[str]]:
    permitted, excluded = (
        [str(name.value) for name in names if isinstance(name, x509.DNSName)]
        for names in (authority.permitted, authority.excluded)
    )
    return permitted, excluded


def _networks(authority: Contents) -> tuple[list[Any], list[Any]]:
    permitted, excluded = (
        [name.value for name in names if isinstance(name, x509.IPAddress)]
        for names in (authority.permitted, authority.excluded)
    )
    return permitted, excluded


def _is_in_domain(name: str, constraint: str) -> bool:
    name, constraint = name.lower(), constraint.lower().removeprefix(".")
    return not constraint or name == constraint or name.endswith(f".{constraint}")


def _is_in_network(address: str, network: Any) -> bool:
    found = ipaddress.ip_address(address)
    return found.version == network.version and found in network
