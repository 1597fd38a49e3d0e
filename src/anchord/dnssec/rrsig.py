"""Whether a signature over an RRset holds, by one zone's keys (RFC 4035 section 5.3).

First every RRSIG is judged by what it says (type, signer, labels, window, algorithm, key); the few
that are usable are then tried, one check at a time. Any one that verifies is enough (RFC 6840
section 5.4). If none does, the flaw names the most telling reason.
"""

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from anchord.model import names, rdtypes
from anchord.model.ede import EdeCode
from anchord.model.names import Name
from anchord.model.response import RRset
from anchord.model.verdict import Flaw
from anchord.wire.embedded import canonical
from anchord.wire.errors import FormError
from anchord.wire.rdata import Dnskey, Rrsig, key_tag, read_rrsig

from . import times
from .algorithms import COSTLY, algorithm_text
from .asking import Asking, Work
from .crypto import MalformedKeyError, UnsupportedKeyError
from .memo import Memo


class Signed(msgspec.Struct, frozen=True):
    """An RRset whose signature holds: the RRset with bounded TTL, and what the signature says.

    `wildcard` is the closest encloser where the RRset was expanded from a wildcard (RFC 4035
    section 5.3.4): then a proof is still due that the name itself does not exist.
    """

    rrset: RRset
    rrsig: Rrsig
    wildcard: Name | None


def verify_rrset(
    rrset: RRset,
    zone: Name,
    keys: tuple[Dnskey, ...],
    work: Work,
) -> Asking[Signed | Flaw]:
    """Whether a signature by the zone's keys over the RRset holds now.

    Where a limit would have to choose among RRSIGs or keys, none is tried: their order is whatever
    the upstream makes it, and must not decide.
    """
    count = len(rrset.signatures)
    if count > work.limits.records_per_set:
        return limit_flaw("too many RRSIGs over one RRset", rrset.name)
    if not work.budget.spend_effort(count):
        return limit_flaw(work.budget.exhausted, rrset.name)
    usable, flaw = _usable_signatures(rrset, zone, work)
    if len(usable) > work.limits.signatures_per_rrset:
        return limit_flaw("too many RRSIGs over one RRset", rrset.name)
    flaws = [flaw] if flaw else []
    rdatas: list[bytes] = []
    for rrsig in usable:
        candidates = [key for key in keys if _may_have_made(key, rrsig)]
        if candidates:
            rdatas = rdatas or _in_canonical_order(rrset)
            flaw = yield from _try_signature(rrset, rdatas, rrsig, candidates, work)
        else:
            yield None
            flaw = _no_such_key(rrset, rrsig, keys, work)
        if flaw is None:
            return _signed(rrset, rrsig, work.now)
        if work.budget.exhausted:
            return flaw
        flaws.append(flaw)
    return min(flaws, key=_telling) if flaws else _missing(rrset, zone)


_ORDER = (
    EdeCode.SIGNATURE_EXPIRED_BEFORE_VALID,
    EdeCode.SIGNATURE_EXPIRED,
    EdeCode.SIGNATURE_NOT_YET_VALID,
    EdeCode.NO_ZONE_KEY_BIT_SET,
    EdeCode.DNSKEY_MISSING,
    EdeCode.DNSSEC_BOGUS,
    EdeCode.RRSIGS_MISSING,
)
"""Which of several reasons tells most: the narrowest first."""


_RANKS = {code: rank for rank, code in enumerate(_ORDER)}


def _telling(flaw: Flaw) -> int:
    return _RANKS[flaw.code]


_Fault: TypeAlias = tuple[EdeCode, Callable[[], str]]
"""What is wrong with an RRSIG, and how to say it: only one of many is said."""


def _usable_signatures(rrset: RRset, zone: Name, work: Work) -> tuple[list[Rrsig], Flaw | None]:
    """The RRSIGs by `zone` that are worth a check, and the worst that is wrong with others by it.

    Those of most labels come first: what was not expanded from a wildcard needs no proof for that.
    Past the limit there is no need to look further.
    """
    usable: list[Rrsig] = []
    worst: tuple[Rrsig, _Fault] | None = None
    labels = names.label_count(rrset.name) - names.is_wildcard(rrset.name)
    for rdata in rrset.signatures:
        try:
            rrsig = read_rrsig(rdata)
        except FormError:
            continue
        if rrsig.signer != zone:
            continue
        fault = _unusable(rrset, rrsig, labels, work)
        if fault is not None:
            if worst is None or _RANKS[fault[0]] < _RANKS[worst[1][0]]:
                worst = rrsig, fault
            continue
        usable.append(rrsig)
        if len(usable) > work.limits.signatures_per_rrset:
            break
    usable.sort(key=lambda rrsig: -rrsig.labels)
    if worst is None:
        return usable, None
    rrsig, (code, say) = worst
    return usable, _flaw(code, rrset, rrsig, say())


