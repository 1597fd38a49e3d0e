"""Queries of clients, responses of upstreams: each rule at its border."""

import pytest

from anchord.model import names, rcodes, rdtypes
from anchord.model.ede import Ede, EdeCode
from anchord.model.question import ClientFlags
from anchord.model.response import RRset
from anchord.wire import options
from anchord.wire.errors import FormError
from anchord.wire.message import (
    AD,
    CD,
    MOST_OCTETS,
    MOST_SETS,
    QR,
    RA,
    RD,
    STEP,
    TC,
    Query,
    Rejection,
    find_edns,
    find_option,
    is_truncated,
    read_in_steps,
    read_query,
    read_response,
    record_count,
)
from anchord.wire.options import CO, DO, Edns
from support.counting import calls
from support.messages import QUESTION, TO_QUESTION, WWW, opt, query, question, record, reply

A_RECORD = record(TO_QUESTION, rdtypes.A, b"\xc0\0\x02\x01")
SIGNATURE = b"\0\x01" + bytes(16) + b"\x07example\x03com\0" + b"SIGNATURE"
MX_SIGNATURE = b"\0\x0f" + SIGNATURE[2:]


def rejected(wire: bytes) -> Rejection:
    rejection = read_query(wire)
    assert isinstance(rejection, Rejection)
    return rejection


# ------------ Queries of clients ------------


def test_a_query_without_edns() -> None:
    assert read_query(query()) == Query(
        id=4711,
        question=QUESTION,
        question_wire=question(),
        flags=ClientFlags(recursion_desired=True),
        edns=None,
    )


def test_a_query_with_every_flag() -> None:
    read = read_query(query(opt(ttl=DO | CO), flags=CD | AD))
    assert isinstance(read, Query)
    assert read.flags == ClientFlags(
        recursion_desired=False,
        checking_disabled=True,
        dnssec_ok=True,
        authentic_data=True,
        compact_ok=True,
    )
    assert read.edns == Edns(payload=1232, dnssec_ok=True, compact_ok=True)


def test_the_spelling_of_the_question_is_kept_beside_the_key() -> None:
    spelt = question(names.from_text("wWw.EXample.com"))
    read = read_query(query(asked=spelt))
    assert isinstance(read, Query)
    assert (read.question, read.question_wire) == (QUESTION, spelt)


def test_a_payload_below_512_counts_as_512() -> None:
    for announced, meant in ((0, 512), (511, 512), (513, 513)):
        read = read_query(query(opt(payload=announced)))
        assert isinstance(read, Query)
        assert read.edns == Edns(payload=meant)


def test_unknown_options_and_flags_are_ignored() -> None:
    unknown = options.write_option(65001, b"what?") + options.write_option(10, b"\0")
    read = read_query(query(opt(unknown, ttl=0x3FFF), flags=RD | 0x40))
    assert isinstance(read, Query)
    assert read.edns == Edns(payload=1232, options=unknown)


def test_records_beside_the_opt_record_are_passed_over() -> None:
    """BIND, CVE-2026-3591: SIG(0) and TSIG among them."""
    tsig = record(names.from_text("key"), rdtypes.TSIG, b"\0" * 16, rdclass=255)
    assert isinstance(read_query(query(tsig, opt(), record(b"\0", 24, b""))), Query)


def test_less_than_a_header_is_answered_with_silence() -> None:
    assert read_query(query()[:11]) is None
    assert isinstance(read_query(query()[:12]), Rejection)


def test_a_response_is_answered_with_silence() -> None:
    assert read_query(query(flags=QR)) is None


@pytest.mark.parametrize(
    "wire",
    [
        query(questions=0),
        query(questions=2),
        query(questions=0, asked=b""),
        query(asked=b"\xff"),
        query(asked=b"\x03www"),
        query(asked=WWW + b"\0\x01\0"),
        query(asked=b"\xc0\x0c\0\x01\0\x01"),
    ],
)
def test_without_exactly_one_readable_question_the_reply_is_formerr(wire: bytes) -> None:
    assert rejected(wire) == Rejection(
        id=4711,
        rcode=rcodes.FORMERR,
        opcode=0,
        recursion_desired=True,
        checking_disabled=False,
    )


