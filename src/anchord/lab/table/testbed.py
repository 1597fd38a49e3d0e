"""The 68 zones of the public test-bed of Extended DNS Errors, below `testbed.`.

The names and what is wrong with each are those of extended-dns-errors.com (Nosyk, Korczyński, Duda:
"Extended DNS Errors: Unlocking the Full Potential of DNS Troubleshooting", IMC 2023). That study
asks for an address only; here each zone is asked for data, a missing name and a missing type. After
them come its servers that say a code, or an Extended DNS Error, of their own accord.

If not told otherwise a zone is signed by RSA-2048 with SHA-256, and denied by NSEC3 without salt or
iterations. Whatever is wrong with keys, signatures and denials was changed after signing.
"""

from anchord.lab.denial import BY_NSEC, DenialMethod, Nsec3
from anchord.lab.keys import (
    ECDSAP256SHA256,
    ECDSAP384SHA384,
    ED448,
    ED25519,
    RSASHA1,
    RSASHA1_NSEC3_SHA1,
    RSASHA256,
    RSASHA512,
)
from anchord.lab.plan import Ask, Plan
from anchord.model.rcodes import NXDOMAIN

from .questions import BOGUS, INSECURE, SECURE, UNOBTAINABLE, three

BY_NSEC3 = Nsec3()
SHA1_COUNTS = "all: validate SHA-1"


def _zone(
    name: str,
    shows: str,
    asks: tuple[Ask, ...],
    faults: str = "",
    *,
    algorithm: int = RSASHA256,
    denial: DenialMethod = BY_NSEC3,
    peers: str = "",
) -> Plan:
    return Plan(
        f"{name}.testbed", shows, asks, faults=faults, algorithms=(algorithm,) if algorithm else (),
        denial=denial, peers=peers,
    )  # fmt: skip


UNSIGNED = 0
LAME = three(UNOBTAINABLE, 22)
UNPROVEN = three(SECURE, denial=BOGUS, denial_codes=(12,))
UNCOUNTED = three(SECURE, denial=INSECURE, denial_codes=(27,))

CONTROLS = (
    Plan("testbed.", "a TLD for the zones of the test-bed", asks=(Ask("@ SOA", SECURE),)),
    _zone("valid", "a good zone", three(SECURE)),
    _zone("unsigned", "an unsigned zone", three(INSECURE), algorithm=UNSIGNED),
)

ITERATIONS = (
    _zone("nsec3-iter-0", "NSEC3 as it should be", three(SECURE), "nsec3-iterations 0"),
    _zone("nsec3-iter-1", "1 iteration", three(SECURE), "nsec3-iterations 1"),
    _zone("nsec3-iter-50", "50 iterations, the most that count", three(SECURE),
          "nsec3-iterations 50"),
    _zone("nsec3-iter-100", "100 iterations", UNCOUNTED, "nsec3-iterations 100"),
    _zone("nsec3-iter-150", "150 iterations", UNCOUNTED, "nsec3-iterations 150"),
    _zone("nsec3-iter-200", "200 iterations", UNCOUNTED, "nsec3-iterations 200"),
    _zone("nsec3-iter-500", "500 iterations", UNCOUNTED, "nsec3-iterations 500"),
    _zone("nsec3-iter-1000", "1000 iterations", UNCOUNTED, "nsec3-iterations 1000"),
    _zone("nsec3-iter-1500", "1500 iterations", UNCOUNTED, "nsec3-iterations 1500"),
    _zone("nsec3-iter-2000", "2000 iterations", UNCOUNTED, "nsec3-iterations 2000"),
    _zone("nsec3-iter-2500", "2500 iterations", UNCOUNTED, "nsec3-iterations 2500"),
)  # fmt: skip

