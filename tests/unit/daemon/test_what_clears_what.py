"""The table of docs/design/persistence.md: what is left of what was known, after what.

Each row is done to a daemon's resolver over the lab, which knows `z.lab.` and `y.lab.`; each cell
is what is seen of the two then.
"""

import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trio

from anchord.config.load import Loaded, load
from anchord.daemon import clock_watch
from anchord.daemon.network import NetworkWatch
from anchord.daemon.switch import Switch
from anchord.lab.plan import Plan
from anchord.lab.servers import Asked, serve_plain
from anchord.lab.world import World
from anchord.model import names
from anchord.model.clock import SystemClock
from anchord.model.question import ClientFlags, Question
from anchord.server.handler import Pending, Transport
from anchord.system.links import Link
from anchord.system.machine import Machine
from anchord.wire.query import write_query
from support.lab import key_set, question

PAGE = Path(__file__).parents[3] / "docs" / "design" / "persistence.md"
CONCERNED, OTHER = "z.lab.", "y.lab."
LINK = "127.53.7.1"
"""The server of a link, on port 53."""

STAYS, ANEW, GONE = "stays", "anew", "gone"
"""It is as it was; it is told when it has been proven anew, without an upstream; it is no more."""


class SetClock:
    """The machine's clocks, as somebody sets the one and lets both run ahead."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self.set_by = 0
        self.skipped = 0

    def wall(self) -> int:
        return self._clock.wall() + self.set_by + self.skipped

    def monotonic(self) -> float:
        return self._clock.monotonic() + self.skipped


class House:
    """A daemon's resolver over the lab, and all that is done to it."""

    def __init__(self, folder: Path, nursery: trio.Nursery) -> None:
        self.folder = folder
        self.clock = SetClock()
        self.world = World(self.clock.wall(), plans=PLANS)
        self.links: tuple[Link, ...] = ()
        self.log: list[Asked] = []
        self.ports: list[int] = []
        self.anchors = self.world.trust_anchors()
        self._nursery = nursery

    async def start(self, **settings: Any) -> None:
        """Another daemon of this machine."""
        watch = NetworkWatch(read=self._read_links)
        loaded = self.configured(**settings)
        self.switch = Switch(loaded, self.clock, watch, self._nursery, lambda: self._next)
        await self.switch.start()

    async def reload(self, **settings: Any) -> None:
        self._next = self.configured(**settings)
        await self.switch.reload()
        assert self.switch.loaded is self._next

    def configured(self, *, port: int = 0, negative: str = "", zone: str = "") -> Loaded:
        """`port` is one of the world's two."""
        anchors = self.folder / "root.ds"
        anchors.write_text(self.anchors)
        file = self.folder / "anchord.toml"
        file.write_text(
            f"[[upstream]]\nurl = 'udp://127.0.0.1:{self.ports[port]}'\n"
            f"[forward]\nallow_plaintext = true\n[hosts]\nfile = ''\n{zone}\n"
            f"[dnssec]\ntrust_anchors = '{anchors}'\nnegative_trust_anchors = [{negative}]\n"
        )
        return load(file)

    def until(self, seconds: int) -> str:
        """A negative trust anchor that ends so many seconds from now."""
        end = datetime.fromtimestamp(self.clock.wall() + seconds, UTC)
        return f"'{CONCERNED} until {end:%Y-%m-%dT%H:%M:%SZ}'"

    def _read_links(self, _: Machine) -> tuple[Link, ...]:
        return self.links

    async def settle(self) -> None:
        """Waits for a change that begins by itself: another resolver."""
        before = self.switch.resolver
        await until(lambda: self.switch.resolver is not before)

    # What is known

    async def learn(self) -> None:
        """Two names are asked for, and the front door's memo has them; the file, too."""
        for name in (CONCERNED, OTHER):
            pending = self.received(name)
            await self.switch.handler.resolve(pending)
            known = self.switch.handler.known(pending)
            assert known
            assert known.answer.answer
            assert not known.answer.verdict.status.is_failure
            reply = self.switch.handler.render(pending, known.answer)
            message = _message(name)
            self.switch.handler.front.remember(message, reply, known.answer, known.entry)
        assert self.sees("queries", OTHER) is STAYS
        await self.switch.end()

    def received(self, name: str) -> Pending:
        pending = self.switch.handler.receive(_message(name), Transport.UDP)
        assert isinstance(pending, Pending)
        return pending

    def sees(self, level: str, name: str) -> str:
        """Whether a level that can be looked into has a name."""
        resolver, front = self.switch.resolver, self.switch.handler.front
        wire = names.from_text(name)
        match level:
            case "queries":
                front.tick()
                message = _message(name)
                found = bool(front.answer(message) or front.renewed(message))
            case "signatures":
                found = bool(resolver._signatures._verified)
            case "guesses":
                found = wire in resolver.signed
            case _:
                found = wire in self.file.read_bytes()
        return STAYS if found else GONE

    @property
    def file(self) -> Path:
        return self.folder / "cache" / "answers"

    async def told(self, name: str) -> str:
        """What is left of the answer for a name."""
        asked = question(name)
        if self.switch.resolver.known(asked, ClientFlags()):
            return STAYS
        return GONE if f"{asked.name!r} A" in await self.asks(asked) else ANEW

    async def proven(self, name: str, *, is_new: bool) -> str:
        """What is left of the proof of a zone, to prove another name in it."""
        chain = {f"{names.from_text(name)!r} {rdtype}" for rdtype in ("DS", "DNSKEY")}
        if chain & await self.asks(question(f"www.{name}")):
            return GONE
        return ANEW if is_new else STAYS

    async def asks(self, asked: Question) -> set[str]:
        """What the world is asked for an answer."""
        self.log.clear()
        await self.switch.resolver.resolve(asked, ClientFlags())
        return {_heard(entry.text) for entry in self.log}


