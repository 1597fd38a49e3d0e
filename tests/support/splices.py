"""What an adversary without keys can do to a response: splice it from what was genuinely signed.

A `Move` is one change, chosen by an era and two numbers, so that Hypothesis can draw, shrink and
print a whole attack. What moves draw from is everything that was signed, taken by how near it is to
the name in question: random records prove nothing, those of the neighbours nearly do. The strongest
moves give all the evidence of the neighbourhood at once, and leave it to the engine to find a proof
in it where there is none.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

from msgspec.structs import replace

from anchord.lab.keys import ECDSAP256SHA256, Key, derive
from anchord.lab.sign import sign_rrset
from anchord.lab.zones import Window
from anchord.model import names, rcodes, rdtypes
from anchord.model.ede import Ede, EdeCode
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.response import Response, RRset, Unanswered

from .eras import DAY, eras, zone_names
from .lab import NOW

ALL_ERAS = 3
"""Stands for the three eras together, where a move may draw from one of them."""

EVIL = names.from_text("evil.")
FORGED = {
    rdtypes.A: b"\xcb\0\x71\x06",
    rdtypes.TXT: b"\x06forged",
    rdtypes.MX: b"\0\x01" + EVIL,
    rdtypes.DS: bytes((18, 103, 13, 2)) + bytes(32),
    rdtypes.DNSKEY: bytes((1, 1, 3, 13)) + bytes(64),
}
"""RDATA that nobody has signed, by type; other types get a name."""

ALWAYS = Window(NOW - 400 * DAY, NOW + 400 * DAY)
"""When signatures by keys of nobody are valid."""

DENIALS = (rdtypes.NSEC, rdtypes.NSEC3)
NO_TYPE = rdtypes.SSHFP
"""A type that no name of the eras has."""


@dataclass(frozen=True, slots=True)
class Move:
    """One change; era and numbers choose among what it may be made of."""

    kind: str
    era: int = 0
    which: int = 0
    other: int = 0

    def __call__(self, response: Response) -> Response:
        """The response, changed."""
        return MOVES[self.kind](response, self)


@dataclass(frozen=True, slots=True)
class Reply:
    """How a question is answered: by the truth of an era, with moves made upon it.

    `ALL_ERAS` stands for silence here.
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
    if era == ALL_ERAS:
        return Unanswered(question, (Ede(EdeCode.NETWORK_ERROR, "silence"),))
    return eras()[era].world.answer(question)


# ------------ The pool ------------


@cache
def signed_sets(era: int) -> tuple[RRset, ...]:
    """Everything that was signed in an era, the latest first where it is of all."""
    chosen = reversed(eras()) if era == ALL_ERAS else (eras()[era],)
    found = (rrset for one in chosen for zone in one.world.zones() for rrset in zone.rrsets())
    return tuple(dict.fromkeys(rrset for rrset in found if rrset.signatures))


@cache
def neighbours(name: Name) -> tuple[Name, ...]:
    """The names that matter to a denial: the name, those above, and wildcards there."""
    found: dict[Name, None] = {}
    for above in names.ancestors(name):
        found[above] = None
        if len(above) < names.MAX_NAME - 2:
            found[names.wildcard_of(above)] = None
    return tuple(found)


@cache
def denials_near(name: Name, era: int) -> tuple[RRset, ...]:
    """What matches or covers the name or its neighbours, of all zones above, at and below it."""
    found: dict[RRset, None] = {}
    for one in reversed(eras()) if era == ALL_ERAS else (eras()[era],):
        for zone in one.world.zones():
            if names.is_at_or_below(name, zone.apex) or names.is_below(zone.apex, name):
                for near in neighbours(name):
                    for denial in (zone.chain.matching(near), zone.chain.covering(near)):
                        if denial is not None:
                            found[denial] = None
    return tuple(found)


@cache
def denials_of(name: Name) -> frozenset[RRset]:
    """What matches the name itself, in any zone of any era."""
    chains = [zone.chain for era in eras() for zone in era.world.zones()]
    return frozenset(denial for chain in chains if (denial := chain.matching(name)) is not None)


@cache
def wildcards_over(name: Name, era: int) -> tuple[RRset, ...]:
    """Sets of wildcards, NSEC among them, whose signatures hold at that name as well."""
    return tuple(
        rrset
        for rrset in signed_sets(era)
        if names.is_wildcard(rrset.name) and names.is_below(name, names.parent(rrset.name))
    )


