"""The zones of the lab, and what a validator must say about each: read it from top to bottom.

Tests, `anchord lab` and the documentation share this one table. A zone is a `Plan`: its name, what
it is there for, what is wrong with it, and questions with the verdicts that they must get. Names of
zones tell the fault; `lab.` is denied by NSEC, `hashed.` by NSEC3, `optout.` by NSEC3 with opt-out.
"""

from anchord.model.rcodes import NXDOMAIN
from anchord.model.verdict import Status

from .denial import Nsec3
from .keys import (
    ECDSAP256SHA256,
    ECDSAP384SHA384,
    ED448,
    ED25519,
    RSASHA1,
    RSASHA1_NSEC3_SHA1,
    RSASHA256,
    RSASHA512,
    SHA256,
    SHA384,
)
from .plan import Ask, Case, Plan, cases_of
from .zones import NAME_SERVER_ADDRESS

SECURE, INSECURE, UNOBTAINABLE, BOGUS = (
    Status.SECURE, Status.INSECURE, Status.UNOBTAINABLE, Status.BOGUS,
)  # fmt: skip


def three(
    positive: Status, *codes: int, denial: Status | None = None, denial_codes: tuple[int, ...] = ()
) -> tuple[Ask, ...]:
    """The three questions that every zone is asked: data, a missing name, a missing type.

    `codes` go with all three, unless the denials have a status of their own.
    """
    if denial is None:
        denial, denial_codes = positive, codes
    return (
        Ask("@ A", positive, codes),
        Ask("nx A", denial, denial_codes, NXDOMAIN),
        Ask("@ TXT", denial, denial_codes),
    )


TREE = (
    Plan(
        ".",
        "the root, signed by the trust anchor",
        records="@ TXT \"the root of anchord's lab\"",
        algorithms=(RSASHA256,),
        asks=(
            Ask("@ DNSKEY", SECURE),
            Ask("@ DS", SECURE, shows="nothing stands above the root"),
            Ask("www.no-such-tld A", SECURE, rcode=NXDOMAIN, shows="the root denies a TLD"),
        ),
    ),
    Plan(
        "lab.",
        "a TLD that is denied by NSEC",
        records=f"ns A {NAME_SERVER_ADDRESS}",
        asks=(
            Ask("@ SOA", SECURE),
            Ask("nx A", SECURE, rcode=NXDOMAIN, shows="NSEC proves that there is no such name",
                in_tour=True),
        ),
    ),
    Plan(
        "hashed.",
        "a TLD that is denied by NSEC3",
        records='@ TXT "hashed"',
        denial=Nsec3(),
        asks=(
            Ask("@ SOA", SECURE),
            Ask("nx A", SECURE, rcode=NXDOMAIN, shows="NSEC3 proves that there is no such name",
                in_tour=True),
        ),
    ),
    Plan(
        "optout.",
        "a TLD that is denied by NSEC3 with opt-out",
        records='@ TXT "opt-out"',
        denial=Nsec3(opt_out=True),
        asks=(
            Ask("@ SOA", SECURE),
            Ask("nx A", INSECURE, rcode=NXDOMAIN,
                shows="an unsigned delegation may lie in the span: no proof"),
        ),
    ),
)  # fmt: skip

