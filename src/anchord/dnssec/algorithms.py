"""DNSSEC algorithms and digest types: their names, and which of them count (RFC 9904, RFC 9905)."""

import msgspec

RSASHA1 = 5
RSASHA1_NSEC3_SHA1 = 7
RSASHA256 = 8
RSASHA512 = 10
ECDSAP256SHA256 = 13
ECDSAP384SHA384 = 14
ED25519 = 15
ED448 = 16
MLDSA44 = 18

SHA1 = 1
SHA256 = 2
SHA384 = 4

ALGORITHM_NAMES = {
    1: "RSAMD5", 3: "DSA", 5: "RSASHA1", 6: "DSA-NSEC3-SHA1", 7: "RSASHA1-NSEC3-SHA1",
    8: "RSASHA256", 10: "RSASHA512", 12: "ECC-GOST", 13: "ECDSAP256SHA256",
    14: "ECDSAP384SHA384", 15: "ED25519", 16: "ED448", 17: "SM2SM3", 18: "ML-DSA-44",
    23: "ECC-GOST12",
}  # fmt: skip
"""The registry's mnemonics."""
_DIGEST_NAMES = {1: "SHA-1", 2: "SHA-256", 3: "GOST", 4: "SHA-384", 5: "GOST12", 6: "SM3"}


def algorithm_text(algorithm: int) -> str:
    """Number and mnemonic, for people."""
    name = ALGORITHM_NAMES.get(algorithm)
    return f"{algorithm} ({name})" if name else str(algorithm)


def digest_text(digest_type: int) -> str:
    """Number and name of a DS digest type, for people."""
    name = _DIGEST_NAMES.get(digest_type)
    return f"{digest_type} ({name})" if name else str(digest_type)


STRONG = frozenset(
    {RSASHA256, RSASHA512, ECDSAP256SHA256, ECDSAP384SHA384, ED25519, ED448, MLDSA44}
)
"""The algorithms that count by themselves."""
SHA1_SIGNATURES = frozenset({RSASHA1, RSASHA1_NSEC3_SHA1})
"""RFC 9905 section 2: unsupported unless the operator says otherwise."""


COSTLY = {ECDSAP384SHA384: 8, ED448: 3}
"""For how many failed checks one counts, with algorithms that take as many times as long as P-256
does in OpenSSL: so failures cost about the same, whatever a zone that lives on them chooses. One
may fail even so in each step of a zone proof, as where two keys have one tag."""


class Supported(msgspec.Struct, frozen=True):
    """The algorithms and digest types that count here: known, working and wanted.

    Anything else in a DS set makes that DS unusable; a zone with none that is usable is insecure.
    """

    algorithms: frozenset[int] = STRONG
    digests: frozenset[int] = frozenset({SHA1, SHA256, SHA384})
