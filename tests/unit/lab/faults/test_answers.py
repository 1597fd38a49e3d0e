"""What servers, or others, make of answers."""

import pytest

from anchord.lab.plan import Plan
from anchord.lab.world import World
from anchord.model import names, rcodes, rdtypes
from anchord.model.ede import Ede
from anchord.model.response import Unanswered
from anchord.wire.rdata import read_target
from support.lab import ask, brief, question, world_of

RECORDS = """
    @     A      192.0.2.1
    www   A      192.0.2.80
    tree  DNAME  other.example.
"""


def world_with(faults: str) -> World:
    return world_of(Plan("z.lab", "", records=RECORDS, faults=faults))


# ------------ Servers that are of little use ------------


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("unreachable", "do not answer"),
        ("refused", "REFUSED"),
        (f"says {rcodes.NOTIMP}", "NOTIMP"),
    ],
)
def test_servers_that_are_of_no_use_leave_the_question_unanswered(fault: str, text: str) -> None:
    reply = world_of(Plan("z.lab", "", faults=fault)).answer(question("z.lab"))
    assert isinstance(reply, Unanswered)
    assert reply.edes[0].code == 22
    assert text in reply.edes[0].text


def test_servers_can_say_nxdomain_without_a_word_more() -> None:
    world = world_of(Plan("z.lab", "", faults=f"says {rcodes.NXDOMAIN}"))
    response = ask(world, "z.lab")
    assert (response.rcode, response.answer, response.authority) == (rcodes.NXDOMAIN, (), ())


def test_servers_can_add_an_extended_error_to_a_good_answer() -> None:
    world = world_of(Plan("z.lab", "", faults="extended-error 9 out of keys"))
    response = ask(world, "z.lab")
    assert response.edes == (Ede(9, "out of keys"),)
    assert response.answer


def test_one_question_can_be_left_unanswered() -> None:
    world = world_with("unanswered A www")
    assert isinstance(world.answer(question("www.z.lab")), Unanswered)
    assert ask(world, "www.z.lab", "AAAA").answer == ()
    assert ask(world, "z.lab").answer != ()


def test_the_question_for_the_ds_set_can_be_left_unanswered() -> None:
    world = world_with("unanswered DS")
    assert isinstance(world.answer(question("z.lab", "DS")), Unanswered)
    assert ask(world, "z.lab", "DNSKEY").answer != ()


def test_a_referral_can_stand_in_the_place_of_an_answer() -> None:
    response = ask(world_with("referral"), "www.z.lab")
    assert response.answer == ()
    assert brief(response.authority) == ["z.lab. NS", "z.lab. DS"]
    assert ask(world_with("referral"), "z.lab", "DNSKEY").answer != ()
    unsigned = world_of(Plan("z.lab", "", algorithms=(), faults="referral"))
    assert brief(ask(unsigned, "z.lab").authority) == ["z.lab. NS", "z.lab. NSEC"]


# ------------ Data that nobody signed ------------


def test_addresses_can_be_spoofed_at_a_name_and_below() -> None:
    world = world_with("spoofs www")
    for name in ("www.z.lab", "a.b.www.z.lab"):
        (forged,) = ask(world, name).answer
        assert (forged.rdatas, forged.signatures) == ((b"\xc0\0\2\x42",), ())
    assert ask(world, "z.lab").answer[0].signatures
    assert ask(world, "www.z.lab", "DS").authority != ()


def test_addresses_can_be_rewritten_to_an_alias() -> None:
    world = world_of(
        Plan("z.lab", "", records=RECORDS, faults="rewritten www.b.lab."), Plan("b.lab", "")
    )
    response = ask(world, "www.z.lab")
    assert brief(response.answer) == ["www.z.lab. CNAME", "www.b.lab. A"]
    assert [bool(rrset.signatures) for rrset in response.answer] == [False, True]


def test_records_can_come_along_that_nobody_asked_for() -> None:
    world = world_with("extras www.good.lab.")
    response = ask(world, "z.lab")
    assert brief(response.answer) == ["z.lab. A", "www.good.lab. A"]
    assert brief(response.authority) == ["z.lab. NS", "www.good.lab. A"]
    signed = [rrset for rrset in (*response.answer, *response.authority) if rrset.signatures]
    assert signed == [response.answer[0]]
    denial = ask(world, "nx.z.lab")
    assert denial.answer == ()
    assert brief(denial.authority)[-2:] == ["z.lab. NS", "www.good.lab. A"]


# ------------ Answers that are put together in another way ------------


def test_owners_can_be_in_upper_case() -> None:
    world = world_with("shouts")
    (rrset,) = ask(world, "www.z.lab").answer
    assert rrset.spelling == names.from_text("WWW.Z.LAB.")
    assert rrset.name == names.from_text("www.z.lab.")
    assert {rrset.spelling for rrset in ask(world, "z.lab", "TXT").authority} == {
        names.from_text("Z.LAB.")
    }


def test_records_can_be_there_twice() -> None:
    (rrset,) = ask(world_with("repeats"), "www.z.lab").answer
    assert rrset.rdatas == (b"\xc0\0\2\x50",) * 2


def test_denials_can_come_without_an_soa() -> None:
    assert brief(ask(world_with("no-soa"), "www.z.lab", "TXT").authority) == ["www.z.lab. NSEC"]


def test_signatures_can_say_that_they_cover_another_type() -> None:
    response = ask(world_with("covers-another MX"), "www.z.lab")
    assert brief(response.answer) == ["www.z.lab. A", "www.z.lab. RRSIG"]
    address, signatures = response.answer
    assert address.signatures == ()
    assert [rdata[:2] for rdata in signatures.rdatas] == [rdtypes.MX.to_bytes(2)]


# ------------ DNAME ------------


def test_a_dname_can_come_without_its_cname() -> None:
    reply = world_with("no-synthesis").ask(question("x.tree.z.lab"))
    assert reply is not None
    assert brief(reply.answer) == ["tree.z.lab. DNAME"]
    assert reply.alias == names.from_text("x.other.example.")


def test_a_dname_can_come_with_a_cname_that_does_not_follow() -> None:
    reply = world_with("forged-synthesis").ask(question("x.tree.z.lab"))
    assert reply is not None
    assert brief(reply.answer) == ["tree.z.lab. DNAME", "x.tree.z.lab. CNAME"]
    target = read_target(reply.answer[1].rdatas[0])
    assert target == reply.alias
    assert target == names.from_text("y.other.example.")


def test_dnames_that_were_asked_for_are_left_alone() -> None:
    for fault in ("no-synthesis", "forged-synthesis"):
        assert brief(ask(world_with(fault), "tree.z.lab", "DNAME").answer) == ["tree.z.lab. DNAME"]
