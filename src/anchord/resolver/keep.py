"""What is worth keeping over a restart: answers, and the chains of trust that prove them.

Kept is what upstreams said, not what was made of it: of an answer its records, of a chain the DS,
DNSKEY and denials of its links, as if they had been asked for. A chain stays for as long as an
answer rests on it, at the end with TTLs of 0: it may then prove that answer once more, and no
other. Failures are not kept, nor what has an Extended DNS Error beside its verdict: that was told
of one moment.
"""

import math
from collections.abc import Callable, Iterable, Iterator

import msgspec
from msgspec.structs import replace

from anchord.cache import persist
from anchord.cache.persist import Heard, Kind
from anchord.cache.store import AnswerCache, Entry
from anchord.cache.zones import ZoneCache
from anchord.dnssec.asking import ZoneTrust
from anchord.model import rcodes, rdtypes
from anchord.model.chain import Link
from anchord.model.clock import Clock
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.response import Response, RRset

Wanted = Callable[[Response], bool]
"""Whether what an upstream said may be kept at all."""


def records(
    cache: AnswerCache, zones: ZoneCache[ZoneTrust], is_wanted: Wanted, clock: Clock
) -> Iterator[tuple[bytes, msgspec.Raw]]:
    """The records of a file, by their keys: proofs first, then answers, those last used first.

    It takes its time: what is remembered may change meanwhile.
    """
    now = clock.monotonic()
    began = clock.wall() - math.ceil(now)  # never later than it was: nothing gets younger
    entries = [entry for entry in cache.entries() if _is_kept(entry, now)]
    heard_of = {
        Kind.PROOF: _chains(zones, entries, now, began),
        Kind.ANSWER: _answers(entries, began),
    }
    for kind, several in heard_of.items():
        for heard in several:
            if is_wanted(heard.response) and (record := persist.pack(heard)):
                yield persist.key(kind, heard.response.question), record


def _is_kept(entry: Entry, now: float) -> bool:
    answer = entry.answer
    return (
        now < entry.expires_at
        and not answer.verdict.status.is_failure
        and not answer.edes
        and answer.rcode in (rcodes.NOERROR, rcodes.NXDOMAIN, rcodes.YXDOMAIN)
    )


# ------------ Answers ------------


def _answers(entries: Iterable[Entry], began: int) -> Iterator[Heard]:
    """`began` is when the monotonic clock was 0, in seconds since 1970."""
    for entry in entries:
        answer = entry.answer
        response = Response(
            answer.question,
            answer.rcode,
            tuple(checked.rrset for checked in answer.answer),
            tuple(checked.rrset for checked in answer.authority),
            upstream=answer.upstream,
        )
        yield Heard(response, began + int(entry.stored_at), answer.ttl)


# ------------ Chains ------------


class _Step:
    """A link of chains, and until when it is needed and when its own TTLs end (monotonic)."""

    def __init__(self, link: Link, expires_at: float) -> None:
        self.link = link
        self.expires_at = expires_at
        self.needed_until = expires_at


def _chains(
    zones: ZoneCache[ZoneTrust], entries: Iterable[Entry], now: float, began: int
) -> Iterator[Heard]:
    steps: dict[Name, _Step] = {}
    held = [(trust, expires_at) for trust, expires_at in zones.held() if now < expires_at]
    for trust, expires_at in held:
        steps[trust.zone] = _Step(trust.chain[-1], expires_at)
    users = [(trust.chain, expires_at) for trust, expires_at in held]
    users += [(entry.chain, entry.expires_at) for entry in entries]
    for chain, until in users:
        for link in chain:
            step = steps.setdefault(link.zone, _Step(link, now))
            step.needed_until = max(step.needed_until, until)
    for step in steps.values():
        ttl = int(step.expires_at - now)
        for response in _said(step.link, ttl):
            yield Heard(response, began + int(now), int(step.needed_until - now))


def _said(link: Link, ttl: int) -> Iterator[Response]:
    """What the upstream has said to make this link; nothing where an anchor has made it."""
    zone = link.zone
    if link.ds:
        yield Response(Question(zone, rdtypes.DS), rcodes.NOERROR, (_for(link.ds, ttl),))
    elif link.denial:
        denial = tuple(_for(rrset, ttl) for rrset in link.denial)
        yield Response(Question(zone, rdtypes.DS), rcodes.NOERROR, authority=denial)
    if link.dnskey:
        yield Response(Question(zone, rdtypes.DNSKEY), rcodes.NOERROR, (_for(link.dnskey, ttl),))


def _for(rrset: RRset, seconds: int) -> RRset:
    return replace(rrset, ttl=min(rrset.ttl, seconds))
