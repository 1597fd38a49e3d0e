"""What is to be proven of a name: the claims, each tried by NSEC and then by NSEC3.

A claim looks for its proof among the records at hand, by logic alone; `proofs.prove` checks what it
rests on. Where nothing else is found and there are NSEC3 records of more iterations than are
supported, most claims end in `Denied.NOTHING`.
"""

from anchord.model.names import Name

from . import nsec, nsec3
from .asking import Work
from .denial import Claim, Denial, Evidence


def name_error(name: Name, rdtype: int, work: Work) -> Claim:
    """That the name does not exist; or at least that it has no such type.

    Some servers say NXDOMAIN where they prove no more than NODATA: what is proven is answered. An
    opt-out span proves neither.
    """
    limits, budget = work.limits, work.budget

    def claim(evidence: Evidence) -> Denial | None:
        denial = nsec.name_error(evidence, name) or nsec3.name_error(evidence, name, limits, budget)
        if denial is None:
            denial = _no_data(evidence, name, rdtype, work)
            if denial and denial.opt_out:
                denial = None
        return denial or nsec3.unsupported(evidence, limits, budget)

    return claim


def no_data(name: Name, rdtype: int, work: Work) -> Claim:
    """That there is no such type at the name, or at the wildcard that stands for it."""

    def claim(evidence: Evidence) -> Denial | None:
        denial = _no_data(evidence, name, rdtype, work)
        return denial or nsec3.unsupported(evidence, work.limits, work.budget)

    return claim


def _no_data(evidence: Evidence, name: Name, rdtype: int, work: Work) -> Denial | None:
    return nsec.no_data(evidence, name, rdtype) or nsec3.no_data(
        evidence, name, rdtype, work.limits, work.budget
    )


def no_closer_match(name: Name, closest_encloser: Name, work: Work) -> Claim:
    """That the name was rightly answered from the wildcard below the closest encloser."""
    limits, budget = work.limits, work.budget

    def claim(evidence: Evidence) -> Denial | None:
        return (
            nsec.no_closer_match(evidence, name, closest_encloser)
            or nsec3.no_closer_match(evidence, name, closest_encloser, limits, budget)
            or nsec3.unsupported(evidence, limits, budget)
        )

    return claim


def no_secure_delegation(name: Name, work: Work) -> Claim:
    """That no DS record is at the name, and what that means."""
    limits, budget = work.limits, work.budget

    def claim(evidence: Evidence) -> Denial | None:
        return (
            nsec.no_secure_delegation(evidence, name)
            or nsec3.no_secure_delegation(evidence, name, limits, budget)
            or nsec3.unsupported(evidence, limits, budget)
        )

    return claim


def insecure_cut(name: Name, work: Work) -> Claim:
    """That an insecure delegation is at the name itself, and nothing less than that."""

    def claim(evidence: Evidence) -> Denial | None:
        return nsec.insecure_cut(evidence, name) or nsec3.insecure_cut(
            evidence, name, work.limits, work.budget
        )

    return claim
