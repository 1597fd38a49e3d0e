"""A place for the systems that the tests here boot."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from support.booted import prepare
from support.boots import CACHE, Boot, booted, obstacle


@pytest.fixture
def folder() -> Iterator[Path]:
    if why_not := obstacle():
        pytest.skip(why_not)
    with TemporaryDirectory(dir=CACHE) as name:  # overlays lie on no overlay
        yield Path(name)


@pytest.fixture(params=["bookworm", "trixie"])
def boot(request: pytest.FixtureRequest, folder: Path) -> Iterator[Boot]:
    """A system with a link, a world of signed names, and the package installed."""
    with booted(request.param, folder) as running:
        prepare(running)
        yield running
