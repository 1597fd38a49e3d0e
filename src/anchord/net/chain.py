"""Certificates that were shown outside of OpenSSL's own handshake, judged as strictly as inside it.

QUIC's handshake is aioquic's, and what that library checks falls short of what `ssl` does for us:
it trusts a store of its own, and looks neither at what a certificate is for nor at how weak its
key is. So it is told to check the handshake's signature only, and the chain is judged here, by the
same OpenSSL code, the same store and the same flags as `tls` has. pyOpenSSL and service-identity
come with aioquic.
"""

import ssl
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL.crypto import (
    FILETYPE_ASN1,
    X509,
    X509Store,
    X509StoreContext,
    X509StoreContextError,
    dump_certificate,
    load_certificate,
)
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import (
    verify_certificate_hostname,
    verify_certificate_ip_address,
)

from .identity import WRONG_NAME, Identity, TlsError, refusal
from .tls import ClientContexts

SMALLEST_RSA, SMALLEST_CURVE = 2048, 224
"""Bits of a key at least: OpenSSL's security level 2, which distributions set."""


class ChainVerifier:
    """Judges the certificates of one server.

    Raises AnchordError where the CA file cannot be used.
    """

    def __init__(self, identity: Identity, contexts: ClientContexts) -> None:
        self._identity = identity
        self._contexts = contexts
        self._store: X509Store | None = None
        if identity.ca_file:
            self._context()  # a file that is missing is told before the first query

    def verify(self, shown: Sequence[x509.Certificate]) -> None:
        """Raises TlsError unless the first of these, the server's own, proves who the server is."""
        ders = [certificate.public_bytes(Encoding.DER) for certificate in shown]
        if self._identity.checks_chain:
            chain = self._chain(shown, ders[0])
            _check_use(shown[0])
            for certificate in chain[1:-1]:
                _check_use(certificate.to_cryptography())
            self._check_name(shown[0], ders[0])
            self._identity.check_chain(dump_certificate(FILETYPE_ASN1, one) for one in chain)
        self._identity.check_key(ders[0])

    def _context(self) -> ssl.SSLContext:
        return self._contexts.get(alpn="", checks_chain=True, ca_file=self._identity.ca_file)

    def _chain(self, shown: Sequence[x509.Certificate], der: bytes) -> list[X509]:
        """From the server's certificate up to one that is trusted."""
        if self._store is None:
            self._store = _store(self._context(), self._identity.ca_file)
        leaf, *others = map(X509.from_cryptography, shown)
        try:
            return X509StoreContext(self._store, leaf, others).get_verified_chain()
        except X509StoreContextError as error:
            code, _, message = error.errors
            raise refusal(code, message, self._identity.name, der) from error

    def _check_name(self, certificate: x509.Certificate, der: bytes) -> None:
        name = self._identity.name
        is_address = ":" in name or name.rpartition(".")[2].isdecimal()
        verify = verify_certificate_ip_address if is_address else verify_certificate_hostname
        try:
            verify(certificate, name)
        except (VerificationError, CertificateError, ValueError) as error:
            raise refusal(WRONG_NAME, "", name, der) from error


def _check_use(certificate: x509.Certificate) -> None:
    """What OpenSSL checks of a TLS server only: purpose, and strength of key and digest.

    It trusts an anchor as it is.
    """
    if not _may_serve(certificate):
        raise TlsError("the certificate is not accepted: it is not for servers")
    if _has_weak_key(certificate) or _has_weak_digest(certificate):
        raise TlsError("the certificate is not accepted: its key or digest is too weak")


def _store(context: ssl.SSLContext, ca_file: str) -> X509Store:
    """What the context trusts."""
    store = X509Store()
    store.set_flags(context.verify_flags)
    if ca_file:
        store.load_locations(ca_file)
        return store
    paths = ssl.get_default_verify_paths()
    folder = paths.capath if paths.capath and any(Path(paths.capath).iterdir()) else None
    if paths.cafile or folder:
        store.load_locations(paths.cafile, folder)
    else:  # the store of a system that does not keep it in files
        for der in context.get_ca_certs(binary_form=True):
            store.add_cert(load_certificate(FILETYPE_ASN1, der))
    return store


def _may_serve(certificate: x509.Certificate) -> bool:
    """Whether its extended key usage, where it has one, lets it (or what it issues) serve TLS."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    except ValueError:
        return False
    return ExtendedKeyUsageOID.SERVER_AUTH in usage


def _has_weak_key(certificate: x509.Certificate) -> bool:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey | dsa.DSAPublicKey):
        return key.key_size < SMALLEST_RSA
    return isinstance(key, ec.EllipticCurvePublicKey) and key.key_size < SMALLEST_CURVE


def _has_weak_digest(certificate: x509.Certificate) -> bool:
    return isinstance(certificate.signature_hash_algorithm, hashes.SHA1 | hashes.MD5)
