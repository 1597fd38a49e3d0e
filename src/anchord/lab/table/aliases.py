"""Chains of CNAME and DNAME: each link is judged by its own zone's keys."""

from anchord.lab.denial import Nsec3
from anchord.lab.plan import Ask, Plan
from anchord.model.rcodes import NXDOMAIN, YXDOMAIN

from .questions import BOGUS, INSECURE, SECURE, UNOBTAINABLE

MOST = 11
"""Aliases that a validator follows."""

ACROSS = (
    Plan(
        "links.lab",
        "aliases that pass through several zones",
        records="""
            hashed    CNAME  good.hashed.
            wild      CNAME  any.to.wildcard.lab.
            lost      CNAME  any.lost.links.hashed.
            nodata    CNAME  any.wildcard.hashed.
            out       CNAME  alias.unsigned.lab.
            gone      CNAME  nx.unsigned.lab.
            span      CNAME  nx.optout.
            broken    CNAME  stripped.lab.
            dead      CNAME  unreachable.lab.
            loop      CNAME  pool
            pool      CNAME  loop
            self      CNAME  self
        """,
        asks=(
            Ask("hashed A", SECURE, shows="from NSEC into NSEC3"),
            Ask("wild A", SECURE, shows="a wildcard's proof belongs to a link in the middle"),
            Ask("lost A", SECURE, rcode=NXDOMAIN, shows="two proofs of two zones in one answer"),
            Ask("nodata MX", SECURE, shows="NODATA at a wildcard, after an alias"),
            Ask("out A", INSECURE, shows="secure, insecure, secure: insecure"),
            Ask("gone A", INSECURE, rcode=NXDOMAIN),
            Ask("span A", INSECURE, rcode=NXDOMAIN, shows="an end that rests on an opt-out span"),
            Ask("broken A", BOGUS, (10,)),
            Ask("dead A", UNOBTAINABLE, (22, 23)),
            Ask("loop A", SECURE, (0,), shows="a loop: as far as it goes",
                peers="all: refuse loops"),
            Ask("self A", SECURE, (0,), shows="an alias of itself (CVE-2022-48256)",
                peers="all: refuse loops"),
        ),
    ),
    Plan("links.hashed", "a wildcard whose alias leads to nothing",
         records="*.lost  CNAME  nx.good.lab.", denial=Nsec3(),
         asks=(Ask("any.lost A", SECURE, rcode=NXDOMAIN),)),
    Plan(
        "long.lab",
        "chains at the limit and beyond",
        records="a1 CNAME good.lab.\n"
        + "\n".join(f"a{number} CNAME a{number - 1}" for number in range(2, 15)),
        asks=(
            Ask(f"a{MOST} A", SECURE, shows="11 aliases: the most that are followed",
                peers="Knot: follows fewer"),
            Ask(f"a{MOST + 1} A", BOGUS, (6,), shows="12 aliases; where they lead stays good",
                peers="Unbound, Knot: count them otherwise"),
        ),
    ),
)  # fmt: skip

DNAMES = (
    Plan(
        "trees.lab",
        "subtrees that live elsewhere",
        records=f"""
            old    DNAME  good.lab.
            older  DNAME  old
            loose  DNAME  unsigned.lab.
            grow   DNAME  grow.grow
            wide   DNAME  {".".join(["w" * 50] * 4)}.
            *.w    DNAME  good.lab.
        """,
        asks=(
            Ask("mail.older A", SECURE, shows="a DNAME that leads below another"),
            Ask("mail.old CNAME", SECURE, shows="the CNAME that follows, asked for by itself"),
            Ask("old DNAME", SECURE),
            Ask("old CNAME", SECURE, shows="the DNAME's own name has no such type"),
            Ask("x.loose A", INSECURE, rcode=NXDOMAIN),
            Ask(f"{'x' * 60}.wide A", SECURE, rcode=YXDOMAIN,
                shows="a name that becomes too long",
                peers="Unbound, Knot: set no AD with this code"),
            Ask("x.grow A", BOGUS, (6,), shows="a DNAME that leads below itself"),
            Ask("a.w DNAME", SECURE, shows="a DNAME from a wildcard is as good as any record"),
            Ask("b.a.w A", SECURE, shows="… and redirects nothing"),
        ),
    ),
    Plan(
        "apex-tree.lab",
        "a DNAME at the apex",
        records="@ DNAME good.lab.\n@ A 192.0.2.1",
        asks=(
            Ask("@ A", SECURE, shows="the apex itself is not redirected"),
            Ask("mail A", SECURE),
            Ask("nx A", SECURE, rcode=NXDOMAIN),
            Ask("@ TXT", SECURE),
        ),
    ),
    Plan("no-synthesis.lab", "a DNAME without the CNAME that follows from it",
         records="old  DNAME  good.lab.", faults="no-synthesis", asks=(Ask("mail.old A", SECURE),)),
    Plan("forged-synthesis.lab", "a CNAME beside a DNAME from which it does not follow",
         records="old  DNAME  good.lab.", faults="forged-synthesis",
         asks=(Ask("mail.old A", BOGUS, (6,)), Ask("mail.old CNAME", BOGUS, (6,))),
         peers="all: put the right CNAME in its place"),
    Plan("forged-dname.lab", "a DNAME that was not signed so", records="old  DNAME  good.lab.",
         faults="forged DNAME", asks=(Ask("mail.old A", BOGUS, (6,)),)),
    Plan("stripped-dname.lab", "a DNAME without a signature", records="old  DNAME  good.lab.",
         faults="stripped DNAME", asks=(Ask("mail.old A", BOGUS, (10,)),)),
)  # fmt: skip

PLANS = (*ACROSS, *DNAMES)
