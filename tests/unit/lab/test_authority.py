"""What the servers of a zone say, case by case of the RFCs."""

import pytest

from anchord.lab import authority
from anchord.lab.denial import Nsec3, nsec3_hash, nsec3_owner
from anchord.lab.zones import Reply, Zone
from anchord.model import names, rcodes, rdtypes
from anchord.model.question import Question
from anchord.model.response import RRset
from anchord.wire.rdata import read_rrsig, read_target
from support.lab import brief, zone_of

RECORDS = """
    @        A      192.0.2.1
    @        MX     10 mail
    mail     A      192.0.2.25
    www      CNAME  mail
    out      CNAME  WWW.Example.
    e.n.t    TXT    "below empty non-terminals"
    *.w      A      192.0.2.42
    *.w      TXT    "wild"
    here.w   A      192.0.2.43
    *.c      CNAME  mail
    tree     DNAME  other.example.
    bare     NS     ns.bare
    ns.bare  A      192.0.2.53
    safe     NS     ns.example.
    safe     DS     1 13 2 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
    sub.*.v  A      192.0.2.44
"""
NSEC_ZONE = zone_of(RECORDS)
NSEC3_ZONE = zone_of(RECORDS, denial=Nsec3())
OPT_OUT_ZONE = zone_of(RECORDS, denial=Nsec3(opt_out=True))
UNSIGNED_ZONE = zone_of(RECORDS, algorithms=())


def say(zone: Zone, name: str, rdtype: str = "A") -> Reply:
    name = name + ".z.lab" if name != "@" else "z.lab"
    return authority.answer(zone, Question(names.from_text(name), rdtypes.from_text(rdtype)))


def told(reply: Reply) -> tuple[int, list[str], list[str]]:
    return reply.rcode, brief(reply.answer), brief(reply.authority)


def hashed(*existing: str) -> list[str]:
    """NSEC3 records of these names, as `owner type`."""
    return [
        names.to_text(nsec3_owner(nsec3_hash(names.from_text(name), Nsec3()), NSEC3_ZONE.apex))
        + " NSEC3"
        for name in existing
    ]


def covering(zone: Zone, name: str) -> str:
    denial = zone.chain.covering(names.from_text(name))
    assert denial is not None
    return brief((denial,))[0]


def is_signed(rrsets: tuple[RRset, ...]) -> bool:
    return all(rrset.signatures for rrset in rrsets)


# ------------ Data (RFC 1034 section 4.3.2, RFC 4035 section 3.1.1) ------------


@pytest.mark.parametrize("zone", [NSEC_ZONE, NSEC3_ZONE])
def test_data_come_with_their_signatures_and_nothing_else(zone: Zone) -> None:
    reply = say(zone, "@", "MX")
    assert told(reply) == (rcodes.NOERROR, ["z.lab. MX"], [])
    assert is_signed(reply.answer)


def test_an_alias_is_answered_with_itself_and_says_where_to_go_on() -> None:
    reply = say(NSEC_ZONE, "www")
    assert told(reply) == (rcodes.NOERROR, ["www.z.lab. CNAME"], [])
    assert reply.alias == names.from_text("mail.z.lab")
    assert say(NSEC_ZONE, "out").alias == names.from_text("www.example")


def test_a_question_for_the_alias_itself_leads_nowhere_else() -> None:
    reply = say(NSEC_ZONE, "www", "CNAME")
    assert told(reply) == (rcodes.NOERROR, ["www.z.lab. CNAME"], [])
    assert reply.alias is None


def test_a_question_for_any_type_gets_every_set() -> None:
    expected = ["A", "MX", "SOA", "NS", "DNSKEY", "NSEC"]
    assert brief(say(NSEC_ZONE, "@", "ANY").answer) == ["z.lab. " + rdtype for rdtype in expected]
    assert say(NSEC_ZONE, "www", "ANY").alias is None


def test_a_question_for_rrsig_gets_the_signatures_as_a_set_without_signatures() -> None:
    (rrset,) = say(NSEC_ZONE, "mail", "RRSIG").answer
    assert {read_rrsig(rdata).type_covered for rdata in rrset.rdatas} == {
        rdtypes.A,
        rdtypes.NSEC,
    }
    assert rrset.signatures == ()
    assert told(say(UNSIGNED_ZONE, "mail", "RRSIG"))[:2] == (rcodes.NOERROR, [])


def test_nsec_records_can_be_asked_for_and_nsec3_records_cannot() -> None:
    assert brief(say(NSEC_ZONE, "mail", "NSEC").answer) == ["mail.z.lab. NSEC"]
    assert say(NSEC3_ZONE, "mail", "NSEC").answer == ()
    assert say(NSEC3_ZONE, "@", "NSEC3PARAM").answer != ()


# ------------ Denials (RFC 4035 section 3.1.3, RFC 5155 section 7.2) ------------


