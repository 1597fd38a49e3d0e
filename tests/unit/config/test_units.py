import base64
import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchord.config.units import (
    DomainName,
    Duration,
    FilePath,
    FixedTime,
    IpAddress,
    Moment,
    NegativeTrustAnchor,
    Pin,
    Size,
    SocketAddress,
    Written,
)
from anchord.model import names

moments = st.integers(0, 253_402_300_799).map(Moment)  # up to the year 9999
addresses = st.ip_addresses().map(IpAddress)
labels = st.binary(min_size=1, max_size=20)
domain_names = st.lists(labels, max_size=6).map(
    lambda parts: DomainName(names.lower(names.join(parts)))
)
plain_names = st.from_regex(r"[a-z0-9-]{1,20}(\.[a-z0-9-]{1,20}){0,3}", fullmatch=True).map(
    DomainName.parse
)


@given(
    st.one_of(
        st.integers(0, 10**11).map(lambda milliseconds: Duration(milliseconds / 1000)),
        st.integers(0, 1 << 39).map(Size),
        addresses,
        st.tuples(addresses, st.integers(0, 65535)).map(SocketAddress),
        moments,
        st.one_of(st.none(), moments).map(lambda at: FixedTime((at,))),
        domain_names,
        st.tuples(plain_names, st.one_of(st.none(), moments)).map(NegativeTrustAnchor),
        st.binary(min_size=32, max_size=32).map(
            lambda digest: Pin("sha256/" + base64.b64encode(digest).decode())
        ),
    )
)
def test_what_is_printed_reads_back_equal(value: Written) -> None:
    assert type(value).parse(str(value)) == value


@given(st.text())
def test_any_text_is_read_or_is_a_value_error(text: str) -> None:
    for kind in (
        Duration, Size, IpAddress, SocketAddress, Moment, FixedTime, DomainName,
        NegativeTrustAnchor, Pin, FilePath,
    ):  # fmt: skip
        with contextlib.suppress(ValueError):
            kind.parse(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("4s", 4), ("5m", 300), ("2h", 7200), ("1d", 86400), ("0s", 0)],
)
def test_a_duration_is_seconds(text: str, seconds: float) -> None:
    assert Duration.parse(text) == seconds


@pytest.mark.parametrize(
    ("text", "printed"), [("60s", "1m"), ("1500ms", "1500ms"), ("0d", "0s"), ("24h", "1d")]
)
def test_a_duration_is_printed_in_its_largest_whole_unit(text: str, printed: str) -> None:
    assert str(Duration.parse(text)) == printed


@pytest.mark.parametrize(
    "text", ["", "4", "s", "4 s", "-4s", "1.5s", "4S", "4sec", "٤s", "1" * 13 + "s"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration; write it like"):
        Duration.parse(text)


@pytest.mark.parametrize(
    ("text", "octets"), [("64MiB", 64 << 20), ("1GiB", 1 << 30), ("3KiB", 3072), ("7B", 7)]
)
def test_a_size_is_octets(text: str, octets: int) -> None:
    assert Size.parse(text) == octets


@pytest.mark.parametrize("text", ["64MB", "64", "64M", "64mib", "-1MiB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no size; write it like"):
        Size.parse(text)


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("127.0.0.1:53", "127.0.0.1", 53),
        ("[::1]:53", "::1", 53),
        ("[0:0:0:0:0:0:0:1]:0", "::1", 0),
        ("0.0.0.0:65535", "0.0.0.0", 65535),
    ],
)
def test_an_address_with_a_port_is_what_bind_takes(text: str, address: str, port: int) -> None:
    assert SocketAddress.parse(text) == (address, port)


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "::1:53", "[::1]", "[127.0.0.1]:53", "localhost:53", ":53", "127.0.0.1:"]
)
def test_what_is_no_address_with_a_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no (IP )?address"):
        SocketAddress.parse(text)


def test_a_port_above_65535_is_refused() -> None:
    with pytest.raises(ValueError, match="is no address with a port"):
        SocketAddress.parse("127.0.0.1:65536")


@pytest.mark.parametrize(
    ("text", "is_loopback"),
    [("127.0.0.1", True), ("127.255.0.9", True), ("::1", True), ("0.0.0.0", False), ("::", False)],
)
def test_an_address_knows_whether_it_is_loopback(text: str, *, is_loopback: bool) -> None:
    assert IpAddress.parse(text).is_loopback is is_loopback


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2024-02-28T06:00:00Z", 1709100000),
        ("2024-02-28T07:00:00+01:00", 1709100000),
        ("2024-02-28t06:00:00z", 1709100000),
    ],
)
def test_a_time_is_seconds_since_1970(text: str, seconds: int) -> None:
    assert Moment.parse(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-28",
        "2024-02-28T06:00:00",
        "2024-02-30T06:00:00Z",
        "2024-W09-3T06:00:00Z",
        "now",
        "",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no time; write it like"):
        Moment.parse(text)


def test_a_time_before_1970_is_refused() -> None:
    with pytest.raises(ValueError, match="before 1970"):
        Moment.parse("1969-12-31T23:59:59Z")


def test_no_fixed_time_is_an_empty_text_and_1970_is_not_none() -> None:
    assert FixedTime.parse("").at is None
    assert FixedTime.parse("1970-01-01T00:00:00Z").at == 0


def test_a_domain_name_is_a_key_with_or_without_the_final_dot() -> None:
    assert (
        DomainName.parse("Corp.Example")
        == DomainName.parse("corp.example.")
        == b"\4corp\7example\0"
    )


def test_a_negative_trust_anchor_may_have_an_end() -> None:
    anchor = NegativeTrustAnchor.parse("corp.example until 2026-12-01T00:00:00Z")
    assert anchor.name == b"\4corp\7example\0"
    assert anchor.until == Moment.parse("2026-12-01T00:00:00Z")
    assert NegativeTrustAnchor.parse("corp.example").until is None


@pytest.mark.parametrize(
    "text", ["", "a.example till 2026-12-01T00:00:00Z", "a.example until", "a b"]
)
def test_what_is_no_negative_trust_anchor_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no negative trust anchor; write it like"):
        NegativeTrustAnchor.parse(text)


@pytest.mark.parametrize("text", ["", "sha256/", "sha256/AAAA", "sha1/" + "A" * 43 + "=", "A" * 44])
def test_what_is_no_pin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no pin"):
        Pin.parse(text)


def test_a_pin_has_one_spelling() -> None:
    assert Pin.parse("sha256/" + "A" * 42 + "B=") == "sha256/" + "A" * 43 + "="


def test_a_relative_path_is_seen_from_the_folder_of_the_configuration() -> None:
    assert FilePath.parse("anchors.zone").below(Path("/etc/anchord")) == "/etc/anchord/anchors.zone"
    assert FilePath.parse("/srv/ca.pem").below(Path("/etc/anchord")) == "/srv/ca.pem"
    assert FilePath.parse("").below(Path("/etc/anchord")) == ""
