"""NSEC and NSEC3 records put together by hand. Their signatures say who made them, and no more."""

from collections.abc import Iterable

from anchord.dnssec.denial import Evidence, collect_evidence
from anchord.dnssec.nsec3 import nsec3_hash
from anchord.lab.denial import nsec3_owner
from anchord.model import names, rdtypes
from anchord.model.names import Name
from anchord.model.response import RRset
from anchord.model.steps import at_once
from anchord.wire.rdata import write_types

from .lab import NOW

DAY = 86400


def name(text: str) -> Name:
    return names.from_text(text).lower()


def types(text: str) -> frozenset[int]:
    return frozenset(map(rdtypes.from_text, text.split()))


def rrsig(
    covered: int,
    signer: Name,
    labels: int,
    *,
    algorithm: int = 13,
    key_tag: int = 1,
    original_ttl: int = 300,
    expiration: int = NOW + DAY,
    inception: int = NOW - DAY,
    signature: bytes = bytes(64),
) -> bytes:
    """The RDATA of an RRSIG."""
    return (
        covered.to_bytes(2)
        + bytes((algorithm, labels))
        + original_ttl.to_bytes(4)
        + (expiration & 0xFFFFFFFF).to_bytes(4)
        + (inception & 0xFFFFFFFF).to_bytes(4)
        + key_tag.to_bytes(2)
        + signer
        + signature
    )


def labels_of(owner: Name) -> int:
    return names.label_count(owner) - names.is_wildcard(owner)


def made_by(
    zone: Name, owner: Name, rdtype: int, *rdatas: bytes, labels: int | None = None
) -> RRset:
    """A set with a signature that names this zone as its maker."""
    signature = rrsig(rdtype, zone, labels_of(owner) if labels is None else labels)
    return RRset(owner, rdtype, 300, rdatas, (signature,), 300)


def nsec(
    zone: str, owner: str, following: str, bits: str = "", *, labels: int | None = None
) -> RRset:
    """An NSEC of the zone; NSEC and RRSIG are in the bitmap anyway."""
    rdata = names.from_text(following) + write_types(types(bits + " NSEC RRSIG"))
    return made_by(name(zone), name(owner), rdtypes.NSEC, rdata, labels=labels)


def nsecs(zone: str, *records: str) -> Evidence:
    """Evidence of NSEC records, each written as `owner next type type …`."""
    made = [nsec(zone, *record.split(maxsplit=2)) for record in records]
    return at_once(collect_evidence(made, name(zone)))


def nsec3(
    zone: str,
    begin: bytes,
    end: bytes,
    bits: str = "",
    *,
    salt: bytes = b"",
    iterations: int = 0,
    flags: int = 0,
    hash_algorithm: int = 1,
) -> RRset:
    """An NSEC3 of the zone, from one hash to another."""
    rdata = (
        bytes((hash_algorithm, flags))
        + iterations.to_bytes(2)
        + bytes((len(salt),))
        + salt
        + bytes((len(end),))
        + end
        + write_types(types(bits))
    )
    apex = name(zone)
    return made_by(apex, nsec3_owner(begin, apex), rdtypes.NSEC3, rdata)


def hashed(text: str, salt: bytes = b"", iterations: int = 0) -> bytes:
    """The hash of a name written as text."""
    return nsec3_hash(name(text), salt, iterations)


def near(value: bytes, distance: int) -> bytes:
    """The hash so far from another one, around the end."""
    return ((int.from_bytes(value) + distance) % (1 << 160)).to_bytes(20)


def matching(zone: str, text: str, bits: str = "", **parameters: object) -> RRset:
    """The NSEC3 of a name, whose span holds nothing."""
    digest = _hash(text, parameters)
    return nsec3(zone, digest, near(digest, 1), bits, **parameters)  # type: ignore[arg-type]


def covering(zone: str, text: str, **parameters: object) -> RRset:
    """An NSEC3 whose span holds the name and nothing else."""
    digest = _hash(text, parameters)
    return nsec3(zone, near(digest, -1), near(digest, 1), "A", **parameters)  # type: ignore[arg-type]


def _hash(text: str, parameters: dict[str, object]) -> bytes:
    salt, iterations = parameters.get("salt", b""), parameters.get("iterations", 0)
    assert isinstance(salt, bytes)
    assert isinstance(iterations, int)
    return hashed(text, salt, iterations)


def evidence(zone: str, records: Iterable[RRset]) -> Evidence:
    return at_once(collect_evidence(records, name(zone)))
