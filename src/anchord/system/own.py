"""Whether the system's look-ups come to this resolver: then it must not make any of its own."""

from collections.abc import Collection

from . import resolv_conf
from .dns import RESOLVED_DROP_IN
from .errors import SystemRefusal
from .machine import Machine


def is_system_resolver(machine: Machine, addresses: Collection[str]) -> bool:
    """Whether the system asks one of these addresses of ours, as far as its files tell.

    Whatever way `anchord install` takes, resolv.conf names them in the end, or systemd-resolved is
    told. Both can be read by anybody, unlike the journal. What cannot be read is taken to be ours.
    """
    try:
        servers = resolv_conf.read(machine.text(resolv_conf.PATH)).nameservers
    except SystemRefusal:
        return True
    return machine.exists(RESOLVED_DROP_IN) or any(server in addresses for server in servers)