@pytest.mark.parametrize(
    "wire",
    [
        query(opt(), opt()),
        query(opt(owner=WWW)),
        query(opt(b"\0")),
        query(opt(b"\0\x0f\0\x05EXTR")),
        query(opt())[:-1],
        query(opt(b"\0\x0a\0\0"))[:-1],
        query() + b"!",
        query(record(b"\x03ww", 1, b"")),
        query(record(b"\0", 1, b"")[:-1]),
    ],
)
def test_a_malformed_rest_is_formerr_with_the_question_echoed(wire: bytes) -> None:
    rejection = rejected(wire)
    assert (rejection.rcode, rejection.ede) == (rcodes.FORMERR, None)
    assert rejection.question_wire == question()


def test_a_query_that_holds_answers_is_formerr() -> None:
    for wire in (query(answer=(A_RECORD,)), query(authority=(A_RECORD,))):
        assert rejected(wire).rcode == rcodes.FORMERR


def test_an_opt_record_outside_the_additional_section_is_none() -> None:
    assert rejected(query(answer=(opt(),))).edns is None


def test_edns_of_a_version_to_come_is_badvers_whatever_its_options_look_like() -> None:
    rejection = rejected(query(opt(b"?", ttl=0x00010000 | DO)))
    assert rejection.rcode == rcodes.BADVERS
    assert rejection.question_wire == question()
    assert rejection.edns == Edns(payload=1232, version=1, dnssec_ok=True, options=b"?")


@pytest.mark.parametrize("opcode", range(1, 16))
def test_other_opcodes_are_notimp(opcode: int) -> None:
    update = query(opt(), flags=opcode << 11 | CD, answer=(A_RECORD,), authority=(A_RECORD,))
    rejection = rejected(update)
    assert (rejection.rcode, rejection.opcode) == (rcodes.NOTIMP, opcode)
    assert rejection.ede == Ede(EdeCode.NOT_SUPPORTED, f"opcode {opcode} is not known here")
    assert rejection.edns == Edns(payload=1232)
    assert (rejection.recursion_desired, rejection.checking_disabled) == (False, True)


def test_other_opcodes_are_notimp_even_where_nothing_else_can_be_read() -> None:
    rejection = rejected(query(flags=2 << 11, questions=3, asked=b""))
    assert (rejection.rcode, rejection.ede) == (rcodes.NOTIMP, None)


def test_other_classes_are_refused() -> None:
    for rdclass in (0, 3, 4, 254, 255):
        rejection = rejected(query(asked=question(rdtype=16, rdclass=rdclass)))
        assert rejection.rcode == rcodes.REFUSED
        assert rejection.ede == Ede(EdeCode.NOT_SUPPORTED, "only class IN is known here")


@pytest.mark.parametrize("rdtype", [0, 41, 249, 250, 251, 252, 253, 254])
def test_types_that_name_no_data_are_notimp(rdtype: int) -> None:
    wire = query(asked=question(rdtype=rdtype), authority=(A_RECORD,))  # as IXFR has it
    rejection = rejected(wire)
    assert rejection.rcode == rcodes.NOTIMP
    assert rejection.ede is not None
    assert rejection.ede.code == EdeCode.NOT_SUPPORTED
    assert rejection.ede.text == f"{rdtypes.to_text(rdtype)} cannot be looked up"


def test_nxname_cannot_be_asked_for() -> None:
    rejection = rejected(query(opt(), asked=question(rdtype=rdtypes.NXNAME)))
    assert rejection.rcode == rcodes.FORMERR
    assert rejection.ede == Ede(EdeCode.INVALID_QUERY_TYPE, "NXNAME cannot be asked for")


def test_any_and_unknown_types_can_be_asked_for() -> None:
    for rdtype in (rdtypes.ANY, 65280, 65535):
        assert isinstance(read_query(query(asked=question(rdtype=rdtype))), Query)


# ------------ Responses of upstreams ------------


def test_what_an_opt_record_says_is_found() -> None:
    edns = find_edns(reply(additional=(opt(options.write_option(12, b"")),)))
    assert edns is not None
    assert edns.options == b"\0\x0c\0\0"
    assert find_edns(reply()) is None
    assert find_edns(reply(additional=(opt(b""),))[:-1]) is None


