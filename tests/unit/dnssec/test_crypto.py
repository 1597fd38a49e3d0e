"""Keys and signatures: the RFCs' own vectors, and every shape of key that must be refused.

The vectors are the worked examples of RFC 5702, RFC 6605, RFC 8080 (with erratum 4935), RFC 4034
and RFC 4509, records as they stand there.
"""

import sys
from dataclasses import dataclass

import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import asymmetric, hashes
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from anchord.dnssec import crypto
from anchord.dnssec.crypto import (
    MalformedKeyError,
    UnsupportedKeyError,
    digest,
    load_key,
    rsa_bits,
)
from anchord.lab.keys import derive
from anchord.model import names
from anchord.wire.rdata import Dnskey, Rrsig, read_dnskey, read_ds, read_rrsig

DATA = b"data"


pytestmark = pytest.mark.usefixtures("keys_loaded_anew")


# ------------ The RFCs' vectors ------------


def rdata(rdtype: str, text: str) -> bytes:
    """RDATA from presentation form."""
    wire = dns.rdata.from_text(
        dns.rdataclass.IN, dns.rdatatype.from_text(rdtype), text, relativize=False
    ).to_wire()
    assert wire
    return wire


def signed(owner: str, rdtype: str, text: str, rrsig: Rrsig) -> bytes:
    """What the RRSIG signs, for one record."""
    data = rdata(rdtype, text)
    head = names.from_text(owner) + dns.rdatatype.from_text(rdtype).to_bytes(2) + b"\0\1"
    return rrsig.signed_head + head + rrsig.original_ttl.to_bytes(4) + len(data).to_bytes(2) + data


@dataclass(frozen=True)
class Example:
    """A key, a signature by it, and the record that is signed; `bits` of too small a key."""

    key: str
    rrsig: str
    record: tuple[str, str, str]
    bits: int = 0


