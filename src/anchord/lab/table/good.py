"""Zones that are as they should be."""

from anchord.lab.denial import Nsec3
from anchord.lab.keys import (
    ECDSAP256SHA256,
    ECDSAP384SHA384,
    ED448,
    ED25519,
    RSASHA256,
    RSASHA512,
    SHA256,
    SHA384,
)
from anchord.lab.plan import Ask, Plan
from anchord.model.rcodes import NXDOMAIN

from .questions import BOGUS, INSECURE, SECURE, three

PLANS = (
    Plan(
        "good.lab",
        "a good zone",
        records="""
            @     A      192.0.2.1
            @     AAAA   2001:db8::1
            @     MX     10 mail
            mail  A      192.0.2.25
            www   CNAME  @
            a.b   TXT    "below an empty non-terminal"
            _443._tcp TLSA 3 1 1 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
        """,
        asks=(
            Ask("@ A", SECURE, shows="the chain of trust holds", in_tour=True),
            Ask("@ MX", SECURE),
            Ask("@ TXT", SECURE, shows="NSEC proves that there is no such type"),
            Ask("www A", SECURE, shows="an alias within the zone"),
            Ask("nx A", SECURE, rcode=NXDOMAIN),
            Ask("b A", SECURE, shows="an empty non-terminal exists"),
            Ask("_443._tcp TLSA", SECURE),
            Ask("@ DS", SECURE, shows="the parent's set"),
            Ask("@ DNSKEY", SECURE),
        ),
    ),
    Plan("child.good.lab", "a signed zone below a signed zone", asks=three(SECURE)),
    Plan(
        "good.hashed",
        "a good zone that is denied by NSEC3",
        records="""
            @     A      192.0.2.1
            www   CNAME  @
            a.b   TXT    "below an empty non-terminal"
        """,
        denial=Nsec3(),
        asks=(
            *three(SECURE),
            Ask("www A", SECURE),
            Ask("b A", SECURE, shows="an empty non-terminal has an NSEC3 record"),
        ),
    ),
    Plan("signed.optout", "a signed zone below an opt-out TLD", asks=three(SECURE)),
    Plan("one-key.lab", "one key for everything", has_combined_key=True, asks=three(SECURE)),
    Plan("salted.lab", "NSEC3 with a salt and 10 iterations",
         denial=Nsec3(10, bytes.fromhex("beef")), asks=three(SECURE)),
    Plan("rsasha256.lab", "algorithm 8", algorithms=(RSASHA256,), asks=three(SECURE)),
    Plan("rsasha512.lab", "algorithm 10", algorithms=(RSASHA512,), asks=three(SECURE)),
    Plan("ecdsap384.lab", "algorithm 14, DS by SHA-384", algorithms=(ECDSAP384SHA384,),
         digest_types=(SHA384,), asks=three(SECURE)),
    Plan("ed25519.lab", "algorithm 15", algorithms=(ED25519,), asks=three(SECURE)),
    Plan("ed448.lab", "algorithm 16", algorithms=(ED448,), asks=three(SECURE)),
    Plan("two-algorithms.lab", "algorithms 8 and 13, two digests",
         algorithms=(RSASHA256, ECDSAP256SHA256), digest_types=(SHA256, SHA384),
         asks=three(SECURE)),
    Plan("more-ds.lab", "a DS of an unknown algorithm beside the good one",
         faults="another-ds 100 2", asks=three(SECURE)),
    Plan(
        "wildcard.lab",
        "wildcards, and the proof by NSEC that nothing is closer",
        records="""
            *      A      192.0.2.42
            *.to   CNAME  good.lab.
            here   TXT    "not by the wildcard"
        """,
        asks=(
            Ask("any A", SECURE, shows="a wildcard's answer with its proof", in_tour=True),
            Ask("any.thing A", SECURE),
            Ask("any TXT", SECURE, shows="the wildcard has no such type"),
            Ask("here A", SECURE, shows="the wildcard does not apply to a name that exists"),
            Ask("any.to A", SECURE, shows="an alias from a wildcard"),
        ),
    ),
    Plan(
        "wildcard.hashed",
        "wildcards, and the proof by NSEC3 that nothing is closer",
        records="*    A    192.0.2.42",
        denial=Nsec3(),
        asks=(
            Ask("any A", SECURE),
            Ask("any.thing A", SECURE),
            Ask("any TXT", SECURE),
        ),
    ),
    Plan(
        "alias.lab",
        "aliases into other zones",
        records="""
            secure    CNAME  www.good.lab.
            missing   CNAME  nx.good.hashed.
            insecure  CNAME  unsigned.lab.
            bogus     CNAME  expired.lab.
        """,
        asks=(
            Ask("secure A", SECURE, shows="secure all along the chain"),
            Ask("missing A", SECURE, rcode=NXDOMAIN, shows="the last name is denied"),
            Ask("insecure A", INSECURE, shows="one insecure link makes the whole insecure",
                in_tour=True),
            Ask("bogus A", BOGUS, (7,), shows="one bogus link makes the whole bogus"),
        ),
    ),
    Plan(
        "dname.lab",
        "a subtree that lives elsewhere",
        records="old  DNAME  good.lab.",
        asks=(
            Ask("mail.old A", SECURE, shows="the CNAME follows from a signed DNAME"),
            Ask("nx.old A", SECURE, rcode=NXDOMAIN),
            Ask("old A", SECURE, shows="the DNAME's own name has no such type"),
        ),
    ),
)  # fmt: skip
