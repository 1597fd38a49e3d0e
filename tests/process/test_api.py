"""The HTTP API of a daemon: the page about it, its sockets, and what the configuration says."""

import json
import re
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from support.asking import ask
from support.command import Daemon, configuration, run, serving
from support.served import Served

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
CURL = shutil.which("curl")


def port_of(daemon: Daemon) -> int:
    found = re.search(r"message=ready .*api=127\.0\.0\.1:(\d+)", daemon.text)
    assert found is not None
    return int(found[1])


@pytest.fixture
def daemon(lab: Served, tmp_path: Path) -> Iterator[Daemon]:
    file = configuration(tmp_path, lab.tls, dnssec=lab.dnssec, listen={"api": ("127.0.0.1:0",)})
    with serving(file) as running:
        yield running


def call(daemon: Daemon, path: str, body: object = None) -> tuple[int, Any]:
    """The status and the JSON of a reply."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = Request(f"http://127.0.0.1:{port_of(daemon)}{path}", data, headers)
    try:
        with urlopen(request, timeout=30) as reply:
            return reply.status, json.load(reply)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.mark.skipif(CURL is None, reason="curl is not installed")
def test_the_examples_of_the_page_are_answered_as_it_says(daemon: Daemon) -> None:
    examples = re.findall(r"^    (curl .*)$", PAGE, re.MULTILINE)
    assert len(examples) == 4
    answers = []
    for example in examples:
        command = example.replace(":8053/", f":{port_of(daemon)}/")
        arguments = [*shlex.split(command), "--fail", "--silent"]
        ran = subprocess.run(arguments, capture_output=True, check=True, timeout=60)
        answers.append(json.loads(ran.stdout))
    (shown,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert answers[0] == json.loads(shown)
    assert [answers[n]["host"] for n in (1, 2)] == ["good.lab"] * 2
    assert answers[3]["domain"] == "good.lab"


def test_the_page_has_every_call(daemon: Daemon) -> None:
    status, description = call(daemon, "/openapi.json")
    assert status == 200
    table = set(re.findall(r"`(?:GET|POST) (/[a-z0-9/._-]*)", PAGE))
    assert table == set(description["paths"])


def test_no_name_of_what_was_asked_is_in_the_log(daemon: Daemon) -> None:
    call(daemon, "/v1/resolve?name=expired.lab")
    call(daemon, "/v1/dane", {"host": "good.lab"})
    call(daemon, "/v1/resolve?name=bad..lab")
    assert call(daemon, "/healthz")[1]["status"] == "ok"
    assert "expired.lab" not in daemon.text
    assert "good.lab" not in daemon.text
    assert "bad..lab" not in daemon.text


def test_by_itself_the_api_connects_to_no_private_address(daemon: Daemon) -> None:
    _, check = call(daemon, "/v1/dane", {"host": "good.lab"})
    reasons = [address["reason"] for address in check["addresses"]]
    assert reasons
    assert all(reason.endswith("see dane.api_private") for reason in reasons)


def test_it_connects_nowhere_where_it_may_not(lab: Served, tmp_path: Path) -> None:
    file = configuration(
        tmp_path,
        lab.tls,
        dnssec=lab.dnssec,
        listen={"api": ("127.0.0.1:0",)},
        dane={"api_connect": False},
    )
    with serving(file) as daemon:
        status, problem = call(daemon, "/v1/dane", {"host": "good.lab"})
        assert (status, problem["status"]) == (403, 403)
        assert "dane.api_connect" in problem["detail"]
        assert call(daemon, "/v1/tlsa?host=good.lab&port=443")[0] == 200


def test_an_origin_that_the_configuration_names_is_let_in(lab: Served, tmp_path: Path) -> None:
    origin = "https://app.example"
    file = configuration(
        tmp_path,
        lab.tls,
        dnssec=lab.dnssec,
        listen={"api": ("127.0.0.1:0",)},
        api={"allow_origins": (origin,)},
    )
    with serving(file) as daemon:
        url = f"http://127.0.0.1:{port_of(daemon)}/healthz"
        with urlopen(Request(url, headers={"Origin": origin}), timeout=30) as reply:
            assert reply.headers["Access-Control-Allow-Origin"] == origin
        with pytest.raises(HTTPError, match="403") as refused:
            urlopen(Request(url, headers={"Origin": "https://evil.example"}), timeout=30)
        refused.value.close()


def test_the_usual_port_may_be_another_daemons(lab: Served, tmp_path: Path) -> None:
    usual = ("127.0.0.1", 8053)
    file = configuration(tmp_path, lab.tls, dnssec=lab.dnssec, listen={"api": ("127.0.0.1:8053",)})
    with socket.socket() as holder:
        with suppress(OSError):  # then it is taken already
            holder.bind(usual)
            holder.listen()
        with serving(file) as daemon:
            assert ask(daemon.port, "good.lab").is_authentic
            assert "no HTTP API: listen.api: " in daemon.text
            assert " api=" not in daemon.text


def test_a_port_that_was_asked_for_must_be_free(lab: Served, tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        address = f"127.0.0.1:{holder.getsockname()[1]}"
        file = configuration(tmp_path, lab.tls, dnssec=lab.dnssec, listen={"api": (address,)})
        ran = run("serve", "--config", str(file))
    assert ran.status == 2
    (line,) = ran.stderr.splitlines()
    assert "listen.api: " in line
    assert address in line
    assert line.endswith("set [listen] api to another address, or to [] for none")
