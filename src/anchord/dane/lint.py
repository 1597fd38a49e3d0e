"""What will break, and when: the records of a service beside what its servers present.

An error is what fails now, or is certain to; a warning what will fail when somebody does the usual
thing next; a hint what others do better. The advice is that of RFC 7671 sections 4 and 8: two
records, of which one always fits: the current key and the next one, or the key and its issuer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ssl import PEM_cert_to_DER_cert

from anchord.dnssec import times
from anchord.model import names, rdtypes
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.response import RRset
from anchord.model.verdict import Status
from anchord.wire.errors import FormError
from anchord.wire.name import read_name
from anchord.wire.rdata import Rrsig, read_rrsig

from . import tlsa
from .certificate import Certificate
from .check import Checker, Request
from .handshake import Keys
from .lookup import FLAGS, Found, Service, data_of, failure_of, find
from .names import tlsa_owner, to_host
from .probe import Presented, Target
from .results import CheckResult, Finding, LintResult, Result, Severity
from .tlsa import Matching, Selector, Tlsa, Usage

LONGEST_TTL = 86_400
"""Seconds: above, a mistake lasts longer than a day, and so does each step of a rollover."""
SHORTEST_TTL = 300
"""Seconds: below, every connection waits for a look-up, and an outage of the servers is felt."""
SOON = 86_400
"""Seconds before a signature's end at which it should have been renewed."""

SHOWN_DATA = 16
"""Characters of a record's data that tell it from others."""

SAME_KEY_PORTS = {465: "", 587: "submission", 993: ""}
"""Ports of a mail server where the same key often serves, with the protocol to ask for TLS."""

ROTATING_ISSUERS = {"Let's Encrypt": "R10 to R14 for RSA, E5 to E9 for ECDSA"}
"""CAs that issue from several intermediates in turn, as of 2025; the names change every year."""


@dataclass(frozen=True, slots=True)
class _Scene:
    """All that the findings are drawn from. `now` is in seconds since 1970."""

    found: Found
    check: CheckResult
    chains: tuple[tuple[Certificate, ...], ...]
    records: tuple[Tlsa, ...]
    is_mail: bool
    now: int


async def lint(checker: Checker, request: Request, *, now: int) -> LintResult:
    """The findings about a service, the worst first. `now` judges signatures (`Clock.wall`)."""
    found = await find(checker.resolver, request.service)
    check = await checker.check_found(found, request)
    chains = tuple(
        tuple(Certificate(PEM_cert_to_DER_cert(shown.pem)) for shown in address.chain)
        for address in check.addresses
        if address.chain and all(shown.pem for shown in address.chain)  # else it is too long
    )
    scene = _Scene(found, check, chains, found.records, request.is_mail, now)
    findings = [
        *_result(scene),
        *_each_record(scene),
        *_rollover(scene),
        *_times(scene),
        *(await _unsigned(checker, scene)),
        *(await _wrong_place(checker, scene)),
        *(await _other_ports(checker, scene)),
    ]
    order = list(Severity)
    findings.sort(key=lambda finding: order.index(finding.severity))
    host = to_host(request.service.host)
    return LintResult(host, request.service.port, tuple(dict.fromkeys(findings)), check)


# ------------ What the check says ------------


def _result(scene: _Scene) -> Iterator[Finding]:
    check = scene.check
    if check.result in (Result.MISMATCH, Result.BOGUS):
        yield Finding(Severity.ERROR, f"{check.result}: {check.reason}")
    elif check.result is Result.NO_TLSA and not check.records:
        yield Finding(Severity.HINT, f"{check.reason}: publish the record of `anchord dane make`")
    elif check.result is Result.UNREACHABLE:
        yield Finding(Severity.WARNING, f"no server could be judged: {check.reason}")
    for address in check.addresses:
        is_apart = (address.reason, len(check.addresses)) != (check.reason, 1)
        if address.result is Result.MISMATCH and is_apart:
            yield Finding(Severity.ERROR, f"{address.address}: {address.reason}")
    for warning in check.warnings:
        yield Finding(Severity.WARNING, warning)


