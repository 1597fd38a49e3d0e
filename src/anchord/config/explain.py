"""What msgspec finds wrong with a document, in words for people."""

import re
import typing

import msgspec

from .errors import KeyPath
from .schema import Config

_WORDS = {
    "str": "a text in quotes",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list in [ ]",
    "object": "a table",
    "datetime": "a time without quotes",
    "date": "a date without quotes",
    "time": "a time without quotes",
}
"""msgspec's words for the types of a value."""


def validation_error(error: msgspec.ValidationError) -> tuple[KeyPath, str, str]:
    """The path of the key, what is wrong with it, and what to do (perhaps nothing more)."""
    text = str(error)
    placed = re.fullmatch(r"(.*) - at `\$([^`]*)`", text, re.DOTALL)
    message, place = placed.groups() if placed else (text, "")
    path = _path(place)
    if match := re.fullmatch(r"Object contains unknown field `(.*)`", message, re.DOTALL):
        return (*path, match[1]), "unknown key", _known_keys(path, match[1])
    if match := re.fullmatch(r"Object missing required field `(.*)`", message):
        return (*path, match[1]), "the key is missing", f"add {match[1]} = …"
    if match := re.fullmatch(r"Invalid enum value (['\"])(.*)\1", message, re.DOTALL):
        choices = ", ".join(f'"{choice}"' for choice in typing.get_args(_type_at(path)))
        return path, f'"{match[2]}" is not known here', f"give one of {choices}"
    if match := re.fullmatch(r"Expected `(\w+)`, got `(\w+)`", message):
        return path, f"expected {_WORDS[match[1]]}, found {_WORDS[match[2]]}", ""
    if match := re.fullmatch(r"Expected `int` (<=|>=) (\d+)", message):
        bound = "at most" if match[1] == "<=" else "at least"
        return path, "the number is out of range", f"give {bound} {match[2]}"
    if message == "Expected `array` of length >= 1":
        return path, "the list is empty", "name at least one"
    problem, _, remedy = message.partition("; ")  # a sentence of `units`
    return path, problem, remedy


def found(value: object) -> str:
    """What kind of value this is, in words."""
    kinds = {str: "str", bool: "bool", int: "int", float: "float", list: "array", dict: "object"}
    return _WORDS[kinds.get(type(value), "datetime")]


def _path(place: str) -> KeyPath:
    """`.upstream[1].url` as a path."""
    return tuple(
        int(number) if number else name for name, number in re.findall(r"\.(\w+)|\[(\d+)\]", place)
    )


def _known_keys(table: KeyPath, key: str) -> str:
    kind = _type_at(table)
    assert isinstance(kind, type)
    assert issubclass(kind, msgspec.Struct)
    known = kind.__struct_fields__
    import difflib

    if close := difflib.get_close_matches(key, known, n=1):
        return f"did you mean {close[0]}?"
    return f"known here are {', '.join(known)}"


def _type_at(path: KeyPath) -> object:
    """The type of the schema at `path`."""
    kind: object = Config
    for part in path:
        if isinstance(part, int):
            kind = typing.get_args(kind)[0]
        else:
            kind = typing.get_type_hints(kind)[part]
    return kind
