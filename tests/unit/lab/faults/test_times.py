"""When signatures hold: dnspython judges them."""

from collections.abc import Iterable

import pytest

from anchord.lab.faults import DAY
from anchord.model import rdtypes
from anchord.model.response import RRset
from anchord.wire.rdata import read_rrsig
from support.lab import NOW, address_set, invalid, zone_of

EVERYTHING = {rdtypes.SOA, rdtypes.NS, rdtypes.A, rdtypes.DNSKEY, rdtypes.NSEC}


def windows(rrsets: Iterable[RRset]) -> set[tuple[int, int]]:
    """Inception and expiration of all signatures, relative to now."""
    signatures = [read_rrsig(signature) for rrset in rrsets for signature in rrset.signatures]
    return {(signature.inception - NOW, signature.expiration - NOW) for signature in signatures}


@pytest.mark.parametrize(
    ("fault", "window"),
    [
        ("expired", (-31 * DAY, -DAY)),
        ("not-yet-valid", (DAY, 31 * DAY)),
        ("expired-before-valid", (DAY, -DAY)),
        ("expires-in 60", (-DAY, 60)),
        ("expires-in -60", (-DAY, -60)),
        ("begins-in 60", (60, 31 * DAY)),
    ],
)
def test_signatures_have_the_window_of_the_fault(fault: str, window: tuple[int, int]) -> None:
    assert windows(zone_of(faults=fault).rrsets()) == {window}
    limited = zone_of(faults=fault + " A")
    assert windows([address_set(limited)]) == {window}
    assert windows([limited.records[limited.apex, rdtypes.SOA]]) == {(-DAY, 30 * DAY)}


@pytest.mark.parametrize("fault", ["expired", "not-yet-valid", "expired-before-valid"])
def test_signatures_outside_their_window_are_invalid(fault: str) -> None:
    assert invalid(zone_of(faults=fault)) == EVERYTHING
    assert invalid(zone_of(faults=fault + " A")) == {rdtypes.A}


def test_signatures_that_end_soon_are_still_valid() -> None:
    zone = zone_of(faults="expires-in 60")
    assert invalid(zone) == set()
    assert invalid(zone, NOW + 61) == EVERYTHING