@cache
def sets_near(name: Name, era: int) -> tuple[RRset, ...]:
    """What was signed at the name, above it, and beside it; failing that, anything."""
    family = names.parent(name)
    near = (
        rrset
        for rrset in signed_sets(era)
        if names.is_at_or_below(rrset.name, family) or names.is_at_or_below(name, rrset.name)
    )
    return tuple(near) or signed_sets(era)


@cache
def questions_near(name: Name, rdtype: int) -> tuple[Question, ...]:
    """Questions whose honest answers are nearly about this one."""
    relatives = [name, *neighbours(name)]
    for above in (name, names.parent(name), names.parent(names.parent(name))):
        if len(above) < names.MAX_NAME - 3:
            relatives.append(b"\x02nx" + above)
            relatives.append(b"\x03kid" + above)
    return tuple(
        Question(relative, kind)
        for relative in dict.fromkeys(relatives)
        for kind in (NO_TYPE, rdtypes.DS, rdtype)
    )


# ------------ Moves: denials ------------


def deny_by_all(response: Response, move: Move) -> Response:
    """Nothing is there, by every denial of the neighbourhood."""
    return _denied(response, move, denials_near(response.question.name, move.era))


def deny_by_some(response: Response, move: Move) -> Response:
    """Nothing is there, by some denials of the neighbourhood."""
    pool = denials_near(response.question.name, move.era)
    return _denied(response, move, [r for at, r in enumerate(pool) if move.which >> at % 9 & 1])


def deny_by_others(response: Response, move: Move) -> Response:
    """Nothing is there, by every denial of the neighbourhood but those of the name itself."""
    name = response.question.name
    own = denials_of(name)
    return _denied(response, move, [r for r in denials_near(name, move.era) if r not in own])


def deny_by_wildcards(response: Response, move: Move) -> Response:
    """Nothing is there, by denials at wildcards, expanded to the name or one above it."""
    name = response.question.name
    expanded = []
    for denial in wildcards_over(name, move.era):
        if denial.rdtype in DENIALS:
            owners = names.names_between(names.parent(denial.name), name)
            owner = owners[-1] if move.other & 4 else owners[move.which % len(owners)]
            expanded.append(replace(denial, name=owner, owner=b""))
    if move.other & 8:
        expanded = [_fitted(denial, is_first=bool(move.other & 16)) for denial in expanded]
    rest = response.authority if move.other & 2 else ()
    return _denied(response, move, [*expanded, *rest])


def deny_as_another(response: Response, move: Move) -> Response:
    """Nothing is there, by what honestly denied a question nearby."""
    return _denied(response, move, _borrowed(response, move).authority)


def deny_from_anywhere(response: Response, move: Move) -> Response:
    """Nothing is there, by any denial at all, under the name that it needs or its own."""
    pool = [rrset for rrset in signed_sets(move.era) if rrset.rdtype in DENIALS]
    found = pool[move.which % len(pool)]
    if move.other & 2:
        found = replace(found, name=response.question.name, owner=b"")
    return _denied(response, move, [found, *response.authority])


def _denied(response: Response, move: Move, authority: Iterable[RRset]) -> Response:
    rcode = rcodes.NXDOMAIN if move.other & 1 else rcodes.NOERROR
    return replace(response, rcode=rcode, answer=(), authority=_distinct(authority))


def add_denials(response: Response, move: Move) -> Response:
    """Every denial of the neighbourhood, before or behind what is there."""
    more = denials_near(response.question.name, move.era)
    sets = [*more, *response.authority] if move.other & 1 else [*response.authority, *more]
    return replace(response, authority=_distinct(sets))


def _borrowed(response: Response, move: Move) -> Response:
    """The honest response to a question nearby."""
    pool = questions_near(*response.question)
    said = honest(pool[move.which % len(pool)], move.era)
    return said if isinstance(said, Response) else response


# ------------ Moves: data ------------


def expand(response: Response, move: Move) -> Response:
    """A wildcard's data under the name, with the denials of the neighbourhood or the old ones."""
    name, rdtype = response.question
    pool = [
        rrset
        for rrset in wildcards_over(name, move.era)
        if rrset.rdtype in (rdtype, rdtypes.CNAME, rdtypes.NS)
    ] or wildcards_over(name, move.era)
    if not pool:
        return response
    expanded = replace(pool[move.which % len(pool)], name=name, owner=b"")
    authority = (response.authority, denials_near(name, move.era), ())[move.other % 3]
    return replace(response, rcode=rcodes.NOERROR, answer=(expanded,), authority=authority)


