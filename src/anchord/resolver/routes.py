"""Which upstreams a question goes to: the longest matching zone's, else the general ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from anchord.model import names, rdtypes
from anchord.model.names import ROOT, Name
from anchord.model.question import Question
from anchord.upstream.base import Upstream


@dataclass(frozen=True, slots=True)
class Route:
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
        self._routes = {route.domain: route for route in zones}
        self._routes.setdefault(ROOT, Route(ROOT, tuple(general)))
        self.has_zones = len(self._routes) > 1

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes.values())

    def of(self, question: Question) -> Route:
        """The route of a question. The DS RRset of a zone's apex is its parent's (RFC 4035 2.4)."""
        name = question.name
        return self.of_name(names.parent(name) if question.rdtype == rdtypes.DS else name)

    def of_name(self, name: Name) -> Route:
        """The route of the longest domain that the name is at or below."""
        if not self.has_zones:
            return self._routes[ROOT]
        return next(
            route for ancestor in names.ancestors(name) if (route := self._routes.get(ancestor))
        )
