"""What denials of existence establish, and the evidence that they are drawn from.

`nsec` and `nsec3` say what a zone's records prove, by logic alone; this module holds the words that
they share, and puts the two together. Whether the records used are genuine is checked by the
engine afterwards: a `Denial` names the RRsets that it rests on, and holds only if all of them do.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from enum import Enum, auto
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

from anchord.model import names, rdtypes
from anchord.model.names import ROOT, Name
from anchord.model.response import Response, RRset
from anchord.model.steps import Steps
from anchord.wire.errors import FormError
from anchord.wire.rdata import Nsec, Nsec3, TypeBitmap, read_nsec, read_nsec3, read_rrsig

DENYING = (rdtypes.NSEC, rdtypes.NSEC3)


class Denied(Enum):
    """What was proven not to be there."""

    NAME = auto()
    """The name, and so everything below it in this zone; no wildcard stands for it."""
    COMPACTLY = auto()
    """The name, by an NXNAME bit (RFC 9824 section 3.2)."""
    DATA = auto()
    """The type at a name that exists, or at the wildcard that stands for it."""
    CLOSER_MATCH = auto()
    """Any name between a wildcard's closest encloser and the name (RFC 4035 section 5.3.4)."""
    DS = auto()
    """A DS record at a delegation: an insecure one."""
    DELEGATION = auto()
    """A zone cut at the name: it is an ordinary name of the zone."""
    NOTHING = auto()
    """Nothing can be said: the NSEC3 records have too many iterations (RFC 9276 section 3.2)."""


class Denial(msgspec.Struct, frozen=True):
    """A proof, and the RRsets it rests on.

    `opt_out` tells that unsigned delegations may lie where nothing was found, so that the answer
    must not be called authentic (RFC 5155 section 9.2).
    """

    denied: Denied
    records: tuple[RRset, ...]
    opt_out: bool = False


class NsecRecord(msgspec.Struct, frozen=True):
    """An NSEC of the zone."""

    owner: Name
    nsec: Nsec
    rrset: RRset


class Nsec3Record(msgspec.Struct, frozen=True):
    """An NSEC3 of the zone; `owner_hash` is the hash in its owner name."""

    owner_hash: bytes
    nsec3: Nsec3
    rrset: RRset


class Evidence(msgspec.Struct, frozen=True):
    """The NSEC and NSEC3 records in a response that bear a signature by `zone`."""

    zone: Name
    nsecs: tuple[NsecRecord, ...] = ()
    nsec3s: tuple[Nsec3Record, ...] = ()

    def without(self, rrset: RRset) -> "Evidence":
        """The evidence that is left when an RRset turned out not to be genuine."""
        return Evidence(
            self.zone,
            tuple(record for record in self.nsecs if record.rrset is not rrset),
            tuple(record for record in self.nsec3s if record.rrset is not rrset),
        )

    def __len__(self) -> int:
        """How many records there are."""
        return len(self.nsecs) + len(self.nsec3s)

    @property
    def rrsets(self) -> list[RRset]:
        """All RRsets of the evidence."""
        nsecs = [record.rrset for record in self.nsecs]
        return nsecs + [record.rrset for record in self.nsec3s]


def denials_in(response: Response) -> list[RRset]:
    """All NSEC and NSEC3 RRsets of a response, whosoever they are."""
    return [rrset for rrset in response.authority if rrset.rdtype in DENYING]


def effort(rrsets: Iterable[RRset]) -> int:
    """What it takes to collect evidence from them, in records that are looked at.

    Each is two, with its signatures one by one; and a type bitmap may have 8 KiB.
    """
    return sum(
        2 + len(rrset.signatures) + sum(map(len, rrset.rdatas)) // OCTETS for rrset in rrsets
    )


OCTETS = 256
"""Octets of NSEC or NSEC3 RDATA that take as long as a record."""


Claim: TypeAlias = Callable[[Evidence], Denial | None]
"""What is to be proven: finds the proof in the evidence, if it is there."""


STEP = 8
"""RRsets that are looked at in one step, some 50 µs."""


