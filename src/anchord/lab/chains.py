"""Certificates of the lab's services, right and wrong, and the TLSA records that go with them.

A chain is made by its name for a host; a record by a text such as `3 1 1 leaf`: usage, selector,
matching type, and a part of the chain. Times are the real clock's, since TLS knows no other.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from anchord.dane.make import matched
from anchord.dane.tlsa import Tlsa

DAY = dt.timedelta(days=1)
LIFETIME = 30 * DAY


@dataclass(frozen=True, slots=True)
class Holder:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: CertificateIssuerPrivateKeyTypes

    @property
    def der(self) -> bytes:
        """The certificate's octets."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        """The certificate in PEM."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def spki(self) -> bytes:
        """The key's octets."""
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def key_pem(self) -> bytes:
        """The private key in PEM."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@dataclass(frozen=True, slots=True)
class Chain:
    """What a server presents, its own certificate first, and all that records may be about."""

    presented: tuple[Holder, ...]
    parts: dict[str, Holder] = field(default_factory=dict)

    @property
    def leaf(self) -> Holder:
        """The server's own certificate."""
        return self.presented[0]

    @property
    def ders(self) -> list[bytes]:
        """The certificates as they are presented."""
        return [holder.der for holder in self.presented]

    @property
    def pem(self) -> bytes:
        """Certificates and key, as servers want them in a file."""
        return b"".join(holder.pem for holder in self.presented) + self.leaf.key_pem


def issue(
    subject: str,
    issuer: Holder | None = None,
    *,
    names: Sequence[str] = (),
    is_ca: bool = False,
    path_length: int | None = None,
    key: CertificateIssuerPrivateKeyTypes | None = None,
    begins: dt.timedelta = -2 * DAY,
    ends: dt.timedelta = LIFETIME,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    purpose: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.SERVER_AUTH,
) -> Holder:
    """A certificate with this common name, signed by the issuer or by itself.

    `begins` and `ends` count from now; `extensions` come with whether they are critical.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    signer = issuer.key if issuer else key
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    name = _name(subject)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.certificate.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=path_length), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
            critical=False,
        )
    )
    if names:
        alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternative, critical=False)
    if is_ca:
        builder = builder.add_extension(_signs_certificates(), critical=True)
    elif purpose is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    for extension, is_critical in extensions:
        builder = builder.add_extension(extension, critical=is_critical)
    algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return Holder(builder.sign(signer, algorithm), key)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _signs_certificates() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )


# ------------ Chains by name ------------

CHAINS: dict[str, Callable[[str], Chain]] = {}
"""Every kind of chain: from the host's name to what its server presents."""


def _chain(make: Callable[[str], Chain]) -> Callable[[str], Chain]:
    CHAINS[make.__name__.replace("_", "-")] = make
    return make


def _authorities(**options: object) -> tuple[Holder, Holder]:
    root = issue("Root of the Lab", is_ca=True)
    return root, issue("Issuer of the Lab", root, is_ca=True, **options)  # type: ignore[arg-type]


def _whole(leaf: Holder, issuer: Holder, root: Holder, **parts: Holder) -> Chain:
    known = {"leaf": leaf, "issuer": issuer, "root": root} | parts
    return Chain((leaf, issuer, root), known)


@_chain
def good(host: str) -> Chain:
    """Server, issuer and root, all as they should be."""
    root, issuer = _authorities()
    return _whole(issue(host, issuer, names=[host]), issuer, root)


@_chain
def without_root(host: str) -> Chain:
    """The root is not presented, as is usual."""
    chain = good(host)
    return Chain(chain.presented[:2], chain.parts)


@_chain
def leaf_only(host: str) -> Chain:
    """Nothing but the server's own certificate, which the root has issued."""
    root = issue("Root of the Lab", is_ca=True)
    leaf = issue(host, root, names=[host])
    return Chain((leaf,), {"leaf": leaf, "root": root, "issuer": root})


@_chain
def expired(host: str) -> Chain:
    """The server's certificate expired yesterday."""
    root, issuer = _authorities()
    return _whole(issue(host, issuer, names=[host], ends=-DAY), issuer, root)


@_chain
def not_yet_valid(host: str) -> Chain:
    """The server's certificate is valid from tomorrow on."""
    root, issuer = _authorities()
    return _whole(issue(host, issuer, names=[host], begins=DAY), issuer, root)


@_chain
def expired_issuer(host: str) -> Chain:
    """The issuer's certificate expired yesterday."""
    root, issuer = _authorities(ends=-DAY)
    return _whole(issue(host, issuer, names=[host]), issuer, root)


@_chain
def other_name(_: str) -> Chain:
    """The server's certificate is for somebody else."""
    root, issuer = _authorities()
    return _whole(issue("other.example", issuer, names=["other.example"]), issuer, root)


@_chain
def common_name_only(host: str) -> Chain:
    """The host is the common name, and there is no alternative name."""
    root, issuer = _authorities()
    return _whole(issue(host, issuer), issuer, root)


@_chain
def wildcard(host: str) -> Chain:
    """A wildcard for the host's siblings."""
    root, issuer = _authorities()
    pattern = f"*.{host.partition('.')[2]}"
    return _whole(issue(pattern, issuer, names=[pattern]), issuer, root)


