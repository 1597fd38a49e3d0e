"""SVCB records that designate resolvers, against dnspython."""

import contextlib

import dns.rdata
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchord.model import names
from anchord.wire.errors import FormError
from anchord.wire.svcb import Svcb, read_svcb


def rdata(text: str) -> bytes:
    return dns.rdata.from_text("IN", "SVCB", text).to_wire() or b""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 alias.example.", {"priority": 0, "target": "alias.example."}),
        ("1 . alpn=dot", {"priority": 1, "target": ".", "alpn": ("dot",)}),
        (
            (
                "2 dns.example. alpn=h2,h3 port=8443 ipv4hint=192.0.2.1,192.0.2.2"
                " ipv6hint=2001:db8::1 key7=/q{?dns}"
            ),
            {
                "priority": 2,
                "target": "dns.example.",
                "alpn": ("h2", "h3"),
                "port": 8443,
                "addresses": ("2001:db8::1", "192.0.2.1", "192.0.2.2"),
                "path": "/q{?dns}",
            },
        ),
        (
            "1 . mandatory=alpn alpn=dot",
            {"priority": 1, "target": ".", "alpn": ("dot",)},
        ),
        (
            "1 . mandatory=alpn,key99 alpn=dot key99=x",
            {"priority": 1, "target": ".", "alpn": ("dot",), "is_understood": False},
        ),
    ],
)
def test_what_is_read(text: str, expected: dict[str, object]) -> None:
    target = names.from_text(str(expected["target"]))
    assert read_svcb(rdata(text)) == Svcb(**(expected | {"target": target}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"\0\1",
        b"\0\1\0\0\1",
        b"\0\1\0\0\1\0\4\3do",
        b"\0\1\0\0\1\0\3\3do",
        b"\0\1\0\0\3\0\1\1",
        b"\0\1\0\0\4\0\3abc",
        b"\0\1\0\0\3\0\2\0\1\0\1\0\4\3dot",
    ],
)
def test_what_is_malformed_is_told(wire: bytes) -> None:
    with pytest.raises(FormError):
        read_svcb(wire)


@given(st.binary(max_size=80))
def test_any_octets_are_a_record_or_malformed(wire: bytes) -> None:
    with contextlib.suppress(FormError):
        read_svcb(wire)
