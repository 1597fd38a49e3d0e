"""Certificates of QUIC servers, judged as OpenSSL judges those of TLS servers.

That the usual faults are told in the same words is shown by the tests of transports.
"""

import datetime as dt
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from anchord.model.errors import AnchordError
from anchord.net.chain import ChainVerifier
from anchord.net.identity import Identity, TlsError
from anchord.net.tls import ClientContexts
from support.certificates import Issued, make
from support.programs import needs

NAME = "dns.example"


class Scene:
    def __init__(self, folder: Path) -> None:
        self.ca = make(["Test CA"], is_ca=True)
        self.ca_file = str(self.ca.write(folder))

    def verify(self, issued: Issued, name: str = NAME) -> None:
        verifier = ChainVerifier(Identity(name, self.ca_file), ClientContexts())
        verifier.verify([issued.certificate, *issued.chain])

    def refused(self, issued: Issued, name: str = NAME) -> str:
        with pytest.raises(TlsError) as caught:
            self.verify(issued, name)
        return str(caught.value)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 2048),
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
        ed25519.Ed25519PrivateKey.generate(),
    ],
    ids=["rsa", "p-256", "p-384", "ed25519"],
)
def test_a_certificate_of_any_good_key_is_taken(scene: Scene, key: Any) -> None:
    scene.verify(make([NAME], issuer=scene.ca, key=key))


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        (NAME, NAME),
        ("*.test.example", "dns.test.example"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::53", "2001:db8::53"),
    ],
)
def test_names_wildcards_and_addresses_are_compared(scene: Scene, name: str, asked: str) -> None:
    issued = make([name], issuer=scene.ca)
    scene.verify(issued, asked)
    for other in ("test.example", "a.b.test.example", "192.0.2.2", "2001:db8::54"):
        assert f"is for {name}, not for {other}" in scene.refused(issued, other)


def test_a_common_name_is_no_name(scene: Scene) -> None:
    issued = make([], issuer=scene.ca)
    assert "is for no name at all" in scene.refused(issued)


@pytest.mark.parametrize(
    ("usages", "is_taken"),
    [
        ([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH], True),
        ([ExtendedKeyUsageOID.CLIENT_AUTH], False),
        ([ExtendedKeyUsageOID.CODE_SIGNING], False),
    ],
)
@pytest.mark.parametrize("where", ["leaf", "middle"])
def test_a_certificate_that_is_not_for_servers_is_refused(
    scene: Scene, where: str, usages: list[x509.ObjectIdentifier], is_taken: bool
) -> None:
    limit = x509.ExtendedKeyUsage(usages)
    if where == "leaf":
        issued = with_extension(make([NAME], issuer=scene.ca), scene.ca, limit)
    else:
        middle = with_extension(make(["Middle"], issuer=scene.ca, is_ca=True), scene.ca, limit)
        issued = make([NAME], issuer=middle)
    if is_taken:
        scene.verify(issued)
    else:
        assert "it is not for servers" in scene.refused(issued)


@pytest.mark.parametrize("where", ["leaf", "middle"])
def test_a_weak_key_is_refused(scene: Scene, where: str) -> None:
    weak = rsa.generate_private_key(65537, 1024)
    if where == "leaf":
        issued = make([NAME], issuer=scene.ca, key=weak)
    else:
        issued = make([NAME], issuer=make(["Middle"], issuer=scene.ca, is_ca=True, key=weak))
    assert "its key or digest is too weak" in scene.refused(issued)


@needs("openssl")
def test_a_weak_digest_is_refused_but_in_the_anchor(scene: Scene, tmp_path: Path) -> None:
    issued = make([NAME], issuer=scene.ca)
    assert "its key or digest is too weak" in scene.refused(
        signed_with_sha1(issued, scene.ca, tmp_path)
    )
    ca = make(["Old CA"], is_ca=True)
    old = signed_with_sha1(ca, ca, tmp_path)
    verifier = ChainVerifier(Identity(NAME, str(old.write(tmp_path))), ClientContexts())
    verifier.verify([make([NAME], issuer=old).certificate])


def signed_with_sha1(issued: Issued, issuer: Issued, folder: Path) -> Issued:
    """The same certificate as OpenSSL's own command would sign it; Python's library will not."""
    certificate = issued.certificate
    request = x509.CertificateSigningRequestBuilder().subject_name(certificate.subject)
    for known in certificate.extensions:
        if not isinstance(known.value, x509.AuthorityKeyIdentifier):
            request = request.add_extension(known.value, known.critical)
    wanted, authority = folder / "request.pem", issuer.write(folder)
    wanted.write_bytes(request.sign(issued.key, hashes.SHA256()).public_bytes(Encoding.PEM))
    who = ["-signkey", str(authority)]
    if issuer is not issued:
        who = ["-CA", str(authority), "-CAkey", str(authority)]
    command = ["openssl", "x509", "-req", "-in", str(wanted), *who, "-sha1", "-days", "2",
               "-set_serial", "7", "-copy_extensions", "copyall"]  # fmt: skip
    pem = subprocess.run(command, capture_output=True, check=True).stdout
    return Issued(x509.load_pem_x509_certificate(pem), issued.key, issued.chain)


def test_a_chain_through_a_leaf_is_refused(scene: Scene) -> None:
    issued = make([NAME], issuer=make([NAME], issuer=scene.ca))
    assert scene.refused(issued).startswith("the certificate is not accepted: ")


def test_a_name_that_an_authority_may_not_vouch_for_is_refused(scene: Scene) -> None:
    constraint = x509.NameConstraints([x509.DNSName("other.example")], None)
    middle = with_extension(
        make(["Middle"], issuer=scene.ca, is_ca=True), scene.ca, constraint, is_critical=True
    )
    assert "not accepted" in scene.refused(make([NAME], issuer=middle))


def test_the_platforms_store_does_not_trust_the_tests_ca(scene: Scene) -> None:
    issued = make([NAME], issuer=scene.ca)
    verifier = ChainVerifier(Identity(NAME), ClientContexts())
    with pytest.raises(TlsError, match="not trusted here"):
        verifier.verify([issued.certificate, scene.ca.certificate])


def test_a_store_without_files_is_read_from_the_system(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    contexts = ClientContexts()
    contexts.get(alpn="", checks_chain=True, ca_file="").load_verify_locations(scene.ca_file)
    nothing = ssl.get_default_verify_paths()._replace(cafile="", capath="")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: nothing)
    issued = make([NAME], issuer=scene.ca)
    ChainVerifier(Identity(NAME), contexts).verify([issued.certificate])


def test_a_ca_file_that_cannot_be_used_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(AnchordError, match="the CA file cannot be used: no such file"):
        ChainVerifier(Identity(NAME, str(tmp_path / "none.pem")), ClientContexts())


def with_extension(
    issued: Issued,
    issuer: Issued,
    extension: x509.ExtensionType,
    *,
    is_critical: bool = False,
) -> Issued:
    """The same certificate with one extension more."""
    old = issued.certificate
    builder = (
        x509.CertificateBuilder()
        .subject_name(old.subject)
        .issuer_name(old.issuer)
        .public_key(old.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(old.not_valid_before_utc)
        .not_valid_after(old.not_valid_after_utc + dt.timedelta(0))
        .add_extension(extension, critical=is_critical)
    )
    for known in old.extensions:
        builder = builder.add_extension(known.value, known.critical)
    made = builder.sign(issuer.key, hashes.SHA256())
    return Issued(made, issued.key, issued.chain)
