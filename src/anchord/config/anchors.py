"""Trust anchors out of files in zone-file syntax: DS and DNSKEY records of any names.

A small reader, since a zone-file parser would have to be imported at every start. It knows what
such files hold (RFC 1035 section 5.1): one record a line, comments after `;`, parentheses over
several lines, TTL and class optional, base64 or hexadecimal in several words. `$` directives,
relative names and other types are refused: an anchor is too important to be guessed.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import anchord
from anchord.dnssec.algorithms import ALGORITHM_NAMES
from anchord.model import names, rdtypes
from anchord.model.names import Name
from anchord.wire.rdata import Dnskey, read_dnskey

from .errors import ConfigError

SHIPPED = "root.ds"
"""The file of `trust-anchors/` that is read where the configuration names none: the digests, which
are what IANA publishes as the root's anchors (RFC 9718)."""

DIGEST_LENGTHS = {1: 20, 2: 32, 4: 48}
"""Octets of a digest by its type: SHA-1, SHA-256, SHA-384 (RFC 4034, 4509, 6605)."""

FIXED_PART = 4
"""Octets before the digest of a DS and the key of a DNSKEY."""

MNEMONICS = {name: number for number, name in ALGORITHM_NAMES.items()}
"""Algorithms by name, as some tools write them (RFC 4034 appendix A.1)."""


class AnchorRecord(NamedTuple):
    """A DS or DNSKEY record that is trusted: its owner as a key, its type and its RDATA."""

    zone: Name
    rdtype: int
    rdata: bytes


def trust_anchors(file: str) -> tuple[AnchorRecord, ...]:
    """The anchors in the file of `dnssec.trust_anchors`, the shipped ones where it is empty.

    Raises ConfigError with file and line.
    """
    if not file:
        return read(shipped_trust_anchors(), SHIPPED)
    try:
        text = Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"the trust anchors cannot be read: {error.strerror}",
            where=file,
            remedy="mend dnssec.trust_anchors, or leave it out for the root's own",
        ) from error
    except UnicodeDecodeError:
        raise ConfigError(
            "not a text", where=file, remedy="write DS or DNSKEY records in zone-file syntax"
        ) from None
    return read(text, file)


def shipped_trust_anchors() -> str:
    """The root's anchors that come with anchord, in zone-file syntax."""
    import importlib.resources  # a start that is given another file does without

    packaged = importlib.resources.files("anchord.data") / SHIPPED
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    checkout = Path(anchord.__file__).parents[2]  # src/anchord/__init__.py
    return (checkout / "trust-anchors" / SHIPPED).read_text(encoding="utf-8")


def read(text: str, file: str) -> tuple[AnchorRecord, ...]:
    """The anchors in `text`; `file` is its name for errors. Raises ConfigError."""
    records = []
    for line, words in _entries(text, file):
        try:
            records.append(_record(words))
        except ValueError as error:
            problem, _, remedy = str(error).partition("; ")
            raise ConfigError(problem, where=f"{file}:{line}", remedy=remedy) from None
    if not records:
        raise ConfigError(
            "holds no trust anchor", where=file, remedy="write DS or DNSKEY records into it"
        )
    return tuple(dict.fromkeys(records))


def _entries(text: str, file: str) -> Iterator[tuple[int, list[str]]]:
    """The words of each record, with the line that it begins on."""
    words: list[str] = []
    begin = depth = 0
    for line, content in enumerate(text.splitlines(), start=1):
        tokens = re.findall(r"[()]|[^\s()]+", content.partition(";")[0])
        if depth == 0:
            begin = line
            if tokens and content[0].isspace():
                raise ConfigError(
                    "a record without its name",
                    where=f"{file}:{line}",
                    remedy="begin the line with the name of the zone",
                )
        depth += tokens.count("(") - tokens.count(")")
        words += (word for word in tokens if word not in "()")
        if depth < 0:
            break
        if depth == 0 and words:
            yield begin, words
            words = []
    if depth:
        raise ConfigError(
            "a parenthesis without its partner",
            where=f"{file}:{begin}",
            remedy="close or remove it",
        )


