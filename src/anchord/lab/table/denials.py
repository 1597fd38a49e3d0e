"""Denials: the ways in which good ones are made, and those that prove something else.

Most cases are there twice, in NSEC below `lab.` and in NSEC3 below `hashed.`.
"""

from anchord.lab.denial import Compact, Nsec, Nsec3
from anchord.lab.plan import Ask, Plan
from anchord.model.rcodes import NXDOMAIN

from .questions import BOGUS, INSECURE, SECURE, three

UNPROVEN = three(SECURE, denial=BOGUS, denial_codes=(12,))
HASHED = Nsec3()

ONLINE = (
    Plan("white-lies.lab", "NSEC made for each question, no longer than needed (RFC 4470)",
         denial=Nsec(minimal=True), asks=(*three(SECURE), Ask("a.b.nx A", SECURE, rcode=NXDOMAIN))),
    Plan("white-lies.hashed", "NSEC3 made for each question (RFC 7129 appendix B)",
         denial=Nsec3(minimal=True),
         asks=(*three(SECURE), Ask("a.b.nx A", SECURE, rcode=NXDOMAIN))),
    Plan("compact.lab", "compact denial: NXNAME at a name that is not there (RFC 9824)",
         denial=Compact(),
         asks=(Ask("@ A", SECURE), Ask("nx A", SECURE), Ask("@ TXT", SECURE))),
    Plan("compact-nxdomain.lab", "compact denial with the code NXDOMAIN, as for who sets CO",
         denial=Compact(rcode=NXDOMAIN),
         asks=(Ask("@ A", SECURE), Ask("nx A", SECURE), Ask("@ TXT", SECURE)),
         peers="BIND, Knot: want the code that is proven"),
    Plan("compact-old.lab", "compact denial without NXNAME: the name seems to be there",
         denial=Compact(nxname=False),
         asks=(Ask("@ A", SECURE), Ask("nx A", SECURE), Ask("@ TXT", SECURE))),
)  # fmt: skip

OPT_OUT = (
    Plan(
        "open.optout",
        "a zone of its own with opt-out spans",
        records="""
            @      A    192.0.2.1
            *.w    A    192.0.2.42
            a.b    TXT  "below an empty non-terminal"
        """,
        denial=Nsec3(opt_out=True),
        asks=(
            Ask("@ A", SECURE),
            Ask("@ TXT", SECURE, shows="the name's own record denies the type, not a span"),
            Ask("b A", SECURE),
            Ask("nx A", INSECURE, rcode=NXDOMAIN),
            Ask("any.w A", INSECURE,
                shows="an opt-out span does not prove that nothing is closer than the wildcard"),
            Ask("any.w TXT", INSECURE),
            Ask("cut.here A", INSECURE, shows="an unsigned zone two labels down"),
            Ask("here A", INSECURE, shows="an empty non-terminal that opt-out leaves out"),
            Ask("cut.here DS", INSECURE, shows="the span stands for a proof of no DS"),
        ),
    ),
    Plan("cut.here.open.optout", "an unsigned zone in an opt-out span", algorithms=(),
         asks=(Ask("nx A", INSECURE, rcode=NXDOMAIN),)),
    Plan("island.unsigned.optout", "a signed zone below an unsigned one in an opt-out span",
         asks=three(INSECURE)),
)  # fmt: skip

# ------------ A record is missing ------------

SPACED = """
    b        A     192.0.2.1
    m        A     192.0.2.2
    *.w      A     192.0.2.3
    here.w   TXT   "not by the wildcard"
    *.to     CNAME  b
"""
"""Names between which each denial needs records of its own."""

