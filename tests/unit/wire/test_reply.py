"""Replies, octet by octet: compression, signatures, and what goes first where room is short."""

from itertools import pairwise
from types import FunctionType

import dns.message
import pytest
from msgspec.structs import replace

from anchord.model import names, rcodes, rdtypes
from anchord.model.ede import Ede
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.response import RRset
from anchord.wire.message import AA, AD, CD, RD, TC, is_truncated, read_response
from anchord.wire.options import Edns, keepalive, read_edes, write_ede, write_opt
from anchord.wire.reply import LONGEST_POINTER, MOST_POINTERS, _Writer, write_reply
from support.counting import calls
from support.messages import WWW, question

A = RRset(WWW, rdtypes.A, 300, (b"ABCD", b"EFGH"), (b"SIGNATURE",), 299)
HOST = names.from_text("host.example.com")
EXAMPLE = names.from_text("example.com")
LONG = "x" * 250
EDNS = Edns(payload=1232)


def write(
    *answer: RRset,
    authority: tuple[RRset, ...] = (),
    edns: Edns | None = None,
    edes: tuple[Ede, ...] = (),
    flags: int = 0,
    rcode: int = rcodes.NOERROR,
    asked: bytes | None = None,
    with_signatures: bool = False,
    limit: int = 0xFFFF,
    options: bytes = b"",
) -> bytes:
    return write_reply(
        identifier=4711,
        flags=flags,
        rcode=rcode,
        question_wire=question() if asked is None else asked,
        answer=answer,
        authority=authority,
        edns=edns,
        edes=edes,
        with_signatures=with_signatures,
        limit=limit,
        options=options,
    )


def body(*answer: RRset, asked: bytes | None = None) -> bytes:
    """What follows the question."""
    return write(*answer, asked=asked)[12 + len(question() if asked is None else asked) :]


def one(rdtype: int, rdata: bytes, owner: Name = WWW) -> RRset:
    return RRset(owner.lower(), rdtype, 300, (rdata,), owner=owner)


# ------------ The header and the records ------------


def test_a_reply_octet_by_octet() -> None:
    assert write(A, edns=Edns(payload=512, dnssec_ok=True), flags=RD | AD) == (
        b"\x12\x67\x81\xa0\0\x01\0\x02\0\0\0\x01"
        b"\x03www\x07example\x03com\0\0\x01\0\x01"
        b"\xc0\x0c\0\x01\0\x01\0\0\x01\x2c\0\x04ABCD"
        b"\xc0\x0c\0\x01\0\x01\0\0\x01\x2c\0\x04EFGH"
        b"\0\0\x29\x04\xd0\0\0\x80\0\0\0"
    )


def test_flags_and_opcode_are_the_callers_but_for_qr_and_ra() -> None:
    assert write(flags=4 << 11 | AA | CD, rcode=5)[2:4] == b"\xa4\x95"


def test_a_code_above_fifteen_goes_into_the_opt_record() -> None:
    wire = write(edns=Edns(payload=512, version=1), rcode=rcodes.BADVERS)
    assert wire[3] & 0xF == 0
    assert wire.endswith(b"\0\0\x29\x04\xd0\x01\0\0\0\0\0")


def test_without_a_readable_question_none_is_repeated() -> None:
    assert write(asked=b"", rcode=rcodes.FORMERR) == b"\x12\x67\x80\x81" + bytes(8)


def test_co_is_echoed() -> None:
    wire = write(edns=Edns(payload=512, dnssec_ok=True, compact_ok=True))
    assert wire.endswith(b"\0\0\x29\x04\xd0\0\0\xc0\0\0\0")


def test_signatures_are_written_where_wanted_with_the_ttl_of_the_records() -> None:
    wire = write(A, with_signatures=True, authority=(A,))
    assert wire[6:10] == b"\0\x03\0\x03"
    assert wire.count(b"\xc0\x0c\0\x2e\0\x01\0\0\x01\x2c\0\x09SIGNATURE") == 2
    wire = write(A, authority=(A,))
    assert wire[6:10] == b"\0\x02\0\x02"
    assert b"SIGNATURE" not in wire


# ------------ Compression ------------


def test_the_owner_appears_in_the_spelling_of_the_question() -> None:
    spelt = names.from_text("wWw.eXample.coM")
    wire = write(A, asked=question(spelt))
    assert wire[12:].startswith(spelt)
    assert read_response(wire, Question(WWW, 1)).answer[0].spelling == spelt


def test_another_owner_keeps_the_spelling_that_was_received() -> None:
    assert body(one(rdtypes.A, b"ABCD", names.from_text("Host.Example.com"))).startswith(
        b"\x04Host\xc0\x10"
    )


