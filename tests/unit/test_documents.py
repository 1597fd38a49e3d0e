"""What the documents promise about the tree."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path for folder in (".", "docs", "docs/design", "trust-anchors", "packaging", "tests/data")
    for path in (ROOT / folder).glob("*.md")
)  # fmt: skip


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def test_the_readme_has_the_two_commands_that_continuous_integration_runs() -> None:
    commands = re.findall(r"^python3 -m venv .*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert [command.rpartition("/")[2] for command in commands] == ["anchord lab --tour", "pytest"]


def test_the_page_about_floors_has_the_floors_that_are_checked() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    page = (ROOT / "docs" / "design" / "floors.md").read_text()
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", page, re.MULTILINE)
    assert [rooms for _, rooms in rows] == [
        ", ".join(f"`{room.strip()}`" for room in layer.split("|")) for layer in layers
    ]
    assert [int(number) for number, _ in rows] == list(range(len(layers), 0, -1))
