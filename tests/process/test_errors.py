"""Errors as people meet them: a line that says what, where and what to do; the exit status."""

import os
import re
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from anchord.lab.certificates import CertificateAuthority, server_context
from anchord.lab.servers import serve_tls
from anchord.model.ede import EdeCode
from support import background
from support.asking import ask
from support.command import Ran, configuration, run, serving
from support.programs import free_ports, needs, path_of
from support.served import Served


def the_line(ran: Ran, status: int) -> str:
    """The one line that the command ended with, after its name."""
    assert ran.status == status, ran.stderr
    assert re.fullmatch(r"anchord: [^\n]+\n", ran.stderr), ran.stderr
    return ran.stderr[9:-1]


# ------------ The configuration ------------

ANY = "[listen]\ncontrol = 'none'\ndns = ['127.0.0.1:0']\n"
"""Three lines that every file begins with; what is wrong stands below."""


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("upstreams = 3", 4, "listen.upstreams: "),
        ("[cache]\nsiez = '64MiB'", 5, "cache.siez: .*unknown"),
        ("[cache]\nsize = '64KiB'", 5, "cache.size: 64KiB is too little; give 1MiB or more"),
        ("[dnssec]\nnsec3_iterations = 501", 5, "dnssec.nsec3_iterations: .*at most 500"),
        ("[forward]\ntimeout = '2h'", 5, "forward.timeout: 2h is out of range; give 100ms to 1m"),
        ("[forward]\ntimeout = 4", 5, "forward.timeout: .*expected a text"),
        ("[dnssec]\ntime = 'noon'", 5, "dnssec.time: "),
        ("[[upstream]]\nurl = 'udp://127.0.0.1'", 5, r"upstream\[0\].url: .*in the clear; use"),
        ("[[upstream]]\nurl = 'tls:127.0.0.1'", 5, r"upstream\[0\].url: "),
        ("[[upstream]]\nurl = 'gopher://127.0.0.1'", 5, r"upstream\[0\].url: .*gopher"),
        ("[dnssec", 4, "not TOML: "),
    ],
)
def test_a_wrong_key_is_told_with_file_line_and_name(
    text: str, line: int, expected: str, tmp_path: Path
) -> None:
    file = tmp_path / "anchord.toml"
    file.write_text(ANY + text + "\n")
    said = the_line(run("serve", "--config", str(file)), 2)
    assert re.match(f"{re.escape(str(file))}:{line}: {expected}", said), said


@pytest.mark.parametrize("command", [("query", "good.lab"), ("stats",), ("flush",)])
def test_every_command_tells_of_a_wrong_key(command: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "anchord.toml"
    file.write_text(ANY + "[cache]\nsiez = '64MiB'\n")
    said = the_line(run(*command, "--config", str(file)), 2)
    assert said.startswith(f"{file}:5: cache.siez: ")


def test_a_configuration_that_is_not_there_is_told(tmp_path: Path) -> None:
    file = tmp_path / "missing.toml"
    said = the_line(run("serve", "--config", str(file)), 2)
    assert said == f"{file}: cannot be read: No such file or directory; name another with --config"


def test_a_configuration_that_is_not_text_is_told(tmp_path: Path) -> None:
    file = tmp_path / "anchord.toml"
    file.write_bytes(b"[listen]\n# \xff\n")
    assert the_line(run("serve", "--config", str(file)), 2).startswith(f"{file}:2: is not UTF-8")


# ------------ Trust anchors ------------

GOOD = ". DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n"


@pytest.mark.parametrize("command", [("serve",), ("query", "--direct", "good.lab")])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, ": the trust anchors cannot be read: No such file or directory; mend dnssec"),
        ("", ": holds no trust anchor; write DS or DNSKEY records into it"),
        ("\n" + GOOD.replace("E06D", "E06"), ":2: the hexadecimal part is damaged; copy"),
        (GOOD.replace("E06D", "E0"), ":1: a digest of type 2 has 32 octets, not 31; copy"),
        (GOOD + "com. DS 1 2\n", ":2: the DS record ends too early; write key tag"),
        (GOOD.replace("DS", "A"), ":1: A is no trust anchor; write a DS or a DNSKEY record"),
        (GOOD.removeprefix("."), ":1: a record without its name; begin the line with"),
        ("\0\1\2", ":1: "),
        (b"\xff\xfe", ": not a text; write DS or DNSKEY records in zone-file syntax"),
    ],
)
def test_a_wrong_anchor_file_is_told_with_its_line(
    command: tuple[str, ...], text: str | bytes | None, expected: str, tmp_path: Path
) -> None:
    anchors = tmp_path / "anchors"
    if text is not None:
        anchors.write_bytes(text if isinstance(text, bytes) else text.encode())
    file = configuration(tmp_path, "tls://127.0.0.1:9", dnssec={"trust_anchors": str(anchors)})
    said = the_line(run(*command, "--config", str(file)), 2)
    assert said.startswith(f"{anchors}{expected}"), said
    assert not (tmp_path / "control.sock").exists()