EXAMPLES = {
    "RFC 5702 6.1, RSA/SHA-256": Example(
        key=(
            "256 3 8 AwEAAcFcGsaxxdgiuuGmCkVImy4h99CqT7jwY3pexPGcnUFtR2Fh36BponcwtkZ4cAgtvd4Qs8PkxU"
            "dp6p/DlUmObdk="
        ),
        rrsig=(
            "A 8 3 3600 20300101000000 20000101000000 9033 example.net. kRCOH6u7l0QGy9qpC9l1sLncJcO"
            "KFLJ7GhiUOibu4teYp5VE9RncriShZNz85mwlMgNEacFYK/lPtPiVYP4bwg=="
        ),
        record=("www.example.net.", "A", "192.0.2.91"),
        bits=512,
    ),
    "RFC 5702 6.2, RSA/SHA-512": Example(
        key=(
            "256 3 10 AwEAAdHoNTOW+et86KuJOWRDp1pndvwb6Y83nSVXXyLA3DLroROUkN6X0O6pnWnjJQujX/AyhqFDx"
            "j13tOnD9u/1kTg7cV6rklMrZDtJCQ5PCl/D7QNPsgVsMu1J2Q8gpMpztNFLpPBz1bWXjDtaR7ZQBlZ3PFY12ZT"
            "SncorffcGmhOL"
        ),
        rrsig=(
            "A 10 3 3600 20300101000000 20000101000000 3740 example.net. tsb4wnjRUDnB1BUi+t6TMTXThj"
            "VnG+eCkWqjvvjhzQL1d0YRoOe0CbxrVDYd0xDtsuJRaeUw1ep94PzEWzr0iGYgZBWm/zpq+9fOuagYJRfDqfRe"
            "KBzMweOLDiNa8iP5g9vMhpuv6OPlvpXwm9Sa9ZXIbNl1MBGk0fthPgxdDLw="
        ),
        record=("www.example.net.", "A", "192.0.2.91"),
    ),
    "RFC 6605 6.1, ECDSA P-256": Example(
        key=(
            "257 3 13 GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xM"
            "WyQLc8NAA=="
        ),
        rrsig=(
            "A 13 3 3600 20100909100439 20100812100439 55648 example.net. qx6wLYqmh+l9oCKTN6qIc+bw6"
            "ya+KJ8oMz0YP107epXAyGmt+3SNruPFKG7tZoLBLlUzGGus7ZwmwWep666VCw=="
        ),
        record=("www.example.net.", "A", "192.0.2.1"),
    ),
    "RFC 6605 6.2, ECDSA P-384": Example(
        key=(
            "257 3 14 xKYaNhWdGOfJ+nPrL8/arkwf2EY3MDJ+SErKivBVSum1w/egsXvSADtNJhyem5RCOpgQ6K8X1DRSE"
            "krbYQ+OB+v8/uX45NBwY8rp65F6Glur8I/mlVNgF6W/qTI37m40"
        ),
        rrsig=(
            "A 14 3 3600 20100909102025 20100812102025 10771 example.net. /L5hDKIvGDyI1fcARX3z65qrm"
            "PsVz73QD1Mr5CEqOiLP95hxQouuroGCeZOvzFaxsT8Glr74hbavRKayJNuydCuzWTSSPdz7wnqXL5bdcJzusdn"
            "I0RSMROxxwGipWcJm"
        ),
        record=("www.example.net.", "A", "192.0.2.1"),
    ),
    "RFC 8080 6.1, Ed25519": Example(
        key=("257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4="),
        rrsig=(
            "MX 15 2 3600 1440021600 1438207200 3613 example.com. oL9krJun7xfBOIWcGHi7mag5/hdZrKWw1"
            "5jPGrHpjQeRAvTdszaPD+QLs3fx8A4M3e23mRZ9VrbpMngwcrqNAg=="
        ),
        record=("example.com.", "MX", "10 mail.example.com."),
    ),
    "RFC 8080 6.1, Ed25519 again": Example(
        key=("257 3 15 zPnZ/QwEe7S8C5SPz2OfS5RR40ATk2/rYnE9xHIEijs="),
        rrsig=(
            "MX 15 2 3600 1440021600 1438207200 35217 example.com. zXQ0bkYgQTEFyfLyi9QoiY6D8ZdYo4wy"
            "UhVioYZXFdT410QPRITQSqJSnzQoSm5poJ7gD7AQR0O7KuI5k2pcBg=="
        ),
        record=("example.com.", "MX", "10 mail.example.com."),
    ),
    "RFC 8080 6.2, Ed448": Example(
        key=(
            "257 3 16 3kgROaDjrh0H2iuixWBrc8g2EpBBLCdGzHmn+G2MpTPhpj/OiBVHHSfPodx1FYYUcJKm1MDpJtIA"
        ),
        rrsig=(
            "MX 16 2 3600 1440021600 1438207200 9713 example.com. 3cPAHkmlnxcDHMyg7vFC34l0blBhuG1qp"
            "wLmjInI8w1CMB29FkEAIJUA0amxWndkmnBZ6SKiwZSAxGILn/NBtOXft0+Gj7FSvOKxE/07+4RQvE581N3Aj/J"
            "tIyaiYVdnYtyMWbSNyGEY2213WKsJlwEA"
        ),
        record=("example.com.", "MX", "10 mail.example.com."),
    ),
    "RFC 8080 6.2, Ed448 again": Example(
        key=(
            "257 3 16 kkreGWoccSDmUBGAe7+zsbG6ZAFQp+syPmYUurBRQc3tDjeMCJcVMRDmgcNLp5HlHAMy12VoISsA"
        ),
        rrsig=(
            "MX 16 2 3600 1440021600 1438207200 38353 example.com. E1/oLjSGIbmLny/4fcgM1z4oL6aqo+iz"
            "T3urCyHyvEp4Sp8Syg1eI+lJ57CSnZqjJP41O/9l4m0AsQ4f7qI1gVnML8vWWiyW2KXhT9kuAICUSxv5OWbf81"
            "Rq7Yu60npabODB0QFPb/rkW3kUZmQ0YQUA"
        ),
        record=("example.com.", "MX", "10 mail.example.com."),
    ),
}


