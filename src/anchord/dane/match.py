"""A presented chain against the TLSA records of its service (RFC 6698 section 2, RFC 7671).

One record that fits is enough, and the verdict belongs to the set, not to each record:

- usage 3: the server's own certificate or key is the record's. Nothing else matters: no name, no
  date, no issuer (RFC 7671 section 5.1).
- usage 2: a path leads up to a certificate or key that is the record's (`path`).
- usage 1: the machine's roots vouch for the server (`pkix`), and its certificate is the record's.
- usage 0: they do, and a CA of that very path is the record's.

Of several that fit, the highest usage is told, and of one usage the record that stands first.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.serialization import load_der_public_key

from . import tlsa
from .certificate import ODD, Certificate
from .flaws import Failure, Flaw, expiry_flaw, name_flaw
from .path import Anchor, BareKey, Path, Walker
from .pkix import Trust, Validated
from .tlsa import Matching, Selector, Tlsa, Usage


@dataclass(frozen=True, slots=True)
class Fit:
    """The record that fits, by its place in the set, and how many steps above the leaf it does."""

    index: int
    depth: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a chain is worth under a set of records.

    `fit` is there for a match. `flaw` is why there is none; both are absent where no record can be
    used at all. `reasons` go with the records: why one is unusable, does not count or does not fit,
    empty where it fits or was not needed. `pkix` is what the machine's roots say, None where
    nobody has asked them.
    """

    fit: Fit | None
    flaw: Flaw | None
    reasons: tuple[str, ...]
    pkix: Validated | Flaw | None
    warnings: tuple[str, ...]


def judge(
    chain: Sequence[Certificate],
    records: Sequence[Tlsa],
    *,
    names: Sequence[str],
    now: datetime,
    trust: Trust | None,
    is_mail: bool = False,
) -> Judgement:
    """The verdict on a chain as it was presented, the server's own certificate first.

    `names` are those of which the certificate must have one where names count: the TLSA base
    domain first. `trust` are the roots for usages 0 and 1; without any, these fail. `is_mail`:
    SMTP between mail servers (RFC 7672). Raises ValueError for an empty chain.
    """
    if not chain:
        raise ValueError("nothing was presented")
    pkix = trust.validate(chain, names, now) if trust and not chain[0].bare_key else None
    case = _Case(chain, names, now, pkix, Walker(chain, names, now))
    counted = tlsa.in_use(records, is_mail=is_mail)
    flaws: dict[Tlsa, Flaw] = {}
    fit = None
    for record in sorted(counted, key=lambda one: -one.usage):
        found = _JUDGES[Usage(record.usage)](record, case)
        if isinstance(found, int):
            fit = Fit(records.index(record), found)
            break
        flaws[record] = found
    return Judgement(
        fit=fit,
        flaw=None if fit else _most_telling(list(flaws.values())),
        reasons=tuple(
            flaws[record].text
            if record in flaws
            else tlsa.ignored_because(record, counted, is_mail=is_mail)
            for record in records
        ),
        pkix=pkix,
        warnings=tuple(_warnings(case, records, counted, fit)),
    )


@dataclass(frozen=True, slots=True)
class _Case:
    """What is judged, and what has been found out about it for all records."""

    chain: Sequence[Certificate]
    names: Sequence[str]
    now: datetime
    pkix: Validated | Flaw | None
    walker: Walker

    @property
    def leaf(self) -> Certificate:
        return self.chain[0]


# ------------ One record, by its usage: the depth at which it fits, or why it does not ------------


def _dane_ee(record: Tlsa, case: _Case) -> int | Flaw:
    """RFC 7671 section 5.1."""
    if record.covers(case.leaf.part(record.selector)):
        return 0
    return _other_leaf(record, case)


def _dane_ta(record: Tlsa, case: _Case) -> int | Flaw:
    """RFC 7671 section 5.2: never the server's own certificate, whatever it is."""
    anchors = _anchors(record, case)
    if not anchors:
        return _no_anchor(record, case)
    found = case.walker.find(anchors)
    return found.depth if isinstance(found, Path) else found


def _pkix_ee(record: Tlsa, case: _Case) -> int | Flaw:
    """RFC 7671 section 5.3."""
    if not record.covers(case.leaf.part(record.selector)):
        return _other_leaf(record, case)
    return 0 if isinstance(case.pkix, Validated) else _without_pkix(case)


