"""What is kept as objects takes in memory: an estimate that tests hold against the allocator.

Answers are octets, and need none (`packed`). Proven denials are kept as RRsets, and so are the
links of the chain of trust, which all answers below a zone share: `SharedSizes` counts each once.
"""

from collections.abc import Sequence

from anchord.model.chain import Link
from anchord.model.response import RRset
from anchord.model.verdict import Flaw

RRSET = 240
"""Octets of an RRset beside its names and its records: the object, two tuples, three numbers."""

RECORD = 44
"""Octets of a record or a signature beside its RDATA: the header of the object, and a place in a
tuple; half of the unit that the allocator rounds up to."""

LINK = 128
"""Octets of a link beside its RRsets: the object, its name, and a list of key tags."""

FLAW = 320
"""Octets of a flaw beside its text: the object, its name, and two facts."""

LARGEST_SHARE = 16
"""One entry takes a sixteenth of its store at most, or else a few pushed out all others. In a cache
of the default size that is 3 MiB for an answer, and 256 KiB for a failure."""

ORDINARY = 32 * 1024
"""Octets that one entry may take in the smallest store: any ordinary answer with its whole chain,
since even there a failure must be remembered (RFC 9520 section 3.2)."""


def largest_entry(capacity: int) -> int:
    """Octets that one entry may take in a store of `capacity` octets; a larger one is not kept."""
    return min(capacity, max(capacity // LARGEST_SHARE, ORDINARY))


def octets_of(rrset: RRset) -> int:
    """Octets that an RRset takes, with what it refers to."""
    rdatas = (*rrset.rdatas, *rrset.signatures)
    octets = len(rrset.name) + len(rrset.owner) + sum(map(len, rdatas))
    return RRSET + RECORD * len(rdatas) + octets


class SharedSizes:
    """Links that entries share: each counts from the first entry that holds it to the last."""

    def __init__(self) -> None:
        self.total = 0
        self._known: dict[int, tuple[int, int]] = {}
        """How many entries hold a link, and what it takes."""

    def of(self, chain: Sequence[Link]) -> int:
        """Octets that these links take, be they shared or not."""
        return sum(self._held(link)[1] for link in chain)

    def add(self, chain: Sequence[Link]) -> None:
        """An entry that holds these links has come. It keeps them alive, so that ids stay apart."""
        for link in chain:
            holders, octets = self._held(link)
            self._known[id(link)] = holders + 1, octets
            if not holders:
                self.total += octets

    def remove(self, chain: Sequence[Link]) -> None:
        """An entry that held these links goes."""
        for link in chain:
            holders, octets = self._held(link)
            if holders > 1:
                self._known[id(link)] = holders - 1, octets
            else:
                del self._known[id(link)]
                self.total -= octets

    def _held(self, link: Link) -> tuple[int, int]:
        return self._known.get(id(link)) or (0, _octets_of_link(link))


def _octets_of_link(link: Link) -> int:
    rrsets = [rrset for rrset in (link.ds, link.dnskey, *link.denial) if rrset is not None]
    return LINK + sum(map(octets_of, rrsets)) + sum(map(_octets_of_flaw, link.flaws))


def _octets_of_flaw(flaw: Flaw) -> int:
    return FLAW + len(flaw.text)
