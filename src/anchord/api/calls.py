"""Every call of the API: what it is asked, what it does, what it answers. One table has them all.

What a call may do is decided by `admit` from the header alone, before anything is looked up.
"""

import base64
import binascii
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import trio
from msgspec import Struct

from anchord.dane.check import Checker
from anchord.dane.lookup import Resolves, find
from anchord.dane.pkix import Trust
from anchord.dane.probe import Prober
from anchord.dane.results import CheckResult, MailResult, TlsaResult
from anchord.dane.smtp import check_domain
from anchord.dane.summary import shortened, tlsa_result
from anchord.model.errors import AnchordError
from anchord.model.question import ClientFlags
from anchord.wire.aging import ttl_offsets

from . import doors
from .limits import Limits
from .messages import JSON, Head, Header, ProblemError, Reply
from .questions import (
    AskCheck,
    AskDomain,
    AskName,
    AskTlsa,
    AskVerdict,
    from_json,
    from_query,
    is_mail,
)
from .resolve import Resolved, resolved

MESSAGE = "application/dns-message"
"""The media type of DNS messages (RFC 8484 section 6)."""

SUCCESSES = (0, 3)
"""NOERROR and NXDOMAIN: what may be kept for as long as its records say."""


class Health(Struct, frozen=True):
    """How the daemon is: `paused` while the network's own servers answer, unchecked."""

    status: Literal["ok", "paused"]
    version: str


@dataclass(frozen=True, slots=True)
class Call:
    """A path of the API, asked by URL or by body.

    `query` and `body` are what GET and POST take, None where there is no such method. `connects`:
    it opens connections, so a browser may only POST. `media_type` is that of body and answer.
    """

    path: str
    summary: str
    run: Callable[["Api", Any], Awaitable[Reply]]
    query: type[Any] | None = None
    body: type[Any] | None = None
    answer: type[Any] | None = None
    connects: bool = False
    media_type: str = JSON
    is_built: bool = True

    @property
    def methods(self) -> tuple[str, ...]:
        """What may be done with it."""
        return (*(("GET", "HEAD") if self.query else ()), *(("POST",) if self.body else ()))


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters."""


class AskMessage(Struct, frozen=True, forbid_unknown_fields=True):
    """A DNS query in base64url without padding (RFC 8484 section 6)."""

    dns: str


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that may be made: what it calls, and the header fields that its reply has."""

    head: Head
    call: Call
    headers: tuple[Header, ...]


@dataclass(slots=True)
class Api:
    """The calls over what is behind them.

    `exchange` answers a DNS query in wire form, with None where silence is due; `roots` loads the
    roots for PKIX, once they are needed, and may raise AnchordError; `prober` is None where no
    connections may be opened.
    """

    resolver: Resolves
    exchange: Callable[[bytes], Awaitable[bytes | None]]
    roots: Callable[[], Trust]
    prober: Prober | None
    health: Callable[[], Health]
    allowed_origins: frozenset[str] = frozenset()
    limits: Limits = field(default_factory=Limits)
    _trust: Trust | None = None
    _places: trio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._places = trio.Semaphore(self.limits.checks)

    def admit(self, head: Head) -> Admitted:
        """What a request asks for, judged by its header. Raises ProblemError."""
        headers = doors.admit(head, self.allowed_origins)
        if not head.target.startswith("/"):
            raise ProblemError(400, "the target of the request must be a path", headers)
        call = CALLS.get(head.path)
        if call is None:
            raise ProblemError(404, "no such path; see /openapi.json", headers)
        is_preflight = head.method == "OPTIONS" and "Access-Control-Allow-Origin" in dict(headers)
        if head.method not in call.methods and not is_preflight:
            allow = ("Allow", ", ".join(call.methods))
            raise ProblemError(405, f"{head.path} is not for {head.method}", (*headers, allow))
        if call.connects and head.method in ("GET", "HEAD") and doors.is_browser(head):
            raise ProblemError(403, "a browser must POST this as application/json", headers)
        if head.method == "POST":
            _check_media_type(head, call, headers)
        if is_preflight:
            headers = (*headers, *doors.preflight_headers(call.methods))
        return Admitted(head, call, headers)

    async def answer(self, admitted: Admitted, body: bytes) -> Reply:
        """The answer. Raises ProblemError."""
        head, call = admitted.head, admitted.call
        if head.method == "OPTIONS":
            return Reply(200, "", b"")
        if not call.is_built:
            raise ProblemError(501, f"{call.path} is not built yet")
        if head.method != "POST":
            assert call.query is not None
            return await call.run(self, from_query(head.query, call.query))
        if head.query:
            raise ProblemError(400, "a POST has its parameters in its body")
        if call.media_type == MESSAGE:
            return await call.run(self, body)
        assert call.body is not None
        return await call.run(self, from_json(body, call.body))

    # ------------ Names ------------

    async def resolve(self, asked: AskName) -> Reply:
        """The common DNS JSON."""
        flags = ClientFlags(checking_disabled=asked.cd, dnssec_ok=asked.do, authentic_data=True)
        return _json(resolved(await self.resolver.resolve(asked.question, flags), flags))

    async def tlsa(self, asked: AskTlsa) -> Reply:
        """The TLSA records, and no connection."""
        service = asked.service
        found = await find(self.resolver, service, needs_addresses=False)
        return _json(tlsa_result(found, is_mail=is_mail(service)))

    async def message(self, asked: AskMessage | bytes) -> Reply:
        """DNS over plain HTTP, for programs that know DoH."""
        query = asked if isinstance(asked, bytes) else _decoded(asked.dns)
        reply = await self.exchange(query)
        if reply is None:
            raise ProblemError(400, "that is no DNS query")
        ttls = [int.from_bytes(reply[at : at + 4]) for at in ttl_offsets(reply)]
        is_kept = ttls and reply[3] & 0xF in SUCCESSES
        age = f"max-age={min(ttls)}" if is_kept else "no-store"
        return Reply(200, MESSAGE, reply, (("Cache-Control", age),))

    # ------------ Services ------------

    async def check(self, asked: AskCheck) -> Reply:
        """A service at all of its addresses."""
        request, prober = asked.request, self._may_connect()
        return await self._in_turn(lambda checker: checker.check(request), prober)

    async def mail(self, asked: AskDomain) -> Reply:
        """A mail domain, MX by MX."""
        name, prober = asked.name, self._may_connect()
        return await self._in_turn(lambda checker: check_domain(checker, name), prober)

    async def verify(self, asked: AskVerdict) -> Reply:
        """A chain that the client has received."""
        request, chain = asked.request, _ders(asked.chain)
        return await self._in_turn(lambda checker: checker.verify(request, chain), Prober())

    def _may_connect(self) -> Prober:
        if self.prober is None:
            raise ProblemError(403, "the API opens no connections: dane.api_connect is false")
        return self.prober

    async def _in_turn(
        self, work: Callable[[Checker], Awaitable[CheckResult | MailResult]], prober: Prober
    ) -> Reply:
        """What is laborious: a few at a time."""
        with trio.move_on_after(self.limits.patience) as waiting:
            await self._places.acquire()
        if waiting.cancelled_caught:
            raise ProblemError(503, "too many checks at once", [("Retry-After", "10")])
        try:
            result = await work(Checker(self.resolver, await self._roots(), prober))
            reply = _json(result)
            return reply if len(reply.body) <= self.limits.answer else _json(shortened(result))
        finally:
            self._places.release()

    async def _roots(self) -> Trust:
        if self._trust is None:
            try:
                self._trust = await trio.to_thread.run_sync(self.roots)
            except AnchordError as error:
                raise ProblemError(503, error.one_line()) from None
        return self._trust

    # ------------ Itself ------------

    async def state(self, _: Nothing) -> Reply:
        """How the daemon is."""
        await trio.lowlevel.checkpoint()
        return _json(self.health())

    async def description(self, _: Nothing) -> Reply:
        """All this, for programs."""
        from .openapi import description  # who does not ask does not pay

        await trio.lowlevel.checkpoint()
        return _json(description())

    async def not_built(self, _: Nothing) -> Reply:
        """Never run: see `answer`."""
        raise NotImplementedError


