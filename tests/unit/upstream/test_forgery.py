"""Plain UDP against forgers: the spelling of the question, and cookies, over real sockets."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import dns.message
import pytest
import trio

from anchord.model import rcodes
from anchord.upstream.build import build_upstreams
from anchord.upstream.cookies import CLIENT_COOKIE
from anchord.upstream.datagram import DatagramUpstream
from anchord.upstream.matching import question_of
from anchord.upstream.url import parse
from anchord.wire.framing import frame
from anchord.wire.message import find_option
from anchord.wire.options import OPTION_COOKIE, write_opt, write_option
from support.peers import DatagramPeer, Stream, answer_everything, queries, query_for, reply_to

NAME = "www.a-long-name-with-many-letters.example"
"""Nobody guesses its spelling in a test."""

TCP, UDP, FORGED = "192.0.2.1", "192.0.2.2", "192.0.2.66"

THEIRS = b"a cookie"

Messages = list[bytes]
Conduct = Callable[[bytes, int], Messages]
OverTcp = Callable[[Stream], Awaitable[None]]


def address_in(reply: bytes) -> str:
    return str(dns.message.from_wire(reply).answer[0][0])


def cookie_in(query: bytes) -> bytes | None:
    return find_option(query, OPTION_COOKIE)


def with_edns(reply: bytes, cookie: bytes | None = None, rcode: int = rcodes.NOERROR) -> bytes:
    """A reply of `reply_to` with an OPT record, and a cookie in it."""
    option = write_option(OPTION_COOKIE, cookie) if cookie is not None else b""
    opt = write_opt(dnssec_ok=True, extended_rcode=rcode >> 4, options=option)
    return reply[:3] + bytes((reply[3] | rcode & 0xF,)) + reply[4:10] + b"\0\1" + reply[12:] + opt


def folded(message: bytes) -> bytes:
    """As servers answer that write all names in small letters."""
    end = message.index(b"\0", 12)
    return message[:12] + message[12:end].lower() + message[end:]


def known(query: bytes, theirs: bytes = THEIRS, rcode: int = rcodes.NOERROR) -> bytes:
    """The reply of a server that knows cookies."""
    said = cookie_in(query)
    assert said is not None
    return with_edns(reply_to(query, octet=2), said[:CLIENT_COOKIE] + theirs, rcode)


def knows_cookies(query: bytes, _before: int) -> Messages:
    return [known(query)]


def plain(query: bytes, _before: int) -> Messages:
    return [reply_to(query, octet=2)]


async def fold_over_tcp(stream: Stream) -> None:
    async for query in queries(stream):
        await stream.send_all(frame(folded(reply_to(query))))


Ask = Callable[..., Awaitable[tuple[DatagramPeer, DatagramUpstream]]]


@pytest.fixture
async def ask(nursery: trio.Nursery) -> AsyncIterator[Ask]:
    """Starts a server, and makes an upstream that asks it; nothing takes longer than it may."""
    made: list[DatagramUpstream] = []

    async def start(
        conduct: Conduct,
        *hosts: str,
        is_simple: bool = False,
        over_tcp: OverTcp = answer_everything,
    ) -> tuple[DatagramPeer, DatagramUpstream]:
        peer = DatagramPeer(conduct, over_tcp=over_tcp)
        await peer.start(nursery)
        endpoint = parse(f"udp://127.0.0.1:{peer.over_tcp.port}", addresses=hosts)
        (upstream,) = build_upstreams(
            [endpoint], nursery, allow_plaintext=True, is_simple=is_simple
        )
        assert isinstance(upstream, DatagramUpstream)
        made.append(upstream)
        return peer, upstream

    with trio.fail_after(10):
        yield start
        for upstream in made:
            await upstream.aclose()


# ------------ A forger off the way ------------


@pytest.fixture
def forger() -> Callable[[DatagramPeer, bytes], None]:
    """Sends as if it were the server: from its address and port, to where it is asked from."""

    def forge(peer: DatagramPeer, message: bytes) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as spoofing:
            spoofing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            spoofing.bind(("127.0.0.1", peer.over_tcp.port))
            spoofing.connect(("127.0.0.9", 9))  # so that no query comes here
            spoofing.sendto(message, peer.sources[-1])

    return forge


Forge = Callable[[DatagramPeer, bytes], None]


async def test_a_forger_who_knows_port_and_id_does_not_know_the_spelling(
    ask: Ask, forger: Forge
) -> None:
    def conduct(query: bytes, _before: int) -> Messages:
        forger(peer, reply_to(query[:2] + query_for(NAME)[2:], octet=66))
        return [reply_to(query, octet=2)]

    peer, upstream = await ask(conduct)
    for _ in range(2):
        assert address_in(await upstream.exchange(query_for(NAME))) == TCP
    assert upstream.counters.moved_to_tcp == 2
    assert len({question_of(query) for query in peer.received}) == 2  # it keeps being spelt


async def test_a_forger_who_guesses_the_spelling_too_does_not_know_the_cookie(
    ask: Ask, forger: Forge
) -> None:
    def conduct(query: bytes, before: int) -> Messages:
        if before:
            forger(peer, with_edns(reply_to(query, octet=66), bytes(CLIENT_COOKIE) + THEIRS))
        return [known(query)]

    peer, upstream = await ask(conduct)
    for _ in range(2):
        assert address_in(await upstream.exchange(query_for(NAME))) == UDP
    assert upstream.counters.mismatches == 1
    assert (upstream.counters.cookies, upstream.counters.moved_to_tcp) == (2, 0)


async def test_a_forger_who_sends_no_cookie_is_not_believed_for_a_server_that_does(
    ask: Ask, forger: Forge
) -> None:
    def conduct(query: bytes, before: int) -> Messages:
        if before:
            forger(peer, reply_to(query, octet=66))
        return [known(query)]

    peer, upstream = await ask(conduct)
    assert address_in(await upstream.exchange(query_for(NAME))) == UDP
    assert address_in(await upstream.exchange(query_for(NAME))) == TCP


# ------------ The spelling ------------


async def test_the_client_gets_back_the_spelling_that_it_sent(ask: Ask) -> None:
    peer, upstream = await ask(plain)
    reply = await upstream.exchange(query_for(NAME))
    assert reply[2:] == reply_to(query_for(NAME), octet=2)[2:]
    assert question_of(peer.received[0]) != question_of(query_for(NAME))


async def test_a_server_that_does_not_keep_the_spelling_is_learnt_over_tcp(ask: Ask) -> None:
    def fold(query: bytes, _before: int) -> Messages:
        return [folded(reply_to(query, octet=2))]

    peer, upstream = await ask(fold, over_tcp=fold_over_tcp)
    assert address_in(await upstream.exchange(query_for(NAME))) == TCP
    for _ in range(2):
        assert address_in(await upstream.exchange(query_for(NAME))) == UDP
    assert [question_of(query) for query in peer.received[1:]] == [question_of(query_for(NAME))] * 2
    upstream.forget_network()
    assert address_in(await upstream.exchange(query_for(NAME))) == TCP


async def test_what_changes_the_spelling_on_the_way_teaches_nothing(ask: Ask) -> None:
    def fold(query: bytes, _before: int) -> Messages:
        return [folded(reply_to(query, octet=2))]

    _, upstream = await ask(fold)
    for _ in range(3):
        assert address_in(await upstream.exchange(query_for(NAME))) == TCP
    assert upstream.counters.moved_to_tcp == 3


# ------------ Cookies ------------


async def test_a_servers_cookie_is_returned_and_none_goes_over_tcp(ask: Ask) -> None:
    def conduct(query: bytes, before: int) -> Messages:
        return [known(query)] if before < 2 else [reply_to(query, truncated=True)]

    peer, upstream = await ask(conduct)
    for expected in (UDP, UDP, TCP):
        assert address_in(await upstream.exchange(query_for(NAME))) == expected
    first, *others = map(cookie_in, peer.received)
    assert first is not None
    assert len(first) == CLIENT_COOKIE
    assert others == [first + THEIRS] * 2


async def test_a_query_over_tcp_has_no_cookie(ask: Ask) -> None:
    seen: Messages = []

    async def note(stream: Stream) -> None:
        async for query in queries(stream):
            seen.append(query)
            await stream.send_all(frame(reply_to(query)))

    _, upstream = await ask(lambda query, _before: [reply_to(query, truncated=True)], over_tcp=note)
    await upstream.exchange(query_for(NAME))
    assert [cookie_in(query) for query in seen] == [None]


async def test_another_network_gets_another_cookie(ask: Ask) -> None:
    peer, upstream = await ask(knows_cookies)
    await upstream.exchange(query_for(NAME))
    upstream.forget_network()
    await upstream.exchange(query_for(NAME))
    first, second = map(cookie_in, peer.received)
    assert first
    assert second
    assert first != second
    assert len(second) == CLIENT_COOKIE


async def test_each_address_gets_a_cookie_of_its_own(ask: Ask, nursery: trio.Nursery) -> None:
    """The first address falls silent after its first answer, so that the second is asked."""
    one, upstream = await ask(
        lambda query, before: [] if before else [known(query)], "127.0.0.1", "127.0.0.2"
    )
    two = DatagramPeer(knows_cookies, "127.0.0.2")
    await two.start(nursery, one.over_tcp.port)
    await upstream.exchange(query_for(NAME))
    with trio.move_on_after(0.6):
        await upstream.exchange(query_for(NAME))
    assert address_in(await upstream.exchange(query_for(NAME))) == UDP
    first, second = cookie_in(one.received[0]), cookie_in(two.received[0])
    assert first
    assert second
    assert len(second) == CLIENT_COOKIE
    assert first != second


async def test_badcookie_is_asked_again_once_with_the_new_cookie(ask: Ask) -> None:
    def renew(query: bytes, before: int) -> Messages:
        return [known(query) if before else known(query, b"renewed!", rcodes.BADCOOKIE)]

    peer, upstream = await ask(renew)
    assert address_in(await upstream.exchange(query_for(NAME))) == UDP
    first, second = map(cookie_in, peer.received)
    assert first is not None
    assert second == first + b"renewed!"
    assert upstream.counters.moved_to_tcp == 0


async def test_badcookie_twice_leads_to_tcp(ask: Ask) -> None:
    peer, upstream = await ask(lambda query, _before: [known(query, rcode=rcodes.BADCOOKIE)])
    assert address_in(await upstream.exchange(query_for(NAME))) == TCP
    assert len(peer.received) == 2


async def test_a_server_that_chokes_on_cookies_is_learnt_over_tcp(ask: Ask) -> None:
    def choke(query: bytes, _before: int) -> Messages:
        rcode = rcodes.NOERROR if cookie_in(query) is None else rcodes.FORMERR
        return [with_edns(reply_to(query, octet=2), rcode=rcode)]

    peer, upstream = await ask(choke)
    assert address_in(await upstream.exchange(query_for(NAME))) == TCP
    assert address_in(await upstream.exchange(query_for(NAME))) == UDP
    assert [cookie_in(query) is None for query in peer.received] == [False, True]


async def test_a_server_that_dislikes_the_question_itself_goes_on_getting_cookies(ask: Ask) -> None:
    async def complain(stream: Stream) -> None:
        async for query in queries(stream):
            await stream.send_all(frame(with_edns(reply_to(query), rcode=rcodes.FORMERR)))

    def conduct(query: bytes, _before: int) -> Messages:
        return [with_edns(reply_to(query, octet=2), rcode=rcodes.FORMERR)]

    peer, upstream = await ask(conduct, over_tcp=complain)
    for _ in range(2):
        reply = dns.message.from_wire(await upstream.exchange(query_for(NAME)))
        assert reply.rcode() == rcodes.FORMERR
    assert all(cookie_in(query) for query in peer.received)


async def test_an_error_that_has_the_cookie_is_the_servers_answer(ask: Ask) -> None:
    _, upstream = await ask(lambda query, _before: [known(query, rcode=rcodes.FORMERR)])
    reply = dns.message.from_wire(await upstream.exchange(query_for(NAME)))
    assert reply.rcode() == rcodes.FORMERR
    assert upstream.counters.moved_to_tcp == 0


async def test_servers_of_old_get_neither(ask: Ask) -> None:
    peer, upstream = await ask(lambda query, _before: [folded(reply_to(query, octet=2))],
                               is_simple=True)  # fmt: skip
    assert address_in(await upstream.exchange(query_for(NAME))) == UDP
    upstream.forget_network()
    assert address_in(await upstream.exchange(query_for(NAME))) == UDP
    assert [query[2:] for query in peer.received] == [query_for(NAME)[2:]] * 2
