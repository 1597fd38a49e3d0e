"""Which line of a TOML file a key stands on.

`tomllib` tells nothing about lines, so the file is walked once more for the sake of an error or a
warning. The text is one that `tomllib` has accepted: nothing is checked here a second time, and a
text that is not TOML gives nonsense. Tables, keys and the items of lists all have a path.
"""

import re
import tomllib

from .errors import KeyPath


def lines(text: str) -> dict[KeyPath, int]:
    """The line, from 1, of each table, key and item of the TOML file `text`."""
    scanner = _Scanner(text.replace("\r\n", "\n"))
    scanner.document()
    return scanner.lines


def closest_line(text: str, path: KeyPath) -> int:
    """The line of `path`, or that of the deepest part of it that the file has; else 1."""
    found = lines(text)
    while path and path not in found:
        path = path[:-1]
    return found.get(path, 1)


def to_text(path: KeyPath) -> str:
    """The path as people write it: `upstream[1].url`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")


_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}#\n]+")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'",
    re.DOTALL,
)


class _Scanner:
    """A position in the text, and what was seen up to there."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.lines: dict[KeyPath, int] = {}
        self._lengths: dict[KeyPath, int] = {}
        """How many tables each array of tables has so far."""

    def document(self) -> None:
        """The whole file: headers of tables, and pairs that belong to the last header."""
        table: KeyPath = ()
        while self._skip_blank() < len(self.text):
            if self._take("[["):
                array = self._inside_last_tables(self._keys(), also_the_last=False)
                self._lengths[array] = self._lengths.get(array, 0) + 1
                table = (*array, self._lengths[array] - 1)
                self._note(table)
                self._take("]]")
            elif self._take("["):
                table = self._inside_last_tables(self._keys(), also_the_last=True)
                self._note(table)
                self._take("]")
            else:
                self._pair(table)

    def _inside_last_tables(self, keys: list[str], *, also_the_last: bool) -> KeyPath:
        """The path of a header: the name of an array of tables means the last of its tables."""
        path: KeyPath = ()
        line = self._line()
        for number, key in enumerate(keys, start=1):
            path = (*path, key)
            self.lines.setdefault(path, line)
            if path in self._lengths and (also_the_last or number < len(keys)):
                path = (*path, self._lengths[path] - 1)
        return path

    def _pair(self, table: KeyPath) -> None:
        path = table
        line = self._line()
        for key in self._keys():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self._take("=")
        self._value(path)

    def _keys(self) -> list[str]:
        """A key, dotted or not: its parts."""
        keys = []
        while True:
            self._skip_blank()
            if bare := _BARE_KEY.match(self.text, self.position):
                self.position = bare.end()
                keys.append(bare[0])
            else:
                keys.append(self._quoted_key())
            if not self._take("."):
                return keys

    def _quoted_key(self) -> str:
        start = self.position
        self._skip_string()
        quoted = self.text[start : self.position]
        key: str = tomllib.loads(f"key = {quoted}")["key"]
        return key

    def _value(self, path: KeyPath) -> None:
        self._skip_blank()
        if self._take("["):
            self._items(path)
        elif self._take("{"):
            while not self._take("}"):
                self._pair(path)
                self._take(",")
        elif self.text[self.position] in "\"'":
            self._skip_string()
        else:
            bare = _BARE_VALUE.match(self.text, self.position)
            assert bare is not None
            self.position = bare.end()

    def _items(self, path: KeyPath) -> None:
        number = 0
        while not self._take("]"):
            self._note((*path, number))
            self._value((*path, number))
            self._take(",")
            number += 1

    def _skip_string(self) -> None:
        string = _STRING.match(self.text, self.position)
        assert string is not None
        self.position = string.end()

    def _skip_blank(self) -> int:
        blank = _BLANK.match(self.text, self.position)
        assert blank is not None
        self.position = blank.end()
        return self.position

    def _take(self, token: str) -> bool:
        """Whether `token` comes next, after blanks; it is gone over then."""
        if not self.text.startswith(token, self._skip_blank()):
            return False
        self.position += len(token)
        return True

    def _note(self, path: KeyPath) -> None:
        self.lines[path] = self._line()

    def _line(self) -> int:
        return self.text.count("\n", 0, self._skip_blank()) + 1