def _pkix_ta(record: Tlsa, case: _Case) -> int | Flaw:
    """RFC 7671 section 5.4: the CA may be a root that was not presented."""
    if not isinstance(case.pkix, Validated):
        return _without_pkix(case)
    for depth, certificate in enumerate(case.pkix.path):
        if depth and record.covers(certificate.part(record.selector)):
            return depth
    text = "it is no CA above the server's certificate on the path that this machine trusts"
    return _untrusted(text)


_JUDGES = {
    Usage.DANE_EE: _dane_ee,
    Usage.DANE_TA: _dane_ta,
    Usage.PKIX_EE: _pkix_ee,
    Usage.PKIX_TA: _pkix_ta,
}


def _anchors(record: Tlsa, case: _Case) -> list[Anchor]:
    """What the record makes a trust anchor: certificates that were presented, and its contents."""
    anchors: list[Anchor] = [
        one
        for one in case.chain[1:]
        if one != case.leaf and record.covers(one.part(record.selector))
    ]
    if record.matching_type == Matching.FULL and record.selector == Selector.CERT:
        anchors.append(Certificate(record.data))
    if record.matching_type == Matching.FULL and record.selector == Selector.SPKI:
        with contextlib.suppress(*ODD):  # a key of an unknown kind has signed nothing to be checked
            anchors.append(BareKey(record.data, load_der_public_key(record.data)))
    return list(dict.fromkeys(anchors))


# ------------ Why a record does not fit, as far as that can be told ------------


def _other_leaf(record: Tlsa, case: _Case) -> Flaw:
    """A record that should be about the server's own certificate, and is not."""
    what = "key" if record.selector else "certificate"
    if mistake := _mistake(record, case.leaf):
        return _untrusted(mistake)
    for depth, certificate in enumerate(case.chain[1:], 1):
        if record.covers(certificate.part(record.selector)):
            text = f"it is about the {what} of {certificate.subject}, {depth} up: publish usage 2"
            return _untrusted(text)
    return _untrusted(f"the server's {what} is another one")


def _no_anchor(record: Tlsa, case: _Case) -> Flaw:
    """A record that should be about a CA, and about none that was presented."""
    if mistake := _mistake(record, case.leaf):
        return _untrusted(mistake)
    if record.covers(case.leaf.part(record.selector)):
        return _untrusted("it is about the server's own certificate: publish usage 3")
    if len(case.chain) == 1:
        return _untrusted("the server presents its own certificate only, and no CA above it")
    return _untrusted("none of the CAs that the server presents is the record's")


def _mistake(record: Tlsa, leaf: Certificate) -> str:
    """What publishers are known to get wrong."""
    if tlsa.is_digest_of_nothing(record):
        return "it is the digest of nothing at all"
    if record.matching_type != Matching.FULL and record.covers(leaf.pem.encode()):
        return "it is the digest of the PEM file, not of the certificate in it"
    other = Tlsa(record.usage, 1 - record.selector, record.matching_type, record.data)
    if other.covers(leaf.part(other.selector)):
        return f"it would fit with selector {other.selector}"
    return ""


def _without_pkix(case: _Case) -> Flaw:
    """A record that asks for PKIX beside itself, where PKIX says no."""
    if isinstance(case.pkix, Flaw):
        return Flaw(f"PKIX is needed as well, and fails: {case.pkix.text}", case.pkix.failure)
    return _untrusted("PKIX is needed as well, and there are no roots to ask")


def _most_telling(flaws: Sequence[Flaw]) -> Flaw | None:
    """The flaw of a record that was about the right thing, before one that was not."""
    return next(
        (flaw for flaw in flaws if flaw.failure is not Failure.CERTIFICATE_NOT_TRUSTED),
        next(iter(flaws), None),
    )


def _untrusted(text: str) -> Flaw:
    return Flaw(text, Failure.CERTIFICATE_NOT_TRUSTED)


# ------------ What is true, and should be otherwise ------------


def _warnings(
    case: _Case, records: Sequence[Tlsa], counted: Sequence[Tlsa], fit: Fit | None
) -> list[str]:
    warnings = []
    contents = case.leaf.contents
    if fit and records[fit.index].usage == Usage.DANE_EE and contents:
        flaw = expiry_flaw(contents, case.now) or name_flaw(contents, case.names)
        if flaw:
            warnings.append(f"{flaw.text}: nothing to DANE here, but other clients will care")
    for record in records:
        if fit or record in counted or tlsa.unusable_because(record):
            continue
        if record.usage == Usage.DANE_EE and record.covers(case.leaf.part(record.selector)):
            warnings.append(
                f"record {record.form} would fit, but a client that knows SHA-512 must ignore it "
                f"beside {record.usage} {record.selector} 2 (RFC 7671 section 9)"
            )
    return warnings
