"""Reading names: what RFC 1035 section 4.1.4 allows, and what hostile messages try."""

from types import FunctionType

import pytest

from anchord.model import names, rdtypes
from anchord.model.names import ROOT
from anchord.wire.errors import FormError
from anchord.wire.message import read_response
from anchord.wire.name import MAX_POINTERS, read_name
from support.counting import calls
from support.messages import QUESTION, TO_QUESTION, record, reply

EXAMPLE = b"\x07example\x03com\0"


def test_a_name_is_read_up_to_its_root_label() -> None:
    assert read_name(b"??" + EXAMPLE + b"more", 2, 20) == (EXAMPLE, 15)


def test_a_pointer_takes_two_octets_wherever_the_name_goes_on() -> None:
    wire = EXAMPLE + b"\x03www\xc0\x00more"
    assert read_name(wire, 13, len(wire), {}) == (b"\x03www" + EXAMPLE, 19)


def test_pointers_may_lead_to_pointers() -> None:
    wire = EXAMPLE + b"\xc0\x00" + b"\xc0\x0d"
    assert read_name(wire, 15, len(wire), {}) == (EXAMPLE, 17)


def test_what_a_pointer_leads_to_is_remembered() -> None:
    wire = EXAMPLE + b"\x03www\xc0\x08"
    known: dict[int, bytes] = {}
    read_name(wire, 13, len(wire), known)
    assert known == {8: b"\x03com\0"}


@pytest.mark.parametrize(
    ("wire", "position", "problem"),
    [
        (b"", 0, "a name ends too early"),
        (b"\x03ww", 0, "a name ends too early"),
        (b"\x03www", 0, "a name ends too early"),
        (b"\x40", 0, "a label of unknown kind"),
        (b"\x80\0", 0, "a label of unknown kind"),
        (b"\0\xc0", 1, "a compression pointer ends too early"),
        (b"\xc0\x00", 0, "a compression pointer does not lead backwards"),
        (b"\x01a\xc0\x00", 0, "a compression pointer does not lead backwards"),
        (b"\0\xc0\x03\0", 1, "a compression pointer does not lead backwards"),
        (b"\x01a\xc0\x06\x01b\xc0\x00", 4, "a compression pointer does not lead backwards"),
    ],
)
def test_a_malformed_name_is_a_form_error(wire: bytes, position: int, problem: str) -> None:
    with pytest.raises(FormError, match=problem):
        read_name(wire, position, len(wire), {})


def test_a_pointer_means_nothing_in_rdata_that_stand_alone() -> None:
    with pytest.raises(FormError, match="a label of unknown kind"):
        read_name(b"\0\xc0\x00", 1, 3)


def test_a_name_must_end_where_its_record_does() -> None:
    with pytest.raises(FormError, match="a name ends too early"):
        read_name(EXAMPLE, 0, len(EXAMPLE) - 1)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_name_of_255_octets_is_read_and_one_of_256_is_not(compressed: bool) -> None:
    ending = names.join([b"x" * 63] * 3)

    def read(first_label: bytes) -> bytes:
        wire = ending + first_label + (b"\xc0\x00" if compressed else ending)
        return read_name(wire, len(ending), len(wire), {})[0]

    longest = b"\x3d" + b"y" * 61
    assert read(longest) == longest + ending
    assert len(longest + ending) == names.MAX_NAME
    with pytest.raises(FormError, match="a name is longer than 255 octets"):
        read(b"\x3e" + b"y" * 62)


def chain(length: int, offset: int = 0) -> bytes:
    """At this offset: the root, and so many pointers, each to the one before it."""
    targets = [0, *range(1, 2 * length - 1, 2)]
    return ROOT + b"".join((0xC000 | offset + target).to_bytes(2) for target in targets)


def test_as_many_pointers_are_followed_as_a_name_can_have_labels() -> None:
    wire = chain(MAX_POINTERS)
    assert read_name(wire, len(wire) - 2, len(wire), {}) == (ROOT, len(wire))
    wire = chain(MAX_POINTERS + 1)
    with pytest.raises(FormError, match="more compression pointers than it can have labels"):
        read_name(wire, len(wire) - 2, len(wire), {})


def test_pathological_compression_is_read_in_linear_time() -> None:
    """Sixty chains of 120 pointers each, and 3,500 names that point to an end of one of them."""
    ends = []
    chains = b""
    start = len(reply()) + len(record(TO_QUESTION, 65280, b""))
    for _ in range(60):
        chains += chain(120, start + len(chains))
        ends.append(start + len(chains) - 2)
    aliases = [
        record(TO_QUESTION, rdtypes.CNAME, (0xC000 | ends[i % 60]).to_bytes(2)) for i in range(3500)
    ]
    wire = reply(record(TO_QUESTION, 65280, chains), *aliases)
    assert len(wire) < 0x10000

    def read() -> None:
        response = read_response(wire, QUESTION)
        assert response.answer[1].rdatas == (ROOT,)

    assert isinstance(read_name, FunctionType)
    assert calls(read, of=read_name) < 20_000  # not 3,500 times 120
