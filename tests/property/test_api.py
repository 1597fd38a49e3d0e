"""Whatever is asked of the API is a question or a problem, and nothing else."""

import json
from collections.abc import Callable
from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from anchord.api.messages import ProblemError
from anchord.api.questions import (
    AskCheck,
    AskDomain,
    AskName,
    AskTlsa,
    AskVerdict,
    from_json,
    from_query,
)
from anchord.dane.check import Request

QUESTIONS: dict[type[Struct], str] = {
    AskName: "question",
    AskTlsa: "service",
    AskCheck: "request",
    AskDomain: "name",
    AskVerdict: "request",
}

kinds = st.sampled_from(list(QUESTIONS))
fields = st.sampled_from(
    ["name", "type", "do", "cd", "host", "port", "proto", "starttls", "domain", "chain", "x"]
)
texts = st.text() | st.sampled_from(
    ["a.example", "xn--a", "ü.example", "\\000.a", "*", "_25._tcp.a.", "[::1]", "1", "tcp", "smtp"]
)


def asked(read: Callable[[], Struct], kind: type[Struct]) -> object:
    """The question, or the status of the problem that the client gets in its place."""
    try:
        question: object = getattr(read(), QUESTIONS[kind])
    except ProblemError as problem:
        return problem.reply.status
    return question


@given(kinds, st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E)))
def test_any_query_of_a_url_is_read_or_refused(kind: type[Struct], query: str) -> None:
    asked(lambda: from_query(query, kind), kind)


@given(kinds, st.dictionaries(fields, texts))
def test_any_parameters_are_read_or_refused(kind: type[Struct], parameters: dict[str, str]) -> None:
    query = urlencode(parameters, errors="surrogatepass")
    asked(lambda: from_query(query, kind), kind)


@given(kinds, st.binary())
def test_any_octets_are_read_or_refused(kind: type[Struct], body: bytes) -> None:
    asked(lambda: from_json(body, kind), kind)


@given(kinds, st.dictionaries(fields, texts | st.integers() | st.none() | st.lists(texts)))
def test_any_json_is_read_or_refused(kind: type[Struct], document: dict[str, object]) -> None:
    body = json.dumps(document).encode()
    asked(lambda: from_json(body, kind), kind)


def test_what_is_right_is_read() -> None:
    """The counterpart: the tests above do not refuse everything."""
    name = asked(lambda: from_query("name=a.example&type=28", AskName), AskName)
    assert str(name) == "a.example. AAAA"
    assert isinstance(
        asked(lambda: from_json(b'{"host": "a.example"}', AskCheck), AskCheck), Request
    )
    assert asked(lambda: from_query("name=a&type=x", AskName), AskName) == 400