# ------------ Addresses ------------


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM], ids=["tcp", "udp"])
def test_a_port_that_is_taken_is_told_with_its_holder(
    kind: socket.SocketKind, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_INET, kind) as holder:
        holder.bind(
            ("127.0.0.1", free_ports(1)[0])
        )  # nobody else's, for the other protocol neither
        if kind == socket.SOCK_STREAM:
            holder.listen()
        port = holder.getsockname()[1]
        file = configuration(tmp_path, "tls://127.0.0.1:9", dns=(f"127.0.0.1:{port}",))
        said = the_line(run("serve", "--config", str(file)), 2)
    holding = rf" by .*\b{os.getpid()}\b.*" if sys.platform == "linux" else ".*"
    assert re.fullmatch(
        rf"127\.0\.0\.1:{port}: address already in use{holding}; "
        r'set \[listen\] dns = \["127\.0\.0\.1:\d+"\] or --listen 127\.0\.0\.1:\d+',
        said,
    ), said
    assert not (tmp_path / "control.sock").exists()


def test_addresses_that_others_can_reach_need_consent(tmp_path: Path) -> None:
    file = configuration(tmp_path, "tls://127.0.0.1:9")
    said = the_line(run("serve", "--config", str(file), "--listen", "192.0.2.1:53"), 2)
    assert said.startswith("--listen: 192.0.2.1:53 can be reached from other machines; use ")
    said = the_line(run("lab", "--listen", "0.0.0.0:5300"), 2)
    assert said.startswith("--listen: 0.0.0.0:5300 can be reached from other machines; use ")


@pytest.mark.parametrize("command", ["serve", "lab"])
def test_an_address_that_is_none_is_told(command: str) -> None:
    said = the_line(run(command, "--listen", "localhost"), 2)
    assert said.startswith('--listen: "localhost" is no address with a port; write it like ')


# ------------ An ordinary user ------------


@pytest.fixture
def as_ordinary_user() -> tuple[str, ...]:
    """A command that runs another without the privileges of an administrator.

    It stays the user that it is, since another one could not read where the tests live.
    """
    limit = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    if not limit.exists() or limit.read_text().strip() != "1024":
        pytest.skip("here ordinary users may have port 53")
    if os.geteuid() != 0:
        return ()
    return (path_of("setpriv"), "--bounding-set=-all", "--inh-caps=-all")


