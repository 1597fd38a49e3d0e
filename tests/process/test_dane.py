"""`anchord dane`: what it prints for people and for programs, and how it ends."""

import json
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from anchord.cli.main import main
from anchord.lab.certificates import CertificateAuthority, server_context
from anchord.lab.dane_table import MAIL, SCENARIOS
from anchord.lab.dane_world import Running, running
from anchord.lab.plan import Plan
from anchord.lab.servers import serve_tls
from anchord.lab.table import tree
from anchord.lab.world import World
from support import background
from support.command import Ran, configuration, environment, run

PAGE = Path(__file__).parents[2] / "docs" / "dane.md"

COUSINS = Plan(
    "cousins.lab",
    "other records that rest on DNSSEC as TLSA does",
    records=f"""
        host                SSHFP       4 2 {"ab" * 32}
        hash._smimecert     SMIMEA      3 1 1 {"cd" * 32}
        hash._openpgpkey    OPENPGPKEY  AAECAwQ=
        @                   CAA         0 issue "ca.example"
    """,
)


@dataclass(frozen=True)
class Lab:
    """The lab's services, and the configuration by which the command finds them."""

    services: Running
    file: Path

    def run(self, *arguments: str) -> Ran:
        """The command, in this process: its own takes a second to start."""
        command, *rest = arguments
        stdout, stderr = StringIO(), StringIO()
        with redirect_stdout(stdout), redirect_stderr(stderr):
            status = main(["dane", command, "--config", str(self.file), *rest])
        return Ran(status, stdout.getvalue(), stderr.getvalue())

    def of(self, host: str) -> str:
        """`HOST:PORT` of a scenario's service."""
        (scenario,) = (one for one in SCENARIOS if one.host == host)
        return f"{scenario.full_name}:{self.services.ports[host]}"


@asynccontextmanager
async def _running(folder: Path) -> AsyncIterator[Lab]:
    authority = CertificateAuthority()
    async with running() as services:
        target = f"{services.ports['xmpp-client']} xmpp-client.tls.lab."
        srv = Plan("srv.lab", "a service", records=f"_xmpp-client._tcp SRV 1 1 {target}")
        plans = [*tree.PLANS, *services.plans, COUSINS, srv]
        world = World(int(time.time()), plans=plans)
        async with serve_tls(world.reply, context=server_context(authority.issue())) as port:
            (folder / "ca.pem").write_bytes(authority.pem)
            (folder / "roots.pem").write_bytes(services.roots)
            (folder / "root.ds").write_text(world.trust_anchors())
            upstream = {"url": f"tls://127.0.0.1:{port}", "ca_file": str(folder / "ca.pem")}
            file = configuration(
                folder,
                upstream,
                dns=("127.0.0.1:1",),
                dnssec={"trust_anchors": str(folder / "root.ds")},
                dane={"ca_file": str(folder / "roots.pem")},
            )
            yield Lab(services, file)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with background.running(_running(tmp_path_factory.mktemp("dane"))) as started:
        yield started


def in_json(ran: Ran) -> Any:
    return json.loads(ran.stdout)


# ------------ check ------------


def test_a_match_for_people(lab: Lab) -> None:
    ran = run("dane", "check", "--config", str(lab.file), lab.of("ee"))
    assert (ran.status, ran.stderr) == (0, "")
    head, tlsa, record, address, certificate, pkix, duty = ran.stdout.splitlines()
    assert head == f"{lab.of('ee')}: match"
    assert tlsa.startswith(f"  TLSA _{lab.services.ports['ee']}._tcp.ee.tls.lab (secure, for ")
    assert record.startswith("    0  3 1 1 ")
    assert record.endswith("…  fits")
    assert address == "  127.0.0.1  match  record 0, TLSv1.3"
    assert certificate.startswith(
        "  certificate of ee.tls.lab, issued by Issuer of the Lab, until "
    )
    assert pkix.startswith("  PKIX not valid: ")
    assert duty == "  who honours DANE talks to it only if it fits"


