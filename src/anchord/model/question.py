"""A question, and what the client that asks it wants to see."""

from typing import NamedTuple

import msgspec

from . import names, rdtypes
from .names import Name


class Question(NamedTuple):
    """What is asked: a name, as a key in lower case, and a type. The class is always IN."""

    name: Name
    rdtype: int

    @property
    def holder(self) -> Name:
        """The name whose zone holds the answer: a DS is the parent's (RFC 4035 section 2.4)."""
        return names.parent(self.name) if self.rdtype == rdtypes.DS else self.name

    def __str__(self) -> str:
        return f"{names.to_text(self.name)} {rdtypes.to_text(self.rdtype)}"


class ClientFlags(msgspec.Struct, frozen=True):
    """What the client wants to see. Never part of validation, never part of a cache's key.

    `recursion_desired` and `checking_disabled` are RD and CD (RFC 1035, RFC 4035 section 3.2.2),
    `dnssec_ok` DO (RFC 3225), `authentic_data` AD in a query (RFC 6840 section 5.7), and
    `compact_ok` CO (RFC 9824 section 5.1).
    """

    recursion_desired: bool = True
    checking_disabled: bool = False
    dnssec_ok: bool = False
    authentic_data: bool = False
    compact_ok: bool = False
