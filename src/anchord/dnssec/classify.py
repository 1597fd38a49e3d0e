"""First name it, then prove it: the kinds of story that responses tell.

A response may hold a chain of aliases (CNAME, or DNAME with the CNAME that follows from it), and
ends in data, in a denial, or in the open. Nothing is believed here; records that play no part in
the story are left out of it, whatever they are (RFC 2181 section 5.4.1).
"""

from enum import Enum, auto

import msgspec
from msgspec.structs import replace

from anchord.model import names, rcodes, rdtypes
from anchord.model.names import Name
from anchord.model.question import Question
from anchord.model.response import Response, RRset
from anchord.wire.errors import FormError
from anchord.wire.rdata import read_target


class Ending(Enum):
    """How a response ends."""

    DATA = auto()
    """With RRsets of the type that was asked for."""
    NO_DATA = auto()
    """The name is there, it says, but not the type."""
    NAME_ERROR = auto()
    """The name is not there, it says."""
    TOO_LONG = auto()
    """A DNAME would make the name longer than 255 octets (RFC 6672 section 2.2)."""
    LOOP = auto()
    """An alias leads back to a name that was there before."""
    OPEN = auto()
    """An alias leads on, and the response does not say where to."""


class Alias(msgspec.Struct, frozen=True):
    """One step of the chain. `cname` is what the client sees, `dname` what it follows from.

    `contradicts` is a DNAME above the name that says something else than the CNAME.
    """

    cname: RRset
    dname: RRset | None = None
    contradicts: RRset | None = None


class Story(msgspec.Struct, frozen=True):
    """What a response says, in order: aliases, and how it ends at `name`."""

    aliases: tuple[Alias, ...]
    name: Name
    ending: Ending
    data: tuple[RRset, ...] = ()
    dname: RRset | None = None
    """The DNAME that makes the name too long."""
    alias: Alias | None = None
    """The CNAME in `data`, asked for by its type, where a DNAME stands above it."""


def tell(response: Response, question: Question, seen: set[Name], most: int) -> Story:
    """The story of a response, from `question` on. `seen` holds the names passed, and is added to.

    A CNAME that follows from a DNAME of the response is given with it, and made where the upstream
    left it out (RFC 6672 section 3.1): then only the DNAME need be proven. After `most` aliases the
    story breaks off.
    """
    sets = {(rrset.name, rrset.rdtype): rrset for rrset in response.answer}
    name = question.name
    aliases: list[Alias] = []

    def story(ending: Ending, *data: RRset, dname: RRset | None = None) -> Story:
        return Story(tuple(aliases), name, ending, data, dname)

    for _ in range(most):
        seen.add(name)
        data = _data(sets, name, question.rdtype)
        if data and not _follows_from_dname(sets, data[0]):
            return story(Ending.DATA, *data)
        dname = _dname_above(sets, name)
        if dname and _substituted(name, dname) is None:
            return story(Ending.TOO_LONG, dname=dname)
        alias = _alias(sets, name, dname)
        if alias is None:
            return story(_denial(response, bool(aliases)))
        if question.rdtype == rdtypes.CNAME:
            return replace(story(Ending.DATA, alias.cname), alias=alias)
        aliases.append(alias)
        next_name = _target(alias.cname)
        if next_name is None or next_name in seen:
            return story(Ending.LOOP)
        name = next_name
    return story(Ending.OPEN)


def _data(sets: dict[tuple[Name, int], RRset], name: Name, rdtype: int) -> list[RRset]:
    if rdtype == rdtypes.ANY:
        return [r for r in sets.values() if r.name == name and r.rdtype != rdtypes.RRSIG]
    found = sets.get((name, rdtype))
    return [found] if found else []


def _follows_from_dname(sets: dict[tuple[Name, int], RRset], rrset: RRset) -> bool:
    """An unsigned CNAME that was asked for by type, below a DNAME."""
    return (
        rrset.rdtype == rdtypes.CNAME
        and not rrset.signatures
        and _dname_above(sets, rrset.name) is not None
    )


def _dname_above(sets: dict[tuple[Name, int], RRset], name: Name) -> RRset | None:
    if not any(rdtype == rdtypes.DNAME for _, rdtype in sets):
        return None
    for ancestor in names.ancestors(name):
        dname = sets.get((ancestor, rdtypes.DNAME))
        if dname and ancestor != name and _target(dname):
            return dname
    return None


def _substituted(name: Name, dname: RRset) -> Name | None:
    """The name with the DNAME's owner replaced by its target; None where that is too long."""
    replaced = name[: len(name) - len(dname.name)] + read_target(dname.rdatas[0])
    return replaced if len(replaced) <= names.MAX_NAME else None


def _alias(sets: dict[tuple[Name, int], RRset], name: Name, dname: RRset | None) -> Alias | None:
    """The alias at a name: a CNAME, and the DNAME above that it follows from.

    A CNAME that leads elsewhere is forged, or another zone's: it must stand by itself.
    """
    cname = sets.get((name, rdtypes.CNAME))
    if dname and (target := _substituted(name, dname)):
        if cname is None:
            return Alias(RRset(name, rdtypes.CNAME, dname.ttl, (target,)), dname)
        if _target(cname) != names.lower(target):
            return Alias(cname, contradicts=dname)
    return Alias(cname, dname) if cname else None


def _target(cname: RRset) -> Name | None:
    """Where a CNAME or DNAME leads, as a key; None where it is not one well-formed record."""
    if len(cname.rdatas) != 1:
        return None
    try:
        return names.lower(read_target(cname.rdatas[0]))
    except FormError:
        return None


def _denial(response: Response, is_aliased: bool) -> Ending:
    if response.rcode == rcodes.NXDOMAIN:
        return Ending.NAME_ERROR
    if is_aliased and not any(rrset.rdtype == rdtypes.SOA for rrset in response.authority):
        return Ending.OPEN
    return Ending.NO_DATA