def _unusable(rrset: RRset, rrsig: Rrsig, labels: int, work: Work) -> _Fault | None:
    """Why an RRSIG is no use for an RRset whose owner has so many labels, a wildcard's aside."""
    now = work.now
    if rrsig.type_covered != rrset.rdtype:
        return EdeCode.DNSSEC_BOGUS, lambda: f"the RRSIG of {_what(rrset)} covers another type"
    if not names.label_count(rrsig.signer) <= rrsig.labels <= labels:
        return (
            EdeCode.DNSSEC_BOGUS,
            lambda: f"{_by(rrset, rrsig)} is for {rrsig.labels} labels, which cannot be",
        )
    if rrsig.algorithm not in work.context.supported.algorithms:
        return (
            EdeCode.RRSIGS_MISSING,
            lambda: (
                f"{_what(rrset)} has no RRSIG of a supported algorithm, "
                f"only {algorithm_text(rrsig.algorithm)}"
            ),
        )
    if times.is_before(rrsig.expiration, rrsig.inception):
        return (
            EdeCode.SIGNATURE_EXPIRED_BEFORE_VALID,
            lambda: (
                f"{_by(rrset, rrsig)} expires ({times.to_text(rrsig.expiration, now)}) before "
                f"it becomes valid ({times.to_text(rrsig.inception, now)})"
            ),
        )
    if times.is_before(rrsig.expiration, now):
        return (
            EdeCode.SIGNATURE_EXPIRED,
            lambda: (
                f"{_by(rrset, rrsig)} expired {times.to_text(rrsig.expiration, now)}, "
                f"{times.ago_text(now - rrsig.expiration)} ago"
            ),
        )
    if times.is_before(now, rrsig.inception):
        return (
            EdeCode.SIGNATURE_NOT_YET_VALID,
            lambda: (
                f"{_by(rrset, rrsig)} is not valid before {times.to_text(rrsig.inception, now)}, "
                f"in {times.ago_text(rrsig.inception - now)}"
            ),
        )
    return None


def _by(rrset: RRset, rrsig: Rrsig) -> str:
    return f"the RRSIG of {_what(rrset)} by key {rrsig.key_tag}"


def _may_have_made(key: Dnskey, rrsig: Rrsig) -> bool:
    return (
        key.key_tag == rrsig.key_tag
        and key.algorithm == rrsig.algorithm
        and key.is_zone_key
        and not key.is_revoked
    )


