"""Who a server must prove to be, and why one was refused: the same over TLS and over QUIC.

A server is known by its name: its certificate's chain ends in a trusted CA, and one of its names
is the one we asked for, or its IP address where we asked for an address. Or it is known by its
key: where pins are given, the certificate's public key must be one of them, and then nobody else
has to vouch for it; names, dates and CA do not count, so that a self-signed certificate will do
(RFC 7858 section 4.2). Only the server's own certificate is compared, since whoever is in between
could present any other one beside it. Pins together with a CA file ask for both. Hashes of
certificates narrow down the chain: one in it must have been issued as exactly that.
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from anchord.model.errors import AnchordError

from .certificate import Described, describe, pin, tbs


class TlsError(AnchordError):
    """No TLS connection: the peer cannot or must not be spoken to. The message is for people."""

    exit_status = 3


class Identity(msgspec.Struct, frozen=True):
    """Who a server must prove to be.

    `name` is a DNS name or an IP address. `ca_file` is a PEM file, the platform's store where it
    is empty. `pins` are `sha256/BASE64` of the server's SPKI, `chain_hashes` SHA-256 of the
    TBSCertificate of one certificate in the chain, in hexadecimal. See the module.
    """

    name: str
    ca_file: str = ""
    pins: frozenset[str] = frozenset()
    chain_hashes: frozenset[str] = frozenset()

    @property
    def checks_chain(self) -> bool:
        """Whether a CA has to vouch for the server."""
        return not self.pins or bool(self.ca_file or self.chain_hashes)

    def check_key(self, der: bytes) -> None:
        """Raises TlsError where the server's certificate has none of the pinned keys."""
        if not self.pins:
            return
        try:
            seen = pin(der)
        except ValueError as error:
            raise TlsError(
                f"the server's key cannot be read: {error}", remedy="have its operator look at it"
            ) from error
        if seen not in self.pins:
            raise TlsError(
                f"the server's key is {seen}, which is none of the pins",
                remedy="pin it only if the operator confirms that it is theirs",
            )

    def check_chain(self, ders: Iterable[bytes]) -> None:
        """Raises TlsError where no certificate of a proven chain has one of the hashes."""
        if not self.chain_hashes:
            return
        if not any(hashlib.sha256(tbs(der)).hexdigest() in self.chain_hashes for der in ders):
            raise TlsError(
                "no certificate in the server's chain is one that the stamp names",
                remedy="get a new stamp from the operator, if it is not somebody in between",
            )


# ------------ Certificates that were refused, in words ------------

NOT_YET_VALID, EXPIRED, SELF_SIGNED, WRONG_NAME = 9, 10, 18, 62
_UNKNOWN_CA = frozenset({2, 19, 20, 21})
_WRONG_NAMES = frozenset({WRONG_NAME, 64})
"""OpenSSL's codes, X509_V_ERR_*."""


def refusal(code: int, message: str, name: str, der: bytes | None) -> TlsError:
    """Why the certificate of the server that should be `name` was refused, and what to do.

    `code` and `message` are OpenSSL's. `der` is what could be seen of the certificate; one of the
    chain above it may be the culprit.
    """
    seen = describe(der) if der else None
    if code == EXPIRED:
        return TlsError(
            _expiry(seen),
            remedy="see whether this machine's clock is right; else its operator must renew it",
        )
    if code == NOT_YET_VALID:
        begins = f"{seen.not_before:%Y-%m-%d %H:%M} UTC" if seen else "later"
        return TlsError(
            f"the certificate is valid from {begins}",
            remedy="see whether this machine's clock is right",
        )
    if code in _WRONG_NAMES:
        names = f"is for {seen.names_in_words}, not" if seen else "is not"
        return TlsError(
            f"the certificate {names} for {name}",
            remedy="correct the name in the upstream's URL, if it is not somebody in between",
        )
    if code == SELF_SIGNED:
        return TlsError(
            "the certificate is self-signed",
            remedy="where the upstream is yours, name its key in pins, or it in ca_file",
        )
    if code in _UNKNOWN_CA:
        issuer = f"by {seen.issuer}" if seen and seen.issuer else "by a CA"
        return TlsError(
            f"the certificate was issued {issuer}, which is not trusted here",
            remedy="where the upstream is yours, name its CA in ca_file; else this machine lacks "
            "CA certificates, or somebody is in between",
        )
    return TlsError(f"the certificate is not accepted: {message}")


def _expiry(seen: Described | None) -> str:
    if seen and seen.not_after > datetime.now(UTC):
        return "a certificate above the server's own has expired"
    since = f" on {seen.not_after:%Y-%m-%d %H:%M} UTC" if seen else ""
    return f"the certificate expired{since}"