# ------------ The records ------------


def _each_record(scene: _Scene) -> Iterator[Finding]:
    for record in scene.records:
        reason = tlsa.unusable_because(record, is_mail=scene.is_mail)
        if reason:
            yield Finding(Severity.WARNING, f"record {record.form} cannot be used: {reason}")
            continue
        if tlsa.is_digest_of_nothing(record):
            yield Finding(Severity.ERROR, f"record {record.form} is the digest of nothing")
        yield from _form(record, scene)


def _form(record: Tlsa, scene: _Scene) -> Iterator[Finding]:
    """Records that are right today, and will not stay so."""
    if record.usage in (Usage.DANE_EE, Usage.PKIX_EE) and record.selector == Selector.CERT:
        yield Finding(
            Severity.WARNING,
            f"record {record.form} is about the whole certificate: each renewal breaks it, "
            f"{record.usage} 1 1 lasts as long as the key",
        )
    if record.usage == Usage.DANE_TA and record.selector == Selector.CERT:
        yield Finding(
            Severity.WARNING,
            f"record {record.form} is about the CA's whole certificate: the same CA under another "
            "(a cross-signed one) does not fit, 2 1 1 does",
        )
    if record.matching_type == Matching.SHA2_512 and not any(
        other.matching_type == Matching.SHA2_256
        and (other.usage, other.selector) == (record.usage, record.selector)
        for other in scene.records
    ):
        yield Finding(
            Severity.WARNING,
            f"record {record.form} has no {record.usage} {record.selector} 1 beside it: clients "
            "need not know SHA-512",
        )


def _rollover(scene: _Scene) -> Iterator[Finding]:
    """Whether the next change of key or issuer is prepared (RFC 7671 section 8)."""
    usable = [
        record
        for record in scene.records
        if not tlsa.unusable_because(record, is_mail=scene.is_mail)
    ]
    if not scene.chains or not usable:
        return
    idle = [record for record in usable if not any(_is_about(record, c) for c in scene.chains)]
    for record in idle:
        yield Finding(
            Severity.HINT,
            f"record {record.form} {record.data.hex()[:SHOWN_DATA]}… fits nothing on any address: "
            "the next key, or a forgotten one?",
        )
    own = {(r.usage, r.data) for r in usable if r.usage in (Usage.DANE_EE, Usage.PKIX_EE)}
    above = [r for r in usable if r.usage in (Usage.DANE_TA, Usage.PKIX_TA)]
    if len(own) < 2 and not (own and above):
        what = "a second key" if own else "the server's own key, 3 1 1"
        yield Finding(
            Severity.WARNING,
            f"no next key is published: put {what} beside it two TTLs before it is used",
        )
    for record in above:
        yield from _issuer(record, above, scene)


def _issuer(record: Tlsa, above: Sequence[Tlsa], scene: _Scene) -> Iterator[Finding]:
    for chain in scene.chains:
        last = chain[-1]
        is_about_root = (
            len(chain) > 1
            and last.contents is not None
            and last.contents.is_self_issued
            and record.matching_type != Matching.FULL
            and record.covers(last.part(record.selector))
        )
        if is_about_root:
            yield Finding(
                Severity.HINT,
                f"record {record.form} is about the root at the end of the chain: it breaks when "
                "the server stops to present it",
            )
        for name, issuers in ROTATING_ISSUERS.items():
            if name in chain[0].issuer and len(above) == 1:
                yield Finding(
                    Severity.WARNING,
                    f"{name} issues from {issuers} in turn: publish all of them as 2 1 1, or 3 1 1",
                )


