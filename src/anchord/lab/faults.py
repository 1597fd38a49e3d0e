"""Named ways to spoil a good zone.

A plan says `faults="expired A; wrong-ds"`: names of faults with their arguments, which act in the
order given, each at its stage: before the zone is signed, on the DS set that the parent publishes,
or after signing. Types among the arguments limit a fault to the sets of those types. Each function
here is a fault; its name with hyphens is what a plan calls it, its docstring what it does.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum

from anchord.model import rcodes, rdtypes
from anchord.model.ede import Ede
from anchord.model.question import Question
from anchord.model.response import RRset

from .denial import Nsec3
from .keys import REVOKE, ZONE_KEY, Key, derive
from .sign import sign_rrset
from .zones import Reply, Window, Zone

DAY = 86400
"""Seconds."""


class Stage(Enum):
    """When a fault acts."""

    BEFORE_SIGNING = "before signing"
    IN_PARENT = "in the parent"
    AFTER_SIGNING = "after signing"


@dataclass(frozen=True, slots=True)
class Fault:
    """A way to spoil a zone: what plans call it, when it acts, and what it does."""

    name: str
    stage: Stage
    spoil: Callable[..., None]

    @property
    def explanation(self) -> str:
        """What it does, in the first line of its docstring."""
        return (self.spoil.__doc__ or "").partition("\n")[0]


FAULTS: dict[str, Fault] = {}
"""Every fault by its name."""


def spoil(zone: Zone, faults: str, stage: Stage) -> None:
    """Lets those of the named faults act that belong to this stage. Raises ValueError."""
    for words in parse(faults):
        fault = FAULTS[words[0]]
        if fault.stage is stage:
            fault.spoil(zone, *words[1:])


def parse(faults: str) -> list[list[str]]:
    """The faults of a plan, each as its name and arguments. Raises ValueError for unknown names."""
    parsed = [words for fault in faults.split(";") if (words := fault.split())]
    for name, *_ in parsed:
        if name not in FAULTS:
            raise ValueError(f"there is no fault named {name}")
    return parsed


def _at(stage: Stage) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def register(function: Callable[..., None]) -> Callable[..., None]:
        name = function.__name__.replace("_", "-")
        FAULTS[name] = Fault(name, stage, function)
        return function

    return register


before_signing = _at(Stage.BEFORE_SIGNING)
in_parent = _at(Stage.IN_PARENT)
after_signing = _at(Stage.AFTER_SIGNING)


# ------------ Times ------------


@before_signing
def expired(zone: Zone, *types: str) -> None:
    """Signatures ended yesterday."""
    _set_window(zone, types, Window(zone.now - 31 * DAY, zone.now - DAY))


@before_signing
def not_yet_valid(zone: Zone, *types: str) -> None:
    """Signatures begin tomorrow."""
    _set_window(zone, types, Window(zone.now + DAY, zone.now + 31 * DAY))


@before_signing
def expired_before_valid(zone: Zone, *types: str) -> None:
    """Signatures end two days before they begin."""
    _set_window(zone, types, Window(zone.now + DAY, zone.now - DAY))


@before_signing
def expires_in(zone: Zone, seconds: str, *types: str) -> None:
    """Signatures are valid, and end in so many seconds."""
    _set_window(zone, types, Window(zone.now - DAY, zone.now + int(seconds)))


def _set_window(zone: Zone, types: tuple[str, ...], window: Window) -> None:
    if not types:
        zone.window = window
    for rdtype in map(rdtypes.from_text, types):
        zone.windows[rdtype] = window


# ------------ Keys ------------


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


@after_signing
def no_dnskey(zone: Zone) -> None:
    """The zone's servers know no DNSKEY set."""
    del zone.records[zone.apex, rdtypes.DNSKEY]


@after_signing
def missing_key(zone: Zone, role: str) -> None:
    """The DNSKEY set lacks the key-signing (KSK) or zone-signing keys (ZSK); its RRSIG stays."""
    gone = {key.rdata for key in _keys(zone, role)}
    keys = zone.records[zone.apex, rdtypes.DNSKEY]
    zone.put(replace(keys, rdatas=tuple(rdata for rdata in keys.rdatas if rdata not in gone)))


@after_signing
def altered_key(zone: Zone, role: str) -> None:
    """The last octet of the key-signing (KSK) or zone-signing keys (ZSK) is another one."""
    hit = {key.rdata for key in _keys(zone, role)}
    keys = zone.records[zone.apex, rdtypes.DNSKEY]
    rdatas = [_flip(rdata, -1) if rdata in hit else rdata for rdata in keys.rdatas]
    zone.put(replace(keys, rdatas=tuple(rdatas)))


def _keys(zone: Zone, role: str) -> list[Key]:
    if role not in {"KSK", "ZSK"}:
        raise ValueError(f"{role} is neither KSK nor ZSK")
    return zone.key_signers if role == "KSK" else zone.zone_signers


def _change_keys(zone: Zone, role: str, change: Callable[[Key], Key]) -> None:
    changed = {key: change(key) for key in _keys(zone, role)}
    for keys in (zone.published, zone.key_signers, zone.zone_signers):
        keys[:] = [changed.get(key, key) for key in keys]


# ------------ The parent's DS set ------------


@in_parent
def no_ds(zone: Zone) -> None:
    """The parent has no DS set: the zone is signed, and no chain leads to it."""
    zone.ds = []


