"""From the command to the first proven answer, an SOA record of the root zone."""

import subprocess
import sys
import time

from . import machine
from .measure import Results
from .rig import Rig

BARE = "import trio, ssl, cryptography.hazmat.primitives.asymmetric.ec"
"""What anchord cannot do without: an interpreter that imports it is the least there can be."""


def measure(rig: Rig) -> Results:
    """Each server is started anew in every round."""
    results = Results()
    for _ in range(rig.rounds):
        bare = _bare()
        for server in rig.servers:
            with server.running(rig.folder, rig.upstream) as running:
                results.of("time").add(server.name, running.seconds)
                results.of("CPU time").add(server.name, machine.cpu_seconds(running.pid))
                if server.program == sys.executable:
                    ratio = results.of(
                        "time", absolute="against a bare interpreter with trio", goal="≤ 1.5"
                    )
                    ratio.add(server.name, running.seconds / bare)
    return results


def _bare() -> float:
    """Seconds in which the interpreter imports the least that there can be, and ends."""
    begin = time.monotonic()
    core = str(machine.SERVER_CORE)
    subprocess.run(["taskset", "-c", core, sys.executable, "-c", BARE], check=True)
    return time.monotonic() - begin
