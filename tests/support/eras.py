"""One small internet in three eras, for the adversary that replays what was signed.

The keys stay, the contents change: names come and go, zones get signed, methods of denial turn.
Each era's signatures hold for a month, so that at some times one era is in force, and at one time
two of them are.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from anchord.dnssec.anchors import TrustAnchors, trust_anchors
from anchord.lab.denial import BY_NSEC, DenialMethod, Nsec3
from anchord.lab.keys import RSASHA256
from anchord.lab.plan import Plan
from anchord.lab.world import World
from anchord.model import names, rdtypes
from anchord.model.names import Name

from .lab import NOW

DAY = 86400

TLDS: dict[str, DenialMethod] = {
    "nsec": BY_NSEC,
    "hashed": Nsec3(),
    "optout": Nsec3(opt_out=True),
}
"""How each half of the world denies."""

SAFE = """
    @            A      192.0.2.1
    @            MX     10 mail
    mail         A      192.0.2.25
    www          A      192.0.2.80
    www          TXT    "a name with two types"
    alias        CNAME  www
    away         CNAME  www.safe.{other}.
    out          CNAME  www.loose.{tld}.
    into         CNAME  any.wild
    leaf.on.twig A      192.0.2.2
    old          DNAME  new
    x.new        A      192.0.2.3
    *.wild       A      192.0.2.42
    *.wild       TXT    "from a wildcard"
    here.wild    TXT    "not from it"
    *.deep.wild  A      192.0.2.43
    *.to         CNAME  www
    *.maze       NS     ns.lab.
    *.vault      NS     ns.lab.
    *.vault      DS     4711 100 2 0000000000000000000000000000000000000000000000000000000000000000
"""
"""A secure zone with one of each: aliases, empty non-terminals, a DNAME, wildcards, and wildcards
that delegate, one without and one with a DS record of an algorithm that nobody knows."""

UNKNOWN_ALGORITHM = 100
"""Nobody can check what is signed by it."""

SALTED = Nsec3(1, b"salt")
"""Where a method changes from one era to the next."""

OTHER_TLD = {"nsec": "hashed", "hashed": "optout", "optout": "nsec"}

SHARED_KEYS: dict[str, Any] = {"algorithms": (RSASHA256,), "rsa_bits": 1024}
"""Zones with RSA keys of this size have the same ones, as an operator's zones may."""

ITERATIONS = 60
"""More than the engine is willing to count."""


def _plans(tld: str, era: int) -> Iterator[Plan]:
    """The zones of one top-level domain as they are in an era, 0 to 2."""
    denial = TLDS[tld]
    safe = SAFE.format(tld=tld, other=OTHER_TLD[tld])
    if era == 0:
        safe = safe.replace("192.0.2.80", "192.0.2.8").replace("*.wild", "was.wild")
        safe += 'gone A 192.0.2.4\nonce DNAME new\nmail TXT "then"\nkept A 192.0.2.5\n'
    elif era == 1:
        safe += "gone TXT here\nonce A 192.0.2.6\nsoon CNAME gone\nkept A 192.0.2.5\n"
    else:
        safe += "new A 192.0.2.7\n*.once A 192.0.2.6\nsoon A 192.0.2.9\n"
    unsigned_then = "no-ds" if era == 0 else ""
    yield Plan(f"{tld}.", "a TLD", records='@ TXT "a TLD"\n*.free A 192.0.2.44', denial=denial)
    if (tld, era) != ("hashed", 0):  # then it was not there yet
        yield Plan(
            f"safe.{tld}",
            "a secure zone",
            records=safe,
            denial=SALTED if (tld, era) == ("hashed", 2) else denial,
            faults=unsigned_then if tld == "nsec" else "",
            **SHARED_KEYS,
        )
    signed = {
        f"kid.safe.{tld}": unsigned_then,
        f"kid.kid.safe.{tld}": "",
        f"kid.maze.safe.{tld}": "",
        f"kid.vault.safe.{tld}": "",
        f"kid.to.safe.{tld}": "",
        f"a.b.cut.safe.{tld}": "",
        f"kid.free.{tld}": "",
        f"kid.turn.{tld}": unsigned_then,
        f"isle.loose.{tld}": "",
        f"moved.{tld}": "no-ds" if era < 2 else "",
    }
    for zone, faults in signed.items():
        keys = SHARED_KEYS if zone.startswith("kid.") else {}
        yield Plan(zone, "a signed zone", records=_kid(era), denial=denial, faults=faults, **keys)
    for zone in (f"loose.{tld}", f"loose.safe.{tld}", f"loose.cut.safe.{tld}"):
        yield Plan(zone, "an unsigned zone", records=_kid(era), algorithms=())
    turn: tuple[DenialMethod, ...] = (BY_NSEC, denial, SALTED)
    yield Plan(
        f"turn.{tld}",
        "another method of denial in each era",
        records=_kid(era),
        denial=turn[era],
        has_combined_key=era == 1,
    )
    yield Plan(f"many.{tld}", "too many iterations", records=_kid(era), denial=Nsec3(ITERATIONS))


