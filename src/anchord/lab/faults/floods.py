"""More of something than anybody needs: what makes a validator work that does not count.

Each of these was a denial of service in a validator once. What is too much stands before what is
good, so that whoever looks at the first few alone finds nothing.
"""

from hashlib import shake_256

from msgspec.structs import replace

from anchord.lab.denial import Nsec3, nsec3_owner, nsec3_rdata
from anchord.lab.keys import SHA256, forged_key
from anchord.lab.zones import Reply, Zone
from anchord.model import names, rdtypes
from anchord.model.question import Question
from anchord.model.response import RRset
from anchord.wire.rdata import read_rrsig, write_types

from .keysets import keys_of
from .registry import after_signing, before_signing, in_parent
from .signatures import change_sets
from .times import DAY


@before_signing
def colliding_keys(zone: Zone, role: str, count: str) -> None:
    """So many keys that sign nothing have the key tag of the KSK or the ZSK (CVE-2023-50387)."""
    key = keys_of(zone, role)[0]
    size = len(key.public)
    zone.published[:0] = [forged_key(key, size, number) for number in range(int(count))]


@before_signing
def malformed_keys(zone: Zone, role: str, count: str) -> None:
    """So many keys of no sensible length have the tag of the KSK or the ZSK (CVE-2025-8677)."""
    key = keys_of(zone, role)[0]
    zone.published[:0] = [forged_key(key, 8, number) for number in range(int(count))]


@before_signing
def flagless_keys(zone: Zone, count: str) -> None:
    """So many keys of a few octets have no flag set, not even that of a zone's key."""
    like = zone.key_signers[0]
    zone.published[:0] = [
        replace(like, flags=0, public=number.to_bytes(4)) for number in range(int(count))
    ]


@in_parent
def many_ds(zone: Zone, count: str) -> None:
    """So many DS records stand before the good one, of an algorithm that counts and of no key."""
    algorithm = zone.key_signers[0].algorithm
    zone.ds[:0] = [
        number.to_bytes(2) + bytes((algorithm, SHA256)) + _octets(zone, "ds", number, 32)
        for number in range(int(count))
    ]


@after_signing
def colliding_signatures(zone: Zone, count: str, *types: str) -> None:
    """So many signatures that are none stand before each good one, and name its key."""

    def add(rrset: RRset) -> RRset:
        good = rrset.signatures[0]
        size = len(read_rrsig(good).signature)
        forgeries = [
            good[:-size] + _octets(zone, "signature", number, size) for number in range(int(count))
        ]
        return replace(rrset, signatures=(*forgeries, *rrset.signatures))

    change_sets(zone, types, add)


@after_signing
def unusable_signatures(zone: Zone, count: str, *types: str) -> None:
    """So many signatures of algorithms that nobody knows stand before each good one."""

    def add(rrset: RRset) -> RRset:
        good = rrset.signatures[0]
        others = [good[:2] + bytes((100 + number,)) + good[3:] for number in range(int(count))]
        return replace(rrset, signatures=(*others, *rrset.signatures))

    change_sets(zone, types, add)


@after_signing
def expired_signatures(zone: Zone, count: str, *types: str) -> None:
    """So many signatures of no octets, all of them over, stand before each good one."""

    def add(rrset: RRset) -> RRset:
        good = rrset.signatures[0]
        read = read_rrsig(good)
        rest = good[16 : -len(read.signature)]
        ends = range(read.inception - int(count), read.inception)
        over = [good[:8] + end.to_bytes(4) + (end - DAY).to_bytes(4) + rest for end in ends]
        return replace(rrset, signatures=(*over, *rrset.signatures))

    change_sets(zone, types, add)


@before_signing
def padded_denials(zone: Zone, count: str) -> None:
    """So many denials that seem to fit stand before the good ones, wrongly signed."""
    _pad(zone, int(count))


@before_signing
def denials_of_all_types(zone: Zone, count: str) -> None:
    """So many denials with all types there are stand before the good ones, wrongly signed."""
    _pad(zone, int(count), write_types(range(1 << 16)))


def _pad(zone: Zone, count: int, types: bytes = b"") -> None:
    """So many wrong denials before the good ones, with this bitmap unless it is empty."""

    def pad(question: Question, reply: Reply) -> Reply:
        good = [rrset for rrset in reply.authority if rrset.rdtype in {rdtypes.NSEC, rdtypes.NSEC3}]
        if not good or question.name == zone.apex:
            return reply
        forgeries = [_forged_denial(zone, good[0], number, types) for number in range(count)]
        return replace(reply, authority=(*forgeries, *reply.authority))

    zone.answer_faults.append(pad)


def _forged_denial(zone: Zone, like: RRset, number: int, types: bytes) -> RRset:
    """A span over the whole zone that begins at a place of its own."""
    if isinstance(zone.denial, Nsec3):
        digest = _octets(zone, "hash", number, 20)
        owner = nsec3_owner(digest, zone.apex)
        rdata = nsec3_rdata(zone.denial, digest, frozenset()) + types
    else:
        owner = names.join([b"!%d" % number, *names.labels(zone.apex)])
        rdata = zone.apex + (types or write_types({rdtypes.NSEC, rdtypes.RRSIG}))
    good = like.signatures[0]
    labels = bytes((names.label_count(owner),))
    signature = good[:3] + labels + good[4:]
    return replace(like, name=owner, owner=b"", rdatas=(rdata,), signatures=(signature,))


def _octets(zone: Zone, what: str, number: int, size: int) -> bytes:
    """Arbitrary octets, the same every time."""
    return shake_256(f"{zone}/{what}/{number}".encode()).digest(size)
