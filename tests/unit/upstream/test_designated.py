"""Plaintext upstreams that designate an encrypted way to themselves."""

import dns.rdata
import pytest
import trio
import trio.testing

from anchord.model import rcodes
from anchord.model.response import Response, RRset
from anchord.upstream import designated
from anchord.upstream.designated import DISCOVERY, DesignatedUpstream
from anchord.upstream.matching import question_of
from anchord.upstream.shared import SharedUpstream
from anchord.wire.message import find_option
from anchord.wire.options import OPTION_PADDING
from anchord.wire.query import write_query
from support.certificates import make
from support.peers import address_in, query_for, reply_to
from support.stubborn import Asked, answer, first
from support.walk import Heard, MemoryUpstream, Said
from unit.upstream.conftest import Stage


def designating(*texts: str) -> MemoryUpstream:
    """Answers in plaintext that it is 192.0.2.9, and designates this."""

    async def conduct(heard: Heard) -> Said:
        if heard.query.question != DISCOVERY:
            return reply_to(heard.wire, octet=9)
        rdatas = tuple(dns.rdata.from_text("IN", "SVCB", text).to_wire() or b"" for text in texts)
        rrset = RRset(DISCOVERY.name, DISCOVERY.rdtype, 300, rdatas)
        return Response(DISCOVERY, rcodes.NOERROR, answer=(rrset,) if rdatas else ())

    return MemoryUpstream(conduct, "udp://127.0.0.1", is_encrypted=False)


async def settled(upstream: DesignatedUpstream) -> str:
    """Who answers once the discovery is over: 192.0.2.1 is behind the encrypted way."""
    await upstream.exchange(query_for())
    for _ in range(300):
        if upstream.is_encrypted:
            break
        await trio.sleep(0.01)
    return address_in(await upstream.exchange(query_for()))


@pytest.mark.parametrize(
    ("scheme", "parameters"),
    [
        ("tls", "alpn=dot"),
        ("https", "alpn=h2 key7=/dns-query{{?dns}}"),
        ("quic", "alpn=doq"),
        ("h3", "alpn=h3 key7=/dns-query{{?dns}}"),
    ],
)
async def test_the_designated_way_is_used_when_it_proves_to_lead_there(
    stage: Stage, scheme: str, parameters: str
) -> None:
    server = await stage.server(scheme, answer)
    plain = designating(f"1 dns.example. {parameters.format()} port={server.port}")
    upstream = DesignatedUpstream(plain, "127.0.0.1", stage.nursery, ca_file=stage.ca_file)
    assert not upstream.is_encrypted
    assert await settled(upstream) == "192.0.2.1"
    assert plain.asked == ["www.example. A", "_dns.resolver.arpa. SVCB"]
    await upstream.aclose()


async def test_a_certificate_for_another_address_is_not_accepted(stage: Stage) -> None:
    """Somebody on the way designates a server of theirs, with a good certificate for its name."""
    wrong = make(["dns.example", "127.0.0.2"], issuer=stage.ca)
    server = await stage.server("tls", answer, certificate=wrong)
    plain = designating(f"1 dns.example. alpn=dot port={server.port}")
    upstream = DesignatedUpstream(plain, "127.0.0.1", stage.nursery, ca_file=stage.ca_file)
    with trio.move_on_after(1):
        assert await settled(upstream) == "192.0.2.9"
    assert not upstream.is_encrypted
    assert server.heard == []
    await upstream.aclose()


async def test_the_way_that_is_preferred_is_tried_first(stage: Stage) -> None:
    server = await stage.server("tls", answer)
    plain = designating(
        f"2 . alpn=dot port={server.port}",
        "1 . alpn=h2 port=1",  # without a path it is none
        "1 . mandatory=alpn,key99 alpn=dot key99=x",
        "1 . alpn=imap",
        "0 alias.example.",
    )
    upstream = DesignatedUpstream(plain, "127.0.0.1", stage.nursery, ca_file=stage.ca_file)
    assert await settled(upstream) == "192.0.2.1"
    await upstream.aclose()


