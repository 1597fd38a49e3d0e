"""Faults by name: when each acts, what it does, and how a plan calls it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from anchord.lab.zones import Zone


class Stage(Enum):
    """When a fault acts."""

    BEFORE_SIGNING = "before signing"
    IN_PARENT = "in the parent"
    AFTER_SIGNING = "after signing"


@dataclass(frozen=True, slots=True)
class Fault:
    """A way to spoil a zone: what plans call it, when it acts, and what it does."""

    name: str
    stage: Stage
    spoil: Callable[..., None]

    @property
    def explanation(self) -> str:
        """What it does, in the first line of its docstring."""
        return (self.spoil.__doc__ or "").partition("\n")[0]


FAULTS: dict[str, Fault] = {}
"""Every fault by its name."""


def spoil(zone: Zone, faults: str, stage: Stage) -> None:
    """Lets those of the named faults act that belong to this stage. Raises ValueError."""
    for words in parse(faults):
        fault = FAULTS[words[0]]
        if fault.stage is stage:
            fault.spoil(zone, *words[1:])


def parse(faults: str) -> list[list[str]]:
    """The faults of a plan, each as its name and arguments. Raises ValueError for unknown names."""
    parsed = [words for fault in faults.split(";") if (words := fault.split())]
    for name, *_ in parsed:
        if name not in FAULTS:
            raise ValueError(f"there is no fault named {name}")
    return parsed


# ------------ How a function becomes a fault ------------

Spoil: TypeAlias = Callable[..., None]


def _at(stage: Stage) -> Callable[[Spoil], Spoil]:
    def register(function: Spoil) -> Spoil:
        name = function.__name__.replace("_", "-")
        FAULTS[name] = Fault(name, stage, function)
        return function

    return register


before_signing = _at(Stage.BEFORE_SIGNING)
in_parent = _at(Stage.IN_PARENT)
after_signing = _at(Stage.AFTER_SIGNING)
