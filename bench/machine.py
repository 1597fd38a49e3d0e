"""Which core runs what, and what a process has used: all of it as Linux tells."""

import os
from pathlib import Path

SERVER_CORE = 0
"""The core of the servers that are measured, of which only one has work at a time."""

LOAD_CORE = 1
"""The core of everything else: the load, the upstream, this program."""


def claim_load_core() -> None:
    """Keeps this process, and what it starts, off the servers' core. Raises OSError."""
    os.sched_setaffinity(0, {LOAD_CORE})


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, of all its threads, in user and in kernel mode.

    As the scheduler counts it, in nanoseconds; /proc/PID/stat tells hundredths of a second.
    """
    spent = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        spent += int((thread / "schedstat").read_text("ascii").split()[0])
    return spent / 1e9


def resident_mib(pid: int) -> float:
    """Memory of a process that is resident, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024
