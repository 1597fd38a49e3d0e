"""The denials that are remembered: proven NSEC and NSEC3 records, for names that nobody asked for.

One record denies every name in its span (RFC 8198). So they are kept apart from the answers that
they came with, zone by zone, and found by where a name stands in its zone (`spans`). Nothing is
concluded here: `about` gives the records that may prove something of a name, with what is left of
their TTLs, and the engine judges them as it judges a response.

What has been seen to be otherwise is forgotten: a zone that turns to NSEC3, or to other parameters,
loses what it had, and a name that exists ends the span that denies it. The store is bounded in
octets, the least recently used out first. Pure: `now` are seconds of a monotonic clock.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeAlias

import msgspec
from msgspec.structs import replace

from anchord.dnssec.denial import collect_evidence
from anchord.dnssec.holding import signers_of
from anchord.dnssec.nsec3 import hash_blocks, nsec3_hash
from anchord.model import names, rdtypes
from anchord.model.names import Name
from anchord.model.response import RRset
from anchord.model.steps import at_once
from anchord.model.verdict import Answer, Checked, Status
from anchord.wire.errors import FormError
from anchord.wire.rdata import read_rrsig

from .policy import soa_minimums
from .sizes import largest_entry, octets_of
from .spans import Position, Span, Spans, nsec3_span, nsec_span

LONGEST_USE = 10_800
"""Seconds for which a record denies names that nobody asked for: three hours, whatever its TTL. A
name that is added to a zone is denied no longer than that (RFC 8198 section 5.4)."""

FRAME = 704
"""Octets of a record beside its RRset: its span with the labels or the hash, and its places in two
orders; and of a zone. Measured, since tables grow by leaps."""

Spend: TypeAlias = Callable[[int], bool]
"""Takes so many SHA-1 blocks from somebody's budget; False where there are not as many left."""

Parameters: TypeAlias = tuple[bytes, int] | None
"""Salt and iterations of NSEC3; None for NSEC."""


class Proofs(msgspec.Struct, frozen=True):
    """Records of one zone that may prove something, and its SOA; their TTLs are what is left."""

    denials: tuple[RRset, ...]
    soa: RRset


class ProofCache:
    """Proven denials of at most `capacity` octets in all. `evictions` went to make room."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._largest = largest_entry(capacity)
        self.bytes_used = 0
        self.evictions = 0
        self._zones: dict[Name, _Zone] = {}
        self._kept: OrderedDict[tuple[Name, Position], _Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    # ------------ What may be proven ------------

    def zone_of(self, name: Name) -> Name | None:
        """The deepest zone at or above the name of which there are records."""
        return next((zone for zone in names.ancestors(name) if zone in self._zones), None)

    def about(self, name: Name, zone: Name, now: float, spend: Spend) -> Proofs | None:
        """The records of the zone that may prove something of a name at or below it, if enough.

        That is the record of the name itself; or one that covers it, with what there is about the
        wildcard that could stand for it. `spend` pays for hashing.
        """
        known = self._zones.get(zone)
        if known is None or now >= known.soa_until:
            return None

        def look(candidate: Name) -> _Found | None:
            position = known.position(candidate, spend)
            span = known.spans.at(position) if position else None
            if position is None or span is None:
                return None
            if now >= self._kept[zone, span.begin].expires_at:
                self._remove(zone, span)
                return None
            return _Found(span, is_own=span.begin == position)

        find = _by_nsec if known.parameters is None else _by_nsec3
        denials = []
        for begin in dict.fromkeys(found.span.begin for found in find(name, zone, look)):
            self._kept.move_to_end((zone, begin))
            kept = self._kept[zone, begin]
            denials.append(_with_ttl(kept.span.rrset, int(kept.expires_at - now)))
        soa = _with_ttl(known.soa, int(known.soa_until - now))
        return Proofs(tuple(denials), soa) if denials else None

    # ------------ What was proven ------------

    def learn(self, answer: Answer, now: float) -> None:
        """Takes in what an answer proves that is no failure: what exists, and what does not."""
        zones = {link.zone for link in answer.verdict.chain if link.status is Status.SECURE}
        for link in answer.verdict.chain:
            if zone := self.zone_of(names.parent(link.zone)):
                self._exists(link.zone, zone)
        if known := zones & self._zones.keys():
            for rrset in _secure(answer.answer):
                for zone in known & _owners(rrset):
                    self._exists(rrset.name, zone)
        authority = list(_secure(answer.authority))
        soas = {rrset.name: rrset for rrset in authority if rrset.rdtype == rdtypes.SOA}
        for rrset in authority:
            if rrset.rdtype in (rdtypes.NSEC, rdtypes.NSEC3):
                for zone in zones & signers_of(rrset):
                    self._take(rrset, zone, soas.get(zone), now)

    def flush(self, name: Name | None = None) -> None:
        """Forgets what could deny a name or anything below it, or everything.

        A record of a zone above may speak of the name: so all of those go, too.
        """
        for zone in list(self._zones):
            if name is None or names.is_at_or_below(zone, name) or names.is_at_or_below(name, zone):
                self._forget(zone)

    def _exists(self, name: Name, zone: Name) -> None:
        """A name was seen to exist: no span of its zone denies it any longer."""
        known = self._zones.get(zone)
        position = known.position(name, _unlimited) if known else None
        if known is None or position is None:
            return
        span = known.spans.at(position)
        if span is not None and span.begin != position:
            self._remove(zone, span)

    def _take(self, rrset: RRset, zone: Name, soa: RRset | None, now: float) -> None:
        evidence = at_once(collect_evidence((rrset,), zone))
        for nsec in evidence.nsecs:
            if known := self._zone(zone, None, soa, now):
                self._keep(zone, known, nsec_span(nsec, zone), now)
        for record in evidence.nsec3s:
            if known := self._zone(zone, (record.nsec3.salt, record.nsec3.iterations), soa, now):
                self._keep(zone, known, nsec3_span(record), now)

    def _zone(
        self, zone: Name, parameters: Parameters, soa: RRset | None, now: float
    ) -> "_Zone | None":
        """The zone as it is now, with its latest SOA; None where none has been seen."""
        known = self._zones.get(zone)
        if known is not None and known.parameters != parameters:
            self._forget(zone)
            known = None
        if soa is None:
            return known
        if known is None:
            known = self._zones[zone] = _Zone(parameters, soa)
            self.bytes_used += FRAME
        known.soa, known.soa_until = soa, now + soa.ttl
        known.longest = min(LONGEST_USE, *soa_minimums([soa]))
        return known

    # ------------ Taking in and out ------------

    def _keep(self, zone: Name, known: "_Zone", span: Span, now: float) -> None:
        """Keeps a span for as long as the zone denies anything (RFC 9077 section 3).

        One that is larger than `largest_entry` ends those that it overlaps, and is not kept.
        """
        for ended in known.spans.add(span):
            self._drop(zone, ended)
        expires_at = now + min(span.rrset.ttl, known.longest)
        kept = self._kept[zone, span.begin] = _Kept(span, expires_at)
        self.bytes_used += kept.size
        if kept.size > self._largest:
            self._remove(zone, span)
        while self.bytes_used > self.capacity:
            oldest, begin = next(iter(self._kept))
            self._remove(oldest, self._kept[oldest, begin].span)
            self.evictions += 1

    def _remove(self, zone: Name, span: Span) -> None:
        """Takes a span out, and its zone with the last one."""
        known = self._zones[zone]
        known.spans.remove(span)
        self._drop(zone, span)
        if not known.spans:
            self._forget(zone)

    def _forget(self, zone: Name) -> None:
        for span in self._zones.pop(zone).spans:
            self._drop(zone, span)
        self.bytes_used -= FRAME

    def _drop(self, zone: Name, span: Span) -> None:
        self.bytes_used -= self._kept.pop((zone, span.begin)).size


class _Zone(msgspec.Struct):
    """What is kept of a zone. `longest` are the seconds for which it lets anything be denied."""

    parameters: Parameters
    soa: RRset
    soa_until: float = 0.0
    longest: int = 0
    spans: Spans = msgspec.field(default_factory=Spans)

    def position(self, name: Name, spend: Spend) -> Position | None:
        """Where the name stands; None where that cannot be paid for."""
        if self.parameters is None:
            return names.canonical_key(name)
        salt, iterations = self.parameters
        if not spend(hash_blocks(name, salt, iterations)):
            return None
        return (nsec3_hash(name, salt, iterations),)


class _Kept(msgspec.Struct):
    """A span, and when its time is over."""

    span: Span
    expires_at: float

    @property
    def size(self) -> int:
        """Octets, its places in the orders included."""
        return FRAME + octets_of(self.span.rrset)


# ------------ Which records speak of a name ------------


class _Found(NamedTuple):
    """A span, and whether it is the name's own or else covers it."""

    span: Span
    is_own: bool


