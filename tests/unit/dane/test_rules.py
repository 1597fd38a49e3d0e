"""The rules of DANE, by their numbers in `docs/dane.md`.

The lab's table shows most of them; here are the others, and what must be true beside its results.
"""

import re
import ssl
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from anchord.dane import names as dane_names
from anchord.dane import tlsa
from anchord.dane.certificate import Certificate
from anchord.dane.check import Request
from anchord.dane.handshake import Keys, client_context
from anchord.dane.lookup import Found, failure_of, find
from anchord.dane.match import Judgement, judge
from anchord.dane.pkix import Trust
from anchord.dane.results import Policy, Result
from anchord.dane.smtp import check_domain
from anchord.dane.srv import check_srv
from anchord.dane.tlsa import Tlsa
from anchord.lab.chains import CHAINS, Chain, record_of, records_of
from anchord.lab.dane_table import MAIL, SCENARIOS
from anchord.lab.plan import Plan
from anchord.lab.servers import serve_plain
from anchord.lab.services import Service as LabService
from anchord.lab.services import context_of, start_service
from anchord.model import names, rdtypes
from anchord.model.question import ClientFlags, Question
from anchord.upstream.build import build_upstreams
from anchord.upstream.url import parse
from support.dane import (
    LIMITS,
    NO_TRUST,
    WorldUpstream,
    checker_over,
    resolver_over,
    service,
    world_of_now,
)
from support.programs import skip_unless_bindable

from .conftest import Results

HOST = "host.z.lab"


def judged(chain: Chain, records: str, *, name: str = HOST, is_mail: bool = False) -> Judgement:
    return judge(
        [Certificate(der) for der in chain.ders],
        records_of(records, chain),
        names=[name],
        now=datetime.now(UTC),
        trust=None,
        is_mail=is_mail,
    )


def zone(records: str, faults: str = "", name: str = "z.lab", *, signed: bool = True) -> Plan:
    return Plan(name, "a test", records=records, faults=faults, algorithms=(13,) if signed else ())


async def found_in(*plans: Plan, host: str = HOST, port: int = 443) -> Found:
    async with checker_over(*plans) as checker:
        return await find(checker.resolver, service(host, port))


RECORD = Tlsa(3, 1, 1, bytes(32))


# ------------ Look-up ------------


def test_rule_01_the_owner_of_the_records_is_made_of_port_protocol_and_base() -> None:
    base = dane_names.host_from_text("www.example")
    assert names.to_text(dane_names.tlsa_owner(base, 443, "tcp")) == "_443._tcp.www.example."
    assert names.to_text(dane_names.tlsa_owner(base, 853, "quic")) == "_853._quic.www.example."
    with pytest.raises(ValueError, match="255"):
        dane_names.tlsa_owner(names.from_text(".".join(["a" * 61] * 4)), 443, "tcp")


async def test_rule_01_records_of_another_protocol_are_other_records() -> None:
    plan = zone(f"host A 127.0.0.1\n_53._udp.host TLSA {RECORD}")
    async with checker_over(plan) as checker:
        udp = await find(checker.resolver, service(HOST, 53, "udp"))
        tcp = await find(checker.resolver, service(HOST, 53, "tcp"))
    assert (udp.outcome, udp.records) == (None, (RECORD,))
    assert tcp.outcome is Result.NO_TLSA


@pytest.mark.parametrize("host", ["forged", "stripped", "silent"])
def test_rule_03_nothing_is_connected_to_where_the_look_up_fails(
    results: Results, host: str
) -> None:
    check = results.checks[host]
    assert check.addresses == ()
    assert check.chain == ()
    assert check.extended_dns_errors


