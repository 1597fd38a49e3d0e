"""What NSEC records prove: the examples of RFC 4035 appendix B, and what they must not prove."""

import pytest

from anchord.dnssec import nsec
from anchord.dnssec.denial import Denial, Denied, Evidence, denies_type
from anchord.model import names, rdtypes
from anchord.wire.rdata import read_types, write_types
from support.counting import calls
from support.denials import name, nsecs

EXAMPLE = (
    "example. a.example. NS SOA MX DNSKEY",
    "a.example. ai.example. NS DS",
    "ai.example. b.example. A HINFO AAAA",
    "b.example. ns1.example. NS",
    "ns1.example. ns2.example. A",
    "ns2.example. *.w.example. A",
    "*.w.example. x.w.example. MX",
    "x.w.example. x.y.w.example. MX",
    "x.y.w.example. xx.example. MX",
    "xx.example. example. A HINFO AAAA",
)
"""The zone of RFC 4035 appendix A."""


def example(*kept: str) -> Evidence:
    """The zone's records, or those of these owners."""
    return nsecs("example.", *(r for r in EXAMPLE if not kept or r.split()[0] in kept))


def no_data(evidence: Evidence, text: str, rdtype: str = "A") -> Denial | None:
    return nsec.no_data(evidence, name(text), rdtypes.from_text(rdtype))


def told(denial: Denial | None) -> tuple[Denied, list[str]] | None:
    """What was denied, and by the records of which owners."""
    if denial is None:
        return None
    assert not denial.opt_out
    return denial.denied, [names.to_text(rrset.name) for rrset in denial.records]


# ------------ RFC 4035 appendix B ------------


def test_b2_a_name_error_needs_the_span_of_the_name_and_that_of_the_wildcard() -> None:
    denial = nsec.name_error(example(), name("ml.example."))
    assert told(denial) == (Denied.NAME, ["b.example.", "example."])
    for missing in ("b.example.", "example."):
        rest = {r.split()[0] for r in EXAMPLE} - {missing}
        assert nsec.name_error(example(*rest), name("ml.example.")) is None


def test_b3_a_missing_type_is_shown_by_the_bitmap_of_the_name() -> None:
    assert told(no_data(example(), "ns1.example.", "MX")) == (Denied.DATA, ["ns1.example."])
    assert no_data(example(), "ns1.example.", "A") is None


def test_b4_a_signed_delegation_is_no_insecure_one() -> None:
    assert nsec.no_secure_delegation(example(), name("a.example.")) is None
    assert no_data(example(), "a.example.", "DS") is None


def test_b5_an_unsigned_delegation_has_ns_and_no_ds() -> None:
    denial = nsec.no_secure_delegation(example(), name("b.example."))
    assert told(denial) == (Denied.DS, ["b.example."])
    assert told(no_data(example(), "b.example.", "DS")) == (Denied.DATA, ["b.example."])


def test_b6_a_wildcards_answer_needs_the_span_of_the_name() -> None:
    asked, encloser = name("a.z.w.example."), name("w.example.")
    denial = nsec.no_closer_match(example(), asked, encloser)
    assert told(denial) == (Denied.CLOSER_MATCH, ["x.y.w.example."])


def test_b7_a_wildcard_without_the_type_needs_its_bitmap_too() -> None:
    denial = no_data(example(), "a.z.w.example.", "AAAA")
    assert told(denial) == (Denied.DATA, ["x.y.w.example.", "*.w.example."])
    assert no_data(example(), "a.z.w.example.", "MX") is None
    assert no_data(example("x.y.w.example."), "a.z.w.example.", "AAAA") is None


def test_b8_the_childs_apex_says_nothing_of_its_ds() -> None:
    assert no_data(example(), "example.", "DS") is None
    assert nsec.no_secure_delegation(example(), name("example.")) is None
    assert nsec.insecure_cut(example(), name("example.")) is None


# ------------ Spans ------------


def test_one_record_may_deny_both_the_name_and_the_wildcard() -> None:
    zone = nsecs("z.", "z. z. SOA NS")
    assert told(nsec.name_error(zone, name("a.z."))) == (Denied.NAME, ["z."])


