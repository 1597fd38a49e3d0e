"""Replies some seconds later: what dnspython reads out of them is the same, with lower TTLs."""

import dns.message
import dns.rdatatype
from hypothesis import given
from hypothesis import strategies as st

from anchord.model import names, rdtypes
from anchord.model.response import RRset
from anchord.wire.aging import older, ttl_offsets
from anchord.wire.options import Edns
from anchord.wire.reply import write_reply

OWNERS = [names.from_text(text) for text in (".", "example.", "www.example.", "a.b.www.example.")]


def a_set(rdtype: int, rdata: bytes) -> st.SearchStrategy[RRset]:
    return st.builds(
        lambda name, ttl, count: RRset(
            name=name,
            rdtype=rdtype,
            ttl=ttl,
            rdatas=tuple(rdata[:-1] + bytes((number,)) for number in range(count)),
        ),
        st.sampled_from(OWNERS),
        st.integers(0, 0x7FFFFFFF),
        st.integers(1, 3),
    )


SETS = st.one_of(
    a_set(rdtypes.A, bytes(4)),
    a_set(rdtypes.AAAA, bytes(16)),
    a_set(rdtypes.MX, b"\0\x0a" + OWNERS[3]).map(
        lambda rrset: RRset(rrset.name, rrset.rdtype, rrset.ttl, (b"\0\x0a" + OWNERS[3],))
    ),
    a_set(rdtypes.TXT, b"\x03abc"),
)


def a_reply(answer: list[RRset], authority: list[RRset], *, has_edns: bool) -> bytes:
    return write_reply(
        identifier=0xABCD,
        flags=0,
        rcode=0,
        question_wire=OWNERS[3] + b"\0\x01\0\x01",
        answer=answer,
        authority=authority,
        edns=Edns(payload=1232, version=0, dnssec_ok=True, compact_ok=False, options=b"")
        if has_edns
        else None,
        edes=(),
        with_signatures=False,
        limit=65535,
    )


def ttls(wire: bytes) -> list[int]:
    message = dns.message.from_wire(wire, one_rr_per_rrset=True)
    return [rrset.ttl for section in message.sections[1:3] for rrset in section]


@given(st.lists(SETS, max_size=6), st.lists(SETS, max_size=3), st.booleans(), st.integers(0, 2**33))
def test_every_ttl_is_lower_by_the_seconds_and_nothing_else_is_changed(
    answer: list[RRset], authority: list[RRset], has_edns: bool, seconds: int
) -> None:
    wire = a_reply(answer, authority, has_edns=has_edns)
    offsets = ttl_offsets(wire)
    aged = older(wire, offsets, seconds)
    assert ttls(aged) == [max(0, ttl - seconds) for ttl in ttls(wire)]
    assert len(aged) == len(wire)
    spots = {at + octet for at in offsets for octet in range(4)}
    assert all(aged[at] == wire[at] for at in range(len(wire)) if at not in spots)


def test_no_seconds_later_it_is_the_same() -> None:
    wire = a_reply([RRset(OWNERS[3], rdtypes.A, 300, (bytes(4),))], [], has_edns=True)
    assert older(wire, ttl_offsets(wire), 0) == wire


def test_a_reply_without_a_question_has_ttls_too() -> None:
    assert ttl_offsets(bytes(12)) == ()
