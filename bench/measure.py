"""What was measured, round by round, and the table that it makes."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

BASIS = "unbound"
"""The server that all others are divided by, in each round anew."""


@dataclass(slots=True)
class Measure:
    """Values of one kind, of each server one in every round.

    `goal` is what anchord's ratio should be, such as `≤ 0.85`; empty where nothing is asked for.
    A measure that is `absolute` is not divided.
    """

    name: str
    goal: str = ""
    absolute: str = ""
    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, server: str, value: float) -> None:
        """The value of this round."""
        self.values.setdefault(server, []).append(value)

    def cell(self, server: str) -> str:
        """Median and range of the server's ratios, or of its values."""
        values = self.values.get(server)
        if not values:
            return "-"
        if not self.absolute:
            basis = self.values[BASIS]
            values = [value / other for value, other in zip(values, basis, strict=False)]
        spread = "" if len(values) == 1 else f" ({_number(min(values))} to {_number(max(values))})"
        return _number(statistics.median(values)) + spread


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


class Results:
    """The measures of a part, in the order in which they were first named."""

    def __init__(self) -> None:
        self._measures: dict[tuple[str, str], Measure] = {}

    def of(self, name: str, *, goal: str = "", absolute: str = "") -> Measure:
        """The measure of that name and kind."""
        return self._measures.setdefault((name, absolute), Measure(name, goal, absolute))

    def table(self, servers: Sequence[str]) -> str:
        """A table in Markdown: a row for each measure, a column for each server."""
        rows = [["", *servers, "goal"]]
        for measure in self._measures.values():
            name = f"{measure.name}, {measure.absolute}" if measure.absolute else measure.name
            rows.append([name, *map(measure.cell, servers), measure.goal])
        return "\n".join(written(rows))


def written(rows: list[list[str]]) -> Iterable[str]:
    """The rows as a table in Markdown, the first one being its head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"| {' | '.join(cells)} |"
        if not number:
            yield f"|{'|'.join('-' * (width + 2) for width in widths)}|"


def percentile(times: Sequence[float], part: float) -> float:
    """The value that this part of all does not exceed."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