MISSING = (
    Plan("no-name-denial.lab", "nothing denies the name itself", records=SPACED,
         faults="without-denial-of name",
         asks=(Ask("nx A", BOGUS, (12,)), Ask("out.w MX", BOGUS, (12,)),
               Ask("out.w A", BOGUS, (12,)), Ask("any.to A", BOGUS, (12,)))),
    Plan("no-name-denial.hashed", "nothing denies the next closer name", records=SPACED,
         faults="without-denial-of name", denial=HASHED,
         asks=(Ask("nx A", BOGUS, (12,)), Ask("out.w MX", BOGUS, (12,)),
               Ask("out.w A", BOGUS, (12,)), Ask("any.to A", BOGUS, (12,)))),
    Plan("no-wildcard-denial.lab", "nothing denies the wildcard, or the type there", records=SPACED,
         faults="without-denial-of wildcard",
         asks=(Ask("nx A", BOGUS, (12,)), Ask("out.w MX", BOGUS, (12,)), Ask("out.w A", SECURE))),
    Plan("no-wildcard-denial.hashed", "nothing denies the wildcard, or the type there",
         records=SPACED, faults="without-denial-of wildcard", denial=HASHED,
         asks=(Ask("nx A", BOGUS, (12,)), Ask("out.w MX", BOGUS, (12,)), Ask("out.w A", SECURE))),
    Plan("no-encloser.hashed", "nothing proves the closest encloser", records=SPACED,
         faults="without-denial-of encloser", denial=HASHED,
         asks=(Ask("nx A", BOGUS, (12,)), Ask("out.w MX", BOGUS, (12,)), Ask("out.w A", SECURE))),
    Plan("bad-wildcard-proof.lab", "a wildcard's proof with a wrong signature", records=SPACED,
         faults="bad-wildcard-proof",
         asks=(Ask("out.w A", BOGUS, (6,)),
               Ask("any.to A", BOGUS, (6,), shows="… of a wildcard's alias (CVE-2026-52686)"))),
    Plan("bad-wildcard-proof.hashed", "a wildcard's proof with a wrong signature", records=SPACED,
         faults="bad-wildcard-proof", denial=HASHED,
         asks=(Ask("out.w A", BOGUS, (6,)), Ask("any.to A", BOGUS, (6,)))),
    Plan("no-soa.lab", "denials without the SOA: nothing is lacking", faults="no-soa",
         asks=three(SECURE), peers="BIND: wants an SOA record"),
    Plan("stripped-soa.lab", "denials whose SOA is not signed", faults="stripped SOA",
         asks=three(SECURE, denial=BOGUS, denial_codes=(10,)), peers="BIND: does without it"),
)  # fmt: skip

# ------------ A genuine record proves something else ------------

BUSY = """
    www     A      192.0.2.80
    mail    A      192.0.2.25
    alias   CNAME  www
    tree    DNAME  good.lab.
    a.b     TXT    "below an empty non-terminal"
    *.w     A      192.0.2.42
    *.w     TXT    "by the wildcard"
    here.w  A      192.0.2.43
"""
DENIED = (
    Ask("www A", BOGUS, (12,), shows="a name that is there, denied by its own and its neighbours'"),
    Ask("mail A", BOGUS, (12,), shows="a type that is there, denied by the name's own record"),
    Ask("alias A", BOGUS, (12,), shows="a type at an alias, which leads elsewhere"),
    Ask("x.mail A", BOGUS, (12,), shows="a name that is not there, said to lack the type only",
        peers="BIND, Knot: answer out of an earlier denial"),
    Ask("x.tree A", BOGUS, (12,), shows="a name below a DNAME, denied by the DNAME's own record"),
    Ask("b A", SECURE, shows="NXDOMAIN for an empty non-terminal: no more than NODATA is proven",
        peers="Unbound, BIND: want the code that is proven"),
)  # fmt: skip
CLOSER = (
    Ask("here.w TXT", BOGUS, (12,), shows="a wildcard's answer in the place of a name"),
    Ask("x.here.w A", BOGUS, (12,), shows="a wildcard's answer below a name that is closer",
        peers="Knot: answers out of an earlier denial"),
    Ask("here.w A", BOGUS, (12,), shows="a wildcard's answer for a type that the name has"),
)  # fmt: skip
DENYING = "denies-name www x.tree b; denies-type mail alias"

