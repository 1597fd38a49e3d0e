"""Where the daemon keeps the addresses of its upstreams, and when it may ask the system."""

from collections.abc import Collection
from functools import partial
from pathlib import Path

from anchord.config.schema import Config
from anchord.upstream.addresses import AddressBook, Known

from .state_file import StateFile, state_folder

FILE_NAME = "addresses.json"
DNS_PORT = 53
"""The only port that the C library asks."""


def address_book(config: Config) -> AddressBook:
    """The addresses that are known from before; nothing is kept while `dnssec.time` is set."""
    own = {str(dns.address) for dns in config.listen.dns if dns.port == DNS_PORT}
    shelf = address_file(state_folder()) if config.dnssec.time.at is None else None
    return AddressBook(shelf, partial(_may_ask_system, own))


def _may_ask_system(own: Collection[str]) -> bool:
    """Whether the system's look-ups go elsewhere than to the addresses of our own."""
    from anchord.system.machine import Machine  # an upstream that has an address needs none of it
    from anchord.system.own import is_system_resolver

    return not is_system_resolver(Machine(), own)


def address_file(folder: Path) -> StateFile[dict[str, Known]]:
    """The file of addresses in a folder."""
    return StateFile(
        folder / FILE_NAME, dict[str, Known], "the addresses of upstreams are not kept"
    )