def answer_from_pool(response: Response, move: Move) -> Response:
    """A set that was signed nearby, under its own name or the question's."""
    name = response.question.name
    pool = sets_near(name, move.era)
    found = pool[move.which % len(pool)]
    if move.other & 1:
        found = replace(found, name=name, owner=b"")
    rest = response.answer if move.other & 2 else ()
    return replace(response, rcode=rcodes.NOERROR, answer=_distinct([found, *rest]))


def answer_as_another(response: Response, move: Move) -> Response:
    """What honestly answered a question nearby."""
    return replace(_borrowed(response, move), question=response.question)


def forge(response: Response, move: Move) -> Response:
    """Data that nobody signed in the answer; with old signatures or without any."""
    name, rdtype = response.question
    if rdtype not in FORGED or move.which % 4 == 1:
        rdtype = (rdtypes.CNAME, rdtypes.DNAME, rdtypes.NS)[move.other % 3]
        if rdtype == rdtypes.DNAME:
            name = names.parent(name)
    signatures = next((r.signatures for r in response.answer if move.which & 1), ())
    forged = RRset(name, rdtype, 300, (FORGED.get(rdtype, EVIL),), signatures, 300)
    rest = () if move.which & 2 else response.answer
    return replace(response, rcode=rcodes.NOERROR, answer=_distinct([forged, *rest]))


def forge_alias(response: Response, move: Move) -> Response:
    """An alias that nobody signed before an answer that is true of its target."""
    name, rdtype = response.question
    target = questions_near(name, rdtype)[move.which % 12].name
    said = honest(Question(target, rdtype), move.era)
    answer = said.answer if isinstance(said, Response) else ()
    forged = RRset(name, rdtypes.CNAME, 300, (target,))
    return replace(response, rcode=rcodes.NOERROR, answer=_distinct([forged, *answer]))


def forge_soa(response: Response, move: Move) -> Response:
    """An SOA that nobody signed, of the name or one above it, before what is there."""
    above = list(names.ancestors(response.question.name))
    forged = RRset(above[move.which % len(above)], rdtypes.SOA, 604800, (EVIL + EVIL + bytes(20),))
    return replace(response, authority=_distinct([forged, *response.authority]))


# ------------ Moves: keys of nobody ------------


@cache
def stranger(zone: Name) -> Key:
    """A key that the adversary has made for itself."""
    return derive("stranger", zone, ECDSAP256SHA256)


def add_stranger(response: Response, move: Move) -> Response:
    """The key set holds a key of nobody, beside the others or alone, and is signed by it."""
    zone = response.question.name
    key = stranger(zone)

    def change(rrset: RRset) -> RRset:
        if rrset.rdtype != rdtypes.DNSKEY:
            return rrset
        rdatas = (key.rdata,) if move.other & 2 else (*rrset.rdatas, key.rdata)
        changed = replace(rrset, rdatas=rdatas)
        signature = sign_rrset(changed, key, zone, ALWAYS)
        own = () if move.other & 1 else rrset.signatures
        return replace(changed, signatures=(*own, signature), signature_ttl=rrset.ttl)

    return replace(response, answer=tuple(map(change, response.answer)))


def sign_by_stranger(response: Response, move: Move) -> Response:
    """Every set is signed by a key of nobody, in the name of the zone above it or of one higher."""

    def signed(rrset: RRset) -> RRset:
        above = [zone for zone in zone_names() if names.is_at_or_below(rrset.name, zone)]
        zone = above[-1 - (move.which % 4 == 0 and len(above) > 1)]
        signature = sign_rrset(rrset, stranger(zone), zone, ALWAYS)
        return replace(rrset, signatures=(signature,), signature_ttl=rrset.ttl)

    return replace(
        response,
        answer=tuple(map(signed, response.answer)),
        authority=tuple(map(signed, response.authority)),
    )


# ------------ Moves: on what is there ------------


def set_rcode(response: Response, move: Move) -> Response:
    """Another code: nothing signs it."""
    codes = (rcodes.NOERROR, rcodes.NXDOMAIN, rcodes.YXDOMAIN)
    return replace(response, rcode=codes[move.which % len(codes)])


def drop(response: Response, move: Move) -> Response:
    """One set of either section goes."""
    return _changed(response, move, lambda _: None)


def strip(response: Response, move: Move) -> Response:
    """One set loses its signatures."""
    return _changed(response, move, _stripped)


def strip_all(response: Response, _: Move) -> Response:
    """Every set loses its signatures."""
    return replace(
        response,
        answer=tuple(map(_stripped, response.answer)),
        authority=tuple(map(_stripped, response.authority)),
    )