def test_a_mismatch_for_people_says_why_at_the_top(lab: Lab) -> None:
    ran = lab.run("check", lab.of("hijacked"))
    assert (ran.status, ran.stderr) == (1, "")
    assert ran.stdout.splitlines()[:2] == [
        f"{lab.of('hijacked')}: mismatch",
        "  the server's key is another one",
    ]
    assert "  PKIX valid" in ran.stdout


@pytest.mark.parametrize(
    ("host", "status", "result"),
    [
        ("ee", 0, "match"),
        ("absent", 0, "no-tlsa"),
        ("unusable", 0, "no-tlsa"),
        ("unsigned", 0, "insecure"),
        ("ta-other-name", 1, "mismatch"),
        ("forged", 1, "bogus"),
        ("silent", 3, "unreachable"),
        ("alerts", 3, "unreachable"),
    ],
)
def test_the_exit_status_goes_by_the_result(lab: Lab, host: str, status: int, result: str) -> None:
    ran = lab.run("check", "--json", lab.of(host))
    assert (ran.status, in_json(ran)["result"]) == (status, result)
    said = ran.stderr.splitlines()
    assert len(said) == (status == 3)
    assert all("nothing could be judged: " in line for line in said)


def test_a_check_over_starttls(lab: Lab) -> None:
    ran = lab.run("check", lab.of("imap"), "--starttls", "imap")
    assert ran.status == 0
    assert ran.stdout.splitlines()[0] == f"{lab.of('imap')} (imap, STARTTLS): match"


def test_stripped_starttls_is_a_mismatch(lab: Lab) -> None:
    ran = lab.run("check", lab.of("smtp-strips"), "--starttls", "smtp", "--json")
    check = in_json(ran)
    assert (ran.status, check["result"]) == (1, "mismatch")
    assert (check["failure"], check["tls"]) == ("starttls-not-supported", "authenticated")


