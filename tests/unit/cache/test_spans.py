"""A zone's denials in their order: what is found, and what ends what."""

from hypothesis import given
from hypothesis import strategies as st

from anchord.cache.spans import Position, Span, Spans, nsec3_span, nsec_span
from anchord.dnssec.denial import collect_evidence
from anchord.model import names
from anchord.model.names import Name
from anchord.model.steps import at_once
from support.denials import name, nsec, nsec3

ZONE = name("z.lab")


def span_of(owner: str, following: str) -> Span:
    (record,) = at_once(collect_evidence([nsec("z.lab", owner, following, "A")], ZONE)).nsecs
    return nsec_span(record, ZONE)


def hashed_span(begin: int, end: int) -> Span:
    """A span from one hash to another; hashes of these tests differ in their first octet."""
    rrset = nsec3("z.lab", bytes((begin,)) * 20, bytes((end,)) * 20, "A")
    (record,) = at_once(collect_evidence([rrset], ZONE)).nsec3s
    return nsec3_span(record)


def hash_at(octet: int) -> Position:
    return (bytes((octet,)) * 20,)


def owner_at(spans: Spans, text: str) -> Name | None:
    span = spans.at(names.canonical_key(name(text)))
    return span.rrset.name if span else None


def test_a_name_is_found_at_its_own_record_and_in_the_span_before_it() -> None:
    spans = Spans()
    spans.add(span_of("b.z.lab", "m.z.lab"))
    assert owner_at(spans, "b.z.lab") == name("b.z.lab")
    assert owner_at(spans, "c.z.lab") == name("b.z.lab")
    assert owner_at(spans, "x.y.c.z.lab") == name("b.z.lab")
    assert owner_at(spans, "x.b.z.lab") == name("b.z.lab")
    assert owner_at(spans, "a.z.lab") is None
    assert owner_at(spans, "m.z.lab") is None
    assert owner_at(spans, "z.lab") is None


def test_the_last_record_of_a_zone_denies_all_names_after_it_and_none_before() -> None:
    spans = Spans()
    spans.add(span_of("m.z.lab", "z.lab"))
    assert owner_at(spans, "zzzz.z.lab") == name("m.z.lab")
    assert owner_at(spans, "a.z.lab") is None
    assert spans.at(()) is None


def test_the_end_of_the_last_span_is_the_zone() -> None:
    assert span_of("m.z.lab", "z.lab").following(ZONE) == ZONE
    assert span_of("b.z.lab", "m.x.z.lab").following(ZONE) == name("m.x.z.lab")


def test_a_zone_of_one_name_denies_everything_else() -> None:
    spans = Spans()
    spans.add(span_of("z.lab", "z.lab"))
    assert owner_at(spans, "z.lab") == owner_at(spans, "a.z.lab") == ZONE


def test_the_last_hash_reaches_around() -> None:
    spans = Spans()
    spans.add(hashed_span(200, 20))
    assert [octet for octet in range(256) if spans.at(hash_at(octet))] == [
        *range(20),
        *range(200, 256),
    ]


def test_a_name_that_was_added_ends_the_span_that_denied_it() -> None:
    spans = Spans()
    spans.add(span_of("b.z.lab", "m.z.lab"))
    ended = spans.add(span_of("f.z.lab", "m.z.lab"))
    assert [span.rrset.name for span in ended] == [name("b.z.lab")]
    assert owner_at(spans, "c.z.lab") is None
    assert owner_at(spans, "g.z.lab") == name("f.z.lab")


def test_a_name_that_was_taken_out_is_ended_by_the_span_over_it() -> None:
    spans = Spans()
    spans.add(span_of("b.z.lab", "f.z.lab"))
    spans.add(span_of("f.z.lab", "m.z.lab"))
    ended = spans.add(span_of("b.z.lab", "m.z.lab"))
    assert {span.rrset.name for span in ended} == {name("b.z.lab"), name("f.z.lab")}
    assert owner_at(spans, "f.z.lab") == name("b.z.lab")
    assert len(spans) == 1


def test_spans_side_by_side_leave_each_other_alone() -> None:
    spans = Spans()
    for owner, following in [("f", "m"), ("b", "f"), ("m", "t")]:
        assert spans.add(span_of(f"{owner}.z.lab", f"{following}.z.lab")) == []
    assert len(spans) == 3


# ------------ Against a model ------------

OCTETS = st.integers(0, 30)
DENIALS = st.lists(st.tuples(OCTETS, OCTETS), max_size=30)


@given(DENIALS)
def test_the_newest_of_spans_that_contradict_each_other_stays(
    denials: list[tuple[int, int]],
) -> None:
    spans = Spans()
    model: list[Span] = []
    for begin, end in denials:
        span = hashed_span(begin, end)
        contradicted = [
            other
            for other in model
            if other.begin == span.begin or span.covers(other.begin) or other.covers(span.begin)
        ]
        ended = spans.add(span)
        assert sorted(each.begin for each in ended) == sorted(each.begin for each in contradicted)
        model = [other for other in model if other not in contradicted] + [span]
        assert len(spans) == len(model) == len(list(spans))
    for octet in range(32):
        position = hash_at(octet)
        speaking = [each for each in model if each.begin == position or each.covers(position)]
        assert spans.at(position) is (speaking[0] if speaking else None)
        assert len(speaking) <= 1