@pytest.mark.parametrize("signed", [True, False])
async def test_rule_03_only_success_and_proven_absence_are_answers(*, signed: bool) -> None:
    async with checker_over(zone("host A 127.0.0.1", signed=signed)) as checker:
        answer = await checker.resolver.resolve(
            Question(names.from_text(HOST), rdtypes.A), ClientFlags(dnssec_ok=True)
        )
    outcomes = {code: failure_of(replace(answer, rcode=code)) for code in range(24)}
    assert [code for code, outcome in outcomes.items() if outcome is None] == [0, 3]
    assert set(outcomes.values()) == {None, Result.UNREACHABLE}


async def test_rule_05_an_unsigned_host_is_not_asked_for_tlsa() -> None:
    """The servers of many unsigned zones fail on that question, and the host must stay in use."""
    plan = zone("host A 127.0.0.1", "unanswered TLSA _443._tcp.host", signed=False)
    upstream = WorldUpstream(world_of_now(plan))
    async with checker_over(plan, upstream=upstream) as checker:
        found = await find(checker.resolver, service(HOST))
    assert found.outcome is Result.INSECURE
    assert not [question for question in upstream.asked if "TLSA" in question]


async def test_rule_06_the_broken_family_is_told_and_the_other_one_serves() -> None:
    plan = zone(f"host AAAA ::1\nhost A 127.0.0.1\n_443._tcp.host TLSA {RECORD}", "forged A")
    found = await found_in(plan)
    assert found.outcome is None
    assert found.host.addresses == ("::1",)
    assert "the A look-up fails" in found.warnings[0]


async def test_rule_06_both_families_broken_is_bogus() -> None:
    plan = zone("host AAAA ::1\nhost A 127.0.0.1", "forged A AAAA")
    assert (await found_in(plan)).outcome is Result.BOGUS


def test_rule_07_the_base_domain_is_the_end_of_a_secure_alias(results: Results) -> None:
    assert results.checks["alias"].base_domain == "alias-end.tls.lab"
    assert results.checks["origin"].base_domain == "origin.tls.lab"
    assert results.checks["into-unsigned"].base_domain == "into-unsigned.tls.lab"


async def test_rule_08_an_alias_into_an_unsigned_zone_has_its_own_records_only() -> None:
    there = zone(f"end A 127.0.0.1\n_443._tcp.end TLSA {RECORD}", name="u.lab", signed=False)
    found = await found_in(zone("host CNAME end.u.lab."), there)
    assert (found.outcome, found.host.bases) == (Result.NO_TLSA, (names.from_text(HOST),))


async def test_rule_09_a_look_up_that_fails_at_the_first_base_ends_the_search() -> None:
    plan = zone(
        f"host CNAME end\nend A 127.0.0.1\n_443._tcp.host TLSA {RECORD}\n"
        f"_443._tcp.end TLSA {RECORD}",
        "unanswered TLSA _443._tcp.end",
    )
    assert (await found_in(plan)).outcome is Result.UNREACHABLE


async def test_rule_09_a_first_set_of_which_nothing_can_be_used_decides_as_well() -> None:
    plan = zone(
        f"host CNAME end\nend A 127.0.0.1\n_443._tcp.host TLSA {RECORD}\n"
        "_443._tcp.end TLSA 9 9 9 aa"
    )
    found = await found_in(plan)
    assert (found.outcome, found.base) == (None, names.from_text("end.z.lab"))


def test_rule_10_an_alias_at_the_records_does_not_change_the_base(results: Results) -> None:
    assert results.checks["shared"].base_domain == "shared.tls.lab"
    assert results.checks["shared"].addresses[0].sni == "shared.tls.lab"


async def test_rule_12_a_set_that_no_datagram_holds_comes_over_tcp() -> None:
    lines = "\n".join(f"_443._tcp.host TLSA 3 1 1 {number:064x}" for number in range(100))
    world = world_of_now(zone(f"host A 127.0.0.1\n{lines}"))
    async with serve_plain(world.reply) as port, trio.open_nursery() as nursery:
        endpoint = parse(f"udp://127.0.0.1:{port}")
        upstreams = build_upstreams([endpoint], nursery, allow_plaintext=True)
        async with resolver_over(world, upstreams) as resolver:
            found = await find(resolver, service(HOST))
        nursery.cancel_scope.cancel()
    assert len(found.records) == 100
    assert any("100 records" in warning for warning in found.warnings)