ALGORITHMS = (
    _zone("rsamd5", "algorithm 1", three(INSECURE, 1), algorithm=1, denial=BY_NSEC),
    _zone("dsa", "algorithm 3", three(INSECURE, 1), algorithm=3, denial=BY_NSEC),
    _zone("dsa-nsec3-sha1", "algorithm 6", three(INSECURE, 1), algorithm=6),
    _zone("rsasha1", "algorithm 5", three(INSECURE, 1), algorithm=RSASHA1, denial=BY_NSEC,
          peers=SHA1_COUNTS),
    _zone("rsasha1-nsec3-sha1", "algorithm 7", three(INSECURE, 1), algorithm=RSASHA1_NSEC3_SHA1,
          peers=SHA1_COUNTS),
    _zone("rsasha256", "algorithm 8", three(SECURE)),
    _zone("rsasha512", "algorithm 10", three(SECURE), algorithm=RSASHA512),
    _zone("ecdsap256sha256", "algorithm 13", three(SECURE), algorithm=ECDSAP256SHA256),
    _zone("ecdsap384sha384", "algorithm 14", three(SECURE), algorithm=ECDSAP384SHA384),
    _zone("ed25519", "algorithm 15", three(SECURE), algorithm=ED25519),
    _zone("ed448", "algorithm 16", three(SECURE), algorithm=ED448),
)  # fmt: skip

DS_SETS = (
    _zone("no-ds", "a signed zone without DS", three(INSECURE), "no-ds"),
    _zone("ds-bad-tag", "a DS with key tag 0", three(BOGUS, 9), "ds-key-tag 0"),
    _zone("ds-bad-key-algo", "a DS of algorithm 7, which does not count", three(INSECURE, 1),
          "ds-algorithm 7", peers=SHA1_COUNTS),
    _zone("ds-unassigned-key-algo", "a DS of algorithm 100", three(INSECURE, 1),
          "ds-algorithm 100"),
    _zone("ds-reserved-key-algo", "a DS of algorithm 200", three(INSECURE, 1), "ds-algorithm 200"),
    _zone("ds-unassigned-digest-algo", "a DS of digest type 100", three(INSECURE, 2),
          "ds-digest-type 100"),
    _zone("ds-bogus-digest-value", "a DS with another digest", three(BOGUS, 9), "wrong-ds"),
)  # fmt: skip

DENIALS = (
    _zone("no-nsec3", "no NSEC3 records", UNPROVEN, "no-denial"),
    _zone("no-nsec3param", "no NSEC3PARAM record, so that servers find no NSEC3", UNPROVEN,
          "missing-set NSEC3PARAM; no-denial"),
    _zone("no-nsec3param-nsec3", "neither NSEC3PARAM nor NSEC3 records", UNPROVEN,
          "missing-set NSEC3PARAM; no-denial"),
    _zone("bad-nsec3param-salt", "an NSEC3PARAM record of a salt for which there is no NSEC3",
          UNPROVEN, "nsec3param-salt 01; no-denial"),
    _zone("no-nsec3-rrsig", "NSEC3 records without signatures",
          three(SECURE, denial=BOGUS, denial_codes=(10,)), "stripped NSEC3"),
    _zone("bad-nsec3-hash", "other hashes as owners of NSEC3 records",
          three(SECURE, denial=BOGUS, denial_codes=(6,)), "altered-owner"),
    _zone("bad-nsec3-next", "other next hashes in NSEC3 records",
          three(SECURE, denial=BOGUS, denial_codes=(6,)), "altered-next"),
    _zone("bad-nsec3-rrsig", "other signatures of NSEC3 records",
          three(SECURE, denial=BOGUS, denial_codes=(6,)), "forged-signature NSEC3"),
)  # fmt: skip

