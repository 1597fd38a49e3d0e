"""One Answer for every client: what each combination of flags and statuses shows of it."""

from collections.abc import Callable
from itertools import product

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset
import pytest
from msgspec.structs import replace

from anchord.model import names, rcodes, rdtypes
from anchord.model.ede import Ede, EdeCode
from anchord.model.question import Question
from anchord.model.response import RRset
from anchord.model.verdict import Answer, Checked, Flaw, Status, Verdict
from anchord.resolver.reply import extended_errors, render
from anchord.wire.message import Query, read_query
from anchord.wire.options import LONGEST_TEXT, MOST_EDES

WWW = names.from_text("www.example.")
ZONE = names.from_text("example.")
FUTURE = "20380101000000 20200101000000 12345 example. c2lnbmF0dXJl"


def rdata(rdtype: int, text: str) -> bytes:
    return dns.rdata.from_text("IN", rdtypes.to_text(rdtype), text).to_wire() or b""


def rrset(name: bytes, rdtype: int, *texts: str) -> RRset:
    signature = f"{rdtypes.to_text(rdtype)} 13 2 300 {FUTURE}"
    return RRset(
        name=name,
        rdtype=rdtype,
        ttl=300,
        rdatas=tuple(rdata(rdtype, text) for text in texts),
        signatures=(rdata(rdtypes.RRSIG, signature),),
        signature_ttl=300,
    )


ADDRESS = rrset(WWW, rdtypes.A, "192.0.2.1", "192.0.2.2")
SOA = rrset(ZONE, rdtypes.SOA, "ns.example. root.example. 1 3600 600 86400 300")
NSEC = rrset(ZONE, rdtypes.NSEC, "www.example. NS SOA RRSIG NSEC DNSKEY")
EXPIRED = Flaw(EdeCode.SIGNATURE_EXPIRED, "example.: the signature expired", ZONE)
EXPIRED_TEXT = f"{EXPIRED.text}; the zone's operator must sign it again"
UNFETCHED = Flaw(EdeCode.DNSSEC_INDETERMINATE, "example.: DNSKEY could not be had", ZONE)
UNSUPPORTED = Flaw(EdeCode.UNSUPPORTED_DNSKEY_ALGORITHM, "example.: algorithm 3", ZONE)
OUTSIDE = Flaw(EdeCode.DNSSEC_INDETERMINATE, "no trust anchor above www.example.", WWW)
FLAWS = {
    Status.SECURE: (),
    Status.INSECURE: (UNSUPPORTED,),
    Status.INDETERMINATE: (OUTSIDE,),
    Status.UNOBTAINABLE: (UNFETCHED,),
    Status.BOGUS: (EXPIRED,),
}


def checked(status: Status, *rrsets: RRset) -> tuple[Checked, ...]:
    return tuple(Checked(each, status) for each in rrsets)


def positive(status: Status) -> Answer:
    """The address of www.example., with the proof that a wildcard answer would bring along."""
    return Answer(
        question=Question(WWW, rdtypes.A),
        rcode=rcodes.NOERROR,
        answer=checked(status, ADDRESS),
        authority=checked(status, NSEC),
        verdict=Verdict(status, FLAWS[status]),
        ttl=300,
    )


def negative(status: Status) -> Answer:
    """No such name."""
    return replace(
        positive(status),
        rcode=rcodes.NXDOMAIN,
        answer=(),
        authority=checked(status, SOA, NSEC),
    )


def query(
    name: str = "www.example.",
    rdtype: str = "A",
    *,
    dnssec_ok: bool = False,
    authentic_data: bool = False,
    checking_disabled: bool = False,
    compact_ok: bool = False,
    edns: bool = True,
    recursion_desired: bool = True,
) -> Query:
    """A client's query, made by dnspython and read by anchord."""
    message = dns.message.make_query(name, rdtype, use_edns=0 if edns else -1)
    message.flags = dns.flags.Flag(
        (dns.flags.RD if recursion_desired else 0)
        | (dns.flags.AD if authentic_data else 0)
        | (dns.flags.CD if checking_disabled else 0)
    )
    if edns:
        message.ednsflags = (0x8000 if dnssec_ok else 0) | (0x4000 if compact_ok else 0)
    read = read_query(message.to_wire())
    assert isinstance(read, Query)
    return read


