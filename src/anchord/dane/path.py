"""From the server's certificate up to a trust anchor that the zone names (RFC 5280 section 6).

This walk is for usage 2. A library's verifier is made for public CAs and refuses what DANE allows:
private CAs whose certificates are plain, Ed25519 and other algorithms, an anchor that is a bare
key. The other way round, no root of this machine is ever looked at, so that a verdict is the same
on every machine: the anchor must be in the chain that is presented, or in the record (RFC 7671
section 5.2).

1. Climb from the leaf. An issuer is a certificate with the issuer's name whose key has signed this
   one; the order of the chain means nothing, and strangers in it are passed over.
2. A path ends at an anchor: a certificate, or a bare key that has signed the last certificate.
3. A path that ends is judged: dates, names, who may sign, how long it may be, what it constrains.
   The first good one is taken; else the flaw of the first one is told.

Certificates are a stranger's, who may present hundreds that all seem to have issued each other:
steps and signature checks are counted, and no signature is checked twice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from .certificate import Certificate, Contents, is_signed_by, is_within_constraints, weakness
from .flaws import Failure, Flaw, expiry_flaw, name_flaw

LONGEST_PATH = 10
"""Certificates of a path, leaf and anchor included. Real ones have up to five."""

MOST_SIGNATURES = 64
"""Signature checks for one presented chain. Five certificates and some strangers need ten."""

MOST_STEPS = 2000
"""Pairs of certificates that are compared for one presented chain, about ten milliseconds. Five
certificates and a dozen records need 300."""


@dataclass(frozen=True, slots=True)
class BareKey:
    """An anchor that is a key without a certificate: `spki` its octets, `key` what they say."""

    spki: bytes
    key: PublicKeyTypes = field(compare=False)


Anchor: TypeAlias = Certificate | BareKey


@dataclass(frozen=True, slots=True)
class Path:
    """The certificates of a path, the leaf first; `key` where that is the anchor above them."""

    certificates: tuple[Certificate, ...]
    key: BareKey | None = None

    @property
    def depth(self) -> int:
        """How many steps above the leaf the anchor is."""
        return len(self.certificates) - (self.key is None)


@dataclass(slots=True)
class Walker:
    """Finds paths within one presented chain, as of `now`, to a leaf with any of the `names`.

    All searches share the counts, and what they have found out.
    """

    chain: Sequence[Certificate]
    names: Sequence[str]
    now: datetime
    signatures_left: int = MOST_SIGNATURES
    steps_left: int = MOST_STEPS
    _signed: dict[tuple[bytes, bytes], bool] = field(default_factory=dict)

    def find(self, anchors: Sequence[Anchor]) -> Path | Flaw:
        """A path that holds from the leaf to one of the anchors, or why there is none."""
        leaf = self.chain[0]
        first: Flaw | None = None
        for path in self._climb((leaf,), anchors):
            flaw = path_flaw(path, self.names, self.now)
            if flaw is None:
                return path
            first = first or flaw
        if first is not None:
            return first
        if self.steps_left <= 0 or self.signatures_left <= 0:
            text = "too many certificates seem to have issued each other"
            return Flaw(text, Failure.VALIDATION_FAILURE)
        if leaf.contents is None:
            return Flaw("the server's certificate cannot be read", Failure.VALIDATION_FAILURE)
        return Flaw("it has not issued the server's certificate", Failure.CERTIFICATE_NOT_TRUSTED)

    def _climb(self, path: tuple[Certificate, ...], anchors: Sequence[Anchor]) -> Iterator[Path]:
        """Every path on from here that ends at an anchor."""
        current = path[-1]
        if current.contents is None:
            return
        for anchor in anchors:
            if isinstance(anchor, BareKey) and self._signs(anchor.spki, anchor.key, current):
                yield Path(path, anchor)
        if len(path) == LONGEST_PATH:
            return
        certificates = [anchor for anchor in anchors if isinstance(anchor, Certificate)]
        for issuer in dict.fromkeys((*certificates, *self.chain)):
            if issuer in path or not self._has_issued(issuer, current):
                continue
            if issuer in certificates:
                yield Path((*path, issuer))
            else:
                yield from self._climb((*path, issuer), anchors)

    def _has_issued(self, issuer: Certificate, subject: Certificate) -> bool:
        if self.steps_left <= 0:
            return False
        self.steps_left -= 1
        above, below = issuer.contents, subject.contents
        if above is None or below is None or above.subject != below.issuer:
            return False
        return self._signs(issuer.spki, above.key, subject)

    def _signs(self, spki: bytes, key: PublicKeyTypes | None, subject: Certificate) -> bool:
        pair = spki, subject.der
        if pair not in self._signed:
            if self.signatures_left <= 0 or subject.contents is None:
                return False
            self.signatures_left -= 1
            self._signed[pair] = is_signed_by(subject.contents, key)
        return self._signed[pair]


# ------------ What is wrong with a path whose signatures hold ------------


def path_flaw(path: Path, names: Sequence[str], now: datetime) -> Flaw | None:
    """RFC 5280 section 6.1; the rest of it is about policies, which nobody asks for here.

    The dates of the anchor do not count (section 6.1.1 (d) takes a name and a key of it); what else
    its certificate says does.
    """
    known = [one.contents for one in path.certificates if one.contents is not None]
    leaf, authorities = known[0], known[1:]
    dated = known if path.key else known[:-1]
    return (
        next(filter(None, (expiry_flaw(one, now) for one in dated)), None)
        or name_flaw(leaf, names)
        or next(filter(None, map(_purpose_flaw, known)), None)
        or _authority_flaw(authorities)
        or _constraint_flaw(leaf, authorities)
        or _strength_flaw(known, path.key)
    )


def _purpose_flaw(contents: Contents) -> Flaw | None:
    if contents.not_understood:
        return _untrusted(
            contents, f"has a critical extension {contents.not_understood[0]} unknown here"
        )
    return None if contents.may_serve else _untrusted(contents, "is not meant for TLS servers")


def _authority_flaw(authorities: Sequence[Contents]) -> Flaw | None:
    """RFC 5280 section 6.1.4 (k) to (n)."""
    below = 0
    for authority in authorities:
        if not authority.is_ca:
            return _untrusted(authority, "is no CA's, yet it has issued another")
        if not authority.may_sign_certificates:
            return _untrusted(authority, "may not be used to sign certificates")
        if authority.path_length is not None and below > authority.path_length:
            return _untrusted(
                authority, f"allows {authority.path_length} CAs below it, not {below}"
            )
        below += not authority.is_self_issued
    return None


def _constraint_flaw(leaf: Contents, authorities: Sequence[Contents]) -> Flaw | None:
    for authority in authorities:
        if not is_within_constraints(leaf, authority):
            return _untrusted(authority, "may not speak for the names of the server's certificate")
    return None


def _strength_flaw(known: Sequence[Contents], key: BareKey | None) -> Flaw | None:
    keys = [*(authority.key for authority in known[1:]), key.key if key else None]
    for contents, above in zip(known, keys, strict=True):
        if above is not None and (weak := weakness(contents, above)):
            return _untrusted(contents, weak)
    return None


def _untrusted(contents: Contents, what: str) -> Flaw:
    return Flaw(f"the certificate of {contents.who} {what}", Failure.CERTIFICATE_NOT_TRUSTED)
