"""Looks at resolv.conf all the time, as programs do; runs inside.

python3 /reader.py        a line in /reader.log for each moment at which it was absent or empty
"""

import time
from pathlib import Path

with Path("/reader.log").open("a", buffering=1) as log:
    while True:
        try:
            if not Path("/etc/resolv.conf").read_bytes():
                log.write("empty\n")
        except FileNotFoundError:
            log.write("absent\n")
        time.sleep(0.0005)  # a core is left to those who are watched