def test_the_last_span_reaches_to_the_end_of_the_zone_and_no_other_does() -> None:
    assert told(nsec.name_error(example(), name("zz.example."))) == (
        Denied.NAME,
        ["xx.example.", "example."],
    )
    backwards = nsecs("example.", "xx.example. a.example. A", "example. a.example. SOA NS")
    assert nsec.name_error(backwards, name("zz.example.")) is None
    before = nsecs("example.", "xx.example. example. A", "example. xx.example. SOA NS")
    assert nsec.name_error(before, name("xx.example.")) is None


@pytest.mark.parametrize("asked", ["ai.example.", "b.example."])
def test_neither_end_of_a_span_is_in_it(asked: str) -> None:
    span = nsecs("example.", "ai.example. b.example. A", "example. ai.example. SOA NS")
    assert nsec.name_error(span, name(asked)) is None
    if asked == "b.example.":
        assert no_data(span, asked) is None
        assert nsec.no_secure_delegation(span, name(asked)) is None
        assert nsec.no_closer_match(span, name(asked), name("example.")) is None


def test_a_wildcard_that_exists_is_in_no_span() -> None:
    span = nsecs("z.", "z. *.z. SOA NS", "*.z. z. A")
    assert nsec.name_error(span, name("a.z.")) is None


def test_names_compare_as_octets_in_lower_case() -> None:
    span = nsecs("Z.", "z. Y.z. SOA NS", "Y.z. Z. A")
    assert told(nsec.name_error(span, name("yZ.z."))) == (Denied.NAME, ["y.z.", "z."])
    assert told(no_data(span, "y.Z.", "TXT")) == (Denied.DATA, ["y.z."])
    odd = nsecs("z.", r"z. \001.z. SOA NS", r"\001.z. \255.z. A", r"\255.z. z. A")
    asked = name(r"a\.b\032.z.")
    assert told(nsec.name_error(odd, asked)) == (Denied.NAME, [r"\001.z."])
    assert nsec.name_error(odd, name(r"\001.z.")) is None


def test_names_of_255_octets_are_denied_like_others() -> None:
    """The wildcard of a closest encloser is never longer than the name it may stand for."""
    long = ".".join(["l" * 62] * 3 + ["m" * 62, "z."])
    encloser = ".".join(["l" * 62] * 2 + ["m" * 62, "z."])
    assert len(name(long)) == 255
    zone = nsecs("z.", f"z. {encloser} SOA NS", f"{encloser} z. A")
    assert told(nsec.name_error(zone, name(long))) == (Denied.NAME, [names.to_text(name(encloser))])
    tight = ".".join(["a", "l" * 60, *["l" * 62] * 2, "m" * 62, "z."])
    assert len(name(tight)) == 255
    above = tight[2:]
    zone = nsecs("z.", f"z. {above} SOA NS", f"{above} z. A")
    assert told(nsec.name_error(zone, name(tight))) == (Denied.NAME, [names.to_text(name(above))])
    zone = nsecs("z.", f"z. {above} SOA NS", f"{above} *.{above} A", f"*.{above} z. TXT")
    assert told(no_data(zone, tight))


# ------------ Empty non-terminals ------------


def test_an_empty_non_terminal_exists() -> None:
    asked = name("y.w.example.")
    assert nsec.name_error(example(), asked) is None
    assert told(no_data(example(), "y.w.example.")) == (Denied.DATA, ["x.w.example."])
    assert nsec.no_closer_match(example(), asked, name("w.example.")) is None
    denial = nsec.no_secure_delegation(example(), asked)
    assert told(denial) == (Denied.DELEGATION, ["x.w.example."])


def test_the_closest_encloser_may_be_an_empty_non_terminal() -> None:
    denial = nsec.name_error(example(), name("a.y.w.example."))
    assert told(denial) == (Denied.NAME, ["x.w.example."])
    asked = name("z.y.w.example.")
    assert told(nsec.name_error(example(), asked)) == (
        Denied.NAME,
        ["x.y.w.example.", "x.w.example."],
    )


def test_a_wildcard_may_be_an_empty_non_terminal() -> None:
    """`*.z` exists because something is below it: it stands for any name, and has no data."""
    zone = nsecs("z.", "z. a.*.z. SOA NS", "a.*.z. z. A")
    assert nsec.name_error(zone, name("q.z.")) is None
    assert told(no_data(zone, "q.z.")) == (Denied.DATA, ["a.*.z.", "z."])