def _kid(era: int) -> str:
    return f"""
        @      A    192.0.2.{100 + era}
        www    A    192.0.2.{110 + era}
        at{era}    A    192.0.2.120
        *.w    TXT  "{era}"
    """


@dataclass(frozen=True)
class Era:
    """The world of an era, and the first and last second at which its signatures hold."""

    world: World
    begin: int
    end: int


@cache
def eras() -> tuple[Era, Era, Era]:
    """The three eras, the oldest first; the second and the third overlap."""
    found = []
    for number, since in enumerate((NOW - 40 * DAY, NOW - 5 * DAY, NOW)):
        plans = [plan for tld in TLDS for plan in _plans(tld, number)]
        plans.append(Plan(".", "the root"))
        soa = f"@ SOA ns.lab. hostmaster.lab. {number + 1} 14400 3600 604800 300\n"
        dated = [replace(plan, records=soa + plan.records) for plan in plans]
        found.append(Era(World(since, plans=dated), since - DAY, since + 30 * DAY))
    return found[0], found[1], found[2]


TIMES = {
    "in the third era": NOW + 26 * DAY,
    "in the second era": NOW - 3 * DAY,
    "where the eras overlap": NOW,
    "in the first era": NOW - 20 * DAY,
    "after all of them": NOW + 100 * DAY,
}
"""Seconds since 1970. What is in force differs; what the adversary has to splice does not."""


def in_force(now: int) -> list[World]:
    """The worlds whose signatures hold at that time."""
    return [era.world for era in eras() if era.begin <= now <= era.end]


@cache
def anchors() -> TrustAnchors:
    """What is trusted: the root's key, the same in every era."""
    anchor = eras()[0].world.anchor()
    assert all(era.world.anchor() == anchor for era in eras())
    return trust_anchors((anchor.name, anchor.rdtype, rdata) for rdata in anchor.rdatas)


@cache
def zone_names() -> tuple[Name, ...]:
    """Every zone of every era, those above before those below."""
    apexes = {zone.apex for era in eras() for zone in era.world.zones()}
    return tuple(sorted(apexes, key=names.canonical_key))


@cache
def owners(*, safe: bool) -> tuple[Name, ...]:
    """Names to ask for, of every era: owners of records, and names that are not there beside,
    below and between them. `safe` picks those of the zones with one of each."""
    apexes = set(zone_names()) - {names.ROOT}
    is_safe = {apex: apex.startswith(b"\x04safe") for apex in apexes}
    found = {
        rrset.name
        for era in eras()
        for zone in era.world.zones()
        for rrset in zone.rrsets()
        if rrset.rdtype != rdtypes.NSEC3 and is_safe.get(zone.apex) is safe
    }
    for apex in apexes:
        if is_safe[apex] is safe:
            words = SAFE_WORDS if safe else KID_WORDS
            labels = names.labels(apex)
            found.update(names.join([*word.encode().split(b"."), *labels]) for word in words)
    return tuple(sorted(found - {names.ROOT}, key=names.canonical_key))


KID_WORDS = ("nx", "a.nx", "nx.w", "w", "nx.www", "nx.free")
SAFE_WORDS = (
    *("nx", "a.nx", "nx.www", "twig", "on.twig", "nx.twig", "nx.on.twig", "x.old", "nx.old"),
    *("wild", "nx.wild", "nx.here.wild", "deep.wild", "nx.deep.wild", "to", "nx.to", "maze"),
    *(
        "nx.maze",
        "nx.kid.maze",
        "nx.kid.vault",
        "nx.kid.to",
        "vault",
        "once",
        "x.once",
        "nx.new",
        "cut",
        "b.cut",
        "nx.cut",
        "nx.b.cut",
    ),
    *("www.kid", "nx.kid", "nx.loose", "www.loose", "nx.kid.kid", "www.a.b.cut", "nx.mail"),
)


ASKED_TYPES = (
    *(rdtypes.A, rdtypes.TXT, rdtypes.DS, rdtypes.CNAME, rdtypes.DNAME),
    *(rdtypes.NS, rdtypes.DNSKEY, rdtypes.MX, rdtypes.NSEC, rdtypes.ANY),
)
