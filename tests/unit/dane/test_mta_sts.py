"""MTA-STS beside DANE: policies read, fetched and refused, and what an attacker gets by it."""

from collections.abc import Awaitable, Callable

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from anchord.dane import check_domain, mta_sts
from anchord.dane.flaws import Flaw
from anchord.dane.mta_sts import LONGEST_POLICY, StsPolicy, read_policy
from anchord.dane.pkix import Trust
from anchord.dane.results import Policy, Result
from anchord.lab.chains import CHAINS
from anchord.lab.plan import Plan
from anchord.lab.services import context_of
from anchord.model import names
from anchord.model.verdict import Status
from support.dane import NO_TRUST, checker_over

from .conftest import Results

CHAIN = CHAINS["good"]("mta-sts.z.lab")
ROOTS = Trust([CHAIN.parts["root"].certificate], "the test's roots")
POLICY = b"version: STSv1\r\nmode: enforce\r\nmx: mx.z.lab\r\nmax_age: 86400\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"


# ------------ Beside DANE ------------


def test_both_let_an_honest_host_through(results: Results) -> None:
    mail = results.domains["mail-sts"]
    sts = mail.mta_sts
    assert (mail.policy, sts.found, sts.may_apply) == (Policy.DANE_ONLY, True, False)
    assert (sts.mode, sts.mx, sts.max_age) == ("enforce", ("mx1.mail-sts.tls.lab",), 86400)
    assert (sts.allows, sts.reason) == (("mx1.mail-sts.tls.lab",), "")


def test_a_hijacked_address_passes_mta_sts_and_not_dane(results: Results) -> None:
    """The certificate is that of a public CA, and for the right name: an attacker had it issued."""
    mail = results.domains["mail-hijacked"]
    assert mail.mx[0].pkix.valid is True
    assert mail.mta_sts.allows == ("mx1.mail-hijacked.tls.lab",)
    assert (mail.policy, mail.mx[0].result) == (Policy.DANE_ONLY, Result.MISMATCH)


@pytest.mark.parametrize(
    ("name", "found", "word"),
    [("filtered", False, "cannot be had"), ("blocked", True, "was closed")],
)
def test_who_suppresses_mta_sts_gains_nothing_where_there_is_dane(
    results: Results, name: str, *, found: bool, word: str
) -> None:
    """The announcement is filtered, or the policy's server is blocked: a sender sees no policy."""
    mail = results.domains[name]
    assert (mail.mta_sts.found, mail.mta_sts.mode, mail.mta_sts.allows) == (found, "", ())
    assert word in mail.mta_sts.reason
    assert (mail.policy, mail.mx[0].result) == (Policy.DANE_ONLY, Result.MATCH)


def test_without_dane_mta_sts_may_apply(results: Results) -> None:
    sts = results.domains["mail-sts-alone"].mta_sts
    assert (sts.may_apply, sts.mode) == (True, "enforce")
    assert sts.allows == ("mx1.mail-sts-alone.tls.lab",)


async def test_a_policy_that_leaves_out_an_mx_host_is_warned_of() -> None:
    policy = read_policy(POLICY.decode())
    found = mta_sts.Found({"id": "1"}, Status.SECURE, policy, (), Status.SECURE)
    plan = Plan("z.lab", "a test", records="@ MX 10 other\nother A 127.0.0.1")
    async with checker_over(plan) as checker:
        mail = await check_domain(checker, names.from_text("z.lab"), port=1)
    sts = mta_sts.beside(found, mail.policy, mail.mx)
    assert sts.allows == ()
    assert "the policy of MTA-STS leaves out other.z.lab" in mta_sts.warnings(sts, mail.mx)


# ------------ Policies ------------


def test_a_policy_is_read_as_it_is_written() -> None:
    hosts = "mx: *.Example.org\nmx:  mx.example.com \n"
    policy = read_policy(f"version: STSv1\nmode:testing\n{hosts}max_age: 0\nx: y\n")
    assert policy == StsPolicy("testing", ("*.Example.org", "mx.example.com"), 0)
    assert [policy.covers(host) for host in ("a.example.org", "mx.example.com")] == [True, True]
    assert [policy.covers(host) for host in ("a.b.example.org", "example.org")] == [False, False]