def test_a_name_error_is_no_proof_of_a_missing_type() -> None:
    assert no_data(example(), "ml.example.") is None


# ------------ Wildcards ------------


def test_a_wildcards_answer_must_come_from_the_closest_encloser() -> None:
    asked = name("a.z.w.example.")
    assert nsec.no_closer_match(example(), asked, name("example.")) is None
    assert nsec.no_closer_match(example(), asked, name("z.w.example.")) is None
    assert nsec.no_closer_match(example("example."), asked, name("w.example.")) is None


def test_the_closest_encloser_is_seen_at_either_end_of_the_span() -> None:
    begin = nsecs("z.", "b.a.z. q.z. A")
    end = nsecs("z.", "0.z. d.a.z. A")
    for zone in (begin, end):
        denial = nsec.no_closer_match(zone, name("c.a.z."), name("a.z."))
        assert denial
        assert denial.denied is Denied.CLOSER_MATCH
        assert nsec.no_closer_match(zone, name("c.a.z."), name("z.")) is None


def test_the_wildcard_of_another_encloser_shows_nothing() -> None:
    zone = nsecs("z.", "b.a.z. q.z. A", "*.z. a.z. TXT")
    assert no_data(zone, "c.a.z.") is None


def test_wildcards_that_delegate_or_alias_show_no_missing_type() -> None:
    for bits in ("NS", "CNAME", "A"):
        zone = nsecs("z.", f"*.z. a.z. {bits}", "a.z. z. A")
        assert no_data(zone, "q.z.") is None, bits


# ------------ Who may speak ------------


@pytest.mark.parametrize("asked", ["x.a.example.", "x.b.example.", "deep.below.b.example."])
def test_an_ancestor_delegation_denies_nothing_below_the_cut(asked: str) -> None:
    """RFC 6840 section 4.1."""
    assert nsec.name_error(example(), name(asked)) is None
    assert no_data(example(), asked) is None
    assert nsec.no_closer_match(example(), name(asked), name("example.")) is None
    assert nsec.no_secure_delegation(example(), name(asked)) is None
    assert nsec.insecure_cut(example(), name(asked)) is None


def test_below_a_dname_nothing_is_denied() -> None:
    zone = nsecs("z.", "z. d.z. SOA NS", "d.z. z. DNAME")
    for asked in ("x.d.z.", "y.x.d.z."):
        assert nsec.name_error(zone, name(asked)) is None
        assert no_data(zone, asked) is None
        assert nsec.no_secure_delegation(zone, name(asked)) is None
    assert told(no_data(zone, "d.z.")) == (Denied.DATA, ["d.z."])
    assert told(nsec.name_error(zone, name("e.z."))) == (Denied.NAME, ["d.z.", "z."])
    apex = nsecs("z.", "z. z. SOA NS DNAME")
    assert nsec.name_error(apex, name("x.z.")) is None
    assert told(no_data(apex, "z.")) == (Denied.DATA, ["z."])


def test_the_apex_of_a_zone_may_speak_of_what_is_below() -> None:
    zone = nsecs("z.", "z. z. NS SOA")
    assert nsec.name_error(zone, name("x.z."))


def test_another_record_of_the_same_span_may_speak_where_one_may_not() -> None:
    zone = nsecs("z.", "c.z. z. NS", "z. z. SOA NS")
    assert told(nsec.no_secure_delegation(zone, name("x.c.z."))) == (Denied.NAME, ["z."])


# ------------ Bitmaps ------------


def test_an_alias_would_have_been_the_answer() -> None:
    """RFC 6840 section 4.3."""
    zone = nsecs("z.", "z. a.z. SOA NS", "a.z. z. CNAME")
    for rdtype in ("A", "DS", "ANY", "CNAME"):
        assert no_data(zone, "a.z.", rdtype) is None
    plain = nsecs("z.", "a.z. z. A")
    assert no_data(plain, "a.z.", "CNAME")


def test_the_parents_side_of_a_cut_denies_ds_and_nothing_else() -> None:
    for rdtype in ("A", "SOA", "DNSKEY", "NS", "NSEC3PARAM"):
        assert no_data(example(), "b.example.", rdtype) is None
    assert no_data(example(), "b.example.", "DS")


