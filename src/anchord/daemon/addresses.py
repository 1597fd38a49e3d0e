"""Where the daemon keeps the addresses of its upstreams, and when it may ask the system."""

from anchord.config.schema import Config
from anchord.system.machine import Machine
from anchord.system.own import is_system_resolver
from anchord.upstream.addresses import AddressBook

from .negative import state_folder

FILE_NAME = "addresses.json"
DNS_PORT = 53
"""The only port that the C library asks."""


def address_book(config: Config) -> AddressBook:
    """The addresses that are known from before; nothing is kept while `dnssec.time` is set."""
    own = {str(dns.address) for dns in config.listen.dns if dns.port == DNS_PORT}
    file = state_folder() / FILE_NAME if config.dnssec.time.at is None else None
    return AddressBook(file, lambda: not is_system_resolver(Machine(), own))
