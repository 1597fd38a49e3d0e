"""anchord over servers and zones that are none of ours, with clients that are none of ours.

NSD serves zones that BIND's tools signed; Unbound iterates over them, with and without validating,
and serves anchord over TLS; `dig` asks it, and `delv` validates what it gets through it.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.asking import ask
from support.bindtools import Delv, Dug, dig
from support.command import Daemon, configuration, run, serving
from support.programs import needs, skip_unless_bindable, skip_unless_installed
from support.resolvers import Peer, Source, unbound
from support.signed import ADDRESS, nsd

SECURE = [
    ("peers", "SOA"),
    ("nsec.peers", "A"),
    ("nsec.peers", "TXT"),
    ("nsec.peers", "DS"),
    ("nsec.peers", "DNSKEY"),
    ("www.nsec.peers", "A"),
    ("out.nsec.peers", "A"),
    ("nx.nsec.peers", "A"),
    ("b.nsec.peers", "A"),
    ("any.wild.nsec.peers", "TXT"),
    ("any.wild.nsec.peers", "A"),
    ("mail.old.nsec.peers", "A"),
    ("big.nsec.peers", "TXT"),
    ("nsec3.peers", "A"),
    ("nsec3.peers", "TXT"),
    ("nx.nsec3.peers", "A"),
    ("b.nsec3.peers", "A"),
    ("any.wild.nsec3.peers", "TXT"),
    ("any.wild.nsec3.peers", "A"),
    ("rsa.peers", "A"),
    ("nx.rsa.peers", "A"),
    ("any.wild.rsa.peers", "TXT"),
    ("big.rsa.peers", "TXT"),
    ("ed448.peers", "A"),
    ("nx.ed448.peers", "A"),
    ("below.nsec.peers", "A"),
    ("signed.optout.peers", "A"),
    ("unsigned.peers", "DS"),
]
LONG = ("big.nsec.peers", "big.rsa.peers", "nx.rsa.peers")
"""Names with answers that no datagram holds."""

INSECURE = [
    ("unsigned.peers", "A"),
    ("unsigned.peers", "TXT"),
    ("nx.unsigned.peers", "A"),
    ("below.unsigned.peers", "A"),
    ("unsigned.optout.peers", "A"),
]
BOGUS = [
    (zone_and_name, rdtype, code)
    for zone, code in (("expired.peers", 7), ("wrong-ds.peers", 9), ("stripped.peers", 10))
    for zone_and_name, rdtype in ((zone, "A"), (zone, "TXT"), (f"nx.{zone}", "A"))
]


@pytest.fixture(scope="module")
def anchors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """NSD, with the DS records of its root."""
    skip_unless_installed("nsd", "unbound", "dnssec-signzone", "dnssec-keygen")
    skip_unless_bindable(ADDRESS, 53)
    with nsd(tmp_path_factory.mktemp("nsd")) as records:
        yield records


@pytest.fixture(scope="module", params=["a resolver that validates nothing", "a validating one"])
def upstream(
    request: pytest.FixtureRequest, anchors: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Peer]:
    validates = request.param == "a validating one"
    folder = tmp_path_factory.mktemp("unbound")
    with unbound(folder, Source(ADDRESS), anchors=anchors if validates else "") as peer:
        yield peer


@pytest.fixture(scope="module")
def file(upstream: Peer, anchors: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration with that upstream over TLS, and the test root's anchors."""
    folder = tmp_path_factory.mktemp("anchord")
    (folder / "root.ds").write_text(anchors)
    return configuration(folder, upstream.tls, dnssec={"trust_anchors": str(folder / "root.ds")})


@pytest.fixture(scope="module")
def daemon(file: Path) -> Iterator[Daemon]:
    with serving(file) as running:
        yield running


# ------------ dig ------------


def twice(daemon: Daemon, *arguments: str) -> tuple[Dug, Dug]:
    """The replies when nothing is known yet, and out of the cache."""
    daemon.ask("flush")
    return dig(daemon.port, *arguments), dig(daemon.port, *arguments)


@needs("dig")
@pytest.mark.parametrize(("name", "rdtype"), SECURE)
def test_dig_sees_ad_on_what_is_secure(daemon: Daemon, name: str, rdtype: str) -> None:
    for reply in twice(daemon, "+dnssec", name, rdtype):
        assert reply.status == ("NXDOMAIN" if name.startswith("nx.") else "NOERROR")
        assert reply.flags == {"qr", "rd", "ra", "ad"}
        assert "RRSIG" in reply.types
        assert reply.edes == {}
        assert reply.is_over_tcp == (name in LONG)


@needs("dig")
@pytest.mark.parametrize(("name", "rdtype"), INSECURE)
def test_dig_sees_no_ad_on_what_is_not_signed(daemon: Daemon, name: str, rdtype: str) -> None:
    for reply in twice(daemon, "+dnssec", name, rdtype):
        assert reply.status == ("NXDOMAIN" if name.startswith("nx.") else "NOERROR")
        assert reply.flags == {"qr", "rd", "ra"}
        assert reply.edes == {}


