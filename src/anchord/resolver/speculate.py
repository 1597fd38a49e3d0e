"""Which chain questions to send in the same flight as a cold question.

Without them a new zone costs three round trips one after the other. A guess is never more than
that: its price is an upstream query, it has no share of the question's budget, and its answer means
nothing until the engine asks for it and judges it. Pure: what is known comes in.
"""

from collections import OrderedDict, deque
from collections.abc import Container, Iterable, Iterator

from anchord.model import names, rdtypes
from anchord.model.names import Name
from anchord.model.question import Question

MOST = 6
"""Queries sent beside a cold question."""

PROBABLE_CUT = 2
"""Labels down to which a name is taken for a zone: registries delegate names of one and of two.
Deeper zones are guessed where they are known, and else told by the answer's own signatures."""


def chain_questions(
    name: Name, top: Name, signed: Container[Name], signing: Container[Name], *, is_proven: bool
) -> list[Question]:
    """What the chain from the zone `top` down to the zone that holds `name` will probably need.

    `is_proven` tells that the keys of `top` are known. `signed` holds zones that were signed when
    last seen: for these and for top-level domains DNSKEY is asked for along with DS; and so it is
    for a registry's zones where that is in `signing`, since most of its zones are signed.
    """
    guesses = [] if is_proven else [Question(top, rdtypes.DNSKEY)]
    for labels, zone in enumerate(names.names_between(top, name), names.label_count(top) + 1):
        guesses += _of_zone(zone, labels, is_known=zone in signed, signing=signing)
    return guesses[:MOST]


def _of_zone(
    zone: Name, labels: int, *, is_known: bool, signing: Container[Name]
) -> Iterator[Question]:
    if is_known or labels <= PROBABLE_CUT:
        yield Question(zone, rdtypes.DS)
        if is_known or labels == 1 or names.parent(zone) in signing:
            yield Question(zone, rdtypes.DNSKEY)


REMEMBERED = 8
"""Zones below one parent that count: the last that were seen, so that chance soon wears off."""

FEWEST = 2
"""Zones that must have been seen below a parent before anything follows from them."""

MOST_PARENTS = 256
"""Parents whose zones are remembered, the least recently seen out first."""


class Registries:
    """Parents, and whether most of the zones that were seen below them were signed.

    A container of those where it was so. Of a parent that is new the others tell, without the root,
    whose zones nearly all are. It begins with zones that were signed before a restart.
    """

    def __init__(self, signed: Iterable[Name] = ()) -> None:
        self._seen: OrderedDict[Name, deque[bool]] = OrderedDict()
        self._anywhere = _no_zones()
        for zone in signed:
            self.saw(zone, is_signed=True)

    def __len__(self) -> int:
        return len(self._seen)

    def __contains__(self, parent: object) -> bool:
        seen = self._seen.get(parent) if isinstance(parent, bytes) else None
        if seen is None or len(seen) < FEWEST:
            seen = self._anywhere
        return len(seen) >= FEWEST and 2 * sum(seen) > len(seen)

    def saw(self, zone: Name, *, is_signed: bool) -> None:
        """A zone has been proven to be signed, or not to be."""
        if zone == names.ROOT:
            return
        parent = names.parent(zone)
        self._seen.setdefault(parent, _no_zones()).append(is_signed)
        self._seen.move_to_end(parent)
        if len(self._seen) > MOST_PARENTS:
            self._seen.popitem(last=False)
        if parent != names.ROOT:
            self._anywhere.append(is_signed)

    def flush(self, name: Name | None) -> None:
        """Forget what lies at a name or below it, or everything."""
        for parent in [p for p in self._seen if name is None or names.is_at_or_below(p, name)]:
            del self._seen[parent]
        if name is None:
            self._anywhere.clear()


def _no_zones() -> deque[bool]:
    return deque(maxlen=REMEMBERED)
