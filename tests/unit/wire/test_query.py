"""Queries to upstreams, octet by octet, and what transports add to them."""

import dns.message
import pytest

from anchord.model import names
from anchord.model.question import Question
from anchord.wire.message import find_option
from anchord.wire.query import (
    with_cookie,
    with_keepalive,
    with_padding,
    write_plain_query,
    write_query,
)
from support.messages import QUESTION, question


def test_a_query_to_an_upstream_octet_by_octet() -> None:
    assert write_query(QUESTION) == (
        b"\0\0\x01\x10\0\x01\0\0\0\0\0\x01"  # id 0, RD and CD
        b"\x03www\x07example\x03com\0\0\x01\0\x01"
        b"\0\0\x29\x04\xd0\0\0\x80\0\0\0"  # OPT: 1,232 octets, DO
    )
    assert write_query(QUESTION, checking_disabled=False)[2:4] == b"\x01\0"


def test_a_query_to_a_server_from_before_edns() -> None:
    head = b"\0\0\x01\0\0\1\0\0\0\0\0\0"  # RD alone, and one question
    assert write_plain_query(QUESTION) == head + question()


def test_padding_needs_no_second_block_where_the_first_is_enough() -> None:
    bare = len(write_query(Question(names.ROOT, 1)))
    for length in range(1, 120):
        name = names.join(
            [b"x" * min(length, 60), *([b"y" * (length - 60)] if length > 60 else [])]
        )
        wire = write_query(Question(name, 1), padded=True)
        assert len(wire) == (128 if bare + len(name) - 1 + 4 <= 128 else 256)


@pytest.mark.parametrize("is_padded", [False, True])
def test_a_query_can_ask_how_long_the_connection_is_kept(*, is_padded: bool) -> None:
    for length in range(1, 60):
        asked = Question(names.join([b"x" * length, b"y" * length]), 1)
        written = write_query(asked, padded=is_padded)
        asking = with_keepalive(written)
        read = dns.message.from_wire(asking)
        plain = dns.message.from_wire(written)
        assert (read.question, read.flags, read.ednsflags) == (
            plain.question,
            plain.flags,
            plain.ednsflags,
        )
        types = [11, 12] if is_padded else [11]
        assert [int(option.otype) for option in read.options] == types
        assert find_option(asking, 11) == b""
        if is_padded:
            assert len(asking) % 128 == 0


@pytest.mark.parametrize("is_padded", [False, True])
def test_a_query_can_have_a_cookie_and_is_not_padded_then(*, is_padded: bool) -> None:
    written = write_query(QUESTION, padded=is_padded)
    (option,) = dns.message.from_wire(with_cookie(written, b"12345678")).options
    assert (int(option.otype), option.to_wire()) == (10, b"12345678")


@pytest.mark.parametrize("is_padded", [False, True])
def test_padding_can_be_added_and_taken_away(*, is_padded: bool) -> None:
    bare, padded = write_query(QUESTION), write_query(QUESTION, padded=True)
    for written in (bare, padded):
        assert with_padding(written, is_padded=is_padded) == (padded if is_padded else bare)


def test_a_query_without_edns_cannot_ask_that() -> None:
    query = write_plain_query(QUESTION)
    assert with_keepalive(query) == query
    assert with_cookie(query, b"12345678") == query
    assert with_padding(query, is_padded=True) == query