def collect_evidence(rrsets: Iterable[RRset], zone: Name) -> Steps[Evidence]:
    """The usable NSEC and NSEC3 records that `zone` claims to have signed.

    Left out: NSEC expanded from wildcards (RFC 4035 section 5.4) and those whose next name lies
    outside the zone; NSEC3 not directly below the zone, of unknown hash algorithm or with unknown
    flags (RFC 5155 section 8.1, 8.2); records that are not the only one of their owner.
    """
    nsecs = []
    nsec3s = []
    seen = 0
    for found in rrsets:
        if found.rdtype not in DENYING or len(found.rdatas) != 1:
            continue
        seen += 1
        if not seen % STEP:
            yield
        rrset = _unexpanded(found, zone)
        if rrset is None:
            continue
        with suppress(FormError):
            if rrset.rdtype == rdtypes.NSEC:
                nsec = read_nsec(rrset.rdatas[0])
                if names.is_at_or_below(rrset.name, zone) and names.is_at_or_below(
                    nsec.next_name, zone
                ):
                    nsecs.append(NsecRecord(rrset.name, nsec, rrset))
            elif record := _nsec3_record(rrset, zone):
                nsec3s.append(record)
    return Evidence(zone, tuple(nsecs), tuple(nsec3s))


def _unexpanded(rrset: RRset, zone: Name) -> RRset | None:
    """The RRset with those signatures only by which the zone says that it owns this very name.

    An RRset expanded from a wildcard has none; a made-up one may stand beside the wildcard's own.
    """
    labels = names.label_count(rrset.name) - names.is_wildcard(rrset.name)
    signatures = []
    for signature in rrset.signatures:
        try:
            rrsig = read_rrsig(signature)
        except FormError:
            continue
        if rrsig.signer == zone and rrsig.labels == labels:
            signatures.append(signature)
    return replace(rrset, signatures=tuple(signatures)) if signatures else None


SHA1_HASH = 1
"""The only NSEC3 hash algorithm there is (RFC 5155 section 11)."""
HASH_OCTETS = 20
"""How long its hashes are."""


def _nsec3_record(rrset: RRset, zone: Name) -> Nsec3Record | None:
    nsec3 = read_nsec3(rrset.rdatas[0])
    owner_hash = _hash_in(rrset.name[1 : 1 + rrset.name[0]])
    if names.parent(rrset.name) != zone:
        return None
    if nsec3.hash_algorithm != SHA1_HASH or nsec3.flags & ~1:
        return None
    if not len(owner_hash) == len(nsec3.next_hash) == HASH_OCTETS:
        return None
    return Nsec3Record(owner_hash, nsec3, rrset)


def _hash_in(label: bytes) -> bytes:
    """The hash that a label is in base32hex (RFC 5155 section 3.3); nothing if it is none."""
    if len(label) != 32 or not label.isalnum():
        return b""
    try:
        return int(label, 32).to_bytes(HASH_OCTETS)
    except ValueError:  # letters beyond v
        return b""


def denies_type(types: TypeBitmap, rdtype: int, name: Name) -> bool:
    """Whether the bitmap at `name` itself shows that there is no `rdtype` (RFC 6840 section 4).

    A CNAME would have been the answer; the parent's side of a zone cut knows only of DS, and the
    child's side nothing of it.
    """
    if rdtypes.CNAME in types or rdtype in types:
        return False
    if rdtype == rdtypes.ANY:
        return all(other in (rdtypes.NSEC, rdtypes.RRSIG) for other in types)
    if rdtype == rdtypes.DS:
        return rdtypes.SOA not in types or name == ROOT
    return not is_delegation(types)


def is_delegation(types: TypeBitmap) -> bool:
    """Whether the bitmap is of the parent's side of a zone cut."""
    return rdtypes.NS in types and rdtypes.SOA not in types


def knows_nothing_below(types: TypeBitmap) -> bool:
    """Whether names below the owner of this bitmap are not the zone's to deny.

    Below a zone cut they are another zone's, below a DNAME they are redirected (RFC 6840 section
    4.1, RFC 6672 section 5.3.4.1).
    """
    return is_delegation(types) or rdtypes.DNAME in types


def no_ds(types: TypeBitmap, rrset: RRset) -> Denial | None:
    """What the bitmap of a name says of a secure delegation there (RFC 6840 section 4.4)."""
    if rdtypes.DS in types or rdtypes.SOA in types:
        return None
    return Denial(Denied.DS if rdtypes.NS in types else Denied.DELEGATION, (rrset,))