def test_at_the_root_itself_ds_is_denied_by_its_own_apex() -> None:
    root = nsecs(".", ". aaa. NS SOA DNSKEY")
    assert told(no_data(root, ".", "DS")) == (Denied.DATA, ["."])


def test_any_is_denied_by_a_name_that_has_nothing_of_its_own() -> None:
    empty = nsecs("z.", "a.z. z. ")
    assert told(no_data(empty, "a.z.", "ANY")) == (Denied.DATA, ["a.z."])
    for bits in ("A", "NS", "TYPE65280"):
        assert no_data(nsecs("z.", f"a.z. z. {bits}"), "a.z.", "ANY") is None


def test_any_is_refused_at_the_first_type_without_a_look_at_the_others() -> None:
    types = read_types(write_types(set(range(0x10000)) - {rdtypes.CNAME}))
    assert not denies_type(types, rdtypes.ANY, name("a.z."))
    assert calls(lambda: denies_type(types, rdtypes.ANY, name("a.z."))) < 50


def test_types_beyond_255_are_denied_in_their_own_windows() -> None:
    zone = nsecs("z.", "a.z. z. A CAA TYPE65534")
    assert no_data(zone, "a.z.", "CAA") is None
    assert no_data(zone, "a.z.", "TYPE65534") is None
    assert no_data(zone, "a.z.", "TYPE65535")
    assert no_data(zone, "a.z.", "TYPE513")


# ------------ Delegations ------------


def test_without_ns_there_is_no_cut() -> None:
    denial = nsec.no_secure_delegation(example(), name("ai.example."))
    assert told(denial) == (Denied.DELEGATION, ["ai.example."])
    assert nsec.insecure_cut(example(), name("ai.example.")) is None


def test_a_name_that_is_denied_is_no_cut_nor_is_anything_below_it() -> None:
    denial = nsec.no_secure_delegation(example(), name("a.b.c.ml.example."))
    assert told(denial) == (Denied.NAME, ["b.example."])


def test_an_insecure_cut_is_known_by_its_own_record_only() -> None:
    assert told(nsec.insecure_cut(example(), name("b.example."))) == (Denied.DS, ["b.example."])
    for other in ("a.example.", "c.example.", "y.w.example.", "ns1.example."):
        assert nsec.insecure_cut(example(), name(other)) is None


# ------------ Compact denial (RFC 9824) ------------


def test_nxname_says_that_the_name_does_not_exist() -> None:
    zone = nsecs("z.", r"q.z. \000.q.z. NXNAME")
    assert told(nsec.name_error(zone, name("q.z."))) == (Denied.COMPACTLY, ["q.z."])
    for rdtype in ("A", "DS", "ANY"):
        assert told(no_data(zone, "q.z.", rdtype)) == (Denied.COMPACTLY, ["q.z."])
    denial = nsec.no_secure_delegation(zone, name("q.z."))
    assert told(denial) == (Denied.DELEGATION, ["q.z."])


def test_without_nxname_an_exact_record_is_no_name_error() -> None:
    zone = nsecs("z.", r"q.z. \000.q.z. ", "z. q.z. SOA NS")
    assert nsec.name_error(zone, name("q.z.")) is None
    assert told(no_data(zone, "q.z.")) == (Denied.DATA, ["q.z."])


def test_a_compact_denial_says_nothing_of_other_names() -> None:
    zone = nsecs("z.", r"q.z. \000.q.z. NXNAME")
    for other in ("p.z.", "r.z.", "a.q.z.", r"\000.q.z.", r"a.\000.q.z."):
        assert nsec.name_error(zone, name(other)) is None
        assert no_data(zone, other) is None
        assert nsec.no_closer_match(zone, name(other), name("z.")) is None


def test_white_lies_deny_what_they_are_made_for() -> None:
    """RFC 4470: spans from just before a name to just after it."""
    zone = nsecs("z.", r"p\255.z. q\000.z. ", r")\255.z. *\000.z. ")
    assert told(nsec.name_error(zone, name("q.z."))) == (
        Denied.NAME,
        [r"p\255.z.", r"\)\255.z."],
    )
