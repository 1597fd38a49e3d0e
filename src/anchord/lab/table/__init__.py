"""The zones of the lab, and what a validator must say about each.

Tests, `anchord lab` and the documentation share this one table. A zone is a `Plan`: its name, what
it is there for, what is wrong with it, and questions with the verdicts that they must get. Names of
zones tell the fault; `lab.` is denied by NSEC, `hashed.` by NSEC3, `optout.` by NSEC3 with opt-out.
Each module is a theme, to be read from top to bottom.
"""

from types import ModuleType

from anchord.lab.plan import Case, Plan, cases_of

from . import (
    aliases,
    broken,
    delegations,
    denials,
    good,
    hostile,
    insecure,
    keysets,
    services,
    signatures,
    testbed,
    tree,
)

THEMES: dict[ModuleType, tuple[Plan, ...]] = {
    theme: theme.PLANS
    for theme in (
        tree, good, insecure, broken, testbed,
        keysets, signatures, denials, delegations, aliases, services, hostile,
    )
}  # fmt: skip
"""The zones by theme; the docstring of a module tells what its theme is."""

PLANS: tuple[Plan, ...] = tuple(plan for plans in THEMES.values() for plan in plans)
"""Every zone of the lab."""

CASES: tuple[Case, ...] = tuple(case for plan in PLANS for case in cases_of(plan))
"""Every question to the lab, with the verdict that it must get."""

TOUR: tuple[Case, ...] = tuple(case for case in CASES if case.in_tour)
"""Those that `anchord lab --tour` asks."""
