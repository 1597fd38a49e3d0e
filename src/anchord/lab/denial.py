"""The chain of denial: which names there are, told by NSEC or by NSEC3 records.

Records are made here and found here; `sign` signs them in between (RFC 4034 section 4,
RFC 5155 sections 3, 5 and 7.1). Denials that are made when they are needed are in `online`.
"""

import base64
import hashlib
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import lru_cache

from anchord.model import names, rcodes, rdtypes
from anchord.model.names import Name
from anchord.model.response import RRset
from anchord.wire.rdata import write_types


@dataclass(frozen=True, slots=True)
class Nsec:
    """Denial by NSEC; with spans that are as short as can be if `minimal` (RFC 4470)."""

    minimal: bool = False


@dataclass(frozen=True, slots=True)
class Nsec3:
    """Denial by NSEC3 with these parameters; with opt-out, unsigned delegations are left out.

    `minimal` makes spans that are as short as can be (RFC 7129 appendix B).
    """

    iterations: int = 0
    salt: bytes = b""
    opt_out: bool = False
    minimal: bool = False


@dataclass(frozen=True, slots=True)
class Compact:
    """Compact denial (RFC 9824): one NSEC at a missing name itself, as if it were there.

    It says so with the NXNAME type if `nxname`; `rcode` is the code that goes with it.
    """

    nxname: bool = True
    rcode: int = rcodes.NOERROR


DenialMethod = Nsec | Nsec3 | Compact

BY_NSEC = Nsec()
"""The method of zones that say nothing else."""

Position = tuple[bytes, ...]
"""Where a name stands in its chain: its canonical key, or its hash alone in a tuple."""


def position_of(name: Name, method: DenialMethod) -> Position:
    """Where `name`, a key, stands in a chain of that method."""
    if isinstance(method, Nsec3):
        return (nsec3_hash(name, method),)
    return names.canonical_key(name)


@lru_cache(maxsize=4096)
def nsec3_hash(name: Name, method: Nsec3) -> bytes:
    """The hash of `name`, a key (RFC 5155 section 5)."""
    digest = hashlib.sha1(name + method.salt, usedforsecurity=False).digest()
    for _ in range(method.iterations):
        digest = hashlib.sha1(digest + method.salt, usedforsecurity=False).digest()
    return digest


def nsec3_owner(digest: bytes, apex: Name) -> Name:
    """The owner of the NSEC3 record for that hash (RFC 5155 section 3.3)."""
    label = base64.b32hexencode(digest).rstrip(b"=").lower()
    return bytes((len(label),)) + label + apex


def nsec3_parameters(method: Nsec3) -> bytes:
    """The RDATA of the NSEC3PARAM record (RFC 5155 section 4)."""
    return b"\x01\0" + _iterations_and_salt(method)


def _iterations_and_salt(method: Nsec3) -> bytes:
    return method.iterations.to_bytes(2) + bytes((len(method.salt),)) + method.salt


@dataclass(slots=True)
class Chain:
    """The denials of a zone in their order, each with its position."""

    method: DenialMethod = BY_NSEC
    positions: list[Position] = field(default_factory=list)
    denials: list[RRset] = field(default_factory=list)

    def rrsets(self) -> Iterator[RRset]:
        """Every NSEC or NSEC3 set."""
        yield from self.denials

    def matching(self, name: Name) -> RRset | None:
        """The denial that belongs to `name`."""
        position = position_of(name, self.method)
        index = bisect_left(self.positions, position)
        found = index < len(self.positions) and self.positions[index] == position
        return self.denials[index] if found else None

    def covering(self, name: Name) -> RRset | None:
        """The denial in whose span `name` lies, or ends if it exists; the last reaches around."""
        if not self.denials:
            return None
        return self.denials[bisect_left(self.positions, position_of(name, self.method)) - 1]

    def change(self, change: Callable[[RRset], RRset]) -> None:
        """Puts `change(denial)` in the place of each denial; the positions stay."""
        self.denials = [change(denial) for denial in self.denials]

    def clear(self) -> None:
        """Forgets every denial."""
        self.positions = []
        self.denials = []