def test_rule_13_an_unsupported_algorithm_is_told_and_is_not_bogus(results: Results) -> None:
    check = results.checks["unsupported"]
    assert check.result is Result.INSECURE
    assert any("DANE does not apply" in warning for warning in check.warnings)


async def test_rule_14_an_upstream_that_claims_authenticity_proves_nothing() -> None:
    plan = zone(f"host A 127.0.0.1\n_443._tcp.host TLSA {RECORD}", "forged TLSA")
    upstream = WorldUpstream(world_of_now(plan), claims_authentic=True)
    async with checker_over(plan, upstream=upstream) as checker:
        found = await find(checker.resolver, service(HOST))
    assert found.outcome is Result.BOGUS


@pytest.mark.parametrize(("address", "records"), [(60, 300), (300, 60)])
async def test_rule_15_a_verdict_lives_as_long_as_the_shortest_ttl(
    address: int, records: int
) -> None:
    plan = zone(f"host {address} A 127.0.0.1\n_443._tcp.host {records} TLSA {RECORD}")
    found = await found_in(plan)
    assert 0 < found.ttl <= 60


@pytest.mark.parametrize("rdtype", ["A", "TLSA", "DNSKEY"])
async def test_rule_15_a_verdict_ends_with_the_first_signature_that_it_rests_on(
    rdtype: str,
) -> None:
    plan = zone(f"host A 127.0.0.1\n_443._tcp.host TLSA {RECORD}", f"expires-in 40 {rdtype}")
    found = await found_in(plan)
    assert found.outcome is None
    assert 0 < found.ttl <= 40


def test_rule_16_a_host_is_one_name_however_it_is_written() -> None:
    one = dane_names.host_from_text("bücher.example")
    assert one == dane_names.host_from_text("XN--Bcher-KVA.Example.")
    assert dane_names.to_host(one) == "xn--bcher-kva.example"


@pytest.mark.parametrize("text", ["192.0.2.1", "[2001:db8::1]", "2001:db8::1", ".", "", "a..b"])
def test_rule_16_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        dane_names.host_from_text(text)


# ------------ Which records are usable ------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("4 1 1 leaf", "usage 4"),
        ("255 1 1 leaf", "usage 255"),
        ("3 2 1 leaf", "selector 2"),
        ("3 1 3 leaf", "matching type 3"),
        ("3 1 1 aabb", "32 octets, not 2"),
        ("3 1 2 aabb", "64 octets, not 2"),
        ("3 0 0 aabb", "no certificate"),
        ("3 1 0 aabb", "no public key"),
        ("3 0 0 -", "no certificate"),
        ("3 1 0 3003020100", "no public key"),
    ],
)
def test_rule_17_and_19_a_record_that_cannot_be_used_says_why(text: str, reason: str) -> None:
    chain = CHAINS["self-signed"](HOST)
    assert reason in tlsa.unusable_because(record_of(text, chain))


def test_rule_17_nothing_may_follow_the_certificate_in_a_record() -> None:
    chain = CHAINS["good"](HOST)
    assert "follows" in tlsa.unusable_because(Tlsa(3, 0, 0, chain.leaf.der + b"\0"))
    assert tlsa.unusable_because(Tlsa(3, 0, 0, chain.leaf.der)) == ""
    assert tlsa.unusable_because(Tlsa(3, 1, 0, chain.leaf.spki)) == ""


async def test_rule_18_a_record_that_is_no_tlsa_record_at_all_spoils_nothing() -> None:
    plan = zone(f"host A 127.0.0.1\n_443._tcp.host TLSA {RECORD}\n_443._tcp.host TYPE52 \\# 1 03")
    found = await found_in(plan)
    assert found.records == (RECORD,)
    assert any("1 octets" in warning for warning in found.warnings)


