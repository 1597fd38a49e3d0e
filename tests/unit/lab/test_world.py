"""The world as a whole: the tree, its anchors, the recursive resolver, and that it is the same."""

import dns.dnssec
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.zone
import pytest
from msgspec.structs import replace

from anchord.lab import keys
from anchord.lab.plan import Plan
from anchord.lab.table import PLANS
from anchord.lab.world import World
from anchord.model import names, rcodes, rdtypes
from anchord.model.response import Unanswered
from anchord.wire.message import read_response
from anchord.wire.query import write_query
from anchord.wire.rdata import read_target
from support.lab import (
    NOW,
    ask,
    brief,
    check_by_dnspython,
    dnspython_name,
    dnspython_rrset,
    question,
    world_of,
)

ALIASES = Plan(
    "a.lab",
    "aliases into b.lab",
    records="""
        one    CNAME  two
        two    CNAME  b.lab.
        gone   CNAME  nx.b.lab.
        tree   DNAME  b.lab.
        loop   CNAME  pool
        pool   CNAME  loop
        away   CNAME  www.nowhere.lab.
        *.w    CNAME  b.lab.
    """,
)
TARGET = Plan("b.lab", "where aliases lead", records="@ A 192.0.2.1\nwww A 192.0.2.2")


@pytest.fixture(scope="module")
def world() -> World:
    return world_of(
        ALIASES, TARGET, Plan("c.b.lab", "a child"), Plan("nowhere.lab", "", faults="unreachable")
    )


# ------------ The tree ------------


def test_the_parent_of_a_zone_delegates_to_it(world: World) -> None:
    parent = world.zone(names.from_text("b.lab"))
    child = names.from_text("c.b.lab")
    assert parent.records[child, rdtypes.DS].signatures
    assert not parent.records[child, rdtypes.NS].signatures
    assert (child, rdtypes.DS) not in world.zone(names.from_text("lab")).records


def test_ds_sets_are_the_parents_and_the_rest_the_childs(world: World) -> None:
    def zone_of(rdtype: str) -> str:
        return str(world.zone_for(question("b.lab", rdtype)))

    assert (zone_of("DS"), zone_of("DNSKEY"), zone_of("A")) == ("lab.", "b.lab.", "b.lab.")
    assert str(world.zone_for(question(".", "DS"))) == "."
    assert str(world.zone_for(question("x.b.lab", "DS"))) == "b.lab."


def test_the_chain_of_trust_leads_from_the_anchor_to_every_zone(world: World) -> None:
    anchor = dns.zone.from_text(world.trust_anchors(), origin=".", check_origin=False)
    trusted = {anchor.find_rdataset("@", "DS")[0].to_wire()}
    for text in (".", "lab", "b.lab", "c.b.lab"):
        zone = world.zone(names.from_text(text))
        if text != ".":
            ds = world.zone_for(question(text, "DS"))
            assert ds is not None
            trusted = set(ds.records[zone.apex, rdtypes.DS].rdatas)
        keys = zone.records[zone.apex, rdtypes.DNSKEY]
        made = {
            dns.dnssec.make_ds(dnspython_name(zone.apex), key, "SHA256").to_wire()
            for key in dnspython_rrset(zone.apex, rdtypes.DNSKEY, 0, keys.rdatas)
        }
        assert trusted & made
        check_by_dnspython(zone, keys)


def test_the_anchors_can_be_had_as_dnskey(world: World) -> None:
    as_keys = dns.zone.from_text(
        world.trust_anchors(as_dnskey=True), origin=".", check_origin=False
    )
    (key,) = as_keys.find_rdataset("@", "DNSKEY")
    as_ds = dns.zone.from_text(world.trust_anchors(), origin=".", check_origin=False)
    assert as_ds.find_rdataset("@", "DS")[0] == dns.dnssec.make_ds(".", key, "SHA256")


def test_below_servers_that_do_not_answer_nothing_is_found() -> None:
    world = world_of(Plan("z.lab", "", faults="unreachable"), Plan("c.z.lab", "below"))
    assert isinstance(world.answer(question("c.z.lab")), Unanswered)
    assert brief(ask(world, "z.lab", "DS").answer) == ["z.lab. DS"]


def test_a_delegation_to_servers_in_no_plan_is_unanswered() -> None:
    world = world_of(Plan("z.lab", "", records="sub NS ns.example."))
    assert isinstance(world.answer(question("www.sub.z.lab")), Unanswered)


