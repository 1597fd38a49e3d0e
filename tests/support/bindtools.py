"""`dig` and `delv` as clients, with what they print taken apart."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .programs import path_of
from .resolvers import bind_anchors


@dataclass(frozen=True)
class Dug:
    """What `dig` shows of a reply."""

    text: str

    @property
    def status(self) -> str:
        return self._found(r"status: (\w+)")

    @property
    def flags(self) -> set[str]:
        return set(self._found(r"^;; flags: ([a-z ]*);").split())

    @property
    def edes(self) -> dict[int, str]:
        """The text of each Extended DNS Error by its code."""
        found = re.findall(
            r"^; EDE: (\d+)(?: \([^()]*\))?(?:: \((.*)\))?$", self.text, re.MULTILINE
        )
        return {int(code): text for code, text in found}

    @property
    def types(self) -> set[str]:
        """The types of all records."""
        return {line.split(None, 4)[3] for line in self.records}

    @property
    def records(self) -> list[str]:
        """One line for each."""
        return [line for line in self.text.splitlines() if line and not line.startswith(";")]

    @property
    def is_over_tcp(self) -> bool:
        return "(TCP)" in self.text

    def _found(self, pattern: str) -> str:
        match = re.search(pattern, self.text, re.MULTILINE)
        assert match is not None, self.text
        return match[1]


def dig(port: int, *arguments: str, address: str = "127.0.0.1") -> Dug:
    """Asks with the arguments, such as `+dnssec good.lab A`."""
    command = [path_of("dig"), f"@{address}", "-p", str(port), "+nocookie", *arguments]
    return Dug(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@dataclass(frozen=True)
class Delved:
    """What `delv` makes of an answer, having validated it itself."""

    text: str
    errors: str

    @property
    def verdict(self) -> str:
        """`secure`, `insecure` or `bogus`: of an alias and its target, the worse."""
        if re.search(r"resolution failed: (?!ncache)", self.errors):
            return "bogus"
        if re.search(r"^; (negative response, )?unsigned ", self.text, re.MULTILINE):
            return "insecure"
        assert re.search(r"^; (negative response, )?fully validated$", self.text, re.MULTILINE), (
            self
        )
        return "secure"


class Delv:
    """`delv` with trust anchors of its own, given as the DS records of a zone file."""

    def __init__(self, folder: Path, anchors: str) -> None:
        self._anchors = folder / "delv.anchors"
        entries = "\n".join(bind_anchors(anchors))
        self._anchors.write_text(f"trust-anchors {{\n{entries}\n}};\n", encoding="utf-8")

    def ask(self, port: int, *arguments: str) -> Delved:
        """Asks a resolver on 127.0.0.1, which is told to leave checking to us where `+cdflag`."""
        command = [path_of("delv"), "@127.0.0.1", "-p", str(port), "-a", str(self._anchors)]
        ran = subprocess.run(
            [*command, "+root=.", *arguments], capture_output=True, text=True, check=True
        )
        return Delved(ran.stdout, ran.stderr)
