"""MTA-STS and TLSRPT of a mail domain, beside what DANE says (RFC 8461, RFC 8460).

A TXT record announces a policy, which a web server of the domain has; PKIX is all that vouches for
it, and who can leave out the record or block the server makes it go away. It has a say only where
it is proven that DANE has none (RFC 8461 section 2). What it would allow is shown all the same.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import h11
import trio

from anchord.model import names, rdtypes
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.verdict import Status
from anchord.net.tls import TlsChannel

from .certificate import Certificate
from .check import Checker
from .flaws import Failure, Flaw
from .lookup import FLAGS, data_of, failure_of, find_host
from .names import first_match, stands_for, to_host
from .probe import Presented, Target
from .results import CheckResult, MtaSts, Policy
from .starttls.dialogue import NonsenseError, in_words

PORT = 443

PATH = "/.well-known/mta-sts.txt"

LONGEST_POLICY = 65_536
"""Octets of a policy (RFC 8461 section 3.2 suggests 64 KiB)."""

MOST_ADDRESSES = 3
"""Addresses of the policy's server that are tried, one after the other."""

MODES = ("enforce", "testing", "none")

LONGEST_AGE = 31_557_600
"""Seconds for which a policy may be kept (RFC 8461 section 3.2)."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a domain says of MTA-STS and TLSRPT.

    `announced` are the fields of the TXT record, none where there is none. `policy` is a Flaw where
    one is announced and cannot be had or used, and None where there is none to be had.
    """

    announced: Mapping[str, str]
    status: Status
    policy: "StsPolicy | Flaw | None"
    reports: tuple[str, ...]
    reports_status: Status


async def find(
    checker: Checker, domain: Name, *, takes_mail: bool = True, port: int = PORT
) -> Found:
    """The records of a domain, and the policy that they announce, if the domain `takes_mail`.

    `port` is that of the policy's server, which is for the lab and tests.
    """
    texts, status = await _texts(checker, domain, b"_mta-sts")
    announced = _record(texts, "v=STSv1")
    texts, reports_status = await _texts(checker, domain, b"_smtp", b"_tls")
    reports = _record(texts, "v=TLSRPTv1").get("rua", "")
    return Found(
        announced=announced,
        status=status,
        policy=await _fetch(checker, domain, port) if announced and takes_mail else None,
        reports=tuple(filter(None, (one.strip() for one in reports.split(",")))),
        reports_status=reports_status,
    )


def beside(found: Found, dane: Policy, hosts: Sequence[CheckResult]) -> MtaSts:
    """The same for people and programs, beside what DANE says of the domain and its hosts."""
    policy = found.policy if isinstance(found.policy, StsPolicy) else None
    flaw = found.policy if isinstance(found.policy, Flaw) else None
    return MtaSts(
        found=bool(found.announced),
        security=found.status.word,
        id=found.announced.get("id", ""),
        mode=policy.mode if policy else "",
        mx=policy.mx if policy else (),
        max_age=policy.max_age if policy else None,
        reason=flaw.text if flaw else "" if policy else _why_none(found),
        failure=flaw.failure if flaw else "",
        allows=_allowed(policy, hosts) if policy else (),
        may_apply=bool(found.announced) and dane is Policy.NONE,
        reports=found.reports,
        reports_security=found.reports_status.word,
    )


def _why_none(found: Found) -> str:
    if found.announced:
        return "it is not asked for, since there is no MX host to deliver to"
    if found.status.is_failure:
        return "the record that announces a policy cannot be had"
    return "none is announced"


def _allowed(policy: "StsPolicy", hosts: Sequence[CheckResult]) -> tuple[str, ...]:
    """The hosts that a sender may use who knows MTA-STS and no DANE (RFC 8461 section 4)."""
    return tuple(
        check.host
        for check in hosts
        if policy.covers(check.host)
        and check.pkix.valid
        and first_match(check.chain[0].names, [check.host])
    )


