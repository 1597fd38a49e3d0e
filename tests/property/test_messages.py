"""Messages against dnspython: what one writes the other reads; and any bytes are survived."""

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset
from dns.edns import EDEOption
from hypothesis import given
from hypothesis import strategies as st

from anchord.model import rcodes, rdtypes
from anchord.model.ede import Ede
from anchord.model.names import Name
from anchord.model.question import ClientFlags, Question
from anchord.model.response import Response, RRset
from anchord.wire import embedded
from anchord.wire.embedded import LAYOUTS
from anchord.wire.errors import FormError
from anchord.wire.message import (
    AD,
    CD,
    QR,
    RA,
    RD,
    Query,
    Rejection,
    is_truncated,
    read_query,
    read_response,
)
from anchord.wire.options import Edns
from anchord.wire.query import QUERY_PADDING, write_query
from anchord.wire.reply import write_reply
from property.strategies import Record, Reply, damaged, oracle_name, questions, replies, sections

Contents = dict[tuple[Name, int], tuple[int, set[bytes], set[bytes]]]
"""By name and type: TTL, records and their RRSIGs in canonical form."""


def contents(rrsets: tuple[RRset, ...]) -> Contents:
    found: Contents = {}
    for rrset in rrsets:
        assert (rrset.name, rrset.rdtype) not in found
        found[rrset.name, rrset.rdtype] = (
            rrset.ttl,
            {embedded.canonical(rrset.rdtype, rdata) for rdata in rrset.rdatas},
            {embedded.canonical(rdtypes.RRSIG, rdata) for rdata in rrset.signatures},
        )
    return found


def expected(section: list[Record]) -> Contents:
    """What a section of these records holds, worked out the slow way."""
    sets = {(r.owner.lower(), r.rdtype) for r in section if r.rdtype != rdtypes.RRSIG}
    found: Contents = {}
    for name, rdtype in sets:
        of_set = [r for r in section if (r.owner.lower(), r.rdtype) == (name, rdtype)]
        signatures = {
            r.rdata.to_digestable()
            for r in section
            if (r.owner.lower(), r.rdtype, covered(r)) == (name, rdtypes.RRSIG, rdtype)
        }
        found[name, rdtype] = summary(of_set, signatures)
    orphans = [
        r
        for r in section
        if r.rdtype == rdtypes.RRSIG and (r.owner.lower(), covered(r)) not in sets
    ]
    for name in {r.owner.lower() for r in orphans}:
        of_name = [r for r in orphans if r.owner.lower() == name]
        found[name, rdtypes.RRSIG] = summary(of_name, set())
    return found


def covered(record: Record) -> int:
    return int(record.rdata.covers())


def summary(section: list[Record], signatures: set[bytes]) -> tuple[int, set[bytes], set[bytes]]:
    return min(r.ttl for r in section), {r.rdata.to_digestable() for r in section}, signatures


@given(replies())
def test_a_reply_that_dnspython_wrote_is_read_record_by_record(reply: Reply) -> None:
    response = read_response(reply.wire, reply.question, "upstream")
    assert contents(response.answer) == expected(reply.answer)
    assert contents(response.authority) == expected(reply.authority)
    assert response.rcode == reply.rcode
    assert response.recursion_available
    assert (response.question, response.upstream) == (reply.question, "upstream")


@given(questions, sections(), sections(), st.integers(0, 4095), st.booleans())
def test_dnspython_reads_every_reply_record_by_record(
    question: Question,
    answer: list[Record],
    authority: list[Record],
    rcode: int,
    dnssec_ok: bool,
) -> None:
    wire = write_reply(
        identifier=4711,
        flags=RD | AD,
        rcode=rcode,
        question_wire=question.name + question.rdtype.to_bytes(2) + b"\0\x01",
        answer=[one_record_set(record) for record in answer],
        authority=[one_record_set(record) for record in authority],
        edns=Edns(payload=1232, dnssec_ok=dnssec_ok),
        edes=(),
        with_signatures=True,
        limit=0xFFFF,
    )
    message = dns.message.from_wire(wire, one_rr_per_rrset=True)
    assert list(map(flat, message.answer)) == list(map(told, answer))
    assert list(map(flat, message.authority)) == list(map(told, authority))
    assert message.question[0].name == oracle_name(question.name)
    assert (message.id, message.rcode()) == (4711, rcode)
    assert message.flags & ~0xF == QR | RD | RA | AD
    assert bool(message.ednsflags & dns.flags.DO) == dnssec_ok
    for record in answer + authority:
        layout = LAYOUTS.get(record.rdtype)
        if layout is None or not layout.compressible:
            assert record.wire in wire, "compressed outside the types of RFC 1035"


def one_record_set(record: Record) -> RRset:
    owner = record.owner
    return RRset(owner.lower(), record.rdtype, record.ttl, (record.wire,), owner=owner)


def told(record: Record) -> tuple[Name, int, int, bytes]:
    return record.owner.lower(), record.rdtype, record.ttl, record.rdata.to_digestable()


