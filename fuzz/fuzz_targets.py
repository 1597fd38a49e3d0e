"""What is fuzzed: the pure parts, each as a function of octets that must return.

Nothing here needs atheris; `run.py` does. A target raises what the part that it tries must never
raise. Behind the signatures the fuzzer gets by a mark: where a signature begins with `MARK`, it
passes without having been made by the key, so that all that is built upon genuine records is
reached with made-up ones.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache

from anchord.dnssec.anchors import TrustAnchors, trust_anchors
from anchord.dnssec.asking import Context
from anchord.dnssec.crypto import MalformedKeyError, UnsupportedKeyError, Verify, load_key
from anchord.dnssec.replay import Zones, validate_question
from anchord.lab.denial import Nsec3
from anchord.lab.plan import Plan
from anchord.lab.world import World
from anchord.model import names, rdtypes
from anchord.model.question import Question
from anchord.model.response import Response, RRset, Unanswered
from anchord.model.verdict import Answer
from anchord.wire import rdata
from anchord.wire.embedded import canonical
from anchord.wire.errors import FormError
from anchord.wire.message import Query, read_query, read_response
from anchord.wire.options import Edns
from anchord.wire.query import write_query
from anchord.wire.reply import write_reply

NOW = 1_790_000_000
"""Seconds since 1970: the time of everything here."""

MARK = b"FUZZ"
"""What a signature begins with that passes."""


# ------------ Messages ------------


def query(data: bytes) -> None:
    """A client's message is a query, a rejection, or nothing to be answered."""
    found = read_query(data)
    if isinstance(found, Query):
        read_response(_reply(found), found.question)


def _reply(asked: Query) -> bytes:
    """An empty reply, which whoever asked must be able to read."""
    return write_reply(
        identifier=asked.id,
        flags=0,
        rcode=0,
        question_wire=asked.question_wire,
        answer=(),
        authority=(),
        edns=asked.edns,
        edes=(),
        with_signatures=False,
        limit=512,
    )


def response(data: bytes) -> None:
    """An upstream's message is malformed, or can be written again and is the same then.

    But for TTLs: a signature is written with that of what it covers.
    """
    question = Question(names.from_text("www.z.lab"), rdtypes.A)
    try:
        found = read_response(_as_answer(data, question), question)
    except FormError:
        return
    again = read_response(_written(found), question)
    assert _records(again) == _records(found)


def _records(found: Response) -> list[list[tuple[object, ...]]]:
    """What is in the message, letters in names aside: compression may change their case."""
    return [
        [(rrset.name, rrset.rdtype, _canonical(rrset), rrset.signatures) for rrset in section]
        for section in (found.answer, found.authority)
    ]


def _canonical(rrset: RRset) -> set[bytes]:
    return {canonical(rrset.rdtype, rdata) for rdata in rrset.rdatas}


def _as_answer(data: bytes, question: Question) -> bytes:
    """The octets as flags, counts and records of a message that answers the question."""
    head, counts, records = data[:2].ljust(2, b"\0"), data[2:5].ljust(3, b"\0"), data[5:]
    asked = question.name + question.rdtype.to_bytes(2) + b"\0\1"
    flags = (int.from_bytes(head) & 0x07FF) | 0x8000  # a response to an ordinary query
    sections = b"".join(b"\0" + counts[at : at + 1] for at in range(3))
    return b"\0\0" + flags.to_bytes(2) + b"\0\1" + sections + asked + records


def _written(found: Response) -> bytes:
    return write_reply(
        identifier=0,
        flags=0,
        rcode=found.rcode,
        question_wire=found.question.name + found.question.rdtype.to_bytes(2) + b"\0\1",
        answer=found.answer,
        authority=found.authority,
        edns=Edns(payload=0xFFFF),
        edes=(),
        with_signatures=True,
        limit=0x1FFFF,
    )


# ------------ RDATA ------------

READERS: tuple[Callable[[bytes], object], ...] = (
    rdata.read_dnskey,
    rdata.read_ds,
    rdata.read_rrsig,
    rdata.read_nsec,
    rdata.read_nsec3,
    rdata.read_soa,
    rdata.read_target,
    rdata.read_types,
)


def record(data: bytes) -> None:
    """RDATA are of their type, or malformed."""
    for reader in READERS:
        with suppress(FormError):
            reader(data)


def key(data: bytes) -> None:
    """A public key verifies nothing that was made up, or is not one."""
    with suppress(MalformedKeyError, UnsupportedKeyError):
        verify = load_key(data[0] if data else 0, data[1:])
        assert not verify(data, b"anchord")