def rendered(answer: Answer, asked: Query, *, limit: int = 1232) -> dns.message.Message:
    wire = render(answer, asked, limit=limit)
    assert len(wire) <= limit
    reply = dns.message.from_wire(wire)
    assert reply.id == asked.id
    assert reply.flags & dns.flags.QR
    assert reply.flags & dns.flags.RA
    assert not reply.flags & dns.flags.AA
    return reply


def types(section: list[dns.rrset.RRset]) -> list[str]:
    return [dns.rdatatype.to_text(each.rdtype) for each in section]


def errors(reply: dns.message.Message) -> list[tuple[int, str | None]]:
    return [
        (int(option.code), option.text)
        for option in reply.options
        if isinstance(option, dns.edns.EDEOption)
    ]


FLAGS = list(product((False, True), repeat=3))


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize(("dnssec_ok", "authentic_data", "checking_disabled"), FLAGS)
@pytest.mark.parametrize("answer_of", [positive, negative])
def test_each_flag_combination_sees_its_rendering_of_one_answer(
    answer_of: Callable[[Status], Answer],
    status: Status,
    dnssec_ok: bool,
    authentic_data: bool,
    checking_disabled: bool,
) -> None:
    asked = query(
        dnssec_ok=dnssec_ok, authentic_data=authentic_data, checking_disabled=checking_disabled
    )
    answer = answer_of(status)
    reply = rendered(answer, asked)

    failed = status in {Status.BOGUS, Status.UNOBTAINABLE}
    withheld = failed and not checking_disabled
    assert reply.rcode() == (dns.rcode.SERVFAIL if withheld else answer.rcode)
    assert bool(reply.flags & dns.flags.AD) == (
        status is Status.SECURE and (dnssec_ok or authentic_data)
    )
    assert bool(reply.flags & dns.flags.CD) == checking_disabled
    assert bool(reply.ednsflags & dns.flags.DO) == dnssec_ok
    assert errors(reply) == [(ede.code, ede.text) for ede in extended_errors(answer)]
    assert [code for code, _ in errors(reply)] == [flaw.code for flaw in FLAWS[status]]
    if withheld:
        assert types(reply.answer) == types(reply.authority) == []
    elif answer_of is positive:
        assert types(reply.answer) == (["A", "RRSIG"] if dnssec_ok else ["A"])
        assert types(reply.authority) == (["NSEC", "RRSIG"] if dnssec_ok else [])
    else:
        assert types(reply.answer) == []
        assert types(reply.authority) == (
            ["SOA", "RRSIG", "NSEC", "RRSIG"] if dnssec_ok else ["SOA"]
        )


@pytest.mark.parametrize("status", Status)
def test_a_client_without_edns_gets_neither_opt_nor_reasons(status: Status) -> None:
    reply = rendered(positive(status), query(edns=False), limit=512)
    assert reply.edns == -1
    assert not reply.options
    assert reply.rcode() == (dns.rcode.SERVFAIL if status.is_failure else dns.rcode.NOERROR)


@pytest.mark.parametrize("recursion_desired", [False, True])
def test_rd_is_echoed(recursion_desired: bool) -> None:
    reply = rendered(positive(Status.SECURE), query(recursion_desired=recursion_desired))
    assert bool(reply.flags & dns.flags.RD) == recursion_desired


def test_the_question_is_echoed_in_the_spelling_that_was_asked_and_so_are_owners() -> None:
    wire = render(positive(Status.SECURE), query("wWw.eXaMpLe."), limit=1232)
    reply = dns.message.from_wire(wire)
    assert reply.question[0].name.to_text() == "wWw.eXaMpLe."
    assert reply.answer[0].name.to_text() == "wWw.eXaMpLe."
    assert wire.lower().count(b"\x07example") == 1