def vector(name: str) -> tuple[Dnskey, Rrsig, bytes]:
    example = EXAMPLES[name]
    key = read_dnskey(rdata("DNSKEY", example.key))
    rrsig = read_rrsig(rdata("RRSIG", example.rrsig))
    return key, rrsig, signed(*example.record, rrsig)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_the_standards_verify(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key, rrsig, data = vector(name)
    assert (key.key_tag, key.algorithm) == (rrsig.key_tag, rrsig.algorithm)
    if bits := EXAMPLES[name].bits:
        with pytest.raises(UnsupportedKeyError):
            load_key(key.algorithm, key.key)
        monkeypatch.setattr(crypto, "SMALLEST_RSA", bits)
    verify = load_key(key.algorithm, key.key)
    assert verify(rrsig.signature, data)
    assert not verify(rrsig.signature, data + b"\0")
    assert not verify(rrsig.signature, data[:-1])
    for position in (0, len(rrsig.signature) // 2, -1):
        wrong = bytearray(rrsig.signature)
        wrong[position] ^= 1
        assert not verify(bytes(wrong), data)


def test_the_example_of_ds_by_sha256() -> None:
    """RFC 4509 section 2.3."""
    key = rdata(
        "DNSKEY",
        "256 3 5 AQOeiiR0GOMYkDshWoSKz9XzfwJr1AYtsmx3TGkJaNXVbfi/2pHm822aJ5iI9BMzNXxeYCmZDRD99WY"
        "wYqUSdjMmmAphXdvxegXd/M5+X7OrzKBaMbCVdFLUUh6DhweJBjEVv5f2wwjM9XzcnOf+EPbtG9DMBmADjFDc2w"
        "/rljwvFw==",
    )
    ds = read_ds(
        rdata("DS", "60485 5 2 D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A")
    )
    assert read_dnskey(key).key_tag == ds.key_tag
    assert digest(2, names.from_text("dskey.example.com.") + key) == ds.digest


def test_the_example_of_ds_by_sha1() -> None:
    """RFC 4034 section 5.4, the same key."""
    key = rdata(
        "DNSKEY",
        "256 3 5 AQOeiiR0GOMYkDshWoSKz9XzfwJr1AYtsmx3TGkJaNXVbfi/2pHm822aJ5iI9BMzNXxeYCmZDRD99WY"
        "wYqUSdjMmmAphXdvxegXd/M5+X7OrzKBaMbCVdFLUUh6DhweJBjEVv5f2wwjM9XzcnOf+EPbtG9DMBmADjFDc2w"
        "/rljwvFw==",
    )
    assert digest(1, names.from_text("dskey.example.com.") + key).hex().upper() == (
        "2BB183AF5F22588179A53B0A98631FAD1A292118"
    )


def test_the_example_of_ds_by_sha384() -> None:
    """RFC 6605 section 6.2."""
    key = rdata("DNSKEY", EXAMPLES["RFC 6605 6.2, ECDSA P-384"].key)
    assert digest(4, names.from_text("example.net.") + key).hex() == (
        "72d7b62976ce06438e9c0bf319013cf801f09ecc84b8d7e9495f27e305c6a9b0"
        "563a9b5f4d288405c3008a946df983d6"
    )


def test_digests_are_those_that_are_known() -> None:
    assert [len(digest(kind, DATA)) for kind in (1, 2, 4)] == [20, 32, 48]
    for unknown in (0, 3, 5, 6, 255):
        with pytest.raises(KeyError):
            digest(unknown, DATA)


# ------------ RSA ------------


def rsa_key(exponent: int, modulus: int, *, long_form: bool = False) -> bytes:
    """The key field of RFC 3110 section 2."""
    number = exponent.to_bytes((exponent.bit_length() + 7) // 8 or 1)
    is_long = long_form or len(number) > 255
    length = b"\0" + len(number).to_bytes(2) if is_long else bytes((len(number),))
    return length + number + modulus.to_bytes((modulus.bit_length() + 7) // 8)


MODULUS = (1 << 1023) + 12345


@pytest.fixture(scope="module")
def private() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)


@pytest.mark.parametrize(
    ("bits", "is_supported"),
    [
        (512, False),
        (1016, False),
        (1023, False),
        (1024, True),
        (2048, True),
        (4096, True),
        (4097, False),
        (4104, False),
        (8192, False),
    ],
)
def test_rsa_moduli_of_1024_to_4096_bits_are_supported(bits: int, is_supported: bool) -> None:
    key = rsa_key(65537, (1 << (bits - 1)) + 1)
    assert rsa_bits(key) == bits
    if is_supported:
        assert not load_key(8, key)(bytes(bits // 8), DATA)
    else:
        with pytest.raises(UnsupportedKeyError):
            load_key(8, key)


@pytest.mark.parametrize(
    ("exponent", "is_supported"),
    [
        (0, False),
        (1, False),
        (2, False),
        (3, True),
        (4, False),
        (65536, False),
        (65537, True),
        (2**64 - 1, True),
        (2**64, False),
        (2**64 + 1, False),
        (2**2047 + 1, False),
    ],
    ids=lambda value: f"{value:x}"[:20],
)
def test_rsa_exponents_are_odd_and_of_3_to_64_bits(exponent: int, is_supported: bool) -> None:
    key = rsa_key(exponent, (1 << 2047) + 1)
    if is_supported:
        assert not load_key(8, key)(bytes(256), DATA)
    else:
        with pytest.raises(UnsupportedKeyError):
            load_key(8, key)


def test_zeros_before_a_number_do_not_make_a_key_longer_than_it_can_be() -> None:
    modulus = (1 << 4095) + 1
    key = rsa_key((1 << 64) - 1, modulus, long_form=True)
    most = 3 + 9 + 512
    for zeros, is_supported in ((0, True), (most - len(key), True), (most - len(key) + 1, False)):
        exponent = bytes(zeros) + b"\xff" * 8
        padded = b"\0" + len(exponent).to_bytes(2) + exponent + modulus.to_bytes(512)
        if is_supported:
            assert not load_key(8, padded)(bytes(512), DATA)
        else:
            with pytest.raises(UnsupportedKeyError):
                load_key(8, padded)


def test_an_exponents_length_may_take_three_octets(private: rsa.RSAPrivateKey) -> None:
    """RFC 3110 section 2."""
    numbers = private.public_key().public_numbers()
    signature = private.sign(DATA, padding.PKCS1v15(), hashes.SHA256())
    for long_form in (False, True):
        key = rsa_key(numbers.e, numbers.n, long_form=long_form)
        assert load_key(8, key)(signature, DATA)
        assert rsa_bits(key) == 1024
        assert not load_key(10, key)(signature, DATA)


def test_algorithms_5_and_7_are_rsa_with_sha1(private: rsa.RSAPrivateKey) -> None:
    numbers = private.public_key().public_numbers()
    signature = private.sign(DATA, padding.PKCS1v15(), hashes.SHA1())
    for algorithm in (5, 7):
        assert load_key(algorithm, rsa_key(numbers.e, numbers.n))(signature, DATA)


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"\3",
        b"\3\1\0",
        b"\3\1\0\1",
        b"\0",
        b"\0\0",
        b"\0\0\0",
        b"\0\0\3\1\0\1",
        b"\0\1\0" + bytes(200),
        b"\0\0\0" + bytes(200),
        b"\xff" + bytes(100),
    ],
)
def test_rsa_keys_that_end_too_early_are_malformed(key: bytes) -> None:
    assert rsa_bits(key) == 0
    with pytest.raises(MalformedKeyError):
        load_key(8, key)


@pytest.mark.parametrize("length", [0, 1, 127, 129, 256, 600])
def test_rsa_signatures_of_another_length_do_not_verify(
    length: int, private: rsa.RSAPrivateKey
) -> None:
    numbers = private.public_key().public_numbers()
    verify = load_key(8, rsa_key(numbers.e, numbers.n))
    assert not verify(bytes(length), DATA)
    assert not verify(b"\xff" * length, DATA)
    good = private.sign(DATA, padding.PKCS1v15(), hashes.SHA256())
    assert not verify(b"\0" + good, DATA)
    assert not verify(good + b"\0", DATA)


@pytest.mark.parametrize("modulus", [1 << 1023, (1 << 1024) - 2, (1 << 1024) - 1, MODULUS])
def test_rsa_moduli_that_are_no_product_of_primes_do_no_harm(modulus: int) -> None:
    verify = load_key(8, rsa_key(3, modulus))
    for signature in (bytes(128), b"\xff" * 128, bytes(127) + b"\1"):
        assert not verify(signature, DATA)


# ------------ ECDSA ------------

CURVES = [(13, ec.SECP256R1(), hashes.SHA256(), 32), (14, ec.SECP384R1(), hashes.SHA384(), 48)]


@pytest.mark.parametrize(("algorithm", "curve", "hashed", "half"), CURVES)
def test_ecdsa_signatures_are_two_numbers_of_full_length(
    algorithm: int, curve: ec.EllipticCurve, hashed: hashes.HashAlgorithm, half: int
) -> None:
    private = ec.derive_private_key(42, curve)
    numbers = private.public_key().public_numbers()
    key = numbers.x.to_bytes(half) + numbers.y.to_bytes(half)
    encoded = private.sign(DATA, ec.ECDSA(hashed))
    r, s = decode_dss_signature(encoded)
    good = r.to_bytes(half) + s.to_bytes(half)
    verify = load_key(algorithm, key)
    assert verify(good, DATA)
    zero, ones = bytes(half), b"\xff" * half
    for wrong in (
        b"",
        encoded,
        good[:-1],
        good + b"\0",
        good[:half] + b"\0" + good[half:],  # the same numbers
        good[half:] + good[:half],
        zero + good[half:],
        good[:half] + zero,
        zero + zero,
        ones + good[half:],
        good[:half] + ones,
        zero + b"\0" * (half - 1) + b"\1",
    ):
        assert not verify(wrong, DATA)


@pytest.mark.parametrize(("algorithm", "curve", "hashed", "half"), CURVES)
def test_ecdsa_keys_are_points_of_their_curve(
    algorithm: int, curve: ec.EllipticCurve, hashed: hashes.HashAlgorithm, half: int
) -> None:
    numbers = ec.derive_private_key(42, curve).public_key().public_numbers()
    x, y = numbers.x.to_bytes(half), numbers.y.to_bytes(half)
    assert hashed.digest_size == half
    for wrong in (
        b"",
        x,
        x + y[:-1],
        x + y + b"\0",
        b"\4" + x + y,
        bytes(2 * half),
        b"\xff" * (2 * half),
        x + x,
        x + bytes(half),
    ):
        with pytest.raises(MalformedKeyError):
            load_key(algorithm, wrong)


# ------------ Edwards curves, lattices ------------


@pytest.mark.parametrize(
    ("algorithm", "key_size", "signature_size"), [(15, 32, 64), (16, 57, 114), (18, 1312, 2420)]
)
def test_keys_and_signatures_have_their_one_length(
    algorithm: int, key_size: int, signature_size: int
) -> None:
    key = derive("crypto", names.from_text("z."), algorithm)
    good = key.sign(DATA)
    assert (len(key.public), len(good)) == (key_size, signature_size)
    verify = load_key(algorithm, key.public)
    assert verify(good, DATA)
    assert not verify(good, DATA + b"\0")
    for wrong in (b"", good[:-1], good + b"\0", bytes(signature_size), b"\xff" * signature_size):
        assert not verify(wrong, DATA)
    for malformed in (b"", key.public[:-1], key.public + b"\0"):
        with pytest.raises(MalformedKeyError):
            load_key(algorithm, malformed)


def test_ml_dsa_44_is_unsupported_where_the_library_does_not_know_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = derive("crypto", names.from_text("z."), 18)
    monkeypatch.setitem(sys.modules, mldsa.__name__, None)
    monkeypatch.delattr(asymmetric, "mldsa")
    with pytest.raises(UnsupportedKeyError):
        load_key(18, key.public)


def test_what_the_installed_openssl_cannot_do_is_unsupported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ed448 in some builds: the zone is insecure then, and not bogus."""

    def refuse(_: bytes) -> crypto.Verify:
        raise UnsupportedAlgorithm("ed448 is not supported by this version of OpenSSL")

    monkeypatch.setitem(crypto._LOADERS, 16, refuse)
    with pytest.raises(UnsupportedKeyError):
        load_key(16, bytes(57))


@pytest.mark.parametrize("algorithm", [0, 1, 2, 3, 4, 6, 9, 11, 12, 17, 19, 23, 252, 253, 254, 255])
def test_other_algorithms_are_unsupported(algorithm: int) -> None:
    with pytest.raises(UnsupportedKeyError):
        load_key(algorithm, bytes(64))