def test_the_root_is_never_a_pointer() -> None:
    assert body(one(rdtypes.A, b"ABCD", names.ROOT)).startswith(b"\0\0\x01")


@pytest.mark.parametrize(
    ("rdtype", "rdata", "written"),
    [
        (rdtypes.NS, HOST, b"\x04host\xc0\x10"),
        (rdtypes.CNAME, EXAMPLE, b"\xc0\x10"),
        (rdtypes.PTR, WWW.upper(), b"\xc0\x0c"),
        (rdtypes.MX, b"\0\x0a" + HOST, b"\0\x0a\x04host\xc0\x10"),
        (14, HOST + HOST, b"\x04host\xc0\x10\xc0\x2d"),
        (rdtypes.SOA, HOST + WWW + bytes(20), b"\x04host\xc0\x10\xc0\x0c" + bytes(20)),
    ],
)
def test_names_in_the_types_of_rfc_1035_are_compressed(
    rdtype: int, rdata: bytes, written: bytes
) -> None:
    assert body(one(rdtype, rdata))[10:] == len(written).to_bytes(2) + written


@pytest.mark.parametrize(
    ("rdtype", "rdata"),
    [
        (17, HOST + WWW),  # RP
        (18, b"\0\x01" + HOST),  # AFSDB
        (26, b"\0\x0a" + HOST + WWW),  # PX
        (33, b"\0\0\0\x05\x03\x55" + HOST),  # SRV
        (rdtypes.NAPTR, b"\0\x64\0\x32\0\0\0" + HOST),
        (36, b"\0\x0a" + HOST),  # KX
        (rdtypes.DNAME, HOST),
        (rdtypes.RRSIG, bytes(18) + EXAMPLE + b"SIGNATURE"),
        (rdtypes.NSEC, HOST + b"\0\x01\x40"),
        (rdtypes.SVCB, b"\0\x01" + HOST),
        (rdtypes.MX, b"\0\x0a\x04host"),  # malformed
    ],
)
def test_all_other_rdata_are_written_as_they_are(rdtype: int, rdata: bytes) -> None:
    assert body(one(rdtype, rdata))[10:] == len(rdata).to_bytes(2) + rdata


def test_names_past_the_reach_of_a_pointer_are_written_out() -> None:
    filler = one(rdtypes.TXT, bytes(LONGEST_POINTER - 12 - len(question()) - 12 - 12 - 5))
    last = one(rdtypes.NS, names.from_text("a.test"), names.from_text("b.test"))
    wire = write(filler, last, last)
    reach = wire.index(b"\x01b\x04test\0")
    assert reach < LONGEST_POINTER <= reach + 8 + 10
    assert wire.count(b"\x04test\0") == 1
    assert wire.count(b"\x01a\xff\xf1") == 2, "a.test itself stands where no pointer reaches"


def test_no_name_needs_more_pointers_than_clients_follow() -> None:
    """A chain of aliases, each a label longer than the last: every name ends in the one before."""
    labels = [f"l{number}".encode() for number in range(40)]
    longer = [names.join([*reversed(labels[:end]), b"test"]) for end in range(1, 41)]
    wire = write(*(one(rdtypes.NS, target, owner) for owner, target in pairwise(longer)))
    message = dns.message.from_wire(wire)
    assert [rrset.name.to_wire() for rrset in message.answer] == longer[:-1]
    assert [rrset[0].target.to_wire() for rrset in message.answer] == longer[1:]
    ends = [place for place in range(12, len(wire)) if wire[place] == 0xC0]
    assert len(ends) > 39
    assert max(_pointers(wire, place) for place in ends) == MOST_POINTERS


def _pointers(wire: bytes, place: int) -> int:
    """How many pointers a reader follows from `place` to the end of the name."""
    if wire[place] >= 0xC0:
        return 1 + _pointers(wire, int.from_bytes(wire[place : place + 2]) & 0x3FFF)
    return _pointers(wire, place + wire[place] + 1) if wire[place] else 0


@pytest.mark.parametrize("number", [30, 120])
def test_names_with_nothing_in_common_are_compressed_in_linear_time(number: int) -> None:
    """Unbound, CVE-2024-8508, CVE-2026-44390."""
    some = [names.join([b"x"] * 124 + [f"{i:03d}".encode()]) for i in range(2 * number)]
    rrsets = [one(rdtypes.NS, some.pop(), some.pop()) for _ in range(number)]
    length = len(write(*rrsets))
    assert length > number * 500
    assert calls(lambda: write(*rrsets)) < 3 * length


# ------------ Where room is short ------------


