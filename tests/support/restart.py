"""What a resolver leaves behind when it ends, as the next one finds it."""

from anchord.cache import persist
from anchord.cache.persisted import Evidence
from anchord.model.clock import Clock
from anchord.model.response import Response
from anchord.resolver.resolver import Resolver

ORIGIN = b"the upstreams of the test"


def saved(resolver: Resolver, clock: Clock) -> bytes:
    """The file that it would write now."""
    records = dict(resolver.records(_everything))
    return persist.write(records, resolver.signed, ORIGIN, clock.wall())


def loaded(data: bytes, clock: Clock) -> Evidence:
    """What a resolver that starts now has of a file."""
    document = persist.read(data)
    assert not persist.objection(document, ORIGIN, clock.wall())
    return Evidence(document, clock.wall(), clock.monotonic())


def kept(resolver: Resolver, clock: Clock) -> Evidence:
    """What the next resolver has, if it starts now."""
    return loaded(saved(resolver, clock), clock)


def _everything(_: Response) -> bool:
    return True
