"""The network's own names, kept working: `[[zone]]` tables for the configuration, with consent.

They are asked of the servers of the link that has the domain, in the clear and unproven; so they
are proposed, and somebody must say yes. The tables end with the installation.
"""

from collections.abc import Iterable, Sequence

from anchord.model import names
from anchord.model.names import Name

from . import files
from .detect import Facts
from .links import Link
from .machine import Machine
from .plan import Command, Plan, ReplaceFile, Step, folders

CONFIGURATION = "/etc/anchord/anchord.toml"
"""Where the service has its configuration."""


def proposed(found: Iterable[Link], configured: Sequence[Name]) -> tuple[Name, ...]:
    """The domains of links that no zone of the configuration has yet, and that none above has."""
    domains = dict.fromkeys(domain for link in found for domain in link.domains)
    return tuple(
        domain
        for domain in domains
        if not any(ancestor in configured for ancestor in names.ancestors(domain))
        and not any(
            ancestor in domains for ancestor in names.ancestors(domain) if ancestor != domain
        )
    )


def plan(machine: Machine, facts: Facts, domains: Sequence[Name]) -> Plan:
    """Adds a table for each domain, and tells the daemon."""
    before = machine.text(CONFIGURATION)
    block = "".join(_table(domain) for domain in domains)
    if before:
        block = ("\n" if before.endswith("\n") else "\n\n") + block
    seen = files.see(machine.path(CONFIGURATION))
    reload = _reload(machine, facts)
    steps: list[Step] = [
        Command(on_undo=reload),
        *folders(machine, CONFIGURATION),
        ReplaceFile(CONFIGURATION, before + block, seen, block),
        Command(on_do=reload),
    ]
    texts = ",".join(names.to_text(domain) for domain in domains)
    return Plan("names", "network", (("domains", texts),), tuple(steps))


def _table(domain: Name) -> str:
    return (
        "# The network's own, by `anchord install`: asked in the clear and unproven.\n"
        f'[[zone]]\ndomain = "{names.to_text(domain)}"\nupstream = ["network"]\n'
        'dnssec = "insecure"\nallow_plaintext = true\n'
    )


def _reload(machine: Machine, facts: Facts) -> tuple[str, ...]:
    """Nothing happens where the daemon does not run; it reads the file when it starts."""
    if facts.has_systemd:
        return ("systemctl", "try-reload-or-restart", "anchord.service")
    if facts.has_openrc and machine.exists("/etc/init.d/anchord"):
        return ("rc-service", "anchord", "reload")
    return ()
