"""Steps that only the taking over of DNS has, beside those of `plan`, and made as those are.

A record with resolvconf does not outlive a start of the system. A lease may be another one by the
time that resolv.conf is given back.
"""

from collections.abc import Iterator

from msgspec import Struct

from . import files, links, resolv_conf
from .errors import SystemRefusal
from .machine import Machine


class Record(Struct, frozen=True, tag="record"):
    """What we say of DNS to resolvconf, which keeps it as `file` while the system runs.

    `add` (which reads `content`) and `delete` are its commands.
    """

    file: str
    content: str
    add: tuple[str, ...]
    delete: tuple[str, ...]

    def describe(self, machine: Machine) -> Iterator[str]:  # noqa: ARG002 - as the others
        """Lines for people."""
        yield f"run {' '.join(self.add)}"
        yield from (f"    {line}" for line in self.content.splitlines())

    def do(self, machine: Machine) -> None:
        """Adds it. Raises SystemRefusal where that fails."""
        ran = machine.run(self.add, self.content)
        if ran.failure:
            raise SystemRefusal(ran.failure, where=" ".join(self.add))

    def undo(self, machine: Machine) -> list[str]:
        """Deletes it."""
        command = " ".join(self.delete)
        if machine.program(self.delete[0]) is None:
            return [f"{self.delete[0]} is gone: {command} was not run"]
        ran = machine.run(self.delete)
        return [f"{command}: {ran.failure}"] if ran.failure else []

    def fault(self, machine: Machine) -> str:
        """What is not as it was left, empty where all is."""
        return "" if machine.exists(self.file) else f"{self.file} is gone"


class Leased(Struct, frozen=True, tag="leased"):
    """Stands before the step that replaces a resolv.conf which had `servers` from a lease.

    Nobody follows the leases there while it is ours. So once it has been given back, with the
    servers of another network than the one that is there now, it gets those of this one.
    """

    servers: tuple[str, ...]

    def describe(self, machine: Machine) -> Iterator[str]:  # noqa: ARG002 - as the others
        """Nothing is changed now."""
        yield from ()

    def do(self, machine: Machine) -> None:
        """Nothing."""

    def undo(self, machine: Machine) -> list[str]:
        """Writes what the leases say, unless they say what is there, or nothing."""
        path = machine.path(resolv_conf.PATH)
        now = resolv_conf.read(machine.text(resolv_conf.PATH))
        servers = links.all_servers(leased := links.leased(machine))
        is_as_it_was = files.see(path).kind == "file" and now.nameservers == self.servers
        if not servers or not is_as_it_was or set(self.servers) <= set(servers):
            return []
        search = links.all_domains(leased)
        files.put(path, resolv_conf.plain(servers, search).encode())
        return [f"{resolv_conf.PATH} names the servers of the network that is there now"]

    def fault(self, machine: Machine) -> str:  # noqa: ARG002 - as the others
        """It is about later."""
        return ""
