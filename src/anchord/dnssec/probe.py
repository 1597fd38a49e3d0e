"""Which algorithms work here, found out by trying: a known signature of each is verified.

A crypto policy of the system may forbid what the library offers. What does not verify here counts
as unsupported, and unsupported means insecure: so where something that the Internet is signed with
fails, the resolver must not start at all (`missing`).
"""

import base64

from anchord.model.names import ROOT, Name

from . import algorithms as alg
from .algorithms import Supported
from .anchors import TrustAnchors
from .crypto import MalformedKeyError, UnsupportedKeyError, digest, load_key

MESSAGE = b"anchord"
"""What the signatures below were made over, with keys that were thrown away at once."""

_RSA_KEY = (
    "AwEAAc9GTUTPWAOUg9XBduhNkYN6cIccSN4UflMWRXVAgcH0heB4nLF3UfCKbjV1v1WXMzVapQp6LYWyQARZ3gOADkX4"
    "1HVs1vXUUxfK7t8tcIRUMtYk4L36ryZ9lY8864YUr3tonleuWspX4gFdqHwVw7SXmDelukIDhUygp2Ohu+Wl"
)
_RSA_SHA1 = (
    "BZxYJF87V/S/EGsh9M3o0VieWFr3Y2HCPORYB8qnhGZ0GboIrzP8ECaxfuvjiA65qTfq4S+jtl4oAUYt81UarfLfg3L0"
    "qDiyG5gylmO9/S0SNGEwSuvrFXsKA9Y4ff3W9+VEqYjDhCwFK3LAQuZ/7zQiW5dTyI+llqcq2fW9jQE="
)
_VECTORS = {
    alg.RSASHA1: (_RSA_KEY, _RSA_SHA1),
    alg.RSASHA1_NSEC3_SHA1: (_RSA_KEY, _RSA_SHA1),
    alg.RSASHA256: (
        _RSA_KEY,
        (
            "GKqpaZoDdQrZXAgINvRPpQf1ngyJbj8dU9cYjjYUzwilitsFvQnHHIiYr8Kk3/T/Ev5EzQfrI3CgzMB5HULqi+Fz"
            "7sseotaAADH9CZ8EKBVXQ+AiJspc0h6HiTSGyS9EyDWgKuz7amPxXsjFNkh3kuX/O+75EmuHWeSP3x1lEXA="
        ),
    ),
    alg.RSASHA512: (
        _RSA_KEY,
        (
            "xNJFX4byNAkSbRWSxzsAlsCq00dCsPazwi/q+sKr120EMVTqpTSU6a+Jt4eJASCXe9T7UhArAx42cMZjzJJLpO7l"
            "+YnCaBLjqC0q+0PGIF4IXOvz6Uj7x7PTsZwnvaJKlpbjajKQf/W3oeBUr1fnBKK35cm0j+jioHO9uiJIGfs="
        ),
    ),
    alg.ECDSAP256SHA256: (
        "/ZzkQ3RJMibygh2jTI2EOUyeVhGS72lkLikx7FIfjEkZDNdlH+ilLmt6KpqHc5PjMRpSD7TbMDkkzEViYjvxhA==",
        "xi0lIxv9RJvbhPCSotDMGvDffTqbkDpfHxFtbsrNUDGu2zlEdrOaTmch8CSlBa4FWqxkab4enZzxMfI8GCc2iQ==",
    ),
    alg.ECDSAP384SHA384: (
        (
            "iDChqq2BWqlp7//VdHCyYrC95+79ICsZBih+CAVOdWIuU+1BAiPA32TXFwPxRx3GGXrRMWloKSUKsSO1HFuJgCN4"
            "K9AmuUtL3pDvDj21JPRLB1eqwjJhJc/JzicqBqYu"
        ),
        (
            "9wbz2GIqT3+Ex+haUuWfd2EO1sULLqj4pFx/qwNhXjUDSLEvHdL+OyTsWPl+hdKOM6O5E56+LJ1v21UyYB2GWiGa"
            "D2lTgTYyVrS7DPsT1+LFmqcZSxHVCkgRsuPSc2Da"
        ),
    ),
    alg.ED25519: (
        "BTvdlylS/qxpM1C621OVoXtYffPUfD8boFeIzTeYh8o=",
        "E0EAIhORJX9GOLEJeV2oFGntIAneAHoFt12Y8mYwGmcA1CPT+ZzdioD1tFWWKbufaGfRYHwhVerU/MGSEM9KBw==",
    ),
    alg.ED448: (
        "x0DJ7mJszrVFP+yVYhBNWb9tOTstKI5jwa9otZPUxETjbk14PgDFzRFvq0GRF9hMtbPzUsRVl1cA",
        (
            "YqvDoeVWj1nWJHCd6BiImTV9nBBQ4fa3ywGxioRMhZtNfrrpedU3QWtrr3udV+u4xdXFeWWM6U2AeiGnFMcFwYem"
            "hGdUS/wIY5E3ZQCcVuAy1RZel0+JRRod2SOMFZPjGTNxcGRm8hynsgUTER7/dDgA"
        ),
    ),
}
"""Algorithm to key field and signature. ML-DSA-44 is not tried: no policy speaks of it yet."""


def probe(*, with_sha1: bool = False) -> Supported:
    """What works here. `with_sha1` asks for algorithms 5 and 7 as well (RFC 9905)."""
    wanted = alg.STRONG | (alg.SHA1_SIGNATURES if with_sha1 else frozenset())
    return Supported(
        frozenset(algorithm for algorithm in wanted if _works(algorithm)),
        frozenset(kind for kind in (alg.SHA1, alg.SHA256, alg.SHA384) if _digests(kind)),
    )


def missing(supported: Supported, anchors: TrustAnchors) -> str:
    """What is lacking without which nothing sensible can be proven; empty where all is there."""
    for algorithm in (alg.RSASHA256, alg.ECDSAP256SHA256):
        if algorithm not in supported.algorithms:
            return f"algorithm {alg.algorithm_text(algorithm)}"
    if alg.SHA256 not in supported.digests:
        return f"digest type {alg.digest_text(alg.SHA256)}"
    for anchor in anchors:
        used = {ds.algorithm for ds in anchor.ds}
        if anchor.zone == ROOT and not used & supported.algorithms:
            return f"algorithm {', '.join(map(alg.algorithm_text, sorted(used)))} of the root"
    return ""


def unsupported_anchors(supported: Supported, anchors: TrustAnchors) -> list[Name]:
    """The zones of anchors none of which is supported: everything below them is insecure."""
    return [
        anchor.zone
        for anchor in anchors
        if not any(
            ds.algorithm in supported.algorithms and ds.digest_type in supported.digests
            for ds in anchor.ds
        )
    ]


def _works(algorithm: int) -> bool:
    try:
        if algorithm == alg.MLDSA44:
            return _has_mldsa()
        key, signature = map(base64.b64decode, _VECTORS[algorithm])
        return load_key(algorithm, key)(signature, MESSAGE)
    except (UnsupportedKeyError, MalformedKeyError):
        return False


def _has_mldsa() -> bool:
    """Whether any key of the right length is taken for one."""
    load_key(alg.MLDSA44, bytes(1312))
    return True


def _digests(digest_type: int) -> bool:
    try:
        return bool(digest(digest_type, MESSAGE))
    except ValueError:  # a policy forbids it
        return False
