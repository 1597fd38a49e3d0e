"""Which chain questions to send in the same flight as a cold question.

Without it a new zone costs three round trips one after the other; with it, one. A guess is never
more than that: its price is an upstream query, it has no share of the question's budget, and its
answer means nothing until the engine asks for it and judges it.
"""

from collections.abc import Container

from anchord.model import names, rdtypes
from anchord.model.names import ROOT, Name
from anchord.model.question import Question

MOST = 6
"""Queries sent beside a cold question."""


def chain_questions(name: Name, known: Name | None, signed: Container[Name]) -> list[Question]:
    """What the chain of `name` will probably need.

    `known` is the deepest proven zone above it; None where nothing is proven yet, not even the
    root. `signed` holds zones that were signed when last seen: for these, the root and the TLD the
    DNSKEY RRset is asked for along with DS. A zone cut is guessed at one and two labels.
    """
    guesses = [] if known else [Question(ROOT, rdtypes.DNSKEY)]
    for zone in names.names_between(known or ROOT, name):
        labels = names.label_count(zone)
        if labels > 2 and zone not in signed:
            continue
        guesses.append(Question(zone, rdtypes.DS))
        if labels == 1 or zone in signed:
            guesses.append(Question(zone, rdtypes.DNSKEY))
    return guesses[:MOST]