def test_the_same_seed_and_time_give_the_same_world() -> None:
    def everything(world: World) -> set[object]:
        return {rrset for zone in world.zones() for rrset in zone.rrsets()}

    plans = [plan for plan in PLANS if keys.MLDSA44 not in plan.algorithms]
    one, same = (everything(World(NOW, plans=plans)) for _ in range(2))
    assert one == same
    other_time, other_seed = (everything(world) for world in (World(NOW + 1), World(NOW, seed="x")))
    assert one != other_time
    assert one != other_seed
    assert World(NOW).trust_anchors() == World(NOW + 1).trust_anchors()
    assert everything(world_of(TARGET)) != everything(world_of(TARGET, now=NOW + 1))


def test_it_does_not_matter_in_which_order_zones_are_asked() -> None:
    def answers(asked: list[str]) -> dict[str, object]:
        world = world_of(ALIASES, TARGET)
        return {name: ask(world, name) for name in asked}

    asked = ["one.a.lab", "b.lab", "nx.lab", "nx"]
    assert answers(asked) == answers(asked[::-1])


def test_a_zone_is_planned_once_and_a_root_is_needed() -> None:
    with pytest.raises(ValueError, match=r"b\.lab is planned twice"):
        World(NOW, plans=[Plan(".", "root"), TARGET, TARGET])
    with pytest.raises(ValueError, match="no plan of the root"):
        World(NOW, plans=[TARGET])


# ------------ The recursive resolver ------------


def test_aliases_are_followed_through_all_zones(world: World) -> None:
    response = ask(world, "one.a.lab")
    assert brief(response.answer) == ["one.a.lab. CNAME", "two.a.lab. CNAME", "b.lab. A"]
    assert all(rrset.signatures for rrset in response.answer)
    assert (response.rcode, response.authority) == (rcodes.NOERROR, ())


def test_the_code_and_the_denial_are_those_of_the_last_name(world: World) -> None:
    response = ask(world, "gone.a.lab")
    assert response.rcode == rcodes.NXDOMAIN
    assert brief(response.answer) == ["gone.a.lab. CNAME"]
    assert brief(response.authority)[0] == "b.lab. SOA"
    missing_type = ask(world, "one.a.lab", "TXT")
    assert missing_type.rcode == rcodes.NOERROR
    assert brief(missing_type.authority) == ["b.lab. SOA", "b.lab. NSEC"]


def test_a_dname_is_followed_with_the_rest_of_the_name(world: World) -> None:
    response = ask(world, "www.tree.a.lab")
    assert brief(response.answer) == ["tree.a.lab. DNAME", "www.tree.a.lab. CNAME", "www.b.lab. A"]


def test_the_proof_of_a_wildcard_early_in_the_chain_is_handed_on(world: World) -> None:
    response = ask(world, "any.w.a.lab")
    assert brief(response.answer) == ["any.w.a.lab. CNAME", "b.lab. A"]
    assert brief(response.authority) == ["*.w.a.lab. NSEC"]


def test_a_loop_ends_where_it_began(world: World) -> None:
    response = ask(world, "loop.a.lab")
    assert brief(response.answer) == ["loop.a.lab. CNAME", "pool.a.lab. CNAME"]
    assert response.rcode == rcodes.NOERROR


def test_a_chain_without_end_is_cut() -> None:
    links = "\n".join(f"c{number} CNAME c{number + 1}" for number in range(100))
    response = ask(world_of(Plan("z.lab", "", records=links)), "c0.z.lab")
    assert len(response.answer) == 32


def test_an_alias_to_unreachable_servers_is_unanswered(world: World) -> None:
    assert isinstance(world.answer(question("away.a.lab")), Unanswered)


def test_a_question_for_the_alias_is_not_followed(world: World) -> None:
    (cname,) = ask(world, "two.a.lab", "CNAME").answer
    assert read_target(cname.rdatas[0]) == names.from_text("b.lab")


# ------------ Over bytes ------------


def reply_to(
    world: World, name: str, rdtype: str = "A", *, over_udp: bool = False, **options: object
) -> dns.message.Message:
    query = dns.message.make_query(name, rdtype, **options)  # type: ignore[arg-type]
    wire = world.reply(query.to_wire(), over_udp=over_udp)
    assert wire is not None
    reply = dns.message.from_wire(wire)
    assert query.is_response(reply)
    return reply


def types_in(section: list[dns.rrset.RRset]) -> list[str]:
    return [dns.rdatatype.to_text(rrset.rdtype) for rrset in section]


@pytest.mark.parametrize(
    "name", ["b.lab", "nx.b.lab", "one.a.lab", "www.tree.a.lab", "any.w.a.lab", "nx"]
)
def test_bytes_say_what_the_values_say(world: World, name: str) -> None:
    asked = question(name)
    wire = world.reply(write_query(asked), over_udp=False)
    assert wire is not None
    expected = ask(world, name)
    assert read_response(wire, asked, "lab") == replace(
        expected,
        answer=tuple(replace(r, owner=r.spelling) for r in expected.answer),
        authority=tuple(replace(r, owner=r.spelling) for r in expected.authority),
    )


