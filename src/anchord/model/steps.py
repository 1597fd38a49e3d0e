"""Work that may take long, in steps: generators that yield where others may have their turn."""

from collections.abc import Generator
from typing import TypeAlias, TypeVar

T = TypeVar("T")

Steps: TypeAlias = Generator[None, None, T]


def at_once(steps: Steps[T]) -> T:
    """The result of such work, for whoever lets nobody else have a turn."""
    try:
        while True:
            next(steps)
    except StopIteration as done:
        result: T = done.value
        return result
