"""One service: chains that others have received, limits of time, roots, and odd names."""

import ipaddress
import ssl
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio
from cryptography import x509
from trio.testing import MockClock

from anchord.dane.certificate import Certificate, is_within_constraints
from anchord.dane.check import Checker, Request
from anchord.dane.lookup import MOST_ADDRESSES, find
from anchord.dane.names import host_from_text
from anchord.dane.probe import Limits, Prober, Target, Unreachable
from anchord.dane.results import CheckResult, Result, as_json
from anchord.dane.roots import load_roots
from anchord.dane.smtp import MOST_HOSTS, check_domain
from anchord.dane.srv import MOST_TARGETS, check_srv
from anchord.dane.summary import MOST_SHOWN, SHOWN_OCTETS, shortened
from anchord.lab.chains import CHAINS, Holder, issue, record_of
from anchord.lab.plan import Plan
from anchord.lab.services import Service, start_service
from anchord.model import names
from anchord.model.errors import AnchordError
from support.dane import NO_TRUST, WorldUpstream, checker_over, resolver_over, service, world_of_now

HOST = "host.z.lab"
CHAIN = CHAINS["good"](HOST)
RECORD = record_of("3 1 1 leaf", CHAIN)


def zone(records: str, faults: str = "", *, signed: bool = True) -> Plan:
    algorithms = (13,) if signed else ()
    return Plan("z.lab", "a test", records=records, faults=faults, algorithms=algorithms)


# ------------ Chains that somebody else has received ------------


async def test_a_chain_that_a_client_has_received_is_judged_without_a_connection() -> None:
    plan = zone(f"host A 192.0.2.1\n_443._tcp.host TLSA {RECORD}")
    async with checker_over(plan) as checker:
        request = Request(service(HOST))
        right = await checker.verify(request, CHAIN.ders)
        wrong = await checker.verify(request, CHAINS["good"](HOST).ders)
        with pytest.raises(ValueError, match="nothing was presented"):
            await checker.verify(request, [])
    assert (right.result, wrong.result) == (Result.MATCH, Result.MISMATCH)
    assert [one.address for one in right.addresses] == [""]


async def test_a_chain_proves_nothing_where_the_records_are_bogus() -> None:
    plan = zone(f"host A 192.0.2.1\n_443._tcp.host TLSA {RECORD}", "forged TLSA")
    async with checker_over(plan) as checker:
        assert (await checker.verify(Request(service(HOST)), CHAIN.ders)).result is Result.BOGUS


# ------------ Limits ------------


async def test_a_check_ends_with_its_limit_however_many_addresses_hang(
    patient_clock: MockClock,
) -> None:
    async with trio.open_nursery() as nursery:
        hanging = Service(CHAIN, {}, conduct="hangs")
        port = await start_service(nursery, hanging)
        for last in range(2, 5):
            await start_service(nursery, hanging, address=f"127.0.0.{last}", port=port)
        addresses = "\n".join(f"host A 127.0.0.{last}" for last in range(1, 5))
        plan = zone(f"{addresses}\n_{port}._tcp.host TLSA {RECORD}")
        upstream = WorldUpstream(world_of_now(plan))
        async with resolver_over(world_of_now(plan), [upstream]) as resolver:
            limits = Limits(address=40, check=60, at_once=1)
            checker = Checker(resolver, NO_TRUST, Prober(limits))
            found = await find(resolver, service(HOST, port))
            began = patient_clock.current_time()
            check = await checker.check_found(found, Request(service(HOST, port)))
            took = patient_clock.current_time() - began
        nursery.cancel_scope.cancel()
    assert check.result is Result.UNREACHABLE
    assert took == pytest.approx(60)
    reasons = [one.reason for one in check.addresses]
    assert reasons.count("it takes more than 40 seconds") == 1
    assert reasons.count("the whole check takes more than 60 seconds") == 3


