"""Datagrams, over real sockets."""

import contextlib
import logging
import os
import shutil
import socket
import subprocess

import dns.flags
import dns.message
import dns.rcode
import pytest
import trio
import trio.testing

from anchord.cache.store import AnswerCache, Entry
from anchord.model.clock import SystemClock
from anchord.model.question import ClientFlags, Question
from anchord.model.steps import Steps
from anchord.model.verdict import Status
from anchord.resolver import turns
from anchord.resolver.resolver import Known
from anchord.server.limits import Limits
from support.doors import (
    SOON,
    Datagrams,
    answer_of,
    make_query,
    open_doors,
    rrset,
)

needs_dig = pytest.mark.skipif(not shutil.which("dig"), reason="dig is not installed")

needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0,
    reason="only root can ask from port 0, to which no reply can be sent",
)

GARBAGE = [b"", b"\0", b"\xff" * 11, b"\0" * 12, b"\xff" * 512, b"GET / HTTP/1.1\r\n\r\n"]


@pytest.mark.parametrize("family", [4, 6])
async def test_a_question_is_answered_from_the_address_that_was_asked(family: int) -> None:
    async with open_doors() as doors, Datagrams(doors.addresses[family]) as client:
        message = make_query("www.example.", use_edns=0, want_dnssec=True)
        reply = dns.message.from_wire(await client.ask(message.to_wire()))
        assert message.is_response(reply)
        assert reply.flags & dns.flags.AD
        assert [str(each) for each in reply.answer] == ["www.example. 300 IN A 192.0.2.1"]


