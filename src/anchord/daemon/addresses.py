"""Where the daemon keeps the addresses of its upstreams, and when it may ask the system."""

from pathlib import Path

from anchord.config.schema import Config
from anchord.system.machine import Machine
from anchord.system.own import is_system_resolver
from anchord.upstream.addresses import AddressBook, Known

from .state_file import StateFile, state_folder

FILE_NAME = "addresses.json"
DNS_PORT = 53
"""The only port that the C library asks."""


def address_book(config: Config) -> AddressBook:
    """The addresses that are known from before; nothing is kept while `dnssec.time` is set."""
    own = {str(dns.address) for dns in config.listen.dns if dns.port == DNS_PORT}
    shelf = address_file(state_folder()) if config.dnssec.time.at is None else None
    return AddressBook(shelf, lambda: not is_system_resolver(Machine(), own))


def address_file(folder: Path) -> StateFile[dict[str, Known]]:
    """The file of addresses in a folder."""
    return StateFile(
        folder / FILE_NAME, dict[str, Known], "the addresses of upstreams are not kept"
    )
