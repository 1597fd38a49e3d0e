"""Where servers that are not ours make a difference: all of it in one place, with the reasons.

What validators of other makes think of a row stands in the lab's table itself (`Case.peers`). Here
stands what recursive resolvers do to answers on their way through them, and what older releases
got wrong. Keys are zones, or rows as in `www.good.lab. A`.
"""

from collections.abc import Mapping

from anchord.lab.plan import Case

LOOPS = "answers no alias that loops"
SYNTHESIS = "makes the CNAME of a DNAME itself, and rightly"

UNBOUND: Mapping[str, str] = {
    "rcode-yxdomain.testbed.": "passes on a code that means nothing there",
    "rewritten.lab.": "keeps the rewritten alias, and answers everything else by it as well",
    "forged-synthesis.lab.": SYNTHESIS,
    "loop.links.lab. A": LOOPS,
    "self.links.lab. A": LOOPS,
    "long-salt.hostile.": "thinks too long about a denial, when it validates",
    "many-types.hostile. ANY": "does not answer, when it validates",
}
"""What Unbound does on the way."""

BIND: Mapping[str, str] = {
    "rewritten.lab.": "keeps the rewritten alias, and answers everything else by it as well",
    "forged-synthesis.lab.": SYNTHESIS,
    "loop.links.lab. A": LOOPS,
    "self.links.lab. A": LOOPS,
    "rcode-nxdomain.testbed.": "passes on a code that means nothing there",
    "labels-above-zone.lab.": "drops an RRSIG whose label count cannot be",
    "signed-below.lab.": "drops an RRSIG whose signer cannot be",
    "empty-window.lab.": "drops denials that are malformed",
    "empty-window.hashed.": "drops denials that are malformed",
    "ds-alias.lab.": "answers for the DS set by the alias alone",
    "referred.lab.": "fails where the server of a zone refers elsewhere",
    "forged-any.lab.": "answers ANY without the set that does not hold",
    "a12.long.lab. A": "follows fewer aliases itself",
    "x.grow.trees.lab. A": "follows fewer aliases itself",
    "b.a.w.trees.lab. A": "sends a wildcard's proof at the second asking",
    "extras.lab.": "refuses denials that have more beside them than they need",
    "loose-extras.lab.": "refuses denials that have more beside them than they need",
    "no-soa.lab.": "refuses denials without an SOA record",
    "many-addresses.lab.": "refuses sets of more than 100 records",
    "asked-of-child.lab.": "refuses a denial of the DS set that is signed by the child",
    "asked-of-unsigned.lab.": "refuses a denial of the DS set that the parent has not signed",
    "keytrap.hostile.": "refuses sets of more than 100 signatures",
    "keytrap-keys.hostile.": "refuses sets of more than 100 records",
    "malformed-keys.hostile.": "refuses sets of more than 100 records",
    "flagless.hostile.": "refuses sets of more than 100 records",
    "over.hostile.": "refuses sets of more than 100 signatures",
    "padded.hostile.": "refuses names with too many types",
    "padded-nsec3.hostile.": "refuses names with too many types",
    "many-types.hostile. ANY": "answers ANY with the types that it has seen",
}
"""What BIND 9.18 does on the way."""

UNBOUND_AS_CLIENT: Mapping[str, str] = {
    "many-ds.hostile.": "tries some of them, by chance the right one",
}
"""What Unbound thinks otherwise of what it got through anchord."""

KNOT_AS_CLIENT: Mapping[str, str] = {
    "x.mail.denied.lab. A": "answers out of an earlier denial",
    "x.mail.denied.hashed. A": "answers out of an earlier denial",
}
"""What Knot Resolver thinks otherwise of what it got through anchord."""

_VALIDATED_OPT_OUT = "calls a denial by opt-out validated, though it sets no AD"
_MORE_ITERATIONS = "supports up to 150 iterations"

DELV: Mapping[str, str] = {
    "many-ds.hostile.": "tries all DS records",
    "keytrap-keys.hostile.": "stops at fewer failures, by chance after the good key",
    "wild-iterations.lab.": _MORE_ITERATIONS,
    "optout.": _VALIDATED_OPT_OUT,
    "open.optout.": _VALIDATED_OPT_OUT,
    "span.links.lab. A": _VALIDATED_OPT_OUT,
    "iterations.lab.": _MORE_ITERATIONS,
    "nsec3-iter-100.testbed.": _MORE_ITERATIONS,
    "nsec3-iter-150.testbed.": _MORE_ITERATIONS,
    "a12.long.lab. A": "follows more aliases",
}
"""What `delv` of BIND 9.18 thinks otherwise of what it got through anchord."""

OLD_UNBOUND: Mapping[str, str] = {
    "overreaching.lab.": "believed an NSEC whose next name is another zone's",
    "mixed-salts.hashed.": "mixed NSEC3 records of two salts",
    "child.maze.lab.": "believed a wildcard's NSEC about the DS set",
    "trees.lab.": "refused the CNAME that follows from a DNAME if it was asked for",
    "rcode-yxdomain.testbed.": "passed on a code that means nothing there",
}
"""What releases of Unbound before 1.24 get wrong when they validate."""


def without(differences: Mapping[str, str], cases: list[Case]) -> list[Case]:
    """The rows that are not among the differences."""
    return [case for case in cases if not {case.zone, str(case)} & differences.keys()]
