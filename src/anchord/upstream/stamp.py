"""DNS stamps (`sdns://`): everything that is needed to reach a resolver, in one word.

The format is that of dnscrypt.info/stamps-specifications, for plain DNS, DoT, DoH and DoQ. Stamps
of DNSCrypt, of Oblivious DoH and of relays are told apart and refused. A stamp may name resolvers
for looking up its host name; those are plaintext and are not used.
"""

import base64
import binascii
from collections.abc import Sequence

import msgspec

from anchord.model.errors import AnchordError

PREFIX = "sdns://"

DNSSEC, NO_LOGS, NO_FILTER = 1, 2, 4
"""What operators say of themselves: bits of `Stamp.properties`."""

DIGEST = 32
"""Octets of a hash of a certificate (SHA-256)."""

LONGEST_ITEM = 127
"""Octets of an item in a list: its length shares an octet with the bit for "not the last"."""

_SCHEMES = {0x00: "udp", 0x02: "https", 0x03: "tls", 0x04: "quic"}
_PROTOCOLS = {scheme: protocol for protocol, scheme in _SCHEMES.items()}
_FOREIGN = {
    0x01: "DNSCrypt",
    0x05: "Oblivious DoH",
    0x81: "an Anonymized DNSCrypt relay",
    0x85: "an Oblivious DoH relay",
}


class Stamp(msgspec.Struct, frozen=True):
    """What a stamp says.

    `address` is an IP address, in brackets where it is IPv6, with a port behind it or only a port;
    `host` is a name or an address, which may also have a port. Both are as they stand in the
    stamp, and one may be empty. `chain_hashes` are SHA-256 of a TBSCertificate in the server's
    chain, in hexadecimal.
    """

    scheme: str
    address: str = ""
    host: str = ""
    path: str = ""
    chain_hashes: tuple[str, ...] = ()
    properties: int = 0

    def __str__(self) -> str:
        """The stamp as it is passed around. Raises ValueError where a part is too long."""
        octets = bytes((_PROTOCOLS[self.scheme],)) + self.properties.to_bytes(8, "little")
        octets += _item(self.address.encode())
        if self.scheme != "udp":
            octets += _items([bytes.fromhex(one) for one in self.chain_hashes])
            octets += _item(self.host.encode())
        if self.scheme == "https":
            octets += _item(self.path.encode())
        return PREFIX + base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def read(text: str) -> Stamp:
    """The stamp that begins with `sdns://`. Raises AnchordError, which names it."""
    encoded = text[len(PREFIX) :].removeprefix("/").encode(errors="replace")
    try:
        octets = base64.b64decode(encoded + b"=" * (-len(encoded) % 4), b"-_", validate=True)
    except binascii.Error:
        raise _wrong(text, "is no base64url") from None
    protocol = octets[0] if octets else None
    if protocol in _FOREIGN:
        raise AnchordError(
            f"this is a stamp for {_FOREIGN[protocol]}, which anchord does not speak",
            where=text,
            remedy="use one for DoT, DoH or DoQ",
        )
    if protocol not in _SCHEMES:
        raise _wrong(text, "is of an unknown kind")
    reader = _Reader(text, octets, 1)
    properties = int.from_bytes(reader.take(8), "little")
    scheme = _SCHEMES[protocol]
    address = reader.text()
    hashes: list[bytes] = []
    host = path = ""
    if scheme != "udp":
        hashes = [one for one in reader.items() if one]
        host = reader.text()
    if scheme == "https":
        path = reader.text()
    if any(len(one) != DIGEST for one in hashes):
        raise _wrong(text, "has a certificate hash that is no SHA-256")
    return Stamp(scheme, address, host, path, tuple(one.hex() for one in hashes), properties)


def _wrong(text: str, problem: str) -> AnchordError:
    return AnchordError(
        f"the stamp {problem}", where=text, remedy="copy it again, or write the URL"
    )


class _Reader(msgspec.Struct):
    """Takes parts off a stamp, from a position on. Raises AnchordError where it is too short."""

    whole: str
    octets: bytes
    position: int

    def take(self, count: int) -> bytes:
        part = self.octets[self.position : self.position + count]
        if len(part) < count:
            raise _wrong(self.whole, "ends too early")
        self.position += count
        return part

    def text(self) -> str:
        part = self.take(self.take(1)[0])
        if not part.isascii():
            raise _wrong(self.whole, "has letters in it that are not ASCII")
        return part.decode()

    def items(self) -> list[bytes]:
        """A list, each item's length with a bit more unless it is the last."""
        found = []
        is_last = False
        while not is_last:
            (length,) = self.take(1)
            is_last = length <= LONGEST_ITEM
            found.append(self.take(length & LONGEST_ITEM))
        return found


def _item(part: bytes) -> bytes:
    return bytes((len(part),)) + part


def _items(parts: Sequence[bytes]) -> bytes:
    if not parts:
        return b"\0"
    *others, last = parts
    return b"".join(bytes((len(one) | 0x80,)) + one for one in others) + _item(last)