async def test_another_loopback_address_of_the_same_port_is_not_ours() -> None:
    async with open_doors() as doors:
        port = doors.addresses[4][1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.2", port))


async def test_garbage_hurts_nobody() -> None:
    async with open_doors() as doors, Datagrams(doors.addresses[4]) as client:
        for message in GARBAGE:
            await client.send(message)
        own = make_query("www.example.")
        await client.send(own.to_wire())
        while not own.is_response(reply := dns.message.from_wire(await client.receive())):
            assert reply.rcode() in {dns.rcode.FORMERR, dns.rcode.NOTIMP}
        assert doors.counters.udp_queries == len(GARBAGE) + 1
        assert doors.counters.bugs == 0


async def test_a_datagram_longer_than_any_query_is_malformed() -> None:
    wire = make_query("www.example.", use_edns=0).to_wire()
    longest = Limits().longest_datagram

    def padded(length: int) -> bytes:
        room = length - len(wire) - 4
        option = b"\0\x0c" + room.to_bytes(2) + bytes(room)
        return wire[:-2] + len(option).to_bytes(2) + option

    async with open_doors() as doors, Datagrams(doors.addresses[4]) as client:
        fits = dns.message.from_wire(await client.ask(padded(longest)))
        assert fits.rcode() == dns.rcode.NOERROR
        is_too_long = dns.message.from_wire(await client.ask(padded(longest + 1)))
        assert is_too_long.rcode() == dns.rcode.FORMERR


async def test_a_repeated_query_is_answered_without_asking_the_resolver_again() -> None:
    async with open_doors() as doors, Datagrams(doors.addresses[4]) as client:
        wire = make_query("www.example.").to_wire()
        for identifier in range(200):
            reply = await client.ask(identifier.to_bytes(2) + wire[2:])
            assert reply[:2] == identifier.to_bytes(2)
        assert len(doors.resolver.asked) < 100
        assert doors.counters.front_hits + len(doors.resolver.asked) == 200


async def test_a_flushed_front_asks_the_resolver_again() -> None:
    async with open_doors() as doors, Datagrams(doors.addresses[4]) as client:
        wire = make_query("www.example.").to_wire()
        await client.ask(wire)
        doors.handler.front.clear()
        await client.ask(wire)
        assert len(doors.resolver.asked) == 2


async def test_what_the_cache_has_needs_no_question_and_its_reply_is_made_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, cache = SystemClock(), AnswerCache(1 << 20)
    answer = answer_of(rrset("www.example.", "A", "192.0.2.1"))
    cache.put(answer.question, answer, clock.monotonic())

    def fresh(question: Question) -> Entry | None:
        return cache.find(question, clock.monotonic())

    def known(question: Question, flags: ClientFlags) -> Known | None:
        entry = fresh(question)
        assert flags.recursion_desired
        return Known(entry.aged(clock.monotonic()), entry) if entry else None

    async with open_doors() as doors, Datagrams(doors.addresses[4]) as client:
        monkeypatch.setattr(doors.resolver, "known", known)
        monkeypatch.setattr(doors.resolver, "fresh", fresh)
        wire = make_query("www.example.").to_wire()
        ttls = []
        with trio.fail_after(SOON):
            while 299 not in ttls:
                reply = dns.message.from_wire(await client.ask(wire))
                ttls.append(reply.answer[0].ttl)
                await trio.sleep(0.1)
        assert set(ttls) == {300, 299}
        assert doors.resolver.asked == []
        assert doors.counters.front_hits == len(ttls) - 1


async def test_a_failure_is_asked_for_again_each_time() -> None:
    async with open_doors() as doors, Datagrams(doors.addresses[4]) as client:
        doors.resolver.prepare(
            answer_of(rrset("old.example.", "A", "192.0.2.1"), status=Status.BOGUS)
        )
        for _ in range(3):
            reply = dns.message.from_wire(await client.ask(make_query("old.example.").to_wire()))
            assert reply.rcode() == dns.rcode.SERVFAIL
        assert len(doors.resolver.asked) == 3


async def test_a_slow_question_holds_up_no_other() -> None:
    async with open_doors() as doors, Datagrams(doors.addresses[4]) as client:
        slow, fast = make_query("www.slow."), make_query("www.example.")
        await client.send(slow.to_wire())
        assert fast.is_response(dns.message.from_wire(await client.ask(fast.to_wire())))
        doors.resolver.released.set()
        assert slow.is_response(dns.message.from_wire(await client.receive()))


async def test_questions_beyond_the_limit_are_dropped_and_one_warning_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    limits = Limits(datagrams_in_flight=3)
    async with open_doors(limits) as doors, Datagrams(doors.addresses[4]) as client:
        for number in range(5):
            await client.send(make_query(f"{number}.slow.").to_wire())
        assert await client.hears_nothing_for(0.1)
        assert doors.counters.dropped == 2
        doors.resolver.released.set()
        for _ in range(3):
            await client.receive()
        assert await client.hears_nothing_for(0.1)
        await client.ask(make_query("www.example.").to_wire())
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "slow" not in warnings[0].getMessage()


async def test_a_flood_is_taken_in_batches_and_answered_to_the_last() -> None:
    async with open_doors(Limits(turn=4)) as doors, Datagrams(doors.addresses[4]) as client:
        queries = {number: make_query(f"{number}.example.") for number in range(50)}
        for number, message in queries.items():
            message.id = number
            client.send_now(message.to_wire())  # the server has no turn meanwhile
        while queries:
            reply = dns.message.from_wire(await client.receive())
            assert queries.pop(reply.id).is_response(reply)


async def test_a_client_that_has_gone_is_forgotten() -> None:
    async with open_doors() as doors:
        async with Datagrams(doors.addresses[4]) as gone:
            await gone.send(make_query("www.slow.").to_wire())
            await trio.testing.wait_all_tasks_blocked(0.05)
        doors.resolver.released.set()
        async with Datagrams(doors.addresses[4]) as client:
            for number in range(3):
                await client.ask(make_query(f"{number}.example.").to_wire())


@needs_root
async def test_a_reply_that_the_system_does_not_take_is_lost_alone() -> None:
    async with open_doors() as doors:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw:
            wire = make_query("www.example.").to_wire()
            host, port = doors.addresses[4]
            header = b"\0\0" + port.to_bytes(2) + (8 + len(wire)).to_bytes(2) + b"\0\0"
            raw.sendto(header + wire, (host, 0))
        async with Datagrams(doors.addresses[4]) as client:
            await client.ask(make_query("other.example.").to_wire())
        assert doors.counters.unsent == 1


async def test_queries_in_flight_are_answered_after_the_stop_and_no_new_ones() -> None:
    async with open_doors() as doors, Datagrams(doors.addresses[4]) as client:
        message = make_query("www.slow.")
        await client.send(message.to_wire())
        await trio.testing.wait_all_tasks_blocked(0.05)
        doors.stop.set()
        await trio.testing.wait_all_tasks_blocked(0.05)
        await client.send(make_query("late.example.").to_wire())
        doors.resolver.released.set()
        assert message.is_response(dns.message.from_wire(await client.receive()))
        with contextlib.suppress(ConnectionRefusedError):
            assert await client.hears_nothing_for(0.1)


async def test_the_stop_waits_no_longer_than_its_limit() -> None:
    with trio.fail_after(SOON):
        async with open_doors(Limits(stop=0.05)) as doors:
            async with Datagrams(doors.addresses[4]) as client:
                await client.send(make_query("www.slow.").to_wire())
                await trio.testing.wait_all_tasks_blocked(0.05)
            doors.stop.set()
            await trio.sleep(0.3)
            assert not doors.resolver.released.is_set()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
                free.bind(doors.addresses[4])


@needs_dig
@pytest.mark.parametrize("family", [4, 6])
async def test_dig_is_content(family: int) -> None:
    async with open_doors() as doors:
        host, port = doors.addresses[family]
        command = ["dig", f"@{host}", "-p", str(port), "+dnssec", "+timeout=5", "wWw.example.", "A"]
        done = await trio.run_process(command, capture_stdout=True, stderr=subprocess.STDOUT)
        shown = done.stdout.decode()
        assert "status: NOERROR" in shown
        assert "flags: qr rd ra ad;" in shown
        assert "wWw.example.\t\t300\tIN\tA\t192.0.2.1" in shown
        assert "WARNING" not in shown


async def test_what_is_known_is_told_between_the_steps_of_long_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing else has a turn meanwhile, not even the task that drains the socket."""
    monkeypatch.setattr(turns, "STINT", 60.0)
    async with open_doors() as doors, Datagrams(doors.addresses[4]) as client:
        asked = make_query("www.example.").to_wire()
        known = await client.ask(asked)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.connect(doors.addresses[4])
            other.setblocking(False)

            def work() -> Steps[tuple[bytes, int]]:
                yield
                other.send(b"??" + asked[2:])
                other.send(make_query("new.example.").to_wire())
                yield
                return other.recv(4096), len(doors.resolver.asked)

            reply, number = await doors.handler.turns.run(work())
            assert (reply, number) == (b"??" + known[2:], 1)
            await trio.lowlevel.wait_readable(other)
            assert dns.message.from_wire(other.recv(4096)).rcode() == dns.rcode.NOERROR
            assert len(doors.resolver.asked) == 2


async def test_a_door_that_is_closed_is_not_served() -> None:
    async with open_doors() as doors, Datagrams(doors.addresses[4]) as client:
        asked = make_query("www.example.").to_wire()
        await client.ask(asked)
        doors.stop.set()
        await trio.testing.wait_all_tasks_blocked()
        received = doors.counters.udp_queries
        with contextlib.suppress(OSError):
            await client.send(asked)
        await doors.handler.turns.give_way()
        assert doors.counters.udp_queries == received
