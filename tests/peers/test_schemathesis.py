"""schemathesis over the running API: no failure of the server, no answer but as described."""

import os
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from anchord.api.private import forbidden
from anchord.dane.probe import Prober
from anchord.lab.dane_table import MAIL, SCENARIOS
from anchord.lab.dane_world import running
from anchord.lab.plan import Plan
from support import background
from support.api import Client, open_api
from support.dane import LIMITS, WorldUpstream, resolver_over, world_of_now
from support.programs import PEERS

HOOKS = Path(__file__).parents[1] / "data" / "schemathesis_hooks.py"

SERVED = ("good.lab", "expired.lab", "ee.tls.lab", "mail.tls.lab", "nobody.lab")
ZONES = (
    Plan("good.lab.", "signed", records="@ A 192.0.2.1"),
    Plan("expired.lab.", "out of date", records="@ A 192.0.2.1", faults="expired"),
)
"""Names of the lab: proven, broken, services, and one that does not exist."""

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_headers_conformance,response_schema_conformance"
)

PROGRAM = PEERS / "schemathesis/bin/schemathesis"
"""In an environment of its own: its plug-in would run in every test of ours."""

EXAMPLES = 30
"""Requests that are made up for each operation, beside those at the edges of what may be asked."""


@asynccontextmanager
async def _running() -> AsyncIterator[tuple[Client, WorldUpstream]]:
    hosts = [scenario for scenario in SCENARIOS if scenario.host == "ee"]
    domains = [domain for domain in MAIL if domain.name == "mail"]
    async with running(hosts, domains) as lab:
        upstream = WorldUpstream(world_of_now(*lab.plans, *ZONES))
        async with (
            resolver_over(upstream.world, [upstream]) as resolver,
            open_api(resolver, prober=Prober(LIMITS, forbidden)) as client,
        ):
            yield client, upstream


@pytest.fixture
def api() -> Iterator[tuple[Client, WorldUpstream]]:
    with background.running(_running()) as started:
        yield started


@pytest.mark.skipif(not PROGRAM.exists(), reason=f"not installed: {PROGRAM}")
def test_schemathesis_finds_nothing(api: tuple[Client, WorldUpstream], tmp_path: Path) -> None:
    client, upstream = api
    command = [
        str(PROGRAM), "run", f"http://{client.host}/openapi.json",
        "--checks", CHECKS, "--phases", "examples,coverage,fuzzing",
        "--max-examples", str(EXAMPLES), "--seed", "1", "--generation-database", "none",
    ]  # fmt: skip
    known = {"SCHEMATHESIS_HOOKS": str(HOOKS), "SERVED": " ".join(SERVED), "NO_COLOR": "1"}
    ran = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | known,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    tested = re.search(r"(\d+) generated, (\d+) passed", ran.stdout)
    assert tested is not None, ran.stdout
    assert tested[1] == tested[2]
    assert int(tested[1]) > 500
    for name in SERVED[:-1]:  # that there is nobody may follow from what was denied before
        assert any(one.startswith(f"{name}. ") for one in upstream.asked), name
