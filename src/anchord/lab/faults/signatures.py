"""Signatures that are wrong, missing, or say what is not true; and data that nobody signed."""

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from anchord.lab.keys import derive
from anchord.lab.sign import sign_rrset
from anchord.lab.zones import Zone, absolute
from anchord.model import rdtypes
from anchord.model.names import Name
from anchord.model.response import RRset

from .registry import after_signing

# ------------ Changed after signing ------------


@after_signing
def forged(zone: Zone, *types: str) -> None:
    """One bit of each record is another one; the signatures are the old ones."""
    change_sets(
        zone,
        types or ("A",),
        lambda rrset: replace(rrset, rdatas=tuple(flip(rdata, 1) for rdata in rrset.rdatas)),
    )


@after_signing
def forged_signature(zone: Zone, *types: str) -> None:
    """One bit of each signature is another one."""
    _change_signatures(zone, types, lambda signature: flip(signature, -1))


@after_signing
def cut_signature(zone: Zone, *types: str) -> None:
    """Each signature has lost its last octet."""
    _change_signatures(zone, types, lambda signature: signature[:-1])


@after_signing
def stripped(zone: Zone, *types: str) -> None:
    """There are no RRSIG records."""
    change_sets(zone, types, lambda rrset: replace(rrset, signatures=(), signature_ttl=0))


@after_signing
def missing_set(zone: Zone, *types: str) -> None:
    """The zone's servers have lost the sets of these types at its apex."""
    for rdtype in map(rdtypes.from_text, types):
        del zone.records[zone.apex, rdtype]


@after_signing
def signature_algorithm(zone: Zone, algorithm: str, *types: str) -> None:
    """Each RRSIG names this algorithm, whatever it was made with."""
    _change_signatures(
        zone, types, lambda signature: signature[:2] + bytes((int(algorithm),)) + signature[3:]
    )


@after_signing
def signature_ttl(zone: Zone, seconds: str, *types: str) -> None:
    """Each RRSIG has this original TTL, and was made with another."""
    ttl = int(seconds).to_bytes(4)
    _change_signatures(zone, types, lambda signature: signature[:4] + ttl + signature[8:])


@after_signing
def raised_ttl(zone: Zone, seconds: str, *types: str) -> None:
    """Records have this TTL, which is above the one that was signed."""
    change_sets(zone, types, lambda rrset: replace(rrset, ttl=int(seconds)))


@after_signing
def signed_by_one(zone: Zone, algorithm: str) -> None:
    """Of the signatures by several algorithms there are only those of this one."""
    change_sets(
        zone,
        (),
        lambda rrset: replace(
            rrset,
            signatures=tuple(made for made in rrset.signatures if made[2] == int(algorithm)),
        ),
    )


# ------------ Signed anew ------------


@after_signing
def signed_by_stranger(zone: Zone, *types: str) -> None:
    """Signatures are good, and by a key that is not in the DNSKEY set."""
    stranger = derive("stranger", zone.apex, zone.zone_signers[0].algorithm)
    change_sets(
        zone,
        types,
        lambda rrset: replace(
            rrset, signatures=(sign_rrset(rrset, stranger, zone.apex, zone.window),)
        ),
    )


@after_signing
def signer(zone: Zone, name: str, *types: str) -> None:
    """Signatures are made with the zone's key, and call this name the signer."""
    signer_name = absolute(name, zone.apex)
    change_sets(zone, types, lambda rrset: _signed_anew(zone, rrset, signer=signer_name))


@after_signing
def another_signer(zone: Zone, name: str, *types: str) -> None:
    """Before each good signature stands one by a stranger that calls this name the signer."""
    stranger = derive("stranger", zone.apex, zone.zone_signers[0].algorithm)
    signer_name = absolute(name, zone.apex)

    def add(rrset: RRset) -> RRset:
        by_stranger = sign_rrset(rrset, stranger, signer_name, zone.window)
        return replace(rrset, signatures=(by_stranger, *rrset.signatures))

    change_sets(zone, types, add)


@after_signing
def signature_labels(zone: Zone, labels: str, *types: str) -> None:
    """Signatures are made for an owner of so many labels."""
    change_sets(zone, types, lambda rrset: _signed_anew(zone, rrset, labels=int(labels)))


def _signed_anew(
    zone: Zone, rrset: RRset, *, signer: Name | None = None, labels: int | None = None
) -> RRset:
    signatures = [
        sign_rrset(rrset, key, signer or zone.apex, zone.window, labels=labels)
        for key in zone.zone_signers
    ]
    return replace(rrset, signatures=tuple(signatures))


# ------------ Helpers ------------


def _change_signatures(zone: Zone, types: Iterable[str], change: Callable[[bytes], bytes]) -> None:
    change_sets(
        zone, types, lambda rrset: replace(rrset, signatures=tuple(map(change, rrset.signatures)))
    )


def change_sets(zone: Zone, types: Iterable[str], change: Callable[[RRset], RRset]) -> None:
    """Changes the signed sets, or those of them that are of these types; denials too."""
    wanted = set(map(rdtypes.from_text, types))

    def change_if_wanted(rrset: RRset) -> RRset:
        is_wanted = rrset.signatures and (not wanted or rrset.rdtype in wanted)
        return change(rrset) if is_wanted else rrset

    for rrset in list(zone.records.values()):
        zone.put(change_if_wanted(rrset))
    zone.chain.change(change_if_wanted)


def flip(octets: bytes, index: int) -> bytes:
    """The octets with the lowest bit of one of them turned over.

    The second octet is a letter of a name, a part of an address or a number in every common type,
    so that records stay well-formed.
    """
    changed = bytearray(octets)
    changed[index] ^= 1
    return bytes(changed)
