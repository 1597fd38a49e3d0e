"""Look up, connect, verify: one service at all of its addresses.

The TLSA set comes first, and where it cannot be had nothing is connected to. Each address is a
verdict of its own, and the worst of those that were reached is the service's: what one server in
five gets wrong hits one client in five.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import trio

from anchord.model.names import Name

from . import summary
from .certificate import Certificate
from .flaws import Failure
from .handshake import Keys
from .lookup import Found, Resolves, Service, find
from .match import judge
from .names import host_from_text, tlsa_owner, to_host
from .pkix import Trust
from .probe import Presented, Prober, Refused, Seen, Target, Unreachable
from .results import AddressResult, CheckResult, Duty, Result
from .starttls import PROTOCOLS

HTTPS = 443
"""The port of a service that names none, and no protocol either."""

DIRECT = "none"
"""In place of a STARTTLS protocol: TLS from the first octet, where the port has one of its own."""

MAIL = "smtp"
"""The protocol between mail servers, which has rules of its own (RFC 7672)."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be checked.

    `is_mail`: as a mail server delivers (RFC 7672). `more_names` are names that the certificate may
    have beside those of the host: the mail domain, or the domain of an SRV record. `domain` is what
    XMPP is told, and asked for by name where the host's own does not do. `keys` are the kinds of
    certificate to ask for, one after the other.
    """

    service: Service
    starttls: str = ""
    is_mail: bool = False
    more_names: tuple[Name, ...] = ()
    domain: Name = b""
    keys: tuple[Keys, ...] = (Keys.ANY,)

    @classmethod
    def of(
        cls,
        host: str,
        port: int | None = None,
        *,
        starttls: str = "",
        proto: str = "tcp",
        keys: tuple[Keys, ...] = (Keys.ANY,),
    ) -> "Request":
        """A service as people name it, such as `Request.of("mail.example.org", 25)`.

        Without `starttls` the port's own protocol is used, and without `port` the protocol's own,
        else 443; `DIRECT` stands for TLS from the first octet. Raises ValueError for what is none.
        """
        if starttls not in ("", DIRECT, *PROTOCOLS):
            raise ValueError(f"{starttls} is no protocol with STARTTLS")
        if port is None:
            port = PROTOCOLS[starttls].port if starttls in PROTOCOLS else HTTPS
        if not 0 < port < 65536:
            raise ValueError(f"{port} is no port")
        if not starttls:
            starttls = next((name for name, one in PROTOCOLS.items() if one.port == port), DIRECT)
        if starttls == DIRECT or proto != "tcp":
            starttls = ""
        service = Service(host_from_text(host), port, proto)
        tlsa_owner(service.host, port, proto)  # the records' own name may be too long
        return cls(service, starttls=starttls, is_mail=starttls == MAIL, keys=keys)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Checker:
    """Checks services. `trust` are the roots for PKIX; certificates are judged by the real time."""

    resolver: Resolves
    trust: Trust
    prober: Prober = field(default_factory=Prober)
    now: Callable[[], datetime] = _now

    async def check(self, request: Request) -> CheckResult:
        """The service at every address."""
        return await self.check_found(await find(self.resolver, request.service), request)

    async def check_found(self, found: Found, request: Request) -> CheckResult:
        """The same, where the look-up has been made."""
        targets = (
            []
            if found.outcome in (Result.BOGUS, Result.UNREACHABLE)
            else [(address, keys) for address in found.host.addresses for keys in request.keys]
        )
        results: dict[tuple[str, Keys], AddressResult] = {}

        async def at_address(address: str, keys: Keys) -> None:
            results[address, keys] = await self._at_address(found, request, address, keys)

        limit = self.prober.limits.check
        with trio.move_on_after(limit):
            async with trio.open_nursery() as nursery:
                for address, keys in targets:
                    nursery.start_soon(at_address, address, keys)
        late = Unreachable(f"the whole check takes more than {limit:g} seconds")
        for address, keys in targets:
            if (address, keys) not in results:
                target = Target(address, found.service.port, "", keys=keys)
                results[address, keys] = self._judged(found, request, target, late)
        return self._result(found, request, [results[target] for target in targets])

    async def verify(self, request: Request, chain: Sequence[bytes]) -> CheckResult:
        """A chain in DER that somebody else has received. Raises ValueError where it is empty."""
        found = await find(self.resolver, request.service, needs_addresses=False)
        if found.outcome in (Result.BOGUS, Result.UNREACHABLE):
            return self._result(found, request, [])
        seen = Presented(tuple(chain), "")
        result = self._judged(found, request, Target("", found.service.port, ""), seen)
        return self._result(found, request, [result])

    def _result(
        self, found: Found, request: Request, addresses: Sequence[AddressResult]
    ) -> CheckResult:
        return summary.check_result(
            found, addresses, starttls=request.starttls, is_mail=request.is_mail
        )

    async def _at_address(
        self, found: Found, request: Request, address: str, keys: Keys
    ) -> AddressResult:
        """One address; again under the domain's name where the host's own brings no match."""
        own = to_host(found.base if found.outcome is None else found.service.host)
        domain = to_host(request.domain) if request.domain else own
        results = []
        for sni in dict.fromkeys((own, domain)):
            target = Target(
                address=address,
                port=found.service.port,
                sni=sni,
                starttls=request.starttls,
                domain=domain,
                keys=keys,
                proto=found.service.proto,
            )
            seen = await self.prober.probe(target)
            results.append(self._judged(found, request, target, seen))
            if results[-1].result is not Result.MISMATCH:
                break
        return next((one for one in results if one.result is Result.MATCH), results[0])

    # ------------ One address ------------

    def _judged(self, found: Found, request: Request, target: Target, seen: Seen) -> AddressResult:
        is_mail = request.is_mail
        if isinstance(seen, Presented):
            chain = [Certificate(der) for der in seen.chain]
            judgement = judge(
                chain,
                found.records,
                names=reference_names(found, request),
                now=self.now(),
                trust=self.trust,
                is_mail=is_mail,
            )
            return summary.seen(found, target, seen, chain, judgement, is_mail=is_mail)
        failure = Failure.VALIDATION_FAILURE
        result = summary.settled(found, is_mail=is_mail) or Result.UNREACHABLE
        if isinstance(seen, Refused):
            failure = Failure.STARTTLS_NOT_SUPPORTED
            if summary.duty(found, is_mail=is_mail) is not Duty.OPPORTUNISTIC:
                result = Result.MISMATCH
        return summary.unseen(found, target, result, seen.reason, failure, is_mail=is_mail)


def reference_names(found: Found, request: Request) -> list[str]:
    """The names of which the server's certificate must have one (RFC 7671, RFC 7672 section 3.2).

    With DANE the base domain comes first, which is also the name for TLS.
    """
    host = found.service.host
    bases = (found.base, host) if found.outcome is None else (host,)
    return [to_host(name) for name in dict.fromkeys((*bases, *request.more_names))]
