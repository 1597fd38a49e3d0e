"""What NSEC records prove (RFC 4035 section 5.4, RFC 6840 section 4, RFC 9824)."""

from anchord.model import names, rdtypes
from anchord.model.names import Name

from .denial import (
    Denial,
    Denied,
    Evidence,
    NsecRecord,
    denies_type,
    knows_nothing_below,
    no_ds,
)


def name_error(evidence: Evidence, name: Name) -> Denial | None:
    """That the name does not exist, nor a wildcard that would stand for it."""
    exact = _at(evidence, name)
    if exact:
        return _compact_denial(exact)
    cover = _covering(evidence, name)
    if cover is None or _is_empty_non_terminal(cover, name):
        return None
    wildcard = names.wildcard_of(_closest_encloser(cover, name))
    wildcard_cover = _covering(evidence, wildcard)
    if wildcard_cover is None or _is_empty_non_terminal(wildcard_cover, wildcard):
        return None
    return _denial(Denied.NAME, cover, wildcard_cover)


def no_data(evidence: Evidence, name: Name, rdtype: int) -> Denial | None:
    """That there is no such type at the name, or at the wildcard that stands for it."""
    exact = _at(evidence, name)
    if exact:
        if compact := _compact_denial(exact):
            return compact
        return _denial(Denied.DATA, exact) if denies_type(exact.nsec.types, rdtype, name) else None
    cover = _covering(evidence, name)
    if cover is None:
        return None
    if _is_empty_non_terminal(cover, name):
        return _denial(Denied.DATA, cover)
    wildcard = names.wildcard_of(_closest_encloser(cover, name))
    if at_wildcard := _at(evidence, wildcard):
        if denies_type(at_wildcard.nsec.types, rdtype, wildcard):
            return _denial(Denied.DATA, cover, at_wildcard)
        return None
    wildcard_cover = _covering(evidence, wildcard)
    if wildcard_cover and _is_empty_non_terminal(wildcard_cover, wildcard):
        return _denial(Denied.DATA, cover, wildcard_cover)
    return None


def no_closer_match(evidence: Evidence, name: Name, closest_encloser: Name) -> Denial | None:
    """That `name` was rightly answered from `*.closest_encloser`: nothing stands closer to it."""
    cover = _covering(evidence, name)
    if cover is None or _closest_encloser(cover, name) != closest_encloser:
        return None  # an empty non-terminal encloses itself
    return _denial(Denied.CLOSER_MATCH, cover)


def no_secure_delegation(evidence: Evidence, name: Name) -> Denial | None:
    """That no DS record is at `name`, which lies below the zone's apex, and what that means.

    A zone cut needs an NS bit; a name that does not exist is none, nor is anything below it.
    """
    exact = _at(evidence, name)
    if exact:
        return no_ds(exact.nsec.types, exact.rrset)
    cover = _covering(evidence, name)
    if cover is None:
        return None
    if _is_empty_non_terminal(cover, name):
        return _denial(Denied.DELEGATION, cover)
    return _denial(Denied.NAME, cover)


def insecure_cut(evidence: Evidence, name: Name) -> Denial | None:
    """That an insecure delegation is at `name` itself."""
    exact = _at(evidence, name)
    denial = exact and no_ds(exact.nsec.types, exact.rrset)
    return denial if denial and denial.denied is Denied.DS else None


# ------------ Helpers ------------


def _denial(denied: Denied, *used: NsecRecord) -> Denial:
    return Denial(denied, tuple(dict.fromkeys(record.rrset for record in used)))


def _compact_denial(exact: NsecRecord) -> Denial | None:
    if rdtypes.NXNAME in exact.nsec.types:
        return _denial(Denied.COMPACTLY, exact)
    return None


def _at(evidence: Evidence, name: Name) -> NsecRecord | None:
    return next((record for record in evidence.nsecs if record.owner == name), None)


def _covering(evidence: Evidence, name: Name) -> NsecRecord | None:
    """A record whose span holds the name, and whose owner may speak of it."""
    for record in evidence.nsecs:
        if _covers(record, name, evidence.zone) and not (
            names.is_below(name, record.owner) and knows_nothing_below(record.nsec.types)
        ):
            return record
    return None


def _covers(record: NsecRecord, name: Name, zone: Name) -> bool:
    owner = names.canonical_key(record.owner)
    next_name = names.canonical_key(record.nsec.next_name)
    key = names.canonical_key(name)
    if owner < next_name:
        return owner < key < next_name
    return record.nsec.next_name == zone and owner < key  # the last of the zone


def _is_empty_non_terminal(cover: NsecRecord, name: Name) -> bool:
    """The span ends below the name: it exists, but owns nothing (RFC 4592 section 2.2.2)."""
    return names.is_below(cover.nsec.next_name, name)


def _closest_encloser(cover: NsecRecord, name: Name) -> Name:
    """The deepest existing ancestor of a name that a span denies, as its two ends show it."""
    one = names.common_ancestor(name, cover.owner)
    other = names.common_ancestor(name, cover.nsec.next_name)
    return max(one, other, key=len)
