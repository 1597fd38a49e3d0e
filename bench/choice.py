"""`python -m bench.choice FILE.svg`: a minute with three upstreams, drawn.

Round trips are 5, 20 and 80 ms; the fastest falls silent after 20 seconds and comes back after 35.
A thousand questions for hundreds of domains are put to `resolver.fetch` with the strategy
`fastest`; the upstreams are simulated and the clock is virtual, so that the chart shows decisions
and no machine. An oracle always asks the best one that is there.
"""

import random
import sys
from collections.abc import Callable
from pathlib import Path

import trio
from trio.testing import MockClock

from anchord.model import names, rdtypes
from anchord.model.question import Question
from anchord.model.response import Response
from anchord.resolver.fetch import Fetcher
from anchord.resolver.routes import Routes
from anchord.upstream.base import Counters
from anchord.upstream.choice import Strategy
from anchord.wire.message import QR, RA

from .measure import percentile

MINUTE, GOES, COMES, QUESTIONS = 60.0, 20.0, 35.0, 1200
NEAR, MIDDLE, FAR = 0.005, 0.02, 0.08
COLOURS = {"near.example": "#2a7", "middle.test": "#27c", "far.invalid": "#c63"}


class Simulated:
    """An upstream at a distance, which may be away."""

    is_encrypted = True

    def __init__(self, host: str, seconds: float, is_there: Callable[[], bool]) -> None:
        self.counters = Counters()
        self._host = host
        self._seconds = seconds
        self._is_there = is_there

    def __str__(self) -> str:
        return f"tls://{self._host}"

    async def exchange(self, query: bytes) -> bytes:
        """An empty answer, after the time that it takes."""
        if not self._is_there():
            await trio.sleep_forever()
        await trio.sleep(self._seconds)
        self.counters.round_trip.measured(self._seconds)
        end = query.index(b"\0", 12) + 5
        return query[:2] + (QR | RA).to_bytes(2) + b"\0\1\0\0\0\0\0\0" + query[12:end]

    def forget_network(self) -> None:
        """There is but one."""

    async def aclose(self) -> None:
        """Nothing is open."""


Asked = tuple[float, float, float, str]
"""When, how long it took, how long the oracle would have needed, and who answered."""


def near_is_there() -> bool:
    """Whether the fastest answers now."""
    return not GOES <= trio.current_time() < COMES


async def minute() -> list[Asked]:
    """Every question of the minute."""
    upstreams = [
        Simulated("far.invalid", FAR, lambda: True),
        Simulated("near.example", NEAR, near_is_there),
        Simulated("middle.test", MIDDLE, lambda: True),
    ]
    chance = random.Random(11)
    asked: list[Asked] = []
    async with trio.open_nursery() as probes:
        fetcher = Fetcher(
            Routes(upstreams),
            probes,
            timeout=3.8,
            strategy=Strategy.FASTEST,
            chance=random.Random(7),
        )

        async def ask(number: int) -> None:
            site = int(chance.paretovariate(0.7)) % 300
            began, best = trio.current_time(), NEAR if near_is_there() else MIDDLE
            name = names.from_text(f"host{number}.site{site}.example")
            said = await fetcher.fetch(Question(name, rdtypes.A))
            assert isinstance(said, Response)
            took = trio.current_time() - began
            asked.append((began, took, best, said.upstream.removeprefix("tls://")))

        async with trio.open_nursery() as nursery:
            for number in range(QUESTIONS):
                await trio.sleep(chance.expovariate(QUESTIONS / MINUTE))
                nursery.start_soon(ask, number)
        probes.cancel_scope.cancel()
    return asked


# ------------ The chart ------------

WIDTH, HEIGHT, LEFT, BOTTOM = 720, 300, 60, 40
LEAST, MOST = 0.003, 3.0


def chart(asked: list[Asked]) -> str:
    """The questions as dots: when, how long on a logarithmic scale, and who answered by colour."""
    import math

    def x(at: float) -> float:
        return LEFT + at / MINUTE * (WIDTH - LEFT - 10)

    def y(seconds: float) -> float:
        share = math.log(seconds / LEAST) / math.log(MOST / LEAST)
        return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - 30)

    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
            ' font-family="sans-serif" font-size="12">'
        ),
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        (
            f'<rect x="{x(GOES):.1f}" y="20" width="{x(COMES) - x(GOES):.1f}"'
            f' height="{HEIGHT - BOTTOM - 20}" fill="#eee"/>'
        ),
        f'<text x="{x(GOES) + 4:.1f}" y="34" fill="#555">the 5 ms upstream is away</text>',
    ]
    for seconds in (NEAR, MIDDLE, FAR, 1.0):
        lines += [
            (
                f'<line x1="{LEFT}" x2="{WIDTH - 10}" y1="{y(seconds):.1f}" y2="{y(seconds):.1f}"'
                ' stroke="#ddd"/>'
            ),
            (
                f'<text x="{LEFT - 6}" y="{y(seconds) + 4:.1f}" text-anchor="end">'
                f"{seconds * 1000:.0f} ms</text>"
            ),
        ]
    lines += [
        f'<text x="{x(at):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{at} s</text>'
        for at in range(0, 61, 10)
    ]
    lines += [
        f'<circle cx="{x(min(began, MINUTE)):.1f}" cy="{y(took):.1f}" r="1.6"'
        f' fill="{COLOURS[host]}"/>'
        for began, took, _, host in sorted(asked)
    ]
    lines += [
        f'<text x="{LEFT + 150 * number}" y="14" fill="{colour}">answered by {host}</text>'
        for number, (host, colour) in enumerate(COLOURS.items())
    ]
    return "\n".join([*lines, "</svg>", ""])


def main() -> int:
    """Draws the chart into the file that is named, and prints what it shows."""
    asked = trio.run(minute, clock=MockClock(autojump_threshold=0))
    if len(sys.argv) == 2:
        Path(sys.argv[1]).write_text(chart(asked), encoding="utf-8")
    took, best = [each[1] for each in asked], [each[2] for each in asked]
    for part in (0.5, 0.95, 0.99):
        ours, oracle = percentile(took, part) * 1000, percentile(best, part) * 1000
        print(f"p{part * 100:.0f}: {ours:.1f} ms, oracle {oracle:.1f} ms, {ours / oracle:.2f} x")
    return 0


if __name__ == "__main__":
    sys.exit(main())
