"""The signer: RRSIGs, and a zone signed as a whole (RFC 4034, RFC 4035 section 2).

It shares nothing with the engine that judges its work, so that no mistake of one can hide behind
the same mistake of the other; dnspython and BIND's dnssec-verify check it in the tests.
"""

from msgspec.structs import replace

from anchord.model import names, rdtypes
from anchord.model.names import Name
from anchord.model.response import RRset
from anchord.wire.embedded import canonical
from anchord.wire.rdata import read_soa

from .denial import Chain, Compact, DenialMethod, Nsec3, make_chain, nsec3_parameters
from .keys import Key
from .online import OnlineChain
from .zones import INFRASTRUCTURE_TTL, Window, Zone


def sign(zone: Zone) -> None:
    """Publishes the keys, makes the chain of denial, and signs all that is the zone's own.

    A zone without keys stays as it is, but for its index of names.
    """
    if not zone.is_signed:
        zone.index()
        return
    keys = tuple(key.rdata for key in zone.published)
    zone.put(RRset(zone.apex, rdtypes.DNSKEY, INFRASTRUCTURE_TTL, keys))
    if isinstance(zone.denial, Nsec3):
        zone.put(RRset(zone.apex, rdtypes.NSEC3PARAM, 0, (nsec3_parameters(zone.denial),)))
    zone.index()
    for rrset in list(zone.records.values()):
        if zone.is_authoritative(rrset):
            zone.put(signed(zone, rrset))
    zone.chain = signed_chain(zone, zone.denial)


def signed_chain(zone: Zone, method: DenialMethod) -> Chain | OnlineChain:
    """The denials of the zone by that method."""
    ttl = denial_ttl(zone)
    if isinstance(method, Compact) or method.minimal:
        return OnlineChain(zone.apex, zone.nodes, method, ttl, lambda denial: signed(zone, denial))
    chain = make_chain(zone.apex, zone.nodes, method, ttl)
    chain.change(lambda denial: signed(zone, denial))
    return chain


def denial_ttl(zone: Zone) -> int:
    """Seconds: the lesser of the SOA's TTL and its MINIMUM field (RFC 9077)."""
    soa = zone.records[zone.apex, rdtypes.SOA]
    return min(soa.ttl, read_soa(soa.rdatas[0]).minimum)


def signed(zone: Zone, rrset: RRset) -> RRset:
    """The set with signatures by those keys of the zone that sign its type."""
    signers = zone.key_signers if rrset.rdtype == rdtypes.DNSKEY else zone.zone_signers
    window = zone.windows.get(rrset.rdtype, zone.window)
    signatures = tuple(sign_rrset(rrset, key, zone.apex, window) for key in signers)
    return replace(rrset, signatures=signatures, signature_ttl=rrset.ttl)


def sign_rrset(
    rrset: RRset,
    key: Key,
    signer: Name,
    window: Window,
    *,
    labels: int | None = None,
    original_ttl: int | None = None,
) -> bytes:
    """The RDATA of an RRSIG over the set (RFC 4034 section 3.1).

    `labels` and `original_ttl` are what the RRSIG claims, where that is not the truth.
    """
    if labels is None:
        labels = names.label_count(rrset.name) - names.is_wildcard(rrset.name)
    ttl = rrset.ttl if original_ttl is None else original_ttl
    head = (
        rrset.rdtype.to_bytes(2)
        + bytes((key.algorithm, labels))
        + ttl.to_bytes(4)
        + _serial(window.expiration)
        + _serial(window.inception)
        + key.key_tag.to_bytes(2)
        + signer
    )
    return head + key.sign(head + _signed_records(rrset, labels, ttl))


def _signed_records(rrset: RRset, labels: int, ttl: int) -> bytes:
    """The records as they are signed: canonical, in order, once each (RFC 4034 section 3.1.8.1).

    An owner of more labels than the RRSIG says was expanded from a wildcard: that one is signed.
    """
    owner = rrset.name
    if names.label_count(owner) > labels:
        owner = names.wildcard_of(names.suffix(owner, labels))
    head = owner + rrset.rdtype.to_bytes(2) + rdtypes.IN.to_bytes(2) + ttl.to_bytes(4)
    rdatas = sorted({canonical(rrset.rdtype, rdata) for rdata in rrset.rdatas})
    return b"".join(head + len(rdata).to_bytes(2) + rdata for rdata in rdatas)


def _serial(time: int) -> bytes:
    """A time as the RRSIG holds it: modulo 2**32 (RFC 4034 section 3.1.5)."""
    return (time & 0xFFFFFFFF).to_bytes(4)
