"""Zones that are made to wear validators out, each of which once did.

They cost a few checks and fail with a code that names the limit; other questions do not notice.
"""

from hashlib import shake_256

from anchord.lab.denial import Nsec3
from anchord.lab.keys import ED25519
from anchord.lab.plan import Ask, Plan
from anchord.model.rcodes import NXDOMAIN

from .questions import BOGUS, INSECURE, SECURE, three

LONG_SALT = bytes(range(255))
DEEP = ".".join(["x"] * 110)
"""A name of more than a hundred labels."""
TANGLED = (".".join(shake_256(bytes((number,))).hexdigest(55)) for number in range(100))
"""Names as long as names can be that share no more than chance has it."""

KEYS = (
    Plan("hostile.", "a TLD for those", asks=(Ask("@ SOA", SECURE),)),
    Plan("twins.hostile", "two good keys of one tag, of which the second signs: no harm",
         algorithms=(ED25519,), faults="twin-keys", asks=three(SECURE),
         peers="BIND: counts collisions as failures"),
    Plan("keytrap.hostile", "100 keys of one tag and 100 signatures by it (CVE-2023-50387)",
         algorithms=(ED25519,), faults="colliding-keys ZSK 100; colliding-signatures 100 A",
         asks=(Ask("@ A", BOGUS, (6,)),)),
    Plan("keytrap-keys.hostile", "the same in the key set itself", algorithms=(ED25519,),
         faults="colliding-keys KSK 100; colliding-signatures 100 DNSKEY", asks=three(BOGUS, 6)),
    Plan("many-keys.hostile", "20 keys of one tag, and one good signature", algorithms=(ED25519,),
         faults="colliding-keys ZSK 20", asks=(Ask("@ A", BOGUS, (6,)),),
         peers="BIND, Knot: have other limits of keys"),
    Plan("many-signatures.hostile", "20 bad signatures by the right key before the good one",
         faults="colliding-signatures 20 A", asks=three(BOGUS, 6, denial=SECURE),
         peers="Knot: has other limits of signatures"),
    Plan("malformed-keys.hostile", "100 malformed keys with the tag of the good one"
         " (CVE-2025-8677)", faults="malformed-keys ZSK 100", asks=(Ask("@ A", BOGUS, (6,)),),
         peers="Knot: has other limits of keys"),
    Plan("many-ds.hostile", "20 DS records of no key before the good one", faults="many-ds 20",
         asks=three(BOGUS, 6), peers="Knot: has other limits of DS records"),
    Plan("flagless.hostile", "2000 keys without the Zone Key flag before the good ones",
         algorithms=(ED25519,), faults="flagless-keys 2000", asks=three(BOGUS, 6)),
    Plan("over.hostile", "1000 expired signatures before the good one", algorithms=(ED25519,),
         faults="expired-signatures 1000 A", asks=three(BOGUS, 6, denial=SECURE),
         peers="Knot: has other limits of signatures"),
)  # fmt: skip

LIMITS = (
    Plan("four-keys.hostile", "4 keys of one tag: as many as are tried", algorithms=(ED25519,),
         faults="colliding-keys ZSK 3", asks=three(SECURE),
         peers="BIND: counts collisions as failures"),
    Plan("five-keys.hostile", "… and one more", algorithms=(ED25519,),
         faults="colliding-keys ZSK 4", asks=three(BOGUS, 6),
         peers="all: have other limits of keys"),
    Plan("eight-signatures.hostile", "8 signatures that seem usable, 7 of them bad: as many as are"
         " tried", faults="colliding-signatures 7 A", asks=three(SECURE),
         peers="BIND: counts bad signatures as failures"),
    Plan("nine-signatures.hostile", "… and one more", faults="colliding-signatures 8 A",
         asks=three(BOGUS, 6, denial=SECURE), peers="all: have other limits of signatures"),
    Plan("eight-key-signatures.hostile", "the same over the keys: as many failures as a step to a"
         " zone may cost", faults="colliding-signatures 7 DNSKEY", asks=three(SECURE)),
    Plan("eight-ds.hostile", "8 DS records, 7 of them of no key: as many as are looked at",
         faults="many-ds 7", asks=three(SECURE)),
    Plan("nine-ds.hostile", "… and one more", faults="many-ds 8", asks=three(BOGUS, 6),
         peers="all: have other limits of DS records"),
)  # fmt: skip

DENIALS = (
    Plan("long-salt.hostile", "NSEC3 with 50 iterations and a salt of 255 octets (CVE-2023-50868)",
         denial=Nsec3(50, LONG_SALT), peers="Knot: counts salt and iterations together",
         asks=(*three(SECURE),
               Ask(f"{DEEP} A", BOGUS, (6,), shows="… and a question of more than 100 labels",
                   peers="all: hash it"))),
    Plan("iterations.hostile", "NSEC3 with 65535 iterations", denial=Nsec3(65535),
         records="@ A 192.0.2.1", asks=three(SECURE, denial=INSECURE, denial_codes=(27,))),
    Plan("unsigned.iterations.hostile", "a delegation whose proof has as many (CVE-2026-1519)",
         algorithms=(), asks=three(INSECURE, 27)),
    Plan("padded.hostile", "200 NSEC records that seem to fit before the good one"
         " (CVE-2026-11605)", faults="padded-denials 200", asks=(Ask("@ A", SECURE),
                                                                 Ask("nx A", BOGUS, (6,)))),
    Plan("padded-nsec3.hostile", "the same by 200 NSEC3 records", faults="padded-denials 200",
         denial=Nsec3(), asks=(Ask("@ A", SECURE), Ask("nx A", BOGUS, (6,)))),
    Plan("all-types.hostile", "7 NSEC records with all types there are before the good one",
         algorithms=(ED25519,), faults="denials-of-all-types 7",
         asks=(Ask("@ A", SECURE),
               Ask("nx A", SECURE, rcode=NXDOMAIN,
                   peers="Unbound: wants every record of an answer to be signed well"))),
    Plan(
        "wildcards.hostile",
        "aliases from wildcards, each with a proof of 50 iterations and 255 octets of salt",
        records="*.w1 A 192.0.2.1\n"
        + "\n".join(f"*.w{number} CNAME x.w{number - 1}" for number in range(2, 6)),
        denial=Nsec3(50, LONG_SALT),
        peers="Knot: counts salt and iterations together",
        asks=(
            Ask("x.w4 A", SECURE, shows="four of them are within the limit of hashing"),
            Ask("x.w5 A", BOGUS, (6,),
                shows="… and five are not: a question has one budget (CVE-2026-50045)",
                peers="all: have other limits of hashing"),
        ),
    ),
)  # fmt: skip

SIZES = (
    Plan("tangled.hostile", "100 long names that no compression shortens (CVE-2024-8508)",
         records="\n".join(f"@ MX 10 {name}.hostile." for name in TANGLED),
         asks=(Ask("@ MX", SECURE),)),
    Plan("many-types.hostile", "200 types at one name (CVE-2024-1737)",
         records="\n".join(f"@ TYPE{65280 + number} \\# 1 00" for number in range(200)),
         asks=(Ask("@ TYPE65300", SECURE), Ask("@ MX", SECURE),
               Ask("@ ANY", BOGUS, (6,), shows="… and the question for all of them",
                   peers="all: answer ANY in their own way"))),
)  # fmt: skip

PLANS = (*KEYS, *LIMITS, *DENIALS, *SIZES)
