"""A place for the systems that the tests here boot."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from support.boots import CACHE, obstacle


@pytest.fixture
def folder() -> Iterator[Path]:
    if why_not := obstacle():
        pytest.skip(why_not)
    with TemporaryDirectory(dir=CACHE) as name:  # overlays lie on no overlay
        yield Path(name)
