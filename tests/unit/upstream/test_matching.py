import pytest

from anchord.upstream.matching import (
    is_error_without_question,
    is_format_error,
    question_of,
    repeats_question,
    spells,
    spelt,
    with_id,
    with_question,
)
from support.peers import query_for, reply_to

HTTPS, TYPE97 = 65, 97  # whose second octets are A and a


def test_an_id_replaces_the_one_that_was_there() -> None:
    query = query_for()
    assert with_id(query, 0xABCD) == b"\xab\xcd" + query[2:]


def test_the_question_is_cut_out_whatever_octets_its_labels_hold() -> None:
    assert question_of(query_for(r"a\000b.example", HTTPS)) == (
        b"\x03a\0b\x07example\0\0\x41\0\x01"
    )
    assert question_of(query_for(".", 2)) == b"\0\0\x02\0\x01"


def test_a_reply_may_spell_the_name_otherwise() -> None:
    reply = reply_to(query_for("www.example"))
    assert repeats_question(reply, question_of(query_for("www.example")))
    shouted = reply.replace(b"www", b"wWW")
    assert repeats_question(shouted, question_of(query_for("www.example")))


def test_types_that_look_like_letters_are_not_letters() -> None:
    assert not repeats_question(
        reply_to(query_for("a.example", HTTPS)), question_of(query_for("a.example", TYPE97))
    )


@pytest.mark.parametrize(
    "other",
    [query_for("xww.example"), query_for("www.example", 28), query_for("w.example"),
     query_for("www.example.example")],
)  # fmt: skip
def test_another_question_is_another_question(other: bytes) -> None:
    assert not repeats_question(reply_to(other), question_of(query_for("www.example")))


def test_a_query_is_no_reply() -> None:
    query = query_for()
    assert not repeats_question(query, question_of(query))


def test_another_opcode_is_no_reply() -> None:
    reply = bytearray(reply_to(query_for()))
    reply[2] |= 0x20
    assert not repeats_question(bytes(reply), question_of(query_for()))


def test_a_header_alone_repeats_nothing() -> None:
    assert not repeats_question(reply_to(query_for())[:12], question_of(query_for()))


def test_only_an_error_may_do_without_the_question() -> None:
    assert is_error_without_question(b"\0\0\x80\x01\0\0\0\0\0\0\0\0")
    assert not is_error_without_question(b"\0\0\x80\0\0\0\0\0\0\0\0\0")
    assert not is_error_without_question(b"\0\0\x80\x01\0\x01\0\0\0\0\0\0")
    assert not is_error_without_question(b"\0\0\0\x01\0\0\0\0\0\0\0\0")


def test_chance_turns_letters_and_nothing_else() -> None:
    query = query_for(r"a1-b\193.Example", HTTPS)
    everything = (1 << 8 * len(query)) - 1
    turned = spelt(query, everything)
    assert question_of(turned) == b"\x05A1-B\xc1\x07EXAMPLE\0\0\x41\0\x01"
    assert turned.replace(question_of(turned), question_of(query)) == query
    assert spelt(query, 0) == query
    assert spelt(turned, everything) == query


def test_each_bit_of_chance_is_for_one_octet() -> None:
    query = query_for("www.example")
    assert question_of(spelt(query, 0b100010)).startswith(b"\x03Www\x07Example\0")


def test_a_spelling_is_judged_letter_by_letter() -> None:
    query = spelt(query_for("www.example"), 0b100010)
    assert spells(reply_to(query), question_of(query))
    assert not spells(reply_to(query_for("www.example")), question_of(query))


def test_names_that_point_to_the_question_are_spelt_as_it_is() -> None:
    query = query_for("www.example")
    reply = reply_to(spelt(query, 0b100010))
    assert with_question(reply, question_of(query)) == reply_to(query)


def test_an_error_of_form_is_told_from_others() -> None:
    assert is_format_error(b"\0\0\x80\x01\0\0\0\0\0\0\0\0")
    assert not is_format_error(b"\0\0\x80\x05\0\0\0\0\0\0\0\0")