@pytest.mark.parametrize("weak", [Status.INSECURE, Status.INDETERMINATE])
def test_one_record_set_that_is_not_secure_takes_ad_from_a_secure_answer(weak: Status) -> None:
    secure = replace(negative(Status.SECURE), answer=checked(Status.SECURE, ADDRESS))
    asked = query(dnssec_ok=True)
    assert rendered(secure, asked).flags & dns.flags.AD
    extra = Checked(SOA, weak)
    for mixed in (
        replace(secure, answer=(*secure.answer, extra)),
        replace(secure, authority=(*secure.authority, extra)),
    ):
        assert not rendered(mixed, asked).flags & dns.flags.AD


def test_a_set_that_is_not_shown_does_not_take_ad() -> None:
    answer = replace(positive(Status.SECURE), authority=checked(Status.INSECURE, NSEC))
    assert rendered(answer, query(authentic_data=True)).flags & dns.flags.AD


@pytest.mark.parametrize("rdtype", ["NSEC", "NSEC3", "RRSIG"])
def test_a_dnssec_type_that_is_asked_for_is_answered_without_do(rdtype: str) -> None:
    number = rdtypes.from_text(rdtype)
    text = {
        "NSEC": "www.example. A",
        "NSEC3": "1 0 0 - 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR A",
        "RRSIG": f"A 13 2 300 {FUTURE}",
    }[rdtype]
    answer = replace(
        positive(Status.INSECURE),
        question=Question(WWW, number),
        answer=checked(Status.INSECURE, rrset(WWW, number, text)),
    )
    reply = rendered(answer, query(rdtype=rdtype))
    assert types(reply.answer) == [rdtype]
    assert types(reply.authority) == []


def test_any_is_no_request_for_dnssec_records() -> None:
    answer = replace(
        positive(Status.SECURE),
        question=Question(WWW, rdtypes.ANY),
        answer=checked(Status.SECURE, ADDRESS, rrset(WWW, rdtypes.NSEC, "a.example. A")),
    )
    assert types(rendered(answer, query(rdtype="ANY")).answer) == ["A"]
    assert types(rendered(answer, query(rdtype="ANY", dnssec_ok=True)).answer) == [
        "A",
        "RRSIG",
        "NSEC",
        "RRSIG",
    ]


@pytest.mark.parametrize("compact_ok", [False, True])
@pytest.mark.parametrize("rcode", [rcodes.NOERROR, rcodes.NXDOMAIN])
def test_a_compact_denial_is_nxdomain_for_clients_that_say_compact_ok_only(
    compact_ok: bool, rcode: int
) -> None:
    answer = replace(negative(Status.SECURE), rcode=rcode, nxname=True)
    reply = rendered(answer, query(dnssec_ok=True, compact_ok=compact_ok))
    assert reply.rcode() == (dns.rcode.NXDOMAIN if compact_ok else dns.rcode.NOERROR)
    assert bool(reply.ednsflags & 0x4000) == compact_ok
    assert reply.flags & dns.flags.AD


def test_compact_ok_changes_no_ordinary_denial() -> None:
    assert rendered(negative(Status.SECURE), query(compact_ok=True)).rcode() == dns.rcode.NXDOMAIN


def test_flaws_come_before_other_reasons_and_none_is_said_twice() -> None:
    answer = replace(
        positive(Status.BOGUS),
        edes=(Ede(22, "from one: refused"), EXPIRED.ede, Ede(13)),
    )
    assert extended_errors(answer) == (Ede(7, EXPIRED_TEXT), Ede(22, "from one: refused"), Ede(13))
    assert [code for code, _ in errors(rendered(answer, query()))] == [7, 22, 13]


def test_a_remedy_goes_where_it_does_not_fit() -> None:
    text = "a" * (LONGEST_TEXT - 10)
    flaw = replace(EXPIRED, text=text)
    answer = replace(positive(Status.BOGUS), verdict=Verdict(Status.BOGUS, (flaw,)))
    assert extended_errors(answer) == (Ede(7, text),)


def test_one_code_with_two_texts_is_two_reasons() -> None:
    answer = replace(positive(Status.SECURE), edes=(Ede(22, "one"), Ede(22, "another")))
    assert len(extended_errors(answer)) == 2


