"""What a zone of the lab is to be, and what a validator must say about it. Data only."""

from collections.abc import Iterator
from dataclasses import dataclass

from anchord.model import names, rcodes, rdtypes
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.verdict import Status

from . import keys
from .denial import BY_NSEC, DenialMethod
from .zones import absolute

STANDARD = """
    @    A     192.0.2.1
    @    AAAA  2001:db8::1
    www  A     192.0.2.80
"""
"""The records of a zone whose records do not matter: no TXT at the apex, and no `nx`."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A question, its name relative to the zone, and what a validator must make of the answer.

    `rcode` is what a client that leaves checking to the validator gets where this is no failure;
    `codes` are the Extended DNS Errors of which one must come first, none for no code at all.
    `peers` tells which validators of other makes are of another opinion, and why (see `Case`).
    `in_tour` picks it for `anchord lab --tour`.
    """

    question: str
    status: Status
    codes: tuple[int, ...] = ()
    rcode: int = rcodes.NOERROR
    shows: str = ""
    peers: str = ""
    in_tour: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """A zone to be made.

    `algorithms` are those of its keys, none for an unsigned zone; each has a key that signs the
    keys and one that signs the rest, or one for both with `has_combined_key`. `digest_types` are
    those of the DS records that the parent publishes, `rsa_bits` the size of RSA keys. `shows` says
    what the zone is there for, `peers` which other validators judge it otherwise.
    """

    zone: str
    shows: str
    asks: tuple[Ask, ...] = ()
    records: str = STANDARD
    faults: str = ""
    algorithms: tuple[int, ...] = (keys.ECDSAP256SHA256,)
    has_combined_key: bool = False
    denial: DenialMethod = BY_NSEC
    digest_types: tuple[int, ...] = (keys.SHA256,)
    rsa_bits: int = 2048
    peers: str = ""

    @property
    def apex(self) -> Name:
        """The zone's name as a key."""
        return names.from_text(self.zone).lower()


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table: a question to the world, and the verdict that it must get.

    `rcode` is what a client without CD gets; `codes` are the accepted first Extended DNS Errors,
    none where there must be none. `shows` says in a line what is to be seen. `peers` says which
    validators of other makes differ, by policy or by mistake, as in `Unbound, BIND: want an SOA`
    or, of everyone, `all: validate SHA-1`; the others must agree.
    """

    zone: str
    faults: str
    question: Question
    status: Status
    rcode: int
    codes: tuple[int, ...]
    shows: str
    peers: str
    in_tour: bool

    def __str__(self) -> str:
        return str(self.question)

    def is_disputed_by(self, peer: str) -> bool:
        """Whether that validator (`Unbound`, `BIND`, `Knot`) is known to say something else."""
        who, _, _ = self.peers.partition(":")
        return not {peer, "all"}.isdisjoint(who.split(", "))


def cases_of(plan: Plan) -> Iterator[Case]:
    """The rows that a plan stands for."""
    for ask in plan.asks:
        name, _, rdtype = ask.question.partition(" ")
        yield Case(
            zone=names.to_text(plan.apex),
            faults=plan.faults,
            question=Question(absolute(name, plan.apex).lower(), rdtypes.from_text(rdtype.strip())),
            status=ask.status,
            rcode=rcodes.SERVFAIL if ask.status.is_failure else ask.rcode,
            codes=ask.codes,
            shows=ask.shows or plan.shows,
            peers=ask.peers or plan.peers,
            in_tour=ask.in_tour,
        )
