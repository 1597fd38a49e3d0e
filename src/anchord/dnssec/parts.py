"""A part of an answer with its judgement, and what becomes of several together."""

import msgspec
from msgspec.structs import replace

from anchord.model.chain import Link
from anchord.model.response import RRset
from anchord.model.verdict import FOREVER, Flaw, Status, weakest

from .denial import Denied
from .proofs import Proof


class Part(msgspec.Struct, frozen=True):
    """A part of an answer, judged. `valid_until` bounds how long the judgement holds."""

    status: Status
    answer: tuple[RRset, ...] = ()
    authority: tuple[RRset, ...] = ()
    flaws: tuple[Flaw, ...] = ()
    chain: tuple[Link, ...] = ()
    valid_until: int = FOREVER
    denied: Denied | None = None
    rcode: int | None = None
    """The code that is right where it is not the response's."""


def joined(parts: list[Part]) -> Part:
    """The parts as one, as good as the weakest."""
    status = weakest(*(part.status for part in parts))
    return Part(
        status,
        tuple(rrset for part in parts for rrset in part.answer),
        tuple(rrset for part in parts for rrset in part.authority),
        tuple(flaw for part in parts if part.status is status for flaw in part.flaws),
        tuple(link for part in parts for link in part.chain),
        min(part.valid_until for part in parts),
    )


def with_proof(part: Part, proof: Proof) -> Part:
    """A part that rests on a proof as well: no better than that."""
    is_authentic = not proof.opt_out and proof.denied is not Denied.NOTHING
    return replace(
        part,
        status=part.status if is_authentic else Status.INSECURE,
        authority=(*part.authority, *proof.records),
        flaws=(*part.flaws, *proof.flaws),
        valid_until=min(part.valid_until, proof.valid_until),
    )
