"""TCP connections, over real sockets."""

import socket
import struct

import dns.edns
import dns.message
import dns.rcode
import pytest
import trio

from anchord.server.limits import Limits
from anchord.wire.framing import frame
from support.doors import (
    SOON,
    Stream,
    answer_of,
    make_query,
    open_doors,
    rrset,
)

BIG = answer_of(rrset("big.example.", "TXT", *(f"{n:03}" + "x" * 250 for n in range(240))))
"""About 62,000 octets."""


def is_reply(message: dns.message.Message, reply: bytes | None) -> bool:
    return reply is not None and message.is_response(dns.message.from_wire(reply))


async def repeat(stream: trio.SocketStream, data: bytes, *, pause: float) -> None:
    """Sends the same over and over, until the server cuts the connection."""
    with trio.fail_after(SOON):
        while True:
            await stream.send_all(data)
            await trio.sleep(pause)


@pytest.mark.parametrize("family", [4, 6])
async def test_a_question_is_answered(family: int) -> None:
    async with open_doors() as doors, await Stream.connect(doors.addresses[family]) as client:
        message = make_query("www.example.")
        assert is_reply(message, await client.ask(message.to_wire()))


async def test_an_answer_too_long_for_datagrams_is_whole() -> None:
    async with open_doors() as doors, await Stream.connect(doors.addresses[4]) as client:
        doors.resolver.prepare(BIG)
        reply = dns.message.from_wire(await client.ask(make_query("big.example.", "TXT").to_wire()))
        assert len(reply.answer[0]) == 240


async def test_a_message_may_come_octet_by_octet() -> None:
    async with open_doors() as doors, await Stream.connect(doors.addresses[4]) as client:
        message = make_query("www.example.")
        for octet in frame(message.to_wire()):
            await client.raw.send_all(bytes((octet,)))
            await trio.lowlevel.checkpoint()
        assert is_reply(message, await client.receive())


async def test_answers_come_in_the_order_they_get_ready() -> None:
    async with open_doors() as doors, await Stream.connect(doors.addresses[4]) as client:
        slow, fast = make_query("www.slow."), make_query("www.example.")
        await client.send(slow.to_wire(), fast.to_wire())
        assert is_reply(fast, await client.receive())
        doors.resolver.released.set()
        assert is_reply(slow, await client.receive())


async def test_thousands_of_pipelined_queries_are_all_answered() -> None:
    async with open_doors() as doors, await Stream.connect(doors.addresses[4]) as client:
        waiting = {number: make_query(f"{number}.example.") for number in range(3000)}
        for number, message in waiting.items():
            message.id = number
        wires = [message.to_wire() for message in waiting.values()]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send, *wires)
            for _ in wires:
                reply = await client.receive()
                assert reply is not None
                assert is_reply(waiting.pop(int.from_bytes(reply[:2])), reply)
        assert not waiting


async def test_queries_beyond_the_limit_of_a_connection_stay_unread() -> None:
    limits = Limits(connection_in_flight=3)
    async with open_doors(limits) as doors, await Stream.connect(doors.addresses[4]) as client:
        wires = [make_query(f"{number}.slow.").to_wire() for number in range(10)]
        await client.send(*wires)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert len(doors.resolver.asked) == 3
        doors.resolver.released.set()
        for _ in wires:
            assert await client.receive() is not None
        assert len(doors.resolver.asked) == 10


async def test_a_half_closed_connection_is_still_answered() -> None:
    async with open_doors() as doors, await Stream.connect(doors.addresses[4]) as client:
        names = {"www.slow.", "other.slow."}
        await client.send(*(make_query(name).to_wire() for name in names))
        await client.raw.send_eof()
        await trio.testing.wait_all_tasks_blocked(0.05)
        doors.resolver.released.set()
        while names:
            reply = await client.receive()
            assert reply is not None
            names.remove(dns.message.from_wire(reply).question[0].name.to_text())
        assert await client.receive() is None


@pytest.mark.parametrize(
    "message",
    [b"", b"\0", b"\0" * 11, b"\0\0\x80\0" + b"\0" * 8],
    ids=["empty", "1 octet", "11 octets", "a response"],
)
async def test_what_is_no_query_ends_the_connection_after_what_was_asked(message: bytes) -> None:
    async with open_doors() as doors, await Stream.connect(doors.addresses[4]) as client:
        asked = make_query("www.example.")
        await client.send(asked.to_wire(), message)
        assert is_reply(asked, await client.receive())
        assert await client.receive() is None
        assert doors.counters.ignored == 1


async def test_a_malformed_query_is_told_so_and_the_connection_goes_on() -> None:
    async with open_doors() as doors, await Stream.connect(doors.addresses[4]) as client:
        reply = dns.message.from_wire(await client.ask(b"\0\x07" + b"\0" * 10))
        assert (reply.id, reply.rcode()) == (7, dns.rcode.FORMERR)
        message = make_query("www.example.")
        assert is_reply(message, await client.ask(message.to_wire()))


async def test_an_idle_connection_is_closed_and_a_busy_one_is_not() -> None:
    async with open_doors(Limits(idle=0.2)) as doors:
        async with await Stream.connect(doors.addresses[4]) as idle:
            assert await idle.receive() is None
        async with await Stream.connect(doors.addresses[4]) as busy:
            message = make_query("www.slow.")
            await busy.send(message.to_wire())
            await trio.sleep(0.4)
            doors.resolver.released.set()
            assert is_reply(message, await busy.receive())
            assert await busy.receive() is None


