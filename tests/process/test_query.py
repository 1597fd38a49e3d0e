"""`anchord query`: what it prints, whom it asks, and how it ends."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.asking import ask
from support.command import Daemon, Ran, configuration, run, serving
from support.served import Served


@pytest.fixture
def direct(lab: Served, tmp_path: Path) -> Path:
    """A configuration with nobody behind its address, so that the upstream itself is asked."""
    return configuration(tmp_path, lab.tls, dns=("127.0.0.1:1",), dnssec=lab.dnssec)


def query(file: Path, *arguments: str) -> Ran:
    return run("query", "--config", str(file), *arguments)


def in_json(ran: Ran) -> Any:
    return json.loads(ran.stdout)


# ------------ What it prints ------------


def test_a_secure_answer_for_people(direct: Path) -> None:
    ran = query(direct, "good.lab", "MX")
    assert (ran.status, ran.stderr) == (0, "")
    head, record, tail = ran.stdout.splitlines()
    assert head == ";; good.lab. MX: secure, NOERROR"
    assert record.split() == ["good.lab.", "300", "IN", "MX", "10", "mail.good.lab."]
    assert tail.startswith(";; ")
    assert " ms from tls://127.0.0.1:" in tail


def test_the_type_is_a_unless_told(direct: Path) -> None:
    assert query(direct, "good.lab").stdout.startswith(";; good.lab. A: secure, NOERROR\n")


def test_a_denial_shows_the_soa_record(direct: Path) -> None:
    ran = query(direct, "nx.good.lab")
    assert ran.status == 0
    assert ran.stdout.startswith(";; nx.good.lab. A: secure, NXDOMAIN\ngood.lab.\t")
    assert "\tIN\tSOA\t" in ran.stdout


def test_a_bogus_answer_shows_the_reason_and_no_record(direct: Path) -> None:
    ran = query(direct, "forged.lab")
    assert (ran.status, ran.stderr) == (1, "")
    head, reason, tail = ran.stdout.splitlines()
    assert head == ";; forged.lab. A: bogus, SERVFAIL"
    assert reason.startswith(";; EDE 6 (DNSSEC Bogus): ")
    assert "forged.lab." in reason
    assert " ms" in tail


def test_a_secure_answer_for_programs(direct: Path) -> None:
    ran = query(direct, "www.good.lab", "--json")
    assert (ran.status, ran.stderr) == (0, "")
    answer = in_json(ran)
    assert (answer["name"], answer["type"]) == ("www.good.lab.", "A")
    assert (answer["status"], answer["rcode"]) == ("secure", "NOERROR")
    assert answer["extended_dns_errors"] == []
    assert [(each["type"], each["dnssec_status"]) for each in answer["answer"]] == [
        ("CNAME", "secure"),
        ("A", "secure"),
    ]
    assert all(each["rrsig"] for each in answer["answer"])
    assert answer["answer"][1]["data"] == ["192.0.2.1"]
    assert [link["zone"] for link in answer["chain"]] == [".", "lab.", "good.lab."]


@pytest.mark.parametrize(
    ("name", "status", "word", "code"),
    [
        ("good.lab", 0, "secure", None),
        ("unsigned.lab", 0, "insecure", None),
        ("unknown-digest.lab", 0, "insecure", 2),
        ("expired.lab", 1, "bogus", 7),
        ("stripped.lab", 1, "bogus", 10),
        ("wrong-ds.lab", 1, "bogus", 9),
        ("unreachable.lab", 3, "indeterminate", 22),
    ],
)
def test_the_exit_status_goes_by_the_verdict(
    direct: Path, name: str, status: int, word: str, code: int | None
) -> None:
    ran = query(direct, name, "--json")
    assert ran.status == status
    answer = in_json(ran)
    assert answer["status"] == word
    assert answer["rcode"] == ("SERVFAIL" if status else "NOERROR")
    assert next((ede["code"] for ede in answer["extended_dns_errors"]), None) == code


def test_a_name_outside_every_trust_anchor_is_indeterminate_and_no_failure(
    lab: Served, tmp_path: Path
) -> None:
    anchors = tmp_path / "hashed.ds"
    ran = run(
        "query",
        "--json",
        "--config",
        str(configuration(tmp_path, lab.udp, dns=("127.0.0.1:1",), dnssec=lab.dnssec)),
        "hashed.",
        "DS",
    )
    anchors.write_text(f"hashed. DS {in_json(ran)['answer'][0]['data'][0]}\n")
    file = configuration(
        tmp_path, lab.udp, dns=("127.0.0.1:1",), dnssec={"trust_anchors": str(anchors)}
    )
    outside, below = query(file, "--json", "good.lab"), query(file, "--json", "good.hashed")
    assert (outside.status, in_json(outside)["status"]) == (0, "indeterminate")
    assert in_json(outside)["extended_dns_errors"][0]["code"] == 5
    assert (below.status, in_json(below)["status"]) == (0, "secure")


# ------------ Whom it asks ------------


@pytest.fixture
def daemon(lab: Served, tmp_path: Path) -> Iterator[Daemon]:
    folder = tmp_path / "daemon"
    folder.mkdir()
    with serving(configuration(folder, lab.tls, dnssec=lab.dnssec)) as running:
        yield running


@pytest.fixture
def file(daemon: Daemon, lab: Served, tmp_path: Path) -> Path:
    """The daemon's configuration, with the port that it has."""
    return configuration(tmp_path, lab.tls, dns=(f"127.0.0.1:{daemon.port}",), dnssec=lab.dnssec)


