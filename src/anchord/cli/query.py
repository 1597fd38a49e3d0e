"""`anchord query`: one answer, proven in this very process, with the reason where it fails.

The daemon serves as the upstream where it answers: its cache is used, its verdict is not.
"""

import argparse
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import trio

from anchord.config.load import Loaded, load
from anchord.daemon.compose import clock_of, open_resolver
from anchord.daemon.upstreams import with_upstreams
from anchord.dnssec.advice import advice
from anchord.model import names, rcodes, rdtypes
from anchord.model.ede import Ede
from anchord.model.errors import AnchordError
from anchord.model.question import ClientFlags, Question
from anchord.model.response import RRset
from anchord.model.verdict import Answer, Checked, Status
from anchord.resolver.reply import extended_errors
from anchord.wire.text import rdata_to_text

from .parser import Subparsers, UsageError
from .terminal import paint_status

BOGUS = 1
"""The exit status for an answer that is contradicted by its evidence."""


class UnobtainableError(AnchordError):
    """Nothing could be had, or no chain of trust to it. Exit status 3."""

    exit_status = 3


def add_parser(subparsers: Subparsers) -> None:
    """`anchord query NAME [TYPE]`."""
    parser = subparsers.add_parser(
        "query",
        help="look a name up, validated, and say why where it fails",
        description="Look a name up and prove the answer here, from the trust anchors down.",
        epilog="Exit status: 0 for an answer, 1 where it is bogus, 3 where nothing could be had.",
    )
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("type", metavar="TYPE", nargs="?", default="A", help="default: A")
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")
    parser.add_argument("--config", metavar="FILE", type=Path)
    parser.add_argument(
        "--upstream", metavar="URL", action="append", default=[], help="ask this upstream"
    )
    parser.add_argument(
        "--direct", action="store_true", help="ask the configured upstreams, not the daemon"
    )


def run(arguments: argparse.Namespace) -> int:
    """Ask, print, and tell by the exit status how it went."""
    question = _question(arguments.name, arguments.type)
    loaded = load(arguments.config, upstreams=arguments.upstream)
    direct = bool(arguments.direct or arguments.upstream)
    answer, milliseconds = trio.run(_ask, question, loaded, direct)
    now = clock_of(loaded.config).wall()
    if arguments.json:
        print(_as_json(answer, milliseconds, now))
    else:
        print("\n".join(_as_text(answer, milliseconds, now)))
    if answer.verdict.status is Status.UNOBTAINABLE:
        raise _unobtainable(answer)
    return BOGUS if answer.verdict.status is Status.BOGUS else 0


def _question(name: str, rdtype: str) -> Question:
    try:
        wire = names.from_text(name)
    except ValueError as error:
        raise UsageError(str(error), where=name, remedy="give a domain name") from None
    try:
        return Question(names.lower(wire), rdtypes.from_text(rdtype))
    except ValueError as error:
        raise UsageError(str(error), where=rdtype, remedy="see anchord query --help") from None


async def _ask(question: Question, loaded: Loaded, direct: bool) -> tuple[Answer, float]:
    loaded = await with_upstreams(loaded, direct=direct)
    async with open_resolver(loaded, clock_of(loaded.config)) as resolver:
        began = time.perf_counter()
        answer = await resolver.resolve(question, ClientFlags(dnssec_ok=True))
        return answer, (time.perf_counter() - began) * 1000


def _unobtainable(answer: Answer) -> UnobtainableError:
    """What a person or a script is told beside the answer, which says it at more length."""
    texts = [ede.text for ede in extended_errors(answer)]
    problem = texts[0] if texts else "nothing could be had"
    remedy = "try another upstream with --upstream"
    return UnobtainableError(problem, where=str(answer.question), remedy=remedy)


def _rcode(answer: Answer) -> int:
    """The code that a client gets who leaves checking to us."""
    return rcodes.SERVFAIL if answer.verdict.status.is_failure else answer.rcode


# ------------ For people ------------


def _as_text(answer: Answer, milliseconds: float, now: int) -> list[str]:
    status = answer.verdict.status
    word = paint_status(status.word, sys.stdout)
    lines = [f";; {answer.question}: {word}, {rcodes.to_text(_rcode(answer))}"]
    lines += [f";; EDE {ede.code} ({ede.name}): {ede.text}" for ede in extended_errors(answer)]
    if not status.is_failure:
        lines += _records(answer.answer)
        lines += _records(c for c in answer.authority if c.rrset.rdtype == rdtypes.SOA)
    lines += [f";; warning: {sentence}" for sentence in advice(answer, now)]
    origin = f" from {answer.upstream}" if answer.upstream else ""
    lines.append(f";; {milliseconds:.0f} ms{origin}")
    return lines


def _records(section: Iterable[Checked]) -> list[str]:
    return [
        f"{names.to_text(rrset.spelling)}\t{rrset.ttl}\tIN\t{rdtypes.to_text(rrset.rdtype)}\t"
        f"{rdata_to_text(rrset.rdtype, rdata)}"
        for rrset in (checked.rrset for checked in section)
        for rdata in rrset.rdatas
    ]


# ------------ For programs ------------


def _as_json(answer: Answer, milliseconds: float, now: int) -> str:
    import json

    verdict = answer.verdict
    return json.dumps(
        {
            "name": names.to_text(answer.question.name),
            "type": rdtypes.to_text(answer.question.rdtype),
            "status": verdict.status.word,
            "rcode": rcodes.to_text(_rcode(answer)),
            "extended_dns_errors": [_ede_json(ede) for ede in extended_errors(answer)],
            "answer": [_rrset_json(checked) for checked in answer.answer],
            "authority": [_rrset_json(checked) for checked in answer.authority],
            "chain": [
                {
                    "zone": names.to_text(link.zone),
                    "status": link.status.word,
                    "anchored": link.anchored,
                    "key_tags": list(link.key_tags),
                }
                for link in verdict.chain
            ],
            "warnings": list(advice(answer, now)),
            "upstream": answer.upstream,
            "ms": round(milliseconds, 3),
        },
        indent=2,
    )


def _ede_json(ede: Ede) -> dict[str, object]:
    return {"code": ede.code, "name": ede.name, "text": ede.text}


def _rrset_json(checked: Checked) -> dict[str, object]:
    rrset: RRset = checked.rrset
    return {
        "name": names.to_text(rrset.spelling),
        "type": rdtypes.to_text(rrset.rdtype),
        "ttl": rrset.ttl,
        "dnssec_status": checked.status.word,
        "data": [rdata_to_text(rrset.rdtype, rdata) for rdata in rrset.rdatas],
        "rrsig": [rdata_to_text(rdtypes.RRSIG, rdata) for rdata in rrset.signatures],
    }
