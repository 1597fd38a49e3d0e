"""Keys and DS sets: what is uncommon but good, and what must not pass."""

from anchord.lab.denial import Nsec3
from anchord.lab.keys import ED25519, MLDSA44, RSASHA256, SHA1, SHA256
from anchord.lab.plan import Plan

from .questions import BOGUS, INSECURE, SECURE, three

UNUSUAL = (
    Plan("ds-of-zsk.lab", "the DS is of a key without the SEP flag, which is a hint and no more",
         faults="ds-of-zsk", asks=three(SECURE)),
    Plan("standby.lab", "further keys that sign nothing yet",
         faults="standby-key KSK; standby-key ZSK", asks=three(SECURE)),
    Plan("absent-key.lab", "a DS of a key that is not there, beside the good one",
         faults="another-ds 13 2", asks=three(SECURE)),
    Plan("one-of-two.lab", "DS of algorithms 8 and 13, signatures of 13 only: one way is enough",
         algorithms=(RSASHA256, 13), faults="signed-by-one 13", asks=three(SECURE)),
    Plan("ds-of-one.lab", "algorithms 8 and 13, the DS of 8 only",
         algorithms=(RSASHA256, 13), faults="ds-only 8", asks=three(SECURE)),
    Plan("unknown-beside.lab", "an unknown algorithm beside a good one",
         algorithms=(100, 13), asks=three(SECURE)),
    Plan("collision.lab", "another key with the tag of the one that signs",
         algorithms=(ED25519,), faults="colliding-keys ZSK 1", asks=three(SECURE),
         peers="BIND: counts collisions as failures"),
    Plan("sha1-ds.lab", "only a DS by SHA-1: it counts where nothing better does",
         digest_types=(SHA1,), asks=three(SECURE)),
    Plan("sha1-and-unknown.lab", "a DS by SHA-1, and by SHA-256 one of an unknown algorithm",
         digest_types=(SHA1,), faults="another-ds 100 2", asks=three(SECURE),
         peers="Knot: wants SHA-256 where any DS has it"),
    Plan("rsa-1024.lab", "RSA of 1024 bits, the shortest that counts", algorithms=(RSASHA256,),
         rsa_bits=1024, asks=three(SECURE)),
    Plan("rsa-4096.lab", "RSA of 4096 bits, the longest that counts", algorithms=(RSASHA256,),
         rsa_bits=4096, asks=three(SECURE)),
    Plan("post-quantum.lab", "algorithm 18, ML-DSA-44: a key set of more than 5000 octets",
         algorithms=(MLDSA44,), asks=three(SECURE), peers="all: do not know algorithm 18"),
    Plan("post-quantum.hashed", "algorithm 18 and NSEC3: a denial of many thousand octets",
         algorithms=(MLDSA44,), denial=Nsec3(), asks=three(SECURE),
         peers="all: do not know algorithm 18"),
)  # fmt: skip

UNSUPPORTED = (
    Plan("crossed-ds.lab", "a known algorithm with an unknown digest, and the other way round",
         faults="ds-digest-type 100; another-ds 100 2", asks=three(INSECURE, 1, 2)),
    *(
        Plan(f"{name}.lab", f"algorithm {algorithm}, which does not count",
             algorithms=(algorithm,), asks=three(INSECURE, 1))
        for name, algorithm in {"gost": 12, "sm2": 17, "gost-2012": 23}.items()
    ),
    *(
        Plan(f"ds-{name}.lab", f"a DS of digest type {digest_type}, which does not count",
             digest_types=(digest_type,), asks=three(INSECURE, 2))
        for name, digest_type in {"gost": 3, "gost-2012": 5, "sm3": 6}.items()
    ),
    Plan("rsa-512.lab", "RSA of 512 bits does not count, as if nothing were signed",
         algorithms=(RSASHA256,), rsa_bits=512, asks=three(INSECURE, 1),
         peers="all: have other limits of size"),
)  # fmt: skip

REFUSED = (
    Plan("wrong-sha256.lab", "a good DS by SHA-1 does not make up for a wrong one by SHA-256",
         digest_types=(SHA1, SHA256), faults="wrong-ds 2", asks=three(BOGUS, 9),
         peers="Unbound: is content with SHA-1, against RFC 4509 section 3"),
    Plan("unknown-signatures.lab", "a DS of algorithm 13, and signatures of an unknown one only",
         algorithms=(100, 13), faults="signed-by-one 100", asks=three(BOGUS, 10)),
    Plan("keys-by-zsk.lab", "the key of the DS is there, but does not sign the keys",
         faults="keys-signed-by-zsk", asks=three(BOGUS, 6)),
    Plan("protocol.lab", "the key of the DS has another protocol than 3",
         faults="key-protocol KSK 4", asks=three(BOGUS, 9),
         peers="BIND: takes any key that a DS is for"),
    Plan("protocol-zsk.lab", "the zone-signing key has another protocol than 3",
         faults="key-protocol ZSK 4", asks=three(BOGUS, 6, 9)),
    Plan("revoked-zsk.lab", "the zone-signing key is revoked", faults="revoked ZSK",
         asks=three(BOGUS, 9), peers="Unbound, Knot: heed REVOKE at anchors only"),
    Plan("short-zsk.lab", "a zone-signing key of 512 bits", algorithms=(RSASHA256,),
         faults="key-size ZSK 512", asks=three(BOGUS, 1, 6),
         peers="all: have other limits of size"),
)  # fmt: skip

PLANS = (*UNUSUAL, *UNSUPPORTED, *REFUSED)