def _record(words: list[str]) -> AnchorRecord:
    """Owner, TTL and class in any order, type, RDATA (RFC 1035 section 5.1). Raises ValueError."""
    owner, *rest = words
    if owner.startswith("$"):
        raise ValueError(f"{owner} is not known here; write whole names and one record a line")
    if not owner.endswith("."):
        raise ValueError(
            f'"{owner}" does not end in a dot; write the whole name, as in example.com.'
        )
    zone = names.lower(names.from_text(owner))
    while rest and re.fullmatch(r"\d+([smhdw]\d+)*[smhdw]?|in", rest[0].lower()):
        rest.pop(0)
    if not rest:
        raise ValueError("the record has no type; write a DS or a DNSKEY record")
    kind, *fields = rest
    if kind.upper() == "DS":
        return AnchorRecord(zone, rdtypes.DS, _generic(fields) or _ds(fields))
    if kind.upper() == "DNSKEY":
        rdata = _generic(fields) or _dnskey(fields)
        _check_key(read_dnskey(rdata))
        return AnchorRecord(zone, rdtypes.DNSKEY, rdata)
    raise ValueError(f"{kind} is no trust anchor; write a DS or a DNSKEY record")


def _ds(fields: list[str]) -> bytes:
    """Key tag, algorithm, digest type, digest in hexadecimal (RFC 4034 section 5.3)."""
    if len(fields) < 4:
        raise ValueError("the DS record ends too early; write key tag, algorithm, type and digest")
    key_tag, algorithm, digest_type = (
        _number(fields[0], 2),
        _algorithm(fields[1]),
        _number(fields[2], 1),
    )
    digest = _hexadecimal(fields[3:])
    if len(digest) != DIGEST_LENGTHS.get(digest_type[0], len(digest)):
        raise ValueError(
            f"a digest of type {digest_type[0]} has {DIGEST_LENGTHS[digest_type[0]]} octets,"
            f" not {len(digest)}; copy the record again"
        )
    return key_tag + algorithm + digest_type + digest


def _dnskey(fields: list[str]) -> bytes:
    """Flags, protocol, algorithm, key in base64 (RFC 4034 section 2.2)."""
    if len(fields) < 4:
        raise ValueError(
            "the DNSKEY record ends too early; write flags, protocol, algorithm and key"
        )
    try:
        key = base64.b64decode("".join(fields[3:]), validate=True)
    except binascii.Error:
        raise ValueError("the key is not base64; copy the record again") from None
    return _number(fields[0], 2) + _number(fields[1], 1) + _algorithm(fields[2]) + key


def _check_key(dnskey: Dnskey) -> None:
    if not dnskey.is_zone_key:
        raise ValueError("the key may not sign zone data (RFC 4034 section 2.1); take it out")
    if dnskey.is_revoked:
        raise ValueError("the key is revoked (RFC 5011 section 2.1); take it out")


def _generic(fields: list[str]) -> bytes:
    r"""`\# 36 4F66…`: any RDATA, in hexadecimal behind their length (RFC 3597 section 5).

    Empty where the fields are in another form.
    """
    if fields[:1] != ["\\#"]:
        return b""
    rdata = _hexadecimal(fields[2:])
    if len(rdata) <= FIXED_PART or fields[1] != str(len(rdata)):
        raise ValueError("the RDATA have not the length that is given; copy the record again")
    return rdata


def _hexadecimal(words: list[str]) -> bytes:
    try:
        return bytes.fromhex("".join(words))
    except ValueError:
        raise ValueError("the hexadecimal part is damaged; copy the record again") from None


def _algorithm(text: str) -> bytes:
    number = MNEMONICS.get(text.upper())
    return _number(text, 1) if number is None else bytes((number,))


def _number(text: str, octets: int) -> bytes:
    if not text.isascii() or not text.isdecimal() or int(text) >= 1 << 8 * octets:
        raise ValueError(f'"{text}" is no number of {octets * 8} bits; copy the record again')
    return int(text).to_bytes(octets)
