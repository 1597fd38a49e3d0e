"""The root of every exception that anchord raises on purpose."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # every command loads this module, and few of them need more
    from .ede import Ede


class AnchordError(Exception):
    """An accident, told in one line: what is wrong, where, and what to do.

    `exit_status` is what a command ends with; `ede` what a client may be told.
    """

    exit_status = 2

    def __init__(
        self, problem: str, *, where: str = "", remedy: str = "", ede: "Ede | None" = None
    ) -> None:
        self.problem = problem
        self.where = where
        self.remedy = remedy
        self.ede = ede
        super().__init__(self.one_line())

    def one_line(self) -> str:
        """`where: problem; remedy`, as it is printed."""
        line = f"{self.where}: {self.problem}" if self.where else self.problem
        return f"{line}; {self.remedy}" if self.remedy else line