def _try_signature(
    rrset: RRset, rdatas: list[bytes], rrsig: Rrsig, candidates: list[Dnskey], work: Work
) -> Asking[Flaw | None]:
    """Check one RRSIG with each key that it may be of; None where one verifies it."""
    if len(candidates) > work.limits.keys_per_tag:
        return limit_flaw("too many keys with one key tag", rrset.name)
    data = _signed_data(rrset, rdatas, rrsig)
    if not work.budget.spend_effort(len(rdatas) // RDATAS + len(data) // OCTETS):
        return limit_flaw(work.budget.exhausted, rrset.name)
    for key in candidates:
        memo = Memo.key(key.rdata, rrsig.signature, data)
        if work.context.memo.knows(memo):
            return None
        if not work.budget.spend_signature():
            return limit_flaw(work.budget.exhausted, rrset.name)
        yield None  # let others run: this takes a while
        if _verifies(key, rrsig.signature, data, work):
            work.context.memo.remember(memo)
            return None
        if not work.budget.spend_failure(COSTLY.get(key.algorithm, 1)):
            return limit_flaw(work.budget.exhausted, rrset.name)
    text = f"{_by(rrset, rrsig)} does not verify: data or signature are forged"
    return _flaw(EdeCode.DNSSEC_BOGUS, rrset, rrsig, text)


RDATAS, OCTETS = 8, 1024
"""Records of an RRset that is put in order, and octets that a signature is over, which cost as much
as one record that is looked at."""


def _no_such_key(rrset: RRset, rrsig: Rrsig, keys: tuple[Dnskey, ...], work: Work) -> Flaw:
    """Why the zone has no key that may have made this RRSIG."""
    if not work.budget.spend_effort(len(keys)):
        return limit_flaw(work.budget.exhausted, rrset.name)
    head = f"{_what(rrset)} is signed by key {rrsig.key_tag}"
    if any(
        rrsig.key_tag in (key.key_tag, key_tag(as_zone_key(key)))
        for key in keys
        if not key.has_zone_flag
    ):
        text = f"{head}, which has no Zone Key flag, so it may sign nothing"
        return _flaw(EdeCode.NO_ZONE_KEY_BIT_SET, rrset, rrsig, text)
    odd = [key for key in keys if key.key_tag == rrsig.key_tag and key.protocol != 3]
    if odd:
        text = f"{head}, which has protocol {odd[0].protocol} and not 3"
        return _flaw(EdeCode.DNSSEC_BOGUS, rrset, rrsig, text)
    if any(key.is_revoked and rrsig.key_tag == key.key_tag for key in keys):
        text = f"{head}, which is revoked"
        return _flaw(EdeCode.DNSKEY_MISSING, rrset, rrsig, text)
    tags = ", ".join(str(tag) for tag in sorted({key.key_tag for key in keys})[:6])
    text = (
        f"{head}, algorithm {algorithm_text(rrsig.algorithm)}, "
        f"but {names.to_text(rrsig.signer)} has key {tags}"
    )
    return _flaw(EdeCode.DNSSEC_BOGUS, rrset, rrsig, text)


def as_zone_key(key: Dnskey, extra: int = 0) -> bytes:
    """The RDATA that the key would have with its Zone Key flag set, and the `extra` flags."""
    return (key.flags | 0x0100 | extra).to_bytes(2) + key.rdata[2:]


def _verifies(key: Dnskey, signature: bytes, data: bytes, work: Work) -> bool:
    try:
        return work.context.load_key(key.algorithm, key.key)(signature, data)
    except (UnsupportedKeyError, MalformedKeyError):
        return False


def _in_canonical_order(rrset: RRset) -> list[bytes]:
    """The RDATA in canonical form and order, each once (RFC 4034 section 6)."""
    return sorted({canonical(rrset.rdtype, rdata) for rdata in rrset.rdatas})


def _signed_data(rrset: RRset, rdatas: list[bytes], rrsig: Rrsig) -> bytes:
    """What the RRSIG signs (RFC 4034 section 3.1.8.1): its own head, and the records."""
    owner = rrset.name
    if rrsig.labels < names.label_count(owner):
        owner = names.wildcard_of(names.suffix(owner, rrsig.labels))
    head = (
        owner + rrset.rdtype.to_bytes(2) + rdtypes.IN.to_bytes(2) + rrsig.original_ttl.to_bytes(4)
    )
    return rrsig.signed_head + b"".join(head + len(rdata).to_bytes(2) + rdata for rdata in rdatas)


def _signed(rrset: RRset, rrsig: Rrsig, now: int) -> Signed:
    """The RRset with its TTL bounded (RFC 4035 section 5.3.3), and whether it was expanded."""
    remaining = times.until(rrsig.expiration, now)
    ttl = min(rrset.ttl, rrset.signature_ttl, rrsig.original_ttl, remaining)
    bounded = RRset(rrset.name, rrset.rdtype, ttl, rrset.rdatas, rrset.signatures, ttl, rrset.owner)
    wildcard = None
    if rrsig.labels < names.label_count(rrset.name) - names.is_wildcard(rrset.name):
        wildcard = names.suffix(rrset.name, rrsig.labels)
    return Signed(bounded, rrsig, wildcard)


def _missing(rrset: RRset, zone: Name) -> Flaw:
    text = f"{_what(rrset)} has no RRSIG, though {names.to_text(zone)} is signed"
    return Flaw(
        EdeCode.RRSIGS_MISSING, text, rrset.name, (("type", rdtypes.to_text(rrset.rdtype)),)
    )


def limit_flaw(limit: str, name: Name) -> Flaw:
    """The flaw of a question that went past a limit."""
    text = f"{names.to_text(name)}: {limit}; this may be an attack on validators"
    return Flaw(EdeCode.DNSSEC_BOGUS, text, name, (("limit", limit),))


def is_limit(flaw: Flaw) -> bool:
    """Whether that is why: it says nothing about the data."""
    return any(fact == "limit" for fact, _ in flaw.facts)


def _what(rrset: RRset) -> str:
    return f"{names.to_text(rrset.name)} {rdtypes.to_text(rrset.rdtype)}"


def _flaw(code: EdeCode, rrset: RRset, rrsig: Rrsig, text: str) -> Flaw:
    facts: tuple[tuple[str, int | str], ...] = (
        ("type", rdtypes.to_text(rrset.rdtype)),
        ("signer", names.to_text(rrsig.signer)),
        ("key_tag", rrsig.key_tag),
        ("algorithm", rrsig.algorithm),
        ("inception", rrsig.inception),
        ("expiration", rrsig.expiration),
    )
    return Flaw(code, text, rrset.name, facts)