def test_a_missing_type_is_denied_by_the_names_own_record() -> None:
    assert told(say(NSEC_ZONE, "mail", "TXT")) == (
        rcodes.NOERROR, [], ["z.lab. SOA", "mail.z.lab. NSEC"],
    )  # fmt: skip
    assert told(say(NSEC3_ZONE, "mail", "TXT")) == (
        rcodes.NOERROR, [], ["z.lab. SOA", *hashed("mail.z.lab")],
    )  # fmt: skip
    assert is_signed(say(NSEC3_ZONE, "mail", "TXT").authority)


def test_a_missing_name_is_denied_with_its_wildcard() -> None:
    rcode, answer, proof = told(say(NSEC_ZONE, "nx"))
    assert (rcode, answer) == (rcodes.NXDOMAIN, [])
    assert proof == ["z.lab. SOA", "mail.z.lab. NSEC", "z.lab. NSEC"]
    rcode, answer, proof = told(say(NSEC3_ZONE, "a.nx"))
    assert (rcode, answer) == (rcodes.NXDOMAIN, [])
    expected = hashed("z.lab")
    expected += [covering(NSEC3_ZONE, name) for name in ("nx.z.lab", "*.z.lab")]
    assert proof == ["z.lab. SOA", *dict.fromkeys(expected)]


def test_one_nsec_stands_once_where_it_denies_both() -> None:
    zone = zone_of("@ A 192.0.2.1")
    assert told(say(zone, "nx"))[2] == ["z.lab. SOA", "z.lab. NSEC"]


def test_an_empty_non_terminal_exists() -> None:
    assert told(say(NSEC_ZONE, "n.t")) == (
        rcodes.NOERROR, [], ["z.lab. SOA", covering(NSEC_ZONE, "n.t.z.lab")],
    )  # fmt: skip
    assert told(say(NSEC3_ZONE, "n.t")) == (
        rcodes.NOERROR, [], ["z.lab. SOA", *hashed("n.t.z.lab")],
    )  # fmt: skip


def test_an_unsigned_zone_denies_with_its_soa_alone() -> None:
    assert told(say(UNSIGNED_ZONE, "nx")) == (rcodes.NXDOMAIN, [], ["z.lab. SOA"])
    assert told(say(UNSIGNED_ZONE, "@", "TXT")) == (rcodes.NOERROR, [], ["z.lab. SOA"])


def test_the_owner_of_an_nsec3_record_is_no_name_of_the_zone() -> None:
    owner = next(NSEC3_ZONE.chain.rrsets()).name
    reply = authority.answer(NSEC3_ZONE, Question(owner, rdtypes.NSEC3))
    assert reply.rcode == rcodes.NXDOMAIN


# ------------ Wildcards (RFC 4592, RFC 4035 section 3.1.3.3, RFC 5155 section 7.2.6) ------------


def test_a_wildcard_answers_in_the_name_that_was_asked_with_a_proof_that_nothing_is_closer() -> (
    None
):
    reply = say(NSEC_ZONE, "a.b.w")
    assert told(reply) == (
        rcodes.NOERROR, ["a.b.w.z.lab. A"], [covering(NSEC_ZONE, "a.b.w.z.lab")],
    )  # fmt: skip
    assert read_rrsig(reply.answer[0].signatures[0]).labels == 3
    assert told(say(NSEC3_ZONE, "a.b.w")) == (
        rcodes.NOERROR, ["a.b.w.z.lab. A"], [covering(NSEC3_ZONE, "b.w.z.lab")],
    )  # fmt: skip


def test_a_wildcard_that_lacks_the_type_is_proven_to_lack_it() -> None:
    assert told(say(NSEC_ZONE, "any.w", "MX")) == (
        rcodes.NOERROR, [], ["z.lab. SOA", "*.w.z.lab. NSEC"],
    )  # fmt: skip
    assert told(say(NSEC_ZONE, "out.w", "MX")) == (
        rcodes.NOERROR, [], ["z.lab. SOA", "here.w.z.lab. NSEC", "*.w.z.lab. NSEC"],
    )  # fmt: skip
    rcode, answer, proof = told(say(NSEC3_ZONE, "any.w", "MX"))
    assert (rcode, answer) == (rcodes.NOERROR, [])
    expected = [covering(NSEC3_ZONE, "any.w.z.lab"), *hashed("w.z.lab", "*.w.z.lab")]
    assert proof == ["z.lab. SOA", *dict.fromkeys(expected)]


def test_a_wildcard_does_not_apply_at_or_below_a_name_that_exists() -> None:
    assert told(say(NSEC_ZONE, "here.w", "TXT"))[:2] == (rcodes.NOERROR, [])
    assert say(NSEC_ZONE, "below.here.w", "TXT").rcode == rcodes.NXDOMAIN


def test_the_wildcard_itself_can_be_asked_for() -> None:
    assert told(say(NSEC_ZONE, "*.w")) == (rcodes.NOERROR, ["*.w.z.lab. A"], [])