async def test_where_the_encrypted_way_ends_the_configured_one_is_used(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    server = await stage.server("tls", answer)
    plain = designating(f"1 . alpn=dot port={server.port}")
    upstream = DesignatedUpstream(plain, "127.0.0.1", stage.nursery, ca_file=stage.ca_file)
    assert await settled(upstream) == "192.0.2.1"
    encrypted = upstream._encrypted
    assert isinstance(encrypted, SharedUpstream)
    await encrypted.aclose()
    assert address_in(await upstream.exchange(query_for())) == "192.0.2.9"
    assert not upstream.is_encrypted
    assert "is asked in plaintext again" in caplog.text
    await upstream.aclose()


@pytest.mark.parametrize("is_there", [True, False])
async def test_an_encrypted_way_that_has_fallen_silent_is_found_out_by_who_leaves(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, *, is_there: bool
) -> None:
    """One question gets no answer in time; whether any would, a probe tells."""
    monkeypatch.setattr(designated, "LIMIT", 0.5)
    is_probed = trio.Event()

    async def probed(asked: Asked) -> None:
        if question_of(asked.query) == question_of(designated.PROBE):
            is_probed.set()
            if is_there:
                await asked.reply()

    server = await stage.server("tls", first(2, answer, probed))
    plain = designating(f"1 . alpn=dot port={server.port}")
    upstream = DesignatedUpstream(plain, "127.0.0.1", stage.nursery, ca_file=stage.ca_file)
    assert await settled(upstream) == "192.0.2.1"
    with trio.move_on_after(0.05):
        await upstream.exchange(query_for())
    await is_probed.wait()
    await trio.sleep(0.7)
    assert upstream.is_encrypted is is_there
    await upstream.aclose()


async def test_another_network_may_have_another_resolver_there(stage: Stage) -> None:
    server = await stage.server("tls", answer)
    plain = designating(f"1 . alpn=dot port={server.port}")
    upstream = DesignatedUpstream(plain, "127.0.0.1", stage.nursery, ca_file=stage.ca_file)
    await settled(upstream)
    before = upstream._encrypted
    assert isinstance(before, SharedUpstream)
    upstream.forget_network()
    assert not upstream.is_encrypted
    assert upstream.counters.designated == ""
    await trio.testing.wait_all_tasks_blocked()
    assert before._current is None  # its connection is closed
    assert await settled(upstream) == "192.0.2.1"
    assert upstream._encrypted is not before
    assert (server.connections, server.resumed) == (2, 0)
    assert plain.asked.count("_dns.resolver.arpa. SVCB") == 2
    await upstream.aclose()


async def test_what_waits_for_the_encrypted_way_is_asked_in_plaintext_in_another_network(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    is_asked = trio.Event()

    async def be_silent(_asked: Asked) -> None:
        is_asked.set()

    server = await stage.server("tls", first(2, answer, be_silent))
    plain = designating(f"1 . alpn=dot port={server.port}")
    upstream = DesignatedUpstream(plain, "127.0.0.1", stage.nursery, ca_file=stage.ca_file)
    assert await settled(upstream) == "192.0.2.1"
    async with trio.open_nursery() as nursery:

        async def wait() -> None:
            assert address_in(await upstream.exchange(query_for())) == "192.0.2.9"

        nursery.start_soon(wait)
        await is_asked.wait()
        upstream.forget_network()
    assert "in plaintext again" not in caplog.text
    await upstream.aclose()


async def test_a_discovery_that_is_under_way_ends_with_the_network(stage: Stage) -> None:
    is_asked, is_over = trio.Event(), trio.Event()

    async def be_late(asked: Asked) -> None:
        is_asked.set()
        await is_over.wait()
        await asked.reply()

    server = await stage.server("tls", be_late, answer)
    plain = designating(f"1 . alpn=dot port={server.port}")
    upstream = DesignatedUpstream(plain, "127.0.0.1", stage.nursery, ca_file=stage.ca_file)
    tasks = len(stage.nursery.child_tasks)
    await upstream.exchange(query_for())
    await is_asked.wait()
    assert len(stage.nursery.child_tasks) > tasks
    upstream.forget_network()
    await trio.testing.wait_all_tasks_blocked()
    assert len(stage.nursery.child_tasks) == tasks  # the connection is closed
    is_over.set()
    await trio.sleep(0.05)
    assert not upstream.is_encrypted
    assert await settled(upstream) == "192.0.2.1"
    assert server.connections == 2
    await upstream.aclose()


async def test_queries_are_padded_where_nobody_can_read_them_and_nowhere_else(
    stage: Stage,
) -> None:
    server = await stage.server("tls", answer)
    plain = designating(f"1 . alpn=dot port={server.port}")
    upstream = DesignatedUpstream(plain, "127.0.0.1", stage.nursery, ca_file=stage.ca_file)
    await settled(upstream)
    for is_padded in (False, True):
        await upstream.exchange(write_query(DISCOVERY, padded=is_padded))
    assert [len(query) % 128 for query in server.heard] == [0] * 4
    upstream.forget_network()
    await upstream.exchange(write_query(DISCOVERY, padded=True))
    assert not any(find_option(heard.wire, OPTION_PADDING) for heard in plain.heard)
    await upstream.aclose()


async def test_the_statistics_tell_the_way_and_who_issued_its_certificate(stage: Stage) -> None:
    server = await stage.server("tls", answer)
    plain = designating(f"1 . alpn=dot port={server.port}")
    upstream = DesignatedUpstream(plain, "127.0.0.1", stage.nursery, ca_file=stage.ca_file)
    await settled(upstream)
    counts = upstream.counters.snapshot()
    assert counts["designated"] == f"tls://127.0.0.1:{server.port}"
    assert counts["issuer"] == "CN=Test CA"
    await upstream.aclose()


async def test_an_upstream_that_designates_nothing_is_asked_once(stage: Stage) -> None:
    plain = designating()
    upstream = DesignatedUpstream(plain, "127.0.0.1", stage.nursery)
    for _ in range(3):
        assert address_in(await upstream.exchange(query_for())) == "192.0.2.9"
        await trio.sleep(0.01)
    assert plain.asked.count("_dns.resolver.arpa. SVCB") == 1
    await upstream.aclose()