async def until(condition: Callable[[], bool]) -> None:
    """Waits for what happens by itself, soon."""
    with trio.fail_after(10):
        for _ in iter(condition, True):
            await trio.sleep(0.001)


PLANS = [
    Plan(".", "the root"),
    Plan("lab.", "a TLD"),
    Plan(CONCERNED, "of concern"),
    Plan(OTHER, "elsewhere"),
]


def _message(name: str) -> bytes:
    return write_query(question(name), checking_disabled=False)


def _heard(text: str) -> str:
    name, _, rdtype = text.partition(" ")
    return f"{names.from_text(name)!r} {rdtype}"


# ------------ The rows ------------


async def flush(house: House) -> None:
    house.switch.flush(None)
    await _saved(house)


async def flush_name(house: House) -> None:
    house.switch.flush(names.from_text(CONCERNED))
    await _saved(house)


async def _saved(house: House) -> None:
    assert not house.file.exists()
    await until(house.file.exists)


async def reload(house: House) -> None:
    await house.reload()


async def more_anchors(house: House) -> None:
    house.anchors += _anchor(house)
    await house.reload()


async def other_anchors(house: House) -> None:
    house.anchors = _anchor(house)
    await house.reload()


def _anchor(house: House) -> str:
    """A key that is not the root's."""
    (key, *_) = key_set(house.world.zone(names.from_text(OTHER))).rdatas
    return f"\n. IN DNSKEY \\# {len(key)} {key.hex()}\n"


async def negative_comes(house: House) -> None:
    await house.reload(negative=house.until(3600))


async def negative_goes(house: House) -> None:
    await house.reload()


async def negative_ends(house: House) -> None:
    house.clock.skipped += 100


async def other_upstream(house: House) -> None:
    await house.reload(port=1)


async def other_zone(house: House) -> None:
    url = f"udp://127.0.0.1:{house.ports[1]}"
    await house.reload(zone=_zone(url))


def _zone(url: str) -> str:
    return f"[[zone]]\ndomain = '{CONCERNED}'\nupstream = ['{url}']\nallow_plaintext = true\n"


async def network_changes(house: House) -> None:
    house.links = (Link("v1", (LINK,), (names.from_text(CONCERNED),)),)
    await house.switch.network.look()


async def pause(house: House) -> None:
    house.links = (Link("v0", (LINK,), ()),)
    await house.switch.pause(60)
    await house.switch.resume()


async def clock_ahead(house: House) -> None:
    house.clock.set_by += 3600
    await house.settle()


async def clock_back(house: House) -> None:
    house.clock.set_by -= 3600
    await house.settle()


async def restart(house: House) -> None:
    await house.switch.end()
    await house.start()


