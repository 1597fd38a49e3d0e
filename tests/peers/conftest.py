"""One lab for all tests with peers."""

from collections.abc import Iterator

import pytest

from support.served import Served, served_world


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The lab's recursive resolver, to be the daemon's upstream."""
    with served_world(tmp_path_factory.mktemp("lab")) as served:
        yield served
