"""Keys of the lab: derived from a seed, so that the same lab has the same keys everywhere.

Nothing here is secret, and nothing of it may sign anything but a lab. RSA keys cannot be derived
quickly; they are made of the primes in `rsa_primes.txt`, which are public. An algorithm that is
not known here gets a key and signatures of arbitrary octets: nobody can tell them from real ones
without implementing it.
"""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from importlib import resources

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from msgspec.structs import replace

from anchord.model.names import Name
from anchord.wire.rdata import key_tag

ZONE_KEY = 0x0100
"""The Zone Key flag (RFC 4034 section 2.1.1)."""
SECURE_ENTRY_POINT = 0x0001
"""The SEP flag (RFC 4034 section 2.1.1)."""
REVOKE = 0x0080
"""The REVOKE flag (RFC 5011 section 3)."""

RSASHA1 = 5
RSASHA1_NSEC3_SHA1 = 7
RSASHA256 = 8
RSASHA512 = 10
ECDSAP256SHA256 = 13
ECDSAP384SHA384 = 14
ED25519 = 15
ED448 = 16
MLDSA44 = 18

SHA1 = 1
SHA256 = 2
SHA384 = 4

Sign = Callable[[bytes], bytes]


class Key(msgspec.Struct, frozen=True):
    """A key pair. `public` is the Public Key field of the DNSKEY, `sign` signs octets."""

    algorithm: int
    public: bytes
    sign: Sign
    flags: int = ZONE_KEY
    protocol: int = 3

    @property
    def rdata(self) -> bytes:
        """The DNSKEY's RDATA (RFC 4034 section 2.1)."""
        return self.flags.to_bytes(2) + bytes((self.protocol, self.algorithm)) + self.public

    @property
    def key_tag(self) -> int:
        """The key tag (RFC 4034 appendix B)."""
        return key_tag(self.rdata)


def derive(
    seed: str,
    zone: Name,
    algorithm: int,
    *,
    flags: int = ZONE_KEY,
    number: int = 0,
    bits: int = 2048,
) -> Key:
    """The key of that seed, zone, algorithm, flags and number. `bits` is for RSA alone.

    Zones share the few RSA keys there are; within a zone, a key with the SEP flag differs from
    one without. Raises KeyError where there is no RSA key of that size.
    """
    label = f"{seed}/{zone.hex()}/{algorithm}/{flags & SECURE_ENTRY_POINT}/{number}"
    secret = hashlib.shake_256(label.encode())
    if algorithm in _RSA_HASHES:
        half = secret.digest(1)[0] & ~1
        public, sign = _rsa(algorithm, bits, half + (flags & SECURE_ENTRY_POINT) + 2 * number)
    else:
        public, sign = _MAKERS.get(algorithm, _opaque)(secret.digest(64))
    return Key(algorithm, public, sign, flags)


def forged_key(like: Key, size: int, number: int) -> Key:
    """A key of arbitrary octets that signs nothing, with algorithm, flags and tag of another.

    `size` is the number of octets of its public key, and even. Keys of different numbers differ.
    """
    octets = hashlib.shake_256(f"{like.public.hex()}/{number}".encode()).digest(size - 2)
    without = replace(like, public=octets + b"\0\0", sign=_sign_nothing)
    near = like.key_tag - without.key_tag
    for word in (near, near - 1, near + 1):  # the tag is a sum whose carry is added to it
        forged = replace(without, public=octets + (word & 0xFFFF).to_bytes(2))
        if forged.key_tag == like.key_tag:
            return forged
    raise AssertionError("a key tag is a sum of words")


def _sign_nothing(_: bytes) -> bytes:
    raise ValueError("nobody has the private key")


def ds_rdata(zone: Name, key: Key, digest_type: int = SHA256) -> bytes:
    """The RDATA of a DS record for the key (RFC 4034 section 5.1.4).

    A digest type that is not known here gets 32 arbitrary octets.
    """
    digest = _DIGESTS.get(digest_type, _opaque_digest)(zone + key.rdata)
    return key.key_tag.to_bytes(2) + bytes((key.algorithm, digest_type)) + digest


def _opaque_digest(data: bytes) -> bytes:
    return hashlib.shake_256(data).digest(32)


_DIGESTS: dict[int, Callable[[bytes], bytes]] = {
    SHA1: lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    SHA256: lambda data: hashlib.sha256(data).digest(),
    SHA384: lambda data: hashlib.sha384(data).digest(),
}


# ------------ One maker of keys for each algorithm ------------