def edes_in(wire: bytes) -> tuple[Ede, ...]:
    return read_response(wire, Question(WWW, 1)).edes


THREE = (Ede(7, "a" * 200), Ede(22, "b" * 200), Ede(23, "c" * 200))
BARE = tuple(Ede(ede.code) for ede in THREE)


def test_three_long_reasons_give_way_in_512_octets_before_any_record_does() -> None:
    """Text first, then the less specific codes, then the last one, which TC tells."""
    largest = len(write(A, edns=EDNS, edes=THREE))
    without_texts = len(write(A, edns=EDNS, edes=BARE))
    one_code = len(write(A, edns=EDNS, edes=BARE[:1]))
    nothing = len(write(A, edns=EDNS))
    assert largest > 512 > without_texts
    for limit, kept in (
        (largest, 3),
        (largest - 1, 3),
        (512, 3),
        (without_texts, 3),
        (without_texts - 1, 1),
        (one_code, 1),
        (one_code - 1, 0),
        (nothing, 0),
    ):
        wire = write(A, edns=EDNS, edes=THREE, limit=limit)
        assert len(wire) <= limit
        assert is_truncated(wire) == (kept == 0)
        assert wire[6:8] == b"\0\x02"
        shown = edes_in(wire)
        assert [ede.code for ede in shown] == [7, 22, 23][:kept]
        assert all(bool(ede.text) == (limit == largest) for ede in shown)


def test_records_that_do_not_fit_make_room_for_reasons_again() -> None:
    nothing = len(write(A, edns=EDNS))
    wire = write(A, authority=(A,), edns=EDNS, edes=THREE[:1], limit=nothing - 1)
    assert is_truncated(wire)
    assert wire[4:12] == b"\0\x01\0\0\0\0\0\x01"
    assert [ede.code for ede in edes_in(wire)] == [7]


def test_records_that_do_not_fit_go_without_edns_too() -> None:
    text = one(rdtypes.TXT, bytes(512))
    assert write(text, limit=512) == b"\x12\x67\x82\x80\0\x01" + bytes(6) + question()


MANY = RRset(WWW, rdtypes.CNAME, 300, tuple(b"\x02%02d" % n + HOST for n in range(60)))
SIGNED = replace(MANY, signatures=MANY.rdatas)


@pytest.mark.parametrize(
    ("answer", "authority", "in_all"),
    [
        ((MANY,), (), 60),
        ((SIGNED,), (), 120),
        ((), (MANY, SIGNED), 180),
        ((A, SIGNED), (A,), 126),
    ],
)
def test_no_record_is_written_after_the_one_that_shows_that_the_reply_is_too_long(
    answer: tuple[RRset, ...], authority: tuple[RRset, ...], in_all: int
) -> None:
    def reply(limit: int) -> bytes:
        return write(*answer, authority=authority, edns=EDNS, with_signatures=True, limit=limit)

    record = _Writer.record
    assert isinstance(record, FunctionType)

    def written(limit: int) -> int:
        return calls(lambda: reply(limit), of=record)

    truncated = write(edns=EDNS, flags=TC)
    whole = len(reply(0xFFFF))
    opt = len(write_opt(dnssec_ok=False))
    assert written(whole) == in_all
    assert written(whole - opt) == in_all, "the OPT record does not fit"
    assert written(whole - opt - 1) == in_all, "the last record does not fit"
    assert 5 < written(512) < 30
    assert written(12) == 0, "the question does not fit"
    for limit in (whole - 1, whole - opt, whole - opt - 1, 512, 12):
        assert reply(limit) == truncated


def test_a_limit_that_nothing_fits_gives_the_shortest_reply() -> None:
    wire = write(A, edns=EDNS, edes=THREE, limit=12)
    assert is_truncated(wire)
    assert len(wire) == 12 + len(question()) + 11


def test_at_most_three_reasons_are_told() -> None:
    edes = tuple(Ede(code) for code in range(5))
    assert edes_in(write(edns=EDNS, edes=edes)) == edes[:3]


def test_without_edns_no_reason_is_told() -> None:
    assert write(edes=THREE) == write()


def test_further_options_stay_whatever_goes() -> None:
    alive = keepalive(10)
    for limit in (0xFFFF, 512, 100):
        wire = write(A, edns=EDNS, edes=THREE, options=alive, limit=limit)
        assert alive in wire
    assert write(options=alive) == write(), "without EDNS there is no place for them"
    wire = write(edns=EDNS, edes=(Ede(7, LONG),), options=alive)
    assert wire.endswith(alive + write_ede(Ede(7, LONG)))
    assert read_edes(alive + write_ede(Ede(7))) == (Ede(7),)
