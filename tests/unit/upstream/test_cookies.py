"""Cookies between us and one server, judged without a network."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchord.model import rcodes
from anchord.upstream.cookies import CLIENT_COOKIE, EXPECTED, LIFETIME, Cookie, Cookies, Sight
from anchord.wire.options import OPTION_COOKIE, write_opt, write_option
from support.peers import query_for, reply_to

OURS = b"whatever"
THEIRS = bytes(range(16))


def reply(said: bytes | None = None, rcode: int = rcodes.NOERROR) -> bytes:
    """A reply with this cookie option, or with an OPT record alone."""
    option = write_option(OPTION_COOKIE, said) if said is not None else b""
    bare = reply_to(query_for())
    head = bare[:3] + bytes((bare[3] | rcode & 0xF,)) + bare[4:10] + b"\0\1"
    opt = write_opt(dnssec_ok=True, extended_rcode=rcode >> 4, options=option)
    return head + bare[12:] + opt


def known() -> Cookie:
    cookie = Cookie(OURS, 0.0)
    assert cookie.judge(reply(OURS + THEIRS), 1.0) is Sight.GOOD
    return cookie


def test_the_first_query_has_our_cookie_alone_and_the_next_ones_both() -> None:
    cookie = Cookie(OURS, 0.0)
    assert cookie.option == OURS
    assert cookie.judge(reply(OURS + THEIRS), 1.0) is Sight.GOOD
    assert cookie.option == OURS + THEIRS
    assert cookie.judge(reply(OURS + THEIRS[::-1]), 2.0) is Sight.GOOD
    assert cookie.option == OURS + THEIRS[::-1]


@pytest.mark.parametrize("known_before", [False, True])
@pytest.mark.parametrize(
    "said",
    [
        b"whatevil" + THEIRS,
        THEIRS + OURS,
        OURS,
        OURS + THEIRS[:7],
        OURS + bytes(33),
        b"",
    ],
)
def test_what_is_not_our_cookie_in_due_form_is_not_believed(
    said: bytes, *, known_before: bool
) -> None:
    """PowerDNS, CVE-2026-33262: of no length does it do harm."""
    cookie = known() if known_before else Cookie(OURS, 0.0)
    before = cookie.option
    for rcode in (rcodes.NOERROR, rcodes.BADCOOKIE):
        assert cookie.judge(reply(said, rcode), 2.0) is Sight.FOREIGN
    assert cookie.option == before


@pytest.mark.parametrize("length", [8, 32])
def test_a_servers_cookie_has_eight_to_thirty_two_octets(length: int) -> None:
    assert Cookie(OURS, 0.0).judge(reply(OURS + bytes(length)), 1.0) is Sight.GOOD


@given(st.binary(min_size=12), st.data())
def test_whatever_octets_come_they_are_judged_and_only_our_cookie_is_good(
    octets: bytes, data: st.DataObject
) -> None:
    edits = data.draw(st.lists(st.tuples(st.integers(0, 80), st.integers(0, 255)), max_size=8))
    spoilt = bytearray(reply(OURS + THEIRS))
    for position, octet in edits:
        spoilt[position % len(spoilt)] = octet
    for message in (octets, bytes(spoilt)):
        cookie = known()
        if cookie.judge(message, 2.0) is Sight.GOOD:
            assert OURS + cookie.server in message


def test_a_server_without_cookies_is_believed() -> None:
    cookie = Cookie(OURS, 0.0)
    assert cookie.judge(reply(), 1.0) is Sight.GOOD
    assert cookie.judge(reply_to(query_for()), 1.0) is Sight.GOOD
    assert cookie.option == OURS


def test_a_server_that_has_sent_its_cookie_does_so_again() -> None:
    assert known().judge(reply(), 2.0) is Sight.MISSING
    assert known().judge(reply_to(query_for()), 2.0) is Sight.MISSING


def test_badcookie_brings_the_cookie_that_is_wanted() -> None:
    cookie = known()
    assert cookie.judge(reply(OURS + THEIRS[::-1], rcodes.BADCOOKIE), 2.0) is Sight.BAD
    assert cookie.option == OURS + THEIRS[::-1]


def test_badcookie_without_a_cookie_says_nothing() -> None:
    assert Cookie(OURS, 0.0).judge(reply(None, rcodes.BADCOOKIE), 1.0) is Sight.MISSING


@pytest.fixture
def cookies() -> Cookies:
    drawn: Iterator[int] = iter(range(100))
    return Cookies(lambda: next(drawn).to_bytes(CLIENT_COOKIE))


def test_no_two_servers_get_the_same_cookie(cookies: Cookies) -> None:
    one, two = cookies.of("192.0.2.1", 0.0), cookies.of("192.0.2.2", 0.0)
    assert one.client != two.client
    assert cookies.of("192.0.2.1", 1.0) is one


def test_in_another_network_no_server_sees_a_cookie_of_before(cookies: Cookies) -> None:
    before = cookies.of("192.0.2.1", 0.0)
    before.judge(reply(before.client + THEIRS), 0.0)
    cookies.forget()
    after = cookies.of("192.0.2.1", 0.0)
    assert after.client != before.client
    assert after.option == after.client


def test_another_cookie_is_drawn_each_day(cookies: Cookies) -> None:
    cookie = cookies.of("192.0.2.1", 0.0)
    assert cookies.of("192.0.2.1", LIFETIME - 1) is cookie
    assert cookies.of("192.0.2.1", LIFETIME).client != cookie.client


def test_what_is_over_is_not_kept_for_addresses_that_come_no_more(cookies: Cookies) -> None:
    for number in range(50):
        cookies.of(f"192.0.2.{number}", number * LIFETIME / 10)
    assert len(cookies._by_address) == 10


def test_a_server_that_no_longer_sends_its_cookie_is_believed_when_that_is_over(
    cookies: Cookies,
) -> None:
    cookie = cookies.of("192.0.2.1", 0.0)
    cookie.judge(reply(cookie.client + THEIRS), 100.0)
    assert cookies.of("192.0.2.1", 100.0 + EXPECTED - 1) is cookie
    anew = cookies.of("192.0.2.1", 100.0 + EXPECTED)
    assert anew.judge(reply(), 100.0 + EXPECTED) is Sight.GOOD