def _stripped(rrset: RRset) -> RRset:
    return replace(rrset, signatures=(), signature_ttl=0)


def move_signatures(response: Response, move: Move) -> Response:
    """One set gets another's signatures in place of its own, or before them."""
    pool = sets_near(response.question.name, move.era)
    donor = pool[move.other % len(pool)]

    def change(rrset: RRset) -> RRset:
        own = rrset.signatures if move.other & 1 else ()
        return replace(rrset, signatures=(*donor.signatures, *own), signature_ttl=rrset.ttl)

    return _changed(response, move, change)


def alter_signature(response: Response, move: Move) -> Response:
    """An octet of a signature's head: type covered, algorithm, labels, TTL, times, tag."""

    def alter(signature: bytes) -> bytes:
        at = move.other % 18  # octets before the signer's name
        altered = (signature[at] + (1, 255, 128)[move.other // 18 % 3]) % 256
        return signature[:at] + bytes((altered,)) + signature[at + 1 :]

    return _changed(
        response, move, lambda rrset: replace(rrset, signatures=tuple(map(alter, rrset.signatures)))
    )


def fit_labels(response: Response, move: Move) -> Response:
    """Beside the signatures of every denial stand some that claim to be over its very name."""
    is_first = bool(move.other & 1)
    return replace(
        response, authority=tuple(_fitted(r, is_first=is_first) for r in response.authority)
    )


def _fitted(rrset: RRset, *, is_first: bool) -> RRset:
    labels = names.label_count(rrset.name) - names.is_wildcard(rrset.name)
    made_up = tuple(s[:3] + bytes((labels,)) + s[4:] for s in rrset.signatures)
    both = made_up + rrset.signatures if is_first else rrset.signatures + made_up
    return replace(rrset, signatures=tuple(dict.fromkeys(both)))


def rename(response: Response, move: Move) -> Response:
    """A set moves to another owner."""
    pool = neighbours(response.question.name)
    owner = pool[move.other % len(pool)]
    return _changed(response, move, lambda rrset: replace(rrset, name=owner, owner=b""))


def raise_ttls(response: Response, _: Move) -> Response:
    """Every TTL is a week."""

    def change(rrset: RRset) -> RRset:
        return replace(rrset, ttl=604800, signature_ttl=604800)

    return replace(
        response,
        answer=tuple(map(change, response.answer)),
        authority=tuple(map(change, response.authority)),
    )


def reverse(response: Response, _: Move) -> Response:
    """The sets of each section in the opposite order."""
    return replace(response, answer=response.answer[::-1], authority=response.authority[::-1])


def swap_sections(response: Response, _: Move) -> Response:
    """Answer and authority change places."""
    return replace(response, answer=response.authority, authority=response.answer)


def _distinct(rrsets: Iterable[RRset]) -> tuple[RRset, ...]:
    """A message that was read has one set of a name and type in a section: the first stays.

    NSEC and NSEC3 are an exception made for the adversary: versions of one record that would fall
    together into a set that nothing signs are kept apart.
    """
    found: dict[object, RRset] = {}
    for rrset in rrsets:
        key = rrset if rrset.rdtype in DENIALS else (rrset.name, rrset.rdtype)
        found.setdefault(key, rrset)
    return tuple(found.values())


def _changed(response: Response, move: Move, change: Callable[[RRset], RRset | None]) -> Response:
    """The response with one of its sets changed, or taken out."""
    sets = [*response.answer, *response.authority]
    if not sets:
        return response
    at = move.which % len(sets)
    changed = change(sets[at])
    replaced = [*sets[:at], *([] if changed is None else [changed]), *sets[at + 1 :]]
    border = len(response.answer) - (changed is None and at < len(response.answer))
    return replace(response, answer=tuple(replaced[:border]), authority=tuple(replaced[border:]))


DENYING = (
    deny_by_all,
    deny_by_others,
    deny_by_some,
    deny_by_wildcards,
    deny_as_another,
    deny_from_anywhere,
)
ANSWERING = (expand, answer_from_pool, answer_as_another, forge, forge_alias)
CHANGING = (
    set_rcode,
    drop,
    strip,
    strip_all,
    add_denials,
    forge_soa,
    move_signatures,
    alter_signature,
    sign_by_stranger,
    add_stranger,
    fit_labels,
    rename,
    raise_ttls,
    reverse,
    swap_sections,
)

MOVES: dict[str, Callable[[Response, Move], Response]] = {
    move.__name__: move for move in (*CHANGING, *ANSWERING, *DENYING)
}
"""Every move by its name."""
