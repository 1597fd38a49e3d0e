"""The words in which the table speaks: the statuses, and the questions that every zone is asked."""

from anchord.lab.plan import Ask
from anchord.model.rcodes import NXDOMAIN
from anchord.model.verdict import Status

SECURE, INSECURE, INDETERMINATE, UNOBTAINABLE, BOGUS = Status


def three(
    positive: Status, *codes: int, denial: Status | None = None, denial_codes: tuple[int, ...] = ()
) -> tuple[Ask, ...]:
    """The three questions that every zone is asked: data, a missing name, a missing type.

    `codes` go with all three, unless the denials have a status of their own.
    """
    if denial is None:
        denial, denial_codes = positive, codes
    return (
        Ask("@ A", positive, codes),
        Ask("nx A", denial, denial_codes, NXDOMAIN),
        Ask("@ TXT", denial, denial_codes),
    )
