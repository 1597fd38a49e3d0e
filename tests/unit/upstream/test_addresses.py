"""Where upstreams are: configured, looked up through others, kept, and raced."""

import json
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import pytest
import trio

from anchord.daemon.addresses import address_file
from anchord.model import rcodes, rdtypes
from anchord.model.response import Response, RRset
from anchord.upstream.addresses import (
    LONGEST_KEPT,
    LONGEST_LIFE,
    LOOK_UP_LIMIT,
    MOST_ADDRESSES,
    REMEMBERED,
    SHORTEST_LIFE,
    AddressBook,
    Dialer,
    Guide,
)
from anchord.upstream.base import Kind, UpstreamError
from anchord.upstream.build import build_upstreams
from anchord.upstream.url import parse
from support.peers import StreamPeer, address_in, answer_everything, query_for
from support.walk import Conduct, Heard, MemoryUpstream, Said, in_fast_motion, silent, unreachable

HOST = parse("tls://dns.example")


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def knows(*addresses: str, ttl: int = 7200) -> Conduct:
    """Says of every host that it has these addresses."""

    async def conduct(heard: Heard) -> Said:
        question = heard.query.question
        family = socket.AF_INET6 if question.rdtype == rdtypes.AAAA else socket.AF_INET
        held = [each for each in addresses if (":" in each) == (family == socket.AF_INET6)]
        rdatas = tuple(socket.inet_pton(family, each) for each in held)
        rrset = RRset(question.name, question.rdtype, ttl, rdatas)
        return Response(question, rcodes.NOERROR, answer=(rrset,) if rdatas else ())

    return conduct


def guide(conduct: Conduct, url: str = "tls://192.0.2.53", addresses: Sequence[str] = ()) -> Guide:
    return parse(url, addresses=addresses), MemoryUpstream(conduct, url)


def book(
    *guides: Guide,
    file: Path | None = None,
    wall: Hand | None = None,
    system: Mapping[str, bool] | None = None,
) -> AddressBook:
    shelf = address_file(file.parent) if file else None
    made = AddressBook(shelf, lambda: bool(system), wall or Hand())
    made.guides = guides
    return made


def asked(of: Guide) -> list[str]:
    assert isinstance(of[1], MemoryUpstream)
    return of[1].asked


# ------------ Who is asked ------------


async def test_addresses_come_from_the_table_or_the_host_without_asking_anybody() -> None:
    one = guide(knows("192.0.2.7"))
    of = book(one)
    given = parse("tls://dns.example", addresses=["192.0.2.1", "2001:db8::1"])
    assert await of.addresses_of(given) == ("192.0.2.1", "2001:db8::1")
    assert await of.addresses_of(parse("tls://[2620:fe::fe]")) == ("2620:fe::fe",)
    both = parse("tls://192.0.2.9", addresses=["192.0.2.1"])
    assert await of.addresses_of(both) == ("192.0.2.1",)
    assert asked(one) == []


async def test_a_name_is_looked_up_through_another_upstream_ipv6_first() -> None:
    one = guide(knows("192.0.2.7", "2001:db8::7"))
    assert await book(one).addresses_of(HOST) == ("2001:db8::7", "192.0.2.7")
    assert sorted(asked(one)) == ["dns.example. A", "dns.example. AAAA"]
    assert isinstance(one[1], MemoryUpstream)
    assert all(heard.is_padded and not heard.checking_disabled for heard in one[1].heard)


@in_fast_motion
async def test_the_next_one_is_asked_where_one_does_not_know_or_answer() -> None:
    guides = [guide(conduct) for conduct in (knows(), unreachable, silent, knows("192.0.2.7"))]
    assert await book(*guides).addresses_of(HOST) == ("192.0.2.7",)
    assert trio.current_time() < LOOK_UP_LIMIT


