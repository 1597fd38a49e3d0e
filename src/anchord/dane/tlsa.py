"""TLSA records, and whether they can be used at all (RFC 6698 section 2.1, RFC 7671 section 4).

RDATA are opaque octets until they are read here: a digest of the wrong length makes its own record
unusable and nothing else. What is unusable is ignored; it spoils no other record and has no part in
digest agility. The reasons are sentences for whoever published the record.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from anchord.net.certificate import spki
from anchord.wire.errors import FormError


class Usage(IntEnum):
    """What a record constrains (RFC 6698 section 2.1.1, acronyms of RFC 7218)."""

    PKIX_TA = 0
    PKIX_EE = 1
    DANE_TA = 2
    DANE_EE = 3


class Selector(IntEnum):
    """What part of a certificate is meant (RFC 6698 section 2.1.2)."""

    CERT = 0
    SPKI = 1


class Matching(IntEnum):
    """How it is given (RFC 6698 section 2.1.3)."""

    FULL = 0
    SHA2_256 = 1
    SHA2_512 = 2


DIGESTS = {Matching.SHA2_256: hashlib.sha256, Matching.SHA2_512: hashlib.sha512}
"""The digests, the weaker one first (RFC 7671 section 9)."""

DIGEST_LENGTHS = {Matching.SHA2_256: 32, Matching.SHA2_512: 64}
"""Octets of the digests."""

MOST_RECORDS = 12
"""Records of one host beyond which some senders are known to give up."""


@dataclass(frozen=True, slots=True)
class Tlsa:
    """One TLSA record. Each number is 0 to 255, whether it means anything or not."""

    usage: int
    selector: int
    matching_type: int
    data: bytes

    def __str__(self) -> str:
        return f"{self.form} {self.data.hex()}".rstrip()

    @property
    def form(self) -> str:
        """The three numbers, such as `3 1 1`."""
        return f"{self.usage} {self.selector} {self.matching_type}"

    @property
    def rdata(self) -> bytes:
        """The record as it stands in a message."""
        return bytes((self.usage, self.selector, self.matching_type)) + self.data

    def covers(self, whole: bytes) -> bool:
        """Whether this record, a usable one, is about `whole`: a certificate, or a public key.

        An empty one stands for what could not be found, and no record is about that: not even one
        that holds the digest of nothing.
        """
        if not whole:
            return False
        if self.matching_type == Matching.FULL:
            return self.data == whole
        return self.data == DIGESTS[Matching(self.matching_type)](whole).digest()


def read_tlsa(rdata: bytes) -> Tlsa:
    """The record. Raises FormError where there are not even three numbers."""
    if len(rdata) < 3:
        raise FormError("a TLSA record ends too early")
    return Tlsa(rdata[0], rdata[1], rdata[2], rdata[3:])


def unusable_because(record: Tlsa, *, is_mail: bool = False) -> str:
    """Why nobody can use the record; empty where it is usable.

    `is_mail` is for SMTP between mail servers, where usages 0 and 1 are undefined (RFC 7672
    section 3.1.3): they are not taken for 2 and 3, which would be a guess.
    """
    if record.usage not in list(Usage):
        return f"certificate usage {record.usage} is not defined"
    if record.selector not in list(Selector):
        return f"selector {record.selector} is not defined"
    if record.matching_type not in list(Matching):
        return f"matching type {record.matching_type} is not defined"
    if is_mail and record.usage in (Usage.PKIX_TA, Usage.PKIX_EE):
        return f"usage {record.usage} counts for nothing in mail: publish usage {record.usage + 2}"
    if record.matching_type == Matching.FULL:
        return _malformed(record)
    length = DIGEST_LENGTHS[Matching(record.matching_type)]
    if len(record.data) != length:
        return (
            f"a digest of type {record.matching_type} has {length} octets, not {len(record.data)}"
        )
    return ""


def _malformed(record: Tlsa) -> str:
    """Why the whole certificate or key in a record is none."""
    if record.selector == Selector.CERT:
        try:
            spki(record.data)
        except (ValueError, IndexError):
            return "it holds no certificate"
        return "" if _is_one_element(record.data) else "something follows the certificate in it"
    return "" if _is_key(record.data) else "it holds no public key"


def _is_key(data: bytes) -> bool:
    """Whether it is a SubjectPublicKeyInfo (RFC 5280 section 4.1): an algorithm, and bits."""
    if not _is_one_element(data):
        return False
    inner = data[_header(data) :]
    if inner[:1] != b"\x30" or len(inner) < 2:
        return False
    end = _header(inner) + _length(inner)
    return inner[end : end + 1] == b"\x03" and _is_one_element(inner[end:], tag=b"\x03")


def _is_one_element(data: bytes, tag: bytes = b"\x30") -> bool:
    return len(data) > 2 and data[:1] == tag and _header(data) + _length(data) == len(data)


def _header(data: bytes) -> int:
    """Octets of tag and length of the DER element at the beginning."""
    return 2 + (data[1] & 0x7F if data[1] & 0x80 else 0)


def _length(data: bytes) -> int:
    """Octets of its contents, as it claims."""
    return int.from_bytes(data[2 : _header(data)]) if data[1] & 0x80 else data[1]


# ------------ Sets of records ------------


def in_use(records: Iterable[Tlsa], *, is_mail: bool = False) -> list[Tlsa]:
    """The records that count: usable, and of each usage and selector those of the best digest.

    Digest agility (RFC 7671 section 9): a client that knows SHA-512 ignores the SHA-256 records
    beside it. Whole certificates and keys are no digests, and always count.
    """
    usable = [record for record in records if not unusable_because(record, is_mail=is_mail)]
    best: dict[tuple[int, int], int] = {}
    for record in usable:
        kind = record.usage, record.selector
        best[kind] = max(best.get(kind, 0), record.matching_type)
    return [
        record
        for record in usable
        if record.matching_type in (Matching.FULL, best[record.usage, record.selector])
    ]


def ignored_because(record: Tlsa, counted: Iterable[Tlsa], *, is_mail: bool = False) -> str:
    """Why a record is not among those that count (`in_use`); empty where it is."""
    if record in counted:
        return ""
    return (
        unusable_because(record, is_mail=is_mail) or f"{_stronger(record)} is there, and stronger"
    )


def advice(records: Iterable[Tlsa]) -> list[str]:
    """What is odd about the records by themselves, and what comes of it."""
    records = list(records)
    warnings = [
        f"record {record.form} holds the digest of nothing at all: make it again"
        for record in records
        if is_digest_of_nothing(record)
    ]
    counted = in_use(records)
    warnings += [
        f"record {record.form} is ignored, since there is a {_stronger(record)} beside it"
        for record in records
        if record not in counted and not unusable_because(record)
    ]
    if len(records) > MOST_RECORDS:
        warnings.append(f"{len(records)} records: some senders give up on more than {MOST_RECORDS}")
    return list(dict.fromkeys(warnings))


def _stronger(record: Tlsa) -> str:
    return f"{record.usage} {record.selector} {Matching.SHA2_512.value}"


def is_digest_of_nothing(record: Tlsa) -> bool:
    """Whether somebody's tool was fed no input: the record can match nothing."""
    digest = (
        DIGESTS.get(Matching(record.matching_type)) if record.matching_type in DIGESTS else None
    )
    return digest is not None and record.data == digest(b"").digest()
