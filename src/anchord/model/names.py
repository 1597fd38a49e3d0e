"""Domain names as wire bytes (RFC 1035 section 3.1).

A `Name` is the uncompressed wire form: length octets, labels, the root's zero octet. As a *key*
a name is in lower case (`lower`); where the spelling matters it is kept beside the key. Length
octets are at most 63, below the letters, so that lower-casing the whole wire form is safe.
"""

from functools import lru_cache
from typing import TypeAlias

Name: TypeAlias = bytes

ROOT: Name = b"\0"
MAX_NAME = 255
"""Octets of a name in wire form (RFC 1035 section 2.3.4)."""
MAX_LABEL = 63
"""Octets of a label (RFC 1035 section 2.3.4)."""


def lower(name: Name) -> Name:
    """The name as a key: ASCII letters in lower case (RFC 4343)."""
    return name.lower()


def labels(name: Name) -> list[bytes]:
    """The labels from left to right, without the root's empty one."""
    found = []
    position = 0
    while length := name[position]:
        position += 1
        found.append(name[position : position + length])
        position += length
    return found


def join(parts: list[bytes]) -> Name:
    """The name with these labels, left to right. Raises ValueError past 63 or 255 octets."""
    if any(not 0 < len(part) <= MAX_LABEL for part in parts):
        raise ValueError("a label is empty or longer than 63 octets")
    name = b"".join(bytes((len(part),)) + part for part in parts) + ROOT
    if len(name) > MAX_NAME:
        raise ValueError("the name is longer than 255 octets")
    return name


def label_count(name: Name) -> int:
    """How many labels the name has; the root has none."""
    count = position = 0
    while length := name[position]:
        count += 1
        position += length + 1
    return count


def parent(name: Name) -> Name:
    """The name without its leftmost label. The root is its own parent."""
    return name[name[0] + 1 :] or ROOT


@lru_cache(maxsize=64)
def ancestors(name: Name) -> tuple[Name, ...]:
    """The name itself, its parent, and so on, up to the root.

    They are kept for the names of the moment: a question asks for those of its own name six times.
    """
    found = [name]
    while name != ROOT:
        name = name[name[0] + 1 :]
        found.append(name)
    return tuple(found)


def suffix(name: Name, count: int) -> Name:
    """The rightmost `count` labels."""
    for _ in range(label_count(name) - count):
        name = parent(name)
    return name


def is_at_or_below(name: Name, ancestor: Name) -> bool:
    """Whether `name` is `ancestor` or a subdomain of it. Both as keys."""
    if not name.endswith(ancestor):
        return False
    position = 0
    start = len(name) - len(ancestor)
    while position < start:
        position += name[position] + 1
    return position == start


def is_below(name: Name, ancestor: Name) -> bool:
    """Whether `name` is a proper subdomain of `ancestor`. Both as keys."""
    return len(name) > len(ancestor) and is_at_or_below(name, ancestor)


def common_ancestor(one: Name, other: Name) -> Name:
    """The deepest name that both are at or below. Both as keys."""
    return next(name for name in ancestors(one) if is_at_or_below(other, name))


def child_towards(ancestor: Name, name: Name) -> Name:
    """The name one label below `ancestor` on the way down to `name`, which is below it."""
    return suffix(name, label_count(ancestor) + 1)


def names_between(ancestor: Name, name: Name) -> list[Name]:
    """Every name below `ancestor` down to `name`, which is included; the topmost first.

    `name` is `ancestor` or below it, both as keys: there is no way from elsewhere.
    """
    assert is_at_or_below(name, ancestor)
    between = []
    while name != ancestor:
        between.append(name)
        name = name[name[0] + 1 :]
    between.reverse()
    return between


def wildcard_of(name: Name) -> Name:
    """`*.name`. Raises ValueError where that would be longer than 255 octets."""
    if len(name) + 2 > MAX_NAME:
        raise ValueError("the wildcard name is longer than 255 octets")
    return b"\x01*" + name


def is_wildcard(name: Name) -> bool:
    """Whether the leftmost label is `*` (RFC 4592)."""
    return name[:2] == b"\x01*"


@lru_cache(maxsize=4096)
def canonical_key(name: Name) -> tuple[bytes, ...]:
    """Sorts names, given as keys, into canonical order (RFC 4034 section 6.1)."""
    return tuple(reversed(labels(name)))


def to_text(name: Name) -> str:
    r"""Presentation form with a final dot; odd octets as `\DDD` (RFC 1035 section 5.1)."""
    if name == ROOT:
        return "."
    return "".join(_label_text(label) + "." for label in labels(name))


def _label_text(label: bytes) -> str:
    if label.isalnum() or label.replace(b"-", b"").replace(b"_", b"").isalnum():
        return label.decode("ascii")
    return "".join(_octet_text(octet) for octet in label)


def _octet_text(octet: int) -> str:
    if octet in b'."\\;()@$':
        return "\\" + chr(octet)
    return chr(octet) if 0x21 <= octet <= 0x7E else f"\\{octet:03d}"


def from_text(text: str) -> Name:
    """The name written as `text`, with or without the final dot, in the spelling given.

    Letters outside ASCII are taken as the user's own language (IDNA 2003, as the standard library
    has it); escapes do not mix with them. Raises ValueError with the reason where the text is no
    name.
    """
    if not text.isascii():
        text = _to_ascii(text)
    if text == ".":
        return ROOT
    if not text:
        raise ValueError("the name is empty")
    if "\\" not in text:
        return join(text.removesuffix(".").encode("ascii").split(b"."))
    parts: list[bytes] = []
    label = bytearray()
    position = 0
    while position < len(text):
        character = text[position]
        position += 1
        if character == ".":
            parts.append(bytes(label))
            label.clear()
        elif character == "\\":
            octet, position = _escaped(text, position)
            label.append(octet)
        else:
            label.append(ord(character))
    if label:
        parts.append(bytes(label))
    return join(parts)


def _to_ascii(text: str) -> str:
    try:
        ascii_text = text.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ValueError("the name is not a valid internationalised name") from error
    if "\\" in ascii_text:  # written, or what a letter like it became
        raise ValueError("escapes and letters outside ASCII do not mix in a name")
    return ascii_text


def _escaped(text: str, position: int) -> tuple[int, int]:
    if position == len(text):
        raise ValueError("the name ends in a backslash")
    if not text[position].isdecimal():
        return ord(text[position]), position + 1
    digits = text[position : position + 3]
    if len(digits) < 3 or not digits.isdecimal() or int(digits) > 255:
        raise ValueError(f"\\{digits} is no octet")
    return int(digits), position + 3