ROWS: dict[str, Callable[[House], Awaitable[None]]] = {
    "`flush`": flush,
    "`flush NAME`": flush_name,
    "reload, nothing has changed": reload,
    "reload, an anchor more": more_anchors,
    "reload, the anchor gone or revoked": other_anchors,
    "reload, a negative anchor more": negative_comes,
    "reload, a negative anchor gone": negative_goes,
    "a negative anchor ends by itself": negative_ends,
    "reload, other upstreams": other_upstream,
    "reload, another `[[zone]]`": other_zone,
    "the network changes": network_changes,
    "a pause, and its end": pause,
    "the clock is set ahead": clock_ahead,
    "the clock is set back": clock_back,
    "restart": restart,
}


def _settings_before(row: str, house: House) -> dict[str, str]:
    """The configuration that a row begins with."""
    if row == "reload, a negative anchor gone":
        return {"negative": house.until(3600)}
    if row == "a negative anchor ends by itself":
        return {"negative": house.until(100)}
    if row == "the network changes":
        house.links = (Link("v0", (LINK,), (names.from_text(CONCERNED),)),)
        return {"zone": _zone("network")}
    return {}


@asynccontextmanager
async def furnished(folder: Path, row: str) -> AsyncIterator[House]:
    """A house in which the row is about to happen."""
    async with trio.open_nursery() as nursery:
        house = House(folder, nursery)
        async with (
            serve_plain(house.world.reply, log=house.log) as first,
            serve_plain(house.world.reply, log=house.log) as second,
            serve_plain(house.world.reply, address=LINK, port=53, log=house.log),
        ):
            house.ports = [first, second]
            await house.start(**_settings_before(row, house))
            await house.learn()
            yield house
            nursery.cancel_scope.cancel()


async def observed(folder: Path, row: str) -> dict[str, tuple[str, str]]:
    """What is seen after a row, of the name of concern and of the other, level by level."""
    found: dict[str, tuple[str, str]] = {}
    async with furnished(folder, row) as house:
        await ROWS[row](house)
        for level in ("queries", "signatures", "guesses", "file"):
            found[level] = house.sees(level, CONCERNED), house.sees(level, OTHER)
        found["answers"] = await house.told(CONCERNED), await house.told(OTHER)
    async with furnished(folder, row) as house:
        before = house.switch.resolver
        await ROWS[row](house)
        is_new = house.switch.resolver is not before
        found["zones"] = (
            await house.proven(CONCERNED, is_new=is_new),
            await house.proven(OTHER, is_new=is_new),
        )
    return found


# ------------ The table ------------


def _table() -> dict[tuple[str, str], str]:
    """The cells by row and level."""
    text = PAGE.read_text(encoding="utf-8")
    text = text.partition("## What clears what")[2].partition("## ")[0]
    lines = [line.strip("| ").split(" | ") for line in re.findall(r"^\|.*\|$", text, re.MULTILINE)]
    (_, *levels), _, *rows = lines
    return {
        (row.strip(), level.strip()): cell.strip()
        for row, *cells in rows
        for level, cell in zip(levels, cells, strict=True)
    }


TABLE = _table()
OBSERVED: dict[str, dict[str, tuple[str, str]]] = {}


def test_the_table_has_every_row() -> None:
    assert {row for row, _ in TABLE} == set(ROWS)


@pytest.mark.parametrize(("row", "level"), TABLE, ids=map(": ".join, TABLE))
async def test_cell(row: str, level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _skip_without_port_53()
    monkeypatch.setenv("CACHE_DIRECTORY", str(tmp_path / "cache"))
    monkeypatch.setattr(clock_watch, "LOOK", 0.01)
    if row not in OBSERVED:
        OBSERVED[row] = await observed(tmp_path, row)
    concerned, other = OBSERVED[row][level]
    seen = concerned if concerned == other else f"{concerned} below, else {other}"
    assert seen == TABLE[row, level]


async def test_r29_after_a_sleep_all_is_asked_over_new_connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock that never jumps has stood still meanwhile: the other one is ahead of it."""
    _skip_without_port_53()
    monkeypatch.setenv("CACHE_DIRECTORY", str(tmp_path / "cache"))
    monkeypatch.setattr(clock_watch, "LOOK", 0.01)
    async with furnished(tmp_path, "the clock is set ahead") as house:
        before = house.switch.resolver.upstreams
        await clock_ahead(house)
        after = house.switch.resolver.upstreams
        assert before.keys() == after.keys()
        assert all(after[url] is not upstream for url, upstream in before.items())
        assert await house.asks(question(f"new.{OTHER}"))


def _skip_without_port_53() -> None:
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((LINK, 53))
    except OSError as error:
        pytest.skip(f"port 53 of {LINK} cannot be had: {error}")
