"""`anchord lab`: the tour, and the lab to stay in."""

import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from anchord.lab.table import TOUR
from anchord.model.verdict import Status
from support.asking import ask
from support.command import ANCHORD, END, START, environment, run
from support.programs import free_ports


def test_the_tour_shows_each_answer_as_it_should_be_and_ends_well() -> None:
    ran = run("lab", "--tour", timeout=60)
    assert (ran.status, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert lines[-1] == f"{len(TOUR)} questions, {len(TOUR)} answers as they should be."
    rows = [line for line in lines[:-2] if not re.match(r" +EDE ", line)]
    assert len(rows) == len(TOUR)
    for case, row in zip(TOUR, rows, strict=True):
        name, rdtype, word, _, shows = row.split(maxsplit=4)
        assert (f"{name} {rdtype}", word, shows) == (str(case), case.status.word, case.shows)


def test_the_tour_tells_apart_what_people_must_tell_apart() -> None:
    """Secure, insecure, expired, forged, stripped, wrong DS, proven absence, unreachable."""
    text = run("lab", "--tour", timeout=60).stdout
    for pattern in (
        r"secure +NOERROR",
        r"insecure +NOERROR",
        r"secure +NXDOMAIN",
        r"bogus .*\n +EDE 7 Signature Expired: .*expired",
        r"bogus .*\n +EDE 6 DNSSEC Bogus: .*forged",
        r"bogus .*\n +EDE 10 RRSIGs Missing: .*no RRSIG",
        r"bogus .*\n +EDE 9 DNSKEY Missing: .*DS",
        r"indeterminate .*\n +EDE 2[23] ",
    ):
        assert re.search(pattern, text), pattern


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_lab_stays_until_a_signal_ends_it(tmp_path: Path, number: signal.Signals) -> None:
    (port,) = free_ports(1)
    output, log = tmp_path / "output", tmp_path / "log"
    with (
        output.open("wb") as stdout,
        log.open("wb") as stderr,
        subprocess.Popen(
            [*ANCHORD, "lab", "--listen", f"127.0.0.1:{port}"],
            stdout=stdout,
            stderr=stderr,
            env=environment(),
        ) as process,
    ):
        try:
            deadline = time.monotonic() + START
            while "message=ready" not in log.read_text():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline
                time.sleep(0.02)
            said = output.read_text()
            offered = re.findall(rf"dig @127\.0\.0\.1 -p {port} \+dnssec (\S+) (\S+)", said)
            assert [f"{name} {rdtype}" for name, rdtype in offered] == list(map(str, TOUR))
            for case, (name, rdtype) in zip(TOUR, offered, strict=True):
                reply = ask(port, name, rdtype)
                assert reply.is_authentic == (case.status is Status.SECURE)
                assert (reply.rcode == "SERVFAIL") == case.status.is_failure
            command = re.search(r"anchord query --config (\S+) good\.lab", said)
            assert command is not None
            ran = run("query", "--config", command[1], "good.lab")
            assert ran.stdout.startswith(";; good.lab. A: secure, NOERROR\n")
            process.send_signal(number)
            assert process.wait(END) == 0
        finally:
            process.kill()
    assert "Traceback" not in log.read_text()
    assert not Path(command[1]).exists()
