"""Bytes in, bytes out: what every kind of message deserves, whatever way it came."""

import logging
import struct

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchord.model.clock import SystemClock
from anchord.model.question import ClientFlags, Question
from anchord.model.verdict import Status
from anchord.resolver.resolver import Known
from anchord.server.counters import Counters
from anchord.server.handler import Handler, Pending, Transport
from anchord.server.limits import Limits
from support.doors import PreparedResolver, answer_of, make_query, rrset

META_TYPES = ["TKEY", "TSIG", "IXFR", "AXFR", "MAILB", "MAILA"]


def handler(resolver: PreparedResolver | None = None) -> Handler:
    return Handler(resolver or PreparedResolver(), SystemClock(), Counters())


def rejection(message: bytes, transport: Transport = Transport.UDP) -> dns.message.Message:
    reply = handler().receive(message, transport)
    assert isinstance(reply, bytes)
    return read(reply)


def read(reply: bytes) -> dns.message.Message:
    """A reply as dnspython reads it, which knows no question in odd classes or opcodes."""
    return dns.message.from_wire(reply, question_only=False)


def codes(reply: dns.message.Message) -> list[int]:
    return [int(o.code) for o in reply.options if isinstance(o, dns.edns.EDEOption)]


def pending(message: dns.message.Message, transport: Transport) -> Pending:
    received = handler().receive(message.to_wire(), transport)
    assert isinstance(received, Pending)
    return received


async def answered(door: Handler, message: dns.message.Message) -> dns.message.Message:
    received = door.receive(message.to_wire(), Transport.UDP)
    assert isinstance(received, Pending)
    return read(door.render(received, await door.resolve(received)))


async def test_a_question_is_answered() -> None:
    message = make_query("www.example.")
    reply = await answered(handler(), message)
    assert message.is_response(reply)
    assert [str(each) for each in reply.answer] == ["www.example. 300 IN A 192.0.2.1"]


@pytest.mark.parametrize("length", [0, 1, 2, 11])
def test_less_than_a_header_is_met_with_silence(length: int) -> None:
    assert handler().receive(make_query("a.").to_wire()[:length], Transport.UDP) is None


def test_a_response_is_met_with_silence() -> None:
    message = make_query("a.")
    message.flags |= dns.flags.QR
    assert handler().receive(message.to_wire(), Transport.UDP) is None


@pytest.mark.parametrize("opcode", range(1, 16))
def test_every_opcode_but_query_is_not_implemented(opcode: int) -> None:
    """PowerDNS, CVE-2025-59030: there are NOTIFY and UPDATE among them."""
    wire = bytearray(make_query("www.example.").to_wire())
    wire[2] |= opcode << 3
    reply = handler().receive(bytes(wire), Transport.UDP)
    assert isinstance(reply, bytes)
    identifier, flags = struct.unpack("!HH", reply[:4])
    assert identifier == int.from_bytes(wire[:2])
    assert flags >> 11 & 0xF == opcode
    assert flags & 0xF == dns.rcode.NOTIMP
    assert flags & dns.flags.QR
    assert flags & dns.flags.RD


@pytest.mark.parametrize("questions", [0, 2])
def test_any_number_of_questions_but_one_is_malformed(questions: int) -> None:
    message = make_query("www.example.")
    message.question *= questions
    assert rejection(message.to_wire()).rcode() == dns.rcode.FORMERR


@pytest.mark.parametrize("cut", range(13, 29))
def test_a_question_that_ends_too_early_is_malformed(cut: int) -> None:
    wire = make_query("www.example.").to_wire()[:cut]
    reply = rejection(wire)
    assert reply.rcode() == dns.rcode.FORMERR
    assert reply.id == int.from_bytes(wire[:2])
    assert not reply.question


def test_something_behind_the_query_is_malformed() -> None:
    assert rejection(make_query("a.").to_wire() + b"\0").rcode() == dns.rcode.FORMERR


def test_a_pointer_that_leads_nowhere_is_malformed() -> None:
    header = make_query(".").to_wire()[:12]
    assert rejection(header + b"\xc0\x0c\0\x01\0\x01").rcode() == dns.rcode.FORMERR


def test_two_opt_records_are_malformed() -> None:
    wire = bytearray(make_query("a.", use_edns=0).to_wire())
    wire[11] = 2
    wire += wire[-11:]
    reply = rejection(bytes(wire))
    assert reply.rcode() == dns.rcode.FORMERR