_Look: TypeAlias = Callable[[Name], _Found | None]


def _by_nsec(name: Name, zone: Name, look: _Look) -> list[_Found]:
    """The name's own record; or one that covers it, and what there is about its wildcard."""
    found = look(name)
    if found is None:
        return []
    following = found.span.following(zone)
    if found.is_own or names.is_below(following, name):  # that one is an empty non-terminal
        return [found]
    ends = (found.span.rrset.name, following)
    encloser = max((names.common_ancestor(name, end) for end in ends), key=len)
    return _with_wildcard([found], encloser, look)


def _by_nsec3(name: Name, zone: Name, look: _Look) -> list[_Found]:
    """The name's own record; or those that a closest encloser proof needs (RFC 5155 section 8.3).

    They are the closest encloser's own, one that covers the next closer name, and what there is
    about the wildcard.
    """
    next_closer: _Found | None = None
    for candidate in (*reversed(names.names_between(zone, name)), zone):
        found = look(candidate)
        if found is not None and found.is_own:
            if candidate == name:
                return [found]
            return _with_wildcard([found, next_closer], candidate, look) if next_closer else []
        next_closer = found
    return []


def _with_wildcard(found: list[_Found], encloser: Name, look: _Look) -> list[_Found]:
    """The records and what speaks of the wildcard; none at all where nothing does."""
    if len(encloser) + 2 > names.MAX_NAME:
        return []
    wildcard = look(names.wildcard_of(encloser))
    return [*found, wildcard] if wildcard else []


# ------------ Helpers ------------


def _secure(section: Iterable[Checked]) -> Iterator[RRset]:
    return (checked.rrset for checked in section if checked.status is Status.SECURE)


def _owners(rrset: RRset) -> set[Name]:
    """The zones that say that they own this very name: no wildcard was expanded."""
    labels = names.label_count(rrset.name) - names.is_wildcard(rrset.name)
    found = set()
    for rdata in rrset.signatures:
        try:
            rrsig = read_rrsig(rdata)
        except FormError:
            continue
        if rrsig.labels == labels:
            found.add(rrsig.signer)
    return found


def _with_ttl(rrset: RRset, seconds: int) -> RRset:
    ttl, signature_ttl = min(rrset.ttl, seconds), min(rrset.signature_ttl, seconds)
    return replace(rrset, ttl=ttl, signature_ttl=signature_ttl)


def _unlimited(_: int) -> bool:
    return True