async def test_the_system_is_asked_last_and_only_where_it_would_not_ask_us() -> None:
    there = parse("tls://localhost")
    assert "127.0.0.1" in await book(system={"other": True}).addresses_of(there)
    with pytest.raises(UpstreamError) as caught:
        await book(guide(unreachable)).addresses_of(there)
    assert caught.value.kind is Kind.NETWORK
    assert str(caught.value) == (
        "tls://localhost: the name localhost cannot be looked up "
        "(asked of tls://192.0.2.53); give its addresses"
    )


async def test_what_the_system_does_not_know_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_arguments: object, **_options: object) -> NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(trio.socket, "getaddrinfo", fail)
    with pytest.raises(UpstreamError) as caught:
        await book(system={"other": True}).addresses_of(HOST)
    assert str(caught.value) == (
        "tls://dns.example: the name dns.example cannot be looked up "
        "(Name or service not known); give its addresses"
    )


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("tls://dns.example", ["192.0.2.1"]),  # the same host
        ("tls://other.example", []),  # nobody knows where that is
        ("udp://192.0.2.53", []),  # anybody could answer
    ],
)
async def test_who_cannot_help_is_not_asked(url: str, addresses: list[str]) -> None:
    one = guide(knows("192.0.2.7"), url, addresses)
    with pytest.raises(UpstreamError, match="there is no other upstream to ask"):
        await book(one).addresses_of(HOST)
    assert asked(one) == []


async def test_two_that_know_of_each_other_do_not_ask_in_a_circle() -> None:
    """Both were known once, and both have expired."""
    wall = Hand()
    first = guide(knows("192.0.2.7"))
    of = book(first, wall=wall)
    other = parse("tls://other.example")
    await of.addresses_of(HOST)
    await of.addresses_of(other)
    wall.now += LONGEST_LIFE

    async def by_looking_for(endpoint: str) -> None:
        await of.addresses_of(parse(endpoint))
        raise UpstreamError(endpoint, Kind.NETWORK, "away")

    async def through_host(_: Heard) -> Said:
        await by_looking_for("tls://dns.example")
        raise AssertionError

    async def through_other(_: Heard) -> Said:
        await by_looking_for("tls://other.example")
        raise AssertionError

    of.guides = [
        (HOST, MemoryUpstream(through_host, "tls://dns.example")),
        (other, MemoryUpstream(through_other, "tls://other.example")),
    ]
    with trio.fail_after(5):
        assert await of.addresses_of(HOST) == ("192.0.2.7",)


async def test_no_more_addresses_of_a_family_are_taken_than_can_be_tried() -> None:
    one = guide(knows(*(f"192.0.2.{number}" for number in range(1, 30))))
    assert len(await book(one).addresses_of(HOST)) == MOST_ADDRESSES


# ------------ How long they hold ------------


@pytest.mark.parametrize(("ttl", "life"), [(0, SHORTEST_LIFE), (7200, 7200), (10**6, LONGEST_LIFE)])
async def test_addresses_hold_as_long_as_their_ttl_within_bounds(ttl: int, life: int) -> None:
    wall = Hand()
    one = guide(knows("192.0.2.7", ttl=ttl))
    of = book(one, wall=wall)
    await of.addresses_of(HOST)
    wall.now += life - 1
    await of.addresses_of(HOST)
    assert len(asked(one)) == 2
    wall.now += 1
    await of.addresses_of(HOST)
    assert len(asked(one)) == 4


async def test_they_are_used_beyond_that_when_nobody_answers() -> None:
    wall = Hand()
    of = book(guide(knows("192.0.2.7")), wall=wall)
    await of.addresses_of(HOST)
    wall.now += 10 * LONGEST_LIFE
    of.guides = [guide(unreachable)]
    assert await of.addresses_of(HOST) == ("192.0.2.7",)


async def test_a_host_that_was_not_there_is_looked_up_anew(nursery: trio.Nursery) -> None:
    peer = StreamPeer(answer_everything)
    await peer.start(nursery)
    one = guide(knows("127.0.0.99"))
    of = book(one)
    endpoint = parse(f"tcp://dns.example:{peer.port}")
    (upstream,) = build_upstreams([endpoint], nursery, allow_plaintext=True, book=of)
    with pytest.raises(UpstreamError):
        await upstream.exchange(query_for())
    of.guides = [guide(knows("127.0.0.1"))]
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.1"
    await upstream.aclose()