# ------------ The policy ------------


@dataclass(frozen=True, slots=True)
class StsPolicy:
    """A policy (RFC 8461 section 3.2). `max_age` is in seconds."""

    mode: str
    mx: tuple[str, ...]
    max_age: int

    def covers(self, host: str) -> bool:
        """Whether mail may go to this MX host (section 4.1)."""
        return any(stands_for(pattern, host) for pattern in self.mx)


def read_policy(text: str) -> StsPolicy:
    """The policy. Of a field that is there twice the first counts. Raises ValueError."""
    fields: dict[str, str] = {}
    mx = []
    for line in text.splitlines():
        key, colon, value = (part.strip() for part in line.partition(":"))
        if key == "mx":
            mx.append(value)
        elif colon:
            fields.setdefault(key, value)
    if fields.get("version") != "STSv1":
        raise ValueError("its version is not STSv1")
    mode, age = fields.get("mode", ""), fields.get("max_age", "")
    if mode not in MODES:
        raise ValueError("its mode is none that is defined")
    if not (age.isascii() and age.isdecimal() and int(age) <= LONGEST_AGE):
        raise ValueError("its max_age is no number of seconds up to a year")
    if not mx and mode != "none":
        raise ValueError("it names no MX host")
    if not all(_PATTERN.fullmatch(one) for one in mx):
        raise ValueError("one of its MX hosts is no name")
    return StsPolicy(mode, tuple(mx), int(age))


_PATTERN = re.compile(r"(\*\.)?[A-Za-z0-9_.-]{1,253}", re.ASCII)
"""A host, or a wildcard for its siblings."""


async def _fetch(checker: Checker, domain: Name, port: int) -> StsPolicy | Flaw:
    """The policy, or why it is not to be had (RFC 8461 section 3.3)."""
    try:
        server = names.join([b"mta-sts", *names.labels(domain)])
    except ValueError:
        return _unfetched("its server's name would be too long")
    host = await find_host(checker.resolver, server)
    if not host.addresses:
        return _unfetched(f"its server: {host.reason}")
    limit = checker.prober.limits.check
    with trio.move_on_after(limit):
        return await _fetch_from(checker, host.addresses[:MOST_ADDRESSES], server, port)
    return _unfetched(f"its server takes more than {limit:g} seconds")


async def _fetch_from(
    checker: Checker, addresses: Sequence[str], server: Name, port: int
) -> StsPolicy | Flaw:
    """From the first address that has it; else why the last one has not."""
    flaw = _unfetched("its server has no address")
    for address in addresses:
        target = Target(address, port, to_host(server))
        found = await checker.prober.at(target, partial(_ask, checker, to_host(server)))
        if isinstance(found, StsPolicy):
            return found
        if not isinstance(found, Flaw):
            found = _unfetched(found.reason)
        flaw = Flaw(f"its server at {address}: {found.text}", found.failure)
    return flaw


def _unfetched(text: str) -> Flaw:
    return Flaw(text, Failure.STS_POLICY_FETCH_ERROR)


async def _ask(
    checker: Checker, server: str, channel: TlsChannel | None, presented: Presented
) -> StsPolicy | Flaw:
    """The policy out of a connection whose server PKIX vouches for."""
    assert channel is not None
    if flaw := _pkix_flaw(checker, server, presented, checker.now()):
        return Flaw(f"PKIX is not valid: {flaw.text}", Failure.STS_WEBPKI_INVALID)
    client = h11.Connection(h11.CLIENT)
    headers = [("Host", server), ("Accept", "text/plain"), ("Connection", "close")]
    request = h11.Request(method="GET", target=PATH, headers=headers)
    await channel.send_all((client.send(request) or b"") + (client.send(h11.EndOfMessage()) or b""))
    try:
        response, body = await _reply(client, channel)
    except h11.RemoteProtocolError:
        raise NonsenseError(_NO_HTTP) from None
    media_type = dict(response.headers).get(b"content-type", b"").partition(b";")[0].strip()
    if response.status_code != 200:  # nor are redirections followed
        return _unfetched(f"it answers with status {response.status_code}")
    if media_type.lower() != b"text/plain":
        return _unfetched(f"it is of type {in_words(media_type)}, not text/plain")
    try:
        return read_policy(body.decode())
    except UnicodeDecodeError:
        return Flaw("the policy is no text", Failure.STS_POLICY_INVALID)
    except ValueError as error:
        return Flaw(f"the policy cannot be used: {error}", Failure.STS_POLICY_INVALID)


