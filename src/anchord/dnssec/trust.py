"""Finding the zone that holds a name, and proving it: from an anchor down, cut by cut.

Zone cuts are found by DS records alone (RFC 4035 section 5.2). From the deepest zone that is known
already, the DS RRsets of all names down to the one wanted are asked for in one flight, and judged
from the top, each by the keys of the zone proven last:

- a DS RRset: a secure cut. The zone's key set is proven by it, and the walk goes on from there;
- a proof that there is none, with the NS bit or an opt-out: an insecure cut, the end: everything
  below is insecure. This is the only way to that verdict;
- a proof that there is none, without the NS bit: no cut; go on;
- a proof that the name does not exist: there is no cut there or below;
- no answer, or one that proves nothing: it may be passed over only if a deeper DS answer is proven
  by the same zone's keys, for then there was no cut in between. One that goes past a limit is the
  end: whoever sends such things is not worth more work.
"""

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from anchord.model import names, rdtypes
from anchord.model.chain import Link
from anchord.model.ede import EdeCode
from anchord.model.names import ROOT, Name
from anchord.model.question import Question
from anchord.model.response import Response, RRset, Unanswered
from anchord.model.verdict import Flaw, Status
from anchord.wire.rdata import Ds

from . import claims, times
from .anchors import Anchor
from .asking import Asking, AskZone, Context, Work, ZoneTrust, ask
from .denial import Denied
from .keys import (
    cleared_flags,
    entry_keys,
    read_ds_set,
    read_key_set,
    unsupported_flaw,
    unsupported_size_flaw,
    usable_ds,
)
from .limits import Budget
from .proofs import Proof, prove
from .rrsig import Signed, is_limit, limit_flaw, verify_rrset

EAGER_LABELS = 4
"""Names between a known zone and a signer up to which DNSKEY is asked for along with DS."""

LONGEST = 86400
"""Seconds for which a zone's proof is kept at most."""


def find_zone(request: AskZone, context: Context, now: int) -> Asking[ZoneTrust]:
    """The deepest zone at or above a name, proven as far as it can be, as of `now`.

    Every zone proven on the way is put into the context's memory.
    """
    name = request.name
    if exempt := exemption(name, context, now):
        return exempt
    anchor = context.anchors.closest(name)
    if anchor is None:
        return _no_anchor(name)
    known = context.zones.closest(name)
    if known is None or not names.is_at_or_below(known.zone, anchor.zone):
        soon = _flight(anchor.zone, names.names_between(anchor.zone, name), request.is_signer)
        known = yield from _enter_anchor(anchor, soon, _step(request, context, now))
    if known.status is not Status.SECURE:
        return known
    return (yield from _descend(known, request, context, now))


def _step(request: AskZone, context: Context, now: int) -> Work:
    """The work at one name: on a budget of its own, since the proof is shared between queries."""
    return Work(context, Budget(context.limits, payer=request.budget), now)


def _descend(trust: ZoneTrust, request: AskZone, context: Context, now: int) -> Asking[ZoneTrust]:
    """The walk down from a secure zone."""
    passed_over: list[Skipped] = []
    unprovable: ZoneTrust | None = None
    between = names.names_between(trust.zone, request.name)
    soon = _flight(trust.zone, between, request.is_signer)
    for candidate in between:
        response = yield from ask(Question(candidate, rdtypes.DS), soon)
        work = _step(request, context, now)
        found = yield from _judge_ds(candidate, response, trust, work)
        match found:
            case Skipped():
                passed_over.append(found)
                if found.over_limit:
                    break
                continue
            case Signed():
                trust = yield from _enter(found, trust, work)
                if trust.status is not Status.SECURE:
                    return trust
            case Proof(denied=Denied.NOTHING):
                unprovable = unprovable or insecure_below(candidate, found, trust)
                continue
            case Proof(denied=Denied.DS):
                trust = insecure_below(candidate, found, trust)
                _remember(trust, context)
                return trust
            case Proof(denied=Denied.NAME):
                return trust
            case _:
                assert found.denied is Denied.DELEGATION  # no cut: go on
        passed_over.clear()
        unprovable = None
    if unprovable:
        return unprovable
    return _unproven(trust, passed_over) if passed_over else trust


def _flight(zone: Name, between: list[Name], is_signer: bool) -> tuple[Question, ...]:
    """The chain questions that a walk will need, as far as can be told before it begins."""
    with_keys: Iterable[Name] = ()
    if is_signer:
        with_keys = between if len(between) <= EAGER_LABELS else (between[0], between[-1])
    elif zone == ROOT:
        with_keys = between[:1]
    return (
        *(Question(name, rdtypes.DS) for name in between),
        *(Question(name, rdtypes.DNSKEY) for name in with_keys),
    )


# ------------ Is there a cut? ------------