OTHERS = (
    Plan("denied.lab", "denials that prove nothing", records=BUSY, faults=DENYING, asks=DENIED),
    Plan("denied.hashed", "denials that prove nothing", records=BUSY, faults=DENYING, denial=HASHED,
         asks=DENIED),
    Plan("overreaching-wildcard.lab", "a wildcard that is not the closest", records=BUSY,
         faults="from-wildcard here.w", asks=CLOSER),
    Plan("overreaching-wildcard.hashed", "a wildcard that is not the closest", records=BUSY,
         faults="from-wildcard here.w", denial=HASHED, asks=CLOSER),
    Plan("expanded-denial.lab", "a wildcard's NSEC under the name that was asked (CVE-2017-15105)",
         records=BUSY, faults="expanded-denial",
         asks=(Ask("out.w MX", BOGUS, (12,)), Ask("out.w A", SECURE))),
    Plan("family.lab", "a parent whose denials are good", asks=three(SECURE)),
    Plan("child.family.lab", "denials that are the parent's, of the cut and around it",
         faults="denials-of family.lab.", asks=UNPROVEN),
    Plan("family.hashed", "a parent whose denials are good", denial=HASHED, asks=three(SECURE)),
    Plan("child.family.hashed", "denials that are the parent's", denial=HASHED,
         faults="denials-of family.hashed.", asks=UNPROVEN),
    Plan("parent.hashed", "denials that are the child's (CVE-2026-10723)", denial=HASHED,
         faults="denials-of child",
         asks=(Ask("@ A", SECURE), Ask("nx A", BOGUS, (12,)), Ask("@ TXT", BOGUS, (12,)))),
    Plan("child.parent.hashed", "a child whose denials are good", denial=HASHED,
         asks=three(SECURE)),
    Plan("signed-anew.lab", "a zone that turns from NSEC to NSEC3 (CVE-2026-33261)",
         records="@ A 192.0.2.1\nlater A 192.0.2.2", faults="denies-anew later",
         asks=(*three(SECURE),
               Ask("later TXT", SECURE, shows="the first denial by NSEC3"),
               Ask("nx.later A", SECURE, rcode=NXDOMAIN),
               Ask("other A", SECURE, rcode=NXDOMAIN, shows="a denial by NSEC after those"))),
)  # fmt: skip

# ------------ Records that do not count ------------

LENIENT_BITMAPS = "Unbound, Knot: read type bitmaps leniently"

MALFORMED = (
    Plan("empty-window.lab", "a type bitmap with a window of no octets (CVE-2026-4890)",
         faults="empty-window", asks=three(SECURE, denial=BOGUS, denial_codes=(6,)),
         peers=LENIENT_BITMAPS),
    Plan("empty-window.hashed", "the same in NSEC3", faults="empty-window", denial=HASHED,
         asks=three(SECURE, denial=BOGUS, denial_codes=(6,)), peers=LENIENT_BITMAPS),
    Plan("overreaching.lab", "NSEC whose next name is another zone's (CVE-2026-13321)",
         faults="next-name overreaching2.lab.", asks=UNPROVEN,
         peers="Knot: believes it in release 5.6"),
    Plan("misplaced.hashed", "NSEC3 below another name of the zone, and signed by it",
         faults="misplaced sub", denial=HASHED, asks=UNPROVEN,
         peers="Knot: believes it in release 5.6"),
    Plan("unknown-hash.hashed", "NSEC3 of an unknown hash algorithm",
         faults="nsec3-hash-algorithm 2", denial=HASHED, asks=UNPROVEN),
    Plan("unknown-flags.hashed", "NSEC3 with unknown flags", faults="nsec3-flags 2", denial=HASHED,
         asks=UNPROVEN, peers="BIND, Knot: do not look at them"),
    Plan("mixed-salts.hashed", "a proof out of records of two salts", faults="mixed-salts beef",
         denial=HASHED, asks=(Ask("nx A", BOGUS, (12,)), Ask("@ TXT", SECURE)),
         peers="BIND, Knot: mix them"),
    Plan("both-salts.hashed", "two proofs, under a salt each", faults="both-salts beef",
         denial=HASHED, asks=three(SECURE), peers="Unbound: wants one salt (RFC 5155 section 8.2)"),
    Plan("one-name.hashed", "one NSEC3, which covers everything but itself",
         records="@ A 192.0.2.1", denial=HASHED,
         asks=(*three(SECURE), Ask("a.nx A", SECURE, rcode=NXDOMAIN))),
    Plan("deep.hashed", "50 iterations, and a service below six labels: within every limit",
         denial=Nsec3(50), asks=(Ask("_25._tcp.a.b.c.d.e.f TLSA", SECURE, rcode=NXDOMAIN),)),
)  # fmt: skip

PLANS = (*ONLINE, *OPT_OUT, *MISSING, *OTHERS, *MALFORMED)
