"""Typed readers for the RDATA that the engine must read.

They take RDATA as an `RRset` holds them: decompressed. All of them raise FormError where the RDATA
do not fit the type; nothing is repaired or guessed.
"""

import struct
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from itertools import count

import msgspec

from anchord.model import rdtypes
from anchord.model.names import Name

from .errors import FormError
from .name import read_name


class Dnskey(msgspec.Struct, frozen=True):
    """A DNSKEY (RFC 4034 section 2)."""

    flags: int
    protocol: int
    algorithm: int
    key: bytes
    rdata: bytes
    key_tag: int

    @property
    def has_zone_flag(self) -> bool:
        """The Zone Key flag is set (RFC 4034 section 2.1.1)."""
        return bool(self.flags & 0x0100)

    @property
    def is_zone_key(self) -> bool:
        """The Zone Key flag (RFC 4034 section 2.1.1) is set and the protocol is 3."""
        return bool(self.flags & 0x0100) and self.protocol == 3

    @property
    def is_revoked(self) -> bool:
        """The REVOKE flag (RFC 5011 section 3) is set."""
        return bool(self.flags & 0x0080)

    @property
    def is_secure_entry_point(self) -> bool:
        """The SEP flag (RFC 4034 section 2.1.1) is set: a hint for people and RFC 5011 only."""
        return bool(self.flags & 0x0001)


class Ds(msgspec.Struct, frozen=True):
    """A DS (RFC 4034 section 5)."""

    key_tag: int
    algorithm: int
    digest_type: int
    digest: bytes


class Rrsig(msgspec.Struct, frozen=True):
    """An RRSIG (RFC 4034 section 3). `signer` is a key in lower case.

    `signed_head` is what is signed before the records: the RDATA up to the signature, the signer
    in lower case (RFC 4034 section 3.1.8.1).
    """

    type_covered: int
    algorithm: int
    labels: int
    original_ttl: int
    expiration: int
    inception: int
    key_tag: int
    signer: Name
    signature: bytes
    signed_head: bytes


class TypeBitmap(msgspec.Struct, frozen=True):
    """The types that an NSEC or NSEC3 says are there (RFC 4034 section 4.1.2).

    Made by `read_types`. `octets` are as `write_types` writes them, so that equal sets of types
    are equal. They are never spread out as a whole: a hostile bitmap has 65,528 types.
    """

    octets: bytes

    def __contains__(self, rdtype: int) -> bool:
        wanted, place = rdtype >> 8, (rdtype & 0xFF) // 8
        octets = self.octets
        end = len(octets)
        position = 0
        while position < end:
            window, length = octets[position], octets[position + 1]
            position += 2
            if window >= wanted:
                return (
                    window == wanted
                    and place < length
                    and bool(octets[position + place] & 0x80 >> (rdtype & 7))
                )
            position += length
        return False

    def __iter__(self) -> Iterator[int]:
        """The types one by one, in ascending order."""
        position = 0
        while position < len(self.octets):
            window, length = self.octets[position], self.octets[position + 1]
            begin = position + 2
            position = begin + length
            for first, bits in zip(
                count(window * 256, 8), self.octets[begin:position], strict=False
            ):
                yield from (first + bit for bit in range(8) if bits & 0x80 >> bit)


class Nsec(msgspec.Struct, frozen=True):
    """An NSEC (RFC 4034 section 4). `next_name` is a key in lower case."""

    next_name: Name
    types: TypeBitmap


class Nsec3(msgspec.Struct, frozen=True):
    """An NSEC3 (RFC 5155 section 3)."""

    hash_algorithm: int
    flags: int
    iterations: int
    salt: bytes
    next_hash: bytes
    types: TypeBitmap

    @property
    def is_opt_out(self) -> bool:
        """Unsigned delegations may lie in the span (RFC 5155 section 6)."""
        return bool(self.flags & 0x01)


class Soa(msgspec.Struct, frozen=True):
    """An SOA's names and numbers (RFC 1035 section 3.3.13), times in seconds."""

    mname: Name
    rname: Name
    serial: int
    refresh: int
    retry: int
    expire: int
    minimum: int


def key_tag(rdata: bytes) -> int:
    """The key tag of a DNSKEY's RDATA (RFC 4034 appendix B)."""
    if rdata[3:4] == b"\x01":  # RSA/MD5, appendix B.1
        return int.from_bytes(rdata[-3:-1])
    total = 256 * sum(rdata[::2]) + sum(rdata[1::2])
    return (total + (total >> 16)) & 0xFFFF


def read_dnskey(rdata: bytes) -> Dnskey:
    """Raises FormError."""
    if len(rdata) < 4:  # flags, protocol, algorithm
        raise FormError("a DNSKEY record ends too early")
    return Dnskey(
        flags=int.from_bytes(rdata[:2]),
        protocol=rdata[2],
        algorithm=rdata[3],
        key=rdata[4:],
        rdata=rdata,
        key_tag=key_tag(rdata),
    )


def read_ds(rdata: bytes) -> Ds:
    """Raises FormError."""
    if len(rdata) < 4:  # tag, algorithm, digest type
        raise FormError("a DS record ends too early")
    return Ds(int.from_bytes(rdata[:2]), rdata[2], rdata[3], rdata[4:])


