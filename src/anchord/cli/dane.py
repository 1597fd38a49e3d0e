"""`anchord dane`: what a zone says about a service's certificate, and whether it keeps to it.

Every verdict about DNS is this process's own; the connections are made from here as well.
"""

import argparse
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from anchord.config.load import Loaded, load
from anchord.daemon.compose import clock_of
from anchord.dane import mta_sts
from anchord.dane import names as dane_names
from anchord.dane.check import DIRECT, Checker, Request
from anchord.dane.handshake import Keys
from anchord.dane.lint import lint
from anchord.dane.lookup import Service, find
from anchord.dane.results import CheckResult, Finding, MailResult, Result, Severity, as_json
from anchord.dane.smtp import PORT, check_domain
from anchord.dane.srv import check_srv
from anchord.dane.starttls import PROTOCOLS
from anchord.dane.summary import tlsa_result
from anchord.library import open_checker
from anchord.model.errors import AnchordError
from anchord.model.names import Name

from . import dane_make, dane_text
from .parser import Parser, Subparsers, UsageError

BAD = 1
"""The exit status for a mismatch, something bogus, or an error that lint has found."""


class UnjudgedError(AnchordError):
    """Nothing could be judged. Exit status 3."""

    exit_status = 3


def add_parser(subparsers: Subparsers) -> None:
    """`anchord dane tlsa|check|smtp|lint|make`."""
    parser = subparsers.add_parser(
        "dane",
        help="check a service's certificate against the TLSA records of its zone",
        description="Check certificates against the TLSA records that a signed zone publishes.",
        epilog="Exit status: 1 for a mismatch, something bogus or an error that lint found; "
        "3 where nothing could be judged; else 0.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_tlsa(commands)
    _add_check(commands)
    _add_smtp(commands)
    _add_lint(commands)
    dane_make.add_parser(commands)
    hook = commands.add_parser("hook", help="not built yet", add_help=False)
    hook.add_argument("rest", nargs=argparse.REMAINDER)
    hook.set_defaults(dane=_not_built)


def run(arguments: argparse.Namespace) -> int:
    """The subcommand."""
    status: int = arguments.dane(arguments)
    return status


def _not_built(_: argparse.Namespace) -> int:
    raise UsageError("not built yet", where="dane hook", remedy="see anchord dane --help")


# ------------ tlsa ------------


def _add_tlsa(commands: Subparsers) -> None:
    parser = commands.add_parser("tlsa", help="the validated TLSA records of a service")
    parser.add_argument("host", metavar="HOST")
    parser.add_argument("port", metavar="PORT")
    parser.add_argument(
        "proto", metavar="PROTO", nargs="?", default="tcp", choices=dane_names.PROTOCOLS
    )
    _add_common(parser)
    parser.set_defaults(dane=_tlsa)


def _tlsa(arguments: argparse.Namespace) -> int:
    service = Service(_host(arguments.host), _port(arguments.port), arguments.proto)
    is_mail = service.port == PORT

    async def look_up() -> Any:
        async with _open(arguments) as (checker, _):
            return tlsa_result(
                await find(checker.resolver, service, needs_addresses=False), is_mail=is_mail
            )

    result = trio.run(look_up)
    _print(arguments, result, dane_text.tlsa_lines)
    return _conclude(arguments.host, [(result.result, result.reason)])


# ------------ check ------------


def _add_check(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "check", help="connect, and verify what is presented against the TLSA records"
    )
    _add_service(parser)
    parser.add_argument(
        "--srv",
        metavar="SERVICE",
        help="HOST is a domain: check the targets of its SRV records for this service",
    )
    parser.add_argument("--proto", default="tcp", choices=("tcp", "quic"), help="default: tcp")
    parser.add_argument(
        "--both-keys",
        dest="keys",
        action="store_const",
        const=(Keys.RSA, Keys.ECDSA),
        default=(Keys.ANY,),
        help="ask for an RSA and for an ECDSA certificate, one after the other (TLS 1.2)",
    )
    _add_common(parser)
    parser.set_defaults(dane=_check)


def _check(arguments: argparse.Namespace) -> int:
    request = _request(arguments)

    async def check() -> Any:
        async with _open(arguments) as (checker, _):
            if not arguments.srv:
                return await checker.check(request)
            return await check_srv(
                checker,
                request.service.host,
                arguments.srv,
                starttls=request.starttls,
                keys=request.keys,
            )

    result = trio.run(check)
    if isinstance(result, CheckResult):
        _print(arguments, result, dane_text.check_lines)
        return _conclude(arguments.service, [(result.result, result.reason)])
    _print(arguments, result, dane_text.srv_lines)
    found = [(one.result, one.reason) for one in result.services]
    return _conclude(arguments.service, found or [(result.result, result.reason)])


# ------------ smtp ------------


def _add_smtp(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "smtp", help="a mail domain, MX by MX, as a sending server sees it"
    )
    parser.add_argument("domain", metavar="DOMAIN")
    for option, port in (("--port", PORT), ("--sts-port", mta_sts.PORT)):  # those of the lab
        parser.add_argument(option, metavar="PORT", default=str(port), help=argparse.SUPPRESS)
    _add_common(parser)
    parser.set_defaults(dane=_smtp)


def _smtp(arguments: argparse.Namespace) -> int:
    domain, port = _host(arguments.domain), _port(arguments.port)
    sts_port = _port(arguments.sts_port)

    async def check() -> MailResult:
        async with _open(arguments) as (checker, _):
            return await check_domain(checker, domain, port=port, sts_port=sts_port)

    result = trio.run(check)
    _print(arguments, result, dane_text.mail_lines)
    found = [(one.result, one.reason) for one in result.mx]
    return _conclude(arguments.domain, found or [(result.result, result.reason)])


# ------------ lint ------------


def _add_lint(commands: Subparsers) -> None:
    parser = commands.add_parser("lint", help="what will break, and when")
    _add_service(parser)
    _add_common(parser)
    parser.set_defaults(dane=_lint, srv=None, proto="tcp", keys=tuple(Keys))


def _lint(arguments: argparse.Namespace) -> int:
    request = _request(arguments)

    async def look() -> Any:
        async with _open(arguments) as (checker, loaded):
            return await lint(checker, request, now=clock_of(loaded.config).wall())

    result = trio.run(look)
    _print(arguments, result, dane_text.lint_lines)
    errors: list[Finding] = [one for one in result.findings if one.severity is Severity.ERROR]
    if errors:
        return BAD
    return _conclude(arguments.service, [(result.check.result, result.check.reason)])


# ------------ What they share ------------


def _add_service(parser: Parser) -> None:
    parser.add_argument("service", metavar="HOST[:PORT]")
    parser.add_argument(
        "--starttls",
        metavar="PROTOCOL",
        default="",
        choices=(*PROTOCOLS, DIRECT),
        help=f"{', '.join(PROTOCOLS)}; the port's own where none is named, {DIRECT} for TLS from "
        "the first octet",
    )


def _add_common(parser: Parser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")
    parser.add_argument("--config", metavar="FILE", type=Path)
    parser.add_argument(
        "--upstream", metavar="URL", action="append", default=[], help="ask this upstream"
    )
    parser.add_argument(
        "--direct", action="store_true", help="ask the configured upstreams, not the daemon"
    )


@asynccontextmanager
async def _open(arguments: argparse.Namespace) -> AsyncIterator[tuple[Checker, Loaded]]:
    """A checker over the engine of this process, with the configuration that is found."""
    loaded = load(arguments.config, upstreams=arguments.upstream)
    direct = bool(arguments.direct or arguments.upstream)
    async with open_checker(loaded, direct=direct) as checker:
        yield checker, loaded


def _request(arguments: argparse.Namespace) -> Request:
    host, colon, port = arguments.service.rpartition(":")
    if not colon:
        host, port = arguments.service, ""
    starttls = arguments.starttls
    if not starttls and arguments.srv in PROTOCOLS:
        starttls = arguments.srv
    try:
        return Request.of(
            host,
            _port(port) if port else None,
            starttls=starttls,
            proto=arguments.proto,
            keys=arguments.keys,
        )
    except ValueError as error:
        raise _no_host(host, error) from None


def _host(text: str) -> Name:
    try:
        return dane_names.host_from_text(text)
    except ValueError as error:
        raise _no_host(text, error) from None


def _no_host(text: str, error: ValueError) -> UsageError:
    return UsageError(str(error), where=text, remedy="give the name of a host")


def _port(text: str) -> int:
    if text.isdecimal() and 0 < int(text) < 65536:
        return int(text)
    raise UsageError(f"{text} is no port", remedy="give a number from 1 to 65535")


def _print(
    arguments: argparse.Namespace, result: Any, lines: Callable[[Any], Iterator[str]]
) -> None:
    print(as_json(result) if arguments.json else "\n".join(lines(result)))


def _conclude(where: str, results: Sequence[tuple[Result | None, str]]) -> int:
    """The exit status for results with their reasons: one that is wrong makes the whole wrong.

    Raises UnjudgedError where nothing could be judged; what was found is printed by then.
    """
    words = [result for result, _ in results]
    if Result.MISMATCH in words or Result.BOGUS in words:
        return BAD
    if words and set(words) == {Result.UNREACHABLE}:
        problem = f"nothing could be judged: {results[0][1]}"
        raise UnjudgedError(problem, where=where, remedy="try again, or see what is in between")
    return 0
