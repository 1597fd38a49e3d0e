"""The man page and the completions: made from the command's parser, read by the real programs."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from anchord.cli.main import COMMANDS
from support.command import environment

PAGES = Path(__file__).parents[2] / "packaging" / "pages.py"

CASES = {
    ("",): {"serve", "dane", "uninstall"},
    ("un",): {"uninstall"},
    ("install", "--"): {"--dry-run", "--json", "--backend", "--in-place", "--yes", "--help"},
    ("install", "--yes", "--dns"): {"--dns-only"},
    ("install", "--backend", ""): {"auto", "resolved", "networkmanager", "file"},
    ("dane", ""): {"tlsa", "check", "smtp", "lint", "make", "hook"},
    ("dane", "make", "--us"): {"--usage"},
    ("dane", "check", "--star"): {"--starttls"},
    ("lab", "--tour", "n"): {"names"},
}
"""What is typed, the last word not to its end, and what must be among the offers."""

SHELLS = {
    "bash": """
        complete() {{ :; }}
        source {file}
        COMP_WORDS=(anchord {words}) COMP_CWORD=${{#COMP_WORDS[@]}}
        COMP_CWORD=$((COMP_CWORD - 1))
        _anchord
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """,
    "zsh": """
        compadd() {{ shift; print -l -- ${{(M)@:#$words[CURRENT]*}} }}
        _describe() {{ print -l -- ${{(M)${{commands%%:*}}:#$words[CURRENT]*}} }}
        _files() {{ :; }}
        complete_it() {{ local -a words=(anchord {words}); local CURRENT=$#words; source {file} }}
        complete_it
    """,
    "fish": """
        source {file}
        complete -C "anchord "(string join ' ' -- {words}) | string replace -r '\\t.*' ''
    """,
}


def page(kind: str, folder: Path) -> Path:
    """One that `pages.py` has made."""
    file = folder / kind
    ran = subprocess.run(
        [sys.executable, PAGES, kind], capture_output=True, text=True, check=True, env=environment()
    )
    assert ran.stderr == ""
    file.write_text(ran.stdout)
    return file


@pytest.mark.parametrize("shell", SHELLS)
def test_completions_offer_commands_options_and_values(shell: str, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"not installed: {shell}")
    file = page(shell, tmp_path)
    for typed, expected in CASES.items():
        words = " ".join(f"'{word}'" for word in typed)
        script = SHELLS[shell].format(file=file, words=words)
        ran = subprocess.run(
            [program, "-c", script],
            capture_output=True, text=True, check=False, env=environment(HOME=str(tmp_path)),
        )  # fmt: skip
        offers = set(ran.stdout.split())
        assert ran.stderr == ""
        assert offers >= expected, typed
        assert all(offer.startswith(typed[-1]) for offer in offers), typed


def test_the_man_page_has_every_command_and_the_formatter_has_nothing_against_it(
    tmp_path: Path,
) -> None:
    file = page("man", tmp_path)
    text = file.read_text().replace("\\-", "-")
    for name in COMMANDS:
        assert f".SS {name}\n" in text
    for words in (".SS dane make\n", "--backend {auto,resolved,", "--starttls", "Exit status: "):
        assert words in text
    if shutil.which("groff") is None:
        pytest.skip("groff is not installed: the page is made, and nobody has formatted it")
    ran = subprocess.run(
        ["groff", "-man", "-ww", "-Tutf8", file], capture_output=True, text=True, check=True
    )
    assert ran.stderr == ""
    assert "uninstall" in ran.stdout
