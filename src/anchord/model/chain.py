"""What was proven by what: the links of a chain of trust, for `trace`, `query` and the API."""

from typing import TYPE_CHECKING

import msgspec

from .names import Name
from .response import RRset

if TYPE_CHECKING:
    from .verdict import Flaw, Status


class Link(msgspec.Struct, frozen=True):
    """One step from a zone's parent, or from a trust anchor, into the zone.

    `ds` is the DS RRset that the step rests on, `anchored` tells that it is a configured trust
    anchor instead. `dnskey` is the zone's key set. `denial` are the NSEC or NSEC3 RRsets that
    prove an insecure delegation. `key_tags` are the keys of the set that the DS set
    authenticates.
    """

    zone: Name
    status: "Status"
    anchored: bool = False
    ds: RRset | None = None
    dnskey: RRset | None = None
    denial: tuple[RRset, ...] = ()
    key_tags: tuple[int, ...] = ()
    flaws: "tuple[Flaw, ...]" = ()
