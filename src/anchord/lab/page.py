"""The table for people: the second half of `docs/lab.md`.

`python -m anchord.lab.page docs/lab.md` writes it anew, below the line that says so.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

from anchord.model import names, rcodes, rdtypes

from . import conducts, lessons
from .faults import FAULTS
from .plan import Case, Plan, cases_of
from .table import THEMES

MARK = "<!-- What follows is written by `python -m anchord.lab.page docs/lab.md`. -->"
LONGEST = 48
"""Characters of a name; longer ones are shortened in the middle."""


def tables() -> str:
    """Every zone by theme, every fault, every conduct and every lesson, in Markdown."""
    sections = [_theme(theme.__doc__ or "", plans) for theme, plans in THEMES.items()]
    return "\n\n".join([*sections, _faults(), _conducts(), _lessons()]) + "\n"


def _theme(explanation: str, plans: Iterable[Plan]) -> str:
    headline, _, rest = explanation.strip().partition("\n")
    head = [f"### {headline.rstrip('.')}"]
    if rest.strip():
        head += ["", rest.strip()]
    head += ["", "| zone | what it shows | faults | verdicts | who differs |", "|" + " --- |" * 5]
    return "\n".join([*head, *map(_row, plans)])


def _row(plan: Plan) -> str:
    cases = list(cases_of(plan))
    others = dict.fromkeys(case.peers for case in cases if case.peers)
    cells = [
        f"`{_short(plan.apex)}`",
        plan.shows,
        f"`{plan.faults}`" if plan.faults else "",
        "<br>".join(_verdicts(cases, plan.shows)),
        "; ".join(others),
    ]
    return f"| {' | '.join(cells)} |"


def _verdicts(cases: Iterable[Case], shown: str) -> Iterator[str]:
    """Questions of one verdict together, those that show something of their own by themselves."""
    together: dict[tuple[str, str], list[str]] = {}
    for case in cases:
        verdict = case.status.name.lower()
        if case.codes:
            verdict += f" ({' or '.join(map(str, case.codes))})"
        own = f", {case.shows}" if case.shows != shown else ""
        together.setdefault((verdict, own), []).append(_question(case))
    for (verdict, own), questions in together.items():
        yield f"{', '.join(questions)}: {verdict}{own}"


def _question(case: Case) -> str:
    """The question, its name relative to the zone, and the code where that is not NOERROR."""
    apex = names.from_text(case.zone)
    relative = case.question.name[: -len(apex)] + names.ROOT
    owner = "@" if relative == names.ROOT else _short(relative)[:-1]
    text = f"`{owner} {rdtypes.to_text(case.question.rdtype)}`"
    if case.rcode in {rcodes.NOERROR, rcodes.SERVFAIL}:
        return text
    return f"{text} ({rcodes.to_text(case.rcode)})"


def _short(name: bytes) -> str:
    text = names.to_text(name)
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST // 2]}…{text[-LONGEST // 2 :]}"


def _faults() -> str:
    head = ["## The faults", "", "| fault | acts | what it does |", "| --- | --- | --- |"]
    rows = [
        f"| `{fault.name}` | {fault.stage.value} | {fault.explanation} |"
        for fault in sorted(FAULTS.values(), key=lambda fault: fault.name)
    ]
    return "\n".join(head + rows)


def _conducts() -> str:
    head = [
        "## What upstreams do",
        "",
        *_paragraphs(conducts),
        "",
        "| an upstream that | does | the verdicts |",
        "| --- | --- | --- |",
    ]
    rows = [
        f"| {conduct} | {conduct.shows} |"
        f" {'are those of the table' if conduct.is_harmless else 'unobtainable'} |"
        for conduct in conducts.CONDUCTS
    ]
    return "\n".join(head + rows)


def _lessons() -> str:
    head = [
        "## What others have learnt",
        "",
        *_paragraphs(lessons),
        "",
        "| what went wrong | known as | in | here it is shown by |",
        "| --- | --- | --- | --- |",
    ]
    rows = [
        f"| {lesson.what} | {'<br>'.join(lesson.numbers)} | {lesson.seen} | {_shown_by(lesson)} |"
        for lesson in lessons.LESSONS
    ]
    return "\n".join(head + rows)


def _shown_by(lesson: lessons.Lesson) -> str:
    """Its rows, the conducts of upstreams, and what there is beyond those."""
    rows = (question.rpartition(" ") for question in lesson.rows)
    shown = [f"`{_short(names.from_text(name))} {rdtype}`" for name, _, rdtype in rows]
    shown += [f"an upstream that {conduct}" for conduct in lesson.conducts]
    return "<br>".join([*shown, *filter(None, [lesson.beyond])])


def _paragraphs(module: ModuleType) -> list[str]:
    """What a module says of itself, but for the headline."""
    return (module.__doc__ or "").strip().split("\n")[2:]


def main(path: Path) -> None:
    """Replaces what follows the mark in the page at `path`."""
    written, _, _ = path.read_text("utf-8").partition(MARK)
    path.write_text(f"{written}{MARK}\n\n{tables()}", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
