"""What filters do to answers, and how it shows.

A filter that an upstream applies openly is somebody's choice, and no other upstream is asked in
order to get around it. One that rewrites answers in silence looks like an attack to a validator;
all that can be done is to say what it may be.
"""

from anchord.model import names, rcodes, rdtypes
from anchord.model.ede import BLOCKING, Ede, EdeCode
from anchord.model.response import Response, RRset, Unanswered
from anchord.model.verdict import Answer, Status

_NOWHERE = {rdtypes.A: bytes(4), rdtypes.AAAA: bytes(16)}
"""Addresses that filters answer with: 0.0.0.0 and ::."""
_REWRITTEN = (rdtypes.A, rdtypes.AAAA, rdtypes.CNAME)
"""What filters put in place of a name's own data."""


def blocker(said: Response | Unanswered) -> str:
    """The upstream that has said that it blocks the name; empty where none has."""
    if isinstance(said, Unanswered):
        return said.blocked_by
    return said.upstream if is_block(said) else ""


def is_block(response: Response) -> bool:
    """Whether the upstream blocks the name, over a channel on which nobody else can say so.

    By Extended DNS Errors 15 to 17, by NXDOMAIN without RA (as Quad9 has it), or by unsigned
    addresses that lead nowhere.
    """
    if not response.is_authenticated:
        return False
    is_told = any(ede.code in BLOCKING for ede in response.edes)
    is_denied = response.rcode == rcodes.NXDOMAIN and not response.recursion_available
    return is_told or is_denied or any(map(_leads_nowhere, response.answer))


def _leads_nowhere(rrset: RRset) -> bool:
    return not rrset.signatures and rrset.rdatas == (_NOWHERE.get(rrset.rdtype),)


def suspicion(answer: Answer) -> Ede | None:
    """That the upstream may be a filter that rewrites answers; None where that is not likely.

    It is where addresses or an alias came unsigned although the chain of trust down to their zone
    holds: then signatures do come through, only not for this name.
    """
    verdict = answer.verdict
    is_chain_proven = all(link.status is Status.SECURE for link in verdict.chain)
    if verdict.status is not Status.BOGUS or not is_chain_proven:
        return None
    unsigned = {c.rrset.name for c in answer.answer if _may_be_rewritten(c.rrset)}
    for flaw in verdict.flaws:
        if flaw.code is EdeCode.RRSIGS_MISSING and flaw.name in unsigned:
            text = (
                f"{answer.upstream} may be a filter that rewrites {names.to_text(flaw.name)}: "
                "use an upstream that does not filter"
            )
            return Ede(EdeCode.OTHER, text)
    return None


def _may_be_rewritten(rrset: RRset) -> bool:
    return rrset.rdtype in _REWRITTEN and not rrset.signatures