def flat(rrset: dns.rrset.RRset) -> tuple[Name, int, int, bytes]:
    name = rrset.name.canonicalize().to_wire()
    assert name is not None
    return name, int(rrset.rdtype), rrset.ttl, rrset[0].to_digestable()


@given(replies())
def test_what_was_read_and_is_written_reads_the_same_again(reply: Reply) -> None:
    response = read_response(reply.wire, reply.question)
    wire = write_reply(
        identifier=0,
        flags=0,
        rcode=response.rcode,
        question_wire=reply.question.name + reply.question.rdtype.to_bytes(2) + b"\0\x01",
        answer=response.answer,
        authority=response.authority,
        edns=Edns(payload=1232),
        edes=response.edes,
        with_signatures=True,
        limit=0xFFFF,
    )
    again = read_response(wire, reply.question)
    assert contents(again.answer) == contents(response.answer)
    assert contents(again.authority) == contents(response.authority)


@given(
    sections(max_size=16),
    st.lists(st.builds(Ede, st.integers(0, 0xFFFF), st.text(max_size=300)), max_size=5),
    st.integers(512, 2000),
    st.booleans(),
)
def test_a_reply_has_room_for_records_first_and_for_reasons_then(
    section: list[Record], edes: list[Ede], limit: int, speaks_edns: bool
) -> None:
    def write(edes: list[Ede], limit: int) -> bytes:
        return write_reply(
            identifier=0,
            flags=0,
            rcode=rcodes.SERVFAIL,
            question_wire=b"\x03wWw\x07eXample\0\0\x01\0\x01",
            answer=[one_record_set(record) for record in section],
            authority=(),
            edns=Edns(payload=512) if speaks_edns else None,
            edes=edes,
            with_signatures=False,
            limit=limit,
        )

    wire = write(edes, limit)
    assert len(wire) <= limit
    assert is_truncated(wire) == (len(write([], 0xFFFF)) > limit)
    message = dns.message.from_wire(wire)
    assert (message.edns == 0) == speaks_edns
    sent = [option for option in message.options if isinstance(option, EDEOption)]
    if speaks_edns and not is_truncated(wire) and len(write(edes, 0xFFFF)) <= limit:
        assert len(sent) == min(len(edes), 3)
    assert [int(ede.code) for ede in sent] == [ede.code for ede in edes[: len(sent)]]


# ------------ Any bytes ------------


@given(st.one_of(st.binary(max_size=64), damaged(replies().map(lambda reply: reply.wire))))
def test_any_bytes_are_a_query_a_rejection_or_nothing(wire: bytes) -> None:
    assert isinstance(read_query(wire), Query | Rejection | None)
    if len(wire) > 2:  # the same, not a response, opcode 0
        wire = wire[:2] + bytes((wire[2] & 0x07,)) + wire[3:]
        assert isinstance(read_query(wire), Query | Rejection | None)


@given(st.data())
def test_any_bytes_are_a_response_or_a_form_error(data: st.DataObject) -> None:
    reply = data.draw(replies())
    wire = data.draw(damaged(st.just(reply.wire)))
    try:
        response = read_response(wire, reply.question)
    except FormError:
        return
    assert isinstance(response, Response)
    write_reply(
        identifier=0,
        flags=0,
        rcode=response.rcode,
        question_wire=b"",
        answer=response.answer,
        authority=response.authority,
        edns=Edns(payload=512),
        edes=response.edes,
        with_signatures=True,
        limit=0xFFFF,
    )


@given(questions, st.booleans(), st.booleans())
def test_dnspython_reads_the_queries_to_upstreams(
    question: Question, checking_disabled: bool, padded: bool
) -> None:
    wire = write_query(question, checking_disabled=checking_disabled, padded=padded)
    message = dns.message.from_wire(wire)
    assert message.question[0].name == oracle_name(question.name)
    assert int(message.question[0].rdtype) == question.rdtype
    assert message.flags == RD | (CD if checking_disabled else 0)
    assert message.ednsflags == dns.flags.DO
    bare = write_query(question, checking_disabled=checking_disabled)
    if padded:
        assert len(wire) % QUERY_PADDING == 0
        assert 4 <= len(wire) - len(bare) < QUERY_PADDING + 4  # the option, and no block too many
    else:
        assert wire == bare


@given(questions, st.booleans(), st.booleans(), st.integers(0, 0xFFFF))
def test_a_query_that_dnspython_wrote_is_read(
    question: Question, dnssec_ok: bool, checking_disabled: bool, payload: int
) -> None:
    message = dns.message.make_query(
        oracle_name(question.name),
        dns.rdatatype.RdataType.make(question.rdtype),
        want_dnssec=dnssec_ok,
        payload=payload,
        use_edns=0,
        id=payload,
    )
    message.flags |= CD if checking_disabled else 0
    query = read_query(message.to_wire())
    assert isinstance(query, Query)
    assert (query.id, query.question) == (payload, question)
    assert query.flags == ClientFlags(
        recursion_desired=True, checking_disabled=checking_disabled, dnssec_ok=dnssec_ok
    )
    assert query.edns == Edns(payload=max(payload, 512), dnssec_ok=dnssec_ok)