@needs("setpriv")
def test_an_ordinary_user_hears_which_port_is_free_and_how_to_say_so(
    as_ordinary_user: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "anchord.toml"
    file.write_text("[listen]\ncontrol = 'none'\n")
    said = the_line(run("serve", "--config", str(file), prefix=as_ordinary_user), 2)
    assert said.startswith("127.0.0.1:53: ports below 1024 are not for ordinary users; ")
    remedy = re.search(r'set \[listen\] dns = \["(127\.0\.0\.1:\d+)"\] or --listen (\S+),', said)
    assert remedy is not None
    assert remedy[1] == remedy[2]
    assert "CAP_NET_BIND_SERVICE" in said


@needs("setpriv")
def test_the_port_that_an_ordinary_user_is_told_works(
    as_ordinary_user: tuple[str, ...], lab: Served, tmp_path: Path
) -> None:
    file = configuration(tmp_path, lab.udp, dns=("127.0.0.1:53",), dnssec=lab.dnssec)
    told = the_line(run("serve", "--config", str(file), prefix=as_ordinary_user), 2)
    listen = told.partition("--listen ")[2].partition(",")[0]
    with serving(file, "--listen", listen, prefix=as_ordinary_user) as daemon:
        assert daemon.port == int(listen.rpartition(":")[2])
        assert ask(daemon.port, "good.lab").is_authentic


@needs("setpriv")
def test_a_configuration_that_may_not_be_read_is_told(
    as_ordinary_user: tuple[str, ...], tmp_path: Path
) -> None:
    file = configuration(tmp_path, "tls://127.0.0.1:9")
    file.chmod(0)
    said = the_line(run("query", "a.example", "--config", str(file), prefix=as_ordinary_user), 2)
    assert said == f"{file}: cannot be read: Permission denied; name another with --config"


@needs("setpriv")
def test_a_daemon_that_may_not_be_asked_is_told(
    as_ordinary_user: tuple[str, ...], lab: Served, tmp_path: Path
) -> None:
    file = configuration(tmp_path, lab.udp, dnssec=lab.dnssec)
    with serving(file) as daemon:
        daemon.control.chmod(0)  # as the socket of another user's daemon is to this one
        said = the_line(run("stats", "--config", str(file), prefix=as_ordinary_user), 3)
    assert said == f"{daemon.control}: the daemon is another user's; try with sudo"


# ------------ Upstreams ------------


def test_an_upstream_that_cannot_be_reached_is_told_with_exit_status_3(tmp_path: Path) -> None:
    file = configuration(tmp_path, "tls://127.0.0.1:9", dns=("127.0.0.1:1",))
    said = the_line(run("query", "good.lab", "--config", str(file)), 3)
    assert said.startswith("good.lab. A: tls://127.0.0.1:9: port 9 cannot be reached (127.0.0.1: ")


def test_a_server_without_tls_is_told(lab: Served, tmp_path: Path) -> None:
    url = f"tls://127.0.0.1:{lab.plain_port}"
    file = configuration(tmp_path, url, dns=("127.0.0.1:1",))
    said = the_line(run("query", "good.lab", "--config", str(file)), 3)
    assert said.startswith(f"good.lab. A: {url}: no TLS handshake within 2 seconds; ")


@pytest.mark.parametrize(
    ("issue", "reason"),
    [
        ({"name": "other.lab", "addresses": ()}, "is for other.lab, not for 127.0.0.1"),
        ({"is_expired": True}, "expired"),
    ],
)
def test_a_wrong_certificate_is_told_by_the_command_and_to_clients(
    issue: dict[str, object], reason: str, lab: Served, tmp_path: Path
) -> None:
    authority = CertificateAuthority()
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    context = server_context(authority.issue(**issue))  # type: ignore[arg-type]
    with background.running(serve_tls(lab.world.reply, context=context)) as port:
        upstream = {"url": f"tls://127.0.0.1:{port}", "ca_file": str(tmp_path / "ca.pem")}
        _refused(tmp_path, upstream, lab, reason)


def test_a_certificate_of_an_unknown_authority_is_told(lab: Served, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(CertificateAuthority("another").pem)
    _refused(tmp_path, lab.tls | {"ca_file": str(tmp_path / "ca.pem")}, lab, "issue|authority|sign")


def test_a_pin_that_does_not_match_is_told(lab: Served, tmp_path: Path) -> None:
    _refused(tmp_path, lab.tls | {"pins": [f"sha256/{'A' * 43}="]}, lab, "pin")


def test_a_ca_file_that_cannot_be_used_is_told(lab: Served, tmp_path: Path) -> None:
    for text, expected in ((None, "no such file"), ("nothing", "")):
        path = tmp_path / "ca.pem"
        if text is not None:
            path.write_text(text)
        file = configuration(tmp_path, lab.tls | {"ca_file": str(path)}, dns=("127.0.0.1:0",))
        for command in (("serve",), ("query", "--direct", "good.lab")):
            said = the_line(run(*command, "--config", str(file)), 2)
            assert str(path) in said
            assert expected in said


def _refused(folder: Path, upstream: Mapping[str, object], lab: Served, reason: str) -> None:
    """Both ways to meet a server that is not who it should be: nothing of it is believed."""
    file = configuration(folder, upstream, dnssec=lab.dnssec)
    said = the_line(run("query", "--direct", "good.lab", "--config", str(file)), 3)
    assert re.search(reason, said), said
    with serving(file) as daemon:
        reply = ask(daemon.port, "good.lab")
        assert (reply.rcode, reply.types) == ("SERVFAIL", set())
        assert {EdeCode.NETWORK_ERROR, EdeCode.NO_REACHABLE_AUTHORITY} & set(reply.codes)
        assert re.search(reason, str(reply.edes[0].text)), reply.edes
        plain = ask(daemon.port, "good.lab", cd=True)
        assert (plain.rcode, plain.types) == ("SERVFAIL", set())