def test_rule_18_an_unusable_digest_has_no_part_in_agility() -> None:
    judgement = judged(CHAINS["good"](HOST), "3 1 2 aabb; 3 1 1 leaf")
    assert judgement.fit is not None
    assert judgement.fit.index == 1


def test_rule_20_and_63_unusable_records_in_mail_are_told_in_the_words_of_tlsrpt(
    results: Results,
) -> None:
    assert results.checks["smtp-pkix"].failure == "tlsa-invalid"


def test_rule_23_who_published_the_ignored_record_is_told(results: Results) -> None:
    warnings = " ".join(results.checks["agility"].warnings)
    assert "would fit, but a client that knows SHA-512 must ignore it" in warnings


def test_rule_24_a_record_that_comes_twice_counts_once() -> None:
    judgement = judged(CHAINS["good"](HOST), "3 1 1 leaf; 3 1 1 leaf")
    assert judgement.fit is not None
    assert judgement.fit.index == 0


# ------------ Matching ------------


@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("matching", [0, 1, 2])
def test_rule_25_a_record_is_about_the_octets_as_they_are_presented(
    selector: int, matching: int
) -> None:
    chain = CHAINS["good"](HOST)
    record = record_of(f"3 {selector} {matching} leaf", chain)
    whole = chain.leaf.spki if selector else chain.leaf.der
    assert record.covers(whole)
    assert not record.covers(whole + b"\0")


def test_rule_27_a_certificate_that_no_reader_accepts_still_fits_by_its_octets() -> None:
    chain = CHAINS["good"](HOST)
    odd = _with_negative_serial(chain.leaf.der)
    certificate = Certificate(odd)
    for text in (record_of_octets(0, odd), record_of_octets(1, certificate.spki)):
        judgement = judge(
            [certificate], [text], names=[HOST], now=datetime.now(UTC), trust=NO_TRUST
        )
        assert judgement.fit is not None
    assert certificate.spki == chain.leaf.spki


def record_of_octets(selector: int, octets: bytes) -> Tlsa:
    return Tlsa(3, selector, 0, octets)


def _with_negative_serial(der: bytes) -> bytes:
    """The certificate with its serial number's first bit set (RFC 5280 section 4.1.2.2)."""
    at = der.index(b"\xa0\x03\x02\x01\x02\x02") + 7
    return der[:at] + bytes((der[at] | 0x80,)) + der[at + 1 :]


def test_rule_28_a_bare_public_key_fits_by_the_key_alone() -> None:
    chain = CHAINS["good"](HOST)
    bare = [Certificate(b"", chain.leaf.spki)]

    def fits(text: str) -> bool:
        records = records_of(text, chain)
        found = judge(bare, records, names=[HOST], now=datetime.now(UTC), trust=NO_TRUST)
        return found.fit is not None

    assert fits("3 1 1 leaf")
    assert not fits("3 0 1 leaf")
    assert not fits("3 0 1 nothing")
    assert not fits("2 1 1 root")


def test_rule_29_what_other_clients_will_object_to_is_told(results: Results) -> None:
    for host in ("ee-expired", "ee-other-name", "ee-nobody"):
        assert any("other clients" in text for text in results.checks[host].warnings), host
    assert not results.checks["ee"].warnings


def test_rule_32_a_root_of_this_machine_makes_no_difference_to_usage_2() -> None:
    chain = CHAINS["without-root"](HOST)
    judgement = judge(
        [Certificate(der) for der in chain.ders],
        records_of("2 1 1 root", chain),
        names=[HOST],
        now=datetime.now(UTC),
        trust=Trust([chain.parts["root"].certificate], "a test"),
    )
    assert judgement.fit is None


