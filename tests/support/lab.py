"""Small worlds for one test, and dnspython as the judge of what the lab signs."""

from typing import Any

import dns.dnssec
import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from anchord.lab.plan import Plan
from anchord.lab.world import World
from anchord.lab.zones import Zone
from anchord.model import names, rdtypes
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.response import Response, RRset

NOW = 1_790_000_000
"""The time of these worlds, in seconds since 1970."""


def world_of(*plans: Plan, now: int = NOW) -> World:
    """A root, `lab.` below it, and these zones."""
    tree = [Plan(".", "the root"), Plan("lab.", "a TLD")]
    planned = {plan.apex for plan in plans}
    return World(now, plans=[*(plan for plan in tree if plan.apex not in planned), *plans])


def zone_of(records: str = "@ A 192.0.2.1", faults: str = "", **plan: Any) -> Zone:
    """The zone `z.lab.`, signed and spoilt."""
    world = world_of(Plan("z.lab.", "under test", records=records, faults=faults, **plan))
    return world.zone(names.from_text("z.lab."))


def question(name: str, rdtype: str = "A") -> Question:
    return Question(names.from_text(name).lower(), rdtypes.from_text(rdtype))


def ask(world: World, name: str, rdtype: str = "A") -> Response:
    """What the world's recursive resolver says, which must be an answer."""
    response = world.answer(question(name, rdtype))
    assert isinstance(response, Response)
    return response


def brief(rrsets: tuple[RRset, ...]) -> list[str]:
    """Sets as `owner type`, to be compared with what is written in a test."""
    return [f"{names.to_text(rrset.name)} {rdtypes.to_text(rrset.rdtype)}" for rrset in rrsets]


def dnspython_name(name: Name) -> dns.name.Name:
    return dns.name.from_wire(name, 0)[0]


def dnspython_rrset(name: Name, rdtype: int, ttl: int, rdatas: tuple[bytes, ...]) -> Any:
    return dns.rrset.from_rdata_list(
        dnspython_name(name),
        ttl,
        [
            dns.rdata.from_wire(
                dns.rdataclass.IN, dns.rdatatype.RdataType.make(rdtype), rdata, 0, len(rdata)
            )
            for rdata in rdatas
        ],
    )


def address_set(zone: Zone) -> RRset:
    """The addresses at the zone's apex."""
    return zone.records[zone.apex, rdtypes.A]


def key_set(zone: Zone) -> RRset:
    """The zone's DNSKEY set."""
    return zone.records[zone.apex, rdtypes.DNSKEY]


def invalid(zone: Zone, now: int = NOW) -> set[int]:
    """The types of those sets that no key of the zone vouches for."""
    found = set()
    for rrset in zone.rrsets():
        try:
            if rrset.signatures:
                check_by_dnspython(zone, rrset, now)
            else:
                found.add(rrset.rdtype)
        except dns.exception.ValidationFailure:
            found.add(rrset.rdtype)
    return found


def check_by_dnspython(zone: Zone, rrset: RRset, now: int = NOW) -> None:
    """Raises dns.dnssec.ValidationFailure unless a key of the zone signed the set."""
    keys = zone.records[zone.apex, rdtypes.DNSKEY]
    dns.dnssec.validate(
        dnspython_rrset(rrset.spelling, rrset.rdtype, rrset.ttl, rrset.rdatas),
        dnspython_rrset(rrset.spelling, rdtypes.RRSIG, rrset.ttl, rrset.signatures),
        {
            dnspython_name(zone.apex): dnspython_rrset(
                zone.apex, rdtypes.DNSKEY, keys.ttl, keys.rdatas
            )
        },
        now=now,
    )
