"""Which upstreams a question goes to."""

import pytest

from anchord.resolver.routes import Routes
from support.lab import question
from support.walk import MemoryUpstream, silent, zone

GENERAL, CORP, LAB = (MemoryUpstream(silent, f"tls://{name}") for name in ("all", "corp", "lab"))
ROUTES = Routes([GENERAL], [zone("corp.example", CORP), zone("lab.corp.example", LAB)])


@pytest.mark.parametrize(
    ("name", "rdtype", "upstream"),
    [
        ("www.example.com", "A", GENERAL),
        ("example", "A", GENERAL),
        (".", "DNSKEY", GENERAL),
        (".", "DS", GENERAL),
        ("notcorp.example", "A", GENERAL),
        ("corp.example", "A", CORP),
        ("corp.example", "DNSKEY", CORP),
        ("host.corp.example", "A", CORP),
        ("notlab.corp.example", "A", CORP),
        ("lab.corp.example", "SOA", LAB),
        ("a.b.lab.corp.example", "TXT", LAB),
    ],
)
def test_the_longest_domain_decides(name: str, rdtype: str, upstream: MemoryUpstream) -> None:
    assert ROUTES.of(question(name, rdtype)).upstreams == (upstream,)


@pytest.mark.parametrize(
    ("name", "upstream"),
    [
        ("example", GENERAL),
        ("corp.example", GENERAL),
        ("host.corp.example", CORP),
        ("lab.corp.example", CORP),
        ("host.lab.corp.example", LAB),
    ],
)
def test_the_ds_set_of_an_apex_is_asked_of_its_parents_upstream(
    name: str, upstream: MemoryUpstream
) -> None:
    assert ROUTES.of(question(name, "DS")).upstreams == (upstream,)


def test_without_zones_everything_is_general() -> None:
    routes = Routes([GENERAL])
    assert not routes.has_zones
    assert routes.of(question("host.corp.example")).is_general
    assert [route.is_general for route in routes] == [True]


def test_every_route_is_told() -> None:
    assert ROUTES.has_zones
    assert [route.is_general for route in ROUTES] == [True, False, False]