def _p256(secret: bytes) -> tuple[bytes, Sign]:
    return _ecdsa(secret, ec.SECP256R1(), hashes.SHA256(), 32)


def _p384(secret: bytes) -> tuple[bytes, Sign]:
    return _ecdsa(secret, ec.SECP384R1(), hashes.SHA384(), 48)


def _ecdsa(
    secret: bytes, curve: ec.EllipticCurve, algorithm: hashes.HashAlgorithm, size: int
) -> tuple[bytes, Sign]:
    """RFC 6605. Signatures by RFC 6979, so that the same data have the same signature."""
    private = ec.derive_private_key(1 + int.from_bytes(secret[: size - 1]), curve)
    numbers = private.public_key().public_numbers()
    scheme = ec.ECDSA(algorithm, deterministic_signing=True)

    def sign(data: bytes) -> bytes:
        r, s = decode_dss_signature(private.sign(data, scheme))
        return r.to_bytes(size) + s.to_bytes(size)

    return numbers.x.to_bytes(size) + numbers.y.to_bytes(size), sign


def _ed25519(secret: bytes) -> tuple[bytes, Sign]:
    private = ed25519.Ed25519PrivateKey.from_private_bytes(secret[:32])
    return private.public_key().public_bytes_raw(), private.sign


def _ed448(secret: bytes) -> tuple[bytes, Sign]:
    private = ed448.Ed448PrivateKey.from_private_bytes(secret[:57])
    return private.public_key().public_bytes_raw(), private.sign


def _mldsa44(secret: bytes) -> tuple[bytes, Sign]:
    """Its keys come from the seed, its signatures differ each time (FIPS 204, hedged).

    Raises ImportError where the installed version of cryptography does not know it.
    """
    from cryptography.hazmat.primitives.asymmetric import mldsa

    private = mldsa.MLDSA44PrivateKey.from_seed_bytes(secret[:32])
    return private.public_key().public_bytes_raw(), private.sign


def _opaque(secret: bytes) -> tuple[bytes, Sign]:
    def sign(data: bytes) -> bytes:
        return hashlib.shake_256(secret + data).digest(64)

    return hashlib.shake_256(secret).digest(64), sign


_MAKERS: dict[int, Callable[[bytes], tuple[bytes, Sign]]] = {
    ECDSAP256SHA256: _p256,
    ECDSAP384SHA384: _p384,
    ED25519: _ed25519,
    ED448: _ed448,
    MLDSA44: _mldsa44,
}

_RSA_HASHES: dict[int, hashes.HashAlgorithm] = {
    RSASHA1: hashes.SHA1(),  # noqa: S303 - zones signed so are what the lab must have
    RSASHA1_NSEC3_SHA1: hashes.SHA1(),  # noqa: S303 - likewise
    RSASHA256: hashes.SHA256(),
    RSASHA512: hashes.SHA512(),
}

RSA_EXPONENT = 65537


def _rsa(algorithm: int, bits: int, number: int) -> tuple[bytes, Sign]:
    """RFC 3110, RFC 5702; the exponent fits the short form."""
    primes = _rsa_primes()[bits]
    private = _rsa_key(*primes[number % len(primes)])
    modulus = private.public_key().public_numbers().n
    exponent = RSA_EXPONENT.to_bytes(3)
    scheme = padding.PKCS1v15()
    hash_algorithm = _RSA_HASHES[algorithm]

    def sign(data: bytes) -> bytes:
        return private.sign(data, scheme, hash_algorithm)

    return bytes((len(exponent),)) + exponent + modulus.to_bytes((bits + 7) // 8), sign


@lru_cache(maxsize=64)
def _rsa_key(p: int, q: int) -> rsa.RSAPrivateKey:
    d = pow(RSA_EXPONENT, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p=p,
        q=q,
        d=d,
        dmp1=d % (p - 1),
        dmq1=d % (q - 1),
        iqmp=pow(q, -1, p),
        public_numbers=rsa.RSAPublicNumbers(RSA_EXPONENT, p * q),
    )
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


@lru_cache(maxsize=1)
def _rsa_primes() -> dict[int, list[tuple[int, int]]]:
    """The pairs of primes by the size of the modulus in bits."""
    found: dict[int, list[tuple[int, int]]] = {}
    text = (resources.files(__package__) / "rsa_primes.txt").read_text("ascii")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            bits, p, q = line.split()
            found.setdefault(int(bits), []).append((int(p, 16), int(q, 16)))
    return found
