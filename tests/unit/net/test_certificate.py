import base64
import contextlib
import datetime as dt
import hashlib

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from hypothesis import given
from hypothesis import strategies as st

from anchord.net.certificate import SHOWN_LENGTH, SHOWN_NAMES, describe, pin, spki
from support.certificates import make

KEYS: list[CertificateIssuerPrivateKeyTypes] = [
    rsa.generate_private_key(65537, 2048),
    ec.generate_private_key(ec.SECP256R1()),
    ec.generate_private_key(ec.SECP384R1()),
    ed25519.Ed25519PrivateKey.generate(),
]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: type(key).__name__)
def test_the_public_key_is_cut_out_as_it_stands(key: CertificateIssuerPrivateKeyTypes) -> None:
    issued = make(["a.example"], key=key)
    expected = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert spki(issued.der) == expected
    digest = base64.b64encode(hashlib.sha256(expected).digest()).decode()
    assert pin(issued.der) == f"sha256/{digest}"


def test_a_certificate_cut_short_has_no_key() -> None:
    der = make(["a.example"]).der
    for length in range(len(der)):
        with pytest.raises(ValueError, match="certificate"):
            spki(der[:length])


def test_other_things_than_certificates_have_no_key() -> None:
    key = make(["a.example"]).key
    private = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    for der in (b"", b"\x30", b"no certificate", private):
        with pytest.raises(ValueError, match="certificate"):
            spki(der)


def test_a_certificate_is_described_by_names_issuer_and_dates() -> None:
    issuer = make(["Test CA"], is_ca=True)
    begin = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    end = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
    issued = make(["dns.example", "192.0.2.1"], issuer=issuer, not_before=begin, not_after=end)
    described = describe(issued.der)
    assert described is not None
    assert described.names == ("dns.example", "192.0.2.1")
    assert described.issuer == "CN=Test CA"
    assert (described.not_before, described.not_after) == (begin, end)


def test_only_some_names_are_shown() -> None:
    described = describe(make([f"n{i}.example" for i in range(SHOWN_NAMES + 2)]).der)
    assert described is not None
    assert described.names_in_words == "n0.example, n1.example, n2.example and 2 more"
    nameless = describe(make([]).der)
    assert nameless is not None
    assert nameless.names_in_words == "no name at all"


def test_texts_of_a_certificate_cannot_harm_a_terminal() -> None:
    described = describe(make(["x\x1b[2J" + "y" * 59], is_ca=True).der)
    assert described is not None
    assert described.issuer.isprintable()
    assert len(described.issuer) <= SHOWN_LENGTH


def test_what_cannot_be_read_is_not_described() -> None:
    assert describe(b"no certificate") is None


SPOILED = make(["a.example", "192.0.2.1"], issuer=make(["Test CA"], is_ca=True)).der


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@given(st.lists(st.tuples(st.integers(0, len(SPOILED) - 1), st.binary(max_size=3)), max_size=4))
def test_no_spoiled_certificate_is_more_than_unreadable(edits: list[tuple[int, bytes]]) -> None:
    der = bytearray(SPOILED)
    for position, octets in edits:
        der[position : position + 1] = octets
    describe(bytes(der))
    with contextlib.suppress(ValueError):
        spki(bytes(der))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07"),  # the version
        (b"\x82\x09a.example", b"\xa3\x09a.example"),  # a name of a kind that nobody reads
        (b"\x06\x03\x55\x1d\x23", b"\x06\x03\x55\x1d\x0e"),  # the same extension twice
        (b"\x82\x09a.example", b"\x82\x09\xff.example"),
    ],
    ids=["version", "kind of name", "extension", "letters"],
)
def test_odd_certificates_are_not_described(old: bytes, new: bytes) -> None:
    assert SPOILED.count(old) == 1
    assert describe(SPOILED.replace(old, new)) is None
