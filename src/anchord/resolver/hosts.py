"""The hosts file: names and addresses that the machine's owner wrote down (`[hosts] file`).

- A name that is listed has its addresses and no others: where only one family is listed, the other
  has no data. Questions for other types than A, AAAA and PTR go their usual way.
- The PTR of an address is the first name on the first line that lists it.
- `localhost` and the names below it are not taken from the file: they are special (RFC 6761
  section 6.3), and a line that moves them off this machine would be a trap.
- Addresses with a zone id (`fe80::1%eth0`) have no place in DNS and are skipped.
- A line that makes no sense is skipped, with one line in the log.

The file is seen again when it changes: its time, size and inode are looked at when a question
comes, at most once a second. To read it again holds up everything else, for about a second where
somebody keeps a list of a quarter of a million names.
"""

import logging
import os
import stat
import sys
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from pathlib import Path

import msgspec

from anchord.model import names, rcodes, rdtypes
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.response import RRset
from anchord.model.verdict import Answer

from .local import address_rrsets, local_answer, reverse_name
from .special import LOCALHOST

HOSTS_TTL = 1
"""Seconds for which clients may keep an answer: as long as a change may go unseen here."""

LOOK_AGAIN = 1.0
"""Seconds between two looks at the file: a stat costs little, but not nothing."""

MAX_FILE = 64 << 20
"""Octets of a hosts file: the largest public lists have some 30 MB; beyond that it is no hosts
file, and reading it would hold up everything."""

LONGEST_REASON = 100
"""Characters of a complaint about a line, which quotes it: the log is no place for garbage."""

logger = logging.getLogger(__name__)


class Hosts(msgspec.Struct, frozen=True):
    """What a hosts file says.

    `addresses` are those of each name, `pointers` the name of each reverse name, all as keys but
    the names that are pointed to. `malformed` are the lines that were skipped: number and reason.
    """

    addresses: dict[Name, tuple[bytes, ...]] = msgspec.field(default_factory=dict)
    pointers: dict[Name, Name] = msgspec.field(default_factory=dict)
    malformed: tuple[tuple[int, str], ...] = ()

    def answer(self, question: Question) -> Answer | None:
        """The answer by the file; None where it has nothing to say."""
        name = question.name
        if question.rdtype == rdtypes.PTR:
            target = self.pointers.get(name)
            rrsets = [] if target is None else [RRset(name, rdtypes.PTR, HOSTS_TTL, (target,))]
            is_listed = target is not None
        elif question.rdtype in (rdtypes.A, rdtypes.AAAA):
            addresses = self.addresses.get(name, ())
            rrsets = address_rrsets(name, addresses, HOSTS_TTL)
            is_listed = bool(addresses)
        else:
            return None
        if not is_listed:
            return None
        return local_answer(
            question,
            rcodes.NOERROR,
            f"{names.to_text(name)} is in the hosts file",
            ttl=HOSTS_TTL,
            answer=[rrset for rrset in rrsets if rrset.rdtype == question.rdtype],
        )


def parse(text: str) -> Hosts:
    """Reads a hosts file: an address and its names on a line, `#` begins a comment."""
    addresses: dict[Name, tuple[bytes, ...]] = {}
    pointers: dict[bytes, Name] = {}
    malformed: list[tuple[int, str]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            address, listed = _read_line(words)
        except ValueError as error:
            malformed.append((number, str(error)[:LONGEST_REASON]))
            continue
        if address is None:
            continue
        pointers.setdefault(address, listed[0])
        for name in map(names.lower, listed):
            known = addresses.get(name, ())
            if address not in known and not names.is_at_or_below(name, LOCALHOST):
                addresses[name] = (*known, address)
    reverse = {reverse_name(address): name for address, name in pointers.items()}
    return Hosts(addresses, reverse, tuple(malformed))


def _read_line(words: list[str]) -> tuple[bytes | None, list[Name]]:
    """The address, or None where it has a zone id, and its names. Raises ValueError."""
    address = _read_address(words[0])
    if len(words) == 1:
        raise ValueError(f"{words[0]} has no name")
    if address is None:
        return None, []
    return address, [names.from_text(word) for word in words[1:]]


@lru_cache(maxsize=16)  # lists of names to block give them all the same address
def _read_address(word: str) -> bytes | None:
    address = ip_address(word)
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return None
    return address.packed


# ------------ The file ------------


def hosts_path(setting: str, platform: str = sys.platform) -> Path | None:
    """The file that `[hosts] file` means: `system` the system's, empty none, else a path."""
    if not setting:
        return None
    if setting != "system":
        return Path(setting)
    if platform == "win32":
        return Path(os.environ.get("SYSTEMROOT", r"C:\Windows"), r"System32\drivers\etc\hosts")
    return Path("/etc/hosts")


class HostsFile:
    """Answers by a hosts file, as it is now."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._hosts = Hosts()
        self._look_at = float("-inf")
        self._identity: tuple[int, int, int] | None = None
        self._trouble = ""

    def answer(self, question: Question, now: float) -> Answer | None:
        """The answer by the file; `now` is monotonic, in seconds.

        A file that cannot be read says nothing, and the log says why, once.
        """
        if self._path is None:
            return None
        if now >= self._look_at:
            self._look_at = now + LOOK_AGAIN
            self._look(self._path)
        return self._hosts.answer(question)

    def _look(self, path: Path) -> None:
        """Reads the file where it is another than the one that was read last."""
        try:
            identity = _identity(path)
            if identity == self._identity:
                return
            hosts = parse(_text(path))
        except (OSError, ValueError) as error:
            self._identity = None
            self._hosts = Hosts()
            trouble = getattr(error, "strerror", None) or str(error)
            if trouble != self._trouble:
                self._trouble = trouble
                logger.warning("%s: the hosts file is not read: %s", path, trouble)
            return
        self._identity, self._hosts, self._trouble = identity, hosts, ""
        if hosts.malformed:
            number, reason = hosts.malformed[0]
            others = len(hosts.malformed) - 1
            and_others = f", and {others} more" if others else ""
            logger.warning("%s:%d: %s; the line is skipped%s", path, number, reason, and_others)


def _identity(path: Path) -> tuple[int, int, int]:
    """What changes with the file. Raises OSError, and ValueError where it is no file to read."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is not a regular file")
    if status.st_size > MAX_FILE:
        raise ValueError(f"it is larger than {MAX_FILE >> 20} MiB")
    return status.st_mtime_ns, status.st_size, status.st_ino


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8-sig", errors="replace")