KEYS = (
    _zone("no-zsk", "no zone-signing key", three(BOGUS, 6), "missing-key ZSK"),
    _zone("bad-zsk", "another zone-signing key", three(BOGUS, 6), "altered-key ZSK"),
    _zone("bad-zsk-algo", "a ZSK of algorithm 7", three(BOGUS, 6), "altered-algorithm ZSK 7"),
    _zone("unassigned-zsk-algo", "a ZSK of algorithm 100", three(BOGUS, 6),
          "altered-algorithm ZSK 100"),
    _zone("reserved-zsk-algo", "a ZSK of algorithm 200", three(BOGUS, 6),
          "altered-algorithm ZSK 200"),
    _zone("no-ksk", "no key-signing key", three(BOGUS, 9), "missing-key KSK"),
    _zone("no-dnskey", "no keys at all", three(BOGUS, 9), "no-dnskey"),
    _zone("bad-ksk", "another key-signing key", three(BOGUS, 9), "altered-key KSK"),
    _zone("bad-ksk-algo", "a KSK of algorithm 7", three(BOGUS, 9), "altered-algorithm KSK 7"),
    _zone("unassigned-ksk-algo", "a KSK of algorithm 100", three(BOGUS, 9),
          "altered-algorithm KSK 100"),
    _zone("reserved-ksk-algo", "a KSK of algorithm 200", three(BOGUS, 9),
          "altered-algorithm KSK 200"),
    _zone("no-dnskey-rrsig", "keys without a signature", three(BOGUS, 10), "stripped DNSKEY"),
    _zone("bad-dnskey-rrsig", "keys with another signature", three(BOGUS, 6),
          "forged-signature DNSKEY"),
    _zone("no-dnskey-256", "a ZSK with no flag", three(BOGUS, 11), "altered-flags ZSK 0"),
    _zone("no-dnskey-257", "a KSK with no flag", three(BOGUS, 11), "altered-flags KSK 0"),
    _zone("no-dnskey-256-257", "no key with a flag", three(BOGUS, 11),
          "altered-flags ZSK 0; altered-flags KSK 0"),
)  # fmt: skip

SIGNATURES = (
    _zone("no-rrsig-all", "no signature", three(BOGUS, 10), "stripped"),
    _zone("no-rrsig-a", "no signature of the address", three(BOGUS, 10, denial=SECURE),
          "stripped A"),
    _zone("rrsig-exp-all", "signatures that ended yesterday", three(BOGUS, 7), "expired"),
    _zone("rrsig-exp-a", "… that of the address alone", three(BOGUS, 7, denial=SECURE),
          "expired A"),
    _zone("rrsig-not-yet-all", "signatures that begin tomorrow", three(BOGUS, 8), "not-yet-valid"),
    _zone("rrsig-not-yet-a", "… that of the address alone", three(BOGUS, 8, denial=SECURE),
          "not-yet-valid A"),
    _zone("rrsig-exp-before-all", "signatures that end before they begin", three(BOGUS, 25),
          "expired-before-valid"),
    _zone("rrsig-exp-before-a", "… that of the address alone", three(BOGUS, 25, denial=SECURE),
          "expired-before-valid A"),
)  # fmt: skip

LAME_ZONES = (
    _zone("allow-query-none", "servers that answer nobody", LAME, "refused", algorithm=UNSIGNED),
    _zone("allow-query-localhost", "servers that answer themselves alone", LAME, "refused",
          algorithm=UNSIGNED),
    _zone("not-auth", "servers that do not know the zone", LAME, "refused", algorithm=UNSIGNED),
    _zone("v4-doc", "a server at an address of documentation", LAME, "unreachable",
          algorithm=UNSIGNED),
    _zone("v6-doc", "the same over IPv6", LAME, "unreachable", algorithm=UNSIGNED),
)  # fmt: skip

CODES = (
    _zone("ede-9", "a server that says, of its own accord, that a DNSKEY is missing",
          three(INSECURE), "extended-error 9", algorithm=UNSIGNED),
    _zone("rcode-noerror", "a server that says NOERROR, and nothing else",
          (Ask("@ A", INSECURE),), "says 0", algorithm=UNSIGNED),
    _zone("rcode-nxdomain", "a server that says NXDOMAIN, and nothing else",
          (Ask("@ A", INSECURE, rcode=NXDOMAIN),), "says 3", algorithm=UNSIGNED,
          peers="BIND: wants an SOA record"),
    *(
        _zone(f"rcode-{name}", f"a server that says {name.upper()}, and nothing else",
              (Ask("@ A", UNOBTAINABLE, (22,)),), f"says {rcode}", algorithm=UNSIGNED)
        for rcode, name in {
            1: "formerr", 2: "servfail", 4: "notimp", 5: "refused", 6: "yxdomain", 7: "yxrrset",
            8: "nxrrset", 9: "notauth", 10: "notzone",
        }.items()
    ),
)  # fmt: skip

PLANS = (
    *CONTROLS, *ITERATIONS, *ALGORITHMS, *DS_SETS, *DENIALS, *KEYS, *SIGNATURES,
    *LAME_ZONES, *CODES,
)  # fmt: skip
