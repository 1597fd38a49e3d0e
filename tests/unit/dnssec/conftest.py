"""What several tests of the engine share."""

from collections.abc import Iterator

import pytest

from anchord.dnssec.crypto import load_key


@pytest.fixture
def keys_loaded_anew() -> Iterator[None]:
    """A key that was loaded under other conditions is no key of this test, nor of the next."""
    load_key.cache_clear()
    yield
    load_key.cache_clear()