def test_rule_34_names_and_dates_count_below_a_bare_key_as_well() -> None:
    for kind in ("other-name", "expired"):
        assert judged(CHAINS[kind](HOST), "2 1 0 issuer").fit is None, kind
    assert judged(CHAINS["good"](HOST), "2 1 0 issuer").fit is not None


def test_rule_37_not_even_a_self_signed_certificate_is_its_own_trust_anchor() -> None:
    chain = CHAINS["stapled"](HOST)
    twice = Chain((chain.leaf, chain.leaf), chain.parts)
    for text in ("2 0 1 leaf", "2 1 1 leaf", "2 0 0 leaf"):
        assert judged(twice, text).fit is None, text


def test_rule_41_of_several_that_fit_the_highest_usage_is_told(results: Results) -> None:
    chain = CHAINS["good"](HOST)
    judgement = judged(chain, "2 1 1 root; 2 1 1 issuer; 3 1 1 leaf")
    assert judgement.fit is not None
    assert (judgement.fit.index, judgement.fit.depth) == (2, 0)
    mixed = results.checks["mixed"].matched
    assert mixed is not None
    assert (mixed.index, mixed.depth) == (1, 2)


def test_rule_42_the_host_itself_is_a_name_as_good_as_its_base() -> None:
    root = CHAINS["good"]("alias.z.lab")
    found = judge(
        [Certificate(der) for der in root.ders],
        records_of("2 1 1 root", root),
        names=["end.z.lab", "alias.z.lab"],
        now=datetime.now(UTC),
        trust=None,
    )
    assert found.fit is not None


@pytest.mark.parametrize(
    ("presented", "reference", "is_it"),
    [
        ("www.example.org", "www.example.org", True),
        ("WWW.Example.Org", "www.example.org", True),
        ("www.example.org.", "www.example.org", True),
        ("*.example.org", "www.example.org", True),
        ("*.example.org", "example.org", False),
        ("*.example.org", "a.www.example.org", False),
        ("w*.example.org", "www.example.org", False),
        ("*w.example.org", "www.example.org", False),
        ("www.*.org", "www.example.org", False),
        ("*.org", "example.org", False),
        ("*", "org", False),
        ("*.*.org", "www.example.org", False),
        ("", "", False),
        ("www.example.org", "www.example.com", False),
    ],
)
def test_rule_43_a_wildcard_is_one_whole_label(
    presented: str, reference: str, *, is_it: bool
) -> None:
    assert dane_names.stands_for(presented, reference) is is_it


# ------------ TLS and connections ------------


def test_rule_44_the_name_for_tls_is_the_base_domain(results: Results) -> None:
    assert results.checks["alias"].addresses[0].sni == "alias-end.tls.lab"
    assert results.checks["unsigned"].addresses[0].sni == "unsigned.tls-unsigned.lab"


def test_rule_45_a_refused_handshake_is_not_a_mismatch(results: Results) -> None:
    check = results.checks["alerts"]
    assert check.result is Result.UNREACHABLE
    assert "refuses the TLS handshake" in check.reason


def test_rule_46_the_chain_is_told_as_it_was_presented(results: Results) -> None:
    shown = [certificate.subject for certificate in results.checks["ta-strangers"].chain]
    assert shown == [
        "ta-strangers.tls.lab",
        "Stranger 0",
        "Issuer of the Lab",
        "Stranger 1",
        "Root of the Lab",
    ]


async def test_rule_46_the_second_connection_brings_the_chain_as_the_first_one_does() -> None:
    async with trio.open_nursery() as nursery:
        chain = CHAINS["good"](HOST)
        port = await start_service(nursery, LabService(chain, {}))
        plan = zone(f"host A 127.0.0.1\n_{port}._tcp.host TLSA {record_of('3 1 1 leaf', chain)}")
        async with checker_over(plan) as checker:
            request = Request(service(HOST, port))
            first, second = await checker.check(request), await checker.check(request)
        nursery.cancel_scope.cancel()
    assert len(first.chain) == 3
    assert first.chain == second.chain


