"""resolv.conf(5): what of it concerns us, read as the C library reads it, and ours written."""

import ipaddress
from collections.abc import Sequence

import msgspec

PATH = "/etc/resolv.conf"

WANTED_OPTIONS = ("edns0", "trust-ad")
"""EDNS, so that replies have room for reasons; and the AD flag as it comes, which glibc would clear
for every program otherwise (so that `ssh` would not believe an SSHFP record)."""

MOST_SERVERS = 3
"""Name servers that the C library reads (MAXNS); later ones are never asked."""


class ResolvConf(msgspec.Struct, frozen=True):
    """`search` holds the domains of the last `search` or `domain` line, as they are written."""

    nameservers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    comment: str = ""
    """The comment lines before anything else: who wrote it says so there."""


def read(text: str) -> ResolvConf:
    """What is in the file. What is malformed is left out, as the C library does."""
    servers: list[str] = []
    search: tuple[str, ...] = ()
    options: list[str] = []
    comments: list[str] = []
    for line in text.splitlines():
        if line.startswith(("#", ";")):
            if not (servers or search or options):
                comments.append(line[1:].strip())
            continue
        word, *rest = line.split() or [""]
        if word == "nameserver" and rest and _is_address(rest[0]):
            servers.append(rest[0])
        elif word == "search":
            search = tuple(rest)
        elif word == "domain":
            search = tuple(rest[:1])
        elif word == "options":
            options += rest
    return ResolvConf(tuple(servers), search, tuple(options), "\n".join(comments))


def write(addresses: Sequence[str], before: ResolvConf) -> str:
    """Ours: these name servers and nobody else's; the search list and options as they were."""
    options = dict.fromkeys((*WANTED_OPTIONS, *before.options))
    lines = [
        "# Written by anchord, the resolver of this machine.",
        "# `sudo anchord uninstall` puts back what was here; `anchord status` tells more.",
        *(f"nameserver {address}" for address in addresses[:MOST_SERVERS]),
        *([f"search {' '.join(before.search)}"] if before.search else []),
        f"options {' '.join(options)}",
    ]
    return "\n".join(lines) + "\n"


def plain(servers: Sequence[str], search: Sequence[str]) -> str:
    """What a lease says, as nobody's in particular."""
    lines = [f"search {' '.join(search)}"] if search else []
    lines += [f"nameserver {server}" for server in servers[:MOST_SERVERS]]
    return "\n".join(lines) + "\n"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True
