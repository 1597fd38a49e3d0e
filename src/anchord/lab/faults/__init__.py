"""Named ways to spoil a good zone.

A plan says `faults="expired A; wrong-ds"`: names of faults with their arguments, which act in the
order given, each at its stage: before the zone is signed, on the DS set that the parent publishes,
or after signing. Types among the arguments limit a fault to the sets of those types; names are
relative to the zone. Each decorated function of these modules is a fault: its name with hyphens is
what a plan calls it, its docstring what it does.
"""

from . import answers, delegations, denials, floods, keysets, signatures, times
from .registry import FAULTS, Fault, Stage, parse, spoil
from .times import DAY

__all__ = [
    "DAY",
    "FAULTS",
    "Fault",
    "Stage",
    "answers",
    "delegations",
    "denials",
    "floods",
    "keysets",
    "parse",
    "signatures",
    "spoil",
    "times",
]
