"""`anchord dane make`: the record to publish, for a certificate or a key in a file."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from anchord.dane import make
from anchord.dane.names import PROTOCOLS, host_from_text
from anchord.dane.tlsa import Matching, Tlsa
from anchord.model import names
from anchord.model.errors import AnchordError

from .parser import Subparsers, UsageError

FORMS = ("zone", "generic", "nsupdate")


def add_parser(commands: Subparsers) -> None:
    """`anchord dane make CERT.pem`."""
    parser = commands.add_parser(
        "make",
        help="the TLSA record to publish for a certificate or a key",
        description="Print the TLSA record for a certificate, a request or a public key; for "
        "several files one record each, such as the current key's and the next one's.",
    )
    parser.add_argument("files", metavar="CERT.pem", nargs="+", type=Path)
    parser.add_argument("--usage", type=int, choices=range(4), default=3, help="default: 3")
    parser.add_argument("--selector", type=int, choices=range(2), default=1, help="default: 1")
    parser.add_argument("--matching", type=int, choices=range(3), default=1, help="default: 1")
    parser.add_argument("--host", metavar="HOST", help="default: the certificate's first name")
    parser.add_argument("--port", type=int, default=443, help="default: 443")
    parser.add_argument("--proto", choices=PROTOCOLS, default="tcp", help="default: tcp")
    parser.add_argument("--ttl", type=int, default=make.TTL, help=f"default: {make.TTL}")
    parser.add_argument(
        "--form", choices=FORMS, default="zone", help="zone file, RFC 3597, or an nsupdate script"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")
    parser.set_defaults(dane=run)


def run(arguments: argparse.Namespace) -> int:
    """Read the files, and print."""
    sources = [make.read_source(_read(file), str(file)) for file in arguments.files]
    records = [
        make.make_record(
            source,
            usage=arguments.usage,
            selector=arguments.selector,
            matching=arguments.matching,
            where=str(file),
        )
        for source, file in zip(sources, arguments.files, strict=True)
    ]
    text = arguments.host or next(filter(None, map(make.first_host, sources)), "")
    if not text:
        raise UsageError("nothing tells for which host", remedy="name it with --host")
    try:
        host = host_from_text(text)
    except ValueError as error:
        raise UsageError(str(error), where="--host", remedy="give the name of a host") from None
    if not 0 < arguments.port < 65536:
        raise UsageError("no such port", where="--port", remedy="give a number from 1 to 65535")
    place = host, arguments.port, arguments.proto
    if arguments.json:
        print(_as_json(place, records, arguments.ttl))
    else:
        print("\n".join(_lines(arguments, place, records)))
    return 0


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise AnchordError(problem, where=str(file), remedy="name a file that can") from error


def _lines(
    arguments: argparse.Namespace, place: tuple[bytes, int, str], records: list[Tlsa]
) -> Iterator[str]:
    if arguments.form == "nsupdate":
        yield from make.update_script(*place, records, arguments.ttl)
        return
    line = make.zone_line if arguments.form == "zone" else make.generic_line
    for record in records:
        yield line(*place, record, arguments.ttl)
    for sentence in _advice(records):
        yield f"; {sentence}"


def _advice(records: list[Tlsa]) -> Iterator[str]:
    """What whoever publishes the records should know; comments in every zone file."""
    if records[0].matching_type == Matching.FULL:
        yield "the whole of it makes large answers: --matching 1 does as well"
    if records[0].selector == 0:
        yield "it must be changed with each renewal of the certificate; --selector 1 need not"
    if len(records) == 1:
        yield "publish the next key's record beside it two TTLs before that key is used"


def _as_json(place: tuple[bytes, int, str], records: list[Tlsa], ttl: int) -> str:
    host, port, proto = place
    return json.dumps(
        {
            "host": names.to_text(host).removesuffix("."),
            "port": port,
            "proto": proto,
            "ttl": ttl,
            "records": [
                {
                    "usage": record.usage,
                    "selector": record.selector,
                    "matching_type": record.matching_type,
                    "data": record.data.hex(),
                    "zone": make.zone_line(host, port, proto, record, ttl),
                    "generic": make.generic_line(host, port, proto, record, ttl),
                }
                for record in records
            ],
            "nsupdate": make.update_script(host, port, proto, records, ttl),
        },
        indent=2,
    )
