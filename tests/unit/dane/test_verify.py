"""Connections of a program's own: DANE where there are records, PKIX where there are none."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from anchord.dane import (
    Basis,
    Checker,
    Request,
    UntrustedError,
    Verified,
    host_from_text,
    tls_context,
    verify,
)
from anchord.dane.check import DIRECT
from anchord.dane.pkix import Trust
from anchord.lab.chains import CHAINS, Chain, records_of
from anchord.lab.plan import Plan
from anchord.lab.services import Service, start_service
from support.dane import NO_TRUST, checker_over

HOST = "host.z.lab"
CHAIN = CHAINS["with-next"](HOST)
ROOTS = Trust([CHAIN.parts["root"].certificate], "the test's roots")


@asynccontextmanager
async def connection(
    records: str,
    faults: str = "",
    *,
    chain: Chain = CHAIN,
    trust: Trust = NO_TRUST,
    signed: bool = True,
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[tuple[Checker, Request, trio.SSLStream[trio.SocketStream]]]:
    """A connection to a service with this chain, whose zone has these records for it."""
    async with trio.open_nursery() as nursery:
        port = await start_service(nursery, Service(chain, {}))
        owner = f"_{port}._tcp.host"
        lines = "\n".join(f"{owner} TLSA {record}" for record in records_of(records, chain))
        plan = Plan(
            "z.lab",
            "a test",
            records=f"host A 127.0.0.1\n{lines}",
            faults=faults.format(port=port),
            algorithms=(13,) if signed else (),
        )
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        tls = trio.SSLStream(stream, context or tls_context(), server_hostname=HOST)
        await tls.do_handshake()
        async with stream, checker_over(plan, trust=trust) as checker:
            yield checker, Request.of(HOST, port), tls
        nursery.cancel_scope.cancel()


async def outcome(records: str, faults: str = "", **others: Any) -> Verified | UntrustedError:
    async with connection(records, faults, **others) as (checker, request, tls):
        try:
            return await verify(checker, request, tls)
        except UntrustedError as error:
            return error


async def verified(records: str, **others: Any) -> Verified:
    found = await outcome(records, **others)
    assert isinstance(found, Verified), found
    return found


async def refusal(records: str, faults: str = "", **others: Any) -> str:
    found = await outcome(records, faults, **others)
    assert isinstance(found, UntrustedError), found
    assert found.check is not None
    return found.problem


async def test_a_server_that_fits_the_records_is_proven_by_dane() -> None:
    found = await verified("3 1 1 leaf")
    assert (found.basis, found.check.matched is not None) == (Basis.DANE, True)


async def test_dane_needs_no_root_and_an_expired_certificate_will_do() -> None:
    found = await verified("3 1 1 leaf", chain=CHAINS["expired"](HOST))
    assert (found.basis, found.check.pkix.valid) == (Basis.DANE, False)


async def test_a_certificate_of_a_trusted_ca_is_of_no_use_where_the_records_say_otherwise() -> None:
    problem = await refusal("3 1 1 next", trust=ROOTS)
    assert problem == "DANE says mismatch: the server's key is another one"


@pytest.mark.parametrize(("records", "signed"), [("", True), ("", False), ("9 9 9 aa", True)])
async def test_without_records_to_go_by_pkix_decides(records: str, *, signed: bool) -> None:
    assert (await verified(records, signed=signed, trust=ROOTS)).basis is Basis.PKIX
    problem = await refusal(records, signed=signed)
    assert "and PKIX is not valid: there is no root to trust" in problem


async def test_pkix_counts_names_and_dates() -> None:
    for kind, word in (("other-name", "other.example"), ("expired", "expired")):
        chain = CHAINS[kind](HOST)
        trust = Trust([chain.parts["root"].certificate], "the test's roots")
        assert word in await refusal("", chain=chain, trust=trust), kind


@pytest.mark.parametrize("faults", ["forged TLSA", "unanswered TLSA _{port}._tcp.host"])
async def test_where_a_look_up_fails_pkix_is_not_asked(faults: str) -> None:
    """Else who can break the look-up, and get a certificate, could pass for the server."""
    problem = await refusal("3 1 1 next", faults, trust=ROOTS)
    assert problem.startswith(("DANE says bogus", "DANE says unreachable"))


async def test_a_stripped_set_is_no_absence() -> None:
    problem = await refusal("3 1 1 next", "denies-type _tcp.host", trust=ROOTS)
    assert problem.startswith("DANE says bogus")


async def test_every_kind_of_tls_object_will_do() -> None:
    async with connection("3 1 1 leaf") as (checker, request, tls):
        assert (await verify(checker, request, tls._ssl_object)).basis is Basis.DANE


async def test_a_connection_that_shows_no_certificates_is_refused() -> None:
    context = tls_context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=HOST)
    async with checker_over() as checker:
        with pytest.raises(UntrustedError, match="shows no certificates") as caught:
            await verify(checker, Request.of(HOST), tls)
    assert caught.value.check is None


def test_a_context_for_verifying_resumes_no_session_and_speaks_nothing_old() -> None:
    context = tls_context()
    assert context.options & ssl.OP_NO_TICKET
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert not [one for one in context.get_ciphers() if one["auth"] == "auth-null"]


# ------------ Requests ------------


@pytest.mark.parametrize(
    ("port", "starttls", "expected"),
    [
        (None, "", (443, "", False)),
        (25, "", (25, "smtp", True)),
        (None, "imap", (143, "imap", False)),
        (2525, "smtp", (2525, "smtp", True)),
        (25, DIRECT, (25, "", False)),
        (8443, "", (8443, "", False)),
    ],
)
def test_a_request_has_the_protocol_of_its_port_and_the_port_of_its_protocol(
    port: int | None, starttls: str, expected: tuple[int, str, bool]
) -> None:
    request = Request.of("Host.Example.", port, starttls=starttls)
    assert request.service.host == host_from_text("host.example")
    assert (request.service.port, request.starttls, request.is_mail) == expected


def test_over_other_protocols_than_tcp_there_is_no_starttls() -> None:
    assert Request.of("host.example", 25, proto="quic").starttls == ""


@pytest.mark.parametrize(
    ("host", "port", "starttls", "word"),
    [
        ("192.0.2.1", 443, "", "IP address"),
        ("host.example", 0, "", "0 is no port"),
        ("host.example", 65536, "", "65536 is no port"),
        ("host.example", 443, "gopher", "gopher"),
        (".".join(["a" * 61] * 4), 443, "", "255"),
    ],
)
def test_what_cannot_be_checked_is_no_request(
    host: str, port: int, starttls: str, word: str
) -> None:
    with pytest.raises(ValueError, match=word):
        Request.of(host, port, starttls=starttls)
