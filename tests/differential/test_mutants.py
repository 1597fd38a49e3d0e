"""Seeded mutants of signed zones through anchord's engine, Unbound and BIND.

Where both others refuse, anchord may not answer, and where it answers, what it says must be true:
the answer that was there before anybody tampered with it, still proven by what is left. The other
differences are of a few known kinds, each with its reason; one that is of no kind is a failure, and
becomes a fix, or a kind and a test.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from anchord.lab.servers import serve_plain
from anchord.model import names, rcodes, rdtypes
from anchord.model.response import Unanswered
from anchord.model.verdict import Answer, Status
from support.background import running
from support.comparing import Said, judged, ours, theirs
from support.mutants import Mutant, Mutants, Record
from support.programs import debian_13, skip_unless_installed
from support.resolvers import Source, named, unbound
from support.truth import Truth, complaint, path_of

BATCH = 250
"""Mutants in one world, and to one run of the resolvers."""

NORMAL = range(2000)
"""The mutants of every run: two minutes with those who wait for each other."""
LONG = range(NORMAL.stop, 12_000)
"""Those of a long run."""


@dataclass(frozen=True)
class Case:
    """What became of a mutant: what three validators say, and what anchord says of the truth."""

    mutant: Mutant
    anchord: Said
    unbound: Said
    bind: Said
    honest: Said
    wrong: str
    is_insecure: bool
    is_readable: bool
    before: frozenset[Record]
    after: frozenset[Record]

    def __str__(self) -> str:
        said = {"anchord": self.anchord, "unbound": self.unbound, "BIND": self.bind}
        lines = [f"{who}: {what.word} {what.rcode} {what.why}" for who, what in said.items()]
        gone = [f"- {record}" for record in self.before - self.after]
        come = [f"+ {record}" for record in self.after - self.before]
        return "\n  ".join([str(self.mutant), *lines, self.wrong, *gone, *come])

    @property
    def others(self) -> tuple[Said, Said]:
        return self.unbound, self.bind

    @property
    def all_agree(self) -> bool:
        return all(self.anchord.agrees(other) for other in self.others)


# ------------ The kinds of differences ------------


def is_spoilt_below_an_insecure_cut(case: Case) -> bool:
    """The client's answer leads into an insecure zone or an opt-out span: nothing there can
    be proven, or be refused for want of proof, and resolvers differ in what they take for one."""
    return case.is_insecure and case.mutant.target == case.mutant.question


def is_the_truth_by_what_is_left(case: Case) -> bool:
    """The answer is the true one, and its proof is whole: others refuse it, or do not call it
    authentic, for what stands beside it, for the code, or since there is no SOA record."""
    if not case.anchord.agrees(case.honest):
        return False
    if case.anchord.word == Status.SECURE.word:
        return True
    return any(case.anchord.agrees(other) for other in case.others) or _is_whole(case)


def _is_whole(case: Case) -> bool:
    """Everything but the SOA is where it was: an insecure answer needs its proof as well."""
    after = {replace(record, ttl=0) for record in case.after}
    return all(_is_of_soa(r) or replace(r, ttl=0) in after for r in case.before)


def _is_of_soa(record: Record) -> bool:
    covered = int.from_bytes(record.rdata[:2])
    return rdtypes.SOA in (record.rdtype, covered if record.rdtype == rdtypes.RRSIG else 0)


def _moved(case: Case) -> bool:
    kept = {(r.name, r.rdtype, r.rdata) for r in case.after}
    return any((r.name, r.rdtype, r.rdata) in kept for r in case.before - case.after)


def is_a_signature_in_another_section(case: Case) -> bool:
    """We look for an RRSIG where its set is (RFC 4035 section 3.1.1); Unbound looks everywhere."""
    return case.anchord.failed and _moved(case)


def is_an_unproven_soa(case: Case) -> bool:
    """We refuse a denial with an SOA that does not verify; BIND answers it without AD."""
    spoilt = {r.rdtype for r in case.before ^ case.after} & {rdtypes.SOA, rdtypes.RRSIG}
    denies = any(record.rdtype == rdtypes.SOA for record in case.before)
    return case.anchord.failed and bool(spoilt) and denies and case.bind.word == "insecure"


def is_a_contradiction_to_a_dname(case: Case) -> bool:
    """We refuse what is said below a DNAME and does not follow from it; others go by the DNAME."""
    dnames = [record.name for record in case.after if record.rdtype == rdtypes.DNAME]
    return case.anchord.failed and any(
        record.section == 0 and names.is_below(record.name, dname)
        for record in case.before ^ case.after
        for dname in dnames
    )


def is_an_odd_code(case: Case) -> bool:
    """A code that says nothing about the name: Unbound passes it on unproven, we do not."""
    codes = {other.rcode for other in case.others} - {rcodes.NOERROR, rcodes.NXDOMAIN}
    return case.anchord.failed and bool(codes)


def is_malformed(case: Case) -> bool:
    """A record does not fit its type, and spoils the whole message with us."""
    return case.anchord.failed and not case.is_readable


KINDS: Sequence[Callable[[Case], bool]] = (
    is_spoilt_below_an_insecure_cut,
    is_the_truth_by_what_is_left,
    is_a_signature_in_another_section,
    is_an_unproven_soa,
    is_an_odd_code,
    is_a_contradiction_to_a_dname,
    is_malformed,
)


def kind_of(case: Case) -> str:
    """The name of the first kind that a difference is of; empty where it is of none."""
    return next((kind.__name__ for kind in KINDS if kind(case)), "")


# ------------ Running them ------------


def cases(numbers: Sequence[int], folder: Path) -> Iterator[Case]:
    """What becomes of these mutants."""
    now = int(time.time())
    mutants = Mutants(numbers, now)
    truth = Truth([mutants.world])
    anchor = mutants.world.anchor()
    questions = [mutant.question for mutant in mutants.mutants]
    said = {}
    with running(serve_plain(mutants.reply)) as port:
        newest = partial(unbound, program=debian_13("unbound"))
        for program, start in (("unbound", newest), ("named", named)):
            place = folder / f"{program}-{numbers[0]}"
            place.mkdir()
            source = Source(forward_port=port)
            with start(place, source, anchors=mutants.world.trust_anchors()) as peer:
                said[program] = theirs(peer.port, questions)
    for mutant in mutants.mutants:
        answer = judged(mutant.question, mutants.reply_over_tcp, anchor, now)
        honest = judged(mutant.question, mutants.honest_reply, anchor, now)
        yield Case(
            mutant,
            ours(answer),
            said["unbound"][mutant.question],
            said["named"][mutant.question],
            ours(honest),
            complaint(answer, truth) if isinstance(answer, Answer) else "",
            leads_below_an_insecure_cut(honest, truth)
            or leads_below_an_insecure_cut(answer, truth),
            mutants.is_readable(mutant.target),
            frozenset(mutants.records(mutant.target, is_honest=True)),
            frozenset(mutants.records(mutant.target)),
        )


def leads_below_an_insecure_cut(answer: Answer | Unanswered, truth: Truth) -> bool:
    """Whether some name on the way of the answer may be insecure."""
    if isinstance(answer, Unanswered):
        return False
    rdtype = answer.question.rdtype
    return any(truth.may_be_insecure(name, rdtype) for name in path_of(answer).names)


def check(numbers: range, folder: Path) -> Counter[str]:
    """Fails with the mutants that break the rule; counts the differences by their kinds."""
    kinds: Counter[str] = Counter()
    broken: list[str] = []
    for first in range(numbers.start, numbers.stop, BATCH):
        batch = numbers[first - numbers.start :][:BATCH]
        for case in cases(batch, folder):
            kind = "" if case.all_agree else kind_of(case)
            kinds[kind] += bool(kind)
            if case.wrong or not (kind or case.all_agree):
                broken.append(str(case))
    assert not broken, "\n".join([f"{len(broken)} break the rule", *broken[:20]])
    assert kinds.total() < len(numbers) / 4
    return kinds


@pytest.fixture(autouse=True)
def _validators() -> None:
    """Older releases of Unbound believe some of what nobody should."""
    skip_unless_installed("named")
    if debian_13("unbound") == "unbound":
        pytest.skip("scripts/trixie-root has not fetched Debian 13's unbound")


KEPT = {
    278: is_spoilt_below_an_insecure_cut,
    7293: is_spoilt_below_an_insecure_cut,
    178: is_the_truth_by_what_is_left,
    7348: is_the_truth_by_what_is_left,
    71: is_a_signature_in_another_section,
    123: is_an_unproven_soa,
    5745: is_a_contradiction_to_a_dname,
    8176: is_a_contradiction_to_a_dname,
    2203: is_an_odd_code,
    2218: is_malformed,
}
"""Mutants that once differed in a way of their own, and the kinds that came of it."""


def test_a_difference_that_was_met_is_still_of_its_kind(tmp_path: Path) -> None:
    assert set(KEPT.values()) == set(KINDS)
    for case in cases(list(KEPT), tmp_path):
        assert not case.wrong, str(case)
        assert not case.all_agree, str(case)
        assert kind_of(case) == KEPT[case.mutant.number].__name__, str(case)


def test_no_mutant_gets_an_answer_that_two_other_validators_refuse(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    record_property("differences", dict(check(NORMAL, tmp_path)))


@pytest.mark.long
def test_nor_does_one_of_ten_thousand(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    record_property("differences", dict(check(LONG, tmp_path)))
