"""What every part of the bench is given."""

from dataclasses import dataclass
from pathlib import Path

from .servers import Server
from .upstream import Upstream


@dataclass(frozen=True, slots=True)
class Rig:
    """The upstream, the servers in the order in which they are asked, and how long to measure.

    `seconds` is the time of each single measurement that has no other end.
    """

    folder: Path
    upstream: Upstream
    servers: tuple[Server, ...]
    rounds: int
    seconds: float
