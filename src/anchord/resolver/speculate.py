"""Which chain questions to send in the same flight as a cold question.

Without them a new zone costs three round trips one after the other. A guess is never more than
that: its price is an upstream query, it has no share of the question's budget, and its answer means
nothing until the engine asks for it and judges it.
"""

from collections.abc import Container, Iterator

from anchord.model import names, rdtypes
from anchord.model.names import Name
from anchord.model.question import Question

MOST = 6
"""Queries sent beside a cold question."""

PROBABLE_CUT = 2
"""Labels down to which a name is taken for a zone: registries delegate names of one and of two.
Deeper zones are guessed where they are known, and else told by the answer's own signatures."""


def chain_questions(
    name: Name, top: Name, signed: Container[Name], *, is_proven: bool
) -> list[Question]:
    """What the chain from the zone `top` down to the zone that holds `name` will probably need.

    `is_proven` tells that the keys of `top` are known. `signed` holds zones that were signed when
    last seen: for these and for top-level domains DNSKEY is asked for along with DS.
    """
    guesses = [] if is_proven else [Question(top, rdtypes.DNSKEY)]
    for zone in names.names_between(top, name):
        guesses += _of_zone(zone, is_signed=zone in signed)
    return guesses[:MOST]


def _of_zone(zone: Name, *, is_signed: bool) -> Iterator[Question]:
    labels = names.label_count(zone)
    if is_signed or labels <= PROBABLE_CUT:
        yield Question(zone, rdtypes.DS)
    if is_signed or labels == 1:
        yield Question(zone, rdtypes.DNSKEY)
