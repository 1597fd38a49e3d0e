"""Signatures: their times, what they say, what stands beside them, and what they cover."""

from anchord.lab.denial import Nsec3
from anchord.lab.plan import Ask, Plan
from anchord.model.rcodes import NXDOMAIN

from .questions import BOGUS, INDETERMINATE, SECURE, three

ONLY_A = three(BOGUS, 6, denial=SECURE)

TIMES = (
    Plan("ends-soon.lab", "signatures that end in an hour", faults="expires-in 3600",
         asks=three(SECURE)),
    Plan("just-ended.lab", "signatures that ended a minute ago: there is no leniency",
         faults="expires-in -60", asks=three(BOGUS, 7)),
    Plan("begins-soon.lab", "signatures that begin in an hour", faults="begins-in 3600",
         asks=three(BOGUS, 8)),
)  # fmt: skip

FIELDS = (
    Plan("labels-above-owner.lab", "an RRSIG for more labels than its owner has",
         faults="signature-labels 4 A", asks=ONLY_A),
    Plan("labels-above-zone.lab", "an RRSIG for `*.lab.`, above the zone that signed it",
         faults="signature-labels 1 A", asks=ONLY_A),
    Plan("labels-below-owner.lab", "an RRSIG for `*` of the zone: an answer from that wildcard",
         records="@ A 192.0.2.1\nwww A 192.0.2.80", faults="signature-labels 2 A",
         asks=(Ask("www A", BOGUS, (12,)), Ask("@ A", SECURE))),
    Plan("original-ttl.lab", "an RRSIG with another original TTL", faults="signature-ttl 7 A",
         asks=ONLY_A),
    Plan("cut-signature.lab", "an RRSIG that has lost its last octet", faults="cut-signature A",
         asks=ONLY_A),
    Plan("covers-another.lab", "an RRSIG that says that it covers another type",
         faults="covers-another MX", asks=three(BOGUS, 10, denial=SECURE)),
    Plan("signed-elsewhere.lab", "an RRSIG that calls another zone the signer",
         faults="signer good.lab. A", asks=ONLY_A),
    Plan("signed-above.lab", "an RRSIG that calls the parent the signer", faults="signer lab. A",
         asks=ONLY_A),
    Plan("signed-below.lab", "an RRSIG that calls a name below the owner the signer",
         faults="signer www A", asks=(Ask("@ A", BOGUS, (6,)), *three(SECURE)[1:])),
    Plan("signed-by-no-zone.lab", "an RRSIG whose signer is the owner, which is no zone",
         faults="signer www A", asks=(Ask("www A", BOGUS, (6,)),), peers="Knot: calls it insecure"),
)  # fmt: skip

BESIDE = (
    Plan("stranger-beside.lab", "a stranger's RRSIG beside the good one",
         faults="another-signer good.lab. A", asks=three(SECURE),
         peers="Unbound: judges by the first RRSIG's signer"),
    Plan("parent-beside.lab", "one that calls the parent its signer beside the good one",
         faults="another-signer lab. A", asks=three(SECURE),
         peers="Unbound, Knot: judge by the first RRSIG's signer"),
    Plan("unknown-signer-beside.lab", "one whose signer cannot be had beside the good one",
         faults="another-signer www A; unanswered DS www; unanswered DNSKEY www",
         asks=(Ask("www A", SECURE),), peers="Unbound, BIND: judge by the first RRSIG's signer"),
    Plan("unusable-beside.lab", "twenty RRSIGs of unknown algorithms before the good one",
         faults="unusable-signatures 20 A", asks=three(SECURE),
         peers="Unbound: counts what it cannot use"),
    Plan("raised-ttl.lab", "a TTL above the one that was signed: it is cut",
         faults="raised-ttl 86400 A", asks=three(SECURE)),
    Plan("extras.lab", "unsigned NS records and addresses beside what is signed",
         faults="extras www.good.lab.", asks=three(SECURE),
         peers="Knot: leaves out AD with a denial"),
)  # fmt: skip

CANONICAL = (
    Plan("shouting.lab", "owners in upper case", faults="shouts", asks=three(SECURE)),
    Plan("shouting.hashed", "NSEC3 owners in upper case", faults="shouts", denial=Nsec3(),
         asks=three(SECURE)),
    Plan("repeated.lab", "every record twice", faults="repeats", asks=three(SECURE)),
    Plan(
        "spelling.lab",
        "upper and lower case, escapes, and types that nobody knows",
        records="""
            @           MX         10 Mail.SPELLING.lab.
            @           SRV        0 0 443 Www.SPELLING.lab.
            @           TYPE65280  \\# 3 41424a
            @           A          192.0.2.9
            @           A          192.0.2.10
            Www         CNAME      Mail
            MAIL        A          192.0.2.25
            dot\\.dot  A          192.0.2.1
            \\000\\255  A          192.0.2.2
        """,
        asks=(
            Ask("@ MX", SECURE),
            Ask("@ SRV", SECURE),
            Ask("@ A", SECURE, shows="records are sorted before they are signed"),
            Ask("@ TYPE65280", SECURE, shows="RDATA of an unknown type are opaque"),
            Ask("wWw A", SECURE),
            Ask("dot\\.dot A", SECURE),
            Ask("\\000\\255 A", SECURE),
            Ask("\\000\\254 A", SECURE, rcode=NXDOMAIN),
        ),
    ),
    Plan("many-addresses.lab", "2000 addresses",
         records="\n".join(f"@ A 192.0.{n // 250}.{n % 250}" for n in range(2000)),
         asks=(Ask("@ A", SECURE),), peers="all: have other limits of size"),
    Plan("forged-any.lab", "every type at a name, one of them forged", faults="forged A",
         asks=(Ask("@ ANY", BOGUS, (6,)),), peers="BIND, Knot: answer ANY in their own way"),
    Plan(
        "types.lab",
        "questions for types that are none, or of a kind of their own",
        records='@ A 192.0.2.1\na.b TXT "below an empty non-terminal"\nwww CNAME @',
        asks=(
            Ask("@ ANY", SECURE, shows="every set is proven",
                peers="Knot: refuses ANY"),
            Ask("www ANY", SECURE, shows="an alias is a set among others",
                peers="Knot: refuses ANY"),
            Ask("b ANY", SECURE, shows="no type at an empty non-terminal",
                peers="Knot: refuses ANY"),
            Ask("@ RRSIG", INDETERMINATE, (5,), shows="nothing signs RRSIG records",
                peers="BIND: sets AD"),
            Ask("@ NSEC", SECURE),
            Ask("www CNAME", SECURE),
        ),
    ),
)  # fmt: skip

PLANS = (*TIMES, *FIELDS, *BESIDE, *CANONICAL)
