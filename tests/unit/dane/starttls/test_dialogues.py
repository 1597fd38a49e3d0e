"""The STARTTLS dialogues without a socket: what is said, and how each can end."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchord.dane.starttls import PROTOCOLS
from anchord.dane.starttls.dialogue import (
    LONGEST_PIECE,
    MOST_OCTETS,
    Conversation,
    Dialogue,
    Exactly,
    NonsenseError,
    Peer,
    RefusedError,
    Say,
    Until,
)
from anchord.lab.services import SCRIPTS


def conversation(protocol: str, domain: str = "example.org") -> Conversation:
    return Conversation(PROTOCOLS[protocol].dialogue(Peer(domain)))


def talk(protocol: str, answers: Iterable[bytes], domain: str = "example.org") -> list[bytes]:
    """What is said to these answers, one after the other, the opening first."""
    talking = conversation(protocol, domain)
    said = [talking.begin()]
    said += [talking.received(answer) for answer in answers]
    assert talking.is_over
    return said


def answers_of(protocol: str) -> list[bytes]:
    """What the lab's server of that protocol says, piece by piece."""
    return [step.data for step in SCRIPTS[protocol] if isinstance(step, Say)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_gets_to_the_go_ahead(protocol: str) -> None:
    assert b"".join(talk(protocol, answers_of(protocol)))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_comes_octet_by_octet_is_understood_all_the_same(protocol: str) -> None:
    whole = b"".join(talk(protocol, answers_of(protocol)))
    talking = conversation(protocol)
    said = talking.begin()
    for octet in b"".join(answers_of(protocol)):
        said += talking.received(bytes((octet,)))
    assert (said, talking.is_over) == (whole, True)


@pytest.mark.parametrize("protocol", set(PROTOCOLS) - {"mysql"})
def test_clear_text_after_the_go_ahead_is_an_error(protocol: str) -> None:
    *first, last = answers_of(protocol)
    talking = conversation(protocol)
    talking.begin()
    for answer in first:
        talking.received(answer)
    with pytest.raises(NonsenseError, match="in clear after agreeing"):
        talking.received(last + b"x")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(data=st.lists(st.binary(max_size=200), max_size=20))
def test_whatever_a_peer_says_ends_in_one_of_two_errors_or_in_the_go_ahead(
    protocol: str, data: list[bytes]
) -> None:
    problem = ""
    talking = conversation(protocol)
    talking.begin()
    try:
        for piece in data:
            if not talking.is_over:
                talking.received(piece)
    except (RefusedError, NonsenseError) as error:
        problem = error.problem
    assert len(problem) < 200
    assert problem.isprintable()


@pytest.mark.parametrize(
    ("protocol", "answers", "problem"),
    [
        ("smtp", [b"220 hi\r\n", b"250-hi\r\n250 8BITMIME\r\n"], "not offered"),
        ("smtp", [b"220 hi\r\n", b"250 STARTTLS\r\n"], "not offered"),
        ("smtp", [b"220 hi\r\n", b"250-hi\r\n250 starttls\r\n", b"454 no\r\n"], "refused: 454 no"),
        ("lmtp", [b"220 hi\r\n", b"250 hi\r\n"], "not offered"),
        ("imap", [b"* OK hi\r\n", b"* CAPABILITY IMAP4rev1\r\na1 OK\r\n"], "not offered"),
        ("imap", [b"* OK hi\r\n", b"* CAPABILITY STARTTLS\r\na1 OK\r\n", b"a2 NO\r\n"], "refused"),
        ("pop3", [b"+OK hi\r\n", b"-ERR no\r\n"], "refused"),
        ("sieve", [b'"SIEVE" "x"\r\nOK\r\n'], "not offered"),
        ("sieve", [b'"STARTTLS"\r\nOK\r\n', b"NO\r\n"], "refused"),
        ("nntp", [b"200 hi\r\n", b"580 no\r\n"], "refused"),
        ("ftp", [b"220 hi\r\n", b"502 no\r\n"], "refused"),
        ("xmpp-client", [b"<stream:stream><stream:features/>"], "not offered"),
        ("xmpp-server", [b"<stream:stream><stream:features></stream:features>"], "not offered"),
        ("ldap", [bytes.fromhex("300c02010178070a013404000400")], "result code 52"),
        ("postgres", [b"N"], "no TLS"),
        ("mysql", [b"\x12\0\0\0\x0a8\0" + bytes(13) + b"\0\0"], "no TLS"),
    ],
)
def test_starttls_that_is_not_to_be_had_is_told(
    protocol: str, answers: list[bytes], problem: str
) -> None:
    with pytest.raises(RefusedError, match=problem):
        talk(protocol, answers)


@pytest.mark.parametrize(
    ("protocol", "answers"),
    [
        ("smtp", [b"220 hi\r\n", b"502 what\r\n"]),
        ("imap", [b"* OK\r\n* OK\r\n"]),
        ("imap", [b"* OK hi\r\n", b"a1 BAD\r\n"]),
        ("imap", [b"* OK hi\r\n", b"b7 OK\r\n"]),
        ("imap", [b"* OK hi\r\n", b"\r\n"]),
        ("ldap", [bytes.fromhex("300c02010161070a010004000400")]),
        ("ldap", [bytes.fromhex("3005020101780002")]),
        ("ldap", [bytes.fromhex("3000")]),
        ("ldap", [bytes.fromhex("30820009020101780402020000")]),
        ("xmpp-client", [b"<stream:stream><stream:error>"]),
    ],
)
def test_a_peer_that_loses_the_thread_is_told_apart(protocol: str, answers: list[bytes]) -> None:
    talking = conversation(protocol)
    talking.begin()
    *first, last = answers
    for answer in first:
        talking.received(answer)
    with pytest.raises(NonsenseError):
        talking.received(last)


def test_a_proceed_with_a_closing_tag_of_its_own_is_a_go_ahead() -> None:
    *first, last = answers_of("xmpp-client")
    spelt_out = last.replace(b"/>", b"></proceed>")
    assert talk("xmpp-client", [*first, spelt_out])


def test_xmpp_starttls_that_fails_is_told() -> None:
    answers = answers_of("xmpp-client")[:-1]
    with pytest.raises(RefusedError, match="failure"):
        talk("xmpp-client", [*answers, b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"])


@pytest.mark.parametrize(
    ("protocol", "answer"),
    [
        ("smtp", b"554 go away\r\n"),
        ("smtp", b"SSH-2.0-OpenSSH\r\n"),
        ("imap", b"* BYE\r\n"),
        ("pop3", b"-ERR\r\n"),
        ("sieve", b"NO\r\n"),
        ("nntp", b"400\r\n"),
        ("ftp", b"421\r\n"),
        ("xmpp-client", b"<stream:error><host-unknown/>"),
        ("ldap", b"HTTP/1.1"),
        ("ldap", bytes.fromhex("30847fffffff")),
        ("postgres", b"E"),
        ("mysql", b"\xff\xff\xff\0"),
        ("mysql", b"\x01\0\0\0\xff"),
    ],
)
def test_a_peer_that_speaks_something_else_is_told_apart(protocol: str, answer: bytes) -> None:
    talking = conversation(protocol)
    talking.begin()
    with pytest.raises(NonsenseError):
        talking.received(answer)


def test_the_domain_is_escaped_where_it_stands_in_xml() -> None:
    opening = conversation("xmpp-client", "a'b<c>.example").begin()
    assert b"to='a&#x27;b&lt;c&gt;.example'" in opening


def test_untagged_lines_of_imap_may_come_at_any_time() -> None:
    answers = [
        b"* OK hi\r\n",
        b"* 3 EXISTS\r\n* CAPABILITY STARTTLS\r\na1 OK\r\n",
        b"* 4 EXISTS\r\na2 OK\r\n",
    ]
    assert talk("imap", answers)[1:] == [b"a1 CAPABILITY\r\n", b"a2 STARTTLS\r\n", b""]


# ------------ Limits ------------


def test_a_line_one_octet_too_long_ends_it() -> None:
    fine, long = (
        b"220 " + b"x" * (size - 6) + b"\r\n" for size in (LONGEST_PIECE, LONGEST_PIECE + 1)
    )
    talking = conversation("smtp")
    talking.begin()
    assert talking.received(fine) == b"EHLO localhost\r\n"
    talking = conversation("smtp")
    talking.begin()
    with pytest.raises(NonsenseError, match="at once"):
        talking.received(long)


def test_a_line_that_does_not_end_is_not_waited_for_for_ever() -> None:
    talking = conversation("imap")
    talking.begin()
    talking.received(b"x" * LONGEST_PIECE)
    with pytest.raises(NonsenseError, match="at once"):
        talking.received(b"x")


def test_short_lines_without_end_are_not_listened_to_for_ever() -> None:
    talking = conversation("sieve")
    talking.begin()
    line = b'"X" "' + b"y" * 100 + b'"\r\n'
    for _ in range(MOST_OCTETS // len(line)):
        talking.received(line)
    with pytest.raises(NonsenseError, match=f"{MOST_OCTETS}"):
        talking.received(line)


def test_a_reply_of_too_many_lines_ends_it() -> None:
    talking = conversation("smtp")
    talking.begin()
    with pytest.raises(NonsenseError, match="128 lines"):
        talking.received(b"220-x\r\n" * 129)


def test_a_conversation_asks_for_no_more_than_a_step_at_a_time() -> None:
    def dialogue() -> Dialogue:
        yield Say(b"a")
        yield Say(b"b")
        assert (yield Exactly(2)) == b"xy"
        yield Say(b"c")
        assert (yield Until(b"!")) == b"z!"

    talking = Conversation(dialogue())
    assert talking.begin() == b"ab"
    assert talking.received(b"x") == b""
    assert talking.received(b"yz") == b"c"
    assert not talking.is_over
    assert talking.received(b"!") == b""
    assert talking.is_over
