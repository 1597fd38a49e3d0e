"""DNS stamps, with the library dnsstamps as the oracle in both directions."""

import base64
import contextlib

import dnsstamps  # type: ignore[import-untyped]  # it comes without types
import pytest
from dnsstamps import Option
from hypothesis import given
from hypothesis import strategies as st

from anchord.model.errors import AnchordError
from anchord.upstream import stamp
from anchord.upstream.stamp import DNSSEC, NO_FILTER, NO_LOGS, Stamp
from anchord.upstream.url import Endpoint, as_stamp, parse

QUAD9 = (
    "sdns://AgMAAAAAAAAABzkuOS45LjkgsBkgdEu7dsmrBT4B4Ht-BQ5HPSD3n3vqQ1-v5DydJC8SZG5z"
    "OS5xdWFkOS5uZXQ6NDQzCi9kbnMtcXVlcnk"
)
HASH = "b01920744bbb76c9ab053e01e07b7e050e473d20f79f7bea435fafe43c9d242f"


def sdns(octets: bytes) -> str:
    return "sdns://" + base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


# ------------ Reading ------------


def test_a_published_stamp_is_read() -> None:
    assert stamp.read(QUAD9) == Stamp(
        "https", "9.9.9.9", "dns9.quad9.net:443", "/dns-query", (HASH,), DNSSEC | NO_LOGS
    )
    assert parse(QUAD9) == Endpoint(
        "https", "dns9.quad9.net", 443, "/dns-query", ("9.9.9.9",), chain_hashes=(HASH,)
    )
    assert str(parse(QUAD9)) == "https://dns9.quad9.net/dns-query"


@pytest.mark.parametrize(
    ("made", "endpoint"),
    [
        (dnsstamps.create_plain("192.0.2.1", []), Endpoint("udp", "192.0.2.1", 53)),
        (dnsstamps.create_plain("[2001:db8::1]:5353", []), Endpoint("udp", "2001:db8::1", 5353)),
        (
            dnsstamps.create_dot("192.0.2.1", [], "dns.example", []),
            Endpoint("tls", "dns.example", 853, "", ("192.0.2.1",)),
        ),
        (dnsstamps.create_dot("", [], "dns.example", []), Endpoint("tls", "dns.example", 853)),
        (
            dnsstamps.create_dot(":8853", [], "dns.example", []),
            Endpoint("tls", "dns.example", 8853),
        ),
        (
            dnsstamps.create_doq("[2001:db8::1]:784", [], "dns.example", []),
            Endpoint("quic", "dns.example", 784, "", ("2001:db8::1",)),
        ),
        (
            dnsstamps.create_doh("192.0.2.1", [HASH, "00" * 32], "dns.example:8443", "/q", []),
            Endpoint(
                "https", "dns.example", 8443, "/q", ("192.0.2.1",),
                chain_hashes=(HASH, "00" * 32),
            ),
        ),
        (
            dnsstamps.create_doh("", [], "192.0.2.1", "/dns-query", [], ["9.9.9.9"]),
            Endpoint("https", "192.0.2.1", 443, "/dns-query"),
        ),
    ],
)  # fmt: skip
def test_what_another_library_writes_is_read(made: str, endpoint: Endpoint) -> None:
    assert parse(made) == endpoint


def test_a_tables_addresses_pins_and_ca_stand_beside_the_stamps() -> None:
    endpoint = parse(QUAD9, addresses=["192.0.2.1"], ca_file="/ca.pem")
    assert (endpoint.addresses, endpoint.ca_file) == (("192.0.2.1",), "/ca.pem")
    assert endpoint.chain_hashes == (HASH,)