@_chain
def self_signed(_: str) -> Chain:
    """A certificate by nobody, expired and without any name."""
    leaf = issue("nobody", ends=-DAY)
    return Chain((leaf,), {"leaf": leaf})


@_chain
def no_authority(host: str) -> Chain:
    """The issuer's certificate does not say that it is a CA's."""
    root = issue("Root of the Lab", is_ca=True)
    issuer = issue("Issuer of the Lab", root, purpose=None)
    return _whole(issue(host, issuer, names=[host]), issuer, root)


@_chain
def too_long(host: str) -> Chain:
    """The root allows no CA below its issuers, and there is one."""
    root = issue("Root of the Lab", is_ca=True, path_length=0)
    issuer = issue("Issuer of the Lab", root, is_ca=True)
    return _whole(issue(host, issuer, names=[host]), issuer, root)


@_chain
def out_of_order(host: str) -> Chain:
    """The right certificates, the upper one first."""
    chain = good(host)
    leaf, issuer, root = chain.presented
    return Chain((leaf, root, issuer), chain.parts)


@_chain
def among_strangers(host: str) -> Chain:
    """The right certificates, with others in between."""
    chain = good(host)
    leaf, issuer, root = chain.presented
    strangers = [issue(f"Stranger {number}", is_ca=True) for number in range(2)]
    presented = (leaf, strangers[0], issuer, strangers[1], root)
    return Chain(presented, chain.parts | {"stranger": strangers[0]})


@_chain
def stapled(host: str) -> Chain:
    """A self-signed certificate, and a CA beside it that has nothing to do with it."""
    leaf, root = issue(host, names=[host]), issue("Root of the Lab", is_ca=True)
    return Chain((leaf, root), {"leaf": leaf, "root": root, "issuer": root})


@_chain
def impostor(host: str) -> Chain:
    """The issuer that is presented has the right name and another key."""
    root, issuer = _authorities()
    impostor = issue("Issuer of the Lab", root, is_ca=True)
    leaf = issue(host, issuer, names=[host])
    return Chain((leaf, impostor, root), {"leaf": leaf, "issuer": impostor, "root": root})


@_chain
def cross_signed(host: str) -> Chain:
    """The root is presented as a certificate of the same name and key by another root."""
    chain = good(host)
    leaf, issuer, root = chain.presented
    elder = issue("Elder Root", is_ca=True)
    cross = issue("Root of the Lab", elder, is_ca=True, key=root.key)
    return Chain((leaf, issuer, cross), chain.parts | {"cross": cross, "elder": elder})


@_chain
def ed25519_authority(host: str) -> Chain:
    """A private CA with an Ed25519 key."""
    root = issue("Root of the Lab", is_ca=True, key=ed25519.Ed25519PrivateKey.generate())
    leaf = issue(host, root, names=[host])
    return Chain((leaf, root), {"leaf": leaf, "root": root, "issuer": root})


@_chain
def weak_key(host: str) -> Chain:
    """An RSA key of 1024 bits, which ordinary clients refuse."""
    root, issuer = _authorities()
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is what it shows
    return _whole(issue(host, issuer, names=[host], key=key), issuer, root)


@_chain
def constrained(host: str) -> Chain:
    """The issuer may speak for other names only."""
    elsewhere = x509.NameConstraints([x509.DNSName("elsewhere.example")], None)
    root, issuer = _authorities(extensions=[(elsewhere, True)])
    return _whole(issue(host, issuer, names=[host]), issuer, root)


@_chain
def for_clients(host: str) -> Chain:
    """The certificate is meant for TLS clients."""
    root, issuer = _authorities()
    purpose = ExtendedKeyUsageOID.CLIENT_AUTH
    return _whole(issue(host, issuer, names=[host], purpose=purpose), issuer, root)


@_chain
def orphan(host: str) -> Chain:
    """The issuer is not presented, and no store has it."""
    chain = good(host)
    return Chain(chain.presented[:1], chain.parts)


@_chain
def for_domain(host: str) -> Chain:
    """The certificate is for the domain above the host."""
    return good(host.partition(".")[2])


@_chain
def with_next(host: str) -> Chain:
    """A good chain, and the key that comes after this one."""
    chain = good(host)
    following = issue(host, chain.parts["issuer"], names=[host])
    return Chain(chain.presented, chain.parts | {"next": following})


# ------------ Records by text ------------


def record_of(text: str, chain: Chain) -> Tlsa:
    """`3 1 1 leaf`: the numbers, and a part of the chain, `nothing`, `pem`, or data in hexadecimal.

    Raises ValueError for a text that is none of this.
    """
    usage, selector, matching, what = text.split()
    numbers = int(usage), int(selector), int(matching)
    if what in chain.parts:
        holder = chain.parts[what]
        return Tlsa(*numbers, matched(holder.spki if numbers[1] else holder.der, numbers[2]))
    match what:
        case "nothing":
            return Tlsa(*numbers, matched(b"", numbers[2]))
        case "pem":
            return Tlsa(*numbers, matched(chain.leaf.pem, numbers[2]))
        case "-":
            return Tlsa(*numbers, b"")
        case _:
            return Tlsa(*numbers, bytes.fromhex(what))


def records_of(texts: str, chain: Chain) -> list[Tlsa]:
    """The same for several, with semicolons in between."""
    return [record_of(text.strip(), chain) for text in texts.split(";") if text.strip()]