STEP, SETS = 8, 8
"""What a step of the walk costs, in records that are looked at; and RRsets that it takes as much to
look through as to look at one."""


class Skipped(msgspec.Struct, frozen=True):
    """A DS answer that proved nothing, and why."""

    flaws: tuple[Flaw, ...]
    is_unanswered: bool
    over_limit: bool = False


def _judge_ds(
    name: Name,
    response: Response | Unanswered,
    trust: ZoneTrust,
    work: Work,
) -> Asking[Signed | Proof | Skipped]:
    """What a DS answer shows about a cut at `name`, by the keys of the zone above it."""
    if isinstance(response, Unanswered):
        return unanswered(response)
    if not work.budget.spend_effort(STEP + len(response.answer) // SETS):
        return Skipped((limit_flaw(work.budget.exhausted, name),), False, over_limit=True)
    ds = find(response.answer, name, rdtypes.DS)
    flaw: Flaw | None = None
    if ds:
        checked = yield from verify_rrset(ds, trust.zone, trust.keys, work)
        if isinstance(checked, Flaw):
            flaw = checked
        elif checked.wildcard is None:
            return checked
    cname = find(response.answer, name, rdtypes.CNAME)
    if cname:
        checked = yield from verify_rrset(cname, trust.zone, trust.keys, work)
        if isinstance(checked, Signed):
            return Proof(Denied.DELEGATION, (checked.rrset,))  # an alias is no cut
    found = yield from prove(claims.no_secure_delegation(name, work), response, trust, work)
    if isinstance(found, Proof):
        return found
    flaw = flaw or found
    return Skipped((flaw,), is_unanswered=False, over_limit=is_limit(flaw))


# ------------ Into a zone ------------


def _enter_anchor(anchor: Anchor, soon: tuple[Question, ...], work: Work) -> Asking[ZoneTrust]:
    """The zone of a trust anchor, proven by the anchor itself."""
    link = Link(anchor.zone, Status.SECURE, anchored=True)
    above = ZoneTrust(anchor.zone, Status.SECURE, expires_in=LONGEST)
    trust = yield from _prove_key_set(link, list(anchor.ds), above, soon, work)
    _remember(trust, work.context)
    return trust


def _enter(ds: Signed, parent: ZoneTrust, work: Work) -> Asking[ZoneTrust]:
    """The zone below a secure cut, proven by the DS RRset that its parent has signed."""
    link = Link(ds.rrset.name, Status.SECURE, ds=ds.rrset)
    if len(ds.rrset.rdatas) > work.limits.records_per_set:
        return _over_limit(link, parent, "too many DS records")
    above = replace(
        parent,
        expires_in=ds.rrset.ttl,
        valid_until=min(parent.valid_until, times.unwrapped(ds.rrsig.expiration, work.now)),
    )
    trust = yield from _prove_key_set(link, read_ds_set(ds.rrset), above, (), work)
    _remember(trust, work.context)
    return trust


def _prove_key_set(
    link: Link,
    ds_set: list[Ds],
    above: ZoneTrust,
    soon: tuple[Question, ...],
    work: Work,
) -> Asking[ZoneTrust]:
    """The zone of `link`, whose key set must be signed by a key that the DS set authenticates."""
    zone = link.zone
    if not work.budget.spend_effort(len(ds_set)):
        return _over_limit(link, above, work.budget.exhausted)
    usable = usable_ds(ds_set, work.context.supported)
    if not usable:
        return _ended(
            link, above, Status.INSECURE, unsupported_flaw(zone, ds_set, work.context.supported)
        )
    response = yield from ask(Question(zone, rdtypes.DNSKEY), soon)
    if isinstance(response, Unanswered):
        skipped = unanswered(response)
        return _ended(
            link, above, Status.UNOBTAINABLE, *skipped.flaws, over_limit=skipped.over_limit
        )
    rrset = find(response.answer, zone, rdtypes.DNSKEY)
    if rrset and len(rrset.rdatas) > work.limits.records_per_set:
        return _over_limit(link, above, "too many keys")
    if rrset and not work.budget.spend_effort(len(rrset.rdatas)):
        return _over_limit(link, above, work.budget.exhausted)
    link = replace(link, dnskey=rrset)
    key_set = read_key_set(rrset) if rrset else []
    entry = entry_keys(zone, key_set, usable, work.limits)
    if isinstance(entry, Flaw):
        return _ended(link, above, Status.BOGUS, entry)
    assert rrset is not None  # an entry key came out of it
    link = replace(link, key_tags=tuple(key.key_tag for key in entry.keys))
    if entry.unsupported:
        return _ended(link, above, Status.INSECURE, unsupported_size_flaw(zone, entry.keys))
    checked = yield from verify_rrset(rrset, zone, entry.keys, work)
    if isinstance(checked, Flaw):
        flaws = (*cleared_flags(zone, key_set, checked), checked)
        return _ended(link, above, Status.BOGUS, *flaws, over_limit=is_limit(checked))
    return ZoneTrust(
        zone,
        Status.SECURE,
        keys=tuple(key_set),
        chain=(*above.chain, link),
        expires_in=min(above.expires_in, checked.rrset.ttl, LONGEST),
        valid_until=min(above.valid_until, times.unwrapped(checked.rrsig.expiration, work.now)),
    )


def _remember(trust: ZoneTrust, context: Context) -> None:
    """Keep what was proven; failures are kept with the questions that met them, and briefly."""
    if trust.status in (Status.SECURE, Status.INSECURE):
        context.zones.put(trust)


# ------------ Where the walk ends ------------


def _ended(
    link: Link, above: ZoneTrust, status: Status, *flaws: Flaw, over_limit: bool = False
) -> ZoneTrust:
    """A zone that could not be proven secure."""
    return ZoneTrust(
        link.zone,
        status,
        flaws=flaws,
        chain=(*above.chain, replace(link, status=status, flaws=flaws)),
        expires_in=min(above.expires_in, LONGEST),
        valid_until=above.valid_until,
        over_limit=over_limit,
    )


def _over_limit(link: Link, above: ZoneTrust, limit: str) -> ZoneTrust:
    """A zone of which there is too much to look at."""
    flaw = limit_flaw(limit, link.zone)
    return _ended(link, above, Status.BOGUS, flaw, over_limit=True)


def insecure_below(name: Name, denial: Proof, trust: ZoneTrust) -> ZoneTrust:
    """The zone below a cut that is proven to have no DS record."""
    above = replace(
        trust,
        expires_in=min(rrset.ttl for rrset in denial.records),
        valid_until=min(trust.valid_until, denial.valid_until),
    )
    link = Link(name, Status.INSECURE, denial=denial.records)
    return _ended(link, above, Status.INSECURE, *denial.flaws)


def _unproven(trust: ZoneTrust, passed_over: list[Skipped]) -> ZoneTrust:
    """The walk came to its end with DS answers that nothing below has made up for.

    The topmost tells: below a cut that could not be seen, nothing can contradict.
    """
    chosen = passed_over[0]
    return replace(
        trust,
        status=Status.UNOBTAINABLE if chosen.is_unanswered else Status.BOGUS,
        keys=(),
        flaws=chosen.flaws,
        over_limit=any(skipped.over_limit for skipped in passed_over),
    )


def _no_anchor(name: Name) -> ZoneTrust:
    text = f"no trust anchor is configured at or above {names.to_text(name)}"
    flaw = Flaw(EdeCode.DNSSEC_INDETERMINATE, text, name)
    return ZoneTrust(name, Status.INDETERMINATE, flaws=(flaw,))


def exemption(name: Name, context: Context, now: int) -> ZoneTrust | None:
    """The trust of a name that is not to be checked (RFC 7646), and None of every other."""
    negative = context.anchors.negative(name, now)
    if negative is None:
        return None
    zone = negative.name
    flaws: tuple[Flaw, ...] = ()
    if not negative.is_policy:
        end = times.to_text(negative.until, now)
        text = f"{names.to_text(zone)} is not checked: a negative trust anchor says so until {end}"
        flaws = (Flaw(EdeCode.NEGATIVE_TRUST_ANCHOR, text, zone),)
    link = Link(zone, Status.INSECURE, flaws=flaws)
    return ZoneTrust(zone, Status.INSECURE, flaws=flaws, chain=(link,), valid_until=negative.until)


def unanswered(reply: Unanswered) -> Skipped:
    """A chain question that nobody answered: what is behind it cannot be judged."""
    if reply.over_limit:
        limit = "too many upstream queries for one question, or records in the replies"
        flaw = limit_flaw(limit, reply.question.name)
        return Skipped((flaw,), is_unanswered=True, over_limit=True)
    causes = [ede for ede in reply.edes if ede.code in _CAUSES]
    flaws = [Flaw(EdeCode(ede.code), ede.text, reply.question.name) for ede in causes]
    text = f"{reply.question} could not be had, so that nothing can be said about what lies there"
    flaws.insert(1, Flaw(EdeCode.DNSSEC_INDETERMINATE, text, reply.question.name))
    return Skipped(tuple(flaws), is_unanswered=True)


_CAUSES = (
    EdeCode.NETWORK_ERROR,
    EdeCode.NO_REACHABLE_AUTHORITY,
    EdeCode.INVALID_DATA,
)


def find(rrsets: Iterable[RRset], name: Name, rdtype: int) -> RRset | None:
    """The RRset of this name and type."""
    return next((r for r in rrsets if r.name == name and r.rdtype == rdtype), None)