def test_it_asks_the_daemon_where_there_is_one(daemon: Daemon, file: Path, lab: Served) -> None:
    ask(daemon.port, "good.lab")
    lab.log.clear()
    good, bad = query(file, "--json", "good.lab"), query(file, "--json", "expired.lab")
    assert in_json(good)["upstream"] == f"udp://127.0.0.1:{daemon.port}"
    assert in_json(good)["status"] == "secure"
    assert (bad.status, in_json(bad)["extended_dns_errors"][0]["code"]) == (1, 7)
    assert "good.lab. A" not in {asked.text for asked in lab.log}  # the daemon has it


def test_the_verdict_is_never_taken_from_the_daemon(lab: Served, tmp_path: Path) -> None:
    """The daemon believes nobody, and the command yet another root: all is bogus to it."""
    folder = tmp_path / "other"
    folder.mkdir()
    other = folder / "other.ds"
    other.write_text(f". DS 1 8 2 {'00' * 32}\n")
    with serving(configuration(folder, lab.tls, dnssec=lab.dnssec)) as daemon:
        assert ask(daemon.port, "good.lab").is_authentic
        file = configuration(
            tmp_path,
            lab.tls,
            dns=(f"127.0.0.1:{daemon.port}",),
            dnssec={"trust_anchors": str(other)},
        )
        ran = query(file, "--json", "good.lab")
    assert (ran.status, in_json(ran)["status"]) == (1, "bogus")
    assert in_json(ran)["extended_dns_errors"][0]["code"] == 9


def test_direct_goes_past_the_daemon(file: Path, lab: Served) -> None:
    assert in_json(query(file, "--json", "--direct", "good.lab"))["upstream"] == lab.tls["url"]


def test_upstream_goes_past_the_daemon_and_the_configuration(
    daemon: Daemon, lab: Served, tmp_path: Path
) -> None:
    address = f"127.0.0.1:{daemon.port}"
    consent = {"allow_plaintext": True}
    file = configuration(tmp_path, lab.tls, dns=(address,), dnssec=lab.dnssec, forward=consent)
    ran = query(file, "--json", "--upstream", lab.udp, "good.lab")
    assert (in_json(ran)["upstream"], in_json(ran)["status"]) == (lab.udp, "secure")


def test_an_upstream_in_plaintext_needs_consent_on_the_command_line_too(direct: Path) -> None:
    ran = query(direct, "--upstream", "udp://127.0.0.1:53", "good.lab")
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr.startswith("anchord: --upstream: udp://127.0.0.1:53 sends every question")
