"""Denials that a zone's servers make and sign when they are asked, each for one name alone.

Their spans are as short as can be, so that nobody learns the names of the zone: in NSEC (RFC 4470),
in NSEC3 (RFC 7129 appendix B), and in the compact form (RFC 9824). There are no wildcards in a zone
that is denied compactly: its servers would sign their answers for each name as well.
"""

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from anchord.model import names, rdtypes
from anchord.model.names import Name
from anchord.model.response import RRset
from anchord.wire.rdata import write_types

from .denial import (
    Compact,
    DenialMethod,
    Nsec3,
    nsec3_hash,
    nsec3_owner,
    nsec3_rdata,
    nsec3_types,
    nsec_types,
)

BARE = frozenset({rdtypes.NSEC, rdtypes.RRSIG})
"""The types at a name that has nothing but its denial."""


@dataclass(slots=True)
class OnlineChain:
    """The denials of a zone whose names are `nodes`: made by `method`, signed by `sign`."""

    apex: Name
    nodes: Mapping[Name, AbstractSet[int]]
    method: DenialMethod
    ttl: int
    sign: Callable[[RRset], RRset]
    changes: list[Callable[[RRset], RRset]] = field(default_factory=list)
    is_silent: bool = False

    def rrsets(self) -> Iterator[RRset]:
        """Nothing: no denial is there before it is asked for."""
        return iter(())

    def matching(self, name: Name) -> RRset | None:
        """The denial that belongs to `name`, if that exists."""
        if name not in self.nodes:
            return None
        if isinstance(self.method, Nsec3):
            types = nsec3_types(name, self.apex, self.nodes)
            return self._nsec3(nsec3_hash(name, self.method), 0, types, self.method)
        return self._nsec(name, first_below(name), nsec_types(name, self.apex, self.nodes))

    def covering(self, name: Name) -> RRset | None:
        """The denial of `name`, or of the topmost name above it that does not exist either."""
        encloser = next(above for above in names.ancestors(name) if above in self.nodes)
        if encloser == name:
            return self.matching(name)
        missing = names.child_towards(encloser, name)
        match self.method:
            case Compact():
                types = BARE | {rdtypes.NXNAME} if self.method.nxname else BARE
                return self._nsec(name, first_below(name), types)
            case Nsec3():
                return self._nsec3(nsec3_hash(missing, self.method), 1, set(), self.method)
            case _:
                return self._nsec(right_before(missing), right_after(missing), BARE)

    def change(self, change: Callable[[RRset], RRset]) -> None:
        """Has `change(denial)` in the place of each denial."""
        self.changes.append(change)

    def clear(self) -> None:
        """Makes no more denials."""
        self.is_silent = True

    def _nsec(self, owner: Name, following: Name, types: AbstractSet[int]) -> RRset | None:
        rdata = following + write_types(types)
        return self._finished(RRset(owner, rdtypes.NSEC, self.ttl, (rdata,)))

    def _nsec3(
        self, digest: bytes, before: int, types: AbstractSet[int], method: Nsec3
    ) -> RRset | None:
        """The record that begins so many hashes before `digest` and ends right after it."""
        number = int.from_bytes(digest)
        owner = nsec3_owner((number - before).to_bytes(len(digest)), self.apex)
        rdata = nsec3_rdata(method, (number + 1).to_bytes(len(digest)), types)
        return self._finished(RRset(owner, rdtypes.NSEC3, self.ttl, (rdata,)))

    def _finished(self, denial: RRset) -> RRset | None:
        if self.is_silent:
            return None
        denial = self.sign(denial)
        for change in self.changes:
            denial = change(denial)
        return denial


def first_below(name: Name) -> Name:
    """The first name below `name` in canonical order (RFC 4034 section 6.1)."""
    return b"\x01\0" + name


def right_before(name: Name) -> Name:
    """A name before `name` and all that is likely to exist before it (RFC 4470 section 3.1.2)."""
    label, *rest = names.labels(name)
    return names.join([label[:-1] + bytes((label[-1] - 1,)) + b"\xff", *rest])


def right_after(name: Name) -> Name:
    """The first name after `name` and everything below it."""
    label, *rest = names.labels(name)
    return names.join([label + b"\0", *rest])
