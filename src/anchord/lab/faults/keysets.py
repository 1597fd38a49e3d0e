"""DNSKEY sets that are not as they should be, and keys in uncommon but good order."""

from collections.abc import Callable
from itertools import count

from msgspec.structs import replace

from anchord.lab.keys import REVOKE, SECURE_ENTRY_POINT, ZONE_KEY, Key, derive
from anchord.lab.sign import sign_rrset
from anchord.lab.zones import Zone
from anchord.model import rdtypes

from .registry import after_signing, before_signing
from .signatures import flip

# ------------ Published so, and signed so ------------


@before_signing
def no_zone_bit(zone: Zone, role: str) -> None:
    """The key-signing (KSK) or zone-signing keys (ZSK) lack the Zone Key flag, signed so."""
    _change_keys(zone, role, lambda key: replace(key, flags=key.flags & ~ZONE_KEY))


@before_signing
def revoked(zone: Zone, role: str) -> None:
    """The key-signing (KSK) or zone-signing keys (ZSK) are revoked, and still in use."""
    _change_keys(zone, role, lambda key: replace(key, flags=key.flags | REVOKE))


@before_signing
def key_protocol(zone: Zone, role: str, protocol: str) -> None:
    """The key-signing (KSK) or zone-signing keys (ZSK) have a protocol other than 3."""
    _change_keys(zone, role, lambda key: replace(key, protocol=int(protocol)))


@before_signing
def key_size(zone: Zone, role: str, bits: str) -> None:
    """The key-signing (KSK) or zone-signing keys (ZSK), RSA, have so many bits."""
    _change_keys(
        zone,
        role,
        lambda key: derive("size", zone.apex, key.algorithm, flags=key.flags, bits=int(bits)),
    )


@before_signing
def standby_key(zone: Zone, role: str) -> None:
    """One more key-signing (KSK) or zone-signing key (ZSK) is published, and signs nothing yet."""
    flags = ZONE_KEY | (SECURE_ENTRY_POINT if role == "KSK" else 0)
    signer = keys_of(zone, role)[0]
    zone.published.append(derive("standby", zone.apex, signer.algorithm, flags=flags))


@before_signing
def twin_keys(zone: Zone) -> None:
    """There are two good zone-signing keys of one tag; the second of them signs."""
    algorithm = zone.zone_signers[0].algorithm
    by_tag: dict[int, Key] = {}
    for number in count():
        key = derive("twins", zone.apex, algorithm, number=number)
        twin = by_tag.setdefault(key.key_tag, key)
        if twin is not key:
            break
    zone.published += [twin, key]
    zone.zone_signers[:] = [key]


@before_signing
def ds_of_zsk(zone: Zone) -> None:
    """The zone-signing keys sign the keys too, and the DS is theirs; the KSK signs nothing."""
    zone.key_signers[:] = zone.zone_signers


# ------------ Changed after signing ------------


@after_signing
def no_dnskey(zone: Zone) -> None:
    """The zone's servers know no DNSKEY set."""
    del zone.records[zone.apex, rdtypes.DNSKEY]


@after_signing
def missing_key(zone: Zone, role: str) -> None:
    """The DNSKEY set lacks the key-signing (KSK) or zone-signing keys (ZSK); its RRSIG stays."""
    gone = {key.rdata for key in keys_of(zone, role)}
    keys = zone.records[zone.apex, rdtypes.DNSKEY]
    zone.put(replace(keys, rdatas=tuple(rdata for rdata in keys.rdatas if rdata not in gone)))


@after_signing
def altered_key(zone: Zone, role: str) -> None:
    """The last octet of the key-signing (KSK) or zone-signing keys (ZSK) is another one."""
    _alter(zone, role, lambda rdata: flip(rdata, -1))


@after_signing
def altered_flags(zone: Zone, role: str, flags: str) -> None:
    """The key-signing (KSK) or zone-signing keys (ZSK) have these flags, which nobody signed."""
    _alter(zone, role, lambda rdata: int(flags).to_bytes(2) + rdata[2:])


@after_signing
def altered_algorithm(zone: Zone, role: str, algorithm: str) -> None:
    """The key-signing (KSK) or zone-signing keys (ZSK) have this algorithm, which nobody signed."""
    _alter(zone, role, lambda rdata: rdata[:3] + bytes((int(algorithm),)) + rdata[4:])


@after_signing
def keys_signed_by_zsk(zone: Zone) -> None:
    """The zone-signing keys alone sign the DNSKEY set, while the DS is the KSK's."""
    keys = zone.records[zone.apex, rdtypes.DNSKEY]
    signatures = [sign_rrset(keys, key, zone.apex, zone.window) for key in zone.zone_signers]
    zone.put(replace(keys, signatures=tuple(signatures)))


def keys_of(zone: Zone, role: str) -> list[Key]:
    """The keys in that role. Raises ValueError."""
    if role not in {"KSK", "ZSK"}:
        raise ValueError(f"{role} is neither KSK nor ZSK")
    return zone.key_signers if role == "KSK" else zone.zone_signers


def _change_keys(zone: Zone, role: str, change: Callable[[Key], Key]) -> None:
    changed = {key: change(key) for key in keys_of(zone, role)}
    for keys in (zone.published, zone.key_signers, zone.zone_signers):
        keys[:] = [changed.get(key, key) for key in keys]


def _alter(zone: Zone, role: str, change: Callable[[bytes], bytes]) -> None:
    hit = {key.rdata for key in keys_of(zone, role)}
    keys = zone.records[zone.apex, rdtypes.DNSKEY]
    rdatas = [change(rdata) if rdata in hit else rdata for rdata in keys.rdatas]
    zone.put(replace(keys, rdatas=tuple(rdatas)))
