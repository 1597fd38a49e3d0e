"""A real chain of trust, recorded in 2024, proven by the shipped trust anchors alone.

The times are those of `dnssec.time`: within the signatures' validity, a month later, a year before.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.rcode
import pytest

from support import background
from support.asking import ask
from support.chain import answer, serve_chain
from support.command import Daemon, configuration, run, serving

NAMES = (
    "matt.user._bitcoin-payment.mattcorallo.com",
    "txt_test.dnssec_proof_tests.bitcoin.ninja",
    "cname_test.dnssec_proof_tests.bitcoin.ninja",
    "a.nsec_tests.dnssec_proof_tests.bitcoin.ninja",
)
"""All asked for TXT. For the last, nothing is recorded at the names between its zone and the zone
above that."""

THEN, LATER, EARLIER = "2024-02-28T06:00:00Z", "2024-03-28T06:00:00Z", "2023-02-28T06:00:00Z"
VERDICTS = [(THEN, "secure", None), (LATER, "bogus", 7), (EARLIER, "bogus", 8)]


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    with background.running(serve_chain()) as port:
        yield f"udp://127.0.0.1:{port}"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("time", "status", "code"), VERDICTS)
def test_the_command_proves_it_when_it_was_signed_and_at_no_other_time(
    upstream: str, tmp_path: Path, time: str, status: str, code: int | None, name: str
) -> None:
    file = configuration(tmp_path, upstream, dns=("127.0.0.1:1",), dnssec={"time": time})
    ran = run("query", name, "TXT", "--json", "--config", str(file))
    said = json.loads(ran.stdout)
    assert (said["status"], ran.status) == (status, 1 if code else 0)
    assert [ede["code"] for ede in said["extended_dns_errors"]][:1] == ([code] if code else [])
    if status == "secure":
        assert [set_["dnssec_status"] for set_ in said["answer"]] == ["secure"] * len(
            said["answer"]
        )
        assert said["answer"][-1]["type"] == "TXT"
        assert said["chain"][0]["anchored"]
        assert said["chain"][0]["zone"] == "."
        assert 20326 in said["chain"][0]["key_tags"]


@pytest.fixture(scope="module", params=VERDICTS, ids=[time for time, _, _ in VERDICTS])
def daemon(
    request: pytest.FixtureRequest, upstream: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Daemon, str, int | None]]:
    time, status, code = request.param
    file = configuration(tmp_path_factory.mktemp("chain"), upstream, dnssec={"time": time})
    with serving(file) as running:
        yield running, status, code


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_the_daemon_does_too(
    daemon: tuple[Daemon, str, int | None], name: str, *, tcp: bool
) -> None:
    running, status, code = daemon
    reply = ask(running.port, name, "TXT", tcp=tcp)
    if status == "secure":
        assert (reply.rcode, reply.is_authentic, reply.codes) == ("NOERROR", True, [])
        assert {"TXT", "RRSIG"} <= reply.types
        return
    assert (reply.rcode, reply.is_authentic, reply.types) == ("SERVFAIL", False, set())
    assert reply.codes[0] == code
    data = ask(running.port, name, "TXT", tcp=tcp, cd=True)
    assert (data.rcode, data.is_authentic, data.codes[0]) == ("NOERROR", False, code)
    assert {"TXT", "RRSIG"} <= data.types


def test_the_log_says_that_the_time_is_fixed(daemon: tuple[Daemon, str, int | None]) -> None:
    assert "signatures are judged as of dnssec.time = 202" in daemon[0].text


def test_names_in_between_are_not_recorded() -> None:
    """Who asks for them, as some validators do, fails on this chain."""
    for name in ("nsec_tests.dnssec_proof_tests.bitcoin.ninja", "dnssec_proof_tests.bitcoin.ninja"):
        query = dns.message.make_query(name, "A")
        reply = dns.message.from_wire(answer(query.to_wire(), over_udp=True))
        assert dns.rcode.to_text(reply.rcode()) == "SERVFAIL"