async def test_a_connection_in_use_stays_open_for_longer_than_the_idle_time() -> None:
    limits = Limits(idle=0.3)
    async with open_doors(limits) as doors, await Stream.connect(doors.addresses[4]) as client:
        for number in range(6):
            await trio.sleep(0.1)
            message = make_query(f"{number}.example.")
            assert is_reply(message, await client.ask(message.to_wire()))


async def test_a_message_in_pieces_does_not_keep_a_connection_open() -> None:
    limits = Limits(idle=0.3)
    async with open_doors(limits) as doors, await Stream.connect(doors.addresses[4]) as client:
        with pytest.raises(trio.BrokenResourceError):
            await repeat(client.raw, b"\1", pause=0.05)


async def test_keepalive_tells_the_idle_time_to_those_that_ask() -> None:
    async with open_doors() as doors, await Stream.connect(doors.addresses[4]) as client:
        message = make_query("www.example.")
        message.use_edns(options=[dns.edns.GenericOption(dns.edns.OptionType(11), b"")])
        reply = dns.message.from_wire(await client.ask(message.to_wire()))
        assert [o.to_wire() for o in reply.options if o.otype == 11] == [b"\0\x64"]
        reply = dns.message.from_wire(await client.ask(make_query("a.", use_edns=0).to_wire()))
        assert not reply.options


async def test_the_connection_idle_longest_makes_room_for_another() -> None:
    async with open_doors(Limits(connections=2)) as doors:
        address = doors.addresses[4]
        async with await Stream.connect(address) as first, await Stream.connect(address) as second:
            for client in (first, second):
                assert await client.ask(make_query("www.example.").to_wire())
            async with await Stream.connect(address) as third:
                assert await third.ask(make_query("www.example.").to_wire())
                assert await first.receive() is None
                assert await second.ask(make_query("www.example.").to_wire())
        assert doors.counters.connections_evicted == 1
        assert doors.counters.connections_refused == 0


async def test_a_connection_is_refused_where_all_others_are_busy() -> None:
    async with open_doors(Limits(connections=1)) as doors:
        async with await Stream.connect(doors.addresses[4]) as busy:
            message = make_query("www.slow.")
            await busy.send(message.to_wire())
            await trio.testing.wait_all_tasks_blocked(0.05)
            async with await Stream.connect(doors.addresses[4]) as other:
                assert await other.receive() is None
            doors.resolver.released.set()
            assert is_reply(message, await busy.receive())
        assert doors.counters.connections_refused == 1
        assert doors.counters.connections_evicted == 0


async def test_a_client_that_fetches_no_reply_holds_little_and_is_cut_off() -> None:
    limits = Limits(send=0.3, send_buffer=4096)
    async with open_doors(limits) as doors, await Stream.connect(doors.addresses[4]) as client:
        doors.resolver.prepare(BIG)
        queries = frame(make_query("big.example.", "TXT").to_wire()) * 500
        with pytest.raises(trio.BrokenResourceError):
            await repeat(client.raw, queries, pause=0.02)
        rendered = doors.counters.snapshot()["rcode.NOERROR"]
        assert doors.counters.unsent == 1
        assert rendered < limits.connection_in_flight
        assert len(doors.resolver.asked) <= limits.connection_in_flight + rendered


async def test_a_client_that_resets_its_connection_hurts_nobody() -> None:
    async with open_doors() as doors:
        for name in ("www.slow.", "www.example."):
            async with await Stream.connect(doors.addresses[4]) as client:
                client.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                await client.send(make_query(name).to_wire())
        await trio.testing.wait_all_tasks_blocked(0.05)
        doors.resolver.released.set()
        async with await Stream.connect(doors.addresses[4]) as client:
            assert await client.ask(make_query("www.example.").to_wire())


async def test_length_and_message_leave_together() -> None:
    async with open_doors() as doors, await Stream.connect(doors.addresses[4]) as client:
        await client.send(make_query("www.example.").to_wire())
        with trio.fail_after(SOON):
            received = await client.raw.receive_some()
        assert len(received) == 2 + int.from_bytes(received[:2])


async def test_queries_in_flight_are_answered_after_the_stop_and_no_new_ones() -> None:
    async with open_doors() as doors, await Stream.connect(doors.addresses[4]) as client:
        message = make_query("www.slow.")
        await client.send(message.to_wire())
        await trio.testing.wait_all_tasks_blocked(0.05)
        doors.stop.set()
        await trio.testing.wait_all_tasks_blocked(0.05)
        with pytest.raises(OSError, match="all attempts to connect"):
            await Stream.connect(doors.addresses[4])
        await client.send(make_query("late.example.").to_wire())
        doors.resolver.released.set()
        assert is_reply(message, await client.receive())
        assert await client.receive() is None
        assert len(doors.resolver.asked) == 1


async def test_the_stop_waits_no_longer_than_its_limit() -> None:
    limits = Limits(stop=0.05)
    async with open_doors(limits) as doors, await Stream.connect(doors.addresses[4]) as client:
        await client.send(make_query("www.slow.").to_wire())
        await trio.testing.wait_all_tasks_blocked(0.05)
        doors.stop.set()
        assert await client.receive() is None
        assert not doors.resolver.released.is_set()