def test_of_a_field_that_comes_twice_the_first_counts() -> None:
    text = f"{POLICY.decode()}mode: none\nmax_age: 1\n"
    assert read_policy(text) == read_policy(POLICY.decode())


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "version"),
        ("version: STSv2\nmode: none\nmax_age: 1", "version"),
        ("version: STSv1\nmode: on\nmax_age: 1\nmx: a.example", "mode"),
        ("version: STSv1\nmode: enforce\nmax_age: 1", "no MX host"),
        ("version: STSv1\nmode: enforce\nmax_age: -1\nmx: a.example", "max_age"),
        ("version: STSv1\nmode: enforce\nmax_age: 31557601\nmx: a.example", "max_age"),
        ("version: STSv1\nmode: enforce\nmax_age: ²\nmx: a.example", "max_age"),
        ("version: STSv1\nmode: enforce\nmax_age: 1\nmx: \x1b[31ma.example", "no name"),
    ],
)
def test_a_policy_that_cannot_be_used_says_why(text: str, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        read_policy(text)


lines = st.lists(st.sampled_from(POLICY.decode().split("\r\n")))


@given(st.text(max_size=200) | lines.map("\n".join))
def test_any_text_is_a_policy_or_says_why_not(text: str) -> None:
    try:
        policy = read_policy(text)
    except ValueError:
        return
    assert policy.mode in mta_sts.MODES
    assert "".join(policy.mx).isprintable()


# ------------ Fetching ------------


async def fetched(
    answer: bytes | Callable[[trio.SSLStream[trio.SocketStream]], Awaitable[None]],
    *,
    trust: Trust = ROOTS,
    records: str = "mta-sts A 127.0.0.1",
) -> tuple[mta_sts.Found, list[bytes]]:
    """What comes of a policy server that answers this; and what it was asked."""
    asked: list[bytes] = []
    context = context_of(CHAIN)

    async def serve(stream: trio.SocketStream) -> None:
        tls = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
        try:
            async with stream:
                asked.append(bytes(await tls.receive_some()))
                if not isinstance(answer, bytes):
                    await answer(tls)
                elif answer:
                    await tls.send_all(answer)
        except trio.BrokenResourceError:
            pass

    plan = Plan("z.lab", "a test", records=f'_mta-sts TXT "v=STSv1; id=7;"\n{records}')
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        port = listener.socket.getsockname()[1]
        async with checker_over(plan, trust=trust) as checker:
            found = await mta_sts.find(checker, names.from_text("z.lab"), port=port)
        nursery.cancel_scope.cancel()
    return found, [one for one in asked if one]


def flaw_of(found: mta_sts.Found) -> Flaw:
    assert isinstance(found.policy, Flaw)
    return found.policy


def reply(body: bytes, head: bytes = OK) -> bytes:
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


async def test_a_policy_is_fetched_from_the_place_that_it_has() -> None:
    found, (request,) = await fetched(reply(POLICY))
    assert found.policy == read_policy(POLICY.decode())
    lines = request.split(b"\r\n")
    assert lines[0] == b"GET /.well-known/mta-sts.txt HTTP/1.1"
    assert b"Host: mta-sts.z.lab" in lines


async def test_a_policy_without_a_length_ends_with_the_connection() -> None:
    async def close(tls: trio.SSLStream[trio.SocketStream]) -> None:
        await tls.send_all(OK + b"\r\n" + POLICY)

    found, _ = await fetched(close)
    assert found.policy == read_policy(POLICY.decode())


FETCH, INVALID = "sts-policy-fetch-error", "sts-policy-invalid"


@pytest.mark.parametrize(
    ("answer", "reason", "failure"),
    [
        (reply(b"", b"HTTP/1.1 301 Moved\r\nLocation: https://z.lab/\r\n"), "status 301", FETCH),
        (reply(POLICY, b"HTTP/1.1 404 No\r\nContent-Type: text/plain\r\n"), "status 404", FETCH),
        (reply(POLICY, b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"), "text/html", FETCH),
        (reply(POLICY, b"HTTP/1.1 200 OK\r\n"), "not text/plain", FETCH),
        (reply(b"\xff\xfe"), "no text", INVALID),
        (reply(b"nothing"), "its version is not STSv1", INVALID),
        (reply(POLICY)[:-20], "no whole answer in HTTP", FETCH),
        (b"220 mail.example ESMTP\r\n", "no whole answer in HTTP", FETCH),
        (b"", "no whole answer in HTTP", FETCH),
        (reply(b"x" * (LONGEST_POLICY + 1)), "more than 65536", FETCH),
    ],
)
async def test_rule_63_a_policy_that_is_not_to_be_had_says_why_in_the_words_of_reports(
    answer: bytes, reason: str, failure: str
) -> None:
    flaw = flaw_of((await fetched(answer))[0])
    assert reason in flaw.text
    assert flaw.text.startswith("its server at 127.0.0.1: ")
    assert flaw.failure == failure


async def test_nothing_is_asked_of_a_server_that_pkix_does_not_vouch_for() -> None:
    found, asked = await fetched(reply(POLICY), trust=NO_TRUST)
    assert "PKIX is not valid" in flaw_of(found).text
    assert flaw_of(found).failure == "sts-webpki-invalid"
    assert asked == []


async def test_a_server_without_an_address_is_told() -> None:
    found, _ = await fetched(reply(POLICY), records="@ A 127.0.0.1")
    assert flaw_of(found).text == "its server: mta-sts.z.lab. does not exist"


async def test_a_policy_that_never_ends_costs_its_limit(patient_clock: MockClock) -> None:
    async def crawl(tls: trio.SSLStream[trio.SocketStream]) -> None:
        await tls.send_all(OK + b"\r\n")
        while True:
            await tls.send_all(b"x")
            await trio.sleep(1)

    began = patient_clock.current_time()
    found, _ = await fetched(crawl)
    assert "takes more than 4 seconds" in flaw_of(found).text
    assert patient_clock.current_time() - began == pytest.approx(4, abs=0.1)


async def test_a_header_without_end_is_not_swallowed() -> None:
    found, _ = await fetched(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100_000)
    assert "no whole answer in HTTP" in flaw_of(found).text


async def test_a_policy_is_not_fetched_from_where_nothing_must_be_connected_to() -> None:
    records = 'mta-sts A 192.168.0.1\n_mta-sts TXT "v=STSv1; id=7;"'
    async with checker_over(Plan("z.lab", "a test", records=records), trust=ROOTS) as checker:
        checker.prober.forbids = lambda address, _: f"{address} is not for us"
        found = await mta_sts.find(checker, names.from_text("z.lab"))
    assert flaw_of(found).text == "its server at 192.168.0.1: 192.168.0.1 is not for us"


async def test_no_policy_is_fetched_of_a_domain_that_takes_no_mail() -> None:
    plan = Plan("z.lab", "a test", records='@ MX 0 .\n_mta-sts TXT "v=STSv1; id=7;"')
    async with checker_over(plan) as checker:
        mail = await check_domain(checker, names.from_text("z.lab"))
    assert (mail.mta_sts.found, mail.mta_sts.failure) == (True, "")
    assert "not asked for" in mail.mta_sts.reason
