"""What an adversary without keys can do to a response: splice it from what was genuinely signed.

A `Move` is one change, chosen by two numbers, so that Hypothesis can draw, shrink and print a whole
attack. The pool that moves draw from is everything that was signed in any era, taken by how near it
is to the name in question: random records prove nothing, those of the neighbours nearly do.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

from anchord.model import names, rcodes, rdtypes
from anchord.model.ede import Ede, EdeCode
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.response import Response, RRset, Unanswered

from .eras import ASKED_TYPES, eras, interesting_names, zone_names

FORGED = {
    rdtypes.A: b"\xcb\0\x71\x06",
    rdtypes.TXT: b"\x06forged",
    rdtypes.MX: b"\0\x01\x04evil\0",
    rdtypes.DS: bytes((18, 103, 13, 2)) + bytes(32),
    rdtypes.DNSKEY: bytes((1, 1, 3, 13)) + bytes(64),
}
"""RDATA that nobody has signed, by type; other types get a name."""
EVIL = names.from_text("evil.")


@dataclass(frozen=True, slots=True)
class Move:
    """One change; the numbers choose among what it may be applied to."""

    kind: str
    which: int
    other: int

    def __call__(self, response: Response) -> Response:
        """The response, changed."""
        return MOVES[self.kind](response, self.which, self.other)


@dataclass(frozen=True, slots=True)
class Reply:
    """How a question is answered: by the truth of an era, with moves made upon it.

    An era beyond the last stands for silence.
    """

    era: int = 0
    moves: tuple[Move, ...] = ()

    def __call__(self, question: Question) -> Response | Unanswered:
        """The response to the question."""
        response = honest(question, self.era)
        if isinstance(response, Unanswered):
            if not self.moves:
                return response
            response = Response(question, rcodes.NOERROR)
        for move in self.moves:
            response = move(response)
        return response


@cache
def honest(question: Question, era: int) -> Response | Unanswered:
    """What the world of that era answers."""
    if era >= len(eras()):
        return Unanswered(question, (Ede(EdeCode.NETWORK_ERROR, "silence"),))
    return eras()[era].world.answer(question)


# ------------ The pool ------------


@cache
def signed_sets() -> tuple[RRset, ...]:
    """Everything that was ever signed."""
    found = (rrset for era in eras() for zone in era.world.zones() for rrset in zone.rrsets())
    return tuple(dict.fromkeys(rrset for rrset in found if rrset.signatures))


@cache
def sets_at(name: Name) -> tuple[RRset, ...]:
    """What was signed at a name or stands for it: by wildcards, above it, and below it."""
    return tuple(
        rrset
        for rrset in signed_sets()
        if names.is_at_or_below(rrset.name, name)
        or names.is_at_or_below(name, names.parent(rrset.name))
    )


@cache
def wildcards_over(name: Name) -> tuple[RRset, ...]:
    """Sets of wildcards, NSEC among them, whose signatures hold at that name as well."""
    return tuple(
        rrset
        for rrset in signed_sets()
        if names.is_wildcard(rrset.name) and names.is_below(name, names.parent(rrset.name))
    )


@cache
def neighbours(name: Name) -> tuple[Name, ...]:
    """The names that matter to a denial: the name, those above, their wildcards, the zones near."""
    found: dict[Name, None] = {}
    for above in names.ancestors(name):
        found[above] = None
        if len(above) < names.MAX_NAME - 2:
            found[names.wildcard_of(above)] = None
    for zone in zone_names():
        if names.is_below(zone, names.parent(name)):
            found[zone] = None
    return tuple(found)


@cache
def denials_near(name: Name) -> tuple[RRset, ...]:
    """NSEC and NSEC3 that match or cover the name or its neighbours, of every zone around it."""
    found: dict[RRset, None] = {}
    for era in eras():
        for zone in era.world.zones():
            if not (names.is_at_or_below(name, zone.apex) or names.is_below(zone.apex, name)):
                continue
            for near in neighbours(name):
                for denial in (zone.chain.matching(near), zone.chain.covering(near)):
                    if denial is not None:
                        found[denial] = None
    return tuple(found)


@cache
def questions_near(name: Name) -> tuple[Question, ...]:
    """Questions whose honest answers may be passed off as answers about this name."""
    found = dict.fromkeys(
        other
        for other in interesting_names()
        if names.is_at_or_below(other, names.parent(name)) or names.is_at_or_below(name, other)
    )
    return tuple(Question(other, rdtype) for other in found for rdtype in ASKED_TYPES[:3])


# ------------ The moves ------------


def _pick_denials(response: Response, which: int, other: int) -> tuple[RRset, ...]:
    pool = denials_near(response.question.name)
    picked = [pool[which % len(pool)], pool[other % len(pool)]] if pool else []
    return tuple(dict.fromkeys(picked))


def deny_by_neighbours(response: Response, which: int, other: int) -> Response:
    """Nothing is there, by two denials of the neighbourhood."""
    rcode = (rcodes.NOERROR, rcodes.NXDOMAIN)[(which ^ other) & 1]
    denials = _pick_denials(response, which, other)
    return replace(response, rcode=rcode, answer=(), authority=denials)


def deny_as_another(response: Response, which: int, other: int) -> Response:
    """Nothing is there, by what honestly denied another question."""
    borrowed = _borrowed(response, which, other)
    rcode = (rcodes.NOERROR, rcodes.NXDOMAIN, borrowed.rcode)[(which ^ other) % 3]
    return replace(response, rcode=rcode, answer=(), authority=borrowed.authority)


def answer_as_another(response: Response, which: int, other: int) -> Response:
    """What honestly answered another question."""
    return replace(_borrowed(response, which, other), question=response.question)


def _borrowed(response: Response, which: int, other: int) -> Response:
    pool = questions_near(response.question.name) or (response.question,)
    said = honest(pool[which % len(pool)], other % len(eras()))
    return said if isinstance(said, Response) else response


def add_denials(response: Response, which: int, other: int) -> Response:
    """Denials of the neighbourhood beside what is there."""
    denials = _pick_denials(response, which, other)
    return replace(response, authority=(*denials, *response.authority))


def add_borrowed_denials(response: Response, which: int, other: int) -> Response:
    """Another answer's authority section beside what is there."""
    borrowed = _borrowed(response, which, other)
    return replace(response, authority=(*response.authority, *borrowed.authority))


