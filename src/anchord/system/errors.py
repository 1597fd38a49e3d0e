"""What goes wrong in this room."""

from anchord.model.errors import AnchordError


class SystemRefusal(AnchordError):  # noqa: N818 - it is a decision, told before anything was done
    """The system cannot be changed as asked. Exit status 2."""


class NotProvenError(AnchordError):
    """No proven answer came the way it must come. Exit status 3."""

    exit_status = 3
