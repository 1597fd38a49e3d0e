"""Delegations: where the cuts are, and what the question for a DS set is answered with."""

from anchord.lab.denial import Nsec3
from anchord.lab.plan import Ask, Plan
from anchord.model.rcodes import NXDOMAIN

from .questions import BOGUS, INSECURE, SECURE, UNOBTAINABLE, three

REVERSE = ".".join("0123456789abcdef" * 2) + ".reverse.lab"
"""A zone as deep as those of single addresses below `ip6.arpa.`."""

CUTS = (
    Plan(
        "cuts.lab",
        "zones several labels down, empty non-terminals between",
        records="@ A 192.0.2.1\nwww CNAME @\nwww.sub A 192.0.2.2",
        asks=(
            Ask("@ NS", SECURE),
            Ask("x.www A", SECURE, rcode=NXDOMAIN, shows="an alias is no cut, and has none below"),
            Ask("www DS", SECURE, shows="the question for DS at an alias is answered with it"),
            Ask("sub DS", SECURE, shows="no DS and no NS: an ordinary name, not an insecure cut"),
            Ask("deep.er DS", SECURE, shows="a middle name has neither SOA nor DS"),
        ),
    ),
    Plan("signed.deep.er.cuts.lab", "a signed zone three labels down", asks=three(SECURE)),
    Plan("unsigned.deep.er.cuts.lab", "an unsigned zone three labels down", algorithms=(),
         asks=(*three(INSECURE), Ask("@ NS", INSECURE), Ask("@ DS", SECURE))),
    Plan("grand.signed.deep.er.cuts.lab", "a signed zone below it", asks=three(SECURE)),
    Plan("cuts.hashed", "the same below NSEC3", denial=Nsec3(),
         asks=(Ask("@ NS", SECURE), Ask("deep.er DS", SECURE))),
    Plan("signed.deep.er.cuts.hashed", "a signed zone three labels down", asks=three(SECURE)),
    Plan("unsigned.deep.er.cuts.hashed", "an unsigned zone three labels down", algorithms=(),
         asks=three(INSECURE)),
    Plan(REVERSE, "an unsigned zone 34 labels down: a long walk, within every limit",
         records='@ PTR good.lab.\n@ TXT "reverse"', algorithms=(),
         asks=(Ask("@ PTR", INSECURE), Ask("nx PTR", INSECURE, rcode=NXDOMAIN)),
         peers="Unbound: gives up where it walks so far itself"),
)  # fmt: skip

DS_QUESTIONS = (
    Plan("asked-of-child.lab", "the child itself denies its DS, and knows nothing of it",
         faults="answers-ds", asks=three(BOGUS, 12)),
    Plan("asked-of-unsigned.lab", "an unsigned child denies its DS, which is no proof",
         faults="answers-ds", algorithms=(), asks=three(BOGUS, 12)),
    Plan("ds-alias.lab", "an alias at the apex of an unsigned zone, told to who asks for its DS",
         records="@ CNAME good.lab.", algorithms=(), faults="ds-alias",
         asks=(Ask("@ A", INSECURE), Ask("nx A", INSECURE, rcode=NXDOMAIN)),
         peers="all: take the alias for the answer"),
    Plan("unanswered-ds.lab", "the question for the DS set fails", faults="unanswered DS",
         asks=three(UNOBTAINABLE, 22, 23)),
    Plan("unanswered-dnskey.lab", "the question for the keys fails", faults="unanswered DNSKEY",
         asks=three(UNOBTAINABLE, 22, 23)),
    Plan("ds-by-child.lab", "a DS set that the child has signed instead of the parent",
         faults="ds-signed-by-child", asks=three(BOGUS, 6, 10)),
)  # fmt: skip

FORGED = (
    Plan("maze.lab", "a wildcard that delegates", records="@ A 192.0.2.1\n* NS ns.lab.",
         asks=(Ask("@ A", SECURE), Ask("@ TXT", SECURE))),
    Plan("child.maze.lab", "a forged address, its DS denied by the wildcard's NSEC renamed",
         faults="ds-denied-by-wildcard; spoofs @", asks=(Ask("@ A", BOGUS, (12,)),)),
    Plan("spoofed.lab", "forged addresses where no cut is proven",
         records="@ A 192.0.2.1\nhost A 192.0.2.2", faults="spoofs host gone",
         asks=(
             Ask("host A", BOGUS, (10,), shows="no DS, but no NS either: not an insecure cut"),
             Ask("www.host A", BOGUS, (10,), shows="the same below such a name",
                 peers="BIND, Knot: answer out of an earlier denial"),
             Ask("gone A", BOGUS, (10,), shows="a name that is not there is no insecure cut"),
         )),
    Plan("spoofed.hashed", "the same against NSEC3 without opt-out",
         records="@ A 192.0.2.1\nhost A 192.0.2.2", faults="spoofs host gone", denial=Nsec3(),
         asks=(Ask("host A", BOGUS, (10,)), Ask("www.host A", BOGUS, (10,)),
               Ask("gone A", BOGUS, (10,)))),
    Plan("rewritten.lab", "a filter that puts an alias of its own in the place of addresses",
         faults="rewritten unsigned.lab.", asks=(Ask("@ A", BOGUS, (10,)), *three(SECURE)[2:])),
    Plan("filtered.lab", "a filter's address in the place of a signed one (CVE-2026-50243)",
         faults="spoofs @; extended-error 15",
         asks=(Ask("@ A", BOGUS, (10,), shows="a filter says what it likes, and proves nothing"),)),
    Plan("ghost.lab", "the parent has taken the delegation back (CVE-2022-30698)",
         faults="undelegated", asks=three(BOGUS, 6, denial=BOGUS, denial_codes=(12,)),
         peers="BIND, Knot: answer out of an earlier denial"),
    Plan("loose-extras.lab", "addresses of other names beside an unsigned answer (CVE-2025-40778)",
         algorithms=(), faults="extras unsigned.lab.", asks=three(INSECURE)),
    Plan("referred.lab", "a referral to the zone in the place of an answer", faults="referral",
         asks=(Ask("@ A", BOGUS, (12,)), *three(SECURE)[2:])),
    Plan("no-soa-unsigned.lab", "a denial without anything, in an unsigned zone", algorithms=(),
         faults="no-soa", asks=three(INSECURE)),
)  # fmt: skip

PLANS = (*CUTS, *DS_QUESTIONS, *FORGED)