def drop_a_set(response: Response, which: int, _: int) -> Response:
    """One set of either section goes."""
    return _changed(response, which, lambda _: None)


def strip(response: Response, which: int, other: int) -> Response:
    """One set, or every one, loses its signatures."""
    if other & 1:
        return _changed(response, which, _stripped)
    return replace(
        response,
        answer=tuple(map(_stripped, response.answer)),
        authority=tuple(map(_stripped, response.authority)),
    )


def _stripped(rrset: RRset) -> RRset:
    return replace(rrset, signatures=(), signature_ttl=0)


def forge(response: Response, which: int, other: int) -> Response:
    """Data that nobody signed in the answer; with old signatures or without any."""
    name, rdtype = response.question
    if rdtype not in FORGED or which % 4 == 1:
        rdtype = (rdtypes.CNAME, rdtypes.DNAME, rdtypes.NS)[other % 3]
        if rdtype == rdtypes.DNAME:
            name = names.parent(name)
    signatures = next((r.signatures for r in response.answer if which & 1), ())
    target = interesting_names()[other % len(interesting_names())] if other & 8 else EVIL
    rdata = FORGED.get(rdtype, target)
    forged = RRset(name, rdtype, 300, (rdata,), signatures, 300)
    rest = () if which & 2 else response.answer
    return replace(response, rcode=rcodes.NOERROR, answer=(forged, *_others(rest, forged)))


def forge_authority(response: Response, which: int, other: int) -> Response:
    """An SOA that nobody signed, of the name or one above it, before what is there."""
    above = list(names.ancestors(response.question.name))
    rdata = EVIL + EVIL + bytes(20)
    forged = RRset(above[which % len(above)], rdtypes.SOA, 604800, (rdata,))
    rest = _others(response.authority, forged) if other & 1 else response.authority
    return replace(response, authority=(forged, *rest))


def answer_from_pool(response: Response, which: int, other: int) -> Response:
    """A set that was signed elsewhere, given the question's name or its own."""
    name = response.question.name
    pool = wildcards_over(name) if other & 1 else ()
    pool = pool or sets_at(name) or signed_sets()
    found = pool[which % len(pool)]
    if other & 6:
        found = replace(found, name=name, owner=b"")
    rest = response.answer if other & 8 else ()
    return replace(response, rcode=rcodes.NOERROR, answer=(found, *_others(rest, found)))


