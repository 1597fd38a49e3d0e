"""The man page and the shells' completions, out of the command's own parser.

python packaging/pages.py man|bash|zsh|fish
"""

import argparse
import importlib
import os
import sys
import time
from collections.abc import Iterator

from anchord import __version__
from anchord.cli.main import COMMANDS
from anchord.cli.parser import Parser

SUPPRESSED = argparse.SUPPRESS


def parsers() -> dict[str, argparse.ArgumentParser]:
    """The parser of every command; that of a command within a command under both names."""
    parser = Parser(prog="anchord")
    subparsers = parser.add_subparsers()
    for command in COMMANDS:
        importlib.import_module(f"anchord.cli.{command}").add_parser(subparsers)
    return dict(_below(parser, ""))


def _below(
    parser: argparse.ArgumentParser, name: str
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:  # noqa: SLF001 - argparse has no public way to read a parser
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for word, child in action.choices.items():
                path = f"{name} {word}".strip()
                yield path, child
                yield from _below(child, path)


def arguments(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Options and positional arguments that people are told of."""
    return [
        action
        for action in parser._actions  # noqa: SLF001
        if action.help != SUPPRESSED
        and not isinstance(action, argparse._SubParsersAction | argparse._HelpAction)  # noqa: SLF001
    ]


def options(parser: argparse.ArgumentParser) -> list[str]:
    """The long options."""
    words = [word for action in arguments(parser) for word in action.option_strings]
    return [*(word for word in words if word.startswith("--")), "--help"]


def man() -> Iterator[str]:
    """The page in roff (man(7))."""
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))
    date = time.strftime("%Y-%m-%d", time.gmtime(epoch))
    yield f'.TH ANCHORD 1 {date} "anchord {__version__}"'
    yield ".SH NAME\nanchord \\- validating DNS resolver for this machine"
    yield ".SH SYNOPSIS\n.B anchord\n.I COMMAND\n[\n.I ARGUMENT\n\\&... ]"
    yield ".SH DESCRIPTION"
    yield (
        "anchord listens on the loopback interface, asks resolvers on the Internet over TLS, and"
        " proves every answer by DNSSEC, from the root's keys down, before a program sees it."
    )
    yield ".SH COMMANDS"
    for name, parser in parsers().items():
        usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
        yield f".SS {_escaped(name)}\n.B {_escaped(usage)}\n.PP"
        yield _escaped(parser.description or COMMANDS.get(name, ""))
        for action in arguments(parser):
            words = ", ".join(action.option_strings) or str(action.metavar or action.dest)
            value = action.metavar if action.option_strings and action.nargs != 0 else None
            yield f".TP\n.B {_escaped(f'{words} {value}' if value else words)}"
            yield _escaped(_help(action)) or "\\&"
        if parser.epilog:
            yield ".PP\n" + _escaped(parser.epilog)
    yield ".SH FILES\n.TP\n.I /etc/anchord/anchord.toml\nThe configuration of the service."
    yield ".TP\n.I /var/lib/anchord-install\nThe journal of what has been changed of the system."
    yield ".SH SEE ALSO\n.BR resolv.conf (5),\n.BR systemd-resolved.service (8)"


def _help(action: argparse.Action) -> str:
    return (action.help or "") % {"default": action.default, "prog": "anchord"}


def _escaped(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + escaped if escaped.startswith((".", "'")) else escaped


def choices(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """Long options that have only some values, with these."""
    for action in arguments(parser):
        if action.choices is not None:
            for word in action.option_strings:
                if word.startswith("--"):
                    yield word, " ".join(map(str, action.choices))


def cases(known: dict[str, argparse.ArgumentParser]) -> Iterator[tuple[str, str, list[str]]]:
    """A shell's pattern for each command, its name, and the words that may follow it."""
    for name, parser in known.items():
        children = [path.split()[1] for path in known if path.startswith(f"{name} ")]
        pattern = f"'{name}'" if " " in name else f"{name}{'' if children else '*'}"
        yield pattern, name, [*children, *options(parser)]


def bash() -> Iterator[str]:
    """For bash-completion: the commands, then the options of the one that is typed, or a value."""
    yield "# Completion of anchord for bash."
    yield "_anchord() {"
    yield "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}"
    yield '    local command="${COMP_WORDS[1]}" words'
    yield '    if [ "$COMP_CWORD" -gt 2 ] && [ "${COMP_WORDS[2]:0:1}" != - ]; then'
    yield '        command="$command ${COMP_WORDS[2]}"\n    fi'
    yield '    [ "$COMP_CWORD" = 1 ] && command=\n    case "$command" in'
    yield f"        '') words='{' '.join([*COMMANDS, '--help', '--version'])}' ;;"
    known = parsers()
    for pattern, name, words in cases(known):
        yield f"        {pattern})\n            words='{' '.join(words)}'"
        for option, values in choices(known[name]):
            yield f"            [ \"$before\" = {option} ] && words='{values}'"
        yield "            ;;"
    yield "    esac"
    yield '    COMPREPLY=($(compgen -W "$words" -- "$word"))\n}'
    yield "complete -o default -F _anchord anchord"


def zsh() -> Iterator[str]:
    """For zsh."""
    yield "#compdef anchord"
    yield "if (( CURRENT == 2 )); then\n    local -a commands=("
    for name, line in COMMANDS.items():
        yield f"        {_quoted(f'{name}:{line}')}"
    yield "    )\n    _describe command commands\n    return\nfi"
    yield 'local command="$words[2]" before="$words[CURRENT-1]"'
    yield '[[ CURRENT -gt 3 && "$words[3]" != -* ]] && command+=" $words[3]"'
    yield 'case "$command" in'
    known = parsers()
    for pattern, name, words in cases(known):
        yield f"    {pattern})"
        for option, values in choices(known[name]):
            yield f'        [[ "$before" = {option} ]] && {{ compadd -- {values}; return }}'
        yield f"        compadd -- {' '.join(words)}\n        _files ;;"
    yield "esac"


def fish() -> Iterator[str]:
    """For fish."""
    yield "complete -c anchord -l help -d 'how it is used'"
    yield "complete -c anchord -n __fish_use_subcommand -l version"
    for name, line in COMMANDS.items():
        yield f"complete -c anchord -n __fish_use_subcommand -a {name} -d {_quoted(line)}"
    known = parsers()
    for name, parser in known.items():
        seen = "; and ".join(f"__fish_seen_subcommand_from {word}" for word in name.split())
        for path, child in known.items():
            if path.startswith(f"{name} "):
                told = _quoted(child.description or "")
                yield f"complete -c anchord -n '{seen}' -a {path.split()[1]} -d {told}"
        known_values = dict(choices(parser))
        for action in arguments(parser):
            for word in action.option_strings:
                if word.startswith("--"):
                    values = f" -x -a '{known_values[word]}'" if word in known_values else ""
                    told = f" -d {_quoted(_help(action))}" if action.help else ""
                    yield f"complete -c anchord -n '{seen}' -l {word[2:]}{values}{told}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


if __name__ == "__main__":
    page = {"man": man, "bash": bash, "zsh": zsh, "fish": fish}[sys.argv[1]]
    print("\n".join(page()))  # noqa: T201 - that is what it is for
