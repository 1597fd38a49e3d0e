"""What a response says, before anything of it is believed."""

import pytest

from anchord.dnssec.classify import Ending, Story, tell
from anchord.model import names, rcodes, rdtypes
from anchord.model.response import Response, RRset
from support.denials import name
from support.judging import rrset
from support.lab import question

MOST = 12
SOA = rrset("z.", "SOA", bytes(22))


def story(
    *answer: RRset,
    rdtype: str = "A",
    asked: str = "a.z.",
    rcode: int = 0,
    authority: tuple[RRset, ...] = (SOA,),
    seen: set[bytes] | None = None,
    most: int = MOST,
) -> Story:
    response = Response(question(asked, rdtype), rcode, answer, authority)
    return tell(response, response.question, set() if seen is None else seen, most)


def a(owner: str, last: int = 1) -> RRset:
    return rrset(owner, "A", bytes((192, 0, 2, last)))


def cname(owner: str, target: str, signatures: tuple[bytes, ...] = ()) -> RRset:
    return rrset(owner, "CNAME", names.from_text(target), signatures=signatures)


def dname(owner: str, *targets: str) -> RRset:
    return rrset(owner, "DNAME", *map(names.from_text, targets), ttl=77)


def told(found: Story) -> tuple[list[str], str, Ending]:
    aliases = [names.to_text(alias.cname.name) for alias in found.aliases]
    return aliases, names.to_text(found.name), found.ending


# ------------ Data and denials ------------


def test_data_of_the_type_that_was_asked_for() -> None:
    found = story(a("a.z."))
    assert told(found) == ([], "a.z.", Ending.DATA)
    assert found.data == (a("a.z."),)


def test_records_that_play_no_part_are_left_out() -> None:
    """BIND, CVE-2025-40778: neither other names, nor other types."""
    found = story(a("b.z."), rrset("a.z.", "TXT", b"\1x"), a("a.z."), a("z."))
    assert found.data == (a("a.z."),)
    assert told(story(a("b.z."))) == ([], "a.z.", Ending.NO_DATA)


def test_nothing_is_a_denial_of_the_type_or_by_its_code_of_the_name() -> None:
    assert story().ending is Ending.NO_DATA
    assert story(authority=()).ending is Ending.NO_DATA
    assert story(rcode=rcodes.NXDOMAIN).ending is Ending.NAME_ERROR
    assert story(rcode=rcodes.YXDOMAIN).ending is Ending.NO_DATA


def test_data_count_whatever_the_code_is() -> None:
    assert story(a("a.z."), rcode=rcodes.NXDOMAIN).ending is Ending.DATA


def test_any_is_everything_at_the_name_but_signatures() -> None:
    text = rrset("a.z.", "TXT", b"\1x")
    orphans = rrset("a.z.", "RRSIG", bytes(19))
    found = story(a("a.z."), text, orphans, a("b.z."), rdtype="ANY")
    assert found.data == (a("a.z."), text)
    alias = cname("a.z.", "b.z.")
    assert story(alias, a("b.z."), rdtype="ANY").data == (alias,)
    assert story(rdtype="ANY").ending is Ending.NO_DATA


def test_signatures_are_data_where_they_are_asked_for() -> None:
    orphans = rrset("a.z.", "RRSIG", bytes(19))
    assert story(orphans, rdtype="RRSIG").data == (orphans,)


# ------------ Aliases ------------


def test_aliases_are_followed_within_the_response() -> None:
    found = story(a("c.z."), cname("b.z.", "C.z."), cname("a.z.", "b.z."))
    assert told(found) == (["a.z.", "b.z."], "c.z.", Ending.DATA)
    assert all(alias.dname is None for alias in found.aliases)


def test_an_alias_that_was_asked_for_is_data() -> None:
    for signatures in ((), (b"",)):
        alias = cname("a.z.", "b.z.", signatures)
        found = story(alias, a("b.z."), rdtype="CNAME")
        assert told(found) == ([], "a.z.", Ending.DATA)
        assert found.data == (alias,)
        assert found.alias is None


def test_an_alias_may_lead_to_a_denial_or_out_of_the_response() -> None:
    alias = cname("a.z.", "b.y.")
    assert told(story(alias)) == (["a.z."], "b.y.", Ending.NO_DATA)
    nx = story(alias, rcode=rcodes.NXDOMAIN, authority=())
    assert told(nx) == (["a.z."], "b.y.", Ending.NAME_ERROR)
    assert told(story(alias, authority=())) == (["a.z."], "b.y.", Ending.OPEN)
    nsec = rrset("a.z.", "NSEC", b"\0")
    assert story(alias, authority=(nsec,)).ending is Ending.OPEN


def test_a_loop_ends_where_it_began() -> None:
    """CVE-2022-48256: among them an alias of itself."""
    assert told(story(cname("a.z.", "a.z."))) == (["a.z."], "a.z.", Ending.LOOP)
    ring = story(cname("a.z.", "b.z."), cname("b.z.", "A.z."))
    assert told(ring) == (["a.z.", "b.z."], "b.z.", Ending.LOOP)
    seen = {name("b.z.")}
    assert told(story(cname("a.z.", "b.z."), seen=seen)) == (["a.z."], "a.z.", Ending.LOOP)
    assert seen == {name("a.z."), name("b.z.")}


