"""What may rightly be said of a world: the oracle beside the engine, which reads no signature.

It goes by the zones' contents alone. Where the signatures of several versions of a zone hold at
one time, whoever has no keys may still replay any of them, and DNSSEC cannot tell. So what is right
is what follows from statements each of which is true in one of the versions in force: data, a name
that is not there, a wildcard that is not there. With one version in force that is the plain truth.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from anchord.lab.denial import Nsec3
from anchord.lab.world import World
from anchord.lab.zones import Zone
from anchord.model import names, rcodes, rdtypes
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.response import RRset
from anchord.model.verdict import Answer, Status
from anchord.wire.embedded import canonical
from anchord.wire.rdata import read_target

from .eras import UNKNOWN_ALGORITHM

MOST_ITERATIONS = 50
"""NSEC3 iterations up to which denials are checked at all."""


class Truth:
    """What is true in the worlds in force, of names that lie below secure zones."""

    def __init__(self, worlds: list[World]) -> None:
        self._worlds = worlds
        self._zones: dict[Name, list[Zone]] = {}
        for world in worlds:
            for zone in world.zones():
                self._zones.setdefault(zone.apex, []).append(zone)
        self._insecure: dict[tuple[Name, bool], bool] = {}

    # ------------ Insecure ------------

    def may_be_insecure(self, name: Name, rdtype: int) -> bool:
        """Whether an insecure cut, an opt-out span or an uncounted NSEC3 lies at or above it.

        A DS is its parent's, so that a cut at the name itself says nothing about it.
        """
        key = name, rdtype == rdtypes.DS
        if key not in self._insecure:
            self._insecure[key] = any(
                self._may_step(world, step, is_own=step == name and rdtype == rdtypes.DS)
                for world in self._worlds
                for step in names.names_between(names.ROOT, name)
            ) or any(_is_uncounted(zone) for zone in self._zones.get(name, ()))
        return self._insecure[key]

    @staticmethod
    def _may_step(world: World, name: Name, *, is_own: bool) -> bool:
        zone = world.zone_for(Question(name, rdtypes.DS))
        assert zone is not None
        if not is_own and (
            not zone.is_signed or (zone.is_cut(name) and not _is_secure_cut(zone, name))
        ):
            return True
        if _is_uncounted(zone) and not _is_secure_cut(zone, name):
            return True
        return _is_opt_out(zone) and zone.chain.matching(name) is None

    # ------------ Data ------------

    def holds(self, rrset: RRset) -> bool:
        """Whether the set is what a zone in force has there, itself or by a wildcard."""
        return any(self._same(rrset, true) for true in self._true_sets(rrset.name, rrset.rdtype))

    @staticmethod
    def _same(rrset: RRset, true: RRset) -> bool:
        one, other = ({canonical(r.rdtype, rdata) for rdata in r.rdatas} for r in (rrset, true))
        return one == other and rrset.ttl <= true.ttl

    def _true_sets(self, name: Name, rdtype: int) -> Iterator[RRset]:
        holders = self._holders(name, rdtype)
        if rdtype == rdtypes.NSEC:  # at a cut both zones have one
            holders |= self._holders(name, rdtypes.DS)
        for apex in holders:
            for zone in self._zones[apex]:
                if (own := _own(zone, name, rdtype)) is not None:
                    yield own
            for encloser in _enclosers(apex, name):
                if self._is_absent(apex, names.child_towards(encloser, name), securely=False):
                    wildcard = names.wildcard_of(encloser)
                    for zone in self._zones[apex]:
                        if (own := _own(zone, wildcard, rdtype)) is not None:
                            yield own
        if rdtype == rdtypes.CNAME:
            yield from self._synthesized(name)

    def _synthesized(self, name: Name) -> Iterator[RRset]:
        """The CNAMEs that follow from DNAMEs above (RFC 6672 section 3.1)."""
        for above in names.ancestors(names.parent(name)):
            for dname in self._true_sets(above, rdtypes.DNAME):
                target = name[: len(name) - len(above)] + read_target(dname.rdatas[0])
                yield RRset(name, rdtypes.CNAME, dname.ttl, (target,))

    # ------------ Denials ------------

    def denies_name(self, name: Name) -> bool:
        """Whether the name is not there, nor a wildcard that stands for it."""
        return any(
            self._is_absent(apex, names.child_towards(encloser, name))
            and self._is_there(apex, encloser)
            and self._is_absent(apex, names.wildcard_of(encloser), securely=False)
            for apex in self._holders(name, rdtypes.A)
            for encloser in _enclosers(apex, name)
        )

    def denies_type(self, name: Name, rdtype: int) -> bool:
        """Whether the name is there, or a wildcard that stands for it, but not with that type."""
        for apex in self._holders(name, rdtype):
            if any(_lacks(zone, name, rdtype) for zone in self._zones[apex]):
                return True
            for encloser in _enclosers(apex, name):
                wildcard = names.wildcard_of(encloser)
                if (
                    self._is_absent(apex, names.child_towards(encloser, name))
                    and self._is_there(apex, encloser)
                    and any(_lacks(zone, wildcard, rdtype) for zone in self._zones[apex])
                ):
                    return True
        return False

    def _is_there(self, apex: Name, name: Name) -> bool:
        return any(name in zone.nodes for zone in self._zones[apex])

    def _is_absent(self, apex: Name, name: Name, *, securely: bool = True) -> bool:
        """`securely`: by more than an opt-out span."""
        return any(
            name not in zone.nodes
            and not (securely and _is_opt_out(zone))
            and not any(_leads_away(zone, above) for above in _enclosers(apex, name))
            for zone in self._zones[apex]
        )

    def _holders(self, name: Name, rdtype: int) -> set[Name]:
        """The zones that hold the name in some world."""
        zones = (world.zone_for(Question(name, rdtype)) for world in self._worlds)
        return {zone.apex for zone in zones if zone is not None and zone.is_signed}


def _is_secure_cut(zone: Zone, name: Name) -> bool:
    """Whether the zone has a DS record there that counts."""
    ds = zone.get(name, rdtypes.DS)
    return ds is not None and any(rdata[2] != UNKNOWN_ALGORITHM for rdata in ds.rdatas)


def _is_opt_out(zone: Zone) -> bool:
    return isinstance(zone.denial, Nsec3) and zone.denial.opt_out


def _is_uncounted(zone: Zone) -> bool:
    return isinstance(zone.denial, Nsec3) and zone.denial.iterations > MOST_ITERATIONS


def _leads_away(zone: Zone, name: Name) -> bool:
    """Below a cut or a DNAME the zone has nothing to say."""
    return zone.is_cut(name) or zone.get(name, rdtypes.DNAME) is not None


def _enclosers(apex: Name, name: Name) -> list[Name]:
    """The names strictly above `name` down from the apex."""
    return [apex, *names.names_between(apex, name)][:-1]


def _own(zone: Zone, name: Name, rdtype: int) -> RRset | None:
    """The signed set of that type at the name, which is no wildcard's."""
    if rdtype == rdtypes.NSEC:
        return None if isinstance(zone.denial, Nsec3) else zone.chain.matching(name)
    found = zone.get(name, rdtype)
    return found if found is not None and zone.is_authoritative(found) else None