GOOD = (
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

INSECURE_ZONES = (
    Plan(
        "unsigned.lab",
        "an unsigned zone",
        records="""
            @      A      192.0.2.1
            alias  CNAME  good.lab.
        """,
        algorithms=(),
        asks=(
            Ask("@ A", INSECURE, shows="NSEC proves that there is no DS", in_tour=True),
            Ask("nx A", INSECURE, rcode=NXDOMAIN),
            Ask("@ TXT", INSECURE),
            Ask("alias A", INSECURE, shows="an insecure link, then a secure one"),
            Ask("@ DS", SECURE, shows="the proof that there is no DS is itself secure"),
        ),
    ),
    Plan("island.unsigned.lab", "a signed zone below an unsigned one", asks=three(INSECURE)),
    Plan("unsigned.hashed", "an unsigned zone below NSEC3", algorithms=(), asks=three(INSECURE)),
    Plan("unsigned.optout", "an unsigned zone in an opt-out span", algorithms=(),
         asks=three(INSECURE)),
    Plan("no-ds.lab", "a signed zone without a DS set", faults="no-ds", asks=three(INSECURE)),
    Plan("unknown-algorithm.lab", "only an algorithm that nobody knows", algorithms=(100,),
         asks=three(INSECURE, 1)),
    Plan("rsasha1.lab", "algorithm 5, unsupported by RFC 9905", algorithms=(RSASHA1,),
         asks=three(INSECURE, 1)),
    Plan("rsasha1-nsec3.lab", "algorithm 7, unsupported by RFC 9905",
         algorithms=(RSASHA1_NSEC3_SHA1,), denial=Nsec3(), asks=three(INSECURE, 1)),
    Plan("unknown-digest.lab", "only a DS digest that nobody knows", faults="ds-digest-type 100",
         asks=three(INSECURE, 2)),
    Plan("iterations.lab", "NSEC3 with 100 iterations: the names that exist are still secure",
         faults="nsec3-iterations 100",
         asks=three(SECURE, denial=INSECURE, denial_codes=(27,))),
)  # fmt: skip

BOGUS_ZONES = (
    Plan("expired.lab", "signatures that ended yesterday", faults="expired",
         asks=(Ask("@ A", BOGUS, (7,), in_tour=True), *three(BOGUS, 7)[1:])),
    Plan("expired-a.lab", "only the A set's signature has ended", faults="expired A",
         asks=(Ask("@ A", BOGUS, (7,)), *three(SECURE)[1:])),
    Plan("not-yet-valid.lab", "signatures that begin tomorrow", faults="not-yet-valid",
         asks=three(BOGUS, 8)),
    Plan("expired-before-valid.lab", "signatures that end before they begin",
         faults="expired-before-valid", asks=three(BOGUS, 25)),
    Plan("forged.lab", "an address that was not signed", faults="forged A",
         asks=(Ask("@ A", BOGUS, (6,), in_tour=True), *three(SECURE)[1:])),
    Plan("forged-signature.lab", "signatures with a wrong bit", faults="forged-signature",
         asks=three(BOGUS, 6)),
    Plan("forged-denial.lab", "denials that were not signed", faults="forged NSEC",
         asks=three(SECURE, denial=BOGUS, denial_codes=(6,))),
    Plan("stripped.lab", "signatures taken away", faults="stripped",
         asks=(Ask("@ A", BOGUS, (10,), in_tour=True), *three(BOGUS, 10)[1:])),
    Plan("stripped-a.lab", "the A set's signature taken away", faults="stripped A",
         asks=(Ask("@ A", BOGUS, (10,)), *three(SECURE)[1:])),
    Plan("stripped-denial.hashed", "NSEC3 records without signatures", faults="stripped NSEC3",
         denial=Nsec3(), asks=three(SECURE, denial=BOGUS, denial_codes=(10,))),
    Plan("stranger.lab", "a good signature by a key that the zone does not have",
         faults="signed-by-stranger A",
         asks=(Ask("@ A", BOGUS, (6,)), *three(SECURE)[1:])),
    Plan("downgraded.lab", "signatures that claim an unknown algorithm",
         faults="signature-algorithm 100 A",
         asks=(Ask("@ A", BOGUS, (10,)), *three(SECURE)[1:])),
    Plan("wrong-ds.lab", "a DS with another digest", faults="wrong-ds",
         asks=(Ask("@ A", BOGUS, (9,), in_tour=True), *three(BOGUS, 9)[1:])),
    Plan("wrong-ds-tag.lab", "a DS with another key tag", faults="ds-key-tag 0",
         asks=three(BOGUS, 9)),
    Plan("no-dnskey.lab", "no DNSKEY set", faults="no-dnskey", asks=three(BOGUS, 9)),
    Plan("no-ksk.lab", "no key that matches the DS", faults="missing-key KSK",
         asks=three(BOGUS, 9)),
    Plan("no-zsk.lab", "a key taken out of the signed set", faults="missing-key ZSK",
         asks=three(BOGUS, 6)),
    Plan("no-dnskey-signature.lab", "a DNSKEY set without a signature", faults="stripped DNSKEY",
         asks=three(BOGUS, 10)),
    Plan("no-zone-bit.lab", "the zone-signing key has no Zone Key flag",
         faults="no-zone-bit ZSK", asks=three(BOGUS, 11)),
    Plan("no-zone-bit-ksk.lab", "the key of the DS has no Zone Key flag",
         faults="no-zone-bit KSK", asks=three(BOGUS, 11)),
    Plan("revoked.lab", "the key of the DS is revoked", faults="revoked KSK",
         asks=three(BOGUS, 9)),
    Plan("no-denial.lab", "no NSEC records", faults="no-denial",
         asks=three(SECURE, denial=BOGUS, denial_codes=(12,))),
    Plan("unsigned.no-denial.lab", "a delegation without the proof that there is no DS",
         algorithms=(), asks=(Ask("@ A", BOGUS, (12,)),)),
    Plan("no-denial.hashed", "no NSEC3 records", faults="no-denial", denial=Nsec3(),
         asks=three(SECURE, denial=BOGUS, denial_codes=(12,))),
    Plan("no-wildcard-proof.lab", "a wildcard's answer without its proof",
         records="*  A  192.0.2.42", faults="no-wildcard-proof",
         asks=(Ask("any A", BOGUS, (12,)),)),
)  # fmt: skip

UNREACHABLE_ZONES = (
    Plan("unreachable.lab", "servers that do not answer", faults="unreachable",
         asks=(Ask("@ A", UNOBTAINABLE, (22, 23), in_tour=True),)),
    Plan("refused.lab", "servers that refuse", faults="refused",
         asks=(Ask("@ A", UNOBTAINABLE, (22, 23)),)),
)  # fmt: skip

PLANS: tuple[Plan, ...] = (*TREE, *GOOD, *INSECURE_ZONES, *BOGUS_ZONES, *UNREACHABLE_ZONES)
"""Every zone of the lab."""

CASES: tuple[Case, ...] = tuple(case for plan in PLANS for case in cases_of(plan))
"""Every question to the lab, with the verdict that it must get."""

TOUR: tuple[Case, ...] = tuple(case for case in CASES if case.in_tour)
"""Those that `anchord lab --tour` asks."""