_RRSIG_HEAD = struct.Struct("!HBBIIIH")
"""An RRSIG up to the signer's name (RFC 4034 section 3.1)."""


def read_rrsig(rdata: bytes) -> Rrsig:
    """Raises FormError."""
    if len(rdata) < _RRSIG_HEAD.size:
        raise FormError("an RRSIG record ends too early")
    type_covered, algorithm, labels, original_ttl, expiration, inception, tag = (
        _RRSIG_HEAD.unpack_from(rdata)
    )
    signer, end = read_name(rdata, _RRSIG_HEAD.size, len(rdata))
    signer = signer.lower()
    return Rrsig(
        type_covered=type_covered,
        algorithm=algorithm,
        labels=labels,
        original_ttl=original_ttl,
        expiration=expiration,
        inception=inception,
        key_tag=tag,
        signer=signer,
        signature=rdata[end:],
        signed_head=rdata[: _RRSIG_HEAD.size] + signer,
    )


def read_signer(rdata: bytes) -> Name:
    """The signer's name of an RRSIG alone. Raises FormError."""
    signer, _ = read_name(rdata, _RRSIG_HEAD.size, len(rdata))
    return signer.lower()


def read_nsec(rdata: bytes) -> Nsec:
    """Raises FormError."""
    next_name, end = read_name(rdata, 0, len(rdata))
    return Nsec(next_name.lower(), read_types(rdata[end:]))


def read_nsec3(rdata: bytes) -> Nsec3:
    """Raises FormError."""
    if len(rdata) < 5:  # the fixed part
        raise FormError("an NSEC3 record ends too early")
    salt_end = 5 + rdata[4]
    if salt_end >= len(rdata):
        raise FormError("the salt of an NSEC3 record ends too early")
    hash_end = salt_end + 1 + rdata[salt_end]
    if hash_end > len(rdata) or not rdata[salt_end]:
        raise FormError("the hash of an NSEC3 record is empty or ends too early")
    return Nsec3(
        hash_algorithm=rdata[0],
        flags=rdata[1],
        iterations=int.from_bytes(rdata[2:4]),
        salt=rdata[5:salt_end],
        next_hash=rdata[salt_end + 1 : hash_end],
        types=read_types(rdata[hash_end:]),
    )


def read_soa(rdata: bytes) -> Soa:
    """Raises FormError."""
    mname, position = read_name(rdata, 0, len(rdata))
    rname, position = read_name(rdata, position, len(rdata))
    numbers = rdata[position:]
    if len(numbers) != 20:  # five numbers
        raise FormError("an SOA record has not five numbers")
    return Soa(mname, rname, *(int.from_bytes(numbers[i : i + 4]) for i in range(0, 20, 4)))


def read_target(rdata: bytes) -> Name:
    """The one name that a CNAME, DNAME, NS or PTR consists of, as spelt. Raises FormError."""
    name, end = read_name(rdata, 0, len(rdata))
    if end != len(rdata):
        raise FormError("something follows the name in a record")
    return name


def read_addresses(rdatas: Iterable[bytes]) -> list[str]:
    """The addresses of A or AAAA records; what has the length of none is left out."""
    found = []
    for rdata in rdatas:
        try:
            found.append(str(ip_address(rdata)))
        except ValueError:
            continue
    return found


_PSEUDO_TYPES = rdtypes.META | {rdtypes.ANY}
_DATA_BITS = (1 << 256) - 1 - sum(1 << 255 - rdtype for rdtype in _PSEUDO_TYPES)
"""The first window with the bits of all types but those, which all lie in it."""


def read_types(bitmap: bytes) -> TypeBitmap:
    """The types of an NSEC or NSEC3 type bitmap (RFC 4034 section 4.1.2). Raises FormError.

    Bits of pseudo-types are ignored, as that section demands; NXNAME's is not one of them.
    """
    windows = []
    position = 0
    previous = -1
    while position < len(bitmap):
        if position + 2 > len(bitmap):
            raise FormError("a type bitmap ends too early")
        window, length = bitmap[position], bitmap[position + 1]
        position += 2
        if not 1 <= length <= 32 or position + length > len(bitmap) or window <= previous:
            raise FormError("a type bitmap has a malformed window")
        previous = window
        end = position + length
        octets = bitmap[position:end]
        if not window:
            bits = int.from_bytes(octets.ljust(32, b"\0")) & _DATA_BITS
            octets = bits.to_bytes(32)
        if octets := octets.rstrip(b"\0"):
            windows.append(bytes((window, len(octets))) + octets)
        position = end
    return TypeBitmap(b"".join(windows))


def write_types(types: Iterable[int]) -> bytes:
    """The type bitmap that `read_types` reads: windows in order, no octet more than needed."""
    windows: dict[int, bytearray] = {}
    for rdtype in sorted(types):
        bits = windows.setdefault(rdtype >> 8, bytearray())
        octet = (rdtype & 0xFF) // 8
        bits.extend(bytes(octet + 1 - len(bits)))
        bits[octet] |= 0x80 >> (rdtype & 7)
    return b"".join(bytes((w, len(b))) + b for w, b in windows.items())
