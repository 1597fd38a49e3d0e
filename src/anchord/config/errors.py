"""What goes wrong in this room."""

from typing import TypeAlias

from anchord.model.errors import AnchordError

KeyPath: TypeAlias = tuple[str | int, ...]
"""Where a key is in a document: the keys and positions from the root, `("upstream", 1, "url")`."""


class ConfigError(AnchordError):
    """The configuration, or a file that it names, cannot be used. `where` is file, line and key."""