async def test_two_hundred_records_are_looked_at_and_the_last_one_may_fit() -> None:
    others = "\n".join(f"_443._tcp.host TLSA 3 1 1 {number:064x}" for number in range(199))
    plan = zone(f"host A 192.0.2.1\n{others}\n_443._tcp.host TLSA {RECORD}")
    async with checker_over(plan) as checker:
        check = await checker.verify(Request(service(HOST)), CHAIN.ders)
    assert (check.result, len(check.records)) == (Result.MATCH, 200)
    assert any("200 records" in warning for warning in check.warnings)


async def test_no_more_addresses_are_used_than_the_limit_says() -> None:
    lines = "\n".join(f"host A 127.0.1.{last}" for last in range(MOST_ADDRESSES + 1))
    async with checker_over(zone(f"{lines}\n_443._tcp.host TLSA {RECORD}")) as checker:
        found = await find(checker.resolver, service(HOST))
    assert len(found.host.addresses) == MOST_ADDRESSES
    assert any(f"{MOST_ADDRESSES + 1} addresses" in warning for warning in found.warnings)


async def test_no_more_mx_hosts_are_looked_at_than_the_limit_says() -> None:
    lines = "\n".join(f"@ MX {n} mx{n:02}" for n in range(MOST_HOSTS + 1))
    async with checker_over(zone(lines)) as checker:
        mail = await check_domain(checker, names.from_text("z.lab"))
    assert [check.preference for check in mail.mx] == list(range(MOST_HOSTS))
    assert any(f"{MOST_HOSTS + 1} MX hosts" in warning for warning in mail.warnings)


async def test_no_more_srv_targets_are_looked_at_than_the_limit_says() -> None:
    lines = "\n".join(f"_x._tcp SRV {n} 1 443 t{n:02}" for n in range(MOST_TARGETS + 1))
    async with checker_over(zone(lines)) as checker:
        srv = await check_srv(checker, names.from_text("z.lab"), "x")
    assert len(srv.services) == MOST_TARGETS


async def test_an_mx_record_that_cannot_be_read_is_passed_over() -> None:
    plan = zone("@ MX 10 host\n@ MX 0 .\nhost A 127.0.0.1")
    async with checker_over(plan) as checker:
        mail = await check_domain(checker, names.from_text("z.lab"), port=1)
    assert [check.host for check in mail.mx] == [HOST]  # the root among others is no null MX


async def verified(*chain: Holder) -> CheckResult:
    plan = zone(f"host A 192.0.2.1\n_443._tcp.host TLSA {RECORD}")
    async with checker_over(plan) as checker:
        return await checker.verify(Request(service(HOST)), [holder.der for holder in chain])


async def test_no_more_certificates_are_shown_than_a_path_can_have() -> None:
    check = await verified(*[CHAIN.leaf] * (MOST_SHOWN + 1))
    assert (check.result, len(check.chain)) == (Result.MATCH, MOST_SHOWN)
    assert any(f"presents {MOST_SHOWN + 1} certificates" in warning for warning in check.warnings)


async def test_certificates_that_are_too_long_are_told_of_and_not_shown() -> None:
    long = issue("long", names=[f"{number:060}.example" for number in range(400)], is_ca=True)
    assert SHOWN_OCTETS / 2 < len(long.der) < SHOWN_OCTETS
    check = await verified(CHAIN.leaf, long, long)
    assert [bool(one.pem) for one in check.chain] == [True, True, False]
    assert [len(one.names) for one in check.chain] == [1, 400, 0]
    assert check.chain[2].sha256 == check.chain[1].sha256


async def test_what_the_most_hostile_domain_has_told_of_it_stays_within_bounds() -> None:
    """Every host, address, certificate and record as long as they can be."""
    check = await verified(CHAIN.leaf, *[issue("x" * 64)] * (MOST_SHOWN - 1))
    shown = tuple(replace(one, subject="x" * 160, issuer="x" * 160) for one in check.chain)
    record = replace(check.records[0], data="ab" * 65_000)
    address = replace(check.addresses[0], records=(record,), chain=shown, reason="x" * 200)
    host = replace(check, records=(record,), chain=shown, addresses=(address,) * MOST_ADDRESSES)
    async with checker_over(zone("@ MX 0 .")) as checker:
        mail = await check_domain(checker, names.from_text("z.lab"))
    mail = replace(mail, mx=(host,) * MOST_HOSTS)
    assert len(as_json(mail)) > 30_000_000
    assert len(as_json(shortened(mail))) < 3_000_000


