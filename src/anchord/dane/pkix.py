"""What the machine's roots say of a presented chain: PKIX, for usages 0 and 1 and for comparison.

`cryptography`'s verifier finds the path and judges it (RFC 5280); what its extension policies leave
open is judged as for usage 2. Its own rules are the public CAs'. They are asked second, since
private CAs that serve well under usages 0 and 1 need not keep to them: where only they refuse a
chain, it is valid and a note says so. There is no revocation.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from .certificate import ODD, Certificate
from .flaws import Failure, Flaw, expiry_flaw, name_flaw
from .path import LONGEST_PATH, Path, path_flaw


@dataclass(frozen=True, slots=True)
class Validated:
    """A path that holds, from the server's certificate to the root.

    `note` tells where the rules of public CAs would refuse it.
    """

    path: tuple[Certificate, ...]
    note: str = ""


class Trust:
    """Roots that are trusted. `origin` says where they are from, for people."""

    def __init__(self, roots: Iterable[x509.Certificate], origin: str) -> None:
        roots = list(roots)
        self.origin = origin
        self.count = len(roots)
        self._store = Store(roots) if roots else None

    def validate(
        self, chain: Sequence[Certificate], names: Sequence[str], now: datetime
    ) -> Validated | Flaw:
        """The path from the presented chain to a root, for a server with any of the `names`."""
        if self._store is None:
            return _untrusted(f"there is no root to trust in {self.origin}")
        leaf = chain[0].contents
        if leaf is None:
            return Flaw("the server's certificate cannot be read", Failure.VALIDATION_FAILURE)
        flaw = expiry_flaw(leaf, now) or name_flaw(leaf, names)
        if flaw:
            return flaw
        path = self._path(chain, names, now, is_strict=False)
        if path is not None and (flaw := path_flaw(Path(path), names, now)):
            return flaw
        if path is None:
            known = [one.contents for one in chain[1:] if one.contents]
            expired = next(filter(None, (expiry_flaw(one, now) for one in known)), None)
            return expired or self._unknown_issuer(chain)
        if self._path(chain, names, now, is_strict=True) is None:
            return Validated(path, "the rules of public CAs would refuse it")
        return Validated(path)

    def _unknown_issuer(self, chain: Sequence[Certificate]) -> Flaw:
        leaf = chain[0]
        if leaf.contents and leaf.contents.is_self_issued:
            return _untrusted(f"the certificate is self-signed, and not among {self.origin}")
        return _untrusted(f"no path leads from its issuer {leaf.issuer} to {self.origin}")

    def _path(
        self,
        chain: Sequence[Certificate],
        names: Sequence[str],
        now: datetime,
        *,
        is_strict: bool,
    ) -> tuple[Certificate, ...] | None:
        assert self._store is not None
        builder = PolicyBuilder().store(self._store).time(now).max_chain_depth(LONGEST_PATH)
        if not is_strict:
            builder = builder.extension_policies(ca_policy=_CA, ee_policy=_SERVER)
        certificates = [one.contents.parsed for one in chain if one.contents]
        for name in names:
            try:
                verifier = builder.build_server_verifier(x509.DNSName(name))
                found = verifier.verify(certificates[0], certificates[1:])
            except (VerificationError, *ODD):
                continue
            return tuple(Certificate(one.public_bytes(Encoding.DER)) for one in found)
        return None


_CA = ExtensionPolicy.permit_all().require_present(
    x509.BasicConstraints, Criticality.AGNOSTIC, None
)
_SERVER = ExtensionPolicy.permit_all().require_present(
    x509.SubjectAlternativeName, Criticality.AGNOSTIC, None
)


def _untrusted(text: str) -> Flaw:
    return Flaw(text, Failure.CERTIFICATE_NOT_TRUSTED)