def test_rule_47_nobody_is_offered_a_connection_without_a_certificate() -> None:
    for keys in Keys:
        ciphers = client_context(keys).get_ciphers()
        assert ciphers
        assert not [one["name"] for one in ciphers if one["auth"] in ("auth-null", "auth-psk")]


async def _two_addresses(second: str) -> Result:
    """The result for a host whose second address presents the chain of that name, or nothing."""
    async with trio.open_nursery() as nursery:
        chain = CHAINS["good"](HOST)
        port = await start_service(nursery, LabService(chain, {}))
        if second:
            other = chain if second == "good" else CHAINS[second](HOST)
            await start_service(nursery, LabService(other, {}), address="127.0.0.2", port=port)
        plan = zone(
            f"host A 127.0.0.1\nhost A 127.0.0.2\n"
            f"_{port}._tcp.host TLSA {record_of('3 1 1 leaf', chain)}"
        )
        async with checker_over(plan) as checker:
            check = await checker.check(Request(service(HOST, port)))
        nursery.cancel_scope.cancel()
    assert {one.address for one in check.addresses} == {"127.0.0.1", "127.0.0.2"}
    if check.result is Result.MATCH and not second:
        assert any("127.0.0.2 could not be judged" in text for text in check.warnings)
    return check.result


async def test_rule_48_the_worst_of_the_addresses_that_were_reached_is_the_result() -> None:
    assert await _two_addresses("good") is Result.MATCH
    assert await _two_addresses("self-signed") is Result.MISMATCH
    assert await _two_addresses("") is Result.MATCH


async def test_rule_48_addresses_of_both_families_are_checked() -> None:
    skip_unless_bindable("::1", 0)
    async with trio.open_nursery() as nursery:
        chain, other = CHAINS["good"](HOST), CHAINS["self-signed"](HOST)
        port = await start_service(nursery, LabService(chain, {}))
        await start_service(nursery, LabService(other, {}), address="::1", port=port)
        record = record_of("3 1 1 leaf", chain)
        plan = zone(f"host A 127.0.0.1\nhost AAAA ::1\n_{port}._tcp.host TLSA {record}")
        async with checker_over(plan) as checker:
            check = await checker.check(Request(service(HOST, port)))
        nursery.cancel_scope.cancel()
    assert {one.address: one.result for one in check.addresses} == {
        "127.0.0.1": Result.MATCH,
        "::1": Result.MISMATCH,
    }
    assert check.result is Result.MISMATCH


async def test_rule_49_both_certificates_of_a_server_are_checked_where_that_is_asked() -> None:
    ecdsa, rsa = CHAINS["good"](HOST), CHAINS["weak-key"](HOST)
    async with trio.open_nursery() as nursery:
        both = context_of(ecdsa)
        _add_chain(both, rsa)
        listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
        nursery.start_soon(_serve_tls, listener, both)
        port = listener.socket.getsockname()[1]
        plan = zone(f"host A 127.0.0.1\n_{port}._tcp.host TLSA {record_of('3 1 1 leaf', ecdsa)}")
        async with checker_over(plan) as checker:
            usual = await checker.check(Request(service(HOST, port)))
            each = await checker.check(Request(service(HOST, port), keys=(Keys.RSA, Keys.ECDSA)))
        nursery.cancel_scope.cancel()
    assert usual.result is Result.MATCH
    assert {one.key: one.result for one in each.addresses} == {
        "rsa": Result.MISMATCH,
        "ecdsa": Result.MATCH,
    }
    assert each.result is Result.MISMATCH


def _add_chain(context: ssl.SSLContext, chain: Chain) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "server.pem"
        file.write_bytes(chain.pem)
        context.load_cert_chain(file)


async def _serve_tls(listener: trio.SocketListener, context: ssl.SSLContext) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        tls = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
        try:
            await tls.do_handshake()
            await tls.receive_some()
        except trio.BrokenResourceError:
            pass

    await trio.serve_listeners(serve, [listener])


