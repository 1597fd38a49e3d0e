import contextlib
import errno
import os
import socket
from collections.abc import Iterator

import pytest
import trio
import trio.testing

from anchord.net import race
from anchord.net.race import UnreachableError, alternating, in_words
from anchord.net.tcp import TcpChannel, connect


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


def port_of(listener: socket.socket) -> int:
    port = listener.getsockname()[1]
    assert isinstance(port, int)
    return port


async def accepted(listener: socket.socket) -> socket.socket:
    peer, _ = await trio.socket.from_stdlib_socket(listener).accept()
    return socket.socket(fileno=peer.detach())


def test_families_take_turns_beginning_with_the_first_address() -> None:
    mixed = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "192.0.2.3", "2001:db8::2"]
    assert alternating(mixed) == [
        "192.0.2.1", "2001:db8::1", "192.0.2.2", "2001:db8::2", "192.0.2.3",
    ]  # fmt: skip
    assert alternating(mixed[2:])[0] == "2001:db8::1"
    assert alternating([]) == []


async def test_a_refused_address_gives_way_to_the_next_at_once(listening: socket.socket) -> None:
    started = trio.current_time()
    channel = await connect(["127.0.0.2", "127.0.0.1"], port_of(listening))
    assert channel.address == "127.0.0.1"
    assert trio.current_time() - started < race.STAGGER
    channel.close()


async def test_a_silent_address_gives_way_to_the_next_after_the_stagger() -> None:
    with socket.socket() as full, socket.socket() as open_:
        full.bind(("127.0.0.2", 0))
        full.listen(0)
        port = port_of(full)
        open_.bind(("127.0.0.1", port))
        open_.listen()
        filling = [socket.socket() for _ in range(4)]
        for one in filling:  # whatever does not fit in the queue is not answered by Linux
            one.setblocking(False)
            assert one.connect_ex(("127.0.0.2", port)) == errno.EINPROGRESS
        started = trio.current_time()
        with trio.fail_after(4 * race.STAGGER):
            channel = await connect(["127.0.0.2", "127.0.0.1"], port)
        assert channel.address == "127.0.0.1"
        assert trio.current_time() - started >= race.STAGGER
        channel.close()
        for one in filling:
            one.close()


async def test_the_error_names_every_address_and_its_reason() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = port_of(reserved)
        with pytest.raises(UnreachableError) as caught:
            await connect(["127.0.0.1", "127.0.0.2"], port)
    assert caught.value.is_refusal
    assert str(caught.value) == (
        f"port {port} cannot be reached "
        "(127.0.0.1: connection refused, 127.0.0.2: connection refused)"
    )


def test_an_address_without_a_route_is_no_refusal() -> None:
    error = UnreachableError(853, [("192.0.2.1", OSError(errno.ENETUNREACH, "x"))])
    assert not error.is_refusal
    assert "no route to the network" in str(error)


def test_errors_without_words_of_ours_keep_the_systems() -> None:
    assert in_words(OSError(errno.ENOBUFS, "x")) == os.strerror(errno.ENOBUFS).lower()
    assert in_words(OSError("odd")) == "odd"


async def test_a_cancelled_receive_loses_nothing(listening: socket.socket) -> None:
    channel = await connect(["127.0.0.1"], port_of(listening))
    with await accepted(listening) as peer:
        with trio.move_on_after(0.01) as scope:
            await channel.receive()
        assert scope.cancelled_caught
        peer.sendall(b"hello")
        assert await channel.receive() == b"hello"
        peer.shutdown(socket.SHUT_WR)
        assert await channel.receive() == b""
    channel.close()


async def test_more_than_the_socket_holds_is_sent_in_full(listening: socket.socket) -> None:
    channel = await connect(["127.0.0.1"], port_of(listening))
    data = bytes(range(256)) * 40_000
    received = bytearray()
    with await accepted(listening) as peer:
        peer.setblocking(False)
        reader = TcpChannel(peer, "127.0.0.1")

        async def read() -> None:
            while len(received) < len(data):
                received.extend(await reader.receive())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(channel.send_all, data)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(read)
    assert received == data
    channel.acknowledge()
    channel.close()


async def test_closing_wakes_the_reader_and_may_be_repeated(listening: socket.socket) -> None:
    channel = await connect(["127.0.0.1"], port_of(listening))
    woken = trio.Event()

    async def read() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await channel.receive()
        woken.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        channel.close()
        await woken.wait()
    channel.close()


async def test_a_farewell_to_a_broken_socket_is_silent(listening: socket.socket) -> None:
    channel = await connect(["127.0.0.1"], port_of(listening))
    (await accepted(listening)).close()
    for _ in range(3):
        channel.send_some(b"bye")
        await trio.sleep(0.01)
    channel.close()


async def test_a_cancelled_connect_leaves_no_socket_behind() -> None:
    before = open_files()
    with trio.CancelScope() as scope:
        scope.cancel()
        await connect(["127.0.0.1"], 9)
    assert scope.cancelled_caught
    assert open_files() <= before


def open_files() -> set[int]:
    """Descriptors that are open, as far as there is a cheap way to know."""
    found = set()
    for descriptor in range(256):
        with contextlib.suppress(OSError):
            os.fstat(descriptor)
            found.add(descriptor)
    return found