# ------------ The engine ------------

QUESTIONS = [
    Question(names.from_text(name), rdtype)
    for name in ("www.z.lab", "nx.z.hashed", "a.b.z.hashed", "old.z.lab", "x.old.z.lab", "z.lab")
    for rdtype in (rdtypes.A, rdtypes.DS, rdtypes.CNAME, rdtypes.ANY)
]


def engine(data: bytes) -> None:
    """Whatever is answered to the client's question and to the engine's own, there is a verdict.

    The first octet picks the question; then come messages, each with its length in two octets
    before it. A message of no length, and every one that is missing, is the honest one.
    """
    question = QUESTIONS[(data[0] if data else 0) % len(QUESTIONS)]
    messages = _split(data[1:])

    def answers(asked: Question) -> Response | Unanswered:
        message = next(messages, b"")
        if not message:
            return _world().answer(asked)
        try:
            return read_response(_as_answer(message, asked), asked)
        except FormError:
            return Unanswered(asked, ())

    context = Context(_anchors(), Zones(), load_key=marked)
    answer = validate_question(question, answers, context, NOW)
    if isinstance(answer, Answer):
        assert answer.ttl >= 0
        assert answer.verdict.status.is_failure <= bool(answer.verdict.flaws)


def marked(algorithm: int, key: bytes) -> Verify:
    """Verifies as `crypto.load_key` does, and then lets pass what is marked."""
    verify = load_key(algorithm, key)
    return lambda signature, data: verify(signature, data) or signature.startswith(MARK)


def _split(data: bytes) -> Iterator[bytes]:
    while len(data) >= 2:
        length = int.from_bytes(data[:2])
        yield data[2 : 2 + length]
        data = data[2 + length :]


@cache
def _world() -> World:
    records = "@ A 192.0.2.1\nwww A 192.0.2.2\n*.w A 192.0.2.3\na.b TXT x\nold DNAME www"
    plans = [Plan(".", "the root")]
    for tld, method in (("lab", Plan("lab", "").denial), ("hashed", Nsec3())):
        plans.append(Plan(tld, "a TLD", denial=method))
        plans.append(Plan(f"z.{tld}", "a zone", records=records, denial=method))
    return World(NOW, plans=plans)


@cache
def _anchors() -> TrustAnchors:
    anchor = _world().anchor()
    return trust_anchors((anchor.name, anchor.rdtype, rdata) for rdata in anchor.rdatas)


# ------------ All of them, and where to begin ------------

TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (query, response, record, key, engine)
}


def seeds(target: str) -> Iterator[bytes]:
    """A corpus to begin with: honest octets, and octets with every signature marked."""
    honest = [_world().answer(question) for question in QUESTIONS]
    said = [answer for answer in honest if isinstance(answer, Response)]
    match target:
        case "query":
            yield from map(write_query, QUESTIONS)
        case "response":
            yield from map(_message, said)
        case "record" | "key":
            for answer in said:
                for rrset in (*answer.answer, *answer.authority):
                    yield from (*rrset.rdatas, *rrset.signatures)
            for zone in _world().zones():
                for made in zone.published:
                    yield made.rdata if target == "record" else made.rdata[3:]
        case "engine":
            for at, answer in enumerate(said):
                yield bytes((at,))
                message = _with_marks(_message(answer))
                yield bytes((at,)) + len(message).to_bytes(2) + message


def _message(answer: Response) -> bytes:
    """What `_as_answer` makes the response of: flags, counts, records without compression."""
    sections = []
    for rrsets in (answer.answer, answer.authority):
        records = []
        for rrset in rrsets:
            for rdtype, rdatas in (
                (rrset.rdtype, rrset.rdatas),
                (rdtypes.RRSIG, rrset.signatures),
            ):
                head = rrset.name + rdtype.to_bytes(2) + b"\0\1" + rrset.ttl.to_bytes(4)
                records += [head + len(rdata).to_bytes(2) + rdata for rdata in rdatas]
        sections.append(records)
    counts = bytes((*map(len, sections), 0))
    return answer.rcode.to_bytes(2) + counts + b"".join(record for s in sections for record in s)


def _with_marks(message: bytes) -> bytes:
    """The same with a mark in place of the beginning of each signature."""
    for answer in map(_world().answer, QUESTIONS):
        if isinstance(answer, Response):
            for rrset in (*answer.answer, *answer.authority):
                for signature in rrset.signatures:
                    genuine = rdata.read_rrsig(signature).signature
                    message = message.replace(genuine, MARK + genuine[len(MARK) :])
    return message
