"""The cache as a file: what comes back is what was written, and anything else is told and left."""

import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from anchord.cache import persist
from anchord.cache.persist import Document, Heard, Kind, UnusableFileError
from anchord.cache.persisted import Evidence
from anchord.lab.table import CASES
from anchord.lab.world import World
from anchord.model import names, rdtypes
from anchord.model.question import Question
from anchord.model.response import Response, RRset
from support.lab import NOW, ask, question, world_of

ORIGIN = b"an origin"
ASKED = question("lab.", "SOA")
SAID = ask(world_of(), "lab.", "SOA")


def record(response: Response = SAID, at: int = NOW, life: int = 300) -> msgspec.Raw:
    packed = persist.pack(Heard(response, at, life))
    assert packed is not None
    return packed


def file(*responses: Response) -> bytes:
    records = {
        persist.key(Kind.ANSWER, said.question): record(said) for said in responses or (SAID,)
    }
    return persist.write(records, [names.from_text("lab.")], ORIGIN, NOW)


def sealed(rest: bytes) -> bytes:
    """Somebody's file with the right checksum."""
    return persist.MAGIC + bytes((persist.VERSION,)) + hashlib.sha256(rest).digest() + rest


# ------------ There and back ------------


def test_a_file_gives_back_what_was_written() -> None:
    document = persist.read(file())
    assert (document.saved_at, document.origin, document.signed) == (NOW, ORIGIN, [b"\x03lab\0"])
    heard = persist.unpack(document.records[persist.key(Kind.ANSWER, ASKED)], ASKED)
    assert heard
    assert (heard.at, heard.life) == (NOW, 300)
    (soa,) = heard.response.answer
    assert soa.rdatas == SAID.answer[0].rdatas
    assert soa.signatures == SAID.answer[0].signatures


def test_everything_that_the_lab_says_can_be_kept() -> None:
    world = World(NOW)
    for case in CASES:
        said = world.answer(case.question)
        if not isinstance(said, Response):
            continue
        heard = persist.unpack(record(said), case.question)
        assert heard, str(case)
        assert _content(heard.response) == _content(said), str(case)


def _content(response: Response) -> tuple[object, ...]:
    def seen(rrset: RRset) -> RRset:
        # One record twice is one (RFC 2181 section 5); names are compressed, in whatever spelling.
        rdatas = tuple(dict.fromkeys(map(bytes.lower, rrset.rdatas)))
        return replace(rrset, owner=b"", signature_ttl=0, rdatas=rdatas)

    return response.rcode, tuple(map(seen, response.answer)), tuple(map(seen, response.authority))


def test_an_answer_that_is_too_long_for_a_message_is_left_out() -> None:
    rdatas = tuple(number.to_bytes(4) * 60 for number in range(300))
    long = Response(question("lab.", "TXT"), 0, (RRset(b"\x03lab\0", rdtypes.TXT, 1, rdatas),))
    assert persist.pack(Heard(long, NOW, 300)) is None


def test_keys_tell_names_and_types_apart() -> None:
    questions = [question(name, rdtype) for name in ("a.", "b.a.") for rdtype in ("A", "NS", "DS")]
    assert len({persist.key(Kind.ANSWER, asked) for asked in questions}) == len(questions)
    for asked in questions:
        assert persist.name_of(persist.key(Kind.ANSWER, asked)) == asked.name


def test_a_record_says_how_long_it_lasts() -> None:
    assert persist.lasts_until(record(at=NOW, life=60)) == NOW + 60
    assert persist.lasts_until(msgspec.Raw(b"\xc1")) == 0


def test_a_clock_that_is_set_back_makes_nothing_younger_for_the_file_after_next() -> None:
    evidence = Evidence(persist.read(file()), NOW, 100.0)
    written = persist.write(dict(evidence.records(NOW + 20 - 3600, 120.0)), [], ORIGIN, NOW - 3580)
    again = Evidence(persist.read(written), NOW - 3580, 120.0)
    found = again.find(Kind.ANSWER, ASKED, NOW - 3570, 130.0)
    assert found
    assert found.answer[0].ttl == SAID.answer[0].ttl - 30
    assert again.find(Kind.ANSWER, ASKED, NOW - 3300, 400.0) is None


