"""Signatures and digests: the only importer of `cryptography` on this floor.

Public keys come as DNSKEY key fields (RFC 3110, 6605, 8080) and are parsed once.
"""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from . import algorithms as alg

Verify: TypeAlias = Callable[[bytes, bytes], bool]
"""Signature and data in; whether the key made the one over the other."""

SMALLEST_RSA: Final = 1024
"""Bits of an RSA modulus below which a key counts as unsupported."""
LARGEST_RSA: Final = 4096
"""Bits of an RSA modulus above which a key counts as unsupported: what verifying may cost."""
LARGEST_EXPONENT: Final = 2**64 - 1
"""RSA public exponents above it count as unsupported, for the same reason."""
LONGEST_RSA: Final = 3 + 9 + LARGEST_RSA // 8
"""Octets of an RSA key field above which it counts as unsupported: there are zeros before a number,
which RFC 3110 section 2 prohibits, and which would fill the memory with keys that are kept."""


class UnsupportedKeyError(Exception):
    """The key is of a size or shape that is not supported here, which is no fault of it."""


class MalformedKeyError(Exception):
    """The key field does not hold a key of its algorithm."""


def digest(digest_type: int, data: bytes) -> bytes:
    """A DS digest (RFC 4034 section 5.1.4, RFC 4509, RFC 6605). Raises KeyError on other types."""
    return _DIGESTS[digest_type](data).digest()


_DIGESTS = {
    alg.SHA1: lambda data: hashlib.sha1(data, usedforsecurity=False),
    alg.SHA256: hashlib.sha256,
    alg.SHA384: hashlib.sha384,
}


@lru_cache(maxsize=2048)
def load_key(algorithm: int, key: bytes) -> Verify:
    """The verifier of a public key.

    Raises UnsupportedKeyError for algorithms and sizes that are not supported, by us or by the
    installed OpenSSL, and MalformedKeyError for bytes that are no such key.
    """
    loader = _LOADERS.get(algorithm)
    if loader is None:
        raise UnsupportedKeyError
    try:
        return loader(key)
    except UnsupportedAlgorithm as error:
        raise UnsupportedKeyError from error
    except ValueError as error:
        raise MalformedKeyError from error


def _rsa(hash_algorithm: hashes.HashAlgorithm) -> Callable[[bytes], Verify]:
    scheme = padding.PKCS1v15()

    def load(key: bytes) -> Verify:
        exponent, modulus = _rsa_numbers(key)
        if len(key) > LONGEST_RSA:
            raise UnsupportedKeyError
        if not SMALLEST_RSA <= modulus.bit_length() <= LARGEST_RSA:
            raise UnsupportedKeyError
        if exponent < 3 or exponent % 2 == 0 or exponent > LARGEST_EXPONENT:
            raise UnsupportedKeyError
        public_key = rsa.RSAPublicNumbers(exponent, modulus).public_key()

        def verify(signature: bytes, data: bytes) -> bool:
            try:
                public_key.verify(signature, data, scheme, hash_algorithm)
            except InvalidSignature:
                return False
            return True

        return verify

    return load


def rsa_bits(key: bytes) -> int:
    """Bits of the modulus of an RSA key field (RFC 3110 section 2); 0 where it is malformed."""
    try:
        return _rsa_numbers(key)[1].bit_length()
    except ValueError:
        return 0


def _rsa_numbers(key: bytes) -> tuple[int, int]:
    length = int.from_bytes(key[:1])
    start = 1
    if length == 0:
        length = int.from_bytes(key[1:3])
        start = 3
    exponent, modulus = key[start : start + length], key[start + length :]
    if not exponent or not modulus:
        raise ValueError("an RSA key ends too early")
    return int.from_bytes(exponent), int.from_bytes(modulus)


def _ecdsa(
    curve: ec.EllipticCurve, hash_algorithm: hashes.HashAlgorithm
) -> Callable[[bytes], Verify]:
    half = (curve.key_size + 7) // 8
    scheme = ec.ECDSA(hash_algorithm)

    def load(key: bytes) -> Verify:
        public_key = ec.EllipticCurvePublicKey.from_encoded_point(curve, b"\x04" + key)

        def verify(signature: bytes, data: bytes) -> bool:
            if len(signature) != 2 * half:
                return False
            r, s = int.from_bytes(signature[:half]), int.from_bytes(signature[half:])
            try:
                public_key.verify(encode_dss_signature(r, s), data, scheme)
            except InvalidSignature:
                return False
            return True

        return verify

    return load


def _ed25519(key: bytes) -> Verify:
    return _simple(ed25519.Ed25519PublicKey.from_public_bytes(key).verify)


def _ed448(key: bytes) -> Verify:
    return _simple(ed448.Ed448PublicKey.from_public_bytes(key).verify)


def _mldsa44(key: bytes) -> Verify:
    try:
        from cryptography.hazmat.primitives.asymmetric import mldsa
    except ImportError as error:  # cryptography before 47
        raise UnsupportedKeyError from error
    return _simple(mldsa.MLDSA44PublicKey.from_public_bytes(key).verify)


def _simple(check: Callable[[bytes, bytes], None]) -> Verify:
    def verify(signature: bytes, data: bytes) -> bool:
        try:
            check(signature, data)
        except InvalidSignature:
            return False
        return True

    return verify


_LOADERS: dict[int, Callable[[bytes], Verify]] = {
    alg.RSASHA1: _rsa(hashes.SHA1()),  # noqa: S303 - only where `dnssec.sha1` asks for it
    alg.RSASHA1_NSEC3_SHA1: _rsa(hashes.SHA1()),  # noqa: S303 - likewise
    alg.RSASHA256: _rsa(hashes.SHA256()),
    alg.RSASHA512: _rsa(hashes.SHA512()),
    alg.ECDSAP256SHA256: _ecdsa(ec.SECP256R1(), hashes.SHA256()),
    alg.ECDSAP384SHA384: _ecdsa(ec.SECP384R1(), hashes.SHA384()),
    alg.ED25519: _ed25519,
    alg.ED448: _ed448,
    alg.MLDSA44: _mldsa44,
}