def _is_about(record: Tlsa, chain: Sequence[Certificate]) -> bool:
    if record.usage in (Usage.DANE_EE, Usage.PKIX_EE):
        return record.covers(chain[0].part(record.selector))
    if record.matching_type == Matching.FULL:
        return True  # an anchor that need not be presented
    return any(record.covers(one.part(record.selector)) for one in chain[1:])


# ------------ Times ------------


def _times(scene: _Scene) -> Iterator[Finding]:
    if scene.found.rrset is None:
        return
    signatures = _signatures(scene.found.rrset)
    ttl = max((one.original_ttl for one in signatures), default=scene.found.rrset.ttl)
    if ttl > LONGEST_TTL:
        yield Finding(
            Severity.WARNING,
            f"a TTL of {ttl} seconds: a change takes more than a day to be seen",
        )
    if ttl < SHORTEST_TTL:
        yield Finding(Severity.HINT, f"a TTL of {ttl} seconds: nobody can keep the records")
    for one in signatures:
        left = times.until(one.expiration, scene.now)
        if 0 <= left < SOON:
            yield Finding(
                Severity.ERROR if left < ttl else Severity.WARNING,
                f"the signature by key {one.key_tag} expires in {times.ago_text(left)}",
            )


def _signatures(rrset: RRset) -> list[Rrsig]:
    found = []
    for rdata in rrset.signatures:
        try:
            found.append(read_rrsig(rdata))
        except FormError:
            continue
    return found


# ------------ Records in the wrong place ------------


async def _unsigned(checker: Checker, scene: _Scene) -> list[Finding]:
    """TLSA records in a zone that is not signed, where they were not even asked for."""
    if scene.check.result is not Result.INSECURE:
        return []
    service = scene.found.service
    owner = tlsa_owner(service.host, service.port, service.proto)
    answer = await checker.resolver.resolve(Question(owner, rdtypes.TLSA), FLAGS)
    if failure_of(answer) or data_of(answer) is None:
        return [Finding(Severity.HINT, f"{scene.check.reason}: sign the zone first")]
    text = f"{names.to_text(owner)} has TLSA records, but the zone is not signed: they do nothing"
    return [Finding(Severity.ERROR, text)]


async def _wrong_place(checker: Checker, scene: _Scene) -> list[Finding]:
    """TLSA records at a mail domain whose mail goes to other hosts."""
    service = scene.found.service
    if not scene.is_mail or not scene.records:
        return []
    answer = await checker.resolver.resolve(Question(service.host, rdtypes.MX), FLAGS)
    rrset = data_of(answer)
    if failure_of(answer) or rrset is None:
        return []
    hosts = _exchanges(rrset)
    if service.host in hosts or not hosts:
        return []
    shown = ", ".join(map(to_host, hosts))
    text = f"mail for {to_host(service.host)} goes to {shown}: the records must be there, not here"
    return [Finding(Severity.ERROR, text)]


def _exchanges(rrset: RRset) -> list[Name]:
    hosts = []
    for rdata in rrset.rdatas:
        try:
            hosts.append(names.lower(read_name(rdata, 2, len(rdata))[0]))
        except FormError:
            continue
    return hosts


async def _other_ports(checker: Checker, scene: _Scene) -> list[Finding]:
    """Ports where the same key serves, and nothing is published."""
    host = scene.found.service.host
    keys = {chain[0].spki for chain in scene.chains}
    if not scene.is_mail or not keys or not scene.records:
        return []
    findings = []
    for port, starttls in SAME_KEY_PORTS.items():
        found = await find(checker.resolver, Service(host, port))
        if found.outcome is not Result.NO_TLSA or found.security is not Status.SECURE:
            continue
        for address in scene.found.host.addresses[:1]:
            target = Target(address, port, to_host(host), starttls, keys=Keys.ANY)
            seen = await checker.prober.probe(target)
            if isinstance(seen, Presented) and Certificate(seen.chain[0]).spki in keys:
                text = f"port {port} has the same key: publish the same records for it"
                findings.append(Finding(Severity.HINT, text))
    return findings
