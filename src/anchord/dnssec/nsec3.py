"""What NSEC3 records prove (RFC 5155 section 8, RFC 9276, RFC 6840 section 4).

Records of different salt or iterations are never mixed in one proof. Hashing is paid from the
budget; where it runs out nothing is proven, and the budget says why.
"""

import hashlib
from collections.abc import Callable, Iterable

import msgspec

from anchord.model import names, rdtypes
from anchord.model.names import Name

from .denial import (
    Denial,
    Denied,
    Evidence,
    Nsec3Record,
    denies_type,
    knows_nothing_below,
    no_ds,
)
from .limits import Budget, Limits


def name_error(evidence: Evidence, name: Name, limits: Limits, budget: Budget) -> Denial | None:
    """That the name does not exist, nor a wildcard that would stand for it (section 8.4)."""

    def prove(zone: _HashedZone) -> Denial | None:
        enclosed = zone.closest_encloser(name)
        if enclosed is None or enclosed.cover is None:
            if enclosed and rdtypes.NXNAME in enclosed.record.nsec3.types:
                return _denial(Denied.COMPACTLY, enclosed.record)
            return None
        wildcard_cover = zone.covering(names.wildcard_of(enclosed.name))
        if wildcard_cover is None:
            return None
        return _denial(
            Denied.NAME,
            enclosed.record,
            enclosed.cover,
            wildcard_cover,
            opt_out=enclosed.cover.nsec3.is_opt_out,
        )

    return _first(prove, evidence, limits, budget)


def no_data(
    evidence: Evidence, name: Name, rdtype: int, limits: Limits, budget: Budget
) -> Denial | None:
    """That there is no such type at the name, or at its wildcard (sections 8.5 to 8.7).

    Where an opt-out span covers the next closer name, the name may be an unsigned delegation or
    lead to one: then its data are denied, but not authentically.
    """

    def prove(zone: _HashedZone) -> Denial | None:
        enclosed = zone.closest_encloser(name)
        if enclosed is None:
            return None
        if enclosed.cover is None:
            types = enclosed.record.nsec3.types
            if rdtypes.NXNAME in types:
                return _denial(Denied.COMPACTLY, enclosed.record)
            return (
                _denial(Denied.DATA, enclosed.record) if denies_type(types, rdtype, name) else None
            )
        wildcard = names.wildcard_of(enclosed.name)
        at_wildcard = zone.matching(wildcard)
        if at_wildcard:
            if not denies_type(at_wildcard.nsec3.types, rdtype, wildcard):
                return None
            return _denial(
                Denied.DATA,
                enclosed.record,
                enclosed.cover,
                at_wildcard,
                opt_out=enclosed.cover.nsec3.is_opt_out,
            )
        if enclosed.cover.nsec3.is_opt_out:
            return _denial(Denied.DATA, enclosed.record, enclosed.cover, opt_out=True)
        return None

    return _first(prove, evidence, limits, budget)


def no_closer_match(
    evidence: Evidence, name: Name, closest_encloser: Name, limits: Limits, budget: Budget
) -> Denial | None:
    """That `name` was rightly answered from `*.closest_encloser` (section 8.8)."""

    def prove(zone: _HashedZone) -> Denial | None:
        cover = zone.covering(names.child_towards(closest_encloser, name))
        if cover is None:
            return None
        return _denial(Denied.CLOSER_MATCH, cover, opt_out=cover.nsec3.is_opt_out)

    return _first(prove, evidence, limits, budget)


def no_secure_delegation(
    evidence: Evidence, name: Name, limits: Limits, budget: Budget
) -> Denial | None:
    """That no DS record is at `name`, and what that means (section 8.6, 8.9; RFC 6840 section 4.4).

    A span proves an insecure delegation only where it opts out; any other denies the next closer
    name, and so everything below it.
    """

    def prove(zone: _HashedZone) -> Denial | None:
        enclosed = zone.closest_encloser(name)
        if enclosed is None:
            return None
        if enclosed.cover is None:
            return no_ds(enclosed.record.nsec3.types, enclosed.record.rrset)
        opt_out = enclosed.cover.nsec3.is_opt_out
        denied = Denied.DS if opt_out else Denied.NAME
        return _denial(denied, enclosed.record, enclosed.cover, opt_out=opt_out)

    return _first(prove, evidence, limits, budget)


def insecure_cut(evidence: Evidence, name: Name, limits: Limits, budget: Budget) -> Denial | None:
    """That an insecure delegation is at `name` itself, not merely somewhere in an opt-out span."""

    def prove(zone: _HashedZone) -> Denial | None:
        exact = zone.matching(name)
        denial = exact and no_ds(exact.nsec3.types, exact.rrset)
        return denial if denial and denial.denied is Denied.DS else None

    return _first(prove, evidence, limits, budget)