@pytest.mark.parametrize("length", [0, 3, 5, 17])
async def test_what_a_guide_calls_an_address_and_is_none_is_left_out(length: int) -> None:
    async def conduct(heard: Heard) -> Said:
        question = heard.query.question
        rrset = RRset(question.name, question.rdtype, 300, (bytes(length), b"\xc0\0\2\7"))
        return Response(question, rcodes.NOERROR, (rrset,) if question.rdtype == rdtypes.A else ())

    assert await book(guide(conduct)).addresses_of(HOST) == ("192.0.2.7",)


# ------------ The file ------------


async def test_addresses_outlive_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "state" / "addresses.json"
    await book(guide(knows("192.0.2.7", "2001:db8::7")), file=file).addresses_of(HOST)
    assert file.stat().st_mode & 0o777 == 0o600
    assert await book(file=file).addresses_of(HOST) == ("2001:db8::7", "192.0.2.7")


async def test_what_has_not_been_asked_for_for_long_leaves_the_file(tmp_path: Path) -> None:
    file, wall = tmp_path / "addresses.json", Hand()
    of = book(guide(knows("192.0.2.7")), file=file, wall=wall)
    await of.addresses_of(HOST)
    wall.now += LONGEST_KEPT + LONGEST_LIFE
    await of.addresses_of(parse("tls://other.example"))
    assert list(json.loads(file.read_text())) == ["other.example"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"dns.example": {}}',
        '{"dns.example": {"addresses": ["example.com"], "expires": 1}}',
        '{"dns.example": {"addresses": [7], "expires": 1}}',
        '{"dns.example": {"addresses": ["192.0.2.1"], "expires": "soon"}}',
    ],
)
async def test_a_file_that_is_no_good_is_made_anew(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "addresses.json"
    file.write_text(content)
    of = book(guide(knows("192.0.2.7")), file=file)
    assert "cannot be read, and is made anew" in caplog.text
    assert await of.addresses_of(HOST) == ("192.0.2.7",)
    assert await book(file=file).addresses_of(HOST) == ("192.0.2.7",)


async def test_a_file_that_cannot_be_written_is_told_and_does_no_harm(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").write_text("a file in the place of a folder")
    of = book(guide(knows("192.0.2.7")), file=tmp_path / "state" / "addresses.json")
    assert await of.addresses_of(HOST) == ("192.0.2.7",)
    assert "the addresses of upstreams are not kept" in caplog.text


# ------------ Races ------------


async def test_the_address_that_won_is_tried_first_for_a_while(nursery: trio.Nursery) -> None:
    peer = StreamPeer(answer_everything)
    await peer.start(nursery)
    endpoint = parse(f"tcp://dns.example:{peer.port}", addresses=["127.0.0.2", "127.0.0.1"])
    dial = Dialer(endpoint, AddressBook())
    first = await dial()
    assert first.address == "127.0.0.1"
    first.close()
    other = StreamPeer(answer_everything, host="127.0.0.2")
    await other.start(nursery, peer.port)
    again = await dial()
    assert again.address == "127.0.0.1"
    again.close()


@in_fast_motion
async def test_the_loser_of_a_race_runs_again_later() -> None:
    endpoint = parse("tls://dns.example", addresses=["2001:db8::1", "192.0.2.1"])
    dial = Dialer(endpoint, AddressBook())
    dial.answered("192.0.2.1")
    assert await dial.addresses() == ["192.0.2.1", "2001:db8::1"]
    await trio.sleep(REMEMBERED / 2)
    dial.answered("192.0.2.1")  # using it puts nothing off
    await trio.sleep(REMEMBERED / 2)
    assert await dial.addresses() == ["2001:db8::1", "192.0.2.1"]