def _json(value: object) -> Reply:
    return Reply(200, JSON, msgspec.json.encode(value))


def _check_media_type(head: Head, call: Call, headers: tuple[Header, ...]) -> None:
    """A page can POST other types without asking first (the Fetch standard's "simple" ones)."""
    types = [value.partition(b";")[0].strip().lower() for value in head.values(b"content-type")]
    if types != [call.media_type.encode()]:
        raise ProblemError(415, f"the body must be {call.media_type}", headers)


def _decoded(text: str) -> bytes:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", text, re.ASCII):
        raise ProblemError(400, "dns must be in base64url without padding")
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise ProblemError(400, "dns must be in base64url without padding") from None


_BLOCK = re.compile(
    r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----", re.ASCII
)


def _ders(chain: tuple[str, ...]) -> list[bytes]:
    """The certificates in DER; each text may hold several."""
    ders = []
    for text in chain:
        blocks = _BLOCK.findall(text)
        if not blocks:
            raise ProblemError(400, "the chain must be certificates in PEM")
        try:
            ders += [base64.b64decode("".join(block.split()), validate=True) for block in blocks]
        except binascii.Error:
            raise ProblemError(400, "a certificate's base64 cannot be read") from None
    return ders


def _table(*calls: Call) -> Mapping[str, Call]:
    return {call.path: call for call in calls}


CALLS = _table(
    Call("/v1/resolve", "A name, proven", Api.resolve, query=AskName, answer=Resolved),
    Call("/v1/tlsa", "The TLSA records of a service", Api.tlsa, query=AskTlsa, answer=TlsaResult),
    Call(
        "/v1/dane", "A service, connected to and judged by its TLSA records", Api.check,
        query=AskCheck, body=AskCheck, answer=CheckResult, connects=True,
    ),
    Call(
        "/v1/dane/smtp", "A mail domain, MX by MX", Api.mail,
        query=AskDomain, body=AskDomain, answer=MailResult, connects=True,
    ),
    Call(
        "/v1/dane/verify", "A chain of certificates, judged by TLSA records", Api.verify,
        body=AskVerdict, answer=CheckResult,
    ),
    Call(
        "/dns-query", "DNS over HTTP (RFC 8484)", Api.message,
        query=AskMessage, body=bytes, answer=bytes, media_type=MESSAGE,
    ),
    Call("/healthz", "How the daemon is", Api.state, query=Nothing, answer=Health),
    Call("/openapi.json", "This description", Api.description, query=Nothing, answer=dict),
    *(
        Call(path, "Not built yet", Api.not_built, query=Nothing, is_built=False)
        for path in ("/", "/metrics", "/v1/chain", "/v1/why")
    ),
)  # fmt: skip
"""Every call by its path."""
