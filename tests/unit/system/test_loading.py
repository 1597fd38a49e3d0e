"""The modules of this room, loaded in any order."""

import subprocess
import sys

from support.command import environment

EACH_FIRST = """
import importlib, pkgutil, sys
import anchord.system
for module in pkgutil.iter_modules(anchord.system.__path__):
    for name in [name for name in sys.modules if name.startswith("anchord.system.")]:
        del sys.modules[name]
    importlib.import_module(f"anchord.system.{module.name}")
"""

LINKS_ALONE = """
import sys
import anchord.system.links
print(*(name for name in sys.modules if name.startswith("anchord.system.")))
"""


def loaded(script: str) -> str:
    """What a script in a new interpreter prints."""
    ran = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True, text=True, check=False, env=environment(),
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_each_module_can_be_the_first_to_be_loaded() -> None:
    assert loaded(EACH_FIRST) == ""


def test_a_daemon_that_follows_the_links_loads_no_plans() -> None:
    rooms = set(loaded(LINKS_ALONE).split())
    assert "anchord.system.links" in rooms
    assert not rooms & {"anchord.system.plan", "anchord.system.journal"}
