"""Asking again when evidence is missing, in other ways, before a client is told that it failed.

An answer that could not be proven may be one upstream's fault: it strips signatures, it has half of
an answer in its cache, it rewrites names. So the question is put once more, all ways side by side:

- to the same upstream without CD: it may then try other authorities (RFC 6840 appendix B);
- to each other server of the route.

The first answer that holds is taken. Where no upstream had an answer, all of them have been asked
already, and only CD is left to change. Nothing is asked again where that would be wrong: a limit
was hit (then the answer is an attack), or nobody could be reached at all; nor where an upstream
blocks the name (`filtering`).
"""

from collections.abc import Sequence

from anchord.cache.policy import is_out_of_reach
from anchord.model.verdict import Answer
from anchord.upstream.base import Upstream
from anchord.upstream.choice import host_of

from .fetch import Rung

LADDER = 2.5
"""Seconds for all of it: clients give up at about five."""

MOST_OTHERS = 2
"""Other upstreams that are asked: with the first, three know of a name at the most (RFC 9520)."""


def may_be_better(answer: Answer) -> bool:
    """Whether asking in another way may help."""
    flaws = answer.verdict.flaws
    is_over_limit = any(fact == "limit" for flaw in flaws for fact, _ in flaw.facts)
    status = answer.verdict.status
    return status.is_failure and not is_over_limit and not is_out_of_reach(answer)


def rungs(upstreams: Sequence[Upstream], answer: Answer) -> list[Rung]:
    """The other ways to ask the upstreams of a route, who are given in the order of trust."""
    same = next((u for u in upstreams if str(u) == answer.upstream), None)
    others: dict[str, Upstream] = {}
    if answer.upstream:
        for upstream in upstreams:
            others.setdefault(host_of(str(upstream)), upstream)
        others.pop(host_of(answer.upstream), None)
    return [
        Rung(same, checking_disabled=False),
        *map(Rung, list(others.values())[:MOST_OTHERS]),
    ]