def test_another_version_of_edns_is_told_ours() -> None:
    reply = rejection(make_query("www.example.", use_edns=1, want_dnssec=True).to_wire())
    assert reply.rcode() == dns.rcode.BADVERS
    assert reply.edns == 0
    assert reply.ednsflags & dns.flags.DO
    assert reply.question[0].name.to_text() == "www.example."


@pytest.mark.parametrize("rdtype", META_TYPES)
def test_every_meta_type_is_refused_with_a_reason(rdtype: str) -> None:
    """BIND, CVE-2026-3119: TKEY among them."""
    reply = rejection(make_query("www.example.", rdtype, use_edns=0).to_wire())
    assert reply.rcode() == dns.rcode.NOTIMP
    assert codes(reply) == [21]
    assert reply.question[0].rdtype == dns.rdatatype.from_text(rdtype)


@pytest.mark.parametrize("rdtype", ["TYPE0", "OPT"])
def test_a_type_that_is_none_is_rejected(rdtype: str) -> None:
    message = make_query("www.example.", "A", use_edns=0)
    wire = message.to_wire().replace(
        b"\0\x01\0\x01", dns.rdatatype.from_text(rdtype).to_bytes(2) + b"\0\x01", 1
    )
    assert rejection(wire).rcode() == dns.rcode.NOTIMP


def test_nxname_is_a_malformed_question_with_its_own_reason() -> None:
    reply = rejection(make_query("www.example.", "TYPE128", use_edns=0).to_wire())
    assert reply.rcode() == dns.rcode.FORMERR
    assert codes(reply) == [30]


def test_class_chaos_is_refused_with_a_reason() -> None:
    """BIND, CVE-2026-5946: no other class than IN leads any further."""
    message = dns.message.make_query("version.bind.", "TXT", "CH", use_edns=0)
    reply = rejection(message.to_wire())
    assert reply.rcode() == dns.rcode.REFUSED
    assert codes(reply) == [21]
    assert message.is_response(reply)


def test_a_rejection_has_no_opt_where_the_query_had_none() -> None:
    reply = rejection(make_query("www.example.", "AXFR").to_wire())
    assert reply.edns == -1


@pytest.mark.parametrize("flag", [dns.flags.RD, dns.flags.CD])
def test_a_rejection_echoes_rd_and_cd(flag: dns.flags.Flag) -> None:
    message = make_query("www.example.", "AXFR")
    message.flags = flag
    assert rejection(message.to_wire()).flags & (dns.flags.RD | dns.flags.CD) == flag


@given(st.binary(max_size=64) | st.binary(min_size=12, max_size=600))
def test_any_bytes_get_a_readable_reply_or_a_question_or_silence(message: bytes) -> None:
    door = handler()
    reply = door.receive(message, Transport.UDP)
    if isinstance(reply, bytes):
        assert reply[:2] == message[:2]
        assert reply[2] & 0x80
        assert len(reply) <= 512
    assert door.counters.bugs == 0


@given(st.data())
def test_any_change_of_a_good_query_gets_a_reply_or_silence(data: st.DataObject) -> None:
    wire = bytearray(make_query("www.example.", use_edns=0, payload=1232).to_wire())
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    door = handler()
    reply = door.receive(bytes(wire), Transport.UDP)
    assert door.counters.bugs == 0
    assert (reply is None) == bool(wire[2] & 0x80)


@pytest.mark.parametrize(
    ("payload", "limit"),
    [(None, 512), (0, 512), (511, 512), (700, 700), (1232, 1232), (4096, 1232)],
)
def test_a_datagram_is_no_longer_than_both_sides_allow(payload: int | None, limit: int) -> None:
    message = make_query("www.example.")
    if payload is not None:
        message.use_edns(payload=payload)
    assert pending(message, Transport.UDP).limit == limit
    assert pending(message, Transport.TCP).limit == 65535


@pytest.mark.parametrize(
    ("option", "transport", "is_answered"),
    [
        (b"", Transport.TCP, True),
        (b"", Transport.UDP, False),
        (b"\0\x64", Transport.TCP, False),
    ],
)
async def test_keepalive_is_told_on_streams_to_those_that_ask(
    option: bytes, transport: Transport, is_answered: bool
) -> None:
    door = Handler(PreparedResolver(), SystemClock(), Counters(), Limits(idle=12.5))
    message = make_query("www.example.")
    message.use_edns(options=[dns.edns.GenericOption(dns.edns.OptionType(11), option)])
    received = door.receive(message.to_wire(), transport)
    assert isinstance(received, Pending)
    reply = read(door.render(received, await door.resolve(received)))
    told = [o.to_wire() for o in reply.options if o.otype == 11]
    assert told == ([b"\0\x7d"] if is_answered else [])