def test_the_evidence_is_only_for_those_who_ask_with_do(world: World) -> None:
    plain = reply_to(world, "www.b.lab", "TXT")
    assert types_in(plain.authority) == ["SOA"]
    full = reply_to(world, "www.b.lab", "TXT", want_dnssec=True)
    assert types_in(full.authority) == ["SOA", "RRSIG", "NSEC", "RRSIG"]
    assert types_in(reply_to(world, "b.lab").answer) == ["A"]
    assert types_in(reply_to(world, "b.lab", want_dnssec=True).answer) == ["A", "RRSIG"]
    assert types_in(reply_to(world, "b.lab", "DS").answer) == ["DS"]


def test_an_answer_too_long_for_the_clients_payload_is_truncated_over_udp(world: World) -> None:
    short = reply_to(world, "b.lab", "DNSKEY", want_dnssec=True, payload=512, over_udp=True)
    whole = reply_to(world, "b.lab", "DNSKEY", want_dnssec=True, payload=512)
    assert not short.flags & dns.flags.TC
    assert short.answer == whole.answer
    big = world_of(Plan("z.lab", "", algorithms=(8,)))
    for payload, truncated in ((512, True), (4096, False)):
        over_udp = reply_to(
            big, "z.lab", "DNSKEY", want_dnssec=True, payload=payload, over_udp=True
        )
        assert bool(over_udp.flags & dns.flags.TC) is truncated
        assert bool(over_udp.answer) is not truncated
    assert not reply_to(big, "z.lab", "DNSKEY", want_dnssec=True).flags & dns.flags.TC


def test_ra_is_set_ad_never_and_cd_is_echoed_without_effect() -> None:
    world = world_of(Plan("z.lab", "", faults="expired"))
    reply = reply_to(world, "z.lab", want_dnssec=True, flags=dns.flags.RD | dns.flags.CD)
    assert reply.flags & (dns.flags.RA | dns.flags.RD | dns.flags.CD | dns.flags.AD) == (
        dns.flags.RA | dns.flags.RD | dns.flags.CD
    )
    unchecked = reply_to(world, "z.lab", want_dnssec=True, flags=dns.flags.AD)
    assert unchecked.answer == reply.answer
    assert unchecked.flags & (dns.flags.RD | dns.flags.CD | dns.flags.AD) == 0


def test_unreachable_servers_are_a_servfail_that_says_why(world: World) -> None:
    reply = reply_to(world, "nowhere.lab", use_edns=0)
    assert reply.rcode() == dns.rcode.SERVFAIL
    assert [int(ede.code) for ede in reply.extended_errors()] == [22]


def test_queries_that_make_no_sense_are_rejected_and_responses_ignored(world: World) -> None:
    query = dns.message.make_query("b.lab", "A")
    query.set_opcode(dns.opcode.NOTIFY)
    wire = world.reply(query.to_wire(), over_udp=True)
    assert wire is not None
    assert dns.message.from_wire(wire).rcode() == dns.rcode.NOTIMP
    response = dns.message.make_response(dns.message.make_query("b.lab", "A"))
    assert world.reply(response.to_wire(), over_udp=True) is None
    assert world.reply(b"", over_udp=True) is None


# ------------ The authority over bytes ------------


def authoritative(world: World, name: str, rdtype: str = "A") -> dns.message.Message:
    query = dns.message.make_query(name, rdtype, want_dnssec=True)
    wire = world.authoritative_reply(query.to_wire(), over_udp=False)
    assert wire is not None
    return dns.message.from_wire(wire)


def test_an_authority_sets_aa_and_does_not_recurse(world: World) -> None:
    reply = authoritative(world, "one.a.lab")
    assert reply.flags & dns.flags.AA
    assert not reply.flags & dns.flags.RA
    assert types_in(reply.answer) == ["CNAME", "RRSIG"]


def test_a_referral_is_not_authoritative() -> None:
    world = world_of(Plan("z.lab", "", records="sub NS ns.example."))
    reply = authoritative(world, "www.sub.z.lab")
    assert not reply.flags & dns.flags.AA
    assert types_in(reply.authority) == ["NS", "NSEC", "RRSIG"]


def test_an_authority_that_is_unreachable_fails(world: World) -> None:
    assert authoritative(world, "nowhere.lab").rcode() == dns.rcode.SERVFAIL


def test_an_authority_that_refuses_says_so() -> None:
    world = world_of(Plan("z.lab", "", faults="refused"))
    assert authoritative(world, "z.lab").rcode() == dns.rcode.REFUSED
