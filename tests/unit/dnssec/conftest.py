"""What several tests of the engine share."""

from collections.abc import Iterator

import pytest

from anchord.dnssec.crypto import load_key
from anchord.lab.denial import Compact, Nsec3
from anchord.lab.plan import Plan
from anchord.lab.world import World
from support.lab import world_of


@pytest.fixture
def keys_loaded_anew() -> Iterator[None]:
    """A key that was loaded under other conditions is no key of this test, nor of the next."""
    load_key.cache_clear()
    yield
    load_key.cache_clear()


@pytest.fixture
def world() -> World:
    """A secure zone with one of each, and others of every kind around it. It may be changed."""
    return world_of(
        Plan(
            "z.lab.",
            "a secure zone",
            records="""
                @       A      192.0.2.1
                @       MX     10 mail
                www     CNAME  @
                away    CNAME  www.y.lab.
                loose   CNAME  unsigned.lab.
                gone    CNAME  nx.y.lab.
                ring    CNAME  ring2
                ring2   CNAME  ring
                self    CNAME  self
                old     DNAME  y.lab.
                *.w     A      192.0.2.2
                *.alias CNAME  www.y.lab.
                a.b     TXT    "below an empty non-terminal"
            """,
        ),
        Plan(
            "y.lab.",
            "another",
            records="@ A 192.0.2.3\nwww A 192.0.2.4\n*.w A 192.0.2.6",
            denial=Nsec3(),
        ),
        Plan("loose.y.lab.", "an unsigned zone below it", algorithms=()),
        Plan("kid.z.lab.", "a secure zone below it"),
        Plan("unsigned.lab.", "an unsigned zone", records="@ A 192.0.2.5", algorithms=()),
        Plan("optout.lab.", "NSEC3 with opt-out", denial=Nsec3(opt_out=True)),
        Plan("compact.lab.", "compact denial", denial=Compact()),
        Plan("compact3.lab.", "compact denial with NXDOMAIN", denial=Compact(rcode=3)),
        Plan(
            "many.lab.",
            "NSEC3 with 51 iterations",
            records="@ A 192.0.2.1\n*.w A 192.0.2.2",
            denial=Nsec3(51),
        ),
        Plan("kid.many.lab.", "a secure zone below it", records="@ A 192.0.2.1"),
        Plan("kid.w.many.lab.", "a secure zone beside a wildcard"),
    )