def test_a_wildcard_that_is_an_empty_non_terminal_answers_without_data() -> None:
    assert told(say(NSEC_ZONE, "any.v"))[:2] == (rcodes.NOERROR, [])
    assert told(say(NSEC3_ZONE, "any.v"))[:2] == (rcodes.NOERROR, [])


def test_an_alias_from_a_wildcard_has_its_proof_and_leads_on() -> None:
    reply = say(NSEC_ZONE, "any.c")
    assert told(reply) == (
        rcodes.NOERROR, ["any.c.z.lab. CNAME"], [covering(NSEC_ZONE, "any.c.z.lab")],
    )  # fmt: skip
    assert reply.alias == names.from_text("mail.z.lab")


# ------------ DNAME (RFC 6672 section 3) ------------


def test_below_a_dname_a_cname_is_made_that_is_not_signed() -> None:
    reply = say(NSEC_ZONE, "a.b.tree")
    assert told(reply) == (rcodes.NOERROR, ["tree.z.lab. DNAME", "a.b.tree.z.lab. CNAME"], [])
    dname, cname = reply.answer
    assert dname.signatures
    assert not cname.signatures
    assert cname.ttl == dname.ttl
    assert read_target(cname.rdatas[0]) == names.from_text("a.b.other.example")
    assert reply.alias == names.from_text("a.b.other.example")


def test_the_dnames_own_name_is_not_redirected() -> None:
    assert told(say(NSEC_ZONE, "tree", "DNAME")) == (rcodes.NOERROR, ["tree.z.lab. DNAME"], [])
    assert told(say(NSEC_ZONE, "tree")) == (
        rcodes.NOERROR, [], ["z.lab. SOA", "tree.z.lab. NSEC"],
    )  # fmt: skip


def test_a_name_that_grows_too_long_below_a_dname_is_yxdomain() -> None:
    long = ".".join(["x" * 60] * 4)
    reply = say(zone_of("t DNAME " + "y" * 20 + ".example."), long[:236] + ".t")
    assert reply.rcode == rcodes.YXDOMAIN
    assert brief(reply.answer) == ["t.z.lab. DNAME"]
    assert reply.alias is None


def test_a_dname_at_the_apex_redirects_all_below_but_not_the_apex() -> None:
    zone = zone_of("@ DNAME other.example.\n@ A 192.0.2.1")
    assert say(zone, "www").alias == names.from_text("www.other.example")
    assert brief(say(zone, "@").answer) == ["z.lab. A"]


# ------------ Referrals (RFC 4035 section 3.1.4, RFC 5155 section 7.2.7) ------------


def test_a_signed_delegation_comes_with_its_ds_set() -> None:
    reply = say(NSEC_ZONE, "www.safe")
    assert told(reply) == (rcodes.NOERROR, [], ["safe.z.lab. NS", "safe.z.lab. DS"])
    assert reply.referral == names.from_text("safe.z.lab")
    assert [bool(rrset.signatures) for rrset in reply.authority] == [False, True]


def test_an_unsigned_delegation_comes_with_the_proof_that_it_has_no_ds() -> None:
    assert told(say(NSEC_ZONE, "www.bare"))[2] == ["bare.z.lab. NS", "bare.z.lab. NSEC"]
    assert told(say(NSEC3_ZONE, "www.bare"))[2] == ["bare.z.lab. NS", *hashed("bare.z.lab")]
    expected = [*hashed("z.lab"), covering(OPT_OUT_ZONE, "bare.z.lab")]
    assert told(say(OPT_OUT_ZONE, "www.bare"))[2] == [
        "bare.z.lab. NS", *dict.fromkeys(expected),
    ]  # fmt: skip


def test_glue_is_no_answer() -> None:
    reply = say(NSEC_ZONE, "ns.bare")
    assert (reply.answer, reply.referral) == ((), names.from_text("bare.z.lab"))


def test_a_question_for_ds_at_a_cut_is_the_parents() -> None:
    assert told(say(NSEC_ZONE, "safe", "DS")) == (rcodes.NOERROR, ["safe.z.lab. DS"], [])
    assert told(say(NSEC_ZONE, "bare", "DS")) == (
        rcodes.NOERROR, [], ["z.lab. SOA", "bare.z.lab. NSEC"],
    )  # fmt: skip
    expected = [*hashed("z.lab"), covering(OPT_OUT_ZONE, "bare.z.lab")]
    assert told(say(OPT_OUT_ZONE, "bare", "DS")) == (
        rcodes.NOERROR, [], ["z.lab. SOA", *dict.fromkeys(expected)],
    )  # fmt: skip


def test_a_question_for_anything_else_at_a_cut_is_referred() -> None:
    assert say(NSEC_ZONE, "safe", "NS").referral == names.from_text("safe.z.lab")