def test_unknown_options_are_ignored_in_any_number_and_not_held() -> None:
    wire = make_query("www.example.", use_edns=0).to_wire()
    options = (b"\xfd\xe9\0\x3c" + b"x" * 60) * 1000
    received = handler().receive(wire[:-2] + len(options).to_bytes(2) + options, Transport.TCP)
    assert isinstance(received, Pending)
    assert received.query.edns is not None
    assert received.query.edns.options == b""


async def test_the_resolver_learns_the_question_as_a_key_and_the_flags() -> None:
    resolver = PreparedResolver()
    message = make_query("WWW.example.", use_edns=0, want_dnssec=True)
    message.flags = dns.flags.CD
    await answered(handler(resolver), message)
    ((question, flags),) = resolver.asked
    assert question == Question(b"\x03www\x07example\0", 1)
    assert (flags.recursion_desired, flags.checking_disabled) == (False, True)
    assert (flags.dnssec_ok, flags.authentic_data) == (True, False)


async def test_a_bug_costs_its_own_client_a_servfail_and_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    door = handler()
    for name in ("one.bug.", "another.bug."):
        reply = await answered(door, make_query(name, use_edns=0))
        assert reply.rcode() == dns.rcode.SERVFAIL
        assert codes(reply) == [0]
        assert not reply.answer
    assert door.counters.bugs == 2
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info
    assert record.exc_info[0] is ZeroDivisionError
    assert (await answered(door, make_query("well.example."))).rcode() == dns.rcode.NOERROR


async def test_a_bug_in_writing_a_reply_is_no_worse(caplog: pytest.LogCaptureFixture) -> None:
    resolver = PreparedResolver()
    resolver.prepare(answer_of(rrset("www.example.", "A", "192.0.2.1", ttl=-1)))
    reply = await answered(handler(resolver), make_query("www.example.", use_edns=0))
    assert reply.rcode() == dns.rcode.SERVFAIL
    assert codes(reply) == [0]
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1


def test_a_bug_in_reading_is_met_with_silence_and_no_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def buggy(_wire: bytes) -> None:
        raise ZeroDivisionError("prepared")

    monkeypatch.setattr("anchord.server.handler.read_query", buggy)
    door = handler()
    assert door.receive(make_query("www.example.").to_wire(), Transport.UDP) is None
    assert door.counters.bugs == 1
    assert caplog.records[0].exc_info


def test_a_bug_in_what_is_known_costs_its_own_client_a_servfail() -> None:
    class Buggy(PreparedResolver):
        def known(self, question: Question, flags: ClientFlags) -> Known | None:
            raise ZeroDivisionError(question, flags)

    door = handler(Buggy())
    pending = door.receive(make_query("www.example.").to_wire(), Transport.UDP)
    assert isinstance(pending, Pending)
    known = door.known(pending)
    assert known is not None
    assert dns.message.from_wire(door.render(pending, known.answer)).rcode() == dns.rcode.SERVFAIL
    assert door.counters.bugs == 1


async def test_everything_is_counted() -> None:
    resolver = PreparedResolver()
    resolver.prepare(
        answer_of(rrset("old.example.", "TXT", *("x" * 200 for _ in range(9))), status=Status.BOGUS)
    )
    resolver.prepare(answer_of(rrset("big.example.", "TXT", *(str(n) * 150 for n in range(9)))))
    door = handler(resolver)
    await answered(door, make_query("www.example."))
    await answered(door, make_query("old.example.", "TXT"))
    await answered(door, make_query("big.example.", "TXT"))
    door.receive(b"", Transport.UDP)
    door.receive(make_query("a.", "AXFR").to_wire(), Transport.UDP)
    counts = door.counters.snapshot()
    assert {name: count for name, count in counts.items() if count} == {
        "ignored": 1,
        "rejected": 1,
        "truncated": 1,
        "status.secure": 2,
        "status.bogus": 1,
        "rcode.NOERROR": 2,
        "rcode.SERVFAIL": 1,
        "rcode.NOTIMP": 1,
        "ede.21": 1,
    }
