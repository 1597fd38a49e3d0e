"""The registries' words: types, codes, statuses; and how an accident is told."""

import pytest

from anchord.model import names, rcodes, rdtypes
from anchord.model.ede import Ede, EdeCode
from anchord.model.errors import AnchordError
from anchord.model.question import Question
from anchord.model.response import RRset
from anchord.model.verdict import Flaw, Status, weakest


def test_types_have_mnemonics_and_numbers() -> None:
    for number in range(0x10000):
        assert rdtypes.from_text(rdtypes.to_text(number)) == number
    assert rdtypes.to_text(rdtypes.HTTPS) == "HTTPS"
    assert rdtypes.to_text(65280) == "TYPE65280"
    assert rdtypes.from_text("aaaa") == rdtypes.from_text("type28") == rdtypes.AAAA


@pytest.mark.parametrize("text", ["", "NOPE", "TYPE", "TYPE65536", "TYPE-1", "TYPE1.0"])
def test_other_words_are_no_type(text: str) -> None:
    with pytest.raises(ValueError, match="is no RR type"):
        rdtypes.from_text(text)


def test_codes_have_names() -> None:
    assert rcodes.to_text(rcodes.NXDOMAIN) == "NXDOMAIN"
    assert rcodes.to_text(rcodes.BADVERS) == "BADVERS"
    assert rcodes.to_text(3841) == "RCODE3841"


def test_every_reason_that_anchord_gives_has_its_registered_name() -> None:
    for code in EdeCode:
        letters = "".join(filter(str.isalnum, Ede(code).name.lower()))
        assert letters.startswith("".join(filter(str.isalnum, code.name.lower())))
    assert Ede(49152).name == "Code 49152"


def test_the_weakest_part_decides() -> None:
    assert weakest() is Status.SECURE
    assert weakest(Status.SECURE, Status.INSECURE) is Status.INSECURE
    assert weakest(Status.BOGUS, Status.UNOBTAINABLE, Status.INSECURE) is Status.BOGUS


def test_people_see_four_statuses() -> None:
    words = [status.word for status in Status]
    assert words == ["secure", "insecure", "indeterminate", "indeterminate", "bogus"]
    assert [status for status in Status if status.is_failure] == [
        Status.UNOBTAINABLE,
        Status.BOGUS,
    ]


def test_a_flaw_is_told_with_its_code() -> None:
    flaw = Flaw(EdeCode.SIGNATURE_EXPIRED, "example.com.: expired", names.ROOT)
    assert flaw.ede == Ede(7, "example.com.: expired")


def test_a_question_and_a_set_are_shown_as_they_are_written() -> None:
    assert str(Question(names.from_text("example.com"), rdtypes.MX)) == "example.com. MX"
    name = names.from_text("example.com")
    assert RRset(name, rdtypes.MX, 0, ()).spelling == name
    assert RRset(name, rdtypes.MX, 0, (), owner=name.upper()).spelling == name.upper()


def test_an_accident_is_one_line_of_what_where_and_what_to_do() -> None:
    assert str(AnchordError("it broke")) == "it broke"
    assert str(AnchordError("it broke", where="here")) == "here: it broke"
    told = AnchordError("it broke", where="here", remedy="mend it", ede=Ede(0))
    assert told.one_line() == "here: it broke; mend it"
    assert told.ede == Ede(0)
    assert told.exit_status == 2
