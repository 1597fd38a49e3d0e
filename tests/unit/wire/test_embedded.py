"""The table of types with names in their RDATA, against the lists in the RFCs."""

import pytest

from anchord.model import names, rdtypes
from anchord.model.question import Question
from anchord.wire.embedded import LAYOUTS, canonical, split
from anchord.wire.errors import FormError
from anchord.wire.message import read_response
from support.messages import QUESTION, TO_QUESTION, WWW, question, record, reply

MIXED = names.from_text("Host.Example.COM")
LOWER = MIXED.lower()

PLACES = {
    "NS": [b"", b""],
    "MD": [b"", b""],
    "MF": [b"", b""],
    "CNAME": [b"", b""],
    "SOA": [b"", b"", b"\xff" * 20],
    "MB": [b"", b""],
    "MG": [b"", b""],
    "MR": [b"", b""],
    "PTR": [b"", b""],
    "MINFO": [b"", b"", b""],
    "MX": [b"\0\x0a", b""],
    "RP": [b"", b"", b""],
    "AFSDB": [b"\0\x01", b""],
    "RT": [b"\0\x0a", b""],
    "SIG": [b"S" * 18, b"SIGNATURE"],
    "PX": [b"\0\x0a", b"", b""],
    "NXT": [b"", b"BITS"],
    "NAPTR": [b"\0\x64\0\x32\x01S\x08HTTP+N2L\0", b""],
    "KX": [b"\0\x0a", b""],
    "SRV": [b"\0\0\0\x05\x03\x55", b""],
    "DNAME": [b"", b""],
    "RRSIG": [b"R" * 18, b"SIGNATURE"],
    "NSEC": [b"", b"BITS"],
}
"""What stands before, between and after the names: RFC 4034 section 6.2, but for HINFO, which
holds no name (RFC 6840 section 5.1), and A6, which is historic."""

RFC_1035 = {"NS", "MD", "MF", "CNAME", "SOA", "MB", "MG", "MR", "PTR", "MINFO", "MX"}


def test_the_table_holds_the_types_of_rfc_4034() -> None:
    assert {rdtypes.to_text(rdtype) for rdtype in LAYOUTS} == set(PLACES)


@pytest.mark.parametrize("mnemonic", PLACES)
def test_names_are_decompressed_on_reading(mnemonic: str) -> None:
    rdtype = rdtypes.from_text(mnemonic)
    compressed, plain = (
        name.join(PLACES[mnemonic]) for name in (b"\x01X" + TO_QUESTION, b"\x01X" + WWW)
    )
    response = read_response(reply(record(WWW, rdtype, compressed)), QUESTION)
    assert response.answer[0].rdatas == (plain,)


@pytest.mark.parametrize("mnemonic", PLACES)
def test_names_are_in_lower_case_in_canonical_form_except_in_nsec(mnemonic: str) -> None:
    rdtype = rdtypes.from_text(mnemonic)
    places = PLACES[mnemonic]
    expected = (MIXED if mnemonic == "NSEC" else LOWER).join(places)
    assert canonical(rdtype, MIXED.join(places)) == expected


def test_only_the_types_of_rfc_1035_may_be_compressed() -> None:
    compressible = {rdtype for rdtype, layout in LAYOUTS.items() if layout.compressible}
    assert {rdtypes.to_text(rdtype) for rdtype in compressible} == RFC_1035


@pytest.mark.parametrize("mnemonic", PLACES)
def test_rdata_that_end_too_early_make_the_message_malformed(mnemonic: str) -> None:
    """Unbound, CVE-2026-56416; BIND, CVE-2026-10822: names that go on behind the record."""
    rdtype = rdtypes.from_text(mnemonic)
    places = PLACES[mnemonic]
    whole = WWW.join(places)
    shortest = len(whole) - (len(places[-1]) if LAYOUTS[rdtype].tail is None else 0)
    for length in range(shortest):
        with pytest.raises(FormError):
            read_response(reply(record(WWW, rdtype, whole[:length])), QUESTION)


@pytest.mark.parametrize("mnemonic", PLACES)
def test_rdata_that_go_on_too_long_make_the_message_malformed(mnemonic: str) -> None:
    rdtype = rdtypes.from_text(mnemonic)
    wire = reply(record(WWW, rdtype, WWW.join(PLACES[mnemonic]) + b"!"))
    if LAYOUTS[rdtype].tail is None:
        assert read_response(wire, QUESTION).answer[0].rdatas[0].endswith(b"!")
    else:
        problem = f"a record does not have the length of a {mnemonic}"
        with pytest.raises(FormError, match=problem):
            read_response(wire, QUESTION)


def test_rdata_that_do_not_fit_are_their_own_canonical_form() -> None:
    assert canonical(rdtypes.MX, b"\0\x0a\x07EXAMPLE") == b"\0\x0a\x07EXAMPLE"


@pytest.mark.parametrize("rdtype", [rdtypes.TLSA, rdtypes.SVCB, rdtypes.NSEC3, 38, 65280])
def test_opaque_rdata_pass_through_untouched(rdtype: int) -> None:
    for rdata in (b"", b"\x03", b"\xc0\x0c", b"\x03\x01\x01ODD", b"\xff" * 300):
        response = read_response(reply(record(WWW, rdtype, rdata)), QUESTION)
        assert response.answer[0].rdatas == (rdata,)
        assert canonical(rdtype, rdata) == rdata
        assert split(rdtype, rdata, 0, len(rdata)) == [rdata]


def test_the_longest_record_of_the_longest_message_can_be_written_again() -> None:
    """Decompression makes it longer, but never longer than a length in two octets can tell."""
    name = names.join([b"x" * 63] * 3 + [b"x" * 61])
    frame = reply(record(TO_QUESTION, rdtypes.RRSIG, bytes(18) + TO_QUESTION), asked=question(name))
    rdata = bytes(18) + TO_QUESTION + bytes(0xFFFF - len(frame))
    wire = reply(record(TO_QUESTION, rdtypes.RRSIG, rdata), asked=question(name))
    assert len(wire) == 0xFFFF
    [rrset] = read_response(wire, Question(name, rdtypes.A)).answer
    assert len(rdata) < len(rrset.rdatas[0]) <= 0xFFFF
