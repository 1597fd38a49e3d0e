import pytest

from anchord.model.errors import AnchordError
from anchord.upstream.url import Endpoint, parse

PIN = "sha256/" + "A" * 43 + "="


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("tls://dns.quad9.net", "dns.quad9.net", 853, ""),
        ("TLS://DNS.Quad9.net./", "dns.quad9.net", 853, ""),
        ("tls://9.9.9.9:8853", "9.9.9.9", 8853, ""),
        ("tls://[2620:fe::fe]", "2620:fe::fe", 853, ""),
        ("tls://[2620:fe::fe]:8853", "2620:fe::fe", 8853, ""),
        ("tls://[fe80::1%eth0]", "fe80::1%eth0", 853, ""),
        ("tls://bücher.example", "xn--bcher-kva.example", 853, ""),
        ("https://dns.example", "dns.example", 443, "/dns-query"),
        ("https://dns.example/other", "dns.example", 443, "/other"),
        ("h3://dns.example/q", "dns.example", 443, "/q"),
        ("quic://dns.example", "dns.example", 853, ""),
        ("udp://192.0.2.1", "192.0.2.1", 53, ""),
        ("tcp://192.0.2.1:5353", "192.0.2.1", 5353, ""),
    ],
)
def test_every_scheme_has_its_parts_and_defaults(url: str, host: str, port: int, path: str) -> None:
    endpoint = parse(url)
    assert (endpoint.host, endpoint.port, endpoint.path) == (host, port, path)
    assert endpoint.scheme == url.partition(":")[0].lower()
    assert parse(str(endpoint)) == endpoint


def test_the_url_for_people_omits_what_goes_without_saying() -> None:
    assert str(parse("TLS://Dns.Example:853")) == "tls://dns.example"
    assert str(parse("tls://[2620:fe::fe]:854")) == "tls://[2620:fe::fe]:854"
    assert str(parse("https://dns.example:443")) == "https://dns.example/dns-query"


def test_only_udp_and_tcp_are_plaintext() -> None:
    encrypted = {
        scheme: parse(f"{scheme}://dns.example").is_encrypted
        for scheme in ("tls", "https", "h3", "quic", "udp", "tcp")
    }
    assert encrypted == {
        "tls": True, "https": True, "h3": True, "quic": True, "udp": False, "tcp": False,
    }  # fmt: skip


def test_the_table_adds_addresses_pins_and_ca() -> None:
    endpoint = parse(
        "tls://dns.example", addresses=["192.0.2.1", "2001:db8::1"], pins=[PIN], ca_file="/ca.pem"
    )
    assert endpoint == Endpoint(
        "tls", "dns.example", 853, "", ("192.0.2.1", "2001:db8::1"), (PIN,), "/ca.pem"
    )
    assert not endpoint.host_is_address
    assert parse("tls://[2620:fe::fe]").host_is_address


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("9.9.9.9", "no scheme; write tls:// before the host"),
        ("", "no scheme"),
        ("ftp://dns.example", "ftp:// is no way to an upstream; use one of tls:// https://"),
        ("tls://", "no host"),
        ("tls://:853", "no host"),
        ("tls://[::1", "no host"),
        ("tls://dns.example:0", "a port is a number from 1 to 65535"),
        ("tls://dns.example:65536", "a port is a number from 1 to 65535"),
        ("tls://dns.example:dot", "a port is a number from 1 to 65535"),
        ("tls://me:secret@dns.example", "a user name in the URL"),
        ("tls://9.9.9.9#dns.quad9.net", "a ? or # in the URL"),
        ("https://dns.example/?ct=1", "a ? or # in the URL"),
        ("tls://dns.example/path", "tls:// takes no path; remove /path"),
        ("tls://dns example", "spaces or control characters in the URL"),
        ("tls://dns.example\n", "spaces or control characters in the URL"),
        ("tls://999.1.1.1", "999.1.1.1 is neither a host name nor an IP address"),
        ("tls://dns_.ex$mple", "is neither a host name nor an IP address"),
        ("tls://a..example", "a..example is no host name: a label is empty"),
        ("tls://" + "a" * 64 + ".example", "is no host name: a label is empty or longer than 63"),
    ],
)
def test_a_url_that_is_none_is_told_in_one_line(url: str, told: str) -> None:
    with pytest.raises(AnchordError) as caught:
        parse(url)
    assert told in str(caught.value)
    assert url.strip() in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy
    assert caught.value.exit_status == 2


@pytest.mark.parametrize("address", ["dns.example", "192.0.2.1:853", "[2001:db8::1]", ""])
def test_addresses_are_ip_addresses_and_nothing_else(address: str) -> None:
    with pytest.raises(AnchordError, match=r"in addresses is no IP address; give it without port"):
        parse("tls://dns.example", addresses=[address])


@pytest.mark.parametrize(
    "pin", ["", "sha256/", PIN[:-2], "sha512/" + PIN[7:], PIN.replace("A", "*"), PIN[7:]]
)
def test_a_pin_is_a_digest_of_32_octets(pin: str) -> None:
    with pytest.raises(AnchordError, match=r"is no pin; write sha256/"):
        parse("tls://dns.example", pins=[pin])


@pytest.mark.parametrize("scheme", ["udp", "tcp"])
def test_plaintext_has_no_use_for_pins_and_ca(scheme: str) -> None:
    with pytest.raises(AnchordError, match=f"pins and ca_file mean nothing to {scheme}://"):
        parse(f"{scheme}://192.0.2.1", pins=[PIN])
    with pytest.raises(AnchordError, match=f"pins and ca_file mean nothing to {scheme}://"):
        parse(f"{scheme}://192.0.2.1", ca_file="/ca.pem")


@pytest.mark.parametrize(
    ("url", "addresses", "expected"),
    [
        ("tls://9.9.9.9", [], True),
        ("tls://dns.example", ["9.9.9.9", "2620:fe::fe"], True),
        ("tls://dns.example", [], False),
        ("tls://dns.example", ["9.9.9.9", "192.168.1.1"], False),
        ("udp://127.0.0.53", [], False),
        ("udp://[::1]", [], False),
        ("udp://[fe80::1%eth0]", [], False),
    ],
)
def test_what_is_known_to_be_far_away_cannot_lead_back(
    url: str, addresses: list[str], *, expected: bool
) -> None:
    assert parse(url, addresses=addresses).is_far_away is expected