# ------------ Anything else ------------


def test_a_file_that_ends_anywhere_too_early_is_told_to_be_torn() -> None:
    whole = file()
    for length in range(len(whole)):
        with pytest.raises(UnusableFileError, match="torn"):
            persist.read(whole[:length])


def test_a_file_with_anything_behind_it_is_told_to_be_changed() -> None:
    with pytest.raises(UnusableFileError, match="was changed"):
        persist.read(file() + b"\0")


def test_a_change_of_any_octet_is_seen() -> None:
    whole = file()
    for position in range(len(whole)):
        changed = bytearray(whole)
        changed[position] ^= 0x20
        with pytest.raises(UnusableFileError):
            persist.read(bytes(changed))


def test_another_version_is_told() -> None:
    whole = file()
    at = len(persist.MAGIC)
    with pytest.raises(UnusableFileError, match="another version"):
        persist.read(whole[:at] + bytes((persist.VERSION + 1,)) + whole[at + 1 :])


@pytest.mark.parametrize("content", [b"SQLite format 3\0" * 64, b"#!/bin/sh\n", b"\0" * 4096])
def test_a_foreign_file_is_told(content: bytes) -> None:
    with pytest.raises(UnusableFileError, match="no cache of anchord"):
        persist.read(content)


def test_a_file_with_the_right_checksum_and_the_wrong_shape_is_told() -> None:
    with pytest.raises(UnusableFileError, match="malformed"):
        persist.read(sealed(msgspec.msgpack.encode(["yesterday", b"", [], {}])))


def test_a_document_is_refused_by_those_who_ask_others_and_before_its_time() -> None:
    document = persist.read(file())
    assert persist.objection(document, ORIGIN, NOW) == ""
    assert "other upstreams" in persist.objection(document, b"another", NOW)
    assert "from the future" in persist.objection(document, ORIGIN, NOW - 1)


# ------------ Whatever somebody has put there ------------

KEYS = (
    st.sampled_from([persist.key(Kind.ANSWER, ASKED), b"", b"\0", b"\0\x3fx\0\1", b"\0\xc0\0\0\1"])
    | st.binary()
)


@given(st.binary())
def test_no_octets_under_a_right_checksum_do_harm(rest: bytes) -> None:
    try:
        document = persist.read(sealed(rest))
    except UnusableFileError:
        return
    _use(document)


@given(
    st.dictionaries(KEYS, st.binary(max_size=80)),
    st.lists(st.binary(max_size=20)),
    st.integers(-(2**63), 2**64 - 1),
    st.integers(-(2**63), 2**64 - 1),
)
def test_no_records_under_a_right_checksum_do_harm(
    messages: dict[bytes, bytes], signed: list[bytes], at: int, life: int
) -> None:
    records = {
        key: msgspec.Raw(msgspec.msgpack.encode([at, life, "somebody", message]))
        for key, message in messages.items()
    }
    _use(persist.read(persist.write(records, signed, ORIGIN, NOW)))


@given(st.binary())
def test_no_record_of_any_shape_does_harm(octets: bytes) -> None:
    heard = persist.unpack(msgspec.Raw(octets), ASKED)
    assert heard is None or heard.at + heard.life == persist.lasts_until(msgspec.Raw(octets))


def _use(document: Document) -> None:
    """Everything that is done with a document."""
    evidence = Evidence(document, NOW, 0.0)
    for key in [*document.records, persist.key(Kind.ANSWER, ASKED)]:
        evidence.find(Kind.ANSWER, Question(key[1:-2], int.from_bytes(key[-2:])), NOW, 1.0)
    list(evidence.records(NOW, 1.0))
    list(evidence.records(NOW - 10, 1.0))
    evidence.flush(names.from_text("lab."))
    assert all(names.to_text(name) for name in evidence.signed)