def deny_from_wildcard(response: Response, which: int, other: int) -> Response:
    """A denial at a wildcard, expanded to the question's name or one above it."""
    name = response.question.name
    pool = [r for r in wildcards_over(name) if r.rdtype in (rdtypes.NSEC, rdtypes.NSEC3)]
    if not pool:
        return deny_by_neighbours(response, which, other)
    found = pool[which % len(pool)]
    owners = names.names_between(names.parent(found.name), name)
    expanded = replace(found, name=owners[other % len(owners)], owner=b"")
    authority = (expanded, *_others(response.authority, expanded))
    return replace(response, answer=(), authority=authority)


def deny_from_pool(response: Response, which: int, _: int) -> Response:
    """Any denial at all."""
    pool = [r for r in signed_sets() if r.rdtype in (rdtypes.NSEC, rdtypes.NSEC3)]
    found = pool[which % len(pool)]
    return replace(response, answer=(), authority=(found, *_others(response.authority, found)))


def move_signatures(response: Response, which: int, other: int) -> Response:
    """One set gets another's signatures in place of its own, or beside them."""
    name = response.question.name
    pool = sets_at(name) or signed_sets()
    donor = pool[other % len(pool)]

    def change(rrset: RRset) -> RRset:
        own = rrset.signatures if other & 1 else ()
        return replace(rrset, signatures=(*donor.signatures, *own), signature_ttl=rrset.ttl)

    return _changed(response, which, change)


def alter_signature(response: Response, which: int, other: int) -> Response:
    """An octet of a signature's head: type covered, algorithm, labels, TTL, times, tag."""

    def change(rrset: RRset) -> RRset:
        return replace(rrset, signatures=tuple(map(alter, rrset.signatures)))

    def alter(signature: bytes) -> bytes:
        at = other % 18  # octets before the signer's name
        altered = (signature[at] + 1 + (other >> 5) % 255) % 256
        return signature[:at] + bytes((altered,)) + signature[at + 1 :]

    return _changed(response, which, change)


def rename(response: Response, which: int, other: int) -> Response:
    """A set moves to another owner."""
    pool = neighbours(response.question.name)
    owner = pool[other % len(pool)]
    return _changed(response, which, lambda rrset: replace(rrset, name=owner, owner=b""))


def set_rcode(response: Response, which: int, _: int) -> Response:
    """Another code: nothing signs it."""
    codes = (rcodes.NOERROR, rcodes.NXDOMAIN, rcodes.YXDOMAIN)
    return replace(response, rcode=codes[which % len(codes)])


def raise_ttl(response: Response, which: int, _: int) -> Response:
    """A TTL of a week."""
    return _changed(response, which, lambda r: replace(r, ttl=604800, signature_ttl=604800))


def reverse(response: Response, which: int, _: int) -> Response:
    """The order of sets turned around, with one of them said twice."""
    doubled = response.answer[: which % 2]
    return replace(
        response,
        answer=(*reversed(response.answer), *doubled),
        authority=tuple(reversed(response.authority)),
    )


def swap_sections(response: Response, _: int, __: int) -> Response:
    """Answer and authority change places."""
    return replace(response, answer=response.authority, authority=response.answer)


def _others(rrsets: tuple[RRset, ...], rrset: RRset) -> tuple[RRset, ...]:
    """A message that is read has one set of a name and type in each section."""
    return tuple(r for r in rrsets if (r.name, r.rdtype) != (rrset.name, rrset.rdtype))


def _changed(response: Response, which: int, change: Callable[[RRset], RRset | None]) -> Response:
    """The response with one of its sets changed, or taken out."""
    sets = [*response.answer, *response.authority]
    if not sets:
        return response
    at = which % len(sets)
    changed = change(sets[at])
    replaced = [*sets[:at], *([] if changed is None else [changed]), *sets[at + 1 :]]
    border = len(response.answer) - (changed is None and at < len(response.answer))
    return replace(response, answer=tuple(replaced[:border]), authority=tuple(replaced[border:]))


MOVES: dict[str, Callable[[Response, int, int], Response]] = {
    move.__name__: move
    for move in (
        set_rcode,
        drop_a_set,
        strip,
        forge,
        forge_authority,
        deny_by_neighbours,
        deny_as_another,
        deny_from_wildcard,
        deny_from_pool,
        add_denials,
        add_borrowed_denials,
        answer_as_another,
        answer_from_pool,
        move_signatures,
        alter_signature,
        rename,
        raise_ttl,
        reverse,
        swap_sections,
    )
}
"""The simplest first: Hypothesis shrinks towards it."""
