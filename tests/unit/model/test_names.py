"""Names as bytes: their text, their order, their family."""

import pytest

from anchord.model import names
from anchord.model.names import ROOT

COM = names.from_text("com")
EXAMPLE = names.from_text("example.com")
WWW = names.from_text("www.example.com")


def test_a_name_in_wire_form() -> None:
    assert WWW == b"\x03www\x07example\x03com\0"
    assert names.labels(WWW) == [b"www", b"example", b"com"]
    assert names.labels(ROOT) == []
    assert (names.label_count(WWW), names.label_count(ROOT)) == (3, 0)
    assert names.join([b"www", b"example", b"com"]) == WWW
    assert names.join([]) == ROOT


def test_labels_of_63_octets_and_names_of_255_are_the_longest() -> None:
    longest = [b"x" * 63] * 3 + [b"x" * 61]
    assert len(names.join(longest)) == names.MAX_NAME
    with pytest.raises(ValueError, match="longer than 255 octets"):
        names.join([*longest, b"x"])
    for part in (b"", b"x" * 64):
        with pytest.raises(ValueError, match="empty or longer than 63 octets"):
            names.join([part])


def test_lower_case_is_for_ascii_letters_only() -> None:
    name = names.join([b"\xc4A@[Z", b"A" * 63])
    assert names.lower(name) == names.join([b"\xc4a@[z", b"a" * 63])


# ------------ The family ------------


def test_the_root_is_its_own_parent() -> None:
    assert names.parent(WWW) == EXAMPLE
    assert names.parent(COM) == ROOT
    assert names.parent(ROOT) == ROOT
    assert list(names.ancestors(WWW)) == [WWW, EXAMPLE, COM, ROOT]


def test_a_name_is_below_whole_labels_only() -> None:
    assert names.is_at_or_below(WWW, EXAMPLE)
    assert names.is_at_or_below(WWW, WWW)
    assert names.is_at_or_below(WWW, ROOT)
    assert not names.is_at_or_below(EXAMPLE, WWW)
    assert not names.is_at_or_below(names.from_text("badexample.com"), EXAMPLE)
    assert not names.is_at_or_below(names.join([b"x\x07example", b"com"]), EXAMPLE)
    assert not names.is_below(WWW, WWW)
    assert names.is_below(WWW, ROOT)


def test_the_deepest_name_above_two() -> None:
    assert names.common_ancestor(WWW, names.from_text("mail.example.com")) == EXAMPLE
    assert names.common_ancestor(WWW, EXAMPLE) == EXAMPLE
    assert names.common_ancestor(WWW, names.from_text("example.org")) == ROOT


def test_the_way_down_to_a_name() -> None:
    assert names.names_between(ROOT, WWW) == [COM, EXAMPLE, WWW]
    assert names.names_between(WWW, WWW) == []
    assert names.child_towards(ROOT, WWW) == COM
    assert names.child_towards(EXAMPLE, WWW) == WWW
    assert names.suffix(WWW, 2) == EXAMPLE
    assert names.suffix(WWW, 0) == ROOT


def test_there_is_no_way_down_from_elsewhere() -> None:
    with pytest.raises(AssertionError):
        names.names_between(EXAMPLE, COM)


def test_wildcards() -> None:
    wildcard = names.wildcard_of(EXAMPLE)
    assert names.to_text(wildcard) == "*.example.com."
    assert names.is_wildcard(wildcard)
    assert not names.is_wildcard(EXAMPLE)
    assert not names.is_wildcard(names.from_text("**.example.com"))
    assert not names.is_wildcard(names.from_text("a.*.example.com"))
    longest = names.join([b"x" * 63] * 3 + [b"x" * 59])
    assert len(names.wildcard_of(longest)) == names.MAX_NAME
    with pytest.raises(ValueError, match="longer than 255 octets"):
        names.wildcard_of(b"\x01x" + longest)


def test_the_canonical_order_of_rfc_4034() -> None:
    """The example of section 6.1."""
    order = [
        "example",
        "a.example",
        "yljkjljk.a.example",
        "Z.a.example",
        "zABC.a.EXAMPLE",
        "z.example",
        "\\001.z.example",
        "*.z.example",
        "\\200.z.example",
    ]
    keys = [names.lower(names.from_text(text)) for text in order]
    assert sorted(set(keys), key=names.canonical_key) == keys


# ------------ Text ------------


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ([], "."),
        ([b"www", b"example"], "www.example."),
        ([b"_25", b"_tcp", b"a-b", b"-"], "_25._tcp.a-b.-."),
        ([b"*"], "*."),
        ([b"a.b"], "a\\.b."),
        ([b'a\\"b();@$'], 'a\\\\\\"b\\(\\)\\;\\@\\$.'),
        ([b"\0 \x7f\xff"], "\\000\\032\\127\\255."),
        ([b"1a\xe9"], "1a\\233."),
    ],
)
def test_odd_octets_are_escaped_and_read_back(labels: list[bytes], text: str) -> None:
    name = names.join(labels)
    assert names.to_text(name) == text
    assert names.from_text(text) == name


def test_the_final_dot_may_be_left_out_and_the_spelling_is_kept() -> None:
    assert names.from_text("WwW.example.com") == names.from_text("WwW.example.com.")
    assert names.from_text("WwW") == b"\x03WwW\0"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the name is empty"),
        ("..", "a label is empty"),
        (".com", "a label is empty"),
        ("example..com", "a label is empty"),
        ("x" * 64, "longer than 63 octets"),
        (".".join(["x" * 63] * 4), "longer than 255 octets"),
        ("a\\", "ends in a backslash"),
        ("\\256", "is no octet"),
        ("\\25", "is no octet"),
        ("\\2x5", "is no octet"),
        ("bü\\.cher", "do not mix"),
        ("ü\uff3c", "do not mix"),
        ("ü..de", "internationalised"),
        ("ü" * 64, "internationalised"),
        ("\u202eü", "internationalised"),
    ],
)
def test_text_that_is_no_name_is_a_value_error(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        names.from_text(text)


def test_letters_of_other_languages_are_written_in_punycode() -> None:
    assert names.from_text("bücher.example") == names.from_text("xn--bcher-kva.example")
    assert names.from_text("Bücher。example.") == names.from_text("xn--bcher-kva.example")
    assert names.from_text("_25._tcp.bücher") == names.from_text("_25._tcp.xn--bcher-kva")
