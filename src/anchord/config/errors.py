"""What goes wrong in this room."""

from anchord.model.errors import AnchordError


class ConfigError(AnchordError):
    """The configuration, or a file that it names, cannot be used. `where` is file, line and key."""
