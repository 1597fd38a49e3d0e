"""A certificate authority of the lab's own, made at start and kept nowhere: for DNS over TLS.

Times are the real clock's, since TLS knows no other.
"""

import datetime as dt
import ipaddress
import ssl
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SERVER_NAME = "dns.lab"
"""The name that the lab's server certificate is for, beside the loopback addresses."""
LOOPBACK = ("127.0.0.1", "::1")

DAY = dt.timedelta(days=1)
LIFETIME = 30 * DAY
"""How long certificates are valid: longer than anybody keeps a lab running."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        """The certificate alone, in PEM."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def pem_with_key(self) -> bytes:
        """The certificate and its private key, in PEM."""
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return self.pem + key


class CertificateAuthority:
    """A CA that issues server certificates; `pem` is what clients must trust."""

    def __init__(self, name: str = "anchord lab CA") -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = dt.datetime.now(dt.UTC)
        certificate = (
            _builder(subject, subject, key.public_key(), now - DAY, now + LIFETIME)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .sign(key, hashes.SHA256())
        )
        self._ca = Issued(certificate, key)

    @property
    def pem(self) -> bytes:
        """The CA's certificate in PEM, for a client's `ca_file`."""
        return self._ca.pem

    def issue(
        self,
        name: str = SERVER_NAME,
        *,
        addresses: Iterable[str] = LOOPBACK,
        is_expired: bool = False,
    ) -> Issued:
        """A certificate for a server of that name and those addresses; expired ones since a day."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.UTC)
        end = now - DAY if is_expired else now + LIFETIME
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = self._ca.certificate
        names = [
            x509.DNSName(name),
            *(x509.IPAddress(ipaddress.ip_address(address)) for address in addresses),
        ]
        certificate = (
            _builder(subject, issuer.subject, key.public_key(), now - 2 * DAY, end)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._ca.key.public_key()),
                critical=False,
            )
            .sign(self._ca.key, hashes.SHA256())
        )
        return Issued(certificate, key)


def server_context(issued: Issued, *, alpn: Iterable[str] = ("dot",)) -> ssl.SSLContext:
    """What a server that has this certificate listens with; no ALPN where `alpn` is empty."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    protocols = list(alpn)
    if protocols:
        context.set_alpn_protocols(protocols)
    with tempfile.TemporaryDirectory() as directory:  # ssl takes keys from files only
        path = Path(directory) / "server.pem"
        path.write_bytes(issued.pem_with_key)
        context.load_cert_chain(path)
    return context


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    begin: dt.datetime,
    end: dt.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
