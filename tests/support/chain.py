"""The recorded chain of `tests/data/real-chain`, served as a recursive resolver would serve it."""

from contextlib import AbstractAsyncContextManager
from functools import cache
from pathlib import Path

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset

from anchord.lab.servers import serve_plain

RECORDS = Path(__file__).parents[1] / "data" / "real-chain" / "2024-02-28.rrs"

LONGEST_CHAIN = 8
"""Aliases that are followed."""

Sets = dict[tuple[dns.name.Name, int, int], dns.rrset.RRset]
"""RRsets by owner, type and, for RRSIG, the type covered."""


def serve_chain() -> AbstractAsyncContextManager[int]:
    """Serves the records over UDP and TCP on 127.0.0.1; yields the port."""
    return serve_plain(answer)


def answer(wire: bytes, *, over_udp: bool) -> bytes:
    """The reply to a query: what is recorded, and SERVFAIL to everything else."""
    query = dns.message.from_wire(wire)
    reply = dns.message.make_response(query, recursion_available=True, our_payload=1232)
    question = query.question[0]
    name = question.name
    for _ in range(LONGEST_CHAIN):
        found = _at(name, question.rdtype) or _at(name, dns.rdatatype.CNAME)
        if not found:
            reply.answer.clear()
            reply.set_rcode(dns.rcode.SERVFAIL)
            break
        reply.answer += found
        if found[0].rdtype == question.rdtype:
            break
        name = found[0][0].target
    limit = query.payload if over_udp else 65535
    try:
        return reply.to_wire(max_size=limit)
    except dns.exception.TooBig:
        reply.answer.clear()
        reply.flags |= dns.flags.TC
        return reply.to_wire()


def _at(name: dns.name.Name, rdtype: int) -> list[dns.rrset.RRset]:
    """The set and its signatures, or nothing."""
    sets = _sets()
    keys = ((name, rdtype, 0), (name, dns.rdatatype.RRSIG, rdtype))
    return [sets[key] for key in keys if key in sets]


@cache
def _sets() -> Sets:
    sets: Sets = {}
    for line in RECORDS.read_text(encoding="utf-8").splitlines():
        owner, ttl, rdclass, rdtype, text = line.split(" ", 4)
        rdata = dns.rdata.from_text(rdclass, rdtype, text)
        name = dns.name.from_text(owner)
        rrset = dns.rrset.RRset(name, rdata.rdclass, rdata.rdtype, rdata.covers())
        sets.setdefault((name, rdata.rdtype, rdata.covers()), rrset).add(rdata, int(ttl))
    return sets
