"""EDNS(0) (RFC 6891): the OPT record, and the options that anchord reads or writes."""

from collections.abc import Iterator
from itertools import islice

import msgspec

from anchord.model.ede import Ede

from .errors import FormError

OPTION_COOKIE = 10
OPTION_KEEPALIVE = 11
OPTION_PADDING = 12
OPTION_EDE = 15

DO = 0x8000
"""DNSSEC OK (RFC 3225)."""
CO = 0x4000
"""Compact answers OK (RFC 9824 section 5.1)."""

PAYLOAD = 1232
"""The UDP payload that we announce and send at most, in octets (RFC 9715)."""
SMALLEST_PAYLOAD = 512
"""What a client takes that announces less, or nothing (RFC 6891 section 6.2.3)."""

MOST_OPTIONS_READ = 64
"""Options of an upstream's reply that are looked at: real replies hold a handful, a reply of 64 KiB
could hold 16,000. In a client's query every option is read, since one that is malformed counts."""

# ------------ The OPT record ------------


class Edns(msgspec.Struct, frozen=True):
    """What an OPT record says. `payload` is at least 512."""

    payload: int
    version: int = 0
    dnssec_ok: bool = False
    compact_ok: bool = False
    extended_rcode: int = 0
    options: bytes = b""


def read_opt(rdclass: int, ttl: int, rdata: bytes) -> Edns:
    """The OPT record whose class, TTL and RDATA these are. The options are not looked at."""
    return Edns(
        payload=max(rdclass, SMALLEST_PAYLOAD),
        version=ttl >> 16 & 0xFF,
        dnssec_ok=bool(ttl & DO),
        compact_ok=bool(ttl & CO),
        extended_rcode=ttl >> 24,
        options=rdata,
    )


def write_opt(
    *, dnssec_ok: bool, extended_rcode: int = 0, options: bytes = b"", compact_ok: bool = False
) -> bytes:
    """An OPT record in wire form, owner and all."""
    flags = (DO if dnssec_ok else 0) | (CO if compact_ok else 0)
    return (
        b"\0\0\x29"
        + PAYLOAD.to_bytes(2)
        + bytes((extended_rcode, 0))
        + flags.to_bytes(2)
        + len(options).to_bytes(2)
        + options
    )


def read_options(options: bytes) -> Iterator[tuple[int, bytes]]:
    """Code and data of each option, in one pass. Raises FormError where one is cut short."""
    position = 0
    while position < len(options):
        start = position + 4
        end = start + int.from_bytes(options[position + 2 : start])
        if end > len(options):
            raise FormError("an EDNS option ends too early")
        yield int.from_bytes(options[position : position + 2]), options[start:end]
        position = end


def first_option(options: bytes, code: int) -> bytes | None:
    """The data of the first option with this code in a reply, among the first 64 of its options.

    None without it, or where an option before it is cut short.
    """
    try:
        return next((data for found, data in _first_options(options) if found == code), None)
    except FormError:
        return None


def _first_options(options: bytes) -> Iterator[tuple[int, bytes]]:
    """Those of a reply that are looked at, as `read_options` reads them."""
    return islice(read_options(options), MOST_OPTIONS_READ)


def write_option(code: int, data: bytes) -> bytes:
    """One option in wire form."""
    return code.to_bytes(2) + len(data).to_bytes(2) + data


# ------------ Keepalive and padding ------------


def asks_for_keepalive(options: bytes) -> bool:
    """Whether a well-formed query's options hold edns-tcp-keepalive (RFC 7828 section 3.2.1).

    In a query the option is empty; one with a timeout in it is as if it were not there.
    """
    return any(code == OPTION_KEEPALIVE and not data for code, data in read_options(options))


def keepalive(seconds: float) -> bytes:
    """The edns-tcp-keepalive option of a reply: how long an idle connection stays open."""
    return write_option(OPTION_KEEPALIVE, round(seconds * 10).to_bytes(2))


def padding(length: int, block: int) -> bytes:
    """A padding option that brings a message of `length` octets to a multiple of `block`.

    RFC 7830; RFC 8467 advises 128 for queries and 468 for responses. `length` counts the message
    without this option.
    """
    return write_option(OPTION_PADDING, bytes(-(length + 4) % block))


# ------------ Extended DNS Errors (RFC 8914) ------------

MOST_EDES = 3
"""Extended DNS Errors in a reply: as many as fit into 512 octets with their texts cut."""
MOST_EDES_READ = 8
"""Extended DNS Errors taken from an upstream: real ones send up to six, one per failed server."""
LONGEST_TEXT = 200
"""Octets of an EXTRA-TEXT that is written: a sentence, not a log."""
LONGEST_TEXT_READ = 64
"""Octets of an upstream's EXTRA-TEXT that are looked at (BIND passes on as many)."""


def write_ede(ede: Ede, *, with_text: bool = True) -> bytes:
    """An Extended DNS Error option, its text cut to 200 octets of whole characters."""
    text = ede.text.encode(errors="replace") if with_text else b""
    if len(text) > LONGEST_TEXT:
        text = text[:LONGEST_TEXT].decode(errors="ignore").encode()
    return write_option(OPTION_EDE, ede.code.to_bytes(2) + text)


def read_edes(options: bytes) -> tuple[Ede, ...]:
    """The first Extended DNS Errors among the first 64 options, their texts made harmless.

    Malformed options end the list: an upstream's codes are never more than a hint. Control and
    formatting characters are removed, since the text will be shown to people.
    """
    edes: list[Ede] = []
    try:
        for code, data in _first_options(options):
            if code == OPTION_EDE and len(data) >= 2:  # the INFO-CODE
                edes.append(Ede(int.from_bytes(data[:2]), _harmless(data[2:])))
                if len(edes) == MOST_EDES_READ:
                    break
    except FormError:
        pass
    return tuple(edes)


def _harmless(text: bytes) -> str:
    whole = text[:LONGEST_TEXT_READ].decode(errors="ignore")
    return "".join(character for character in whole if character.isprintable())
