"""The TLSA record for a certificate or a key, in the forms in which it is published.

The usual one is `3 1 1`: the digest of the server's own key, which stays right for as long as the
key does, however often the certificate is renewed. A certificate that can never fit is refused: a
server's own for a CA's usage, and a CA's for a server's.
"""

import hashlib
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from anchord.model import names
from anchord.model.errors import AnchordError
from anchord.model.names import Name

from .certificate import ODD, Certificate
from .names import tlsa_owner
from .tlsa import Matching, Selector, Tlsa, Usage

TTL = 3600
"""Seconds: short enough that a mistake is over soon, long enough for every cache."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a record is made of: a certificate, or a key that has none yet."""

    certificate: Certificate | None
    spki: bytes


def read_source(data: bytes, where: str) -> Source:
    """A certificate in PEM or DER (the first of several), a request, or a public key in PEM.

    Raises AnchordError.
    """
    try:
        if b"-----BEGIN PUBLIC KEY-----" in data:
            key = load_pem_public_key(data)
            spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            return Source(None, spki)
        if b"-----BEGIN CERTIFICATE REQUEST-----" in data:
            key = x509.load_pem_x509_csr(data).public_key()
            spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            return Source(None, spki)
        if b"-----BEGIN CERTIFICATE-----" in data:
            data = x509.load_pem_x509_certificate(data).public_bytes(Encoding.DER)
    except ODD as error:
        raise AnchordError(f"it cannot be read: {error}", where=where, remedy=_SOURCES) from error
    certificate = Certificate(data)
    if not certificate.spki:
        raise AnchordError("it holds no certificate", where=where, remedy=_SOURCES)
    return Source(certificate, certificate.spki)


_SOURCES = "give a certificate, a certificate request, or a public key in PEM"


def make_record(source: Source, *, usage: int, selector: int, matching: int, where: str) -> Tlsa:
    """The record. Raises AnchordError where it could never fit."""
    certificate = source.certificate
    if certificate is None and selector == Selector.CERT:
        problem = "selector 0 is about a certificate, and this is a key"
        raise AnchordError(problem, where=where, remedy="give the certificate, or use selector 1")
    contents = certificate.contents if certificate else None
    is_for_authority = usage in (Usage.PKIX_TA, Usage.DANE_TA)
    if contents and is_for_authority and not contents.is_ca:
        problem = f"usage {usage} is for a CA, and the certificate of {contents.who} is no CA's"
        remedy = "give the certificate of the CA, or use usage 3"
        raise AnchordError(problem, where=where, remedy=remedy)
    if contents and not is_for_authority and contents.is_ca:
        problem = f"usage {usage} is for a server, and the certificate of {contents.who} is a CA's"
        remedy = "give the server's, or use usage 2; if this is the server's, give its public key"
        raise AnchordError(problem, where=where, remedy=remedy)
    whole = certificate.der if certificate and selector == Selector.CERT else source.spki
    return Tlsa(usage, selector, matching, matched(whole, matching))


def matched(whole: bytes, matching: int) -> bytes:
    """What a record with this matching type holds about a certificate or a key."""
    match matching:
        case Matching.FULL:
            return whole
        case Matching.SHA2_256:
            return hashlib.sha256(whole).digest()
        case _:
            return hashlib.sha512(whole).digest()


# ------------ The forms ------------


def zone_line(host: Name, port: int, proto: str, record: Tlsa, ttl: int = TTL) -> str:
    """A line of a zone file."""
    return f"{_owner(host, port, proto)} {ttl} IN TLSA {record}"


def generic_line(host: Name, port: int, proto: str, record: Tlsa, ttl: int = TTL) -> str:
    r"""The same for servers that do not know the type: `TYPE52 \# LENGTH HEX` (RFC 3597)."""
    rdata = record.rdata
    return f"{_owner(host, port, proto)} {ttl} IN TYPE52 \\# {len(rdata)} {rdata.hex()}"


def update_script(
    host: Name, port: int, proto: str, records: list[Tlsa], ttl: int = TTL
) -> list[str]:
    """What `nsupdate` reads: the records in place of whatever is there (RFC 2136)."""
    owner = _owner(host, port, proto)
    added = [f"update add {owner} {ttl} IN TLSA {record}" for record in records]
    return [f"update delete {owner} TLSA", *added, "send"]


def _owner(host: Name, port: int, proto: str) -> str:
    return names.to_text(tlsa_owner(host, port, proto))


def first_host(source: Source) -> str:
    """The first name of the certificate that is no wildcard; empty where there is none."""
    contents = source.certificate.contents if source.certificate else None
    own = contents.dns_names if contents else ()
    return next((name for name in own if "*" not in name), "")
