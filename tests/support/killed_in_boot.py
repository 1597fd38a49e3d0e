"""Runs anchord in a booted system and kills it at its effect number N on the system.

python3 -I /killed.py N install --dns-only

Where it has fewer effects than that, their number is the last line that it prints.
"""

import os
import runpy
import signal
import sys

EFFECTS = {"os.rename", "os.link", "os.remove", "os.mkdir", "subprocess.Popen"}

point = int(sys.argv.pop(1))
count = 0


def before(event: str, arguments: tuple[object, ...]) -> None:
    """Counts what changes /etc or the journal, and programs that do more than ask."""
    global count  # noqa: PLW0603 - a script of its own
    texts = " ".join(map(str, arguments))
    asks = any(word in texts for word in ("is-active", "is-enabled", "get-property", "query"))
    is_ours = any(word in texts for word in ("/etc/", "anchord-install", "systemctl"))
    if event in EFFECTS and is_ours and not asks:
        count += 1
        if count > point:
            os.kill(os.getpid(), signal.SIGKILL)


sys.addaudithook(before)
try:
    runpy.run_path("/usr/lib/anchord/bin/anchord", run_name="__main__")
finally:
    print(count)  # noqa: T201 - a script of its own