# ------------ Names ------------


async def test_a_name_that_tls_cannot_ask_for_is_unreachable_and_no_surprise() -> None:
    async with trio.open_nursery() as nursery:
        port = await start_service(nursery, Service(CHAIN, {}))
        for name in ("", ".host", "a" * 64 + ".example"):
            seen = await Prober().probe(Target("127.0.0.1", port, name))
            assert isinstance(seen, Unreachable), name
            assert "TLS cannot name" in seen.reason
        nursery.cancel_scope.cancel()


async def test_a_host_of_odd_octets_gets_a_result() -> None:
    async with checker_over(zone("host A 127.0.0.1")) as checker:
        for text in ("a\\.b.z.lab", "\\000.z.lab", "_x.z.lab", "*.z.lab"):
            check = await checker.check(Request(service(text)))
            assert check.result is Result.UNREACHABLE
    assert names.to_text(host_from_text("_x.z.lab")) == "_x.z.lab."


# ------------ Roots ------------


def test_the_roots_are_those_of_the_file_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "roots.pem"
    root, other = CHAIN.parts["root"].pem, issue("other", is_ca=True).pem
    broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    file.write_bytes(b"# roots\n" + root + broken + other)
    assert load_roots(str(file)).count == 2
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    assert load_roots().count == 2
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    with pytest.raises(AnchordError, match=r"cannot be read: No such file.*SSL_CERT_FILE"):
        load_roots()
    file.write_text("nothing\n")
    with pytest.raises(AnchordError, match="holds no certificate"):
        load_roots(str(file))


def test_the_roots_of_the_platform_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    paths = ssl.get_default_verify_paths()
    if not (paths.cafile or list(Path(paths.capath or "/nonexistent").glob("*.0"))):
        pytest.skip("this machine has no roots")
    assert load_roots().count > 20


def test_the_roots_of_the_platform_may_be_a_file_or_a_folder_or_those_of_certifi(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    file = tmp_path / "roots.pem"
    file.write_bytes(CHAIN.parts["root"].pem)
    (tmp_path / "0123abcd.0").write_bytes(CHAIN.parts["root"].pem)
    (tmp_path / "4567abcd.0").write_bytes(issue("other", is_ca=True).pem)

    def count(cafile: Path | None, capath: Path | None) -> int:
        paths = SimpleNamespace(cafile=cafile and str(cafile), capath=capath and str(capath))
        monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
        return load_roots().count

    assert count(file, tmp_path) == 1
    assert count(None, tmp_path) == 2
    assert count(None, None) > 20


def test_where_there_are_no_roots_nothing_is_valid() -> None:
    found = NO_TRUST.validate([Certificate(CHAIN.leaf.der)], [HOST], CHAIN_TIME)
    assert "no root to trust" in getattr(found, "text", "")


CHAIN_TIME = CHAIN.leaf.certificate.not_valid_before_utc


# ------------ Addresses in certificates ------------


@pytest.mark.parametrize(
    ("network", "is_within"),
    [("192.0.2.0/24", True), ("198.51.100.0/24", False), ("2001:db8::/32", False)],
)
def test_name_constraints_hold_for_addresses(network: str, *, is_within: bool) -> None:
    constraints = x509.NameConstraints([x509.IPAddress(ipaddress.ip_network(network))], None)
    alternative = x509.SubjectAlternativeName(
        [x509.DNSName(HOST), x509.IPAddress(ipaddress.ip_address("192.0.2.1"))]
    )
    root = issue("root", is_ca=True, extensions=[(constraints, True)])
    leaf = issue(HOST, root, extensions=[(alternative, False)])
    below, above = Certificate(leaf.der).contents, Certificate(root.der).contents
    assert below is not None
    assert above is not None
    assert is_within_constraints(below, above) is is_within
