"""From a DS set to a zone's keys (RFC 4035 section 5.2, RFC 4509, RFC 6840 section 5).

What counts is decided here: which DS records are usable, which keys they authenticate, and when a
zone is insecure because nothing about it is supported. Only the DS set can say so.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

import msgspec

from anchord.model import names
from anchord.model.ede import EdeCode
from anchord.model.names import Name
from anchord.model.response import RRset
from anchord.model.verdict import Flaw
from anchord.wire.errors import FormError
from anchord.wire.rdata import Dnskey, Ds, read_dnskey, read_ds

from . import algorithms as alg
from .algorithms import Supported, algorithm_text, digest_text
from .crypto import MalformedKeyError, UnsupportedKeyError, digest, load_key
from .limits import Limits
from .rrsig import as_zone_key, limit_flaw

T = TypeVar("T")


def read_ds_set(rrset: RRset) -> list[Ds]:
    """The well-formed records of a DS RRset."""
    return _well_formed(read_ds, rrset)


def read_key_set(rrset: RRset) -> list[Dnskey]:
    """The well-formed records of a DNSKEY RRset."""
    return _well_formed(read_dnskey, rrset)


def _well_formed(read: Callable[[bytes], T], rrset: RRset) -> list[T]:
    found = []
    for rdata in rrset.rdatas:
        try:
            found.append(read(rdata))
        except FormError:
            continue
    return found


def usable_ds(ds_set: Iterable[Ds], supported: Supported) -> list[Ds]:
    """The DS records that count: algorithm and digest type of the same record are supported.

    SHA-1 counts only where nothing better does (RFC 4509 section 3).
    """
    usable = [
        ds
        for ds in ds_set
        if ds.algorithm in supported.algorithms and ds.digest_type in supported.digests
    ]
    better = [ds for ds in usable if ds.digest_type != alg.SHA1]
    return better or usable


def unsupported_flaw(zone: Name, ds_set: list[Ds], supported: Supported) -> Flaw:
    """Why a zone with this DS set is insecure: nothing in it is supported."""
    known = [ds for ds in ds_set if ds.algorithm in supported.algorithms]
    if known:
        what = ", ".join(dict.fromkeys(digest_text(ds.digest_type) for ds in known))
        code, text = EdeCode.UNSUPPORTED_DS_DIGEST_TYPE, f"DS digest type {what}"
    else:
        what = ", ".join(dict.fromkeys(algorithm_text(ds.algorithm) for ds in ds_set))
        code, text = EdeCode.UNSUPPORTED_DNSKEY_ALGORITHM, f"algorithm {what or 'none'}"
    return Flaw(
        code,
        f"{names.to_text(zone)} is signed by {text} only, which is not supported: not checked",
        zone,
        tuple(("key_tag", ds.key_tag) for ds in ds_set),
    )


def unsupported_size_flaw(zone: Name, keys: tuple[Dnskey, ...]) -> Flaw:
    """Why a zone is insecure whose entry keys are all of a size that is not supported."""
    tags = ", ".join(str(key.key_tag) for key in keys)
    text = f"{names.to_text(zone)}: key {tags} is of a size that is not supported: not checked"
    facts = tuple(("key_tag", key.key_tag) for key in keys)
    return Flaw(EdeCode.UNSUPPORTED_DNSKEY_ALGORITHM, text, zone, facts)


class EntryKeys(msgspec.Struct, frozen=True):
    """The keys of a zone that its DS set, or a trust anchor, authenticates.

    `unsupported` tells that there are some, but all of a size that is not supported.
    """

    keys: tuple[Dnskey, ...]
    unsupported: bool = False


def entry_keys(
    zone: Name, key_set: list[Dnskey], ds_set: list[Ds], limits: Limits
) -> EntryKeys | Flaw:
    """The keys by which the zone's key set may be signed, or why there are none.

    `ds_set` holds usable records only, a trust anchor's among them. Nobody has vouched for the key
    set yet: a key that is not in it may have been taken out, so that it makes nothing insecure.
    """
    if len(ds_set) > limits.ds_per_zone:  # not the first ones: their order is the upstream's
        return limit_flaw("too many DS records", zone)
    matching = [key for key in key_set if any(_authenticates(ds, zone, key) for ds in ds_set)]
    good = tuple(key for key in matching if key.is_zone_key and not key.is_revoked)
    supported = tuple(key for key in good if _is_supported(key))
    if supported:
        return EntryKeys(supported)
    missing = [ds for ds in ds_set if not any(_authenticates(ds, zone, key) for key in good)]
    if not missing:
        return EntryKeys(good, unsupported=True)
    return _no_entry(zone, key_set, missing, matching)


def _authenticates(ds: Ds, zone: Name, key: Dnskey) -> bool:
    return (
        ds.key_tag == key.key_tag
        and ds.algorithm == key.algorithm
        and ds.digest == digest(ds.digest_type, zone + key.rdata)
    )


def _is_supported(key: Dnskey) -> bool:
    try:
        load_key(key.algorithm, key.key)
    except UnsupportedKeyError:
        return False
    except MalformedKeyError:
        return True  # no fault of size: it will fail to verify
    return True


def _no_entry(zone: Name, key_set: list[Dnskey], ds_set: list[Ds], matching: list[Dnskey]) -> Flaw:
    """Which of the many ways it is in which no key fits."""
    wanted = sorted({ds.key_tag for ds in ds_set})
    wanted_text = ", ".join(map(str, wanted))
    whose = names.to_text(zone)
    facts: tuple[tuple[str, int | str], ...] = (
        *(("wanted_key_tag", tag) for tag in wanted),
        *(("key_tag", key.key_tag) for key in key_set),
    )
    unflagged = [key for key in matching if not key.has_zone_flag]
    if unflagged or any(_lacks_only_flags(key, zone, ds_set) for key in key_set):
        tag = unflagged[0].key_tag if unflagged else wanted_text
        text = f"{whose}: key {tag} has no Zone Key flag, so it may sign nothing"
        return Flaw(EdeCode.NO_ZONE_KEY_BIT_SET, text, zone, facts)
    odd = [key for key in matching if not key.is_zone_key]
    if odd:
        text = f"{whose}: key {odd[0].key_tag} has protocol {odd[0].protocol} and not 3"
        return Flaw(EdeCode.DNSKEY_MISSING, text, zone, facts)
    if any(key.is_revoked for key in key_set) and not any(
        key.key_tag in wanted and not key.is_revoked for key in key_set
    ):
        text = f"{whose}: key {wanted_text} is revoked, or gone"
    elif not key_set:
        text = f"{whose} has no DNSKEY, but should have key {wanted_text}"
    elif any(key.key_tag in wanted for key in key_set):
        text = f"{whose}: key {wanted_text} is not the DS record's: algorithm or digest differ"
    else:
        has = ", ".join(str(key.key_tag) for key in key_set[:6])
        text = f"{whose} has key {has}, but its DS record or trust anchor is for key {wanted_text}"
    return Flaw(EdeCode.DNSKEY_MISSING, text, zone, facts)


def cleared_flags(zone: Name, key_set: list[Dnskey], flaw: Flaw) -> tuple[Flaw, ...]:
    """What explains a key set that does not verify, if a key has lost its Zone Key flag."""
    lost = [key for key in key_set if not key.has_zone_flag]
    if flaw.code is not EdeCode.DNSSEC_BOGUS or not lost:
        return ()
    text = (
        f"{names.to_text(zone)}: key {lost[0].key_tag} has no Zone Key flag, so it may sign nothing"
    )
    return (Flaw(EdeCode.NO_ZONE_KEY_BIT_SET, text, zone, (("key_tag", lost[0].key_tag),)),)


def _lacks_only_flags(key: Dnskey, zone: Name, ds_set: list[Ds]) -> bool:
    """Whether the DS set would authenticate the key with its Zone Key flag, SEP or not."""
    if key.has_zone_flag or key.protocol != 3:
        return False
    flagged = [read_dnskey(as_zone_key(key, extra)) for extra in (0, 1)]
    return any(_authenticates(ds, zone, candidate) for candidate in flagged for ds in ds_set)
