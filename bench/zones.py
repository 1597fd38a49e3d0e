"""The internet of the bench: hundreds of signed zones, made of the lab's plans.

Four TLDs hold the zones for everything that needs a warm TLD; sixty more hold one zone each, so
that a resolver can meet a new TLD with each question. Algorithms 8, 13 and 15 take turns, NSEC and
NSEC3 too; every tenth zone is unsigned.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from anchord.lab.denial import BY_NSEC, Nsec3
from anchord.lab.keys import ECDSAP256SHA256, ED25519, RSASHA256
from anchord.lab.plan import Plan
from anchord.model import names, rdtypes
from anchord.model.question import Question

TLDS = ("alfa.", "bravo.", "charlie.", "delta.")
ZONES_OF_TLD = 140
LONELY = 60
"""TLDs with one zone."""

HOSTS = ("www", "mail", "api", "cdn", "img", "login", "news", "shop", "static", "video")
"""The names of each zone, with an A and an AAAA record each."""

_ALGORITHMS = (RSASHA256, ECDSAP256SHA256, ED25519)
_UNSIGNED_EACH = 10


@dataclass(frozen=True, slots=True)
class Place:
    """A zone of the bench; `tld` is the one above it."""

    zone: str
    tld: str
    is_signed: bool

    def name(self, host: str = "www") -> str:
        """The name of a host in it."""
        return f"{host}.{self.zone}"

    def questions(self, *hosts: str) -> Iterator[Question]:
        """What a resolver may ask for while it answers for the hosts."""
        for zone in (".", self.tld, self.zone):
            yield question(zone, "DNSKEY")
        for zone in (self.tld, self.zone, *map(self.name, hosts)):
            yield question(zone, "DS")
        for host in hosts:
            yield question(self.name(host), "A")
            yield question(self.name(host), "AAAA")


CROWD = tuple(
    Place(f"z{number:03}.{tld}", tld, is_signed=number % _UNSIGNED_EACH != 9)
    for number in range(ZONES_OF_TLD)
    for tld in TLDS
)
"""The zones of the four TLDs, the TLDs taking turns."""

ALONE = tuple(
    Place(f"only.t{number:02}.", f"t{number:02}.", is_signed=True) for number in range(LONELY)
)
"""The zones that have a TLD to themselves."""


def plans() -> list[Plan]:
    """What the lab is to make of all that."""
    made = [Plan(".", "the root", algorithms=(RSASHA256,))]
    tlds = [*TLDS, *(place.tld for place in ALONE)]
    made += [
        Plan(
            tld,
            "a TLD",
            algorithms=(_ALGORITHMS[number % 2],),
            denial=Nsec3(opt_out=True) if number % 2 else BY_NSEC,
        )
        for number, tld in enumerate(tlds)
    ]
    made += [
        Plan(
            place.zone,
            "a zone",
            records="\n".join(_records(number)),
            algorithms=(_ALGORITHMS[number % 3],) if place.is_signed else (),
            denial=Nsec3() if number % 4 == 3 else BY_NSEC,
        )
        for number, place in enumerate((*CROWD, *ALONE))
    ]
    return made


def _records(number: int) -> Iterator[str]:
    for host, label in enumerate(HOSTS):
        yield f"{label} 86400 A 198.51.{number % 256}.{host + 1}"
        yield f"{label} 86400 AAAA 2001:db8:{number:x}::{host + 1:x}"


def question(name: str, rdtype: str) -> Question:
    """A question out of a zone file's notation."""
    return Question(names.from_text(name).lower(), rdtypes.from_text(rdtype))