def make_chain(
    apex: Name, nodes: Mapping[Name, AbstractSet[int]], method: DenialMethod, ttl: int
) -> Chain:
    """The unsigned chain over `nodes`, the names that exist with their types."""
    if isinstance(method, Nsec3):
        return _nsec3_chain(apex, nodes, method, ttl)
    return _nsec_chain(apex, nodes, ttl)


def _nsec_chain(apex: Name, nodes: Mapping[Name, AbstractSet[int]], ttl: int) -> Chain:
    owners = sorted((name for name in nodes if nodes[name]), key=names.canonical_key)
    chain = Chain(BY_NSEC)
    for owner, following in zip(owners, owners[1:] + owners[:1], strict=True):
        rdata = following + write_types(nsec_types(owner, apex, nodes))
        chain.positions.append(names.canonical_key(owner))
        chain.denials.append(RRset(owner, rdtypes.NSEC, ttl, (rdata,)))
    return chain


def _nsec3_chain(
    apex: Name, nodes: Mapping[Name, AbstractSet[int]], method: Nsec3, ttl: int
) -> Chain:
    hashes = {nsec3_hash(name, method): name for name in _hashed_names(apex, nodes, method)}
    ordered = sorted(hashes)
    chain = Chain(method)
    for digest, following in zip(ordered, ordered[1:] + ordered[:1], strict=True):
        rdata = nsec3_rdata(method, following, nsec3_types(hashes[digest], apex, nodes))
        chain.positions.append((digest,))
        chain.denials.append(RRset(nsec3_owner(digest, apex), rdtypes.NSEC3, ttl, (rdata,)))
    return chain


def nsec3_rdata(method: Nsec3, next_hash: bytes, types: AbstractSet[int]) -> bytes:
    """The RDATA of an NSEC3 record (RFC 5155 section 3.2)."""
    head = b"\x01" + bytes((method.opt_out,)) + _iterations_and_salt(method)
    return head + bytes((len(next_hash),)) + next_hash + write_types(types)


def _hashed_names(apex: Name, nodes: Mapping[Name, AbstractSet[int]], method: Nsec3) -> set[Name]:
    """The names that get an NSEC3 record (RFC 5155 section 7.1).

    With opt-out, unsigned delegations get none, nor the empty non-terminals above them alone.
    """
    if not method.opt_out:
        return set(nodes)
    hashed = {apex}
    for name, types in nodes.items():
        if types and not (_is_cut(name, apex, nodes) and rdtypes.DS not in types):
            hashed.update(names.names_between(apex, name))
    return hashed


# ------------ Which types there are ------------


def nsec_types(name: Name, apex: Name, nodes: Mapping[Name, AbstractSet[int]]) -> set[int]:
    """The bitmap of an NSEC record, which is there itself and signed."""
    return _authoritative_types(name, apex, nodes) | {rdtypes.NSEC, rdtypes.RRSIG}


def nsec3_types(name: Name, apex: Name, nodes: Mapping[Name, AbstractSet[int]]) -> set[int]:
    """The bitmap of an NSEC3 record: RRSIG is there only where something is signed."""
    types = _authoritative_types(name, apex, nodes)
    is_signed = types - {rdtypes.NS} if _is_cut(name, apex, nodes) else types
    return types | {rdtypes.RRSIG} if is_signed else types


def _authoritative_types(
    name: Name, apex: Name, nodes: Mapping[Name, AbstractSet[int]]
) -> set[int]:
    """At a cut, only NS and DS are listed (RFC 4034 section 4.1.2)."""
    types = set(nodes[name])
    return types & {rdtypes.NS, rdtypes.DS} if _is_cut(name, apex, nodes) else types


def _is_cut(name: Name, apex: Name, nodes: Mapping[Name, AbstractSet[int]]) -> bool:
    return name != apex and rdtypes.NS in nodes[name]