def test_an_option_is_found_wherever_the_record_for_it_stands() -> None:
    kept, padding = options.write_option(11, b"\0\x64"), options.write_option(12, b"\0\x0b")
    address = record(WWW, 1, b"\0\0\x29\x0b")
    for edns in (kept, kept + padding, padding + kept):
        whole = reply(address, additional=(opt(edns), address))
        assert find_option(whole, 11) == b"\0\x64"
        assert find_option(whole, 10) is None


def test_an_option_after_64_others_is_not_looked_at_and_the_reply_is_read_all_the_same() -> None:
    many = options.write_option(65001, b"") * options.MOST_OPTIONS_READ
    late = many + options.write_option(11, b"\0\x64") + options.write_ede(Ede(22)) + b"?"
    assert find_option(reply(additional=(opt(late[4:]),)), 11) == b"\0\x64"
    assert find_option(reply(additional=(opt(late),)), 11) is None
    assert read_response(reply(additional=(opt(late),)), QUESTION).edes == ()


def test_no_option_is_found_in_what_only_looks_like_one() -> None:
    looks = options.write_option(11, b"\0\x64")
    assert find_option(reply(), 11) is None
    assert find_option(reply(additional=(opt(b""),)), 11) is None
    assert find_option(reply(additional=(opt(options.write_option(12, looks)),)), 11) is None
    assert find_option(reply(additional=(record(WWW, 16, b"\0\0\x29" + looks),)), 11) is None
    assert find_option(reply(additional=(opt(looks),))[:-1], 11) is None


def test_records_of_one_name_and_type_are_one_set_with_its_signatures() -> None:
    response = read_response(
        reply(
            record(TO_QUESTION, rdtypes.RRSIG, SIGNATURE, ttl=200),
            record(TO_QUESTION, rdtypes.A, b"ABCD", ttl=300),
            record(b"\x03WWW\xc0\x10", rdtypes.A, b"EFGH", ttl=100),
            record(TO_QUESTION, rdtypes.A, b"ABCD", ttl=300),
            record(TO_QUESTION, rdtypes.RRSIG, SIGNATURE + b"2", ttl=150),
        ),
        QUESTION,
        "9.9.9.9",
    )
    assert response.upstream == "9.9.9.9"
    assert response.answer == (
        RRset(
            name=WWW,
            rdtype=rdtypes.A,
            ttl=100,
            rdatas=(b"ABCD", b"EFGH"),
            signatures=(SIGNATURE, SIGNATURE + b"2"),
            signature_ttl=150,
            owner=WWW,
        ),
    )


def test_signatures_over_nothing_are_a_set_of_their_own() -> None:
    """As in the answer to a question for RRSIG."""
    response = read_response(
        reply(
            record(TO_QUESTION, rdtypes.RRSIG, SIGNATURE, ttl=200),
            record(TO_QUESTION, rdtypes.RRSIG, MX_SIGNATURE, ttl=100),
            record(TO_QUESTION, rdtypes.TXT, b"\0"),
        ),
        QUESTION,
    )
    text, signatures = response.answer
    assert (text.rdtype, text.signatures, text.signature_ttl) == (rdtypes.TXT, (), 0)
    assert signatures == RRset(WWW, rdtypes.RRSIG, 100, (SIGNATURE, MX_SIGNATURE), owner=WWW)


def test_signatures_cover_records_of_their_own_section_and_name_only() -> None:
    response = read_response(
        reply(
            A_RECORD,
            record(b"\xc0\x10", rdtypes.RRSIG, SIGNATURE),
            authority=(record(TO_QUESTION, rdtypes.RRSIG, SIGNATURE),),
        ),
        QUESTION,
    )
    assert [rrset.rdtype for rrset in response.answer] == [rdtypes.A, rdtypes.RRSIG]
    assert response.answer[0].signatures == ()
    assert [rrset.rdtype for rrset in response.authority] == [rdtypes.RRSIG]