@in_parent
def wrong_ds(zone: Zone) -> None:
    """The digest of each DS is another one."""
    zone.ds = [_flip(ds, -1) for ds in zone.ds]


@in_parent
def ds_key_tag(zone: Zone, key_tag: str) -> None:
    """Each DS has this key tag."""
    zone.ds = [int(key_tag).to_bytes(2) + ds[2:] for ds in zone.ds]


@in_parent
def ds_algorithm(zone: Zone, algorithm: str) -> None:
    """Each DS has this algorithm."""
    zone.ds = [ds[:2] + bytes((int(algorithm),)) + ds[3:] for ds in zone.ds]


@in_parent
def ds_digest_type(zone: Zone, digest_type: str) -> None:
    """Each DS has this digest type; the digest stays what it was."""
    zone.ds = [ds[:3] + bytes((int(digest_type),)) + ds[4:] for ds in zone.ds]


@in_parent
def another_ds(zone: Zone, algorithm: str, digest_type: str) -> None:
    """The DS set has one more record, of this algorithm and digest type, that matches no key."""
    zone.ds.append(bytes((0, 1, int(algorithm), int(digest_type))) + bytes(32))


# ------------ Signatures and data ------------


@after_signing
def forged(zone: Zone, *types: str) -> None:
    """One bit of each record is another one; the signatures are the old ones."""
    _change_sets(
        zone,
        types or ("A",),
        lambda rrset: replace(rrset, rdatas=tuple(_flip(rdata, 1) for rdata in rrset.rdatas)),
    )


@after_signing
def forged_signature(zone: Zone, *types: str) -> None:
    """One bit of each signature is another one."""
    _change_signatures(zone, types, lambda signature: _flip(signature, -1))


@after_signing
def stripped(zone: Zone, *types: str) -> None:
    """There are no RRSIG records."""
    _change_sets(zone, types, lambda rrset: replace(rrset, signatures=(), signature_ttl=0))


@after_signing
def signature_algorithm(zone: Zone, algorithm: str, *types: str) -> None:
    """Each RRSIG names this algorithm, whatever it was made with."""
    _change_signatures(
        zone, types, lambda signature: signature[:2] + bytes((int(algorithm),)) + signature[3:]
    )


@after_signing
def signed_by_stranger(zone: Zone, *types: str) -> None:
    """Signatures are good, and by a key that is not in the DNSKEY set."""
    stranger = derive("stranger", zone.apex, zone.zone_signers[0].algorithm)
    _change_sets(
        zone,
        types,
        lambda rrset: replace(
            rrset, signatures=(sign_rrset(rrset, stranger, zone.apex, zone.window),)
        ),
    )


def _change_signatures(zone: Zone, types: Iterable[str], change: Callable[[bytes], bytes]) -> None:
    _change_sets(
        zone, types, lambda rrset: replace(rrset, signatures=tuple(map(change, rrset.signatures)))
    )


def _change_sets(zone: Zone, types: Iterable[str], change: Callable[[RRset], RRset]) -> None:
    """Changes the signed sets, or those of them that are of these types; denials too."""
    wanted = set(map(rdtypes.from_text, types))

    def change_if_wanted(rrset: RRset) -> RRset:
        is_wanted = rrset.signatures and (not wanted or rrset.rdtype in wanted)
        return change(rrset) if is_wanted else rrset

    for rrset in list(zone.records.values()):
        zone.put(change_if_wanted(rrset))
    zone.chain.change(change_if_wanted)


def _flip(octets: bytes, index: int) -> bytes:
    """The octets with the lowest bit of one of them turned over.

    The second octet is a letter of a name, a part of an address or a number in every common type,
    so that records stay well-formed.
    """
    changed = bytearray(octets)
    changed[index] ^= 1
    return bytes(changed)


# ------------ Denials ------------


@before_signing
def nsec3_iterations(zone: Zone, iterations: str) -> None:
    """The zone is denied by NSEC3 with this many additional iterations."""
    zone.denial = Nsec3(iterations=int(iterations))


@after_signing
def no_denial(zone: Zone) -> None:
    """There are no NSEC or NSEC3 records in any answer."""
    zone.chain.clear()


@before_signing
def no_wildcard_proof(zone: Zone) -> None:
    """Answers from a wildcard come without the proof that the name itself does not exist."""

    def forget(_: Question, reply: Reply) -> Reply:
        return replace(reply, authority=()) if reply.answer else reply

    zone.answer_faults.append(forget)


# ------------ Servers ------------


@before_signing
def unreachable(zone: Zone) -> None:
    """The servers of the zone do not answer."""
    zone.is_reachable = False


@before_signing
def says(zone: Zone, rcode: str) -> None:
    """The servers of the zone answer everything with this code, and nothing else."""
    code = int(rcode)
    zone.answer_faults.append(lambda _, __: Reply(rcode=code))


@before_signing
def refused(zone: Zone) -> None:
    """The servers of the zone refuse to answer."""
    says(zone, str(rcodes.REFUSED))


@before_signing
def extended_error(zone: Zone, code: str, *text: str) -> None:
    """The servers of the zone add this Extended DNS Error to each answer."""
    ede = Ede(int(code), " ".join(text))
    zone.answer_faults.append(lambda _, reply: replace(reply, edes=(*reply.edes, ede)))