def test_an_alias_of_two_names_or_none_leads_nowhere() -> None:
    for rdatas in ((b"\1b\0", b"\1c\0"), (b"",), (b"\1b\0\0",), ()):
        assert story(rrset("a.z.", "CNAME", *rdatas)).ending is Ending.LOOP


def test_a_chain_is_told_for_so_many_aliases_and_no_further() -> None:
    chain = [cname(f"n{n}.z.", f"n{n + 1}.z.") for n in range(100)]
    found = story(*chain, asked="n0.z.", most=12)
    assert len(found.aliases) == 12
    assert found.ending is Ending.OPEN
    short = story(*chain[:11], a("n11.z."), asked="n0.z.", most=12)
    assert (len(short.aliases), short.ending) == (11, Ending.DATA)


# ------------ DNAME (RFC 6672) ------------


def test_an_alias_may_follow_from_a_dname_above() -> None:
    above, alias = dname("z.", "y."), cname("a.z.", "A.y.")
    found = story(above, alias, a("a.y."))
    assert told(found) == (["a.z."], "a.y.", Ending.DATA)
    assert found.aliases[0].cname == alias
    assert found.aliases[0].dname == above


def test_an_alias_that_was_left_out_is_made() -> None:
    """RFC 6672 section 3.1."""
    found = story(dname("z.", "Y."), a("b.a.y."), asked="b.a.z.")
    made = found.aliases[0].cname
    assert (made.name, made.rdtype, made.ttl) == (name("b.a.z."), rdtypes.CNAME, 77)
    assert made.rdatas == (names.from_text("b.a.Y."),)
    assert made.signatures == ()
    assert found.name == name("b.a.y.")


def test_the_closest_dname_above_is_the_one() -> None:
    near, far = dname("b.z.", "near."), dname("z.", "far.")
    found = story(far, near, asked="a.b.z.")
    assert found.aliases[0].dname == near
    assert found.name == name("a.near.")


def test_a_dname_says_nothing_of_its_own_name() -> None:
    assert told(story(dname("a.z.", "y."))) == ([], "a.z.", Ending.NO_DATA)
    assert story(dname("a.z.", "y."), a("a.z.")).ending is Ending.DATA
    asked = dname("a.z.", "y.")
    assert story(asked, rdtype="DNAME").data == (asked,)
    assert story(dname("xa.z.", "y."), asked="a.z.").ending is Ending.NO_DATA


def test_an_alias_that_is_not_what_the_dname_says_stands_by_itself() -> None:
    """Trap 27: what is forged, and what another zone has."""
    above, alias = dname("z.", "y."), cname("a.z.", "evil.")
    found = story(above, alias)
    assert told(found) == (["a.z."], "evil.", Ending.NO_DATA)
    assert found.aliases[0].dname is None
    assert found.aliases[0].contradicts == above


def test_an_unsigned_alias_below_a_dname_that_was_asked_for_follows_from_it() -> None:
    above, alias = dname("z.", "y."), cname("a.z.", "a.y.")
    found = story(above, alias, rdtype="CNAME")
    assert told(found) == ([], "a.z.", Ending.DATA)
    assert found.data == (alias,)
    assert found.alias
    assert found.alias.dname == above
    made = story(above, rdtype="CNAME")
    assert made.data[0].rdatas == alias.rdatas
    signed = cname("a.z.", "a.y.", (b"",))
    assert story(above, signed, rdtype="CNAME").alias is None
    assert story(above, alias, rdtype="ANY").aliases[0].dname == above


def test_data_below_a_dname_are_data() -> None:
    assert story(dname("z.", "y."), a("a.z.")).data == (a("a.z."),)


def test_two_dnames_or_a_malformed_one_are_none() -> None:
    """RFC 6672 section 2.4: an owner has one."""
    for rdatas in ((b"\1y\0", b"\1x\0"), (b"",), (b"\1y\0\0",), ()):
        odd = rrset("z.", "DNAME", *rdatas)
        assert story(odd).ending is Ending.NO_DATA
        further_up = dname(".", "y.")
        assert story(odd, further_up, asked="a.z.").aliases[0].dname == further_up


@pytest.mark.parametrize(("octets", "is_too_long"), [(255, False), (256, True)])
def test_a_name_may_become_too_long(octets: int, is_too_long: bool) -> None:
    """RFC 6672 section 2.2."""
    labels = ["l" * 62] * 3
    target = ".".join([*labels, "m" * (octets - 3 * 63 - 4), ""])
    above = dname("z.", target)
    found = story(above, asked="a.z.")
    assert len(name(target)) + 2 == octets
    if is_too_long:
        assert told(found) == ([], "a.z.", Ending.TOO_LONG)
        assert found.dname == above
    else:
        assert len(found.name) == 255
        assert found.ending is Ending.NO_DATA


def test_a_dname_may_lead_back() -> None:
    found = story(dname("z.", "a.z."), asked="b.z.", most=5)
    assert len(found.aliases) == 5
    assert found.ending is Ending.OPEN
    assert story(dname("z.", "z."), asked="b.z.").ending is Ending.LOOP
