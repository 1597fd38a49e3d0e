"""anchord as a service of the system: systemd with its sockets, or OpenRC.

The files are those of `packaging/`, which the build puts into the package too, with the place of
this installation in them. Where a distribution's package has brought them, they are only enabled.
"""

import importlib.resources
from pathlib import Path

import anchord

from .detect import Facts
from .errors import SystemRefusal
from .machine import Machine
from .plan import Belonging, Command, Folder, Plan, Step, own_file

PACKAGED = "/usr/lib/anchord/bin/anchord"
"""Where the packages have the program; the service files name it."""

SERVICE = "anchord.service"
SOCKETS = ("anchord.socket", "anchord-ipv6.socket")
MORE_SOCKETS = ("anchord-api.socket", "anchord-control.socket")
"""The service starts these itself, and does without them where they are not to be had."""
RECOVER = "anchord-recover.service"
"""Runs when the system starts, and mends what was interrupted."""
LINKS = ("anchord-links.path", "anchord-links.service")
"""Writes down for the service what the links say, whenever that changes."""
DNS = ("anchord-dns.path", "anchord-dns.service")
"""Take resolv.conf back, where DNS was taken over."""
UNITS = (SERVICE, *SOCKETS, *MORE_SOCKETS, RECOVER, *LINKS, *DNS)
UNIT_FOLDER = "/etc/systemd/system"
PACKAGED_UNIT_FOLDERS = ("/usr/lib/systemd/system", "/lib/systemd/system")
OPENRC_FILE = "/etc/init.d/anchord"

CONFIGURATION = "/etc/anchord"
"""What somebody has written there stays."""

BELONGINGS = (
    "/run/anchord",
    "/run/anchord-links",
    "/var/lib/anchord",
    "/var/lib/private/anchord",
    "/var/cache/anchord",
    "/var/cache/private/anchord",
    "/var/log/anchord.log",
)
"""What the service, or its manager for it, writes while it runs. A user that systemd makes up has
folders below `private`, and the others are links to them."""

NO_SERVICE_FOLDERS = ("/home", "/root", "/tmp", "/var/tmp", "/run/user")  # noqa: S108 - refused
"""A service cannot be started from here: it may not see homes, and what is in temporary folders
goes away."""


def plan(machine: Machine, facts: Facts, executable: str) -> Plan:
    """What makes `executable` (an absolute path) a service that starts with the system.

    Raises SystemRefusal where the system has no service manager that is known here, or cannot start
    a program from that place.
    """
    packaged = is_packaged(machine)
    reasons = (
        ("systemd", "yes" if facts.has_systemd else "no"),
        ("openrc", "yes" if facts.has_openrc else "no"),
        ("packaged", "yes" if packaged else "no"),
    )
    if facts.has_systemd and packaged:
        return Plan("service", "systemd", reasons, tuple(_enabled(machine)))
    if not (facts.has_systemd or facts.has_openrc):
        raise SystemRefusal(
            "neither systemd nor OpenRC runs this system",
            remedy="start anchord serve by its own means, then run anchord install --dns-only",
        )
    _check_place(executable)
    if facts.has_systemd:
        return Plan("service", "systemd", reasons, tuple(_systemd(machine, executable)))
    return Plan("service", "openrc", reasons, tuple(_openrc(machine, executable)))


def is_packaged(machine: Machine) -> bool:
    """Whether a package has brought the units."""
    return any(machine.exists(f"{folder}/{SERVICE}") for folder in PACKAGED_UNIT_FOLDERS)


def has_units(machine: Machine) -> bool:
    """Whether systemd knows of us, by a package or by `install`."""
    return is_packaged(machine) or machine.exists(f"{UNIT_FOLDER}/{SERVICE}")


def is_running(machine: Machine, facts: Facts) -> bool:
    """Whether the service manager has our service running, or its socket waiting."""
    if facts.has_systemd:
        return machine.says("systemctl", "is-active", SOCKETS[0]) is not None
    return facts.has_openrc and machine.says("rc-service", "anchord", "status") is not None


def shipped(kind: str, name: str) -> str:
    """A service file as it is shipped; `kind` is "systemd" or "openrc"."""
    packaged = importlib.resources.files("anchord.data") / kind / name
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    checkout = Path(anchord.__file__).parents[2]  # src/anchord/__init__.py
    return (checkout / "packaging" / kind / name).read_text(encoding="utf-8")


def _systemd(machine: Machine, executable: str) -> list[Step]:
    reload = ("systemctl", "daemon-reload")
    return [
        Command(on_undo=reload),
        *_belongings(machine),
        *(
            step
            for unit in UNITS
            for step in own_file(
                machine,
                f"{UNIT_FOLDER}/{unit}",
                shipped("systemd", unit).replace(PACKAGED, executable),
            )
        ),
        Command(on_do=reload),
        *_enabled(machine),
    ]


def _belongings(machine: Machine) -> list[Step]:
    """What is there already is not ours to remove."""
    return [
        *([] if machine.exists(CONFIGURATION) else [Folder(CONFIGURATION)]),
        *(Belonging(path) for path in BELONGINGS if not machine.exists(path)),
    ]


def _enabled(machine: Machine) -> list[Step]:
    """What is enabled or running already stays so when anchord is uninstalled."""
    steps: list[Step] = []
    enabled = (SERVICE, *SOCKETS, *MORE_SOCKETS, RECOVER, LINKS[0], *DNS)
    started = (*SOCKETS, LINKS[0], SERVICE)
    stopped = (*LINKS, *SOCKETS, SERVICE, *MORE_SOCKETS)
    for question, on_do, on_undo in (
        ("is-enabled", ("enable", *enabled), ("disable", *enabled)),
        ("is-active", ("start", *started), ("stop", *stopped)),
    ):
        if any(machine.says("systemctl", question, unit) is None for unit in (SOCKETS[0], SERVICE)):
            steps.append(Command(on_do=("systemctl", *on_do), on_undo=("systemctl", *on_undo)))
    return steps


def _openrc(machine: Machine, executable: str) -> list[Step]:
    content = shipped("openrc", "anchord").replace(PACKAGED, executable)
    steps = [*_belongings(machine), *own_file(machine, OPENRC_FILE, content, 0o755)]
    if "\nanchord:" not in f"\n{machine.text('/etc/passwd')}":
        useradd = (
            "useradd", "--system", "--user-group", "--no-create-home",
            "--home-dir", "/var/lib/anchord", "--shell", "/sbin/nologin", "anchord",
        )  # fmt: skip
        steps.append(Command(on_do=useradd, on_undo=("userdel", "anchord")))
    return [
        *steps,
        Command(
            on_do=("rc-update", "add", "anchord", "default"),
            on_undo=("rc-update", "del", "anchord", "default"),
        ),
        Command(
            on_do=("rc-service", "anchord", "start"), on_undo=("rc-service", "anchord", "stop")
        ),
    ]


def _check_place(executable: str) -> None:
    for folder in NO_SERVICE_FOLDERS:
        if executable.startswith(f"{folder}/"):
            raise SystemRefusal(
                f"a service cannot be started from below {folder}",
                where=executable,
                remedy="install the package of your distribution; or run python3 -m venv"
                " /opt/anchord, /opt/anchord/bin/pip install anchord, and from there"
                " /opt/anchord/bin/anchord install",
            )
