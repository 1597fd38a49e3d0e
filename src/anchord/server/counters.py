"""What the front doors count. Plain integers: adding one costs nothing on the path of a query."""

from collections import Counter

import msgspec

from anchord.model import rcodes
from anchord.model.verdict import Status


class Counters(msgspec.Struct):
    """Counts since the start.

    `statuses` is indexed by Status, `rcodes` by response code; `edes` by INFO-CODE. What is
    answered from the front memo counts as a query, a status and a code like everything else: in
    `repeats`, indexed by `kind_of`, so that one addition does for all three.
    """

    udp_queries: int = 0
    tcp_queries: int = 0
    ignored: int = 0
    """Messages that may not be answered: shorter than a header, or responses themselves."""
    rejected: int = 0
    """Queries answered at once with FORMERR, NOTIMP, REFUSED or BADVERS."""
    truncated: int = 0
    """Replies that did not fit and had TC set."""
    dropped: int = 0
    """UDP queries beyond the limit of queries in flight."""
    unsent: int = 0
    """Replies that the system would not take, or that nobody fetched."""
    bugs: int = 0
    """Queries that met a bug in anchord and were answered with SERVFAIL."""
    connections: int = 0
    """TCP connections accepted."""
    connections_refused: int = 0
    """… closed at once, since as many as there may be were busy."""
    connections_evicted: int = 0
    """… closed while idle, to make room for another."""
    statuses: list[int] = msgspec.field(default_factory=lambda: [0] * len(Status))
    rcodes: dict[int, int] = msgspec.field(default_factory=dict)
    edes: dict[int, int] = msgspec.field(default_factory=dict)
    repeats: list[int] = msgspec.field(default_factory=lambda: [0] * kind_of(max(Status) + 1, 0))

    @property
    def front_hits(self) -> int:
        """UDP queries answered from the memo of exact queries."""
        return sum(self.repeats)

    def replied(self, rcode: int) -> None:
        """One reply with this response code."""
        self.rcodes[rcode] = self.rcodes.get(rcode, 0) + 1

    def explained(self, code: int) -> None:
        """One reply with a reason of this INFO-CODE."""
        self.edes[code] = self.edes.get(code, 0) + 1

    def snapshot(self) -> dict[str, int]:
        """Every count under its name; `status.secure`, `rcode.NOERROR` and `ede.7` among them."""
        statuses, codes = Counter(dict(enumerate(self.statuses))), Counter(self.rcodes)
        for kind, count in enumerate(self.repeats):
            statuses[kind >> 4] += count
            codes[kind & 0xF] += count
        counts = {name: getattr(self, name) for name in _SINGLE}
        counts |= {f"status.{_STATUS_NAMES[s]}": statuses[s] for s in range(len(_STATUS_NAMES))}
        counts |= {f"rcode.{rcodes.to_text(c)}": n for c, n in sorted(codes.items()) if n}
        counts |= {f"ede.{code}": count for code, count in sorted(self.edes.items())}
        return counts


def kind_of(status: int, rcode: int) -> int:
    """What a reply with this status and this code of the header counts as."""
    return status << 4 | rcode


_TABLES = {"statuses", "rcodes", "edes", "repeats"}
_SINGLE = (*(name for name in Counters.__struct_fields__ if name not in _TABLES), "front_hits")
_STATUS_NAMES = [status.name.lower() for status in Status]