def test_rule_50_and_63_starttls_that_is_gone_has_its_word_for_reports(results: Results) -> None:
    for host in ("smtp-strips", "smtp-refuses", "smtp-pkix-strips"):
        assert results.checks[host].failure == "starttls-not-supported"


def test_rule_52_a_hanging_server_costs_its_limit_and_nothing_else(results: Results) -> None:
    assert f"more than {LIMITS.address:g} seconds" in results.checks["hangs"].reason
    assert f"no reply within {LIMITS.reply:g} seconds" in results.checks["smtp-hangs"].reason


def test_rule_53_unreachable_is_never_said_where_a_chain_was_received(results: Results) -> None:
    for check in results.checks.values():
        for address in check.addresses:
            assert address.result is not Result.UNREACHABLE or not address.chain


# ------------ Mail ------------


def test_rule_54_where_the_mx_set_fails_nothing_is_looked_at(results: Results) -> None:
    mail = results.domains["mail-forged"]
    assert (mail.mx, mail.result, mail.policy) == ((), Result.BOGUS, Policy.TEMP)


def test_rule_55_both_facts_are_told_of_an_unsigned_mx_set(results: Results) -> None:
    mail = results.domains["mail-loose"]
    assert (mail.mx_security, mail.mx[0].result) == ("insecure", Result.MATCH)
    assert any("whoever forges them" in warning for warning in mail.warnings)


def test_rule_56_a_null_mx_is_no_failure(results: Results) -> None:
    mail = results.domains["mail-null"]
    assert (mail.mx, mail.result) == ((), None)


async def test_rule_57_a_name_that_does_not_exist_has_no_implicit_mx() -> None:
    async with checker_over(zone("host A 127.0.0.1")) as checker:
        mail = await check_domain(checker, dane_names.host_from_text("nobody.z.lab"))
    assert (mail.mx, mail.result) == ((), Result.UNREACHABLE)
    assert "does not exist" in mail.reason


async def test_rule_59_a_host_without_addresses_is_not_asked_for_tlsa() -> None:
    plan = zone(f'host TXT "no address"\n_443._tcp.host TLSA {RECORD}')
    upstream = WorldUpstream(world_of_now(plan))
    async with checker_over(plan, upstream=upstream) as checker:
        found = await find(checker.resolver, service(HOST))
    assert found.outcome is Result.UNREACHABLE
    assert not [question for question in upstream.asked if "TLSA" in question]


async def test_rule_60_the_records_are_those_of_the_port_that_is_connected_to() -> None:
    plan = zone(f"host A 127.0.0.1\n_25._tcp.host TLSA {RECORD}")
    assert (await found_in(plan, port=25)).outcome is None
    assert (await found_in(plan, port=465)).outcome is Result.NO_TLSA


async def test_rule_61_one_failed_look_up_makes_the_policy_wait() -> None:
    plan = zone(
        "@ MX 10 one\n@ MX 20 two\none A 127.0.0.1\ntwo A 127.0.0.1\n"
        f"_1._tcp.one TLSA {RECORD}\n_1._tcp.two TLSA {RECORD}",
        "unanswered TLSA _1._tcp.two",
    )
    async with checker_over(plan) as checker:
        mail = await check_domain(checker, names.from_text("z.lab"), port=1)
    assert mail.policy is Policy.TEMP
    assert [check.result for check in mail.mx] == [Result.UNREACHABLE, Result.UNREACHABLE]


def test_rule_62_mta_sts_has_a_say_only_where_dane_has_none(results: Results) -> None:
    assert results.domains["mail-sts"].mta_sts.may_apply is False
    assert results.domains["mail-sts"].mta_sts.reports == ("mailto:reports@mail.tls.lab",)
    assert results.domains["filtered"].mta_sts.security == "bogus"
    assert results.domains["filtered"].policy is Policy.DANE_ONLY


