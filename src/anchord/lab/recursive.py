"""A recursive resolver over the zones of a world that validates nothing: the lab's upstream.

It follows CNAME and DNAME over all zones and hands on every signature and every denial, as an
honest upstream does. Over bytes it honours DO and the EDNS payload, sets RA, echoes CD without
heeding it, and never sets AD.
"""

from collections.abc import Callable
from typing import Protocol

from anchord.model import rcodes, rdtypes
from anchord.model.ede import Ede, EdeCode
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.response import Response, RRset, Unanswered
from anchord.wire.framing import LONGEST_MESSAGE
from anchord.wire.message import AA, CD, RA, RD, Query, read_query
from anchord.wire.options import PAYLOAD, SMALLEST_PAYLOAD
from anchord.wire.reply import write_reply

from .zones import Reply

UPSTREAM = "lab"
"""Who the responses say that they are from."""
LONGEST_CHAIN = 32
"""Aliases that are followed, so that a validator's own limit is met first."""


class Servers(Protocol):
    """Every server of an internet."""

    def ask(self, question: Question) -> Reply | None:
        """What those say that are in charge of the name; nothing where they cannot be reached."""


def resolve(world: Servers, question: Question) -> Response | Unanswered:
    """The response to the question, aliases followed; Unanswered where a server is missing."""
    answer: dict[RRset, None] = {}
    denial: dict[RRset, None] = {}
    edes: dict[Ede, None] = {}
    seen: set[Name] = set()
    name: Name | None = question.name
    rcode = rcodes.NOERROR
    while name is not None and name not in seen and len(seen) < LONGEST_CHAIN:
        seen.add(name)
        reply = world.ask(Question(name, question.rdtype))
        if reply is None or reply.referral:  # to servers that are in no plan
            return _unreachable(question)
        if reply.rcode not in _USABLE or (reply.rcode == rcodes.YXDOMAIN and not reply.answer):
            return Unanswered(question, _refusal(reply))
        answer |= dict.fromkeys(reply.answer)
        denial |= dict.fromkeys(reply.authority)
        edes |= dict.fromkeys(reply.edes)
        rcode, name = reply.rcode, reply.alias
    return Response(question, rcode, tuple(answer), tuple(denial), tuple(edes), upstream=UPSTREAM)


def authoritative(world: Servers, question: Question) -> Response | Unanswered:
    """What the servers of the zone say, aliases not followed."""
    reply = world.ask(question)
    if reply is None:
        return _unreachable(question)
    return Response(
        question, reply.rcode, reply.answer, reply.authority, reply.edes, upstream=UPSTREAM
    )


_USABLE = frozenset({rcodes.NOERROR, rcodes.NXDOMAIN, rcodes.YXDOMAIN})


def _unreachable(question: Question) -> Unanswered:
    text = "the servers of the zone do not answer"
    return Unanswered(question, (Ede(EdeCode.NO_REACHABLE_AUTHORITY, text),))


def _refusal(reply: Reply) -> tuple[Ede, ...]:
    text = f"the servers of the zone say {rcodes.to_text(reply.rcode)}"
    return (Ede(EdeCode.NO_REACHABLE_AUTHORITY, text), *reply.edes)


# ------------ Over bytes ------------


def reply_to(
    wire: bytes,
    answer: Callable[[Question], Response | Unanswered],
    *,
    over_udp: bool,
    authoritative: bool = False,
) -> bytes | None:
    """The message that answers `wire`, or nothing where it deserves none.

    `authoritative` leaves RA out, and sets AA on all but referrals.
    """
    query = read_query(wire)
    if query is None:
        return None
    edns = query.edns
    payload = min(edns.payload, PAYLOAD) if edns else SMALLEST_PAYLOAD
    limit = payload if over_udp else LONGEST_MESSAGE
    if not isinstance(query, Query):
        return write_reply(
            identifier=query.id,
            flags=query.opcode << 11 | (RD if query.recursion_desired else 0),
            rcode=query.rcode,
            question_wire=query.question_wire,
            answer=(),
            authority=(),
            edns=edns,
            edes=(query.ede,) if query.ede else (),
            with_signatures=False,
            limit=limit,
        )
    response = answer(query.question)
    if isinstance(response, Unanswered):
        response = Response(query.question, rcodes.SERVFAIL, edes=response.edes)
    dnssec_ok = query.flags.dnssec_ok
    flags = RD if query.flags.recursion_desired else 0
    flags |= CD if query.flags.checking_disabled else 0
    if authoritative and all(rrset.rdtype != rdtypes.NS for rrset in response.authority):
        flags |= AA
    message = write_reply(
        identifier=query.id,
        flags=flags,
        rcode=response.rcode,
        question_wire=query.question_wire,
        answer=response.answer,
        authority=response.authority if dnssec_ok else _plain(response.authority),
        edns=edns,
        edes=response.edes,
        with_signatures=dnssec_ok,
        limit=limit,
    )
    return _without_recursion(message) if authoritative else message


def _plain(authority_section: tuple[RRset, ...]) -> list[RRset]:
    """The section for who asked without DO (RFC 4035 section 3.1)."""
    unwanted = {rdtypes.NSEC, rdtypes.NSEC3, rdtypes.DS}
    return [rrset for rrset in authority_section if rrset.rdtype not in unwanted]


def _without_recursion(message: bytes) -> bytes:
    flags = int.from_bytes(message[2:4]) & ~RA
    return message[:2] + flags.to_bytes(2) + message[4:]
