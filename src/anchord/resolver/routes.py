"""Which upstreams a question goes to: the longest matching zone's, else the general ones."""

from collections.abc import Iterator, Sequence

import msgspec

from anchord.model import names
from anchord.model.names import ROOT, Name
from anchord.model.question import Question
from anchord.upstream.base import Upstream


class Route(msgspec.Struct, frozen=True):
    """The upstreams for `domain` and what is below it, in the order in which they are asked.

    The general route is that of the root. `is_checked` is false for a zone that is configured as
    insecure.
    """

    domain: Name
    upstreams: tuple[Upstream, ...]
    is_checked: bool = True

    @property
    def is_general(self) -> bool:
        """Whether this is the route of all names that have no other."""
        return self.domain == ROOT


class Routes:
    """All routes. Names of a zone never reach another route's upstreams."""

    def __init__(self, general: Sequence[Upstream], zones: Sequence[Route] = ()) -> None:
        self._general = Route(ROOT, tuple(general))
        self._zones = {route.domain: route for route in zones}
        assert ROOT not in self._zones

    def __iter__(self) -> Iterator[Route]:
        yield self._general
        yield from self._zones.values()

    @property
    def has_zones(self) -> bool:
        """Whether there is any route but the general one."""
        return bool(self._zones)

    def of(self, question: Question) -> Route:
        """The route of the longest domain that the question's holder is at or below."""
        if self._zones:
            for ancestor in names.ancestors(question.holder):
                if route := self._zones.get(ancestor):
                    return route
        return self._general
