"""Whether a program may talk to the server at the other end of a connection of its own.

By DANE where the zone publishes records that can be used, by PKIX where there is nothing to go by,
and not at all where nobody could tell: who can break a look-up must gain nothing by it.
"""

import ssl
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import trio

from anchord.model.errors import AnchordError

from .check import Checker, Request
from .handshake import presented_chain
from .results import CheckResult, Duty, Result


class Basis(StrEnum):
    """What a server was proven by."""

    DANE = "dane"
    PKIX = "pkix"


@dataclass(frozen=True, slots=True)
class Verified:
    """The server is the right one. `check` has everything that was found."""

    basis: Basis
    check: CheckResult


class UntrustedError(AnchordError):
    """The server is not proven to be the right one: nothing may be sent to it.

    `check` has everything that was found; None where the connection shows no certificates.
    """

    def __init__(self, problem: str, where: str, check: CheckResult | None) -> None:
        self.check = check
        super().__init__(problem, where=where, remedy="send nothing, and close the connection")


def tls_context() -> ssl.SSLContext:
    """A context for connections that `verify` decides about.

    By itself it accepts every certificate, since OpenSSL would refuse what DANE allows: expired
    certificates, and CAs that only the zone knows. It offers TLS 1.2 and newer, and resumes no
    session: that would come without certificates.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_TICKET
    return context


async def verify(
    checker: Checker,
    request: Request,
    tls: ssl.SSLSocket | ssl.SSLObject | trio.SSLStream[Any],
) -> Verified:
    """Whether the server of a connection is the one that `request` names.

    To be called after the handshake and before anything is sent. The server must have been asked
    for by name (SNI), which should be the service's host. Raises UntrustedError.
    """
    chain = presented_chain(tls._ssl_object if isinstance(tls, trio.SSLStream) else tls)  # noqa: SLF001 - trio forwards no call for it
    if not chain:
        problem = "the connection shows no certificates: it is anonymous, resumed or over"
        raise UntrustedError(problem, request.service.text, None)
    return decide(await checker.verify(request, chain))


def decide(check: CheckResult) -> Verified:
    """What a check means for who wants to talk to the server. Raises UntrustedError."""
    where = f"{check.host}:{check.port}"
    if check.result is Result.MATCH:
        return Verified(Basis.DANE, check)
    if check.tls is Duty.AUTHENTICATED:
        raise UntrustedError(f"DANE says {check.result}: {check.reason}", where, check)
    if not check.pkix.valid:
        problem = f"DANE says {check.result}, and PKIX is not valid: {check.pkix.reason}"
        raise UntrustedError(problem, where, check)
    return Verified(Basis.PKIX, check)
