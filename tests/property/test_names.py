"""Names against dnspython: text both ways, canonical order, the family tree."""

import dns.exception
import dns.name
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from anchord.model import names
from anchord.model.names import Name
from property.strategies import oracle_name, wire_names

keys = wire_names().map(names.lower)


@given(wire_names())
def test_the_text_of_a_name_is_dnspythons_and_reads_back(name: Name) -> None:
    text = names.to_text(name)
    assert text == oracle_name(name).to_text()
    assert names.from_text(text) == name


@given(
    st.lists(
        st.sampled_from([*"aB9-_. \"'@$;()", ".", "\\", "\\.", "\\\\", "\\032", "\\300", "\\2"]),
        max_size=40,
    ).map("".join)
)
def test_text_in_ascii_is_read_as_dnspython_reads_it(text: str) -> None:
    assume(text not in {"", "@"})  # relative to an origin, there
    try:
        expected = dns.name.from_text(text).to_wire()
    except dns.exception.DNSException:
        with pytest.raises(ValueError, match=r"."):
            names.from_text(text)
    else:
        assert names.from_text(text) == expected


@given(st.text(max_size=300))
def test_any_text_is_a_name_or_a_value_error(text: str) -> None:
    try:
        name = names.from_text(text)
    except ValueError:
        return
    assert len(name) <= names.MAX_NAME
    assert names.join(names.labels(name)) == name


@given(st.lists(keys, max_size=12))
def test_the_canonical_order_is_dnspythons(some: list[Name]) -> None:
    expected = sorted(oracle_name(name) for name in some)
    assert [oracle_name(name) for name in sorted(some, key=names.canonical_key)] == expected


@given(keys, keys)
def test_who_is_below_whom_is_as_dnspython_says(one: Name, other: Name) -> None:
    below = oracle_name(one).is_subdomain(oracle_name(other))
    assert names.is_at_or_below(one, other) == below
    assert names.is_below(one, other) == (below and one != other)
    common = names.common_ancestor(one, other)
    _, _, shared = oracle_name(one).fullcompare(oracle_name(other))
    assert names.label_count(common) == shared - 1  # dnspython counts the root
    assert names.is_at_or_below(one, common)
    assert names.is_at_or_below(other, common)


@given(keys, st.data())
def test_the_way_down_to_a_name_is_its_ancestors_the_other_way_round(
    name: Name, data: st.DataObject
) -> None:
    line = list(names.ancestors(name))
    assert len(line) == names.label_count(name) + 1
    ancestor = data.draw(st.sampled_from(line))
    between = names.names_between(ancestor, name)
    assert [*reversed(between), ancestor] == line[: len(between) + 1]
    if between:
        assert names.child_towards(ancestor, name) == between[0]
        assert names.parent(between[0]) == ancestor
    assert names.suffix(name, names.label_count(ancestor)) == ancestor
