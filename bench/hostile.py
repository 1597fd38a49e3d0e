"""Zones that make validators work for nothing, each with questions of which none is like another.

KeyTrap (CVE-2023-50387), NSEC3 with much to hash (CVE-2023-50868), and what else has been found:
the faults are the lab's own.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from anchord.lab.denial import Nsec3
from anchord.lab.keys import ECDSAP384SHA384, ED25519
from anchord.lab.plan import Plan
from anchord.model.question import Question

from .zones import question

TLD = "trap."

ZONES = 20
"""Zones of a kind where each question needs one of its own: a verdict on its keys is remembered."""

NAMES = 60
"""Names of a kind where one zone serves for all questions."""

FEW = 12
"""… where even the lab has to hash for long, or to write as much as a message holds."""

LABELS = 112
"""Labels of a name that is denied: as many as fit beside the rest."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to make work: its zones, and the questions to them.

    `has_zones` tells that each question is to a zone of its own.
    """

    name: str
    plans: tuple[Plan, ...]
    questions: tuple[Question, ...]
    has_zones: bool = False


def ordinary(*, has_zones: bool) -> Kind:
    """What is like a hostile kind in everything but that it is honest."""
    if has_zones:
        return _of_zones("an ordinary new zone", "o", "")
    records = _addresses(NAMES)
    plan = Plan("p.trap.", "", records=records)
    return _of_names("an ordinary new name", plan, [f"n{number}" for number in range(NAMES)])


def kinds() -> list[Kind]:
    """All hostile ones."""
    return [
        _of_zones(
            "100 keys of one tag by 100 signatures, DNSKEY", "k", _colliding("KSK", "DNSKEY")
        ),
        _of_names(
            "100 keys of one tag by 100 signatures, address",
            Plan(
                "a.trap.",
                "",
                records=_addresses(NAMES),
                algorithms=(ED25519,),
                faults=_colliding("ZSK", "A"),
            ),
            [f"n{number}" for number in range(NAMES)],
        ),
        _of_zones("100 malformed keys of one tag", "m", "malformed-keys ZSK 100"),
        _of_zones("200 DS records", "d", "many-ds 200"),
        _of_names(
            "1,700 expired signatures over one set",
            Plan(
                "e.trap.",
                "",
                records=_addresses(FEW),
                algorithms=(ED25519,),
                faults="expired-signatures 1700 A",
            ),
            [f"n{number}" for number in range(FEW)],
        ),
        _of_zones("3,000 keys without the Zone Key flag", "z", "flagless-keys 3000"),
        _of_names(
            "7 denials of all types there are",
            Plan("t.trap.", "", algorithms=(ED25519,), faults="denials-of-all-types 7"),
            [f"x{number}" for number in range(FEW)],
        ),
        _of_names(
            "200 denials that fit nothing",
            Plan("f.trap.", "", faults="padded-denials 200"),
            [f"x{number}" for number in range(NAMES)],
        ),
        _of_names(
            f"denied below {LABELS} labels, 50 iterations, long salt",
            Plan("h.trap.", "", denial=Nsec3(iterations=50, salt=bytes(255))),
            [f"{'a.' * (LABELS - 1)}x{number}" for number in range(NAMES)],
        ),
        _of_names(
            "65,535 iterations",
            Plan("i.trap.", "", denial=Nsec3(iterations=65535)),
            [f"x{number}" for number in range(FEW)],
        ),
        _of_names(
            "chains of 20 aliases",
            Plan("c.trap.", "", records="\n".join(_chains(20))),
            [f"c{chain}-0" for chain in range(NAMES)],
        ),
        _of_names(
            "chains of 11 aliases, 8 signatures of each, all but one forged",
            Plan(
                "s.trap.",
                "",
                records="\n".join(_chains(11)),
                algorithms=(ECDSAP384SHA384,),
                faults="colliding-signatures 7 CNAME A",
            ),
            [f"c{chain}-0" for chain in range(NAMES)],
        ),
    ]


def plans() -> list[Plan]:
    """What the lab is to make of it."""
    every = [ordinary(has_zones=True), ordinary(has_zones=False), *kinds()]
    return [Plan(TLD, "hostile"), *(plan for kind in every for plan in kind.plans)]


def _colliding(role: str, rdtype: str) -> str:
    return f"colliding-keys {role} 100; colliding-signatures 100 {rdtype}"


def _of_zones(name: str, letter: str, faults: str) -> Kind:
    made = [
        Plan(f"{letter}{number}.trap.", "", algorithms=(ED25519,), faults=faults)
        for number in range(ZONES)
    ]
    questions = tuple(question(f"www.{plan.zone}", "A") for plan in made)
    return Kind(name, tuple(made), questions, has_zones=True)


def _of_names(name: str, plan: Plan, labels: list[str]) -> Kind:
    return Kind(name, (plan,), tuple(question(f"{label}.{plan.zone}", "A") for label in labels))


def _addresses(count: int) -> str:
    return "\n".join(f"n{number} A 192.0.2.1" for number in range(count))


def _chains(links: int) -> Iterator[str]:
    for chain in range(NAMES):
        for link in range(links):
            yield f"c{chain}-{link} CNAME c{chain}-{link + 1}"
        yield f"c{chain}-{links} A 192.0.2.1"