def test_the_targets_of_srv_records_speak_the_protocol_of_their_service(lab: Lab) -> None:
    port = lab.services.ports["xmpp-client"]
    ran = lab.run("check", "srv.lab", "--srv", "xmpp-client")
    assert (ran.status, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert lines[0] == "_xmpp-client._tcp.srv.lab: SRV secure"
    assert f"xmpp-client.tls.lab:{port} (xmpp-client, STARTTLS): match" in lines
    srv = in_json(lab.run("check", "srv.lab", "--srv", "xmpp-client", "--json"))
    assert [service["result"] for service in srv["services"]] == ["match"]


# ------------ tlsa, smtp, lint ------------


def test_the_records_of_a_service(lab: Lab) -> None:
    port = str(lab.services.ports["unusable"])
    ran = lab.run("tlsa", "unusable.tls.lab", port)
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[0] == f"_{port}._tcp.unusable.tls.lab TLSA: secure"
    assert "unusable: a digest of type 1 has 32 octets, not 2" in ran.stdout
    records = in_json(lab.run("tlsa", "unusable.tls.lab", port, "--json"))
    assert (records["security"], len(records["records"])) == ("secure", 5)
    assert not any(record["usable"] for record in records["records"])


def test_a_mail_domain_for_people(lab: Lab) -> None:
    port = str(lab.services.ports["mail-one-bad"])
    ran = lab.run("smtp", "mail-one-bad.tls.lab", "--port", port)
    assert ran.status == 1
    lines = ran.stdout.splitlines()
    assert lines[0] == "mail-one-bad.tls.lab: MX secure, policy dane-only"
    assert "10 mx1.mail-one-bad.tls.lab: match" in lines
    assert "20 mx2.mail-one-bad.tls.lab: mismatch" in lines


@pytest.mark.parametrize(
    ("name", "status"),
    [("mail", 0), ("mail-null", 0), ("mail-none", 0), ("mail-one-bad", 1), ("mail-forged", 1)],
)
def test_the_exit_status_of_a_mail_domain(lab: Lab, name: str, status: int) -> None:
    (domain,) = (one for one in MAIL if one.name == name)
    port = str(lab.services.ports[name])
    ran = lab.run("smtp", "--json", domain.full_name, "--port", port)
    assert (ran.status, in_json(ran)["policy"]) == (status, domain.policy)


def test_a_mail_domain_that_does_not_exist_is_unreachable(lab: Lab) -> None:
    ran = lab.run("smtp", "nobody.tls.lab")
    assert ran.status == 3
    assert "does not exist" in ran.stdout
    assert ran.stderr.startswith("anchord: nobody.tls.lab: nothing could be judged: ")


@pytest.mark.parametrize(("host", "status"), [("ee-rollover", 0), ("ee", 0), ("ee-other-key", 1)])
def test_lint_fails_where_it_finds_an_error(lab: Lab, host: str, status: int) -> None:
    ran = lab.run("lint", lab.of(host))
    assert (ran.status, ran.stderr) == (status, "")
    assert ("error" in ran.stdout) == bool(status)


# ------------ Cousins ------------


@pytest.mark.parametrize(
    ("name", "rdtype", "data"),
    [
        ("host", "SSHFP", f"4 2 {'ab' * 32}"),
        ("hash._smimecert", "SMIMEA", f"3 1 1 {'cd' * 32}"),
        ("hash._openpgpkey", "OPENPGPKEY", "AAECAwQ="),
        ("", "CAA", '0 issue "ca.example"'),
    ],
)
def test_query_shows_the_cousins_of_tlsa_with_their_verdict(
    lab: Lab, name: str, rdtype: str, data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    owner = f"{name}.cousins.lab".lstrip(".")
    assert main(["query", "--config", str(lab.file), owner, rdtype]) == 0
    head, record, *_ = capsys.readouterr().out.splitlines()
    assert head == f";; {owner}. {rdtype}: secure, NOERROR"
    assert record.split("\t") == [f"{owner}.", "300", "IN", rdtype, data]


# ------------ Usage ------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("check", "192.0.2.1"), "an IP address has no TLSA records"),
        (("check", "host:0"), "0 is no port"),
        (("check", "host:x"), "x is no port"),
        (("check", "host", "--starttls", "gopher"), "gopher"),
        (("tlsa", "host"), "PORT"),
        (("nonsense",), "nonsense"),
        (("hook", "certbot"), "not built yet"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_status_2(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dane", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert words in said.err


def test_a_file_of_roots_that_is_not_there_is_one_line(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "anchord.toml"
    text = lab.file.read_text().replace("roots.pem", "missing.pem")
    file.write_text(text)
    ran = run("dane", "check", "--config", str(file), "host.example")
    assert (ran.status, ran.stdout) == (2, "")
    assert len(ran.stderr.splitlines()) == 1
    assert "missing.pem" in ran.stderr


# ------------ From Python ------------


def example(number: int, lab: Lab, tmp_path: Path, *arguments: str) -> str:
    """What an example of the page prints, with the lab's configuration."""
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[number]
    (tmp_path / "anchord").mkdir()
    (tmp_path / "anchord" / "anchord.toml").write_text(lab.file.read_text())
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        env=environment(XDG_CONFIG_HOME=str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout.strip()


def test_the_example_in_python_checks_a_service(lab: Lab, tmp_path: Path) -> None:
    name, port = lab.of("ee").split(":")
    assert example(0, lab, tmp_path, name, port) == "match at 127.0.0.1"


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("ee", "proven by dane"),
        ("hijacked", "DANE says mismatch: the server's key is another one; send nothing, "),
        ("absent", "DANE says no-tlsa, and PKIX is not valid: no path leads from its issuer "),
        ("forged", "DANE says bogus: "),
    ],
)
def test_the_example_in_python_judges_a_connection_of_its_own(
    lab: Lab, tmp_path: Path, host: str, said: str
) -> None:
    name, port = lab.of(host).split(":")
    ran = example(1, lab, tmp_path, name, "127.0.0.1", port)
    assert ran.removeprefix(f"{name}:{port}: ").startswith(said)


def test_the_tour_of_the_services_ends_well() -> None:
    ran = run("lab", "--tour", "dane", timeout=60)
    assert (ran.status, ran.stderr) == (0, "")
    *lines, last = ran.stdout.splitlines()
    count = len(SCENARIOS) + len(MAIL)
    assert last == f"{count} services and domains, {count} results as they should be."
    shown = {line.split()[0] for line in lines if line and not line.startswith(" ")}
    assert shown == {*(one.full_name for one in SCENARIOS), *(one.full_name for one in MAIL)}