@pytest.mark.parametrize(
    ("protocol", "name"),
    [
        (0x01, "DNSCrypt"),
        (0x05, "Oblivious DoH"),
        (0x81, "an Anonymized DNSCrypt relay"),
        (0x85, "an Oblivious DoH relay"),
    ],
)
def test_what_anchord_does_not_speak_is_refused_by_name(protocol: int, name: str) -> None:
    text = sdns(bytes((protocol,)) + bytes(8))
    with pytest.raises(AnchordError) as caught:
        parse(text)
    assert str(caught.value) == (
        f"{text}: this is a stamp for {name}, which anchord does not speak; "
        "use one for DoT, DoH or DoQ"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sdns://", "the stamp is of an unknown kind"),
        ("sdns://A*", "the stamp is no base64url"),
        ("sdns://AAA", "the stamp ends too early"),
        (sdns(b"\x06" + bytes(8)), "the stamp is of an unknown kind"),
        (QUAD9[:-8], "the stamp ends too early"),
        (sdns(b"\x00" + bytes(8) + b"\x00"), "the stamp names no server"),
        (sdns(b"\x03" + bytes(8) + b"\x00\x00\x00"), "the stamp names no server"),
        (sdns(b"\x03" + bytes(8) + b"\x00\x01x\x01a"), "a certificate hash that is no SHA-256"),
        (sdns(b"\x03" + bytes(8) + b"\x00\x00\x02\xc3\xa4"), "letters in it that are not ASCII"),
        (str(Stamp("tls", "192.0.2.1:853", "dns.example:854")), "two ports, 854 and 853"),
        (str(Stamp("tls", "here", "dns.example")), "here in addresses is no IP address"),
        (str(Stamp("tls", "a]b", "dns.example")), "the stamp's address a]b is none"),
        (str(Stamp("udp", "dns$")), "is neither a host name nor an IP address"),
        (str(Stamp("https", "", "dns.example", "/q?x=1")), "a ? or # in the URL"),
    ],
)
def test_a_stamp_that_is_none_is_told_in_one_line(text: str, told: str) -> None:
    with pytest.raises(AnchordError) as caught:
        parse(text)
    assert told in str(caught.value)
    assert text in str(caught.value)
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=80))
def test_whatever_a_stamp_holds_it_is_read_or_refused(octets: bytes) -> None:
    with contextlib.suppress(AnchordError):
        parse(sdns(octets))


# ------------ Writing ------------

OPTIONS = {Option.DNSSEC: DNSSEC, Option.NO_LOGS: NO_LOGS, Option.NO_FILTERS: NO_FILTER}


@pytest.mark.parametrize("properties", [0, DNSSEC, NO_LOGS | NO_FILTER, 7])
def test_another_library_writes_the_same(properties: int) -> None:
    options = [option for option, bit in OPTIONS.items() if properties & bit]
    endpoint = Endpoint(
        "https", "dns.example", 443, "/q", ("2001:db8::1",), chain_hashes=(HASH, "00" * 32)
    )
    assert as_stamp(endpoint, properties) == dnsstamps.create_doh(
        "[2001:db8::1]", [HASH, "00" * 32], "dns.example", "/q", options
    )


@pytest.mark.parametrize(
    "endpoint",
    [
        parse("udp://192.0.2.1"),
        parse("udp://[2001:db8::1]:5353"),
        parse("tls://dns.example", addresses=["192.0.2.1"]),
        parse("tls://192.0.2.1:8853"),
        parse("https://dns.example:8443/q", addresses=["2001:db8::1"]),
        parse("quic://[2001:db8::1]"),
        parse(QUAD9),
    ],
    ids=str,
)
def test_a_stamp_leads_back_to_its_endpoint(endpoint: Endpoint) -> None:
    text = as_stamp(endpoint, NO_LOGS)
    assert parse(text) == endpoint
    assert stamp.read(text).properties == NO_LOGS
    assert str(stamp.read(text)) == text


@pytest.mark.parametrize(
    "endpoint",
    [
        parse("h3://dns.example"),
        parse("tcp://192.0.2.1"),
        parse("tls://dns.example", addresses=["192.0.2.1", "192.0.2.2"]),
        parse("tls://dns.example", pins=["sha256/" + "A" * 43 + "="]),
        parse("tls://dns.example", ca_file="/ca.pem"),
    ],
)
def test_what_a_stamp_cannot_say_is_refused(endpoint: Endpoint) -> None:
    with pytest.raises(AnchordError, match="a stamp cannot say all of this"):
        as_stamp(endpoint)