def _lacks(zone: Zone, name: Name, rdtype: int) -> bool:
    """Whether the name is there, and neither the type nor an alias is."""
    types = zone.nodes.get(name)
    if types is None or (rdtypes.CNAME in types and rdtype != rdtypes.CNAME):
        return False
    if zone.is_cut(name):
        is_hidden = _is_opt_out(zone) and zone.chain.matching(name) is None
        return rdtype == rdtypes.DS and rdtypes.DS not in types and not is_hidden
    if rdtype == rdtypes.ANY:
        return not types
    if rdtype == rdtypes.NSEC and not isinstance(zone.denial, Nsec3):
        return not types  # every other name has one
    if name == zone.apex and rdtype == rdtypes.DS and name != names.ROOT:
        return False  # that is the parent's to say
    return rdtype not in types and (name in zone.nodes)


# ------------ An answer against it ------------


@dataclass(frozen=True)
class Path:
    """Where an answer leads from its question: names passed, and whether it ends in data."""

    names: tuple[Name, ...]
    ends_in_data: bool
    is_loop: bool = False
    is_too_long: bool = False


def complaint(answer: Answer, truth: Truth) -> str:
    """What is wrong with an answer that was not refused; empty where nothing is."""
    status = answer.verdict.status
    if status.is_failure:
        return ""
    if status is Status.INDETERMINATE:
        return "indeterminate, though an anchor is there"
    rdtype = answer.question.rdtype
    path = path_of(answer)
    insecure = [name for name in path.names if truth.may_be_insecure(name, rdtype)]
    if status is Status.INSECURE and not insecure:
        return "insecure, though the way leads through secure zones only"
    for checked in (*answer.answer, *answer.authority):
        rrset = checked.rrset
        if checked.status is not Status.SECURE and truth.may_be_insecure(rrset.name, rrset.rdtype):
            continue
        if rrset.rdtype != rdtypes.NSEC3 and not truth.holds(rrset):
            return f"passes on what is not so: {checked.status.word} {_brief(rrset)}"
    if path.ends_in_data or path.is_loop:
        if answer.rcode != rcodes.NOERROR and path.names[-1] not in insecure:
            return f"has data, and says {rcodes.to_text(answer.rcode)}"
        return ""
    if path.names[-1] in insecure and status is Status.INSECURE:
        return ""
    return _denial_complaint(answer, path, truth)


def _denial_complaint(answer: Answer, path: Path, truth: Truth) -> str:
    name, rdtype = path.names[-1], answer.question.rdtype
    match answer.rcode:
        case rcodes.NXDOMAIN:
            return "" if truth.denies_name(name) else f"denies {names.to_text(name)} wrongly"
        case rcodes.NOERROR:
            if truth.denies_type(name, rdtype):
                return ""
            return f"denies a type at {names.to_text(name)} wrongly"
        case rcodes.YXDOMAIN if path.is_too_long:
            return ""
    return f"ends with {rcodes.to_text(answer.rcode)} at {names.to_text(name)}"


def path_of(answer: Answer) -> Path:
    """The way from name to name that the answer section tells."""
    sets = {(c.rrset.name, c.rrset.rdtype): c.rrset for c in answer.answer}
    name, rdtype = answer.question
    passed: list[Name] = []
    while name not in passed:
        passed.append(name)
        is_redirected = any(
            rrset.rdtype == rdtypes.DNAME and names.is_below(name, rrset.name)
            for rrset in sets.values()
        )
        is_any = rdtype == rdtypes.ANY and not is_redirected and _at(sets.values(), name)
        if (name, rdtype) in sets or is_any:
            return Path(tuple(passed), ends_in_data=True)
        cname = sets.get((name, rdtypes.CNAME))
        if cname is None:
            return Path(tuple(passed), ends_in_data=False, is_too_long=is_redirected)
        name = read_target(cname.rdatas[0]).lower()
    return Path(tuple(passed), ends_in_data=False, is_loop=True)


def _at(rrsets: Iterable[RRset], name: Name) -> bool:
    return any(rrset.name == name for rrset in rrsets)


def _brief(rrset: RRset) -> str:
    return f"{names.to_text(rrset.name)} {rdtypes.to_text(rrset.rdtype)} {rrset.rdatas}"
