"""Trust anchors, and negative ones: what is believed, and what is left unproven on purpose.

Of several anchors above a name the closest decides (RFC 6840 section 5.10, appendix C). A negative
trust anchor (RFC 7646) makes what is at and below it insecure, unless a positive anchor lies
between the two.
"""

from collections.abc import Iterable, Iterator

import msgspec

from anchord.model import names, rdtypes
from anchord.model.names import Name
from anchord.model.verdict import FOREVER
from anchord.wire.rdata import Dnskey, Ds, read_dnskey, read_ds

from .algorithms import SHA256
from .crypto import digest


class Anchor(msgspec.Struct, frozen=True):
    """What is trusted for one zone (RFC 4035 section 4.4). A DNSKEY is held as its SHA-256 DS."""

    zone: Name
    ds: tuple[Ds, ...]


class NegativeAnchor(msgspec.Struct, frozen=True):
    """A name at and below which nothing is checked, until `until` (seconds since 1970).

    `is_policy` tells that it stands for a zone that is configured as insecure: it needs no end,
    and is no surprise to be told of.
    """

    name: Name
    until: int = FOREVER
    is_policy: bool = False


class TrustAnchors:
    """The anchors in force."""

    def __init__(self, anchors: Iterable[Anchor], negative: Iterable[NegativeAnchor] = ()) -> None:
        self._anchors = {anchor.zone: anchor for anchor in anchors}
        self._negative = {anchor.name: anchor for anchor in negative}

    def __iter__(self) -> Iterator[Anchor]:
        return iter(self._anchors.values())

    def closest(self, name: Name) -> Anchor | None:
        """The deepest anchor at or above `name`."""
        for ancestor in names.ancestors(name):
            if anchor := self._anchors.get(ancestor):
                return anchor
        return None

    def negative(self, name: Name, now: int) -> NegativeAnchor | None:
        """The negative anchor in force for `name` at `now`, unless a deeper anchor overrules it."""
        for ancestor in names.ancestors(name):
            negative = self._negative.get(ancestor)
            if negative and now < negative.until:
                return negative
            if ancestor in self._anchors:
                return None
        return None


def trust_anchors(
    records: Iterable[tuple[Name, int, bytes]], negative: Iterable[NegativeAnchor] = ()
) -> TrustAnchors:
    """The anchors that DS and DNSKEY records (owner, type, RDATA) make. Raises FormError.

    Keys that may sign no zone data (no Zone Key flag, protocol not 3, revoked) are no anchors.
    """
    found: dict[Name, list[Ds]] = {}
    for owner, rdtype, rdata in records:
        zone = names.lower(owner)
        if rdtype == rdtypes.DS:
            found.setdefault(zone, []).append(read_ds(rdata))
            continue
        key = read_dnskey(rdata)
        if key.is_zone_key and not key.is_revoked:
            found.setdefault(zone, []).append(_as_ds(zone, key))
    return TrustAnchors((Anchor(zone, tuple(ds)) for zone, ds in found.items()), negative)


def _as_ds(zone: Name, key: Dnskey) -> Ds:
    return Ds(key.key_tag, key.algorithm, SHA256, digest(SHA256, zone + key.rdata))
