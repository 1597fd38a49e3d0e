"""EDNS options: lengths, borders, and texts that people will see."""

import pytest

from anchord.model.ede import Ede
from anchord.wire import options
from anchord.wire.errors import FormError
from anchord.wire.options import (
    LONGEST_TEXT,
    LONGEST_TEXT_READ,
    MOST_EDES_READ,
    MOST_OPTIONS_READ,
    asks_for_keepalive,
    first_option,
    keepalive,
    padding,
    read_edes,
    read_options,
    write_ede,
    write_option,
)
from support.counting import calls


def test_options_are_read_in_their_order() -> None:
    wire = write_option(10, b"cookie") + write_option(12, b"") + write_option(65535, b"x")
    assert list(read_options(wire)) == [(10, b"cookie"), (12, b""), (65535, b"x")]
    assert list(read_options(b"")) == []


@pytest.mark.parametrize("cut", range(1, 10))
def test_an_option_that_is_cut_short_is_a_form_error(cut: int) -> None:
    wire = write_option(10, b"cookie")
    with pytest.raises(FormError, match="an EDNS option ends too early"):
        list(read_options(wire[:-cut]))


def test_of_several_options_with_one_code_the_first_counts() -> None:
    wire = write_option(12, b"") + write_option(10, b"one") + write_option(10, b"two")
    assert [first_option(wire, code) for code in (10, 12, 11)] == [b"one", b"", None]
    assert first_option(wire[:-1], 10) == b"one"
    assert first_option(wire[:-1], 11) is None
    assert first_option(wire[:2], 12) is None


@pytest.mark.parametrize("before", [MOST_OPTIONS_READ - 1, MOST_OPTIONS_READ])
def test_of_the_options_in_a_reply_the_first_64_are_looked_at(before: int) -> None:
    wire = write_option(65001, b"") * before + write_option(10, b"x") + write_ede(Ede(7))
    assert first_option(wire, 10) == (b"x" if before < MOST_OPTIONS_READ else None)
    assert read_edes(wire[4:]) == ((Ede(7),) if before < MOST_OPTIONS_READ else ())


def test_16_000_options_in_a_reply_cost_no_more_than_64() -> None:
    few, many = (write_option(65001, b"") * number for number in (MOST_OPTIONS_READ, 16_000))
    assert calls(lambda: first_option(many, 10)) == calls(lambda: first_option(few + few, 10))
    assert calls(lambda: read_edes(many)) == calls(lambda: read_edes(few + few))
    assert calls(lambda: read_edes(many)) < 10 * MOST_OPTIONS_READ


@pytest.mark.parametrize("length", range(100, 232))
def test_padding_fills_a_message_up_to_whole_blocks(length: int) -> None:
    option = padding(length, 128)
    assert (length + len(option)) % 128 == 0
    assert 4 <= len(option) < 4 + 128
    assert not any(option[4:])


def test_keepalive_is_asked_for_by_an_empty_option_only() -> None:
    assert asks_for_keepalive(write_option(10, b"x") + write_option(11, b""))
    assert not asks_for_keepalive(write_option(11, b"\0\x64"))
    assert not asks_for_keepalive(b"")


def test_a_query_is_read_to_its_last_option() -> None:
    many = write_option(65001, b"") * 16_000
    assert asks_for_keepalive(many + write_option(11, b""))
    with pytest.raises(FormError, match="an EDNS option ends too early"):
        asks_for_keepalive(many + b"\0")


def test_keepalive_is_told_in_tenths_of_a_second() -> None:
    assert keepalive(10) == b"\0\x0b\0\x02\0\x64"
    assert keepalive(0.26) == b"\0\x0b\0\x02\0\x03"


# ------------ Extended DNS Errors ------------


@pytest.mark.parametrize("character", ["a", "é", "€", "𝄞"])
def test_a_text_is_cut_at_200_octets_between_characters(character: str) -> None:
    size = len(character.encode())
    for text in (character * 300, "x" + character * 300):
        cut = write_ede(Ede(6, text))[6:]
        assert text.startswith(cut.decode())
        assert LONGEST_TEXT - size < len(cut) <= LONGEST_TEXT
    whole = character * (LONGEST_TEXT // size)
    assert write_ede(Ede(6, whole))[6:].decode() == whole


def test_a_text_that_is_no_unicode_is_sent_with_question_marks() -> None:
    assert write_ede(Ede(6, "\udcff")) == b"\0\x0f\0\x03\0\x06?"


def test_a_text_can_be_left_out() -> None:
    assert write_ede(Ede(6, "why"), with_text=False) == b"\0\x0f\0\x02\0\x06"


def test_the_texts_of_upstreams_are_made_harmless() -> None:
    for sent, shown in (
        (b"plain words", "plain words"),
        (b"with\0 control\x1b[31m\r\n", "with control[31m"),
        ("bidi \u202e\u2066 marks".encode(), "bidi  marks"),
        (b"not \xff\xfe UTF-8", "not  UTF-8"),
        (b"x" * 100, "x" * LONGEST_TEXT_READ),
        (b"x" * 63 + "é".encode(), "x" * 63),
        (b"", ""),
    ):
        assert read_edes(write_option(15, b"\0\x16" + sent)) == (Ede(22, shown),)


def test_codes_that_no_registry_knows_are_numbers() -> None:
    assert read_edes(write_option(15, b"\xff\xff")) == (Ede(65535),)
    assert Ede(65535).name == "Code 65535"


def test_what_is_no_extended_dns_error_is_passed_over() -> None:
    wire = write_option(15, b"\0") + write_option(3, b"nsid") + write_option(15, b"\0\x07")
    assert read_edes(wire) == (Ede(7),)


def test_a_malformed_option_ends_the_list() -> None:
    assert read_edes(write_ede(Ede(7)) + b"\0\x0f\0") == (Ede(7),)


def test_an_upstream_tells_at_most_eight() -> None:
    wire = b"".join(write_ede(Ede(code)) for code in range(10_000))
    assert read_edes(wire) == tuple(Ede(code) for code in range(MOST_EDES_READ))
    assert calls(lambda: read_edes(wire)) < 200, "the rest is not even looked at"


def test_an_opt_record_is_written_as_rfc_6891_draws_it() -> None:
    assert (
        options.write_opt(dnssec_ok=True, extended_rcode=1, compact_ok=True, options=b"\0\x0c\0\0")
        == b"\0" + b"\0\x29" + b"\x04\xd0" + b"\x01\0\xc0\0" + b"\0\x04" + b"\0\x0c\0\0"
    )