@pytest.mark.parametrize("covered", [b"\0\0", b"\0\x2e"])
def test_signatures_over_no_type_and_over_signatures_are_no_puzzle(covered: bytes) -> None:
    odd = covered + SIGNATURE[2:]
    response = read_response(
        reply(
            record(TO_QUESTION, rdtypes.RRSIG, odd), record(TO_QUESTION, rdtypes.RRSIG, SIGNATURE)
        ),
        QUESTION,
    )
    [rrset] = response.answer
    assert (rrset.rdtype, rrset.rdatas) == (rdtypes.RRSIG, (odd, SIGNATURE))


def test_a_ttl_with_its_top_bit_set_is_zero() -> None:
    for ttl, meant in ((0x7FFFFFFF, 0x7FFFFFFF), (0x80000000, 0), (0xFFFFFFFF, 0)):
        response = read_response(reply(record(WWW, rdtypes.A, b"ABCD", ttl=ttl)), QUESTION)
        assert response.answer[0].ttl == meant


def test_other_classes_and_pseudo_records_are_left_out() -> None:
    chaos = record(TO_QUESTION, rdtypes.A, b"ABCD", rdclass=3)
    stray = record(b"\0", rdtypes.OPT, b"", rdclass=1)
    response = read_response(reply(chaos, stray, authority=(chaos,)), QUESTION)
    assert (response.answer, response.authority) == ((), ())


def test_the_additional_section_is_read_for_its_opt_record_only() -> None:
    edes = options.write_ede(Ede(22, "no server"))
    response = read_response(
        reply(additional=(A_RECORD, opt(edes, ttl=0x01000000), A_RECORD), flags=QR | RD | 0x7),
        QUESTION,
    )
    assert response.rcode == 0x17
    assert response.edes == (Ede(22, "no server"),)
    assert not response.recursion_available
    assert (response.answer, response.authority) == ((), ())


@pytest.mark.parametrize(
    ("wire", "problem"),
    [
        (reply()[:11], "a reply is shorter than a header"),
        (reply(flags=RD), "a reply is no response to a query"),
        (reply(flags=QR | 4 << 11), "a reply is no response to a query"),
        (reply(questions=0, asked=b""), "a reply does not repeat the question"),
        (reply(questions=2), "a reply does not repeat the question"),
        (reply(asked=b""), "a reply does not repeat the question"),
        (reply(asked=question(rdtype=2)), "a reply does not repeat the question"),
        (reply(asked=question(rdclass=3)), "a reply does not repeat the question"),
        (reply(asked=question(b"\x03vvv" + WWW[4:])), "a reply does not repeat the question"),
        (reply(A_RECORD)[:-1], "the data of a record end too early"),
        (reply(A_RECORD)[:-5], "a record ends too early"),
        (reply(A_RECORD)[:-15], "a compression pointer ends too early"),
        (reply(A_RECORD)[:-16], "a name ends too early"),
        (reply(additional=(A_RECORD[:-1],)), "the data of a record end too early"),
        (reply(additional=(opt(), opt())), "a reply has two OPT records"),
        (reply(record(TO_QUESTION, 26, b"\0\x0a\0")), "a name ends too early"),  # a short PX
    ],
)
def test_a_malformed_reply_is_a_form_error(wire: bytes, problem: str) -> None:
    with pytest.raises(FormError, match=problem) as caught:
        read_response(wire, QUESTION)
    assert caught.value.ede == Ede(EdeCode.INVALID_DATA, str(caught.value))


def test_the_question_may_come_back_in_another_spelling() -> None:
    spelt = names.from_text("WWW.eXample.com")
    response = read_response(reply(A_RECORD, asked=question(spelt)), QUESTION)
    assert response.answer[0].name == WWW
    assert response.answer[0].spelling == spelt


def test_what_follows_a_reply_is_ignored() -> None:
    assert read_response(reply(A_RECORD) + b"!", QUESTION).answer[0].rdatas


def test_truncation_is_seen_without_reading_the_message() -> None:
    assert is_truncated(reply(flags=QR | TC))
    assert not is_truncated(reply(flags=(QR | RD | RA) & ~TC))


# ------------ Large messages ------------


@pytest.mark.parametrize("number", [1000, 4000, 16_000])
def test_a_thousand_options_are_read_in_linear_time(number: int) -> None:
    """Unbound, CVE-2026-41292, CVE-2026-42944."""
    wire = query(opt(options.write_option(65001, b"") * number))
    assert isinstance(read_query(wire), Query)
    assert calls(lambda: read_query(wire)) < 10 * number