def test_no_more_reasons_than_the_limit_and_the_last_ones_go() -> None:
    answer = replace(positive(Status.BOGUS), edes=tuple(Ede(22, str(n)) for n in range(MOST_EDES)))
    reply = rendered(answer, query())
    assert len(errors(reply)) == MOST_EDES
    assert errors(reply)[0] == (EXPIRED.code, EXPIRED_TEXT)
    assert errors(reply)[-1] == (22, str(MOST_EDES - 2))


@pytest.mark.parametrize(
    ("codes", "told"),
    [
        ((7, 22, 15, 13), [7, 22, 13]),
        ((12, 6, 15, 13), [12, 15, 13]),
        ((12, 6, 6, 22, 13), [12, 22, 13]),
        ((6, 6, 22, 23), [6, 22, 23]),
        ((6, 6, 6, 6), [6, 6, 6]),
        ((7, 13, 22, 23), [7, 13, 22]),
    ],
)
def test_the_least_telling_reasons_go_but_a_remembered_failure_is_told(
    codes: tuple[int, ...], told: list[int]
) -> None:
    edes = tuple(Ede(code, str(number)) for number, code in enumerate(codes))
    answer = replace(positive(Status.INSECURE), verdict=Verdict(Status.BOGUS), edes=edes)
    assert [ede.code for ede in extended_errors(answer)] == told


def test_reasons_make_room_before_records_do_and_the_first_goes_last() -> None:
    long = "a" * LONGEST_TEXT
    answer = replace(
        positive(Status.INSECURE),
        question=Question(WWW, rdtypes.TXT),
        answer=checked(Status.INSECURE, rrset(WWW, rdtypes.TXT, "1" * 250, "2" * 250)),
        edes=(Ede(22, long), Ede(23, long)),
    )
    asked = query(rdtype="TXT")
    seen = []
    for limit in range(1232, 511, -1):
        reply = rendered(answer, asked, limit=limit)
        codes = tuple(code for code, _ in errors(reply))
        is_told_why = any(text for _, text in errors(reply))
        seen.append((bool(reply.flags & dns.flags.TC), codes, is_told_why))
    assert list(dict.fromkeys(seen)) == [
        (False, (1, 22, 23), True),
        (False, (1, 22, 23), False),
        (False, (1,), False),
        (True, (), False),
        (True, (1, 22, 23), True),
    ]


def test_three_long_reasons_with_a_long_name_fit_a_failure_of_512_octets() -> None:
    """Unbound, CVE-2024-1931: there it was trimmed for ever."""
    label = "a" * 63
    name = f"{label}.{label}.{label}.example."
    answer = replace(
        positive(Status.BOGUS),
        question=Question(names.from_text(name), rdtypes.A),
        edes=(Ede(22, "x" * LONGEST_TEXT), Ede(23, "y" * LONGEST_TEXT)),
    )
    reply = rendered(answer, query(name), limit=512)
    assert not reply.flags & dns.flags.TC
    assert [code for code, _ in errors(reply)] == [7, 22, 23]


def test_an_answer_too_long_for_its_way_is_truncated_and_keeps_the_question() -> None:
    texts = [f"{'t' * 200}{n}" for n in range(20)]
    answer = replace(
        positive(Status.SECURE),
        question=Question(WWW, rdtypes.TXT),
        answer=checked(Status.SECURE, rrset(WWW, rdtypes.TXT, *texts)),
    )
    reply = rendered(answer, query(rdtype="TXT"))
    assert reply.flags & dns.flags.TC
    assert not reply.answer
    assert reply.question[0].name.to_text() == "www.example."
    assert len(rendered(answer, query(rdtype="TXT"), limit=65535).answer[0]) == 20


def test_options_of_the_transport_go_to_clients_that_speak_edns() -> None:
    keepalive = b"\x00\x0b\x00\x02\x00\x64"
    with_edns = render(positive(Status.SECURE), query(), limit=1232, options=keepalive)
    without = render(positive(Status.SECURE), query(edns=False), limit=1232, options=keepalive)
    assert keepalive in with_edns
    assert keepalive not in without
