"""The lessons: each has something behind it, and a test that tells its number."""

import ast
import re
from pathlib import Path

import pytest

from anchord.lab.conducts import CONDUCTS
from anchord.lab.lessons import LESSONS, Lesson
from anchord.lab.table import CASES

ROOT = Path(__file__).parents[3]
REQUIREMENTS = ROOT.parent / "shared" / "knowledge" / "requirements.md"

NUMBERS = [number for lesson in LESSONS for number in lesson.numbers]
ASKED = {number for lesson in LESSONS if lesson.rows for number in lesson.numbers}
"""Those whose rows are asked under their numbers (`tests/unit/resolver/test_lessons.py`)."""


def docstrings() -> str:
    """What the tests say of themselves."""
    told = []
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        text = file.read_text("utf-8")
        if any(number in text for number in NUMBERS):
            functions = (ast.FunctionDef, ast.AsyncFunctionDef)
            tests = [node for node in ast.walk(ast.parse(text)) if isinstance(node, functions)]
            told += [ast.get_docstring(test) or "" for test in tests if test.name[:5] == "test_"]
    return "\n".join(told)


TOLD = docstrings()


@pytest.mark.parametrize("lesson", LESSONS, ids=str)
def test_every_lesson_has_something_behind_it(lesson: Lesson) -> None:
    assert lesson.rows or lesson.conducts or lesson.beyond
    assert set(lesson.rows) <= {str(case) for case in CASES}
    assert set(lesson.conducts) <= {conduct.name for conduct in CONDUCTS}


@pytest.mark.parametrize("number", NUMBERS)
def test_every_number_is_told_by_a_test(number: str) -> None:
    assert number in ASKED or re.search(rf"{re.escape(number)}(?!\d)", TOLD)


def test_what_is_beyond_the_tables_is_told_by_tests_of_its_own() -> None:
    beyond = [number for lesson in LESSONS if lesson.beyond for number in lesson.numbers]
    assert len(beyond) > 20
    assert [number for number in beyond if number not in TOLD] == []


def test_no_number_stands_twice() -> None:
    assert len(set(NUMBERS)) == len(NUMBERS)


def test_no_number_is_told_anywhere_that_is_no_lesson() -> None:
    """In the lab, in what is written about it, in the engine and in tests: no slip of the pen."""
    files = [*(ROOT / "src" / "anchord").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    files += [*(ROOT / "docs").rglob("*.md"), *(ROOT / "bench").rglob("*.py")]
    found = {
        number for file in files for number in re.findall(r"CVE-\d{4}-\d+", file.read_text("utf-8"))
    }
    assert found == {number for number in NUMBERS if number.startswith("CVE-")}


@pytest.mark.skipif(not REQUIREMENTS.exists(), reason="the list of lessons is not in this tree")
def test_no_lesson_of_the_list_is_missing() -> None:
    section = REQUIREMENTS.read_text("utf-8").partition("### 3.5")[2].partition("\n## ")[0]
    listed = {
        number
        for year, first, others in re.findall(r"CVE-(\d{4})-(\d+)((?:/-?\d+|, -\d+)*)", section)
        for number in numbers(year, first, re.findall(r"\d+", others))
    }
    assert len(listed) == 70
    assert listed <= set(NUMBERS)
    assert len(LESSONS) == len(re.findall(r"^\| [^-]", section, re.MULTILINE)) - 1


def numbers(year: str, first: str, others: list[str]) -> list[str]:
    """Those of one year; a single digit stands for the last one of the number before."""
    whole = [other if len(other) > 1 else first[:-1] + other for other in others]
    return [f"CVE-{year}-{number}" for number in (first, *whole)]
