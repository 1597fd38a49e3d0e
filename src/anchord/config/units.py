"""How times, sizes, addresses and names are written in the configuration.

Each class is the plain value that the lower floors take (a float of seconds, an int of octets, the
tuple that `bind` takes …) and knows how it is written: `parse` reads the text, `str` prints it, and
what was printed reads back equal. `parse` raises ValueError with a sentence for people: what is
wrong, then what to write instead.
"""

import base64
import ipaddress
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, Self

from anchord.model import names
from anchord.model.names import Name


class Written(Protocol):
    """A value that is written as a text of its own in the configuration."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """The value written as `text`. Raises ValueError."""


_MILLISECONDS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}


class Duration(float):
    """Seconds, written as a whole number of `ms`, `s`, `m`, `h` or `d`: `500ms`, `4s`, `1d`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The duration written as `text`. Raises ValueError."""
        number, unit = _number_and_unit(text)
        if unit not in _MILLISECONDS:
            raise ValueError(f'"{text}" is no duration; write it like 500ms, 4s, 5m, 2h or 1d')
        return cls(number * _MILLISECONDS[unit] / 1000)

    def __str__(self) -> str:
        return _with_unit(round(self * 1000), _MILLISECONDS, "s")


_OCTETS = {"GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10, "B": 1}


class Size(int):
    """Octets, written as a whole number of `B`, `KiB`, `MiB` or `GiB`: `64MiB`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The size written as `text`. Raises ValueError."""
        number, unit = _number_and_unit(text)
        if unit not in _OCTETS:
            raise ValueError(f'"{text}" is no size; write it like 512KiB, 64MiB or 1GiB')
        return cls(number * _OCTETS[unit])

    def __str__(self) -> str:
        return _with_unit(int(self), _OCTETS, "B")


def _number_and_unit(text: str) -> tuple[int, str]:
    """The two parts; the unit is empty where the text is none of this kind."""
    match = re.fullmatch(r"([0-9]{1,12})([A-Za-z]+)", text)
    return (int(match[1]), match[2]) if match else (0, "")


def _with_unit(number: int, units: dict[str, int], unit_of_zero: str) -> str:
    """The number in the largest unit that divides it."""
    if number == 0:
        return f"0{unit_of_zero}"
    unit = next(unit for unit, factor in units.items() if number % factor == 0)
    return f"{number // units[unit]}{unit}"


class IpAddress(str):
    """An IPv4 or IPv6 address in its canonical spelling."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The address written as `text`. Raises ValueError."""
        try:
            return cls(ipaddress.ip_address(text))
        except ValueError:
            raise ValueError(
                f'"{text}" is no IP address; write it like 9.9.9.9 or 2620:fe::fe'
            ) from None

    @property
    def is_loopback(self) -> bool:
        """Whether it is reached from this machine only (RFC 1122 section 3.2.1.3, RFC 4291)."""
        return ipaddress.ip_address(self).is_loopback


class SocketAddress(tuple[IpAddress, int]):
    """An IP address and a port, written `127.0.0.1:53` or `[::1]:53`: what `bind` takes.

    Port 0 lets the system choose one.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The address and port written as `text`. Raises ValueError."""
        match = re.fullmatch(r"(?:\[([^\]]*:[^\]]*)\]|([^:]*)):([0-9]{1,5})", text)
        if match is None or int(match[3]) > 0xFFFF:
            raise ValueError(
                f'"{text}" is no address with a port; write it like 127.0.0.1:53 or [::1]:53'
            )
        return cls((IpAddress.parse(match[1] or match[2]), int(match[3])))

    @property
    def address(self) -> IpAddress:
        """The IP address."""
        return self[0]

    @property
    def port(self) -> int:
        """The port, 0 to 65535."""
        return self[1]

    def __str__(self) -> str:
        return f"[{self[0]}]:{self[1]}" if ":" in self[0] else f"{self[0]}:{self[1]}"


class Moment(int):
    """Seconds since 1970, UTC, written as RFC 3339 has it: `2024-07-01T00:00:00Z`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The time written as `text`, whole seconds. Raises ValueError."""
        try:
            if not re.fullmatch(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d([Zz]|[+-]\d\d:\d\d)", text):
                raise ValueError  # noqa: TRY301 - the next line has forms of its own
            seconds = int(datetime.fromisoformat(text.upper()).timestamp())
        except ValueError:
            raise ValueError(f'"{text}" is no time; write it like 2024-07-01T00:00:00Z') from None
        if seconds < 0:
            raise ValueError(f'"{text}" is before 1970, where the time of signatures begins')
        return cls(seconds)

    def __str__(self) -> str:
        return datetime.fromtimestamp(self, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class FixedTime(tuple[int | None]):
    """A wall time that stands still, written as a `Moment`; none where the text is empty."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The time written as `text`, or none. Raises ValueError."""
        return cls((Moment.parse(text) if text else None,))

    @property
    def at(self) -> int | None:
        """Seconds since 1970, or None."""
        return self[0]

    def __str__(self) -> str:
        return "" if self.at is None else str(Moment(self.at))


class FilePath(str):
    """The path of a file; relative to the folder of the configuration file. Empty is none."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The path written as `text`. Raises ValueError."""
        if "\0" in text:
            raise ValueError("a path holds no NUL; write the path of a file")
        return cls(text)

    def below(self, folder: Path) -> "FilePath":
        """The path seen from `folder`; an absolute or empty one as it is."""
        return FilePath(folder / self) if self else self


class DomainName(bytes):
    """A domain name as a key: wire form in lower case. Written with or without the final dot."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The name written as `text`. Raises ValueError."""
        try:
            return cls(names.lower(names.from_text(text)))
        except ValueError as error:
            raise ValueError(f'"{text}" is no domain name: {error}') from error

    def __str__(self) -> str:
        return names.to_text(self)


class NegativeTrustAnchor(tuple[Name, int | None]):
    """A name at and below which nothing is checked (RFC 7646), and when that ends.

    It is written as `corp.example until 2026-12-01T00:00:00Z`, or as the name alone:
    then it holds for a week from when it was first loaded.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The name, and the end where there is one. Raises ValueError."""
        words = text.split()
        if len(words) not in {1, 3} or words[1:2] not in ([], ["until"]):
            raise ValueError(
                f'"{text}" is no negative trust anchor; write it like "corp.example" or'
                ' "corp.example until 2026-12-01T00:00:00Z"'
            )
        until = Moment.parse(words[2]) if len(words) == 3 else None
        return cls((DomainName.parse(words[0]), until))

    @property
    def name(self) -> Name:
        """The name, as a key."""
        return self[0]

    @property
    def until(self) -> int | None:
        """When it ends, seconds since 1970."""
        return self[1]

    def __str__(self) -> str:
        end = "" if self.until is None else f" until {Moment(self.until)}"
        return names.to_text(self.name) + end


class Pin(str):
    """The SHA-256 of a certificate's SubjectPublicKeyInfo, written `sha256/BASE64`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The pin written as `text`, in its one canonical spelling. Raises ValueError."""
        scheme, _, encoded = text.partition("/")
        try:
            digest = base64.b64decode(encoded, validate=True)
        except ValueError:
            digest = b""
        if scheme != "sha256" or len(digest) != 32:
            raise ValueError(
                f'"{text}" is no pin; write sha256/ and the base64 of the SHA-256 of the public key'
            )
        return cls("sha256/" + base64.b64encode(digest).decode())
