"""RDATA for people and from people."""

import subprocess
import sys

import pytest

from anchord.model import names, rdtypes
from anchord.model.response import RRset
from anchord.wire.text import rdata_from_text, rdata_to_text, records_to_text

EXAMPLE = names.from_text("example.com")


def test_rdata_of_a_known_type_are_shown_in_its_notation() -> None:
    assert rdata_to_text(rdtypes.A, b"\xc0\0\x02\x01") == "192.0.2.1"
    assert rdata_to_text(rdtypes.MX, b"\0\x0a" + EXAMPLE) == "10 example.com."


@pytest.mark.parametrize(
    ("rdtype", "rdata", "shown"),
    [
        (rdtypes.A, b"\xc0\0\x02", "\\# 3 c00002"),
        (rdtypes.A, b"", "\\# 0"),
        (65280, b"\xab\xcd", "\\# 2 abcd"),
    ],
)
def test_other_rdata_are_shown_in_the_notation_of_rfc_3597(
    rdtype: int, rdata: bytes, shown: str
) -> None:
    assert rdata_to_text(rdtype, rdata) == shown


def test_the_notation_of_rfc_3597_is_read_for_all_types() -> None:
    assert rdata_from_text(65280, "\\# 2 abcd") == b"\xab\xcd"
    assert rdata_from_text(rdtypes.A, "\\# 4 c0000201") == b"\xc0\0\x02\x01"


def test_names_are_absolute_or_relative_to_the_zone() -> None:
    assert rdata_from_text(rdtypes.NS, "www") == b"\x03www\0"
    assert rdata_from_text(rdtypes.NS, "www", EXAMPLE) == b"\x03www" + EXAMPLE
    assert rdata_from_text(rdtypes.NS, "www.", EXAMPLE) == b"\x03www\0"


@pytest.mark.parametrize("text", ["", "192.0.2", "192.0.2.1 more", "\\# 3 c00002"])
def test_text_that_does_not_fit_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        rdata_from_text(rdtypes.A, text)


def test_records_are_lines_of_a_zone_file() -> None:
    rrset = RRset(EXAMPLE, rdtypes.A, 300, (b"\xc0\0\x02\x01", b"odd"), owner=EXAMPLE.upper())
    assert records_to_text(rrset) == [
        "EXAMPLE.COM.\t300\tIN\tA\t192.0.2.1",
        "EXAMPLE.COM.\t300\tIN\tA\t\\# 3 6f6464",
    ]


def test_no_room_on_the_way_of_a_query_imports_dnspython() -> None:
    rooms = "message, reply, rdata, embedded, options, framing, text"
    script = f"import sys; from anchord.wire import {rooms}; sys.exit('dns' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