async def test_rule_62_mta_sts_may_apply_where_there_is_proof_of_no_dane() -> None:
    plan = zone('@ MX 10 mx\nmx A 127.0.0.1\n_mta-sts TXT "v=STSv1; id=1;"')
    async with checker_over(plan) as checker:
        mail = await check_domain(checker, names.from_text("z.lab"), port=1)
    assert (mail.policy, mail.mta_sts.may_apply) == (Policy.NONE, True)


@pytest.mark.parametrize(
    ("host", "word"),
    [
        ("ta-other-name", "certificate-host-mismatch"),
        ("ta-expired", "certificate-expired"),
        ("ta-stapled", "certificate-not-trusted"),
        ("forged", "dnssec-invalid"),
    ],
)
def test_rule_63_every_failure_has_its_word_for_reports(
    results: Results, host: str, word: str
) -> None:
    assert results.checks[host].failure == word


# ------------ SRV, XMPP ------------


async def _srv(plans: Sequence[Plan]) -> tuple[Result | None, list[Result]]:
    async with checker_over(*plans) as checker:
        srv = await check_srv(
            checker, names.from_text("z.lab"), "xmpp-client", starttls="xmpp-client"
        )
    return srv.result, [check.result for check in srv.services]


async def test_rule_65_srv_targets_count_only_where_the_srv_set_is_secure() -> None:
    owner = "_xmpp-client._tcp"
    unsigned = [zone(f"{owner} SRV 1 1 5222 x.good.lab.", signed=False)]
    assert await _srv(unsigned) == (Result.INSECURE, [])
    assert await _srv([zone(f"{owner} SRV 1 1 5222 x", "forged SRV")]) == (Result.BOGUS, [])
    assert await _srv([zone(f"{owner} SRV 0 0 0 .")]) == (Result.NO_TLSA, [])
    assert await _srv([zone("x A 127.0.0.1")]) == (Result.NO_TLSA, [])


@pytest.mark.parametrize("name", ["x.z.lab", "z.lab"])
async def test_rule_66_an_xmpp_server_may_choose_by_target_or_by_domain(name: str) -> None:
    """Its certificate is for one of the two, and it shows it only to who asks for that name."""
    async with trio.open_nursery() as nursery:
        chain, stranger = CHAINS["good"](name), CHAINS["self-signed"]("nobody")
        lab_service = LabService(stranger, {name: chain}, "xmpp-client")
        port = await start_service(nursery, lab_service)
        plan = zone(
            f"_xmpp-client._tcp SRV 1 1 {port} x\nx A 127.0.0.1\n"
            f"_{port}._tcp.x TLSA {record_of('2 1 1 root', chain)}"
        )
        assert await _srv([plan]) == (None, [Result.MATCH])
        nursery.cancel_scope.cancel()


# ------------ All of them ------------

CONCERNED = set(range(1, 74))
ELSEWHERE = {68, 69, 70, 71, 72}
"""Publishing and lint: `test_lint` and `test_make`."""


def test_every_rule_has_a_test_that_names_its_number() -> None:
    shown = {rule for one in SCENARIOS for rule in one.rules}
    shown |= {rule for domain in MAIL for rule in domain.rules}
    named = {
        int(number)
        for test in globals()
        if (found := re.match(r"test_rule_((?:\d\d_(?:and_)?)+)", test))
        for number in re.findall(r"\d\d", found[1])
    }
    assert CONCERNED - ELSEWHERE - shown - named == set()


@given(st.binary(max_size=80))
def test_rule_17_any_octets_make_a_record_that_is_usable_or_says_why_not(data: bytes) -> None:
    if len(data) < 3:
        return
    record = tlsa.read_tlsa(data)
    assert record.rdata == data
    usable = not tlsa.unusable_because(record)
    assert usable == (record in tlsa.in_use([record]))
