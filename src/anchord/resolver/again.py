"""Asking again when evidence is missing, in other ways, before a client is told that it failed.

An answer that could not be proven may be one upstream's fault: it strips signatures, it has half of
an answer in its cache, it rewrites names. So the question is put once more, all ways side by side:

- to the same upstream without CD: it may then try other authorities (RFC 6840 appendix B);
- to each other upstream of the route.

The first answer that holds is taken. None of it where that would be wrong: a limit was hit (then
the answer is an attack), nobody could be reached at all, or an upstream has said over an
authenticated channel that it *blocks* the name; to ask another one then would undo a filter that
somebody chose.
"""

from collections.abc import Awaitable, Callable, Sequence

import trio

from anchord.model import rcodes, rdtypes
from anchord.model.ede import Ede, EdeCode
from anchord.model.response import Response
from anchord.model.verdict import Answer

from .fetch import Rung
from .routes import Route

LADDER = 2.5
"""Seconds for all of it: clients give up at about five."""

MOST_OTHERS = 2
"""Other upstreams that are asked: with the first, three know of a name at the most (RFC 9520)."""


def may_be_better(answer: Answer) -> bool:
    """Whether asking in another way may help."""
    if not answer.verdict.status.is_failure:
        return False
    is_over_limit = any(fact[0] == "limit" for flaw in answer.verdict.flaws for fact in flaw.facts)
    codes = {ede.code for ede in (*(f.ede for f in answer.verdict.flaws), *answer.edes)}
    is_out_of_reach = codes <= {EdeCode.NETWORK_ERROR, EdeCode.DNSSEC_INDETERMINATE}
    return not is_over_limit and not is_out_of_reach and EdeCode.BLOCKED not in codes


def rungs(route: Route, answer: Answer) -> list[Rung]:
    """The other ways to ask."""
    others = [upstream for upstream in route.upstreams if str(upstream) != answer.upstream]
    same = next((u for u in route.upstreams if str(u) == answer.upstream), None)
    return [
        Rung(same, checking_disabled=False),
        *(Rung(upstream) for upstream in others[:MOST_OTHERS]),
    ]


async def first_that_holds(attempts: Sequence[Callable[[], Awaitable[Answer]]]) -> Answer | None:
    """Run the attempts side by side; the first answer that is no failure ends the others."""
    found: list[Answer] = []

    async def run(attempt: Callable[[], Awaitable[Answer]], nursery: trio.Nursery) -> None:
        answer = await attempt()
        if not answer.verdict.status.is_failure:
            found.append(answer)
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        for attempt in attempts:
            nursery.start_soon(run, attempt, nursery)
    return found[0] if found else None


_BLOCKING = (EdeCode.BLOCKED, EdeCode.CENSORED, EdeCode.FILTERED)
_NOWHERE = {rdtypes.A: bytes(4), rdtypes.AAAA: bytes(16)}
"""Addresses that filters answer with: 0.0.0.0 and ::."""


def block_signal(response: Response) -> Ede | None:
    """What an upstream has said that blocks the name; None from one that others could imitate.

    Extended DNS Errors 15 to 17, NXDOMAIN without RA (as Quad9 has it), or unsigned addresses that
    lead nowhere.
    """
    if not response.is_authenticated:
        return None
    is_told = any(ede.code in _BLOCKING for ede in response.edes)
    is_denied = response.rcode == rcodes.NXDOMAIN and not response.recursion_available
    leads_nowhere = any(
        not rrset.signatures and rrset.rdatas == (_NOWHERE.get(rrset.rdtype),)
        for rrset in response.answer
    )
    if not (is_told or is_denied or leads_nowhere):
        return None
    return Ede(EdeCode.BLOCKED, f"{response.upstream} blocks this name")