@pytest.mark.parametrize("number", [500, 2000, 4000])
def test_two_thousand_records_are_read_in_linear_time(number: int) -> None:
    """BIND, CVE-2024-1737; PowerDNS, CVE-2024-25590."""
    addresses = [record(TO_QUESTION, rdtypes.A, i.to_bytes(4)) for i in range(number)]
    wire = reply(*addresses)
    assert len(read_response(wire, QUESTION).answer[0].rdatas) == number
    assert calls(lambda: read_response(wire, QUESTION)) < 20 * number


RECORDS = tuple(record(TO_QUESTION, 1000 + i % 500, i.to_bytes(2)) for i in range(1000))


@pytest.mark.parametrize(
    "wire",
    [reply(*RECORDS), reply(authority=RECORDS), reply(additional=RECORDS)],
    ids=["answer", "authority", "additional"],
)
def test_a_long_reply_is_read_in_short_steps(wire: bytes) -> None:
    number = len(list(read_in_steps(wire, QUESTION)))
    assert number >= 1000 // STEP
    steps = read_in_steps(wire, QUESTION)
    assert all(calls(lambda: next(steps, None)) < 20 * STEP for _ in range(number + 1))


@pytest.mark.parametrize("number", [500, 2000, 4000])
def test_two_thousand_orphaned_signatures_are_read_in_linear_time(number: int) -> None:
    signatures = [i.to_bytes(2) + bytes(17) for i in range(number // 2)]
    wire = reply(*(record(TO_QUESTION, rdtypes.RRSIG, rdata) for rdata in signatures[:MOST_SETS]))
    assert read_response(wire, QUESTION).answer[0].rdatas == tuple(signatures[:MOST_SETS])
    signatures = [bytes(2) + i.to_bytes(2) + bytes(15) for i in range(number)]
    wire = reply(*(record(TO_QUESTION, rdtypes.RRSIG, rdata) for rdata in signatures))
    assert read_response(wire, QUESTION).answer[0].rdatas == tuple(signatures)
    assert calls(lambda: read_response(wire, QUESTION)) < 20 * number


def test_a_section_has_so_many_sets_and_not_one_more() -> None:
    sets = [record(TO_QUESTION, 1000 + i, b"") for i in range(MOST_SETS)]
    response = read_response(reply(*sets, authority=tuple(sets)), QUESTION)
    assert len(response.answer) == len(response.authority) == MOST_SETS
    signature = record(TO_QUESTION, rdtypes.RRSIG, bytes(19))
    for one_more in (record(TO_QUESTION, 999, b""), signature):
        with pytest.raises(FormError, match="too many RRsets"):
            read_response(reply(*sets, one_more), QUESTION)


def test_names_written_out_are_no_longer_than_two_replies() -> None:
    """A pointer of two octets stands for a name of 255."""
    name = (b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"b" * 61 + names.ROOT
    first = record(TO_QUESTION, rdtypes.MX, bytes(2) + name)
    room = MOST_OCTETS - 2 - len(name)
    target = (len(reply()) + 14).to_bytes(2)
    pointers = [
        record(TO_QUESTION, rdtypes.MX, (i + 1).to_bytes(2) + bytes((0xC0 | target[0], target[1])))
        for i in range(room // (2 + len(name)) + 1)
    ]
    assert len(read_response(reply(first, *pointers[:-1]), QUESTION).answer[0].rdatas) > 500
    with pytest.raises(FormError, match="too many octets"):
        read_response(reply(first, *pointers), QUESTION)


@pytest.mark.parametrize(
    ("wire", "number"),
    [(b"", 0), (bytes(11), 0), (reply(), 0), (reply(A_RECORD, authority=(A_RECORD,)), 2)],
)
def test_the_records_of_a_reply_are_counted_unread(wire: bytes, number: int) -> None:
    assert record_count(wire) == number


def test_records_for_which_there_is_no_room_do_not_count() -> None:
    wire = reply(A_RECORD)
    lying = wire[:6] + b"\xff\xff" * 3 + wire[12:]
    assert record_count(lying) == len(wire) // 11
