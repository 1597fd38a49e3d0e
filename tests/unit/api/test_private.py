"""Where the API connects to: a table of addresses, and the ports."""

import socket
from ipaddress import ip_address

import pytest

from anchord.api.private import (
    PORTS,
    forbidden,
    forbidden_but_private,
    inside,
    is_own,
    is_public,
)

PRIVATE = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.9.9.9",
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.168.1.1",
    "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.251", "233.252.0.1", "239.1.2.3",
    "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::808:808", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::808:808", "100::1",
    "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "2002:7f00:1::1",
    "2002:a00:1::1", "3fff::1", "4000::1", "fc00::1", "fd12::1", "fe80::1", "fec0::1", "ff02::fb",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_nothing_but_the_internet_is_connected_to(address: str) -> None:
    assert not is_public(ip_address(address))
    assert (
        forbidden(address, 443)
        == f"{address} is not an address of the Internet; see dane.api_private"
    )


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "100.63.0.1", "100.128.0.1", "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::808:808",
     "2002:808:808::1"],
)  # fmt: skip
def test_the_internet_is(address: str) -> None:
    assert is_public(ip_address(address))
    assert forbidden(address, 443) == ""


@pytest.mark.parametrize("port", [22, 80, 2525, 3389, 6379, 8053, 9200])
def test_ports_that_are_not_of_tls_are_not_connected_to(port: int) -> None:
    assert port not in PORTS
    assert "does not connect to port" in forbidden("8.8.8.8", port)
    assert "does not connect to port" in forbidden_but_private("8.8.8.8", port)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "::1", "fd12::1", "::ffff:10.0.0.1"])
def test_where_private_addresses_are_allowed_so_are_their_ports(address: str) -> None:
    assert forbidden_but_private(address, 12345) == ""


def test_the_addresses_of_this_machine_are_its_own() -> None:
    assert is_own(ip_address("127.0.0.1"))
    assert not is_own(ip_address("192.0.2.1"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no other address")
        assert is_own(ip_address(sock.getsockname()[0]))


def test_an_ipv4_address_is_seen_inside_an_ipv6_one() -> None:
    for outside in ("::ffff:192.0.2.1", "64:ff9b::c000:201", "2002:c000:201::5", "192.0.2.1"):
        assert str(inside(ip_address(outside))) == "192.0.2.1"
    assert str(inside(ip_address("2606:4700::1"))) == "2606:4700::1"