def unsupported(evidence: Evidence, limits: Limits, budget: Budget) -> Denial | None:
    """That nothing can be said: there are records of more iterations than are supported.

    They are not hashed at all, but they must be genuine (RFC 9276 section 3.2). This is the last
    thing to claim, since others may prove something, and never because the budget is spent.
    """
    if budget.exhausted:
        return None
    for record in evidence.nsec3s:
        if record.nsec3.iterations > limits.nsec3_iterations:
            return Denial(Denied.NOTHING, (record.rrset,))
    return None


# ------------ A zone's records under one salt ------------


class _Enclosed(msgspec.Struct, frozen=True):
    """The closest encloser of a name.

    `record` matches it. `cover` denies the next closer name, and is absent where the closest
    encloser is the name itself.
    """

    name: Name
    record: Nsec3Record
    cover: Nsec3Record | None


class _BudgetSpentError(Exception):
    """No more hashing."""


class _HashedZone:
    """The NSEC3 records of a zone that share salt and iterations."""

    def __init__(self, zone: Name, records: list[Nsec3Record], budget: Budget) -> None:
        self._zone = zone
        self._records = records
        self._budget = budget
        self._hashes: dict[Name, bytes] = {}

    def closest_encloser(self, name: Name) -> _Enclosed | None:
        """The closest provable encloser (section 8.3), if it can be proven."""
        next_closer = None
        for candidate in (*reversed(names.names_between(self._zone, name)), self._zone):
            record = self.matching(candidate)
            if record:
                if next_closer is None:
                    return _Enclosed(candidate, record, None)
                if knows_nothing_below(record.nsec3.types):
                    return None
                cover = self.covering(next_closer)
                return _Enclosed(candidate, record, cover) if cover else None
            next_closer = candidate
        return None

    def matching(self, name: Name) -> Nsec3Record | None:
        """The record of the name itself."""
        hashed = self._hash(name)
        return next((record for record in self._records if record.owner_hash == hashed), None)

    def covering(self, name: Name) -> Nsec3Record | None:
        """A record whose span holds the name's hash."""
        hashed = self._hash(name)
        return next((record for record in self._records if _covers(record, hashed)), None)

    def _hash(self, name: Name) -> bytes:
        hashed = self._hashes.get(name)
        if hashed is None:
            nsec3 = self._records[0].nsec3
            if not self._budget.spend_hash(hash_blocks(name, nsec3.salt, nsec3.iterations)):
                raise _BudgetSpentError
            hashed = self._hashes[name] = nsec3_hash(name, nsec3.salt, nsec3.iterations)
        return hashed


def _covers(record: Nsec3Record, hashed: bytes) -> bool:
    if record.owner_hash < record.nsec3.next_hash:
        return record.owner_hash < hashed < record.nsec3.next_hash
    return hashed > record.owner_hash or hashed < record.nsec3.next_hash  # the last of the zone


def nsec3_hash(name: Name, salt: bytes, iterations: int) -> bytes:
    """The hash of a name, given as a key (section 5)."""
    hashed = hashlib.sha1(name + salt, usedforsecurity=False).digest()
    for _ in range(iterations):
        hashed = hashlib.sha1(hashed + salt, usedforsecurity=False).digest()
    return hashed


def hash_blocks(name: Name, salt: bytes, iterations: int) -> int:
    """SHA-1 blocks that `nsec3_hash` works through: what it costs."""
    return _blocks(len(name) + len(salt)) + iterations * _blocks(20 + len(salt))


def _blocks(length: int) -> int:
    return (length + 9 + 63) // 64


def _first(
    prove: Callable[[_HashedZone], Denial | None],
    evidence: Evidence,
    limits: Limits,
    budget: Budget,
) -> Denial | None:
    """The proof by the first parameters that give one, of those that are supported."""
    for records in _by_parameters(evidence, limits):
        try:
            denial = prove(_HashedZone(evidence.zone, records, budget))
        except _BudgetSpentError:
            return None
        if denial:
            return denial
    return None


def _by_parameters(evidence: Evidence, limits: Limits) -> Iterable[list[Nsec3Record]]:
    groups: dict[tuple[bytes, int], list[Nsec3Record]] = {}
    for record in evidence.nsec3s:
        if record.nsec3.iterations <= limits.nsec3_iterations:
            groups.setdefault((record.nsec3.salt, record.nsec3.iterations), []).append(record)
    return groups.values()


def _denial(denied: Denied, *used: Nsec3Record, opt_out: bool = False) -> Denial:
    return Denial(denied, tuple(dict.fromkeys(record.rrset for record in used)), opt_out)