def _pkix_flaw(checker: Checker, server: str, presented: Presented, now: datetime) -> Flaw | None:
    found = checker.trust.validate([Certificate(der) for der in presented.chain], [server], now)
    return found if isinstance(found, Flaw) else None


async def _reply(client: h11.Connection, channel: TlsChannel) -> tuple[h11.Response, bytes]:
    response, body = None, b""
    while True:
        event = client.next_event()
        if event is h11.NEED_DATA:
            client.receive_data(await channel.receive())
        elif isinstance(event, h11.Response):
            response = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > LONGEST_POLICY:
                raise NonsenseError(f"its policy has more than {LONGEST_POLICY} octets")
        elif isinstance(event, h11.EndOfMessage) and response is not None:
            return response, body
        elif not isinstance(event, h11.InformationalResponse):
            raise NonsenseError(_NO_HTTP)


_NO_HTTP = "it gives no whole answer in HTTP"


# ------------ Announcements ------------


async def _texts(checker: Checker, domain: Name, *below: bytes) -> tuple[list[str], Status]:
    """The TXT records below a domain, each in one piece."""
    try:
        owner = names.join([*below, *names.labels(domain)])
    except ValueError:
        return [], Status.INDETERMINATE
    answer = await checker.resolver.resolve(Question(owner, rdtypes.TXT), FLAGS)
    if failure_of(answer):
        return [], answer.verdict.status
    rrset = data_of(answer)
    texts = [_text(rdata) for rdata in (rrset.rdatas if rrset else ())]
    return texts, answer.verdict.status


def _text(rdata: bytes) -> str:
    pieces, position = [], 0
    while position < len(rdata):
        length = rdata[position]
        pieces.append(rdata[position + 1 : position + 1 + length])
        position += 1 + length
    text = b"".join(pieces).decode("ascii", "replace")
    return "".join(c for c in text if c.isprintable())


def _record(texts: Sequence[str], version: str) -> Mapping[str, str]:
    """The fields of the one record with that version; none where there are two."""
    found = [text for text in texts if text.replace(" ", "").split(";")[0] == version]
    if len(found) != 1:
        return {}
    pairs = (field.partition("=") for field in found[0].split(";"))
    return {key.strip(): value.strip() for key, equals, value in pairs if equals}


def warnings(sts: MtaSts, hosts: Sequence[CheckResult]) -> list[str]:
    """What should be otherwise."""
    found = []
    if sts.security == Status.BOGUS.word:
        found.append("the announcement of MTA-STS is suppressed or forged; DANE does not need it")
    if sts.reports and all(one.startswith("mailto:") for one in sts.reports):
        found.append("TLSRPT reports go by mail alone, which the same attacker can stop")
    if not sts.found:
        return found
    if sts.security != Status.SECURE.word:
        found.append("MTA-STS is announced by an unsigned record, which an attacker can leave out")
    if sts.failure:
        found.append("the policy of MTA-STS cannot be had, as if there were none")
    elif sts.mode == "enforce":
        left_out = [one.host for one in hosts if not any(stands_for(p, one.host) for p in sts.mx)]
        if left_out:
            found.append(f"the policy of MTA-STS leaves out {', '.join(left_out)}")
    if not sts.may_apply:
        found.append("MTA-STS has no say here: DANE goes before it (RFC 8461 section 2)")
    return found