@needs("dig")
@pytest.mark.parametrize(("name", "rdtype", "code"), BOGUS)
def test_dig_sees_the_reason_why_an_answer_is_withheld(
    daemon: Daemon, name: str, rdtype: str, code: int
) -> None:
    cold, warm = twice(daemon, "+dnssec", name, rdtype)
    for reply in (cold, warm):
        assert reply.status == "SERVFAIL"
        assert reply.flags == {"qr", "rd", "ra"}
        assert reply.records == []
        assert name.removeprefix("nx.") in reply.edes[code]
    assert (list(cold.edes), list(warm.edes)) == ([code], [code, 13])


@needs("dig")
@pytest.mark.parametrize(("name", "rdtype", "code"), BOGUS)
def test_dig_sees_the_data_and_the_reason_with_cd(
    daemon: Daemon, name: str, rdtype: str, code: int
) -> None:
    for reply in twice(daemon, "+dnssec", "+cd", name, rdtype):
        assert reply.status == ("NXDOMAIN" if name.startswith("nx.") else "NOERROR")
        assert reply.flags == {"qr", "rd", "ra", "cd"}
        assert {rdtype, "SOA"} & reply.types
        assert next(iter(reply.edes)) == code
    assert dig(daemon.port, "+dnssec", name, rdtype).status == "SERVFAIL"


@needs("dig")
def test_dig_gets_signatures_with_do_alone_and_ad_with_do_or_ad(daemon: Daemon) -> None:
    for options, has_ad, has_signatures in (
        (("+dnssec", "+noad"), True, True),
        (("+nodnssec", "+ad"), True, False),
        (("+nodnssec", "+noad"), False, False),
        (("+noedns", "+ad"), True, False),
    ):
        reply = dig(daemon.port, *options, "nsec.peers")
        assert ("ad" in reply.flags, "RRSIG" in reply.types) == (has_ad, has_signatures), options


@needs("dig")
def test_dig_over_tcp_gets_the_same(daemon: Daemon) -> None:
    for name in ("nsec.peers", "nx.nsec3.peers"):
        udp, tcp = (
            dig(daemon.port, "+dnssec", transport, name) for transport in ("+notcp", "+tcp")
        )
        assert (udp.is_over_tcp, tcp.is_over_tcp) == (False, True)
        assert tcp.flags == udp.flags
        assert [line.split()[:1] + line.split()[2:] for line in tcp.records] == [
            line.split()[:1] + line.split()[2:] for line in udp.records
        ]


# ------------ delv ------------


@pytest.fixture(scope="module")
def delv(anchors: str, tmp_path_factory: pytest.TempPathFactory) -> Delv:
    return Delv(tmp_path_factory.mktemp("delv"), anchors)


@needs("delv")
@pytest.mark.parametrize("cd", ["+nocdflag", "+cdflag"])
@pytest.mark.parametrize(
    ("name", "rdtype", "verdict"),
    [(*question, "secure") for question in SECURE]
    + [(*question, "insecure") for question in INSECURE],
)
def test_delv_validates_what_it_gets_through_anchord(
    daemon: Daemon, delv: Delv, name: str, rdtype: str, verdict: str, cd: str
) -> None:
    said = delv.ask(daemon.port, cd, name, rdtype)
    assert said.verdict == verdict, said


@needs("delv")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("expired.peers", "RRSIG has expired"),
        ("wrong-ds.peers", "wrong-ds.peers/DNSKEY: no valid signature found (DS)"),
        ("stripped.peers", "insecurity proof failed"),
    ],
)
@pytest.mark.parametrize("rdtype", ["A", "TXT"])
def test_delv_finds_the_same_faults(
    daemon: Daemon, delv: Delv, name: str, reason: str, rdtype: str
) -> None:
    said = delv.ask(daemon.port, "+cdflag", name, rdtype)
    assert said.verdict == "bogus"
    assert reason in said.errors
    assert delv.ask(daemon.port, "+nocdflag", name, rdtype).verdict == "bogus"


# ------------ The upstream is believed in nothing ------------


def test_the_upstreams_opinion_makes_no_difference(upstream: Peer, daemon: Daemon) -> None:
    """What Unbound itself says of these zones: the two of this module differ, and we do not."""
    theirs = ask(upstream.port, "nsec.peers").is_authentic
    assert ask(daemon.port, "nsec.peers").is_authentic
    assert ask(upstream.port, "expired.peers").rcode == ("SERVFAIL" if theirs else "NOERROR")
    assert ask(daemon.port, "expired.peers").rcode == "SERVFAIL"


def test_the_command_proves_it_too(file: Path, daemon: Daemon) -> None:
    for name, status in (("nsec3.peers", 0), ("unsigned.peers", 0), ("wrong-ds.peers", 1)):
        ran = run("query", "--direct", "--config", str(file), name)
        assert ran.status == status, ran
    assert daemon.process.poll() is None


def test_another_name_than_the_certificates_is_refused(
    upstream: Peer, anchors: str, tmp_path: Path
) -> None:
    table = upstream.tls | {"url": f"tls://other.example:{upstream.tls_port}"}
    (tmp_path / "root.ds").write_text(anchors)
    file = configuration(tmp_path, table, dnssec={"trust_anchors": str(tmp_path / "root.ds")})
    ran = run("query", "--direct", "--config", str(file), "nsec.peers")
    assert ran.status == 3
    assert "is for dns.peer.example" in ran.stderr
    assert "not for other.example" in ran.stderr
