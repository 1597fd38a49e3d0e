"""The page about the lab: what it promises is what the table says."""

import re
from pathlib import Path

import pytest

from anchord.lab.page import MARK, main, tables
from anchord.lab.table import CASES, PLANS
from anchord.model import names

PAGE = Path(__file__).parents[3] / "docs" / "lab.md"
WRITTEN, _, GENERATED = PAGE.read_text("utf-8").partition(MARK)


def test_the_tables_of_the_page_are_those_of_the_lab() -> None:
    """Where this fails: `python -m anchord.lab.page docs/lab.md`."""
    assert GENERATED.strip() == tables().strip()


def test_every_question_in_the_text_is_in_the_table() -> None:
    questions = re.findall(r"`(\S+\. [A-Z0-9]+)`", WRITTEN)
    assert len(questions) > 100
    assert set(questions) <= {str(case.question) for case in CASES}


def test_every_zone_has_a_row_with_all_its_questions() -> None:
    rows = dict(re.findall(r"^\| `([^`]+)` \| (.*) \|$", GENERATED, re.MULTILINE))
    for plan in PLANS:
        apex = names.to_text(plan.apex)
        if apex in rows:  # long names are shortened
            verdicts = rows[apex].split(" | ")[-2]
            assert verdicts.count("`") == 2 * len(plan.asks), plan
    assert len(rows) > len(PLANS)


def test_writing_the_page_leaves_the_text_above_the_mark_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Text\n\n{MARK}\n\nold tables\n")
    main(page)
    assert page.read_text() == f"# Text\n\n{MARK}\n\n{tables()}"


@pytest.mark.parametrize("cve", ["CVE-2023-50387", "CVE-2023-50868", "CVE-2017-15105"])
def test_attacks_are_told_by_their_number(cve: str) -> None:
    assert cve in WRITTEN
    assert cve in GENERATED
